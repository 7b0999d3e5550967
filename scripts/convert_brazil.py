#!/usr/bin/env python3
"""Converts a folder of tidy tables of Brazilian statistics into the figures and level lists of the pack `brazil`.

Usage: python3 scripts/convert_brazil.py TABLES_DIR datasets/brazil

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz,
DIR/levels/*.csv and DIR/occupation_isco.csv, byte for byte the same on every run, and reads the pack's own assumptions
from DIR/assumptions/. Python 3, standard library only. What each figure means, and which are estimates, is in
DIR/pack.toml.
"""

import sys

sys.dont_write_bytecode = True  # leave the source tree as it is

from brazil_pack.character import hobbies, names, skills
from brazil_pack.holdouts import holdouts
from brazil_pack.people import education, homes, marital, municipalities, population, race, religion, zone
from brazil_pack.work import labour, occupation_kinds, occupations, positions
from shared_pack.command import convert
from shared_pack.personality import personality


def steps():
    _, by_state = population()
    municipalities()
    race()
    education()
    marital()
    religion()
    zone()
    homes(by_state)
    labour()
    occupation_kinds()
    occupations()
    positions()
    names()
    personality("population_single_age_sex_state", ("Feminino", "Masculino"))
    hobbies()
    skills()
    holdouts()


if __name__ == "__main__":
    convert(__doc__, steps)
