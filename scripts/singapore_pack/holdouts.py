"""Hold-outs: published joints to which no node is fitted. They judge the network."""

from collections import defaultdict

from shared_pack.bands import known_band
from shared_pack.tables import figure, read, total

from .character import AGES_LEISURE
from .codes import DWELLING, EDUCATION, MAJORS, MARITAL, SEXES, STATUS, TRANSPORT, income
from .homes import ADULTS


def holdouts():
    minors = under_18()
    labour(minors)
    marriage(minors)
    jobs()
    subzones()
    dwellings()
    households(minors)
    travel("education", "education_level", EDUCATION)
    travel("employment_status", "employment_status", STATUS)


def holdout(name, columns, cells, digits=3):
    figure(f"holdout_{name}", columns, cells, digits=digits)


def under_18():
    """{(year, planning area, sex): share of those aged 15 to 17 in those of 15 and over}, of the residents of 2024 who
    were of these ages in the year."""
    ages = total(read("population_planning_area_age_sex.csv"), ["planning_area", "sex", lambda r: int(r["age"])])
    whole, part = defaultdict(float), defaultdict(float)
    for (area, sex, age), people in ages.items():
        for year in (2015, 2020):
            then = age - (2024 - year)
            if then >= 15:
                whole[year, area, sex] += people
            if 15 <= then < 18:
                part[year, area, sex] += people
    return {key: part[key] / people for key, people in whole.items() if people}


def without_minors(cells, year, minors, status):
    """{(area, sex, status): people of 15 and over} less those of 15 to 17, who are all of one status."""
    whole = defaultdict(float)
    for (area, sex, _), people in cells.items():
        whole[area, sex] += people
    out = dict(cells)
    for (area, sex), people in whole.items():
        out[area, sex, status] = max(out[area, sex, status] - people * minors[year, area, sex], 0.0)
    return out


LABOUR3 = {"employed": "employed", "unemployed": "unemployed", "outside_labour_force": "outside"}


def labour_2020(minors):
    table = total(read("labour_status_planning_area_sex_2020.csv"),
                  ["planning_area", "sex", lambda r: LABOUR3[r["labour_status"]]])
    return without_minors(table, 2020, minors, "outside")


def labour(minors):
    holdout("labour_area_sex_2020", ["planning_area", "sex", "labour_status"], labour_2020(minors))


def marriage(minors):
    table = total(read("marital_status_planning_area_sex_2015.csv"),
                  ["planning_area", "sex", lambda r: MARITAL[r["marital_status"]]])
    holdout("marital_area_sex_2015", ["planning_area", "sex", "marital_status"],
            without_minors(table, 2015, minors, "Single"))


def income_2020(band):
    """The census has wider bands than the pack below $3,000, and two from $12,000."""
    return income("12000+" if band == "12000-14999" else band)


def jobs():
    holdout("occupation_area_2020", ["planning_area", "occupation_group"],
            total(read("occupation_major_planning_area_2020.csv"),
                  ["planning_area", lambda r: MAJORS[r["occupation_major"]]]))
    holdout("income_area_2020", ["planning_area", "monthly_income"],
            total(read("income_band_planning_area_2020.csv"),
                  ["planning_area", lambda r: income_2020(r["monthly_income_sgd"])]))


def subzones():
    """Subzones by age and sex: the network knows the ages of planning areas only."""
    adults = [r for r in read("population_subzone_age_sex.csv") if int(r["age"]) >= 18]
    cells = total(adults, ["subzone", lambda r: known_band(int(r["age"]), AGES_LEISURE), "sex"])
    for subzone in {r["subzone"] for r in adults}:
        for age in AGES_LEISURE:
            for sex in SEXES:
                cells.setdefault((subzone, age, sex), 0.0)
    holdout("subzone_age_sex_2024", ["subzone", "age", "sex"], cells)


def dwellings():
    holdout("dwelling_area_2020", ["planning_area", "dwelling_type"],
            total(read("dwelling_planning_area_2020.csv"), ["planning_area", lambda r: DWELLING[r["dwelling_type"]]]))


def households(minors):
    """Households as the adults in them: those who live alone, and the others by the size of the household."""
    adults, alone, sizes = defaultdict(float), {}, {}
    for (area, _, _), people in labour_2020(minors).items():
        adults[area] += people
    for r in read("household_size_planning_area_2020.csv"):
        size, count = r["household_size"].rstrip("+"), float(r["count"])
        if size == "1":
            alone[r["planning_area"], "alone"] = count
            alone[r["planning_area"], "company"] = adults[r["planning_area"]] - count
        else:
            sizes[r["planning_area"], size] = count * (8.6 if size == "8" else float(size)) * ADULTS[size]
    holdout("alone_area_2020", ["planning_area", "household_type"], alone)
    holdout("household_size_area_2020", ["planning_area", "household_size"], sizes)


def travel(table, column, codes):
    """The way to work by sex and something else."""
    holdout(f"transport_{table}_sex_2015", [column, "sex", "transport_to_work"],
            total(read(f"transport_mode_{table}_sex_2015.csv"),
                  [lambda r: codes[r[column]], "sex", lambda r: TRANSPORT[r["usual_transport_to_work"]]]))
