"""What the comparisons with other systems share: Populace as a process, times, and whether answers are the same."""

import argparse
import csv
import datetime
import heapq
import io
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 5
CONDITIONS = {"all": "true", "half of them": "age > 47", "one in a hundred": "age = 33"}
TOLERANCE = 1e-6  # of scores in single precision


class Populace:
    """The program on one database, with vectors by `hash`; each call is a process of its own."""

    def __init__(self, binary, database):
        self.command = [binary, "--db", database, "--embedder", "hash"]

    def run(self, *arguments):
        start = time.perf_counter()
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)[:200]}: {done.stderr}")
        return time.perf_counter() - start, done.stdout

    def statement(self, sql):
        """Seconds of one statement within a session that is warm."""
        once = [self.run("sql", "--format", "csv", sql)[0] for _ in range(REPEATS)]
        often = [self.run("sql", "--format", "csv", ";".join([sql] * 11))[0] for _ in range(REPEATS)]
        return (median(often) - median(once)) / 10

    def rows(self, *sql):
        """The rows of a statement, as texts by column."""
        return list(csv.DictReader(io.StringIO(self.run("sql", "--format", "csv", *sql)[1])))

    def scored(self, sql):
        """The rows of a search: uuids and scores."""
        return [(row["uuid"], float(row["score"])) for row in self.rows(sql)]

    def vector(self, text):
        """The vector by which a text is searched for."""
        return json.loads(self.run("sql", "--format", "json", f"SELECT embed('{text}', 'query') AS v")[1])[0]["v"]

    def parquet(self, sql, file):
        with open(file, "wb") as out:
            subprocess.run([*self.command, "sql", "--format", "parquet", sql], stdout=out, check=True)

    def people(self, count, file):
        """Makes the table `people`, and a copy in Parquet: seconds of the first."""
        seconds, _ = self.run("sql", f"CREATE TABLE people AS SELECT * FROM sample_persona('usa', {count}, seed => 1)")
        self.parquet("SELECT * FROM people", file)
        return seconds

    def texts(self, count, columns, file):
        """Makes the table `texts`, people with a text and its vector, and a copy of some columns in Parquet."""
        drawn = f"SELECT *, generate_narrative('persona') AS persona FROM sample_persona('usa', {count}, seed => 2)"
        self.run("sql", f"CREATE TABLE texts AS {drawn}")
        self.parquet(f"SELECT {columns} FROM texts", file)


def timed(work):
    """Median seconds, after a first time that does not count."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def margin(score):
    return TOLERANCE * max(1, abs(score))


def near(a, b):
    return abs(a - b) <= margin(b)


def best(found, scores, k=10):
    """Whether the rows found, best first, are the k best of all by these scores, equal ones in any order."""
    highest = heapq.nlargest(k, scores.values())
    right = (near(s, scores.get(uuid, float("nan"))) and near(s, top) for (uuid, s), top in zip(found, highest))
    return len(dict(found)) == len(found) == len(highest) and all(right)


def options(**others):
    """What a comparison of queries is told, and other numbers with what they are if nothing is said."""
    arguments = argparse.ArgumentParser()
    populace_option(arguments)
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--searched", type=int, default=100_000)
    for name, default in others.items():
        arguments.add_argument(f"--{name}", type=int, default=default)
    given = arguments.parse_args()
    check_built(given.populace)
    return given


def populace_option(arguments):
    arguments.add_argument("--populace", default=str(ROOT / "target/release/populace"))


def check_built(program):
    if not Path(program).exists():
        sys.exit(f"there is no {program}: cargo build --release, or name it with --populace")


def machine():
    """The first of what every table says of where it was measured."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return f"{platform.machine()}, {cores} cores, load {load:.1f}, {datetime.date.today()}"


def executables(*command, otherwise=""):
    """The programs that a command of cargo builds, by name."""
    command = [*command, "--message-format=json"]
    try:
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        sys.exit(f"cargo is missing: install Rust, https://rustup.rs{otherwise}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(command)} failed with status {error.returncode}; what is wrong stands above{otherwise}")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
