"""What the library says of its work goes to the loggers `populace` and `populace.…`."""

from __future__ import annotations

import logging

from . import _populace

logger = logging.getLogger("populace")
# As libraries do: who wants to hear of it says so.
logger.addHandler(logging.NullHandler())


def follow() -> None:
    """Tells the library the level that is wanted now: what nobody hears is not made."""
    handled = logger.handlers[1:] or logger.propagate and logging.root.handlers
    _populace.log_level(min(logger.getEffectiveLevel(), 255) if handled else 255)


def emit(records: list[tuple[int, str, str, float]]) -> None:
    for level, name, text, at in records:
        of = logging.getLogger(name)
        if of.isEnabledFor(level):
            record = of.makeRecord(name, level, "(populace)", 0, text, (), None)
            record.created, record.msecs = at, (at % 1) * 1000
            of.handle(record)
