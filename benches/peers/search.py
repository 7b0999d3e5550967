"""Samples by design and search: Populace, DuckDB (with its extensions for text and vectors), LanceDB and pandas.

    pip install duckdb==1.5.5 duckdb-extensions duckdb-extension-fts duckdb-extension-vss lancedb pandas pyarrow
    cargo build --release
    python3 benches/peers/search.py [--populace target/release/populace] [--people 1000000] [--searched 100000]

Populace runs as a process of its own: a statement's time is that of a script with eleven of it less that of a script
with one, over ten. The others run in this process, on the same people, warm. Medians; all use all cores. Indexes are
each system's own, with its defaults.

The last column says what was found to be the same; the comparison fails if it is not. Rows found are held against the
scores of all rows: by meaning DuckDB's cosines, by words its BM25 with an index made for that, of the words that
Populace sees: stems of English, without those that it leaves out. By their defaults DuckDB and LanceDB leave out other
words and so rank otherwise; how many of their ten are among the ten best is told, and may be any.
"""

import heapq
import re
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from math import log
from pathlib import Path

from common import CONDITIONS, ROOT, TOLERANCE, Populace, best, machine, margin, near, options, timed

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

QUERY = "a retired nurse who keeps bees"
STRATA = "state, sex"
SAMPLED = 10_000
DEPTH = 100  # of each ranking, as Populace fuses them for ten rows
FIGURES = [
    "population_sex_state_2024", "population_age_sex_state_2024", "race_detail_age_sex_state",
    "education_age_sex_state", "nativity_sex_state", "language_age_state", "labour_age_sex_state",
    "college_enrolment_age_sex_state",
]
failures = []


def row(name, ours, same="", **theirs):
    def cell(system):
        return f"{theirs[system] * 1e3:.1f} ms ({theirs[system] / ours:.1f} ×)" if system in theirs else ""

    cells = [name, f"{ours * 1e3:.1f} ms", *map(cell, ["duckdb", "lancedb", "pandas"]), same]
    print(f"| {' | '.join(cells)} |", flush=True)


def same(what, **systems):
    """What the last column says; systems that are not right are noted."""
    wrong = [system for system, right in systems.items() if not right]
    failures.extend(f"{what}: {system}" for system in wrong)
    return f"NOT {', '.join(wrong)}: {what}" if wrong else what


def among_best(found, scores):
    """How many of the rows found are among the ten best by these scores, or score as the tenth."""
    tenth = min(heapq.nlargest(10, scores.values()), default=0)
    return sum(scores.get(uuid, -1) >= tenth - margin(tenth) for uuid, _ in found)


def quotas(counts, size):
    """One row each, and the others by Webster's method, seat by seat: Populace's quotas."""
    taken = {stratum: 1 for stratum in counts.index}
    open_seats = [(-n / 1.5, stratum) for stratum, n in counts.items()]
    heapq.heapify(open_seats)
    for _ in range(size - len(counts)):
        _, stratum = open_seats[0]
        taken[stratum] += 1
        heapq.heapreplace(open_seats, (-counts[stratum] / (taken[stratum] + 0.5), stratum))
    return pandas.Series(taken)


def stratified(populace, file):
    sample = f"stratified_sample(people, {SAMPLED}, strata => ({STRATA}), seed => 7)"
    wide = "min(length(first_name)), min(household_size), min(occupation), min(zipcode)"
    ours = populace.statement(f"SELECT count(*), sum(age) FROM {sample}")
    whole = populace.statement(f"SELECT count(*), {wide} FROM (SELECT * FROM {sample})")
    base = duckdb.connect()
    base.sql(f"CREATE TABLE people AS SELECT * FROM '{file}'")
    drawn = f"""
        WITH counts AS (SELECT {STRATA}, count(*) AS n FROM people GROUP BY ALL),
        shares AS (SELECT *, n * {SAMPLED} // sum(n) OVER ()::BIGINT AS about FROM counts),
        seats AS (SELECT *, unnest(range(2, about + 4)) AS seat FROM shares),
        further AS (SELECT * FROM seats ORDER BY n / (seat - 0.5) DESC LIMIT {SAMPLED} - (SELECT count(*) FROM counts)),
        quotas AS (SELECT {STRATA}, 1 + count(further.seat) AS quota FROM counts LEFT JOIN further USING ({STRATA})
                   GROUP BY ALL),
        ranked AS (SELECT uuid, {STRATA}, row_number() OVER (PARTITION BY {STRATA} ORDER BY hash(uuid, 7)) AS r
                   FROM people),
        taken AS (SELECT uuid FROM ranked JOIN quotas USING ({STRATA}) WHERE r <= quota)
        SELECT {{columns}} FROM people JOIN taken USING (uuid)"""
    theirs = timed(lambda: base.sql(drawn.format(columns="count(*), sum(age)")).fetchall())
    theirs_whole = timed(lambda: base.sql(drawn.format(columns=f"count(*), {wide}")).fetchall())
    frame = pandas.read_parquet(file, columns=["uuid", "age", "state", "sex"])

    def by_pandas():
        groups = frame.groupby(["state", "sex"], observed=True)
        wanted = quotas(groups.size(), SAMPLED)
        return pandas.concat([group.sample(wanted[key], random_state=7) for key, group in groups])

    told = populace.rows(f"""SELECT {STRATA}, count(*) AS n, count(DISTINCT uuid) AS different,
                             sum(sampling_weight) AS people FROM {sample} GROUP BY {STRATA}""")
    counts = frame.groupby(["state", "sex"], observed=True).size().to_dict()

    def right(sizes):
        """Quotas of strata of one size are interchangeable: nothing says which of them gets what is left."""
        wanted = quotas(pandas.Series(counts), SAMPLED)
        return sorted((counts[s], sizes.get(s, 0)) for s in counts) == sorted((counts[s], wanted[s]) for s in counts)

    sizes = {(t["state"], t["sex"]): int(t["n"]) for t in told}
    weighed = all(t["n"] == t["different"] and near(float(t["people"]), counts[t["state"], t["sex"]]) for t in told)
    by_duckdb = base.sql(drawn.format(columns=f"{STRATA}, count(*)") + " GROUP BY ALL").fetchall()
    checked = same(
        f"rows of each of {len(counts)} strata, in all three", populace=right(sizes) and weighed,
        duckdb=right({(state, sex): n for state, sex, n in by_duckdb}),
        pandas=right(by_pandas().groupby(["state", "sex"], observed=True).size().to_dict()),
    )
    name = f"stratified sample of {SAMPLED:,} of {len(frame):,} by {STRATA}: their ages"
    row(name, ours, checked, duckdb=theirs, pandas=timed(by_pandas))
    row("the same, five columns of them", whole, duckdb=theirs_whole)


def fidelity(populace, people, file):
    ours = populace.statement("SELECT count(*) FROM fidelity(people, 'usa')")
    distances = {f["figure"]: f["tvd"] for f in populace.rows("SELECT figure, tvd FROM fidelity(people, 'usa')")}
    columns = ["state", "sex", "age", "race_ethnicity", "education_level", "nativity", "language_at_home"]
    frame = pandas.read_parquet(file, columns=[*columns, "labour_status", "college_enrolment"])
    population = published("population_single_age_sex_state_2024").reset_index()
    population["age"] = population["age"].astype(int)
    off = [abs(float(distances[figure]) - total_variation(frame, population, figure)) for figure in FIGURES]
    checked = same(f"distances to {len(off)} figures, by pandas from their files", populace=max(off) < 1e-9)
    row(f"fidelity of {people:,} people to every figure", ours, checked)


def published(figure):
    """The counts of a figure, by its columns."""
    table = pandas.read_csv(ROOT / f"datasets/usa/figures/{figure}.csv.gz", dtype=str, keep_default_na=False)
    table["count"] = table["count"].astype(float)
    return table.set_index([c for c in table if c != "count"])["count"]


def total_variation(people, population, figure):
    """How far people are from a figure, which says how those of a state, sex and age are shared out."""
    figure = published(figure)
    columns = list(figure.index.names)
    given = [c for c in columns if c in ("state", "sex", "age")]
    if "age" in columns:
        of = {age: band for band in figure.index.unique("age") for age in ages(band)}
        people, population = (f.assign(age=f["age"].map(of)).dropna(subset="age") for f in (people, population))
    if given != columns:
        shares = figure / figure.groupby(level=given).transform("sum")
        shares = shares.mul(population.groupby(given)["count"].sum())
        figure = shares.reorder_levels(columns).fillna(0)
    counted = people.groupby(columns, observed=True).size().reindex(figure.index, fill_value=0)
    return (counted / counted.sum() - figure / figure.sum()).abs().sum() / 2


def ages(band):
    """Of `18-24`, `85+` or `100`."""
    first, last, more = re.fullmatch(r"(\d+)(?:-(\d+))?(\+?)", band).groups()
    return range(int(first), 1 + (100 if more else int(last or first)))


def left_out(populace, texts, folder):
    """The words of the texts that Populace leaves out: it is asked for all of them at once, with a row for each."""
    words = {word for text in texts for word in re.findall(r"[^\W_]+", text.lower())}
    everything = " ".join(sorted(words))
    statement = Path(folder, "words.sql")
    statement.write_text(f"""
        SELECT word FROM text_search((SELECT unnest(string_to_array('{everything}', ' ')) AS word),
                                     '{everything}', {len(words)}, "column" => 'word', language => 'english')""")
    return sorted(words - {found["word"] for found in populace.rows("--file", str(statement))})


def reciprocals(scores):
    """What a ranking by these scores gives its rows in reciprocal rank fusion: the least and the most for each, since
    equal ones come in any order."""
    ordered = sorted(scores.values())

    def of(rank):
        return 1 / (60 + rank) if rank <= DEPTH else 0

    def ranks(score):
        first, last = bisect_left(ordered, score - margin(score)), bisect_right(ordered, score + margin(score))
        return len(ordered) - first, 1 + len(ordered) - last

    return {uuid: tuple(map(of, ranks(score))) for uuid, score in scores.items()}


def fused(found, *rankings):
    """Whether these are the ten best of several rankings fused, with their scores."""
    bounds = [reciprocals(scores) for scores in rankings]
    least, most = ({u: sum(b.get(u, (0, 0))[end] for b in bounds) for u in set().union(*bounds)} for end in (0, 1))
    if len(dict(found)) != 10 or any(uuid not in most for uuid, _ in found):
        return False
    tenth = min(score for _, score in found)
    return all(least[u] - TOLERANCE <= score <= most[u] + TOLERANCE for u, score in found) and all(
        score <= tenth + TOLERANCE for u, score in least.items() if u not in dict(found))


def search(populace, file, folder):
    rows = pyarrow.parquet.read_table(file)
    vector = populace.vector(QUERY)
    width = len(vector)
    base = duckdb.connect()
    for extension in ("fts", "vss"):
        import_extension(extension)
        base.load_extension(extension)
    base.sql(f"CREATE TABLE texts AS SELECT uuid, age, persona, persona_embedding::FLOAT[{width}] AS v FROM rows")
    lance = lancedb.connect(f"{folder}/lancedb").create_table("texts", rows)
    meant = {}

    for name, condition in CONDITIONS.items():
        asked = f"SELECT uuid, score FROM semantic_search(texts, '{QUERY}', 10, \"where\" => {condition})"
        scored = f"SELECT uuid, array_cosine_similarity(v, $1::FLOAT[{width}]) AS s FROM texts WHERE {condition}"
        nearest = f"{scored} ORDER BY s DESC LIMIT 10"

        def exact():
            found = lance.search(vector).distance_type("cosine").limit(10).select(["uuid", "_distance"])
            return (found if condition == "true" else found.where(condition, prefilter=True)).to_list()

        meant[name] = dict(base.execute(scored, [vector]).fetchall())
        checked = same(
            "the ten rows, in all three", populace=best(populace.scored(asked), meant[name]),
            duckdb=best(base.execute(nearest, [vector]).fetchall(), meant[name]),
            lancedb=best([(r["uuid"], 1 - r["_distance"]) for r in exact()], meant[name]),
        )
        theirs = timed(lambda: base.execute(nearest, [vector]).fetchall())
        searched = f"search {len(rows):,} × {width}, exact, {name}"
        row(searched, populace.statement(asked), checked, duckdb=theirs, lancedb=timed(exact))

    base.execute("CREATE TABLE left_out AS SELECT unnest($1) AS word",
                 [left_out(populace, rows["persona"].to_pylist(), folder)])
    base.sql("CREATE TABLE alike AS SELECT uuid, age, persona FROM texts")
    base.sql("""PRAGMA create_fts_index('alike', 'uuid', 'persona', stemmer='english', stopwords='left_out',
                                        ignore='[^a-z0-9]+')""")

    def by_words(table, condition):
        return f"""SELECT uuid, s FROM (SELECT uuid, age, fts_main_{table}.match_bm25(uuid, $1) AS s FROM {table})
                   WHERE s IS NOT NULL AND {condition}"""

    # DuckDB takes logarithms to the base of ten.
    worded = {
        name: {uuid: score * log(10) for uuid, score in base.execute(by_words("alike", condition), [QUERY]).fetchall()}
        for name, condition in CONDITIONS.items()
    }
    base.sql("DROP SCHEMA fts_main_alike CASCADE")
    base.sql("DROP TABLE alike")

    def text_search(k, more=""):
        return f"SELECT uuid, score FROM text_search(texts, '{QUERY}', {k}, \"column\" => 'persona'{more})"

    every = dict(populace.scored(text_search(len(rows))))
    right = every.keys() == worded["all"].keys() and all(near(s, worded["all"][u]) for u, s in every.items())
    checked = same(f"all {len(every):,} rows with any of them, and their scores, as in DuckDB", populace=right)
    row(f"words among {len(rows):,} texts, no index", populace.statement(text_search(10)), checked)
    started = time.perf_counter()
    populace.run("sql", "CREATE INDEX ON texts USING text (persona)")
    made = time.perf_counter() - started
    started = time.perf_counter()
    base.sql("PRAGMA create_fts_index('texts', 'uuid', 'persona')")
    made_theirs = time.perf_counter() - started
    started = time.perf_counter()
    lance.create_index("persona", config=FTS())
    row("an index of the words", made, duckdb=made_theirs, lancedb=time.perf_counter() - started)
    for name, condition in CONDITIONS.items():
        asked = text_search(10, f', "where" => {condition}')
        sql = f"{by_words('texts', condition)} ORDER BY s DESC LIMIT 10"

        def words():
            found = lance.search(QUERY, query_type="fts", fts_columns="persona").limit(10).select(["uuid", "_score"])
            return (found if condition == "true" else found.where(condition, prefilter=True)).to_list()

        checked = same("the ten rows, as in DuckDB", populace=best(populace.scored(asked), worded[name]))
        shared = [among_best(base.execute(sql, [QUERY]).fetchall(), worded[name]),
                  among_best([(r["uuid"], r["_score"]) for r in words()], worded[name])]
        checked += "; by defaults {} of them in DuckDB, {} in LanceDB".format(*shared)
        theirs = timed(lambda: base.execute(sql, [QUERY]).fetchall())
        row(f"words, by the index, {name}", populace.statement(asked), checked, duckdb=theirs, lancedb=timed(words))

    def both():
        found = lance.search(query_type="hybrid", vector_column_name="persona_embedding", fts_columns="persona")
        return found.vector(vector).text(QUERY).distance_type("cosine").rerank(RRFReranker()).limit(10).to_list()

    asked = f"SELECT uuid, score FROM hybrid_search(texts, '{QUERY}', 10, \"column\" => 'persona')"
    found = populace.scored(asked)
    checked = same("the ten rows, of the rankings of DuckDB", populace=fused(found, meant["all"], worded["all"]))
    checked += f"; by defaults {len(dict(found).keys() & {r['uuid'] for r in both()})} of them in LanceDB"
    row("by meaning and words, fused", populace.statement(asked), checked, lancedb=timed(both))


def main():
    given = options()
    versions = f"DuckDB {duckdb.__version__}, LanceDB {lancedb.__version__}, pandas {pandas.__version__}"
    print(f"{machine()}, {versions}\n")
    with tempfile.TemporaryDirectory() as folder:
        populace = Populace(given.populace, f"{folder}/db")
        print("| work | Populace | DuckDB | LanceDB | pandas | the same |\n|---|---|---|---|---|---|")
        people, texts = f"{folder}/people.parquet", f"{folder}/texts.parquet"
        populace.people(given.people, people)
        stratified(populace, people)
        fidelity(populace, given.people, people)
        populace.texts(given.searched, "uuid, age, persona, persona_embedding", texts)
        search(populace, texts, folder)
    if failures:
        sys.exit(f"not the same: {'; '.join(failures)}")


if __name__ == "__main__":
    main()
