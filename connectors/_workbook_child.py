"""One sheet of a workbook as lines of JSON, read in a process of its own that may use only so much memory and time.

Started by its file name, with the workbook on standard input and the limits and the sheet's name as arguments; it
imports nothing of the program. Everything is read twice, by openpyxl and by a plain scan of the sheet's XML, since
openpyxl believes what a workbook says of its own size and keeps the first of two rows with one number; where both
differ, nothing is handed over.
"""

from __future__ import annotations

import io
import json
import re
import resource
import sys
import warnings
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.parsers import expat

MOST_PARTS, MOST_ROWS, MOST_COLUMNS = 2_000, 1_048_576, 16_384
LONGEST_CELL = 10_000
MOST_OUTPUT = 1 << 29  # one text may be shown a million times
_DIGITS = 10**15  # a spreadsheet keeps fifteen digits
_PLACE = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")
_DECLARATIONS = tuple(word.encode(name) for word in ("<!DOCTYPE", "<!ENTITY") for name in ("utf-8", "utf-16-le", "utf-16-be"))


class Refused(Exception):
    """A workbook that is not read, in a sentence for the person who exported it."""


# --- the archive ------------------------------------------------------------------------------------------------


def opened(body: bytes, unpacked: int) -> zipfile.ZipFile:
    """The archive, every part unpacked once, its checksum right, all of them within `unpacked` bytes."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(body))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as problem:
        raise Refused(f"is no whole workbook: {problem}") from None
    parts = archive.infolist()
    names = {part.filename.casefold() for part in parts}
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > unpacked:
        raise Refused(f"unpacks to more than {unpacked >> 20} MiB or {MOST_PARTS} parts; no roster does")
    if len(names) < len(parts):
        raise Refused("holds two parts of one name; which one is meant?")
    for part in parts:
        _checked(archive, part)
    return archive


def _checked(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    if part.flag_bits & 1:
        raise Refused("is protected by a password; save it without one")
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"its part {part.filename[:80]!r} is packed in a way that no spreadsheet packs")
    rest = b""
    try:
        with archive.open(part) as stream:
            while piece := stream.read(1 << 20):
                if any(word in rest + piece for word in _DECLARATIONS):
                    raise Refused(f"its part {part.filename[:80]!r} declares entities; no spreadsheet does")
                rest = piece[-32:]
    except (zipfile.BadZipFile, zipfile.zlib.error, EOFError, NotImplementedError, ValueError) as problem:  # type: ignore[attr-defined]
        raise Refused(f"its part {part.filename[:80]!r} is damaged: {problem}; copy or export it anew") from None


# --- the scan ---------------------------------------------------------------------------------------------------


@dataclass
class Scan:
    """What a sheet's XML holds, whatever the workbook says it holds."""

    rows: list[int] = field(default_factory=list)
    cells: int = 0
    formulas: set[int] = field(default_factory=set)  # row * MOST_COLUMNS + column
    hidden: set[int] = field(default_factory=set)
    merged: list[tuple[int, int, str]] = field(default_factory=list)
    _row: int = 0
    _column: int = 0

    def started(self, tag: str, told: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._cell(told.get("r"))
        elif name == "row":
            self._began(told)
        elif name == "f":
            self.formulas.add(self._row * MOST_COLUMNS + self._column)
        elif name == "mergeCell":
            self._merge(told.get("ref", ""))

    def _began(self, told: dict[str, str]) -> None:
        number = int(told["r"]) if told.get("r", "").isascii() and told.get("r", "").isdigit() else self._row + 1
        if not self._row < number <= MOST_ROWS or ("r" in told and told["r"] != str(number)):
            raise Refused(f"row {told.get('r')} stands after row {self._row}; the sheet is not in order")
        self._row, self._column = number, 0
        self.rows.append(number)
        if told.get("hidden", "0") not in ("0", "false"):
            self.hidden.add(number)

    def _cell(self, place: str | None) -> None:
        found = _PLACE.fullmatch(place) if place is not None else None
        column = _column(found[1]) if found else self._column + 1
        if (
            (place is not None and not found)
            or (found and int(found[2]) != self._row)
            or not self._column < column <= MOST_COLUMNS
        ):
            raise Refused(f"cell {str(place)[:20]} stands in row {self._row}; the sheet is not in order")
        self._column = column
        self.cells += 1

    def _merge(self, ref: str) -> None:
        found = re.fullmatch(r"\$?[A-Z]{1,3}\$?(\d{1,7})(?::\$?[A-Z]{1,3}\$?(\d{1,7}))?", ref)
        if not found:
            raise Refused(f"merges cells at {ref[:40]!r}, which is no place")
        self.merged.append((int(found[1]), int(found[2] or found[1]), ref))

    @property
    def odd_rows(self) -> dict[int, str]:
        """Rows that do not stand for themselves, and why."""
        odd = dict.fromkeys(self.hidden, "is hidden")
        for first, last, ref in self.merged:
            for at in range(bisect_left(self.rows, first), bisect_right(self.rows, last)):
                odd[self.rows[at]] = f"has merged cells ({ref})"
        return odd


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def scanned(sheet: Any) -> Scan:
    scan, parser = Scan(), expat.ParserCreate()
    parser.StartElementHandler = scan.started
    with sheet._get_source() as source:
        try:
            parser.ParseFile(source)
        except expat.ExpatError as problem:
            raise Refused(f"its sheet {sheet.title!r} is no XML: {problem}") from None
    return scan


# --- the sheet --------------------------------------------------------------------------------------------------


def chosen(book: Any, name: str | None) -> tuple[Any, Scan]:
    """The sheet that is meant: the named one, or the only one in sight with anything on it."""
    if name is not None:
        found = [sheet for sheet in book.worksheets if sheet.title == name]
        if not found:
            raise Refused(f"has no sheet {name!r}; there are: {', '.join(sheet.title for sheet in book.worksheets)}")
        return found[0], scanned(found[0])
    seen = [(sheet, scanned(sheet)) for sheet in book.worksheets if sheet.sheet_state == "visible"]
    filled = [(sheet, scan) for sheet, scan in seen if scan.cells]
    if len(filled) > 1:
        names = ", ".join(sheet.title for sheet, _ in filled)
        raise Refused(f'has {len(filled)} sheets with content: {names}; name the one that is the roster: sheet = "…"')
    if not filled:
        raise Refused('has nothing on any sheet in sight; a hidden one is read when it is named: sheet = "…"')
    return filled[0]


def rows(body: bytes, name: str | None, unpacked: int) -> Iterator[list[Any]]:
    """[row, its cells, why it is odd] of every row that is not blank. Raises Refused, or whatever openpyxl stumbles over."""
    import openpyxl

    opened(body, unpacked).close()
    book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
    sheet, scan = chosen(book, name)
    sheet.reset_dimensions()
    odd, number, cells = scan.odd_rows, 0, 0
    for number, row in enumerate(sheet.iter_rows(min_row=1), 1):
        told = [cell for cell in row if getattr(cell, "column", None)]
        cells += len(told)
        made = _made(told, number, scan)
        if any(cell is not None for cell in made):
            yield [number, made, odd.get(number, "")]
    if (number, cells) != (scan.rows[-1] if scan.rows else 0, scan.cells):
        raise Refused(f"two readings of sheet {sheet.title!r} differ: {cells} cells to row {number}, and {scan.cells} in its XML")


def _made(row: list[Any], number: int, scan: Scan) -> list[Any]:
    made: list[Any] = [None] * (row[-1].column if row else 0)
    for cell in row:
        formula = number * MOST_COLUMNS + cell.column in scan.formulas
        made[cell.column - 1] = ["formula", str("" if cell.value is None else cell.value)[:80]] if formula else _told(cell)
    return made


def _told(cell: Any) -> Any:
    """A text as it is, nothing as None, anything else as [kind, text]."""
    value = cell.value
    if value is None or value == "":
        return None
    if cell.data_type == "e":
        return ["error", str(value)]
    if isinstance(value, str):
        return value[: LONGEST_CELL + 1]
    if isinstance(value, bool):
        return ["truth", str(value).upper()]
    if isinstance(value, (int, float)):
        return _number(value, cell.number_format)
    if isinstance(value, datetime) and (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0):
        return ["date", value.date().isoformat()]
    return ["moment", str(value)]


def _number(value: float, form: str) -> list[str]:
    """A whole number as its digits, with the leading zeros that its format shows; any other as it is."""
    if not abs(value) < _DIGITS or value != int(value):
        return ["fraction", repr(value)]
    width = len(form) if re.fullmatch("0+", form) else 0
    return ["number", f"{int(value):0{width}d}"]


def printed(body: bytes, name: str | None, unpacked: int) -> Iterator[str]:
    """The lines that are printed: the rows and their number, or at any point why there are none."""
    count = size = 0
    try:
        for row in rows(body, name, unpacked):
            line = json.dumps(row)
            count, size = count + 1, size + len(line)
            if size > MOST_OUTPUT:
                raise Refused(f"its cells hold more than {MOST_OUTPUT >> 20} MiB of text; no roster does")
            yield line
        yield json.dumps({"rows": count})
    except Refused as refused:
        yield json.dumps({"refused": str(refused)})


def main() -> None:
    told = json.loads(sys.argv[1])
    for limit, most in ((resource.RLIMIT_AS, told["memory"]), (resource.RLIMIT_CPU, told["seconds"]), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    sys.modules["numpy"] = None  # type: ignore[assignment]  # openpyxl takes it where it is, and it is slow to load
    warnings.simplefilter("ignore")  # of features of spreadsheets that no roster needs
    for line in printed(sys.stdin.buffer.read(), told["sheet"], told["unpacked"]):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
