#!/usr/bin/env python3
"""Converts a folder of tidy tables of Singapore statistics into the figures and level lists of the pack `singapore`.

Usage: python3 scripts/convert_singapore.py TABLES_DIR datasets/singapore

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import os
import sys

sys.dont_write_bytecode = True  # leave the source tree as it is

from singapore_pack.character import hobbies, skills
from singapore_pack.homes import digital_use, dwellings, households
from singapore_pack.names import names
from singapore_pack.people import dialect_groups, education, ethnicity, language, marital, places, population, religion
from singapore_pack.work import (Occupations, employment_status, field, incomes, industry, labour, national_service,
                                 occupations, transport)
from usa_pack.character import personality
from usa_pack.tables import FOLDERS


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    FOLDERS["tables"], FOLDERS["pack"] = sys.argv[1:]
    for folder, holds in ((FOLDERS["tables"], "SOURCES.csv"), (FOLDERS["pack"], "pack.toml")):
        if not os.path.exists(os.path.join(folder, holds)):
            raise SystemExit(f"{folder}: no {holds} there\n\n{__doc__}")
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
    digital_use()
    names()
    personality()
    hobbies()
    skills()


if __name__ == "__main__":
    main()
