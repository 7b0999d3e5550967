#!/usr/bin/env python3
"""Converts a folder of tidy tables of US statistics into the figures and level lists of the pack `usa`.

Usage: python3 scripts/convert_usa.py TABLES_DIR datasets/usa

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import csv
import gzip
import io
import math
import os
import re
import sys
from collections import defaultdict

# ---------------------------------------------------------------------------------------------------------------------
# Reading and writing

TABLES = OUT = ""


def read(name):
    """Rows of a source table, as dicts of text."""
    path = os.path.join(TABLES, name)
    if not os.path.exists(path):
        path += ".gz"
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def assumption(name):
    with open(os.path.join(OUT, "assumptions", name), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def number(x, digits):
    text = f"{x:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def significant(x, digits):
    if x == 0:
        return "0"
    exponent = math.floor(math.log10(abs(x)))
    return number(x, max(0, digits - 1 - exponent))


def figure(name, columns, cells, measure="count", digits=3, sig=None):
    """Writes figures/NAME.csv.gz. `cells`: {key tuple: value}, keys in the order of `columns`. The gzip header holds
    neither time nor name, so that the same tables give the same bytes."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(list(columns) + [measure])
    for key in sorted(cells, key=lambda k: tuple(sort_key(x) for x in k)):
        value = cells[key]
        if value < 0:
            raise SystemExit(f"{name}: negative cell {key}: {value}")
        out.writerow(list(key) + [significant(value, sig) if sig else number(value, digits)])
    path = os.path.join(OUT, "figures", name + ".csv.gz")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def sort_key(x):
    m = re.match(r"\d+", str(x))
    return (0, int(m.group()), str(x)) if m else (1, 0, str(x))


def levels(name, header, rows):
    os.makedirs(os.path.join(OUT, "levels"), exist_ok=True)
    with open(os.path.join(OUT, "levels", name + ".csv"), "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def snake(title):
    """A Census title as a code: `Registered nurses` -> `registered_nurses`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("'", "")).strip("_")


def total(rows, keys):
    """Counts added up over `keys`, each a column name or a function of the row; rows with a None key are left out."""
    sums = defaultdict(float)
    for row in rows:
        key = tuple(row[k] if isinstance(k, str) else k(row) for k in keys)
        if None not in key:
            sums[key] += float(row["count"] or 0)
    return sums


def recoded(column, codes):
    """A key function that recodes a column; rows of other codes are left out."""
    return lambda row: codes.get(row[column])


# ---------------------------------------------------------------------------------------------------------------------
# Codes and bands

STATES = []  # filled from the first population table
SEXES = ["Male", "Female"]
RACES = ["white", "black", "hispanic", "asian", "american_indian_or_alaska_native", "pacific_islander", "other",
         "two_or_more"]
OTHER_RACES = [r for r in RACES if r not in ("white", "hispanic")]
EXCLUSIVE = {"white_non_hispanic": "white", "hispanic": "hispanic", "black_non_hispanic": "black",
             "aian_non_hispanic": "american_indian_or_alaska_native", "asian_non_hispanic": "asian",
             "nhpi_non_hispanic": "pacific_islander", "other_non_hispanic": "other",
             "two_or_more_non_hispanic": "two_or_more"}
EXACT = {"white_non_hispanic": "white", "hispanic": "hispanic"}  # the two exclusive groups that the ACS publishes
# "alone, Hispanic included": the nearest published table for the groups without their Hispanic members
ALONE = {"black": "black", "aian": "american_indian_or_alaska_native", "asian": "asian", "nhpi": "pacific_islander",
         "two_or_more": "two_or_more"}
RACE5 = ["white", "black", "hispanic", "asian", "other"]
RACE6 = {"white": "white", "black": "black", "hispanic": "hispanic", "asian": "asian",
         "american_indian_or_alaska_native": "native", "pacific_islander": "native"}
ATUS_RACE = {"white_non_hispanic": "white", "black_non_hispanic": "black", "hispanic": "hispanic",
             "asian_non_hispanic": "asian", "other_non_hispanic": "other"}
EDU6 = ["less_than_high_school", "high_school", "some_college", "associates", "bachelors", "graduate"]
ATUS_EDUCATION = dict(zip(EDU6, EDU6), masters="graduate", doctorate="graduate", professional="graduate")
EDUCATION4 = dict(zip(EDU6, ["less_than_high_school", "high_school"] + ["some_college_or_associates"] * 2 +
                      ["bachelors_or_higher"] * 2))
EDUCATION3 = dict(zip(EDU6, ["high_school_or_less"] * 2 + ["some_college_or_associates"] * 2 + ["degree"] * 2))
ENROLMENT = {"enrolled_public_college": "public_college", "enrolled_private_college": "private_college",
             "not_enrolled_in_college": "not_enrolled"}
LABOUR4 = ["employed", "unemployed", "not_in_labor_force", "armed_forces"]
FIELDS = {"science_engineering": "stem", "science_engineering_related": "stem_related", "business": "business",
          "education": "education", "arts_humanities_other": "arts_humanities"}
MARITAL6 = {"never_married": "never_married", "married_present": "married_present",
            "married_absent_other": "married_absent", "separated": "separated", "divorced": "divorced",
            "widowed": "widowed"}
MARITAL3 = {"never_married": "never_married", "married": "married", "separated": "previously_married",
            "divorced": "previously_married", "widowed": "previously_married"}
ATUS_AGES = ["18-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-74",
             "75-79", "80+"]


def first(band):
    return int(re.match(r"\d+", str(band)).group())


def last(band):
    return 100 if band.endswith("+") else int(band.split("-")[-1])


def adult(band):
    return first(band) >= 18


def tidy(band):
    """`20-20` -> `20`."""
    a, _, b = band.partition("-")
    return a if a == b else band


def band_of(age, bands):
    return next((b for b in bands if first(b) <= age <= last(b)), None)


def covering(age_band, bands):
    """The bands of a microdata table that lie in (or around) a band of ours."""
    a, b = first(age_band), last(age_band)
    return [k for k in bands if first(k) <= b and last(k) >= a]


# ---------------------------------------------------------------------------------------------------------------------
# Arithmetic

def rake(cells, rows, columns, rounds=3000, tolerance=1e-11):
    """Iterative proportional fitting of {(row, column): weight} to row and column totals; ends on the columns."""
    scale = sum(columns.values()) / max(sum(rows.values()), 1e-300)
    rows = {k: v * scale for k, v in rows.items()}
    zero = {k: 0.0 for k, v in cells.items() if v <= 0 or columns[k[1]] <= 0}
    cells = {k: v for k, v in cells.items() if v > 0}
    for _ in range(rounds):
        gap = 0.0
        for axis, targets in ((0, rows), (1, columns)):
            sums = defaultdict(float)
            for k, v in cells.items():
                sums[k[axis]] += v
            gap = max([gap] + [abs(sums[t] - want) for t, want in targets.items()])
            cells = {k: v * targets[k[axis]] / sums[k[axis]] for k, v in cells.items() if targets[k[axis]] > 0}
        if gap <= tolerance * max(1.0, sum(columns.values())):
            break
    return zero | cells


def shrunk(counts, depth, outcomes, weight):
    """Conditional shares of the last key column given the others, each shrunk towards the table without its last
    conditioning column, and so on down to `depth` columns: thin microdata cells borrow strength from wider ones.
    `weight` is in persons. Returns a function of the conditioning key, which may also be cut short."""
    width = len(next(iter(counts))) - 1
    tables = []
    for k in range(depth, width + 1):
        table = defaultdict(lambda: defaultdict(float))
        for key, value in counts.items():
            table[key[:k]][key[-1]] += value
        tables.append((k, table))
    cache = {}

    def share(key):
        if key not in cache:
            current = {v: 1.0 / len(outcomes) for v in outcomes}
            for k, table in tables:
                if k > len(key):
                    break
                row = table.get(key[:k], {})
                mass, pull = sum(row.values()), weight if k > depth else weight * 0.02
                current = {v: (row.get(v, 0.0) + pull * current[v]) / (mass + pull) for v in outcomes}
            cache[key] = current
        return cache[key]

    return share


def mean_share(share, keys):
    parts = [share(k) for k in keys]
    return {v: sum(p[v] for p in parts) / len(parts) for v in parts[0]}


def split_rest(rest, race_totals, seed):
    """Shares out what the two published race groups leave over of each category to the other races: fitted to the
    race totals and to `rest` (category -> persons), starting from `seed` {(race, category): weight}."""
    rest = {k: max(v, 0.0) for k, v in rest.items()}
    if sum(rest.values()) <= 0 or sum(race_totals.values()) <= 0:
        return {}
    return rake({(r, k): seed[r, k] + 1e-6 for r in race_totals for k in rest}, race_totals, rest)


def race_seed(table, state, sex, categories):
    """Shares of the categories by race, from the published tables {(state, race, sex, category)}: the state's where
    published, mixed with the country's. 'Other' without Hispanics takes the mean of the other five."""
    seed = {}
    for code, race_code in dict(ALONE, **EXACT).items():
        national = {k: sum(table.get((s, code, sex, k), 0.0) for s in STATES) for k in categories}
        whole = sum(national.values()) or 1.0
        own = {k: table.get((state, code, sex, k), 0.0) for k in categories}
        mass = sum(own.values())
        for k in categories:
            seed[race_code, k] = (own[k] + 500.0 * national[k] / whole) / (mass + 500.0)
    for k in categories:
        seed["other", k] = sum(seed[r, k] for r in ALONE.values()) / len(ALONE)
    return seed


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


def marginal(name, columns, cells):
    sums = defaultdict(float)
    for key, value in cells.items():
        sums[key[: len(columns)]] += value
    figure(name, columns, sums, digits=6)


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
    official, others = {}, {}
    for s in STATES:
        for x in SEXES:
            rest = {k: whole[s, x, k] for k in categories}
            for code, r in EXACT.items():
                for k in categories:
                    official[s, x, "25+", r, k] = by_race[s, code, x, k]
                    rest[k] -= by_race[s, code, x, k]
            totals = people_by_race(fine, s, x, OTHER_RACES, 25)
            for (r, k), v in split_rest(rest, totals, race_seed(by_race, s, x, categories)).items():
                others[s, x, "25+", r, k] = v
    columns = ["state", "sex", "age", "race_ethnicity", "education_level"]
    figure("education_sex_race_state", columns, official)
    figure("education_sex_other_races_state", columns, others, digits=6)
    education_seed(by_age)


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
                # less than 9th grade among those without a diploma: likelier where many came as adults. ASSUMPTION.
                odds = below9[x, band, "less_than_9th"] / below9[x, band, "9th_12th_no_diploma"]
                odds *= 2.0 if r in ("hispanic", "asian") else 0.8
                national = acs_share((race4[r], x, acs_age))
                for s in STATES:
                    own = acs_share((race4[r], x, acs_age, s))
                    weights = {e: base[e] * own[to5[e]] / national[to5[e]] for e in EDU6}
                    none = weights.pop("less_than_high_school")
                    weights["less_than_9th"] = none * odds / (1 + odds)
                    weights["9th_12th_no_diploma"] = none / (1 + odds)
                    mass = sum(weights.values())
                    for e, w in weights.items():
                        if w > 0:
                            cells[s, x, age, r, e] = w / mass
    figure("education_seed", ["state", "sex", "age", "race_ethnicity", "education_level"], cells, "share", sig=3)


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
            seed["degree", row["occupation_cluster"], f] = float(row[f])
        seed["no_degree", row["occupation_cluster"], "no_degree"] = 1.0
    figure("field_seed", ["education_level", "occupation_group", "bachelors_field"], seed, "share")


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
    cells = {}
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
                cells[s, x, r, m] = v
    figure("marital_sex_race_state", ["state", "sex", "race_ethnicity", "marital_detail"], cells, digits=6)

    share = shrunk(total(read("joint_persons_atus2003_2016.csv"),
                         ["age_group", "sex", lambda r: EDUCATION3[ATUS_EDUCATION[r["education_level"]]],
                          recoded("race_ethnicity", ATUS_RACE), "marital_status"]), 2, five, 60000.0)
    absent = defaultdict(float)
    for (_, x, a, m), v in by_age.items():
        absent[x, a, m] += v
    seed = {}
    for a in MARITAL_AGES:
        for x in SEXES:
            away = absent[x, a, "married_absent"] / (absent[x, a, "married_absent"] + absent[x, a, "married_present"])
            for e in sorted(set(EDUCATION3.values())):
                for r in RACE5:
                    q = mean_share(share, [(b, x, e, r) for b in covering(a, ATUS_AGES)])
                    married = q.pop("married")
                    q["married_present"], q["married_absent"] = married * (1 - away), married * away
                    for m, v in q.items():
                        seed[x, a, e, r, m] = v
    figure("marital_seed", ["sex", "age", "education_level", "race_ethnicity", "marital_detail"], seed, "share", sig=4)
    return whole


# ---------------------------------------------------------------------------------------------------------------------
# Nativity, language, service

def nativity():
    official = total([r for r in read("nativity_age_sex_state_acs2018.csv") if r["age_group"] == "18+"],
                     ["state", "sex", "nativity"])
    figure("nativity_sex_state", ["state", "sex", "nativity"], official)
    bands = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+"]
    codes = dict(ALONE, white_non_hispanic="white", hispanic="hispanic")
    counts = total(read("pop_single_age_sex_race_nativity_us_np2025.csv"),
                   [lambda r: band_of(int(r["age"]), bands), "sex", recoded("race_ethnicity", codes), "nativity"])
    # Share of citizens among the foreign born by age, and its odds by race. ASSUMPTION; the published counts are met.
    citizens = dict(zip(bands, (.38, .37, .45, .56, .66, .74, .80)))
    odds = {"hispanic": .6, "asian": 1.5, "white": 1.6, "black": 1.5}
    seed = {}
    for a in bands:
        for x in SEXES:
            for r in RACES:
                key = "black" if r == "other" else r  # the projections have no group 'other'
                born = counts[a, x, key, "foreign_born"]
                born /= born + counts[a, x, key, "native"]
                citizen = citizens[a] / (1 - citizens[a]) * odds.get(r, 1.0)
                seed[x, a, r, "native"] = 1 - born
                seed[x, a, r, "foreign_born_naturalized"] = born * citizen / (1 + citizen)
                seed[x, a, r, "foreign_born_not_citizen"] = born / (1 + citizen)
    figure("nativity_seed", ["sex", "age", "race_ethnicity", "nativity"], seed, "share", sig=5)


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
    figure("language_seed", ["race_ethnicity", "nativity", "language_at_home"], seed, "share")


def veterans():
    figure("veteran_age_sex_state", ["state", "sex", "age", "veteran_status"],
           total(read("veteran_age_sex_state_acs2018.csv"), ["state", "sex", "age_group", "veteran_status"]))
    # How service is spread within the published bands 18-34 and 75+. ASSUMPTION; the bands' totals are met over it.
    shape = {"18": 0.0, "19": .002, "20-21": .008, "22-24": .025, "25-29": .050, "30-34": .068, "35-54": .08,
             "55-64": .12, "65-74": .20, "75-84": .26, "85+": .30}
    seed = {}
    for a, v in shape.items():
        if v:
            seed[a, "civilian", "veteran"] = v
        seed[a, "civilian", "nonveteran"] = 1 - v
        seed[a, "armed_forces", "none"] = 1.0
    figure("veteran_seed", ["age", "labour_status", "veteran_status"], seed, "share")


# ---------------------------------------------------------------------------------------------------------------------
# Labour status

LABOUR_AGES = ["18-19", "20-21", "22-24", "25-29", "30-34", "35-44", "45-54", "55-59", "60-61", "62-64", "65-69",
               "70-74", "75-79", "80-84", "85+"]
# How much rarer each status is at 16-17 than at 18-19. ASSUMPTION, after the national CPS rates of 2018.
TEEN_ODDS = {"employed": .205 / .435, "unemployed": .035 / .060, "not_in_labor_force": .76 / .50, "armed_forces": 0.0}


def labour(p18, fine, children, marital_whole):
    """Returns the estimated employed civilians aged 18 and over by state, sex and race (five groups)."""
    every = total(read("labour_age_sex_state_acs2018.csv"), ["state", "sex", "age_group", "labour_status"])
    official = {k: v for k, v in every.items() if adult(k[2])}
    figure("labour_age_sex_state", ["state", "sex", "age", "labour_status"], official)

    teens, young = {}, {}
    for s in STATES:
        for x in SEXES:
            cells = {k: every[s, x, "16-19", k] for k in LABOUR4}
            adults = p18[s, x, "18-19"]
            minors = max(1.0, sum(cells.values()) - adults)
            seed = {("18-19", k): cells[k] * adults for k in LABOUR4}
            seed.update({("16-17", k): cells[k] * TEEN_ODDS[k] * minors for k in LABOUR4})
            fitted = rake(seed, {"16-17": minors, "18-19": adults}, cells)
            for k in LABOUR4:
                teens[s, x, k] = fitted.get(("16-17", k), 0.0)
                young[s, x, "18-19", k] = fitted.get(("18-19", k), 0.0)
    figure("labour_18_19_sex_state", ["state", "sex", "age", "labour_status"], young, digits=6)

    figure("labour_education_state", ["state", "age", "education_level", "labour_status"],
           total(read("labour_education_25_64_state_acs2018.csv"),
                 ["state", lambda r: "25-64", "education_level", "labour_status"]))

    whole = defaultdict(float)
    for table in (official, young):
        for (s, x, a, k), v in table.items():
            whole[s, x, "65+" if first(a) >= 65 else "18-64", k] += v
    exact, estimated = labour_by_race(whole, teens, fine, children)
    columns = ["state", "sex", "age", "race_ethnicity", "labour_status"]
    figure("labour_65_sex_race_state", columns, exact)
    grouped, employed = defaultdict(float), defaultdict(float)
    for (s, x, a, r, k), v in list(estimated.items()) + list(exact.items()):
        grouped[s, x, a, RACE6.get(r, "other"), k] += v
        if k == "employed":
            employed[s, x, r if r in RACE5 else "other"] += v
    figure("labour_sex_race_state", columns, grouped, digits=6)

    three = ["employed", "unemployed", "not_in_labor_force"]
    raw = total(read("marital_sex_labour_state_acs2018.csv"), ["state", "sex", "marital_status", "labour_status"])
    grouped = defaultdict(float)
    for s in STATES:
        for x in SEXES:
            seed = {(m, k): raw[s, x, m, k] for m in MARITAL3 for k in three}
            for k in three:  # 16-17, nearly all never married, are taken off; 'employed' counts the Armed Forces here
                gone = teens[s, x, k] + (teens[s, x, "armed_forces"] if k == "employed" else 0.0)
                seed["never_married", k] = max(1.0, seed["never_married", k] - gone)
            work = {k: whole[s, x, "18-64", k] + whole[s, x, "65+", k] for k in LABOUR4}
            work["employed"] += work.pop("armed_forces")
            for (m, k), v in rake(seed, {m: marital_whole[s, x, m] for m in MARITAL3}, work).items():
                grouped[s, x, MARITAL3[m], k] += v
    figure("labour_marital_sex_state", ["state", "sex", "marital_detail", "labour_status"], grouped, digits=6)
    labour_seed()
    return employed


def labour_by_race(whole, teens, fine, children):
    """65 and over: white and Hispanic as published (but for Hispanics in Vermont, suppressed), the others share the
    rest. 18-64: the published 16-64 less the estimated 16-17."""
    raw = total(read("labour_age_sex_race_state_acs2018.csv"),
                ["state", "race_ethnicity", "sex", lambda r: (r["age_group"], r["labour_status"])])
    old, work = [("65+", k) for k in LABOUR4[:3]], [("16-64", k) for k in LABOUR4]
    exact, estimated = {}, {}
    for s in STATES:
        for x in SEXES:
            rest = {k: whole[s, x, "65+", k[1]] for k in old}
            published = {c: r for c, r in EXACT.items() if sum(raw.get((s, c, x, k), 0.0) for k in old) > 0}
            for code, r in published.items():
                for k in old:
                    exact[s, x, "65+", r, k[1]] = raw[s, code, x, k]
                    rest[k] -= raw[s, code, x, k]
            totals = people_by_race(fine, s, x, [r for r in RACES if r not in published.values()], 65)
            for (r, k), v in split_rest(rest, totals, race_seed(raw, s, x, old)).items():
                estimated[s, x, "65+", r, k[1]] = v
            minors = sum(children[s, x, r] for r in RACES)
            table = {(r, k): max(0.0, raw[s, code, x, k] - teens[s, x, k[1]] * children[s, x, r] / minors)
                     for code, r in published.items() for k in work}
            rest = {k: whole[s, x, "18-64", k[1]] - sum(table[r, k] for r in published.values()) for k in work}
            people = people_by_race(fine, s, x, RACES, 18, 64)
            others = {r: people[r] for r in RACES if r not in published.values()}
            table.update(split_rest(rest, others, race_seed(raw, s, x, work)))
            table = rake({k: v + 1e-3 for k, v in table.items()}, people,
                         {k: whole[s, x, "18-64", k[1]] for k in work})
            for (r, k), v in table.items():
                estimated[s, x, "18-64", r, k[1]] = v
    return exact, estimated


def labour_seed():
    three = ["employed", "unemployed", "not_in_labor_force"]
    share = shrunk(total(read("joint_persons_atus2003_2016.csv"),
                         ["age_group", "sex", lambda r: EDUCATION4[ATUS_EDUCATION[r["education_level"]]],
                          recoded("marital_status", MARITAL3), recoded("race_ethnicity", ATUS_RACE),
                          "labour_status"]), 2, three, 50000.0)
    # Active service by age, sex and schooling, relative to the employed. ASSUMPTION, raked to the figures.
    service = dict(zip(LABOUR_AGES, (.03, .05, .045, .03, .02, .012, .003, .0006, .0003, .0002, 0, 0, 0, 0, 0)))
    # Work past 80, relative to all of 80 and over in the microdata. ASSUMPTION; the total of 75 and over is met.
    late = {"80-84": 1.3, "85+": .35}
    school = {"less_than_high_school": .03, "high_school": 1.0, "some_college_or_associates": 1.6,
              "bachelors_or_higher": .7}
    cells = {}
    for a in LABOUR_AGES:
        for x in SEXES:
            for e in school:
                for m in sorted(set(MARITAL3.values())):
                    for r in RACE5:
                        q = mean_share(share, [(b, x, e, m, r) for b in covering(a, ATUS_AGES)])
                        for k in ("employed", "unemployed"):
                            q[k] *= late.get(a, 1.0)
                        q["not_in_labor_force"] = 1 - q["employed"] - q["unemployed"]
                        q["armed_forces"] = q["employed"] * service[a] * school[e] * (1.6 if x == "Male" else .35)
                        for k, v in q.items():
                            if v > 0:
                                cells[x, a, e, m, r, k] = v
    figure("labour_seed", ["sex", "age", "education_level", "marital_detail", "race_ethnicity", "labour_status"], cells,
           "share", sig=4)


def college_enrolment():
    official = total([r for r in read("college_enrolment_age_sex_state_acs2018.csv") if adult(r["age_group"])],
                     ["state", "sex", "age_group", recoded("college_enrolment", ENROLMENT)])
    figure("college_enrolment_age_sex_state", ["state", "sex", "age", "college_enrolment"], official)
    share = shrunk(total(read("joint_persons_atus2003_2016.csv"),
                         ["age_group", "sex", recoded("labour_status", dict(zip(LABOUR4, ("job", "no_job", "no_job")))),
                          lambda r: EDUCATION4[ATUS_EDUCATION[r["education_level"]]], "student"]),
                   1, ["yes", "no"], 50000.0)
    # Within the microdata's 18-24 and 35 and over: how much likelier the younger are to be enrolled. ASSUMPTION.
    slope = {"18-19": 1.3, "20-21": 1.2, "22-24": .7, "45-54": .8, "55-64": .5, "65+": .3}
    cells = {}
    for a in ("18-19", "20-21", "22-24", "25-29", "30-34", "35-44", "45-54", "55-64", "65+"):
        for x in SEXES:
            for k in ("job", "no_job"):
                for e in sorted(set(EDUCATION4.values())):
                    if e == "less_than_high_school":
                        cells[x, a, k, e, "not_enrolled"] = 1.0
                        continue
                    keys = [(b, x, k, e) for b in covering(a, ATUS_AGES)]
                    yes = min(0.95, mean_share(share, keys)["yes"] * slope.get(a, 1.0))
                    cells[x, a, k, e, "public_college"] = 0.75 * yes
                    cells[x, a, k, e, "private_college"] = 0.25 * yes
                    cells[x, a, k, e, "not_enrolled"] = 1 - yes
    figure("college_enrolment_seed", ["sex", "age", "labour_status", "education_level", "college_enrolment"], cells,
           "share", sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Occupation and industry

GROUPS = {
    "Management occupations": "management",
    "Business and financial operations occupations": "business_and_financial_operations",
    "Computer and mathematical occupations": "computer_and_mathematical",
    "Architecture and engineering occupations": "architecture_and_engineering",
    "Life, physical, and social science occupations": "life_physical_and_social_science",
    "Community and social service occupations": "community_and_social_service",
    "Legal occupations": "legal",
    "Educational instruction, and library occupations": "educational_instruction_and_library",
    "Arts, design, entertainment, sports, and media occupations": "arts_design_entertainment_sports_and_media",
    "Health diagnosing and treating practitioners and other technical occupations":
        "health_diagnosing_and_treating_practitioners",
    "Health technologists and technicians": "health_technologists_and_technicians",
    "Healthcare support occupations": "healthcare_support",
    "Firefighting and prevention, and other protective service workers including supervisors":
        "firefighting_and_other_protective_service",
    "Law enforcement workers including supervisors": "law_enforcement",
    "Food preparation and serving related occupations": "food_preparation_and_serving",
    "Building and grounds cleaning and maintenance occupations": "building_and_grounds_cleaning_and_maintenance",
    "Personal care and service occupations": "personal_care_and_service",
    "Sales and related occupations": "sales",
    "Office and administrative support occupations": "office_and_administrative_support",
    "Farming, fishing, and forestry occupations": "farming_fishing_and_forestry",
    "Construction and extraction occupations": "construction_and_extraction",
    "Installation, maintenance, and repair occupations": "installation_maintenance_and_repair",
    "Production occupations": "production",
    "Transportation occupations": "transportation",
    "Material moving occupations": "material_moving",
}
# Subtotals that go by another name in B24010 and in the CPS than in the race tables
SUBTOTALS = {
    "Computer occupations": "computer_and_mathematical",
    "Mathematical science occupations": "computer_and_mathematical",
    "Other teachers and instructors, education, training, and library occupations":
        "educational_instruction_and_library",
    "Education, training, and library occupations": "educational_instruction_and_library",
    "Other health diagnosing and treating practitioners and technical occupations":
        "health_diagnosing_and_treating_practitioners",
    "Healthcare practitioners and technical occupations": "health_technologists_and_technicians",
    "Other healthcare support occupations": "healthcare_support",
    "Other production occupations": "production",
}
LAW_ENFORCEMENT = ("First-line supervisors of law enforcement workers", "Law enforcement workers",
                   "First-line supervisors of correctional officers", "First-line supervisors of police and detectives",
                   "Bailiffs", "Correctional officers and jailers", "Detectives and criminal investigators",
                   "Fish and game wardens", "Parking enforcement workers", "Police officers")
WORK_AGES = ["18-24", "25-34", "35-54", "55+"]
CPS_AGES = {"16-19": "18-24", "20-24": "18-24", "25-34": "25-34", "35-44": "35-54", "45-54": "35-54",
            "55-64": "55+", "65+": "55+"}
BLS_EDUCATION = dict(zip(EDU6, EDU6), masters="graduate", doctorate_or_professional="graduate")
# Few of 18-24 hold degrees yet: weights on the schooling published for workers of 25 and over. ASSUMPTION.
YOUNG_WORKER = dict(zip(EDU6, (1.0, 1.5, 1.7, .7, .45, .04)))
MILITARY = "Military, rank not specified"  # the Census title of code 9830


def occupation_groups(employed):
    def group(row):
        if row["occupation_major"] == "Protective service occupations":
            return "law_enforcement" if row["occupation_group"] in LAW_ENFORCEMENT \
                else "firefighting_and_other_protective_service"
        return SUBTOTALS.get(row["occupation_major"]) or GROUPS[row["occupation_major"]]

    by_sex = total(read("occupation_group_sex_state_acs2018.csv"), ["state", "sex", group])
    figure("occupation_group_sex_state", ["state", "sex", "occupation_group"], by_sex)
    raw = total(read("occupation_major_sex_race_state_acs2018.csv"),
                ["state", "race_ethnicity", "sex", recoded("occupation_major", GROUPS)])
    names = list(GROUPS.values())
    cells = {}
    for s in STATES:
        for x in SEXES:
            shares = race_seed(raw, s, x, names)
            seed = {}
            for g in names:
                for r in ("white", "hispanic", "black", "asian"):
                    seed[r, g] = shares[r, g] + 1e-5
                seed["other", g] = shares["two_or_more", g] + shares["american_indian_or_alaska_native", g] + 1e-5
            people = {r: employed[s, x, r] for r in RACE5}
            scale = sum(people.values()) / sum(by_sex[s, x, g] for g in names)
            for (r, g), v in rake(seed, people, {g: by_sex[s, x, g] * scale for g in names}).items():
                cells[s, x, r, g] = v
    figure("occupation_group_sex_race_state", ["state", "sex", "race_ethnicity", "occupation_group"], cells, digits=6)


def group_of_occupation(order, cps):
    """The group of each detailed title: its CPS major group, split where the race tables split it."""
    major = {snake(r["occupation"]): r["occupation_major"] for r in cps}
    technologists = order[order.index("Clinical laboratory technologists and technicians"):
                          order.index("Miscellaneous health technologists and technicians") + 1]
    movers = order[order.index("Crane and tower operators"):]
    group = {}
    for o in order:
        m = major[snake(o)]
        if m == "Healthcare practitioners and technical occupations":
            group[o] = "health_technologists_and_technicians" if o in technologists \
                else "health_diagnosing_and_treating_practitioners"
        elif m == "Protective service occupations":
            group[o] = "law_enforcement" if o in LAW_ENFORCEMENT else "firefighting_and_other_protective_service"
        elif m == "Transportation and material moving occupations":
            group[o] = "material_moving" if o in movers else "transportation"
        else:
            group[o] = SUBTOTALS.get(m) or GROUPS[m]
    return group


def occupations():
    rows = read("occupation_detailed_sex_us_acs2018.csv")
    by_sex = total(rows, ["occupation", "sex"])
    order = list(dict.fromkeys(r["occupation"] for r in rows))
    by_code = {snake(o): o for o in order}
    assert len(by_code) == len(order), "two occupations share a code"
    cps = read("occupation_detailed_age_cps2025.csv")
    group = group_of_occupation(order, cps)
    figure("occupation_sex_us", ["occupation_group", "sex", "occupation"],
           {(group[o], x, snake(o)): v for (o, x), v in by_sex.items()})

    ages = total(cps, [lambda r: by_code[snake(r["occupation"])], recoded("age_group", CPS_AGES)])
    group_age = defaultdict(float)
    for (o, a), v in ages.items():
        group_age[group[o], a] += v
        group_age[group[o]] += v
    soc = soc_codes(order)
    bls = defaultdict(lambda: defaultdict(float))
    for r in read("occupation_education_share_bls2014_2015.csv"):
        bls[r["occupation_code"]][BLS_EDUCATION[r["education_level"]]] += float(r["share"] or 0)
    rules = {r["occupation"]: r for r in assumption("licensed_occupations.csv")}
    floors = {o: EDU6.index(r["lowest_education"]) for o, r in rules.items()}
    unknown = set(floors) - set(order)
    assert not unknown, f"licensed_occupations.csv: no occupation {unknown}"

    joint, by_group, by_config = {}, defaultdict(float), defaultdict(float)
    for o in order:
        g, whole = group[o], sum(ages[o, a] for a in WORK_AGES)
        school = nearest(bls, soc[o])
        school = {e: school.get(e, 0.0) + 0.002 if i >= floors.get(o, 0) else 0.0 for i, e in enumerate(EDU6)}
        for a in WORK_AGES:
            if last(a) < int(rules.get(o, {}).get("lowest_age", 16)):
                continue
            # published in thousands: small occupations are pulled to the age pattern of their group
            age = (ages[o, a] + 20000 * group_age[g, a] / group_age[g]) / (whole + 20000)
            fit = {e: school[e] * (YOUNG_WORKER[e] if a == "18-24" else 1.0) for e in EDU6}
            for x in SEXES:
                for e in EDU6:
                    v = by_sex[o, x] * age * fit[e] / sum(fit.values())
                    if v > 0:
                        joint[g, x, a, e, snake(o)] = v
                        by_group[g, x, a, e] += v
                        by_config[x, a, e] += v
    cells = {(x, a, e, "employed", g): v / by_config[x, a, e] for (g, x, a, e), v in by_group.items()}
    inside = {key: v / by_group[key[:4]] for key, v in joint.items()}
    for x, a, e in by_config:
        cells[x, a, e, "armed_forces", "military_specific"] = 1.0
        cells[x, a, e, "no_job", "none"] = 1.0
        inside["none", x, a, e, "not_in_workforce"] = 1.0
        inside["military_specific", x, a, e, snake(MILITARY)] = 1.0
    figure("occupation_group_seed", ["sex", "age", "education_level", "labour_status", "occupation_group"], cells,
           "share", sig=4)
    figure("occupation_seed", ["occupation_group", "sex", "age", "education_level", "occupation"], inside, "share",
           sig=4)
    levels("occupation", ["level", "title", "occupation_group"],
           [["not_in_workforce", "Not in the workforce", "none"]] +
           [[snake(o), o, group[o]] for o in order] + [[snake(MILITARY), MILITARY, "military_specific"]])
    return order, soc, by_sex


def soc_codes(order):
    """SOC codes of each Census title: the crosswalk's, or where that is wrong or empty, those of the assumptions."""
    codes = defaultdict(list)
    for r in read("occupation_title_soc_crosswalk_estimate.csv"):
        if r["occupation_code"]:
            codes[snake(r["occupation"])].append(r["occupation_code"])
    for r in assumption("occupation_soc_codes.csv"):
        codes[snake(r["occupation"])] = r["occupation_codes"].split()
    missing = [o for o in order if not codes[snake(o)]]
    assert not missing, f"no SOC code for {missing}"
    return {o: codes[snake(o)] for o in order + [MILITARY]}


def nearest(table, codes):
    """The mean of the table's rows for the codes; where it has none of them, for the nearest broader SOC group."""
    for length in (7, 6, 5, 4, 3):
        prefixes = {c[:length] for c in codes}
        found = [row for code, row in sorted(table.items()) if code[:length] in prefixes]
        if found:
            mean = defaultdict(float)
            for row in found:
                for k, v in row.items():
                    mean[k] += v / len(found)
            return mean
    raise SystemExit(f"no row for SOC {codes}")


# The 14 industries of the time-use microdata as ACS sectors
ATUS_INDUSTRIES = {
    "finance": ["finance_and_insurance", "real_estate_and_rental_and_leasing"],
    "hospitality": ["arts_entertainment_and_recreation", "accommodation_and_food_services"],
    "prof_biz_svcs": ["professional_scientific_and_technical_services", "management_of_companies_and_enterprises",
                      "administrative_and_support_and_waste_management_services"],
    "edu_health_svcs": ["educational_services", "health_care_and_social_assistance"],
    "information": ["information"], "manuf": ["manufacturing"], "trade": ["wholesale_trade", "retail_trade"],
    "other": ["other_services_except_public_administration"], "public_admin": ["public_administration"],
    "transport_util": ["transportation_and_warehousing", "utilities"], "construction": ["construction"],
    "agric_forestry_hunting": ["agriculture_forestry_fishing_and_hunting"],
    "mining": ["mining_quarrying_and_oil_and_gas_extraction"],
}


def industries():
    official = total(read("industry_sex_state_acs2018.csv"), ["state", "sex", "industry"])
    figure("industry_sex_state", ["state", "sex", "industry"], official)
    whole = defaultdict(float)
    for (_, _, i), v in official.items():
        whole[i] += v
    spread = defaultdict(lambda: defaultdict(float))
    for (o, i), v in total(read("joint_persons_us_atus2010_2016.csv"), ["occupation_major", "industry"]).items():
        parts = ATUS_INDUSTRIES.get(i, [])
        for p in parts:
            spread[o][p] += v * whole[p] / sum(whole[q] for q in parts)
    seed = {}
    for row in assumption("industry_by_occupation.csv"):
        base, own = spread[row["time_use_group"]], {}
        for item in row["industries"].split():
            name, weight = item.split(":")
            assert name in whole, f"industry_by_occupation.csv: no industry {name}"
            own[name] = float(weight)
        free, mass = 1.0 - sum(own.values()), sum(base.values())
        for i in whole:
            seed[row["occupation_group"], i] = own.get(i, 0.0) + free * (0.98 * base[i] / mass + 0.02 / len(whole))
    assert {g for g, _ in seed} == set(GROUPS.values()), "industry_by_occupation.csv: groups differ"
    seed["none", "none"] = seed["military_specific", "none"] = 1.0
    figure("industry_seed", ["occupation_group", "industry"], seed, "share", sig=5)


# ---------------------------------------------------------------------------------------------------------------------
# Households

LIVING = {"lives_alone": "lives_alone", "householder_living_with_spouse_or_spouse_of_householder": "with_spouse",
          "householder_living_with_unmarried_partner_or_unmarried_partner_of_householder": "with_unmarried_partner",
          "child_of_householder": "with_parents", "other_relatives": "with_other_relatives",
          "other_nonrelatives": "with_nonrelatives"}
LIVING_AGES = ["18-19", "20-24", "25-29", "30-34", "35-44", "45-54", "55-64", "65-74", "75-84", "85+"]
SIZES = ["2", "3", "4", "5", "6", "7"]


def living_arrangement(p18, atus):
    official = total(read("living_arrangement_age_state_acs2018.csv"),
                     ["state", "age_group", recoded("living_arrangement", LIVING)])
    people = defaultdict(float)
    for (s, _, a), v in p18.items():
        people[s, band_of(first(a), ["18-34", "35-64", "65+"])] += v
    for (s, a), v in people.items():  # those in no household live in group quarters
        official[s, a, "with_nonrelatives"] += v - sum(official[s, a, k] for k in LIVING.values())
    figure("living_arrangement_age_state", ["state", "age", "living_arrangement"], official)

    alone = shrunk(total(atus, ["age_group", "sex", "marital_status", recoded("race_ethnicity", ATUS_RACE),
                                lambda r: "alone" if r["hh_size"] == "1" else "not"]), 2, ["alone", "not"], 60000.0)
    shape = defaultdict(list)
    for row in assumption("living_arrangement_shape.csv"):
        shape[row["marital_detail"]].append(row)
    kinds = list(LIVING.values())[1:]
    seed = {}
    for a in LIVING_AGES:
        for x in SEXES:
            for m in MARITAL6.values():
                row = next(r for r in shape[m] if first(r["age"]) <= first(a) <= last(r["age"]))
                for r in ("white", "black", "hispanic", "other"):
                    single = 0.0
                    if m != "married_present":
                        status = "separated" if m == "married_absent" else m
                        keys = [(b, x, status, r) for b in covering(a, ATUS_AGES)]
                        single = mean_share(alone, keys)["alone"] * (0.3 if a == "18-19" else 1.0)
                        seed[x, a, m, r, "lives_alone"] = single
                    weights = {k: float(row[k]) for k in kinds}
                    # Mothers who live with their children count under other relatives. ASSUMPTION, as are the others.
                    weights["with_other_relatives"] *= (1.5 if x == "Female" else 1.0) * (1.0 if r == "white" else 1.4)
                    weights["with_parents"] *= 1.2 if x == "Male" else 1.0
                    for k in kinds:
                        if weights[k]:
                            seed[x, a, m, r, k] = (1 - single) * weights[k] / sum(weights.values())
    figure("living_arrangement_seed", ["sex", "age", "marital_detail", "race_ethnicity", "living_arrangement"], seed,
           "share", sig=4)


def household_size(atus):
    size = shrunk(total(atus, ["age_group", "sex", recoded("marital_status", MARITAL3),
                               recoded("race_ethnicity", ATUS_RACE),
                               lambda r: None if r["hh_size"] == "1" else r["hh_size"]]), 2, SIZES, 60000.0)
    tilt = {r["living_arrangement"]: {n: float(r[n]) for n in SIZES} for r in assumption("household_size_tilt.csv")}
    cells = {}
    for a in ATUS_AGES:
        for x in SEXES:
            for m in sorted(set(MARITAL3.values())):
                for r in RACE5:
                    q = size((a, x, m, r))
                    for k, weights in tilt.items():
                        mass = sum(q[n] * weights[n] for n in SIZES)
                        for n in SIZES:
                            cells[x, a, m, r, k, n] = q[n] * weights[n] / mass
                    cells[x, a, m, r, "lives_alone", "1"] = 1.0
    figure("household_size_seed",
           ["sex", "age", "marital_detail", "race_ethnicity", "living_arrangement", "household_size"], cells, "share",
           sig=4)


def children_at_home(atus):
    share = shrunk(total(atus, ["age_group", "sex", "hh_size", recoded("marital_status", MARITAL3),
                                "children_under_18"]), 3, ["yes", "no"], 30000.0)
    cells = {}
    for a in ATUS_AGES:
        for x in SEXES:
            for m in sorted(set(MARITAL3.values())):
                for n in ["1"] + SIZES:
                    for company in ("alone", "couple", "no_couple"):
                        yes = share((a, x, n, m))["yes"]
                        if n == "1" or company == "alone" or (n == "2" and company == "couple"):
                            yes = 0.0
                        cells[x, a, m, n, company, "no"] = 1 - yes
                        if yes:
                            cells[x, a, m, n, company, "yes"] = yes
    figure("children_at_home_seed",
           ["sex", "age", "marital_detail", "household_size", "living_arrangement", "children_at_home"], cells, "share",
           sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Places

def places():
    rows = sorted((r for r in read("zipcode_city_county_state_population.csv") if float(r["count"] or 0) > 0),
                  key=lambda r: r["zipcode"])
    mix = {r["zcta"]: r for r in read("zcta_race_shares_census2020.csv")}
    columns = {"white": "share_white_non_hispanic", "black": "share_black_non_hispanic",
               "native": "share_aian_non_hispanic", "asian": "share_asian_nhpi_non_hispanic",
               "other": "share_two_or_more_or_other_non_hispanic", "hispanic": "share_hispanic"}
    largest = {}  # the most populous named ZIP code of a ZCTA and of a county, for those without a place name
    for r in rows:
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            if r["city"] and float(r["count"]) > largest.get(key, (0.0, ""))[0]:
                largest[key] = (float(r["count"]), r["city"])
    county = defaultdict(lambda: defaultdict(float))  # race counts by county, for the few ZCTAs without shares
    for r in rows:
        for column in columns.values():
            if r["zcta"] in mix:
                county[r["state"], r["county"]][column] += float(r["count"]) * float(mix[r["zcta"]][column] or 0)
    listed, cells = [], {}
    for r in rows:
        shares = mix.get(r["zcta"]) or county[r["state"], r["county"]]
        mass = sum(float(shares[c] or 0) for c in columns.values())
        city = r["city"]
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            city = city or largest.get(key, (0.0, ""))[1]
        city = city or re.sub(r" (County|Parish|Borough|Municipio|Census Area)$", "", r["county"])
        reached = False
        for race_code, column in columns.items():
            v = round(float(r["count"]) * float(shares[column] or 0) / mass)
            if v > 0:
                cells[r["state"], race_code, r["zipcode"]], reached = v, True
        if reached:
            listed.append([r["zipcode"], city, r["county"], r["state"]])
    levels("zipcode", ["level", "city", "county", "state"], listed)
    levels("city", ["level"], [[c] for c in sorted({r[1] for r in listed})])
    levels("county", ["level"], [[c] for c in sorted({r[2] for r in listed})])
    figure("zipcode_state_race", ["state", "race_ethnicity", "zipcode"], cells)


# ---------------------------------------------------------------------------------------------------------------------
# Names

NAME_RACES = {"white": "white", "black": "black", "hispanic": "hispanic", "asian": "api", "native": "aian",
              "other": "two_or_more"}
DECADES = {"2000s": "18-24", "1990s": "25-34", "1980s": "35-44", "1970s": "45-54", "1960s": "55-64",
           "1950s": "65-74", "1940s": "75-84", "1930s": "85-94", "1920s": "95+"}


def surname(name, spelled):
    """Proper case of a surname that the Census prints in capitals without spaces or apostrophes."""
    if name in spelled:
        return spelled[name]
    if name.startswith("MC") and len(name) > 3:
        return "Mc" + name[2:].capitalize()
    return name.capitalize()


def names(per_group=1000, surnames=20000):
    spelled = {r["last_name"].replace(" ", "").replace("'", "").replace(".", "").upper(): r["last_name"]
               for r in assumption("surname_spelling.csv")}
    rows = [r for r in read("surnames_race_census2020.csv") if re.fullmatch("[A-Z]{2,}", r["last_name"])]
    rows.sort(key=lambda r: (-float(r["count"]), r["last_name"]))
    cells = defaultdict(float)
    for r in rows[:surnames]:
        for race_code, column in NAME_RACES.items():
            v = round(float(r["count"]) * float(r["share_" + column] or 0))
            if v >= 20:  # rarer bearers are left out, to keep the pack small
                cells[race_code, surname(r["last_name"], spelled)] += v
    figure("last_name_race", ["race_ethnicity", "last_name"], cells)
    levels("last_name", ["level"], [[n] for n in sorted({k[1] for k in cells})])

    census = {r["first_name"].upper(): r for r in read("first_names_sex_race_census2020.csv")}
    births = defaultdict(list)
    for r in read("first_names_birth_decade_sex_ssa.csv"):
        if r["birth_decade"] in DECADES and r["first_name"].upper() in census:
            births[r["sex"], DECADES[r["birth_decade"]]].append((-float(r["count"]), r["first_name"]))
    cells = {(sex, band, name): -count for (sex, band), listed in births.items()
             for count, name in sorted(listed)[:per_group]}
    used = sorted({k[2] for k in cells})
    shares = {}
    for name in used:
        row = {code: float(census[name.upper()]["share_" + column] or 0) for code, column in NAME_RACES.items()}
        for code, v in row.items():
            if v > 0:
                shares[code, name] = v / sum(row.values())
    figure("first_name_sex_decade", ["sex", "age", "first_name"], cells)
    figure("first_name_race", ["race_ethnicity", "first_name"], shares, "share", sig=4)
    levels("first_name", ["level"], [[n] for n in used])


# ---------------------------------------------------------------------------------------------------------------------
# Personality

STEPS, WIDTH = 21, 0.3  # factor levels 0..20 stand for z = (level - 10) * 0.3
TRAITS = {"openness": "plasticity", "conscientiousness": "stability", "extraversion": "plasticity",
          "agreeableness": "stability", "neuroticism": "stability"}


def normal(mean, sd, edges):
    """Probabilities of the intervals between `edges`, the outer two open."""
    below = [0.0] + [0.5 * math.erfc((mean - e) / (sd * math.sqrt(2))) for e in edges] + [1.0]
    return [b - a for a, b in zip(below, below[1:])]


def personality():
    """Two correlated higher-order factors, and five traits that load on them (assumptions/personality.csv)."""
    value = {r["parameter"]: float(r["value"]) for r in assumption("personality.csv")}
    z = [(k - STEPS // 2) * WIDTH for k in range(STEPS)]
    steps = [(a + b) / 2 for a, b in zip(z, z[1:])]
    figure("stability", ["stability"], {(k,): p for k, p in enumerate(normal(0, 1, steps))}, "share", sig=8)
    rho = value["stability_plasticity"]
    figure("plasticity", ["stability", "plasticity"],
           {(k, j): p for k in range(STEPS)
            for j, p in enumerate(normal(rho * z[k], math.sqrt(1 - rho ** 2), steps))}, "share", digits=12)
    points = [(t + 0.5 - 50) / 10 for t in range(20, 80)]
    for trait, factor in TRAITS.items():
        load = value[trait]
        figure(trait, [factor, trait],
               {(k, 20 + i): p for k in range(STEPS)
                for i, p in enumerate(normal(load * z[k], math.sqrt(1 - load ** 2), points))},
               "share", digits=12)


# ---------------------------------------------------------------------------------------------------------------------
# Hobbies and skills

def season(daily):
    """The chance of doing something at least once in 90 days that a share `daily` does on an average day, as if days
    were independent. ASSUMPTION: the published shares are of days, not of people."""
    return 1.0 - (1.0 - min(daily, 0.999)) ** 90


def hobbies():
    """Weight of a hobby: season(share of its activity), times how readily such an activity is named as a hobby
    (assumptions/hobby_activities.csv), split evenly over the hobbies listed for it (assumptions/hobbies.csv); richly
    listed activities keep a little more, by the power 0.75."""
    listed = defaultdict(list)
    for r in assumption("hobbies.csv"):
        listed[r["activity"]].append(r["hobby"])
    named = {r["activity"]: float(r["weight"]) for r in assumption("hobby_activities.csv")}
    limits = {r["hobby"]: (int(r["youngest"]), int(r["oldest"])) for r in assumption("hobby_limits.csv")}
    rows = read("leisure_daily_participation_age_sex_atus2003_2016.csv")
    share, sample = defaultdict(float), defaultdict(float)
    mean = defaultdict(float)
    for r in rows:
        key = (r["activity"], r["age_group"], r["sex"])
        share[key], sample[key] = float(r["share"] or 0), float(r["sample_n"] or 0)
        mean[r["activity"]] += share[key] / 14
    unknown = (set(listed) | set(named)) - set(mean) | set(limits) - {h for items in listed.values() for h in items}
    assert not unknown, f"hobbies.csv, hobby_limits.csv: unknown {unknown}"
    cells = {}
    for activity, items in listed.items():
        for a in ("18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+"):
            for x in SEXES:
                key = (activity, a, x)
                # cells of few respondents are pulled to the mean
                daily = (share[key] * sample[key] + mean[activity] * 15) / (sample[key] + 15)
                for item in items:
                    low, high = limits.get(item, (18, 100))
                    if low <= first(a) and last(a) <= high or item not in limits:
                        cells[x, a, item] = named.get(activity, 1.0) * season(daily) / len(items) ** 0.75
    figure("hobby_age_sex", ["sex", "age", "hobby"], cells, "share", sig=4)

    done, asked = defaultdict(float), defaultdict(float)
    for r in read("leisure_daily_participation_region_education_atus2003_2016.csv"):
        n = float(r["sample_n"] or 0)
        schooling = EDUCATION3[ATUS_EDUCATION[r["education_level"]]]
        for key in ((r["activity"], r["census_region"], schooling), r["activity"]):
            done[key] += float(r["share"] or 0) * n
            asked[key] += n
    cells = {}
    for activity, items in listed.items():
        usual = done[activity] / asked[activity] if asked[activity] else 0.0
        for region in ("northeast", "midwest", "south", "west", "none"):  # Puerto Rico, in no region, as the South
            for e in sorted(set(EDUCATION3.values())):
                key = (activity, "south" if region == "none" else region, e)
                lift = season((done[key] + usual * 15) / (asked[key] + 15)) / season(usual) if usual else 1.0
                for item in items:
                    cells[region, e, item] = lift
    figure("hobby_region_education", ["census_region", "education_level", "hobby"], cells, "share", sig=3)
    levels("hobby", ["level", "activity"], [[h, a] for a in sorted(listed) for h in listed[a]])


TOO_COMMON = {"Microsoft Edge", "Apple Safari", "Mozilla Firefox", "Google Chrome", "Operating system software",
              "Web browser software", "Microsoft Windows", "Facebook"}  # known by all, telling of no occupation
SKILL_LABELS = {"English Language": "Written and Spoken English", "Science": "Scientific Methods",
                "Mechanical": "Mechanical Systems", "Administrative": "Administrative Procedures",
                "Monitoring": "Performance Monitoring", "Installation": "Equipment Installation",
                "Repairing": "Equipment Repair", "Instructing": "Instruction", "Design": "Technical Design",
                "Extensible markup language XML": "XML", "Hypertext markup language HTML": "HTML",
                "Structured query language SQL": "SQL", "Structured query language  SQL": "SQL"}


def skills(order, soc, by_sex):
    """Weight of a skill: O*NET importance (skills, knowledge) or demand (technologies), times how telling the item
    is: the root of the log of the occupations over those that have it, after text retrieval."""
    kinds = {"skill": (10, 0.42), "knowledge": (6, 0.36), "technology": (8, 0.22)}
    tables = {kind: defaultdict(lambda: defaultdict(float)) for kind in kinds}
    for kind, file in (("skill", "onet_skills_top12.csv"), ("knowledge", "onet_knowledge_top8.csv")):
        for r in read(file):
            tables[kind][r["occupation_code"]][r[kind]] += max(0.0, float(r["importance"]) - 2.0)
    for r in read("onet_technology_skills_hot.csv"):
        if r["technology"] not in TOO_COMMON:
            tables["technology"][r["occupation_code"]][r["technology"]] += 4.0 if r["in_demand"] == "Y" else 0.5
    cells, everyone = defaultdict(float), defaultdict(float)
    for kind, (keep, part) in kinds.items():
        known = {o: nearest(tables[kind], soc[o]) for o in order + [MILITARY]}
        held = defaultdict(int)
        for row in known.values():
            for item in row:
                held[item] += 1
        for o, row in known.items():
            scored = [(-v * math.sqrt(math.log(1.5 * len(known) / held[i])), i) for i, v in row.items()]
            top = sorted(scored)[:keep]
            for score, item in top:
                weight = part * score / sum(t for t, _ in top)
                cells[snake(o), SKILL_LABELS.get(item, item)] += weight
                if kind == "skill":
                    everyone[item] += weight * (by_sex.get((o, "Male"), 0.0) + by_sex.get((o, "Female"), 0.0))
    # Those without a job: the skills that its workers have, and those of a home and a community.
    life = [r["skill"] for r in assumption("life_skills.csv")]
    for item, v in everyone.items():
        cells["not_in_workforce", SKILL_LABELS.get(item, item)] += 0.45 * v / sum(everyone.values())
    for item in life:
        cells["not_in_workforce", item] += 0.55 / len(life)
    figure("skill_occupation", ["occupation", "skill"], cells, "share", sig=4)
    levels("skill", ["level"], [[s] for s in sorted({k[1] for k in cells})])


def main():
    global TABLES, OUT
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    TABLES, OUT = sys.argv[1:]
    p18 = population()
    by_band, children = race(p18)
    fine = defaultdict(list)
    for key, v in by_band.items():
        fine[key[:2]].append((key, v))
    education(fine)
    bachelors_field()
    marital_whole = marital(fine, children)
    nativity()
    language()
    veterans()
    employed = labour(p18, fine, children, marital_whole)
    college_enrolment()
    occupation_groups(employed)
    order, soc, by_sex = occupations()
    industries()
    atus = read("joint_persons_atus2003_2016.csv")
    living_arrangement(p18, atus)
    household_size(atus)
    children_at_home(atus)
    places()
    names()
    personality()
    hobbies()
    skills(order, soc, by_sex)


if __name__ == "__main__":
    main()
