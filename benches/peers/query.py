"""Writing, aggregating and searching people: Populace, and DuckDB on the same rows in Parquet.

    pip install duckdb
    cargo build --release
    python3 benches/peers/query.py [--populace target/release/populace] [--people 1000000] [--searched 100000]

Populace runs as a process of its own: a statement's time is that of a script with eleven of it less that of a script
with one, over ten. DuckDB runs in this process. Medians; both sides use all cores. Both must give the same rows.
"""

import sys
import tempfile

from common import CONDITIONS, Populace, best, machine, near, options, timed

try:
    import duckdb
except ImportError as error:
    sys.exit(f"{error}: this benchmark asks DuckDB too; pip install duckdb")

QUERY = "a retired nurse"
AGGREGATES = {
    "count by state of those over 65": """
        SELECT state, count(*) AS n, avg(age) AS mean FROM {people} WHERE age > 65
        GROUP BY state ORDER BY n DESC, state""",
    "count by occupation and sex in two states": """
        SELECT occupation, sex, count(*) AS n FROM {people} WHERE state IN ('CA', 'TX')
        GROUP BY occupation, sex ORDER BY n DESC, occupation, sex LIMIT 20""",
    "mean household of widows": """
        SELECT avg(household_size) AS mean FROM {people} WHERE marital_status = 'widowed' AND sex = 'Female'""",
    "commonest names, of all first and last names": """
        SELECT first_name, last_name, count(*) AS n FROM {people}
        GROUP BY first_name, last_name ORDER BY n DESC, first_name, last_name LIMIT 20""",
    "older than the mean of their city, by state": """
        SELECT p.state, count(*) AS n FROM {people} AS p
        JOIN (SELECT state, city, avg(age) AS mean FROM {people} GROUP BY state, city) AS c
        ON p.state = c.state AND p.city = c.city WHERE p.age > c.mean GROUP BY p.state ORDER BY n DESC, p.state""",
    "cities of each occupation": """
        SELECT occupation, count(DISTINCT city) AS cities FROM {people}
        GROUP BY occupation ORDER BY cities DESC, occupation""",
}


def row(name, ours, theirs, same):
    print(f"| {name} | {ours * 1e3:.1f} ms | {theirs * 1e3:.1f} ms | {theirs / ours:.2f} × |", flush=True)
    if not same:
        sys.exit(f"{name}: Populace and DuckDB give different rows")


def alike(ours, theirs):
    """Whether rows of texts are those of values, in the same order."""
    def equal(text, value):
        return text == value if isinstance(value, str) else near(float(text), value)

    together = zip(ours, theirs)
    return len(ours) == len(theirs) and all(all(map(equal, a.values(), b)) for a, b in together)


def main():
    given = options()
    print(f"{machine()}, DuckDB {duckdb.__version__}\n")
    with tempfile.TemporaryDirectory() as folder:
        populace = Populace(given.populace, f"{folder}/db")
        print("| work | Populace | DuckDB | ratio |\n|---|---|---|---|")
        start, _ = populace.run("sql", "SELECT 1")
        print(f"| SELECT 1, the whole process | {start * 1e3:.0f} ms | | |")
        parquet = f"{folder}/people.parquet"
        rate = given.people / populace.people(given.people, parquet)
        print(f"| draw {given.people:,} people and write them to Lance | {rate:,.0f} rows/s | | |", flush=True)
        for name, sql in AGGREGATES.items():
            asked, of_file = sql.format(people="people"), sql.format(people=f"'{parquet}'")
            same = alike(populace.rows(asked), duckdb.sql(of_file).fetchall())
            row(name, populace.statement(asked), timed(lambda: duckdb.sql(of_file).fetchall()), same)
        vectors, wanted = f"{folder}/vectors.parquet", populace.vector(QUERY)
        populace.texts(given.searched, "uuid, age, persona_embedding", vectors)
        # In memory on their side, as a warm session has them on ours.
        duckdb.sql(f"CREATE TABLE vectors AS SELECT uuid, age, persona_embedding::FLOAT[384] AS v FROM '{vectors}'")
        for name, condition in CONDITIONS.items():
            asked = f"SELECT uuid, score FROM semantic_search(texts, '{QUERY}', 10, \"where\" => {condition})"
            similar = f"SELECT uuid, array_cosine_similarity(v, $1::FLOAT[384]) AS s FROM vectors WHERE {condition}"
            nearest = f"{similar} ORDER BY s DESC LIMIT 10"
            same = best(populace.scored(asked), dict(duckdb.execute(similar, [wanted]).fetchall()))
            theirs = timed(lambda: duckdb.execute(nearest, [wanted]).fetchall())
            row(f"search {given.searched:,} × 384, exact, {name}", populace.statement(asked), theirs, same)
    print("\nBoth give the same rows.")


if __name__ == "__main__":
    main()
