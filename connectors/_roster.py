"""From the cells of a roster to people: closed words, declared dates, and every row accounted for."""

from __future__ import annotations

import json
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache, lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors._roster_settings import RosterSettings
from reconciler import tables
from reconciler.columns import Columns
from reconciler.connector import Defect, Incomplete
from reconciler.tables import PEOPLE, STATUSES

TEXTS = tuple(c.name for c in PEOPLE.columns if c.type == "string" and c.name not in ("extra", "status", "person_id"))
DATES = ("start_date", "last_day", "end_date", "position_start")
POSITION = ("job_code", "job_title", "department", "company", "position_start", "start_date")

_WHO = ("employee_id", "person_id", "work_email", "given_name", "family_name", "display_name")

ROW = "row"  # the "column" of a row that is broken as a whole
_YEARS = range(1900, 2200)  # other years are slips of the pen
_ZEROS = re.compile(r"0+([-/. ]0+)*")  # 00/00/0000: no date, in any form


@dataclass(frozen=True)
class Row:
    """One data row: its line in the file, and its cells by table column."""

    line: int
    cells: Mapping[str, str]


@dataclass
class Reading:
    """A roster while it is read: people, and what cannot be used and why."""

    source: str
    settings: RosterSettings
    headers: Mapping[str, str]  # table column -> header in HR's words
    people: Columns = field(default_factory=lambda: Columns(PEOPLE))
    defects: list[Defect] = field(default_factory=list)
    collapsed: int = 0
    unit: str = "line"  # what a row's place is called

    def __post_init__(self) -> None:
        words = self.settings.statuses or {status: [status] for status in STATUSES}
        self._statuses = {word.casefold(): status for status, listed in words.items() for word in listed}
        self._types, self._types_closed = self.settings.words_of_types()
        self._zones = _zones()
        self._ids = re.compile(self.settings.id_pattern, re.ASCII) if self.settings.id_pattern else None
        self._bad: Counter[str] = Counter()
        self._lines = array("q")  # where each of the people stands

    def read(self, rows: Iterable[Row], total: int) -> None:
        """Take all rows; raises Incomplete when a column is bad in more of the file's `total` rows than configured."""
        for row in rows:
            self._take(row)
        self._settle()
        limit = self.settings.max_quarantined_percent
        for column, count in self._bad.items():
            if 100 * count > limit * total:
                raise Incomplete(self._too_many(column, count, total))

    def _too_many(self, column: str, count: int, total: int) -> str:
        example = next(d for d in self.defects if d.column == self.headers.get(column, column))
        where = "rows cannot be read" if column == ROW else f"column {example.column!r} is wrong"
        small = " (a share of rows: in a small file one row may be more)" if count < 3 else ""
        return (
            f"{where} in {count} of {total} rows, more than {self.settings.max_quarantined_percent:g} %{small}: e.g. {self.unit} {example.line}: "
            f"found {example.found!r}, allowed: {example.allowed}. Has the export changed? Mend the rows, or raise "
            f"connectors.{self.source}.max_quarantined_percent in config.toml to quarantine them"
        )

    def _take(self, row: Row) -> None:
        if not any(row.cells.get(name, "").strip() for name in _WHO):
            return self.reject(row, "no id, name or e-mail", "whose row it is", f"{self.unit} {row.line} is nobody's row")
        try:
            self.people.take(self._person(row) | {"extra": self._extra(row)})
            self._lines.append(row.line)
        except _Bad as bad:
            self.quarantine(row, bad.column, bad.found, bad.allowed, bad.problem)
        return None

    def quarantine(self, row: Row, column: str, found: str, allowed: str, problem: str) -> None:
        self._bad[column] += 1
        self.defects.append(self._defect(row, column, found, allowed, problem))

    def reject(self, row: Row, found: str, allowed: str, problem: str) -> None:
        """A line that is nobody's row: it counts, and no person is withheld for it."""
        self._bad[ROW] += 1
        self.defects.append(replace(self._defect(row, ROW, found, allowed, problem), rejected=True))

    def _defect(self, row: Row, column: str, found: str, allowed: str, problem: str) -> Defect:
        cells = {name: _clean(text) for name, text in row.cells.items()}
        name = " ".join(filter(None, (cells.get("given_name"), cells.get("family_name")))) or cells.get("display_name")
        told = (found, allowed, problem)
        return Defect(
            cells.get("employee_id") or None, row.line, self.headers.get(column, column), *told,
            name=name, work_email=cells.get("work_email") or None,
        )  # fmt: skip

    # --- one row ----------------------------------------------------------------------------------------------

    def _person(self, row: Row) -> dict[str, Any]:
        cells = {name: _clean(text) for name, text in row.cells.items()}
        person: dict[str, Any] = {name: cells.get(name) or None for name in TEXTS}
        person["employee_id"] = self._id(cells.get("employee_id", ""))
        person["person_id"] = cells.get("person_id") or person["employee_id"]
        person["status"] = self._word("status", cells.get("status", ""), self._statuses)
        person |= {name: self._date(name, cells.get(name, "")) for name in DATES}
        self._check(person)
        if person["worker_type"] and (self._types_closed or person["worker_type"].casefold() in self._types):
            person["worker_type"] = self._word("worker_type", person["worker_type"], self._types)
        return person

    def _extra(self, row: Row) -> str | None:
        kept = {name: row.cells[f"extra.{name}"] for name in self.settings.extra if f"extra.{name}" in row.cells}
        return json.dumps(kept, ensure_ascii=False) if kept else None

    def _id(self, text: str) -> str:
        if not text:
            raise _Bad("employee_id", "", "an id in every row", "has no employee id")
        if self._ids and not self._ids.fullmatch(text):
            raise _Bad("employee_id", text, self.settings.id_pattern or "", f"employee id {text!r} does not fit id_pattern")
        if not self._ids and (" " in text or not text.isprintable() or any(c.isdigit() and not c.isascii() for c in text)):
            raise _Bad(
                "employee_id", text, "an id without blanks, unseen characters and digits of other scripts",
                f"employee id {text!r} holds what ids do not hold; declare id_pattern if it is right",
            )  # fmt: skip
        return text

    def _word(self, column: str, text: str, known: Mapping[str, str]) -> str:
        """A word of a closed list; one that is new is HR's to explain, and never means "left"."""
        if text.casefold() not in known:
            noun = column.replace("_", " ")
            raise _Bad(column, text, ", ".join(known), f"unknown {noun} {text!r}" if text else f"has no {noun}")
        return known[text.casefold()]

    def _date(self, column: str, text: str) -> date | None:
        if not text or text in self.settings.no_date or _ZEROS.fullmatch(text):
            return None
        form = self.settings.date_format
        found = _day(text, form)
        if found is None:
            raise _Bad(column, text, f"dates as {form}", f"{text!r} is no date of the form {form}")
        if found.year == date.max.year:  # 31 December 9999, however it is written: no end
            return None
        if found.year not in _YEARS:
            raise _Bad(column, text, f"years {_YEARS.start} to {_YEARS.stop - 1}", f"the year of {text!r} is not believable")
        return found

    def _check(self, person: Mapping[str, Any]) -> None:
        start = person["start_date"]
        for name in ("last_day", "end_date"):
            end = person[name]
            if start and end and end < start:
                told = f"{name.replace('_', ' ')} {end} is before the start on {start}"
                raise _Bad(name, str(end), f"not before the start on {start}", told)
        zone = person["timezone"]
        if zone and zone not in self._zones:
            raise _Bad("timezone", zone, "an IANA time zone such as Europe/London", f"unknown time zone {zone!r}")

    # --- several rows of one id -------------------------------------------------------------------------------

    def _settle(self) -> None:
        """What contradicts itself, or is told twice, is no longer among the people; rows of one person stand together."""
        ids = tables.whole(self.people["employee_id"])
        dropped = set(self._duplicates(ids))
        if self._ids is None:
            dropped |= set(self._shortened(ids, dropped))
        together = np.argsort(_numbered(ids), kind="stable")
        if dropped or np.any(np.diff(together) != 1):
            self.people.keep(together[~np.isin(together, list(dropped))])

    def _duplicates(self, ids: pa.Array) -> Iterator[int]:
        """Identical rows collapse; a second position of the same person stands; what contradicts itself is quarantined."""
        for listed in self._alike(ids):
            distinct = {tuple(person.values()): row for row, person in reversed(listed)}
            if _contradict([person for row, person in listed if row in distinct.values()]):
                problem = f"{len(listed)} rows of employee id {listed[0][1]['employee_id']} contradict each other"
                yield from self._quarantine_all(listed, "one person, and one status per position", problem)
            else:
                self.collapsed += len(listed) - len(distinct)
                yield from {row for row, _ in listed} - set(distinct.values())

    def _shortened(self, ids: pa.Array, dropped: Set[int]) -> Iterator[int]:
        """00042 beside 42: a spreadsheet has eaten zeros, or they are two people; which, only id_pattern can say."""
        for listed in self._alike(pc.utf8_ltrim(ids, "0")):
            here = [(row, person) for row, person in listed if row not in dropped]
            written = sorted({person["employee_id"] for _, person in here})
            if len(written) > 1:
                allowed = "one way to write an id, or an id_pattern that both fit"
                yield from self._quarantine_all(
                    here, allowed, f"employee ids {' and '.join(written)} differ by leading zeros only"
                )

    def _alike(self, keys: pa.Array) -> Iterator[Sequence[tuple[int, dict[str, Any]]]]:
        """Of every key that several rows have: the rows and the people on them."""
        numbers = _numbered(keys)
        order, many = np.argsort(numbers, kind="stable"), np.bincount(numbers)
        rows = order[many[numbers[order]] > 1].tolist()
        people = [{name: value for name, value in row.items() if name != "extra"} for row in self.people.rows(rows)]
        for _, listed in groupby(zip(rows, people, strict=True), key=lambda each: numbers[each[0]]):
            yield list(listed)

    def _quarantine_all(self, listed: Iterable[tuple[int, Mapping[str, Any]]], allowed: str, problem: str) -> Iterator[int]:
        for row, person in listed:
            cells = {name: person[name] or "" for name in TEXTS}
            self.quarantine(Row(self._lines[row], cells), "employee_id", person["employee_id"], allowed, problem)
            yield row


@dataclass
class _Bad(Exception):
    """One cell that does not fit; it quarantines its row."""

    column: str
    found: str
    allowed: str
    problem: str


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads hundreds of files


@lru_cache(maxsize=100_000)
def _day(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date() if text.isascii() else None
    except ValueError:
        return None


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _numbered(keys: pa.Array) -> npt.NDArray[np.int32]:
    """For each key a number, the same for the same key, in the order in which they appear."""
    numbers: npt.NDArray[np.int32] = keys.dictionary_encode().indices.to_numpy()
    return numbers


def _contradict(people: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows of one id are of different people, or say different things of one position."""
    if len(people) < 2:
        return False
    names = {tuple((person[n] or "").casefold() for n in ("given_name", "family_name", "person_id")) for person in people}
    positions = [tuple(person[n] for n in POSITION) for person in people]
    return len(names) > 1 or len(set(positions)) < len(positions)
