"""Tests of the converter for the USA, on small tables made up here: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_USA=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shared_pack import tables
from shared_pack.testing import Folders, Whole
from usa_pack import codes, holdouts, people


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
        self.table("industry_county_acs2013_2017.csv", "state,county_fips,industry,count",
                   [["CA", "01", "services", 60], ["CA", "01", "mining", 40], ["CA", "02", "services", 9]])
        holdouts.occupation_group_county(named)
        self.assertEqual(self.cells("holdout_occupation_group_county"),
                         {("CA", "Big County", "service"): 50, ("CA", "Big County", "sales_and_office"): 50})

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


class Conversion(Whole, unittest.TestCase):
    country = "usa"


if __name__ == "__main__":
    unittest.main()
