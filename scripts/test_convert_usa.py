"""Tests of the converter for the USA, on small tables made up here: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_USA=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shared_pack import tables
from shared_pack.testing import Folders, Pack, Whole
from usa_pack import character, codes, holdouts, homes, people, places, work


class Codes(unittest.TestCase):
    def test_titles_become_codes(self):
        self.assertEqual(codes.snake("Registered nurses"), "registered_nurses")
        self.assertEqual(codes.snake("Children's librarians, all other"), "childrens_librarians_all_other")

    def test_fields_are_recoded(self):
        rows = [{"field": "business", "count": "2"}, {"field": "no such", "count": "9"}]
        self.assertEqual(dict(tables.total(rows, [tables.recoded("field", codes.FIELDS)])), {("business",): 2.0})

    def test_bands_are_told_shortly_and_cover_one_another(self):
        self.assertEqual([codes.tidy("20-20"), codes.tidy("20-24")], ["20", "20-24"])
        self.assertEqual(codes.covering("60-70", ["18-24", "25-64", "65+"]), ["25-64", "65+"])


class People(Folders):
    """The first tables of the conversion, for two states."""

    def setUp(self):
        super().setUp()
        self.addCleanup(codes.STATES.clear)
        wide = [("CA", 1000), ("NV", 100)]
        ages18 = [("15-17", 3), ("18-19", 2), ("20-20", 1), ("21-64", 40), ("65+", 9)]
        self.table("pop_age_sex_state_acs2018.csv", "state,sex,age_group,count",
                   [[s, x, a, n * k] for s, n in wide for x in codes.SEXES for a, k in ages18])
        self.table("pop_age_sex_state_acs2024.csv", "state,sex,age_group,count",
                   [[s, x, a, n * k] for s, n in wide for x in codes.SEXES
                    for a, k in (("18-19", 2), ("20-64", 45), ("65+", 10))])
        self.table("pop_single_age_sex_state_2024_estimate.csv", "state,sex,age,count",
                   [[s, x, a, n * 0.9] for s, n in wide for x in codes.SEXES for a in range(15, 86)])
        people.population()

    def test_adults_alone_are_kept(self):
        cells = self.cells("population_age_sex_state_2018")
        self.assertEqual(sorted({k[2] for k in cells}), ["18-19", "20", "21-64", "65+"])
        self.assertEqual(self.cells("population_state_2018")["CA",], 2 * 1000 * (2 + 1 + 40 + 9))

    def test_single_ages_add_up_to_the_published_bands(self):
        cells = self.cells("population_single_age_sex_state_2024")
        for low, high, want in ((20, 64, 45_000), (65, 100, 10_000)):
            within = sum(v for (s, x, a), v in cells.items() if (s, x) == ("CA", "Male") and low <= int(a) <= high)
            self.assertAlmostEqual(within, want, delta=0.01)
        ages = {int(a) for (_, _, a) in cells}
        self.assertEqual((min(ages), max(ages)), (18, 100))

    def test_women_live_longer(self):
        men, women = people.oldest("Male"), people.oldest("Female")
        self.assertAlmostEqual(sum(men.values()), 1.0)
        self.assertGreater(women[95], men[95])
        self.assertEqual(list(men), list(range(85, 101)))

    def test_races_add_up_to_the_published_people(self):
        bands = ["15-17", "18-64", "65+"]
        estimate = dict(white_non_hispanic=50, hispanic=30, black_non_hispanic=6, asian_non_hispanic=9,
                        aian_non_hispanic=1, nhpi_non_hispanic=1, other_non_hispanic=1, two_or_more_non_hispanic=2)
        exact = dict(white_non_hispanic=20_000, hispanic=15_000)
        header = "state,sex,age_group,race_ethnicity,count"
        small = {"18-64": 1.0, "15-17": 0.1, "65+": 0.2}
        of = lambda counts: [[s, x, b, r, n * small[b] * scale] for s, scale in (("CA", 1), ("NV", 0.1))
                             for x in codes.SEXES for b in bands for r, n in counts.items()]
        self.table("pop_exclusive_race_age_sex_state_2018_estimate.csv", header, of(estimate))
        self.table("pop_age_sex_race_state_acs2018.csv", header, of(exact))
        adult_band = lambda r: codes.tidy(r["age_group"]) if codes.adult(r["age_group"]) else None
        p18 = tables.total(tables.read("pop_age_sex_state_acs2018.csv"), ["state", "sex", adult_band])
        people.race(p18)
        fine = self.cells("race_detail_age_sex_state")
        cell = {k[3]: v for k, v in fine.items() if k[:3] == ("CA", "Female", "18-64")}
        self.assertAlmostEqual(sum(cell.values()), 43_000, places=3)  # 18-19, 20 and 21-64
        self.assertEqual((cell["white"], cell["hispanic"]), (20_000, 15_000))
        self.assertAlmostEqual(cell["asian"] / cell["black"], 9 / 6)


class Holdouts(Folders):
    """Tables that are only judged by."""

    def named(self):
        os.mkdir(os.path.join(tables.FOLDERS["pack"], "levels"))
        self.write(os.path.join(tables.FOLDERS["pack"], "levels", "zipcode.csv"), "level,city,county,state",
                   [["1", "A", "Big County", "CA"]])
        self.table("occupation_group_class_commuting_share_county_acs2013_2017.csv",
                   "state,county_fips,county,dimension,category,share",
                   [["CA", c, n, "occupation_group", g, 0.5] for c, n in (("01", "Big County"), ("02", "Tiny County"))
                    for g in ("service", "sales_and_office")])
        for name in holdouts.PEOPLE_2023:
            self.table(name, "state,county_fips,county,sex,age_group,count",
                       [["CA", "01", "Big County", x, "18-19", 90] for x in codes.SEXES])
        return holdouts.counties()

    def test_counties_that_the_pack_has_not_are_left_out(self):
        named = self.named()
        people = {("CA", c, "Male", "18-19"): n for c, n in (("01", 50), ("02", 9))}
        holdouts.age_county(people, named)
        self.assertEqual(self.cells("holdout_age_county"), {("CA", "Big County", "18-24"): 50})

    def test_those_under_18_are_taken_off_the_never_married(self):
        named = self.named()
        self.table("marital_sex_large_counties_acs2018.csv", "state,county_fips,sex,marital_status,count",
                   [["CA", "01", x, m, n] for x in codes.SEXES for m, n in (
                       ("never_married", 300), ("married", 600), ("separated", 50), ("widowed", 20), ("divorced", 30))])
        self.table("household_type_large_counties_acs2018.csv", "state,county_fips,household_type,count",
                   [["CA", "01", "married_couple_with_children", 500], ["CA", "01", "lives_alone_under_65", 200],
                    ["CA", "01", "other_nonfamily", 70]])
        people = {("CA", "01", x, a): n for x in codes.SEXES for a, n in (("10-14", 7), ("15-17", 10), ("18-19", 90))}
        holdouts.marital_and_living_county(people, named)
        cells = self.cells("holdout_marital_sex_county")
        self.assertEqual(cells["CA", "Big County", "Male", "never_married"], 300 - 1000 * 10 / 100)
        self.assertEqual(cells["CA", "Big County", "Male", "married_or_separated"], 650)
        self.assertEqual(self.cells("holdout_living_arrangement_county"),
                         {("CA", "Big County", "with_spouse"): 1000, ("CA", "Big County", "lives_alone"): 200,
                          ("CA", "Big County", "other"): 600})

    def test_areas_of_several_zip_codes_are_left_out(self):
        self.named()
        self.table("zipcode_city_county_state_population.csv", "zipcode,zcta", [["1", "1"], ["2", "2"]])
        self.table("pop_age_zcta_acs2014_2018.csv", "zcta,age_group,count",
                   [[z, a, 10_000] for z in "12" for a in ("15-19", "20-24", "25-44", "65+")])
        self.table("profile_zcta_acs2014_2018.csv", "zcta,share_less_than_high_school_25plus", [["1", 0.1], ["2", 0.2]])
        holdouts.zipcodes()
        self.assertEqual(set(self.cells("holdout_age_zipcode")), {("1", a) for a in ("20-24", "25-44", "65+")})
        self.assertEqual(self.cells("holdout_diploma_zipcode"),
                         {("1", "25+", "no_diploma"): 2_000, ("1", "25+", "diploma"): 18_000})

    def test_temperament_is_put_on_the_scale_of_all_adults(self):
        bands = ["18-24", "25-34", "35-44", "45-54", "55+"]
        self.table("big_five_sex_age_sapa.csv", "trait,sex,age_group,mean_t,sd_t,respondents",
                   [["agreeableness", x, a, m, 5, 9] for x, m in (("Male", 40), ("Female", 44)) for a in bands])
        self.table("pop_single_age_sex_state_2024_estimate.csv", "state,sex,age,count",
                   [["CA", x, a, 100] for x in codes.SEXES for a in range(16, 86)])
        holdouts.agreeableness()
        cells = self.cells("holdout_agreeableness_age_sex")
        self.assertAlmostEqual(sum(cells.values()), 2 * 68 * 100, delta=10)
        average = {x: cells[x, "18-24", "average"] for x in codes.SEXES}
        self.assertAlmostEqual(average["Male"], average["Female"], delta=average["Male"] / 20)
        self.assertGreater(cells["Female", "18-24", "high"], cells["Male", "18-24", "high"])


class Work(Folders):
    def test_schooling_goes_by_title_then_by_code_then_by_degree(self):
        levels = ["less_than_high_school", "high_school", "some_college", "associates", "bachelors", "masters",
                  "doctorate_or_professional"]
        shares = {"11-1011": [.1, .2, .1, .1, .3, .1, .1], "11-1021": [.5, .5, 0, 0, 0, 0, 0],
                  "13-2011": [0, .1, .1, .1, .6, .1, 0]}
        titles = {"11-1011": "Chief executives", "11-1021": "Other", "13-2011": "Accountants and auditors"}
        self.table("occupation_education_share_bls2018_2019.csv",
                   "occupation_code,occupation,published_code,education_level,share",
                   [[c, titles[c], c, e, v] for c, row in shares.items() for e, v in zip(levels, row)])
        self.table("occupation_detailed_degree_acs2021.csv", "census_occupation_code,occupation,education_level,count",
                   [["1", "Accountants and auditors", "no_bachelors", 10],
                    ["1", "Accountants and auditors", "bachelors_or_higher", 90]])
        order = ["Chief executives", "Legislators", "Accountants and auditors"]
        soc = {"Chief executives": ["11-1021"], "Legislators": ["11-1021"], "Accountants and auditors": ["11-1021"]}
        found = work.schooling(order, soc)
        self.assertAlmostEqual(found["Chief executives"]["graduate"], .2)
        self.assertAlmostEqual(found["Legislators"]["less_than_high_school"], .5)
        self.assertAlmostEqual(found["Accountants and auditors"]["bachelors"], .9 * .6 / .7)
        for row in found.values():
            self.assertAlmostEqual(sum(row.values()), 1)

    def test_race_of_an_occupation_keeps_the_race_of_its_group(self):
        self.table("occupation_detailed_sex_race_cps2022.csv",
                   "occupation_major,occupation,share_women,share_white,share_black,share_asian,share_hispanic,count",
                   [["x", "Manicurists", .8, .3, .05, .6, .05, 1], ["x", "Barbers", .3, .6, .3, .05, .05, 1],
                    ["x", "Rare", "", "", "", "", "", 1]])
        order = ["Manicurists", "Barbers", "Rare"]
        by_sex = {(o, x): 50.0 for o in order for x in codes.SEXES}
        group_race = {("care", "black"): 60, ("care", "asian"): 60, ("care", "hispanic"): 30, ("care", "other"): 150}
        group = dict.fromkeys(order, "care")
        work.occupation_race(order, group, group, by_sex, group_race)
        cells = self.cells("occupation_race_us")
        asian = {o: cells["care", "asian", codes.snake(o)] for o in order}
        self.assertAlmostEqual(sum(asian.values()), 60, delta=.01)
        self.assertGreater(asian["Manicurists"], asian["Rare"])
        self.assertGreater(asian["Rare"], asian["Barbers"])
        for o in order:
            self.assertAlmostEqual(sum(v for k, v in cells.items() if k[-1] == codes.snake(o)), 100, delta=.01)

    def test_an_occupation_goes_to_the_first_row_that_fits_it(self):
        self.assumption("rows.csv", "cluster,occupation_group,occupations",
                        [["none", "", ""], ["rest", "", ""], ["nurses", "health", "nurse"], ["health", "health", ""]])
        path = os.path.join(tables.FOLDERS["pack"], "pack.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("# begin x\n# end x\n")
        group = {"registered_nurses": "health", "aides": "health", "nurse_clerks": "office"}
        with self.assertRaisesRegex(AssertionError, "no occupation is left"):
            work.clusters({"registered_nurses": "health"}, "rows.csv", "x", ("idle",))
        self.assumption("rows.csv", "cluster,occupation_group,occupations",
                        [["none", "", ""], ["nurses", "health", "nurse"], ["health", "health", ""], ["rest", "", ""]])
        work.clusters(group, "rows.csv", "x", ("idle",))
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()[1:-1]
        self.assertEqual(lines, ['none = ["idle"]', 'nurses = ["registered_nurses"]', 'health = ["aides"]',
                                 'rest = ["nurse_clerks"]'])

    def test_every_race_and_birth_is_of_one_origin(self):
        work.origins()
        cells = self.cells("origin")
        self.assertEqual(len(cells), 8)
        self.assertEqual(cells["hispanic", "foreign_born", "hispanic_foreign_born"], 1)


class Homes(Folders):
    header = "state,age_group,sex,race_ethnicity,education_level,marital_status,hh_size,children_under_18,count"

    def rows(self):
        return [dict(zip(self.header.split(","), row), count=row[-1]) for row in [
            ("UT", "35-39", x, r, e, m, n, c, v) for x in codes.SEXES for r in homes.LIVING_RACE
            for e in ("high_school", "bachelors") for m in ("married", "never_married")
            for n, c, v in (("1", "no", 9e5), ("2", "no", 9e5), ("3", "yes", 9e5), ("5", "yes", 9e5))]]

    def test_mothers_with_work_have_fewer_children_and_nobody_alone_has_one(self):
        self.table("joint_family_work_us_atus2012_2016.csv",
                   "sex,age_group,marital_status,partner,youngest_child,education,labour_status,household_size,people,"
                   "respondents",
                   [["Female", "35-39", "married", "spouse", c, "bachelors", w, "3", v, 1]
                    for c, w, v in (("0-5", "employed", 3e6), ("none", "employed", 5e6),
                                    ("0-5", "not_in_labor_force", 5e6), ("none", "not_in_labor_force", 3e6))])
        homes.children_at_home(self.rows())
        cells = self.cells("children_at_home_seed")
        key = lambda work, company: ("Female", "35-39", "married", "high_school", work, company, "yes")
        self.assertLess(cells[key("job", "couple")], cells[key("no_job", "couple")])
        self.assertNotIn(key("job", "alone"), cells)

    def test_a_couple_with_a_child_is_three(self):
        self.addCleanup(codes.STATES.clear)
        codes.STATES.extend(["ME", "UT"])
        self.table("household_size_tenure_state_acs2018.csv", "state,household_size,tenure,count",
                   [["UT", n, "owner_occupied", v] for n, v in (("1", 9), ("2", 9), ("3", 9), ("4+", 30))] +
                   [["ME", n, "owner_occupied", v] for n, v in (("1", 9), ("2", 90), ("3", 9), ("4+", 1))])
        self.table("joint_persons_us_atus2010_2016.csv", "race_ethnicity,nativity,hh_size,count",
                   [[r, b, n, 9e5] for r in homes.LIVING_RACE for b in people.BORN for n in homes.SIZES])
        self.assumption("household_size_tilt.csv", "living_arrangement,2,3,4,5,6,7",
                        [["with_spouse", 1, 1, 1, 1, 1, 1], ["with_other_relatives", 1, 1, 1, 1, 1, 1]])
        with open(os.path.join(tables.FOLDERS["pack"], "pack.toml"), "w", encoding="utf-8") as f:
            f.write("# begin states by households\n# end states by households\n")
        homes.household_size(self.rows())
        cells = self.cells("household_size_seed")
        sizes = lambda home: {k[-1] for k in cells if k[2] == home and k[3] == "yes"}
        self.assertEqual(sizes("with_spouse"), set("34567"))
        self.assertEqual(sizes("with_other_relatives"), set("234567"))
        with open(os.path.join(tables.FOLDERS["pack"], "pack.toml"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn('small = ["ME"]', text)
        self.assertIn('large = ["UT"]', text)


class Places(Folders):
    def test_students_are_those_who_outnumber_the_ages_around_them(self):
        plain = {a: 100.0 for a in range(15, 30)}
        college = plain | {a: 500.0 for a in range(18, 23)}
        few = places.students(plain, {"18-24": 700.0, "25-44": 2000.0}, 0.0)
        many = places.students(college, {"18-24": 2700.0, "25-44": 2000.0}, 0.0)
        self.assertAlmostEqual(few / 700, .33)
        self.assertGreater(many / 2700, .7)
        self.assertLess(places.students(college, {"18-24": 2700.0, "25-44": 2000.0}, 1500.0), many)

    def test_every_station_is_come_to_in_one_way_from_each_home_and_work(self):
        places.stations()
        for name in ("home", "station"):
            cells = self.cells(name)
            self.assertEqual(len({k[:-1] for k in cells}), len(cells), name)
        cells = self.cells("station")
        self.assertEqual({k[-1] for k in cells}, set(places.STATIONS))
        self.assertIn(("old", "mine", "mine"), cells)
        self.assertIn(("student", "mine", "student"), cells)

    def test_the_manifest_knows_the_stations_and_the_classes(self):
        levels = {v["name"]: v.get("levels") for v in Pack("usa").toml("pack.toml")["variable"]}
        self.assertEqual(levels["station"], places.STATIONS)
        self.assertEqual(levels["place_class"], [str(n + 1) for n in range(places.MOST_CLASSES)])


class Names(Folders):
    def setUp(self):
        super().setUp()
        self.addCleanup(codes.STATES.clear)
        codes.STATES.extend(["LA", "TX"])
        self.assumption("surname_spelling.csv", "last_name", [["O'Neal"]])
        self.assumption("surname_heritage.csv", "last_name,heritage",
                        [["Guidry", "cajun"], ["Kealoha", "pacific"], ["Nguyen", "vietnamese"]])
        self.assumption("heritage_ties.csv", "heritage,variable,level,odds,reason",
                        [["cajun", "state", "LA", 90, "x"], ["cajun", "state", "", .3, "x"],
                         ["vietnamese", "language", "english", .1, "x"]])

    def surnames(self, *names):
        self.table("surnames_race_census2020.csv", "last_name,count,share_white,share_black,share_api,share_aian,"
                   "share_two_or_more,share_hispanic", names)

    def test_heritages_keep_the_bearers_of_their_names(self):
        self.surnames(["SMITH", 9000, .7, .2, 0, 0, .05, .05], ["GUIDRY", 1000, .8, .2, 0, 0, 0, 0],
                      ["KEALOHA", 1000, 0, 0, 1, 0, 0, 0], ["NGUYEN", 3000, 0, 0, 1, 0, 0, 0])
        character.heritages(character.surnames())
        shares = self.cells("heritage_race")
        self.assertAlmostEqual(shares["white", "cajun"], 800 / 7100, delta=1e-6)
        self.assertAlmostEqual(shares["pacific_islander", "pacific"], character.PACIFIC["pacific_islander"])
        for race in codes.RACES:
            self.assertAlmostEqual(sum(v for k, v in shares.items() if k[0] == race), 1, delta=1e-6)
        seed = self.cells("heritage_seed")
        self.assertEqual((seed["LA", "english", "cajun"], seed["TX", "english", "cajun"]), (90, .3))
        self.assertEqual((seed["LA", "english", "vietnamese"], seed["LA", "english", "any"]), (.1, 1))
        self.assertIn(("asian", "vietnamese", "Nguyen"), self.cells("last_name_race"))

    def test_a_heritage_of_no_surname_is_refused(self):
        self.surnames(["SMITH", 9000, .7, .2, 0, 0, .05, .05])
        with self.assertRaisesRegex(AssertionError, "no surname"):
            character.surnames()

    def test_those_born_abroad_are_named_apart(self):
        with open(os.path.join(tables.FOLDERS["pack"], "pack.toml"), "w", encoding="utf-8") as f:
            f.write("".join(f"# begin {n}\n# end {n}\n" for n in ("generations", "races of names")))
        character.generations()
        cells = self.cells("name_group")
        self.assertEqual(len({k[:-1] for k in cells}), len(cells))
        self.assertIn(("18-24", "asian", "foreign_born", "asian abroad"), cells)
        self.assertIn(("18-24", "native", "foreign_born", "native 18-24"), cells)


class Conversion(Whole, unittest.TestCase):
    country = "usa"


if __name__ == "__main__":
    unittest.main()
