"""Arguments: of the type that is wanted, within bounds, or an error that names them."""

from __future__ import annotations

import operator
import os
from typing import Any

from ._errors import UsageError


def text(name: str, value: Any, optional: bool = False) -> Any:
    if not isinstance(value, str) and not (optional and value is None):
        raise TypeError(f"{name}: a text, not {type(value).__name__}")
    return value


def whole(name: str, value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: a whole number, not {type(value).__name__}")
    number = operator.index(value)
    if not least <= number <= most:
        raise UsageError(f"{name}: from {least} to {most}, not {number}")
    return number


def seed_of(seed: int | None) -> int:
    """A seed, or a fresh one of 53 bits, which JSON and spreadsheets keep."""
    return int.from_bytes(os.urandom(7), "big") >> 3 if seed is None else whole("seed", seed, most=2**64 - 1)


def quoted_text(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
