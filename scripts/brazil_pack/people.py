"""Where they live and who they are: population, municipalities, race, education, marriage, religion, homes."""

from collections import defaultdict

from shared_pack.bands import band_of, first
from shared_pack.tables import figure, level_list, levels, marginal, read, total

from .codes import AGE5, CONJUGAL, DETAIL, EDUCATION4, MARITAL, PUBLISHED4, RACE, RELIGION, SEX, SEXES, STATES

AGE_MUNICIPALITY = ["18-24", "25-39", "40-59", "60+"]
CLASSES = ["capital", "grande", "media", "pequena"]


def population():
    """Adults by state, sex and age: single years to 79, then 80 and over, which is split as in Rio de Janeiro."""
    cells = {}
    for r in read("population_age_sex_state.csv"):
        age = r["age"]
        if first(age) >= 18:
            cells[STATES[r["state"]], SEX[r["sex"]], "80+" if first(age) >= 80 else age] = float(r["count"])
    figure("population_age_sex_state", ["state", "sex", "age"], cells)
    marginal("population_sex_state", ["state", "sex"], cells, digits=3)
    by_state = marginal("population_state", ["state"], cells, digits=3)
    split = {(SEX[r["sex"]], first(r["age"])): float(r["share"]) for r in read("age_80plus_split_estimate.csv")}
    single = {}
    for (state, sex, age), v in cells.items():
        for year in range(80, 101) if age == "80+" else [int(age)]:
            single[state, sex, str(year)] = v * (split[sex, year] if age == "80+" else 1.0)
    figure("population_single_age_sex_state", ["state", "sex", "age"], single)
    return single, by_state


def municipalities():
    """Municipalities in four classes of size: state capitals; 100,000 people and over; 20,000 and over; smaller."""
    kind, adults = {}, {}
    rows = read("municipalities.csv")
    for r in rows:
        r["municipality"] = r["municipality"].replace(" d ", " d'")  # Pau d'Alho, Olho d'Água
        people = float(r["count"])
        kind[r["municipality_code"]] = ("capital" if r["is_state_capital"] == "1" else "grande" if people >= 1e5 else
                                        "media" if people >= 2e4 else "pequena")
        code = r["municipality_code"]
        adults[STATES[r["state"]], kind[code], code] = float(r["adults_18plus_2022"])
    figure("municipality_adults", ["state", "municipality_class", "municipality_code"], adults)
    levels("municipality_code", ["level", "municipality"], [[r["municipality_code"], r["municipality"]] for r in rows])
    level_list("municipality", sorted({r["municipality"] for r in rows}))
    cells = defaultdict(float)
    for r in read("population_municipality_sex_agegroup.csv"):
        if first(r["age_group"]) >= 18:
            band = band_of(first(r["age_group"]), AGE_MUNICIPALITY)
            cells[STATES[r["state"]], SEX[r["sex"]], band, kind[r["municipality_code"]]] += float(r["count"])
    for state, sex, band, _ in list(cells):
        for c in CLASSES:
            cells[state, sex, band, c] += 0.0
    figure("municipality_class_age_sex_state", ["state", "sex", "age", "municipality_class"], cells)


def race():
    """Adults by race; Rio de Janeiro as counted in 2022, the other states estimated."""
    cells = {(STATES[r["state"]], SEX[r["sex"]], r["age_group"], RACE[r["race_ethnicity"]]): float(r["count"])
             for r in read("race_age_sex_state_estimate.csv") if first(r["age_group"]) >= 18}
    figure("race_age_sex_state", ["state", "sex", "age", "race"], cells)
    counted = defaultdict(float)
    for r in read("race_age_sex_rj_2022.csv"):
        if first(r["age"]) >= 18 and r["race_ethnicity"] in RACE:
            counted[STATES[r["state"]], SEX[r["sex"]], band_of(first(r["age"]), AGE5), RACE[r["race_ethnicity"]]] += \
                float(r["count"])
    figure("race_age_sex_rj", ["state", "sex", "age", "race"], counted)
    indigenous = defaultdict(float)
    for (state, _, _, r), v in cells.items():
        indigenous[state] += v * (r == "Indígena")
    return indigenous


# ASSUMPTION: how schooling leans between classes of municipality (odds next to the state's own mix), and what of
# each level those of a single year between 18 and 24 have, next to others of 18 to 24.
LEAN = {"capital": (0.6, 0.62, 0.8, 0.95, 1.1, 1.25, 1.6, 1.9), "grande": (0.8, 0.82, 1, 1, 1.1, 1.1, 1.1, 1.1),
        "media": (1.15, 1.15, 1.05, 1, 0.95, 0.85, 0.75, 0.65), "pequena": (1.5, 1.45, 1.1, 1, 0.85, 0.7, 0.6, 0.45)}
CAREER = {"18": (1, 1, 1.4, 2.6, 0.75, 0.45, 0, 0), "19": (1, 1, 1.1, 1.5, 1.05, 0.9, 0, 0),
          "20": (1, 1, 0.95, 0.9, 1.1, 1.15, 0, 0), "21": (1, 1, 0.9, 0.65, 1.05, 1.25, 0.25, 0),
          "22": (1, 1, 0.9, 0.55, 1.0, 1.2, 1.0, 0.05), "23-24": (1, 1, 0.9, 0.5, 0.95, 1, 2.4, 1.6)}


def education():
    cells = {}
    for r in read("education_age_sex_race_state_estimate.csv"):
        cells[STATES[r["state"]], SEX[r["sex"]], r["age_group"], RACE[r["race_ethnicity"]],
              DETAIL[r["education_level"]]] = float(r["count"])
    for state, sex, age, race_, _ in list(cells):  # every level is possible where the group is small
        for level in DETAIL.values():
            cells.setdefault((state, sex, age, race_, level), 0.0)
    figure("education_age_sex_race_state", ["state", "sex", "age", "race", "education_detail"], cells, digits=2)
    seed = {}
    for kind, lean in LEAN.items():
        for level, tilt in zip(DETAIL.values(), lean):
            for age in list(CAREER) + ["25+"]:
                seed[age, kind, level] = tilt * CAREER.get(age, (1,) * 8)[list(DETAIL.values()).index(level)]
    figure("education_seed", ["age", "municipality_class", "education_detail"], seed, "weight")
    rows = read("education_age25plus_2022.csv")
    figure("education_25_brazil", ["age", "education_level"],
           {("25+", PUBLISHED4[r["education_level"]]): float(r["share"]) for r in rows
            if r["group_variable"] == "country"}, "share", digits=6)
    figure("education_25_piaui", ["state", "age", "education_level"],
           {("Piauí", "25+", PUBLISHED4[r["education_level"]]): float(r["share"]) for r in rows
            if r["group_variable"] == "state"}, "share", digits=6)


# ASSUMPTION: civil status of those in each conjugal situation, by age: shares of MARITAL.
CIVIL_AGES = ["18-24", "25-34", "35-49", "50-64", "65+"]
CIVIL = {
    "União consensual": ((0.985, 0, 0.01, 0.004, 0.001), (0.94, 0, 0.045, 0.012, 0.003), (0.8, 0, 0.155, 0.033, 0.012),
                         (0.64, 0, 0.25, 0.06, 0.05), (0.5, 0, 0.27, 0.08, 0.15)),
    "Separação ou divórcio": ((0.93, 0, 0.05, 0.02, 0), (0.74, 0, 0.2, 0.06, 0), (0.47, 0, 0.42, 0.11, 0),
                              (0.27, 0, 0.57, 0.16, 0), (0.18, 0, 0.58, 0.24, 0)),
    "Viuvez": ((0.35, 0, 0, 0, 0.65), (0.2, 0, 0, 0, 0.8), (0.12, 0, 0, 0, 0.88), (0.06, 0, 0, 0, 0.94),
               (0.03, 0, 0, 0, 0.97)),
    "Casamento": ((0, 1, 0, 0, 0),) * 5, "Nunca viveu em união": ((1, 0, 0, 0, 0),) * 5}


def marital():
    figure("conjugal_age_sex", ["sex", "age", "conjugal_status"],
           {(SEX[r["sex"]], r["age_group"], CONJUGAL[r["marital_status"]]): float(r["count"])
            for r in read("marital_status_age_sex_estimate.csv")})
    figure("civil_status", ["conjugal_status", "age", "marital_status"],
           {(conjugal, age, status): v for conjugal, rows in CIVIL.items() for age, row in zip(CIVIL_AGES, rows)
            for status, v in zip(MARITAL, row)}, "share")


# ASSUMPTION: odds of a religion next to others by age, sex and race, from what the census reports in words.
RELIGION_AGE = {"18-34": {"Católica apostólica romana": 0.8, "Evangélica": 1.08, "Sem religião": 1.5},
                "35-59": {"Evangélica": 1.05, "Sem religião": 0.95, "Espírita": 1.1},
                "60+": {"Católica apostólica romana": 1.3, "Evangélica": 0.82, "Sem religião": 0.55}}
RELIGION_SEX = {"Masculino": {"Sem religião": 1.25, "Evangélica": 0.9, "Espírita": 0.8},
                "Feminino": {"Sem religião": 0.8, "Evangélica": 1.1, "Espírita": 1.2}}
RELIGION_RACE = {"Branca": {"Espírita": 1.6, "Evangélica": 0.9}, "Preta": {"Umbanda e candomblé": 2.2,
                 "Sem religião": 1.2}, "Parda": {"Espírita": 0.6, "Evangélica": 1.06},
                 "Amarela": {"Outras religiosidades": 5, "Sem religião": 1.8, "Evangélica": 0.6},
                 "Indígena": {"Tradições indígenas": 400, "Espírita": 0.2, "Umbanda e candomblé": 0.4}}


def religion(by_state, indigenous):
    """By state (estimate), the indigenous traditions where the indigenous live; the national shares are official."""
    share = defaultdict(dict)
    for r in read("religion_state_estimate.csv"):
        share[STATES[r["state"]]][RELIGION[r["religion"]]] = float(r["share"])
    people, cells = sum(by_state.values()), {}
    for state, row in share.items():
        row["Tradições indígenas"] = 0.001 * people * indigenous[state] / sum(indigenous.values()) / by_state[state,]
        whole = sum(row.values())
        for level, v in row.items():
            cells[state, level] = v / whole
    figure("religion_state", ["state", "religion"], cells, "share", digits=7)
    figure("religion_brazil", ["religion"], {(RELIGION[r["religion"]],): float(r["share"])
                                             for r in read("religion_national_2022.csv")}, "share")
    seed = {}
    for age, by_age in RELIGION_AGE.items():
        for sex, by_sex in RELIGION_SEX.items():
            for r, by_race in RELIGION_RACE.items():
                for level in RELIGION.values():
                    tilt = by_age.get(level, 1) * by_sex.get(level, 1) * by_race.get(level, 1)
                    if level == "Tradições indígenas" and r != "Indígena":
                        tilt = 0.02
                    seed[age, sex, r, level] = tilt
    figure("religion_seed", ["age", "sex", "race", "religion"], seed, "weight")


# ASSUMPTION: odds of living in the countryside by class of municipality, schooling and race.
RURAL_CLASS = {"capital": 0.12, "grande": 0.35, "media": 1.6, "pequena": 3.2}
RURAL_SCHOOLING = (1.7, 1.15, 0.75, 0.45)


def zone():
    word = {"urban": "Urbana", "rural": "Rural"}
    figure("zone_state", ["state", "zone"], {(STATES[r["state"]], word[r["urban_rural"]]): float(r["share"])
                                             for r in read("urban_rural_state_estimate.csv")}, "share")
    figure("zone_region", ["region", "zone"], {(r["region"], word[r["urban_rural"]]): float(r["share"])
                                               for r in read("urban_rural_region_2022.csv") if r["region"] != "Brasil"},
           "share")
    seed = {}
    for kind, rural in RURAL_CLASS.items():
        for level, tilt in zip(EDUCATION4, RURAL_SCHOOLING):
            for r in ("indigena", "other"):
                odds = 0.15 * rural * tilt * (6 if r == "indigena" else 1)
                seed[kind, level, r, "Rural"], seed[kind, level, r, "Urbana"] = odds, 1.0
    figure("zone_seed", ["municipality_class", "education_level", "race", "zone"], seed, "weight")


# ASSUMPTION: with whom one lives, by conjugal situation and age: shares of HOMES.
HOMES = ["Domicílio unipessoal", "Casal sem filhos", "Casal com filhos", "Com filhos, sem cônjuge", "Com os pais",
         "Com outros parentes", "Com pessoas sem parentesco"]
HOME_AGES = ["18-20", "21-24", "25-29", "30-39", "40-49", "50-59", "60-69", "70+"]
WITH_CHILDREN = (0.45, 0.55, 0.62, 0.78, 0.82, 0.66, 0.42, 0.26)  # of couples
NEVER = ((0.02, 0, 0, 0.02, 0.8, 0.12, 0.04), (0.05, 0, 0, 0.05, 0.72, 0.12, 0.06),
         (0.12, 0, 0, 0.07, 0.62, 0.12, 0.07), (0.22, 0, 0, 0.1, 0.5, 0.13, 0.05), (0.28, 0, 0, 0.12, 0.4, 0.16, 0.04),
         (0.34, 0, 0, 0.13, 0.26, 0.23, 0.04),
         (0.4, 0, 0, 0.14, 0.1, 0.32, 0.04), (0.42, 0, 0, 0.13, 0.02, 0.38, 0.05))
ALONE_WITH_CHILDREN = {"Masculino": (0.03, 0.04, 0.06, 0.1, 0.16, 0.18, 0.2, 0.24),
                       "Feminino": (0.3, 0.4, 0.5, 0.62, 0.64, 0.56, 0.48, 0.46)}
BACK_HOME = (0.5, 0.4, 0.3, 0.22, 0.14, 0.08, 0.02, 0)


def homes(by_state):
    cells = {}
    for sex in SEXES:
        for at, age in enumerate(HOME_AGES):
            couple = (0, 1 - WITH_CHILDREN[at], WITH_CHILDREN[at], 0, 0, 0, 0)
            children = ALONE_WITH_CHILDREN[sex][at]
            left = 1 - children
            back = BACK_HOME[at] * (0.6 if sex == "Feminino" else 1.0)
            parted = (left * (1 - back) * 0.66, 0, 0, children, left * back, left * (1 - back) * 0.28,
                      left * (1 - back) * 0.06)
            for conjugal in CONJUGAL.values():
                row = (couple if conjugal in ("União consensual", "Casamento") else
                       NEVER[at] if conjugal == "Nunca viveu em união" else parted)
                for home, v in zip(HOMES, row):
                    cells[conjugal, sex, age, home] = v
    figure("living_arrangement_seed", ["conjugal_status", "sex", "age", "living_arrangement"], cells, "weight", digits=5)
    # One-person households of 2022 over the adults that the census counted: a share of adults who live alone.
    value = {r["measure"]: float(r["value"]) for r in read("household_2022.csv")}
    counted = total(read("municipalities.csv"), [lambda r: ""])  # adults and children of the estimates
    census = sum(float(r["population_census2022"]) for r in read("municipalities.csv"))
    adults = sum(by_state.values()) * census / sum(counted.values())
    alone = value["one_person_units"] / adults
    figure("living_alone", ["living_arrangement"], {("alone",): alone, ("company",): 1 - alone}, "share", digits=6)
    # Household size: families of 2010 by members, seen from an adult, leaned towards the smaller households of 2022.
    families = {first(r["family_size"].split()[0]): float(r["count"]) for r in read("family_size_2010.csv")}
    cells = {}
    for age in HOME_AGES:
        for home in HOMES:
            smallest = {"Domicílio unipessoal": 1, "Casal sem filhos": 2, "Casal com filhos": 3,
                        "Com filhos, sem cônjuge": 2}.get(home, 2)
            for size in range(1, 9):
                seen = sum(v for n, v in families.items() if (n == size or (size == 8 and n > 8)))
                if home == "Domicílio unipessoal":
                    weight = float(size == 1)
                elif home == "Casal sem filhos":
                    weight = (0, 0, 0.93, 0.05, 0.02)[size] if size < 5 else 0.0
                else:
                    weight = 0.0 if size < smallest else seen * 0.9 ** size
                cells[age, home, str(size)] = weight
            whole = sum(cells[age, home, str(s)] for s in range(1, 9))
            for size in range(1, 9):
                cells[age, home, str(size)] /= whole
    figure("household_size", ["age", "living_arrangement", "household_size"], cells, "share", digits=6)
