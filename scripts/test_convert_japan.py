"""Tests of the converter for Japan: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_JAPAN=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import csv
import gzip
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from japan_pack import areas, codes, holdouts, people, places
from shared_pack.testing import Folders, Pack, Whole

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


class Places(unittest.TestCase):
    def test_an_area_is_named_after_its_first_prefecture(self):
        area = areas.alike({"甲": [1.0], "乙": [4.0], "丙": [1.1]}, 2)
        self.assertEqual(areas.listed(area), {"甲": ["甲", "丙"], "乙": ["乙"]})

    def test_every_municipality_has_one_class_and_classes_have_adults(self):
        kind = {}
        for r in PACK.rows("figures/population_municipality.csv.gz"):
            kind.setdefault(r["municipality_code"], set()).add((r["prefecture"], r["place_class"]))
        self.assertEqual({len(k) for k in kind.values()}, {1})
        used = {next(iter(k)) for k in kind.values()}
        for name in ("sex_age", "work", "sector"):
            found = {(r["prefecture"], r["place_class"]) for r in PACK.rows(f"figures/place_class_{name}.csv.gz")}
            self.assertEqual(found, used, name)
        self.assertLessEqual(max(int(c) for _, c in used), places.MOST_CLASSES)

    def test_minato_has_more_degrees_than_adachi(self):
        kind = {r["municipality_code"]: r["place_class"] for r in PACK.rows("figures/population_municipality.csv.gz")}
        share = {(r["place_class"], r["education_level"]): float(r["share"])
                 for r in PACK.rows("figures/place_class_seed.csv.gz") if r["prefecture"] == "東京都"}
        minato, adachi = (share[kind[m], "degree"] / share[kind[m], "none"] for m in ("13103", "13121"))
        self.assertGreater(minato, 1.4 * adachi)

    def test_no_foreigner_is_a_public_servant(self):
        for r in PACK.rows("figures/nationality_seed.csv.gz"):
            self.assertFalse(r["family"] == "public" and r["nationality"] != "日本")


class Holdouts(Folders):
    """A town of 100 men of stated age and 10 of none; one man in ten of working age in its prefecture is under 18."""

    def setUp(self):
        super().setUp()
        self.ages = {("Akita", "男", 16): 10.0, ("Akita", "男", 40): 90.0, ("Akita", "男", 80): 40.0}
        place = ["Akita", "町", "05999", "Male"]
        self.table("population_municipality_sex_agebroad.csv",
                   "prefecture,municipality_ja,municipality_code,sex,age_group,count",
                   [place + [a, n] for a, n in (("0-14", 10), ("15-64", 50), ("65-74", 20), ("75+", 20),
                                                ("not_stated", 10))])

    def test_minors_and_unknown_status_are_left_out_of_labour(self):
        self.table("labour_status_municipality_sex.csv",
                   "prefecture,municipality_ja,municipality_code,sex,labour_status,count",
                   [["Akita", "町", "05999", "Male", s, n] for s, n in
                    (("employed", 30), ("unemployed", 5), ("not_in_workforce", 10))])
        holdouts.labour(holdouts.Places(self.ages))
        cells = self.cells("holdout_labour_municipality_sex")
        self.assertAlmostEqual(sum(cells.values()), 85, places=0)
        self.assertAlmostEqual(cells["05999", "男", "就業者"], 30 * 2 - .055 * 5, places=0)

    def test_those_who_live_alone_are_of_the_adults_of_stated_age(self):
        self.table("household_type_municipality.csv",
                   "prefecture,municipality_ja,municipality_code,household_type,count",
                   [["Akita", "町", "05999", "single_person", 11], ["Akita", "町", "05999", "other", 20]])
        holdouts.alone(holdouts.Places(self.ages))
        self.assertEqual(self.cells("holdout_alone_municipality"), {("05999", "alone"): 10, ("05999", "company"): 75})

    def test_all_adults_have_the_mean_of_the_scale(self):
        self.table("big_five_sex_age_vic.csv", "trait,sex,age_group,mean_t,sd_t,respondents",
                   [[t, "Male", a, m, 8, 300] for t in holdouts.TRAITS for a, m in (("18-59", 48), ("60+", 58))])
        holdouts.temperament(self.ages)
        cells = self.cells("holdout_openness_age_sex")
        self.assertAlmostEqual(sum(cells.values()), 130, places=0)
        low, high = (sum(v for k, v in cells.items() if k[2].endswith(word)) for word in ("low", "high"))
        self.assertGreater(cells["60+", "男", "very high"] / 40, 4 * cells["18-59", "男", "very high"] / 90)
        self.assertLess(abs(low - high), 10)


class HoldoutSections(unittest.TestCase):
    def test_no_node_is_fitted_to_a_holdout(self):
        manifest = PACK.toml("pack.toml")
        figures = {f["name"] for f in manifest["figure"]}
        sources = {s["id"] for s in manifest["source"]}
        self.assertGreaterEqual(len(manifest["holdout"]), 10)
        for f in manifest["holdout"]:
            self.assertNotIn(f["name"], figures)
            self.assertIn(f["source"], sources)
            self.assertEqual(f["file"], f"figures/holdout_{f['name']}.csv.gz")
            with gzip.open(PACK.path(f["file"]), "rt", encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            self.assertEqual(header[-1], "count")
            self.assertGreaterEqual(len(header), 3, f["name"])
            self.assertEqual(len({tuple(r[:-1]) for r in rows}), len(rows), f["name"])
        files = {os.path.basename(f["file"]) for f in manifest["figure"] + manifest["holdout"]}
        self.assertEqual(files, set(os.listdir(PACK.path("figures"))))


class Conversion(Whole, unittest.TestCase):
    country = "japan"


if __name__ == "__main__":
    unittest.main()
