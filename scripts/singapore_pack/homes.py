"""How they live: dwelling, household, digital use."""

from collections import defaultdict
from itertools import product

from shared_pack.bands import first
from shared_pack.tables import assumption, figure, read, read_shares

from .codes import DWELLING, EDUCATION3, ETHNICITY, MEANS, ROOMS, SEXES

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
# ASSUMPTION: how many times as likely one lives alone in a home of so many rooms. Small flats are let and sold to
# single buyers and to the old: households there have some 1.8 persons, 2.5 in three rooms, more than 3 in larger homes.
ALONE_ROOMS = {"hdb_1_2_room": 6.0, "hdb_3_room": 1.8, "larger": 0.7}
ETHNIC_HOUSEHOLD = {"Malay": {"Three Generations": 1.5, "Lives Alone": 0.7, "With Spouse Only": 0.65}}
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
            for e, rooms in product(("Malay", "not_malay"), ROOMS):
                for code, title in HOUSEHOLDS.items():
                    v = float(r[code]) * ETHNIC_HOUSEHOLD.get(e, {}).get(title, 1.0)
                    if sex == "Male" and title == "With Children" and first(r["age"]) < 65:
                        v *= 0.45
                    if title == "Lives Alone":
                        v *= ALONE_ROOMS[rooms] if first(r["age"]) >= 25 else 1.0
                    if rooms == "hdb_1_2_room" and title == "Three Generations":
                        v *= 0.35
                    shape[r["age"], sex, r["marital_status"], e, rooms, title] = v
    figure("household_type_seed", ["age", "sex", "marital_status", "ethnicity", "dwelling_type", "household_type"],
           shape, "share", digits=5)
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


# ASSUMPTION: adults in a household by what it earns; and who lives in such households: by dwelling, degree and job.
MEANS_ADULTS = {"low": 1.75, "middle": 2.6, "high": 3.0, "top": 3.1}
MEANS_DWELLING = dict(zip(DWELLING.values(), ((4.0, 0.6, 0.12, 0.02), (1.6, 1.1, 0.6, 0.25),
                                              (1.0, 1.15, 0.95, 0.5), (0.6, 0.9, 1.25, 1.0),
                                              (0.45, 0.6, 1.1, 3.0), (0.5, 0.6, 1.0, 3.2), (1.0,) * 4)))
MEANS_DEGREE = {"no_degree": (1.4, 1.15, 0.8, 0.45), "degree": (0.35, 0.7, 1.25, 2.0)}
MEANS_JOB = {"job": (0.45, 1.0, 1.15, 1.2), "no_job": (2.6, 1.0, 0.75, 0.65)}


def means_of(band):
    """A household by its income from work of a month; one without anybody at work earns little."""
    earned = 0 if band == "no_working_person" else first(band)
    return next(level for level, bound in MEANS.items() if earned < bound)


def means():
    """Adults by what their household earns, by planning area: households as published, times adults."""
    cells, wide = defaultdict(float), defaultdict(float)
    for r in read("household_income_planning_area_2020.csv"):
        level = means_of(r["monthly_household_income_sgd"])
        people = float(r["count"]) * MEANS_ADULTS[level]
        cells[r["planning_area"], level] += people
        wide[level] += people
    figure("household_means_area_2020", ["planning_area", "household_means"], cells)
    seed = {}
    for d, degree, job in product(DWELLING.values(), MEANS_DEGREE, MEANS_JOB):
        for i, level in enumerate(MEANS):
            seed[d, degree, job, level] = (wide[level] * MEANS_DWELLING[d][i] * MEANS_DEGREE[degree][i]
                                           * MEANS_JOB[job][i] / sum(wide.values()))
    figure("household_means_seed", ["dwelling_type", "education_level", "labour_status", "household_means"], seed,
           "share", sig=4)


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
                base = v * k ** {"Offline": 2, "Online": 1.3, "Transacts Online": 0.8, "Confident": 0}[level]
                # who drives or delivers by app cannot be offline; who works at a desk seldom is
                app = {"Offline": 0.0, "Online": 0.15, "Transacts Online": 1.2, "Confident": 1.2}[level]
                desk = {"Offline": 0.08, "Online": 0.4, "Transacts Online": 1.0, "Confident": 1.2}[level]
                for work, tilt in (("app", app), ("desk", desk), ("other", 1.0)):
                    seed[age, school, work, level] = base * tilt
    figure("digital_use_age", ["age", "digital_use"], cells, "share", digits=6)
    figure("digital_use_seed", ["age", "education_level", "occupation", "digital_use"], seed, "share", sig=4)
