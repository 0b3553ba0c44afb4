"""From the cells of a roster to people: closed words, declared dates, and every row accounted for."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any
from zoneinfo import available_timezones

from connectors._roster_settings import RosterSettings
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
    people: list[tuple[Row, dict[str, Any]]] = field(default_factory=list)
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

    def read(self, rows: Sequence[Row], total: int) -> None:
        """Take all rows; raises Incomplete when a column is bad in more of the file's `total` rows than configured."""
        for row in rows:
            self._take(row)
        self._settle_duplicates()
        if self._ids is None:
            self._settle_shortened()
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
            self.people.append((row, self._person(row)))
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
        cells = row.cells
        name = " ".join(filter(None, (cells.get("given_name"), cells.get("family_name")))) or cells.get("display_name")
        told = (found, allowed, problem)
        return Defect(
            (cells.get("employee_id") or "").strip() or None, row.line, self.headers.get(column, column), *told,
            name=name, work_email=(cells.get("work_email") or "").strip() or None,
        )  # fmt: skip

    # --- one row ----------------------------------------------------------------------------------------------

    def _person(self, row: Row) -> dict[str, Any]:
        cells = {name: unicodedata.normalize("NFC", text.strip()) for name, text in row.cells.items()}
        person: dict[str, Any] = {name: cells.get(name) or None for name in TEXTS}
        person["employee_id"] = self._id(cells.get("employee_id", ""))
        person["person_id"] = cells.get("person_id") or person["employee_id"]
        person["status"] = self._word("status", cells.get("status", ""), self._statuses)
        person |= {name: self._date(name, cells.get(name, "")) for name in DATES}
        self._check(person)
        if person["worker_type"] and (self._types_closed or person["worker_type"].casefold() in self._types):
            person["worker_type"] = self._word("worker_type", person["worker_type"], self._types)
        return person

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

    def _settle_duplicates(self) -> None:
        """Identical rows collapse; a second position of the same person stands; what contradicts itself is quarantined."""
        kept = []
        for number, listed in _grouped(self.people, lambda person: person["employee_id"]).items():
            distinct = {tuple(person.values()): (row, person) for row, person in reversed(listed)}
            single = list(reversed(distinct.values()))
            if _contradict([person for _, person in single]):
                problem = f"{len(listed)} rows of employee id {number} contradict each other"
                self._quarantine_all(listed, "one person, and one status per position", problem)
            else:
                self.collapsed += len(listed) - len(distinct)
                kept += single
        self.people = kept

    def _settle_shortened(self) -> None:
        """00042 beside 42: a spreadsheet has eaten zeros, or they are two people; which, only id_pattern can say."""
        kept = []
        for listed in _grouped(self.people, lambda person: person["employee_id"].lstrip("0") or "0").values():
            ids = sorted({person["employee_id"] for _, person in listed})
            if len(ids) > 1:
                allowed = "one way to write an id, or an id_pattern that both fit"
                self._quarantine_all(listed, allowed, f"employee ids {' and '.join(ids)} differ by leading zeros only")
            else:
                kept += listed
        self.people = kept

    def _quarantine_all(self, listed: Iterable[tuple[Row, Mapping[str, Any]]], allowed: str, problem: str) -> None:
        for row, person in listed:
            self.quarantine(row, "employee_id", person["employee_id"], allowed, problem)


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


def _grouped(people: Iterable[tuple[Row, dict[str, Any]]], key: Any) -> dict[str, list[tuple[Row, dict[str, Any]]]]:
    found: defaultdict[str, list[tuple[Row, dict[str, Any]]]] = defaultdict(list)
    for row, person in people:
        found[key(person)].append((row, person))
    return found


def _contradict(people: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows of one id are of different people, or say different things of one position."""
    if len(people) < 2:
        return False
    names = {tuple((person[n] or "").casefold() for n in ("given_name", "family_name", "person_id")) for person in people}
    positions = [tuple(person[n] for n in POSITION) for person in people]
    return len(names) > 1 or len(set(positions)) < len(positions)


def columns_of(people: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """People as the columns of a page."""
    for name in ("person_id", "status", *TEXTS, *DATES, "extra"):
        yield name, [person.get(name) for person in people]
