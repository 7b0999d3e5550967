"""Hold-outs: published joints to which no node is fitted. They judge the network."""

from collections import defaultdict
from math import sqrt

from shared_pack.bands import first, holds
from shared_pack.personality import TRAITS, normal
from shared_pack.tables import assumption, figure, read, total

from .codes import BROAD, GROUPS, LABOUR, SEX, SEXES, prefectures, published
from .work import YOUNG


def holdouts():
    ages = total(read("population_prefecture_sex_age1.csv"),
                 ["prefecture", lambda r: SEX[r["sex"]], lambda r: int(r["age"])])
    places = Places(ages)
    labour(places)
    sectors()
    alone(places)
    employees()
    jobs()
    temperament(ages)


def holdout(name, columns, cells, digits=3):
    figure(f"holdout_{name}", columns, cells, digits=digits)


# ---------------------------------------------------------------------------------------------------------------------
# Municipalities

class Places:
    """People of the municipalities by sex: all, those of stated age, of 15 and over, and of 15 to 17. The latter are
    as large a part of those aged 15 to 64 as in the prefecture."""

    def __init__(self, ages):
        young, working = defaultdict(float), defaultdict(float)
        for (prefecture, sex, age), people in ages.items():
            if 15 <= age < 18:
                young[prefecture, sex] += people
            if 15 <= age < 65:
                working[prefecture, sex] += people
        self.all, self.stated = defaultdict(float), defaultdict(float)
        self.grown, self.minors = defaultdict(float), defaultdict(float)
        for r in read("population_municipality_sex_agebroad.csv"):
            sex, people = SEX[r["sex"]], float(r["count"])
            place = r["municipality_code"], sex
            self.all[place] += people
            if r["age_group"] != "not_stated":
                self.stated[place] += people
            if r["age_group"] in BROAD:
                self.grown[place] += people
            if r["age_group"] == "15-64":
                self.minors[place] = people * young[r["prefecture"], sex] / working[r["prefecture"], sex]


def labour(places):
    """Published for those of 15 and over whose status is known: others are taken to be as they are."""
    table = total(read("labour_status_municipality_sex.csv"),
                  ["municipality_code", lambda r: SEX[r["sex"]], lambda r: LABOUR[r["labour_status"]]])
    known = defaultdict(float)
    for (code, sex, _), people in table.items():
        known[code, sex] += people
    cells = {}
    for (code, sex, status), people in table.items():
        if known[code, sex]:
            work, seek = YOUNG["15-17"][sex]
            minors = dict(zip(LABOUR.values(), (work, seek, 1 - work - seek)))[status] * places.minors[code, sex]
            cells[code, sex, status] = max(people * places.grown[code, sex] / known[code, sex] - minors, 0.0)
    holdout("labour_municipality_sex", ["municipality_code", "sex", "labour_status"], cells, digits=1)


def sectors():
    holdout("sector_municipality", ["municipality_code", "industry"],
            total(read("industry_sector_municipality.csv"), ["municipality_code", "industry_sector"]))


def alone(places):
    """Those who live alone and the other adults, both as many as have a stated age."""
    single = total([r for r in read("household_type_municipality.csv") if r["household_type"] == "single_person"],
                   ["municipality_code"])
    cells = {}
    for (code,), count in single.items():
        everybody, stated, grown, minors = (
            sum(of[code, x] for x in SEXES) for of in (places.all, places.stated, places.grown, places.minors))
        if everybody:
            cells[code, "alone"] = count * stated / everybody
            cells[code, "company"] = max(grown - minors - cells[code, "alone"], 0.0)
    holdout("alone_municipality", ["municipality_code", "household_type"], cells, digits=1)


# ---------------------------------------------------------------------------------------------------------------------
# Regular employees

SCHOOLS = {"junior_high_school": "中学卒", "high_school": "高校卒", "vocational_school": "college",
           "junior_college_technical_college": "college", "university": "大学卒", "graduate_school": "大学院卒"}


def employees():
    """Industry, schooling and age, two at a time and by sex, of the employees of firms with ten or more staff. Industry
    by schooling and age together ties more variables than exact inference has room for."""
    survey = total(read("industry_sex_education_age_employees.csv"),
                   [lambda r: published(r["industry_ja"]), lambda r: SEX[r["sex"]], "education_level", "age_group"])
    schooling, ages, both = defaultdict(float), defaultdict(float), defaultdict(float)
    for (industry, sex, school, age), people in survey.items():
        if school != "unknown":
            schooling["regular", industry, sex, SCHOOLS[school]] += people
        if age != "15-19":
            ages["regular", industry, sex, age] += people
        if school != "unknown" and age != "15-19":
            both["regular", SCHOOLS[school], sex, age] += people
    holdout("regular_industry_sex_education", ["employment_type", "industry", "sex", "education_level"], schooling)
    holdout("regular_industry_sex_age", ["employment_type", "industry", "sex", "age"], ages)
    holdout("regular_education_sex_age", ["employment_type", "education_level", "sex", "age"], both)


def jobs():
    """Occupations of the employees of firms with ten or more staff: main groups by sex and schooling and by prefecture
    and sex, 144 occupations by age."""
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    schooling, places, ages = defaultdict(float), defaultdict(float), defaultdict(float)
    for (group, sex, school), people in total(
            read("occupation_major_sex_education_age_employees.csv"),
            [lambda r: GROUPS.get(r["occupation"]), lambda r: SEX[r["sex"]], "education_level"]).items():
        if school in SCHOOLS:
            schooling["regular", group, sex, SCHOOLS[school]] += people
    for (place, sex, group), people in total(
            read("occupation_major_prefecture_sex_employees.csv"),
            [lambda r: codes[r["prefecture"]], lambda r: SEX[r["sex"]], lambda r: GROUPS.get(r["occupation"])]).items():
        places["regular", place, sex, group] += people
    known = {published(r["occupation_class"]) for r in assumption("occupations.csv")}
    for (occupation, age), people in total(read("occupation145_age_employees.csv"),
                                           [lambda r: published(r["occupation"]), "age_group"]).items():
        if occupation in known and first(age) >= 20:
            ages["regular", occupation, age] += people
    holdout("regular_group_sex_education", ["employment_type", "occupation_group", "sex", "education_level"], schooling)
    holdout("regular_group_prefecture_sex", ["employment_type", "prefecture", "sex", "occupation_group"], places)
    holdout("regular_occupation_age", ["employment_type", "occupation_class", "age"], ages)


# ---------------------------------------------------------------------------------------------------------------------
# Temperament

LABELS = ["very low", "low", "average", "high", "very high"]
EDGES = [34.5, 44.5, 54.5, 64.5]  # between the T-scores of the labels


def temperament(ages):
    """Each trait in words by age and sex: normal about the mean of the survey's respondents, and scaled so that all
    adults have the mean 50 and the standard deviation 10, as in the pack."""
    rows = defaultdict(dict)
    for r in read("big_five_sex_age_vic.csv"):
        rows[r["trait"]][r["age_group"], SEX[r["sex"]]] = float(r["mean_t"]), float(r["sd_t"])
    for trait in TRAITS:
        people = {key: sum(v for (_, x, a), v in ages.items() if a >= 18 and x == key[1] and holds(key[0], a))
                  for key in rows[trait]}
        whole = sum(people.values())
        mean = sum(people[k] * m for k, (m, _) in rows[trait].items()) / whole
        spread = sqrt(sum(people[k] * (s ** 2 + (m - mean) ** 2) for k, (m, s) in rows[trait].items()) / whole) / 10
        cells = {}
        for key, (m, s) in rows[trait].items():
            for label, share in zip(LABELS, normal(50 + (m - mean) / spread, s / spread, EDGES)):
                cells[key + (label,)] = people[key] * share
        holdout(f"{trait}_age_sex", ["age", "sex", f"{trait}_label"], cells, digits=1)
