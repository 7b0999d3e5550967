"""People and tables as notebooks show them. Everything that comes from rows is escaped."""

from __future__ import annotations

from html import escape
from typing import Any

CARDS = 6
ROWS = 10
LETTERS = 220

_CARD = (
    "border:1px solid #8884;border-radius:8px;padding:.6em .8em;width:17em;display:inline-block;"
    "vertical-align:top;margin:.3em"
)
_PLACES = (
    "city",
    "commune",
    "municipality",
    "planning_area",
    "district",
    "county",
    "departement",
    "prefecture",
    "province",
    "state",
    "region",
)
_SHOWN = ("occupation", "education_level", "marital_status", "race_ethnicity", "religion")


def words(value: Any) -> str:
    """A level or a text as it is read: cut where it is long."""
    text = str(value).replace("_", " ")
    return text if len(text) <= LETTERS else text[:LETTERS].rsplit(" ", 1)[0] + " …"


def name_of(person: dict[str, Any]) -> str:
    """The whole name, its parts in the order in which people say them."""
    parts = ["first_name", "middle_name", "last_name"]
    if person.get("country") == "JPN" or person.get("name_order") == "Family Name First":
        parts = ["last_name", "first_name"]
    elif person.get("name_order") == "Western Name First":
        parts = ["first_name", "last_name", "middle_name"]
    names = [person.get(part) for part in parts]
    return " ".join(str(name) for name in names if name) or "somebody"


def is_person(columns: list[str]) -> bool:
    return "uuid" in columns and "age" in columns


def card(person: dict[str, Any]) -> str:
    """A card about a person: name, age, place, what is known, and the first words of the text."""
    place = ", ".join(str(person[part]) for part in _PLACES if person.get(part))
    about = ", ".join(
        str(part) for part in (person.get("age"), person.get("sex"), place) if part is not None and part != ""
    )
    facts = "".join(f"<div>{escape(words(person[part]))}</div>" for part in _SHOWN if person.get(part))
    text = f'<p style="margin:.5em 0 0">{escape(words(person["persona"]))}</p>' if person.get("persona") else ""
    return (
        f'<div style="{_CARD}"><strong>{escape(name_of(person))}</strong>'
        f'<div style="opacity:.7">{escape(about)}</div>{facts}{text}</div>'
    )


def cards(people: list[dict[str, Any]], told: str) -> str:
    return f'<div>{"".join(card(person) for person in people)}<div style="opacity:.7">{escape(told)}</div></div>'


def cell(value: Any) -> str:
    if value is None:
        return '<span style="opacity:.5">NULL</span>'
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and value and isinstance(value[0], float):
        return f"[{len(value)} numbers]"
    text = str(value)
    return escape(text if len(text) <= LETTERS else text[:LETTERS] + " …")


def table(columns: list[str], rows: list[dict[str, Any]], told: str) -> str:
    head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell(row[name])}</td>" for name in columns) + "</tr>" for row in rows)
    return (
        f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f'<div style="opacity:.7">{escape(told)}</div></div>'
    )
