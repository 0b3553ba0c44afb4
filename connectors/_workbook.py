"""From the bytes of a workbook to the lines of one sheet, by a child process that may use only so much memory and time."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from connectors._csv_lines import LONGEST_CELL, UNREADABLE, Line, Lines
from connectors._roster import DATES
from reconciler.connector import Incomplete

log = logging.getLogger(__name__)

_CHILD = Path(__file__).with_name("_workbook_child.py")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # old workbooks, and new ones behind a password
_IDS = ("employee_id", "person_id", "manager_id")
_TEXT, _ID = "text", "an id as text, or a whole number"
_GOOD = {
    "date": ("date", "number"),
    "id": ("number",),
    "text": ("number", "fraction", "truth"),
    "extra": ("number", "fraction", "truth", "date"),
}
_SAID = {
    "formula": "a formula, whose value is what some spreadsheet once computed; paste values",
    "error": "an error of the spreadsheet",
    "date": "a date where text is due; a spreadsheet may have taken the text for one",
    "moment": "a time of day, or a date with one",
    "fraction": "a number with a fraction, or of more digits than a spreadsheet keeps",
    "truth": "a truth value",
    "number": "a number",
}


@dataclass(frozen=True)
class Limits:
    """What reading one workbook may take: bytes of memory, seconds of one core, bytes of its unpacked parts."""

    memory: int = 4 << 30
    seconds: int = 600
    unpacked: int = 1 << 30


def lines_of(path: Path, body: bytes, sheet: str | None, date_format: str, limits: Limits | None = None) -> Lines:
    """Header and rows of the sheet; raises Incomplete when there is no header, or the workbook cannot be trusted."""
    if path.name.startswith("~$"):
        raise Incomplete(f"{path}: is the mark a spreadsheet leaves beside an open file; name the file itself")
    if body.startswith(_OLE):
        raise Incomplete(f"{path}: is protected by a password, or an old workbook; save it as .xlsx without a password")
    found = [_line(row, date_format) for row in _rows(path, in_child(path, body, sheet, limits or Limits()))]
    if not found:
        raise Incomplete(f"{path}: is empty; has the export failed?")
    header, *rows = found
    if header.broken or set(header.odd.values()) - {"number", "date"}:
        raise Incomplete(
            f"{path}: row {header.number}: the header cannot be read: {header.broken or 'it has cells that are no text'}"
        )
    width = len(header.cells)
    return Lines(header.cells, [_widened(line, width) for line in rows], True, "row", header.number)


def in_child(path: Path, body: bytes, sheet: str | None, limits: Limits) -> bytes:
    """What the child prints; raises Incomplete when it is ended for what it takes, or stumbles."""
    told = json.dumps({**asdict(limits), "sheet": sheet})
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-P", str(_CHILD), told], input=body, capture_output=True, timeout=4 * limits.seconds, env=kept | {"OPENPYXL_LXML": "False"}
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Incomplete(f"{path}: could not be read in {4 * limits.seconds} seconds; no roster takes that") from None
    if done.returncode:
        raise Incomplete(f"{path}: is no workbook that can be read: {_why(done, limits)}")
    return done.stdout


def _why(done: subprocess.CompletedProcess[bytes], limits: Limits) -> str:
    last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    if "MemoryError" in last or "out of memory" in last:
        return f"it takes more than {limits.memory >> 20} MiB of memory"
    if done.returncode < 0:
        return f"it takes more than {limits.seconds} seconds or {limits.memory >> 20} MiB"
    return last[:200]


def _rows(path: Path, printed: bytes) -> Iterator[Any]:
    """The rows that were printed, all of them as the last line counts."""
    *rows, last = [json.loads(line) for line in printed.splitlines() if line] or [{}]
    if not isinstance(last, dict) or "refused" in last:
        raise Incomplete(f"{path}: {last['refused']}")
    if last.get("rows") != len(rows):
        raise Incomplete(f"{path}: was not read whole; try again")
    yield from rows


def _line(row: Any, date_format: str) -> Line:
    number, told, broken = row
    while told and told[-1] is None:
        told.pop()
    cells = [cell[1] if isinstance(cell, list) else cell or "" for cell in told]
    odd = {at: str(cell[0]) for at, cell in enumerate(told) if isinstance(cell, list)}
    for at in (at for at, kind in odd.items() if kind == "date"):
        cells[at] = date.fromisoformat(cells[at]).strftime(date_format)
    if not broken and any(len(cell) > LONGEST_CELL for cell in cells):
        broken = f"a cell is longer than {LONGEST_CELL} characters"
    if not broken and (control := next(filter(None, map(UNREADABLE.search, cells)), None)):
        broken = f"a cell holds the control character U+{ord(control[0]):04X}"
    return Line(number, cells, broken, odd)


def _widened(line: Line, width: int) -> Line:
    """A row as wide as the header, since a sheet leaves out its last blanks; a wider one stays what it is."""
    return Line(line.number, [*line.cells, *[""] * (width - len(line.cells))], line.broken, line.odd)


def unfit(line: Line, headers: Mapping[str, int]) -> tuple[str, str, str] | None:
    """(column, what was found, what is due) of the first cell that is of another kind than its column, or None."""
    for column, at in headers.items():
        kind = line.odd.get(at)
        due = "date" if column in DATES else "id" if column in _IDS else "extra" if column.startswith("extra.") else "text"
        if kind is not None and kind not in _GOOD[due]:
            return (
                column,
                f"{line.cells[at]} ({_SAID[kind]})".strip(),
                f"a {due}" if due in ("date",) else _ID if due == "id" else _TEXT,
            )
    return None


def shortened(lines: Sequence[Line], at: int) -> set[int]:
    """Rows whose id is a number, shorter than the ids of other rows that are texts with leading zeros: whose zeros were eaten?"""
    padded = [len(line.cells[at]) for line in lines if re.fullmatch("0[0-9]+", line.cells[at]) and at not in line.odd]
    numbers = [line for line in lines if line.odd.get(at) == "number"]
    if shown := sum(line.cells[at].startswith("0") for line in numbers):
        log.info("%d ids are numbers that the sheet shows with leading zeros; read as they are shown", shown)
    return {line.number for line in numbers if padded and len(line.cells[at]) < max(padded)}
