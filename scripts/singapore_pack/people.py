"""Who they are: age and sex, ethnicity, place, schooling, marriage, religion, language."""

import math
from collections import defaultdict
from itertools import product

from shared_pack.bands import first, holds, known_band, last
from shared_pack.tables import assumption, figure, levels, manifest_section, read, read_shares

from .codes import (AGES5, AGES5_85, AGES_EDUCATION, AGES_MARITAL, AGES_RELIGION, DIALECT, DIALECTS, EDUCATION,
                    EDUCATION3, EDUCATION_LEVELS, ETHNICITY, LANGUAGE, LANGUAGE7, MARITAL, ORIGIN_ETHNICITY, RELIGION,
                    SEXES, SPEECH_ETHNICITY, within)

# ASSUMPTION: mortality beyond the last published band: death rate at 90 and its growth a year of age, by sex.
DEATHS = {"Male": (0.150, 0.090), "Female": (0.110, 0.095)}


def population():
    """Adults by single year, sex; returns {(band, sex): adults} on the bands of the exact table, 18-19 estimated."""
    single = defaultdict(float)
    for r in read("population_planning_area_age_sex.csv"):
        single[int(r["age"]), r["sex"]] += float(r["count"])
    exact = defaultdict(float)
    for r in read("population_ethnicity_age_sex.csv"):
        exact[r["age_group"], r["sex"]] += float(r["count"])
    cells, bands = {}, {}
    for sex in SEXES:
        for band in AGES5:
            published = "15-19" if band == "18-19" else band
            rounded = sum(v for (a, x), v in single.items()
                          if x == sex and first(published) <= a <= (90 if band == "90+" else last(published)))
            if not rounded or (published, sex) not in exact:
                table = "population_ethnicity_age_sex.csv" if rounded else "population_planning_area_age_sex.csv"
                raise SystemExit(f"{table}: nobody aged {published}, {sex}: add the rows that are missing")
            scale = exact[published, sex] / rounded
            if band == "90+":
                rate, growth = DEATHS[sex]
                living = [1.0]
                for k in range(10):
                    living.append(living[-1] * math.exp(-rate * math.exp(growth * k)) * 0.97)
                for k, v in enumerate(living):
                    cells[90 + k, sex] = exact[published, sex] * v / sum(living)
            else:
                for a in range(first(band), last(band) + 1):
                    cells[a, sex] = single[a, sex] * scale
            bands[band, sex] = sum(v for (a, x), v in cells.items() if x == sex and holds(band, a))
    figure("population_single_age_sex_2024", ["age", "sex"], cells, digits=6)
    figure("population_sex_2024", ["sex"], {(s,): sum(bands[b, s] for b in AGES5) for s in SEXES}, digits=6)
    figure("population_age_sex_2024", ["age", "sex"], {k: exact[k] for k in bands if k[0] != "18-19"})
    return bands


def ethnicity(bands):
    """Returns {(ethnicity, band, sex): adults}."""
    cells, young = {}, {}
    for r in read("population_ethnicity_age_sex.csv"):
        key = ETHNICITY[r["ethnicity"]], r["age_group"], r["sex"]
        if r["age_group"] in AGES5:
            cells[key] = float(r["count"])
        elif r["age_group"] == "15-19":
            young[key[0], "18-19", key[2]] = float(r["count"])
    figure("ethnicity_age_sex_2024", ["ethnicity", "age", "sex"], cells)
    for sex in SEXES:
        whole = sum(v for k, v in young.items() if k[2] == sex)
        for k in [k for k in young if k[2] == sex]:
            young[k] *= bands["18-19", sex] / whole
    figure("ethnicity_18_19_2024", ["ethnicity", "age", "sex"], young, digits=6)
    return cells | young


def dialect_groups():
    cells, young = {}, {}
    for r in read("dialect_group_ethnicity_age_sex_2015.csv"):
        key = ETHNICITY[r["ethnicity"]], DIALECT[r["dialect_group"]], r["age_group"], r["sex"]
        if r["age_group"] in AGES5_85:
            cells[key] = float(r["count"])
        elif r["age_group"] == "15-19":
            young[key[0], key[1], "18-19", key[3]] = float(r["count"])
    names = ["ethnicity", "dialect_group", "age", "sex"]
    figure("dialect_group_ethnicity_age_sex_2015", names, cells)
    figure("dialect_group_18_19", names, young)
    figure("dialect_group_seed", names[:2], {(k[0], k[1]): 1.0 for k in cells}, "share")


def places():
    """Planning areas by age and sex (2024) and by ethnic group and sex (2020); subzones within them."""
    area, region = {}, {}
    for r in read("planning_area_region.csv"):
        region[r["planning_area"]] = r["region"]
    by_age, by_subzone = defaultdict(float), defaultdict(float)
    for r in read("population_subzone_age_sex.csv"):
        area[r["subzone"]] = r["planning_area"]
        if int(r["age"]) >= 18:
            v = float(r["count"])
            by_age[known_band(int(r["age"]), AGES5), r["sex"], r["planning_area"]] += v
            by_subzone[r["planning_area"], r["subzone"]] += v
    by_ethnicity, fine = defaultdict(float), defaultdict(float)
    for r in read("population_subzone_ethnicity_sex.csv"):
        area[r["subzone"]] = r["planning_area"]
        by_ethnicity[ETHNICITY[r["ethnicity"]], r["sex"], r["planning_area"]] += float(r["count"])
        fine[r["planning_area"], ETHNICITY[r["ethnicity"]], r["subzone"]] += float(r["count"])
    live = {a for (_, _, a), v in by_age.items() if v > 0}
    for band in AGES5:
        for sex in SEXES:
            for a in region:  # nobody lives in some
                by_age.setdefault((band, sex, a), 0.0)
    figure("area_age_sex_2024", ["age", "sex", "planning_area"], by_age)
    figure("area_ethnicity_sex_2020", ["ethnicity", "sex", "planning_area"],
           {k: v for k, v in by_ethnicity.items() if v > 0 and k[2] in live})
    # Seed: the mix of 2020, with a trace of the country so that no group is impossible anywhere.
    whole, seed = defaultdict(float), {}
    for (e, x, _), v in by_ethnicity.items():
        whole[e, x] += v
    people = sum(whole.values())
    for a in live:
        mass = sum(by_ethnicity[e, x, a] for e, x in whole)
        for e, x in whole:
            seed[e, x, a] = by_ethnicity[e, x, a] + (0.01 * mass + 30.0) * whole[e, x] / people
    figure("area_seed", ["ethnicity", "sex", "planning_area"], seed, sig=6)
    here = {(a, s): v for (a, s), v in by_subzone.items() if v > 0}
    figure("subzone_2024", ["planning_area", "subzone"], {(a, s): here.get((a, s), 0.0) for s, a in area.items()})
    figure("subzone_ethnicity_2020", ["planning_area", "ethnicity", "subzone"],
           {k: v for k, v in fine.items() if v > 0 and (k[0], k[2]) in here})
    seed = {}
    for (a, s), v in here.items():
        mass = sum(fine[a, e, s] for e in ETHNICITY.values())
        for e in ETHNICITY.values():
            mix = sum(seed_value for (e2, _, a2), seed_value in by_ethnicity.items() if (e2, a2) == (e, a))
            total = sum(seed_value for (_, _, a2), seed_value in by_ethnicity.items() if a2 == a) or 1.0
            # a subzone that had nobody in 2020 takes the mix of its planning area
            seed[a, e, s] = fine[a, e, s] + (0.02 * mass + (v if not mass else 10.0)) * max(mix / total, 0.001)
    figure("subzone_seed", ["planning_area", "ethnicity", "subzone"], seed, sig=6)
    levels("subzone", ["level", "planning_area"], sorted([s, a] for s, a in area.items()))
    levels("planning_area", ["level", "region"], sorted([a, r] for a, r in region.items()))


def coarse_area(name, column, codes, target, variable):
    """A table by planning area as published: 28 or 30 areas and the rest."""
    figure(target, ["planning_area", variable],
           {(r["planning_area"], codes[r[column]]): float(r["count"]) for r in read(name)})


def education():
    cells = {}
    for r in read_shares("education_age_sex_ethnicity_estimate.csv", "age_group", "sex", "ethnicity"):
        cells[r["age_group"], r["sex"], ETHNICITY[r["ethnicity"]], EDUCATION[r["education_level"]]] = float(r["share"])
    young = {}
    for (band, sex, e, level), v in cells.items():
        young[band, sex, e, level] = v
    # No diploma at 18: what the source has of it at 18-19 falls on 19.
    figure("education_age_sex_ethnicity_2024", ["age", "sex", "ethnicity", "education_level"], young, "share", sig=6)
    # ASSUMPTION: the school career between 18 and 24 by single year, as weights on the levels.
    career = {r["age"]: {k: float(r[k]) for k in EDUCATION_LEVELS} for r in assumption("school_career.csv")}
    seed = {}
    for (band, sex, e, level), v in cells.items():
        for fine in AGES_EDUCATION:
            if within(fine, AGES5_85) == band:
                late = "late" if sex == "Male" else "early"  # two years of national service
                weight = career.get(f"{fine} {late}", {}).get(level, 1.0)
                seed[fine, sex, e, level] = (v + 1e-5) * weight
    figure("education_seed", ["age", "sex", "ethnicity", "education_level"], seed, "share", sig=5)
    coarse_area("education_planning_area_2015.csv", "education_level", EDUCATION, "education_area_2015",
                "education_level")


# ASSUMPTION: odds of being married relative to single, by schooling and ethnic group.
MARRIED_EDUCATION = {"secondary_or_less": {"Male": 0.85, "Female": 1.10},
                     "post_secondary_or_diploma": {"Male": 1.0, "Female": 1.0},
                     "degree": {"Male": 1.20, "Female": 0.90}}
YOUNG_EDUCATION = {"secondary_or_less": 2.2, "post_secondary_or_diploma": 1.1, "degree": 0.75}  # under 30
MARRIED_ETHNICITY = {"Chinese": 0.90, "Malay": 1.35, "Indian": 1.40, "Others": 1.50}
DIVORCED_ETHNICITY = {"Chinese": 0.90, "Malay": 1.50, "Indian": 1.05, "Others": 1.10}


# ASSUMPTION: odds of being married, and of being divorced, relative to single, by class of planning areas: the share of
# their households without a family nucleus, of the census of 2020.
FAMILY_AREAS = {"families": 0.165, "mostly_families": 0.215, "mixed": 0.305, "many_alone": 1.0}
MARRIED_AREA = {"families": 1.35, "mostly_families": 1.10, "mixed": 0.86, "many_alone": 0.62}
DIVORCED_AREA = {"families": 1.0, "mostly_families": 1.05, "mixed": 0.9, "many_alone": 0.95}


def family_areas():
    """{class: planning areas}; an area that the table does not name is `mixed`, or `mostly_families` where there are
    as many children as in the country, for each woman of an age to have them."""
    whole, without = defaultdict(float), defaultdict(float)
    for r in read("household_structure_planning_area_2020.csv"):
        whole[r["planning_area"]] += float(r["count"])
        if r["household_structure"] == "no_family_nucleus":
            without[r["planning_area"]] += float(r["count"])
    children, women = defaultdict(float), defaultdict(float)
    for r in read("population_planning_area_age_sex.csv"):
        if int(r["age"]) < 10:
            children[r["planning_area"]] += float(r["count"])
        elif 28 <= int(r["age"]) < 48 and r["sex"] == "Female":
            women[r["planning_area"]] += float(r["count"])
    mean = sum(children.values()) / sum(women.values())
    groups = {name: [] for name in FAMILY_AREAS}
    for area in sorted(r["planning_area"] for r in read("planning_area_region.csv")):
        if whole[area]:
            name = next(n for n, most in FAMILY_AREAS.items() if without[area] < most * whole[area])
        else:
            name = "mostly_families" if children[area] > mean * women[area] else "mixed"
        groups[name].append(area)
    return groups


def marital():
    manifest_section("family areas", ['"%s" = [%s]' % (name, ", ".join(f'"{a}"' for a in areas))
                                      for name, areas in family_areas().items()])
    cells = {}
    for r in read("marital_status_age_sex.csv"):
        cells[r["age_group"], r["sex"], MARITAL[r["marital_status"]]] = float(r["count"])
    figure("marital_age_sex_2018", ["age", "sex", "marital_status"], cells)
    fine = defaultdict(float)
    for r in read_shares("marital_status_age5_sex_estimate.csv", "age_group", "sex"):
        fine[r["age_group"], r["sex"], MARITAL[r["marital_status"]]] = float(r["share"])
    figure("marital_18_19", ["age", "sex", "marital_status"],
           {("18-19", x, m): {"Single": 1 - v, "Married": v}.get(m, 0.0)
            for x, v in (("Male", 0.001), ("Female", 0.004)) for m in MARITAL.values()}, "share", digits=6)
    seed = {}
    for band in AGES_MARITAL:
        source = "15-19" if band == "18-19" else "20-24" if band in ("20-22", "23-24") else band
        for x in SEXES:
            for group in EDUCATION3:
                for e, area in product(ETHNICITY.values(), FAMILY_AREAS):
                    for m in MARITAL.values():
                        v = fine[source, x, m]
                        if m == "Married":
                            v *= MARRIED_EDUCATION[group][x] * MARRIED_ETHNICITY[e] * MARRIED_AREA[area]
                            v *= {"20-22": 0.45, "23-24": 1.9}.get(band, 1.0)
                            v *= YOUNG_EDUCATION[group] if first(band) < 30 else 1.0
                        elif m == "Divorced/Separated":
                            v *= DIVORCED_AREA[area] * DIVORCED_ETHNICITY[e] * {"degree": 0.65}.get(group, 1.15)
                            v *= {"20-22": 0.2, "23-24": 2.2}.get(band, 1.0)
                        elif m == "Widowed" and first(band) < 25:
                            v = 0.0
                        seed[band, x, group, e, area, m] = v
    figure("marital_seed", ["age", "sex", "education_level", "ethnicity", "planning_area", "marital_status"], seed,
           "share", sig=5)


def religion():
    coarse_area("religion_planning_area.csv", "religion", RELIGION, "religion_area_2020", "religion")
    broad = {"all_other_religions": "other_religions", "no_religion": "no_religion", "buddhism": "buddhism",
             "taoism": "taoism"}
    figure("religion_ethnicity_2020", ["ethnicity", "religion"],
           {(ETHNICITY[r["ethnicity"]], broad[r["religion_broad"]]): float(r["count"])
            for r in read("religion_ethnicity_partial.csv")})
    # A published table, of which six rows and the total were at hand; Christians and other religions are the rest.
    by_sex = {(column.capitalize(), r["religion"]): float(r[column])
              for r in assumption("religion_sex_2020.csv") for column in ("male", "female")}
    for sex in SEXES:
        whole = by_sex.pop((sex, "total"))
        by_sex[sex, "christian_or_other"] = whole - sum(v for (x, _), v in by_sex.items() if x == sex)
    figure("religion_sex_2020", ["sex", "religion"], by_sex)
    tilt = {(r["origin"], r["religion"]): float(r["weight"]) for r in assumption("religion_by_origin.csv")}
    schooling = {(r["ethnicity"], r["religion"]): float(r["degree"]) for r in assumption("religion_by_degree.csv")}
    seed = {}
    for r in read_shares("religion_ethnicity_age_estimate.csv", "ethnicity", "age_group"):
        e, level = ETHNICITY[r["ethnicity"]], RELIGION[r["religion"]]
        band = "18-24" if r["age_group"] == "15-24" else r["age_group"]
        for origin, of in ORIGIN_ETHNICITY.items():
            if of == e:
                v = (float(r["share"]) + 1e-6) * tilt.get((origin, level), tilt.get((origin, "*"), 1.0))
                for degree in ("no_degree", "degree"):
                    up = schooling.get((e, level), 1.0)
                    seed[origin, band, degree, level] = v * (up if degree == "degree" else 1.0)
    figure("religion_seed", ["dialect_group", "age", "education_level", "religion"], seed, "share", sig=5)


def language():
    """Language most and second most spoken at home."""
    figure("language_area_2020", ["planning_area", "language_at_home"],
           {(r["planning_area"], LANGUAGE7[r["language"]]): float(r["count"])
            for r in read("language_planning_area.csv")})
    bands = {"15-24": "18-24"} | {b: b for b in AGES_RELIGION[1:]}
    cells = {}
    for r in read_shares("language_ethnicity_age_estimate.csv", "ethnicity", "age_group"):
        if r["age_group"] in bands:
            key = ETHNICITY[r["ethnicity"]], bands[r["age_group"]], LANGUAGE[r["language"]]
            cells[key] = float(r["share"])
    figure("language_ethnicity_age_2020", ["ethnicity", "age", "language_at_home"], cells, "share", sig=6)
    tilt = {(r["speech"], r["language"]): float(r["weight"]) for r in assumption("language_by_speech.csv")}
    # ASSUMPTION: English at home by schooling.
    english = {"secondary_or_less": 0.45, "post_secondary_or_diploma": 1.0, "degree": 1.9}
    seed = {}
    for (e, band, level), v in cells.items():
        for speech, of in SPEECH_ETHNICITY.items():
            if of == e:
                w = (v + 1e-6) * tilt.get((speech, level), 1.0)
                for group in EDUCATION3:
                    up = english[group] if level == "English" else 0.6 if group == "degree" and level in DIALECTS else 1
                    seed[speech, band, group, level] = w * up
    figure("language_seed", ["dialect_group", "age", "education_level", "language_at_home"], seed, "share", sig=5)
    second = defaultdict(float)
    for r in read("language_second_language_planning_area.csv"):
        second[r["planning_area"], LANGUAGE7[r["language"]], LANGUAGE7[r["second_language"]]] += float(r["count"])
    figure("second_language_area_2020", ["planning_area", "language_at_home", "second_language_at_home"], second)
    # ASSUMPTION: which second languages go with an origin (assumptions/second_language_by_speech.csv).
    tilt = {(r["speech"], r["language"]): float(r["weight"]) for r in assumption("second_language_by_speech.csv")}
    seed = {}
    for speech in SPEECH_ETHNICITY:
        for level in dict.fromkeys(LANGUAGE7.values()):
            seed[speech, level] = tilt.get((speech, level), 0.0008)
    figure("second_language_seed", ["dialect_group", "second_language_at_home"], seed, "share", sig=5)
