"""Tests of the converter for India: `python3 -m unittest discover scripts`.

With `POPULACE_TABLES_INDIA=TABLES_DIR` the whole conversion runs too, and must give the pack's files byte for byte.
"""

import filecmp
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PACK = os.path.join(os.path.dirname(HERE), "datasets", "india")
sys.path.insert(0, HERE)

from india_pack import devanagari, names, romanise, work


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


@unittest.skipUnless(os.environ.get("POPULACE_TABLES_INDIA"), "POPULACE_TABLES_INDIA is not set")
class Whole(unittest.TestCase):
    def test_the_conversion_gives_the_pack(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "india")
            shutil.copytree(PACK, copy)
            subprocess.run([sys.executable, os.path.join(HERE, "convert_india.py"),
                            os.environ["POPULACE_TABLES_INDIA"], copy], check=True)
            for path in glob.glob(os.path.join(PACK, "**", "*"), recursive=True):
                if os.path.isfile(path):
                    made = os.path.join(copy, os.path.relpath(path, PACK))
                    self.assertTrue(filecmp.cmp(path, made, shallow=False), path)


if __name__ == "__main__":
    unittest.main()
