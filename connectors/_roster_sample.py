"""What a roster looks like: the settings that read it, found in a sample, as TOML for a person to look over."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from connectors import _workbook
from connectors._presets import Preset, best, normal
from connectors._roster_words import HEADERS, STATUSES
from reconciler.errors import Incomplete, UsageError

DATE_FORMATS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%Y%m%d",
)
_DATES = ("start_date", "last_day", "end_date", "position_start")
_ROWS = 100_000  # of a sample that are looked at
_NO_DATE = re.compile(r"[0]+([-/.][0]+)*|.*9999.*|.*4712.*")


@dataclass(frozen=True)
class Sample:
    """A file's form and content as found."""

    encoding: str
    delimiter: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    ended: bool

    def column(self, at: int) -> list[str]:
        return [row[at].strip() for row in self.rows if len(row) == len(self.headers)]


def suggest(path: Path) -> str:
    """The settings of a roster connector for a file like this one; raises UsageError when it cannot be read."""
    sample = _read(path)
    known = best(sample.headers, {cell.strip() for row in sample.rows[:2000] for cell in row})
    columns, places = _columns(sample, known)
    return "\n".join([*_form(sample, known), *_bounds(sample, places), *columns, "", *_statuses(sample, known, places), ""])


def _read(path: Path) -> Sample:
    try:
        body = path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path}: cannot be read: {problem.strerror}") from None
    if path.suffix.lower() == ".xlsx":
        return _sheet(path, body)
    if path.suffix.lower() == ".xls" or body.startswith(b"PK\x03\x04"):
        raise UsageError(f"{path}: is a workbook; save it as .xlsx, or the sheet as CSV (UTF-8), and name that")
    encoding = _encoding(path, body)
    text = body.decode(encoding).removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t|", key=first.count)
    try:
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        header, *rows = islice((r for r in csv.reader(re.split("\r\n|\n|\r", text), delimiter=delimiter) if any(r)), _ROWS)
    except (ValueError, csv.Error) as problem:
        raise UsageError(f"{path}: holds no table: {problem}") from None
    if len(header) < 2:
        raise UsageError(f"{path}: has one single column, {header[0][:60]!r}; columns are separated by one of , ; | or a tab")
    return Sample(encoding, delimiter, [name.strip() for name in header], rows, text.endswith(("\n", "\r")))


def _sheet(path: Path, body: bytes) -> Sample:
    """The only sheet of a workbook; its days are written as the first of the date formats."""
    try:
        lines = _workbook.lines_of(path, body, None, DATE_FORMATS[0])
    except Incomplete as problem:
        raise UsageError(str(problem)) from None
    return Sample("utf-8", "", [name.strip() for name in lines.header], [line.cells for line in lines.rows[:_ROWS]], True)


def _encoding(path: Path, body: bytes) -> str:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name in ("utf-8", "cp1252"):
        try:
            text = body.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return name
    raise UsageError(f"{path}: is neither UTF-8, UTF-16 nor cp1252 text; export it as CSV in UTF-8")


def _form(sample: Sample, known: Preset | None) -> Iterator[str]:
    if known:
        yield f'preset = "{known.name}"  # {known.title}: its columns and statuses; what stands here goes before them'
    if sample.encoding != "utf-8":
        yield f'encoding = "{sample.encoding}"'
    if sample.delimiter:
        yield f"delimiter = {quoted(sample.delimiter)}"


def _columns(sample: Sample, known: Preset | None) -> tuple[list[str], dict[str, int]]:
    """The lines of `columns`, and where each column stands."""
    plain = [normal(name) for name in sample.headers]
    places = {
        column: at
        for column in (known.columns if known else ())
        if known and (at := known.place(column, sample.headers)) is not None
    }
    for column, aliases in HEADERS.items():
        at = next((plain.index(alias) for alias in map(normal, aliases) if alias in plain), None)
        if column not in places and at is not None and at not in places.values():
            places[column] = at
    lines = [f"columns.{column} = {quoted(sample.headers[at])}" for column, at in places.items()]
    lines += [
        f'# TO DO: columns.{column} = "…"   # no header looks like it: name one'
        for column in ("employee_id", "status")
        if column not in places
    ]
    return lines, places


def _bounds(sample: Sample, places: Mapping[str, int]) -> Iterator[str]:
    """Date format, id pattern and head-count, as far as the rows agree on them."""
    dates = [
        text for name in _DATES if name in places for text in sample.column(places[name]) if text and not _NO_DATE.fullmatch(text)
    ]
    fits = [form for form in DATE_FORMATS if dates and all(_is_date(text, form) for text in dates)]
    if fits:
        if fits[1:]:
            yield f"# TO DO: {' or '.join(fits[1:])} would fit every date too: which is it?"
        yield f'date_format = "{fits[0]}"'
    elif dates:
        yield f"# TO DO: date_format: no one form fits every date, such as {quoted(dates[0])}"
    ids = sample.column(places["employee_id"]) if "employee_id" in places else []
    if ids and len({len(text) for text in ids}) == 1 and all(re.fullmatch("[0-9]+", text) for text in ids):
        yield f"id_pattern = '\\d{{{len(ids[0])}}}'             # every id; one that has lost its zeros does not fit"
    people = len(set(ids))
    yield f"min_people = {max(1, people * 9 // 10)}                  # fewer, and the file is not believed: keep it just below your head-count"


def _is_date(text: str, form: str) -> bool:
    try:
        return datetime.strptime(text, form).year >= 1900
    except ValueError:
        return False


def _statuses(sample: Sample, known: Preset | None, places: Mapping[str, int]) -> Iterator[str]:
    words = sorted({word for word in sample.column(places["status"]) if word}) if "status" in places else []
    told = {word.casefold(): status for status, listed in STATUSES.items() for word in listed}
    told |= {word.casefold(): status for status, listed in (known.statuses if known else {}).items() for word in listed}
    placed = {word: told[word.casefold()] for word in words if word.casefold() in told}
    unplaced = [word for word in words if word not in placed] + [word for word in placed if placed[word] == "unknown"]
    yield '[connectors.hr.statuses]          # every word of the status column; one that is not here is never taken for "left"'
    for status in STATUSES:
        here = [word for word in placed if placed[word] == status]
        if here or status in ("active", "left"):
            yield f"{status} = [{', '.join(map(quoted, here))}]"
    if unplaced:
        yield "# TO DO: where do these belong? Until you move them, such people are neither active nor gone."
        yield f"unknown = [{', '.join(map(quoted, unplaced))}]"


def quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes serve, and DEL needs one too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
