"""Tests of what the converters share, on small tables made up here: `python3 -m unittest discover -s scripts`."""

import gzip
import os
import sys
import tempfile
import unittest
from collections import defaultdict
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from shared_pack import bands, clusters, command, personality, raking, tables
from shared_pack.testing import SCRIPTS, Folders, Pack, run

COUNTRIES = ["brazil", "india", "japan", "singapore", "usa"]


class Clusters(unittest.TestCase):
    def test_what_is_near_is_merged_first_and_the_heavy_stay_apart(self):
        cluster = clusters.ward([[0.0], [0.1], [5.0], [6.0], [7.0]], [1.0, 1.0, 10.0, 10.0, .1], 3)
        self.assertEqual(cluster, {0: 0, 1: 0, 2: 2, 3: 3, 4: 3})


class Figures(Folders):
    def test_the_same_cells_give_the_same_bytes_in_any_order(self):
        cells = {("b", "10"): 2.0, ("b", "9"): 1.5, ("a", "9"): 0.1234567}
        tables.figure("one", ["letter", "age"], cells)
        tables.figure("two", ["letter", "age"], dict(reversed(list(cells.items()))))
        self.assertEqual(self.bytes_of("one"), self.bytes_of("two"))
        self.assertEqual(self.bytes_of("one")[3:8], bytes(5))  # neither a name nor a time
        text = gzip.decompress(self.bytes_of("one")).decode()
        self.assertEqual(text, "letter,age,count\na,9,0.123\nb,9,1.5\nb,10,2\n")

    def test_negative_cells_are_refused(self):
        with self.assertRaisesRegex(SystemExit, "one: negative cell"):
            tables.figure("one", ["letter"], {("a",): -0.5})
        with self.assertRaisesRegex(SystemExit, r"one: no number in cell \('a',\): nan"):
            tables.figure("one", ["letter"], {("a",): float("nan")})

    def test_counts_add_up_over_columns_and_recodes(self):
        rows = [{"state": "CA", "field": "b", "count": "2"}, {"state": "CA", "field": "b", "count": "3"},
                {"state": "CA", "field": "no such", "count": "9"}, {"state": "NV", "field": "b", "count": ""}]
        sums = tables.total(rows, ["state", tables.recoded("field", {"b": "business"})])
        self.assertEqual(dict(sums), {("CA", "business"): 5.0, ("NV", "business"): 0.0})

    def test_numbers_lose_needless_digits(self):
        self.assertEqual([tables.number(0.0, 3), tables.number(2.5, 3), tables.significant(123456.0, 3)],
                         ["0", "2.5", "123456"])

    def test_sums_over_all_but_the_first_columns(self):
        cells = {("b", "x", "1"): 2.0, ("b", "y", "1"): 3.0, ("a", "x", "2"): 0.5}
        self.assertEqual(tables.marginal("one", ["letter"], cells), {("b",): 5.0, ("a",): 0.5})
        self.assertEqual(self.cells("one"), {("a",): 0.5, ("b",): 5.0})

    def test_lists_of_levels_and_codes(self):
        tables.level_list("letter", ["b", "a,c"])
        self.assertEqual(self.levels("letter"), ["b", "a,c"])
        tables.isco_codes([("none", ""), ("baker", "7512")])
        with open(os.path.join(tables.FOLDERS["pack"], "occupation_isco.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "level,isco\nnone,\nbaker,7512\n")

    def test_the_longest_prefix_decides(self):
        self.assertEqual(tables.by_prefix({"51": 1, "5121": 2}, "512120"), 2)
        self.assertIsNone(tables.by_prefix({"51": 1}, "612120"))

    def test_marked_lines_of_the_manifest_are_replaced(self):
        path = os.path.join(tables.FOLDERS["pack"], "pack.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("a = 1\n# begin mine\nold\nolder\n# end mine\nb = 2\n")
        tables.manifest_section("mine", ["new"])
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "a = 1\n# begin mine\nnew\n# end mine\nb = 2\n")
        with self.assertRaisesRegex(SystemExit, "pack.toml: it must have one line `# begin other`"):
            tables.manifest_section("other", [])


class Bands(unittest.TestCase):
    def test_ages_find_their_bands(self):
        of = ["18-24", "25-64", "65+"]
        self.assertEqual([bands.band_of(a, of) for a in (17, 18, 24, 25, 100)],
                         [None, "18-24", "18-24", "25-64", "65+"])
        self.assertEqual([bands.first("85+"), bands.last("85+"), bands.last("20"), bands.first(7)], [85, 100, 20, 7])
        self.assertEqual(bands.known_band(65, of), "65+")
        with self.assertRaisesRegex(ValueError, "age 17 lies in none of the bands 18-24, 25-64, 65"):
            bands.known_band(17, of)


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


class Personality(Folders):
    """A country where women are the kinder by 4 T, and the old of both sexes more orderly by 6."""

    def setUp(self):
        super().setUp()
        loads = {"stability_plasticity": 0.4, **{t: 0.6 for t in personality.TRAITS}}
        self.assumption("personality.csv", "parameter,value", loads.items())
        self.assumption("personality_norms.csv", "trait,age,women,men", [
            [t, age, 52 + orderly if t == "agreeableness" else 50 + orderly, 48 if t == "agreeableness" else 50 + orderly]
            for t in personality.TRAITS for age in (20, 60)
            for orderly in [6 if t == "conscientiousness" and age == 60 else 0]])
        self.people = {(sex, age): 1000 + 10 * age for sex in ("F", "M") for age in range(18, 101)}
        tables.figure("people", ["sex", "age"], self.people)
        personality.personality("people", ("F", "M"))

    def rows(self, name):
        rows = defaultdict(dict)
        for key, share in self.cells(name).items():
            rows[key[:-1]][key[-1]] = share
        return rows

    def moments(self, trait, sexes="FM", ages=range(18, 101)):
        """Mean and standard deviation of a trait of some people."""
        factor, expected, scores = self.rows("stability")[()], self.rows(f"{trait}_expected"), self.rows(trait)
        groups, sums = self.rows("personality_group"), [0.0, 0.0, 0.0]
        means = {k: [sum(p * int(t) ** n for t, p in row.items()) for n in (0, 1, 2)] for k, row in scores.items()}
        for (sex, age), people in self.people.items():
            if sex in sexes and age in ages:
                for group, part in groups[sex, str(age)].items():
                    for k, p in factor.items():
                        for level, q in expected[k, group].items():
                            sums = [s + people * part * p * q * m for s, m in zip(sums, means[level,])]
        mean = sums[1] / sums[0]
        return mean, (sums[2] / sums[0] - mean ** 2) ** 0.5

    def test_shares_add_up(self):
        for name in ("plasticity", "personality_group", *personality.TRAITS):
            for row in self.rows(name).values():
                self.assertAlmostEqual(sum(row.values()), 1, places=6)
        self.assertEqual(len(self.rows("plasticity")), personality.STEPS)
        self.assertEqual(len(self.rows("openness_expected")), personality.STEPS * 4)

    def test_all_adults_keep_the_scale(self):
        for trait in ("agreeableness", "conscientiousness", "neuroticism"):
            mean, sd = self.moments(trait)
            self.assertAlmostEqual(mean, 50, delta=0.02)
            self.assertAlmostEqual(sd, 10, delta=0.06)

    def test_sexes_and_ages_differ_as_the_norms_say(self):
        women, men = self.moments("agreeableness", "F"), self.moments("agreeableness", "M")
        self.assertAlmostEqual(women[0] - men[0], 4, delta=0.05)
        old, young = self.moments("conscientiousness", ages=[70]), self.moments("conscientiousness", ages=[20])
        self.assertAlmostEqual(old[0] - young[0], 6, delta=0.1)

    def test_means_change_along_a_line_between_the_ages_of_the_norms(self):
        means = [self.moments("conscientiousness", ages=[age])[0] for age in (29, 30, 31, 60, 90)]
        self.assertAlmostEqual(means[1] - means[0], 6 / 40, delta=0.01)
        self.assertAlmostEqual(means[2] - means[1], 6 / 40, delta=0.01)
        self.assertAlmostEqual(means[4], means[3], places=6)

    def test_a_trait_without_a_norm_is_named(self):
        self.assumption("personality_norms.csv", "trait,age,women,men", [["openness", 20, 50, 50]])
        with self.assertRaisesRegex(AssertionError, "personality_norms.csv: women 20 has not one mean of each trait"):
            personality.norms()

    def test_a_higher_factor_gives_more_of_a_trait(self):
        below = personality.normal(-1, 0.8, [0.0])[0]
        self.assertGreater(below, personality.normal(1, 0.8, [0.0])[0])


class Reading(Folders):
    def refused(self, text):
        return self.assertRaisesRegex(SystemExit, text)

    def test_gzipped_and_plain_tables_read_alike(self):
        self.table("a.csv", "x,count", [["1", "2"], ["ü", "3"]])
        with open(os.path.join(tables.FOLDERS["tables"], "a.csv"), "rb") as f:
            plain = f.read()
        with gzip.open(os.path.join(tables.FOLDERS["tables"], "b.csv.gz"), "wb") as f:
            f.write(plain)
        self.assertEqual(tables.read("a.csv"), tables.read("b.csv"))
        self.assertEqual(tables.read("a.csv")[1], {"x": "ü", "count": "3"})

    def test_a_file_that_is_missing_is_named(self):
        with self.refused(r"tables/a\.csv: no such file; SOURCES\.csv in .* says where each table comes from"):
            tables.read("a.csv")
        with self.refused(r"assumptions/a\.csv: no such file; it belongs to the pack"):
            tables.assumption("a.csv")

    def test_a_column_that_is_missing_is_named(self):
        self.table("a.csv", "sex,number", [["Male", "2"]])
        with self.refused(r"a\.csv: no column `count`; it has sex, number"):
            tables.total(tables.read("a.csv"), ["sex"])

    def test_a_short_line_is_named(self):
        self.table("a.csv", "sex,count", [["Male", "2"], [], ["Female"]])
        with self.refused(r"a\.csv, line 4: 1 fields, where the header has 2"):
            tables.read("a.csv")

    def test_shares_must_add_up_within_their_groups(self):
        self.table("a.csv", "sex,level,share", [["f", "x", 0.3], ["f", "y", 0.69999], ["m", "x", 1]])
        self.assertEqual(len(tables.read_shares("a.csv", "sex")), 3)
        self.table("a.csv", "sex,level,share", [["f", "x", 0.3], ["f", "y", 0.7], ["f", "y", 0.1]])
        with self.refused(r"a\.csv: the shares of f add up to 1\.1000, not to 1: a row is missing"):
            tables.read_shares("a.csv", "sex")
        self.table("a.csv", "sex,level,share", [["f", "x", "nan"]])
        with self.refused(r"the shares of f add up to nan"):
            tables.read_shares("a.csv", "sex")

    def test_a_table_without_rows_is_refused(self):
        self.table("a.csv", "sex,count", [])
        with self.refused(r"a\.csv: no rows; take the whole table"):
            tables.read("a.csv")

    def test_what_is_no_text_is_refused(self):
        with open(os.path.join(tables.FOLDERS["tables"], "a.csv"), "wb") as f:
            f.write(b"sex,count\nM\xe4nner,2\n")
        with self.refused(r"a\.csv: not a CSV file in UTF-8"):
            tables.read("a.csv")


class CommandLine(Folders):
    """Every failure is one line on the error output, and no traceback."""

    def refused(self, done, text):
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, text)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_folders_that_are_none_are_refused(self):
        nowhere = os.path.join(self.folder.name, "nowhere")
        for country in COUNTRIES:
            with self.subTest(country):
                self.refused(run(country, nowhere, nowhere), rf"{nowhere}: no such folder, given as TABLES_DIR\. "
                             rf"Usage: python3 scripts/convert_{country}\.py TABLES_DIR datasets/{country}")
                self.refused(run(country, SCRIPTS, nowhere), rf"{SCRIPTS}: no SOURCES\.csv there")

    def test_a_pack_without_tables_is_refused(self):
        self.table("SOURCES.csv", "table", [])
        for country in COUNTRIES:
            with self.subTest(country), tempfile.TemporaryDirectory() as pack:
                arguments = country, tables.FOLDERS["tables"] + "/", pack + "/"
                self.refused(run(*arguments), r"no pack\.toml there, so this is not DIR")
                with open(os.path.join(pack, "pack.toml"), "w"):
                    pass
                os.symlink(Pack(country).path("assumptions"), os.path.join(pack, "assumptions"))
                self.refused(run(*arguments), r"/tables/\w+\.csv: no such file; SOURCES\.csv")

    def failure(self, steps):
        """The line with which a conversion ends."""
        self.table("SOURCES.csv", "table", [])
        with open(os.path.join(tables.FOLDERS["pack"], "pack.toml"), "w"):
            pass
        with mock.patch.object(sys, "argv", ["convert.py", tables.FOLDERS["tables"], tables.FOLDERS["pack"]]), \
                self.assertRaises(SystemExit) as refused:
            command.convert("Usage: convert.py TABLES_DIR DIR", steps)
        return refused.exception.code

    def test_a_code_that_is_unknown_is_named_with_the_table(self):
        self.table("a.csv", "sex,count", [["Both", "2"]])
        line = self.failure(lambda: [{"Male": "m"}[r["sex"]] for r in tables.read("a.csv")])
        self.assertRegex(line, r"tables/a\.csv or a table read before it: unknown code 'Both'; correct the table, or "
                         r"add the code to the converter \(scripts/test_shared_pack\.py, line \d+, in ")

    def test_what_is_no_number_is_named_with_the_table(self):
        self.table("a.csv", "sex,count", [["Male", "many"]])
        line = self.failure(lambda: tables.total(tables.read("a.csv"), ["sex"]))
        self.assertRegex(line, r"tables/a\.csv or .*: could not convert string to float: 'many'; correct the table "
                         r"\(shared_pack/tables\.py, line \d+, in total\)")

    def test_a_row_that_is_missing_is_named(self):
        self.assertRegex(self.failure(lambda: {}["18-19", "Male"]), "no row for 18-19, Male; correct the table")

    def test_a_file_of_the_pack_that_is_missing_is_named(self):
        line = self.failure(lambda: tables.write_csv([], "outline", "a.csv"))
        self.assertRegex(line, r"outline/a\.csv: No such file or directory; DIR must be the whole folder of the pack")


if __name__ == "__main__":
    unittest.main()
