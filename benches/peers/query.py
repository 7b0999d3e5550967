"""Writing, aggregating and searching people: Populace, and DuckDB on the same rows in Parquet.

    pip install duckdb
    cargo build --release
    python3 benches/peers/query.py [--populace target/release/populace] [--people 1000000]

Populace runs as a process of its own: a statement's time is that of a script with eleven of it less that of a script
with one, over ten. DuckDB runs in this process. Medians; both sides use all cores.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

try:
    import duckdb
except ImportError as error:
    sys.exit(f"{error}: this benchmark asks DuckDB too; pip install duckdb")

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 5
AGGREGATES = {
    "count by state of those over 65": "SELECT state, count(*) AS n, avg(age) AS mean FROM {people} WHERE age > 65 GROUP BY state ORDER BY n DESC",
    "count by occupation and sex in two states": "SELECT occupation, sex, count(*) AS n FROM {people} WHERE state IN ('CA', 'TX') GROUP BY occupation, sex ORDER BY n DESC LIMIT 20",
    "mean household of widows": "SELECT avg(household_size) AS mean FROM {people} WHERE marital_status = 'widowed' AND sex = 'Female'",
}


class Populace:
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


def timed(work):
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--populace", default=str(ROOT / "target/release/populace"))
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--searched", type=int, default=100_000)
    given = arguments.parse_args()
    if not Path(given.populace).exists():
        sys.exit(f"there is no {given.populace}: cargo build --release, or name it with --populace")
    today = datetime.date.today()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {today}, DuckDB {duckdb.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        populace = Populace(given.populace, f"{folder}/db")
        print("| work | Populace | DuckDB | ratio |\n|---|---|---|---|")
        start, _ = populace.run("sql", "SELECT 1")
        print(f"| SELECT 1, the whole process | {start * 1e3:.0f} ms | | |")
        drawn = f"SELECT * FROM sample_persona('usa', {given.people}, seed => 1)"
        seconds, _ = populace.run("sql", f"CREATE TABLE people AS {drawn}")
        print(f"| draw {given.people:,} people and write them to Lance | {given.people / seconds:,.0f} rows/s | | |", flush=True)
        parquet = f"{folder}/people.parquet"
        with open(parquet, "wb") as file:
            command = [*populace.command, "sql", "--format", "parquet", "SELECT * FROM people"]
            subprocess.run(command, stdout=file, check=True)
        for name, sql in AGGREGATES.items():
            ours = populace.statement(sql.format(people="people"))
            theirs = timed(lambda: duckdb.sql(sql.format(people=f"'{parquet}'")).fetchall())
            print(f"| {name} | {ours * 1e3:.1f} ms | {theirs * 1e3:.1f} ms | {theirs / ours:.2f} × |", flush=True)
        texts = f"SELECT *, generate_narrative('persona') AS persona FROM sample_persona('usa', {given.searched}, seed => 2)"
        populace.run("sql", f"CREATE TABLE texts AS {texts}")
        vectors = f"{folder}/vectors.parquet"
        with open(vectors, "wb") as file:
            command = [*populace.command, "sql", "--format", "parquet", "SELECT uuid, age, persona_embedding FROM texts"]
            subprocess.run(command, stdout=file, check=True)
        # In memory on their side, as a warm session has them on ours.
        duckdb.sql(f"CREATE TABLE vectors AS SELECT uuid, age, persona_embedding::FLOAT[384] AS v FROM '{vectors}'")
        for name, where in {"all": "true", "half of them": "age > 47", "one in a hundred": "age = 33"}.items():
            ours = populace.statement(
                f"SELECT uuid, score FROM semantic_search(texts, 'a retired nurse', 10, \"where\" => {where})"
            )
            sql = f"SELECT uuid, array_cosine_similarity(v, (SELECT v FROM vectors LIMIT 1)) AS s FROM vectors WHERE {where} ORDER BY s DESC LIMIT 10"
            theirs = timed(lambda: duckdb.sql(sql).fetchall())
            print(
                f"| search {given.searched:,} × 384, exact, {name} | {ours * 1e3:.1f} ms | {theirs * 1e3:.1f} ms | {theirs / ours:.2f} × |",
                flush=True,
            )


main()
