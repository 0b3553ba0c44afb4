"""The `query` of users.list and groups.list, in its simple forms: `email:jo* orgUnitPath='/Sales' isSuspended=true`.

Source: developers.google.com/workspace/admin/directory/v1/guides/search-users. Every clause must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_CLAUSE = re.compile(r"""\s*(\w[\w.]*)\s*(=|:)\s*('(?:[^'\\]|\\.)*'|"[^"]*"|[^\s'"]+)""")

Row = Mapping[str, Any]

_NAMES: dict[str, Callable[[Row], Iterable[str]]] = {
    "email": lambda row: (row.get("primaryEmail") or row.get("email", ""), *row.get("aliases", ())),
    "givenName": lambda row: (row["name"].get("givenName", ""),),
    "familyName": lambda row: (row["name"].get("familyName", ""),),
    "name": lambda row: _words_of(row["name"]) if isinstance(row["name"], dict) else (row["name"],),
    "orgUnitPath": lambda row: (row.get("orgUnitPath", ""),),
    "externalId": lambda row: (str(one.get("value")) for one in row.get("externalIds", ())),
    "orgDepartment": lambda row: (one.get("department", "") for one in row.get("organizations", ())),
    "orgTitle": lambda row: (one.get("title", "") for one in row.get("organizations", ())),
    "manager": lambda row: (one.get("value", "") for one in row.get("relations", ()) if one.get("type") == "manager"),
    "directManager": lambda row: (one.get("value", "") for one in row.get("relations", ()) if one.get("type") == "manager"),
    "isAdmin": lambda row: _flag(row, "isAdmin"),
    "isDelegatedAdmin": lambda row: _flag(row, "isDelegatedAdmin"),
    "isSuspended": lambda row: _flag(row, "suspended"),
    "isArchived": lambda row: _flag(row, "archived"),
    "isEnrolledIn2Sv": lambda row: _flag(row, "isEnrolledIn2Sv"),
}


class BadQuery(ValueError):
    """A clause that cannot be read, or a field that cannot be searched."""


def matcher(query: str) -> Callable[[Row], bool]:
    """What a row must be like; raises BadQuery."""
    clauses = [_clause(*told) for told in _split(query)]
    return lambda row: all(clause(row) for clause in clauses)


def _split(query: str) -> Iterable[tuple[str, str, str]]:
    here = 0
    while query[here:].strip():
        found = _CLAUSE.match(query, here)
        if found is None:
            raise BadQuery(query[here:])
        yield found[1], found[2], found[3].strip("'\"").replace("\\'", "'")
        here = found.end()


def _clause(name: str, operator: str, value: str) -> Callable[[Row], bool]:
    words = _NAMES.get(name)
    if words is None:
        raise BadQuery(name)
    wanted = value.casefold()
    if value.endswith("*"):
        return lambda row: any(word.casefold().startswith(wanted[:-1]) for word in words(row))
    if operator == ":" and name not in ("email", "orgUnitPath"):
        return lambda row: any(wanted in word.casefold() for word in words(row))
    if name == "orgUnitPath":  # an organisational unit and everything below it
        return lambda row: any(f"{word.casefold()}/".startswith(wanted.rstrip("/") + "/") for word in words(row))
    return lambda row: any(word.casefold() == wanted for word in words(row))


def _words_of(name: Row) -> tuple[str, ...]:
    return tuple(str(word) for word in name.values())


def _flag(row: Row, name: str) -> tuple[str, ...]:
    return ("true" if row.get(name) else "false",)
