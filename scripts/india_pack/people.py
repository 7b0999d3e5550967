"""Where they live, how old they are, what they believe, what they learned, whom they married."""

from collections import defaultdict

from itertools import product

from shared_pack.tables import figure, level_list, levels, manifest_section, marginal, read, recoded, total

from .codes import (AP, DELHI, DISTRICTS, EDUCATION, RELIGIONS, SCHOOL4, SEXES, SOCIAL, STATES, TELANGANA, TS, ZONES,
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
    lines = {}
    for code in order:
        lines.setdefault(census_state(PLACES[code][1]), []).append(f'"{PLACES[code][0]}"')
    manifest_section("places of states", [f'"{s}" = [{", ".join(names)}]' for s, names in lines.items()])
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
    districts(district)
    adults = defaultdict(float)
    for (place, _, zone, sex, band), v in district.items():
        adults[place, zone, sex] += v
    return adults


CHILDREN = [str(age) for age in range(7, 18)]


def adult_share(cells, key):
    """Of those of 7 and over in a cell, who are adults."""
    adult, child = cells[key + ("adult",)], cells[key + ("child",)]
    return adult / (adult + child) if adult else 0.0


def literates():
    """Adults who read, and who do not, by district, residence and sex: those of 7 and over, times the share of adults
    among readers, and among others, of the state, residence and sex in C-08."""
    ages = {**{a: "child" for a in CHILDREN}, **{a: "adult" for a in ["18", "19"] + BANDS[1:]}}
    kinds = {k: "illiterate" if k == "illiterate" else "reads" for k in [*EDUCATION, "unclassified"]}
    state = total(read("education_state_urban_sex_age.csv"),
                  ["state", recoded("urban_rural", ZONES), "sex", recoded("education_level", kinds),
                   recoded("age_group", ages)])
    cells = {}
    for r in read("literacy_district_urban_sex.csv"):
        if r["literacy"] != "age_0_6":
            at, kind = (ZONES[r["urban_rural"]], r["sex"]), {"literate": "reads"}.get(r["literacy"], "illiterate")
            cells[PLACES[r["district_code"]][0], *at, kind] = \
                float(r["count"]) * adult_share(state, (r["state"], *at, kind))
    return cells


def place_age(band):
    low = int(band[:2])
    return band if low < 30 else "70+" if low >= 70 else f"{low // 10 * 10}-{low // 10 * 10 + 9}"


def districts(people):
    """The district by age and by whether one reads: C-14, the literates of the Primary Census Abstract, and C-08 by age
    and state, raked to each other in each state, residence and sex. How reading goes with age is the state's."""
    able = literates()
    ages = {a: place_age("18-19" if a in ("18", "19") else a) for a in ["18", "19"] + BANDS[1:]}
    kinds = {k: "illiterate" if k == "illiterate" else "reads" for k in EDUCATION}
    school = total(read("education_state_urban_sex_age.csv"),
                   ["state", recoded("urban_rural", ZONES), "sex", recoded("age_group", ages),
                    recoded("education_level", kinds)])
    here = defaultdict(lambda: defaultdict(float))
    for (place, state, zone, sex, band), v in people.items():
        here[state, zone, sex][place, place_age(band)] += v
    cells = {}
    for (state, zone, sex), by_age in here.items():
        at = (census_state(state), zone, sex)
        whole, everywhere = defaultdict(float), defaultdict(float)
        for (place, age), v in by_age.items():
            whole[place] += v
            everywhere[age] += v
        ages_read = {}
        for age, v in everywhere.items():
            both = school[at + (age, "reads")] + school[at + (age, "illiterate")]
            for k in ("reads", "illiterate"):
                ages_read[age, k] = v * school[at + (age, k)] / both if both else v / 2
        kinds_all = {k: sum(ages_read[a, k] for a in everywhere) for k in ("reads", "illiterate")}
        places_read = {}
        for place, v in whole.items():
            both = sum(able.get((place, zone, sex, k), 0.0) for k in kinds_all)
            for k in kinds_all:
                places_read[place, k] = v * able.get((place, zone, sex, k), 0.0) / both if both else v / 2
        table = {(p, a, k): v * places_read[p, k] * ages_read[a, k] / kinds_all[k] if kinds_all[k] else 0.0
                 for (p, a), v in by_age.items() for k in kinds_all}
        for _ in range(40):
            for keep, sums in (((0, 2), scaled(places_read, kinds_all)), ((0, 1), by_age), ((1, 2), ages_read)):
                now = defaultdict(float)
                for key, v in table.items():
                    now[key[keep[0]], key[keep[1]]] += v
                table = {key: v * sums[key[keep[0]], key[keep[1]]] / now[key[keep[0]], key[keep[1]]] if v else 0.0
                         for key, v in table.items()}
        for (p, a, k), v in table.items():
            if v:
                cells[state, zone, sex, a, k, p] = v
    figure("place_state", ["state", "zone", "sex", "age", "education_level", "place"], cells, digits=1)


def scaled(cells, sums):
    """Cells whose last key column is scaled to sums."""
    now = defaultdict(float)
    for key, v in cells.items():
        now[key[-1]] += v
    return {key: v * sums[key[-1]] / now[key[-1]] if v else 0.0 for key, v in cells.items()}


# Schooling of a religion against Hindus of the same district and residence: odds of illiterates, of those with up to
# middle school, of those with secondary school, of graduates. ASSUMPTION: C-09 is not at hand; after what is commonly
# told of it (graduates of all ages: Hindus 6.0, Muslims 2.8, Christians 8.8, Sikhs 6.4, Buddhists 6.2, Jains 25.7,
# others 2.5 per cent; who reads from 7 on: Jains 94.9, Muslims 68.5, Hindus 73.3).
SCHOOLED = {"Hindu": (1, 1, 1, 1), "Muslim": (1.15, 1.15, 0.72, 0.5), "Christian": (0.85, 0.95, 1.05, 1.15),
            "Sikh": (0.95, 1, 1.1, 0.85), "Buddhist": (0.85, 1, 1.1, 0.9), "Jain": (0.12, 0.55, 1.15, 3.0),
            "Other religions and persuasions": (1.25, 1, 0.85, 0.65), "Religion not stated": (1, 1, 1, 1)}


def religion():
    cells, whole = defaultdict(float), defaultdict(float)
    for r in read("religion_district_urban_sex.csv"):
        at = (PLACES[r["district_code"]][0], ZONES[r["urban_rural"]])
        cells[at + (RELIGIONS[r["religion"]],)] += float(r["count"])
        whole[at] += float(r["count"])
    figure("religion_zone_place", ["place", "zone", "religion"], {k: v for k, v in cells.items() if whole[k[:2]]})
    figure("religion_seed", ["education_level", "religion"],
           {(e, r): odds[i] for r, odds in SCHOOLED.items() for i, e in enumerate(SCHOOL4)}, "share")
    return {k: v / whole[k[:2]] for k, v in cells.items() if whole[k[:2]]}


# How often a member of a religion is of a Scheduled Tribe or Caste, against a Hindu of the same district and work.
# ASSUMPTION: the Census prints social category by religion for the country only. Law confines Scheduled Castes to
# Hindus, Sikhs, Buddhists. Of the Buddhists of the Deccan and the plains nearly all are of Scheduled Castes, of those of
# the mountains of tribes; who speaks a language of the hills and forests is nearly always of a tribe, but that the tea
# workers of Assam are not scheduled there.
STOCKS = {"Hindu": "hindu", "Religion not stated": "hindu", "Sikh": "sikh_buddhist", "Buddhist": "sikh_buddhist",
          "Christian": "christian", "Other religions and persuasions": "other_tribal", "Muslim": "muslim_jain",
          "Jain": "muslim_jain"}
TRIBE = {"hindu": 1, "sikh_buddhist": 0.02, "christian": 1.5, "muslim_jain": 0.1, "other_tribal": 60,
         "tribal_tongue": 400}
STANDINGS = {"Rural": ["labourer_illiterate", "labourer", "tiller", "illiterate", "school", "secondary", "degree"],
             "Urban": ["town_farm", "town_illiterate", "town_school", "town_secondary", "town_degree"]}
MOUNTAINS = ("Jammu and Kashmir", "Himachal Pradesh", "Sikkim", "Arunachal Pradesh", "Uttarakhand", "West Bengal",
             "Tripura", "Mizoram", "Meghalaya", "Assam", "Nagaland", "Manipur")
FORESTS = ("Jharkhand", "Chhattisgarh", "Odisha", "Madhya Pradesh", "Bihar", "Gujarat", "Rajasthan", "Maharashtra",
           "Dadra and Nagar Haveli")
# How labourers and tillers of a category are schooled against the others of it. ASSUMPTION.
LABOURER, TILLER = (2.2, 1.2, 0.45, 0.06), (1.1, 1.1, 0.9, 0.4)


def stock():
    """Religion, with those who speak a language of the hills and forests apart, and where, what work and schooling:
    what tells the social category. Christians who speak one are as those of the other religions."""
    cells = {}
    for religion, own in STOCKS.items():
        cells[religion, "tribal", {"hindu": "tribal_tongue", "christian": "other_tribal"}.get(own, own)] = 1
        cells[religion, "settled", own] = 1
    figure("stock_assumed", ["religion", "first_language", "stock"], cells, "weight")
    cells = {}
    for kind in ("none", "cultivator", "agricultural_labourer", "household_industry", "other"):
        for e in SCHOOL4:
            level = {"cultivator": "tiller", "agricultural_labourer":
                     "labourer_illiterate" if e == "illiterate" else "labourer"}.get(kind, e)
            cells["Rural", kind, e, level] = 1
            cells["Urban", kind, e, f"town_{e if level == e else 'farm'}"] = 1
    figure("standing_assumed", ["zone", "worker_category", "education_level", "standing"], cells, "weight")


def social_category(adult):
    cells = defaultdict(float)
    for r in read("social_category_district_urban_sex.csv"):
        cells[PLACES[r["district_code"]][0], ZONES[r["urban_rural"]], SOCIAL[r["social_category"]]] += float(r["count"])
    figure("social_category_zone_place", ["place", "zone", "social_category"], cells)
    zone, group = recoded("urban_rural", ZONES), recoded("social_category", SOCIAL)
    ages = {a: "" for a in ["18", "19"] + BANDS[1:]}
    level = {k: e for e, names in SCHOOL4.items() for k, name in EDUCATION.items() if name in names}
    school = total(read("education_social_category_state_urban_sex_age.csv"),
                   ["state", zone, group, recoded("education_level", level), recoded("age_group", ages)])
    work = defaultdict(float)
    for r in read("worker_category_social_category_district_urban_sex.csv"):
        length, _, kind = r["worker_category"].partition("_")
        if kind in ("cultivator", "agricultural_labourer"):
            work[r["state"], zone(r), group(r), kind] += float(r["count"]) * adult[length, zone(r)]
    faiths = defaultdict(float)
    for r in read("religion_district.csv"):
        faiths[r["state"], r["religion"]] += float(r["count"])
    seed = {}
    for state in dict.fromkeys(census_state(s) for s in STATES):
        for z in ZONES.values():
            counts = {s: standings([school[state, z, s, e, ""] for e in SCHOOL4],
                                   *(work[state, z, s, k] for k in ("agricultural_labourer", "cultivator")))
                      for s in SOCIAL.values()}
            mountain = state in MOUNTAINS
            if z == "Urban":
                counts = {s: [row[0] + row[1] + row[2], *row[3:]] for s, row in counts.items()}
            sikh, buddhist = faiths[state, "sikh"] + 1, faiths[state, "buddhist"] + 1
            caste = (sikh + (0.3 if mountain else 40) * buddhist) / (sikh + buddhist)
            tribe = (0.02 * sikh + (20 if mountain else 0.5) * buddhist) / (sikh + buddhist)
            for own, i in product(TRIBE, range(len(STANDINGS[z]))):
                odds = {"Scheduled Caste": {"hindu": 1.0, "sikh_buddhist": caste, "tribal_tongue": 0.1}.get(own, 0.0),
                        "Scheduled Tribe": tribe if own == "sikh_buddhist" else TRIBE[own], "Other": 1.0}
                if own in ("tribal_tongue", "other_tribal") and state == "Assam":
                    odds["Scheduled Tribe"] = 12.0
                if own == "christian" and state in MOUNTAINS + FORESTS:
                    odds["Scheduled Tribe"] = 14.0
                row = {s: odds[s] * (counts[s][i] + 0.02 * sum(c[i] for c in counts.values()) + 1e-3) for s in odds}
                for s, v in row.items():
                    seed[state, own, STANDINGS[z][i], s] = v / sum(row.values())
    figure("social_category_seed", ["place", "stock", "standing", "social_category"], seed, "share", sig=4)


def standings(school, labourers, tillers):
    """Adults of one category by standing, from their schooling and how many of them are labourers and tillers."""
    whole = sum(school)
    rest = max(0.05 * whole, whole - labourers - tillers)
    rows = [labourers, tillers, rest]
    table = [[w * v for w, v in zip(lean, school)] for lean in (LABOURER, TILLER, (1, 1, 1, 1))]
    for _ in range(60):
        for at, row in enumerate(table):
            f = rows[at] / sum(row) if sum(row) else 0.0
            table[at] = [v * f for v in row]
        for e in range(4):
            now = sum(row[e] for row in table)
            for row in table:
                row[e] *= school[e] / now if now else 0.0
    return [table[0][0], sum(table[0][1:]), sum(table[1]), *table[2]]


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

MARITAL = {"never_married": "never married", "married": "currently married", "widowed": "widowed",
           "separated": "separated", "divorced": "divorced"}
MARITAL_AGES = ["18", "19", "20", "21", "22-24"] + BANDS[2:]
# Odds of never having married against others of the same age and sex. ASSUMPTION.
UNMARRIED = {"low": 0.55, "middle": 1.0, "secondary": 1.7, "degree": 3.0}
# Who has married at 18 and at 19, against the mean of 15 to 19, which the Census prints: about 1 : 2 : 3 : 7 : 11 for women
# of 15 to 19, and later for men. ASSUMPTION.
TEENS = {"Female": {"18": 1.5, "19": 2.2}, "Male": {"18": 1.35, "19": 2.2}}


def marital():
    rows = read("marital_status_religion_state_urban_sex_age.csv")
    ages = {a: a for a in ["15-19"] + BANDS[1:]}
    cells = total(rows, ["state", recoded("urban_rural", ZONES), "sex", recoded("age_group", ages),
                         recoded("marital_status", MARITAL)])
    adults, young = {}, {}
    for key in sorted({k[:4] for k in cells}):
        row = {s: cells[key + (s,)] for s in MARITAL.values()}
        whole = sum(row.values())
        if not whole:
            continue
        if key[3] != "15-19":
            adults.update({key + (s,): v for s, v in row.items()})
            continue
        wed = 1 - row["never married"] / whole
        for age, f in TEENS[key[2]].items():
            p = min(wed * f, 0.5 + wed / 2)
            for s, v in row.items():
                young[key[:3] + (age, s)] = 1 - p if s == "never married" else p * v / (whole * wed) if wed else 0.0
    columns = ["state", "zone", "sex", "age", "marital_status"]
    figure("marital_age_sex_zone_state", columns, adults)
    figure("marital_18_19", columns, young, "share", digits=6)
    seed = {}
    for sex in SEXES:
        for age in MARITAL_AGES:
            low = int(age[:2])
            for e, f in UNMARRIED.items():
                single = {"18": 9, "19": 6, "20": 4, "21": 2.2, "22-24": 1}.get(age, 1) * f ** (0.5 if low >= 40 else 1)
                old = max(0.02, (low - 30) / 50) * (1.3 if e == "low" else 1)
                for s, v in (("never married", single), ("currently married", 1.0), ("widowed", 0.1 * old),
                             ("separated", 0.006), ("divorced", 0.0025 * (1.5 if e == "degree" else 1))):
                    seed[sex, age, e, s] = v
    figure("marital_seed", ["sex", "age", "education_level", "marital_status"], seed, "share", sig=4)
