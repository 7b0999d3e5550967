"""Tables in a session of the package `datafusion`."""

import datafusion
import pytest

import populace


@pytest.fixture
def context(people_db):
    context = datafusion.SessionContext()
    with people_db.table("usa") as usa:
        context.register_table("people", usa)
    return context


def rows(context, sql):
    return [row for batch in context.sql(sql).collect() for row in batch.to_pylist()]


def test_a_table_is_asked_there(people_db, context):
    people = people_db.sql("SELECT uuid, age, state, sex FROM usa ORDER BY uuid").to_dicts()
    assert rows(context, "SELECT uuid, age, state, sex FROM people ORDER BY uuid") == people
    assert rows(context, "SELECT count(*) AS n FROM people") == [{"n": 40}]
    old = [person["uuid"] for person in people if person["age"] > 60 or person["sex"] == "Male"]
    assert [row["uuid"] for row in rows(context, "SELECT uuid FROM people p WHERE p.age > 60 OR sex = 'Male' ORDER BY 1")] == old
    some = rows(context, "SELECT state FROM people WHERE upper(sex) = 'MALE' AND state IN ('CA', 'TX', 'FL', 'NY') LIMIT 2")
    assert len(some) <= 2 and all(row["state"] in ("CA", "TX", "FL", "NY") for row in some)
    joined = "SELECT count(*) AS n FROM people a JOIN people b ON a.uuid = b.uuid"
    assert rows(context, joined) == [{"n": 40}]
    assert len(rows(context, "SELECT * FROM people LIMIT 3")) == 3


def test_conditions_and_limits_are_answered_by_the_database(context):
    [plan] = [row["plan"] for row in rows(context, "EXPLAIN SELECT age FROM people WHERE age > 60 LIMIT 2") if row["plan_type"] == "physical_plan"]
    assert "FilterExec" not in plan


def test_newest_version(db):
    db.sql("CREATE TABLE few AS SELECT * FROM sample_persona('usa', 3, seed => 1)")
    context = datafusion.SessionContext()
    context.register_table("few", db["few"])
    db.sql("INSERT INTO few BY NAME SELECT * FROM sample_persona('usa', 4, seed => 2)")
    assert rows(context, "SELECT count(*) AS n FROM few") == [{"n": 7}]
    db.sql("DROP TABLE few")
    with pytest.raises(Exception, match="few"):
        rows(context, "SELECT age FROM few")
    db.close()
    with pytest.raises(Exception, match="closed"):
        rows(context, "SELECT age FROM few")


def test_another_version_is_refused(people_db, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda _: "55.0.0")
    with pytest.raises(populace.UsageError, match="tables are for datafusion 54"):
        datafusion.SessionContext().register_table("people", people_db["usa"])
