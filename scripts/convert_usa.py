#!/usr/bin/env python3
"""Converts a folder of tidy tables of US statistics into the figures and level lists of the pack `usa`.

Usage: python3 scripts/convert_usa.py TABLES_DIR datasets/usa

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import sys
from collections import defaultdict

sys.dont_write_bytecode = True  # leave the source tree as it is

from shared_pack.command import convert
from shared_pack.personality import personality
from shared_pack.tables import read
from usa_pack.character import hobbies, names, skills
from usa_pack.holdouts import holdouts
from usa_pack.homes import children_at_home, household_size, living_arrangement
from usa_pack.people import bachelors_field, education, language, marital, nativity, population, race, veterans
from usa_pack.places import places, races_of_classes
from usa_pack.work import college_enrolment, industries, labour, occupation_groups, occupations, origins


def steps():
    p18 = population()
    by_band, children = race(p18)
    fine = defaultdict(list)
    for key, v in by_band.items():
        fine[key[:2]].append((key, v))
    known = {"race_ethnicity": races_of_classes(fine), "education_level": education(fine)}
    bachelors_field()
    marital_whole = marital(fine, children)
    known["birth"] = nativity()
    language()
    veterans()
    employed = labour(p18, fine, children, marital_whole)
    college_enrolment()
    order, soc, by_sex, placed = occupations(*occupation_groups(employed))
    industries()
    origins()
    atus = read("joint_persons_atus2003_2016.csv")
    living_arrangement(p18, atus)
    children_at_home(atus)
    household_size(atus)
    places(known, placed)
    names()
    personality("population_single_age_sex_state_2024", ("Female", "Male"))
    hobbies()
    skills(order, soc, by_sex)
    holdouts()


if __name__ == "__main__":
    convert(__doc__, steps)
