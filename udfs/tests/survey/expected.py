"""Draws sample.csv and has samplics and SciPy say what survey_mean is to find in it: expected.csv.

    python3 -m venv venv && venv/bin/pip install samplics==0.6.1 scipy && venv/bin/python expected.py

Each row of expected.csv is a case: whose rows (`domain`, all where it is empty), by which design (`stratified`: the
columns stratum, stratum_size and weight; `weights`: the column raked alone, with replacement), and the mean, its standard
error, the bounds of its interval of 95 % and the degrees of freedom. Means and standard errors are those of samplics'
TaylorEstimator, for a domain with all rows of the sample in its design. Degrees of freedom are rows less strata, of the
strata that a domain has rows in (Korn and Graubard, Analysis of Health Surveys, 1999, chapter 5).
"""

import csv
import random
from pathlib import Path

import numpy as np
from samplics import PopParam, TaylorEstimator
from scipy.stats import t

HERE = Path(__file__).parent
# The rows of each stratum in its table, those taken, and the mean and the spread of the values
STRATA = {"north": (4000, 18, 20, 6), "south": (900, 12, 35, 15), "west": (350, 7, 80, 30), "isles": (5, 5, 60, 9), "reef": (64, 2, 7, 3)}


def draw():
    random.seed(20261123)
    rows = []
    for stratum, (size, taken, mean, spread) in STRATA.items():
        for i in range(taken):
            domain = "rare" if stratum in ("north", "west") and i < 2 else random.choice("ab") if i > 1 else "ab"[i % 2]
            value = round(random.gauss(mean, spread) + (4 if domain == "a" else 0), 3)
            rows.append((stratum, size, size / taken, domain, value, round(size / taken * random.uniform(0.4, 2.5), 4)))
    return rows


def estimate(rows, domain, design):
    stratum, size, weight, domains, value, raked = (np.array(c) for c in zip(*rows))
    estimator = TaylorEstimator(PopParam.mean)
    if design == "weights":
        estimator.estimate(y=value, samp_weight=raked)
        strata, n = 1, len(rows)
        mean, error = estimator.point_est, estimator.stderror
    else:
        fpc = {s: 1 - taken / size for s, (size, taken, *_) in sorted(STRATA.items())}
        more = {"domain": domains} if domain else {}
        estimator.estimate(y=value, samp_weight=weight, stratum=stratum, fpc=fpc, **more)
        of = lambda found: found[domain] if domain else found
        mean, error = of(estimator.point_est), of(estimator.stderror)
        reached = {s for s, d in zip(stratum, domains) if not domain or d == domain}
        strata, n = len(reached), sum(STRATA[s][1] for s in reached)
    freedom = n - strata
    reach = t.ppf(0.975, freedom) * error
    return [domain, design, *(repr(float(x)) for x in (mean, error, mean - reach, mean + reach)), freedom]


def main():
    rows = draw()
    with open(HERE / "sample.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("stratum", "stratum_size", "weight", "domain", "value", "raked"), *rows])
    cases = [("", "stratified"), ("a", "stratified"), ("b", "stratified"), ("rare", "stratified"), ("", "weights")]
    with open(HERE / "expected.csv", "w", newline="") as file:
        head = ("domain", "design", "mean", "standard_error", "lower", "upper", "degrees_of_freedom")
        csv.writer(file, lineterminator="\n").writerows([head, *(estimate(rows, *case) for case in cases)])


main()
