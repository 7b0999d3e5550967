"""Who the people are: state, sex, age, race, education, marital status, nativity, language, service."""

import math
from collections import defaultdict

from shared_pack.bands import band_of, first
from shared_pack.raking import mean_share, rake, shrunk
from shared_pack.tables import assumption, figure, marginal, read, recoded, total

from .codes import (
    ALONE, ATUS_AGES, ATUS_EDUCATION, ATUS_RACE, DEGREE, EDU6, EXACT, EXCLUSIVE, FIELDS, MARITAL6, OTHER_RACES,
    RACE5, RACES, SEXES, STATES, adult, covering, tidy,
)
from .races import race_seed, split_rest

# ---------------------------------------------------------------------------------------------------------------------
# Population

def population():
    rows = read("pop_age_sex_state_acs2018.csv")
    STATES.extend(sorted({r["state"] for r in rows}))
    p18 = total(rows, ["state", "sex", lambda r: tidy(r["age_group"]) if adult(r["age_group"]) else None])
    figure("population_age_sex_state_2018", ["state", "sex", "age"], p18)
    marginal("population_sex_state_2018", ["state", "sex"], p18)
    marginal("population_state_2018", ["state"], p18)

    bands = total(read("pop_age_sex_state_acs2024.csv"),
                  ["state", "sex", lambda r: r["age_group"] if first(r["age_group"]) >= 20 else None])
    figure("population_age_sex_state_2024", ["state", "sex", "age"], bands)
    ages = {}
    tail = {sex: oldest(sex) for sex in SEXES}
    for r in read("pop_single_age_sex_state_2024_estimate.csv"):
        age, count = int(r["age"]), float(r["count"])
        if age == 85:
            for a, share in tail[r["sex"]].items():
                ages[r["state"], r["sex"], a] = count * share
        elif age >= 18:
            ages[r["state"], r["sex"], age] = count
    # rescaled within the published bands, so that both agree to the last digit
    order = sorted({k[2] for k in bands}, key=first)
    sums = defaultdict(float)
    for (state, sex, age), count in ages.items():
        sums[state, sex, band_of(age, order)] += count
    for state, sex, age in ages:
        band = band_of(age, order)
        if band:
            ages[state, sex, age] *= bands[state, sex, band] / sums[state, sex, band]
    figure("population_single_age_sex_state_2024", ["state", "sex", "age"], ages, digits=6)
    marginal("population_sex_state_2024", ["state", "sex"], ages)
    marginal("population_state_2024", ["state"], ages)
    return p18


def oldest(sex):
    """Shares of the ages 85..100 (100 and over) among those aged 85 and over: Gompertz mortality, in a population
    whose cohorts grow smaller by 2 % a year of age. ASSUMPTION: death rates at 85 of 0.100 (men), 0.077 (women)."""
    death, growth = (0.100, 0.085) if sex == "Male" else (0.077, 0.092)
    weights, current = defaultdict(float), 1.0
    for age in range(85, 111):
        weights[min(age, 100)] += current
        current *= max(0.0, 1.0 - death * math.exp(growth * (age - 85))) / 1.02
    whole = sum(weights.values())
    return {a: w / whole for a, w in weights.items()}


def race(p18):
    """White and Hispanic as published; the six other groups share what is left in the proportions of the estimate."""
    estimate = total(read("pop_exclusive_race_age_sex_state_2018_estimate.csv"),
                     ["state", "sex", "age_group", recoded("race_ethnicity", EXCLUSIVE)])
    exact = total(read("pop_age_sex_race_state_acs2018.csv"),
                  ["state", "sex", "age_group", recoded("race_ethnicity", EXACT)])
    bands = sorted({k[2] for k in estimate if adult(k[2])}, key=first)
    whole = defaultdict(float)
    for (state, sex, band), count in p18.items():
        whole[state, sex, band_of(first(band), bands)] += count
    official, fine = {}, {}
    for key, count in whole.items():
        white, hispanic = exact[key + ("white",)], exact[key + ("hispanic",)]
        rest = count - white - hispanic
        official[key + ("white",)], official[key + ("hispanic",)] = white, hispanic
        official[key + ("other_races",)] = rest
        mass = sum(estimate[key + (r,)] for r in OTHER_RACES)
        for r in OTHER_RACES:
            fine[key + (r,)] = rest * estimate[key + (r,)] / mass if mass else rest / len(OTHER_RACES)
        fine[key + ("white",)], fine[key + ("hispanic",)] = white, hispanic
    columns = ["state", "sex", "age", "race_ethnicity"]
    figure("race_age_sex_state", columns, official)
    figure("race_detail_age_sex_state", columns, fine, digits=6)
    children = {(s, x, r): exact.get((s, x, "15-17", r), estimate[s, x, "15-17", r])
                for s in STATES for x in SEXES for r in RACES}
    return fine, children


def people_by_race(fine, state, sex, races, low=18, high=100):
    return {r: sum(v for (s, x, a, q), v in fine[state, sex] if q == r and low <= first(a) <= high) for r in races}


# ---------------------------------------------------------------------------------------------------------------------
# Education and field of degree

# Attainment by single year of age under 25, in the order of EDU6. ASSUMPTION of this pack (the shape of a school
# career); the published totals of 18-24 are met over it.
YOUNG = {"18": (.38, .37, .25, 0, 0, 0), "19": (.13, .36, .50, .01, 0, 0), "20": (.09, .32, .54, .045, .005, 0),
         "21": (.08, .31, .49, .08, .04, 0), "22": (.075, .30, .34, .08, .20, .005),
         "23-24": (.075, .29, .25, .085, .275, .025)}
EDUCATION_AGES = list(YOUNG) + ATUS_AGES[1:]


def education(fine):
    rows = read("education_age_sex_state_acs2018.csv")
    by_age = total(rows, ["state", "sex", "age_group", "education_level"])
    figure("education_age_sex_state", ["state", "sex", "age", "education_level"], by_age)

    degrees = total(read("bachelors_field5_age_sex_state_acs2018.csv"), ["state", "sex", "age_group"])
    bands = ["25-39", "40-64", "65+"]
    people = total(read("pop_age_sex_state_acs2018.csv"),
                   ["state", "sex", lambda r: band_of(first(r["age_group"]), bands)])
    holders = {}
    for key, count in people.items():
        holders[key + ("degree",)], holders[key + ("no_degree",)] = degrees[key], count - degrees[key]
    figure("degree_holders_age_sex_state", ["state", "sex", "age", "education_level"], holders)

    categories = ["less_than_high_school", "high_school", "some_college_or_associates", "bachelors_or_higher"]
    four = {"less_than_9th": categories[0], "9th_12th_no_diploma": categories[0], "high_school": categories[1],
            "some_college": categories[2], "associates": categories[2], "bachelors": categories[3],
            "graduate": categories[3]}
    by_race = total(read("education_sex_race_state_acs2018.csv"), ["state", "race_ethnicity", "sex", "education_level"])
    whole = total([r for r in rows if r["age_group"] != "18-24"], ["state", "sex", recoded("education_level", four)])
    official, others = {}, defaultdict(float)
    for s in STATES:
        for x in SEXES:
            rest = {k: whole[s, x, k] for k in categories}
            for code, r in EXACT.items():
                for k in categories:
                    official[s, x, "25+", r, k] = by_race[s, code, x, k]
                    rest[k] -= by_race[s, code, x, k]
            totals = people_by_race(fine, s, x, OTHER_RACES, 25)
            for (r, k), v in split_rest(rest, totals, race_seed(by_race, s, x, categories)).items():
                others[s, x, "25+", OTHERS[r], k] += v
    columns = ["state", "sex", "age", "race_ethnicity", "education_level"]
    figure("education_sex_race_state", columns, official)
    figure("education_sex_other_races_state", columns, others, digits=6)
    education_seed(by_age)
    adults = defaultdict(float)
    for (s, _, _, e), v in by_age.items():
        adults[s, SCHOOL3.get(e, "diploma")] += v
    return adults


SCHOOL3 = {"less_than_9th": "no_diploma", "9th_12th_no_diploma": "no_diploma", "bachelors": "degree",
           "graduate": "degree"}


OTHERS = {"black": "black", "asian": "asian", "american_indian_or_alaska_native": "native",
          "pacific_islander": "other", "other": "other", "two_or_more": "other"}


def education_seed(by_age):
    """Interactions of age, sex, race and state: time-use microdata for age x sex x race, ACS microdata for how the
    states depart from the country within age x sex x race, the assumed school career under 25."""
    five = ["less_than_high_school", "high_school", "some_college_or_associates", "bachelors", "graduate"]
    to5 = dict(zip(EDU6, five[:3] + five[2:]))
    share = shrunk(total(read("joint_persons_atus2003_2016.csv"),
                         ["age_group", "sex", recoded("race_ethnicity", ATUS_RACE),
                          recoded("education_level", ATUS_EDUCATION)]), 1, EDU6, 60000.0)
    acs = total(read("joint_state_race_sex_age_education_acs2014_2018.csv"),
                ["race_ethnicity", "sex", "age_group", "state", "education_level"])
    acs_share = shrunk(acs, 3, five, 3000.0)
    race4 = {"white": "white_non_hispanic", "black": "black", "hispanic": "hispanic", "asian": "other",
             "other": "other"}
    acs_ages = ["18-29", "30-39", "40-49", "50-59", "60-69", "70+"]
    below9 = defaultdict(float)
    for (_, x, a, e), v in by_age.items():
        below9[x, a, e] += v
    abroad = tilt_by_birth("education_level", ATUS_EDUCATION)
    cells = {}
    for age in EDUCATION_AGES:
        acs_age = band_of(first(age), acs_ages)
        band = band_of(first(age), ["18-24", "25-34", "35-44", "45-64", "65+"])
        for x in SEXES:
            for r in RACE5:
                if age in YOUNG:
                    here, mean = share(("18-24", x, r)), share(("18-24",))
                    base = {e: YOUNG[age][i] * here[e] / mean[e] for i, e in enumerate(EDU6)}
                else:
                    base = share((age, x, r))
                national = acs_share((race4[r], x, acs_age))
                for born in BORN:
                    # less than 9th grade among those without a diploma
                    odds = below9[x, band, "less_than_9th"] / below9[x, band, "9th_12th_no_diploma"] * BELOW_9TH[born]
                    odds *= {"18": 0.2, "19": 0.5}.get(age, 1.0)  # most without a diploma are still at school
                    tilt = abroad(born, x, r, age)
                    for s in STATES:
                        own = acs_share((race4[r], x, acs_age, s))
                        weights = {e: base[e] * tilt[e] * own[to5[e]] / national[to5[e]] for e in EDU6}
                        none = weights.pop("less_than_high_school")
                        weights["less_than_9th"] = none * odds / (1 + odds)
                        weights["9th_12th_no_diploma"] = none / (1 + odds)
                        mass = sum(weights.values())
                        for e, w in weights.items():
                            if w > 0:
                                cells[s, x, age, r, born, e] = w / mass
    figure("education_seed", ["state", "sex", "age", "race_ethnicity", "birth", "education_level"], cells, "share",
           sig=2)


BORN = ["native", "foreign_born"]
# ASSUMPTION: how the odds of less than 9th grade, among those without a diploma, differ from those of all. School
# is compulsory to 16 here; most who ended it before the 9th grade did so abroad.
BELOW_9TH = {"native": .55, "foreign_born": 2.6}
TILT_AGES = ["18-29", "30-49", "50+"]


def tilt_by_birth(column, codes):
    """How the shares of a fact differ, by nativity within race, sex and age, from those of all of that race, sex and
    age, in the microdata; thin groups are pulled to wider ones. Returns a function of nativity, sex, race and age."""
    rows = read("joint_persons_us_atus2010_2016.csv")
    counts = total(rows, [recoded("race_ethnicity", ATUS_RACE), "nativity",
                          lambda r: band_of(first(r["age_group"]), TILT_AGES), "sex", recoded(column, codes)])
    outcomes = sorted({k[-1] for k in counts})
    whole = defaultdict(float)
    for k, v in counts.items():
        whole[k[:-1]] += v
    share = shrunk(counts, 2, outcomes, 400000.0)

    def tilt(born, sex, race, age):
        band = band_of(first(age), TILT_AGES)
        parts = {b: whole[race, b, band, sex] for b in BORN}
        own = {b: share((race, b, band, sex)) for b in BORN}
        return {o: own[born][o] * sum(parts.values()) / sum(parts[b] * own[b][o] for b in BORN) for o in outcomes}
    return tilt


def bachelors_field():
    fields = list(FIELDS.values())
    by_age = total(read("bachelors_field5_age_sex_state_acs2018.csv"),
                   ["state", "sex", "age_group", recoded("bachelors_field", FIELDS)])
    columns = ["state", "sex", "age", "bachelors_field"]
    figure("field_age_sex_state", columns, by_age)
    figure("field_under_25_sex_state", columns,
           {(s, x, "18-24", f): v for (s, x, a, f), v in by_age.items() if a == "25-39"})
    by_race = total(read("bachelors_field5_race_state_acs2018.csv"),
                    ["state", "race_ethnicity", lambda r: "both", recoded("bachelors_field", FIELDS)])
    whole = defaultdict(float)
    for (s, _, _, f), v in by_age.items():
        whole[s, f] += v
    official, asian = {}, {}
    for s in STATES:
        rest = {f: whole[s, f] for f in fields}
        for code, r in EXACT.items():
            if any(by_race.get((s, code, "both", f), 0.0) for f in fields):
                for f in fields:
                    official[s, "25+", r, f] = by_race[s, code, "both", f]
                    rest[f] = max(0.0, rest[f] - official[s, "25+", r, f])
        seed = race_seed(by_race, s, "both", fields)
        left = sum(rest.values())
        count = sum(by_race.get((s, "asian", "both", f), 0.0) for f in fields)
        count = min(count, 0.97 * left) or 0.3 * left
        pair = {("asian", f): seed["asian", f] for f in fields}
        pair.update({("others", f): seed["black", f] + seed["two_or_more", f] / 2 for f in fields})
        for (r, f), v in split_rest(rest, {"asian": count, "others": left - count}, pair).items():
            if r == "asian":
                asian[s, "25+", r, f] = v
    columns = ["state", "age", "race_ethnicity", "bachelors_field"]
    figure("field_race_state", columns, official)
    figure("field_asian_state", columns, asian, digits=6)
    seed = {}
    for row in assumption("field_by_occupation.csv"):
        for f in fields:
            seed["degree", row["cluster"], f] = float(row[f])
        seed["no_degree", row["cluster"], "no_degree"] = 1.0
    figure("field_seed", ["education_level", "occupation_kind", "bachelors_field"], seed, "share")


# ---------------------------------------------------------------------------------------------------------------------
# Marital status

MARITAL_AGES = ["18-19", "20-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-74",
                "75-84", "85+"]


def marital(fine, children):
    every = total(read("marital_age_sex_state_acs2018.csv"),
                  ["state", "sex", "age_group", recoded("marital_status", MARITAL6)])
    by_age = {k: v for k, v in every.items() if adult(k[2])}
    figure("marital_age_sex_state", ["state", "sex", "age", "marital_detail"], by_age)

    five = ["never_married", "married", "separated", "widowed", "divorced"]
    to5 = {"married_present": "married", "married_absent": "married"}
    whole, minors = defaultdict(float), defaultdict(float)
    for (s, x, a, m), v in every.items():
        (whole if adult(a) else minors)[s, x, to5.get(m, m)] += v
    by_race = total(read("marital_sex_race_state_acs2018.csv"), ["state", "race_ethnicity", "sex", "marital_status"])
    cells = defaultdict(float)
    for s in STATES:
        for x in SEXES:
            # The race tables start at 15: those of 15-17 are taken off, married as all of 15-17 are.
            young = sum(minors[s, x, m] for m in five)
            table = {}
            for code, r in EXACT.items():
                for m in five:
                    table[r, m] = max(0.0, by_race[s, code, x, m] - children[s, x, r] * minors[s, x, m] / young)
            rest = {m: whole[s, x, m] - table["white", m] - table["hispanic", m] for m in five}
            people = people_by_race(fine, s, x, RACES)
            table.update(split_rest(rest, {r: people[r] for r in OTHER_RACES}, race_seed(by_race, s, x, five)))
            table = rake({k: v + 1e-3 for k, v in table.items()}, people, {m: whole[s, x, m] for m in five})
            for (r, m), v in table.items():
                cells[s, x, r if r in RACE5 else "other", m] += v
    figure("marital_sex_race_state", ["state", "sex", "race_ethnicity", "marital_detail"], cells, digits=6)

    share = shrunk(total(read("joint_persons_atus2003_2016.csv"),
                         ["age_group", "sex", lambda r: DEGREE[ATUS_EDUCATION[r["education_level"]]],
                          recoded("race_ethnicity", ATUS_RACE), "marital_status"]), 2, five, 60000.0)
    abroad = tilt_by_birth("marital_status", dict(zip(five, five)))
    absent = defaultdict(float)
    for (_, x, a, m), v in by_age.items():
        absent[x, a, m] += v
    seed = {}
    for a in MARITAL_AGES:
        for x in SEXES:
            away = absent[x, a, "married_absent"] / (absent[x, a, "married_absent"] + absent[x, a, "married_present"])
            for e in sorted(set(DEGREE.values())):
                for r in RACE5:
                    mean = mean_share(share, [(b, x, e, r) for b in covering(a, ATUS_AGES)])
                    for born in BORN:
                        tilt = abroad(born, x, r, a)
                        q = {m: v * tilt[m] for m, v in mean.items()}
                        q = {m: v / sum(q.values()) for m, v in q.items()}
                        married = q.pop("married")
                        q["married_present"], q["married_absent"] = married * (1 - away), married * away
                        for m, v in q.items():
                            seed[x, a, e, r, born, m] = v
    figure("marital_seed", ["sex", "age", "education_level", "race_ethnicity", "birth", "marital_detail"], seed,
           "share", sig=4)
    return whole


# ---------------------------------------------------------------------------------------------------------------------
# Nativity, language, service

def nativity():
    official = total([r for r in read("nativity_age_sex_state_acs2018.csv") if r["age_group"] == "18+"],
                     ["state", "sex", "nativity"])
    figure("nativity_sex_state", ["state", "sex", "nativity"], official)
    by_birth, adults = defaultdict(float), defaultdict(float)
    for (s, x, born), v in official.items():
        by_birth[s, x, born if born == "native" else "foreign_born"] += v
        adults[s, born if born == "native" else "foreign_born"] += v
    figure("birth_sex_state", ["state", "sex", "birth"], by_birth)
    bands = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+"]
    codes = dict(ALONE, white_non_hispanic="white", hispanic="hispanic")
    counts = total(read("pop_single_age_sex_race_nativity_us_np2025.csv"),
                   [lambda r: band_of(int(r["age"]), bands), "sex", recoded("race_ethnicity", codes), "nativity"])
    seed = {}
    for a in bands:
        for x in SEXES:
            for r in RACES:
                key = "black" if r == "other" else r  # the projections have no group 'other'
                whole = sum(counts[a, x, key, born] for born in BORN)
                for born in BORN:
                    seed[x, a, r, born] = counts[a, x, key, born] / whole
    figure("birth_seed", ["sex", "age", "race_ethnicity", "birth"], seed, "share", sig=5)
    # Share of citizens among the foreign born by age, and its odds by race. ASSUMPTION; the published counts are met.
    citizens = dict(zip(bands, (.38, .37, .45, .56, .66, .74, .80)))
    odds = {"hispanic": .6, "asian": 1.5, "white": 1.6, "black": 1.5}
    seed = {}
    for a in bands:
        for r in RACE5:
            citizen = citizens[a] / (1 - citizens[a]) * odds.get(r, 1.0)
            seed[a, r, "foreign_born", "foreign_born_naturalized"] = citizen / (1 + citizen)
            seed[a, r, "foreign_born", "foreign_born_not_citizen"] = 1 / (1 + citizen)
            seed[a, r, "native", "native"] = 1.0
    figure("nativity_seed", ["age", "race_ethnicity", "birth", "nativity"], seed, "share", sig=5)
    return adults


def language():
    codes = {"speak_only_english": "english", "speak_spanish": "spanish",
             "speak_other_indo_european_languages": "other_indo_european",
             "speak_asian_and_pacific_island_languages": "asian_and_pacific_island",
             "speak_other_languages": "other"}
    rows = [r for r in read("language_age_state_acs2018.csv") if adult(r["age_group"])]
    figure("language_age_state", ["state", "age", "language_at_home"],
           total(rows, ["state", "age_group", recoded("language", codes)]))
    seed = {}
    for row in assumption("language_by_race_nativity.csv"):
        for code in codes.values():
            seed[row["race_ethnicity"], row["nativity"], code] = float(row[code])
    figure("language_seed", ["race_ethnicity", "birth", "language_at_home"], seed, "share")


def veterans():
    figure("veteran_age_sex_state", ["state", "sex", "age", "veteran_status"],
           total(read("veteran_age_sex_state_acs2018.csv"), ["state", "sex", "age_group", "veteran_status"]))
    # How service is spread within the published bands 18-34 and 75+. ASSUMPTION; the bands' totals are met over it.
    shape = {"18": 0.0, "19": .002, "20-21": .008, "22-24": .025, "25-29": .050, "30-34": .068, "35-54": .08,
             "55-64": .12, "65-74": .20, "75-84": .26, "85+": .30}
    odds = {(r["birth"], r["education_level"]): float(r["odds"]) for r in assumption("service_by_origin.csv")}
    seed = {}
    for a, v in shape.items():
        for (born, school), factor in odds.items():
            served = v * factor / (1 - v + v * factor)
            if v:
                seed[a, born, school, "civilian", "veteran"] = served
            seed[a, born, school, "civilian", "nonveteran"] = 1 - served
            seed[a, born, school, "armed_forces", "none"] = 1.0
    figure("veteran_seed", ["age", "birth", "education_level", "labour_status", "veteran_status"], seed, "share",
           digits=6)
