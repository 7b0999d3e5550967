#!/usr/bin/env python3
"""Whether other programs read what Populace writes: pylance the tables themselves; DuckDB, Polars, pandas, `datasets`
and PyArrow the exports.

    python3 scripts/readers.py PATH_OF_POPULACE

The packages, pinned here, live in populace/readers in the user's cache; they are installed once. A small table of people
with awkward texts is made with the binary, exported in every format, and read by every package that knows the format;
counts and values must be those that the binary itself prints.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import environment

PACKAGES = [
    "pylance==14.0.2",
    "duckdb==2.0.0",
    "polars==2.1.0",
    "pandas==3.1.1",
    "datasets==5.2.0",
]


def say(text):
    print(f"readers: {text}", flush=True)


PEOPLE = 300
AWKWARD = [
    "UPDATE usa SET persona = E'She said \"bees\", it''s\\n所有, ; \\t| \\\\ 🐝' WHERE row_index = 0",
    "UPDATE usa SET persona = NULL, hobbies_and_interests_list = NULL WHERE row_index = 1",
    "UPDATE usa SET hobbies_and_interests_list = make_array('a, b', 'c\"d', E'e\\nf') WHERE row_index = 2",
    "UPDATE usa SET skills_and_expertise_list = arrow_cast(make_array(), 'List(Utf8)') WHERE row_index = 3",
]
COLUMNS = ["uuid", "first_name", "age", "seed", "persona", "hobbies_and_interests_list", "skills_and_expertise_list"]


class Reader:
    """Compares what a package reads with what the binary printed."""

    def __init__(self, expected):
        self.expected = expected
        self.checks = 0

    def check(self, what, rows, lists=True):
        rows = sorted(rows, key=lambda row: row["uuid"])
        assert len(rows) == len(self.expected), f"{what}: {len(rows)} rows, not {len(self.expected)}"
        for row, expected in zip(rows, self.expected):
            for name in COLUMNS:
                found = plain(row[name])
                if not lists and name.endswith("_list") and found is not None:
                    found = json.loads(found)
                assert found == expected[name], f"{what}: {row['uuid']}: {name} is {found!r}, not {expected[name]!r}"
        self.checks += 1
        say(f"{what}: {len(rows)} rows, the same values")


def plain(value):
    """A value of any package as Python has it."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def read(populace, folder):
    import datasets
    import duckdb
    import lance
    import pandas
    import polars
    import pyarrow.parquet

    def run(*arguments):
        command = [populace, "--db", str(folder / "db"), "--embedder", "hash", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"readers: {' '.join(command)}:\n{done.stderr}")
        return done.stdout

    run("generate", "usa", "--count", str(PEOPLE), "--seed", str(2**64 - 1))
    run("sql", "; ".join(AWKWARD))
    printed = run("sql", "--format", "json", f"SELECT {', '.join(COLUMNS)} FROM usa ORDER BY uuid")
    expected = [{name: row.get(name) for name in COLUMNS} for row in json.loads(printed)]
    assert len(expected) == PEOPLE and any("🐝" in (row["persona"] or "") for row in expected)
    reader = Reader(expected)
    for kind in ("datasets", "parquet", "csv", "jsonl", "chat"):
        run("export", "usa", "--to", str(folder / kind), "--format", kind, "--rows-per-file", "120")
    run("export", "usa", "--to", str(folder / "vectors.parquet"), "--format", "parquet", "--vectors")
    parquet = [str(path) for path in sorted((folder / "parquet").glob("*.parquet"))]
    csvs = [str(path) for path in sorted((folder / "csv").glob("*.csv"))]
    jsonl = [str(path) for path in sorted((folder / "jsonl").glob("*.jsonl"))]
    assert len(parquet) == len(csvs) == len(jsonl) == 3

    (place,) = (folder / "db" / "tables").glob("*.lance")
    table = lance.dataset(str(place))
    reader.check("pylance, the table", table.to_table(columns=COLUMNS).to_pylist())
    row = table.to_table(columns=["persona_embedding"], filter="row_index = 0").to_pylist()[0]
    assert len(row["persona_embedding"]) > 0 and len(table.versions()) == table.version
    reader.check("PyArrow, Parquet", [r for path in parquet for r in pyarrow.parquet.read_table(path).to_pylist()])
    vectors = pyarrow.parquet.read_table(folder / "vectors.parquet", columns=["persona", "persona_embedding"])
    for row in vectors.to_pylist():
        assert (row["persona"] is None) == (row["persona_embedding"] is None)

    def duck(sql):
        relation = duckdb.sql(sql)
        return [dict(zip(relation.columns, row)) for row in relation.fetchall()]

    named = ", ".join(COLUMNS)
    reader.check("DuckDB, Parquet", duck(f"SELECT {named} FROM read_parquet({parquet})"))
    reader.check("DuckDB, CSV", duck(f"SELECT {named} FROM read_csv({csvs})"), lists=False)
    reader.check("DuckDB, JSON", duck(f"SELECT {named} FROM read_json({jsonl})"))
    reader.check("Polars, Parquet", polars.read_parquet(parquet).select(COLUMNS).to_dicts())
    reader.check("Polars, CSV", polars.read_csv(csvs, infer_schema_length=None).select(COLUMNS).to_dicts(), lists=False)
    reader.check("Polars, JSON", polars.concat([polars.read_ndjson(p, infer_schema_length=None).select(COLUMNS) for p in jsonl]).to_dicts())

    def panda(frames):
        return pandas.concat(frames)[COLUMNS].astype(object).to_dict("records")

    reader.check("pandas, Parquet", panda([pandas.read_parquet(p) for p in parquet]))
    codes = {"zipcode": str, "seed": "uint64"}
    reader.check("pandas, CSV", panda([pandas.read_csv(p, dtype=codes) for p in csvs]), lists=False)
    reader.check("pandas, JSON", panda([pandas.read_json(p, lines=True, dtype={"seed": "uint64"}) for p in jsonl]))
    for path in csvs:
        with open(path, newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) <= 120

    datasets.disable_progress_bars()
    folder_cache = str(folder / "cache")
    people = datasets.load_dataset(str(folder / "datasets"), split="train", cache_dir=folder_cache)
    reader.check("datasets, the folder", people.select_columns(COLUMNS).to_list())
    assert people.info.features["hobbies_and_interests_list"] is not None
    chats = datasets.load_dataset("json", data_files=str(folder / "chat" / "*.jsonl"), split="train", cache_dir=folder_cache)
    chats = {row["uuid"]: row["messages"] for row in chats}
    assert len(chats) == PEOPLE
    for row in expected:
        [message] = chats[row["uuid"]]
        assert message["role"] == "system" and row["first_name"] in message["content"], message
        assert (row["persona"] or "") in message["content"], message
    say("datasets, conversations: one a person, with the persona in it")

    # And back: what pandas writes is imported, whole numbers with gaps and lists among it.
    frame = pandas.read_parquet(parquet[0])
    frame["age"] = frame["age"].astype(float)
    frame.loc[0, "age"] = None
    frame["hobbies_and_interests_list"] = frame["hobbies_and_interests_list"].map(lambda v: None if v is None else str(list(v)))
    frame.to_parquet(folder / "back.parquet")
    run("import", str(folder / "back.parquet"), "--into", "back", "--no-embeddings")
    same = "SELECT count(*) FROM back JOIN usa USING (uuid) WHERE {}"
    lists = run("sql", "--format", "csv", same.format(
        "back.hobbies_and_interests_list IS NOT DISTINCT FROM usa.hobbies_and_interests_list"))
    ages = run("sql", "--format", "csv", same.format("back.age = usa.age"))
    assert (lists.split()[-1], ages.split()[-1]) == ("120", "119"), (lists, ages)
    say("pandas, and back: lists written as text, ages with a gap")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit(__doc__)
    python = environment("readers", PACKAGES)
    if Path(sys.executable).resolve() != python.resolve() or sys.prefix == sys.base_prefix:
        os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1")
        os.execv(python, [str(python), os.path.abspath(__file__), os.path.abspath(sys.argv[1])])
    with tempfile.TemporaryDirectory() as temporary:
        read(sys.argv[1], Path(temporary))
    say("all read")
