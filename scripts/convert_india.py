#!/usr/bin/env python3
"""Converts a folder of tidy tables of Indian statistics into the figures and level lists of the pack `india`.

Usage: python3 scripts/convert_india.py TABLES_DIR datasets/india

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import sys

sys.dont_write_bytecode = True  # leave the source tree as it is

from india_pack.character import hobbies, skills
from india_pack.devanagari import write_names
from india_pack.holdouts import holdouts
from india_pack.homes import diet, digital, goods, household_size
from india_pack.languages import first_language, kits, mother_tongue, number_of_languages
from india_pack.names import cultures
from india_pack.people import degrees, education, marital, places, population, religion, social_category, stock
from india_pack.work import ADULT, branches, divisions, employment_types, occupations, workers
from india_pack.romanise import write_latin
from shared_pack.command import convert
from shared_pack.personality import personality
from shared_pack.tables import manifest_section


def steps():
    places()
    adults = population()
    faiths = religion()
    stock()
    social_category(ADULT)
    used = first_language(faiths)
    mother_tongue(used)
    number_of_languages()
    classes = kits(used)
    manifest_section("other languages",
        ["other = [" + ", ".join(f'"{k}"' for k in used if classes[k] == "other") + "]"])
    education()
    degrees()
    marital()
    workers(adults)
    divisions(branches())
    rows = occupations()
    units = list(dict.fromkeys(u for _, u, _ in rows))
    employment_types(units)
    household_size()
    goods()
    digital()
    diet()
    cultures(used)
    personality("population_age_sex_zone_state", ("Female", "Male"))
    hobbies()
    skills(units)
    write_names()
    write_latin()
    holdouts()


if __name__ == "__main__":
    convert(__doc__, steps)
