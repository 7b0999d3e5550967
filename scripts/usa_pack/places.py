"""Where they live: ZIP codes, their counties, and the classes of counties that know their people."""

import re
from collections import defaultdict

from shared_pack.bands import band_of, first
from shared_pack.clusters import ward
from shared_pack.raking import rake
from shared_pack.tables import figure, level_list, levels, read, total

from .codes import ENROLMENT, STATES
from .holdouts import county_names

MOST_CLASSES = 12  # of counties in a state
SMALL = .6  # weight of a county: adults to this power, so that small ones of their own kind have classes of their own
RACES = ["white", "black", "hispanic", "asian", "native", "other"]
SCHOOLS = ["no_diploma", "diploma", "degree"]
# Where people are in life, as far as it tells where they live: work with a place of its own, then age and home.
WORKPLACES = ["farm", "mine", "factory", "finance"]
# ASSUMPTION: the part of an industry that its own occupations are: the others work in it too, but everywhere.
PART = {"farm": .85, "mine": .5, "factory": .5, "finance": .8}
STATIONS = ["military", "student", "farm", "mine", "factory", "finance", "young", "grown", "middle_aged",
            "old"]
# How far apart two counties are: the share of a fact among adults, times this.
SCALE = {"no_diploma": 1.5, "degree": 2.0, "black": 1.2, "hispanic": 1.2, "asian": 1.2, "native": 1.5, "foreign": 1.5,
         "military": 5.0, "student": 3.5, "farm": 3.0, "mine": 5.0, "factory": 1.2, "finance": 3.0, "government": 2.5,
         "young": 1.5, "old": 2.0, "veteran": 1.5, "alone": 1.5}
AGES = ["18-24", "25-44", "45-64", "65+"]


class Counties:
    """What is known of each county of the pack: adults by AGES (2019; of Puerto Rico civilians, 2014-2018), by RACES,
    SCHOOLS, nativity and STATIONS."""

    def __init__(self, listed):
        names = county_names()
        self.codes = sorted(c for c, place in names.items() if place in listed)
        self.place = {c: names[c] for c in self.codes}
        self.state = {c: names[c][0] for c in self.codes}
        self.read_people()
        self.read_schools()
        self.read_births()
        self.read_stations()

    def of(self, table, column):
        """{county: {level: count}} of a table of counts."""
        found = defaultdict(lambda: defaultdict(float))
        for r in read(table):
            found[r["county_fips"]][r[column]] += float(r["count"] or 0)
        return found

    def shared(self, known):
        """Fills in counties that a table lacks with their state's mean, else the country's, by adults."""
        for c in self.codes:
            if c not in known:
                near = [d for d in self.codes if d in known and self.state[d] == self.state[c]] or \
                    [d for d in self.codes if d in known]
                keys = {k for d in near for k in known[d]}
                whole = sum(self.adults[d] for d in near)
                yield c, {k: sum(self.adults[d] * known[d].get(k, 0.0) for d in near) / whole for k in keys}

    def completed(self, known):
        """Shares of each county, those of the state where the table lacks a county."""
        rows = {}
        for c, row in known.items():
            whole = sum(row.values())
            if c in self.adults and whole > 0:
                rows[c] = {k: v / whole for k, v in row.items()}
        return rows | dict(self.shared(rows))

    def read_people(self):
        race = {"white_non_hispanic": "white", "black_non_hispanic": "black", "hispanic": "hispanic",
                "asian_non_hispanic": "asian", "other_non_hispanic": "other"}
        self.ages, races = defaultdict(lambda: defaultdict(float)), defaultdict(lambda: defaultdict(float))
        self.men, teens = defaultdict(float), defaultdict(float)
        for r in read("pop_exclusive_race_age_sex_county_2019_estimate.csv"):
            code, low, v = r["county_fips"], first(r["age_group"]), float(r["count"])
            if low == 15:
                teens[code] += v * 0.6
                v *= 0.4  # ASSUMPTION: two of the five years
            if low >= 15:
                self.ages[code][next(a for a in reversed(AGES) if max(low, 18) >= first(a))] += v
                races[code][race[r["race_ethnicity"]]] += v
                if r["sex"] == "Male" and low < 35:
                    self.men[code] += v
        self.veterans, self.civilians = defaultdict(lambda: defaultdict(float)), defaultdict(float)
        spread = {"18-34": (("18-24", .4), ("25-44", .6)), "35-54": (("25-44", .5), ("45-64", .5)),
                  "55-64": (("45-64", 1.0),), "65-74": (("65+", 1.0),), "75+": (("65+", 1.0),)}
        civil = defaultdict(lambda: defaultdict(float))
        for r in read("veteran_age_sex_county_acs2014_2018.csv"):
            code, v = r["county_fips"], float(r["count"])
            for age, part in spread[r["age_group"]]:
                civil[code][age] += part * v
            if r["veteran_status"] == "veteran":
                self.veterans[code]["65+" if first(r["age_group"]) >= 65 else "18-64"] += v
            if r["sex"] == "Male" and r["age_group"] == "18-34":
                self.civilians[code] += v
        for code in self.codes:
            if code not in self.ages:
                self.ages[code] = civil[code]
                races[code]["hispanic"] = sum(civil[code].values())  # Puerto Rico: all but 1 in 100
        self.codes = [c for c in self.codes if sum(self.ages[c].values()) > 0]
        self.adults = {c: sum(self.ages[c].values()) for c in self.codes}
        # The group "other" is of American Indians, of Pacific Islanders and of several races: as the places of both.
        native = defaultdict(lambda: [0.0, 0.0])
        for r in read("pop_hispanic_race_sex_county_pep2019.csv"):
            if r["hispanic"] == "no" and r["race"] in ("aian", "nhpi", "two_or_more"):
                native[r["county_fips"]][r["race"] == "aian"] += float(r["count"])
        self.races = {}
        for c in self.codes:
            row = dict.fromkeys(RACES, 0.0)
            for k, v in races[c].items():
                if k == "other":
                    part = native[c][1] / sum(native[c]) if sum(native[c]) else 0.0
                    row["native"] += v * part
                    row["other"] += v * (1 - part)
                else:
                    row[k] += v
            self.races[c] = row

    def read_schools(self):
        kinds = {"less_than_high_school": "no_diploma", "bachelors_or_higher": "degree"}
        found = defaultdict(lambda: defaultdict(float))
        for r in read("education_county_acs2017_2021.csv"):
            found[r["county_fips"]][kinds.get(r["education_level"], "diploma")] += float(r["count"])
        self.schools = {c: {k: v * self.adults[c] for k, v in row.items()} for c, row in self.completed(found).items()}

    def read_births(self):
        found = defaultdict(lambda: defaultdict(float))
        for r in read("birth_region_county_acs2017_2021.csv"):
            found[r["county_fips"]]["native" if r["birth_region"] == "native" else "foreign_born"] += float(r["count"])
        for c in self.codes:  # the table has no Puerto Rico; of its adults 3 in 100 were born abroad
            if self.state[c] == "PR":
                found[c] = {"native": .97, "foreign_born": .03}
        self.births = {c: {k: v * self.adults[c] for k, v in row.items()} for c, row in self.completed(found).items()}

    def read_stations(self):
        found = defaultdict(lambda: defaultdict(float))
        for r in read("industry_county_acs2013_2017.csv"):
            found[r["county_fips"]][INDUSTRIES.get(r["industry"], "other")] += float(r["count"])
        industry = self.completed(found)
        employed = self.of("labour_force_county_laus2022.csv", "labour_status")
        homes = self.of("households_county_acs2017_2021.csv", "household_measure")
        rates = defaultdict(lambda: defaultdict(float))
        for r in read("household_and_other_rates_county_acs2019_2023.csv"):
            rates[r["county_fips"]][r["measure"]] = float(r["rate"])
        young = defaultdict(lambda: defaultdict(float))
        for r in read("pop_single_age_15_29_sex_county_pep2023.csv"):
            young[r["county_fips"]][int(r["age"])] += float(r["count"])
        self.stations, self.government, self.alone = {}, {}, {}
        for c in self.codes:
            ages, adults = dict(self.ages[c]), self.adults[c]
            soldiers = self.soldiers(c)
            row = {"military": soldiers, "student": students(young[c], ages, soldiers)}
            ages["18-24"] -= row["student"] + .45 * soldiers
            ages["25-44"] -= .55 * soldiers
            jobs = employed[c]["employed"] or .58 * adults
            self.government[c] = jobs * industry[c].get("government", 0.0)
            for k in WORKPLACES:
                row[k] = jobs * industry[c].get(k, 0.0) * PART[k]
                for a, part in zip(AGES, AGES_AT_WORK):
                    ages[a] -= part * row[k]
            ages = {a: max(v, .03 * adults) for a, v in ages.items()}
            row |= dict(zip(("young", "grown", "middle_aged", "old"), ages.values()))
            self.alone[c] = sum(rates[c].get(k, 0.0) for k in ("woman_alone", "man_alone")) or \
                homes[c]["householder_65_plus_alone"] / max(homes[c]["households"], 1.0) / .42
            self.alone[c] *= homes[c]["households"]
            self.stations[c] = {k: max(v, .00005 * adults) for k, v in row.items()}

    def soldiers(self, code):
        """Adults who serve: young men whom the table of civilians lacks, beyond those who may have come since; and
        their sisters in arms, one in six."""
        if code not in self.civilians or not self.men[code]:
            return 0.0
        gone = self.men[code] - 1.1 * self.civilians[code]
        return max(0.0, gone - .03 * self.men[code]) * 1.2 + .0006 * self.adults[code]

    def features(self, code):
        n, station = self.adults[code], self.stations[code]
        races, schools = self.races[code], self.schools[code]
        facts = {**{k: races[k] for k in ("black", "hispanic", "asian", "native")}, "no_diploma": schools["no_diploma"],
                 "degree": schools["degree"], "foreign": self.births[code]["foreign_born"],
                 **{k: station[k] for k in ("military", "student", "young")},
                 **{k: station[k] / PART[k] for k in WORKPLACES}, "government": self.government[code],
                 "old": self.ages[code]["65+"], "veteran": sum(self.veterans[code].values()),
                 "alone": self.alone[code]}
        return [10 * SCALE[k] * v / n for k, v in facts.items()]

    def classes(self):
        """{county: class within its state}, "1" the one with the most adults."""
        found = {}
        for state in sorted(set(self.state.values())):
            here = [c for c in self.codes if self.state[c] == state]
            cluster = ward([self.features(c) for c in here], [self.adults[c] ** SMALL for c in here],
                           min(MOST_CLASSES, len(here)))
            members = defaultdict(list)
            for i, c in enumerate(here):
                members[cluster[i]].append(c)
            order = sorted(members.values(), key=lambda ms: (-sum(self.adults[c] for c in ms), ms[0]))
            found |= {c: str(number) for number, ms in enumerate(order, start=1) for c in ms}
        return found


def students(young, ages, soldiers):
    """Those of 18-24 who study: a third of a cohort of the usual size, and nine in ten of those by whom the years of
    college outnumber the years around them, soldiers aside. ASSUMPTION; without single years, against 25-44."""
    if young:
        usual = (sum(young[a] for a in (15, 16, 17)) / 3 + sum(young[a] for a in (26, 27, 28, 29)) / 4) / 2
        here = sum(young[a] for a in range(18, 25)) or 1.0
        excess = max(0.0, sum(young[a] for a in range(18, 23)) - 5 * 1.05 * usual) / here * ages["18-24"]
    else:
        excess = max(0.0, ages["18-24"] - 7 * 1.1 * ages["25-44"] / 20)
    excess = max(0.0, excess - .9 * soldiers)
    return min(.92 * ages["18-24"], .33 * (ages["18-24"] - excess) + .92 * excess)


def races_of_classes(fine):
    """Adults by state and RACES."""
    codes = {r: r for r in RACES} | {"american_indian_or_alaska_native": "native"}
    adults = defaultdict(float)
    for (state, _), rows in fine.items():
        for (_, _, _, race), v in rows:
            adults[state, codes.get(race, "other")] += v
    return adults


def classes(counties, kind, mass, people, workers):
    """Adults of each class by what is told of its counties, by race the mean of what counties and ZIP codes tell, since
    ZIP codes do not end where counties do. `mass` is how many of each race its ZIP codes have, `people` the adults
    of the state by race, schooling and birth, {fact: {(state, level): adults}}, to which the counties are raked, `workers`
    those whose work has places of its own, {(state, station): workers}."""
    cells, adults, counted, kinds = {}, defaultdict(float), defaultdict(float), defaultdict(set)
    for c in counties.codes:
        kinds[counties.state[c]].add(kind[c])
        for race, n in counties.races[c].items():
            counted[counties.state[c], race, kind[c]] += n
    kinds = {s: sorted(ks, key=int) for s, ks in kinds.items()}
    for (s, race), v in people["race_ethnicity"].items():
        here = dict.fromkeys(kinds[s], 1e-9)
        for table in (counted, mass):
            whole = sum(table[s, race, k] for k in here)
            if whole > 0:
                here = {k: n + table[s, race, k] / whole for k, n in here.items()}
        for k, n in here.items():
            cells[s, race, k] = v * n / sum(here.values())
            adults[s, k] += cells[s, race, k]
    figure("place_class_race", ["state", "race_ethnicity", "place_class"], cells)
    for column, table, name in (("education_level", counties.schools, "education"), ("birth", counties.births, "birth")):
        cells = {}
        for s in STATES:
            here = {k: v for (t, k), v in adults.items() if t == s}
            wanted = {level: v for (t, level), v in people[column].items() if t == s}
            start = defaultdict(float)
            for c in counties.codes:
                if counties.state[c] == s:
                    for level in wanted:
                        start[kind[c], level] += table[c].get(level, 0.0) + 1e-4 * counties.adults[c]
            scale = sum(wanted.values()) / sum(here.values())
            for (k, level), v in rake(start, {k: v * scale for k, v in here.items()}, wanted).items():
                cells[s, level, k] = v
        figure(f"place_class_{name}", ["state", column, "place_class"], cells)
    start, cells = defaultdict(float), {}
    for c in counties.codes:
        for station, v in counties.stations[c].items():
            start[counties.state[c], kind[c], station] += v
    for s, wanted in state_stations(workers).items():
        here = {k: v for (t, k), v in adults.items() if t == s}
        scale = sum(wanted.values()) / sum(here.values())
        fitted = rake({k[1:]: v for k, v in start.items() if k[0] == s}, {k: v * scale for k, v in here.items()}, wanted)
        for (k, station), v in fitted.items():
            cells[s, station, k] = v
    figure("place_class_station", ["state", "station", "place_class"], cells)


def state_stations(workers):
    """Adults of each state by STATIONS, from its tables by one fact each: {state: {station: adults}}."""
    soldiers = total([r for r in read("labour_age_sex_state_acs2018.csv") if r["labour_status"] == "armed_forces"],
                     ["state"])
    ages = total(read("pop_age_sex_state_acs2018.csv"),
                 ["state", lambda r: band_of(first(r["age_group"]), AGES)])
    enrolled = total([r for r in read("college_enrolment_age_sex_state_acs2018.csv")
                      if r["college_enrolment"] in ENROLLED], ["state", lambda r: band_of(first(r["age_group"]), AGES)])
    found = {}
    for s in STATES:
        people = {a: ages[s, a] for a in AGES}
        adults = sum(people.values())
        row = {"military": max(soldiers[s,], 20.0), "student": .97 * enrolled[s, "18-24"]}
        people["18-24"] -= row["student"] + .45 * row["military"]
        people["25-44"] -= .55 * row["military"]
        for k in WORKPLACES:
            row[k] = .97 * workers[s, k]
            for a, part in zip(AGES, AGES_AT_WORK):
                people[a] -= part * row[k]
        row |= dict(zip(("young", "grown", "middle_aged", "old"), people.values()))
        found[s] = {k: max(v, .0001 * adults) for k, v in row.items()}
    return found


AGES_AT_WORK = (.09, .43, .41, .07)  # ASSUMPTION: ages of those who do it, as of all who work in the country
INDUSTRIES = {"agriculture_forestry_fishing_and_hunting": "farm", "mining_quarrying_and_oil_and_gas_extraction": "mine",
              "manufacturing": "factory", "information": "finance", "finance_and_insurance": "finance",
              "real_estate_and_rental_and_leasing": "finance", "finance_insurance_and_real_estate": "finance",
              "public_administration": "government"}
ENROLLED = {code for code, level in ENROLMENT.items() if level != "not_enrolled"}


# How a station is come to: which work, which home, and both. Service, college and work with a place of its own come
# first.


def stations():
    home = {(a, "not_enrolled", name): 1.0 for a, name in zip(AGES, ("young", "grown", "middle_aged", "old"))}
    home |= {(a, "enrolled", "student" if a == "18-24" else name): 1.0 for a, _, name in home}
    figure("home", ["age", "college_enrolment", "home"], home, "share")
    found = {}
    for h in sorted({k[-1] for k in home}):
        for w in ["military", *WORKPLACES, "other", "none"]:
            found[h, w, w if w == "military" or w in WORKPLACES and h != "student" else h] = 1.0
    figure("station", ["home", "occupation_kind", "station"], found, "share")


FEW = 45  # people of a race in a ZIP code; fewer are left out, to keep the pack small, but for its largest


def places(people, workers):
    rows = sorted((r for r in read("zipcode_city_county_state_population.csv") if float(r["count"] or 0) > 0),
                  key=lambda r: r["zipcode"])
    counties = Counties({(r["state"], r["county"]) for r in rows})
    kind = counties.classes()
    class_of = {counties.place[c]: k for c, k in kind.items()}
    mix = {r["zcta"]: r for r in read("zcta_race_shares_census2020.csv")}
    columns = {"white": "share_white_non_hispanic", "black": "share_black_non_hispanic",
               "native": "share_aian_non_hispanic", "asian": "share_asian_nhpi_non_hispanic",
               "other": "share_two_or_more_or_other_non_hispanic", "hispanic": "share_hispanic"}
    largest = {}  # the most populous named ZIP code of a ZCTA and of a county, for those without a place name
    for r in rows:
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            if r["city"] and float(r["count"]) > largest.get(key, (0.0, ""))[0]:
                largest[key] = (float(r["count"]), r["city"])
    county = defaultdict(lambda: defaultdict(float))  # race counts by county, for the few ZCTAs without shares
    for r in rows:
        for column in columns.values():
            if r["zcta"] in mix:
                county[r["state"], r["county"]][column] += float(r["count"]) * float(mix[r["zcta"]][column] or 0)
    listed, cells = [], {}
    for r in rows:
        shares = mix.get(r["zcta"]) or county[r["state"], r["county"]]
        mass = sum(float(shares[c] or 0) for c in columns.values())
        city = r["city"]
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            city = city or largest.get(key, (0.0, ""))[1]
        city = city or re.sub(r" (County|Parish|Borough|Municipio|Census Area)$", "", r["county"])
        here = {race: round(float(r["count"]) * float(shares[column] or 0) / mass) for race, column in columns.items()}
        most = max(here.values())
        # a ZIP code that reaches over a border counts with the largest class of its own state
        place = class_of.get((r["state"], r["county"]), "1")
        for race, v in here.items():
            if v > 0 and v >= min(FEW, most):
                cells[r["state"], race, place, r["zipcode"]] = v
        if most > 0:
            listed.append([r["zipcode"], city, r["county"], r["state"]])
    levels("zipcode", ["level", "city", "county", "state"], listed)
    level_list("city", sorted({r[1] for r in listed}))
    level_list("county", sorted({r[2] for r in listed}))
    figure("zipcode_state_race", ["state", "race_ethnicity", "place_class", "zipcode"], cells)
    mass = defaultdict(float)
    for (s, race, k, _), v in cells.items():
        mass[s, race, k] += v
    classes(counties, kind, mass, people, workers)
    stations()
