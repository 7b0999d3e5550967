"""Samples by design and search: Populace, DuckDB (with its extensions for text and vectors), LanceDB and pandas.

    pip install duckdb==1.5.5 duckdb-extensions duckdb-extension-fts duckdb-extension-vss lancedb pandas pyarrow
    cargo build --release
    python3 benches/peers/search.py [--populace target/release/populace] [--people 1000000] [--searched 100000]

Populace runs as a process of its own: a statement's time is that of a script with eleven of it less that of a script
with one, over ten. The others run in this process, on the same people, warm. Medians; all use all cores. Indexes are
each system's own, with its defaults. LanceDB writes a notice for each search to the standard error.
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
    import lancedb
    import pandas
    import pyarrow.parquet
    from duckdb_extensions import import_extension
    from lancedb.index import FTS
    from lancedb.rerankers import RRFReranker
except ImportError as error:
    sys.exit(f"{error}: see the first lines of this file for what to install")

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 5
QUERY = "a retired nurse who keeps bees"
STRATA = "state, sex"
CONDITIONS = {"all": "true", "half of them": "age > 47", "one in a hundred": "age = 33"}


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

    def parquet(self, sql, file):
        with open(file, "wb") as out:
            subprocess.run([*self.command, "sql", "--format", "parquet", sql], stdout=out, check=True)


def timed(work):
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def row(name, ours, **theirs):
    cells = [f"{theirs[k] * 1e3:.1f} ms ({theirs[k] / ours:.1f} ×)" if k in theirs else "" for k in ("duckdb", "lancedb", "pandas")]
    print(f"| {name} | {ours * 1e3:.1f} ms | {' | '.join(cells)} |", flush=True)


def quotas(counts, size):
    """Largest remainders: the same quotas as Populace's."""
    total = counts.sum()
    exact = counts * size / total
    floor = exact.astype(int)
    left = size - floor.sum()
    floor[(exact - floor).sort_values(ascending=False, kind="stable").index[:left]] += 1
    return floor


def stratified(populace, people, file):
    size = 10_000
    sql = f"SELECT count(*), sum(age) FROM stratified_sample({people}, {size}, strata => ({STRATA}), seed => 7)"
    ours = populace.statement(sql)
    rows = f"SELECT * FROM stratified_sample({people}, {size}, strata => ({STRATA}), seed => 7)"
    whole = populace.statement(f"SELECT count(*), min(length(first_name)), min(household_size), min(occupation), min(zipcode) FROM ({rows})")
    base = duckdb.connect()
    base.sql(f"CREATE TABLE people AS SELECT * FROM '{file}'")
    drawn = f"""
        WITH counts AS (SELECT {STRATA}, count(*) AS n FROM people GROUP BY ALL),
        quotas AS (SELECT {STRATA}, n * {size} / sum(n) OVER () AS exact FROM counts),
        floors AS (SELECT *, floor(exact) + (row_number() OVER (ORDER BY exact - floor(exact) DESC)
                   <= {size} - sum(floor(exact)) OVER ())::INT AS quota FROM quotas),
        ranked AS (SELECT uuid, {STRATA}, row_number() OVER (PARTITION BY {STRATA} ORDER BY hash(uuid, 7)) AS r FROM people),
        taken AS (SELECT uuid FROM ranked JOIN floors USING ({STRATA}) WHERE r <= quota)
        SELECT count(*), {{columns}} FROM people JOIN taken USING (uuid)"""
    assert base.sql(drawn.format(columns="sum(age)")).fetchone()[0] == size
    theirs = timed(lambda: base.sql(drawn.format(columns="sum(age)")).fetchall())
    wide = "min(length(first_name)), min(household_size), min(occupation), min(zipcode)"
    theirs_whole = timed(lambda: base.sql(drawn.format(columns=wide)).fetchall())
    frame = pandas.read_parquet(file, columns=["uuid", "age", "state", "sex"])

    def sample():
        groups = frame.groupby(["state", "sex"], observed=True)
        wanted = quotas(groups.size(), size)
        parts = [group.sample(wanted[key], random_state=7) for key, group in groups]
        return pandas.concat(parts)

    assert len(sample()) == size
    row(f"stratified sample of {size:,} of {len(frame):,} by {STRATA}: their ages", ours, duckdb=theirs, pandas=timed(sample))
    row("the same, five columns of them", whole, duckdb=theirs_whole)


def search(populace, people, file, folder):
    rows = pyarrow.parquet.read_table(file)
    vector = rows["persona_embedding"][0].as_py()
    width = len(vector)
    base = duckdb.connect()
    for extension in ("fts", "vss"):
        import_extension(extension)
        base.load_extension(extension)
    base.sql(f"CREATE TABLE texts AS SELECT uuid, age, persona, persona_embedding::FLOAT[{width}] AS v FROM rows")
    lance = lancedb.connect(f"{folder}/lancedb").create_table("texts", rows)
    searched = f"{len(rows):,} × {width}"

    for name, condition in CONDITIONS.items():
        ours = populace.statement(f"SELECT uuid, score FROM semantic_search({people}, '{QUERY}', 10, \"where\" => {condition})")
        sql = f"SELECT uuid, array_cosine_similarity(v, $1::FLOAT[{width}]) AS s FROM texts WHERE {condition} ORDER BY s DESC LIMIT 10"

        def exact():
            found = lance.search(vector).distance_type("cosine").limit(10).select(["uuid"])
            return (found if condition == "true" else found.where(condition, prefilter=True)).to_list()

        row(f"search {searched}, exact, {name}", ours, duckdb=timed(lambda: base.execute(sql, [vector]).fetchall()), lancedb=timed(exact))

    scanned = populace.statement(f"SELECT uuid, score FROM text_search({people}, '{QUERY}', 10, \"column\" => 'persona')")
    row(f"words among {len(rows):,} texts, no index", scanned)
    started = time.perf_counter()
    populace.run("sql", f"CREATE INDEX ON {people} USING text (persona)")
    made = time.perf_counter() - started
    started = time.perf_counter()
    base.sql("PRAGMA create_fts_index('texts', 'uuid', 'persona')")
    made_theirs = time.perf_counter() - started
    started = time.perf_counter()
    lance.create_index("persona", config=FTS())
    row("an index of the words", made, duckdb=made_theirs, lancedb=time.perf_counter() - started)
    for name, condition in CONDITIONS.items():
        ours = populace.statement(
            f"SELECT uuid, score FROM text_search({people}, '{QUERY}', 10, \"column\" => 'persona', \"where\" => {condition})"
        )
        sql = f"""SELECT uuid, s FROM (SELECT uuid, age, fts_main_texts.match_bm25(uuid, $1) AS s FROM texts)
                  WHERE s IS NOT NULL AND {condition} ORDER BY s DESC LIMIT 10"""

        def words():
            found = lance.search(QUERY, query_type="fts", fts_columns="persona").limit(10).select(["uuid"])
            return (found if condition == "true" else found.where(condition, prefilter=True)).to_list()

        row(f"words, by the index, {name}", ours, duckdb=timed(lambda: base.execute(sql, [QUERY]).fetchall()), lancedb=timed(words))

    ours = populace.statement(f"SELECT uuid, score FROM hybrid_search({people}, '{QUERY}', 10, \"column\" => 'persona')")

    def both():
        found = lance.search(query_type="hybrid", vector_column_name="persona_embedding", fts_columns="persona")
        return found.vector(vector).text(QUERY).distance_type("cosine").rerank(RRFReranker()).limit(10).to_list()

    row("by meaning and words, fused", ours, lancedb=timed(both))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--populace", default=str(ROOT / "target/release/populace"))
    arguments.add_argument("--people", type=int, default=1_000_000)
    arguments.add_argument("--searched", type=int, default=100_000)
    given = arguments.parse_args()
    if not Path(given.populace).exists():
        sys.exit(f"there is no {given.populace}: cargo build --release, or name it with --populace")
    versions = f"DuckDB {duckdb.__version__}, LanceDB {lancedb.__version__}, pandas {pandas.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {datetime.date.today()}, {versions}\n")
    with tempfile.TemporaryDirectory() as folder:
        populace = Populace(given.populace, f"{folder}/db")
        print("| work | Populace | DuckDB | LanceDB | pandas |\n|---|---|---|---|---|")
        populace.run("sql", f"CREATE TABLE people AS SELECT * FROM sample_persona('usa', {given.people}, seed => 1)")
        populace.parquet("SELECT * FROM people", f"{folder}/people.parquet")
        stratified(populace, "people", f"{folder}/people.parquet")
        ours = populace.statement("SELECT count(*) FROM fidelity(people, 'usa')")
        row(f"fidelity of {given.people:,} people to every figure", ours)
        texts = f"SELECT *, generate_narrative('persona') AS persona FROM sample_persona('usa', {given.searched}, seed => 2)"
        populace.run("sql", f"CREATE TABLE texts AS {texts}")
        populace.parquet("SELECT uuid, age, persona, persona_embedding FROM texts", f"{folder}/texts.parquet")
        search(populace, "texts", f"{folder}/texts.parquet", folder)


main()
