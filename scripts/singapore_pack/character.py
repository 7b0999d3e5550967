"""What they do with free time, and what they can do."""

from collections import defaultdict

from shared_pack.bands import first, last
from shared_pack.tables import assumption, figure, level_list, levels

from .codes import ETHNICITY, SEXES

AGES_LEISURE = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75+"]
AGES_HOBBY = ["18-24", "25-34", "35-54", "55-64", "65-74", "75+"]
FAITHS = {"muslim": ["Islam"], "hindu": ["Hinduism"], "sikh": ["Sikhism"], "christian": ["Catholic", "Other Christian"],
          "buddhist_taoist": ["Buddhism", "Taoism"], "none_or_other": ["No Religion", "Other Religion"]}
# What one celebrates and cooks: the pairs of ethnic group and faith that are many enough to tell apart.
HERITAGE = {"chinese_buddhist_taoist": ("Chinese", "buddhist_taoist"), "chinese_christian": ("Chinese", "christian"),
            "chinese_other": ("Chinese", "none_or_other"), "malay_muslim": ("Malay", "muslim"),
            "indian_hindu": ("Indian", "hindu"), "indian_muslim": ("Indian", "muslim"), "indian_christian": ("Indian", "christian"),
            "indian_sikh": ("Indian", "sikh"), "indian_other": ("Indian", "none_or_other"),
            "others_christian": ("Others", "christian"), "others_muslim": ("Others", "muslim"),
            "others_other": ("Others", "none_or_other")}
INITIAL = {"c": "Chinese", "m": "Malay", "i": "Indian", "o": "Others"}
FAITH_INITIAL = {"u": "muslim", "h": "hindu", "s": "sikh", "k": "christian", "b": "buddhist_taoist"}


def heritage_of(ethnicity, faith):
    """The heritage of a pair; one too rare for its own is with the rest of its ethnic group, a Muslim with Muslims."""
    names = {pair: name for name, pair in HERITAGE.items()}
    rest = ("Others", "muslim") if faith == "muslim" else (ethnicity, "none_or_other")
    rest = ("Malay", "muslim") if ethnicity == "Malay" else rest
    return names.get((ethnicity, faith), names[rest])


def factor(tags, ethnicity, faith):
    """How a hobby goes with what one celebrates and speaks. ASSUMPTION (assumptions/hobbies.csv, column tags): `=c` of
    this group only, `m3` three times as likely, `x` not where drink, stakes or offerings forbid it to Muslims."""
    weight = 1.0
    for tag in tags.split():
        if tag == "x":
            weight *= 0.0 if faith == "muslim" else 1.0
        elif tag.startswith("=") and tag[1] in FAITH_INITIAL:
            weight *= 6.0 * (faith == FAITH_INITIAL[tag[1]])
        elif tag.startswith("="):
            weight *= float(ethnicity == {"t": "Indian"}.get(tag[1], INITIAL.get(tag[1])))
        elif tag[0] in INITIAL and INITIAL[tag[0]] == ethnicity:
            weight *= float(tag[1:])
    return weight


def hobbies():
    cells, heritage, degree = {}, {}, {}
    rows = assumption("hobbies.csv")
    for r in rows:
        digits = dict(zip(AGES_LEISURE, map(int, r["age"])))
        for age in AGES_HOBBY:
            parts = [digits[fine] for fine in AGES_LEISURE if first(age) <= first(fine) <= last(age)]
            for sex, by_sex in zip(SEXES, r["sex"]):
                v = float(r["weight"]) * sum(parts) / len(parts) * int(by_sex) / 50
                if v > 0:
                    cells[age, sex, r["hobby"]] = v
        for name, (e, faith) in HERITAGE.items():
            v = factor(r["tags"], e, faith)
            if v > 0:
                heritage[name, r["hobby"]] = v
        up = "+d" in r["tags"].split()
        degree["degree", r["hobby"]] = 1.5 if up else 0.9
        degree["no_degree", r["hobby"]] = 0.5 if up else 1.1
    figure("hobby_age_sex", ["age", "sex", "hobby"], cells, "share", sig=4)
    figure("heritage", ["ethnicity", "religion", "heritage"],
           {(e, faith, heritage_of(e, faith)): 1.0 for e in ETHNICITY.values() for faith in FAITHS}, "share")
    figure("hobby_heritage", ["heritage", "hobby"], heritage, "share", sig=4)
    figure("hobby_degree", ["education_level", "hobby"], degree, "share", sig=3)
    levels("hobby", ["level", "class"], [[r["hobby"], r["class"]] for r in rows])


def skills():
    """Weight of a skill for a cluster of occupations: by families of skills (assumptions/skill_families.csv)."""
    table = defaultdict(dict)
    for r in assumption("skills.csv"):
        for part in r["families"].split():
            family, w = part.split(":")
            table[family][r["skill"]] = float(w)
    cells = defaultdict(float)
    families = {r["cluster"]: dict(p.split(":") for p in r["families"].split())
                for r in assumption("skill_families.csv")}
    families["none"] = {"life": 10}
    for cluster, parts in families.items():
        for family, share in (parts | {"all": 1.5, "life": parts.get("life", 0.6)}).items():
            whole = sum(table[family].values())
            for skill, w in table[family].items():
                cells[cluster, skill] += float(share) * w / whole
    for skill, w in table["study"].items():
        cells["none", skill] += 0.35 * w
    figure("skill_occupation", ["occupation", "skill"], cells, "share", sig=4)
    # ASSUMPTION: those without a job are students when young; the old did not learn on a screen.
    young, screens = set(table["study"]), {"Online Banking", "Delivery Apps", "Coding Basics", "Social Media Content"}
    by_age = {}
    for r in assumption("skills.csv"):
        for age in ("18-24", "25-34", "35-59", "60+"):
            v = {"18-24": 1.0, "25-34": 0.35, "35-59": 0.004, "60+": 0.001}[age] if r["skill"] in young else 1.0
            if r["skill"] in ("Helping with Homework", "Childcare", "Caregiving", "Sewing", "Gardening", "Eldercare",
                              "Conversation across Dialects", "Household Budgeting"):
                v = {"18-24": 0.08, "25-34": 0.5, "35-59": 1.0, "60+": 1.0}[age]
            if r["skill"] in screens - young:
                v = {"60+": 0.25}.get(age, 1.0)
            by_age[age, r["skill"]] = v
    figure("skill_age", ["age", "skill"], by_age, "share")
    level_list("skill", [r["skill"] for r in assumption("skills.csv")])
