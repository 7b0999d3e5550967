"""One Bayesian network of ten variables, drawn by Populace and by pgmpy: forward, and under evidence.

    pip install pgmpy==1.1.2
    python3 benches/peers/sample.py            # three minutes after the build; --quick: half a minute

The conditional tables are made here, from a fixed seed, as whole numbers that sum to 2^24 in every row: as exact in
the figures of a country pack as in a TabularCPD. Both sides draw the same ten columns into memory, text levels
included; that they draw from one distribution is tested on the rows of both.
"""

import argparse
import datetime
import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import median

from common import ROOT, executables

warnings.simplefilter("ignore", FutureWarning)  # pgmpy's own, on being imported
try:
    import numpy as np
    import pandas as pd
    from pgmpy.factors.discrete import State, TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork
    from pgmpy.sampling import BayesianModelSampling
except ImportError as error:
    sys.exit(f"{error}: this benchmark draws with pgmpy too; pip install pgmpy==1.1.2")

UNIT = 1 << 24  # every row of every table sums to this
BATCH = 100_000  # rows of one forward sample of pgmpy
AGES = ["18-19", *(f"{a}-{a + 4}" for a in range(20, 80, 5)), "80+"]
LABOUR = ["employed", "armed_forces", "unemployed", "not_in_labor_force"]


def numbered(name, count):
    return [f"{name}_{i:0{len(str(count))}}" for i in range(1, count + 1)]


# Variables in the order of drawing: levels and parents.
NODES = {
    "state": (numbered("state", 52), []),
    "sex": (["Female", "Male"], []),
    "age_band": (AGES, ["state", "sex"]),
    "ethnicity": (numbered("ethnicity", 7), ["state"]),
    "education_level": (numbered("education", 9), ["age_band", "sex", "ethnicity"]),
    "marital_status": (["never_married", "married", "separated", "divorced", "widowed"], ["age_band", "sex"]),
    "labour_status": (LABOUR, ["age_band", "sex", "education_level"]),
    "occupation": (["no_occupation", *numbered("occupation", 565)], ["education_level", "sex", "labour_status"]),
    "last_name": (numbered("name", 20_000), ["ethnicity"]),
    "hobby": (numbered("hobby", 40), ["age_band", "sex"]),
}
# Evidence, the commonest first. REJECTED is the one that pgmpy draws under as well.
EVIDENCE = [
    {"state": "state_02"},
    {"state": "state_02", "education_level": "education_7"},
    {"state": "state_02", "age_band": "70-74"},
    {"state": "state_03", "age_band": "60-64", "sex": "Female"},
    {"last_name": "name_00010", "age_band": "60-64", "sex": "Female"},
    {"occupation": "occupation_300", "state": "state_05", "sex": "Female"},
    {"last_name": "name_01000", "age_band": "60-64", "sex": "Female"},
]
REJECTED = EVIDENCE[2]


def whole(weights, total=UNIT):
    """Whole numbers in proportion to the weights, at least 1 where a weight is above 0, that sum to the total."""
    counts = np.where(weights > 0, np.maximum(1, np.floor(weights / weights.sum() * total)), 0).astype(np.int64)
    counts[counts.argmax()] += total - counts.sum()
    return counts


def tables():
    """P(variable | parents) × UNIT: an axis for each parent, then the variable's own."""
    rng, made = np.random.default_rng(20), {}
    for name, (levels, parents) in NODES.items():
        shape = [len(NODES[p][0]) for p in parents]
        common = (np.arange(len(levels)) + 3.0) ** (-0.8 if len(levels) > 10 else -0.3)
        table = np.empty([*shape, len(levels)], dtype=np.int64)
        for row in np.ndindex(*shape):
            weights = common * np.exp(rng.normal(0, 0.7, len(levels)))
            if name == "occupation":  # those without a job have no occupation, all others have one
                working = LABOUR[row[-1]] in ("employed", "armed_forces")
                weights[0], weights[1:] = (0, weights[1:]) if working else (1, 0)
            table[row] = whole(weights)
        made[name] = table
    return made


def write_pack(folder, made):
    """The source of a country pack with these tables as its figures."""
    parts = [
        '[pack]\nname = "peers"\ntitle = "Ten variables"\ncountry = "Nowhere"\nyear = "2000"\n'
        f'population_figure = "state"\ncolumns = {json.dumps(list(NODES))}\n',
        '[[source]]\nid = "made"\nagency = "None"\ntitle = "Random tables"\nyear = "2000"\nlicence = "CC0"\n',
    ]
    for name, (levels, parents) in NODES.items():
        pd.DataFrame({"level": levels}).to_csv(folder / f"{name}.levels.csv", index=False)
        index = pd.MultiIndex.from_product([NODES[v][0] for v in [*parents, name]], names=[*parents, name])
        pd.Series(made[name].ravel(), index, name="count").reset_index().to_csv(folder / f"{name}.csv", index=False)
        parts.append(f'[[variable]]\nname = "{name}"\nlevels_file = "{name}.levels.csv"\n')
        parts.append(f'[[figure]]\nname = "{name}"\nfile = "{name}.csv"\nstatus = "estimate"\nsource = "made"\n')
        fitted = f'figures = [{{ figure = "{name}", given = {json.dumps(parents)} }}]'
        rule = f'tables = ["{name}"]' if len(levels) > 1000 else fitted
        parts.append(f'[[node]]\nvariable = "{name}"\nparents = {json.dumps(parents)}\n{rule}\n')
    (folder / "pack.toml").write_text("\n".join(parts))


def model(made):
    """The same tables as pgmpy's network."""
    network = DiscreteBayesianNetwork([(p, v) for v, (_, parents) in NODES.items() for p in parents])
    for name, (levels, parents) in NODES.items():
        values = made[name].reshape(-1, len(levels)).T / UNIT
        names = {v: NODES[v][0] for v in [name, *parents]}
        cards = [len(NODES[p][0]) for p in parents]
        network.add_cpds(TabularCPD(name, len(levels), values, parents or None, cards or None, state_names=names))
    network.check_model()
    return network


def probability(made, evidence):
    """P(evidence), summed exactly over the tables."""
    letter = {name: chr(ord("a") + i) for i, name in enumerate(NODES)}
    terms, factors = [], []
    for name, (_, parents) in NODES.items():
        family = [*parents, name]
        at = tuple(NODES[v][0].index(evidence[v]) if v in evidence else slice(None) for v in family)
        terms.append("".join(letter[v] for v in family if v not in evidence))
        factors.append(made[name][at] / UNIT)
    return float(np.einsum(",".join(terms) + "->", *factors, optimize="greedy"))


def build():
    """Populace's examples `compile` and `draw`: their paths."""
    found = executables("cargo", "build", "--release", "-p", "populace-population", "--examples")
    return found["compile"], found["draw"]


class Populace:
    """Draws with the example `draw`, in a process of its own."""

    def __init__(self, draw, pack):
        self.draw, self.pack = draw, pack

    def run(self, rows, evidence, threads, seed, *more):
        given = [arg for column, level in evidence.items() for arg in ("--given", f"{column}={level}")]
        command = [self.draw, str(self.pack), str(rows), str(seed), *given, "--columns", ",".join(NODES), *more]
        env = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)

    def time(self, rows, evidence, threads, seed=1):
        """Loading and preparing in ms, P(evidence), rows a second."""
        with self.run(rows, evidence, threads, seed) as process:
            text = process.stdout.read()
        found = re.match(r"loaded in (\S+) ms; P\(evidence\) = (\S+), prepared in (\S+) ms; .*: (\d+) rows/s", text)
        if process.returncode or not found:
            sys.exit(f"`draw` failed: {text}")
        loaded, probability, prepared, rate = map(float, found.groups())
        return loaded, prepared, probability, rate

    def rows(self, rows, evidence, seed=2):
        with self.run(rows, evidence, os.cpu_count(), seed, "--csv") as process:
            frame = pd.read_csv(process.stdout, dtype=str)
        if process.returncode or len(frame) != rows:
            sys.exit("`draw --csv` failed")
        return frame


def timed(work):
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def distance(left, right, columns, rng):
    """The total variation distance of two samples over some columns, and its mean and standard deviation where both
    come from one distribution: by shuffling the rows between the two, 100 times."""
    codes, levels = pd.factorize(pd.MultiIndex.from_frame(pd.concat([left, right])[columns]))
    ours = np.bincount(codes[: len(left)], minlength=len(levels))
    pooled = np.bincount(codes, minlength=len(levels))

    def between(a):
        return np.abs(a / len(left) - (pooled - a) / len(right)).sum(-1) / 2

    chance = between(rng.multivariate_hypergeometric(pooled, len(left), size=100, method="marginals"))
    return between(ours), chance.mean(), chance.std()


def compare(title, left, right):
    """Prints how far two samples are apart, variable by variable; True if no further than chance takes them."""
    rng, same = np.random.default_rng(1), True
    print(f"\n{title}: pgmpy's {len(left):,} rows against Populace's {len(right):,}, total variation distance\n")
    print("| variable | levels | of the variable | by chance | of it with its parents | by chance |")
    print("|---|---|---|---|---|---|")
    for name, (levels, parents) in NODES.items():
        cells = []
        for columns in [[name], [*parents, name]]:
            found, mean, deviation = distance(left, right, columns, rng)
            same &= found <= mean + 6 * deviation + 1e-12
            cells.append(f"{found:.4f} | {mean:.4f} ± {deviation:.4f}")
        print(f"| {name} | {len(levels):,} | {' | '.join(cells)} |")
    return same


def machine():
    def say(*command):
        try:
            return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return "unknown"

    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    print(f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"load average {os.getloadavg()[0]:.1f}; {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC")
    packages = ", ".join(f"{p} {version(p)}" for p in ("pgmpy", "numpy", "pandas"))
    print(f"Populace {say('git', 'describe', '--always', '--dirty')} ({say('rustc', '--version')}), release build; "
          f"{packages}, Python {platform.python_version()}")


def words(evidence):
    return ", ".join(f"{variable} = {level}" for variable, level in evidence.items()) or "everybody"


def show(rate):
    return f"{float(f'{rate:.3g}'):,.0f}"


def measure(populace, sampling, plan):
    """The two in turn, so that other work on the machine falls on both: pgmpy's rows a second by method, with its
    forward and rejection samples; Populace's (loading, preparing, P, rows a second) by threads and evidence."""
    states = [State(variable, level) for variable, level in REJECTED.items()]
    peer = {"forward": [], "rejection": [], "weighting": [], "effective": [], "cores": []}
    ours, forward, rejected = {}, [], []
    sampling.forward_sample(size=1000, show_progress=False, seed=0)
    for n in range(plan.repeats):
        for threads in plan.threads:
            for given in [{}, *EVIDENCE]:
                rows = plan.rows // 2 if given else plan.rows
                ours.setdefault((threads, words(given)), []).append(populace.time(rows, given, threads))
        for i in range(3):
            busy = time.process_time()
            sample, seconds = timed(
                lambda: sampling.forward_sample(size=BATCH, show_progress=False, seed=3 * n + i))
            peer["forward"].append(BATCH / seconds)
            peer["cores"].append((time.process_time() - busy) / seconds)
            forward.append(sample)
        sample, seconds = timed(
            lambda: sampling.rejection_sample(states, size=plan.rejected, show_progress=False, seed=100 + n))
        peer["rejection"].append(plan.rejected / seconds)
        rejected.append(sample)
        sample, seconds = timed(
            lambda: sampling.likelihood_weighted_sample(states, size=BATCH, show_progress=False, seed=200 + n))
        weights = sample["_weight"]
        effective = weights.sum() ** 2 / (weights ** 2).sum()
        peer["effective"].append(effective / BATCH)
        peer["weighting"].append(effective / seconds)
    return {k: median(v) for k, v in peer.items()}, ours, pd.concat(forward), pd.concat(rejected)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything once, and fewer rows")
    quick = parser.parse_args().quick
    plan = argparse.Namespace(repeats=3, rows=20_000_000, rejected=10_000, threads=sorted({1, os.cpu_count()}))
    if quick:
        plan.repeats, plan.rows, plan.rejected = 1, 4_000_000, 2000
    logging.disable(logging.WARNING)
    compile_, draw = build()
    machine()
    made = tables()
    rows, cells = sum(t.size // t.shape[-1] for t in made.values()), sum(t.size for t in made.values())
    print(f"The network: {len(NODES)} variables, {rows:,} rows of tables, {cells:,} cells.\n")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_pack(folder, made)
        fit, compiling = timed(lambda: subprocess.run([compile_, str(folder)], capture_output=True, text=True))
        if fit.returncode:
            sys.exit(f"`compile` failed: {fit.stderr}")
        gap = max(float(line.split()[-2]) for line in fit.stdout.splitlines() if re.match(r"\w+ +estimate +fit", line))
        populace = Populace(draw, folder / "peers.pack")
        sampling, building = timed(lambda: BayesianModelSampling(model(made)))
        peer, ours, forward, rejected = measure(populace, sampling, plan)

        def rate(threads, given):
            return median(found[3] for found in ours[threads, words(given)])

        all_threads, exact = plan.threads[-1], probability(made, REJECTED)
        print(f"Rows a second, all ten columns, medians of {plan.repeats} runs; in brackets, times pgmpy\n")
        titles = ["1 thread", *(f"{n} threads" for n in plan.threads[1:])]
        print(f"| | pgmpy | {' | '.join(f'Populace, {t}' for t in titles)} |\n|---|---|{'---|' * len(titles)}")
        for title, given, theirs in [
            ("forward sampling", {}, peer["forward"]),
            (f"given {words(REJECTED)} (P = {exact:.1e}), rejection sampling", REJECTED, peer["rejection"]),
            ("the same, if rejection cost its forward samples alone", REJECTED, peer["forward"] * exact),
            (f"the same, likelihood weighting: {peer['effective']:.2f} effective rows a row", REJECTED,
             peer["weighting"]),
        ]:
            mine = [f"{show(rate(n, given))} ({rate(n, given) / theirs:,.0f}×)" for n in plan.threads]
            print(f"| {title} | {show(theirs)} | {' | '.join(mine)} |")
        loaded = median(found[0] for found in ours[all_threads, words({})])
        print(f"\npgmpy: forward samples of {BATCH:,} rows, rejection samples of {plan.rejected:,}, into pandas "
              f"DataFrames; it kept {peer['cores']:.1f} cores\nbusy. Populace: {plan.rows:,} rows, half as many under "
              "evidence, into Arrow columns in memory, 65,536 at a time.\nWithout setting up: "
              f"{building * 1e3:.0f} ms for pgmpy's model; {compiling * 1e3:.0f} ms to compile the pack, once, "
              f"and {loaded:.1f} ms to load it.\n")
        print(f"Populace under rarer and rarer evidence, {titles[-1]}\n")
        print("| given | P(evidence) | rows/s | preparing the evidence | P, off by |\n|---|---|---|---|---|")
        agree = True
        for given in [{}, *EVIDENCE]:
            found, exact = ours[all_threads, words(given)], probability(made, given)
            off = abs(found[0][2] / exact - 1)
            agree &= off < 1e-4
            print(f"| {words(given)} | {exact:.1e} | {show(rate(all_threads, given))} | "
                  f"{median(f[1] for f in found):.2f} ms | {off:.0e} |")
        print("\nOff by: relative to P(evidence) summed over the tables in double precision. The fitted tables meet "
              f"their figures\nto {gap:.0e}; they are kept in 32 bits.")
        agree &= compare("Forward", forward, populace.rows(len(forward), {}))
        agree &= compare(f"Given {words(REJECTED)}", rejected, populace.rows(len(rejected), REJECTED))
    print("\nThe two draw from one distribution." if agree else "\nTHE TWO DRAW FROM DIFFERENT DISTRIBUTIONS.")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
