"""Tests of the pack of Brazil and of its converter: `python3 -m unittest discover -s scripts`.

With `POPULACE_TABLES_BRAZIL=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import glob
import os
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from brazil_pack import character, holdouts, people, places, work
from brazil_pack.codes import REGIONS, SHORES, STATES
from shared_pack.testing import Folders, Pack, Whole

PACK = Pack("brazil")


class Holdouts(Folders):
    """Tables that are only judged by."""

    def test_women_of_2022_are_shared_out_as_those_of_2010(self):
        header = "state,urban_rural,age_group,education_level,marital_status,count,women_with_children"
        self.table("women_marital_education_age_urban_state_2010.csv", header,
                   [["AC", zone, age, "superior_completo", status, n, 0] for age in ("15-19", "20-24", "25-29")
                    for zone, status, n in (("rural", "casado", 10), ("urban", "casado", 20), ("urban", "viuvo", 30))])
        holdouts.women({("Acre", "20-29", "Superior completo"): 1200, ("Acre", None, "Superior completo"): 5})
        key = ("Feminino", "Acre", "20-29", "Superior completo")
        self.assertEqual(self.cells("holdout_women_marital_education_state"),
                         {(*key, "Casado"): 600, (*key, "Viúvo"): 600})
        self.assertEqual(self.cells("holdout_women_zone_education_state"),
                         {(*key, "Rural"): 200, (*key, "Urbana"): 1000})

    def test_files_and_sections_answer_to_each_other(self):
        sections = {s["file"] for s in PACK.toml("pack.toml")["holdout"]}
        files = glob.glob(PACK.path("figures", "holdout_*"))
        self.assertEqual(sections, {f"figures/{os.path.basename(f)}" for f in files})


class People(Folders):
    def test_religion_of_18_is_apart(self):
        self.table("religion_age_sex_state_2022.csv", "state,sex,age_group,religion,count",
                   [["AC", "Male", age, "catolica", 7] for age in ("15-19", "20-24", "80+")])
        people.religion()
        self.assertEqual({k[2] for k in self.cells("religion_age_sex_state")}, {"20-24", "80+"})
        self.assertEqual({k[2] for k in self.cells("religion_18_sex_state")}, {"18-19"})
        groups = [k[:3] for k in self.cells("belief_group")]
        self.assertEqual(len(groups), len(set(groups)), "one group for each")

    def test_every_state_marries_and_dwells_somewhere(self):
        for parts in (people.MARRIAGE, people.HOME_PLACES):
            self.assertEqual(sorted(c for codes in parts.values() for c in codes.split()), sorted(STATES))
        for rows in people.CIVIL.values():
            for row in rows:
                self.assertAlmostEqual(sum(row), 1)


class Places(unittest.TestCase):
    def test_a_tree_parts_where_people_differ_most(self):
        items = [[0.9, 0.1], [0.1, 0.1], [0.12, 0.4], [0.1, 0.12], [0.92, 0.1]]
        self.assertEqual(sorted(places.tree(items, [1.0] * 5, 2, 0)), [[0, 4], [1, 2, 3]])
        self.assertEqual(sorted(places.tree(items, [1.0] * 5, 3, 0)), [[0, 4], [1, 3], [2]])
        self.assertEqual(places.tree([[1.0], [1.0]], [1.0, 2.0], 5, 1e-9), [[0, 1]], "alike are one class")

    def test_fitting_meets_both_margins(self):
        cells = places.fitted({(a, b): 1.0 for a in "xy" for b in "uv"},
                              [(lambda k: k[0], {"x": 3, "y": 1}), (lambda k: k[1], {"u": 2, "v": 2})])
        self.assertAlmostEqual(cells["x", "u"], 1.5)


class Names(unittest.TestCase):
    def test_accents_by_list_and_by_rule(self):
        known = {"Jose": "José", "Maria": "Maria"}
        for name, written in (("Jose", "José"), ("Maria", "Maria"), ("Tarcisio", "Tarcísio"), ("Otacilio", "Otacílio"),
                              ("Betania", "Betânia"), ("Josenia", "Josênia"), ("Braulio", "Bráulio"),
                              ("Damiao", "Damião"), ("Rosimaria", "Rosimaria"), ("Kathia", "Kathia"), ("Lia", "Lia")):
            self.assertEqual(character.accented(name, known), written)

    def test_no_one_bears_a_name_twice(self):
        second = {(sex, name) for sex, name in (("Masculino", "Luís"), ("Masculino", "José"), ("Feminino", "Maria"))}
        groups = character.groups_of_first_names(second, {"Luiz", "Luís", "José", "Rita", "Maria", "Iara"})
        self.assertEqual(groups, {"Maria": ["Maria"], "Rita": ["Rita"], "José": ["José"], "Luiz": ["Luiz", "Luís"],
                                  "other": ["Iara"]})


class Codes(unittest.TestCase):
    def test_regions_and_shores_hold_each_state_once(self):
        for parts in (REGIONS, SHORES):
            self.assertEqual(sorted(c for codes in parts.values() for c in codes.split()), sorted(STATES))

    def test_every_prefix_stands_once(self):
        prefixes = [p for r in PACK.rows("assumptions", "occupation_kinds.csv") for p in r["prefixes"].split()]
        self.assertEqual(len(prefixes), len(set(prefixes)))


class Harmonised(unittest.TestCase):
    def test_every_level_has_a_code(self):
        levels = {v["name"]: v.get("levels") for v in PACK.toml("pack.toml")["variable"]}
        view = PACK.toml("harmonised.toml")
        for part in ("region", "education", "marital", "labour", "urban", "sex"):
            self.assertEqual(set(view[part]["codes"]), set(levels[view[part]["column"]]), part)

    def test_titles_have_isco_codes(self):
        isco = {r["level"]: r["isco"] for r in PACK.rows("occupation_isco.csv")}
        self.assertEqual(list(isco), [r["level"] for r in PACK.rows("levels", "occupation_title.csv")])
        self.assertEqual({t for t, c in isco.items() if not c}, {"sem ocupação", work.UNNAMED[1]})
        self.assertTrue(all(re.fullmatch(r"\d{0,4}", c) for c in isco.values()))


class Outline(unittest.TestCase):
    def setUp(self):
        self.symbols, self.slots, self.flags = set(), set(), set()
        for path in glob.glob(PACK.path("outline", "pt", "*.txt")):
            with open(path, encoding="utf-8") as f:
                for line in map(str.strip, f):
                    if line.startswith("@"):
                        self.symbols.add(line[1:])
                    elif line and not line.startswith("#"):
                        conditions, text = re.fullmatch(r"(?:\[([^\]]*)\])?\s*(.*)", line).groups()
                        for a, b in ("()", "<>", "{}"):
                            self.assertEqual(text.count(a), text.count(b), line)
                        self.slots |= set(re.findall(r"\{([^}]*)\}", text))
                        self.flags |= {f.lstrip("!") for c in (conditions or "").split() if c[0] != "~" and c != "last"
                                       for f in c.split("|")}
        self.manifest = PACK.toml("outline", "pt", "outline.toml")

    def test_every_slot_and_flag_is_known(self):
        classes = {r["class"] for r in PACK.rows("outline", "pt", "hobbies.csv")} | set(self.manifest["families"])
        words = {r["class"] for r in PACK.rows("outline", "pt", "skills.csv")}
        known = {s["name"] for s in self.manifest["slot"]} | words | self.symbols
        known |= {"N", "F", "they", "them", "their", "theirs", "themself", "hobby", "does", "trait"}
        known |= {p + c for p in ("h_", "v_") for c in classes}
        flags = {f["name"] for f in self.manifest["flag"]} | words
        flags |= {p + c for p in ("h_", "in_") for c in classes} | {t + p for t in "ocean" for p in ("_hi", "_lo")}
        for lexicon in self.manifest["lexicon"]:
            listed = PACK.rows("outline", "pt", lexicon["file"])
            known |= set(listed[0])
            flags |= {f for r in listed for f in r.get("flags", "").split()}
        self.assertLessEqual(self.slots, known)
        self.assertLessEqual(self.flags, flags)

    def test_every_level_has_its_words(self):
        for file, column, levels in (("hobbies.csv", "hobby", "hobby.csv"), ("skills.csv", "skill", "skill.csv")):
            self.assertEqual({r[column] for r in PACK.rows("outline", "pt", file)},
                             {r["level"] for r in PACK.rows("levels", levels)}, file)
        titles = {r["level"] for r in PACK.rows("levels", "occupation_title.csv")} - {"sem ocupação"}
        for file in ("occupations.csv", "jobs_f.csv", "jobs_m.csv"):
            self.assertEqual({r["occupation_title"] for r in PACK.rows("outline", "pt", file)}, titles)
        for r in PACK.rows("outline", "pt", "occupations.csv"):
            self.assertLessEqual({d[1:] for d in r["duty"].split("|")}, self.symbols)
        self.assertEqual({r["state"] for r in PACK.rows("outline", "pt", "states.csv")}, set(STATES.values()))


class Conversion(Whole, unittest.TestCase):
    country = "brazil"


if __name__ == "__main__":
    unittest.main()
