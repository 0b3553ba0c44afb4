"""A roster as a table, whatever it came from: which of its columns is which, and what is answered about its people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from connectors._roster import DATES, TEXTS, Reading
from connectors._roster_settings import COLUMNS, RosterSettings
from reconciler.connector import Answer, Ended, Identity, Incomplete, Page


def places(settings: RosterSettings, header: Sequence[str], source: str, where: str) -> dict[str, int]:
    """Table column -> place in the row. Raises Incomplete, beginning with `where`, on headers that are doubled or missing."""
    names = [cell.strip() for cell in header]
    doubled = sorted({name for name in names if names.count(name) > 1 and name})
    if doubled:
        raise Incomplete(f"{where}: the header {doubled[0]!r} stands there twice; which one is meant?")
    found = {column: _named(names, column, name, where) for column, name in settings.columns.items()}
    for column in COLUMNS if settings.known else ():
        at = settings.known.place(column, names) if settings.known and column not in found else None
        if at is not None:
            found[column] = at
    _own_names(names, found, where)
    missing = [column for column in ("employee_id", "status") if column not in found]
    if missing:
        raise Incomplete(
            f'{where}: no header for {missing[0]}; name it in [connectors.{source}]: columns = {{ {missing[0]} = "…" }}. '
            f"There are: {', '.join(names)}"
        )
    return found | {f"extra.{name}": _named(names, "extra", name, where) for name in settings.extra}


def _named(names: Sequence[str], column: str, name: str, where: str) -> int:
    if name in names:
        return names.index(name)
    near = get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise Incomplete(f"{where}: no header {name!r} for {column}{hint} There are: {', '.join(names)}")


def _own_names(names: Sequence[str], places: dict[str, int], where: str) -> None:
    """Headers that need no mapping: the table's own names, in any case, blanks and dashes as underscores."""
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        own = re.sub(r"[\s_-]+", "_", name.casefold())
        if own not in ("person_id", "status", *TEXTS, *DATES) or own in places or at in places.values():
            continue
        if own in found:
            raise Incomplete(f"{where}: {names[found[own]]!r} and {name!r} both mean {own}; name one in columns")
        found[own] = at
    places |= found


def reading(settings: RosterSettings, source: str, header: Sequence[str], headers: Mapping[str, int], unit: str) -> Reading:
    """A reading that speaks of columns in HR's words."""
    return Reading(source, settings, {column: header[at].strip() for column, at in headers.items()}, unit=unit)


def answers(
    settings: RosterSettings,
    read: Reading,
    total: int,
    where: str,
    pages: int = 1,
    declared: int | None = None,
    identity: str | None = None,
) -> Iterator[Answer]:
    """The people of a roster that was read, every one of its `total` rows accounted for.

    `declared` is the source's own count, `identity` who answered; without it that is the company which most rows name.
    """
    people, found = len(read.people), pc.count_distinct(read.people["person_id"]).as_py()
    yield Identity(identity or _company(read.people["company"]))
    more = read.collapsed
    for part in read.people.chunks():
        yield Page("people", part, "rows", len(part["person_id"]) + more)
        more = 0
    yield from read.defects
    if found < settings.min_people:
        raise Incomplete(
            f"{where}: {found} people, fewer than min_people = {settings.min_people}; is the export whole? If so, lower min_people"
        )
    yield Ended("rows", pages, people + read.collapsed + len(read.defects), total if declared is None else declared)


def _company(companies: pa.ChunkedArray) -> str:
    """Whose roster it is: the company most rows name, or nobody's in particular."""
    names = {each["values"]: each["counts"] for each in pc.value_counts(companies.drop_null()).to_pylist()}
    return max(sorted(names), key=lambda name: names[name]) if names else "a roster"
