"""Whether they work, as the Census counts work, and at what, by the National Classification of Occupations 2015."""

import re
from collections import defaultdict

from shared_pack.tables import assumption, figure, isco_codes, level_list, levels, manifest_section, read

from .codes import EDU3, EDU5, SEXES, ZONES
from .people import PLACES

WORKERS = ["main_cultivator", "main_agricultural_labourer", "main_household_industry", "main_other_worker",
           "marginal_cultivator", "marginal_agricultural_labourer", "marginal_household_industry",
           "marginal_other_worker"]
# The abstract counts workers of all ages. Of them of 18 and over: ASSUMPTION after the 10 million workers of 5-14 and
# about 15 million of 15-17 of the Census, who are more often marginal and rural.
ADULT = {("main", "Rural"): 0.965, ("main", "Urban"): 0.98, ("marginal", "Rural"): 0.88, ("marginal", "Urban"): 0.92}
LABOUR = ["employed", "unemployed", "student", "household_duties", "retired", "other_inactive"]
LABOUR_AGES = ["18", "19", "20-21", "22-24", "25-29", "30-39", "40-49", "50-54", "55-59", "60-64", "65-74", "75+"]
# Of 100 people: in work (men, women), students, unemployed, pensioners of those not in work; ASSUMPTION after the
# order of magnitude of the labour force surveys.
WORK_BY_AGE = {"18": (35, 17.5), "19": (46, 21.5), "20-21": (53, 24), "22-24": (72, 29), "25-29": (89, 35), "30-39": (97,
    42),
               "40-49": (97, 44), "50-54": (95, 41), "55-59": (91, 37), "60-64": (74, 27), "65-74": (52, 17),
               "75+": (24, 6)}
STUDENT = {"18": 62, "19": 52, "20-21": 36, "22-24": 17, "25-29": 4, "30-39": 0.3}
SEARCH = {"18": 6, "19": 7, "20-21": 9, "22-24": 9, "25-29": 6, "30-39": 1.5, "40-49": 0.7, "50-54": 0.4, "55-59": 0.2}
PENSION = {"55-59": 0.12, "60-64": 0.32, "65-74": 0.36, "75+": 0.36}
STUDENT_BY_EDUCATION = {"low": 0.02, "middle": 0.1, "secondary": 1.6, "diploma": 0.8, "degree": 0.7}
SEARCH_BY_EDUCATION = {"low": 0.25, "middle": 0.6, "secondary": 1.1, "diploma": 2.2, "degree": 2.6}


def workers(adults):
    by_place, employed = defaultdict(float), defaultdict(float)
    for r in read("worker_category_district_urban_sex.csv"):
        category = r["worker_category"]
        if category == "non_worker":
            continue
        place, state, _ = PLACES[r["district_code"]]
        zone = ZONES[r["urban_rural"]]
        v = float(r["count"]) * ADULT[category.split("_")[0], zone]
        by_place[place, zone, r["sex"], category] += v
        employed[state, zone, r["sex"], "employed"] += v
    state_of = {p: s for p, s, _ in PLACES.values()}
    people = defaultdict(float)
    for (place, zone, sex), v in adults.items():
        people[state_of[place], zone, sex] += v
    for key, v in people.items():
        employed[key + ("not_employed",)] = v - employed[key + ("employed",)]
    figure("worker_category_place", ["place", "zone", "sex", "worker_category"], by_place, digits=2)
    figure("employed_state", ["state", "zone", "sex", "works"],
           {k[:3] + ({"employed": "yes"}.get(k[3], "no"),): v for k, v in employed.items()}, digits=2)
    figure("working_is_employed", ["works", "labour_status"], {("yes", "employed"): 1, ("no", "not_employed"): 1},
           "share")

    seed, works = {}, {}
    for age, in_work in WORK_BY_AGE.items():
        for x, sex in enumerate(SEXES):
            for zone in ZONES.values():
                for e in EDU5:
                    for wed in ("never", "ever"):
                        p = in_work[x] / 100
                        if sex == "Female":
                            p *= {"Rural": 1.15, "Urban": 0.6}[zone]
                            p *= {"low": 1.1, "middle": 0.8, "secondary": 0.75, "diploma": 1.5, "degree": 1.4}[e]
                            p *= 1.0 if wed == "ever" else {"18": 0.9, "19": 0.95}.get(age, 1.35)
                        elif int(age[:2]) < 25:
                            p *= {"low": 1.45, "middle": 1.25, "secondary": 0.7, "diploma": 0.8, "degree": 0.75}[e]
                            p *= 1.3 if wed == "ever" else 1.0
                        elif int(age[:2]) >= 60:
                            p *= {"degree": 0.55, "diploma": 0.6, "secondary": 0.8}.get(e, 1.05)
                        p = min(p, 0.985)
                        rest = dict.fromkeys(LABOUR[1:], 0.0)
                        rest["student"] = STUDENT.get(age,
                            0) * STUDENT_BY_EDUCATION[e] * (1.0 if wed == "never" else 0.03)
                        rest["unemployed"] = SEARCH.get(age, 0) * SEARCH_BY_EDUCATION[e] * (1 if sex == "Male" else 0.6)
                        if sex == "Female":
                            rest["household_duties"] = 60.0 * (1.6 if wed == "ever" else 0.35)
                        else:
                            rest["household_duties"] = 0.5
                        rest["other_inactive"] = {"18": 6, "19": 5}.get(age, 4) + (1.2 * max(0, int(age[:2]) - 50))
                        if sex == "Female":
                            rest["other_inactive"] *= 0.7
                        whole = sum(rest.values())
                        if age in PENSION:
                            q = PENSION[age] * {"low": 0.25, "middle": 0.8, "secondary": 1.6, "diploma": 2.4,
                                                "degree": 2.4}[e] * (1 if sex == "Male" else 0.25)
                            q *= 1.3 if zone == "Urban" else 0.7
                            rest["retired"] = min(q, 0.85) / (1 - min(q, 0.85)) * whole
                            whole = sum(rest.values())
                        if e != "diploma":  # few, and between those with secondary school and graduates
                            at = (age, sex, zone, {"degree": "higher"}.get(e, e), wed)
                            works[at + ("yes",)], works[at + ("no",)] = p, 1 - p
                        seed["yes", age, sex, zone, e, wed, "employed"] = 1.0
                        for s, v in rest.items():
                            seed["no", age, sex, zone, e, wed, s] = v / whole
    columns = ["age", "sex", "zone", "education_level", "marital_status"]
    figure("works_seed", columns + ["works"], works, "share", sig=4)
    figure("labour_seed", ["works"] + columns + ["labour_status"], seed, "share", sig=4)
    # Who farms and who does other work, by schooling. ASSUMPTION.
    lean = {"cultivator": (1, 1, 0.45), "agricultural_labourer": (1.6, 0.6, 0.07), "household_industry": (1, 1, 0.4),
            "other_worker": (0.7, 1.2, 2.2)}
    kind = {}
    for e, name in enumerate(EDU3):
        for w in WORKERS:
            kind["yes", name, w] = lean[w.split("_", 1)[1]][e]
        kind["no", name, "non_worker"] = 1.0
    figure("worker_category_seed", ["works", "education_level", "worker_category"], kind, "share")


# ---------------------------------------------------------------------------------------------------------------------
# Occupation

DIVISIONS = ["managers", "professionals", "technicians_associate_professionals", "clerical_support", "service_sales",
             "skilled_agriculture_forestry_fishery", "craft_trades", "plant_machine_operators",
             "elementary_occupations"]
FARM = "skilled_agriculture_forestry_fishery"
KINDS = ["none", "cultivator", "agricultural_labourer", "household_industry", "other"]
HOUSEHOLD = {"craft_trades": 0.87, "plant_machine_operators": 0.05, "service_sales": 0.08}
LEAN = {  # of divisions to schooling. ASSUMPTION.
    "managers": (0.4, 0.7, 1.3, 2, 7), "professionals": (0, 0, 0.12, 1, 6),
    "technicians_associate_professionals": (0, 0.15, 1.2, 4, 2), "clerical_support": (0, 0, 1.3, 1.5, 2),
    "service_sales": (0.9, 1.3, 1.3, 0.7, 0.5), FARM: (1.3, 1, 0.5, 0.2, 0.1),
    "craft_trades": (1.3, 1.4, 0.8, 0.7, 0.1), "plant_machine_operators": (0.9, 1.4, 0.9, 0.8, 0.12),
    "elementary_occupations": (2, 1.2, 0.4, 0.15, 0.04),
}
CAREER = ["18-23", "24-59", "60+"]
YOUNG = {"managers": 0.35, "professionals": 0.6}


def divisions(national):
    raw = {(r["sex"], ZONES[r["urban_rural"]], r["occupation_division"]): float(r["share"])
           for r in read("occupation_division_sex_urban_estimate.csv")}
    other, seed = {}, {}
    for sex in SEXES:
        for zone in ZONES.values():
            row = {d: raw[sex, zone, d] for d in DIVISIONS}
            # off the land: herders, fishers, gardeners and foresters remain of the skilled farmers, and those labourers
            # who are not farm labourers. ASSUMPTION.
            row[FARM] *= 0.08 if zone == "Rural" else 0.3
            row["elementary_occupations"] *= 0.55 if zone == "Rural" else 0.95
            outside = sum(v for k, v in national.items() if k[:2] == (sex, zone))
            part = {b: national[sex, zone, b] / outside for b in OUTDOORS}
            whole = sum(row.values())
            # what branches are known to be is not recalled again: gardeners and the like remain beside them
            row[FARM] = whole * (0.006 + sum(part[b] * BRANCH_DIVISIONS.get(b, PLANTATION).get(FARM, 0.0) for b in part))
            whole = sum(row.values())
            for d, v in row.items():
                other[sex, zone, "other", d] = v / whole
            inside = dict(row)
            inside[FARM] = 0.006 * whole
            for e, school in enumerate(EDU5):
                for age in CAREER:
                    for d in DIVISIONS:
                        v = row[d] / whole * LEAN[d][e] * (YOUNG.get(d, 1.0) if age == "18-23" else 1.0)
                        seed["other", sex, zone, school, age, d] = v * inside[d] / row[d]
                        for b in OUTDOORS:
                            seed[b, sex, zone, school, age, d] = \
                                BRANCH_DIVISIONS.get(b, PLANTATION).get(d, 0.0) * max(0.05, LEAN[d][e])
                        seed["household_industry", sex, zone, school, age, d] = HOUSEHOLD.get(d, 0.0)
                        seed["cultivator", sex, zone, school, age, d] = 1.0 if d == FARM else 0.0
                        seed["agricultural_labourer", sex, zone, school, age, d] = \
                            1.0 if d == "elementary_occupations" else 0.0
                    seed["none", sex, zone, school, age, "none"] = 1.0
    columns = ["branch", "sex", "zone", "education_level", "age", "occupation_division"]
    figure("occupation_division_other", ["sex", "zone", "branch", "occupation_division"], other, "share",
        digits=8)
    figure("occupation_division_seed", columns, {k: v for k, v in seed.items() if v}, "share", sig=4)


# Of those who work neither on farms nor in household industry: plantations by crop, the sea, animals and forests, mines.
OUTDOORS = ["tea", "coffee", "rubber", "palms", "sea", "animals", "coal", "quarry"]
BRANCHES = KINDS + OUTDOORS
# Women against men, and town against country, among the others. ASSUMPTION: B-04 prints both sexes of a district.
BRANCH_WOMEN = {"tea": 3.6, "coffee": 2.6, "rubber": 0.8, "palms": 0.7, "sea": 0.1, "animals": 1.6, "coal": 0.12,
                "quarry": 0.5}
BRANCH_TOWN = {"sea": 0.35, "coal": 0.9, "quarry": 0.35}
# Divisions of a branch. ASSUMPTION.
BRANCH_DIVISIONS = {"sea": {FARM: 0.97, "elementary_occupations": 0.03},
                    "animals": {FARM: 0.9, "elementary_occupations": 0.1},
                    "coal": {"plant_machine_operators": 0.7, "elementary_occupations": 0.3},
                    "quarry": {"plant_machine_operators": 0.3, "elementary_occupations": 0.7}}
PLANTATION = {FARM: 0.8, "elementary_occupations": 0.2}
# Unit groups of a branch; crops have groups of their own, so that tea is picked where it grows.
BRANCH_UNITS = {"tea": ["6112t", "9215"], "coffee": ["6112c", "9215"], "rubber": ["6112r", "9215"],
                "palms": ["6112p", "9215"], "sea": ["6223", "6222", "9215"],
                "animals": ["6121", "6122", "6123", "6130", "6210", "6221", "6222", "9215"], "coal": ["8111k", "9311"],
                "quarry": ["8111", "9311"]}
OWN_UNITS = {"Tea Plantation Worker": "6112t", "Pruner, Tea Gardens": "6112t", "Coffee Plantation Worker": "6112c",
             "Tapper, Rubber": "6112r", "Rubber Nursery Worker - Budder": "6112r",
             "Rubber Nursery Worker - General": "6112r", "Tapper, Palm Juice": "6112p", "Neera Technician": "6112p",
             "Miner, Coal": "8111k", "Miner, Coal Cutting Machine": "8111k", "Main Header Colliery": "8111k",
             "Creeperman, Colliery": "8111k"}


def branches():
    """Main workers in plantations, animals, forests and fishing, and in mines, by district (B-04), among those who work
    neither on farms nor in household industry; which crop, and whether the sea, is assumed (assumptions/branches.csv)."""
    special = defaultdict(dict)
    for r in assumption("branches.csv"):
        for place in r["places"].split(";"):
            special[place][r["branch"]] = float(r["share"])
    unknown = set(special) - {p for p, _, _ in PLACES.values()}
    assert not unknown, f"branches.csv: no place {unknown}"
    others, mains = defaultdict(float), defaultdict(float)
    for r in read("worker_category_district_urban_sex.csv"):
        if r["worker_category"] == "main_other_worker":
            others[PLACES[r["district_code"]][0], ZONES[r["urban_rural"]], r["sex"]] += float(r["count"])
    for r in read("main_workers_industry_district.csv"):
        mains[PLACES[r["district_code"]][0], r["industry"]] += float(r["count"])
    cells, national = {}, defaultdict(float)
    for place in (p for p, _, _ in PLACES.values()):
        shares = special.get(place, {})
        whole = {"plant": mains[place, "plantation_livestock_forestry_fishing"],
                 "mine": mains[place, "mining_quarrying"]}
        parts = {b: shares[b] * whole["plant"] for b in OUTDOORS[:5] if b in shares}
        if sum(parts.values()) > 0.97 * whole["plant"]:
            parts = {b: v * 0.97 * whole["plant"] / sum(parts.values()) for b, v in parts.items()}
        parts["animals"] = whole["plant"] - sum(parts.values())
        parts["coal"] = shares.get("coal", 0.0) * whole["mine"]
        parts["quarry"] = whole["mine"] - parts["coal"]
        town, woman = {b: BRANCH_TOWN.get(b, 0.15) for b in parts}, {b: BRANCH_WOMEN[b] for b in parts}
        lean = {(b, z, x): (town[b] if z == "Urban" else 1.0) * (woman[b] if x == "Female" else 1.0)
                for b in parts for z in ZONES.values() for x in SEXES}
        for z in ZONES.values():
            for x in SEXES:
                row = {}
                for b, v in parts.items():
                    base = sum(others[place, at, of] * lean[b, at, of] for at in ZONES.values() for of in SEXES)
                    p = v / base * lean[b, z, x] if base else 0.0
                    if p > 0.006:
                        row[b] = p
                whole_row = max(1.0, sum(row.values()) / 0.9)
                for b, v in row.items():
                    cells["other", z, x, place, b] = v / whole_row
                    national[x, z, b] += others[place, z, x] * v / whole_row
                cells["other", z, x, place, "other"] = 1 - sum(row.values()) / whole_row
                cells["rest", z, x, place, "rest"] = 1.0
                national[x, z, "other"] += others[place, z, x] * (1 - sum(row.values()) / whole_row)
    figure("outdoors_place", ["worker_category", "zone", "sex", "place", "outdoors"], cells, "share", sig=4)
    cells = {(k, o, "other" if o == "rest" else o): 1 for k in ("other",) for o in ["rest", "other"] + OUTDOORS}
    cells |= {(k, o, k): 1 for k in KINDS if k != "other" for o in ["rest", "other"] + OUTDOORS}
    figure("branch_assumed", ["worker_category", "outdoors", "branch"], cells, "weight")
    return national


NONE = "not_in_workforce"
FARM_UNITS = {"6111": 80, "6112": 1.2, "6113": 1.5, "6114": 2, "6121": 8, "6122": 1.2, "6310": 0.3, "6222": 0.3}
LABOUR_UNITS = {"9211": 1.0}


def clean(title):
    """A title of the classification without what the print broke off."""
    title = re.sub(r"\s*\d{4}.*$", "", title).replace("–", "-").strip()
    title = re.sub(r"\s*/\s*", "/", title)
    if title.count("(") > title.count(")"):
        title = title[:title.rindex("(")]
    if re.search(r"(,|/|&|;| and| or|-)$", title.strip()):
        title = re.sub(r"/[^/]*$", "", title.strip()) if "/" in title else title
        title = re.sub(r"([\s,;&/-]|\band\b|\bor\b)+$", "", title.strip())
    return re.sub(r"\s+", " ", title).strip(" ,;/`")


def titles():
    """[(level, unit group, division)], each level once."""
    rows, seen = [], {}
    for r in read("occupation_titles_nco2015.csv"):
        name = clean(r["occupation"])
        unit = OWN_UNITS.get(name, r["occupation_code"][:4])
        if len(name) < 4:
            continue
        if name in seen:
            if seen[name] == unit:
                continue
            name = f"{name} ({unit})"
            if name in seen:
                continue
        seen[name] = unit
        rows.append((name, unit, r["occupation_division"]))
    return rows


def occupations():
    rows = titles()
    division, count = {}, defaultdict(int)
    for _, unit, d in rows:
        division[unit] = d
        count[unit] += 1
    given = {r["unit"]: r for r in assumption("occupation_units.csv")}
    unknown = set(given) - set(division)
    assert not unknown, f"occupation_units.csv: no unit group {unknown}"
    school = {e: i for i, e in enumerate(EDU5)}

    def weight(unit, kind, sex, zone, e, age):
        g = given.get(unit)
        base = float(g["weight"]) if g else 0.05 + 0.012 * count[unit]
        floor = int(g["lowest"] or 0) if g else {"professionals": 4, "technicians_associate_professionals": 2,
                                                 "clerical_support": 2, "managers": 1}.get(division[unit], 0)
        if school[e] < floor:
            return 0.0
        base *= 0.4 ** max(0, school[e] - floor - 2)
        if sex == "Female":
            base *= float(g["female"] or 1) if g else 0.5
        if zone == "Rural":
            base *= float(g["rural"] or 1) if g else 0.6
        flags = g["limits"] if g else ""
        if age == "18-23" and "y" in flags:
            base = 0.0
        if age == "60+" and "g" in flags:
            base = 0.0
        if kind in OUTDOORS:
            return max(base, 0.2) if unit in BRANCH_UNITS[kind] else 0.0
        if len(unit) > 4:
            return 0.0
        if kind == "other" and unit in ("6112", "6223", "8111", "9215"):
            base *= 0.0 if unit == "6223" else 0.1
        if kind == "cultivator":
            return base / float(g["weight"]) * FARM_UNITS[unit] if unit in FARM_UNITS else 0.0
        if kind == "agricultural_labourer":
            return LABOUR_UNITS.get(unit, 0.0)
        if unit in ("6111", "9211", "6310", "6114"):
            return 0.0
        if kind == "household_industry" and division[unit] == "craft_trades":
            return base * float(g["household"] or 0.1) if g else 0.0
        return base

    cells = {}
    for d in DIVISIONS:
        units = [u for u in division if division[u] == d]
        for kind in BRANCHES[1:]:
            for sex in SEXES:
                for zone in ZONES.values():
                    for e in EDU5:
                        for age in CAREER:
                            row = {u: weight(u, kind, sex, zone, e, age) for u in units}
                            whole = sum(row.values())
                            if not whole:  # nobody is there
                                row, whole = {units[0]: 1.0}, 1.0
                            for u, v in row.items():
                                if v > 0.0004 * whole:
                                    cells[d, kind, sex, zone, e, age, u] = v / whole
    for kind in BRANCHES:
        for sex in SEXES:
            for zone in ZONES.values():
                for e in EDU5:
                    for age in CAREER:
                        cells["none", kind, sex, zone, e, age, "none"] = 1.0
                        if kind == "none":
                            for d in DIVISIONS:
                                cells[d, kind, sex, zone, e, age, next(u for u in division if division[u] == d)] = 1.0
    figure("occupation_unit_assumed", ["occupation_division", "branch", "sex", "zone", "education_level",
        "age",
                                       "occupation_unit"], cells, "share", sig=3)
    used = {k[-1] for k in cells}
    level_list("occupation_unit", ["none"] + [u for u in division if u in used])
    hand = {r["title"]: r for r in assumption("occupation_titles.csv")}
    unknown = set(hand) - {n for n, _, _ in rows}
    assert not unknown, f"occupation_titles.csv: no title {unknown}"
    chosen = {unit for name, unit, _ in rows if name in hand and float(hand[name]["weight"]) >= 1}
    inside, first = {("none", NONE): 1.0}, set()
    for name, unit, _ in rows:
        if unit not in used:
            continue
        base = 3.0 if unit not in first else 1.0
        if unit in chosen:  # the titles that count are listed
            base = 0.12 if unit in ("1120", "2611", "7318", "7231", "6111", "6112") else 0.4
        first.add(unit)
        if unit[0] in "56789" and re.search(r"Engineer|Technician|Executive|Specialist|Manager|Supervisor|Level|"
                                            r"Inspector|Analyst|Trainee|Assistant|Associate|Examiner|Tester|Operator, |Setter",
                                                name):
            base *= 0.3
        if re.search(r", Others?\b|^Other |, All Other", name):
            base = 0.35
        if name in hand:
            base = float(hand[name]["weight"])
        if base:
            inside[unit, name] = base
    kept = {k[1] for k in inside}
    figure("occupation_title_assumed", ["occupation_unit", "occupation"], inside, "share")
    levels("occupation", ["level", "unit", "division"],
           [[NONE, "none", "none"]] + [[n, u[:4], d] for n, u, d in rows if n in kept])
    # NCO 2015 follows ISCO-08 but for a few groups of its own
    wider = {"6116": "611", "7419": "741", "8190": "81"}
    isco_codes([(NONE, "")] + [(n, wider.get(u, u[:4])) for n, u, _ in rows if n in kept])
    regional = {}
    names = ["north", "up", "centre", "west", "south", "east", "northeast"]
    for name, row in hand.items():
        if row["regions"] and name in kept:
            for region in names:
                regional[region, name] = 1.0 if region in row["regions"].split() else 0.0
    figure("occupation_region_assumed", ["state", "occupation"], regional, "share")
    return [(n, u, d) for n, u, d in rows if n in kept]


# How those at work are employed, from the order of magnitude of the labour force surveys. ASSUMPTION. Own account,
# employer, unpaid family worker, wage or salary, casual labour, by what kind of trade it is.
TYPES = ["own_account_worker", "employer", "unpaid_family_worker", "regular_wage_or_salary", "casual_labour"]
FORMS = {
    "owner": (66, 16, 7, 11, 0), "practice": (45, 5, 2, 48, 0), "hired": (0, 0, 0, 98, 2),
    "desk": (11, 2, 2, 82, 3),
    "trader": (72, 3, 14, 9, 2),
    "shop_hand": (8, 0, 14, 74, 4), "artisan": (50, 3, 8, 17, 22), "site": (5, 1, 0, 8, 86), "herder": (52, 2, 22, 10,
    14),
    "driver": (34, 1, 1, 56, 8), "plant": (3, 0, 1, 76, 20), "help": (4, 0, 1, 62, 33), "none": (1, 1, 1, 1, 1),
}
FORM_OF = {
    "1": "desk", "11": "hired", "112": "owner", "14": "owner", "2": "hired", "214": "desk", "215": "desk",
    "216": "desk", "243": "desk", "251": "desk", "264": "desk", "2161": "practice", "221": "practice",
    "2230": "practice",
    "2261": "practice", "2611": "practice", "2636": "practice", "265": "practice", "2411": "practice",
    "2355": "practice", "2356": "practice", "3322": "practice", "3": "desk", "335": "hired", "32": "hired",
    "315": "hired",
    "3321": "practice", "3334": "trader", "3431": "practice", "3323": "practice", "4": "hired", "4213": "owner",
    "5": "hired", "512": "help", "513": "help", "514": "practice", "5161": "practice", "5212": "trader",
    "5223": "shop_hand",
    "5211": "shop_hand", "5249": "trader", "531": "hired", "6": "herder", "6112": "help", "6113": "help", "621": "help",
    "6221": "herder", "71": "site", "7115": "artisan", "7126": "artisan", "7111": "artisan", "72": "plant",
    "7221": "artisan", "7212": "artisan", "7231": "artisan", "73": "artisan", "732": "plant", "74": "artisan",
    "7413": "hired", "75": "artisan", "7514": "artisan", "754": "plant", "8": "plant", "8321": "driver",
    "8322": "driver",
    "8332": "driver", "8341": "driver", "9": "help", "9121": "artisan", "92": "site", "931": "site", "932": "plant",
    "9331": "trader", "9332": "trader", "9333": "site", "95": "trader", "none": "none", "9613": "hired",
    "9629": "hired",
}


def employment_types(units):
    form_of = {u: next(FORM_OF[u[:n]] for n in (4, 3, 2, 1) if u[:n] in FORM_OF) for u in ["none"] + units}
    manifest_section("forms of work", [f"{f} = [{', '.join(chr(34) + u + chr(34) for u in form_of if form_of[u] == f)}]"
                                       for f in FORMS])
    cells = {}
    for kind in KINDS:
        for form, shares in FORMS.items():
            for sex in SEXES:
                for zone in ZONES.values():
                    own, boss, family, wage, casual = shares
                    if kind == "cultivator":
                        own, boss, family, wage, casual = (76, 3, 21, 0, 0) if sex == "Male" else (28, 0.5, 71.5, 0, 0)
                    elif kind == "agricultural_labourer":
                        own, boss, family, wage, casual = 0, 0, 0, 4, 96
                    elif kind == "household_industry":
                        own, boss, family, wage, casual = (68, 3, 24, 3, 2) if sex == "Male" else (56, 1, 39, 2, 2)
                    elif sex == "Female":
                        family *= 2.5
                        boss *= 0.4
                    row = dict(zip(TYPES, (own, boss, family, wage, casual)))
                    if kind == "none" or form == "none":
                        row = {"none": 1.0}
                    whole = sum(row.values())
                    for t, v in row.items():
                        if v:
                            cells[kind, form, sex, zone, t] = v / whole
    figure("employment_type_assumed", ["worker_category", "occupation_unit", "sex", "zone", "employment_type"], cells,
           "share", sig=4)
