"""What they like and can do: hobbies and skills, with assumed weights."""

from collections import defaultdict

from shared_pack.tables import assumption, figure, level_list, levels, manifest_section

from .codes import AP, SEXES, STATES, TS, ZONES

REGIONS = {"Punjab": "north", "Haryana": "north", "Delhi": "north", "Chandigarh": "north", "Himachal Pradesh": "north",
           "Uttarakhand": "north", "Jammu and Kashmir": "north", "Uttar Pradesh": "up", "Bihar": "bihar",
           "Jharkhand": "bihar", "Rajasthan": "centre", "Madhya Pradesh": "centre", "Chhattisgarh": "centre",
           "Gujarat": "gujarat", "Daman and Diu": "gujarat", "Dadra and Nagar Haveli": "gujarat",
           "Maharashtra": "west", "Goa": "west", "West Bengal": "bengal", "Tripura": "bengal",
           "Andaman and Nicobar Islands": "bengal", "Odisha": "odisha", "Tamil Nadu": "tamil", "Puducherry": "tamil",
           AP: "telugu", TS: "telugu", "Kerala": "malayalam", "Lakshadweep": "malayalam", "Karnataka": "kannada"}
WIDER = {"north": ("north", "up"), "centre": ("centre", "gujarat"), "south": ("tamil", "telugu", "malayalam",
    "kannada"),
         "east": ("bihar", "bengal", "odisha"), "bhojpuri": ("up", "bihar"), "marathi": ("west",),
         "bengali": ("bengal",), "punjabi": ("north",)}
FAITHS = {"h": ("hindu",), "m": ("muslim",), "c": ("christian",), "s": ("sikh",)}
SCHOOL = ("illiterate", "low", "high")


def regions():
    names = {s: REGIONS.get(s, "northeast") for s in STATES}
    lines = defaultdict(list)
    for s, r in names.items():
        lines[r].append(s)
    manifest_section("regions of leisure", [f"{r} = [{', '.join(chr(34) + s + chr(34) for s in v)}]"
                                            for r, v in lines.items()])
    return sorted(lines)


def hobbies():
    known = regions()
    by_age, by_home, by_place = {}, {}, {}
    rows = assumption("hobbies.csv")
    for r in rows:
        if r["hobby"] == "visiting monasteries":
            continue
        h, school, urban = r["hobby"], float(r["school"]), float(r["urban"])
        female, young, old = float(r["female"]), float(r["young"]), float(r["old"])
        lean = {"Male": 1.0, "Female": female}
        if female > 1:  # the weight lies between what women and what men have
            lean = {"Male": 0.0 if female >= 12 else female ** -0.9, "Female": female ** 0.45}
        for x in SEXES:
            for age, f in (("18-29", young), ("30-54", 0.5 if young >= 1.6 and old <= 0.1 else 1.0), ("55-100", old)):
                v = float(r["weight"]) * lean[x] * f
                if "grandchildren" in h and age == "30-54":
                    v *= 0.2
                if v:
                    by_age[x, age, h] = v
        for zone in ZONES.values():
            for e in SCHOOL:
                v = urban if zone == "Urban" else min(1.0, urban ** -0.7)
                v *= school if e == "high" else 1.0
                if e == "illiterate" and (r["class"] == "read" or school >= 1.6 or h in (
                        "writing poems", "keeping a diary", "chatting on WhatsApp", "learning computers",
                        "teaching neighbourhood children")):
                    v = 0.0
                if e == "low" and h in ("preparing for competitive exams", "reading novels", "watching web series"):
                    v *= 0.15
                by_home[zone, e, h] = v
        wanted = {w for t in r["regions"].split() for w in WIDER.get(t, (t,))} or set(known)
        assert wanted <= set(known), f"hobbies.csv: {h}: no region {wanted - set(known)}"
        faiths = FAITHS.get(r["faith"], ("hindu", "muslim", "christian", "sikh"))
        for faith in ("hindu", "muslim", "christian", "sikh"):
            for region in known:
                by_place[faith, region, h] = 1.0 if faith in faiths and region in wanted else 0.0
    figure("hobby_age_sex", ["sex", "age", "hobby"], by_age, "share", sig=3)
    figure("hobby_zone_education", ["zone", "education_level", "hobby"], by_home, "share", sig=3)
    figure("hobby_faith_region", ["religion", "state", "hobby"], by_place, "share", sig=3)
    levels("hobby", ["level", "class"], [[r["hobby"], r["class"]] for r in rows if r["hobby"] in
                                         {k[2] for k in by_age}])


# The skills of each unit group of occupations: the longest prefix counts
SKILLS = {
    "1": "manage", "1345": "teach", "13": "manage", "21": "engineer", "211": "study", "213": "study", "216": "engineer",
    "2163": "talent", "2166": "talent", "22": "care", "225": "vet", "23": "teach", "24": "money", "242": "manage",
    "243": "sell", "25": "code", "261": "law", "262": "office", "263": "study", "2635": "office", "2636": "ritual",
    "264": "talent", "265": "talent", "31": "engineer", "311": "engineer", "312": "engineer", "313": "machine",
    "314": "study", "315": "drive", "32": "care", "324": "vet", "33": "sell", "331": "money", "3321": "money",
    "334": "office", "335": "guard", "3353": "office", "3352": "office", "3351": "office", "34": "talent", "341": "law",
    "3434": "food", "35": "code", "3521": "talent", "41": "office", "42": "office", "421": "money", "431": "money",
    "432": "office", "44": "office", "51": "house", "5111": "house", "5112": "guard", "5113": "sell", "512": "food",
    "513": "food", "514": "looks", "515": "house", "516": "ritual", "5165": "drive", "52": "sell", "531": "childcare",
    "532": "care", "54": "guard", "61": "farm", "6112": "plants", "6113": "plants", "612": "livestock",
    "6122": "poultry", "6123": "rearing", "62": "water",
    "621": "forest", "63": "farm", "71": "build", "7115": "wood", "7126": "pipes", "7127": "electric", "72": "metal",
    "723": "motor", "7233": "metal", "73": "craft", "7318": "cloth", "732": "machine", "74": "electric", "75": "craft",
    "751": "food", "7516": "craft", "752": "wood", "753": "cloth", "7535": "craft", "7536": "craft", "754": "machine",
    "81": "machine", "82": "machine", "83": "drive", "911": "house", "912": "house", "9122": "labour", "92": "farm",
    "93": "labour", "9321": "machine", "9331": "cart", "9332": "cart", "94": "food", "95": "sell", "96": "labour",
    "9629": "guard", "9621": "labour", "none": "none",
}


def skills(units):
    group = {}
    for unit in ["none"] + units:
        group[unit] = next(SKILLS[unit[:n]] for n in (4, 3, 2, 1) if unit[:n] in SKILLS)
    lines = defaultdict(list)
    for unit, g in group.items():
        lines[g].append(unit)
    manifest_section("skills of occupations", [f"{g} = [{', '.join(chr(34) + u + chr(34) for u in v)}]"
                                               for g, v in sorted(lines.items())])
    listed = defaultdict(list)
    for r in assumption("skills.csv"):
        listed[r["group"]].append((r["skill"], r["literate"] == "1"))
    idle = {"household": "home", "student": "study", "retired": "elder", "looking": "study", "other": "general"}
    cells = {}
    for g in sorted(lines):
        for who in ["working"] + list(idle):
            for reads in ("illiterate", "reads"):
                for sex in SEXES:
                    row = defaultdict(float)
                    main = g if g != "none" else idle.get(who, "general")
                    for skill, literate in listed[main]:
                        row[skill] += 1.0 / len(listed[main])
                    for skill, literate in listed["general"]:
                        row[skill] += 0.14 / len(listed["general"])
                    for skill, literate in listed["home"]:
                        row[skill] += (0.22 if sex == "Female" else 0.02) / len(listed["home"])
                    if who == "looking":
                        for skill, literate in listed["sell"] + listed["build"]:
                            row[skill] += (0.4 if sex == "Male" else 0.1) / 20
                    if who in ("retired", "other"):
                        row.pop("UPI payments", None)
                        row.pop("mobile internet use", None)
                    for skill, literate in listed["general"] + listed["home"] + listed[main]:
                        if literate and reads == "illiterate":
                            row.pop(skill, None)
                    if sex == "Male":
                        row.pop("running a self-help group", None)
                    if reads == "illiterate":
                        row.pop("mobile internet use", None)
                        row.pop("UPI payments", None)
                    for skill, v in row.items():
                        cells[g, who, reads, sex, skill] = v
    figure("skill_assumed", ["occupation_unit", "labour_status", "education_level", "sex", "skill"], cells, "share",
        sig=3)
    level_list("skill", sorted({k[4] for k in cells}))
