"""Tests of the converter for Japan: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_JAPAN=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from japan_pack import codes, people
from shared_pack.testing import Pack, Whole

PACK = Pack("japan")


class Codes(unittest.TestCase):
    def test_a_table_by_first_age_holds_until_the_next(self):
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
            listed = PACK.rows(f"levels/{name}.csv")
            self.assertEqual(len({r["level"] for r in listed}), len(listed))
            self.assertTrue(all(r["level"] == f"{r['spelling']}|{r['reading']}" for r in listed))

    def test_every_code_is_harmonised(self):
        mapping = PACK.toml("harmonised.toml")
        self.assertEqual(len(mapping["region"]["codes"]), 47)
        self.assertEqual(set(mapping["education"]["codes"]), set(codes.EDUCATION))
        self.assertEqual(PACK.column("level", "occupation_isco.csv"),
                         PACK.column("level", "levels/occupation.csv"))

    def test_the_words_of_the_texts_cover_the_lists(self):
        for listed, column, words in (("levels/hobby.csv", "hobby", "outline/ja/hobbies.csv"),
                                      ("levels/skill.csv", "skill", "outline/ja/skills.csv"),
                                      ("levels/occupation.csv", "occupation", "outline/ja/occupations.csv")):
            missing = {r["level"] for r in PACK.rows(listed)} - {r[column] for r in PACK.rows(words)} - {"無職"}
            self.assertFalse(missing, words)


class Conversion(Whole, unittest.TestCase):
    country = "japan"


if __name__ == "__main__":
    unittest.main()
