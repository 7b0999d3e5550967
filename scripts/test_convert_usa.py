"""Tests of the converter, on small tables made up here: `python3 -m unittest discover scripts`.

With `POPULACE_TABLES_USA=TABLES_DIR` the whole conversion runs too, and must give the figures of the pack byte for byte.
"""

import csv
import filecmp
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections import defaultdict

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from shared_pack import raking, tables
from shared_pack.bands import band_of, last
from usa_pack import codes, people


class Folders(unittest.TestCase):
    """Empty folders of tables and of a pack."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        for name in tables.FOLDERS:
            path = os.path.join(self.folder.name, name)
            os.mkdir(path)
            self.addCleanup(tables.FOLDERS.__setitem__, name, tables.FOLDERS[name])
            tables.FOLDERS[name] = path
        self.addCleanup(codes.STATES.clear)

    def table(self, name, header, rows):
        with open(os.path.join(tables.FOLDERS["tables"], name), "w", newline="") as f:
            csv.writer(f).writerows([header.split(",")] + rows)

    def bytes_of(self, figure):
        with open(os.path.join(tables.FOLDERS["pack"], "figures", figure + ".csv.gz"), "rb") as f:
            return f.read()

    def cells(self, figure):
        """{key: value} of a figure that was written."""
        rows = list(csv.reader(gzip.decompress(self.bytes_of(figure)).decode().splitlines()))
        return {tuple(r[:-1]): float(r[-1]) for r in rows[1:]}


class Figures(Folders):
    def test_the_same_cells_give_the_same_bytes_in_any_order(self):
        cells = {("b", "10"): 2.0, ("b", "9"): 1.5, ("a", "9"): 0.1234567}
        tables.figure("one", ["letter", "age"], cells)
        tables.figure("two", ["letter", "age"], dict(reversed(list(cells.items()))))
        self.assertEqual(self.bytes_of("one"), self.bytes_of("two"))
        text = gzip.decompress(self.bytes_of("one")).decode()
        self.assertEqual(text, "letter,age,count\na,9,0.123\nb,9,1.5\nb,10,2\n")

    def test_negative_cells_are_refused(self):
        with self.assertRaisesRegex(SystemExit, "one: negative cell"):
            tables.figure("one", ["letter"], {("a",): -0.5})

    def test_counts_add_up_over_columns_and_recodes(self):
        rows = [{"state": "CA", "field": "business", "count": "2"}, {"state": "CA", "field": "business", "count": "3"},
                {"state": "CA", "field": "no such", "count": "9"}, {"state": "NV", "field": "business", "count": ""}]
        sums = tables.total(rows, ["state", tables.recoded("field", codes.FIELDS)])
        self.assertEqual(dict(sums), {("CA", "business"): 5.0, ("NV", "business"): 0.0})

    def test_titles_become_codes(self):
        self.assertEqual(codes.snake("Registered nurses"), "registered_nurses")
        self.assertEqual(codes.snake("Children's librarians, all other"), "childrens_librarians_all_other")
        self.assertEqual([tables.number(0.0, 3), tables.number(2.5, 3), tables.significant(123456.0, 3)],
                         ["0", "2.5", "123456"])


class Bands(unittest.TestCase):
    def test_ages_find_their_bands(self):
        bands = ["18-24", "25-64", "65+"]
        self.assertEqual([band_of(a, bands) for a in (17, 18, 24, 25, 100)],
                         [None, "18-24", "18-24", "25-64", "65+"])
        self.assertEqual([codes.tidy("20-20"), codes.tidy("20-24"), last("85+")], ["20", "20-24", 100])
        self.assertEqual(codes.covering("60-70", bands), ["25-64", "65+"])


class Raking(unittest.TestCase):
    def test_margins_are_met_and_odds_ratios_kept(self):
        seed = {("a", "x"): 4.0, ("a", "y"): 1.0, ("b", "x"): 2.0, ("b", "y"): 3.0}
        fitted = raking.rake(seed, {"a": 30.0, "b": 70.0}, {"x": 55.0, "y": 45.0})
        for row, want in (("a", 30.0), ("b", 70.0)):
            self.assertAlmostEqual(sum(v for k, v in fitted.items() if k[0] == row), want, places=8)
        for column, want in (("x", 55.0), ("y", 45.0)):
            self.assertAlmostEqual(sum(v for k, v in fitted.items() if k[1] == column), want, places=8)
        odds = fitted["a", "x"] * fitted["b", "y"] / (fitted["a", "y"] * fitted["b", "x"])
        self.assertAlmostEqual(odds, 4.0 * 3.0 / (1.0 * 2.0), places=6)

    def test_empty_columns_stay_empty(self):
        fitted = raking.rake({("a", "x"): 1.0, ("a", "y"): 1.0}, {"a": 5.0}, {"x": 5.0, "y": 0.0})
        self.assertEqual((fitted["a", "x"], fitted["a", "y"]), (5.0, 0.0))

    def test_thin_cells_borrow_from_wide_ones(self):
        counts = defaultdict(float, {("old", "f", "yes"): 1.0, ("old", "m", "yes"): 10.0, ("old", "m", "no"): 90.0})
        share = raking.shrunk(counts, 1, ["yes", "no"], 50.0)
        self.assertAlmostEqual(sum(share(("old", "f")).values()), 1.0)
        # One woman says little: she is much like the old in general, of whom 11 of 101 say yes.
        self.assertTrue(0.1 < share(("old", "f"))["yes"] < 0.16, share(("old", "f")))
        self.assertTrue(share(("old", "m"))["yes"] < share(("old", "f"))["yes"])


class People(Folders):
    """The first tables of the conversion, for two states."""

    def setUp(self):
        super().setUp()
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
        of = lambda counts, s: [[s, x, b, r, n * small[b] * (1 if s == "CA" else 0.1)]
                                for x in codes.SEXES for b in bands for r, n in counts.items()]
        self.table("pop_exclusive_race_age_sex_state_2018_estimate.csv", header, of(estimate, "CA") + of(estimate, "NV"))
        self.table("pop_age_sex_race_state_acs2018.csv", header, of(exact, "CA") + of(exact, "NV"))
        p18 = tables.total(tables.read("pop_age_sex_state_acs2018.csv"),
                           ["state", "sex", lambda r: codes.tidy(r["age_group"]) if codes.adult(r["age_group"]) else None])
        people.race(p18)
        fine = self.cells("race_detail_age_sex_state")
        cell = {k[3]: v for k, v in fine.items() if k[:3] == ("CA", "Female", "18-64")}
        self.assertAlmostEqual(sum(cell.values()), 43_000, places=3)  # 18-19, 20 and 21-64
        self.assertEqual((cell["white"], cell["hispanic"]), (20_000, 15_000))
        self.assertAlmostEqual(cell["asian"] / cell["black"], 9 / 6)


class Whole(unittest.TestCase):
    def test_a_folder_that_is_none_is_refused(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "convert_usa.py"), HERE, HERE],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no SOURCES.csv there", done.stderr)

    def test_the_sources_give_the_pack_byte_for_byte(self):
        sources = os.environ.get("POPULACE_TABLES_USA")
        if not sources:
            self.skipTest("POPULACE_TABLES_USA names no folder of source tables")
        pack = os.path.join(HERE, "..", "datasets", "usa")
        with tempfile.TemporaryDirectory() as made:
            shutil.copy(os.path.join(pack, "pack.toml"), made)
            shutil.copytree(os.path.join(pack, "assumptions"), os.path.join(made, "assumptions"))
            subprocess.run([sys.executable, os.path.join(HERE, "convert_usa.py"), sources, made], check=True)
            for folder in ("figures", "levels"):
                names = sorted(os.listdir(os.path.join(pack, folder)))
                self.assertEqual(names, sorted(os.listdir(os.path.join(made, folder))))
                _, differ, missing = filecmp.cmpfiles(os.path.join(pack, folder), os.path.join(made, folder), names,
                                                      shallow=False)
                self.assertEqual((differ, missing), ([], []))


if __name__ == "__main__":
    unittest.main()
