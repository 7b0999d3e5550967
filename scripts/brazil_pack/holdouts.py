"""Figures that no node is fitted to: joint tables by which the network is judged."""

from collections import defaultdict

from shared_pack.bands import band_of, first
from shared_pack.tables import figure, read, recoded, total

from .codes import MARITAL, PUBLISHED4, RACE, SEX, STATES
from .people import AGE_MUNICIPALITY

STATE, OF_SEX, OF_RACE = (recoded(*pair) for pair in (("state", STATES), ("sex", SEX), ("race_ethnicity", RACE)))
SCHOOLING = recoded("education_level", PUBLISHED4)
ZONE = recoded("urban_rural", {"urban": "Urbana", "rural": "Rural"})
CIVIL = recoded("marital_status", dict(zip(("solteiro", "casado", "divorciado", "separado_judicialmente", "viuvo"),
                                           MARITAL)))


def banded(*bands):
    """A key function: the band that holds an age group; none before the first."""
    return lambda row: band_of(first(row["age_group"]), bands)


def holdouts():
    of_municipalities()
    schooled = women_schooled()
    marital()
    women(schooled)
    position_state()


# ---------------------------------------------------------------------------------------------------------------------
# Municipalities

def of_municipalities():
    rows = {r["municipality_code"]: r for r in read("municipalities.csv")}
    adults = {code: float(r["adults_18plus_2022"]) for code, r in rows.items()}

    cells = total(read("population_municipality_sex_agegroup.csv"), ["municipality_code", banded(*AGE_MUNICIPALITY)])
    figure("holdout_age_municipality", ["municipality_code", "age"], cells)

    older = [r for r in read("education_agegroup_municipality_2022.csv") if first(r["age_group"]) >= 25]
    cells = total(older, ["municipality_code", lambda r: "25+", SCHOOLING])
    figure("holdout_education_municipality", ["municipality_code", "age", "education_level"], cells)

    # Published for all ages: of each race and state the part that is 18 and over.
    of_age = total(read("education_race_age_sex_state_2022.csv"), ["state", "race_ethnicity"])
    everyone = total(read("race_state_2022.csv"), ["state", "race_ethnicity"])
    cells = defaultdict(float)
    for r in read("race_municipality_2022.csv"):
        key = r["state"], r["race_ethnicity"]
        if key[1] in RACE:
            cells[r["municipality_code"], RACE[key[1]]] += float(r["count"]) * of_age[key] / everyone[key]
    figure("holdout_race_municipality", ["municipality_code", "race"], cells, digits=0)

    # Published for all ages: of each municipality the part that is 18 and over.
    cells = total(read("urban_rural_municipality_2022.csv"), ["municipality_code", ZONE])
    for code, zone in cells:
        cells[code, zone] *= adults[code] / float(rows[code]["count"])
    figure("holdout_zone_municipality", ["municipality_code", "zone"], cells, digits=0)

    # Shares of those who work, as if as many of the adults of 2022 worked everywhere.
    cells = {(r["municipality_code"], r["employment_position"]): float(r["share"]) * adults[r["municipality_code"]]
             for r in read("workers_position_municipality_2010.csv")}
    figure("holdout_position_municipality", ["municipality_code", "employment_position"], cells, digits=0)

    # Farmers among those who worked in 2010, likewise.
    cells = {}
    for r in read("workers_sector_municipality_2010.csv"):
        if r["industry_sector"] == "agriculture":
            for kind, share in (("farm", float(r["share"])), ("other", 1 - float(r["share"]))):
                cells[r["municipality_code"], kind] = share * adults[r["municipality_code"]]
    figure("holdout_farm_municipality", ["municipality_code", "occupation_kind"], cells, digits=0)


# ---------------------------------------------------------------------------------------------------------------------
# States

AGES = ["18-24", "25-34", "35-49", "50-64", "65+"]
WOMEN_AGES = ["20-29", "30-39", "40-49", "50-59", "60-69", "70+"]


def women_schooled():
    """Women by state, age and schooling."""
    rows = [r for r in read("education_race_age_sex_state_2022.csv") if r["sex"] == "Female"]
    return total(rows, [STATE, banded(*WOMEN_AGES), SCHOOLING])


def marital():
    rows = read("marital_status_race_age_sex_urban_state_2010.csv")
    figure("holdout_marital_race_state", ["state", "sex", "age", "race", "marital_status"],
           total(rows, [STATE, OF_SEX, banded(*AGES), OF_RACE, CIVIL]))
    figure("holdout_marital_zone_state", ["state", "zone", "sex", "age", "marital_status"],
           total(rows, [STATE, ZONE, OF_SEX, banded(*AGES), CIVIL]))


def women(schooled):
    """Women of 20 and over: schooling has grown too fast since 2010 for its counts, so that the women of 2022 by state,
    age and schooling are shared out as those of 2010 were."""
    rows = [r for r in read("women_marital_education_age_urban_state_2010.csv") if first(r["age_group"]) >= 20]
    for name, column, key in (("marital", "marital_status", CIVIL), ("zone", "zone", ZONE)):
        counted = total(rows, [STATE, banded(*WOMEN_AGES), SCHOOLING, key])
        levels = sorted({k[-1] for k in counted})
        cells = {}
        for group, people in schooled.items():
            here = {level: counted.get((*group, level), 0.0) for level in levels}
            for level, v in here.items():
                if group[1] is not None and sum(here.values()):
                    cells["Feminino", *group, level] = people * v / sum(here.values())
        figure(f"holdout_women_{name}_education_state", ["sex", "state", "age", "education_level", column], cells,
               digits=0)


def position_state():
    """Those who worked in 2010, in the eighteen states of the table; the unpaid and those who work for their own table are one."""
    unpaid = {"unpaid_family_worker": "unpaid_or_subsistence", "subsistence_worker": "unpaid_or_subsistence"}
    figure("holdout_position_state", ["state", "employment_position"],
           total(read("employment_position_state_2010.csv"),
                 [STATE, lambda r: unpaid.get(r["employment_position"], r["employment_position"])]))
