"""What is known of municipalities, and classes of those alike: within a state by who lives there, and of the classes of
all states by how people work there."""

import math
from collections import defaultdict

from shared_pack.bands import band_of, first
from shared_pack.tables import FOLDERS, read

from .codes import EDUCATION4, PUBLISHED4, RACE, RACES, REGION, STATES

CLASSES = [f"p{n:02}" for n in range(1, 13)]
TYPES = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"]
ZONES = ["Urbana", "Rural"]
AGES = ["18-24", "25+"]
POSITIONS = ["employee_formal", "employee_informal", "military_or_statutory_public_servant", "self_employed", "employer",
             "unpaid_or_subsistence"]
SECTORS = ["agriculture", "mining", "manufacturing", "utilities", "construction", "commerce", "services", "ill_defined"]


def fitted(cells, margins, rounds=60):
    """Iterative proportional fitting of {key: weight} to margins, each a function of the key and its totals."""
    cells = dict(cells)
    for _ in range(rounds):
        for of, wanted in margins:
            sums = defaultdict(float)
            for k, v in cells.items():
                sums[of(k)] += v
            cells = {k: v * wanted[of(k)] / sums[of(k)] if sums[of(k)] > 0 else 0.0 for k, v in cells.items()}
    return cells


def shares(row):
    whole = sum(row.values())
    return {k: v / whole for k, v in row.items()} if whole > 0 else None


def tree(items, weights, most, least):
    """Parts a list of feature vectors into at most `most` groups: again and again by that threshold of a feature that
    leaves the smallest weighted sum of squares within groups, as a regression tree grows (Breiman et al. 1984).
    Returns lists of positions; a split that gains less than `least` is not made."""
    def best(group):
        top = (least, None)
        width = len(items[group[0]])
        total = [sum(weights[i] * items[i][d] for i in group) for d in range(width)]
        n = sum(weights[i] for i in group)
        for d in range(width):
            order = sorted(group, key=lambda i: (items[i][d], i))
            left, at = [0.0] * width, 0.0
            for here, (i, j) in enumerate(zip(order, order[1:])):
                w, x = weights[i], items[i]
                at += w
                left = [a + w * b for a, b in zip(left, x)]
                if items[i][d] < items[j][d]:
                    rest = n - at
                    gain = sum(a * a / at + (t - a) * (t - a) / rest - t * t / n for a, t in zip(left, total))
                    if gain > top[0] * (1 + 1e-9):
                        top = (gain, (order[:here + 1], order[here + 1:]))
        return top

    leaves = [(list(range(len(items))), None)]
    leaves = [(g, best(g)) for g, _ in leaves]
    while len(leaves) < most:
        at = max(range(len(leaves)), key=lambda i: (leaves[i][1][0] if leaves[i][1][1] else 0.0, -i))
        group, (_, parts) = leaves[at]
        if parts is None:
            break
        leaves[at:at + 1] = [(p, best(p)) for p in parts]
    return [sorted(g) for g, _ in leaves]


class Places:
    """Municipalities: `state`, `adults`; `schooling` (adults by AGES and EDUCATION4), `races` (adults), `rural` (share),
    `position` and `sector` (shares of those who work, 2010), `old` (share of 60 and over), `class_of`, `type_of`."""

    def __init__(self):
        rows = read("municipalities.csv")
        self.codes = [r["municipality_code"] for r in rows]
        self.state = {r["municipality_code"]: r["state"] for r in rows}
        self.adults = {r["municipality_code"]: float(r["adults_18plus_2022"]) for r in rows}
        self.in_state = defaultdict(list)
        for code in self.codes:
            self.in_state[self.state[code]].append(code)
        self.joint = defaultdict(float)  # by state, age, schooling and race, 2022
        everyone, of_age = defaultdict(float), defaultdict(float)
        for r in read("education_race_age_sex_state_2022.csv"):
            v = float(r["count"] or 0)
            age = band_of(first(r["age_group"]), AGES)
            self.joint[r["state"], age, PUBLISHED4[r["education_level"]], RACE[r["race_ethnicity"]]] += v
            of_age[r["state"], RACE[r["race_ethnicity"]]] += v
        for r in read("race_state_2022.csv"):
            if r["race_ethnicity"] in RACE:
                everyone[r["state"], RACE[r["race_ethnicity"]]] += float(r["count"])
        self.position = self.worked("workers_position_municipality_2010.csv", "employment_position", POSITIONS)
        self.sector = self.worked("workers_sector_municipality_2010.csv", "industry_sector", SECTORS)
        self.read_rural()
        self.read_old()
        self.read_races(everyone, of_age)
        self.read_schooling()
        self.class_of = {}
        for state, codes in sorted(self.in_state.items()):
            self.part(codes)
        self.type_of = self.work_types()

    def worked(self, table, column, levels):
        """Shares of those who worked in 2010; municipalities founded since have those of their state."""
        found, states = defaultdict(dict), defaultdict(lambda: defaultdict(float))
        for r in read(table):
            found[r["municipality_code"]][r[column]] = float(r["share"])
        for code, row in found.items():
            if code in self.adults:
                for level in levels:
                    states[self.state[code]][level] += row.get(level, 0.0) * self.adults[code]
        return {code: shares({level: found[code].get(level, 0.0) for level in levels}) if code in found else
                shares(states[self.state[code]]) for code in self.codes}

    def read_rural(self):
        counts = defaultdict(lambda: [0.0, 0.0])
        for r in read("urban_rural_municipality_2022.csv"):
            counts[r["municipality_code"]][r["urban_rural"] == "rural"] += float(r["count"])
        self.rural = {code: counts[code][1] / sum(counts[code]) for code in self.codes}

    def read_old(self):
        old, all_ = defaultdict(float), defaultdict(float)
        for r in read("population_municipality_sex_agegroup.csv"):
            if first(r["age_group"]) >= 18:
                all_[r["municipality_code"]] += float(r["count"])
                old[r["municipality_code"]] += float(r["count"]) * (first(r["age_group"]) >= 60)
        self.old = {code: old[code] / all_[code] for code in self.codes}

    def read_races(self, everyone, of_age):
        """Adults by race: published for all ages, times the part of the race in the state that is of age. Where a
        municipality is not in the table, what the others leave of the state, alike in all such."""
        known, found = set(), defaultdict(lambda: defaultdict(float))
        for r in read("race_municipality_2022.csv"):
            if r["race_ethnicity"] in RACE:
                race = RACE[r["race_ethnicity"]]
                known.add(r["municipality_code"])
                found[r["municipality_code"]][race] += (float(r["count"]) * of_age[r["state"], race] /
                                                        everyone[r["state"], race])
        for state, codes in self.in_state.items():
            left = {race: max(0.0, of_age[state, race] - sum(found[c][race] for c in codes if c in known))
                    for race in RACES}
            left = shares(left) or {}
            for c in codes:
                if c not in known:
                    found[c] = {race: v * self.adults[c] for race, v in left.items()}
        self.races = {code: {race: found[code].get(race, 0.0) for race in RACES} for code in self.codes}

    def read_schooling(self):
        """Adults by schooling; in Rio de Janeiro, which the table has not, the schooling of those who worked in 2010,
        raised to that of the state in 2022."""
        self.schooling = {}
        found = defaultdict(lambda: defaultdict(float))
        for r in read("education_agegroup_municipality_2022.csv"):
            key = band_of(first(r["age_group"]), AGES), PUBLISHED4[r["education_level"]]
            found[r["municipality_code"]][key] += float(r["count"] or 0)
        worked = defaultdict(dict)
        for r in read("workers_education_municipality_2010.csv"):
            worked[r["municipality_code"]][PUBLISHED4[r["education_level"]]] = float(r["share"])
        of_state = defaultdict(float)
        for (state, age, level, _), v in self.joint.items():
            of_state[state, age, level] += v
        for state, codes in self.in_state.items():
            missing = [c for c in codes if c not in found]
            for age in AGES:
                levels = {level: of_state[state, age, level] - sum(found[c][age, level] for c in codes if c in found)
                          for level in EDUCATION4} if missing else {}
                whole = sum(levels.values())
                people = {c: self.adults[c] for c in missing}
                scale = whole / sum(people.values()) if missing else 1.0
                cells = {(c, level): self.adults[c] * worked[c].get(level, 0.0) for c in missing for level in EDUCATION4}
                cells = fitted(cells, [(lambda k: k[1], levels), (lambda k: k[0], {c: v * scale for c, v in
                                                                                    people.items()})]) if missing else {}
                for (c, level), v in cells.items():
                    self.schooling.setdefault(c, {})[age, level] = v
        for c, row in found.items():
            self.schooling[c] = dict(row)

    def features(self, code):
        school = shares({level: self.schooling[code].get((AGES[1], level), 0.0) for level in EDUCATION4})
        race = shares(self.races[code])
        position, sector = self.position[code], self.sector[code]
        return ([1.2 * school[level] for level in EDUCATION4] + [1.2 * race[r] for r in RACES] +
                [2.0 * self.old[code], 0.6 * self.rural[code], 0.7 * sector["agriculture"], 0.5 * sector["manufacturing"]] +
                [0.8 * position[p] for p in POSITIONS])

    def part(self, codes):
        """Classes within a state. Weights of municipalities grow less than their people, for the tail to count."""
        items = [self.features(c) for c in codes]
        weights = [self.adults[c] ** 0.6 for c in codes]
        groups = tree(items, weights, len(CLASSES), 1e-9)
        groups.sort(key=lambda g: (-sum(self.adults[codes[i]] for i in g), codes[g[0]]))
        for name, group in zip(CLASSES, groups):
            for i in group:
                self.class_of[codes[i]] = name

    def work_types(self):
        """How people work, in eight types of places, over the classes of all states."""
        sums, adults = defaultdict(lambda: defaultdict(float)), defaultdict(float)
        for code in self.codes:
            key, n = (self.state[code], self.class_of[code]), self.adults[code]
            adults[key] += n
            for p in POSITIONS:
                sums[key][p] += n * self.position[code][p]
            for s in ("agriculture", "manufacturing"):
                sums[key][s] += n * self.sector[code][s]
        keys = sorted(adults)
        north = lambda key: REGION[key[0]] in ("Norte", "Nordeste")
        weight = {"military_or_statutory_public_servant": 3.0}  # few, and of few places
        items = [[weight.get(p, 1.0) * sums[k][p] / adults[k] for p in POSITIONS] +
                 [sums[k]["agriculture"] / adults[k], 0.6 * sums[k]["manufacturing"] / adults[k], 0.1 * north(k)]
                 for k in keys]
        groups = tree(items, [adults[k] for k in keys], len(TYPES), 1e-9)
        groups.sort(key=lambda g: sum(items[i][6] * adults[keys[i]] for i in g) / sum(adults[keys[i]] for i in g))
        return {keys[i]: name for name, group in zip(TYPES, groups) for i in group}

    def type_at(self, code):
        return self.type_of[self.state[code], self.class_of[code]]

    def class_weights(self):
        """Adults by state, class, age, schooling and race (estimate): what is known of each pair, at once."""
        cells = {}
        for state, codes in sorted(self.in_state.items()):
            school, race = defaultdict(float), defaultdict(float)
            for c in codes:
                name = self.class_of[c]
                for (age, level), v in self.schooling[c].items():
                    school[name, age, level] += v
                for r, v in self.races[c].items():
                    race[name, r] += v
            names = sorted({self.class_of[c] for c in codes})
            joint = {k[1:]: v for k, v in self.joint.items() if k[0] == state}
            start = {(n, age, level, r): 1.0 for n in names for age in AGES for level in EDUCATION4 for r in RACES}
            # Each table has a total of its own: shares of each, as of the state's.
            whole = sum(joint.values())
            level = lambda t: {k: max(v, 1e-6) * whole / sum(t.values()) for k, v in t.items()}
            done = fitted(start, [(lambda k: (k[0], k[3]), level(race)), (lambda k: k[:3], level(school)),
                                  (lambda k: k[1:], level(joint))])
            for (n, age, lev, r), v in done.items():
                cells[STATES[state], n, age, lev, r] = v
        return cells

    def regions(self):
        """Share of each region in the adults of a type of place."""
        sums = defaultdict(lambda: defaultdict(float))
        for code in self.codes:
            sums[self.type_at(code)][REGION[self.state[code]]] += self.adults[code]
        return {name: shares(row) for name, row in sums.items()}

    def farm_odds(self):
        """Odds of farming, by type of place and zone: in each municipality farmers are RURAL times as common, in odds,
        on the land as in town, so that all of them are what was counted in 2010."""
        sums = defaultdict(lambda: [0.0, 0.0])
        for code in self.codes:
            a, z, n = min(0.97, self.sector[code]["agriculture"]), self.rural[code], self.adults[code]
            low, high = -14.0, 6.0
            for _ in range(50):
                mid = (low + high) / 2
                k = math.exp(mid)
                got = z * k * RURAL / (1 + k * RURAL) + (1 - z) * k / (1 + k)
                low, high = (mid, high) if got < a else (low, mid)
            k = math.exp((low + high) / 2)
            for zone, part, odds in (("Urbana", 1 - z, k), ("Rural", z, k * RURAL)):
                sums[self.type_at(code), zone][0] += n * part * odds / (1 + odds)
                sums[self.type_at(code), zone][1] += n * part / (1 + odds)
        return {key: farm / other for key, (farm, other) in sums.items()}


RURAL = 12.0  # ASSUMPTION: odds of farming on the land next to in town, in one municipality
_PLACES = {}


def places():
    """The municipalities, read once a run."""
    if FOLDERS["tables"] not in _PLACES:
        _PLACES[FOLDERS["tables"]] = Places()
    return _PLACES[FOLDERS["tables"]]
