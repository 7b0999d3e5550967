"""What they do: labour status, kind of occupation, title, position, and the class of each title abroad."""

from collections import defaultdict

from shared_pack.bands import first, last
from shared_pack.raking import rake, shrunk
from shared_pack.tables import assumption, by_prefix, figure, isco_codes, levels, read

from .places import POSITIONS as POSITIONS_2010, TYPES, ZONES, places
from .codes import (AGE5, AGE_WORK, EDUCATION4, GROUPS, LABOUR, OF_DETAIL, DETAIL, POSITION6, POSITIONS, PUBLISHED4,
                    REGIONS, SAMPLE_GROUPS, SEX, SEXES, STATES)

NO_JOB = "none"
UNNAMED = ("999999", "Trabalhador de ocupação não especificada")


def labour():
    by_age = {(STATES[r["state"]], SEX[r["sex"]], r["age_group"], LABOUR[r["labour_status"]]):
              float(r["count"]) * (0.0 if first(r["age_group"]) >= 60 and r["labour_status"] == "student" else 1.0)
              for r in read("labour_status_age_sex_state_estimate.csv")}
    figure("labour_age_sex_state", ["state", "sex", "age", "labour_status"], by_age)
    employed_by_race(by_age)
    counts = defaultdict(float)
    for r in read("labour_joint_pnadc2017_sample.csv"):
        counts[r["age_group"], OF_DETAIL[DETAIL[r["education_level"]]], r["labour_status"]] += float(r["count"])
    share = shrunk(counts, 1, ["employed", "unemployed", "student", "not_in_workforce"], 60)
    seed = {}
    for age in AGE5:
        wide = "18-24" if first(age) < 25 else "25-39" if first(age) < 40 else "40-59" if first(age) < 60 else "60+"
        for level in EDUCATION4:
            for code, status in LABOUR.items():
                known = "not_in_workforce" if code == "retired" else code
                for sex in SEXES:
                    for union, tilt in UNION[sex].items():
                        seed[sex, age, level, union, status] = (share((wide, level))[known] / share((wide,))[known] *
                                                                tilt.get(code, 1.0))
    figure("labour_seed", ["sex", "age", "education_level", "conjugal_status", "labour_status"], seed, "weight", sig=4)


# ASSUMPTION: the share of those of 14 to 17 who had worked, who are among the interviewed.
MINORS_AT_WORK = 0.12
WORK_RACE = {"branca": "branca", "amarela": "branca", "parda": "outras", "preta": "outras", "indigena": "outras"}


def employed_by_race(by_age):
    """Who has work by race: the odds next to one another in the state as interviewed in 2020, the employed of 2024."""
    people, worked = defaultdict(float), defaultdict(float)
    for r in read("race_age_sex_state_estimate.csv"):
        of, age = (STATES[r["state"]], WORK_RACE[r["race_ethnicity"]]), first(r["age_group"])
        people[*of, "minors"] += {10: 0.2, 15: 1.0}.get(age, 0.0) * float(r["count"])
        people[*of, "adults"] += float(r["count"]) if age >= 18 else 0.0
    for r in read("worked_last_week_race_state_pnadcovid2020_respondents.csv"):
        if r["race_ethnicity"] in WORK_RACE:
            worked[STATES[r["state"]], WORK_RACE[r["race_ethnicity"]], r["worked_last_week"]] += float(r["count"])
    cells = {}
    for state in STATES.values():
        here = {k: v for k, v in by_age.items() if k[0] == state}
        everybody = sum(here.values())
        employed = sum(v for k, v in here.items() if k[3] == LABOUR["employed"])
        start = {}
        for race in ("branca", "outras"):
            yes, no = worked[state, race, "yes"], worked[state, race, "no"]
            of = {who: people[state, race, who] for who in ("minors", "adults")}
            minors = of["minors"] / (of["minors"] + of["adults"])
            share = (yes / (yes + no) - minors * MINORS_AT_WORK) / (1 - minors)
            start[race, "job"], start[race, "no_job"] = of["adults"] * share, of["adults"] * (1 - share)
        whole = sum(start.values())
        races = {race: everybody * (start[race, "job"] + start[race, "no_job"]) / whole for race in ("branca", "outras")}
        fitted = rake(start, races, {"job": employed, "no_job": everybody - employed})
        cells |= {(state, *key): v for key, v in fitted.items()}
    figure("employed_race_state", ["state", "race", "labour_status"], cells)


# ASSUMPTION: odds of a labour status of those who live or have lived in a union, and of those who never did.
UNION = {"Masculino": {"ever": {"employed": 1.4, "student": 0.2}, "never": {}},
         "Feminino": {"ever": {"employed": 0.85, "student": 0.2}, "never": {"employed": 1.15}}}


# ---------------------------------------------------------------------------------------------------------------------
# Occupation

# ASSUMPTION: how common a kind of occupation is at an age, next to all the employed: young, even, adult, mature, old.
AGES = {"Y": (2.2, 2.0, 1.4, 1.0, 0.7, 0.5, 0.35, 0.3), "F": (1,) * 8, "A": (0.4, 0.7, 1.05, 1.2, 1.1, 0.95, 0.75, 0.6),
        "M": (0.25, 0.45, 0.7, 1.0, 1.2, 1.25, 1.2, 1.1), "O": (0.4, 0.45, 0.55, 0.8, 1.1, 1.45, 2.2, 3.4)}


def kinds():
    return assumption("occupation_kinds.csv")


# ASSUMPTION: share of each group among the employed, of the order of the PNAD Contínua of 2022-2024; and how many women
# there are for a man among soldiers and police, next to what a handful of people in the sample say.
GROUP_SHARES = {"0": 0.9, "1": 3.4, "2": 12.2, "3": 8.6, "4": 8.2, "5": 22.0, "6": 5.9, "7": 12.8, "8": 9.0, "9": 16.7,
                "X": 0.3}
WOMEN_IN_UNIFORM = 0.12


def group_shares():
    """Share of each IBGE group by sex and schooling (estimate): the sample, raked to the groups' shares in all."""
    employed, cells = defaultdict(float), {}
    for r in read("employment_position_sex_education_estimate.csv"):
        employed[SEX[r["sex"]], PUBLISHED4[r["education_level"]]] += float(r["count"])
    for r in read("occupation_major_group_sex_education_estimate.csv"):
        key, group = (SEX[r["sex"]], PUBLISHED4[r["education_level"]]), SAMPLE_GROUPS[r["occupation_major_group"]]
        sure = WOMEN_IN_UNIFORM if group == "0" and key[0] == "Feminino" else 1.0
        cells[key, group] = employed[key] * float(r["share"]) * sure
        cells[key, "X"] = employed[key] * 0.003
    raked = rake(cells, employed, {g: v * sum(employed.values()) / 100 for g, v in GROUP_SHARES.items()})
    return {(*key, group): v / employed[key] for (key, group), v in raked.items()}


def occupation_kinds():
    rows, share, cells = kinds(), group_shares(), {}
    for sex in SEXES:
        for at, level in enumerate(EDUCATION4):
            part = defaultdict(float)
            for r in rows:
                women = float(r["women"])
                part[r["kind"]] = (float(r["weight"]) * (women if sex == "Feminino" else 1 - women) *
                                   float(r[f"edu{at + 1}"]))
            whole = defaultdict(float)
            for r in rows:
                whole[r["group"]] += part[r["kind"]]
            known = sum(v for (s, e, g), v in share.items() if (s, e) == (sex, level) and whole[g] > 0)
            for r in rows:
                here = whole[r["group"]]
                cells[sex, level, r["kind"]] = (share[sex, level, r["group"]] / known * part[r["kind"]] / here
                                                if here > 0 else 0.0)
    figure("occupation_kind_sex_education", ["sex", "education_level", "occupation_kind"], cells, "share", sig=6)
    seed, odds, where = {}, places().farm_odds(), places().regions()
    for at, age in enumerate(AGE_WORK):
        for of in TYPES:
            water = sum(WATERS[region] * v for region, v in where[of].items())
            for zone in ZONES:
                seed[age, f"{of} {zone}", NO_JOB] = 1.0
                for r in rows:
                    possible = int(r["youngest"]) <= last(age) and first(age) <= int(r["oldest"])
                    young = int(r["youngest"]) - first(age)  # a kind that opens within the band is rare there
                    weight = AGES[r["age"]][at] * (odds[of, zone] if r["kind"] in FARMING else
                                                   float(r["rural"]) if zone == "Rural" else 1.0)
                    weight *= water if r["kind"] in ("pescador", "extrativista") else 1.0
                    seed[age, f"{of} {zone}", r["kind"]] = weight * (0.0 if not possible else 0.4 if young > 0 else 1.0)
    figure("occupation_kind_seed", ["age", "work_place", "occupation_kind"], seed, "weight", sig=4)


FARMING = ("agricultor", "pescador", "extrativista", "tratador", "trabalhador_rural")
# ASSUMPTION: how common fishers and gatherers are next to farmers: by rivers and on the coasts of the North and Northeast.
WATERS = {"Norte": 4.0, "Nordeste": 1.6, "Sudeste": 0.35, "Sul": 0.4, "Centro-Oeste": 0.25}


# The spelling of the classification of 2002 brought up to date, and its slips set right.
SPELLING = [("ü", "u"), ("vôo", "voo"), ("policia militar", "polícia militar"), ("jóias", "joias"), ("(p&d)", "(P&D)"),
            ("famacêuticos", "farmacêuticos"), ("Dj (", "DJ ("), ("(a mão)", "(à mão)"), (", a mão", ", à mão"),
            ("idéia", "ideia"), ("necrópsia", "necropsia"), ("auto-escola", "autoescola"), (", em geral", ""),
            (" em geral", ""), ("tv", "TV"), ("mão-de-obra", "mão de obra"), ("coco-da-baia", "coco-da-baía"),
            ("pãina", "paina"), ("Secretária(o) executiva(o)", "Secretário executivo"),
            ("Dirigentes de entidades", "Dirigente de entidades"), ("Professores de", "Professor de"),
            ("Mestre de cerimonias", "Mestre de cerimônias"), ("Cirurgião dentista", "Cirurgião-dentista"),
            ("Desenhista industrial gráfico (designer gráfico)", "Designer gráfico")]
WOMEN_ONLY = ("Costureira", "Mãe", "Camareira", "Arrematadeira", "Passadeira", "Parteira", "Guarda-roupeira",
              "Secretária", "Baiana")


def titles():
    """The titles of CBO 2002 by code: title, kind, weight within the kind."""
    kind_of = {p: r["kind"] for r in kinds() for p in r["prefixes"].split()}
    excluded = {r["prefix"] for r in assumption("occupation_excluded.csv")}
    kept = {r["occupation_code"] for r in assumption("occupation_kept.csv")}
    common = {r["occupation_code"]: float(r["share"]) for r in assumption("occupation_titles.csv")}
    guess = {r["occupation_code"]: float(r["count"]) for r in read("occupation_weights_cbo_estimate.csv")}
    out, seen = {}, set()
    for r in read("occupation_cbo2002.csv"):
        code, title = r["occupation_code"], r["occupation"].strip()
        for old, new in SPELLING:
            title = title.replace(old, new)
        if code not in kept and code not in common and by_prefix(dict.fromkeys(excluded, True), code):
            continue
        if title in seen:  # the same words twice in the list: told apart by the family
            title = f"{title} ({r['family'].split(' ')[0].lower()})"
        seen.add(title)
        out[code] = [title, by_prefix(kind_of, code), common.get(code), guess.get(code, 1.0)]
    out[UNNAMED[0]] = [UNNAMED[1], "nao_especificada", None, 1.0]
    rest, named = defaultdict(float), defaultdict(float)
    for _, kind, share, weight in out.values():
        rest[kind] += weight if share is None else 0.0
        named[kind] += share or 0.0
    rarer = {r["kind"]: float(r["rarer"]) for r in kinds()}
    for code, (title, kind, share, weight) in out.items():
        left = 1.0 if named[kind] == 0 else rarer[kind] if rest[kind] > 0 else 0.0
        out[code] = (title, kind, (1 - left) * share / named[kind] if share is not None else left * weight / rest[kind])
    return out


def occupations():
    listed = titles()
    women = {r["prefix"]: float(r["women"]) for r in assumption("occupation_sex.csv")}
    usual = {r["kind"]: float(r["women"]) for r in kinds()}
    lean = {r["prefix"]: [float(r[region]) for region in REGIONS] for r in assumption("occupation_regions.csv")}
    cells = {}
    for code, (title, kind, share) in listed.items():
        ratio = by_prefix(women, code)
        ratio = usual[kind] if ratio is None else ratio
        if title.startswith(WOMEN_ONLY):
            ratio = 1.0
        for sex in SEXES:
            for at, region in enumerate(REGIONS):
                tilt = (by_prefix(lean, code) or [1] * 5)[at]
                v = share * (ratio if sex == "Feminino" else 1 - ratio) * tilt
                if v > 0:
                    cells[kind, sex, region, title] = v
    for sex in SEXES:
        for region in REGIONS:
            cells[NO_JOB, sex, region, "sem ocupação"] = 1.0
    figure("occupation_title", ["occupation_kind", "sex", "region", "occupation_title"], cells, "weight", sig=3)
    levels("occupation_title", ["level", "code", "kind"],
           [["sem ocupação", "", NO_JOB]] + [[t, c, k] for c, (t, k, _) in sorted(listed.items())])
    group = {r["kind"]: GROUPS[r["group"]] for r in kinds()}
    levels("occupation_kind", ["level", "occupation"], [[NO_JOB, NO_JOB]] + [[k, g] for k, g in group.items()])
    isco = {r["prefix"]: r["isco"] for r in assumption("occupation_isco_prefix.csv")}
    isco_codes([("sem ocupação", "")] + [(t, by_prefix(isco, code)) for code, (t, _, _) in sorted(listed.items())])


# ASSUMPTION: contracts of public employees by schooling, statutory, with and without a signed work card; how much more
# often than usual for the kind of occupation a private or domestic employee has one.
PUBLIC = ((0.44, 0.16, 0.4), (0.46, 0.16, 0.38), (0.58, 0.14, 0.28), (0.68, 0.13, 0.19))
SIGNED = (0.86, 0.9, 1.0, 1.04)


def positions():
    national = {POSITION6[r["employment_position"]]: float(r["count"])
                for r in read("employment_position_national_2024.csv")}
    figure("employment_position_brazil", ["employment_position"], {(k,): v for k, v in national.items()})
    seed = {}
    for r in kinds():
        for at, level in enumerate(EDUCATION4):
            signed = min(0.99, float(r["formal"]) * SIGNED[at])
            private, public, domestic = float(r["private"]), float(r["public"]), float(r["domestic"])
            split = (1, 0, 0) if r["group"] == "0" else PUBLIC[at]
            home = (0.3 + 0.06 * at) * float(r["formal"])
            row = (private * signed, private * (1 - signed), domestic * home, domestic * (1 - home), public * split[1],
                   public * split[2], public * split[0], float(r["employer"]) * (0.6, 0.75, 1, 1.5)[at],
                   float(r["self"]), float(r["family"]))
            for position, v in zip(POSITIONS.values(), row):
                seed[r["kind"], level, position] = v
    for level in EDUCATION4:
        seed[NO_JOB, level, NO_JOB] = 1.0
    figure("position_sex", ["sex", "employment_position"],
           {(SEX[r["sex"]], r["employment_position"]): float(r["count"]) for r in read("employment_position_sex_2020.csv")})
    known, cells = places(), defaultdict(float)
    for code in known.codes:
        for position in POSITIONS_2010:
            cells[known.type_at(code), position] += known.adults[code] * known.position[code][position]
    figure("position_work_type", ["work_place", "employment_position"], cells)
    figure("employment_position_seed", ["occupation_kind", "education_level", "employment_position"], seed, "weight",
           digits=5)
