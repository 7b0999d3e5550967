"""Figures that no node is fitted to: joint tables by which the network is judged."""

import os
from collections import defaultdict
from math import erf, sqrt

from shared_pack.bands import band_of, first
from shared_pack.tables import FOLDERS, figure, read, recoded, rows_of, total

from .codes import ATUS_EDUCATION, EDUCATION4, FIELDS, SEXES, adult

PEOPLE_2023 = ["pop_age_sex_county_pep2023.csv", "pop_age_sex_county_texas_2023_estimate.csv"]


def holdouts():
    people = [total(read(name), ["state", "county_fips", "sex", "age_group"]) for name in PEOPLE_2023]
    named = counties()
    age_county(people[0], named)
    education_county(named)
    marital_and_living_county({**people[0], **people[1]}, named)
    zipcodes()
    of_states()
    field_occupation()
    of_microdata()
    agreeableness()


# ---------------------------------------------------------------------------------------------------------------------
# Counties

def counties():
    """A key function: the county of the pack that a row with a county code is of, None where the pack has none. The
    pack names counties after ZIP codes, and a few small ones have no ZIP code of their own."""
    listed = {(r["state"], r["county"]) for r in rows_of(os.path.join(FOLDERS["pack"], "levels", "zipcode.csv"))}
    names = county_names()

    def county(code):
        return names[code][1] if names.get(code) in listed else None
    return county


def county_names():
    """{county code: (state, name)}, by the names of today."""
    names = {}
    for name in ["occupation_group_class_commuting_share_county_acs2013_2017.csv"] + PEOPLE_2023:
        names.update({r["county_fips"]: (r["state"], r["county"]) for r in read(name)})
    return names


def in_counties(cells, named):
    """Cells whose second key is a county code, by the names of the pack; those of other counties are left out."""
    kept = defaultdict(float)
    for (state, code, *rest), v in cells.items():
        if named(code):
            kept[(state, named(code), *rest)] += v
    return kept


COUNTY_AGES = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+"]


def age_county(people, named):
    cells = defaultdict(float)
    for (state, code, _, age), v in people.items():
        if adult(age):
            cells[state, code, band_of(first(age), COUNTY_AGES)] += v
    figure("holdout_age_county", ["state", "county", "age"], in_counties(cells, named))


PEOPLE_OF_A_COUNTY = 5_000  # of 25 and over; smaller ones, where the sample is thin, are left out


def education_county(named):
    cells = total(read("education_county_acs2017_2021.csv"),
                  ["state", "county_fips", lambda r: "25+", "education_level"])
    people = defaultdict(float)
    for (_, code, *_), v in cells.items():
        people[code] += v
    cells = {key: v for key, v in cells.items() if people[key[1]] >= PEOPLE_OF_A_COUNTY}
    figure("holdout_education_county", ["state", "county", "age", "education_level"], in_counties(cells, named))


MARITAL4 = {"never_married": "never_married", "married": "married_or_separated", "separated": "married_or_separated",
            "divorced": "divorced", "widowed": "widowed"}


def marital_and_living_county(people, named):
    """The tables are of 15 and over. Those of 15-17, taken to be as many among them as in 2023 (where the counties
    have been redrawn since, as in the state) and never married, are taken off."""
    table = total(read("marital_sex_large_counties_acs2018.csv"),
                  ["state", "county_fips", "sex", recoded("marital_status", MARITAL4)])
    teens, whole = defaultdict(float), defaultdict(float)
    for (state, code, sex, age), v in people.items():
        for key in ((code, sex), (state, sex)):
            if first(age) >= 15:
                whole[key] += v
            if age == "15-17":
                teens[key] += v
    base = defaultdict(float)
    for (state, code, sex, _), v in table.items():
        base[state, code, sex] += v
    for (state, code, sex), v in base.items():
        key = (code, sex) if (code, sex) in whole else (state, sex)
        gone = v * teens[key] / whole[key]
        table[state, code, sex, "never_married"] = max(0.0, table[state, code, sex, "never_married"] - gone)
    figure("holdout_marital_sex_county", ["state", "county", "sex", "marital_status"], in_counties(table, named),
           digits=0)

    adults, cells = defaultdict(float), defaultdict(float)
    for (state, code, _, _), v in table.items():
        adults[state, code] += v
    kinds = {"married_couple_with_children": ("with_spouse", 2), "married_couple_without_children": ("with_spouse", 2),
             "lives_alone_65_plus": ("lives_alone", 1), "lives_alone_under_65": ("lives_alone", 1)}
    for r in read("household_type_large_counties_acs2018.csv"):
        kind, heads = kinds.get(r["household_type"], (None, 0))
        if kind:
            cells[r["state"], r["county_fips"], kind] += heads * float(r["count"])
    for key, v in adults.items():
        cells[(*key, "other")] = v - cells[(*key, "with_spouse")] - cells[(*key, "lives_alone")]
    figure("holdout_living_arrangement_county", ["state", "county", "living_arrangement"], in_counties(cells, named),
           digits=0)


# ---------------------------------------------------------------------------------------------------------------------
# ZIP codes

ZIP_AGES = ["20-24", "25-44", "45-64", "65+"]
PEOPLE_OF_A_ZIP = 15_000  # of 20 and over; smaller areas are left out


def zipcodes():
    """Tabulation Areas that are one ZIP code of the pack, so that the area's people are that ZIP code's."""
    listed = {r["level"] for r in rows_of(os.path.join(FOLDERS["pack"], "levels", "zipcode.csv"))}
    within = defaultdict(list)
    for r in read("zipcode_city_county_state_population.csv"):
        if r["zipcode"] in listed:
            within[r["zcta"]].append(r["zipcode"])
    ages = total(read("pop_age_zcta_acs2014_2018.csv"),
                 ["zcta", lambda r: band_of(first(r["age_group"]), ZIP_AGES)])
    people = defaultdict(float)
    for (area, age), v in ages.items():
        people[area] += v
    large = {area for area, v in people.items() if v >= PEOPLE_OF_A_ZIP and within[area] == [area]}
    figure("holdout_age_zipcode", ["zipcode", "age"], {k: v for k, v in ages.items() if k[0] in large})

    cells = {}
    for r in read("profile_zcta_acs2014_2018.csv"):
        share = r["share_less_than_high_school_25plus"]
        if r["zcta"] in large and share:
            of_25 = people[r["zcta"]] - ages[r["zcta"], "20-24"]
            cells[r["zcta"], "25+", "no_diploma"] = of_25 * float(share)
            cells[r["zcta"], "25+", "diploma"] = of_25 * (1 - float(share))
    figure("holdout_diploma_zipcode", ["zipcode", "age", "education_level"], cells, digits=0)


# ---------------------------------------------------------------------------------------------------------------------
# States

INDUSTRIES = {
    "agriculture_forestry_fishing_and_hunting_and_mining": "agriculture_and_mining", "construction": "construction",
    "manufacturing": "manufacturing", "wholesale_trade": "wholesale_trade", "retail_trade": "retail_trade",
    "transportation_and_warehousing_and_utilities": "transportation_and_utilities", "information": "information",
    "finance_and_insurance_and_real_estate_and_rental_and_leasing": "finance_and_real_estate",
    "professional_scientific_and_management_and_administrative_and_waste_management_services":
        "professional_and_administrative_services",
    "educational_services_and_health_care_and_social_assistance": "education_and_health",
    "arts_entertainment_and_recreation_and_accommodation_and_food_services": "leisure_and_hospitality",
    "other_services_except_public_administration": "other_services", "public_administration": "public_administration"}
GROUPS5 = {
    "management_business_science_and_arts_occupations": "management_business_science_and_arts",
    "service_occupations": "service", "sales_and_office_occupations": "sales_and_office",
    "natural_resources_construction_and_maintenance_occupations": "natural_resources_construction_and_maintenance",
    "production_transportation_and_material_moving_occupations": "production_transportation_and_material_moving"}


def of_states():
    cells = total(read("birthplace_education_state_acs2018.csv"),
                  ["state", lambda r: "25+",
                   lambda r: "foreign_born" if r["birthplace"] == "foreign_born" else "native", "education_level"])
    figure("holdout_nativity_education_state", ["state", "age", "nativity", "education_level"], cells)

    cells = total(read("veteran_education_state_acs2018.csv"),
                  ["state", lambda r: "25+", "education_level", "veteran_status"])
    figure("holdout_veteran_education_state", ["state", "age", "education_level", "veteran_status"], cells)

    columns = ["state", "age", "labour_status", "veteran_status"]
    cells = total(read("veteran_age_labour_state_acs2018.csv"), ["state", "age_group", *columns[2:]])
    figure("holdout_veteran_labour_age_state", columns, cells)

    cells = total(read("industry_occupation_group_state_acs2018.csv"),
                  ["state", recoded("industry", INDUSTRIES), recoded("occupation_group", GROUPS5)])
    figure("holdout_industry_occupation_state", ["state", "industry", "occupation_group"], cells)


# ---------------------------------------------------------------------------------------------------------------------
# The country

# Minor fields of the survey of graduates that are not of its science and engineering fields, by those of the pack.
OTHER_FIELDS = {"management_and_administration_fields": "business", "sales_and_marketing_fields": "business",
                "education_except_science_and_math_teacher_education": "education"}
SCIENCE = {"computer_mathematical_scientists": "computing", "engineers": "engineering",
           "biological_agricultural_life_scientists": "science", "physical_scientists": "science",
           "social_scientists": "science", "s_e_related_occupations": "other", "non_s_e_occupations": "other"}


def field_occupation():
    def field(row):
        groups = {"s_e_fields": FIELDS["science_engineering"],
                  "s_e_related_fields": FIELDS["science_engineering_related"]}
        return groups.get(row["degree_field_group"]) or OTHER_FIELDS.get(row["degree_field"], "arts_humanities")

    rows = [r for r in read("graduate_degree_field_occupation_nscg2021.csv") if r["education_level"] == "bachelors"]
    cells = total(rows, ["education_level", field, recoded("occupation_group", SCIENCE)])
    figure("holdout_field_occupation", ["education_level", "bachelors_field", "occupation_group"], cells)


WORK_AGES = ["18-24", "25-34", "35-44", "45-54", "55-64"]
MARITAL3 = {"never_married": "never_married", "married": "married_or_separated", "separated": "married_or_separated",
            "divorced": "divorced_or_widowed", "widowed": "divorced_or_widowed"}


def of_microdata():
    cells = total(read("joint_persons_atus2003_2016.csv"),
                  ["sex", lambda r: band_of(first(r["age_group"]), WORK_AGES), recoded("marital_status", MARITAL3),
                   "children_under_18", "labour_status"])
    figure("holdout_employment_children", ["sex", "age", "marital_status", "children_at_home", "labour_status"], cells)

    cells = total(read("joint_persons_us_atus2010_2016.csv"),
                  ["sex", lambda r: band_of(first(r["age_group"]), ["18-24", "25-54", "55-64", "65+"]), "nativity",
                   lambda r: EDUCATION4[ATUS_EDUCATION[r["education_level"]]], "labour_status"])
    figure("holdout_work_nativity_education", ["sex", "age", "nativity", "education_level", "labour_status"], cells)


LABELS = {"very low": 34.5, "low": 44.5, "average": 54.5, "high": 64.5, "very high": float("inf")}  # upper ends


def agreeableness():
    """Normal scores with the mean and standard deviation of each group, put on a T scale of the country's adults."""
    groups = {(r["sex"], r["age_group"]): (float(r["mean_t"]), float(r["sd_t"]))
              for r in read("big_five_sex_age_sapa.csv") if r["trait"] == "agreeableness"}
    bands = sorted({a for _, a in groups}, key=first)
    adults = defaultdict(float)
    for r in read("pop_single_age_sex_state_2024_estimate.csv"):
        if int(r["age"]) >= 18:
            adults[r["sex"], band_of(int(r["age"]), bands)] += float(r["count"])
    everyone = sum(adults.values())
    mean = sum(adults[g] * m for g, (m, _) in groups.items()) / everyone
    spread = sqrt(sum(adults[g] * (s * s + (m - mean) ** 2) for g, (m, s) in groups.items()) / everyone)
    cells = {}
    for sex in SEXES:
        for band in bands:
            m, s = ((groups[sex, band][0] - mean) / spread * 10 + 50, groups[sex, band][1] / spread * 10)
            below = 0.0
            for label, end in LABELS.items():
                upto = (1 + erf((end - m) / (s * sqrt(2)))) / 2
                cells[sex, band, label] = adults[sex, band] * (upto - below)
                below = upto
    figure("holdout_agreeableness_age_sex", ["sex", "age", "agreeableness_label"], cells, digits=0)
