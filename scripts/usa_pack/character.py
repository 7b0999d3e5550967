"""What they are called and like: names, personality, hobbies, skills."""

import math
import re
from collections import defaultdict

from shared_pack.bands import first, last
from shared_pack.tables import assumption, figure, level_list, levels, read

from .codes import ATUS_EDUCATION, EDUCATION3, SEXES, snake
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


def names(per_group=1000, surnames=20000, middle=400):
    spelled = {r["last_name"].replace(" ", "").replace("'", "").replace(".", "").upper(): r["last_name"]
               for r in assumption("surname_spelling.csv")}
    rows = [r for r in read("surnames_race_census2020.csv") if re.fullmatch("[A-Z]{2,}", r["last_name"])]
    rows.sort(key=lambda r: (-float(r["count"]), r["last_name"]))
    cells = defaultdict(float)
    for r in rows[:surnames]:
        for race_code, column in NAME_RACES.items():
            v = round(float(r["count"]) * float(r["share_" + column] or 0))
            if v >= 40:  # rarer bearers are left out, to keep the pack small
                cells[race_code, surname(r["last_name"], spelled)] += v
    figure("last_name_race", ["race_ethnicity", "last_name"], cells)
    level_list("last_name", sorted({k[1] for k in cells}))

    census = {r["first_name"].upper(): r for r in read("first_names_sex_race_census2020.csv")}
    births = defaultdict(list)
    for r in read("first_names_birth_decade_sex_ssa.csv"):
        if r["birth_decade"] in DECADES and r["first_name"].upper() in census:
            births[r["sex"], DECADES[r["birth_decade"]]].append((-float(r["count"]), r["first_name"]))
    cells = {(sex, band, name): -count for (sex, band), listed in births.items()
             for count, name in sorted(listed)[:per_group]}
    used = sorted({k[2] for k in cells})
    shares = {}
    for name in used:
        row = {code: float(census[name.upper()]["share_" + column] or 0) for code, column in NAME_RACES.items()}
        for code, v in row.items():
            if v > 0:
                shares[code, name] = v / sum(row.values())
    figure("first_name_sex_decade", ["sex", "age", "first_name"], cells)
    figure("first_name_race", ["race_ethnicity", "first_name"], shares, "share", sig=4)
    level_list("first_name", used)

    # Middle names have no table of their own; the frequent first names alone serve, to keep the pack small.
    common = {(sex, band, name): -count for (sex, band), listed in births.items()
              for count, name in sorted(listed)[:middle]}
    used = sorted({name for _, _, name in common})
    figure("middle_name_sex_decade", ["sex", "age", "middle_name"], common)
    figure("middle_name_race", ["race_ethnicity", "middle_name"],
           {key: share for key, share in shares.items() if key[1] in used}, "share", sig=4)
    level_list("middle_name", used)


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
