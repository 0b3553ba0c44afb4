"""A roster in a CSV file: read once, whole or not at all, every line accounted for."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from connectors._roster import DATES, TEXTS, Reading, RosterSettings, Row, columns_of
from reconciler.connector import Answer, AsOf, Context, Ended, FileRef, Identity, Incomplete, Need, Page, duration

NEEDS = (Need("read", "the roster file", "nothing can be said about anybody"),)

LONGEST_CELL = 10_000  # characters; more is a quote that was never closed
LARGEST_FILE = 1 << 30
SETTLE = 0.05  # seconds the file must not grow in

# Headers that need no mapping: the table's own names, in any case, blanks and dashes as underscores.
_KNOWN = ("person_id", "status", *TEXTS, *DATES)
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Settings(RosterSettings):
    """A CSV file; dates, delimiter and encoding are declared, never guessed."""

    kind: Literal["hr_file"]
    path: FileRef
    preset: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    covers: Literal["full-history", "current-only"] = "full-history"


@dataclass(frozen=True)
class _File:
    body: bytes
    changed: datetime


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The people of a roster. Raises Incomplete naming file, line and column, what was found and what is allowed."""
    file = _whole(settings.path)
    _fresh(settings, file, context)
    yield AsOf(file.changed)
    records = _records(settings, _text(settings, file.body))
    headers = _headers(settings, records[0][1])
    reading = Reading(settings, {column: records[0][1][at] for column, at in headers.items()})
    rows = list(_rows(settings, reading, records, headers))
    if not rows:
        raise Incomplete(f"{settings.path}: has a header and no people; is the export empty?")
    reading.read(rows)
    people = [person | {"extra": _extra(settings, row)} for row, person in reading.people]
    yield Identity(_company(people))
    yield Page("people", dict(columns_of(people)), "rows", len(people) + reading.collapsed)
    yield from reading.defects
    _enough(settings, people)
    yield Ended("rows", 1, len(records) - 1, _physical_lines(file.body, settings) - 1)


def _enough(settings: Settings, people: Sequence[dict[str, object]]) -> None:
    found = len({person["person_id"] for person in people})
    if found < settings.min_people:
        raise Incomplete(f"{settings.path}: {found} people, fewer than min_people = {settings.min_people}; is the export whole?")


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
        raise Incomplete(f"{path}: cannot be read: {problem.strerror}") from None
    if before.st_size > LARGEST_FILE:
        raise Incomplete(f"{path}: {before.st_size} bytes; more than {LARGEST_FILE} is no roster")
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(body) != after.st_size:
        raise Incomplete(f"{path}: is still being written; have the exporter write beside it and rename")
    if not body.strip():
        raise Incomplete(f"{path}: is empty")
    return _File(body, datetime.fromtimestamp(after.st_mtime, UTC))


def _fresh(settings: Settings, file: _File, context: Context) -> None:
    age = context.now - file.changed
    if age > duration(settings.max_age):
        raise Incomplete(
            f"stale: {settings.path} is from {file.changed:%Y-%m-%d %H:%M} UTC, older than max_age = {settings.max_age}; has the export stopped?"
        )


_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def _text(settings: Settings, body: bytes) -> str:
    """The text in its declared encoding; nothing is guessed, and nothing is replaced."""
    declared = settings.encoding.lower()
    for mark, encoding in _MARKS:
        if body.startswith(mark) and not declared.replace("_", "-").startswith(encoding):
            raise Incomplete(
                f"{settings.path}: begins with the mark of {encoding}, but encoding = {settings.encoding!r} is configured"
            )
    try:
        text = body.decode("utf-8-sig" if declared in ("utf-8", "utf8") else declared)
    except LookupError:
        raise Incomplete(
            f"{settings.path}: unknown encoding {settings.encoding!r}; allowed: utf-8, cp1252, utf-16 and others Python knows"
        ) from None
    except UnicodeDecodeError as problem:
        line = body.count(b"\n", 0, problem.start) + 1
        raise Incomplete(
            f"{settings.path}: line {line}: byte 0x{body[problem.start]:02x} is not {settings.encoding}; is it cp1252?"
        ) from None
    found = _UNREADABLE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise Incomplete(
            f"{settings.path}: line {line}: control character U+{ord(found[0]):04X}; is encoding = {settings.encoding!r} right?"
        )
    return text


def _records(settings: Settings, text: str) -> list[tuple[int, list[str]]]:
    """(line, cells) of every record. One record is one line: a stray quote can never swallow people."""
    csv.field_size_limit(LONGEST_CELL)
    records, line = [], 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=settings.delimiter, strict=True)
    try:
        for cells in reader:
            line += 1
            if reader.line_num != line:
                raise Incomplete(
                    f"{settings.path}: line {line}: a quote opens here and closes on line {reader.line_num}; a cell may not span lines"
                )
            if any(cell.strip() for cell in cells):
                records.append((line, cells))
    except csv.Error as problem:
        raise Incomplete(f"{settings.path}: line {line + 1}: {problem}; is there a stray quote?") from None
    if len(records[0][1]) == 1:
        raise Incomplete(
            f"{settings.path}: one single column with delimiter = {settings.delimiter!r}; the header is {records[0][1][0][:80]!r}"
        )
    if len(records[-1][1]) < len(records[0][1]):
        raise Incomplete(
            f"{settings.path}: line {records[-1][0]}: the last line has {len(records[-1][1])} of {len(records[0][1])} columns: the file was cut off"
        )
    return records


def _physical_lines(body: bytes, settings: Settings) -> int:
    """Lines with something on them, counted without the CSV reader: an independent count of the records."""
    lines = body.decode("utf-8-sig" if settings.encoding.lower() in ("utf-8", "utf8") else settings.encoding)
    blank = settings.delimiter + ' \t"'
    return sum(1 for line in re.split("\r\n|\n|\r", lines) if line.strip(blank))


def _headers(settings: Settings, header: Sequence[str]) -> dict[str, int]:
    """Table column -> place in the row. Raises Incomplete on headers that are doubled or missing."""
    names = [cell.strip() for cell in header]
    doubled = sorted({name for name in names if names.count(name) > 1 and name})
    if doubled:
        raise Incomplete(f"{settings.path}: line 1: the header {doubled[0]!r} stands there twice; which one is meant?")
    places = {column: names.index(name) for column, name in settings.columns.items() if name in names}
    for column, name in settings.columns.items():
        if column not in _KNOWN and column != "extra":
            near = get_close_matches(column, _KNOWN, 1)
            raise Incomplete(f"columns.{column}: is no column of people" + (f"; did you mean {near[0]}?" if near else ""))
        if column not in places:
            near = get_close_matches(name, names, 1)
            raise Incomplete(
                f"{settings.path}: line 1: no header {name!r} for {column}"
                + (f"; did you mean {near[0]!r}?" if near else "")
                + f" There are: {', '.join(names)}"
            )
    for at, name in enumerate(names):
        own = re.sub(r"[\s-]+", "_", name.casefold())
        if own in _KNOWN and own not in places and at not in places.values():
            places[own] = at
    missing = [column for column in ("employee_id", "status") if column not in places]
    if missing:
        raise Incomplete(
            f'{settings.path}: line 1: no header for {missing[0]}; name it: columns = {{ {missing[0]} = "…" }}. There are: {", ".join(names)}'
        )
    return places | {f"extra.{name}": names.index(name) for name in settings.extra if name in names}


def _rows(
    settings: Settings, reading: Reading, records: Sequence[tuple[int, list[str]]], headers: dict[str, int]
) -> Iterator[Row]:
    """The data rows; one with another number of columns than the header is rejected, with its line."""
    width = len(records[0][1])
    for line, cells in records[1:]:
        if len(cells) == width:
            yield Row(line, {column: cells[at] for column, at in headers.items()})
        else:
            own = {column: cells[at] for column, at in headers.items() if at < len(cells)}
            reading.reject(
                Row(line, own),
                "row",
                f"{len(cells)} columns",
                f"{width} columns",
                f"line {line} has {len(cells)} columns, the header has {width}",
            )


def _extra(settings: Settings, row: Row) -> str | None:
    kept = {name: row.cells[f"extra.{name}"] for name in settings.extra if f"extra.{name}" in row.cells}
    return json.dumps(kept, ensure_ascii=False) if kept else None


def _company(people: Sequence[dict[str, object]]) -> str:
    """Whose roster it is: the company most rows name, or nobody's in particular."""
    names = [str(person["company"]) for person in people if person["company"]]
    return max(sorted(set(names)), key=names.count) if names else "a roster"
