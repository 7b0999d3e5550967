"""An embedded database of synthetic people, drawn from official statistics.

>>> import populace
>>> people = populace.sample("usa", 1000, seed=42, given="age >= 65 AND state = 'VT'")
>>> len(people), people.head(1)[0]["state"]
(1000, 'VT')

Results are lazy. pandas, Polars, PyArrow and DuckDB take them as they are, by Arrow's C interface, without a copy:
`people.to_pandas()`, `people.to_polars()`, `pa.table(people)`, `duckdb.sql("FROM people")`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import NamedTuple

from . import _populace
from ._database import Database, TableSummary
from ._errors import (
    ConflictError,
    Error,
    ExecutionError,
    ExistsError,
    InternalError,
    InterruptedError,
    LimitError,
    NotFoundError,
    NotPermittedError,
    SqlSyntaxError,
    StorageError,
    UnavailableError,
    UnsupportedError,
    UsageError,
)
from ._panels import Answers, Panel
from ._result import Found, People, Result, Stream
from ._runs import Run
from ._tables import Person, Table

__version__ = _populace.version

__all__ = [
    "Answers",
    "ConflictError",
    "Country",
    "Database",
    "Error",
    "ExecutionError",
    "ExistsError",
    "Found",
    "InternalError",
    "InterruptedError",
    "LimitError",
    "NotFoundError",
    "NotPermittedError",
    "Panel",
    "People",
    "Person",
    "Result",
    "Run",
    "SqlSyntaxError",
    "StorageError",
    "Stream",
    "Table",
    "TableSummary",
    "UnavailableError",
    "UnsupportedError",
    "UsageError",
    "connect",
    "countries",
    "probability",
    "sample",
]


class Country(NamedTuple):
    """A country that people are drawn from."""

    name: str
    """What it is called in arguments: `usa`"""
    title: str
    year: str
    """Of the figures"""
    population: float
    """How many people it is about"""
    universe: str
    """Who they are"""
    language: str
    """Of their texts where none is named; BCP 47"""


def connect(
    path: str | os.PathLike[str] | None = None,
    *,
    embedder: str | None = None,
    narrator: str | None = None,
    memory_limit: int | None = None,
    statement_timeout: float | None = None,
    allow_files: bool = False,
    allow_models: Sequence[str] = (),
) -> Database:
    """Opens a database: the directory `path`, made when something is first written into it. Without a path people are
    drawn, and nothing is kept.

    `embedder` makes vectors of texts (that of `POPULACE_EMBEDDER`, or `multilingual-e5-small`, without a name),
    `narrator` writes where a statement names none (`outline`), `allow_models` may be named beside it; `memory_limit` is
    in bytes, three fifths of the machine's without it; `statement_timeout` is in seconds. Statements read and write no
    files but the database's unless `allow_files` is set.

    Raises `ExecutionError` if the path is there and is no database.

    >>> import populace
    >>> with populace.connect() as db:
    ...     db.sql("SELECT count(*) FROM sample_persona('usa', 10)").scalar()
    10
    """
    return Database(
        path,
        embedder=embedder,
        narrator=narrator,
        memory_limit=memory_limit,
        statement_timeout=statement_timeout,
        allow_files=allow_files,
        allow_models=allow_models,
    )


_default: Database | None = None
_lock = threading.Lock()


def _draws() -> Database:
    """A database for draws alone, opened when it is first needed: importing the module begins nothing."""
    global _default
    with _lock:
        if _default is None or _default.closed:
            _default = connect()
        return _default


def sample(country: str, n: int, *, seed: int | None = None, given: str | None = None) -> People:
    """`n` people of a country, drawn from its official statistics.

    `country` is one of `countries()` or the path of a pack; the same `seed` draws the same people on any machine (a
    fresh one is taken without it, and is `people.seed`); `given` holds of all of them, in SQL, exactly and without
    rejection. Nobody is drawn before somebody reads.

    Raises `UsageError` if the country has no such variable or level, or nobody satisfies `given`; `NotFoundError` for
    an unknown country; `TypeError` for other types.

    >>> import populace
    >>> nurses = populace.sample("usa", 3, seed=1, given="occupation LIKE '%nurse%'")
    >>> all("nurse" in person["occupation"] for person in nurses)
    True
    """
    return _draws().sample(country, n, seed=seed, given=given)


def probability(country: str, predicate: str) -> float:
    """The exact share, from 0 to 1, of a country's people of whom a condition holds, in SQL.

    Raises as `sample` does.

    >>> import populace
    >>> 0 < populace.probability("usa", "state = 'WY' AND age > 95") < 1e-5
    True
    """
    return _draws().probability(country, predicate)


def countries() -> list[Country]:
    """The countries that people are drawn from.

    >>> import populace
    >>> sorted(country.name for country in populace.countries())[-1]
    'usa'
    """
    return [Country(*country) for country in _populace.countries()]
