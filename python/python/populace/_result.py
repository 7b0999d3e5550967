"""Rows, lazily: nothing runs before they are asked for, and Arrow hands them on without a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from . import _html, _populace
from ._errors import NotFoundError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Does work on a thread of asyncio's, with a `Cancel` as its last argument: cancelled, it ends there too."""
    # Who needs it has imported it; others do not wait for it.
    import asyncio

    cancel = _populace.Cancel()
    try:
        return await asyncio.to_thread(work, *arguments, cancel)
    except asyncio.CancelledError:
        cancel.cancel()
        raise


class Arrow:
    """What has rows that Arrow's C interface takes: pandas, Polars, PyArrow, DuckDB and others read it as it is."""

    def _arrow(self) -> _populace.Rows | _populace.Batches:
        """What reads the rows."""
        raise NotImplementedError

    def _collect(self) -> _populace.Batches:
        """All rows."""
        rows = self._arrow()
        return rows if isinstance(rows, _populace.Batches) else rows.collect()

    def __arrow_c_schema__(self) -> object:
        return self._arrow().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._arrow().__arrow_c_stream__(requested_schema)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._arrow().columns

    @property
    def schema(self) -> dict[str, str]:
        """The types of the columns' values, as Arrow calls them."""
        return dict(self._arrow().types)

    def to_arrow(self) -> pyarrow.Table:
        """All rows as a table of PyArrow, which shares their memory."""
        import pyarrow

        return pyarrow.table(self._collect())

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """All rows as a data frame of pandas; `options` are those of `pyarrow.Table.to_pandas`. Levels are
        categories."""
        # Columns one by one need no block that holds all of a type again.
        return self.to_arrow().to_pandas(**{"split_blocks": True, **options})

    def to_polars(self) -> polars.DataFrame:
        """All rows as a data frame of Polars."""
        import polars

        return polars.DataFrame(self._collect())

    def to_dicts(self) -> list[dict[str, Any]]:
        """All rows as dictionaries by the names of the columns; `None` for NULL."""
        return self._collect().dicts()

    def to_layout(self, layout: str) -> list[Any]:
        """People as a simulator or an evaluation framework takes them, one value each: `edsl`, `oasis`, `tinytroupe` and
        others, the ones that `Database.export` writes.

        >>> import populace
        >>> person = populace.sample("usa", 1, seed=42).to_layout("oasis")[0]
        >>> sorted(person)
        ['age', 'bio', 'country', 'gender', 'mbti', 'persona', 'profession', 'realname', 'username']

        Raises `ExecutionError` for an unknown layout, or if the rows are no people.
        """
        import json

        return [json.loads(person) for person in _populace.laid_out(self._collect(), layout)]

    def column(self, name: str) -> list[Any]:
        """The values of a column.

        Raises `NotFoundError` if there is none of the name.
        """
        values = self._collect().column(name)
        if values is None:
            raise NotFoundError(f"no column `{name}`. There are: {', '.join(self.columns)}")
        return values

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rows = self._arrow()
        if isinstance(rows, _populace.Batches):
            yield from rows.dicts()
            return
        reader = rows.reader()
        while (batch := reader.next()) is not None:
            yield from batch.dicts()


class Result(Arrow):
    """The rows of a statement.

    A query runs when its rows are first asked for, once: what has come stays here, for whoever asks next. Any other
    statement has run already. `stream()` reads rows without keeping them.

    >>> import populace
    >>> result = populace.connect().sql("SELECT 6 * $1 AS answer", [7])
    >>> len(result), list(result)
    (1, [{'answer': 42}])
    """

    def __init__(self, rows: _populace.Rows):
        self._rows = rows

    def _arrow(self) -> _populace.Rows:
        return self._rows

    def __len__(self) -> int:
        """How many rows there are, which runs the query to its end."""
        return len(self._collect())

    def __bool__(self) -> bool:
        return True

    def fetchone(self) -> dict[str, Any] | None:
        """The first row; `None` if there is none."""
        return next(iter(self.head(1)), None)

    def scalar(self) -> Any:
        """The value of the first column of the first row; `None` if there is no row.

        >>> import populace
        >>> populace.connect().sql("SELECT 6 * 7").scalar()
        42
        """
        first = self.fetchone()
        return None if first is None else next(iter(first.values()))

    def head(self, n: int = 5) -> list[dict[str, Any]]:
        """The first `n` rows; the query goes no further than it takes."""
        return self._rows.head(n).dicts()

    def stream(self) -> Stream:
        """The same query, run anew for each reader, for more rows than fit into memory: none are kept."""
        return Stream(self._rows.again())

    async def collect_async(self) -> Result:
        """Runs the query to its end beside the event loop; cancelled, the statement ends."""
        await in_thread(self._rows.collect)
        return self

    @property
    def notices(self) -> list[str]:
        """What there was to say beside the rows, once they have ended: people who were in a table already, for one."""
        return self._rows.told()[0]

    @property
    def run_id(self) -> str | None:
        """The run that the statement was, if it wrote people and has ended."""
        return self._rows.told()[1]

    def __repr__(self) -> str:
        return (
            f"<populace.{type(self).__name__} of {', '.join(self.columns[:8])}{', …' if len(self.columns) > 8 else ''}>"
        )

    def _repr_html_(self) -> str:
        some = self.head(_html.ROWS + 1)
        if some and _html.is_person(self.columns):
            told = "" if len(some) <= _html.CARDS else "… and more"
            return _html.cards(some[: _html.CARDS], told)
        told = "… and more" if len(some) > _html.ROWS else f"{len(some)} rows"
        return _html.table(self.columns, some[: _html.ROWS], told)


class Stream(Arrow):
    """Rows that are read anew by each reader and not kept."""

    def __init__(self, rows: _populace.Rows):
        self._rows = rows

    def _arrow(self) -> _populace.Rows:
        return self._rows

    def __repr__(self) -> str:
        return f"<populace.Stream of {', '.join(self.columns[:8])}>"


class People(Result):
    """People of a country: `country`, `n`, `seed` and `given` say who they are, and draw them again on any machine.

    They are drawn by each reader anew, and none are kept.
    """

    def __init__(self, draw: Callable[..., _populace.Rows], country: str, n: int, seed: int, given: str | None):
        super().__init__(draw(country, n, seed, given))
        self._draw = draw
        self.country = country
        """Its name, or the path of a pack"""
        self.n = n
        self.seed = seed
        self.given = given
        """What holds of all of them, in SQL; `None` where nothing is asked"""

    def __len__(self) -> int:
        return self.n

    def head(self, n: int = 5) -> list[dict[str, Any]]:
        """The first `n` of them, who are the same however many there are."""
        return self._draw(self.country, min(n, self.n), self.seed, self.given).collect().dicts()

    def __repr__(self) -> str:
        given = f", given={self.given!r}" if self.given else ""
        return f"<populace.People: {self.country!r}, {self.n}, seed={self.seed}{given}>"

    def _repr_html_(self) -> str:
        given = f", given {self.given}" if self.given else ""
        return _html.cards(self.head(_html.CARDS), f"{self.n:,} people of {self.country}, seed {self.seed}{given}")


class Found(Arrow):
    """The people that a search found, best first, with their `score`."""

    def __init__(self, batches: _populace.Batches):
        self._batches = batches

    def _arrow(self) -> _populace.Batches:
        return self._batches

    def __len__(self) -> int:
        return len(self._batches)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<populace.Found: {len(self)} people>"

    def _repr_html_(self) -> str:
        people = self.to_dicts()
        told = f"{len(people)} people" if len(people) <= _html.CARDS else f"… of {len(people)} people"
        return _html.cards(people[: _html.CARDS], told)
