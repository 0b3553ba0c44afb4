"""From the bytes of a CSV file to its lines and cells: one line is one row, so that a stray quote never swallows people."""

from __future__ import annotations

import codecs
import csv
import re
from array import array
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import overload

from reconciler.connector import Incomplete

LONGEST_CELL = 10_000  # characters; more is a quote that was never closed

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LINE_END = re.compile("\r\n|\n|\r")  # not str.splitlines: it also breaks at U+0085, U+2028, form feeds …
# Controls that no text holds; those from U+0080 on are what a wrongly declared cp1252 turns into.
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_NONE: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Line:
    """One physical line with something on it; `broken` says why its cells cannot be told apart.

    `odd` are the cells of a workbook that are no text: their place, and what they are.
    """

    number: int
    cells: Sequence[str]
    broken: str = ""
    odd: Mapping[int, str] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True)
class Lines:
    """The header, the rows, whether the last line ends as lines do, and what a line is called."""

    header: Sequence[str]
    rows: Sequence[Line]
    ended: bool
    unit: str = "line"
    first: int = 1  # where the header stands


def text_of(path: Path, body: bytes, encoding: str) -> str:
    """The text in its declared encoding; nothing is guessed, nothing is replaced. Raises Incomplete with the place."""
    declared = encoding.lower().replace("_", "-")
    for mark, name in _MARKS:
        if body.startswith(mark) and not declared.startswith((name, name.replace("-", ""))):
            raise Incomplete(
                f"{path}: begins with the mark of {name}, but encoding = {encoding!r} is configured; set it to {name!r}"
            )
    try:
        text = body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line, at = _place(body[: problem.start].decode(encoding, "replace"))
        other = "utf-8" if declared.startswith("cp") else "cp1252"
        raise Incomplete(
            f"{path}: line {line}, character {at}: byte 0x{body[problem.start]:02x} is not {encoding}; is the file {other}, or cut off?"
        ) from None
    found = UNREADABLE.search(text)
    if found:
        line, at = _place(text[: found.start()])
        raise Incomplete(
            f"{path}: line {line}, character {at}: control character U+{ord(found[0]):04X}; is encoding = {encoding!r} right?"
        )
    return text


def _place(before: str) -> tuple[int, int]:
    """(line, character) of what follows this text, counted from 1."""
    lines = _LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1


def lines_of(path: Path, text: str, delimiter: str) -> Lines:
    """Header and rows; raises Incomplete when there is no header, or the file was cut within its last line."""
    found = _TextLines(text, delimiter)
    if not found:
        raise Incomplete(f"{path}: is empty; has the export failed?")
    header = found[0]
    if header.broken:
        raise Incomplete(f"{path}: line {header.number}: the header cannot be read: {header.broken}")
    if len(header.cells) == 1:
        raise Incomplete(
            f"{path}: line {header.number}: one single column with delimiter = {delimiter!r}; the header is {header.cells[0][:80]!r}"
        )
    rows, ended = found.after_the_first(), text.endswith(("\n", "\r"))
    if rows and not ended and len(rows[-1].cells) < len(header.cells):
        raise Incomplete(
            f"{path}: line {rows[-1].number}: the last line has {len(rows[-1].cells)} of {len(header.cells)} columns: the file was cut off"
        )
    return Lines(header.cells, rows, ended, first=header.number)


class _TextLines(Sequence[Line]):
    """The lines of a text that have something on them, each taken apart when it is asked for: all at once take twenty times the text."""

    def __init__(self, text: str, delimiter: str) -> None:
        self._text, self._delimiter = text, delimiter
        self._numbers, self._begins, self._ends = array("q"), array("q"), array("q")
        blank, begin = delimiter + ' \t"', 0
        ends = chain((found.span() for found in _LINE_END.finditer(text)), [(len(text), len(text))])
        for number, (end, following) in enumerate(ends, 1):
            if text[begin:end].strip(blank):
                self._numbers.append(number)
                self._begins.append(begin)
                self._ends.append(end)
            begin = following

    def after_the_first(self) -> _TextLines:
        made = copy(self)
        made._numbers, made._begins, made._ends = self._numbers[1:], self._begins[1:], self._ends[1:]
        return made

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Line: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Line]: ...
    def __getitem__(self, at: int | slice) -> Line | Sequence[Line]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        return _line(self._numbers[at], self._text[self._begins[at] : self._ends[at]], self._delimiter)


def _line(number: int, line: str, delimiter: str) -> Line:
    if '"' not in line:
        cells = line.split(delimiter)
        long = max(map(len, cells)) > LONGEST_CELL
        return Line(number, cells, f"a cell is longer than {LONGEST_CELL} characters" if long else "")
    csv.field_size_limit(max(csv.field_size_limit(), len(line)))  # of the whole process: it may only grow
    try:
        return Line(number, next(csv.reader([line], delimiter=delimiter, strict=True)))
    except csv.Error as problem:
        open_ended = "unexpected end" in str(problem)
        cells = next(csv.reader([line], delimiter=delimiter))
        why = f"a quote opens in column {len(cells)} and does not close on its line" if open_ended else "a stray quote"
        return Line(number, cells[:-1] if open_ended else cells, why)
