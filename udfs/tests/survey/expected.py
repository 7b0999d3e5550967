"""Draws sample.csv and has samplics and SciPy say what survey_mean is to find in it: expected.csv; and likewise answers.csv,
what the same people were scored in three arms, and differences.csv, what `differences` is to find in that.

    python3 -m venv venv && venv/bin/pip install samplics==0.6.1 scipy statsmodels && venv/bin/python expected.py

Each row of expected.csv is a case: whose rows (`domain`, all where it is empty), by which design (`stratified`: the
columns stratum, stratum_size and weight; `weights`: the column raked alone, with replacement), and the mean, its standard
error, the bounds of its interval of 95 % and the degrees of freedom. Means and standard errors are those of samplics'
TaylorEstimator, for a domain with all rows of the sample in its design. Degrees of freedom are rows less strata, of the
strata that a domain has rows in (Korn and Graubard, Analysis of Health Surveys, 1999, chapter 5).

A row of differences.csv is a comparison: of which people (`domain`, all where it is empty), of which two arms, and the
mean of the differences of each person's mean scores, its standard error by the stratified design, the p-value of none by
Student's t, and that adjusted among the comparisons of all people, or of the domains, by statsmodels: `holm`, `fdr_bh`.
"""

import csv
import random
from pathlib import Path

import numpy as np
from samplics import PopParam, TaylorEstimator
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

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


def answers(rows):
    """The scores of each person in each arm, twice in one of them; some were not answered."""
    random.seed(20261125)
    scored = []
    for i, row in enumerate(rows):
        own = row[4] / 20 + random.gauss(0, 1)
        for arm, effect in (("base", 0), ("tuned", 0.5), ("wide", 0.1)):
            for _ in range(2 if arm == "tuned" else 1):
                score = "" if random.random() < 0.05 else round(own + effect + random.gauss(0, 0.6), 3)
                scored.append((f"person {i}", arm, score, *row[:4]))
    return scored


def differences(scored):
    people = {}
    for person, arm, score, stratum, size, weight, domain in scored:
        of = people.setdefault(person, {"stratum": stratum, "weight": weight, "domain": domain})
        if score != "":
            of.setdefault(arm, []).append(score)
    found = []
    for domains in ([""], ["a", "b"]):
        family = []
        for domain in domains:
            for a, b in (("base", "tuned"), ("base", "wide"), ("tuned", "wide")):
                both = [p for p in people.values() if a in p and b in p and domain in ("", p["domain"])]
                # Whoever is outside of the group stays in the design; what they would say does not matter.
                others = [p for p in people.values() if p not in both]
                apart = [np.mean(p[b]) - np.mean(p[a]) for p in both]
                all_people = both + others
                estimator = TaylorEstimator(PopParam.mean)
                fpc = {s: 1 - taken / size for s, (size, taken, *_) in sorted(STRATA.items())}
                estimator.estimate(
                    y=np.array(apart + [1.0] * len(others)),
                    samp_weight=np.array([p["weight"] for p in all_people]),
                    stratum=np.array([p["stratum"] for p in all_people]),
                    domain=np.array(["in"] * len(both) + ["out"] * len(others)),
                    fpc=fpc,
                )
                mean, error = estimator.point_est["in"], estimator.stderror["in"]
                reached = {p["stratum"] for p in both}
                freedom = sum(STRATA[s][1] for s in reached) - len(reached)
                p_value = 2 * t.sf(abs(mean / error), freedom)
                family.append([domain, a, b, float(mean), float(error), float(p_value)])
        p_values = [row[-1] for row in family]
        for row, holm, fdr in zip(family, multipletests(p_values, method="holm")[1], multipletests(p_values, method="fdr_bh")[1]):
            found.append([*row[:3], *(repr(x) for x in row[3:]), repr(float(holm)), repr(float(fdr))])
    return found


def write(name, header, rows):
    with open(HERE / name, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main():
    rows = draw()
    scored = answers(rows)
    write("answers.csv", ("uuid", "arm", "score", "stratum", "stratum_size", "sampling_weight", "domain"), scored)
    header = ("domain", "arm_a", "arm_b", "difference", "standard_error", "p_value", "holm", "fdr")
    write("differences.csv", header, differences(scored))
    with open(HERE / "sample.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("stratum", "stratum_size", "weight", "domain", "value", "raked"), *rows])
    cases = [("", "stratified"), ("a", "stratified"), ("b", "stratified"), ("rare", "stratified"), ("", "weights")]
    with open(HERE / "expected.csv", "w", newline="") as file:
        head = ("domain", "design", "mean", "standard_error", "lower", "upper", "degrees_of_freedom")
        csv.writer(file, lineterminator="\n").writerows([head, *(estimate(rows, *case) for case in cases)])


main()
