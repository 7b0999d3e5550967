"""Hold-outs: tables that no node is fitted to, by which the people are judged. Rows below 18 are left out, or taken off
by published shares; a combination that nobody was counted in is a cell of 0."""

from collections import defaultdict
from itertools import product

from shared_pack.tables import figure, read, recoded, total

from .codes import EDUCATION, RELIGIONS, SOCIAL, ZONES, census_state
from .people import BANDS, MARITAL, PLACES, adult_share
from .work import ADULT

TWENTY = BANDS[1:]  # five-year bands that lie wholly within the pack
ADULTS = ["18", "19"] + TWENTY
CHILDREN = [str(age) for age in range(7, 18)]
zone = recoded("urban_rural", ZONES)
faith = recoded("religion", RELIGIONS)
group = recoded("social_category", SOCIAL)
school = recoded("education_level", EDUCATION)
adult = recoded("age_group", {a: a for a in ADULTS})
twenty = recoded("age_group", {a: a for a in TWENTY})


def only(column):
    """A key that leaves out the rows for which `column` has no code, and tells nothing else."""
    return lambda row: None if column(row) is None else ""


def told(cells, *places):
    """Cells without the columns that are not in `places`, added up."""
    sums = defaultdict(float)
    for key, value in cells.items():
        sums[tuple(key[at] for at in places)] += value
    return sums


def filled(cells, given):
    """The cells, and a 0 for whatever they lack of the combinations of later columns with each key of the first `given`
    columns under which anybody was counted."""
    first = {key[:given] for key, value in told(cells, *range(given)).items() if value}
    later = [{key[at] for key in cells} for at in range(given, len(next(iter(cells))))]
    return {k + rest: cells.get(k + rest, 0.0) for k in first for rest in product(*later)}


def raked(cells, *targets, rounds=500):
    """The cells scaled to each (places, sums) in turn until all are met: how the columns go together stays as it is."""
    for _ in range(rounds):
        for places, sums in targets:
            now = told(cells, *places)
            cells = {key: value * sums[tuple(key[at] for at in places)] / now[tuple(key[at] for at in places)]
                     if value else 0.0 for key, value in cells.items()}
    return cells


def holdout(name, columns, cells, given=2, digits=0):
    figure("holdout_" + name, columns, filled(cells, given), digits=digits)


def holdouts():
    marriage()
    schooling()
    districts()
    work()
    households()
    faith_and_category()


def marriage():
    """C-03, marital status by religion, age, sex and residence, from 20 on, and C-06, marriage by schooling."""
    rows = read("marital_status_religion_state_urban_sex_age.csv")
    cells = total(rows, ["state", zone, "sex", twenty, faith, recoded("marital_status", MARITAL)])
    holdout("marital_status_religion_sex_zone_state", ["state", "zone", "sex", "religion", "marital_status"],
            told(cells, 0, 1, 2, 4, 5))
    holdout("marital_status_religion_age_sex_zone", ["zone", "sex", "age", "religion", "marital_status"],
            told(cells, 1, 2, 3, 4, 5))
    holdout("religion_age_sex_zone_state", ["state", "zone", "sex", "age", "religion"], told(cells, 0, 1, 2, 3, 4))
    # Diplomas are within matric_secondary_below_graduate. literate_other, without level or not classified, is left out
    names = {"illiterate": "illiterate", "literate_below_primary": "below_primary", "primary": "primary",
             "middle": "middle", "matric_secondary_below_graduate": "secondary", "graduate_and_above": "degree"}
    cells = {}
    for r in read("ever_married_education_state_urban_sex.csv"):
        if r["education_level"] in names:
            key = (r["state"], ZONES[r["urban_rural"]], r["sex"], names[r["education_level"]])
            cells[key + ("married",)] = float(r["currently_married"])
            cells[key + ("past",)] = float(r["ever_married"]) - float(r["currently_married"])
    holdout("married_education_sex_zone_state", ["state", "zone", "sex", "education_level", "marital_status"], cells)


def schooling():
    """C-08 with C-08SC and C-08ST: schooling by social category, age, sex and residence."""
    rows = read("education_social_category_state_urban_sex_age.csv")
    cells = total(rows, ["state", zone, "sex", adult, group, school])
    holdout("education_social_category_age_sex_zone",
            ["zone", "sex", "age", "social_category", "education_level"], told(cells, 1, 2, 3, 4, 5))
    holdout("education_social_category_sex_zone_state",
            ["state", "zone", "sex", "social_category", "education_level"], told(cells, 0, 1, 2, 4, 5))
    holdout("social_category_age_sex_zone_state", ["state", "zone", "sex", "age", "social_category"],
            total(rows, ["state", zone, "sex", adult, group]))


def districts():
    """Who reads, by social category and district. It is printed for all ages: children are taken off by the share that
    the state's table by age has of them."""
    ages = recoded("age_group", {a: "child" if a in CHILDREN else "adult" for a in CHILDREN + ADULTS})
    kinds = {level: "illiterate" if level == "illiterate" else "reads" for level in [*EDUCATION, "unclassified"]}
    state = total(read("education_social_category_state_urban_sex_age.csv"),
                  ["state", zone, "sex", group, recoded("education_level", kinds), ages])
    cells = defaultdict(float)
    for r in read("literacy_social_category_district_urban_sex.csv"):
        if r["literacy"] != "age_0_6":
            kind = {"literate": "reads"}.get(r["literacy"], "illiterate")
            key = (r["state"], ZONES[r["urban_rural"]], r["sex"], SOCIAL[r["social_category"]], kind)
            cells[PLACES[r["district_code"]][0], key[3], kind] += float(r["count"]) * adult_share(state, key)
    holdout("literacy_social_category_place", ["place", "social_category", "education_level"], cells, given=1)


def work():
    """The Primary Census Abstract by social category: workers less the share below 18 that figures of work take off,
    and as non-workers what C-08 counts of adults beyond them."""
    cells, places = defaultdict(float), defaultdict(float)
    for r in read("worker_category_social_category_district_urban_sex.csv"):
        place, state, _ = PLACES[r["district_code"]]
        if r["worker_category"] != "non_worker":
            length, kind = r["worker_category"].split("_", 1)
            count = float(r["count"]) * ADULT[length, ZONES[r["urban_rural"]]]
            key = (ZONES[r["urban_rural"]], r["sex"], SOCIAL[r["social_category"]])
            cells[census_state(state), *key, r["worker_category"]] += count
            places[place, *key[1:], {"other_worker": "other"}.get(kind, kind)] += count
    people = total(read("education_social_category_state_urban_sex_age.csv"),
                   ["state", zone, "sex", group, only(adult)])
    workers = told(cells, 0, 1, 2, 3)
    for key, count in told(people, 0, 1, 2, 3).items():
        cells[key + ("non_worker",)] = max(0.0, count - workers[key])
    holdout("worker_category_social_category_sex_zone_state",
            ["state", "zone", "sex", "social_category", "worker_category"], cells)
    holdout("work_social_category_sex_place", ["place", "sex", "social_category", "worker_category"], places, given=1)


# People in a household of each size that is printed. ASSUMPTION for the open ones, as in homes.py.
MEMBERS = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "6-8": 6.8, "7-10": 8, "9+": 10.5, "11-14": 12, "15+": 18}

SMALL = {"1", "2", "3", "4", "5"}


def members(row):
    return float(row["count"]) * MEMBERS[row["household_size"]]


def households():
    """The size of the household that people live in: by Scheduled Caste or not (HH-01 SC, and all households less
    these), and by religion (survey of 2023-24, scaled to sizes and religions of 2011)."""
    castes, everybody, sizes = defaultdict(float), defaultdict(float), defaultdict(float)
    for r in read("household_size_scheduled_caste_state_urban.csv"):
        size = r["household_size"] if r["household_size"] in SMALL else "6-12"
        castes[r["state"], ZONES[r["urban_rural"]], size] += members(r)
    for r in read("household_size_district_urban.csv"):
        size, where = r["household_size"], ZONES[r["urban_rural"]]
        everybody[r["state"], where, size if size in SMALL else "6-12"] += members(r)
        sizes[where, {"9+": "9-12"}.get(size, size)] += members(r)
    cells = {}
    for key, count in everybody.items():
        cells[*key[:2], "Scheduled Caste", key[2]] = castes[key]
        cells[*key[:2], "other", key[2]] = max(0.0, count - castes[key])
    holdout("household_size_caste_zone_state", ["state", "zone", "social_category", "household_size"], cells)

    faiths = total(read("religion_district_urban_sex.csv"), [zone, faith])
    survey = defaultdict(float)
    for r in read("household_size_religion_social_group_urban_plfs2023_24.csv"):
        size = {"6": "6-8", "7": "6-8", "8": "6-8", "9": "9-12", "10+": "9-12"}.get(r["household_size"],
                                                                                  r["household_size"])
        survey[ZONES[r["urban_rural"]], surveyed(r), size] += float(r["persons"])
    del faiths["Rural", RELIGIONS["not_stated"]], faiths["Urban", RELIGIONS["not_stated"]]
    believers, residents = told(faiths, 0), told(sizes, 0)
    sizes = {key: count * believers[key[:1]] / residents[key[:1]] for key, count in sizes.items()}
    cells = raked(survey, ((0, 2), sizes), ((0, 1), faiths))
    holdout("household_size_religion_zone", ["zone", "religion", "household_size"], cells)


def surveyed(row):
    """Religion as the Census names it: it counts Zoroastrians among the others."""
    return RELIGIONS[{"zoroastrian": "other_religion"}.get(row["religion"], row["religion"])]


def faith_and_category():
    """Social category by religion and state, from the survey of 2023-24: the Census prints it for the country only."""
    codes = dict(SOCIAL, other_backward_class="Other")
    cells = defaultdict(float)
    for r in read("religion_social_group_state_urban_plfs2023_24.csv"):
        state = {"Ladakh": "Jammu and Kashmir"}.get(r["state"], r["state"])
        cells[state, surveyed(r), codes[r["social_group"]]] += float(r["persons"])
    holdout("social_category_religion_state", ["state", "religion", "social_category"], cells, given=1)
