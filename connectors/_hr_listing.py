"""Listings of people over HTTP: every record once, as many as are counted, while nothing moves; values as a file would have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors._roster_settings import RosterSettings
from reconciler.connector import Incomplete

READINGS = 3  # of a listing that changes while it is read
MOST_PAGES = 10_000
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?)?(?:Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class Told:
    """All records as rows of text, how many pages they came on, and how many the system counts itself."""

    rows: Sequence[Mapping[str, str]]
    pages: int
    declared: int | None


class Moved(Incomplete):
    """The listing changed while it was read; another reading may be whole."""


def steady(read: Callable[[], Told], again: Callable[[], Told] | None = None, key: str = "id") -> Told:
    """A reading during which nothing moved; raises Incomplete when there is none in a few tries.

    `again` is a second reading of the ids of a listing that came on several pages: when one leaves and one joins while
    it is read, everybody behind moves by a place, somebody is skipped, and the count is right all the same.
    """

    def once() -> Told:
        told = read()
        if again is not None and told.pages > 1 and {row[key] for row in told.rows} != {row[key] for row in again().rows}:
            raise Moved("two readings gave different people; the listing moved while it was read")
        return told

    for _ in range(READINGS - 1):
        try:
            return once()
        except Moved:
            continue
    return once()


def distinct(root: str, ids: Sequence[object], declared: int | None) -> None:
    """Every record once, and as many as the system counts."""
    if len(set(ids)) != len(ids):
        raise Moved(f"{root}: {len(ids) - len(set(ids))} records came twice; the listing moved while it was read")
    if declared is not None and len(ids) != declared:
        raise Moved(f"{root}: {len(ids)} records came, but {declared} are counted; the listing moved, or was cut")


def wanted(settings: RosterSettings) -> dict[str, Sequence[str]]:
    """Column -> the names its field may have: the configured one, or what the preset knows."""
    known = dict(settings.known.columns) if settings.known else {}
    return {
        **known,
        **{column: (name,) for column, name in settings.columns.items()},
        **{f"extra.{name}": (name,) for name in settings.extra},
    }


def records(root: str, answer: Mapping[str, Any], *names: str) -> list[dict[str, Any]]:
    """The list of objects that an answer holds under one of these names."""
    found = next((answer[name] for name in names if name in answer), None)
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise Incomplete(f"{root}: the answer holds no list called {names[0]}; is the address right?")
    return found


def count(root: str, told: object, name: str) -> int:
    if isinstance(told, bool) or not isinstance(told, (int, str)) or not str(told).isdecimal():
        raise Incomplete(f"{root}: the answer does not say how many there are ({name})")
    return int(told)


def text(value: object) -> str:
    """A value as a file would have it; a day with midnight and an offset is the day that stands there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    day = _DAY.fullmatch(value) if isinstance(value, str) else None
    return day[1] if day else str(value)
