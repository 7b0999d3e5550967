"""Bands of age as the tables write them: `18`, `20-24`, `85+`."""

import re

OLDEST = 100  # stands for 100 and over


def first(band):
    return int(re.match(r"\d+", str(band)).group())


def last(band):
    text = str(band)
    return OLDEST if text.endswith("+") else int(text.split("-")[-1])


def holds(band, age):
    return first(band) <= age <= last(band)


def band_of(age, bands):
    """The band that holds an age, None where none does."""
    return next((b for b in bands if holds(b, age)), None)


def known_band(age, bands):
    """The band that holds an age, which must have one."""
    band = band_of(age, bands)
    if band is None:
        raise ValueError(f"age {age} lies in none of the bands {', '.join(bands)}")
    return band
