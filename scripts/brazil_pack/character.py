"""What they are called and like: names, hobbies, skills."""

import json
import re
from collections import defaultdict

from shared_pack.tables import assumption, figure, level_list, levels, manifest_section, read

from .codes import INLAND, RACES, REGION_OF_SHORE, REGIONS, SEX, SEXES, SHORES

# Ages in 2022 of those born in a decade.
DECADES = {"2000": "18-22", "1990": "23-32", "1980": "33-42", "1970": "43-52", "1960": "53-62", "1950": "63-72",
           "1940": "73-82", "1930": "83-92", "before_1930": "93+"}
VOWEL = {"a": "á", "e": "é", "i": "í", "o": "ó", "u": "ú"}
CLOSED = {"a": "â", "e": "ê", "o": "ô"}  # before n and m


def accented(name, known):
    """A first name as it is written: from the list of assumptions/first_name_accents.csv, or by the rule that words
    in -ia and -io after a consonant bear the stress before it (Marília, Tarcísio), and -ao is -ão."""
    if name in known:
        return known[name]
    m = re.fullmatch(r"(.*?)([aeou]|i)([bcdfglmnprstvz]|rc|rl|rn|rt|rs|rg|nc|lm|lv|lc|ns|nd)i([ao])", name)
    if m and not re.search(r"[kwy]|th|ph|aria$", name.lower()) and len(name) > 4:
        head, vowel, middle, end = m.groups()
        if head.endswith("a") and vowel == "u":  # a diphthong: Bráulio
            return f"{head[:-1]}áu{middle}i{end}"
        if head == "A" and vowel == "u":
            return f"Áu{middle}i{end}"
        table = CLOSED if middle[0] in "nm" and vowel in CLOSED else VOWEL
        return f"{head}{table[vowel]}{middle}i{end}"
    return name[:-2] + "ão" if name.endswith("ao") else name


# ASSUMPTION: a third of the people live in the North and the Northeast, where some names are more common than elsewhere,
# others rarer (assumptions/first_names_region.csv).
NORTH = 0.345
NAME_REGIONS = {"Norte e Nordeste": True, "Centro-Sul": False}


def names(per_group=1000):
    known = {r["first_name"]: r["written"] for r in assumption("first_name_accents.csv")}
    dropped = {r["first_name"] for r in assumption("first_names_dropped.csv")}
    listed = defaultdict(lambda: defaultdict(float))
    for r in read("first_names_sex_decade.csv"):
        if r["first_name"] not in dropped:
            listed[SEX[r["sex"]], DECADES[r["birth_decade"]]][accented(r["first_name"], known)] += float(r["count"])
    cells, odds = {}, {r["first_name"]: float(r["odds"]) for r in assumption("first_names_region.csv")}
    for (sex, age), names_ in listed.items():
        for part, of in NAME_REGIONS.items():
            here = {}
            for name, v in names_.items():
                north = NORTH * odds.get(name, 1.0) / (NORTH * odds.get(name, 1.0) + 1 - NORTH)
                here[name] = v * (north if of else 1 - north)
            for name, v in sorted(here.items(), key=lambda x: (-x[1], x[0]))[:per_group]:
                if round(v) > 0:
                    cells[sex, age, part, name] = round(v)
    # A second given name: the published parts of names that are given names; those of women are common to Marias.
    second = defaultdict(float)
    for r in read("middle_names.csv"):
        second[SEX[r["sex"]], OF_MARY.get(r["middle_name"], r["middle_name"])] += float(r["count"])
    # In a decade it is as common, next to others, as it is as a first name.
    ever = {sex: sum(sum(v.values()) for (s, _), v in listed.items() if s == sex) for sex in SEXES}
    middle = {}
    for (sex, age), names_ in listed.items():
        part, born = {}, sum(names_.values())
        for (s, name), v in second.items():
            if s == sex:
                always = sum(x.get(name, 0.0) for (t, _), x in listed.items() if t == sex) / ever[sex]
                part[name] = v * min(4.0, max(0.02, names_.get(name, 0.0) / born / always if always else 1.0))
        for name, v in part.items():
            middle[sex, age, name] = SECOND * v / sum(part.values())
        middle[sex, age, "sem segundo nome"] = 1 - SECOND
    figure("first_name_sex_decade", ["sex", "age", "state", "first_name"], cells)
    figure("middle_name_sex_decade", ["sex", "age", "middle_name"], middle, "share", sig=5)
    written = {k[3] for k in cells}
    # No one bears the same name twice; "das Graças" and the like stand after Maria alone, "de Cássia" after Rita.
    cells, own = {}, set(OF_MARY.values())
    alike = groups_of_first_names(second, written)
    for group in alike:
        for name in {n for _, n in second} | {"sem segundo nome"}:
            fits = group == "Rita" if name == "de Cássia" else group == "Maria" if name in own else True
            taken = next((a for a in ALIKE if group in a), [group])
            weight = float(fits and name not in taken)
            if group == "Maria":
                weight *= 0.45 if name == "sem segundo nome" else 1.5
            elif name == "de Cássia":
                weight *= 12.0
            cells[group, name] = weight
    figure("middle_name_first_name", ["first_name", "middle_name"], cells, "weight")
    level_list("first_name", sorted(written))
    level_list("middle_name", ["sem segundo nome"] + sorted({k[1] for k in second}))
    text = lambda value: json.dumps(value, ensure_ascii=False)
    manifest_section("alike", [f"{text(group)} = {text(sorted(names_))}" for group, names_ in alike.items()])
    surnames()


# ASSUMPTION: a third of the people have a second given name, more of the Marias.
SECOND = 0.34
OF_MARY = {"Graças": "das Graças", "Socorro": "do Socorro", "Dores": "das Dores", "Lurdes": "de Lurdes",
           "Lourdes": "de Lourdes", "Fátima": "de Fátima", "Cássia": "de Cássia"}
ALIKE = [["Luiz", "Luís"], ["Gabriela", "Gabriele"], ["Vitória", "Victória"], ["Vítor", "Victor"], ["Manoel", "Manuel"],
         ["Carolina", "Caroline"], ["César", "Cezar"], ["Cristina", "Cristine"]]  # one name, spelled in two ways


def groups_of_first_names(second, written):
    """First names that are second names too, alike ones together; all others are `other`."""
    groups = {"Maria": ["Maria"], "Rita": ["Rita"]}
    for name in sorted({n for _, n in second} & written):
        alike = next((a for a in ALIKE if name in a), [name])
        groups[alike[0]] = sorted(set(alike) & written)
    groups["other"] = sorted(written - {n for names_ in groups.values() for n in names_})
    return groups


# ASSUMPTION: how much more often than in the country those of a race and a region bear a surname of a heritage.
HERITAGE_REGION = {"italian": (0.15, 0.08, 1.3, 3.2, 0.8), "german": (0.15, 0.05, 0.7, 5.0, 0.7),
                   "japanese": (0.3, 0.05, 1.6, 0.9, 0.7), "arab": (0.8, 0.4, 1.4, 1.0, 1.2),
                   "indigenous": (1.0, 1.0, 0.3, 0.5, 1.0), "slavic": (0.05, 0.02, 0.4, 4.0, 0.4)}
HERITAGE_RACE = {"Branca": {"italian": 1.9, "german": 1.9, "slavic": 2.0, "arab": 1.5, "japanese": 0.3},
                 "Preta": {"italian": 0.12, "german": 0.1, "slavic": 0.05, "arab": 0.3, "japanese": 0.01},
                 "Parda": {"italian": 0.4, "german": 0.3, "slavic": 0.25, "arab": 0.8, "japanese": 0.08},
                 "Amarela": {"italian": 0.2, "german": 0.1, "slavic": 0.05, "arab": 0.2, "japanese": 1.0},
                 "Indígena": {"italian": 0.05, "german": 0.03, "slavic": 0.02, "arab": 0.1, "japanese": 0.0,
                              "indigenous": 1.0}}
JAPANESE, INDIGENOUS = 0.62, 0.14  # share of the surnames of the Amarela and of the Indígena


def surnames():
    heritage, assumed = {}, {}
    for r in assumption("surnames_heritage.csv"):
        heritage[r["last_name"]] = r["heritage"]
        assumed[r["last_name"]] = float(r["count"] or 0)
    count = dict(assumed)
    for r in read("surnames.csv"):
        if r["last_name"] not in ("Deus",):
            count[r["last_name"]] = float(r["count"])
    of = defaultdict(float)
    for name, v in count.items():
        of[heritage.get(name)] += v
    cells = {}
    for race in RACES:
        for at, region in enumerate(REGIONS):
            for name, v in count.items():
                root = heritage.get(name)
                share = 1.0 if root is None else HERITAGE_RACE[race].get(root, 0.0) * HERITAGE_REGION[root][at]
                if race == "Amarela" and root == "japanese":
                    weight = JAPANESE / (1 - JAPANESE) * of[None] * v / of[root]
                elif race == "Indígena" and root == "indigenous":
                    weight = INDIGENOUS / (1 - INDIGENOUS) * of[None] * v / of[root] * HERITAGE_REGION[root][at]
                else:
                    weight = v * share
                if weight >= 1:
                    cells[race, region, name] = weight
    figure("last_name_race_region", ["race", "region", "last_name"], cells, "weight", sig=4)
    level_list("last_name", sorted({k[2] for k in cells}))


# ---------------------------------------------------------------------------------------------------------------------
# Hobbies and skills

LEISURE = ["18-29", "30-44", "45-59", "60-74", "75+"]
# ASSUMPTION: how common a pastime is at an age: young, even, adult, older, of elders alone.
AT_AGE = {"Y": (1.85, 1.15, 0.6, 0.22, 0.05), "F": (1,) * 5, "A": (1.05, 1.27, 1.1, 0.7, 0.3),
          "O": (0.38, 0.75, 1.2, 1.55, 1.5), "E": (0, 0, 0.15, 1.4, 2.0)}
HARD = {"team", "outdoor", "fit"}  # sport, whose share by sex is published
TIRING = {"team": (1, 0.92, 0.45, 0.15, 0.02), "outdoor": (1, 1, 0.85, 0.5, 0.15), "fit": (1, 1, 1, 0.8, 0.45)}
FAITH = {"r": ("catholic", "evangelical"), "c": ("catholic",), "e": ("evangelical",), "a": ("afro",),
         "s": ("spiritist",)}
FAITHS = ["catholic", "evangelical", "spiritist", "afro", "other"]


def hobbies():
    rows = assumption("hobbies.csv")
    sport = {SEX[r["group"]]: float(r["rate"]) for r in read("leisure_sport_2015.csv") if r["group_variable"] == "sex"}
    cells = {}
    for sex in SEXES:
        for at, age in enumerate(LEISURE):
            for r in rows:
                women = float(r["women"])
                weight = float(r["weight"]) * 2 * (women if sex == "Feminino" else 1 - women) * AT_AGE[r["age"]][at]
                cells[sex, age, r["hobby"]] = weight * TIRING.get(r["class"], (1,) * 5)[at]
    hard = {r["hobby"] for r in rows if r["class"] in HARD}
    part = {sex: sum(v for (s, _, h), v in cells.items() if s == sex and h in hard) for sex in SEXES}
    mean = sum(part.values()) / sum(sport.values())
    for key, v in cells.items():
        if key[2] in hard:
            cells[key] = v * sport[key[0]] * mean / part[key[0]]
    figure("hobby_age_sex", ["sex", "age", "hobby"], cells, "weight", sig=4)
    cells = {}
    for shore in SHORES:
        for faith in FAITHS:
            for r in rows:
                weight = float(r[REGION_OF_SHORE.get(shore, shore)])
                if r["coast"] == "yes" and shore in INLAND:
                    weight = 0.0
                if r["faith"] == "x":
                    weight *= 0.12 if faith == "evangelical" else 1.0
                elif r["faith"]:
                    weight *= 1.6 if faith in FAITH[r["faith"]] else 0.0
                if r["faith"] == "a":
                    weight *= 6.0
                elif r["faith"] == "s":
                    weight *= 5.0
                cells[shore, faith, r["hobby"]] = weight
    figure("hobby_shore_faith", ["shore", "religion", "hobby"], cells, "weight", sig=3)
    # Those without schooling do not name pastimes of reading and writing.
    cells = {(schooling, r["hobby"]): float(schooling == "schooled" or r["reads"] == "no")
             for schooling in ("unschooled", "schooled") for r in rows}
    figure("hobby_schooling", ["education_detail", "hobby"], cells, "weight")
    levels("hobby", ["level", "class"], [[r["hobby"], r["class"]] for r in rows])


def skills():
    rows = assumption("skills.csv")
    figure("skill_occupation", ["occupation_kind", "skill"],
           {(r["occupation_kind"], r["skill"]): float(r["weight"]) for r in rows}, "weight")
    reads = {r["skill"] for r in rows if r["reads"] == "yes"}
    figure("skill_schooling", ["education_detail", "skill"],
           {(schooling, skill): float(schooling == "schooled" or skill not in reads)
            for schooling in ("unschooled", "schooled") for skill in {r["skill"] for r in rows}}, "weight")
    level_list("skill", sorted({r["skill"] for r in rows}))
