"""Panels, their answers, and rows of others."""

import random

import pytest

import populace

# So many are drawn for a panel to be taken from: fewer than usual, as the build that is tested is a slow one.
PEOPLE = 5000


def scores_of(panel, arms=("a", "b"), gain=0.5):
    chance = random.Random(1)
    return [
        {"uuid": person["uuid"], "model": arm, "score": person["age"] / 10 + gain * at + chance.gauss(0, 0.3)}
        for person in panel
        for at, arm in enumerate(arms)
    ]


def test_a_panel_of_a_country(db, tmp_path):
    design = dict(n=60, strata=["sex", "age_band(age, 40, 65)"], seed=7, population=PEOPLE)
    panel = db.panel(**design)
    assert len(panel) == 60 and sum(panel.column("sampling_weight")) == pytest.approx(PEOPLE)
    strata = panel.strata().to_dicts()
    assert len(strata) == 6 and sum(row["n"] for row in strata) == 60
    assert sum(row["stratum_size"] for row in strata) == PEOPLE
    # Strata of several batches are put together, and pandas reads no category twice.
    assert list(panel.strata().to_pandas()["n"]) == [row["n"] for row in strata]
    prompts = panel.render()
    assert len(prompts) == 60 and prompts[0].startswith(f"You are {panel.column('first_name')[0]}")
    ages = [f"Be {age}." for age in panel.column("age")]
    assert panel.render("Be {{ age }}.") == ages
    # The same people anywhere, by the design alone; and from the file.
    again = populace.connect().panel(**design)
    assert again.column("uuid") == panel.column("uuid")
    panel.save(tmp_path / "panel.parquet")
    shared = populace.connect().open_panel(tmp_path / "panel.parquet")
    assert shared.to_dicts() == panel.to_dicts() and shared.design == panel.design
    assert shared.draw_again().column("uuid") == panel.column("uuid")
    assert shared.design["pack"].startswith("usa") and "60 people of usa" in repr(shared)
    assert "60 people of usa" in shared._repr_html_()
    shared.design["seed"] = 8
    with pytest.raises(populace.ConflictError, match="other people are drawn"):
        shared.draw_again()


@pytest.fixture
def own_db(people_db):
    """The database of forty people, left as it was found."""
    yield people_db
    if "adults" in people_db:
        people_db.sql("DROP TABLE adults")


def test_a_panel_of_a_table_under_a_name(own_db):
    people_db = own_db
    panel = people_db.panel(10, "sex", table="usa", given="age >= 18", seed=3, name="adults", min_per_stratum=2)
    assert panel.name == "adults" and len(people_db["adults"]) == 10
    assert not any(name.endswith("_embedding") for name in panel.columns) and panel.column("persona")[0]
    kept = people_db.open_panel("adults")
    assert sorted(kept.column("uuid")) == sorted(panel.column("uuid")) and kept.design == panel.design
    assert kept.draw_again().design["table"] == "usa"
    with pytest.raises(populace.Error, match="adults exists already"):
        people_db.panel(10, "sex", table="usa", seed=3, name="adults")
    with pytest.raises(populace.UsageError, match="usa is a table, and no panel"):
        people_db.open_panel("usa")
    with pytest.raises(populace.NotFoundError, match="there are: adults"):
        people_db.open_panel("adult")


def test_answers(db):
    panel = db.panel(40, ["sex"], seed=7, min_per_stratum=2, population=PEOPLE)
    answers = panel.join(scores_of(panel))
    assert len(answers) == 80 and {"score", "model", "occupation"} <= set(answers.columns)
    [mean] = answers.estimate("score").to_dicts()
    assert mean["n"] == 40 and mean["design"] == "stratified" and mean["lower"] < mean["mean"] < mean["upper"]
    by = answers.estimate("score > 5", by=["sex", "model"]).to_dicts()
    assert [(row["sex"], row["model"]) for row in by] == [(s, m) for s in ("Female", "Male") for m in ("a", "b")]
    [apart] = answers.differences("score", arm="model").to_dicts()
    assert (apart["arm_a"], apart["arm_b"], apart["n"]) == ("a", "b", 40)
    assert apart["lower"] < 0.5 < apart["upper"] and apart["p_value"] == apart["adjusted_p_value"] < 1e-3
    adjusted = panel.join(scores_of(panel, "abc")).differences("score", arm="model", by="sex", adjust="fdr")
    assert len(adjusted) == 6 and all(r["adjusted_p_value"] >= r["p_value"] for r in adjusted)
    # Whoever did not answer is left out; a dictionary by uuid is one score each.
    some = {uuid: 1.0 for uuid in panel.column("uuid")[:25]}
    assert panel.join(some).estimate("score").scalar() == 1.0
    assert panel.join({"uuid": list(some), "grade": [True] * 25}).estimate("grade", by="sex").column("n")
    assert [table.name for table in db.tables()] == []
    assert "rows" in answers._repr_html_()


def test_answers_that_are_none(db):
    panel = db.panel(10, "sex", seed=7, population=PEOPLE)
    with pytest.raises(populace.UsageError, match="rows of nobody in the panel: uuid stranger"):
        panel.join([{"uuid": "stranger", "score": 1}])
    with pytest.raises(populace.UsageError, match="the panel has age already"):
        panel.join([{"uuid": panel.column("uuid")[0], "age": 1}])
    with pytest.raises(populace.UsageError, match="no column `uuid`"):
        panel.join([{"score": 1}])
    with pytest.raises(populace.UsageError, match="there are no rows"):
        panel.join([])
    with pytest.raises(TypeError):
        panel.join(7)
    answers = panel.join([{"uuid": panel.column("uuid")[0], "score": 1}])
    with pytest.raises(populace.Error, match="did you mean `score`"):
        answers.estimate("scor")
    with pytest.raises(populace.UsageError, match="no condition in SQL|no expression"):
        answers.estimate("score) FROM x --")
    with pytest.raises(populace.Error, match="unknown `adjust`"):
        answers.differences("score", arm="sex", adjust="bonferroni")


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(strata=[]), "what the panel is to be in proportion by"),
        (dict(strata="sex", by="neymann"), "proportional, equal, neyman"),
        (dict(strata="sex", country="usa", table="usa"), "not of both"),
        (dict(strata="sexx"), "did you mean `sex`"),
        (dict(strata="sex", given="age > 300"), "nobody"),
    ],
)
def test_panels_that_cannot_be(db, options, says):
    with pytest.raises(populace.Error, match=says):
        db.panel(10, **{"population": PEOPLE, **options})


def test_rows_of_others(db):
    import pandas
    import polars
    import pyarrow

    columns = {"model": ["a", "b", "a"], "score": [1.5, 2.0, None]}
    for rows in (
        pandas.DataFrame(columns),
        polars.DataFrame(columns),
        pyarrow.table(columns),
        columns,
        [{"model": m, "score": s} for m, s in zip(*columns.values())],
        db.sql("SELECT * FROM (VALUES ('a', 1.5), ('b', 2.0), ('a', NULL)) AS t (model, score)"),
    ):
        db.register("scores", rows)
        found = db.sql("SELECT model, count(*) AS n, avg(score) AS mean FROM scores GROUP BY 1 ORDER BY 1").to_dicts()
        assert found == [{"model": "a", "n": 2, "mean": 1.5}, {"model": "b", "n": 1, "mean": 2.0}]
    db.sql("CREATE TABLE kept AS SELECT * FROM scores")
    db.unregister("scores")
    assert len(db["kept"]) == 3
    with pytest.raises(populace.NotFoundError):
        db.unregister("scores")
    with pytest.raises(populace.Error, match="kept is a table of the database"):
        db.register("kept", columns)
    with pytest.raises(populace.UsageError, match="different lengths"):
        db.register("scores", {"a": [1], "b": [1, 2]})
    # People of the module's own, drawn as they are read.
    db.register("people", populace.sample("usa", 500, seed=1))
    assert db.sql("SELECT count(*) FROM people").scalar() == 500
