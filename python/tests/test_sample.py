"""People without a database."""

import pickle

import pytest

import populace


def test_the_same_seed_draws_the_same_people():
    one, other = (populace.sample("usa", 20, seed=7, given="age >= 65") for _ in range(2))
    assert one.to_dicts() == other.to_dicts() == list(one)
    assert len(one) == 20 and all(person["age"] >= 65 for person in one)
    assert populace.sample("usa", 5, seed=7, given="age >= 65").to_dicts() == one.head(5)
    assert len({populace.sample("usa", 5).seed for _ in range(5)}) == 5
    assert populace.sample("usa", 3, seed=2**64 - 1).column("seed") == [2**64 - 1] * 3


def test_frames_have_the_same_rows():
    import duckdb
    import pandas
    import polars
    import pyarrow

    people = populace.sample("usa", 3000, seed=1)
    rows = people.to_dicts()
    table = pyarrow.table(people)
    assert table.to_pylist() == rows and table.schema.equals(pyarrow.schema(people))
    assert people.to_arrow().equals(table)
    assert people.to_polars().to_dicts() == polars.DataFrame(people).to_dicts() == rows
    frame = people.to_pandas()
    assert frame["uuid"].tolist() == [row["uuid"] for row in rows] and len(frame) == 3000
    assert str(frame["sex"].dtype) == "category" and frame["age"].tolist() == people.column("age")
    assert pandas.DataFrame.from_arrow(people)["age"].tolist() == people.column("age")
    assert duckdb.sql("SELECT count(*), sum(age) FROM people").fetchall() == [(3000, sum(people.column("age")))]
    # The same view is read twice.
    assert duckdb.sql("SELECT count(*) FROM people a JOIN people b USING (uuid)").fetchall() == [(3000,)]


def test_no_copy_is_made_of_what_is_handed_over():
    import pyarrow

    batches = populace.sample("usa", 100, seed=1)._collect()
    one, other = pyarrow.table(batches), pyarrow.table(batches)
    address = [table["age"].chunk(0).buffers()[1].address for table in (one, other)]
    assert address[0] == address[1]


def test_a_consumer_may_ask_for_other_types():
    import pyarrow

    people = populace.sample("usa", 10, seed=1)
    wanted = [
        f.with_type(pyarrow.string()) if pyarrow.types.is_dictionary(f.type) else f for f in pyarrow.schema(people)
    ]
    schema = pyarrow.schema(wanted)
    reader = pyarrow.RecordBatchReader.from_stream(people, schema=schema)
    assert reader.schema.field("sex").type == pyarrow.string()
    assert reader.read_all().column("sex").to_pylist() == people.column("sex")


def test_probability():
    assert populace.probability("usa", "sex = 'Male'") + populace.probability("usa", "sex = 'Female'") == pytest.approx(
        1
    )
    assert 0 < populace.probability("usa", "state = 'WY' AND age > 95") < 1e-5


def test_countries():
    countries = {country.name: country for country in populace.countries()}
    assert {"usa", "brazil", "india", "japan", "singapore"} <= set(countries)
    assert countries["usa"].population > 2e8 and countries["usa"].language.startswith("en")


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: populace.sample("usaa", 5), populace.Error, "did you mean `usa`"),
        (lambda: populace.sample("usa", 5, given="state = 'Nevada'"), populace.Error, "unknown level of `state`"),
        (
            lambda: populace.sample("usa", 5, given="age < 20; DROP TABLE usa"),
            populace.UsageError,
            "no condition in SQL",
        ),
        (lambda: populace.sample("usa", 5, given="age < 20 AND age > 30"), populace.Error, "nobody"),
        (lambda: populace.sample("usa", -1), populace.UsageError, "n: from 0"),
        (lambda: populace.sample("usa", 5, seed=-1), populace.UsageError, "seed: from 0"),
        (lambda: populace.sample("usa", 2.5), TypeError, "a whole number, not float"),
        (lambda: populace.sample("usa", True), TypeError, "a whole number, not bool"),
        (lambda: populace.sample("usa", "5"), TypeError, "a whole number, not str"),
        (lambda: populace.sample("usa", 5, given=7), TypeError, "given: a text, not int"),
        (lambda: populace.sample(7, 5), TypeError, "int"),
        (lambda: populace.probability("usa", ""), populace.UsageError, "a condition is wanted"),
        (lambda: populace.sample("usa", 5, seed=1).column("agee"), populace.NotFoundError, "no column `agee`"),
        (lambda: populace.sample("./nowhere.pack", 5), populace.Error, "nowhere"),
    ],
)
def test_slips_are_told(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_notebooks_show_cards():
    shown = populace.sample("usa", 1000, seed=1, given="age >= 65")._repr_html_()
    assert "1,000 people of usa, seed 1, given age &gt;= 65" in shown and shown.count("<strong>") == 6
    assert "People: 'usa', 3, seed=1" in repr(populace.sample("usa", 3, seed=1))


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(populace.UsageError("odd", "mend it", (1, 2))))
    assert (str(error), error.kind) == ("odd at line 1, column 2; mend it", "usage")
