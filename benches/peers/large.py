"""Changing little of a large table: Populace, and DuckDB on the same rows.

    pip install duckdb
    cargo build --release
    python3 benches/peers/large.py [--populace target/release/populace] [--people 10000000]

Each statement is a process of its own on either side, opened, run and closed; its time less that of `SELECT 1` by the
same program, and the most memory that it held. DuckDB has a primary key on `uuid`, as Populace has. Medians of five;
both must leave the same rows.
"""

import os
import subprocess
import sys
import tempfile
import time
from statistics import median

from common import Populace, machine, options

try:
    import duckdb
except ImportError as error:
    sys.exit(f"{error}: this benchmark asks DuckDB too; pip install duckdb")

REPEATS = 5
COLUMNS = "uuid, row_index, age, sex, state, occupation, education_level, marital_status"
DUCKDB = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute(sys.argv[2]); c.close()"


def spent(command):
    """Seconds and the most MiB of a process, with those that it starts."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)[:200]}: {error.decode()}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    given = options()
    print(f"{machine()}, DuckDB {duckdb.__version__}, {given.people:,} people\n")
    with tempfile.TemporaryDirectory() as folder:
        populace = Populace(given.populace, f"{folder}/db")
        people = f"SELECT {COLUMNS} FROM sample_persona('usa', {given.people}, seed => 1)"
        seconds, _ = populace.run("sql", f"CREATE TABLE people AS {people}")
        print(f"made in {seconds:.0f} s, with an index of its keys", flush=True)
        parquet, database = f"{folder}/people.parquet", f"{folder}/people.duckdb"
        populace.parquet("SELECT * FROM people", parquet)
        # In a process of its own: one that is started counts what the one that starts it holds as its own.
        copy = f"CREATE TABLE people AS FROM '{parquet}'; ALTER TABLE people ADD PRIMARY KEY (uuid)"
        seconds, _ = spent([sys.executable, "-c", DUCKDB, database, copy])
        print(f"DuckDB's in {seconds:.0f} s, with its primary key\n", flush=True)

        def ours(sql):
            return spent([*populace.command, "sql", sql])

        def theirs(sql):
            return spent([sys.executable, "-c", DUCKDB, database, sql])

        print("| statement | Populace | memory | DuckDB | memory |\n|---|---|---|---|---|")
        base = [median(run("SELECT 1")[0] for _ in range(REPEATS)) for run in (ours, theirs)]
        print(f"| `SELECT 1`, the whole process | {base[0] * 1e3:.0f} ms | | {base[1] * 1e3:.0f} ms | |", flush=True)
        one = f"SELECT {COLUMNS} FROM sample_persona('usa', 1, seed => {{n}})"
        step = given.people // 1000
        statements = {
            "INSERT of one person": lambda n: (
                f"INSERT INTO people {one.format(n=n + 2)}",
                f"INSERT INTO people VALUES ('{n:032x}', {n}, 40, 'Male', 'TX', NULL, NULL, NULL)",
            ),
            "UPDATE of one column of 1,000": lambda n: (f"UPDATE people SET age = age + 1 WHERE row_index % {step} = {n}",) * 2,
            "DELETE of 1,000": lambda n: (f"DELETE FROM people WHERE row_index % {step} = {n + 20}",) * 2,
            "UPDATE of one column of all": lambda n: ("UPDATE people SET age = age + 1",) * 2,
        }
        for name, of in statements.items():
            columns = []
            for at, run in enumerate((ours, theirs)):
                took = [run(of(n)[at]) for n in range(REPEATS)]
                seconds, memory = median(t for t, _ in took) - base[at], max(m for _, m in took)
                columns.append(f"{max(seconds, 0) * 1e3:.0f} ms | {memory:.0f} MiB")
            print(f"| {name} | {columns[0]} | {columns[1]} |", flush=True)
        left = "SELECT count(*) AS n, sum(age) AS ages FROM people WHERE row_index >= 1000"
        mine = populace.rows(left)[0]
        copy = duckdb.connect(database).execute(left).fetchone()
        if [int(mine["n"]), int(mine["ages"])] != [int(v) for v in copy]:
            sys.exit(f"Populace and DuckDB leave different rows: {mine}, {copy}")


if __name__ == "__main__":
    main()
