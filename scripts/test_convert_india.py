"""Tests of the converter for India: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_INDIA=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from india_pack import devanagari, holdouts, names, people, romanise, work
from shared_pack.testing import Whole


class Words(unittest.TestCase):
    def test_names_go_by_rule_and_by_list(self):
        self.assertEqual(devanagari.spell("Manju"), "मंजू")
        self.assertEqual(devanagari.spell("Babu"), "बाबू")
        self.assertEqual(devanagari.devanagari("Gopaldas", {"gopal": "गोपाल"}), "गोपालदास")
        self.assertEqual(devanagari.devanagari("Ramesh", {"ramesh": "रमेश"}), "रमेश")

    def test_unspoken_schwas_are_dropped(self):
        for word, latin in (("करते", "karte"), ("सबसे", "sabse"), ("समझना", "samajhna"), ("कमल", "kamal"),
                            ("रहते", "rehte"), ("काम", "kaam")):
            self.assertEqual(romanise.romanise(word), latin)

    def test_endings_by_sex_keep_their_mark(self):
        self.assertEqual(romanise.marked("करत<े|ी>"), "kart<e|i>")
        self.assertEqual(romanise.text("{N} {from} रहत<े|ी> हैं।"), "{N} {from} reht<e|i> hain.")

    def test_titles_lose_what_the_print_broke_off(self):
        self.assertEqual(work.clean("Working Proprietor, Construction/Proprietor,"), "Working Proprietor, Construction")
        self.assertEqual(work.clean("Messengers, Package Deliverers and"), "Messengers, Package Deliverers")
        self.assertEqual(work.clean("Finance Managers, Others 1231.9"), "Finance Managers, Others")

    def test_names_fit_faith_language_and_state(self):
        self.assertEqual(names.culture("Muslim", "Malayalam", "Kerala"), "muslim_malabar")
        self.assertEqual(names.culture("Christian", "Mizo", "Mizoram"), "mizo")
        self.assertEqual(names.culture("Hindu", "Hindi", "Bihar"), "bihar")
        self.assertEqual(names.culture("Buddhist", "Marathi", "Maharashtra"), "marathi")


class Holdouts(unittest.TestCase):
    def test_combinations_that_nobody_is_in_are_cells_of_0(self):
        cells = {("Goa", "Rural", "x"): 2.0, ("Goa", "Urban", "y"): 3.0, ("Delhi", "Urban", "x"): 1.0,
                 ("Delhi", "Rural", "x"): 0.0}
        self.assertEqual(holdouts.filled(cells, 2), {
            ("Goa", "Rural", "x"): 2.0, ("Goa", "Rural", "y"): 0.0, ("Goa", "Urban", "x"): 0.0,
            ("Goa", "Urban", "y"): 3.0, ("Delhi", "Urban", "x"): 1.0, ("Delhi", "Urban", "y"): 0.0})

    def test_raking_meets_the_sums_and_keeps_the_odds(self):
        cells = {("a", "x"): 4.0, ("a", "y"): 1.0, ("b", "x"): 1.0, ("b", "y"): 1.0}
        raked = holdouts.raked(cells, ((0,), {("a",): 30.0, ("b",): 70.0}), ((1,), {("x",): 40.0, ("y",): 60.0}))
        for place, sums in ((0, {("a",): 30.0, ("b",): 70.0}), (1, {("x",): 40.0, ("y",): 60.0})):
            for key, value in holdouts.told(raked, place).items():
                self.assertAlmostEqual(value, sums[key])
        self.assertAlmostEqual(raked["a", "x"] * raked["b", "y"] / raked["a", "y"] / raked["b", "x"], 4.0)

    def test_of_nobody_none_are_adults(self):
        cells = {("Goa", "adult"): 1.0, ("Goa", "child"): 3.0, ("Delhi", "adult"): 0.0, ("Delhi", "child"): 0.0}
        self.assertEqual([people.adult_share(cells, ("Goa",)), people.adult_share(cells, ("Delhi",))], [0.25, 0.0])


class People(unittest.TestCase):
    def test_bands_of_districts_hold_those_of_the_census(self):
        self.assertEqual([people.place_age(b) for b in people.BANDS], [
            "18-19", "20-24", "25-29", "30-39", "30-39", "40-49", "40-49", "50-59", "50-59", "60-69", "60-69", "70+",
            "70+", "70+"])

    def test_standings_keep_who_labours_who_tills_and_how_all_are_schooled(self):
        row = people.standings([40.0, 30.0, 20.0, 10.0], 30.0, 20.0)
        self.assertAlmostEqual(row[0] + row[1], 30.0, 3)
        self.assertAlmostEqual(row[2], 20.0, 3)
        self.assertAlmostEqual(sum(row), 100.0)
        self.assertGreater(row[0] / 30, 0.4)  # labourers read less than others

    def test_a_last_column_is_scaled_to_its_sums(self):
        self.assertEqual(people.scaled({("x", "a"): 1.0, ("y", "a"): 3.0, ("x", "b"): 0.0}, {"a": 8.0, "b": 0.0}),
                         {("x", "a"): 2.0, ("y", "a"): 6.0, ("x", "b"): 0.0})

    def test_crops_have_unit_groups_of_their_own(self):
        self.assertEqual({work.OWN_UNITS[t] for t in ("Tea Plantation Worker", "Coffee Plantation Worker")},
                         {"6112t", "6112c"})
        self.assertTrue(set(work.BRANCH_UNITS) == set(work.OUTDOORS))


class Conversion(Whole, unittest.TestCase):
    country = "india"


if __name__ == "__main__":
    unittest.main()
