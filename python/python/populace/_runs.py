"""Runs: people who are drawn into a table and written up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _html, _populace
from ._errors import Error
from ._progress import Progress

if TYPE_CHECKING:
    from ._database import Database
    from ._tables import Table


class Run:
    """People who are drawn into a table and written up."""

    def __init__(self, database: Database, run: _populace.Run):
        self.database = database
        self._run = run
        self._ended: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def table(self) -> Table:
        """The table that it writes into."""
        return self.database[self._run.table]

    @property
    def count(self) -> int | None:
        """How many people it is of; `None` where that is not known."""
        return self._run.count

    @property
    def status(self) -> str:
        """`running`, `interrupted`, `done`, `failed` or `cancelled`, as the database has it now."""
        return str(self._run.state()["status"])

    @property
    def done(self) -> int:
        """How many of its people are in the table, as the database has it now."""
        return int(self._run.state()["done"])

    @property
    def error(self) -> str | None:
        error: str | None = self._run.state()["error"]
        return error

    @property
    def cost_usd(self) -> float | None:
        """What its calls to models took, as far as their prices are known; `None` where there were none."""
        return self._run.state().get("cost_usd")

    @property
    def written(self) -> int | None:
        """How many people this call wrote; `None` before it has ended."""
        return self._ended.get("written")

    @property
    def notices(self) -> list[str]:
        """What there was to say beside."""
        return list(self._ended.get("notices", []))

    def _work(self, progress: bool, cancel: _populace.Cancel | None) -> Run:
        bar = Progress(self.count, progress)
        try:
            self._ended = self._run.work(bar, cancel)
        except (Error, KeyboardInterrupt) as error:
            self._note(error)
            raise
        finally:
            bar.close()
        return self

    def _note(self, error: BaseException) -> None:
        """Says with what ended it how to go on, where something has begun; Python 3.10 has no room for it."""
        if hasattr(error, "add_note") and not self.database.closed and self.status != "new":
            error.add_note(f"run {self.id}: what is committed stays, and db.resume({self.id!r}) finishes it")

    def __repr__(self) -> str:
        return f"<populace.Run {self.id} into {self._run.table}: {self.status}, {self.done} of {self.count} people>"

    def _repr_html_(self) -> str:
        state = self._run.state()
        rows = [{"": name, " ": value} for name, value in {"run": self.id, "table": self._run.table, **state}.items()]
        return _html.table(["", " "], rows, "")
