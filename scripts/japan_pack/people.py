"""Who they are: place, sex, age, nationality, schooling, marriage, households."""

from collections import defaultdict

from shared_pack.bands import first, holds, known_band
from shared_pack.raking import rake
from shared_pack.tables import figure, level_list, levels, marginal, read, total

from .codes import BROAD, EDUCATION, MARITAL, SEX, SEXES, at, prefectures

AGES5 = [f"{a}-{a + 4}" for a in range(20, 85, 5)] + ["85-89", "90-94", "95-99", "100+"]
AGES = ["18-19"] + [f"{a}-{a + 4}" for a in range(20, 85, 5)] + ["85+"]
DEATH = {"男": (0.100, 0.085), "女": (0.062, 0.095)}  # ASSUMPTION: death rate at 85, and its growth a year of age
# ASSUMPTION: how much younger the people of working age are where they outnumber the old: the log of the ratio of
# 15-64 to 65 and over, relative to the country, tilts ages by this much between 45 and 25.
YOUTH = 0.65


def single_ages():
    """National population by sex and single year of age up to 100 and over: as published to 84; the published bands
    from 85 spread within themselves as cohorts die out."""
    five = total(read("population_japan_sex_age5.csv"), [lambda r: SEX[r["sex"]], "age_group"])
    ages = defaultdict(float)
    for r in read("population_japan_sex_age1_nationality.csv"):
        if r["age"] != "85+":
            ages[SEX[r["sex"]], int(r["age"])] += float(r["count"])
    for x in SEXES:
        start, growth = DEATH[x]
        alive, survivors = 1.0, {}
        for a in range(85, 100):
            survivors[a] = alive
            alive *= 1 - min(0.9, start * (1 + growth) ** (a - 85))
        for low in (85, 90, 95):
            whole = sum(survivors[a] for a in range(low, low + 5))
            for a in range(low, low + 5):
                ages[x, a] = five[x, f"{low}-{low + 4}"] * survivors[a] / whole
        ages[x, 100] = five[x, "100+"]
    return ages, five


def population():
    """Returns adults by {(prefecture, sex, age)}."""
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    rows = [r for r in read("population_municipality_sex_agebroad.csv") if r["age_group"] in BROAD]
    broad = total(rows, [lambda r: codes[r["prefecture"]], lambda r: SEX[r["sex"]], "age_group"])
    ages, five = single_ages()
    people = {}
    for x in SEXES:
        old = {p: (broad[p, x, "15-64"]) / (broad[p, x, "65-74"] + broad[p, x, "75+"]) for p in codes.values()}
        usual = sum(broad[p, x, "15-64"] for p in old) / sum(
            broad[p, x, "65-74"] + broad[p, x, "75+"] for p in old)
        for band in BROAD:
            inside = [a for a in range(15, 101) if holds(band, a)]
            seed = {}
            for p, ratio in old.items():
                for a in inside:
                    tilt = (ratio / usual) ** (YOUTH * (45 - max(a, 22)) / 20) if band == "15-64" else 1.0
                    seed[a, p] = ages[x, a] * broad[p, x, band] * tilt
            fitted = rake(seed, {a: ages[x, a] for a in inside}, {p: broad[p, x, band] for p in old}, tolerance=1e-13)
            for (a, p), v in fitted.items():
                people[p, x, a] = v
    adults = {k: v for k, v in people.items() if k[2] >= 18}
    marginal("population_prefecture", ["prefecture"], adults)
    marginal("population_sex_prefecture", ["prefecture", "sex"], adults)
    figure("population_single_age_sex_prefecture", ["prefecture", "sex", "age"], adults, digits=6)
    figure("population_age_sex", ["sex", "age"], {k: v for k, v in five.items() if k[1] in AGES5})
    figure("population_older_sex_prefecture", ["prefecture", "sex", "age"],
           {k: v for k, v in broad.items() if k[2] != "15-64"})
    municipalities(codes, rows)
    return people


def municipalities(codes, rows):
    kinds = {"市": "市", "町": "町", "村": "村", "区": "特別区"}
    designated = {"札幌市", "仙台市", "さいたま市", "千葉市", "横浜市", "川崎市", "相模原市", "新潟市", "静岡市", "浜松市", "名古屋市", "京都市",
                  "大阪市", "堺市", "神戸市", "岡山市", "広島市", "北九州市", "福岡市", "熊本市"}
    named, cells = {}, defaultdict(float)
    for r in rows:
        code, name = r["municipality_code"], r["municipality_ja"]
        kind = "政令指定都市" if name in designated else kinds[name[-1]]
        named[code] = [code, name, kind, codes[r["prefecture"]]]
        band = "18-64" if r["age_group"] == "15-64" else r["age_group"]
        cells[codes[r["prefecture"]], SEX[r["sex"]], band, code] += float(r["count"])
    figure("population_municipality", ["prefecture", "sex", "age", "municipality_code"],
           {k: v for k, v in cells.items() if v > 0})
    levels("municipality_code", ["level", "municipality", "municipality_type", "prefecture"], sorted(named.values()))
    level_list("municipality", sorted({v[1] for v in named.values()}))


# ---------------------------------------------------------------------------------------------------------------------
# Nationality

# ASSUMPTION: nationality of foreign residents at the end of 2020, in rounded thousands, with the share of women, and
# how the young (under 30), the middle and the old (60 and over) weigh.
NATIONS = {"中国": (778, .55, 1.2, 1, .6), "ベトナム": (448, .43, 2.0, .5, .02), "韓国・朝鮮": (427, .53, .5, .9, 3.0),
           "フィリピン": (280, .70, .6, 1.3, .5), "ブラジル": (209, .46, .8, 1.1, .8), "ネパール": (96, .43, 1.7, .7, .02),
           "インドネシア": (67, .33, 1.8, .6, .02), "その他": (300, .46, .9, 1.1, .8)}
# ASSUMPTION: where some of them live more often than other foreign residents do.
AT_HOME = {"ブラジル": {"愛知県": 3.5, "静岡県": 4.0, "三重県": 3.5, "群馬県": 2.8, "岐阜県": 3.0, "滋賀県": 4.0, "東京都": .1, "大阪府": .2,
                    "長野県": 1.8, "島根県": 4.0, "栃木県": 1.5, "茨城県": 1.2},
           "韓国・朝鮮": {"大阪府": 2.6, "兵庫県": 2.2, "京都府": 2.4, "山口県": 2.0, "東京都": 1.1, "福岡県": 1.2},
           "中国": {"東京都": 1.3, "埼玉県": 1.3, "千葉県": 1.1}, "ネパール": {"東京都": 1.5, "福岡県": 2.5}}


def nationality():
    cells = defaultdict(float)
    for r in read("population_japan_sex_age1_nationality.csv"):
        if first(r["age"]) >= 18:
            kind = "日本" if r["nationality"] == "Japanese" else "foreign"
            cells[SEX[r["sex"]], known_band(first(r["age"]), AGES), kind] += float(r["count"])
    figure("nationality_sex_age", ["sex", "age", "nationality"], cells)
    seed = {}
    for p in prefectures().values():
        for x in SEXES:
            for a in AGES:
                seed[p["prefecture"], x, a, "日本"] = 50.0
                for n, (count, women, young, middle, old) in NATIONS.items():
                    age = young if first(a) < 30 else middle if first(a) < 60 else old
                    seed[p["prefecture"], x, a, n] = (float(p["foreign"]) * count / 2605 * age * 2 *
                                                      (women if x == "女" else 1 - women) *
                                                      AT_HOME.get(n, {}).get(p["prefecture"], 1.0))
    figure("nationality_seed", ["prefecture", "sex", "age", "nationality"], seed, "share", sig=4)


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
    for p in prefectures().values():
        lift = float(p["degree"])
        for k in EDUCATION:
            seed[p["prefecture"], k] = (lift ** 1.3 if k.startswith("大学院") else lift if k.startswith("大学") else
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


def marital():
    table = total(read("marital_status_sex_age.csv"),
                  [lambda r: SEX[r["sex"]], "age_group", lambda r: MARITAL[r["marital_status"]]])
    figure("marital_sex_age", ["sex", "age", "marital_status"], {k: v for k, v in table.items() if k[1] != "15-19"})
    seed, teens = {}, {}
    for x in SEXES:
        for m, share in (("未婚", .992), ("既婚", .0076), ("離別", .0004)):
            teens[x, "18-19", m] = share
        for a in AGES:
            for level, odds in MARRYING[x].items():
                for m in odds:
                    v = teens.get((x, a, m), 0.0) if a == "18-19" else table[x, a, m] / 1e6
                    if v:
                        seed[x, a, level, m] = v * odds[m]
    figure("marital_18_19", ["sex", "age", "marital_status"], teens, "share", digits=6)
    figure("marital_seed", ["sex", "age", "education_level", "marital_status"], seed, "share", sig=5)


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
ADULTS_IN_OTHER = 3.1  # ASSUMPTION: adults in a household that is neither of one person nor of a nuclear family


def households(people):
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    counted = total(read("household_type_municipality.csv"), [lambda r: codes[r["prefecture"]], "household_type"])
    whole = total(read("population_municipality_sex_agebroad.csv"), [lambda r: codes[r["prefecture"]]])
    stated, adults = defaultdict(float), defaultdict(float)
    for r in read("population_municipality_sex_agebroad.csv"):
        if r["age_group"] != "not_stated":
            stated[codes[r["prefecture"]]] += float(r["count"])
    for (p, _, a), v in people.items():
        adults[p] += v if a >= 18 else 0.0
    cells = {}
    for p in adults:
        grown = whole[p,] * adults[p] / stated[p]  # those of unknown age are taken to be as the others
        cells[p, "alone"] = counted[p, "single_person"] / grown
        cells[p, "other"] = counted[p, "other"] * ADULTS_IN_OTHER / grown
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
                            seed[x, a, m, job, k] = v
    figure("household_seed", ["sex", "age", "marital_status", "labour_status", "household_type"], seed, "share", sig=4)


# ASSUMPTION: people in the household by its kind (and, for couples with children, before 60 and after).
SIZES = {"単独世帯": {1: 1}, "夫婦のみの世帯": {2: 1}, "ひとり親と子どもの世帯": {2: .62, 3: .29, 4: .07, 5: .02},
         "三世代などの世帯": {2: .06, 3: .20, 4: .23, 5: .23, 6: .17, 7: .11}, "施設などの世帯": {0: 1}}
COUPLE = {18: {3: .42, 4: .43, 5: .125, 6: .025}, 60: {3: .74, 4: .22, 5: .04}}


def household_size():
    cells = {}
    for low, band in ((18, "18-59"), (60, "60+")):
        for k in HOUSEHOLDS:
            for n, v in (SIZES.get(k) or COUPLE[low]).items():
                cells[band, k, n] = v
    figure("household_size", ["age", "household_type", "household_size"], cells, "share", digits=6)
