"""What they are called. A name is put together when a person is drawn, from parts that are drawn independently: the
given name (for Chinese names two syllables, composed here), a Chinese given name beside a Western one, and the surname
or patronym. No full name of a record is known to these tables, let alone kept."""

import random
from collections import defaultdict

from shared_pack.tables import assumption, figure, level_list, read

from .codes import ORIGINS, SEXES

COHORTS = {"young": "18-39", "mid": "40-59", "old": "60+"}
GIVEN, MIDDLE = 4200, 2000  # composed Chinese given names kept for a sex
CULTURES = {  # how a name is put together
    "chinese": "Family Name First", "chinese_western": "Western Name First", "malay": "Given Name and Patronym",
    "tamil": "Given Name and Patronym", "indian_muslim": "Given Name and Patronym",
    "indian_christian": "Given Name and Family Name", "malayalee": "Given Name and Family Name",
    "punjabi": "Given Name and Family Name", "north_indian": "Given Name and Family Name",
    "urdu": "Given Name and Family Name", "sinhalese": "Given Name and Family Name",
    "eurasian": "Given Name and Family Name", "caucasian": "Given Name and Family Name",
    "filipino": "Given Name and Family Name", "arab": "Given Name and Family Name",
    "thai": "Given Name and Family Name", "japanese": "Given Name and Family Name",
    "other": "Given Name and Family Name"}


def cultures():
    """P(kind of name | origin, faith, cohort). ASSUMPTION throughout but for the overall share of Western names among
    the Chinese, which is near that of the register of estate agents."""
    cells = {}
    western = {"young": (0.36, 0.72), "mid": (0.30, 0.66), "old": (0.10, 0.45)}
    for origin in ORIGINS:
        for faith in ("muslim", "christian", "other"):
            for cohort, band in COHORTS.items():
                if origin == "chinese":
                    share = western[cohort][faith == "christian"]
                    row = {"chinese": 1 - share, "chinese_western": share}
                elif origin == "malay":
                    row = {"malay": 1.0}
                elif faith == "muslim":
                    row = {"tamil": {"indian_muslim": 1.0}, "malayalee": {"indian_muslim": 1.0},
                           "other_indian": {"indian_muslim": 0.7, "urdu": 0.3}, "north_indian": {"urdu": 1.0},
                           "urdu": {"urdu": 1.0}, "arab": {"arab": 1.0}}.get(origin, {"malay": 0.6, "arab": 0.4})
                elif faith == "christian" and origin in ("tamil", "malayalee", "other_indian", "urdu"):
                    row = {"indian_christian": 1.0}
                else:
                    row = {"tamil": {"tamil": 1.0}, "malayalee": {"malayalee": 1.0},
                           "other_indian": {"tamil": 0.35, "north_indian": 0.55, "malayalee": 0.1},
                           "urdu": {"north_indian": 1.0}, "arab": {"arab": 1.0}}.get(origin, {origin: 1.0})
                for culture, v in row.items():
                    cells[origin, faith, band, culture] = v
    figure("name_culture", ["dialect_group", "religion", "age", "name_culture"], cells, "share")


def listed(role):
    """Curated names: {(culture, sex, cohort): {name: weight}}, weights falling slowly down the alphabet-free list."""
    table = defaultdict(dict)
    for r in assumption("names.csv"):
        if r["role"] != role:
            continue
        for sex in SEXES if r["sex"] == "any" else [r["sex"]]:
            for cohort in COHORTS:
                # a name of another cohort is not unheard of
                near = {("old", "mid"), ("mid", "old"), ("mid", "young"), ("young", "mid")}
                weight = 1.0 if r["cohort"] in ("any", cohort) else 0.12 if (r["cohort"], cohort) in near else 0.0
                for name in r["names"].split("|") if weight else []:
                    row = table[r["culture"], sex, cohort]
                    row[name] = max(row.get(name, 0.0), weight)
    return table


def syllables():
    cohort = defaultdict(set)
    for r in assumption("chinese_syllables.csv"):
        for s in r["syllables"].split():
            cohort[s].add(r["cohort"])
    return cohort


def age_weight(parts, cohort, known):
    """ASSUMPTION: syllables written as in Mandarin are of the young, those written as in dialect of the old."""
    weight = 1.0
    for s in parts:
        near = {"young": 1.0, "mid": 1.0, "old": 1.0}
        if known[s] or len(parts) == 1 and len(s) > 4:  # written as one word: of the young
            order = ["young", "mid", "old"]
            gap = min(abs(order.index(cohort) - order.index(k)) for k in known[s] or {"young"})
            near[cohort] = (1.0, 0.3, 0.03)[gap]
        weight *= near[cohort]
    return weight


def chinese_given():
    """Two syllables, or one: {(name, sex): weight}, {name: parts}. The most likely pairs, and a fair draw of rarer ones
    so that these are seen too."""
    first, second, female = {}, {}, {}
    for r in read("names_given_syllable_chinese.csv"):
        side = first if r["given_name_position"] == "1" else second
        side[r["given_name"]] = float(r["count"])
        p = float(r["share_female_derived"] or 0.5)
        female[r["given_name_position"], r["given_name"]] = min(max(p, 0.03), 0.97)
    rng = random.Random(65)  # fixed: the same tables give the same names
    weight = {}
    for sex in SEXES:
        pairs = []
        for a, na in first.items():
            for b, nb in second.items():
                if a == b or na < 6 or nb < 6:
                    continue
                odds = female["1", a] * female["2", b]
                against = (1 - female["1", a]) * (1 - female["2", b])
                p = odds / (odds + against)
                w = na * nb * (p if sex == "Female" else 1 - p)
                pairs.append((w ** 0.5 * -rng.random() ** 0.35, f"{a} {b}", w))
        for _, name, w in sorted(pairs)[:GIVEN]:
            weight[name, sex] = w ** 0.8
    whole = {sex: sum(v for (_, x), v in weight.items() if x == sex) for sex in SEXES}
    singles = {r["given_name"]: float(r["count"]) for r in read("names_single_given_chinese.csv")}
    merged = {name: n for name, n in singles.items() if n >= 3 and len(name) > 4}
    for name, n in merged.items():
        # written as one word: the sex that its two syllables tell
        odds = [female["1", name[:k]] / (1 - female["1", name[:k]]) * female["2", name[k:].capitalize()] /
                (1 - female["2", name[k:].capitalize()])
                for k in range(2, len(name) - 1) if ("1", name[:k]) in female and
                ("2", name[k:].capitalize()) in female]
        p = odds[0] / (1 + odds[0]) if odds else 0.5
        for sex in SEXES:
            weight[name, sex] = 0.10 * whole[sex] * n / sum(merged.values()) * 2 * (p if sex == "Female" else 1 - p)
    return weight


def western():
    weight = defaultdict(float)
    for table in ("names_western_first_chinese.csv", "names_western_alias_chinese.csv"):
        for r in read(table):
            if r["sex"] in SEXES and float(r["count"]) >= 3:
                weight[r["first_name"], r["sex"]] += float(r["count"])
    return weight


# ASSUMPTION: Western names of the old and of the young.
WESTERN_OLD = set("Albert Alice Alfred Amy Andrew Anna Annie Anthony Betty Catherine Charles Daisy David Doris Dorothy "
                  "Edward Elizabeth Frank George Gladys Grace Helen Henry James Janet Jane John Joseph Josephine Judy "
                  "Katherine Lawrence Lily Lucy Margaret Mary Michael Molly Monica Nancy Patrick Paul Peter Philip "
                  "Raymond Richard Robert Rose Rosalind Ruth Shirley Simon Stephen Susan Theresa Thomas Victor Vincent "
                  "William Winnie Christina Irene Francis Johnny Jimmy Tony Dolly Nelly Jenny".split())
WESTERN_YOUNG = set("Aaron Adeline Alicia Amanda Benjamin Brandon Bryan Cheryl Clara Claire Daniel Darren Darryl Dylan "
                    "Elijah Ethan Eugene Felicia Fiona Gabriel Gavin Gladys Glenn Hannah Isaac Ivan Jared Jasmine "
                    "Javier Jeremy Jessica Joanna Joel Jonathan Joshua Justin Keith Kimberly Kenneth Lucas Marcus "
                    "Matthew Megan Melissa Natalie Nathan Nicholas Nicole Rachel Rebecca Ryan Samantha Samuel Sarah "
                    "Sean Shawn Shermaine Stephanie Timothy Valerie Vanessa Vera Xavier Zachary Jolene Kayla Charmaine "
                    "Caleb Denise Bernice Jocelyn Amelia Chloe Emily Sophia Jayden".split())


def names():
    cultures()
    given, known, first = chinese_given(), syllables(), listed("first")
    cells, middle = {}, {}
    west = western()
    ordered = {sex: sorted((-v, n) for (n, x), v in given.items() if x == sex)[:MIDDLE] for sex in SEXES}
    for sex in SEXES:
        for cohort, band in COHORTS.items():
            for (name, x), v in given.items():
                if x == sex:
                    w = v * age_weight(name.split(), cohort, known)
                    cells["chinese", sex, band, name] = w
            for minus, name in ordered[sex]:
                middle["chinese_western", sex, band, name] = -minus * age_weight(name.split(), cohort, known)
            given_too = sum(v for k, v in middle.items() if k[:3] == ("chinese_western", sex, band))
            middle["chinese_western", sex, band, "None"] = 0.10 * given_too  # 1,048 of 10,904 in the register
            for (name, x), v in west.items():
                if x == sex:
                    old, young = name in WESTERN_OLD, name in WESTERN_YOUNG
                    w = {"old": 4.0 if old else 0.05 if young else 0.4, "mid": 1.0,
                         "young": 3.0 if young else 0.25 if old else 1.0}[cohort]
                    cells["chinese_western", sex, band, name] = v * w
            for culture in CULTURES:
                if not culture.startswith("chinese"):
                    middle[culture, sex, band, "None"] = 1.0
                    source = "indian_muslim" if culture == "urdu" else culture
                    for name, v in first[source, sex, cohort].items():
                        cells[culture, sex, band, name] = v
            middle["chinese", sex, band, "None"] = 1.0
    columns = ["name_culture", "sex", "age"]
    for table in (cells, middle):  # a trace is not worth its place
        best = defaultdict(float)
        for key, v in table.items():
            best[key[:3]] = max(best[key[:3]], v)
        for key in [k for k, v in table.items() if v < 0.0006 * best[k[:3]]]:
            del table[key]
    figure("first_name", columns + ["first_name"], cells, "share", sig=4)
    figure("middle_name", columns + ["middle_name"], middle, "share", sig=4)
    level_list("first_name", sorted({k[3] for k in cells}))
    level_list("middle_name", sorted({k[3] for k in middle}))
    surnames()


def surnames():
    last = listed("last")
    chinese = {r["last_name"]: float(r["count"]) for r in read("names_surname_chinese.csv")
               if float(r["count"]) >= 4 and r["last_name"] not in ("Nguyen", "May", "Saw", "Bay")}
    tilt = defaultdict(float)
    owned = defaultdict(set)
    for r in assumption("surnames_by_dialect.csv"):
        for name in r["surnames"].split("|"):
            tilt[r["speech"], name] = max(tilt[r["speech"], name], float(r["weight"]))
            owned[name].add(r["speech"])
    cells = {}
    for culture in CULTURES:
        for sex in SEXES:
            if culture.startswith("chinese"):
                for name, n in chinese.items():
                    for speech in ("hokkien", "teochew", "cantonese", "hakka", "hainanese", "other_chinese"):
                        w = tilt[speech, name] if speech in owned[name] else 0.12 if owned[name] else 1.0
                        cells[culture, sex, speech, name] = n * w
            elif culture == "punjabi":
                cells[culture, sex, "not_chinese", "Singh" if sex == "Male" else "Kaur"] = 1.0
            else:
                join = {"malay": "bin {}" if sex == "Male" else "binte {}",
                        "tamil": "s/o {}" if sex == "Male" else "d/o {}",
                        "indian_muslim": "s/o {}" if sex == "Male" else "d/o {}"}.get(culture, "{}")
                for name, v in last[culture, sex, "mid"].items():
                    cells[culture, sex, "not_chinese", join.format(name)] = v
    figure("last_name", ["name_culture", "sex", "dialect_group", "last_name"], cells, "share", sig=4)
    level_list("last_name", sorted({k[3] for k in cells}))
