"""Tests of the pack of Singapore and of its converter: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_SINGAPORE=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import csv
import gzip
import os
import re
import sys
import unittest
from collections import defaultdict
from itertools import product

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shared_pack.bands import first, last
from shared_pack.testing import Folders, Pack, Whole
from singapore_pack import character, codes, holdouts, homes, names, people, work

PACK = Pack("singapore")
MANIFEST = PACK.toml("pack.toml")
FIGURES = {f["name"]: f for f in MANIFEST["figure"]}
HOLDOUTS = {f"holdout_{f['name']}": f for f in MANIFEST["holdout"]}
GROUPS = {g["name"]: g.get("groups") for g in MANIFEST["grouping"]}
BANDS = {g["name"]: g["bands"] for g in MANIFEST["grouping"] if "bands" in g}
LEVELS = {v["name"]: v.get("levels") for v in MANIFEST["variable"]}
EVERY_BAND = {name: bands for name, bands in vars(codes).items() if name.startswith("AGES")}


def sums(cells, width):
    """The cells added up over the first columns of their keys."""
    out = defaultdict(float)
    for key, v in cells.items():
        out[key[:width]] += v
    return dict(out)


class Codes(unittest.TestCase):
    def test_bands_hold_each_adult_age_once(self):
        for name, bands in [*EVERY_BAND.items(), *BANDS.items(), ("AGES_LEISURE", character.AGES_LEISURE),
                            ("COHORTS", list(names.COHORTS.values())), ("DWELLING_AGE", list(homes.DWELLING_AGE))]:
            ages = [a for b in sorted(bands, key=first) for a in range(first(b), last(b) + 1)]
            self.assertEqual(ages, list(range(18, 101)), name)

    def test_a_fine_band_lies_within_a_coarse_one(self):
        self.assertEqual(codes.within("22-24", codes.AGES5), "20-24")
        self.assertEqual(codes.within("90+", codes.AGES5_85), "85+")
        self.assertEqual(codes.within("18", codes.AGES5), "18-19")
        with self.assertRaisesRegex(ValueError, "the ages 18-24 lie within none of the bands 18-19, 20-24"):
            codes.within("18-24", codes.AGES5)

    def test_groups_of_dialect_groups_hold_each_once(self):
        for groups, ethnicity in ((codes.ORIGINS, codes.ORIGIN_ETHNICITY), (codes.SPEECH, codes.SPEECH_ETHNICITY)):
            self.assertEqual(sorted(d for listed in groups.values() for d in listed), sorted(codes.DIALECT.values()))
            self.assertEqual(list(groups), list(ethnicity))
            for group, listed in groups.items():
                self.assertLessEqual(set(listed), set(GROUPS["ethnicity4"][ethnicity[group]]), group)

    def test_incomes_are_written_as_the_census_does(self):
        self.assertEqual([codes.income(b) for b in ("0-999", "3000-3999", "12000+")],
                         ["Below $1,000", "$3,000 - $3,999", "$12,000 & Over"])
        edges = [int(n) for b in codes.INCOME_BANDS for n in b.rstrip("+").split("-")]
        self.assertEqual(edges[2::2], [high + 1 for high in edges[1::2]])

    def test_letters_of_industries_and_fields_are_their_own(self):
        for table in (codes.INDUSTRY, codes.FIELD):
            self.assertEqual(len({letter for letter, _ in table.values()}), len(table))


class Population(Folders):
    """Two planning areas, whose rounded single years are 2 % short of the exact bands."""

    def setUp(self):
        super().setUp()
        self.published = ["15-19"] + codes.AGES5[1:]
        self.table("population_planning_area_age_sex.csv", "planning_area,age,sex,count",
                   [[p, a, x, 49] for p in ("Bedok", "Bishan") for a in range(0, 91) for x in codes.SEXES])
        self.exact({e: 25 for e in codes.ETHNICITY})

    def exact(self, counts):
        self.table("population_ethnicity_age_sex.csv", "ethnicity,age_group,sex,count",
                   [[e, b, x, n * (1 if b == "90+" else 5)] for e, n in counts.items()
                    for b in ["0-4"] + self.published for x in codes.SEXES])

    def test_single_years_add_up_to_the_exact_bands(self):
        bands = people.population()
        cells = self.cells("population_single_age_sex_2024")
        self.assertEqual({int(a) for a, _ in cells}, set(range(18, 101)))
        for band in codes.AGES5[1:]:
            within = sum(v for (a, x), v in cells.items() if x == "Male" and first(band) <= int(a) <= last(band))
            self.assertAlmostEqual(within, 100 if band == "90+" else 500, places=4)
            self.assertAlmostEqual(bands[band, "Male"], within, places=4)

    def test_two_of_five_years_of_the_teens_are_grown(self):
        self.assertAlmostEqual(people.population()["18-19", "Female"], 500 * 2 / 5)

    def test_the_official_table_leaves_out_the_band_that_straddles_18(self):
        people.population()
        self.assertEqual({a for a, _ in self.cells("population_age_sex_2024")}, set(codes.AGES5[1:]))

    def test_the_oldest_die_out_and_women_later(self):
        people.population()
        cells = self.cells("population_single_age_sex_2024")
        for sex in codes.SEXES:
            living = [cells[str(a), sex] for a in range(90, 101)]
            self.assertEqual(living, sorted(living, reverse=True))
        self.assertGreater(cells["97", "Female"], cells["97", "Male"])

    def test_groups_at_18_add_up_to_the_people_of_18(self):
        self.exact({"chinese": 70, "malay": 15, "indian": 10, "other": 5})
        found = people.ethnicity(people.population())
        young = self.cells("ethnicity_18_19_2024")
        self.assertAlmostEqual(sum(v for k, v in young.items() if k[2] == "Male"), 200, places=4)
        self.assertAlmostEqual(young["Chinese", "18-19", "Male"], 140, places=4)
        self.assertNotIn("18-19", {k[1] for k in self.cells("ethnicity_age_sex_2024")})
        self.assertEqual({k[1] for k in found}, set(codes.AGES5))

    def test_a_group_that_is_unknown_is_refused(self):
        self.exact({"chinese": 70, "martian": 30})
        with self.assertRaisesRegex(KeyError, "martian"):
            people.ethnicity(people.population())

    def test_a_count_below_nothing_is_refused(self):
        self.exact({"chinese": 70, "malay": -30})
        with self.assertRaisesRegex(SystemExit, "ethnicity_age_sex_2024: negative cell .*'Malay'"):
            people.ethnicity({("18-19", x): 200.0 for x in codes.SEXES})

    def test_a_band_that_is_missing_is_refused(self):
        self.published.remove("40-44")
        self.exact({"chinese": 70})
        with self.assertRaisesRegex(SystemExit, "population_ethnicity_age_sex.csv: nobody aged 40-44, Male: add the"):
            people.population()


class Places(Folders):
    def setUp(self):
        super().setUp()
        self.table("planning_area_region.csv", "region,planning_area,count",
                   [["East", "Bedok", 300], ["Central", "Bishan", 90], ["North", "Lim Chu Kang", 0]])
        self.subzones([["Bedok", "Bedok North", a, "Male", 100] for a in (17, 18, 40)] +
                      [["Bedok", "New Estate", 30, "Female", 60], ["Bishan", "Marymount", 91, "Female", 90]])
        self.table("population_subzone_ethnicity_sex.csv", "planning_area,subzone,ethnicity,sex,count",
                   [["Bedok", "Bedok North", "chinese", x, 60] for x in codes.SEXES] +
                   [["Bedok", "Bedok North", "malay", x, 40] for x in codes.SEXES] +
                   [["Bishan", "Marymount", "chinese", x, 50] for x in codes.SEXES] +
                   [["Lim Chu Kang", "Lim Chu Kang", "chinese", "Male", 10]])

    def subzones(self, rows):
        self.table("population_subzone_age_sex.csv", "planning_area,subzone,age,sex,count", rows)

    def test_minors_are_left_out(self):
        people.places()
        cells = self.cells("area_age_sex_2024")
        by_area = {(area, band, sex): v for (band, sex, area), v in cells.items()}
        self.assertEqual(sums(by_area, 1), {("Bedok",): 260, ("Bishan",): 90, ("Lim Chu Kang",): 0})
        self.assertEqual((cells["18-19", "Male", "Bedok"], cells["90+", "Female", "Bishan"]), (100, 90))

    def test_areas_where_nobody_lives_now_have_no_groups(self):
        people.places()
        self.assertEqual({k[2] for k in self.cells("area_ethnicity_sex_2020")}, {"Bedok", "Bishan"})
        self.assertEqual(self.cells("subzone_2024")["Lim Chu Kang", "Lim Chu Kang"], 0)

    def test_no_group_of_the_country_is_impossible_in_an_area(self):
        people.places()
        seed = self.cells("area_seed")
        self.assertGreater(seed["Malay", "Male", "Bishan"], 0)
        self.assertGreater(seed["Chinese", "Male", "Bishan"], 10 * seed["Malay", "Male", "Bishan"])

    def test_a_new_estate_takes_the_mix_of_its_area(self):
        people.places()
        seed = self.cells("subzone_seed")
        self.assertAlmostEqual(seed["Bedok", "Chinese", "New Estate"] / seed["Bedok", "Malay", "New Estate"], 1.5, 4)

    def test_lists_name_the_place_above(self):
        people.places()
        with open(os.path.join(self.folder.name, "pack", "levels", "planning_area.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "level,region\nBedok,East\nBishan,Central\nLim Chu Kang,North\n")
        self.assertEqual(self.levels("subzone"), ["Bedok North", "Lim Chu Kang", "Marymount", "New Estate"])

    def test_an_age_beyond_all_bands_is_refused(self):
        self.subzones([["Bedok", "Bedok North", 118, "Male", 10]])
        with self.assertRaisesRegex(ValueError, "age 118 lies in none of the bands 18-19, 20-24"):
            people.places()


class Schooling(Folders):
    def test_nobody_has_a_degree_at_18(self):
        self.table("education_age_sex_ethnicity_estimate.csv", "age_group,sex,ethnicity,education_level,share",
                   [[b, x, "malay", e, 0.125] for b in codes.AGES5_85 for x in codes.SEXES for e in codes.EDUCATION])
        self.table("education_planning_area_2015.csv", "planning_area,education_level,count", [["Bedok", "primary", 9]])
        self.assumption("school_career.csv", ",".join(["age"] + codes.EDUCATION_LEVELS),
                        [["18 late", 1, 1, 1, 1, 1, 0, 0, 0], ["22-24 late", 1, 1, 1, 1, 1, 1, 1, 0.5]])
        people.education()
        seed = self.cells("education_seed")
        self.assertEqual(seed["18", "Male", "Malay", "University"], 0)
        self.assertGreater(seed["18", "Female", "Malay", "University"], 0)  # weighted as the rows say: here men alone
        grown = {k[3]: v for k, v in seed.items() if k[:3] == ("22-24", "Male", "Malay")}
        self.assertAlmostEqual(grown["University"] / grown["Primary"], 0.5, places=4)
        self.assertEqual(self.cells("education_area_2015"), {("Bedok", "Primary"): 9})
        shares = sums(self.cells("education_age_sex_ethnicity_2024"), 3)
        self.assertEqual(set(shares.values()), {1.0})


class Names(Folders):
    def setUp(self):
        super().setUp()
        self.assumption("names.csv", "culture,role,sex,cohort,names", [
            ["malay", "first", "Male", "old", "Dollah|Bakar"], ["malay", "first", "Male", "young", "Danish"],
            ["malay", "first", "Female", "any", "Siti"], ["malay", "last", "any", "any", "Rahman"],
            ["tamil", "last", "any", "any", "Muthu"], ["eurasian", "last", "any", "any", "Pereira"]])
        self.assumption("chinese_syllables.csv", "cohort,syllables",
                        [["old", "Siew Kok"], ["young", "Jun Xuan"], ["mid", "Wei"]])
        self.assumption("surnames_by_dialect.csv", "speech,weight,surnames",
                        [["hokkien", 2, "Tan"], ["cantonese", 3, "Chan"]])
        self.table("names_surname_chinese.csv", "last_name,count",
                   [["Tan", 100], ["Chan", 50], ["Ho", 10], ["Saw", 90], ["Rare", 3]])
        self.table("names_given_syllable_chinese.csv", "given_name_position,given_name,share_female_derived,count",
                   [[1, "Wei", 0.5, 90], [1, "Siew", 0.9, 40], [1, "Zzyzx", 0.5, 5], [2, "Wei", 0.5, 30],
                    [2, "Kok", 0, 60], [2, "Xuan", "", 20]])
        self.table("names_single_given_chinese.csv", "given_name,count", [["Wei", 46], ["Weikok", 5], ["Junxuan", 1]])
        for name in ("names_western_first_chinese.csv", "names_western_alias_chinese.csv"):
            self.table(name, "first_name,sex,count",
                       [["Alvin", "Male", 50], ["Grace", "Female", 40], ["Kai", "Male", 1], ["Sam", "", 30]])

    def test_each_origin_faith_and_cohort_has_kinds_of_names_that_add_up(self):
        names.cultures()
        cells = self.cells("name_culture")
        faiths, bands = ("muslim", "christian", "other"), names.COHORTS.values()
        self.assertEqual(set(sums(cells, 3)), set(product(codes.ORIGINS, faiths, bands)))
        self.assertTrue(all(abs(v - 1) < 1e-9 for v in sums(cells, 3).values()))
        self.assertLessEqual({k[3] for k in cells}, set(names.CULTURES))

    def test_names_fit_origin_and_faith(self):
        names.cultures()
        cells = self.cells("name_culture")
        self.assertEqual(cells["malay", "other", "60+", "malay"], 1)
        self.assertEqual(cells["tamil", "muslim", "18-39", "indian_muslim"], 1)
        self.assertEqual(cells["tamil", "christian", "18-39", "indian_christian"], 1)
        self.assertEqual(cells["punjabi", "other", "18-39", "punjabi"], 1)
        western = [cells["chinese", f, b, "chinese_western"] for f in ("other", "christian") for b in ("60+", "18-39")]
        self.assertEqual(western, sorted(western))

    def test_names_of_another_cohort_are_rare_and_of_another_life_unknown(self):
        listed = names.listed("first")
        self.assertEqual([listed["malay", "Male", c].get("Dollah", 0) for c in ("old", "mid", "young")], [1.0, 0.12, 0])
        self.assertEqual([listed["malay", "Female", c]["Siti"] for c in names.COHORTS], [1.0] * 3)
        self.assertNotIn(("malay", "Female", "other"), listed)

    def test_syllables_tell_the_age(self):
        known = names.syllables()
        self.assertEqual([names.age_weight(["Siew", "Kok"], c, known) for c in ("old", "mid", "young")],
                         [1.0, 0.3 ** 2, 0.03 ** 2])
        self.assertEqual(names.age_weight(["Nobody"], "old", known), 0.03)  # written as one word: of the young
        self.assertEqual(names.age_weight(["Ann"], "old", known), 1.0)

    def test_given_names_are_put_together_from_common_syllables(self):
        weight = names.chinese_given()
        pairs = {name for name, _ in weight if " " in name}
        self.assertEqual(pairs, {"Wei Kok", "Wei Xuan", "Siew Wei", "Siew Kok", "Siew Xuan"})
        self.assertGreater(weight["Wei Kok", "Male"], 5 * weight["Wei Kok", "Female"])
        self.assertGreater(weight["Siew Xuan", "Female"], weight["Siew Xuan", "Male"])
        self.assertEqual({name for name, _ in weight} - pairs, {"Weikok"})
        self.assertEqual(names.chinese_given(), weight)

    def test_western_names_come_from_both_tables_but_for_rare_ones(self):
        self.assertEqual(dict(names.western()), {("Alvin", "Male"): 100.0, ("Grace", "Female"): 80.0})

    def test_surnames_and_patronyms(self):
        names.surnames()
        cells = self.cells("last_name")
        chinese = {k[2:]: v for k, v in cells.items() if k[:2] == ("chinese", "Male")}
        self.assertEqual(chinese["hokkien", "Tan"] / chinese["teochew", "Tan"], 2 / 0.12)
        self.assertEqual((chinese["cantonese", "Chan"], chinese["cantonese", "Ho"]), (150, 10))
        self.assertEqual({n for _, n in chinese}, {"Tan", "Chan", "Ho"})
        self.assertEqual({k[:2] + k[3:] for k in cells if k[2] == "not_chinese"},
                         {("malay", "Male", "bin Rahman"), ("malay", "Female", "binte Rahman"),
                          ("tamil", "Male", "s/o Muthu"), ("tamil", "Female", "d/o Muthu"),
                          ("punjabi", "Male", "Singh"), ("punjabi", "Female", "Kaur"),
                          ("eurasian", "Male", "Pereira"), ("eurasian", "Female", "Pereira")})

    def test_a_dialect_has_surnames_of_its_own(self):
        names.surnames()
        self.assertEqual({k[2] for k in self.cells("last_name")}, set(GROUPS["surname"]))

    def test_lists_hold_the_names_of_the_figures(self):
        names.names()
        for name in ("first_name", "middle_name", "last_name"):
            self.assertEqual(self.levels(name), sorted({k[-1] for k in self.cells(name)}), name)
        middle = self.cells("middle_name")
        self.assertEqual({k[3] for k in middle if k[0] != "chinese_western"}, {"None"})
        without = middle["chinese_western", "Male", "18-39", "None"]
        composed = sum(v for k, v in middle.items() if k[:3] == ("chinese_western", "Male", "18-39")) - without
        self.assertAlmostEqual(without / composed, 0.10, 3)


class Work(Folders):
    def setUp(self):
        super().setUp()
        cluster = {"industry": "G90 O6", "field": "s4 b3", "status": "emp", "female": "0.3", "education": "0019",
                   "age": "01388"}
        header = "cluster,prefixes,pay," + ",".join(cluster)
        self.assumption("clusters.csv", header, [[c, p, pay, *cluster.values()] for c, p, pay in (
            ("officials", "111", 5), ("clerks", "41 42", 1), ("secretaries", "412", 3), ("armed_forces", "X", 2))])
        self.assumption("occupation_weights.csv", "prefix,factor,reason", [["412", 0.5, ""], ["4129", 0, ""]])
        self.occupations([["managers", "11110", "Legislator", 1], ["clerical_support_workers", "41101", "Clerk", 0.6],
                          ["clerical_support_workers", "41201", "Secretary", 0.2],
                          ["clerical_support_workers", "41290", "Nobody", 0.2],
                          ["others", "X1000", codes.FORCES, 1]])

    def occupations(self, rows):
        self.table("occupation_detail_within_major_estimate.csv", "occupation_major,occupation_code,occupation,share",
                   rows)

    def test_the_longest_prefix_gives_the_cluster_and_the_weight(self):
        jobs = work.Occupations()
        self.assertEqual(jobs.titles, ["Legislator", "Clerk", "Secretary", codes.FORCES])
        self.assertEqual(jobs.cluster["Secretary"], "secretaries")
        self.assertEqual((jobs.weight["Clerk"], jobs.weight["Secretary"]), (0.6, 0.1))
        self.assertEqual(jobs.major["Secretary"], "Clerical Support Workers")
        self.assertEqual(jobs.share("secretaries"), 0.1)

    def test_a_code_of_no_cluster_is_refused(self):
        self.occupations([["managers", "99999", "Astronaut", 1]])
        with self.assertRaisesRegex(SystemExit, "clusters.csv: no prefix fits 99999, the code of `Astronaut`"):
            work.Occupations()

    def test_shares_that_do_not_add_up_are_refused(self):
        self.occupations([["managers", "11110", "Legislator", 0.9], ["mangers", "11120", "Official", 0.1]])
        with self.assertRaisesRegex(SystemExit, "the shares of managers add up to 0.9000, not to 1: a row is missing"):
            work.Occupations()

    def test_a_major_group_that_is_unknown_is_refused(self):
        self.occupations([["kings", "11110", "King", 1]])
        with self.assertRaisesRegex(KeyError, "kings"):
            work.Occupations()

    def test_pay_goes_by_the_tier_of_the_cluster(self):
        jobs = work.Occupations()
        self.assertEqual([work.pay_class(jobs, t) for t in jobs.titles],
                         ["Managers high", "Clerical Support Workers low", "Clerical Support Workers mid", "forces"])

    def test_groups_of_the_manifest_hold_each_title_once(self):
        jobs = work.Occupations()
        self.assertEqual(work.toml_groups(jobs, lambda t: jobs.major[t], "None"),
                         ['"None" = ["Not in Workforce"]', '"Clerical Support Workers" = ["Clerk", "Secretary"]',
                          '"Managers" = ["Legislator"]', f'"Others" = ["{codes.FORCES}"]'])

    def test_a_title_may_tell_the_sex_better_than_its_cluster(self):
        self.assertEqual([work.override(t, 0.5) for t in ("Hotel receptionist", "Lorry driver", "Clerk")],
                         [0.94, 0.02, 0.5])

    def test_nobody_earns_much_in_a_household_that_earns_little(self):
        self.assertEqual([work.affordable("low", b) for b in ("4000-4999", "5000-5999", "6000-6999")], [1, 0.12, 0.015])
        self.assertEqual({work.affordable("top", b) for b in codes.INCOME_BANDS}, {1.0})
        self.assertEqual([homes.means_of(b) for b in ("no_working_person", "4000-4999", "5000-5999", "20000+")],
                         ["low", "low", "middle", "top"])

    def test_each_status_of_a_kind_of_work_is_in_per_cent(self):
        self.assertTrue(all(abs(sum(row) - 100) < 1e-9 for row in work.STATUS_KINDS.values()))

    def test_incomes_of_a_class_add_up_and_follow_the_pay(self):
        jobs = work.Occupations()
        share = 1 / len(codes.INCOME_BANDS)
        self.table("income_band_occupation_sex_estimate.csv", "occupation_major,sex,monthly_income_sgd,share",
                   [[m, x, b, share] for m in ("managers", "clerical_support_workers", "cleaners_labourers")
                    for x in codes.SEXES for b in codes.INCOME_BANDS])
        work.incomes(jobs)
        seed = self.cells("income_seed")
        self.assertTrue(all(abs(v - 1) < 2e-3 for v in sums(seed, 5).values()))
        most = {k[:5]: v for k, v in seed.items() if k[5] == "$12,000 & Over"}
        group = "Male", "28-44", "degree", "high"
        self.assertGreater(most["Managers high", *group], most["Clerical Support Workers low", *group])
        for poorer in (("Male", "18-22", *group[2:]), (*group[:2], "secondary_or_less", group[3]),
                       (*group[:3], "low")):
            self.assertGreater(most["Managers high", *group], most["Managers high", *poorer])
        self.assertEqual(seed["none", *group, "None"], 1)

    def test_nobody_serves_who_need_not(self):
        work.national_service()
        cells = self.cells("national_service_seed")
        self.assertEqual({k[3] for k in cells if k[1:3] == ("Female", "other")}, {"None"})
        self.assertEqual(cells["18-20", "Male", "forces", "Full-Time National Serviceman"], 98)
        self.assertEqual(cells["25-39", "Male", "forces", "Full-Time National Serviceman"], 0)
        self.assertEqual({v for k, v in cells.items() if k[1:3] == ("Male", "other") and k[3] in
                          ("Full-Time National Serviceman", "Regular")}, {0})
        self.assertEqual({k[0] for k in cells}, set(BANDS["age_service"]))


class Labour(Folders):
    BANDS = ["15-19"] + codes.AGES5[1:]

    def setUp(self):
        super().setUp()
        self.table("labour_status_age_sex_estimate.csv", "age_group,sex,labour_status,count",
                   [[b, x, s, 10] for b in self.BANDS for x in codes.SEXES for s in codes.LABOUR])
        self.rates(["25-29", "30-39", "40-49", "50-59", "60+"])

    def rates(self, bands):
        self.table("unemployment_rate.csv", "dimension,category,sex,rate",
                   [["age_group", b, "Total", 0.03] for b in bands] + [["age_group", b, "Male", 0.5] for b in bands])

    def run_labour(self):
        return work.labour({("18-19", x): 100.0 for x in codes.SEXES})

    def test_nobody_retires_before_45(self):
        counts = self.run_labour()
        self.assertEqual([(b, x) for (b, x, s), v in counts.items() if s == "Retired" and v and first(b) < 45], [])
        self.assertEqual(counts["40-44", "Male", "Other Outside Labour Force"], 20)
        self.assertEqual(counts["45-49", "Male", "Retired"], 10)

    def test_those_of_18_and_19_add_up_to_the_people(self):
        self.run_labour()
        cells = self.cells("labour_force_age_sex_2024")
        self.assertEqual({k[0] for k in cells}, set(codes.AGES5))
        self.assertAlmostEqual(sum(v for k, v in cells.items() if k[:2] == ("18-19", "Male")), 100)
        self.assertAlmostEqual(cells["18-19", "Male", "labour_force"], 0.98 * 20)

    def test_the_rate_of_both_sexes_is_the_official_one(self):
        self.run_labour()
        cells = self.cells("unemployment_age_2024")
        self.assertEqual(cells["25-29", "Unemployed"], 0.03)
        self.assertTrue(all(abs(v - 1) < 1e-9 for v in sums(cells, 1).values()))

    def test_a_rate_that_is_missing_is_refused(self):
        self.rates(["25-29", "30-39"])
        with self.assertRaisesRegex(KeyError, "40-49"):
            self.run_labour()


class Homes(Folders):
    def digital_use(self, online, pays, sure):
        rates = {"internet_use": online, "online_transactions": pays, "confident_with_digital_skills": sure}
        self.table("digital_use_age_estimate.csv", "age_group,measure,rate",
                   [["18-29", measure, rate] for measure, rate in rates.items()])
        homes.digital_use()

    def test_steps_of_digital_use_add_up(self):
        self.digital_use(0.9, 0.7, 0.4)
        cells = self.cells("digital_use_age")
        self.assertEqual([cells["18-29", level] for level in homes.DIGITAL], [0.1, 0.2, 0.3, 0.4])

    def test_more_who_pay_than_who_are_online_are_refused(self):
        with self.assertRaisesRegex(SystemExit, r"digital_use_age: negative cell \('18-29', 'Online'\)"):
            self.digital_use(0.6, 0.7, 0.4)


class Holdouts(Folders):
    """A planning area where 3 of 60 a sex who were 15 and over in 2020 were under 18."""

    def setUp(self):
        super().setUp()
        self.table("population_planning_area_age_sex.csv", "planning_area,age,sex,count",
                   [["Bedok", a, x, 1] for a in range(0, 79) for x in codes.SEXES])
        self.table("labour_status_planning_area_sex_2020.csv", "planning_area,sex,labour_status,count",
                   [["Bedok", x, s, n] for x in codes.SEXES
                    for s, n in (("employed", 60), ("unemployed", 10), ("outside_labour_force", 50))])

    def test_those_under_18_are_taken_off_those_who_do_not_work(self):
        holdouts.labour(holdouts.under_18())
        cells = self.cells("holdout_labour_area_sex_2020")
        self.assertEqual([cells["Bedok", "Male", s] for s in ("employed", "unemployed", "outside")], [60, 10, 44])

    def test_households_are_turned_into_adults(self):
        self.table("household_size_planning_area_2020.csv", "planning_area,household_size,count",
                   [["Bedok", "1", 28], ["Bedok", "2", 50], ["Bedok", "8+", 1]])
        holdouts.households(holdouts.under_18())
        self.assertEqual(self.cells("holdout_alone_area_2020"), {("Bedok", "alone"): 28, ("Bedok", "company"): 200})
        self.assertEqual(self.cells("holdout_household_size_area_2020"), {("Bedok", "2"): 97, ("Bedok", "8"): 6.536})

    def test_bands_of_income_are_those_of_both_tables(self):
        self.assertEqual([holdouts.income_2020(b) for b in ("0-999", "2000-2999", "12000-14999", "15000+")],
                         ["Below $1,000", "$2,000 - $2,999", "$12,000 & Over", "$12,000 & Over"])

    def test_a_status_that_is_unknown_is_refused(self):
        self.table("labour_status_planning_area_sex_2020.csv", "planning_area,sex,labour_status,count",
                   [["Bedok", "Male", "resting", 1]])
        with self.assertRaisesRegex(KeyError, "resting"):
            holdouts.labour(holdouts.under_18())


class Hobbies(unittest.TestCase):
    def test_tags_tell_whom_a_hobby_fits(self):
        for tags, ethnicity, faith, weight in (
                ("", "Chinese", "none_or_other", 1), ("x", "Malay", "muslim", 0), ("x", "Malay", "christian", 1),
                ("=c", "Chinese", "hindu", 1), ("=c", "Malay", "muslim", 0), ("=t", "Indian", "hindu", 1),
                ("m3", "Malay", "muslim", 3), ("m3", "Others", "muslim", 1), ("=u", "Indian", "muslim", 6),
                ("=u", "Indian", "hindu", 0), ("c2 x", "Chinese", "muslim", 0), ("+d", "Chinese", "muslim", 1)):
            self.assertEqual(character.factor(tags, ethnicity, faith), weight, (tags, ethnicity, faith))

    def test_each_pair_of_group_and_faith_has_its_heritage(self):
        for ethnicity, faith, heritage in (("Chinese", "christian", "chinese_christian"),
                                           ("Chinese", "muslim", "others_muslim"),
                                           ("Malay", "none_or_other", "malay_muslim"),
                                           ("Indian", "buddhist_taoist", "indian_other"),
                                           ("Others", "hindu", "others_other")):
            self.assertEqual(character.heritage_of(ethnicity, faith), heritage)
        self.assertEqual(sorted(LEVELS["heritage"]), sorted(character.HERITAGE))
        self.assertTrue(all(character.heritage_of(e, "muslim").endswith("_muslim") for e in codes.ETHNICITY.values()))

    def test_tags_of_the_pack_are_known(self):
        tags = {t for r in PACK.rows("assumptions", "hobbies.csv") for t in r["tags"].split()}
        unread = {t for t in tags if not re.fullmatch(r"x|\+d|=[cmiotuhskb]|[cmio]\d+(\.\d+)?", t)}
        self.assertLessEqual(unread, {"g"})  # of grandchildren's outings alone, whose ages and sexes tell enough


class Manifest(unittest.TestCase):
    """What the pack states agrees with the converter and within itself."""

    def test_every_source_has_a_licence_and_the_words_it_asks_for(self):
        for source in MANIFEST["source"]:
            self.assertTrue(source["licence"] and source["agency"] and source["year"], source["id"])
            if source["licence"].startswith("Singapore Open Data Licence"):
                self.assertRegex(source["attribution"], r"^Contains information from .*data\.gov\.sg/open-data-licence")

    def test_every_figure_has_a_file_a_source_and_a_status(self):
        sources = {s["id"] for s in MANIFEST["source"]}
        stated = FIGURES | HOLDOUTS
        self.assertEqual({os.path.basename(f["file"]) for f in stated.values()}, set(os.listdir(PACK.path("figures"))))
        for name, f in stated.items():
            self.assertEqual(f["file"], f"figures/{name}.csv.gz")
            self.assertIn(f["source"], sources, name)
            self.assertIn(f["status"], ("official", "estimate"), name)

    def test_what_is_assumed_is_no_official_figure(self):
        licence = {s["id"]: s["licence"] for s in MANIFEST["source"]}
        for name, f in (FIGURES | HOLDOUTS).items():
            if name.endswith(("_seed", "_18_19", "_18_19_2024")) or f["source"] in ("populace", "big_five", "imda"):
                self.assertEqual(f["status"], "estimate", name)
            if f["status"] == "official":
                self.assertEqual(licence[f["source"]], "Singapore Open Data Licence 1.0", name)

    def test_levels_are_those_of_the_converter(self):
        for variable, table in (("sex", codes.SEXES), ("ethnicity", codes.ETHNICITY.values()),
                                ("dialect_group", codes.DIALECT.values()), ("education_level", codes.EDUCATION_LEVELS),
                                ("marital_status", codes.MARITAL.values()), ("religion", codes.RELIGION.values()),
                                ("language_at_home", codes.LANGUAGE.values()), ("labour_status", codes.LABOUR.values()),
                                ("dwelling_type", codes.DWELLING.values()),
                                ("household_type", homes.HOUSEHOLDS.values()), ("digital_use", homes.DIGITAL),
                                ("name_culture", names.CULTURES)):
            self.assertEqual(sorted(LEVELS[variable]), sorted(table), variable)
        for variable, table in (("occupation_group", codes.MAJORS.values()), ("monthly_income", codes.INCOME.values()),
                                ("employment_status", codes.STATUS.values()),
                                ("transport_to_work", codes.TRANSPORT.values()),
                                ("industry", [title for _, title in codes.INDUSTRY.values()]),
                                ("field_of_study", [title for _, title in codes.FIELD.values()])):
            self.assertEqual(set(LEVELS[variable]) - {"None"}, set(table), variable)

    def test_groups_are_those_of_the_converter(self):
        for name, table in (("origin", codes.ORIGINS), ("speech", codes.SPEECH), ("education3", codes.EDUCATION3),
                            ("education4", codes.EDUCATION4), ("education5", codes.EDUCATION5),
                            ("faith", character.FAITHS)):
            self.assertEqual(GROUPS[name], table, name)
        for name, bands in (("population", codes.AGES5), ("dialect", codes.AGES5_85),
                            ("education", codes.AGES_EDUCATION), ("marital", codes.AGES_MARITAL),
                            ("religion", codes.AGES_RELIGION), ("labour", codes.AGES_LABOUR),
                            ("work", codes.AGES_WORK), ("career", codes.AGES_CAREER), ("pay", codes.AGES_PAY),
                            ("home", character.AGES_HOBBY)):
            self.assertEqual(BANDS[f"age_{name}"], bands, name)

    def test_groups_of_occupations_hold_each_title_once(self):
        titles = sorted(PACK.column("level", "levels", "occupation.csv"))
        for name in ("forces", "cluster", "major", "travel", "screen", "pay_class"):
            self.assertEqual(sorted(t for listed in GROUPS[name].values() for t in listed), titles, name)

    def test_every_level_is_harmonised(self):
        view = PACK.toml("harmonised.toml")
        for part in ("region", "education", "marital", "labour", "sex"):
            self.assertEqual(set(view[part]["codes"]), set(LEVELS[view[part]["column"]]), part)
        isco = PACK.rows("occupation_isco.csv")
        self.assertEqual([r["level"] for r in isco], PACK.column("level", "levels", "occupation.csv"))
        self.assertTrue(all(re.fullmatch(r"\d{0,4}", r["isco"]) for r in isco))
        self.assertEqual({r["level"] for r in isco if not r["isco"]}, {codes.NO_JOB})

    def test_the_words_of_the_texts_cover_the_lists(self):
        for listed, column, words in (("hobby", "hobby", "hobbies"), ("skill", "skill", "skills"),
                                      ("occupation", "occupation", "occupations")):
            missing = set(PACK.column("level", "levels", f"{listed}.csv")) - {codes.NO_JOB}
            missing -= set(PACK.column(column, "outline", "en", f"{words}.csv"))
            self.assertFalse(missing, words)


class Figures(unittest.TestCase):
    """The figures as they are in the pack."""

    def cells(self, name):
        with gzip.open(PACK.path("figures", f"{name}.csv.gz"), "rt", encoding="utf-8", newline="") as f:
            header, *rows = csv.reader(f)
        return header, {tuple(r[:-1]): float(r[-1]) for r in rows}

    def test_shares_add_up(self):
        for name, width in (("education_age_sex_ethnicity_2024", 3), ("language_ethnicity_age_2020", 2),
                            ("digital_use_age", 1), ("field_sex", 1), ("income_occupation_sex_2023", 2),
                            ("unemployment_age_2024", 1), ("unemployment_young_2024", 2), ("marital_18_19", 2),
                            ("name_culture", 3), ("stability", 0), ("plasticity", 1), ("openness", 1)):
            header, cells = self.cells(name)
            self.assertEqual(header[-1], "share", name)
            for key, v in sums(cells, width).items():
                self.assertAlmostEqual(v, 1, delta=5e-5, msg=f"{name} {key}")

    def test_no_figure_tells_of_minors_or_of_groups_unknown(self):
        for name in FIGURES | HOLDOUTS:
            header, cells = self.cells(name)
            for i, column in enumerate(header[:-1]):
                values = {k[i] for k in cells}
                if column == "age":
                    self.assertGreaterEqual(min(map(first, values)), 15 if name == "marital_age_sex_2018" else 18, name)
                elif column in ("sex", "ethnicity"):
                    group = (FIGURES | HOLDOUTS)[name].get("columns", {}).get(column)
                    known = GROUPS[group.split(":")[1]] if group else LEVELS[column]
                    self.assertLessEqual(values, set(known), name)

    def test_no_node_is_fitted_to_a_holdout(self):
        self.assertGreaterEqual(len(HOLDOUTS), 10)
        fitted = {c["figure"] for n in MANIFEST["node"] for c in [*n.get("figures", []), n.get("seed", {})] if c}
        joints = [sorted(self.cells(name)[0][:-1]) for name in fitted if FIGURES[name]["status"] == "official"]
        for name, f in HOLDOUTS.items():
            header, cells = self.cells(name)
            self.assertNotIn(f["name"], fitted)
            self.assertEqual(len(set(header[:-1])), len(header) - 1, name)
            self.assertGreaterEqual(len(header), 3, name)
            self.assertNotIn(sorted(header[:-1]), joints, name)
            self.assertEqual(header[-1], "count", name)

    def test_names_of_the_lists_are_those_of_the_figures(self):
        for name in ("first_name", "middle_name", "last_name"):
            _, cells = self.cells(name)
            self.assertEqual({k[-1] for k in cells}, set(PACK.column("level", "levels", f"{name}.csv")), name)


class Conversion(Whole, unittest.TestCase):
    country = "singapore"


if __name__ == "__main__":
    unittest.main()
