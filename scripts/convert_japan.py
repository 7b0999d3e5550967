#!/usr/bin/env python3
"""Converts a folder of tidy tables of Japanese statistics into the figures and level lists of the pack `japan`.

Usage: python3 scripts/convert_japan.py TABLES_DIR datasets/japan

TABLES_DIR holds one CSV a table (SOURCES.csv there says what each is); the script writes DIR/figures/*.csv.gz and
DIR/levels/*.csv, byte for byte the same on every run, and reads the pack's own assumptions from DIR/assumptions/.
Python 3, standard library only. What each figure means, and which are estimates, is in DIR/pack.toml.
"""

import sys

sys.dont_write_bytecode = True  # leave the source tree as it is

from japan_pack.character import given_names, hobbies, skills, surnames
from japan_pack.holdouts import holdouts
from japan_pack.people import education, enrolment, household_size, households, marital, nationality, population
from japan_pack.places import municipalities
from japan_pack.work import (Occupations, employment, industries, labour, occupation_classes, occupation_groups,
                             sections, titles)
from shared_pack.command import convert
from shared_pack.personality import personality


def steps():
    people = population()
    nationality()
    education()
    enrolment()
    marital()
    households(people)
    household_size()
    municipalities(people, labour(people))
    employment()
    jobs = Occupations()
    jobs.write_levels()
    occupation_groups(jobs, occupation_classes(jobs))
    sections()
    titles(jobs)
    industries()
    surnames(people)
    given_names()
    personality("population_single_age_sex_prefecture", ("女", "男"))
    hobbies()
    skills()
    holdouts()


if __name__ == "__main__":
    convert(__doc__, steps)
