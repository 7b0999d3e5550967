"""How they live: dwelling, household, digital use."""

from collections import defaultdict

from shared_pack.bands import first
from shared_pack.tables import assumption, figure, read, read_shares

from .codes import DWELLING, EDUCATION3, ETHNICITY, SEXES

# ASSUMPTION: how the dwelling goes with a degree and with age: 1-2 room, 3-room, 4-room, 5-room, condominium, landed,
# other.
DWELLING_DEGREE = {"no_degree": (1.3, 1.15, 1.05, 0.95, 0.7, 0.8, 1.0), "degree": (0.25, 0.7, 0.9, 1.1, 1.6, 1.4, 1.0)}
DWELLING_AGE = {"18-34": (0.7, 0.8, 1.05, 1.15, 1.05, 1.0, 1.0), "35-64": (0.8, 0.95, 1.0, 1.05, 1.1, 0.95, 1.0),
                "65+": (2.2, 1.6, 0.9, 0.7, 0.7, 1.15, 1.0)}


def dwellings():
    cells = defaultdict(float)
    for r in read("dwelling_subzone_2015.csv"):
        cells[r["subzone"], DWELLING[r["dwelling_type"]]] += float(r["count"])
    area, wide, live = {}, defaultdict(float), set()
    for r in read("population_subzone_age_sex.csv"):
        area[r["subzone"]] = r["planning_area"]
        live.add(r["subzone"])
    for r in read("dwelling_planning_area_2015.csv"):
        # 0.1 % live in other flats of the Housing Board, counted here with the smallest
        kind = DWELLING["hdb_1_2_room" if r["dwelling_type"] == "hdb_other" else r["dwelling_type"]]
        wide[r["planning_area"], kind] += float(r["count"])
    known = {s for s, _ in cells} & live
    kinds = list(DWELLING.values())
    for s in known:
        for k in kinds:
            cells.setdefault((s, k), 0.0)
    figure("dwelling_subzone_2015", ["subzone", "dwelling_type"], {k: v for k, v in cells.items() if k[0] in known})
    national = {k: sum(v for (a, d), v in wide.items() if d == k) for k in kinds}
    whole = sum(national.values())
    mix = defaultdict(float)
    for r in read_shares("dwelling_ethnicity_estimate.csv", "ethnicity"):
        mix[ETHNICITY[r["ethnicity"]], DWELLING[r["dwelling_type"]]] = float(r["share"])
    # ASSUMPTION: the mean of the four groups, weighted by their size
    weight = {"Chinese": 0.74, "Malay": 0.135, "Indian": 0.09, "Others": 0.035}
    mean = {k: sum(weight[e] * mix[e, k] for e in weight) for k in kinds}
    seed = {}
    for s in sorted(live):
        here = {k: cells.get((s, k), 0.0) if s in known else wide[area[s], k] for k in kinds}
        mass = sum(here.values())
        if s not in known and mass <= 0:  # new towns: the flats built there
            here, mass = {k: national[k] / whole for k in kinds}, 1.0
        for e in ETHNICITY.values():
            for degree, by_degree in DWELLING_DEGREE.items():
                for age, by_age in DWELLING_AGE.items():
                    for i, k in enumerate(kinds):
                        v = here[k] / mass * mix[e, k] / mean[k] * by_degree[i] * by_age[i]
                        seed[s, e, degree, age, k] = v
    figure("dwelling_seed", ["subzone", "ethnicity", "education_level", "age", "dwelling_type"], seed, "share", sig=4)


HOUSEHOLDS = {"lives_alone": "Lives Alone", "with_spouse_only": "With Spouse Only",
              "with_spouse_and_children": "With Spouse and Children", "three_generations": "Three Generations",
              "with_children": "With Children", "with_parents": "With Parents",
              "with_other_relatives": "With Other Relatives", "with_unrelated": "With Unrelated Persons"}
# ASSUMPTION: adults among those who live in a household of so many.
ADULTS = {"1": 1.0, "2": 0.97, "3": 0.86, "4": 0.76, "5": 0.74, "6": 0.76, "7": 0.76, "8": 0.76}
ETHNIC_HOUSEHOLD = {"Malay": {"Three Generations": 1.5, "Lives Alone": 0.7, "With Spouse Only": 0.65},
                    "Indian": {"Three Generations": 1.2, "Lives Alone": 0.9},
                    "Others": {"Three Generations": 0.6, "With Spouse Only": 1.2}}
ETHNIC_SIZE = {"Chinese": 0.0, "Malay": 0.28, "Indian": 0.08, "Others": -0.02}  # tilt per person


def households():
    persons = {}
    for r in read("household_size_2020.csv"):
        if r["household_type"] == "all":
            size = r["household_size"].rstrip("+")
            people = 8.6 if size == "8" else float(size)
            persons[size] = float(r["count"]) * people * ADULTS[size]
    whole = sum(persons.values())
    figure("one_person_households_2020", ["household_type"],
           {("alone",): persons["1"], ("company",): whole - persons["1"]})
    figure("household_size_persons_2020", ["household_size"],
           {(k,): v for k, v in persons.items() if k != "1"})
    shape = {}
    for r in assumption("living_arrangement_shape.csv"):
        for sex in SEXES:
            for e in ETHNICITY.values():
                for code, title in HOUSEHOLDS.items():
                    v = float(r[code]) * ETHNIC_HOUSEHOLD.get(e, {}).get(title, 1.0)
                    if sex == "Male" and title == "With Children" and first(r["age"]) < 65:
                        v *= 0.45
                    shape[r["age"], sex, r["marital_status"], e, title] = v
    figure("household_type_seed", ["age", "sex", "marital_status", "ethnicity", "household_type"], shape, "share",
           digits=5)
    rooms = dict(zip(DWELLING.values(), (-0.55, -0.22, 0.0, 0.16, -0.05, 0.22, 0.0)))
    seed = {}
    for r in assumption("household_size_shape.csv"):
        for d, tilt in rooms.items():
            for e in ETHNICITY.values():
                for n in range(1, 9):
                    w = float(r[str(n)]) * 2.718281828 ** ((tilt + ETHNIC_SIZE[e]) * (n - 3))
                    seed[r["household_type"], d, e, n] = w
    figure("household_size_seed", ["household_type", "dwelling_type", "ethnicity", "household_size"], seed, "share",
           sig=4)


DIGITAL = ["Offline", "Online", "Transacts Online", "Confident"]


def digital_use():
    rate = {(r["age_group"], r["measure"]): float(r["rate"]) for r in read("digital_use_age_estimate.csv")}
    cells, seed = {}, {}
    for age in dict.fromkeys(k[0] for k in rate):
        online, pays, sure = (rate[age, m] for m in ("internet_use", "online_transactions",
                                                     "confident_with_digital_skills"))
        for level, v in zip(DIGITAL, (1 - online, online - pays, pays - sure, sure)):
            cells[age, level] = v
            for school in EDUCATION3:  # ASSUMPTION
                k = {"secondary_or_less": 1.5, "post_secondary_or_diploma": 0.6, "degree": 0.3}[school]
                seed[age, school, level] = v * k ** {"Offline": 2, "Online": 1.3, "Transacts Online": 0.8,
                                                     "Confident": 0}[level]
    figure("digital_use_age", ["age", "digital_use"], cells, "share", digits=6)
    figure("digital_use_seed", ["age", "education_level", "digital_use"], seed, "share", sig=4)
