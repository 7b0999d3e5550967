#!/usr/bin/env python3
"""Converts a folder of tidy tables of Singapore statistics into the figures and level lists of the pack `singapore`.

Usage: python3 scripts/convert_singapore.py TABLES_DIR datasets/singapore

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import sys

sys.dont_write_bytecode = True  # leave the source tree as it is

from shared_pack.command import convert
from shared_pack.personality import personality
from singapore_pack.character import hobbies, skills
from singapore_pack.holdouts import holdouts
from singapore_pack.homes import digital_use, dwellings, households, means
from singapore_pack.names import names
from singapore_pack.people import dialect_groups, education, ethnicity, language, marital, places, population, religion
from singapore_pack.work import (Occupations, employment_status, field, incomes, industry, labour, national_service,
                                 occupations, transport)


def steps():
    bands = population()
    ethnicity(bands)
    dialect_groups()
    places()
    education()
    marital()
    religion()
    language()
    labour(bands)
    jobs = Occupations()
    occupations(jobs)
    industry(jobs)
    field(jobs)
    employment_status(jobs)
    incomes(jobs)
    transport()
    national_service()
    dwellings()
    households()
    means()
    digital_use()
    names()
    personality("population_single_age_sex_2024", ("Female", "Male"))
    hobbies()
    skills()
    holdouts()


if __name__ == "__main__":
    convert(__doc__, steps)
