"""From the cells of a roster to people: closed words, declared dates, and every row accounted for."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import available_timezones

from pydantic import Field

from reconciler.connector import ConnectorSettings, Defect, Incomplete
from reconciler.tables import PEOPLE, STATUSES

TEXTS = tuple(c.name for c in PEOPLE.columns if c.type == "string" and c.name not in ("extra", "status", "person_id"))
DATES = ("start_date", "last_day", "end_date", "position_start")
POSITION = ("job_code", "job_title", "department", "company", "position_start", "start_date")


class RosterSettings(ConnectorSettings):
    """What every roster needs to be read: columns, words, formats and bounds."""

    columns: Mapping[str, str] = Field(default_factory=dict)
    statuses: Mapping[str, list[str]] = Field(default_factory=dict)
    worker_types: Mapping[str, list[str]] = Field(default_factory=dict)
    date_format: str = "%Y-%m-%d"
    no_date: tuple[str, ...] = ("9999-12-31", "31/12/9999", "12/31/9999", "0000-00-00", "00/00/0000")
    id_pattern: str | None = None
    covers: str = "full-history"
    min_people: int = 1
    max_drop_percent: float | None = None
    max_drop_7d_percent: float | None = None
    max_quarantined_percent: float = 2.0


@dataclass(frozen=True)
class Row:
    """One data row: its line in the file, and its cells by table column."""

    line: int
    cells: Mapping[str, str]


@dataclass
class Reading:
    """A roster while it is read: people, and what cannot be used and why."""

    settings: RosterSettings
    headers: Mapping[str, str]  # table column -> header in HR's words
    people: list[tuple[Row, dict[str, Any]]] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)
    collapsed: int = 0

    def __post_init__(self) -> None:
        words = self.settings.statuses or {status: [status] for status in STATUSES}
        self._statuses = {word.casefold(): status for status, listed in words.items() for word in listed}
        self._types = {word.casefold(): kind for kind, listed in self.settings.worker_types.items() for word in listed}
        self._zones = available_timezones()
        self._ids = re.compile(self.settings.id_pattern) if self.settings.id_pattern else None
        self._bad: Counter[str] = Counter()

    def read(self, rows: Sequence[Row]) -> None:
        """Take all rows; raises Incomplete when a column, or the whole, is bad beyond the configured percentage."""
        for row in rows:
            self._take(row)
        limit = self.settings.max_quarantined_percent
        for column, count in self._bad.items():
            if 100 * count > limit * max(1, len(rows)):
                example = next(d for d in self.defects if d.column == self.headers.get(column, column))
                raise Incomplete(
                    f"column {example.column!r} is wrong in {count} of {len(rows)} rows, more than {limit} %: e.g. line {example.line}: "
                    f"found {example.found!r}, allowed: {example.allowed}; has the export changed?"
                )
        self._settle_duplicates()

    def _take(self, row: Row) -> None:
        try:
            self.people.append((row, self._person(row)))
        except _Bad as bad:
            self._bad[bad.column] += 1
            self.defects.append(self._defect(row, bad.column, bad.found, bad.allowed, bad.problem))

    def _defect(self, row: Row, column: str, found: str, allowed: str, problem: str, rejected: bool = False) -> Defect:
        cells = row.cells
        name = " ".join(filter(None, (cells.get("given_name"), cells.get("family_name")))) or cells.get("display_name")
        header = self.headers.get(column, column)
        return Defect(
            cells.get("employee_id") or None,
            row.line,
            header,
            found,
            allowed,
            problem,
            rejected,
            name,
            cells.get("work_email") or None,
        )

    def _person(self, row: Row) -> dict[str, Any]:
        cells = {name: unicodedata.normalize("NFC", text.strip()) for name, text in row.cells.items()}
        person: dict[str, Any] = {name: cells.get(name) or None for name in TEXTS}
        if not person["employee_id"]:
            raise _Bad("employee_id", "", "an id in every row", "has no employee id")
        if self._ids and not self._ids.fullmatch(person["employee_id"]):
            raise _Bad(
                "employee_id",
                person["employee_id"],
                self.settings.id_pattern or "",
                f"employee id {person['employee_id']!r} does not fit id_pattern",
            )
        person["person_id"] = cells.get("person_id") or person["employee_id"]
        person["status"] = self._status(cells.get("status", ""))
        person |= {name: self._date(name, cells.get(name, "")) for name in DATES}
        self._check(person)
        if self._types and person["worker_type"]:
            person["worker_type"] = self._word("worker_type", person["worker_type"], self._types, self.settings.worker_types)
        return person

    def _status(self, text: str) -> str:
        return self._word("status", text, self._statuses, self.settings.statuses or dict.fromkeys(STATUSES, ()))

    def _word(self, column: str, text: str, known: Mapping[str, str], listed: Mapping[str, Any]) -> str:
        """A word of a closed list; one that is new is HR's to explain, and never means "left"."""
        if text.casefold() not in known:
            allowed = ", ".join(dict.fromkeys(word for words in listed.values() for word in words)) or ", ".join(listed)
            raise _Bad(column, text, allowed, f"unknown {column.replace('_', ' ')} {text!r}")
        return known[text.casefold()]

    def _date(self, column: str, text: str) -> date | None:
        if not text or text in self.settings.no_date:
            return None
        try:
            return datetime.strptime(text, self.settings.date_format).date()
        except ValueError:
            raise _Bad(
                column,
                text,
                f"dates as {self.settings.date_format}",
                f"{text!r} is no date of the form {self.settings.date_format}",
            ) from None

    def _check(self, person: Mapping[str, Any]) -> None:
        start = person["start_date"]
        for name in ("last_day", "end_date"):
            if start and person[name] and person[name] < start:
                raise _Bad(
                    name,
                    str(person[name]),
                    f"not before the start on {start}",
                    f"{name.replace('_', ' ')} {person[name]} is before the start on {start}",
                )
        zone = person["timezone"]
        if zone and zone not in self._zones:
            raise _Bad("timezone", zone, "an IANA time zone such as Europe/London", f"unknown time zone {zone!r}")

    # --- several rows of one id -------------------------------------------------------------------------------

    def _settle_duplicates(self) -> None:
        """Identical rows collapse; a second position of the same person stands; what contradicts itself is quarantined."""
        by_id: defaultdict[str, list[tuple[Row, dict[str, Any]]]] = defaultdict(list)
        for row, person in self.people:
            by_id[person["employee_id"]].append((row, person))
        kept = []
        for listed in by_id.values():
            distinct = {tuple(person.values()): (row, person) for row, person in reversed(listed)}
            self.collapsed += len(listed) - len(distinct)
            single = list(reversed(distinct.values()))
            if _contradict([person for _, person in single]):
                self.collapsed -= len(listed) - len(distinct)
                problem = f"{len(listed)} rows of employee id {listed[0][1]['employee_id']} contradict each other"
                self.defects += [
                    self._defect(row, "employee_id", person["employee_id"], "one person, and one status per position", problem)
                    for row, person in listed
                ]
            else:
                kept += single
        self.people = kept

    def reject(self, row: Row, column: str, found: str, allowed: str, problem: str) -> None:
        self.defects.append(replace(self._defect(row, column, found, allowed, problem), rejected=True))


@dataclass
class _Bad(Exception):
    """One cell that does not fit; it quarantines its row."""

    column: str
    found: str
    allowed: str
    problem: str


def _contradict(people: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows of one id are of different people, or say different things of one position."""
    names = {tuple((person[n] or "").casefold() for n in ("given_name", "family_name", "person_id")) for person in people}
    positions = [tuple(person[n] for n in POSITION) for person in people]
    return len(names) > 1 or len(set(positions)) < len(positions)


def columns_of(people: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """People as the columns of a page."""
    for name in ("person_id", "status", *TEXTS, *DATES, "extra"):
        yield name, [person.get(name) for person in people]
