"""Where they live and who they are: population, municipalities, race, education, marriage, religion, homes."""

from collections import defaultdict

from shared_pack.bands import band_of, first, last
from shared_pack.tables import figure, level_list, levels, marginal, read, recoded, total

from .codes import AGE5, CONJUGAL, DETAIL, EDUCATION4, MARITAL, PUBLISHED4, RACE, RELIGION, SEX, SEXES, STATES
from .places import ZONES, places

AGE_MUNICIPALITY = ["18-24", "25-39", "40-59", "60+"]


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
    """Municipalities in up to twelve classes a state, of those where alike people live (places.py)."""
    rows, known = read("municipalities.csv"), places()
    for r in rows:
        r["municipality"] = r["municipality"].replace(" d ", " d'")  # Pau d'Alho, Olho d'Água
    figure("municipality_adults", ["state", "municipality_class", "municipality_code"],
           {(STATES[r["state"]], known.class_of[r["municipality_code"]], r["municipality_code"]):
            float(r["adults_18plus_2022"]) for r in rows})
    levels("municipality_code", ["level", "municipality"], [[r["municipality_code"], r["municipality"]] for r in rows])
    level_list("municipality", sorted({r["municipality"] for r in rows}))
    cells = defaultdict(float)
    for r in read("population_municipality_sex_agegroup.csv"):
        if first(r["age_group"]) >= 18:
            band = band_of(first(r["age_group"]), AGE_MUNICIPALITY)
            cells[STATES[r["state"]], SEX[r["sex"]], band, known.class_of[r["municipality_code"]]] += float(r["count"])
    figure("municipality_class_age_sex_state", ["state", "sex", "age", "municipality_class"], cells)
    figure("municipality_class_seed", ["state", "municipality_class", "age", "education_level", "race"],
           known.class_weights(), sig=4)
    figure("work_place", ["state", "municipality_class", "zone", "work_place"],
           {(STATES[state], name, zone, f"{of} {zone}"): 1.0 for (state, name), of in known.type_of.items()
            for zone in ZONES}, "share")


def race():
    """Adults by race, as counted in 2022; in Rio de Janeiro of all, elsewhere of those asked about their schooling."""
    rows = [r for r in read("education_race_age_sex_state_2022.csv") if r["state"] != "RJ"]
    figure("race_age_sex_state", ["state", "sex", "age", "race"],
           total(rows, [recoded("state", STATES), recoded("sex", SEX), "age_group", recoded("race_ethnicity", RACE)]))
    counted = defaultdict(float)
    for r in read("race_age_sex_rj_2022.csv"):
        if first(r["age"]) >= 18 and r["race_ethnicity"] in RACE:
            counted[STATES[r["state"]], SEX[r["sex"]], band_of(first(r["age"]), AGE5), RACE[r["race_ethnicity"]]] += \
                float(r["count"])
    figure("race_age_sex_rj", ["state", "sex", "age", "race"], counted)


# ASSUMPTION: what of each level those of a single year between 18 and 24 have, next to others of 18 to 24.
CAREER = {"18": (1, 1, 1.4, 2.6, 0.75, 0.45, 0, 0), "19": (1, 1, 1.1, 1.5, 1.05, 0.9, 0, 0),
          "20": (1, 1, 0.95, 0.9, 1.1, 1.15, 0, 0), "21": (1, 1, 0.9, 0.65, 1.05, 1.25, 0.25, 0),
          "22": (1, 1, 0.9, 0.55, 1.0, 1.2, 1.0, 0.05), "23-24": (1, 1, 0.9, 0.5, 0.95, 1, 2.4, 1.6)}


def education():
    cells = defaultdict(float)  # eight levels, as far as the four of the census leave open
    for r in read("education_age_sex_race_state_estimate.csv"):
        cells[STATES[r["state"]], SEX[r["sex"]], r["age_group"], DETAIL[r["education_level"]]] += float(r["count"])
    for state, sex, age, _ in list(cells):  # every level is possible where the group is small
        for level in DETAIL.values():
            cells[state, sex, age, level] += 0.0
    figure("education_age_sex_state", ["state", "sex", "age", "education_detail"], cells, digits=0)
    seed = {(age, level): CAREER.get(age, (1,) * 8)[at] for age in [*CAREER, *AGE5[2:-2], "75+"]
            for at, level in enumerate(DETAIL.values())}
    figure("education_seed", ["age", "education_detail"], seed, "weight")
    # As counted. Nobody graduates before 20, whatever 68 thousand people of 18 and 19 told the census.
    rows = [r for r in read("education_race_age_sex_state_2022.csv")
            if (r["age_group"], r["education_level"]) != ("18-19", "superior_completo")]
    figure("education_race_age_sex_state", ["state", "sex", "age", "race", "education_level"],
           total(rows, [recoded("state", STATES), recoded("sex", SEX), "age_group", recoded("race_ethnicity", RACE),
                        recoded("education_level", PUBLISHED4)]))


# ASSUMPTION: civil status of those in each conjugal situation, by age: shares of MARITAL. A 23rd of those who call
# themselves married were wed in church alone (Censo 2022); of those parted, as many as a quarter are still married on
# paper (in 2010, when a divorce was harder, more of them were: 35 % of the people were married, 30 % lived so).
CIVIL_AGES = ["18-24", "25-34", "35-49", "50-64", "65+"]
CIVIL = {
    "União consensual": ((0.985, 0.004, 0.007, 0.003, 0.001), (0.93, 0.015, 0.042, 0.01, 0.003),
                         (0.785, 0.04, 0.135, 0.028, 0.012), (0.62, 0.06, 0.22, 0.05, 0.05),
                         (0.48, 0.07, 0.235, 0.065, 0.15)),
    "Separação ou divórcio": ((0.86, 0.09, 0.035, 0.015, 0), (0.66, 0.17, 0.13, 0.04, 0), (0.4, 0.24, 0.28, 0.08, 0),
                              (0.22, 0.26, 0.41, 0.11, 0), (0.14, 0.28, 0.42, 0.16, 0)),
    "Viuvez": ((0.35, 0, 0, 0, 0.65), (0.2, 0, 0, 0, 0.8), (0.12, 0, 0, 0, 0.88), (0.06, 0, 0, 0, 0.94),
               (0.03, 0, 0, 0, 0.97)),
    "Casamento": ((0.0425, 0.9575, 0, 0, 0),) * 5, "Nunca viveu em união": ((1, 0, 0, 0, 0),) * 5}

# Where people marry alike, by the share of those married in 2010 (SIDRA 3193).
MARRIAGE = {"Amazônia": "AC AM AP PA RR", "Bahia a Maranhão": "BA MA SE", "Nordeste": "AL CE PB PE PI RN",
            "Fronteiras": "DF MS MT RJ RO RS TO", "Centro": "ES GO MG SP", "Sul": "PR SC"}
MARRIAGE_OF = {state: name for name, states in MARRIAGE.items() for state in states.split()}
RACE3 = {"branca": "branca", "amarela": "branca", "parda": "parda", "preta": "preta", "indigena": "preta"}
CIVIL_CODES = dict(zip(("solteiro", "casado", "divorciado", "separado_judicialmente", "viuvo"), MARITAL))
# ASSUMPTION: odds of an informal union among the single on paper, next to the country: there are about as many couples
# everywhere, and those who do not wed live together (Censo 2022: most of the unions of Amapá, a third of those of Minas).
INFORMAL = {"Amazônia": 1.6, "Bahia a Maranhão": 1.25, "Nordeste": 1.05, "Fronteiras": 1.05, "Centro": 0.8, "Sul": 1.0}


def marital():
    """Civil status first, as the register of 2010 leans by place, zone, race and schooling, at the level of 2022; then
    how people of a civil status live."""
    lives = {(SEX[r["sex"]], r["age_group"], CONJUGAL[r["marital_status"]]): float(r["count"])
             for r in read("marital_status_age_sex_estimate.csv")}
    figure("conjugal_age_sex", ["sex", "age", "conjugal_status"], lives)
    both, civil = {}, defaultdict(float)
    for (sex, age, conjugal), v in lives.items():
        for status, share in zip(MARITAL, civil_of(conjugal, age)):
            civil[sex, age, status] += v * share
            for region, tilt in INFORMAL.items():
                informal = status == "Solteiro" and conjugal == "União consensual"
                both[region, sex, age, status, conjugal] = v * share * (tilt if informal else 1.0)
    figure("marital_age_sex", ["sex", "age", "marital_status"], civil)
    figure("conjugal_seed", ["state", "sex", "age", "marital_status", "conjugal_status"], both, "weight", sig=5)
    figure("marital_seed", ["state", "zone", "sex", "age", "race", "education_level", "marital_status"],
           civil_leans(), "weight", sig=4)


def civil_of(conjugal, age):
    """Shares of each civil status at an age: on a line between the middles of the bands for which they are assumed."""
    middle = (first(age) + min(last(age), 90)) / 2
    middles = [(first(band) + min(last(band), 85)) / 2 for band in CIVIL_AGES]
    after = next((at for at, m in enumerate(middles) if m > middle), len(middles))
    lower, upper = max(0, after - 1), min(after, len(middles) - 1)
    part = (middle - middles[lower]) / (middles[upper] - middles[lower]) if upper > lower else 0.0
    return [a + part * (b - a) for a, b in zip(CIVIL[conjugal][lower], CIVIL[conjugal][upper])]


def civil_leans():
    """How civil status leans in 2010, next to others of the age and sex: by place, zone and race of three statuses for
    all; of the others, and by schooling, as among women."""
    word = {"urban": "Urbana", "rural": "Rural"}
    by_race, women, schooled = (defaultdict(lambda: defaultdict(float)) for _ in range(3))
    for r in read("marital_status_race_age_sex_urban_state_2010.csv"):
        if r["race_ethnicity"] in RACE3:
            age, status = band_of(first(r["age_group"]), CIVIL_AGES), CIVIL_CODES[r["marital_status"]]
            where, v = (MARRIAGE_OF[r["state"]], word[r["urban_rural"]]), float(r["count"] or 0)
            by_race[(SEX[r["sex"]], age)][status] += v
            by_race[(*where, SEX[r["sex"]], age, RACE3[r["race_ethnicity"]])][status] += v
    for r in read("women_marital_education_age_urban_state_2010.csv"):
        if first(r["age_group"]) >= 20 and r["education_level"] in PUBLISHED4:
            age, status = band_of(first(r["age_group"]), CIVIL_AGES), CIVIL_CODES[r["marital_status"]]
            zone, level, v = word[r["urban_rural"]], PUBLISHED4[r["education_level"]], float(r["count"] or 0)
            for key in ((age,), (MARRIAGE_OF[r["state"]], zone, age)):
                women[key][status] += v
            for key in ((age, zone), (age, zone, level)):
                schooled[key][status] += v

    def lean(table, of, within, status):
        return (table[of][status] / sum(table[of].values())) / (table[within][status] / sum(table[within].values()))

    cells = {}
    for region in MARRIAGE:
        for zone in ZONES:
            for age in CIVIL_AGES:
                for sex in SEXES:
                    for race_ in ("branca", "parda", "preta"):
                        for level in EDUCATION4:
                            for status in MARITAL:
                                known = "Divorciado" if status.startswith("Desquitado") else status
                                tilt = (lean(women, (region, zone, age), (age,), status) if status == "Viúvo" else
                                        lean(by_race, (region, zone, sex, age, race_), (sex, age), known))
                                cells[region, zone, sex, age, race_, level, status] = \
                                    tilt * lean(schooled, (age, zone, level), (age, zone), status)
    return cells


# ASSUMPTION: odds of a religion next to others by race, and for the clergy and by schooling, from what the census of 2022
# reports in words: half of the Spiritists have a degree, and one in eight of them little schooling.
EDUCATION3 = ["basic", "secondary", "degree"]
RELIGION_SCHOOLING = {"Espírita": (0.5, 0.55, 1.5, 3.2), "Umbanda e candomblé": (1, 0.6, 1.2, 1.7),
                      "Evangélica": (2.5, 1.0, 1.06, 0.72), "Outras religiosidades": (1, 0.8, 1.1, 1.5),
                      "Sem religião": (0, 1, 1, 1.15), "Não declarada ou não sabe": (0, 1, 1, 1)}
RELIGION_RACE = {"Branca": {"Espírita": 1.15, "Evangélica": 0.9}, "Preta": {"Umbanda e candomblé": 2.2,
                 "Sem religião": 1.2}, "Parda": {"Espírita": 0.6, "Evangélica": 1.06},
                 "Amarela": {"Outras religiosidades": 5, "Sem religião": 1.8, "Evangélica": 0.6},
                 "Indígena": {"Tradições indígenas": 110, "Espírita": 0.2, "Umbanda e candomblé": 0.4}}


def religion():
    """By age, sex and state, as counted; by race and schooling assumed."""
    young = lambda r: first(r["age_group"]) < 20
    rows = read("religion_age_sex_state_2022.csv")
    for name, some, age in (("religion_age_sex_state", [r for r in rows if not young(r)], "age_group"),
                            ("religion_18_sex_state", [r for r in rows if young(r)], lambda r: "18-19")):
        figure(name, ["state", "sex", "age", "religion"],
               total(some, [recoded("state", STATES), recoded("sex", SEX), age, recoded("religion", RELIGION)]))
    # The clergy; the three races of nearly all by schooling; the two others.
    group = lambda kind, race, at: (kind if kind == "clergy" else race if race in ("Amarela", "Indígena") else
                                    f"{race} {EDUCATION3[max(0, at - 1)]}")
    seed, groups = {}, {}
    for kind in ("clergy", "others"):
        for race, by_race in RELIGION_RACE.items():
            for at, level in enumerate(EDUCATION4):
                groups[kind, race, level, group(kind, race, at)] = 1.0
                for faith in RELIGION.values():
                    schooling = RELIGION_SCHOOLING.get(faith, (1,) * 4)
                    native = faith == "Tradições indígenas"
                    tilt = (schooling[0] if kind == "clergy" else by_race.get(faith, 1) *
                            (1 if race in ("Amarela", "Indígena") else schooling[max(1, at)]))
                    if native and (kind == "clergy" or race != "Indígena"):
                        tilt = 0.02
                    seed[group(kind, race, at), faith] = tilt
    figure("religion_seed", ["belief_group", "religion"], seed, "weight")
    figure("belief_group", ["occupation_kind", "race", "education_level", "belief_group"], groups, "share")


# ASSUMPTION: odds of living in the countryside by schooling and race, in places of one class.
RURAL_SCHOOLING = (1.7, 1.15, 0.75, 0.45)
RURAL_INDIGENOUS = 5


def zone():
    known, word = places(), {"urban": "Urbana", "rural": "Rural"}
    cells = defaultdict(float)
    for r in read("urban_rural_municipality_2022.csv"):
        cells[STATES[r["state"]], known.class_of[r["municipality_code"]], word[r["urban_rural"]]] += float(r["count"])
    figure("zone_class", ["state", "municipality_class", "zone"], cells)
    figure("zone_state", ["state", "zone"], {(STATES[r["state"]], word[r["urban_rural"]]): float(r["count"])
                                             for r in read("urban_rural_state_2022.csv")})
    seed = {}
    for level, tilt in zip(EDUCATION4, RURAL_SCHOOLING):
        for r in ("indigena", "other"):
            odds = 0.15 * tilt * (RURAL_INDIGENOUS if r == "indigena" else 1)
            seed[level, r, "Rural"], seed[level, r, "Urbana"] = odds, 1.0
    figure("zone_seed", ["education_level", "race", "zone"], seed, "weight")


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


# ASSUMPTION: odds of living alone next to the country, and of one person more in the home: a home of Amazonas, Amapá or
# Roraima has 3.3 to 3.6 people, one of Rio de Janeiro or Rio Grande do Sul 2.5 to 2.6, and one of Brazil 2.8 (Censo 2022,
# moradores por domicílio); one home in eight of the first is of one person, and one in four or five of the last.
HOME_PLACES = {"Norte": "AC AM AP PA RR", "Nordeste e Tocantins": "AL BA CE MA PB PE PI RN SE TO", "Rio e Rio Grande": "RJ RS",
               "demais": "DF ES GO MG MS MT PR RO SC SP"}
ALONE = {"Norte": 0.55, "Nordeste e Tocantins": 0.9, "Rio e Rio Grande": 1.35, "demais": 1.05}
ONE_MORE = {"Norte": 1.6, "Nordeste e Tocantins": 1.08, "Rio e Rio Grande": 0.88, "demais": 0.95}


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
                    for place, alone in ALONE.items():
                        cells[conjugal, sex, age, place, home] = v * (alone if home == HOMES[0] else 1.0)
    figure("living_arrangement_seed", ["conjugal_status", "sex", "age", "state", "living_arrangement"], cells, "weight",
           digits=5)
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
    for place, more in ONE_MORE.items():
        for age in HOME_AGES:
            for home in HOMES:
                smallest = {"Domicílio unipessoal": 1, "Casal com filhos": 3}.get(home, 2)
                row = []
                for size in range(1, 9):
                    seen = sum(v for n, v in families.items() if (n == size or (size == 8 and n > 8)))
                    if home == "Domicílio unipessoal":
                        row.append(float(size == 1))
                    elif home == "Casal sem filhos":
                        row.append((0, 0, 0.93, 0.05, 0.02)[size] * more ** size if size < 5 else 0.0)
                    else:
                        row.append(0.0 if size < smallest else seen * more ** size)
                for size, v in enumerate(row, 1):
                    cells[age, place, home, str(size)] = v / sum(row)
    figure("household_size", ["age", "state", "living_arrangement", "household_size"], cells, "share", digits=6)
