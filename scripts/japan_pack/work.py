"""What they do: labour status, kind of employment, occupation, industry."""

from collections import defaultdict
from itertools import product

from shared_pack.bands import first, known_band, last
from shared_pack.raking import rake
from shared_pack.tables import assumption, figure, level_list, levels, manifest_section, read, total

from .codes import (EMPLOYMENT, EMPLOYMENT6, GROUPS, INDUSTRIES, LABOUR, LETTERS, SECTORS, SEX, SEXES,
                    prefectures, published)

AGES_LABOUR = ["18-19"] + [f"{a}-{a + 4}" for a in range(20, 85, 5)] + ["85+"]
# ASSUMPTION: shares of those aged 15 to 17, and of 18 and 19, by status; men, then women.
YOUNG = {"15-17": {"男": (.055, .004), "女": (.065, .004)}, "18-19": {"男": (.36, .022), "女": (.385, .018)}}
# ASSUMPTION: odds of work and of looking for it by marital status (before 60, and after) and by enrolment.
MARRIED = {"男": {"未婚": (1, 1), "既婚": (4.0, .7), "離死別": (1.6, 1.1)},
           "女": {"未婚": (1, 1), "既婚": (.33, .33), "離死別": (1.15, .8)}}
STUDYING = {"高校": (.028, .03), "大学など": (.10, .12)}
STANDINGS = ["未婚", "既婚", "離死別", "大学など", "高校"]  # what work depends on: those at school are as good as all single


def labour(people):
    """Official totals by prefecture and sex, less an estimate of those aged 15 to 17; age shares as estimated."""
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    table = total(read("labour_status_municipality_sex.csv"),
                  [lambda r: codes[r["prefecture"]], lambda r: SEX[r["sex"]], lambda r: LABOUR[r["labour_status"]]])
    ages = total(read("labour_status_sex_age_estimate.csv"),
                 [lambda r: SEX[r["sex"]], "age_group", lambda r: LABOUR[r["labour_status"]]])
    old = defaultdict(float)
    for (p, x, a), v in people.items():
        old[p, x, "15-17" if a < 18 else "18+"] += v
        if a >= 18:
            old[x, known_band(a, AGES_LABOUR)] += v
    kinds = list(LABOUR.values())
    cells, national = {}, defaultdict(float)
    for p in codes.values():
        for x in SEXES:
            whole = sum(table[p, x, k] for k in kinds)
            scale = (old[p, x, "15-17"] + old[p, x, "18+"]) / whole
            work, seek = YOUNG["15-17"][x]
            young = dict(zip(kinds, (work, seek, 1 - work - seek)))
            left = {k: table[p, x, k] * scale - young[k] * old[p, x, "15-17"] for k in kinds}
            for k in kinds:
                cells[p, x, k] = left[k] / sum(left.values())
                national[x, k] += cells[p, x, k] * old[p, x, "18+"]
    figure("labour_sex_prefecture", ["prefecture", "sex", "labour_status"], cells, "share", digits=12)
    shares, seed = {}, {}
    for x in SEXES:
        start = {}
        for a in AGES_LABOUR:
            work, seek = YOUNG["18-19"][x]
            row = (dict(zip(kinds, (work, seek, 1 - work - seek))) if a == "18-19" else
                   {k: ages[x, a, k] for k in kinds})
            for k in kinds:
                start[a, k] = row[k] / sum(row.values()) * old[x, a]
        fitted = rake(start, {a: old[x, a] for a in AGES_LABOUR}, {k: national[x, k] for k in kinds}, tolerance=1e-14)
        for (a, k), v in fitted.items():
            shares[x, a, k] = v / old[x, a]
            for standing in STANDINGS:
                share = shares[x, a, k]
                if k == kinds[0]:
                    share *= (STUDYING[standing][0] if standing in STUDYING else
                              MARRIED[x][standing][0 if first(a) < 60 else 1])
                if k == kinds[1]:
                    share *= STUDYING[standing][1] if standing in STUDYING else .5 if standing == "既婚" else 1.0
                seed[x, a, standing, k] = share
    figure("labour_sex_age", ["sex", "age", "labour_status"], shares, "share", digits=12)
    figure("labour_seed", ["sex", "age", "standing", "labour_status"], seed, "share", sig=5)
    figure("standing", ["marital_status", "enrolment", "standing"],
           {(m, school, m if school == "no" else school): 1.0 for m in STANDINGS[:3] for school in ("no", "大学など", "高校")},
           "share")
    return cells


AGES_EMPLOYMENT = ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"]
# ASSUMPTION: kind of employment of those with a job, in per cent, in the order of EMPLOYMENT, by first age.
KINDS = {"男": {18: (68, 9, 14, 7.2, .1, 1.2, .5), 25: (74, 8, 5, 8.5, 1, 3, .5), 35: (73, 5, 3, 8, 4, 6.5, .5),
               45: (68, 5, 3, 8.5, 6.5, 8.5, .5), 55: (52, 12, 7, 7, 9, 12.5, .5), 65: (14, 13, 26, 1.5, 13, 31, 1.5)},
         "女": {18: (60, 9, 23, 6.5, .05, 1, .45), 25: (58, 9, 20.5, 8, .5, 3, 1), 35: (43, 9, 34, 6, 1.5, 4.5, 2),
               45: (37, 9, 40, 5.5, 2.3, 4, 2.2), 55: (27, 9, 46, 4, 3.5, 5.5, 5), 65: (8, 5, 48, .8, 7.2, 17, 14)}}
# ASSUMPTION: how marriage goes with the kind of employment of men from 25 to 64: (married, others), next to all.
SETTLED = {"正社員・正職員": (1.05, .93), "契約・派遣社員": (.8, 1.25), "パート・アルバイト": (.4, 1.75), "会社役員": (1.15, .65)}
STUDENTS = (4, 1.5, 93, .2, .05, 1.2, .05)


# ASSUMPTION: how schooling goes with the kind of employment, next to all of the same sex and age, in the order of
# EMPLOYMENT (Employment Status Survey, from memory, rounded).
LEARNED = {"low": (.88, 1.1, 1.25, .6, .9, 1.15, 1.15), "mid": (1.04, 1.0, 1.0, .85, .95, .95, .95),
           "high": (1.12, .95, .62, 1.6, 1.15, .85, .75)}
CAREERS = {"junior_high_school": "low", "high_school": "low", "junior_college_technical_college": "mid",
           "university": "high", "graduate_school": "high"}


def employment():
    schooling = defaultdict(float)
    for r in read("education_sex_age_estimate.csv"):
        age = max(first(r["age_group"]), 18)
        schooling[SEX[r["sex"]], known_band(age, AGES_EMPLOYMENT), CAREERS[r["education_level"]]] += float(r["count"])
    cells = {}
    for x in SEXES:
        for a in AGES_EMPLOYMENT:
            for m in ("married", "other"):
                for career in list(LEARNED) + ["在学"]:
                    row = list(STUDENTS if career == "在学" else KINDS[x][first(a)])
                    if x == "女" and 25 <= first(a) < 65:
                        row[0] *= .8 if m == "married" else 1.3
                        row[2] *= 1.25 if m == "married" else .6
                    if x == "男" and 25 <= first(a) < 65 and career != "在学":
                        row = [v * SETTLED.get(k, (1, 1))[m == "other"] for k, v in zip(EMPLOYMENT, row)]
                    if m == "other":
                        row[6] *= 1.0 if x == "男" else .15
                    if career != "在学" and first(a) >= 25:
                        whole = sum(schooling[x, a, c] for c in LEARNED)
                        usual = [sum(schooling[x, a, c] * LEARNED[c][i] for c in LEARNED) / whole for i in range(7)]
                        row = [v * LEARNED[career][i] / usual[i] for i, v in enumerate(row)]
                    for k, v in zip(EMPLOYMENT, row):
                        cells[x, a, m, career, "employed", k] = v / sum(row)
                    cells[x, a, m, career, "not", "なし"] = 1.0
    figure("employment_type", ["sex", "age", "marital_status", "career", "labour_status", "employment_type"], cells,
           "share", sig=5)


# ---------------------------------------------------------------------------------------------------------------------
# Occupations

AGES_WORK = ["18-24", "25-34", "35-49", "50-64", "65+"]
SURVEY_EDUCATION = {"junior_high_school": ["中学卒"], "high_school": ["高校卒"], "vocational_school": ["college"],
                    "junior_college_technical_college": ["college"], "university": ["arts", "science"],
                    "graduate_school": ["arts", "science"]}
TRAINING_OF = {"中学卒": ["high_school"], "高校卒": ["high_school"], "college": ["college"],
               "arts": ["arts", "graduate_arts"], "science": ["science", "graduate_science"]}
SCHOOLING = ["中学卒", "高校卒", "college", "arts", "science"]
# ASSUMPTION: main occupation groups of all the employed, men and women, in per cent, rounded, in the order of GROUPS.
MARGIN = {"男": (3.0, 17.0, 14.8, 12.9, 7.0, 3.2, 4.0, 17.0, 5.9, 7.5, 7.0),
          "女": (.6, 20.5, 28.0, 12.0, 17.9, .35, 2.9, 8.5, .25, .25, 7.9)}
# ASSUMPTION: how much more often a science graduate is in a group than an arts graduate.
SCIENCE_LEAN = {"専門的・技術的職業": 2.6, "事務": .45, "販売": .5, "サービス職業": .7, "生産工程": 1.3, "農林漁業": 1.1, "管理的職業": .9,
                "保安職業": .6}
# ASSUMPTION: age of those in kinds of employment that the wage survey does not cover, by group of occupation: relative.
FARM_AGES = {"18-24": .25, "25-34": .4, "35-49": .6, "50-64": 1.0, "65+": 2.2}
YOUNG_PART_TIME = {"販売": 1.6, "サービス職業": 1.9, "事務": .25, "専門的・技術的職業": .8, "生産工程": .4, "運搬・清掃・包装等": .7}
OLD_PART_TIME = {"販売": .7, "サービス職業": .8, "事務": .6, "専門的・技術的職業": .6, "生産工程": .8, "運搬・清掃・包装等": 2.4,
                 "保安職業": 3.0, "輸送・機械運転": 1.6}


FISHING = {"男": .1, "女": .018}  # ASSUMPTION: of those who farm, fish or work in forests, who fish
# ASSUMPTION: families that are left early, by age: next to other families of the class.
LEAVING = {"自衛": {"18-24": 1.5, "25-34": 1.4, "35-49": 1.35, "50-64": .14, "65+": 0.0}, "警察": {"65+": .1}, "消防": {"65+": .1}}


class Occupations:
    """Titles and classes of occupation, and how many of each sex and kind of employment are in a class."""

    def __init__(self):
        self.titles = assumption("occupations.csv")
        self.group = {r["occupation_class"]: r["occupation_group"] for r in self.titles}
        self.official = {k: v for k, v in total(read("occupation145_sex_employees.csv"),
                                                ["occupation", lambda r: SEX[r["sex"]]]).items() if k[0] in self.group}
        letters = defaultdict(set)
        for r in self.titles:
            letters[r["occupation_class"]] |= set(r["employment"])
        hours = {r["occupation_class"]: float(r["per_regular_employee"])
                 for r in assumption("part_time_by_occupation.csv")}
        named = {(r["occupation_class"], EMPLOYMENT6[r["employment_type"]]): r
                 for r in assumption("employment_by_occupation.csv")}
        self.weight = defaultdict(float)
        for c in self.group:
            for e, allowed in LETTERS.items():
                for i, x in enumerate(SEXES):
                    if not letters[c] & set(allowed):
                        continue
                    if e == "regular":
                        v = self.official.get((c, x), 0.0)
                    elif e == "part_time":
                        v = self.official.get((c, x), 0.0) * hours.get(c, .2)
                    elif (c, e) in named:
                        women = float(named[c, e]["share_female"])
                        v = float(named[c, e]["thousand"]) * 1000 * (women if i else 1 - women)
                    else:
                        v = self.official.get((c, x), 0.0) * .005
                    self.weight[c, e, x] = v
        # Titles of one class that differ in industry and skills make families: their share of the class.
        self.share = defaultdict(float)
        for c, e in {(c, e) for c, e, _ in self.weight}:
            mine = [r for r in self.titles if r["occupation_class"] == c and set(r["employment"]) & set(LETTERS[e])]
            for r in mine:
                self.share[c, e, r["family"]] += float(r["weight"]) / sum(float(m["weight"]) for m in mine)
        self.group_weight = defaultdict(float)
        for (c, e, x), v in self.weight.items():
            self.group_weight[self.group[c], e, x] += v

    def write_levels(self):
        rows = [[r["occupation"], detail(r["occupation_class"], r["family"]), r["isco"]] for r in self.titles]
        levels("occupation", ["level", "occupation_detail", "isco"], [["無職", "なし", ""]] + rows)
        details = dict.fromkeys((r["occupation_class"], r["family"]) for r in self.titles)
        levels("occupation_detail", ["level", "occupation_class", "family"],
               [["なし", "なし", "無職"]] + [[detail(c, f), published(c), f] for c, f in details])
        levels("occupation_class", ["level", "occupation_group"],
               [["なし", "なし"]] + [[published(c), g] for c, g in self.group.items()])
        level_list("family", ["無職"] + sorted({r["family"] for r in self.titles}))
        manifest_section("classes of occupations", [
            f'"{published(c)}" = [{", ".join(quoted(detail(d, f)) for d, f in details if d == c)}]'
            for c in self.group])


def detail(occupation_class, family):
    return f"{published(occupation_class)}|{family}"


def quoted(text):
    return f'"{text}"'


def occupation_groups(jobs, possible):
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    survey = total(read("occupation_major_sex_education_age_employees.csv"),
                   [lambda r: GROUPS.get(r["occupation"]), lambda r: SEX[r["sex"]], "education_level", "age_group"])
    groups = list(GROUPS.values())
    inside = {a: [k for k in {k[3] for k in survey} if first(a) <= max(first(k), 18) <= last(a)] for a in AGES_WORK}
    seed = {}
    for x in SEXES:
        for a in AGES_WORK:
            usual = {g: sum(survey[g, x, s, b] for s in SURVEY_EDUCATION for b in inside[a]) for g in groups}
            for s in SCHOOLING:
                rows = [k for k, v in SURVEY_EDUCATION.items() if s in v]
                here = {g: sum(survey[g, x, k, b] for k in rows for b in inside[a]) +
                        300 * usual[g] / sum(usual.values()) for g in groups}
                for g in groups:
                    share = here[g] / sum(here.values())
                    lift = share / (usual[g] / sum(usual.values()) + 1e-4)
                    lean = SCIENCE_LEAN.get(g, 1.0) ** (.5 if s == "science" else -.5 if s == "arts" else 0)
                    for kind in LETTERS:
                        v = jobs.group_weight[g, kind, x]
                        if v <= 0:
                            continue
                        if kind == "regular":
                            cell = share
                        else:
                            cell = v / sum(jobs.group_weight[h, kind, x] for h in groups) * min(lift, 4.0) ** .7
                            if kind in ("self", "family", "officer") and g == "農林漁業":
                                cell *= FARM_AGES[a]
                            if kind == "part_time":
                                cell *= (YOUNG_PART_TIME if a == "18-24" else OLD_PART_TIME if a == "65+" else {}).get(
                                    g, 1.0)
                        fish = FISHING[x]
                        for section, part in {"農林漁業": {"農林業": 1 - fish, "漁業": fish}}.get(g, {g: 1.0}).items():
                            if all((kind, section, x, a, t) in possible for t in TRAINING_OF[s]):
                                seed[kind, x, a, s, section] = cell * lean * part
    for x in SEXES:
        for a in AGES_WORK:
            for s in SCHOOLING:
                seed["none", x, a, s, "なし"] = 1.0
    figure("occupation_group_seed", ["employment_type", "sex", "age", "education_level", "occupation_section"], seed,
           "share", sig=4)

    # By prefecture: how the employees of firms depart from the country, on the groups of all the employed; farming,
    # forestry and fishing as the industry in the census.
    staff = total(read("occupation_major_prefecture_sex_employees.csv"),
                  [lambda r: codes[r["prefecture"]], lambda r: SEX[r["sex"]], lambda r: GROUPS.get(r["occupation"])])
    sector = total(read("industry_sector_municipality.csv"), [lambda r: codes[r["prefecture"]], "industry_sector"])
    land = {p: sector[p, "primary"] / sum(sector[p, k] for k in SECTORS) for p in codes.values()}
    usual_land = sum(sector[p, "primary"] for p in land) / sum(sector[p, k] for p in land for k in SECTORS)
    cells = {}
    for x in SEXES:
        nation = {g: sum(staff[p, x, g] for p in land) for g in groups}
        for p in land:
            whole = sum(staff[p, x, g] for g in groups)
            row = {}
            for g, margin in zip(groups, MARGIN[x]):
                lift = (staff[p, x, g] / whole) / (nation[g] / sum(nation.values()))
                row[g] = margin * (land[p] / usual_land if g == "農林漁業" else max(lift, .2) ** .9)
            rest = sum(v for g, v in row.items() if g != "農林漁業")
            for g in groups:
                share = row[g] / sum(MARGIN[x]) if g == "農林漁業" else (
                    row[g] / rest * (1 - row["農林漁業"] / sum(MARGIN[x])))
                cells[p, x, "employed", g] = share
            cells[p, x, "not", "なし"] = 1.0
    figure("occupation_group_sex_prefecture", ["prefecture", "sex", "employment_type", "occupation_section"],
           {k: v for k, v in cells.items() if k[2] == "employed"}, "share", digits=9)


def sections():
    """Fishing apart from farming and forestry: its part of the group in each prefecture."""
    cells = {}
    for p in prefectures().values():
        cells[p["prefecture"], "漁業"] = float(p["fishers"])
        cells[p["prefecture"], "農林業"] = 1 - float(p["fishers"])
    figure("fishers_prefecture", ["prefecture", "occupation_section"], cells, "share", digits=6)


TILTS = ["high_school", "college", "arts", "science", "graduate_arts", "graduate_science"]
# ASSUMPTION: occupations that take longer to reach than to 25, or to 35.
NOT_BEFORE_25 = {"医師", "歯科医師", "獣医師", "薬剤師", "法務従事者", "介護支援専門員(ケアマネージャー)", "大学教授(高専含む)",
                 "大学准教授(高専含む)", "大学講師・助教(高専含む)", "航空機操縦士", "研究者"}
NOT_BEFORE_35 = {"大学教授(高専含む)"}
NOT_AFTER_64 = {"航空機客室乗務員", "航空機操縦士", "ダム・トンネル掘削従事者,採掘従事者"}


# ASSUMPTION: part-time work to 24, next to that of all ages; most of those who do it are at school.
STUDENT_JOBS = {"飲食物給仕従事者": 2.5, "個人教師": 3.5, "販売店員": 1.5, "飲食物調理従事者": 1.0, "娯楽場等接客員": 1.8, "その他の運搬従事者": .8,
                "ビル・建物清掃員": .05, "清掃員(ビル・建物を除く),廃棄物処理従事者": .05, "介護職員(医療・福祉施設等)": .15,
                "訪問介護従事者": .03, "看護助手": .1, "居住施設・ビル等管理人": .02, "総合事務員": .25, "包装従事者": .4,
                "食料品・飲料・たばこ製造従事者": .35, "他に分類されない運搬・清掃・包装等従事者": .4, "警備員": .4}


def occupation_classes(jobs):
    figure("occupation_class_sex", ["employment_type", "occupation_section", "sex", "occupation_detail"],
           {("regular", jobs.group[c], x, published(c)): v for (c, x), v in jobs.official.items()
            if jobs.weight[c, "regular", x] > 0})
    staff = total(read("occupation145_age_employees.csv"), ["occupation", "age_group"])
    inside = {a: [k for k in {k[1] for k in staff} if first(a) <= max(first(k), 18) <= last(a)] for a in AGES_WORK}
    by_group = defaultdict(float)
    for (c, b), v in staff.items():
        if c in jobs.group:
            by_group[jobs.group[c], b] += v
    tilts = {r["occupation_class"]: r for r in assumption("education_by_occupation.csv")}
    families = defaultdict(dict)
    for r in jobs.titles:
        families[r["occupation_class"]][r["family"]] = True
    cells = {}
    for (c, e, x), v in jobs.weight.items():
        g, n = jobs.group[c], sum(staff[c, b] for bands in inside.values() for b in bands)
        for a in AGES_WORK:
            mine, all_ = (sum(staff[c, b] for b in inside[a]) / n,
                          sum(by_group[g, b] for b in inside[a]) /
                          sum(by_group[g, b] for i in inside.values() for b in i))
            lift = (mine + .01) / (all_ + .01)
            if e != "regular":
                lift = lift ** .5
            if a == "18-24" and c in NOT_BEFORE_25 or first(a) < 35 and c in NOT_BEFORE_35:
                lift = 0.0
            if a == "65+" and c in NOT_AFTER_64:
                lift = 0.0
            if e == "part_time" and a == "18-24":
                lift *= STUDENT_JOBS.get(c, .6)
            for s in TILTS:
                w = v * lift * float(tilts[c][s] if c in tilts else 1.0)
                for f in families[c]:
                    v_f = w * jobs.share[c, e, f] * LEAVING.get(f, {}).get(a, 1.0)
                    if v_f > 0:
                        cells[e, section(g, f), x, a, s, detail(c, f)] = v_f
    possible = {key[:5] for key in cells}
    # Configurations that nobody is in get one certain level: that keeps the table small.
    for e in list(LETTERS) + ["none"]:
        for g in [g for g in GROUPS.values() if g != "農林漁業"] + ["農林業", "漁業", "なし"]:
            for x in SEXES:
                for a in AGES_WORK:
                    for s in TILTS:
                        if (e, g, x, a, s) not in possible:
                            cells[e, g, x, a, s, "なし"] = 1.0
    figure("occupation_class_seed", ["employment_type", "occupation_section", "sex", "age", "education_level",
                                     "occupation_detail"], cells, "count", sig=3)
    return possible


def section(group, family):
    return group if group != "農林漁業" else "漁業" if family == "漁業" else "農林業"


AGES_TITLE = ["18-24", "25-34", "35-59", "60+"]
MANLY, WOMANLY = ("旅館の女将", "ホテルの客室係", "内職", "着付師", "ベビーシッター", "和裁士", "洋裁師", "養護教諭", "ピアノ講師", "歯科受付",
                  "歯科助手", "レジ係", "学校栄養士"), ("個人タクシー運転手", "宮大工", "消防士", "寿司職人", "とび職", "落語家", "バーテンダー",
                                            "そば職人", "杜氏", "陸上自衛官", "機械警備員", "ラーメン店の店主")


def titles(jobs):
    """Titles within a class, weighed by assumption: by kind of employment, sex and age where a title asks for it."""
    cells = {}
    for r in jobs.titles:
        for e, allowed in LETTERS.items():
            if not set(r["employment"]) & set(allowed):
                continue
            for x in SEXES:
                for a in AGES_TITLE:
                    if first(a) < int(r["youngest"]) or first(a) > int(r["oldest"]):
                        continue
                    few = .12 if r["occupation"] in (MANLY if x == "男" else WOMANLY) else 1.0
                    if r["occupation"] == "旅館の女将" and x == "男":
                        continue
                    for lean in ("science", "other"):
                        fits = .04 if {"science": "arts", "other": "science"}[lean] == r["lean"] else 1.0
                        cells[detail(r["occupation_class"], r["family"]), e, x, a, lean, r["occupation"]] = (
                            float(r["weight"]) * few * fits)
    # Pairs of occupation and employment that nobody is in get one certain level: that keeps the table small.
    held = {k[:2] for k in cells}
    for d in {k[0] for k in cells} | {"なし"}:
        for e in list(LETTERS) + ["none"]:
            for x, a, lean in product(SEXES, AGES_TITLE, ("science", "other")):
                if (d, e) not in held:
                    cells[d, e, x, a, lean, "無職"] = 1.0
    figure("occupation_title", ["occupation_detail", "employment_type", "sex", "age", "education_level",
                                "occupation"], cells, "weight", sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Industries

OWN_TRADE = {"教員", "保育", "看護", "医師", "大学", "給食", "学校事務", "医療技術", "療法", "鉄道", "旅客運転", "研究", "栄養", "養護", "薬剤",
             "歯科", "講師", "医療事務", "獣医"}  # public servants of these families are not counted as administration


def industries():
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    sector = total(read("industry_sector_municipality.csv"), [lambda r: codes[r["prefecture"]], "industry_sector"])
    figure("industry_sector_prefecture", ["prefecture", "industry"], sector)
    staff = total(read("industry_sex_education_age_employees.csv"),
                  [lambda r: r["industry_ja"].replace(",", "、").replace("(", "（").replace(")", "）")])
    figure("industry_regular", ["employment_type", "industry"], {("regular", k[0]): v for k, v in staff.items()})
    weights = defaultdict(dict)
    for r in assumption("industry_by_family.csv"):
        weights[r["family"]][r["industry"]] = float(r["weight"])
    unknown = {i for row in weights.values() for i in row} - set(INDUSTRIES)
    assert not unknown, f"assumptions/industry_by_family.csv: no industry {', '.join(sorted(unknown))}"
    trades = defaultdict(list)  # families alike in their industries
    for family, row in weights.items():
        mass = sum(row.values())
        trades[family in OWN_TRADE, tuple(sorted((i, round(v / mass, 3)) for i, v in row.items()))].append(family)
    manifest_section("trades", ['"無職" = ["無職"]'] + [
        f'"{t[0]}" = [{", ".join(quoted(f) for f in t)}]' for t in trades.values()])
    cells = {("none", "無職", "なし"): 1.0}
    for (own, row), listed in trades.items():
        for i, v in row:
            for e in ("regular", "public", "other"):
                if (own if e == "public" else i != "公務" or len(row) == 1):
                    cells[e, listed[0], i] = v
        if not own:
            cells["public", listed[0], "公務"] = 1.0
    for trade in [t[0] for t in trades.values()] + ["無職"]:
        for e in ("regular", "public", "other", "none"):
            if not any(k[:2] == (e, trade) for k in cells):
                cells[e, trade, "なし"] = 1.0
    figure("industry_seed", ["employment_type", "family", "industry"], cells, "share", sig=4)
