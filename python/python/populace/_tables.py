"""Tables, and the people in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from . import _arguments as arguments
from . import _html, _populace
from ._errors import NotFoundError, UsageError
from ._result import Arrow, Found, Result

if TYPE_CHECKING:
    from ._database import Database


class Table(Arrow):
    """A table, as its newest version has it whenever it is read.

    A data frame library takes it as it is; `select` reads a part; `table[uuid]` is a person.
    """

    def __init__(self, database: Database, name: str):
        self.database = database
        self.name = name
        if database._database.columns(name) is None:
            raise NotFoundError(f"there is no table {name}", _there_are([table.name for table in database.tables()]))

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _arrow(self) -> _populace.Rows:
        # The newest version whenever it is read.
        return self.select()._rows.again()

    def __datafusion_table_provider__(self, session: Any) -> Any:
        """What `SessionContext.register_table` of the package `datafusion` takes: its conditions on columns and its limits
        are answered here.

        Raises `UsageError` for another version of the package than the one that is built in.
        """
        return self.database._database.provider(self.name, session, metadata.version("datafusion"))

    @property
    def schema(self) -> dict[str, str]:
        """The types of the columns' values, as Arrow calls them."""
        columns = self.database._database.columns(self.name)
        if columns is None:
            raise NotFoundError(f"there is no table {self.name} any more")
        return dict(columns)

    @property
    def columns(self) -> list[str]:
        return list(self.schema)

    def select(
        self, *columns: str, where: str | None = None, order_by: str | None = None, limit: int | None = None
    ) -> Result:
        """Rows of the table: these columns, or all; `where` and `order_by` are SQL."""
        shown = ", ".join(_populace.quoted(arguments.text("column", column)) for column in columns) or "*"
        sql = f"SELECT {shown} FROM {_populace.quoted(self.name)}"
        sql += f" WHERE {_populace.expression('where', where)}" if where else ""
        sql += f" ORDER BY {order_by}" if order_by else ""
        sql += f" LIMIT {arguments.whole('limit', limit)}" if limit is not None else ""
        return self.database.sql(sql)

    def __len__(self) -> int:
        return int(self.database.sql(f"SELECT count(*) FROM {_populace.quoted(self.name)}").scalar())

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, uuid: str) -> Person:
        found = self.database.sql(f"SELECT * FROM {_populace.quoted(self.name)} WHERE uuid = $1", [str(uuid)])
        people = found._collect()
        if not len(people):
            raise NotFoundError(f"nobody in {self.name} has the uuid {uuid}")
        return Person(self.database, self.name, people)

    def sample(
        self, n: int, *, strata: Sequence[str] = (), seed: int | None = None, allocation: str | None = None
    ) -> Result:
        """A stratified sample of the table, with how many people each one stands for."""
        options = [f"seed => {arguments.seed_of(seed)}"]
        if strata:
            options.append(f"strata => ({', '.join(strata)})")
        if allocation:
            options.append(f"allocation => {arguments.quoted_text(allocation)}")
        name = _populace.quoted(self.name)
        return self.database.sql(
            f"SELECT * FROM stratified_sample({name}, {arguments.whole('n', n)}, {', '.join(options)})"
        )

    def search(self, text: str, **options: Any) -> Found:
        """The people of the table nearest to a text; see `Database.search`."""
        return self.database.search(text, table=self.name, **options)

    def __repr__(self) -> str:
        return f"<populace.Table {self.name}>"

    def _repr_html_(self) -> str:
        some, rows = self.select(limit=_html.CARDS), len(self)
        told = f"{self.name}: {rows:,} rows, {len(self.columns)} columns"
        if _html.is_person(self.columns):
            return _html.cards(some.to_dicts(), told)
        return _html.table(some.columns, some.to_dicts(), told)


def _there_are(names: list[str]) -> str:
    return f"there are: {', '.join(names)}" if names else "there are none yet: generate makes one"


class Person(Mapping[str, Any]):
    """A person of a table: a mapping of what is known and written of them, and what can be asked about them."""

    def __init__(self, database: Database, table: str, people: _populace.Batches):
        self.database = database
        self.table = table
        self._people = people
        self._facts = people.dicts()[0]

    @property
    def uuid(self) -> str:
        return str(self._facts["uuid"])

    @property
    def name(self) -> str:
        """First and last name."""
        return _html.name_of(self._facts)

    def __getitem__(self, column: str) -> Any:
        return self._facts[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def prompt(self, template: str | None = None) -> str:
        """The system prompt with which a model plays this person: the one that `populace export --format chat` writes,
        or a Jinja template over the columns.

        Raises `UsageError` if the template does not parse or names an unknown column.
        """
        return self.database._database.prompts(self._people, template)[0]

    def twin(self, /, *, keep: Sequence[str] = (), **otherwise: Any) -> Person:
        """The same person with something otherwise: what depends on that by the country's network is drawn again with
        the person's own random numbers, and the columns in `keep` stay. It is in no table.

        Raises `UsageError` if the country has no such variable or level.
        """
        if not otherwise:
            raise UsageError("what is otherwise? twin(sex='Male')")
        names = {column: f"value_{at}" for at, column in enumerate(otherwise)}
        settings = ", ".join(f"{_populace.quoted(column)} = ${value}" for column, value in names.items())
        kept = f", keep => ({', '.join(_populace.quoted(column) for column in keep)})" if keep else ""
        own = f"SELECT * FROM {_populace.quoted(self.table)} WHERE uuid = $uuid"
        twins = self.database.sql(
            f"SELECT * FROM counterfactual($country, ({own}), set => ({settings}){kept})",
            country=self._country(),
            uuid=self.uuid,
            **{names[column]: value for column, value in otherwise.items()},
        )
        return Person(self.database, self.table, twins._collect())

    def similar(self, k: int = 5, *, where: str | None = None, column: str | None = None) -> Result:
        """The `k` people of the table whose texts mean what theirs do, nearest first, with their `score`."""
        condition = f", where => ({_populace.expression('where', where)})" if where else ""
        of = f", column => {arguments.quoted_text(column)}" if column else ""
        k = arguments.whole("k", k, least=1, most=10_000)
        table, uuid = _populace.quoted(self.table), arguments.quoted_text(self.uuid)
        return self.database.sql(f"SELECT * FROM similar_to({table}, {uuid}, {k}{of}{condition})")

    def _country(self) -> str:
        """The name of the pack that the person is of."""
        pack = self._facts.get("pack")
        summaries = {table.name: table.country for table in self.database.tables()}
        country = pack.split("@")[0] if pack else summaries.get(self.table)
        if not country:
            raise UsageError(f"nothing in {self.table} says which country this person is of")
        return country

    def __repr__(self) -> str:
        return f"<populace.Person {self.name}, {self._facts.get('age')}, {self.uuid}>"

    def _repr_html_(self) -> str:
        return _html.card(self._facts)
