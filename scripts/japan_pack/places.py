"""Where they live: municipalities, and the classes of municipalities that know their people."""

from collections import defaultdict
from math import exp, log

from shared_pack.bands import first, holds
from shared_pack.clusters import ward
from shared_pack.raking import rake
from shared_pack.tables import figure, level_list, levels, read, total

from .codes import BROAD, LABOUR, SECTORS, SEX, SEXES, prefectures

MOST_CLASSES = 10  # of municipalities in a prefecture
TOWNS_IN_A_CLASS = 3  # at least, on average
# How far apart two municipalities are: one unit is a difference of a tenth of the adults, times this.
SCALE = {"men at work": 1.0, "women at work": 1.0, "alone": 1.3, "three generations": 1.0, "primary": 1.3, "secondary": 1.2,
         "old": .6}
SMALL = .6  # weight of a municipality: people to this power, so that villages have classes of their own
# ASSUMPTION: the log of the odds of a degree in a municipality, next to its prefecture, by its industries and its old:
# as the log of the share in secondary and in primary industries (and how many of those there are at the least).
DEGREES = {"secondary": -1.1, "primary": -.10, "old": -2.5}
FEW = .004


class Towns:
    """What the census counts of each municipality."""

    def __init__(self):
        codes = {k: r["prefecture"] for k, r in prefectures().items()}
        self.rows = [r for r in read("population_municipality_sex_agebroad.csv") if r["age_group"] in BROAD]
        self.prefecture = {r["municipality_code"]: codes[r["prefecture"]] for r in self.rows}
        self.people = total(self.rows, ["municipality_code", lambda r: SEX[r["sex"]], "age_group"])
        self.labour = total(read("labour_status_municipality_sex.csv"),
                            ["municipality_code", lambda r: SEX[r["sex"]], lambda r: LABOUR[r["labour_status"]]])
        self.home = total(read("household_type_municipality.csv"), ["municipality_code", "household_type"])
        self.sector = total(read("industry_sector_municipality.csv"), ["municipality_code", "industry_sector"])
        self.grown = defaultdict(float)
        for (m, _, _), v in self.people.items():
            self.grown[m] += v
        self.codes = sorted(m for m in self.prefecture if self.grown[m] > 0)

    def at_work(self, m, x):
        working = self.labour[m, x, "就業者"]
        return working / max(sum(self.labour[m, x, k] for k in LABOUR.values()), 1.0)

    def part(self, m, sector):
        return self.sector[m, sector] / max(sum(self.sector[m, k] for k in SECTORS), 1.0)

    def old(self, m):
        return sum(self.people[m, x, a] for x in SEXES for a in ("65-74", "75+")) / self.grown[m]

    def profile(self, m):
        shares = {"men at work": self.at_work(m, "男"), "women at work": self.at_work(m, "女"),
                  "alone": self.home[m, "single_person"] / self.grown[m],
                  "three generations": self.home[m, "other"] * 3 / self.grown[m],
                  "primary": self.part(m, "primary"), "secondary": self.part(m, "secondary"), "old": self.old(m)}
        return [SCALE[k] * 10 * v for k, v in shares.items()]

    def classes(self):
        """{municipality: class within its prefecture, "1" the least rural}."""
        inside = defaultdict(list)
        for m in self.codes:
            inside[self.prefecture[m]].append(m)
        found = {}
        for listed in inside.values():
            cluster = ward([self.profile(m) for m in listed], [self.grown[m] ** SMALL for m in listed],
                           min(MOST_CLASSES, max(2, len(listed) // TOWNS_IN_A_CLASS)))
            members = defaultdict(list)
            for i, m in enumerate(listed):
                members[cluster[i]].append(m)
            people = {c: sum(self.grown[m] for m in ms) for c, ms in members.items()}
            rural = {c: sum(self.grown[m] * (self.part(m, "primary") * 3 - self.home[m, "single_person"] / self.grown[m])
                            for m in ms) / people[c] for c, ms in members.items()}
            for number, c in enumerate(sorted(members, key=lambda c: (rural[c], c)), start=1):
                found |= {m: str(number) for m in members[c]}
        return found


def municipalities(people, at_work):
    """Names and kinds of the municipalities, their classes, and what is known of those. `at_work` are the shares by
    labour force status of each prefecture."""
    towns = Towns()
    kind = towns.classes()
    kinds = {"市": "市", "町": "町", "村": "村", "区": "特別区"}
    designated = {"札幌市", "仙台市", "さいたま市", "千葉市", "横浜市", "川崎市", "相模原市", "新潟市", "静岡市", "浜松市", "名古屋市", "京都市",
                  "大阪市", "堺市", "神戸市", "岡山市", "広島市", "北九州市", "福岡市", "熊本市"}
    named = {}
    for r in towns.rows:
        code, name = r["municipality_code"], r["municipality_ja"]
        sort = "政令指定都市" if name in designated else kinds[name[-1]]
        named[code] = [code, name, sort, towns.prefecture[code]]
    band = {"15-64": "18-64"}
    figure("population_municipality", ["prefecture", "sex", "age", "place_class", "municipality_code"],
           {(towns.prefecture[m], x, band.get(a, a), kind[m], m): v for (m, x, a), v in towns.people.items() if v > 0})
    levels("municipality_code", ["level", "municipality", "municipality_type", "prefecture"], sorted(named.values()))
    level_list("municipality", sorted({v[1] for v in named.values()}))
    classes(towns, kind, people, at_work)


def classes(towns, kind, people, at_work):
    """How many adults of each class of municipalities there are by age, work and sector: what the census counts, raked
    to what the prefecture's adults are in this pack."""
    adults, counted = defaultdict(float), defaultdict(float)
    for (p, x, a), v in people.items():
        if a >= 18:
            adults[p, x, next(b for b in BROAD if holds(b, a))] += v
    for (m, x, a), v in towns.people.items():
        if v > 0:
            counted[towns.prefecture[m], x, a, kind[m]] += v
    ages, people_of, whole = {}, defaultdict(float), defaultdict(float)
    for p, x, a in adults:
        here = {c: v for (q, y, b, c), v in counted.items() if (q, y, b) == (p, x, a)}
        for c, v in here.items():
            v *= adults[p, x, a] / sum(here.values())
            ages[p, x, "18-64" if a == "15-64" else a, c] = v
            people_of[p, x, c] += v
            whole[p, x] += v
    figure("place_class_sex_age", ["prefecture", "sex", "age", "place_class"], ages, digits=6)
    jobs, sectors = {}, {}
    for p in dict.fromkeys(p for p, _ in whole):
        here = [m for m in towns.codes if towns.prefecture[m] == p]
        listed = sorted({kind[m] for m in here}, key=int)
        employed = defaultdict(float)
        for x in SEXES:
            start = defaultdict(float)
            for m in here:
                for status in LABOUR.values():
                    start[kind[m], "work" if status == "就業者" else "none"] += towns.labour[m, x, status]
            work = at_work[p, x, "就業者"] * whole[p, x]
            fitted = rake(start, {c: people_of[p, x, c] for c in listed}, {"work": work, "none": whole[p, x] - work},
                          tolerance=1e-13)
            for (c, job), v in fitted.items():
                jobs[p, x, job, c] = v
                employed[c] += v if job == "work" else 0.0
        start = defaultdict(float)
        for m in here:
            for sector in SECTORS:
                start[kind[m], sector] += towns.sector[m, sector]
        sums = {k: sum(v for (_, s), v in start.items() if s == k) for k in SECTORS}
        fitted = rake(start, employed, {k: sums[k] / sum(sums.values()) * sum(employed.values()) for k in SECTORS},
                      tolerance=1e-13)
        sectors |= {(p, sector, c): v for (c, sector), v in fitted.items()}
    figure("place_class_work", ["prefecture", "sex", "industry", "place_class"], jobs, digits=6)
    figure("place_class_sector", ["prefecture", "industry", "place_class"], sectors, digits=6)
    figure("place_class_seed", ["prefecture", "education_level", "place_class"], degrees(towns, kind), "share", sig=5)


def degrees(towns, kind):
    """Where those with a degree live, next to the others."""
    score, people = defaultdict(float), defaultdict(float)
    for m in towns.codes:
        x = (DEGREES["secondary"] * log(towns.part(m, "secondary") + FEW) +
             DEGREES["primary"] * log(towns.part(m, "primary") + FEW) + DEGREES["old"] * towns.old(m))
        score[towns.prefecture[m], kind[m]] += x * towns.grown[m]
        people[towns.prefecture[m], kind[m]] += towns.grown[m]
    cells = {}
    for p in dict.fromkeys(p for p, _ in people):
        here = [c for q, c in people if q == p]
        usual = sum(score[p, c] for c in here) / sum(people[p, c] for c in here)
        for c in here:
            odds = exp(score[p, c] / people[p, c] - usual)
            cells[p, "degree", c] = people[p, c] * odds / 1e6
            cells[p, "none", c] = people[p, c] / 1e6
    return cells
