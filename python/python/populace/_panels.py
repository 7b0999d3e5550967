"""Panels: people drawn by strata, to be asked, and what their answers tell of all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _arguments as arguments
from . import _html, _populace
from ._errors import ConflictError, NotFoundError, UsageError
from ._result import Arrow, Result

if TYPE_CHECKING:
    from ._database import Database

ALLOCATIONS = ("proportional", "equal", "neyman")

_KEY = "populace:panel"
_FORMAT = 1


class Panel(Arrow):
    """People drawn by strata, each with how many others they stand for (`sampling_weight`).

    `Database.panel` draws one, and `Database.open_panel` has one back that was saved. `design` says how it was drawn;
    with it anybody draws the same people again.

    >>> import populace
    >>> panel = populace.connect().panel(20, strata=["sex"], seed=7, population=2000)
    >>> len(panel), sum(panel.column("sampling_weight"))
    (20, 2000.0)
    """

    def __init__(self, database: Database, people: _populace.Batches, design: Mapping[str, Any]):
        self.database = database
        self.design = dict(design)
        """Of whom (`country` or `table`), `n`, `strata`, allocation (`by`), `seed` and the pack"""
        self._people = people

    def _arrow(self) -> _populace.Batches:
        return self._people

    def __len__(self) -> int:
        return len(self._people)

    def __bool__(self) -> bool:
        return True

    @property
    def name(self) -> str | None:
        """The table that keeps it; `None` where none does."""
        name = self.design.get("name")
        return None if name is None else str(name)

    def strata(self) -> Result:
        """The strata: how many people the population has of each, and how many are in the panel."""
        sql = (
            "SELECT stratum, CAST(max(stratum_size) AS BIGINT) AS stratum_size, count(*) AS n FROM {0} "
            "GROUP BY stratum ORDER BY stratum"
        )
        return _asked(self.database, sql, self._people)

    def render(self, template: str | None = None) -> list[str]:
        """The system prompts with which a model plays these people, in the order of the panel: the one that `populace
        export --format chat` writes, or a Jinja template over the columns.

        Raises `UsageError` if the template does not parse or names an unknown column.
        """
        return self.database._database.prompts(self._people, template)

    def join(self, scores: Any, *, on: str = "uuid") -> Answers:
        """What these people answered: rows with their `uuid` (a data frame, a table of Arrow, a list of dictionaries, or
        a dictionary by uuid), any number for each person. Whoever has none did not answer.

        Raises `UsageError` if a row is of nobody in the panel, or a column of the panel is there again.
        """
        if isinstance(scores, Mapping) and not hasattr(scores, "__arrow_c_stream__"):
            columns = [value for value in scores.values() if isinstance(value, (list, tuple))]
            if len(columns) < len(scores) or not scores:
                scores = [{on: person, "score": score} for person, score in scores.items()]
        given = rows_of(scores)
        if on not in given.columns:
            raise UsageError(f"join: the rows have no column `{on}`. There are: {', '.join(given.columns)}")
        twice = sorted(set(given.columns) & set(self.columns) - {on})
        if twice:
            raise UsageError(f"join: the panel has {', '.join(twice)} already; leave out or rename what the rows have")
        key = _populace.quoted(on)
        sql = f"SELECT {{0}}.{key} AS who FROM {{0}} LEFT ANTI JOIN {{1}} ON {{0}}.{key} = {{1}}.{key} LIMIT 3"
        strangers = _asked(self.database, sql, given, self._people).column("who")
        if strangers:
            raise UsageError(f"join: rows of nobody in the panel: {on} {', '.join(map(str, strangers))}")
        added = [_populace.quoted(name) for name in given.columns if name != on]
        added_of = "".join(f", {{1}}.{name}" for name in added)
        sql = f"SELECT {{0}}.*{added_of} FROM {{0}} JOIN {{1}} ON {{0}}.{key} = {{1}}.{key}"
        return Answers(self.database, _asked(self.database, sql, self._people, given)._collect())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes people and design into one file of Parquet, for others: `open_panel` reads it.

        Raises `StorageError` if it cannot be written.
        """
        told = {_KEY: json.dumps({"format": _FORMAT, **self.design})}
        _populace.write_parquet(os.fspath(path), self._people, told)

    def draw_again(self, database: Database | None = None) -> Panel:
        """The same panel, drawn anew by its design, in this database or another: proof that it is what it says.

        Raises `ConflictError` if other people are drawn, as after a change of the country's figures or of the table.
        """
        panel = draw(database or self.database, self.design)
        if sorted(panel.column("uuid")) != sorted(self.column("uuid")):
            packs = " and ".join(sorted({str(of.design.get("pack")) for of in (self, panel)}))
            raise ConflictError(f"other people are drawn by this design now; the figures are those of {packs}")
        return panel

    def __repr__(self) -> str:
        of = self.design.get("country") or self.design.get("table")
        strata = ", ".join(self.design["strata"])
        return f"<populace.Panel of {len(self)} people of {of} by {strata}, seed={self.design['seed']}>"

    def _repr_html_(self) -> str:
        of = self.design.get("country") or self.design.get("table")
        told = f"{len(self):,} people of {of} by {', '.join(self.design['strata'])}, seed {self.design['seed']}"
        return _html.cards(self._people.head(_html.CARDS).dicts(), told)


class Answers(Arrow):
    """What the people of a panel answered, beside all that is known of them and how many they stand for."""

    def __init__(self, database: Database, rows: _populace.Batches):
        self.database = database
        self._rows = rows

    def _arrow(self) -> _populace.Batches:
        return self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __bool__(self) -> bool:
        return True

    def estimate(self, value: str, by: str | Sequence[str] | None = None) -> Result:
        """The mean of a value in each group, with its standard error and an interval of 95 %, by the panel's design.

        `value` and `by` are columns or SQL over them, such as `score > 3` and `age_band(age, 30, 60)`; it is the
        function `estimate` of SQL.

        >>> import populace
        >>> panel = populace.connect().panel(20, strata=["sex"], seed=7, population=2000)
        >>> answers = panel.join({person["uuid"]: person["age"] > 50 for person in panel})
        >>> [row["n"] for row in answers.estimate("score", by="sex")]
        [10, 10]
        """
        return self._told("estimate", value, by, "", 0)

    def differences(
        self, value: str, arm: str, by: str | Sequence[str] | None = None, *, adjust: str = "holm"
    ) -> Result:
        """How a value differs between arms (models, prompts) on the same people: differences with their intervals and
        p-values, adjusted for how many there are by `holm` or `fdr`, or not (`none`); the function `differences` of SQL.
        """
        further = f", arm => {_populace.expression('arm', arm)}, adjust => {arguments.quoted_text(adjust)}"
        return self._told("differences", value, by, further, len(("arm_a", "arm_b")))

    def _told(self, function: str, value: str, by: str | Sequence[str] | None, further: str, keys: int) -> Result:
        named = [by] if isinstance(by, str) else list(by or [])
        groups = ", ".join(_populace.expression("by", group) for group in named)
        groups = f", by => ({groups})" if groups else ""
        value = _populace.expression("value", arguments.text("value", value))
        # Groups stand first, and after them the arms.
        places = ", ".join(str(place + 1) for place in range(len(named) + keys))
        order = f" ORDER BY {places}" if places else ""
        sql = f"SELECT * FROM {function}({{0}}, {value}{further}{groups}){order}"
        return _asked(self.database, sql, self._rows)

    def __repr__(self) -> str:
        return f"<populace.Answers: {len(self)} rows>"

    def _repr_html_(self) -> str:
        some = self._rows.head(_html.ROWS).dicts()
        return _html.table(self.columns, some, f"{len(self):,} rows")


def rows_of(given: Any) -> _populace.Batches:
    """Rows of any library with Arrow's C interface, a list of dictionaries, or a dictionary of columns."""
    if isinstance(given, _populace.Batches):
        return given
    if isinstance(given, Arrow):
        return given._collect()
    if hasattr(given, "__arrow_c_stream__"):
        return _populace.rows_of_stream(given)
    if isinstance(given, Mapping):
        names, columns = list(given), [list(column) for column in given.values()]
        if len({len(column) for column in columns}) > 1:
            raise UsageError("the columns have different lengths")
        given = [dict(zip(names, row)) for row in zip(*columns)]
    if not isinstance(given, Sequence) or not all(isinstance(row, Mapping) for row in given):
        raise TypeError(f"rows: a data frame, a table of Arrow or dictionaries, not {type(given).__name__}")
    if not given:
        raise UsageError("there are no rows, and so no columns")
    return _populace.rows_of_json("\n".join(json.dumps(dict(row), default=_plain) for row in given))


def _plain(value: Any) -> Any:
    """A number of NumPy, a date and the like, as JSON has them."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def _asked(database: Database, sql: str, *rows: _populace.Batches) -> Result:
    """The rows of a statement over rows that are no table of the database; they are forgotten when it has ended."""
    names = [f"rows_{uuid.uuid4().hex}" for _ in rows]
    try:
        for name, given in zip(names, rows):
            database._database.register(name, given)
        result = database.sql(sql.format(*(_populace.quoted(name) for name in names)))
        result._collect()
        return result
    finally:
        if not database.closed:
            for name in names:
                database._database.unregister(name)


def draw(database: Database, design: Mapping[str, Any], name: str | None = None) -> Panel:
    """The panel of a design; kept as a table where it gets a name."""
    sql = _statement(design)
    if name is not None:
        # Vectors go along, where there are any.
        database.sql(f"CREATE TABLE {_populace.quoted(name)} AS {sql}")
        sql = f"SELECT * FROM {_populace.quoted(name)}"
    people = _without_vectors(database, sql)
    packs = people.column("pack")
    told = {**design, "pack": packs[0] if packs else None, "name": name}
    if name is not None:
        database._database.set_panel_design(name, json.dumps({"format": _FORMAT, **told}))
    return Panel(database, people, told)


def _without_vectors(database: Database, sql: str) -> _populace.Batches:
    result = database.sql(sql)
    vectors = [_populace.quoted(name) for name in result.columns if name.endswith("_embedding")]
    if vectors:
        result = database.sql(f"SELECT * EXCEPT ({', '.join(vectors)}) FROM ({sql})")
    return result._collect()


def _statement(design: Mapping[str, Any]) -> str:
    strata = ", ".join(_populace.expression("strata", text) for text in design["strata"])
    given = design.get("given")
    condition = None if given is None else _populace.expression("given", given)
    if design.get("table") is not None:
        people = f"SELECT * FROM {_populace.quoted(design['table'])} VERSION AS OF {int(design['version'])}"
        people += f" WHERE {condition}" if condition else ""
    else:
        country, seed = arguments.quoted_text(design["country"]), int(design["seed"])
        of_all = f", given => ({condition})" if condition else ""
        people = f"SELECT * FROM sample_persona({country}, {int(design['population'])}, seed => {seed}{of_all})"
    options = [f"strata => ({strata})", f"allocation => {arguments.quoted_text(design['by'])}"]
    if design.get("study_variable") is not None:
        options.append(f"study_variable => {_populace.expression('study_variable', design['study_variable'])}")
    if design.get("min_per_stratum") is not None:
        options.append(f"min_per_stratum => {int(design['min_per_stratum'])}")
    options.append(f"seed => {int(design['seed'])}")
    return f"SELECT * FROM stratified_sample(({people}), {int(design['n'])}, {', '.join(options)})"


def opened(database: Database, panel: str | os.PathLike[str]) -> Panel:
    """A panel that was saved: by the table that keeps it, or from its file."""
    text = os.fspath(panel)
    kept = database._database.panel_design(text) if text in database else None
    if kept is not None:
        people = _without_vectors(database, f"SELECT * FROM {_populace.quoted(text)}")
        return Panel(database, people, _design(kept, text))
    if text in database:
        raise UsageError(f"{text} is a table, and no panel", "db.panel(…, name=…) makes one")
    if not os.path.exists(text):
        panels = [table.name for table in database.tables() if database._database.panel_design(table.name) is not None]
        there = f"there are: {', '.join(panels)}" if panels else "there are none yet: db.panel(…, name=…) makes one"
        raise NotFoundError(f"there is neither a panel nor a file {text}", there)
    people, told = _populace.read_parquet(text)
    if _KEY not in told:
        raise UsageError(f"{text} is a file of Parquet, and no panel")
    return Panel(database, people, _design(told[_KEY], text))


def _design(text: str, of: str) -> dict[str, Any]:
    try:
        design = json.loads(text)
        version, wanted = design.pop("format"), {"n", "seed", "strata", "by"}
    except (ValueError, KeyError, AttributeError):
        raise UsageError(f"{of}: its design cannot be read") from None
    if version != _FORMAT or not wanted <= set(design):
        raise UsageError(f"{of}: its design is of another version of populace")
    return dict(design)
