"""A roster in a file, CSV or XLSX: read once, whole or not at all, every row accounted for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field

from connectors import _workbook
from connectors._csv_lines import Line, Lines, lines_of, text_of
from connectors._file_proof import Trailer, agreed, cut_last_row, cut_trailer, summed
from connectors._roster import DATES, ROW, Reading, Row
from connectors._roster_sample import suggest
from connectors._roster_settings import Delimiter, Encoding, RosterSettings
from connectors._roster_table import answers, places, reading
from reconciler.connector import Answer, AsOf, Context, Defect, FileRef, Incomplete, Need, duration

__all__ = ["NEEDS", "Settings", "read", "suggest"]

NEEDS = (Need("read", "the roster file", "nothing can be said about anybody"),)

LARGEST_FILE = 1 << 30
SETTLE = 0.05  # seconds the file must not grow in

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Settings(RosterSettings):
    """A CSV file, or one sheet of a workbook (.xlsx); dates, delimiter and encoding are declared, never guessed."""

    kind: Literal["hr_file"]
    path: FileRef
    encoding: Encoding = "utf-8"
    delimiter: Delimiter = ","
    sheet: str | None = Field(None, description="Of a workbook: the sheet to read, where several have content.")
    checksum: FileRef | None = Field(None, description="A file beside the roster that holds its SHA-256, SHA-384 or SHA-512.")
    trailer: Trailer | None = Field(
        None, description="A regular expression of the last line, with a group around the number of rows."
    )


@dataclass(frozen=True)
class _File:
    body: bytes
    changed: datetime


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The people of a roster. Raises Incomplete naming file, line and column, what was found and what is allowed."""
    file = _whole(settings.path)
    _fresh(settings, file, context)
    if settings.checksum is not None:
        summed(settings.path, file.body, settings.checksum)
    yield AsOf(file.changed)
    lines, told = _lines(settings, file.body)
    del file  # as large as the text that was made of it
    headers = places(settings, lines.header, context.source, f"{settings.path}: {lines.unit} {lines.first}")
    if not lines.rows:
        raise Incomplete(f"{settings.path}: has a header and no people; is the export empty?")
    agreed(settings.path, len(lines.rows), told)
    made = reading(settings, context.source, lines.header, headers, lines.unit)
    made.read(_rows(settings, made, lines, headers), len(lines.rows))
    yield from answers(settings, made, len(lines.rows), str(settings.path))


def _lines(settings: Settings, body: bytes) -> tuple[Lines, int | None]:
    """The file's rows, and how many its last line says there are."""
    told, path = None, settings.path
    if path.suffix.lower() == ".xlsx":
        lines = _workbook.lines_of(path, body, settings.sheet, settings.date_format)
        return cut_last_row(path, lines, settings.trailer) if settings.trailer else (lines, None)
    text = text_of(path, body, settings.encoding)
    if settings.trailer:
        text, told = cut_trailer(path, text, settings.trailer)
    return lines_of(path, text, settings.delimiter), told


# --- the file ---------------------------------------------------------------------------------------------------


def _whole(path: Path) -> _File:
    """The file's bytes, read once; a file that changes meanwhile is not whole."""
    if path.suffix.lower() in (".xls", ".xlsm", ".xlsb", ".ods", ".numbers"):
        raise Incomplete(f"{path}: is no kind of workbook that is read; save it as .xlsx or the sheet as CSV")
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


# --- rows -------------------------------------------------------------------------------------------------------


def _rows(settings: Settings, reading: Reading, lines: Lines, headers: Mapping[str, int]) -> Iterator[Row]:
    """The data rows; one that is broken is quarantined with its line, unless nobody can tell whose it is."""
    width, eaten, last = len(lines.header), _eaten(settings, lines, headers), lines.rows[-1].number
    for line in lines.rows:
        row = Row(line.number, {column: line.cells[at] for column, at in headers.items() if at < len(line.cells)})
        if line.broken or len(line.cells) != width:
            _break(settings, reading, line, row, width, lines.unit)
        elif line.odd and (odd := _workbook.unfit(line, headers) or eaten.get(line.number)):
            reading.quarantine(row, *odd, f"{lines.unit} {line.number} holds {odd[1]}")
        elif line.number == last and not lines.ended and not _believed(settings, lines, row, headers):
            reading.defects.append(_cut_off(reading, line, row, lines.header[-1].strip()))
        else:
            yield row


def _eaten(settings: Settings, lines: Lines, headers: Mapping[str, int]) -> dict[int, tuple[str, str, str]]:
    """Rows of a workbook whose id is a number that may have lost its zeros; where an id_pattern is declared, it decides."""
    at = headers["employee_id"]
    short = set() if settings.id_pattern or lines.unit == "line" else _workbook.shortened(lines.rows, at)
    due = "an id as text, as in other rows, or an id_pattern that both fit"
    return {
        line.number: ("employee_id", f"{line.cells[at]} (a number, where other ids are texts with leading zeros)", due)
        for line in lines.rows
        if line.number in short
    }


def _break(settings: Settings, reading: Reading, line: Line, row: Row, width: int, unit: str) -> None:
    email = next((cell.strip() for cell in line.cells if _EMAIL.fullmatch(cell.strip())), None)
    known = row.cells.get("employee_id", "").strip()
    fits = known if not settings.id_pattern or re.fullmatch(settings.id_pattern, known, re.ASCII) else ""
    found, allowed = (
        (line.broken, "quotes in pairs around a cell, on one line" if unit == "line" else "a row in sight, of cells of its own")
        if line.broken
        else (f"{len(line.cells)} columns", f"{width} columns")
    )
    problem = (
        f"{unit} {line.number}: {line.broken}" if line.broken else f"{unit} {line.number} has {found}, the header has {width}"
    )
    if not fits and not email:
        raise Incomplete(f"{settings.path}: {problem}, and whose row it is cannot be told; mend it")
    reading.quarantine(Row(row.line, {**row.cells, "employee_id": fits, "work_email": email or ""}), ROW, found, allowed, problem)


def _believed(settings: Settings, lines: Lines, row: Row, headers: Mapping[str, int]) -> bool:
    """Whether the last cell of a file that ends without a line break is whole: nobody reads it, or another row says the same."""
    last = len(lines.header) - 1
    columns = [column for column, at in headers.items() if at == last]
    text = lines.rows[-1].cells[last]
    if not columns or any(line.cells[last:] == [text] for line in islice(lines.rows, len(lines.rows) - 1)):
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
