"""The five traits of personality, alike in all packs."""

import math

from .tables import assumption, figure

STEPS, WIDTH = 21, 0.3  # factor levels 0..20 stand for z = (level - 10) * 0.3
TRAITS = {"openness": "plasticity", "conscientiousness": "stability", "extraversion": "plasticity",
          "agreeableness": "stability", "neuroticism": "stability"}


def normal(mean, sd, edges):
    """Probabilities of the intervals between `edges`, the outer two open."""
    below = [0.0] + [0.5 * math.erfc((mean - e) / (sd * math.sqrt(2))) for e in edges] + [1.0]
    return [b - a for a, b in zip(below, below[1:])]


def personality():
    """Two correlated higher-order factors, and five traits that load on them (assumptions/personality.csv)."""
    value = {r["parameter"]: float(r["value"]) for r in assumption("personality.csv")}
    z = [(k - STEPS // 2) * WIDTH for k in range(STEPS)]
    steps = [(a + b) / 2 for a, b in zip(z, z[1:])]
    figure("stability", ["stability"], {(k,): p for k, p in enumerate(normal(0, 1, steps))}, "share", sig=8)
    rho = value["stability_plasticity"]
    figure("plasticity", ["stability", "plasticity"],
           {(k, j): p for k in range(STEPS)
            for j, p in enumerate(normal(rho * z[k], math.sqrt(1 - rho ** 2), steps))}, "share", digits=12)
    points = [(t + 0.5 - 50) / 10 for t in range(20, 80)]
    for trait, factor in TRAITS.items():
        load = value[trait]
        figure(trait, [factor, trait],
               {(k, 20 + i): p for k in range(STEPS)
                for i, p in enumerate(normal(load * z[k], math.sqrt(1 - load ** 2), points))},
               "share", digits=12)
