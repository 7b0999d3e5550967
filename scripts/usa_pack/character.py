"""What they are called and like: names, personality, hobbies, skills."""

import math
import re
from collections import defaultdict

from shared_pack.bands import first, last
from shared_pack.tables import assumption, figure, level_list, levels, manifest_section, read

from .codes import ATUS_EDUCATION, EDUCATION3, LANGUAGES, SEXES, STATES, snake
from .people import BORN
from .work import MILITARY, nearest

# ---------------------------------------------------------------------------------------------------------------------
# Names

NAME_RACES = {"white": "white", "black": "black", "hispanic": "hispanic", "asian": "api", "native": "aian",
              "other": "two_or_more"}
DECADES = {"2000s": "18-24", "1990s": "25-34", "1980s": "35-44", "1970s": "45-54", "1960s": "55-64",
           "1950s": "65-74", "1940s": "75-84", "1930s": "85-94", "1920s": "95+"}


def surname(name, spelled):
    """Proper case of a surname that the Census prints in capitals without spaces or apostrophes."""
    if name in spelled:
        return spelled[name]
    if name.startswith("MC") and len(name) > 3:
        return "Mc" + name[2:].capitalize()
    return name.capitalize()


HERITAGE_RACES = {"black": "black", "hispanic": "hispanic", "asian": "asian", "pacific_islander": "asian",
                  "american_indian_or_alaska_native": "native", "other": "other", "two_or_more": "other", "white": "white"}
# ASSUMPTION: of Pacific Islanders, whom the table of surnames counts with Asians, this part bears the names listed as
# theirs, and of Asians this one.
PACIFIC = {"pacific_islander": .6, "asian": .0005}


def surnames(most=10000):
    """Surnames by race and heritage; returns how many of each race bear the names of each heritage."""
    spelled = {r["last_name"].replace(" ", "").replace("'", "").replace(".", "").upper(): r["last_name"]
               for r in assumption("surname_spelling.csv")}
    heritage = {r["last_name"].upper(): r["heritage"] for r in assumption("surname_heritage.csv")}
    rows = [r for r in read("surnames_race_census2020.csv") if re.fullmatch("[A-Z]{2,}", r["last_name"])]
    rows.sort(key=lambda r: (-float(r["count"]), r["last_name"]))
    unknown = set(heritage) - {r["last_name"] for r in rows}
    assert not unknown, f"surname_heritage.csv: no surname {unknown}"
    cells, bearers = defaultdict(float), defaultdict(float)
    for i, r in enumerate(rows):
        own = heritage.get(r["last_name"], "any")
        for race_code, column in NAME_RACES.items():
            v = round(float(r["count"]) * float(r["share_" + column] or 0))
            bearers[race_code, own] += v
            if (i < most or own != "any") and v >= 40:  # rarer bearers are left out, to keep the pack small
                cells[race_code, own, surname(r["last_name"], spelled)] += v
    figure("last_name_race", ["race_ethnicity", "heritage", "last_name"], cells)
    level_list("last_name", sorted({k[-1] for k in cells}))
    return {k: v for k, v in bearers.items() if any(key[:2] == k for key in cells)}


def heritages(bearers):
    """Of each race the part that bears the names of a heritage, and where they live and what they speak next to all of
    their race. A state or language that is not listed takes the odds of the row without one."""
    kinds = sorted({h for _, h in bearers})
    shares, seed = {}, {}
    for race, names in HERITAGE_RACES.items():
        own = {h: bearers.get((names, h), 0.0) for h in kinds}
        own["pacific"] = 0.0
        mass = sum(own.values()) or 1.0
        pacific = PACIFIC.get(race, 0.0)
        bound = {h: own[h] / mass * (1 - pacific) for h in kinds if h not in ("any", "pacific")} | {"pacific": pacific}
        shares |= {(race, h): v for h, v in bound.items()} | {(race, "any"): 1 - sum(bound.values())}
    figure("heritage_race", ["race_ethnicity", "heritage"], shares, "share", digits=9)
    ties = {(r["heritage"], r["variable"], r["level"]): float(r["odds"]) for r in assumption("heritage_ties.csv")}
    for h in kinds:
        for s in STATES:
            place = ties.get((h, "state", s), ties.get((h, "state", ""), 1.0))
            for language in LANGUAGES:
                seed[s, language, h] = place * ties.get((h, "language", language), 1.0)
    figure("heritage_seed", ["state", "language_at_home", "heritage"], seed, "share", sig=4)


# How many of those born in a decade were alive in 2020. ASSUMPTION, after life tables.
ALIVE = {"1920s": .04, "1930s": .25, "1940s": .60, "1950s": .80, "1960s": .90, "1970s": .95, "1980s": .97,
         "1990s": .98, "2000s": .99, "2010s": .995}
ABROAD = ["white", "black", "hispanic", "asian"]  # races that many were born abroad of; others are named as natives
# ASSUMPTION: of the bearers of a name in 2020 this part was born abroad in any case.
USUAL = .015


def names(per_group=520, abroad=420, middle=200):
    heritages(surnames())
    census = {r["first_name"].upper(): r for r in read("first_names_sex_race_census2020.csv")}
    births, alive = defaultdict(list), defaultdict(float)
    for r in read("first_names_birth_decade_sex_ssa.csv"):
        alive[r["sex"], r["first_name"].upper()] += float(r["count"]) * ALIVE[r["birth_decade"]]
        if r["birth_decade"] in DECADES and r["first_name"].upper() in census:
            births[r["sex"], DECADES[r["birth_decade"]]].append((-float(r["count"]), r["first_name"]))
    # Born abroad: how many more bear a name than were born with it here.
    for r in census.values():
        for sex in SEXES:
            male = float(r["share_male"])
            bearers = float(r["count"]) * (male if sex == "Male" else 1 - male)
            more = bearers - alive[sex, r["first_name"].upper()]
            if bearers >= 500:
                births[sex, "abroad"].append((-(max(0.0, more) + USUAL * bearers), r["first_name"].capitalize()))
    shares = {}
    for title, most, abroad_most in (("first", per_group, abroad), ("middle", middle, 150)):
        cells = {}
        for (sex, band), listed in births.items():
            for count, name in sorted(listed)[:abroad_most if band == "abroad" else most]:
                cells[sex, band, name] = -count
        used = sorted({k[2] for k in cells})
        for name in used:
            row = {code: float(census[name.upper()]["share_" + column] or 0) for code, column in NAME_RACES.items()}
            for code, v in row.items():
                if v > 0:
                    shares[code, name] = v / sum(row.values())
        figure(f"{title}_name_sex_decade", ["sex", "generation", f"{title}_name"], cells, digits=0)
        figure(f"{title}_name_race", ["race_ethnicity", f"{title}_name"],
               {key: share for key, share in shares.items() if key[1] in set(used)}, "share", sig=4)
        level_list(f"{title}_name", used)
    generations()


def generations():
    """By what names go: race with the decade of birth, or race alone of those born abroad."""
    bands, cells = list(DECADES.values()), {}
    groups = {f"{race} {band}": (race, band) for race in NAME_RACES for band in bands}
    groups |= {f"{race} abroad": (race, "abroad") for race in ABROAD}
    for race in NAME_RACES:
        for band in bands:
            for born in BORN:
                known = "abroad" if born == "foreign_born" and race in ABROAD else band
                cells[band, race, born, f"{race} {known}"] = 1.0
    figure("name_group", ["age", "race_ethnicity", "birth", "name_group"], cells, "share")
    level_list("name_group", list(groups))
    for section, at, listed in (("generations", 1, bands + ["abroad"]), ("races of names", 0, list(NAME_RACES))):
        manifest_section(section, [f'"{x}" = [' + ", ".join(f'"{g}"' for g, k in groups.items() if k[at] == x) + "]"
                                   for x in listed])


# ---------------------------------------------------------------------------------------------------------------------
# Hobbies and skills

def season(daily):
    """The chance of doing something at least once in 90 days that a share `daily` does on an average day, as if days
    were independent. ASSUMPTION: the published shares are of days, not of people."""
    return 1.0 - (1.0 - min(daily, 0.999)) ** 90


PRIOR = 300  # respondents by which a group's share is pulled to the mean of all


def participation(name, *columns):
    """Daily shares by activity and group, and the respondents of each group: `sample_n` counts those who did the
    activity, so the group's size is that count over the share, surest for what nearly everyone does."""
    share, surest = {}, {}
    for r in read(name):
        group, did = tuple(r[c] for c in columns), float(r["sample_n"] or 0)
        share[r["activity"], group] = float(r["share"] or 0)
        if did > surest.get(group, (0.0, 0.0))[0]:
            surest[group] = (did, did / share[r["activity"], group])
    return share, {group: asked for group, (_, asked) in surest.items()}


def hobbies():
    """Weight of a hobby: season(share of its activity), times how readily such an activity is named as a hobby
    (assumptions/hobby_activities.csv), split over the hobbies listed for it by assumed weights
    (assumptions/hobbies.csv); richly listed activities get a little more, by the power 0.25 of their number."""
    listed, part = defaultdict(list), {}
    for r in assumption("hobbies.csv"):
        listed[r["activity"]].append(r["hobby"])
        part[r["hobby"]] = float(r["weight"])
    named = {r["activity"]: float(r["weight"]) for r in assumption("hobby_activities.csv")}
    limits = {r["hobby"]: (int(r["youngest"]), int(r["oldest"])) for r in assumption("hobby_limits.csv")}
    groups = [(a, x) for a in ("18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+") for x in SEXES]
    share, asked = participation("leisure_daily_participation_age_sex_atus2003_2016.csv", "age_group", "sex")
    mean = {a: sum(share.get((a, g), 0.0) for g in groups) / len(groups) for a in listed}
    unknown = (set(listed) | set(named)) - {a for a, _ in share}
    unknown |= set(limits) - {h for items in listed.values() for h in items}
    assert not unknown, f"assumptions/hobbies.csv and its fellows: unknown {unknown}"
    cells = {}
    for activity, items in listed.items():
        whole = sum(part[item] for item in items)
        weight = named.get(activity, 1.0) * len(items) ** 0.25
        for a, x in groups:
            n = asked[a, x]
            daily = (share.get((activity, (a, x)), 0.0) * n + mean[activity] * PRIOR) / (n + PRIOR)
            for item in items:
                low, high = limits.get(item, (18, 100))
                if low <= first(a) and last(a) <= high:
                    cells[x, a, item] = weight * season(daily) * part[item] / whole
    figure("hobby_age_sex", ["sex", "age", "hobby"], cells, "share", sig=4)

    share, asked = participation("leisure_daily_participation_region_education_atus2003_2016.csv", "census_region",
                                 "education_level")
    cells = {}
    for activity, items in listed.items():
        usual = sum(share.get((activity, g), 0.0) * n for g, n in asked.items()) / sum(asked.values())
        for region in ("northeast", "midwest", "south", "west", "none"):  # Puerto Rico, in no region, as the South
            for schooling in sorted(set(EDUCATION3.values())):
                here = [g for g in asked if g[0] == ("south" if region == "none" else region) and
                        EDUCATION3[ATUS_EDUCATION[g[1]]] == schooling]
                n = sum(asked[g] for g in here)
                daily = (sum(share.get((activity, g), 0.0) * asked[g] for g in here) + usual * PRIOR) / (n + PRIOR)
                for item in items:
                    cells[region, schooling, item] = season(daily) / season(usual) if usual else 1.0
    figure("hobby_region_education", ["census_region", "education_level", "hobby"], cells, "share", sig=3)
    levels("hobby", ["level", "activity"], [[h, a] for a in sorted(listed) for h in listed[a]])


TOO_COMMON = {"Microsoft Edge", "Apple Safari", "Mozilla Firefox", "Google Chrome", "Operating system software",
              "Web browser software", "Microsoft Windows", "Facebook"}  # known by all, telling of no occupation
SKILL_LABELS = {"English Language": "Written and Spoken English", "Science": "Scientific Methods",
                "Mechanical": "Mechanical Systems", "Administrative": "Administrative Procedures",
                "Monitoring": "Performance Monitoring", "Installation": "Equipment Installation",
                "Repairing": "Equipment Repair", "Instructing": "Instruction", "Design": "Technical Design",
                "Extensible markup language XML": "XML", "Hypertext markup language HTML": "HTML",
                "Structured query language SQL": "SQL", "Structured query language  SQL": "SQL"}


def skills(order, soc, by_sex):
    """Weight of a skill: O*NET importance (skills, knowledge) or demand (technologies), times how telling the item
    is: the root of the log of the occupations over those that have it, after text retrieval."""
    kinds = {"skill": (10, 0.42), "knowledge": (6, 0.36), "technology": (8, 0.22)}
    tables = {kind: defaultdict(lambda: defaultdict(float)) for kind in kinds}
    for kind, file in (("skill", "onet_skills_top12.csv"), ("knowledge", "onet_knowledge_top8.csv")):
        for r in read(file):
            tables[kind][r["occupation_code"]][r[kind]] += max(0.0, float(r["importance"]) - 2.0)
    for r in read("onet_technology_skills_hot.csv"):
        if r["technology"] not in TOO_COMMON:
            tables["technology"][r["occupation_code"]][r["technology"]] += 4.0 if r["in_demand"] == "Y" else 0.5
    cells, everyone = defaultdict(float), defaultdict(float)
    for kind, (keep, part) in kinds.items():
        known = {o: nearest(tables[kind], soc[o]) for o in order + [MILITARY]}
        held = defaultdict(int)
        for row in known.values():
            for item in row:
                held[item] += 1
        for o, row in known.items():
            scored = [(-v * math.sqrt(math.log(1.5 * len(known) / held[i])), i) for i, v in row.items()]
            top = sorted(scored)[:keep]
            for score, item in top:
                weight = part * score / sum(t for t, _ in top)
                cells[snake(o), SKILL_LABELS.get(item, item)] += weight
                if kind == "skill":
                    everyone[item] += weight * (by_sex.get((o, "Male"), 0.0) + by_sex.get((o, "Female"), 0.0))
    # Those without a job: the skills that its workers have, and those of a home and a community.
    life = [r["skill"] for r in assumption("life_skills.csv")]
    for item, v in everyone.items():
        cells["not_in_workforce", SKILL_LABELS.get(item, item)] += 0.45 * v / sum(everyone.values())
    for item in life:
        cells["not_in_workforce", item] += 0.55 / len(life)
    figure("skill_occupation", ["occupation", "skill"], cells, "share", sig=4)
    level_list("skill", sorted({k[1] for k in cells}))
