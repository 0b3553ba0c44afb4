"""A roster in a CSV file: read once, whole or not at all, every line accounted for."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import Field

from connectors._csv_lines import Line, Lines, lines_of, text_of
from connectors._roster import DATES, ROW, TEXTS, Reading, Row, columns_of
from connectors._roster_sample import suggest
from connectors._roster_settings import COLUMNS, Delimiter, Encoding, RosterSettings
from reconciler.connector import Answer, AsOf, Context, Defect, Ended, FileRef, Identity, Incomplete, Need, Page, duration

__all__ = ["NEEDS", "Settings", "read", "suggest"]

NEEDS = (Need("read", "the roster file", "nothing can be said about anybody"),)

LARGEST_FILE = 1 << 30
SETTLE = 0.05  # seconds the file must not grow in

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Settings(RosterSettings):
    """A CSV file; dates, delimiter and encoding are declared, never guessed."""

    kind: Literal["hr_file"]
    path: FileRef
    encoding: Encoding = "utf-8"
    delimiter: Delimiter = ","
    covers: Literal["full-history", "current-only"] = "full-history"
    extra: list[str] = Field(default_factory=list, description="Further columns to keep.")


@dataclass(frozen=True)
class _File:
    body: bytes
    changed: datetime


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The people of a roster. Raises Incomplete naming file, line and column, what was found and what is allowed."""
    file = _whole(settings.path)
    _fresh(settings, file, context)
    yield AsOf(file.changed)
    lines = lines_of(settings.path, text_of(settings.path, file.body, settings.encoding), settings.delimiter)
    headers = _headers(settings, lines.header, context.source)
    if not lines.rows:
        raise Incomplete(f"{settings.path}: has a header and no people; is the export empty?")
    reading = Reading(context.source, settings, {column: lines.header[at].strip() for column, at in headers.items()})
    reading.read(list(_rows(settings, reading, lines, headers)), len(lines.rows))
    people = [person | {"extra": _extra(settings, row)} for row, person in reading.people]
    yield Identity(_company(people))
    yield Page("people", dict(columns_of(people)), "rows", len(people) + reading.collapsed)
    yield from reading.defects
    _enough(settings, people)
    yield Ended("rows", 1, len(people) + reading.collapsed + len(reading.defects), len(lines.rows))


def _enough(settings: Settings, people: Sequence[dict[str, object]]) -> None:
    found = len({person["person_id"] for person in people})
    if found < settings.min_people:
        raise Incomplete(
            f"{settings.path}: {found} people, fewer than min_people = {settings.min_people}; is the export whole? If so, lower min_people"
        )


# --- the file ---------------------------------------------------------------------------------------------------


def _whole(path: Path) -> _File:
    """The file's bytes, read once; a file that changes meanwhile is not whole."""
    if path.suffix.lower() in (".xlsx", ".xls"):
        raise Incomplete(f"{path}: workbooks are not read yet; save the sheet as CSV")
    try:
        before = path.stat()
        body = path.read_bytes() if before.st_size <= LARGEST_FILE else b""
        time.sleep(SETTLE)
        after = path.stat()
    except OSError as problem:
        raise Incomplete(f"{path}: cannot be read: {problem.strerror}; is the path right, and may this user read it?") from None
    if before.st_size > LARGEST_FILE:
        raise Incomplete(f"{path}: {before.st_size} bytes; more than {LARGEST_FILE} is no roster")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(body) != after.st_size:
        raise Incomplete(f"{path}: is still being written; have the exporter write beside it and rename")
    if not body.strip():
        raise Incomplete(f"{path}: is empty; has the export failed?")
    return _File(body, datetime.fromtimestamp(after.st_mtime, UTC))


def _fresh(settings: Settings, file: _File, context: Context) -> None:
    if context.now - file.changed > duration(settings.max_age):
        raise Incomplete(
            f"stale: {settings.path} is from {file.changed:%Y-%m-%d %H:%M} UTC, older than max_age = {settings.max_age} "
            f"at {context.now:%Y-%m-%d %H:%M} UTC; has the export stopped?"
        )


# --- headers ----------------------------------------------------------------------------------------------------


def _headers(settings: Settings, header: Sequence[str], source: str) -> dict[str, int]:
    """Table column -> place in the row. Raises Incomplete on headers that are doubled or missing."""
    names = [cell.strip() for cell in header]
    doubled = sorted({name for name in names if names.count(name) > 1 and name})
    if doubled:
        raise Incomplete(f"{settings.path}: line 1: the header {doubled[0]!r} stands there twice; which one is meant?")
    places = {column: _named(settings, names, column, name) for column, name in settings.columns.items()}
    for column in COLUMNS if settings.known else ():
        at = settings.known.place(column, names) if settings.known and column not in places else None
        if at is not None:
            places[column] = at
    _own_names(settings, names, places)
    missing = [column for column in ("employee_id", "status") if column not in places]
    if missing:
        raise Incomplete(
            f'{settings.path}: line 1: no header for {missing[0]}; name it in [connectors.{source}]: columns = {{ {missing[0]} = "…" }}. '
            f"There are: {', '.join(names)}"
        )
    return places | {f"extra.{name}": _named(settings, names, "extra", name) for name in settings.extra}


def _named(settings: Settings, names: Sequence[str], column: str, name: str) -> int:
    if name in names:
        return names.index(name)
    near = get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise Incomplete(f"{settings.path}: line 1: no header {name!r} for {column}{hint} There are: {', '.join(names)}")


def _own_names(settings: Settings, names: Sequence[str], places: dict[str, int]) -> None:
    """Headers that need no mapping: the table's own names, in any case, blanks and dashes as underscores."""
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        own = re.sub(r"[\s_-]+", "_", name.casefold())
        if own not in ("person_id", "status", *TEXTS, *DATES) or own in places or at in places.values():
            continue
        if own in found:
            raise Incomplete(f"{settings.path}: line 1: {names[found[own]]!r} and {name!r} both mean {own}; name one in columns")
        found[own] = at
    places |= found


# --- rows -------------------------------------------------------------------------------------------------------


def _rows(settings: Settings, reading: Reading, lines: Lines, headers: Mapping[str, int]) -> Iterator[Row]:
    """The data rows; one that is broken is quarantined with its line, unless nobody can tell whose it is."""
    width = len(lines.header)
    for line in lines.rows:
        row = Row(line.number, {column: line.cells[at] for column, at in headers.items() if at < len(line.cells)})
        if line.broken or len(line.cells) != width:
            _break(settings, reading, line, row, width)
        elif line is lines.rows[-1] and not lines.ended and not _believed(settings, lines, row, headers):
            reading.defects.append(_cut_off(reading, line, row, lines.header[-1].strip()))
        else:
            yield row


def _break(settings: Settings, reading: Reading, line: Line, row: Row, width: int) -> None:
    email = next((cell.strip() for cell in line.cells if _EMAIL.fullmatch(cell.strip())), None)
    known = row.cells.get("employee_id", "").strip()
    fits = known if not settings.id_pattern or re.fullmatch(settings.id_pattern, known, re.ASCII) else ""
    found, allowed = (
        (line.broken, "quotes in pairs around a cell, on one line")
        if line.broken
        else (f"{len(line.cells)} columns", f"{width} columns")
    )
    problem = f"line {line.number}: {line.broken}" if line.broken else f"line {line.number} has {found}, the header has {width}"
    if not fits and not email:
        raise Incomplete(f"{settings.path}: {problem}, and whose row it is cannot be told; mend the line")
    reading.quarantine(Row(row.line, {**row.cells, "employee_id": fits, "work_email": email or ""}), ROW, found, allowed, problem)


def _believed(settings: Settings, lines: Lines, row: Row, headers: Mapping[str, int]) -> bool:
    """Whether the last cell of a file that ends without a line break is whole: nobody reads it, or another row says the same."""
    last = len(lines.header) - 1
    columns = [column for column, at in headers.items() if at == last]
    text = lines.rows[-1].cells[last]
    if not columns or any(line.cells[last:] == [text] for line in lines.rows[:-1]):
        return True
    if columns[0] == "status":
        return any(text.strip().casefold() == word.casefold() for listed in settings.statuses.values() for word in listed)
    if columns[0] in DATES:
        return len(text.strip()) == len(datetime(2026, 11, 22).strftime(settings.date_format))
    return columns[0] == "employee_id" and settings.id_pattern is not None


def _cut_off(reading: Reading, line: Line, row: Row, header: str) -> Defect:
    problem = f"line {line.number}, the last, ends without a line break: its {header!r} may have been cut off"
    return Defect(
        row.cells.get("employee_id") or None, line.number, header, line.cells[-1], "a line break at the end of the file", problem,
        work_email=row.cells.get("work_email") or None,
    )  # fmt: skip


def _extra(settings: Settings, row: Row) -> str | None:
    kept = {name: row.cells[f"extra.{name}"] for name in settings.extra if f"extra.{name}" in row.cells}
    return json.dumps(kept, ensure_ascii=False) if kept else None


def _company(people: Sequence[dict[str, object]]) -> str:
    """Whose roster it is: the company most rows name, or nobody's in particular."""
    names = Counter(str(person["company"]) for person in people if person["company"])
    return max(sorted(names), key=lambda name: names[name]) if names else "a roster"
