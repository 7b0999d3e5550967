"""Codes of the pack and of its sources, and bands of age."""

import re

from shared_pack.bands import first, last

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
DEGREE = dict(zip(EDU6, ["no_degree"] * 4 + ["degree"] * 2))
ENROLMENT = {"enrolled_public_college": "public_college", "enrolled_private_college": "private_college",
             "not_enrolled_in_college": "not_enrolled"}
LANGUAGES = ["english", "spanish", "other_indo_european", "asian_and_pacific_island", "other"]
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


def adult(band):
    return first(band) >= 18


def tidy(band):
    """`20-20` -> `20`."""
    a, _, b = band.partition("-")
    return a if a == b else band


def covering(age_band, bands):
    """The bands of a microdata table that lie in (or around) a band of ours."""
    a, b = first(age_band), last(age_band)
    return [k for k in bands if first(k) <= b and last(k) >= a]


def snake(title):
    """A Census title as a code: `Registered nurses` -> `registered_nurses`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("'", "")).strip("_")
