"""Who they are: place, sex, age, nationality, schooling, marriage, households."""

from collections import defaultdict
from math import exp, log

from shared_pack.bands import first, known_band
from shared_pack.tables import assumption, figure, marginal, read, total

from .areas import alike, listed, write_areas
from .codes import EDUCATION, MARITAL, SEX, SEXES, at, prefectures

AGES = ["18-19"] + [f"{a}-{a + 4}" for a in range(20, 85, 5)] + ["85+"]


def population():
    """Returns those of 15 and over by {(prefecture, sex, age)}, 100 standing for 100 and over."""
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    people = total([r for r in read("population_prefecture_sex_age1.csv") if int(r["age"]) >= 15],
                   [lambda r: codes[r["prefecture"]], lambda r: SEX[r["sex"]], lambda r: int(r["age"])])
    adults = {k: v for k, v in people.items() if k[2] >= 18}
    marginal("population_prefecture", ["prefecture"], adults)
    marginal("population_sex_prefecture", ["prefecture", "sex"], adults)
    figure("population_single_age_sex_prefecture", ["prefecture", "sex", "age"], adults)
    return people


# ---------------------------------------------------------------------------------------------------------------------
# Nationality

# ASSUMPTION: nationality of foreign residents at the end of 2020, in rounded thousands, with the share of women, and
# how the young (under 30), the middle and the old (60 and over) weigh.
NATIONS = {"中国": (778, .55, 1.2, 1, .6), "ベトナム": (448, .43, 2.0, .5, .02), "韓国・朝鮮": (427, .53, .5, .9, 3.0),
           "フィリピン": (280, .70, .6, 1.3, .5), "ブラジル": (209, .46, .8, 1.1, .8), "ネパール": (96, .43, 1.7, .7, .02),
           "インドネシア": (67, .33, 1.8, .6, .02), "その他": (300, .46, .9, 1.1, .8)}
# ASSUMPTION: where some of them live more often than other foreign residents do.
AT_HOME = {"ブラジル": {"愛知県": 3.5, "静岡県": 4.0, "群馬県": 2.8, "滋賀県": 3.0, "東京都": .1, "大阪府": .2, "栃木県": 1.4, "島根県": 1.5},
           "韓国・朝鮮": {"大阪府": 2.6, "京都府": 2.3, "島根県": 1.3, "東京都": 1.1, "福岡県": 1.2},
           "中国": {"東京都": 1.3, "埼玉県": 1.2}, "ネパール": {"東京都": 1.5, "福岡県": 2.5}}
# ASSUMPTION: prefectures with as many foreign residents, of much the same nationalities, are one area.
FOREIGN_AREAS = {"東京都": ["東京都"], "大阪府": ["大阪府"], "愛知県": ["愛知県"], "静岡県": ["静岡県", "三重県"], "群馬県": ["群馬県", "岐阜県"],
                 "滋賀県": ["滋賀県"], "京都府": ["京都府", "兵庫県"], "埼玉県": ["埼玉県", "千葉県", "神奈川県"], "福岡県": ["福岡県"],
                 "栃木県": ["茨城県", "栃木県", "長野県", "山梨県", "富山県", "福井県"],
                 "島根県": ["石川県", "島根県", "岡山県", "広島県", "山口県", "香川県", "沖縄県", "大分県"],
                 "宮城県": ["宮城県", "奈良県", "熊本県", "愛媛県", "徳島県", "福島県", "新潟県", "鳥取県", "佐賀県"],
                 "北海道": ["北海道", "山形県", "和歌山県", "長崎県", "宮崎県", "鹿児島県", "高知県", "岩手県"], "秋田県": ["青森県", "秋田県"]}
# Families of occupations by who may, or does, come from abroad to do them. Office is what is not listed.
FOREIGN_WORK = {
    "無職": "無職", "public": "公務事務 自衛 警察 消防", "licensed": "医師 看護 薬剤 保育 教員 養護 法務 会計士 獣医 医療技術 療法 歯科 栄養 学校事務 福祉 郵便",
    "factory": "組立 食品製造 金属 包装 機械加工 検査 樹脂 化学製造 木紙 繊維 製造他 印刷 窯業 塗装 酒造 菓子 運搬 清掃",
    "building": "設備 建設 大工 土木 重機", "service": "接客 調理 旅館 給食 洗濯 宿泊 介護 店員", "land": "農業 畜産 漁業",
    "expert": "情報 大学 研究 機械技術 電機技術 化学技術 講師 企画 経営専門 文筆 音楽 美術 専門他 品質"}
# ASSUMPTION: what those at work do, in per cent, in the order factory, building, service, land, expert, licensed, office
# (Situation of Notified Foreign Workers 2020 by industry and visa, from memory, rounded); 日本 is all the employed. Civil
# service, police and defence are for nationals by law: nobody else is there, and few are teachers or nurses. Last, how
# many are without work next to the Japanese of the same sex and age.
WORK = {"日本": (20.5, 5.1, 18.5, 3.1, 8.5, 13.5, 27.5, 1.0), "中国": (27, 3, 23, 2, 17, 2, 26, 1.0),
        "ベトナム": (47, 12, 22, 4, 7, .7, 7.3, .6), "韓国・朝鮮": (14, 5, 23, .7, 14, 3.3, 40, 1.0), "フィリピン": (48, 5, 28, 3, 4, 1.5, 10.5, .9),
        "ブラジル": (70, 5, 9, 1, 3, .5, 11.5, .7), "ネパール": (28, 1, 53, .7, 6, .6, 10.7, .8), "インドネシア": (45, 12, 16, 12, 5, 3, 7, .5),
        "その他": (21, 3, 23, 2, 30, 1.5, 19.5, .9)}


def nationality():
    cells = defaultdict(float)
    for r in read("population_japan_sex_age1_nationality.csv"):
        if first(r["age"]) >= 18:
            kind = "日本" if r["nationality"] == "Japanese" else "foreign"
            cells[SEX[r["sex"]], known_band(first(r["age"]), AGES), kind] += float(r["count"])
    figure("nationality_sex_age", ["sex", "age", "nationality"], cells)
    families = sorted({r["family"] for r in assumption("occupations.csv")})
    kinds = {k: names.split() for k, names in FOREIGN_WORK.items()}
    kinds["office"] = [f for f in families if not any(f in names for names in kinds.values())]
    write_areas("work of foreigners", kinds)
    write_areas("foreign areas", FOREIGN_AREAS)
    foreign = {p["prefecture"]: float(p["foreign"]) for p in prefectures().values()}
    seed = {}
    for area, ps in FOREIGN_AREAS.items():
        here = sum(foreign[p] for p in ps) / len(ps)
        for x in SEXES:
            for a in AGES:
                for w, work in enumerate(["factory", "building", "service", "land", "expert", "licensed", "office", "無職",
                                          "public"]):
                    seed[area, x, a, work, "日本"] = 50.0
                    if work == "public":
                        continue
                    for n, (count, women, young, middle, old) in NATIONS.items():
                        age = young if first(a) < 30 else middle if first(a) < 60 else old
                        tie = WORK[n][w] if work == "無職" else WORK[n][w] / WORK["日本"][w] / (
                            1.2 if x == "女" and work == "building" else 1.0)
                        seed[area, x, a, work, n] = (here * count / 2605 * age * 2 * tie *
                                                     (women if x == "女" else 1 - women) *
                                                     AT_HOME.get(n, {}).get(area, 1.0))
    figure("nationality_seed", ["prefecture", "sex", "age", "family", "nationality"], seed, "share", sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Schooling

AGES_SCHOOL = ["18", "19", "20", "21", "22", "23", "24"] + [f"{a}-{a + 4}" for a in range(25, 85, 5)] + ["85+"]
# ASSUMPTION: the school career to 24, by single year of age on 1 October; men, then women. Left over: 高校卒.
CAREER = {18: [{"中学卒": .52}, {"中学卒": .515}], 19: [{"中学卒": .035}, {"中学卒": .025}],
          20: [{"中学卒": .035, "短大卒": .075, "高専卒": .008}, {"中学卒": .025, "短大卒": .14, "高専卒": .002}],
          21: [{"中学卒": .035, "短大卒": .15, "高専卒": .016}, {"中学卒": .025, "短大卒": .27, "高専卒": .004}],
          22: [{"中学卒": .035, "短大卒": .15, "高専卒": .016, "大学卒": .27, "理系": .36},
               {"中学卒": .025, "短大卒": .27, "高専卒": .004, "大学卒": .25, "理系": .30}],
          23: [{"中学卒": .035, "短大卒": .15, "高専卒": .016, "大学卒": .47, "理系": .38},
               {"中学卒": .025, "短大卒": .27, "高専卒": .004, "大学卒": .45, "理系": .31}],
          24: [{"中学卒": .035, "短大卒": .15, "高専卒": .016, "大学卒": .47, "理系": .36, "大学院卒": .036, "院理系": .82},
               {"中学卒": .025, "短大卒": .27, "高専卒": .004, "大学卒": .48, "理系": .30, "大学院卒": .012, "院理系": .6}]}
# ASSUMPTION: from 25 on, by age: the share of science in university degrees, in graduate degrees, and of the technical
# colleges (founded in 1962) among those counted with the junior colleges.
SCIENCE = {"男": {25: .37, 45: .36, 65: .35}, "女": {25: .30, 35: .25, 45: .19, 55: .14, 65: .12}}
GRADUATE_SCIENCE = {"男": {25: .80, 45: .77, 65: .74}, "女": {25: .58, 45: .50}}
TECHNICAL = {"男": {25: .13, 60: .14, 70: .10, 75: 0.0}, "女": {25: .012, 45: .005, 65: 0.0}}


def split(levels_of):
    """Shares of the eight levels from shares of fewer."""
    out = dict.fromkeys(EDUCATION, 0.0)
    university, graduate = levels_of.get("大学卒", 0.0), levels_of.get("大学院卒", 0.0)
    for k in ("中学卒", "高校卒", "短大卒", "高専卒"):
        out[k] = levels_of.get(k, 0.0)
    out["大学卒 理系"] = university * levels_of.get("理系", 0.0)
    out["大学卒 文系"] = university - out["大学卒 理系"]
    out["大学院卒 理系"] = graduate * levels_of.get("院理系", 0.0)
    out["大学院卒 文系"] = graduate - out["大学院卒 理系"]
    return out


DEGREE_AREAS = 18  # prefectures with as many degrees are one area


def education():
    table = total(read("education_sex_age_estimate.csv"),
                  [lambda r: SEX[r["sex"]], "age_group", "education_level"])
    cells, seed = {}, {}
    for x in SEXES:
        for a in AGES_SCHOOL:
            age = first(a)
            if age < 25:
                shares = dict(CAREER[age][SEXES.index(x)])
                named = ("中学卒", "短大卒", "高専卒", "大学卒", "大学院卒")
                shares["高校卒"] = 1 - sum(shares.get(k, 0.0) for k in named)
            else:
                row = {k[2]: v for k, v in table.items() if k[:2] == (x, a)}
                whole, college = sum(row.values()), row["junior_college_technical_college"]
                technical = at(TECHNICAL[x], age)
                shares = {"中学卒": row["junior_high_school"], "高校卒": row["high_school"],
                          "短大卒": college * (1 - technical), "高専卒": college * technical,
                          "大学卒": row["university"], "大学院卒": row["graduate_school"]}
                shares = {k: v / whole for k, v in shares.items()}
                shares |= {"理系": at(SCIENCE[x], age), "院理系": at(GRADUATE_SCIENCE[x], age)}
            for k, v in split(shares).items():
                if v > 0:
                    cells[x, a, k] = v
    figure("education_sex_age", ["sex", "age", "education_level"], cells, "share", digits=9)
    lifts = {p["prefecture"]: log(float(p["degree"])) for p in prefectures().values()}
    areas = listed(alike({p: [v] for p, v in lifts.items()}, DEGREE_AREAS))
    write_areas("degree areas", areas)
    for area, ps in areas.items():
        lift = exp(sum(lifts[p] for p in ps) / len(ps))
        for k in EDUCATION:
            seed[area, k] = (lift ** 1.3 if k.startswith("大学院") else lift if k.startswith("大学") else
                                        1.0 if k in ("短大卒", "高専卒") else lift ** -.6 if k == "中学卒" else 1.0)
    figure("education_seed", ["prefecture", "education_level"], seed, "share", sig=4)


# ASSUMPTION: who of each level of schooling is at school, by age; (men, women).
ENROLLED = {
    "中学卒": {18: {"高校": (.94, .955)}, 19: {"高校": (.05, .05)}, 20: {"高校": (.02, .02)}, 23: {}},
    "高校卒": {18: {"大学": (.54, .50), "短大・専門学校": (.19, .28)}, 19: {"大学": (.58, .52), "短大・専門学校": (.18, .27)},
             20: {"大学": (.64, .61), "短大・専門学校": (.10, .16)}, 21: {"大学": (.68, .70), "短大・専門学校": (.03, .03)},
             22: {"大学": (.50, .52), "短大・専門学校": (.02, .02)}, 23: {"大学": (.17, .14)}, 24: {"大学": (.07, .05)},
             25: {"大学": (.006, .005), "短大・専門学校": (.004, .005)}, 30: {"大学": (.001, .001)}, 40: {}},
    "短大卒": {20: {"大学": (.04, .04)}, 22: {"大学": (.02, .02)}, 24: {}},
    "高専卒": {20: {"大学": (.35, .35)}, 22: {"大学": (.08, .08)}, 24: {}},
    "大学卒 文系": {22: {"大学院": (.04, .04)}, 24: {"大学院": (.02, .02)}, 25: {"大学院": (.003, .003)}, 45: {}},
    "大学卒 理系": {22: {"大学院": (.36, .20)}, 24: {"大学院": (.19, .10)}, 25: {"大学院": (.02, .015)}, 30: {"大学院": (.002, .002)},
               45: {}},
    "大学院卒 文系": {24: {"大学院": (.15, .15)}, 30: {"大学院": (.03, .03)}, 40: {}},
    "大学院卒 理系": {24: {"大学院": (.10, .10)}, 30: {"大学院": (.01, .01)}, 40: {}},
}
AGES_ENROLLED = ["18", "19", "20", "21", "22", "23", "24", "25-29", "30-39", "40-44", "45+"]


def enrolment():
    cells = {}
    for k in EDUCATION:
        for a in AGES_ENROLLED:
            table = ENROLLED[k]
            here = at(table, first(a)) if first(a) >= min(table) else {}
            for i, x in enumerate(SEXES):
                for school, share in here.items():
                    cells[k, a, x, school] = share[i]
                cells[k, a, x, "なし"] = 1 - sum(v[i] for v in here.values())
    figure("enrolment", ["education_level", "age", "sex", "enrolment"], cells, "share", digits=6)


# ---------------------------------------------------------------------------------------------------------------------
# Marriage and households

# ASSUMPTION: the odds of each status by schooling (low: to 高校卒; mid: 短大卒, 高専卒; high), next to the mean.
MARRYING = {"男": {"low": {"未婚": 1.25, "既婚": .85, "離別": 1.3, "死別": 1.05}, "mid": {"未婚": 1, "既婚": 1, "離別": 1, "死別": 1},
                  "high": {"未婚": .8, "既婚": 1.2, "離別": .65, "死別": .95}},
            "女": {"low": {"未婚": .95, "既婚": .97, "離別": 1.4, "死別": 1.05}, "mid": {"未婚": .9, "既婚": 1.07, "離別": 1, "死別": 1},
                  "high": {"未婚": 1.15, "既婚": 1.0, "離別": .6, "死別": .92}}}


# ASSUMPTION: where people marry less, or part more: the odds of 未婚 of men and of women, and of 離別, next to the country
# (never married at 50 by prefecture, National Institute of Population and Social Security Research, from memory, rounded).
MARRYING_IN = {"東京都": (1.15, 1.65, .95), "沖縄県": (1.25, 1.2, 1.6), "大阪府": (1.0, 1.15, 1.15), "福井県": (.92, .68, .8),
               "茨城県": (1.12, .85, 1.0), "岡山県": (1.0, .95, 1.0)}
MARRIAGE_AREAS = {"大阪府": ["北海道", "京都府", "大阪府", "福岡県", "高知県"],
                  "福井県": ["富山県", "石川県", "福井県", "長野県", "岐阜県", "愛知県", "三重県", "滋賀県", "奈良県"],
                  "茨城県": ["青森県", "岩手県", "秋田県", "山形県", "福島県", "茨城県", "栃木県", "群馬県", "新潟県", "山梨県", "静岡県"]}
# ASSUMPTION: odds of being or having been married for those at school, next to others of their age: to 29, and after.
AT_SCHOOL = (.05, .25)


def marital():
    table = total(read("marital_status_sex_age.csv"),
                  [lambda r: SEX[r["sex"]], "age_group", lambda r: MARITAL[r["marital_status"]]])
    figure("marital_sex_age", ["sex", "age", "marital_status"], {k: v for k, v in table.items() if k[1] != "15-19"})
    placed = {p for ps in MARRIAGE_AREAS.values() for p in ps} | {"東京都", "沖縄県"}
    areas = {"東京都": ["東京都"], "沖縄県": ["沖縄県"]} | MARRIAGE_AREAS
    areas["岡山県"] = [p["prefecture"] for p in prefectures().values() if p["prefecture"] not in placed]
    write_areas("marriage areas", areas)
    seed, teens = {}, {}
    for x in SEXES:
        for m, share in (("未婚", .992), ("既婚", .0076), ("離別", .0004)):
            teens[x, "18-19", m] = share
        for a in AGES:
            for level, odds in ({**MARRYING[x], "在学": dict.fromkeys(MARITAL.values(), 1.0)}).items():
                for m in odds:
                    v = teens.get((x, a, m), 0.0) if a == "18-19" else table[x, a, m] / 1e6
                    if level == "在学" and m != "未婚":
                        v *= AT_SCHOOL[0 if first(a) < 30 else 1]
                    for area in areas:
                        man, woman, divorced = MARRYING_IN[area]
                        here = {"未婚": man if x == "男" else woman, "離別": divorced}.get(m, 1.0)
                        if v:
                            seed[area, x, a, level, m] = v * odds[m] * here
    figure("marital_18_19", ["sex", "age", "marital_status"], teens, "share", digits=6)
    figure("marital_seed", ["prefecture", "sex", "age", "career", "marital_status"], seed, "share", sig=5)
    figure("career", ["education_level", "enrolment", "career"],
           {(k, school, k if school == "no" else "在学"): 1.0 for k in MARRYING["男"] for school in ("no", "yes")}, "share")


HOUSEHOLDS = ["単独世帯", "夫婦のみの世帯", "夫婦と子どもの世帯", "ひとり親と子どもの世帯", "三世代などの世帯", "施設などの世帯"]
AGES_HOME = ["18-19", "20-24", "25-29", "30-34", "35-44", "45-54", "55-59", "60-64", "65-69", "70-74", "75-79", "80-84",
             "85+"]
# ASSUMPTION: kind of household by marital status and first age; men and women apart where they differ.
HOME = {
    "未婚": {18: (.13, 0, .62, .13, .11, .01), 20: (.33, 0, .42, .12, .12, .01), 25: (.42, 0, .35, .11, .11, .01),
           30: (.42, 0, .33, .13, .11, .01), 40: (.43, 0, .28, .17, .11, .01), 50: (.48, 0, .16, .22, .13, .01),
           60: (.60, 0, .02, .21, .15, .02), 70: (.66, 0, 0, .10, .18, .06), 80: (.55, 0, 0, .03, .20, .22)},
    "既婚": {18: (.02, .40, .48, 0, .10, 0), 25: (.02, .45, .44, 0, .09, 0), 30: (.02, .28, .60, 0, .10, 0),
           35: (.025, .14, .72, 0, .115, 0), 45: (.03, .19, .63, 0, .15, 0), 55: (.03, .40, .40, 0, .17, 0),
           65: (.02, .57, .24, 0, .165, .005), 75: (.02, .62, .17, 0, .18, .01), 85: (.03, .55, .14, 0, .20, .08)},
    "離別男": {18: (.40, 0, .25, .15, .20, 0), 25: (.50, 0, .15, .20, .15, 0), 50: (.62, 0, .03, .18, .16, .01),
            65: (.68, 0, 0, .12, .14, .06)},
    "離別女": {18: (.15, 0, .15, .45, .25, 0), 25: (.18, 0, .05, .55, .22, 0), 50: (.40, 0, .01, .38, .20, .01),
            65: (.55, 0, 0, .25, .17, .03)},
    "死別": {18: (.25, 0, 0, .50, .25, 0), 50: (.40, 0, 0, .38, .22, 0), 65: (.50, 0, 0, .26, .22, .02),
           75: (.47, 0, 0, .25, .23, .05), 85: (.33, 0, 0, .22, .26, .19)},
}
# ASSUMPTION: the odds of a kind of household for women at work, next to those without: wives with small children work
# less than wives without (some 70 and 82 % at 30 to 34), those whose parents live with them more; the divorced with a
# job rather live on their own.
AT_WORK = {("女", "既婚"): {18: {"夫婦と子どもの世帯": .33, "三世代などの世帯": .55}, 25: {"夫婦と子どもの世帯": .42, "三世代などの世帯": .65},
                        35: {"夫婦と子どもの世帯": .60, "三世代などの世帯": .85}, 45: {"夫婦と子どもの世帯": 1.0, "三世代などの世帯": 1.15},
                        55: {}},
           ("女", "離別"): {18: {"単独世帯": 1.3}, 65: {}}}
ADULTS_IN_OTHER = 3.1  # ASSUMPTION: adults in a household that is neither of one person nor of a nuclear family


def households(people):
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    counted = total(read("household_type_municipality.csv"), [lambda r: codes[r["prefecture"]], "household_type"])
    adults = defaultdict(float)
    for (p, _, a), v in people.items():
        adults[p] += v if a >= 18 else 0.0
    cells = {}
    for p in adults:
        cells[p, "alone"] = counted[p, "single_person"] / adults[p]
        cells[p, "other"] = counted[p, "other"] * ADULTS_IN_OTHER / adults[p]
        cells[p, "nuclear_or_institution"] = 1 - cells[p, "alone"] - cells[p, "other"]
    figure("household_prefecture", ["prefecture", "household_type"], cells, "share", digits=9)
    seed = {}
    for x in SEXES:
        for a in AGES_HOME:
            for m in MARITAL.values():
                shares = at(HOME[m + x] if m == "離別" else HOME[m], first(a))
                away = .018 if m == "既婚" and x == "男" and 35 <= first(a) < 60 else 0.0  # posted away from the family
                for k, v in zip(HOUSEHOLDS, shares):
                    v += away if k == "単独世帯" else 0.0
                    for job in ("employed", "not"):
                        # Nobody works who lives in a home for the old; under 60 an institution is often a dormitory.
                        if v > 0 and not (k == "施設などの世帯" and job == "employed" and first(a) >= 60):
                            tie = at(AT_WORK[x, m], first(a)).get(k, 1.0) if (x, m) in AT_WORK else 1.0
                            seed[x, a, m, job, k] = v * (tie if job == "employed" else 1.0)
    figure("household_seed", ["sex", "age", "marital_status", "labour_status", "household_type"], seed, "share", sig=4)


# ASSUMPTION: people in the household by its kind (and, for couples with children, before 60 and after).
SIZES = {"単独世帯": {1: 1}, "夫婦のみの世帯": {2: 1}, "ひとり親と子どもの世帯": {2: .62, 3: .29, 4: .07, 5: .02},
         "三世代などの世帯": {2: .06, 3: .20, 4: .23, 5: .23, 6: .17, 7: .11}, "施設などの世帯": {0: 1}}
COUPLE = {18: {3: .42, 4: .43, 5: .125, 6: .025}, 60: {3: .74, 4: .22, 5: .04}}


SIZE_AREAS = 5
IN_INSTITUTIONS = .022  # ASSUMPTION: share of the people who live in institutions
SIZE_TILT = 3.5  # how steeply a size depends on how large the households of an area are


def size_areas():
    """{area: how much larger its households of two and more are than its kinds of household make them}."""
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    homes = total(read("household_type_municipality.csv"), [lambda r: codes[r["prefecture"]], "household_type"])
    whole = total(read("population_municipality_sex_agebroad.csv"), [lambda r: codes[r["prefecture"]]])
    people = {p: v * (1 - IN_INSTITUTIONS) - homes[p, "single_person"] for (p,), v in whole.items()}
    # People in a household of either kind, by least squares over the prefectures.
    nn = no = oo = np = op = 0.0
    for p, v in people.items():
        n, o = homes[p, "nuclear_family"], homes[p, "other"]
        nn, no, oo, np, op = nn + n * n, no + n * o, oo + o * o, np + n * v, op + o * v
    nuclear, other = (np * oo - op * no) / (nn * oo - no * no), (op * nn - np * no) / (nn * oo - no * no)
    ratio = {codes[k]: people[codes[k]] / (nuclear * homes[codes[k], "nuclear_family"] + other * homes[codes[k], "other"])
             for k in codes}
    areas = listed(alike({p: [v] for p, v in ratio.items()}, SIZE_AREAS))
    write_areas("areas of household size", areas)
    return {area: sum(ratio[p] for p in ps) / len(ps) for area, ps in areas.items()}


def household_size():
    cells = {}
    for area, larger in size_areas().items():
        for low, band in ((18, "18-59"), (60, "60+")):
            for k in HOUSEHOLDS:
                sizes = {n: v * larger ** (SIZE_TILT * n) for n, v in (SIZES.get(k) or COUPLE[low]).items()}
                for n, v in sizes.items():
                    cells[area, band, k, n] = v / sum(sizes.values())
    figure("household_size", ["prefecture", "age", "household_type", "household_size"], cells, "share", digits=6)
