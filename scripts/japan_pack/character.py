"""What they are called and like: names, hobbies, skills."""

import re
from collections import defaultdict
from math import sqrt

from shared_pack.bands import first, last
from shared_pack.tables import assumption, figure, level_list, levels, read

from .areas import alike, listed, write_areas
from .codes import LABOUR, SEX, SEXES, prefectures

DECADES = ["18-24", "25-34", "35-44", "45-54", "55-64", "65-74", "75-84", "85+"]
# Where surnames differ most; parts of the regions.
AREAS = {"北海道": ["北海道"], "東北": ["青森県", "岩手県", "宮城県", "秋田県", "山形県", "福島県"],
         "関東": ["茨城県", "栃木県", "群馬県", "埼玉県", "千葉県", "東京都", "神奈川県"],
         "北陸": ["新潟県", "富山県", "石川県", "福井県"],
         "中部": ["山梨県", "長野県", "岐阜県", "静岡県", "愛知県", "三重県"],
         "近畿": ["滋賀県", "京都府", "大阪府", "兵庫県", "奈良県", "和歌山県"],
         "中国": ["鳥取県", "島根県", "岡山県", "広島県", "山口県"], "四国": ["徳島県", "香川県", "愛媛県", "高知県"],
         "九州": ["福岡県", "佐賀県", "長崎県", "熊本県", "大分県", "鹿児島県"], "宮崎": ["宮崎県"],
         "沖縄": ["沖縄県"]}
AT_HOME = .52  # ASSUMPTION: bearers of Okinawan names who live there
# ASSUMPTION: weight of other names in Okinawa, and of those of the north; the former also stand for the many names of
# Okinawa that are too rare for the list.
OUTSIDERS, NORTHERNERS = .42, .22


def pair(spelling, reading):
    return f"{spelling}|{reading}"


def write_names(name, pairs):
    levels(name, ["level", "spelling", "reading"], [[pair(*p), *p] for p in sorted(pairs)])
    for part, at in (("spelling", 0), ("reading", 1)):
        level_list(f"{name}_{part}", sorted({p[at] for p in pairs}))


def surnames(people):
    living = defaultdict(float)
    for (p, _, a), v in people.items():
        living[next(r for r, listed in AREAS.items() if p in listed)] += v if a >= 18 else 0.0
    living = {r: v / sum(living.values()) for r, v in living.items()}
    factor = {(r["last_name"], r["region"]): float(r["factor"]) for r in assumption("surname_regions.csv")}
    foreign = assumption("names_of_foreign_nationals.csv")
    cells, pairs = {}, set()
    for row in read("surnames.csv"):
        name = row["last_name"], row["last_name_kana"]
        pairs.add(name)
        if (name[0], "沖縄") in factor:
            home = AT_HOME * factor[name[0], "沖縄"]
            share = {r: home if r == "沖縄" else (1 - home) * living[r] / (1 - living["沖縄"]) for r in AREAS}
        else:
            usual = dict.fromkeys(AREAS, 1.0) | {
                "沖縄": NORTHERNERS if (name[0], "東北") in factor else OUTSIDERS,
                "宮崎": factor.get((name[0], "九州"), 1.0)}
            share = {r: living[r] * factor.get((name[0], r), usual[r]) for r in AREAS}
        for r in AREAS:
            v = float(row["count"]) * share[r] / sum(share.values()) / living[r]
            cells[r, "日本", pair(*name)] = v / 1000
    for row in foreign:
        if row["part"] == "last_name":
            pairs.add((row["name"], row["reading"]))
            for r in AREAS:
                cells[r, row["nationality"], pair(row["name"], row["reading"])] = float(row["weight"])
    figure("surname", ["prefecture", "nationality", "surname"], cells, "weight", sig=4)
    write_names("surname", pairs)


# ASSUMPTION: how well endings of spellings and readings go with the decade of birth, in the order of DECADES.
ENDINGS = {
    "女": [(r"子$", (.12, .25, .8, 2.2, 4.0, 6.0, 8.0, 8.0)), (r"(江|枝|代|恵子|美子)$", (.05, .1, .4, 1.2, 2.0, 2.5, 2.5, 2.0)),
          (r"[^子]美$", (.7, 1.3, 2.0, 2.2, 1.8, .8, .3, .1)),
          (r"(香|奈|菜|花|佳|希|音|乃|葉|彩|莉|愛|衣|咲|月|羽|陽|心)", (3.0, 2.6, 1.6, .6, .2, .05, .01, .0)),
          (r"(織|穂|紀|里|恵|絵|麻|亜)", (.8, 1.6, 2.2, 1.6, .8, .3, .1, .05)),
          (r"", (.6, .8, 1.0, .7, .3, .1, .05, .05))],
    "男": [(r"(斗|太(?!郎)|翔|介|輔|真|大|輝|海|陸|翼|蓮|颯|悠|優|陽|空|樹|哉|平)", (3.0, 2.6, 1.8, .7, .25, .1, .04, .03)),
          (r"(雄|夫|男|吉|蔵|造|松|治郎)$", (.02, .04, .15, .7, 2.0, 3.5, 5.0, 5.0)),
          (r"(一|二|三|司|治|次|郎)$", (.5, .6, 1.0, 1.4, 1.7, 2.0, 2.4, 3.0)),
          (r"(之|彦|幸|明|弘|正|昭|博|浩|文)$", (.2, .4, .9, 1.6, 2.0, 1.8, 1.5, 1.2)),
          (r"(也|人|樹|史|志|規|紀)$", (1.2, 1.6, 1.8, 1.5, 1.0, .5, .3, .2))]}
ERA = {"newer": (4.0, 2.5, 1.0, .3, .1, .05, .02, .02), "older": (.1, .2, .5, 1.3, 1.8, 2.2, 2.4, 2.4), "any": (1,) * 8}
TYPICAL = .70  # ASSUMPTION: share of a decade's people with a name that the list of typical names has
PER_DECADE = 700  # spellings kept for a decade and sex


def given_names():
    typical = defaultdict(dict)
    for r in assumption("typical_first_names.csv"):
        band = "85+" if r["age"] == "85-100" else r["age"]
        typical[r["sex"], band][r["first_name"], r["reading"]] = float(r["weight"])
    listed = [(SEX[r["sex"]], (r["first_name_kanji"], r["first_name_kana"]), r["era"], float(r["share"]))
              for r in read("first_names_open_estimate.csv")]
    usual = defaultdict(float)  # of the spellings of a reading, the common ones weigh most
    for sex, name, _, share in listed:
        usual[sex, name[1]] = max(usual[sex, name[1]], share)
    cells, pairs = {}, set()
    for x in SEXES:
        for i, band in enumerate(DECADES):
            scored = []
            for sex, name, era, share in listed:
                if sex != x or share < 2.6e-5 or name in typical[x, band]:
                    continue
                weight = share * ERA[era][i] * (1.0 if share > .5 * usual[sex, name[1]] else .12)
                for pattern, lift in ENDINGS[x]:
                    if re.search(pattern, name[0]):
                        weight *= lift[i]
                        break
                if len(name[0]) == 3 and not re.search("[子郎]$", name[0]):
                    weight *= .5
                if not re.search("[一-龥]", name[0]):
                    weight *= .4
                scored.append((-weight, name))
            top = sorted(scored)[:PER_DECADE]
            whole = sum(-w for w, _ in top)
            for w, name in top:
                cells["日本", x, band, pair(*name)] = -w / whole * (1 - TYPICAL)
                pairs.add(name)
            mine = typical[x, band]
            for name, w in mine.items():
                cells["日本", x, band, pair(*name)] = w / sum(mine.values()) * TYPICAL
                pairs.add(name)
            for r in assumption("names_of_foreign_nationals.csv"):
                if r["part"] == x:
                    cells[r["nationality"], x, band, pair(r["name"], r["reading"])] = float(r["weight"]) / 100
                    pairs.add((r["name"], r["reading"]))
    figure("given_name", ["nationality", "sex", "age", "given_name"], cells, "weight", sig=4)
    write_names("given_name", pairs)


# ---------------------------------------------------------------------------------------------------------------------
# Hobbies and skills

AGES_LEISURE = ["18-24", "25-39", "40-54", "55-69", "70-84", "85+"]
# ASSUMPTION: how an activity's followers spread over the ages, next to its mean, in the order of AGES_LEISURE. The
# published shares by prefecture and sex have no age.
AGE_CURVES = {
    "youth": (2.4, 1.7, .9, .45, .15, .05), "adult": (1.0, 1.35, 1.25, .95, .55, .2),
    "older": (.3, .55, .85, 1.3, 1.65, 1.2), "old": (.05, .12, .3, 1.2, 2.8, 1.2), "even": (1,) * 6}
CURVE_OF = {
    "youth": "basketball soccer_futsal baseball badminton volleyball softball video_games reading_manga "
             "popular_music_concerts ski_snowboard other_foreign_language karaoke theme_parks_zoos_aquariums "
             "movies_at_home judo kendo playing_instrument jogging_marathon bowling",
    "adult": "cinema tennis camping fishing swimming training_with_equipment yoga cycling cooking_baking "
             "listening_to_music english information_processing_pc commercial_business photography table_tennis western_social_dance "
             "vol_children pachinko overseas_sightseeing day_trip",
    "older": "golf mountain_climbing_hiking walking_light_exercise gardening diy_carpentry sewing knitting_handicrafts "
             "art_appreciation theatre_performing_arts classical_concerts watching_sports reading_books go shogi "
             "calligraphy flower_arrangement tea_ceremony painting_sculpture pottery_crafts writing_poetry_fiction "
             "japanese_traditional_music chorus_singing humanities_social_natural_sciences vol_community_building "
             "vol_safety vol_environment domestic_sightseeing arts_culture",
    "old": "ground_golf", "even": "other_hobby other_sports japanese_dance"}
# ASSUMPTION: activities that hardly anybody takes up any more from 85 on.
UNTIL_85 = set("baseball softball volleyball basketball soccer_futsal table_tennis tennis badminton golf judo kendo bowling "
               "fishing swimming ski_snowboard mountain_climbing_hiking cycling jogging_marathon yoga "
               "training_with_equipment other_sports cinema classical_concerts popular_music_concerts "
               "theatre_performing_arts art_appreciation theme_parks_zoos_aquariums camping overseas_sightseeing "
               "domestic_sightseeing day_trip western_social_dance japanese_dance pachinko commercial_business "
               "information_processing_pc vol_safety vol_environment vol_children other_foreign_language".split())
# ASSUMPTION: what of an activity people name as a hobby; the rest are done without saying so. Travel abroad was near
# nil in the year of the survey.
NAMED = {"movies_at_home": .5, "listening_to_music": .5, "reading_manga": .6, "walking_light_exercise": .6,
         "day_trip": .5, "video_games": .6, "overseas_sightseeing": 15.0, "watching_sports": 1.5, "popular_music_concerts": 1.5,
         "other_hobby": 4.0, "domestic_sightseeing": .8, "vol_community_building": .5, "photography": .7,
         "cinema": .55, "information_processing_pc": .12, "english": .5, "arts_culture": .1, "commercial_business": .5,
         "humanities_social_natural_sciences": .4, "vol_children": .3, "vol_environment": .4, "pachinko": .7}
RARELY = .08  # ASSUMPTION: next to the sex that mostly does it


LEISURE_AREAS = 24  # prefectures with much the same pastimes are one area


def hobbies():
    codes = {k: r["prefecture"] for k, r in prefectures().items()}
    curve = {a: AGE_CURVES[k] for k, names in CURVE_OF.items() for a in names.split()}
    share = {(codes[r["prefecture"]], SEX[r["sex"]], r["activity"]): float(r["share"])
             for r in read("leisure_participation_prefecture_sex_share.csv") if r["sex"] in SEX}
    items = assumption("hobbies.csv")
    part, usual = defaultdict(float), {}
    for r in items:
        part[r["activity"]] += float(r["weight"])
    for a in part:
        usual[a] = sum(share[p, x, a] for p in codes.values() for x in SEXES) / 2 / len(codes)
    place, ages = {}, {}
    for r in items:
        a, named = r["activity"], NAMED.get(r["activity"], 1.0)
        where = r["prefectures"].split()
        for p in codes.values():
            if where and p not in where:
                continue
            for x in SEXES:
                v = (.6 * share[p, x, a] + .4 * usual[a]) * named * float(r["weight"]) / part[a]
                v *= RARELY if r["mostly"] and r["mostly"] != x else 1.0
                v *= min(6.0, 47 / len(where)) ** .8 if where else 1.0
                if v > 0:
                    place[p, x, r["hobby"]] = v
        for i, band in enumerate(AGES_LEISURE):
            low, high = max(first(band), int(r["youngest"])), min(last(band), int(r["oldest"]))
            covered = (high - low + 1) / (last(band) - first(band) + 1)
            if covered > .3 and not (first(band) >= 85 and a in UNTIL_85):
                ages[band, r["hobby"]] = curve[a][i]
    keys = sorted({k[1:] for k in place})
    areas = listed(alike({p: [sqrt(place.get((p,) + k, 0.0)) for k in keys] for p in codes.values()}, LEISURE_AREAS))
    write_areas("leisure areas", areas)
    mean = {(area,) + k: sum(place.get((p,) + k, 0.0) for p in ps) / len(ps) for area, ps in areas.items() for k in keys}
    figure("hobby_prefecture_sex", ["prefecture", "sex", "hobby"], {k: v for k, v in mean.items() if v > 0}, "weight", sig=3)
    figure("hobby_age", ["age", "hobby"], ages, "weight", sig=3)
    levels("hobby", ["level", "activity"], [[r["hobby"], r["activity"]] for r in items])


HOME_SKILLS = .2  # ASSUMPTION: weight of the skills of a home for those who look for work
COMMON = .16  # ASSUMPTION: weight of what any job asks for, next to the family's own skills


def skills():
    rows = assumption("skills.csv")
    families = sorted({r["family"] for r in assumption("occupations.csv")}) + ["無職"]
    cells = {}
    for r in rows:
        if r["family"] == "*":
            for f in families:
                cells.setdefault((f, r["skill"]), COMMON * float(r["weight"]))
        else:
            cells[r["family"], r["skill"]] = float(r["weight"])
    figure("skill_family", ["family", "skill"], cells, "weight", sig=3)
    names = list(dict.fromkeys(r["skill"] for r in rows))
    home = {n for n in names if {r["family"] for r in rows if r["skill"] == n} <= {"無職", "*"}}
    figure("skill_labour", ["labour_status", "skill"],
           {(k, n): HOME_SKILLS if k == "完全失業者" and n in home else 1.0 for k in LABOUR.values() for n in names},
           "weight", sig=3)
    young = {r["skill"]: (float(r["under_25"]), float(r["from_25_to_34"])) for r in assumption("skills_of_age.csv")}
    figure("skill_age", ["age", "skill"],
           {(a, n): young.get(n, (1.0, 1.0))[i] if i < 2 else 1.0
            for i, a in enumerate(("18-24", "25-34", "35-59", "60+")) for n in names}, "weight", sig=3)
    level_list("skill", names)
