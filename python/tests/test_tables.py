"""Tables, people, searches and runs."""

import pytest

import populace


def test_tables(people_db):
    [summary] = people_db.tables()
    assert (summary.name, summary.rows, summary.country) == ("usa", 40, "usa") and summary.bytes > 0
    usa = people_db["usa"]
    assert len(usa) == 40 and "persona" in usa.columns and usa.schema["age"].startswith("Int")
    old = usa.select("uuid", "age", where="age > 60 -- years", order_by="age DESC", limit=3)
    assert old.columns == ["uuid", "age"] and all(row["age"] > 60 for row in old)
    import polars
    import pyarrow

    assert pyarrow.table(usa).num_rows == polars.DataFrame(usa).height == 40
    sample = usa.sample(10, strata=["sex"], seed=7)
    assert len(sample) == 10 and "sampling_weight" in sample.columns
    assert "40 rows" in usa._repr_html_()
    with pytest.raises(populace.NotFoundError, match="there are: usa"):
        people_db["usaa"]
    with pytest.raises(populace.UsageError, match="no condition in SQL"):
        usa.select(where="true) OR (true")


def test_a_person(people_db):
    usa = people_db["usa"]
    uuid = usa.select("uuid", where="sex = 'Female' AND occupation IS NOT NULL", limit=1).scalar()
    person = usa[uuid]
    assert (
        person.uuid == uuid
        and person["sex"] == "Female"
        and dict(person)["uuid"] == uuid
        and len(person) == len(usa.columns)
    )
    assert person.prompt().startswith(f"You are {person['first_name']}") and person["persona"] in person.prompt()
    assert person.prompt("Be {{ first_name }}.") == f"Be {person['first_name']}."
    twin = person.twin(sex="Male")
    assert twin["sex"] == "Male" and twin["twin_of"] == uuid and twin["age"] == person["age"]
    kept = person.twin(sex="Male", keep=["occupation", "first_name"])
    assert kept["occupation"] == person["occupation"] and kept["first_name"] == person["first_name"]
    similar = person.similar(3)
    assert len(similar) == 3 and uuid not in similar.column("uuid")
    assert len(person.similar(2, where="age > 30")) == 2
    assert person.name in person._repr_html_() and person.name in repr(person)
    with pytest.raises(populace.NotFoundError, match="nobody in usa"):
        usa["nobody"]
    with pytest.raises(populace.Error, match="sex"):
        person.twin(sex="Neither")
    with pytest.raises(populace.UsageError, match="what is otherwise"):
        person.twin()
    with pytest.raises(populace.Error, match="did you mean `age`"):
        person.prompt("{{ agee }}")
    with pytest.raises(TypeError):
        person.similar(3, wher="age > 3")


def test_searches(people_db):
    found = people_db.search("retired nurse who gardens", table="usa", where="age > 30", k=4)
    assert len(found) == 4 and found.column("score") == sorted(found.column("score"), reverse=True)
    assert people_db["usa"].search("bees", k=2, by="words").columns == found.columns[:-1]
    import pyarrow

    assert pyarrow.table(found).num_rows == 4
    with pytest.raises(populace.UsageError, match="by: facts"):
        people_db.search("nurse", by="luck")
    with pytest.raises(populace.Error):
        people_db.search("nurse", table="usaa")
    with pytest.raises(populace.UsageError, match="k: from 1"):
        people_db.search("nurse", k=0)


def test_a_run(db, capfd):
    run = db.generate("usa", 6, seed=1, narrator="none", embeddings=False)
    assert (run.status, run.done, run.count, run.written) == ("done", 6, 6, 6) and run.error is None
    assert [known.id for known in db.runs()] == [run.id] and run.table.name == "usa"
    # The first of them are there: three more are drawn.
    assert db.generate("usa", 9, seed=1, narrator="none", embeddings=False).written == 3
    assert len(db["usa"]) == 9
    assert "9 of 9" in repr(db.runs()[0]) and "done" in db.runs()[0]._repr_html_()
    given = db.generate("usa", 3, given="age > 90", into="old", narrator="none", embeddings=False)
    assert all(age > 90 for age in given.table.select("age").column("age"))
    # Nothing is drawn on what is no terminal.
    assert capfd.readouterr().err == ""
    with pytest.raises(populace.NotFoundError):
        db.resume("nobody")
    with pytest.raises(populace.Error, match="narrator"):
        db.generate("usa", 3, narrator="nobody", into="other")
    with pytest.raises(populace.Error, match="keeps nothing"):
        populace.connect().generate("usa", 3)
    with pytest.raises(populace.UsageError, match="n: from 1"):
        db.generate("usa", 0)


def test_progress_is_shown(db, monkeypatch):
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    db.generate("usa", 20, seed=1, narrator="none", embeddings=False)
    assert "20/20 people" in terminal.getvalue()
    from populace._progress import Progress

    bar = Progress(10, show=False)
    bar(5)
    assert 'value="5" max="10"' in bar._repr_html_()


def test_names_are_in_the_order_of_the_country():
    for country, given in [("japan", None), ("singapore", "name_order = 'Family Name First'")]:
        person = populace.sample(country, 1, seed=1, given=given).to_dicts()[0]
        shown = populace.sample(country, 1, seed=1, given=given)._repr_html_()
        assert f"<strong>{person['last_name']} {person['first_name']}</strong>" in shown
    given = "name_order = 'Western Name First'"
    person = populace.sample("singapore", 1, seed=1, given=given).to_dicts()[0]
    names = [person["first_name"], person["last_name"], person["middle_name"]]
    assert f"<strong>{' '.join(names)}</strong>" in populace.sample("singapore", 1, seed=1, given=given)._repr_html_()
