"""Tests of the converter of Japanese tables: `python3 -m unittest discover scripts`.

With `POPULACE_TABLES_JAPAN=TABLES_DIR` the whole conversion runs too, and must give the pack's figures byte for byte.
"""

import csv
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PACK = os.path.join(HERE, "..", "datasets", "japan")
sys.path.insert(0, HERE)

from japan_pack import codes, people
from shared_pack.bands import first, known_band, last


def rows(name):
    with open(os.path.join(PACK, name), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


class Codes(unittest.TestCase):
    def test_bands(self):
        self.assertEqual((first("85+"), last("85+"), last("65-74")), (85, 100, 74))
        self.assertEqual(known_band(67, ["18-64", "65-74", "75+"]), "65-74")
        with self.assertRaisesRegex(SystemExit, "age 17 lies in none of the bands 18-64, 65-74"):
            known_band(17, ["18-64", "65-74"])
        self.assertEqual(codes.at({18: "a", 30: "b"}, 29), "a")

    def test_titles_lose_the_commas_of_csv(self):
        self.assertEqual(codes.published("公認会計士,税理士"), "公認会計士、税理士")
        self.assertEqual(codes.published("大学教授(高専含む)"), "大学教授（高専含む）")

    def test_levels_of_schooling_add_up(self):
        shares = people.split({"高校卒": .5, "大学卒": .4, "理系": .25, "大学院卒": .1, "院理系": .8})
        self.assertAlmostEqual(sum(shares.values()), 1.0)
        self.assertAlmostEqual(shares["大学卒 理系"], .1)
        self.assertAlmostEqual(shares["大学院卒 文系"], .02)


class Pack(unittest.TestCase):
    """What the pack's files must agree on."""

    def test_names_have_one_reading_a_pair(self):
        for name in ("surname", "given_name"):
            listed = rows(f"levels/{name}.csv")
            self.assertEqual(len({r["level"] for r in listed}), len(listed))
            self.assertTrue(all(r["level"] == f"{r['spelling']}|{r['reading']}" for r in listed))

    def test_every_code_is_harmonised(self):
        with open(os.path.join(PACK, "harmonised.toml"), "rb") as f:
            mapping = tomllib.load(f)
        self.assertEqual(len(mapping["region"]["codes"]), 47)
        self.assertEqual(set(mapping["education"]["codes"]), set(codes.EDUCATION))
        self.assertEqual([r["level"] for r in rows("occupation_isco.csv")],
                         [r["level"] for r in rows("levels/occupation.csv")])

    def test_the_words_of_the_texts_cover_the_lists(self):
        for listed, column, words in (("levels/hobby.csv", "hobby", "outline/ja/hobbies.csv"),
                                      ("levels/skill.csv", "skill", "outline/ja/skills.csv"),
                                      ("levels/occupation.csv", "occupation", "outline/ja/occupations.csv")):
            missing = {r["level"] for r in rows(listed)} - {r[column] for r in rows(words)} - {"無職"}
            self.assertFalse(missing, words)


@unittest.skipUnless("POPULACE_TABLES_JAPAN" in os.environ, "POPULACE_TABLES_JAPAN is not set")
class Conversion(unittest.TestCase):
    def test_same_tables_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "japan")
            shutil.copytree(PACK, copy)
            command = [sys.executable, os.path.join(HERE, "convert_japan.py"), os.environ["POPULACE_TABLES_JAPAN"], copy]
            subprocess.run(command, check=True)
            for part in ("figures", "levels", "."):
                names = [n for n in os.listdir(os.path.join(PACK, part)) if os.path.isfile(os.path.join(PACK, part, n))]
                _, different, odd = filecmp.cmpfiles(os.path.join(PACK, part), os.path.join(copy, part), names, False)
                self.assertEqual((different, odd), ([], []))


if __name__ == "__main__":
    unittest.main()
