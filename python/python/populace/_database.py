"""Databases: what is asked of them, and what is written into them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import _arguments as arguments
from . import _log, _onnx, _panels, _populace
from ._errors import NotFoundError, NotPermittedError, UsageError
from ._panels import Panel
from ._result import Found, People, Result, in_thread
from ._runs import Run
from ._tables import Table


class TableSummary(NamedTuple):
    """A table at a glance."""

    name: str
    rows: int
    country: str | None
    """Whose people it has; `None` where that is not known"""
    bytes: int
    """Of its files, without indexes"""


class Database:
    """A database of people, in a directory; `connect` opens it.

    Statements may come from any number of threads, each of which lets others run while it waits. `CREATE VIEW`, `SET`
    and `PREPARE` hold for the database object. It is closed by `close()` or at the end of `with`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        embedder: str | None = None,
        narrator: str | None = None,
        memory_limit: int | None = None,
        statement_timeout: float | None = None,
        allow_files: bool = False,
        allow_models: Sequence[str] = (),
    ):
        _log.follow()
        _onnx.use()
        path = None if path is None else os.fspath(path)
        limit = None if memory_limit is None else arguments.whole("memory_limit", memory_limit, least=16 << 20)
        models = [arguments.text("allow_models", name) for name in allow_models]
        embedder = embedder or os.environ.get("POPULACE_EMBEDDER") or None
        self._database = _populace.Database(path, embedder, limit, narrator, allow_files, models, statement_timeout)

    @property
    def path(self) -> str | None:
        """The directory; `None` where nothing is kept."""
        path = self._database.path
        return None if path is None else os.fspath(path)

    @property
    def closed(self) -> bool:
        return self._database.closed

    def close(self) -> None:
        """Ends its statements and lets go of what it holds. Rows that are there stay readable."""
        self._database.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " (closed)" if self.closed else ""
        return f"<populace.Database {self.path or 'that keeps nothing'}{state}>"

    def sql(self, statement: str, parameters: Sequence[Any] | None = None, /, **named: Any) -> Result:
        """The rows of a statement.

        A query is planned now, so that slips are told, and runs when its rows are asked for; any other statement runs
        now. `parameters` stand in the place of `$1`, `$2` …, keywords in the place of `$name`: numbers, texts, truths,
        dates, lists and `None`, also as arguments of functions. They are values, never SQL.

        Raises a subclass of `Error`; `TypeError` for a value that SQL does not have.

        >>> import populace
        >>> db = populace.connect()
        >>> sql = "SELECT count(*) FROM sample_persona('usa', $n, seed => 1) WHERE age >= $age"
        >>> db.sql(sql, n=50, age=18).scalar()
        50
        """
        return Result(self._sql(statement, parameters, named, None))

    async def sql_async(self, statement: str, parameters: Sequence[Any] | None = None, /, **named: Any) -> Result:
        """The same beside the event loop, with all rows there; cancelled, the statement ends."""
        rows = await in_thread(self._sql, statement, parameters, named)
        return await Result(rows).collect_async()

    def _sql(
        self,
        statement: str,
        parameters: Sequence[Any] | None,
        named: dict[str, Any],
        cancel: _populace.Cancel | None,
    ) -> _populace.Rows:
        if parameters is not None and named:
            raise UsageError("parameters by place or by name, not both in one statement")
        _log.follow()
        values = named or (None if parameters is None else list(parameters))
        try:
            return self._database.sql(arguments.text("statement", statement), values, cancel)
        except NotPermittedError as error:
            if self.path is None and error.hint is None:
                error.hint = "populace.connect('populace-data') opens a database that keeps tables"
            raise

    def sample(self, country: str, n: int, *, seed: int | None = None, given: str | None = None) -> People:
        """People of a country, drawn from its official statistics; see `populace.sample`."""
        _log.follow()
        country, n, seed = (
            arguments.text("country", os.fspath(country)),
            arguments.whole("n", n),
            arguments.seed_of(seed),
        )
        return People(self._database.sample, country, n, seed, arguments.text("given", given, optional=True))

    def probability(self, country: str, predicate: str) -> float:
        """The exact share of a country's people of whom a condition holds; see `populace.probability`."""
        country = arguments.text("country", os.fspath(country))
        return self._database.probability(country, arguments.text("predicate", predicate))[0]

    def panel(
        self,
        n: int,
        strata: str | Sequence[str],
        *,
        country: str | None = None,
        table: str | None = None,
        given: str | None = None,
        by: str = "proportional",
        study_variable: str | None = None,
        min_per_stratum: int | None = None,
        population: int = 100_000,
        seed: int | None = None,
        name: str | None = None,
    ) -> Panel:
        """`n` people by strata, to be asked: those of a country (`usa` where none is named), or of a table of this
        database with what is written about them.

        `strata` are columns or SQL over them; `by` says how `n` is shared out among them: `proportional`, `equal`, or
        `neyman`, for the mean of a `study_variable`. Every stratum has one person at least, or `min_per_stratum`; with
        two, standard errors are those of the design in all of them. A country's panel is taken from `population` people
        of the seed, the same on any machine; a table's from its version of now. With a `name` the panel is a table of
        this database too, and `open_panel` has it back.

        Raises `UsageError` if a stratum has fewer people than it is to give, or there is no such column.
        """
        if country is not None and table is not None:
            raise UsageError("a panel is of a country or of a table, not of both")
        if by not in _panels.ALLOCATIONS:
            raise UsageError(f"by: {', '.join(_panels.ALLOCATIONS)}, not {by}")
        strata = [strata] if isinstance(strata, str) else [arguments.text("strata", text) for text in strata]
        if not strata:
            raise UsageError("strata: what the panel is to be in proportion by, such as ['sex', 'state']")
        design: dict[str, Any] = {"n": arguments.whole("n", n, least=1), "strata": strata, "by": by}
        if table is None:
            design["country"] = arguments.text("country", country or "usa")
            design["population"] = arguments.whole("population", population, least=1)
        else:
            self.table(table)
            version = self.sql(f"SELECT max(version) FROM versions({_populace.quoted(table)})").scalar()
            design.update(table=table, version=version)
        design["given"] = arguments.text("given", given, optional=True)
        design["study_variable"] = arguments.text("study_variable", study_variable, optional=True)
        if min_per_stratum is not None:
            design["min_per_stratum"] = arguments.whole("min_per_stratum", min_per_stratum)
        design["seed"] = arguments.seed_of(seed)
        return _panels.draw(self, design, arguments.text("name", name, optional=True))

    def open_panel(self, panel: str | os.PathLike[str]) -> Panel:
        """A panel that was saved: by its name in this database, or the file that `Panel.save` wrote.

        Raises `NotFoundError` if there is neither.
        """
        return _panels.opened(self, panel)

    def register(self, name: str, rows: Any) -> None:
        """Has the statements of this database object read rows of others by a name: a data frame of pandas or Polars, a
        table of Arrow, a list of dictionaries, or a dictionary of columns. Nothing is written; they are as they were when
        they were given.

        >>> import populace
        >>> db = populace.connect()
        >>> db.register("scores", [{"model": "a", "score": 3}, {"model": "b", "score": 5}])
        >>> db.sql("SELECT max(score) FROM scores").scalar()
        5

        Raises `ExecutionError` if the database has a table of the name.
        """
        _log.follow()
        self._database.register(arguments.text("name", name), _panels.rows_of(rows))

    def unregister(self, name: str) -> None:
        """Forgets rows that `register` gave a name.

        Raises `NotFoundError` if there are none.
        """
        if not self._database.unregister(arguments.text("name", name)):
            raise NotFoundError(f"no rows are registered as {name}")

    def tables(self) -> list[TableSummary]:
        """The tables, by name: how many rows, whose people, how large."""
        return [TableSummary(*table) for table in self._database.tables()]

    def table(self, name: str) -> Table:
        """A table.

        Raises `NotFoundError` if there is none of the name.
        """
        return Table(self, arguments.text("name", name))

    def __getitem__(self, name: str) -> Table:
        return self.table(name)

    def __contains__(self, name: object) -> bool:
        return any(table.name == name for table in self.tables())

    def search(
        self,
        text: str,
        *,
        table: str | None = None,
        where: str | None = None,
        k: int = 10,
        by: str = "facts",
        column: str = "persona",
        rerank: str | None = None,
    ) -> Found:
        """The `k` people nearest to a text, best first, with their `score`.

        `by` is `facts` (what is known of them, and what their texts mean), `meaning`, `words` or `both`; `where` holds
        of those among whom is searched, in SQL; without `table` all tables of people are searched.

        Raises `NotFoundError` if there is no such table or column, `ExecutionError` if there is no embedding model.
        """
        return Found(self._search(text, table, where, k, by, column, rerank, None))

    async def search_async(
        self,
        text: str,
        *,
        table: str | None = None,
        where: str | None = None,
        k: int = 10,
        by: str = "facts",
        column: str = "persona",
        rerank: str | None = None,
    ) -> Found:
        """The same beside the event loop; cancelled, the search ends."""
        return Found(await in_thread(self._search, text, table, where, k, by, column, rerank))

    def _search(
        self,
        text: str,
        table: str | None,
        where: str | None,
        k: int,
        by: str,
        column: str,
        rerank: str | None,
        cancel: _populace.Cancel | None,
    ) -> _populace.Batches:
        _log.follow()
        (
            arguments.text("text", text),
            arguments.text("table", table, optional=True),
            arguments.text("where", where, optional=True),
        )
        k = arguments.whole("k", k, least=1, most=10_000)
        return self._database.search(text, table, where, k, by, column, rerank, cancel)

    def generate(
        self,
        country: str,
        n: int,
        *,
        seed: int | None = None,
        given: str | None = None,
        into: str | None = None,
        narrator: str = "outline",
        narratives: Sequence[str] | None = None,
        language: str | None = None,
        sound: bool = False,
        judge: str | None = None,
        embeddings: bool = True,
        concurrency: int | None = None,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        progress: bool = True,
    ) -> Run:
        """Draws people into a table and has them written up; a bar says how far it is.

        The table holds the first `n` people of the seed afterwards: who is there already is left as they are, so that
        the same call with the same seed finishes what was interrupted, and a larger `n` extends it. `narrator` is
        `outline`, which asks nobody, `none` for facts alone, or a model as `openai:MODEL`; `max_cost` (US dollars),
        `max_tokens` and `max_calls` end the run cleanly. Ctrl-C ends it too: what is committed stays, and `resume` goes
        on.

        Raises `LimitError` where a limit ends it, `UnavailableError` where a server does.
        """
        run = self._run(
            country,
            n,
            seed,
            given,
            into,
            narrator,
            narratives,
            language,
            sound,
            judge,
            embeddings,
            concurrency,
            max_calls,
            max_tokens,
            max_cost,
        )
        return run._work(progress, None)

    async def generate_async(self, country: str, n: int, **options: Any) -> Run:
        """The same beside the event loop; cancelled, the run ends, and `resume` goes on with it."""
        progress = options.pop("progress", True)
        named = (
            "seed",
            "given",
            "into",
            "narrator",
            "narratives",
            "language",
            "sound",
            "judge",
            "embeddings",
            "concurrency",
            "max_calls",
            "max_tokens",
            "max_cost",
        )
        if unknown := set(options) - set(named):
            raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
        chosen = {**dict.fromkeys(named), "narrator": "outline", "sound": False, "embeddings": True, **options}
        run = self._run(country, n, *(chosen[name] for name in named))
        return await in_thread(run._work, progress)

    def _run(
        self,
        country: str,
        n: int,
        seed: int | None,
        given: str | None,
        into: str | None,
        narrator: str,
        narratives: Sequence[str] | None,
        language: str | None,
        *others: Any,
    ) -> Run:
        _log.follow()
        country = arguments.text("country", os.fspath(country))
        n, seed = arguments.whole("n", n, least=1, most=10**9), arguments.seed_of(seed)
        if into is None:
            name = os.path.basename(country.rstrip("/")).removesuffix(".pack")
            into = name if language is None else f"{name}_{language.lower().replace('-', '_')}"
        narratives = None if narratives is None else list(narratives)
        return Run(
            self,
            _populace.Run.generate(
                self._database, country, n, seed, into, given, narrator, narratives, language, *others
            ),
        )

    def export(
        self, of: str, to: str | os.PathLike[str], *, format: str = "datasets", overwrite: bool = False
    ) -> list[str]:
        """Writes a table, or a query in parentheses, into files, as `populace export` does; their paths.

        `format` is `datasets` (a folder for Hugging Face, with a card), `parquet`, `csv`, `jsonl`, `chat` (conversations
        with the person as the system prompt), or what a simulator or an evaluation framework reads: `edsl`,
        `tinytroupe`, `oasis`, `oasis-twitter`, `concordia`, `agentsociety`, `langchain`, `inspect`, `promptfoo`,
        `argilla`, `distilabel`.

        Raises `UsageError` for an unknown format, `ExecutionError` if files are there and not to be replaced.
        """
        _log.follow()
        arguments.text("of", of), arguments.text("format", format)
        _, files = self._database.export(of, os.fspath(to), format, overwrite)
        return [os.fspath(file) for file in files]

    def runs(self) -> list[Run]:
        """The runs, the newest first."""
        return [Run(self, run) for run in _populace.Run.all(self._database)]

    def resume(self, run: str | Run, *, progress: bool = True) -> Run:
        """Goes on with a run that was interrupted, by its id; within the limits that it was given.

        Raises `NotFoundError` if there is none.
        """
        return Run(self, _populace.Run.find(self._database, run.id if isinstance(run, Run) else run))._work(
            progress, None
        )
