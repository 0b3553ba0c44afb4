"""Bad rosters without end, from a seed: each is refused in a sentence, or every one of its rows is accounted for.

`make fuzz` reads a hundred thousand (benchmarks/fuzz.py), and ends at the first that is neither; `python -m tests.hr_file.fuzz
NUMBER SEED` reads that one alone. One file in eight is a workbook, read in this process; of those one in two hundred is read
by the child as well, which must say the same.
"""

from __future__ import annotations

import io
import os
import random
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from connectors import _workbook, hr_file
from connectors._workbook import Limits
from connectors.hr_file import Settings, read
from reconciler.connector import Context, Defect, Ended, Incomplete, Page
from tests.hr_file.workbooks import HEADER, SHEET, TEXTS, book, in_process, person

SEED = 20261122
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
WORDS = {"active": ["Active"], "leave": ["LOA"], "left": ["Terminated"], "prehire": ["Accepted"]}
PEOPLE = 20
PIECES = ['"', ",", "\n", "\r", "\r\n", "\0", "\x85", "\u2028", "\x0b", "\x1c", '""', ";", "\t", " ", "9999", "\ufeff", "=1", "Active", "'", "\\",
          "\u202e", "😀", "0", "1.2E+07", "#N/A", "NULL", "é", "\ud7ff"]  # fmt: skip
RAW = [b"\xff", b"\xc3", b"\xe2\x80", b"\0", b"\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04"]
CELLS = ["", " ", "x", "LOA-PAT", "Terminated", "2020-02-30", "31/12/9999", "0000-00-00", "43836", "000001", "00001", "1", "jo1@example.com", "-", "=A1",
         "Europe/Nowhere", "x" * 11_000, "2026-11-08", "1899-12-31", "Null", "٠٠٠٠٠١", "a b", "\u200b"]  # fmt: skip
XML = ["", "<c/>", "<row>", '<row r="5"/>', "</row>", "<f>A1</f>", ' t="s"', ' t="e"', ' t="d"', ' hidden="1"', ' r="A1"', ' s="1"', "<v>99999</v>", "<v/>",
       "<!--x-->", "&amp;", "&x;", "<![CDATA[x]]>", '<mergeCell ref="A1:B9"/>', "-1", "1e400", "\x01", "<v>2020-01-06</v>"]  # fmt: skip
VALUES = ['<c r="@"/>', '<c r="@"><v>42</v></c>', '<c r="@"><v>000042</v></c>', '<c r="@"><v>42.5</v></c>', '<c r="@" s="1"><v>43836</v></c>',
          '<c r="@" s="1"><v>0.5</v></c>', '<c r="@" s="1"><v>-1</v></c>', '<c r="@" s="1"><v>60</v></c>', '<c r="@" t="b"><v>1</v></c>',
          '<c r="@" t="e"><v>#N/A</v></c>', '<c r="@" t="str"><v>LOA-PAT</v></c>', '<c r="@" t="str"><f>A1</f><v>Active</v></c>', '<c r="@"><f>A1</f></c>',
          '<c r="@" t="inlineStr"><is><t>Doe\nRoe</t></is></c>', '<c r="@" t="s"><v>0</v></c>', '<c r="@" t="d"><v>2020-01-06</v></c>',
          '<c r="@" t="inlineStr"><is><r><t>Act</t></r><r><t>ive</t></r></is></c>', '<c r="@"><v>1E+07</v></c>', '<c r="@"><v>12345678901234567890</v></c>',
          '</row><row hidden="1"><c r="@" t="s"><v>1</v></c>', '<c r="@" t="inlineStr"><is><t xml:space="preserve"> 000001 </t></is></c>']  # fmt: skip
KEYS: Sequence[dict[str, Any]] = [
    {},
    {"id_pattern": r"\d{6}"},
    {"encoding": "cp1252"},
    {"delimiter": ";"},
    {"encoding": "utf-16"},
    {"extra": ["Department"]},
]


@dataclass(frozen=True)
class Bad:
    """One file: its name, its bytes, and the settings it is read with."""

    name: str
    body: bytes
    keys: dict[str, Any]


@cache
def _lines() -> tuple[str, ...]:
    rows = [HEADER, *(person(n) for n in range(1, PEOPLE + 1))]
    return tuple(",".join("" if cell is None else str(cell) for cell in row) for row in rows)


@cache
def _book() -> bytes:
    return book([person(n) for n in range(1, PEOPLE + 1)])


def made(number: int, seed: int) -> Bad:
    """The `number`-th bad file of a seed."""
    rolled = random.Random(f"{seed}/{number}")
    return _workbook_made(rolled) if number % 8 == 0 else _csv_made(rolled)


# --- CSV --------------------------------------------------------------------------------------------------------


def _csv_made(rolled: random.Random) -> Bad:
    lines, keys = list(_lines()), dict(rolled.choice(KEYS))
    for _ in range(rolled.randrange(0, 3)):
        rolled.choice(ROWS)(rolled, lines)
    text = rolled.choice(["\n", "\n", "\n", "\r\n", "\r"]).join(lines) + rolled.choice(["\n", "\n", "\n", "", "\n\n", ",\n"])
    if rolled.random() < 0.5:
        text = text.replace(",", keys.get("delimiter", ","))
    for _ in range(rolled.randrange(0, 3)):
        at = rolled.randrange(len(text) + 1)
        text = text[:at] + rolled.choice(PIECES) + text[at + rolled.randrange(0, 30) :]
    encoding = (
        keys.get("encoding", "utf-8")
        if rolled.random() < 0.8
        else rolled.choice(["utf-8", "utf-16", "utf-16-le", "cp1252", "latin-1"])
    )
    return Bad("r.csv", _damaged(rolled, text.encode(encoding, "replace")), keys)


def _damaged(rolled: random.Random, body: bytes) -> bytes:
    if rolled.random() < 0.2:
        at = rolled.randrange(len(body) + 1)
        body = body[:at] + rolled.choice(RAW) + body[at + rolled.randrange(0, 4) :]
    return body[: rolled.randrange(len(body) + 1)] if rolled.random() < 0.1 else body


def _other_cell(rolled: random.Random, lines: list[str]) -> None:
    at = rolled.randrange(len(lines))
    cells = lines[at].split(",")
    cells[rolled.randrange(len(cells))] = rolled.choice(CELLS)
    lines[at] = ",".join(cells)


def _other_column(rolled: random.Random, lines: list[str]) -> None:
    place, cell = rolled.randrange(9), rolled.choice(CELLS)
    for at, line in enumerate(lines[1:], 1):
        cells = line.split(",")
        if rolled.random() < 0.5 and place < len(cells):
            lines[at] = ",".join([*cells[:place], cell, *cells[place + 1 :]])


def _twice(rolled: random.Random, lines: list[str]) -> None:
    lines.insert(rolled.randrange(len(lines) + 1), rolled.choice(lines))


def _gone(rolled: random.Random, lines: list[str]) -> None:
    del lines[rolled.randrange(len(lines))]
    lines.append("") if not lines else None


def _shuffled(rolled: random.Random, lines: list[str]) -> None:
    rolled.shuffle(lines)


def _swapped(rolled: random.Random, lines: list[str]) -> None:
    one, other = rolled.sample(range(9), 2)
    for at in range(len(lines) if rolled.random() < 0.5 else 1):
        cells = lines[at].split(",")
        if max(one, other) < len(cells):
            cells[one], cells[other] = cells[other], cells[one]
            lines[at] = ",".join(cells)


ROWS: Sequence[Callable[[random.Random, list[str]], None]] = (
    _other_cell,
    _other_cell,
    _other_cell,
    _other_column,
    _twice,
    _gone,
    _shuffled,
    _swapped,
)


# --- workbooks --------------------------------------------------------------------------------------------------


def _workbook_made(rolled: random.Random) -> Bad:
    keys = dict(rolled.choice(({}, {}, {"id_pattern": r"\d{6}"}, {"sheet": "Sheet"}, {"sheet": "Staff"})))
    archive, out = zipfile.ZipFile(io.BytesIO(_book())), io.BytesIO()
    parts = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(rolled.randrange(0, 4)):
        parts[SHEET] = _other_value(rolled, parts[SHEET])
    for _ in range(rolled.choice((0, 0, 0, 1, 2))):
        name = rolled.choice([SHEET] * 8 + [TEXTS] * 3 + list(parts))
        parts[name] = _edited(rolled, parts[name])
    if rolled.random() < 0.05:
        del parts[rolled.choice(list(parts))]
    with zipfile.ZipFile(out, "w", rolled.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        for name, part in parts.items():
            made.writestr(name, part)
    body = out.getvalue()
    return Bad("r.xlsx", _damaged(rolled, body) if rolled.random() < 0.2 else body, keys)


def _other_value(rolled: random.Random, sheet: bytes) -> bytes:
    """One cell with another value, of another kind, or in a row that is hidden."""
    cells = list(re.finditer(rb'<c r="([A-Z]+[0-9]+)"[^>]*>.*?</c>', sheet))
    if not cells:
        return sheet
    found = rolled.choice(cells)
    return sheet[: found.start()] + rolled.choice(VALUES).replace("@", found[1].decode()).encode() + sheet[found.end() :]


def _edited(rolled: random.Random, part: bytes) -> bytes:
    """A piece of XML put in, taken out or turned, mostly where a tag or a value begins."""
    places = [found.start() for found in re.finditer(rb'[<>"]', part)] or [0]
    at = rolled.choice(places) + rolled.choice((0, 1))
    piece = rolled.choice(XML).encode() if rolled.random() < 0.7 else part[at : at + rolled.randrange(1, 200)]
    return part[:at] + piece + part[at + rolled.choice((0, 0, 1, 8, 40)) :]


# --- what must hold ---------------------------------------------------------------------------------------------


def outcome(bad: Bad, folder: Path) -> str:
    """What becomes of one file; raises AssertionError, or whatever the reader should not have raised."""
    path = folder / bad.name
    path.write_bytes(bad.body)
    os.utime(path, (NOW.timestamp(),) * 2)
    told = {"kind": "hr_file", "path": str(path), "statuses": WORDS, "max_quarantined_percent": 60.0, **bad.keys}
    try:
        answers = list(read(Settings.model_validate(told), Context("hr", NOW)))
    except Incomplete as refused:
        assert (str(path) in str(refused) or "connectors.hr" in str(refused)) and len(str(refused)) > len(str(path)) + 10, refused
        return "refused"
    page, ended = (next(answer for answer in answers if isinstance(answer, kind)) for kind in (Page, Ended))
    defects = [answer for answer in answers if isinstance(answer, Defect)]
    assert (page.stands_for or 0) + len(defects) == ended.rows == ended.declared, (page.stands_for, len(defects), ended)
    assert all(defect.line > 1 and defect.problem for defect in defects)
    if path.suffix == ".csv":
        _nothing_lost(bad, ended.rows, page.values("employee_id"))
    return "with rows set aside" if defects else "taken"


def _nothing_lost(bad: Bad, rows: int, ids: Sequence[str]) -> None:
    """As many rows as the text has lines with something on them, and nobody whom the text does not name."""
    text, delimiter = bad.body.decode(bad.keys.get("encoding", "utf-8")), bad.keys.get("delimiter", ",")
    lines = [line for line in re.split("\r\n|\n|\r", text.removeprefix("\ufeff")) if line.strip(delimiter + ' \t"')]
    assert rows == len(lines) - 1, (rows, len(lines))
    assert all(number in text for number in ids)


def same_in_child(bad: Bad, child: Callable[..., bytes]) -> bool:
    """Whether the child says of a workbook what is said in this process."""
    told = []
    for reader in (child, in_process):
        try:
            told.append(reader(Path("r.xlsx"), bad.body, bad.keys.get("sheet"), Limits(seconds=30)).strip())
        except Incomplete:
            told.append(b"refused")
    return told[0] == told[1]


def run(numbers: Iterable[int], seed: int, folder: Path) -> Counter[tuple[str, str]]:
    """Files by their numbers; how many of each kind had which outcome. Raises at the first that breaks the rule, naming it."""
    child, tally = _workbook.in_child, Counter[tuple[str, str]]()
    hr_file.SETTLE, _workbook.in_child = 0, in_process
    try:
        for number in numbers:
            bad = made(number, seed)
            try:
                tally[bad.name[2:], outcome(bad, folder)] += 1
                if bad.name == "r.xlsx" and number % 1600 == 0:
                    assert same_in_child(bad, child), "the child says something else"
            except Exception as problem:
                raise AssertionError(
                    f"file {number} of seed {seed} ({len(bad.body)} bytes, {bad.keys}): {problem!r}"
                ) from problem
    finally:
        hr_file.SETTLE, _workbook.in_child = 0.05, child
    return tally


def main(number: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(made(number, seed), *run([number], seed, Path(folder)), sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
