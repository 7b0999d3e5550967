"""What went wrong: an exception for each kind of error, with what to do and the place in the statement."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """What went wrong.

    `message` says what and where, `hint` what to do (or `None`), `position` is the line and the column in the
    statement, both from 1 (or `None`), `kind` is one of the kinds that REST and the command line tell: `syntax`,
    `usage`, `not-found`, `exists`, `conflict`, `permission`, `limit`, `unavailable`, `interrupted`, `io`,
    `unsupported`, `execution`, `internal`.
    """

    kind = "internal"

    def __init__(self, message: str, hint: str | None = None, position: tuple[int, int] | None = None):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.position = position

    def __str__(self) -> str:
        place = f" at line {self.position[0]}, column {self.position[1]}" if self.position else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.message}{place}{hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.hint, self.position)


class SqlSyntaxError(Error):
    """The text is no SQL."""

    kind = "syntax"


class UsageError(Error, ValueError):
    """It makes no sense: other types, arguments or values than there may be, or a database that is closed."""

    kind = "usage"


class NotFoundError(Error, LookupError):
    """Something is named that is not there."""

    kind = "not-found"


class ExistsError(Error):
    """Something is made that is there already."""

    kind = "exists"


class ConflictError(Error):
    """Somebody else changed meanwhile what this would have changed."""

    kind = "conflict"


class NotPermittedError(Error):
    """The session may not do this."""

    kind = "permission"


class LimitError(Error):
    """A limit on calls, tokens, cost, memory or time is reached."""

    kind = "limit"


class UnavailableError(Error):
    """A server or model cannot be reached."""

    kind = "unavailable"


class InterruptedError(Error):
    """Whoever asked for it ended it."""

    kind = "interrupted"


class StorageError(Error):
    """A file or disk failed."""

    kind = "io"


class UnsupportedError(Error, NotImplementedError):
    """It makes sense, and is not supported."""

    kind = "unsupported"


class ExecutionError(Error):
    """It failed while it ran, by its data."""

    kind = "execution"


class InternalError(Error):
    """A fault of the program's own."""

    kind = "internal"


_BY_KIND = {
    of.kind: of
    for of in (
        SqlSyntaxError,
        UsageError,
        NotFoundError,
        ExistsError,
        ConflictError,
        NotPermittedError,
        LimitError,
        UnavailableError,
        InterruptedError,
        StorageError,
        UnsupportedError,
        ExecutionError,
        InternalError,
    )
}


def of_kind(kind: str, message: str, hint: str | None, position: tuple[int, int] | None) -> Error:
    """The exception of a kind; one that this module does not know yet is an `Error`."""
    return _BY_KIND.get(kind, Error)(message, hint, position)
