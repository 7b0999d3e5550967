"""Statements: parameters, values, errors, what is kept."""

import datetime
import decimal
import logging
import uuid

import pytest

import populace


@pytest.fixture(scope="module")
def draws():
    with populace.connect() as db:
        yield db


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -7,
        2**62,
        1.5,
        -2.5e-7,
        1e16,
        "it's; DROP TABLE usa --",
        "所有 🐝",
        "",
        datetime.date(1969, 2, 3),
        datetime.datetime(2026, 1, 2, 3, 4, 5, 678901),
        datetime.datetime(1950, 1, 2),
        [1, 2],
        ["a", "b'c"],
    ],
)
def test_values_come_back(draws, value):
    assert draws.sql("SELECT $1 AS a", [value]).scalar() == value
    assert draws.sql("SELECT $it AS a", it=value).scalar() == value


def test_values_of_other_types(draws):
    numpy = pytest.importorskip("numpy")
    assert draws.sql("SELECT $1 + 1", [numpy.int32(7)]).scalar() == 8
    assert float(draws.sql("SELECT $1", [decimal.Decimal("1.25")]).scalar()) == 1.25
    known = uuid.uuid4()
    assert draws.sql("SELECT $1", [known]).scalar() == str(known)
    for odd in (object(), {1}, b"bytes", 1j, [object()]):
        with pytest.raises(TypeError, match="takes no value of the type"):
            draws.sql("SELECT $1", [odd])
    for odd in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no number"):
            draws.sql("SELECT $1", [odd])


def test_parameters_are_arguments_too(draws):
    sql = "SELECT count(*) FROM sample_persona('usa', $n, seed => $seed, given => age >= $age)"
    assert draws.sql(sql, n=30, seed=1, age=90).scalar() == 30


def test_values_of_columns(draws):
    row = draws.sql(
        "SELECT arrow_cast('x', 'Dictionary(Int32, Utf8)') AS coded, arrow_cast(1, 'UInt8') AS small, "
        "1.5::DECIMAL(5, 2) AS d, "
        "DATE '2026-01-02' AS day, TIMESTAMP '2026-01-02 03:04:05.006007' AS at, [1, NULL] AS list, "
        "named_struct('a', 1, 'b', NULL) AS structure, arrow_cast('x', 'LargeUtf8') AS large, "
        "arrow_cast('x', 'Utf8View') AS view, "
        "arrow_cast('x', 'Binary') AS bytes, NULL AS nothing, INTERVAL '1 day' AS span"
    ).fetchone()
    assert row.pop("span")
    assert row == {
        "coded": "x",
        "small": 1,
        "d": decimal.Decimal("1.50"),
        "day": datetime.date(2026, 1, 2),
        "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 6007),
        "list": [1, None],
        "structure": {"a": 1, "b": None},
        "large": "x",
        "view": "x",
        "bytes": b"x",
        "nothing": None,
    }


def test_rows_are_kept_once_they_came(draws):
    # Without a seed: were it run again, it would draw others.
    result = draws.sql("SELECT uuid FROM sample_persona('usa', 20)")
    first = result.head(3)
    rows = result.to_dicts()
    assert rows[:3] == first and list(result) == rows and len(result) == 20
    import pyarrow

    assert pyarrow.table(result).to_pylist() == rows
    assert result.stream().to_dicts() != rows


def test_nothing_runs_before_it_is_read(draws):
    # One that would take days.
    result = draws.sql("SELECT * FROM sample_persona('usa', 100000000000, seed => 1)")
    assert "uuid" in result.columns and result.schema["age"].startswith("Int")
    assert [row["row_index"] for row in result.head(3)] == [0, 1, 2]
    assert next(iter(result.stream()))["row_index"] == 0


@pytest.mark.parametrize(
    "statement, parameters, error, kind, says",
    [
        ("SELECT 1 +", None, populace.SqlSyntaxError, "syntax", "."),
        ("SELECT 1; SELECT 2", None, populace.UsageError, "usage", "one statement at a time"),
        ("", None, populace.UsageError, "usage", "there is no statement"),
        ("SELECT * FROM usaa", None, populace.NotFoundError, "not-found", "usaa"),
        ("SELECT $1, $2", [1], populace.UsageError, "usage", "takes 2 values, and 1"),
        ("SELECT $1", {"a": 1}, populace.UsageError, "usage", r"\$1 has no value"),
        ("SELECT $a", {"a": 1, "b": 2}, populace.UsageError, "usage", r"no parameter \$b"),
        ("CREATE TABLE t AS SELECT 1 AS a", None, populace.NotPermittedError, "permission", "populace.connect"),
        ("SELECT * FROM 'x.csv'", None, populace.Error, None, "allow-files"),
    ],
)
def test_errors_have_kinds(draws, statement, parameters, error, kind, says):
    with pytest.raises(error, match=says) as raised:
        if isinstance(parameters, dict):
            draws.sql(statement, **parameters)
        else:
            draws.sql(statement, parameters)
    assert isinstance(raised.value, populace.Error) and (kind is None or raised.value.kind == kind)


def test_errors_have_places(draws):
    with pytest.raises(populace.SqlSyntaxError) as raised:
        draws.sql("SELECT 1,\n  )")
    assert raised.value.position and raised.value.position[0] == 2
    with pytest.raises(populace.Error):
        # One of its rows.
        draws.sql("SELECT arrow_cast('x' || row_index, 'Int32') FROM sample_persona('usa', 5)").to_dicts()
    with pytest.raises(TypeError):
        draws.sql(7)
    with pytest.raises(populace.UsageError, match="not both"):
        draws.sql("SELECT $1", [1], a=1)


def test_tables_are_shown(draws):
    shown = draws.sql("SELECT '<b>' AS \"<i>\", NULL AS nothing")._repr_html_()
    assert "&lt;b&gt;" in shown and "&lt;i&gt;" in shown and "NULL" in shown and "<b>" not in shown
    assert "Result of" in repr(draws.sql("SELECT 1 AS a"))


def test_a_statement_that_writes_runs_at_once(db):
    made = db.sql("CREATE TABLE t AS SELECT uuid, age FROM sample_persona('usa', 10, seed => 1)")
    assert made.run_id is None or isinstance(made.run_id, str)
    assert "t" in db and db.tables()[0].rows == 10 and len(db["t"]) == 10
    again = db.sql("INSERT INTO t BY NAME SELECT uuid, age FROM sample_persona('usa', $n, seed => 1)", n=12)
    assert any("already" in notice for notice in again.notices), again.notices
    assert len(db["t"]) == 12
    # Read again, it does not write again.
    assert again.to_dicts() == list(again) and len(db["t"]) == 12


def test_what_it_does_goes_to_logging(db, caplog):
    def run(count):
        caplog.clear()
        db.generate("usa", count, seed=1, narrator="none", embeddings=False)
        return caplog.text

    with caplog.at_level(logging.INFO, logger="populace"):
        said = run(3)
    assert "run began" in said and "people=3" in said
    assert all(record.name.startswith("populace.") and record.levelno >= logging.INFO for record in caplog.records)
    with caplog.at_level(logging.ERROR, logger="populace"):
        assert run(5) == ""
