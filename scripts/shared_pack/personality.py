"""The five traits of personality: two factors behind them, and norms by sex and age."""

import math
import os
from collections import defaultdict

from .tables import FOLDERS, assumption, figure, rows_of

STEPS, WIDTH = 13, 0.5  # factor levels 0..12 stand for z = (level - 6) * 0.5
GRID, HALF = 3, 9  # levels 0..18 of what is expected stand for T = 50 + (level - 9) * 3
TRAITS = {"openness": "plasticity", "conscientiousness": "stability", "extraversion": "plasticity",
          "agreeableness": "stability", "neuroticism": "stability"}


def normal(mean, sd, edges):
    """Probabilities of the intervals between `edges`, the outer two open."""
    below = [0.0] + [0.5 * math.erfc((mean - e) / (sd * math.sqrt(2))) for e in edges] + [1.0]
    return [b - a for a, b in zip(below, below[1:])]


def between(x, points):
    """{index of a point: part} of the two neighbours that `x` lies between, so that their mean is `x`; beyond the
    outer points it is the outer one."""
    x = min(max(x, points[0]), points[-1])
    after = next(i for i, p in enumerate(points) if p >= x)
    if points[after] == x:
        return {after: 1.0}
    part = (x - points[after - 1]) / (points[after] - points[after - 1])
    return {after - 1: 1 - part, after: part}


def norms():
    """The ages that the norms tell of, and {(women or men, age): {trait: T}} (assumptions/personality_norms.csv)."""
    table = defaultdict(dict)
    for r in assumption("personality_norms.csv"):
        for group in ("women", "men"):
            table[group, int(r["age"])][r["trait"]] = float(r[group])
    for (group, age), of in table.items():
        assert set(of) == set(TRAITS), f"assumptions/personality_norms.csv: {group} {age} has not one mean of each trait"
    return sorted({age for _, age in table}), table


def adults(name):
    """{(sex, age): people} of a figure of single years of age that is written already."""
    people = defaultdict(float)
    for r in rows_of(os.path.join(FOLDERS["pack"], "figures", name + ".csv.gz")):
        people[r["sex"], int(r["age"])] += float(r["count"])
    return people


def personality(population, sexes):
    """Two correlated higher-order factors, and five traits that load on them (assumptions/personality.csv) about a mean
    by sex and age (assumptions/personality_norms.csv). All adults, as the figure `population` counts them by sex and
    single year, have the mean 50 and the standard deviation 10 in each trait; `sexes` are its women and its men. Who is
    of an age between two of the norms is of the one group or the other: means change with each year of age."""
    value = {r["parameter"]: float(r["value"]) for r in assumption("personality.csv")}
    z = [(k - STEPS // 2) * WIDTH for k in range(STEPS)]
    steps = [(a + b) / 2 for a, b in zip(z, z[1:])]
    factor = normal(0, 1, steps)
    figure("stability", ["stability"], {(k,): p for k, p in enumerate(factor)}, "share", sig=8)
    rho = value["stability_plasticity"]
    figure("plasticity", ["stability", "plasticity"],
           {(k, j): p for k in range(STEPS)
            for j, p in enumerate(normal(rho * z[k], math.sqrt(1 - rho ** 2), steps))}, "share", digits=12)

    ages, table = norms()
    people, groups, share = adults(population), {}, defaultdict(float)
    whole = sum(people.values())
    for sex, group in zip(sexes, ("women", "men")):
        for age in sorted(a for s, a in people if s == sex):
            for at, part in between(age, ages).items():
                groups[sex, age, f"{group} {ages[at]}"] = part
                share[group, ages[at]] += part * people[sex, age] / whole
    figure("personality_group", ["sex", "age", "personality_group"], groups, "share", digits=9)

    points = [(t + 0.5 - 50) for t in range(20, 80)]
    grid = [(k - HALF) * GRID for k in range(2 * HALF + 1)]
    spread = math.sqrt(sum(p * x ** 2 for p, x in zip(factor, z)))  # a little over 1, as the steps are wide
    for trait, name in TRAITS.items():
        mean = sum(share[g] * of[trait] for g, of in table.items())
        within = math.sqrt(100 - sum(share[g] * (of[trait] - mean) ** 2 for g, of in table.items()))
        slope = value[trait] * within / spread
        expected, rounding = {}, 0.0
        for g, of in table.items():
            for k in range(STEPS):
                for level, part in between(of[trait] - mean + slope * z[k], grid).items():
                    expected[k, "{} {}".format(*g), level] = part
                    rounding += share[g] * factor[k] * part * (grid[level] - of[trait] + mean - slope * z[k]) ** 2
        figure(f"{trait}_expected", [name, "personality_group", f"{trait}_expected"], expected, "share", digits=9)
        rest = math.sqrt((1 - value[trait] ** 2) * within ** 2 - rounding - 1 / 12)  # scores are whole numbers
        figure(trait, [f"{trait}_expected", trait],
               {(k, 20 + i): p for k in range(len(grid))
                for i, p in enumerate(normal(grid[k], rest, points))}, "share", digits=12)
