"""Where they live, how old they are, what they believe, what they learned, whom they married."""

from collections import defaultdict

from shared_pack.tables import figure, level_list, levels, marginal, read

from .codes import (AP, DELHI, DISTRICTS, EDU5, EDUCATION, RELIGIONS, SEXES, SOCIAL, STATES, TELANGANA, TS, ZONES,
                    census_state)

PLACES = {}  # district code -> (level of `place`, state, district)
BANDS = ["18-19", "20-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-74",
         "75-79", "80+"]


def band_of(age):
    return "18-19" if age < 20 else "80+" if age >= 80 else f"{age // 5 * 5}-{age // 5 * 5 + 4}"


def places():
    seen = defaultdict(list)
    for r in read("religion_district.csv"):
        seen[r["district_code"]] = (r["state"], r["district"])
    written = {}
    for code, (state, district) in seen.items():
        if state == AP and district in TELANGANA:
            state = TS
        name = DISTRICTS.get(district, district)
        if state == "Delhi" and district in DELHI:
            name = f"{district} Delhi"
        written[code] = (state, name)
    names = [n for _, n in written.values()]
    for code, (state, name) in written.items():
        PLACES[code] = (name if names.count(name) == 1 else f"{name} ({state})", state, name)
    order = sorted(PLACES, key=int)
    levels("place", ["level", "district", "state"], [[PLACES[c][0], PLACES[c][2], PLACES[c][1]] for c in order])
    level_list("district", dict.fromkeys(PLACES[c][2] for c in order))
    odd = {p[1] for p in PLACES.values()} ^ set(STATES)
    assert not odd, f"religion_district.csv: states that are missing, or unknown here: {', '.join(sorted(odd))}"


def population():
    """C-13 (single years by state of 2011) and C-14 (five-year bands by district), which agree with each other. What
    neither prints: 18 and 19 by district, and single years in Telangana and in what is Andhra Pradesh since 2014."""
    single = defaultdict(float)
    for r in read("population_state_urban_sex_age1.csv"):
        if r["age"].isdigit():
            single[r["state"], ZONES[r["urban_rural"]], r["sex"], int(r["age"])] += float(r["count"])
    district = defaultdict(float)
    for r in read("population_district_urban_sex_age5.csv"):
        code, zone, sex, count = r["district_code"], ZONES[r["urban_rural"]], r["sex"], float(r["count"])
        place, state, _ = PLACES[code]
        if r["age_group"] == "15-19":
            teens = [single[r["state"], zone, sex, a] for a in range(15, 20)]
            if sum(teens):
                district[place, state, zone, sex, "18-19"] += count * (teens[3] + teens[4]) / sum(teens)
        elif r["age_group"] in BANDS:
            district[place, state, zone, sex, r["age_group"]] += count
    bands, whole = defaultdict(float), defaultdict(float)
    for (_, state, zone, sex, band), v in district.items():
        bands[state, zone, sex, band] += v
    for (state, zone, sex, age), v in single.items():
        if age >= 18:
            whole[state, zone, sex, band_of(age)] += v
    cells = {}
    for state in STATES:
        for zone in ZONES.values():
            for sex in SEXES:
                for age in range(18, 101):
                    key = (census_state(state), zone, sex, band_of(age))
                    v = single[key[:3] + (age,)]
                    if state in (AP, TS) and whole[key]:
                        v *= bands[(state,) + key[1:]] / whole[key]
                    if v:
                        cells[state, zone, sex, age] = v
    official = {k: v for k, v in single.items() if k[3] >= 18}
    marginal("population_census_state", ["state"], official, digits=4)
    marginal("population_state", ["state"], cells, digits=4)
    marginal("population_zone_census_state", ["state", "zone"], official, digits=4)
    marginal("population_zone_state", ["state", "zone"], cells, digits=4)
    marginal("population_sex_zone_census_state", ["state", "zone", "sex"], official, digits=4)
    marginal("population_sex_zone_state", ["state", "zone", "sex"], cells, digits=4)
    figure("population_age_sex_zone_census_state", ["state", "zone", "sex", "age"], official)
    figure("population_age_sex_zone_state", ["state", "zone", "sex", "age"], cells, digits=6)
    figure("population_band_sex_zone_state", ["state", "zone", "sex", "age"],
           {k: v for k, v in bands.items() if k[3] != "18-19"}, digits=0)
    figure("place_state", ["state", "zone", "sex", "age", "place"],
           {(s, z, x, b, p): v for (p, s, z, x, b), v in district.items()}, digits=2)
    adults = defaultdict(float)
    for (place, _, zone, sex, band), v in district.items():
        adults[place, zone, sex] += v
    return adults


def religion():
    cells, share = defaultdict(float), defaultdict(float)
    for r in read("religion_district.csv"):
        cells[PLACES[r["district_code"]][0], RELIGIONS[r["religion"]]] += float(r["count"])
    figure("religion_place", ["place", "religion"], cells)
    whole = defaultdict(float)
    for (p, _), v in cells.items():
        whole[p] += v
    for (p, r), v in cells.items():
        share[p, r] = v / whole[p]
    return share


# How often a member of a religion is of a Scheduled Tribe, against a Hindu of the same district. ASSUMPTION: the Census
# prints social category by religion for the country only. Law confines Scheduled Castes to Hindus, Sikhs, Buddhists.
TRIBE = {"Hindu": 1, "Muslim": 0.15, "Christian": 8, "Sikh": 0.02, "Buddhist": 4, "Jain": 0.01,
         "Other religions and persuasions": 40, "Religion not stated": 1}
CASTE = {"Hindu": 1, "Sikh": 1, "Buddhist": 4}


def social_category():
    cells = defaultdict(float)
    for r in read("social_category_district_urban_sex.csv"):
        cells[PLACES[r["district_code"]][0], ZONES[r["urban_rural"]], SOCIAL[r["social_category"]]] += float(r["count"])
    figure("social_category_zone_place", ["place", "zone", "social_category"], cells)
    seed = {}
    for r in RELIGIONS.values():
        odds = {"Scheduled Caste": 0.2 * CASTE.get(r, 0), "Scheduled Tribe": 0.1 * TRIBE[r], "Other": 0.7}
        for s, v in odds.items():
            seed[r, s] = v
    figure("social_category_seed", ["religion", "social_category"], seed, "share", sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Education

# Weights of attainment within 20-24, and at 18 and 19 against what C-08 prints. ASSUMPTION for the single years.
DEGREE_BY_AGE = {"20": 0.2, "21": 0.6, "22": 1.1, "23-24": 1.5}


def education():
    cells, young = defaultdict(float), defaultdict(float)
    degree, matric = EDUCATION["graduate_and_above"], EDUCATION["higher_secondary"]
    for r in read("education_state_urban_sex_age.csv"):
        level = EDUCATION.get(r["education_level"])
        if level is None:
            continue
        key = (r["state"], ZONES[r["urban_rural"]], r["sex"], r["age_group"])
        if r["age_group"] in ("18", "19"):  # a degree takes until 20: what is printed goes to the level below
            young[key + (matric if level == degree else level,)] += float(r["count"])
        elif r["age_group"] in BANDS:
            cells[key + (level,)] += float(r["count"])
    columns = ["state", "zone", "sex", "age", "education_level"]
    figure("education_age_sex_zone_state", columns, cells)
    figure("education_18_19_sex_zone_state", columns, young)
    seed = {}
    for age in ("18", "19", "20", "21", "22", "23-24") + tuple(BANDS[2:]):
        for level in EDUCATION.values():
            seed[age, level] = DEGREE_BY_AGE.get(age, 1.0) if level == degree else 1.0
            if age in ("18", "19") and level == degree:
                seed[age, level] = 0.0
    figure("education_seed", ["age", "education_level"], seed, "share")


# Kinds of degree among "Graduate & above", by sex and age, from memory of the order of magnitude of the Census of 2011
# (graduates 68 million, of whom postgraduates about a fifth, technical degrees about a sixth). ASSUMPTION.
DEGREES = {
    "Graduate degree other than technical degree": (60, 61), "Post-graduate degree other than technical degree": (18,
    23),
    "Engineering and technology": (13, 5.5), "Medicine": (1.6, 1.6), "Agriculture and dairying": (0.5, 0.2),
    "Veterinary": (0.15, 0.05), "Teaching": (4, 7.5), "Other technical degree": (2.4, 1.3),
}
DEGREE_AGES = ["18-20", "21", "22-23", "24-34", "35-49", "50+"]


def degrees():
    cells = {}
    for age in DEGREE_AGES:
        for x, sex in enumerate(SEXES):
            for name, weights in DEGREES.items():
                v = float(weights[x])
                if "Post" in name:
                    v *= {"18-20": 0, "21": 0, "22-23": 0.4}.get(age, 1)
                elif name in ("Medicine", "Teaching", "Veterinary"):
                    v *= {"18-20": 0, "21": 0, "22-23": 0.4}.get(age, 1)
                elif name != "Graduate degree other than technical degree":
                    v *= {"18-20": 0, "21": 0.5, "24-34": 1.6, "50+": 0.45}.get(age, 1)
                for zone in ZONES.values():
                    technical = "degree other" not in name and name != "Agriculture and dairying"
                    cells[age, sex, zone, "degree", name] = v * (0.6 if technical and zone == "Rural" else 1)
            for zone in ZONES.values():
                cells[age, sex, zone, "no_degree", "No degree"] = 1.0
    whole = defaultdict(float)
    for k, v in cells.items():
        whole[k[:4]] += v
    figure("education_degree_assumed", ["age", "sex", "zone", "education_level", "education_degree"],
           {k: v / whole[k[:4]] for k, v in cells.items()}, "share", sig=4)
    # What a trade asks for. ASSUMPTION.
    asks = {"medicine": {"Medicine": 1.0}, "veterinary": {"Veterinary": 1.0}, "teaching": {"Teaching": 6.0},
            "engineering": {"Engineering and technology": 30.0}, "agriculture": {"Agriculture and dairying": 60.0},
            "law": {"Graduate degree other than technical degree": 30.0,
                    "Post-graduate degree other than technical degree": 30.0}}
    field = {}
    for kind in ("medicine", "veterinary", "engineering", "teaching", "agriculture", "law", "other"):
        for name in ["No degree"] + list(DEGREES):
            v = asks.get(kind, {}).get(name, 1.0)
            if kind in ("medicine", "veterinary") and name not in asks[kind]:
                v = 1e-6 if name != "No degree" else 1.0
            if kind in ("other", "law") and name in ("Medicine", "Veterinary"):
                v = 0.12
            field[kind, name] = v
    figure("education_degree_field", ["occupation_unit", "education_degree"], field, "weight")


# ---------------------------------------------------------------------------------------------------------------------
# Marriage

MARITAL_AGES = ["18", "19", "20", "21", "22-24"] + BANDS[2:]
# Odds of never having married against others of the same age and sex. ASSUMPTION.
UNMARRIED = {"low": 0.55, "middle": 0.85, "secondary": 1.5, "diploma": 2.6, "degree": 3.2}


def marital():
    cells = defaultdict(float)
    names = {"never_married": "never married", "married": "currently married", "widowed": "widowed",
             "divorced_separated": "parted"}
    for r in read("marital_status_sex_age_estimate.csv"):
        if r["age_group"] in BANDS:
            cells[r["sex"], r["age_group"], names[r["marital_status"]]] += float(r["count"])
    figure("marital_age_sex", ["sex", "age", "marital_status"], cells)
    # Women of 18 and 19, from the order of magnitude of the Census. ASSUMPTION. No man below 21 is married here.
    figure("marital_18_19", ["sex", "age", "marital_status"],
           {("Female", a, s): v for a, p in (("18", 0.19), ("19", 0.30)) for s, v in
            (("never married", 1 - p), ("currently married", p * 0.99), ("widowed", p * 0.002), ("parted", p * 0.008))},
           "share")
    seed = {}
    for sex in SEXES:
        for age in MARITAL_AGES:
            low = int(age[:2])
            for e in EDU5:
                for zone in ZONES.values():
                    odds = UNMARRIED[e] ** (0.5 if low >= 40 else 1) * (1.25 if zone == "Urban" else 1)
                    single = {"18": 9, "19": 6, "20": 4, "21": 2.2, "22-24": 1}.get(age, 1) * odds
                    old = max(0.02, (low - 30) / 50) * (1.3 if e == "low" else 1)
                    row = {"never married": single, "currently married": 1.0, "widowed": 0.1 * old,
                           "separated": 0.006, "divorced": 0.0025 * (1.5 if e == "degree" else 1)}
                    if sex == "Male" and low < 21:
                        row = {"never married": 1.0}
                    for s, v in row.items():
                        seed[sex, age, e, zone, s] = v
    figure("marital_seed", ["sex", "age", "education_level", "zone", "marital_status"], seed, "share", sig=4)
