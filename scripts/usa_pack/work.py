"""What they do: labour force status, college, occupation, industry."""

import re
from collections import defaultdict

from shared_pack.bands import band_of, first, last
from shared_pack.raking import mean_share, rake, shrunk
from shared_pack.tables import assumption, figure, levels, manifest_section, read, recoded, total

from .codes import (
    ATUS_AGES, ATUS_EDUCATION, ATUS_RACE, DEGREE, EDU6, EDUCATION4, ENROLMENT, EXACT, LABOUR4, MARITAL3, RACE5, RACES,
    SEXES, STATES, adult, covering, snake,
)
from .people import BORN, people_by_race
from .races import race_seed, split_rest

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
        grouped[s, x, a, r if r in RACE5 else "other", k] += v
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
    # How enrolment falls with age within 18-24, and past 45 (the microdata ask up to 49), relative to the band of the
    # microdata that is named. ASSUMPTION.
    slope = {"18-19": ("18-24", 1.3), "20-21": ("18-24", 1.2), "22-24": ("18-24", .7), "45-54": ("40-44", .6),
             "55-64": ("40-44", .25), "65+": ("40-44", .08)}
    cells = {}
    for a in ("18-19", "20-21", "22-24", "25-29", "30-34", "35-44", "45-54", "55-64", "65+"):
        for x in SEXES:
            for k in ("job", "no_job"):
                for e in sorted(set(EDUCATION4.values())):
                    if e == "less_than_high_school":
                        cells[x, a, k, e, "not_enrolled"] = 1.0
                        continue
                    band, factor = slope.get(a, (a, 1.0))
                    keys = [(b, x, k, e) for b in covering(band, ATUS_AGES)]
                    yes = min(0.95, mean_share(share, keys)["yes"] * factor)
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
WORK_AGES = ["18-24", "25-34", "35-54", "55-64", "65+"]
KIND_AGES = ["18-34", "35-64", "65+"]
GROUP_AGES = ["18-24", "25-34", "35-54", "55+"]
CPS_AGES = {"16-19": "18-24", "20-24": "18-24", "25-34": "25-34", "35-44": "35-54", "45-54": "35-54",
            "55-64": "55-64", "65+": "65+"}
# The groups of occupations of the time-use microdata
ATUS_GROUPS = {
    "management": "mgmt_biz_finance", "business_and_financial_operations": "mgmt_biz_finance",
    "healthcare_support": "service", "firefighting_and_other_protective_service": "service",
    "law_enforcement": "service", "food_preparation_and_serving": "service",
    "building_and_grounds_cleaning_and_maintenance": "service", "personal_care_and_service": "service",
    "sales": "sales", "office_and_administrative_support": "office_admin",
    "farming_fishing_and_forestry": "farming_forestry_fishing", "construction_and_extraction": "construction",
    "installation_maintenance_and_repair": "install_repair_maint", "production": "production",
    "transportation": "transport", "material_moving": "transport",
    **dict.fromkeys(("computer_and_mathematical", "architecture_and_engineering", "life_physical_and_social_science",
                     "community_and_social_service", "legal", "educational_instruction_and_library",
                     "arts_design_entertainment_sports_and_media", "health_diagnosing_and_treating_practitioners",
                     "health_technologists_and_technicians"), "professional")}
BLS_EDUCATION = dict(zip(EDU6, EDU6), masters="graduate", doctorate_or_professional="graduate")
# Few of 18-24 hold degrees yet: weights on the schooling published for workers of 25 and over. ASSUMPTION.
YOUNG_WORKER = dict(zip(EDU6, (1.0, 1.5, 1.7, .7, .45, .04)))
MILITARY = "Military, rank not specified"  # the Census title of code 9830


RACE4 = ["black", "asian", "hispanic"]  # those that the tables of detailed occupations tell apart; the rest is "other"


def occupation_groups(employed):
    """Returns the workers of each group by state and sex, and by race."""
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
    cells = defaultdict(float)
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
                cells[s, x, r if r in RACE4 else "other", g] += v
    figure("occupation_group_sex_race_state", ["state", "sex", "race_ethnicity", "occupation_group"], cells, digits=6)
    by_race = defaultdict(float)
    for (_, _, r, g), v in cells.items():
        by_race[g, r] += v
    return by_sex, by_race


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


def occupations(workers, group_race):
    rows = read("occupation_detailed_sex_us_acs2018.csv")
    by_sex = total(rows, ["occupation", "sex"])
    order = list(dict.fromkeys(r["occupation"] for r in rows))
    by_code = {snake(o): o for o in order}
    assert len(by_code) == len(order), "two occupations share a code"
    cps = read("occupation_detailed_age_cps2025.csv")
    group = group_of_occupation(order, cps)
    soc = soc_codes(order)
    kind, placed = occupation_kinds(order, group, by_sex, soc, workers)
    figure("occupation_sex_us", ["occupation_kind", "sex", "occupation"],
           {(kind[o], x, snake(o)): v for (o, x), v in by_sex.items()})
    occupation_race(order, group, kind, by_sex, group_race)

    ages = total(cps, [lambda r: by_code[snake(r["occupation"])], recoded("age_group", CPS_AGES)])
    group_age = defaultdict(float)
    for (o, a), v in ages.items():
        group_age[group[o], a] += v
        group_age[group[o]] += v
    school = schooling(order, soc)
    rules = {r["occupation"]: r for r in assumption("licensed_occupations.csv")}
    floors = {o: EDU6.index(r["lowest_education"]) for o, r in rules.items()}
    unknown = set(floors) - set(order)
    assert not unknown, f"licensed_occupations.csv: no occupation {unknown}"

    joint, by_kind, by_config = defaultdict(float), defaultdict(float), defaultdict(float)
    groups, kinds = defaultdict(float), defaultdict(float)
    for o in order:
        g, whole = group[o], sum(ages[o, a] for a in WORK_AGES)
        held = {e: school[o].get(e, 0.0) + 0.002 if i >= floors.get(o, 0) else 0.0 for i, e in enumerate(EDU6)}
        for a in WORK_AGES:
            if last(a) < int(rules.get(o, {}).get("lowest_age", 16)):
                continue
            # published in thousands: small occupations are pulled to the age pattern of their group
            age = (ages[o, a] + 20000 * group_age[g, a] / group_age[g]) / (whole + 20000)
            fit = {e: held[e] * (YOUNG_WORKER[e] if a == "18-24" else 1.0) for e in EDU6}
            for x in SEXES:
                for e in EDU6:
                    v = by_sex[o, x] * age * fit[e] / sum(fit.values())
                    if v > 0:
                        band = band_of(first(a), GROUP_AGES)
                        joint[kind[o], x, band, e, snake(o)] += v
                        by_kind[kind[o], x, band, e] += v
                        kinds[g, x, band_of(first(a), KIND_AGES), DEGREE[e], kind[o]] += v
                        key = x, band, e
                        groups[g, *key] += v
                        by_config[key] += v
    abroad = birth_tilt(lambda r: (ATUS_EDUCATION[r["education_level"]], r["sex"]), "occupation_major",
                        sorted(set(ATUS_GROUPS.values())), "hispanic")
    cells = {}
    for (g, x, a, e), v in groups.items():
        for origin, born in ORIGINS.items():
            tilt = abroad((e, x), born)[ATUS_GROUPS[g]] if born else 1.0
            cells[x, a, e, origin, "employed", g] = v / by_config[x, a, e] * tilt
    inside = {key: v / by_kind[key[:4]] for key, v in joint.items()}
    for x, a, e in by_config:
        for origin in ORIGINS:
            cells[x, a, e, origin, "armed_forces", "military_specific"] = 1.0
            cells[x, a, e, origin, "no_job", "none"] = 1.0
    for x in SEXES:
        for a in GROUP_AGES:
            for e in EDU6:
                inside["none", x, a, e, "not_in_workforce"] = 1.0
                inside["military_specific", x, a, e, snake(MILITARY)] = 1.0
    figure("occupation_group_seed", ["sex", "age", "education_level", "origin", "labour_status", "occupation_group"],
           cells, "share", sig=4)
    figure("occupation_seed", ["occupation_kind", "sex", "age", "education_level", "occupation"], inside, "share",
           sig=4)
    kinds |= {(g, x, a, e, g): 1.0 for g in ("none", "military_specific") for x in SEXES for a in KIND_AGES
              for e in set(DEGREE.values())}
    figure("occupation_kind_seed", ["occupation_group", "sex", "age", "education_level", "occupation_kind"], kinds,
           digits=0)
    levels("occupation", ["level", "title", "occupation_group"],
           [["not_in_workforce", "Not in the workforce", "none"]] +
           [[snake(o), o, group[o]] for o in order] + [[snake(MILITARY), MILITARY, "military_specific"]])
    codes = {snake(o): g for o, g in group.items()}
    clusters(codes, "industry_by_occupation.csv", "industry clusters", ("not_in_workforce", snake(MILITARY)))
    kinds = {k: g for o, g in group.items() for k in (kind[o],)}
    clusters(kinds, "field_by_occupation.csv", "field clusters", ("none", "military_specific"))
    places = {"military": ["military_specific"], "none": ["none"]}
    for k, g in kinds.items():
        places.setdefault(PLACED.get(k) or PLACED.get(g, "other"), []).append(k)
    manifest_section("work with places of its own", [f"{place} = [" + ", ".join(f'"{k}"' for k in sorted(ks)) + "]"
                                                     for place, ks in places.items()])
    listed = ["none", *kinds, "military_specific"]
    manifest_section("work of citizens", [f"{of} = [" + ", ".join(f'"{k}"' for k in listed if (k in CITIZENS) == yes) + "]"
                                          for of, yes in (("citizens", True), ("anybody", False))])
    return order, soc, by_sex, placed


# Kinds of work that only citizens are admitted to, by law or by nearly all departments.
CITIZENS = ("law_enforcement", "judges", "public_offices")


def occupation_kinds(order, group, by_sex, soc, workers):
    """Occupations that only some states have room for, and the rest of their group: {title: kind}, and the workers of each state by
    work with places of its own."""
    kind = dict(group)
    rows = assumption("occupation_kinds.csv")
    for row in rows:
        fits = [o for o, g in group.items() if g == row["occupation_group"] and re.search(row["occupations"], snake(o))]
        assert fits, f"occupation_kinds.csv: no occupation for {row['kind']}"
        kind.update(dict.fromkeys(fits, row["kind"]))
    jobs = total(read("occupation_state_oews2025.csv"), ["occupation_code", "state"])
    farmers = total([r for r in read("industry_class_of_worker_state_acs2018.csv")
                     if r["class_of_worker"].startswith("self_employed") and r["industry"].startswith("agriculture")],
                    ["state"])
    coast = {r["state"]: float(r["weight"]) for r in assumption("fishing_coasts.csv")}
    places = {r["kind"]: r["places"] for r in rows}
    cells, split = {}, {r["occupation_group"] for r in rows}
    for g in dict.fromkeys(group.values()):
        listed = list(dict.fromkeys(k for o, k in kind.items() if group[o] == g))
        people = {k: sum(by_sex[o, x] for o in order if kind[o] == k for x in SEXES) for k in listed}
        here = {s: sum(workers[s, x, g] for x in SEXES) for s in STATES}
        start = {}
        for k in listed:
            codes = {c for o in order if kind[o] == k for c in soc[o]}
            usual = people[k] / sum(people.values())
            where = {s: {"jobs": sum(jobs.get((c, s), 0.0) for c in codes), "coast": coast.get(s, 0.0),
                         "self_employed_farmers": farmers[s,], "": here[s]}[places.get(k, "")] for s in STATES}
            mass = sum(where.values())
            for s in STATES:
                start[s, k] = people[k] * where[s] / mass + 0.002 * usual * here[s]
        if g in split:
            scale = sum(here.values()) / sum(people.values())
            start = rake(start, here, {k: v * scale for k, v in people.items()})
            cells |= {(g, s, k): v for (s, k), v in start.items()}
    figure("occupation_kind_state", ["occupation_group", "state", "occupation_kind"], cells)
    placed = defaultdict(float)
    for (s, _, g), v in workers.items():
        if g not in split:
            placed[s, PLACED.get(g, "other")] += v
    for (g, s, k), v in cells.items():
        placed[s, PLACED.get(k) or PLACED.get(g, "other")] += v
    by_kind = defaultdict(float)
    for (o, x), v in by_sex.items():
        by_kind[group[o], x, kind[o]] += v
    figure("occupation_kind_sex_us", ["occupation_group", "sex", "occupation_kind"], by_kind)
    levels("occupation_kind", ["level", "occupation_group"],
           [["none", "none"], *dict.fromkeys((k, group[o]) for o, k in kind.items()),
            ["military_specific", "military_specific"]])
    return kind, placed


def occupation_race(order, group, kind, by_sex, group_race):
    """Race within each occupation as published, raked within its group to the workers of the group by race; where too
    few work for shares to be published, as in the group. The published races count their Hispanic members."""
    published = {snake(r["occupation"]): r for r in read("occupation_detailed_sex_race_cps2022.csv")}
    cells, kinds = {}, defaultdict(float)
    for g in dict.fromkeys(group.values()):
        whole = sum(v for (h, _), v in group_race.items() if h == g)
        mix = {r: v / whole for (h, r), v in group_race.items() if h == g}
        workers = {o: sum(by_sex[o, x] for x in SEXES) for o in order if group[o] == g}
        start = {}
        for o, n in workers.items():
            r = published.get(snake(o))
            share = dict(mix)
            if r and r["share_black"]:
                share = {race: float(r["share_" + race]) + 0.002 for race in RACE4}
                share["other"] = max(0.01, 1 - sum(share.values()))
            start |= {(race, o): n * v / sum(share.values()) for race, v in share.items()}
        for (race, o), v in rake(start, mix, workers).items():
            if kind[o] == g:  # the race of those apart goes by kind
                cells[g, race, snake(o)] = v
            kinds[g, race if race == "other" else "black_asian_or_hispanic", kind[o]] += v
    figure("occupation_race_us", ["occupation_kind", "race_ethnicity", "occupation"], cells)
    figure("occupation_kind_race_us", ["occupation_group", "race_ethnicity", "occupation_kind"], kinds)


def schooling(order, soc):
    """Schooling of the workers of each Census title: that of the occupation of the same name, else of its codes; then
    those with a degree as published by Census title, where they are."""
    shares, titles = defaultdict(lambda: defaultdict(float)), {}
    for r in read("occupation_education_share_bls2018_2019.csv"):
        shares[r["occupation_code"]][BLS_EDUCATION[r["education_level"]]] += float(r["share"] or 0)
        titles.setdefault(snake(r["occupation"]), r["occupation_code"])
    degrees = total(read("occupation_detailed_degree_acs2021.csv"),
                    [lambda r: snake(r["occupation"]), "education_level"])
    found = {}
    for o in order:
        row = shares[titles[snake(o)]] if snake(o) in titles else nearest(shares, soc[o])
        row = {e: row[e] / sum(row.values()) for e in EDU6}
        counted = {k: degrees.get((snake(o), k), 0.0) for k in ("no_bachelors", "bachelors_or_higher")}
        # Of 16 to 75, so with students who work; where a degree is the rule that hardly matters. Cells suppressed are
        # left as they are.
        held = row["bachelors"] + row["graduate"]
        if min(counted.values()) > 0 and 0 < held < 1:
            want = counted["bachelors_or_higher"] / sum(counted.values())
            want = (want + held) / 2 if held < 0.3 else want if want > held else (want + 2 * held) / 3
            row = {e: v * (want / held if e in ("bachelors", "graduate") else (1 - want) / (1 - held))
                   for e, v in row.items()}
        found[o] = row
    return found


# Kinds and groups of occupations that have places of their own
PLACED = {"farmers": "farm", "farming_fishing_and_forestry": "farm", "miners": "mine", "oil_and_mining_engineers": "mine",
          "production": "factory", "business_and_financial_operations": "finance", "accountants": "finance",
          "brokers": "finance"}


# Who does which work goes by race, and among Hispanics by where they were born: {origin: nativity that counts}.
ORIGINS = {"black": None, "asian": None, "hispanic_native": "native", "hispanic_foreign_born": "foreign_born",
           "other": None}


def origins():
    cells = {("other", born, "other"): 1.0 for born in BORN}
    for origin in ORIGINS:
        race = origin.split("_")[0]
        cells |= {(race, born, origin): 1.0 for born in BORN if ORIGINS[origin] in (None, born)}
    figure("origin", ["race_ethnicity", "birth", "origin"], cells, "share")


def birth_tilt(group, column, outcomes, race):
    """How the shares of a fact of workers of a race differ by nativity from those of all of their group, in the
    microdata; thin groups are pulled to all workers. Returns a function of group and nativity."""
    rows = [r for r in read("joint_persons_us_atus2010_2016.csv")
            if r["labour_status"] == "employed" and r["race_ethnicity"] == race]
    counts = total(rows, ["nativity", group, column])
    share = shrunk(counts, 1, outcomes, 300000.0)
    whole = defaultdict(float)
    for (born, key, _), v in counts.items():
        whole[key, born] += v

    def tilt(key, born):
        own = {b: share((b, key)) for b in BORN}
        mass = sum(whole[key, b] for b in BORN)
        mean = {o: sum(whole[key, b] * own[b][o] for b in BORN) / mass for o in outcomes}
        return {o: own[born][o] / mean[o] for o in outcomes}
    return tilt


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


def clusters(group, file, section, idle):
    """Writes a grouping of occupations, or of kinds of them, into pack.toml: each goes to the first row of a file of
    assumptions whose group and pattern fit; a row without a pattern takes the rest. `idle` are the levels without work."""
    cluster, rows = {}, assumption(file)
    for rest in (False, True):
        for row in rows:
            if row["cluster"] != "none" and rest == (row["occupations"] == ""):
                fits = [o for o, g in group.items() if o not in cluster and row["occupation_group"] in ("", g) and
                        re.search(row["occupations"], o)]
                assert fits, f"{file}: no occupation is left for {row['cluster']}"
                cluster.update({o: row["cluster"] for o in fits})
    lines = ["none = [" + ", ".join(f'"{o}"' for o in idle) + "]"]
    for name in dict.fromkeys(row["cluster"] for row in rows if row["cluster"] != "none"):
        lines.append(f"{name} = [" + ", ".join(f'"{o}"' for o in group if cluster[o] == name) + "]")
    manifest_section(section, lines)


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
            seed[row["cluster"], i] = own.get(i, 0.0) + free * (0.98 * base[i] / mass + 0.02 / len(whole))
    seed["none", "none"] = 1.0
    figure("industry_seed", ["industry_cluster", "industry"], seed, "share", sig=5)
