"""What each HR system's API is asked, how its pages end, and its records as plain rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors._http import Api
from connectors._presets import normal
from connectors._roster_settings import RosterSettings
from reconciler.connector import AccessRefused, Incomplete

READINGS = 3  # of a listing that changes while it is read
MOST_PAGES = 10_000
# Columns in which HiBob's words for people stand beside its own numbers.
_WORDED = ("status", "worker_type", "department", "cost_centre", "job_code", "job_title", "location", "company")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00(?::00(?:\.0+)?)?)?(?:Z|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class Told:
    """All records as rows of text, how many pages they came on, and how many the system counts itself."""

    rows: Sequence[Mapping[str, str]]
    pages: int
    declared: int | None


class Moved(Incomplete):
    """The listing changed while it was read; another reading may be whole."""


def steady(read: Callable[[], Told], again: Callable[[], Told] | None = None, key: str = "id") -> Told:
    """A reading during which nothing moved; raises Incomplete when there is none in a few tries.

    `again` is a second reading of the ids of a listing that came on several pages: when one leaves and one joins while
    it is read, everybody behind moves by a place, somebody is skipped, and the count is right all the same.
    """

    def once() -> Told:
        told = read()
        if again is not None and told.pages > 1 and {row[key] for row in told.rows} != {row[key] for row in again().rows}:
            raise Moved("two readings gave different people; the listing moved while it was read")
        return told

    for _ in range(READINGS - 1):
        try:
            return once()
        except Moved:
            continue
    return once()


def distinct(root: str, ids: Sequence[object], declared: int | None) -> None:
    """Every record once, and as many as the system counts."""
    if len(set(ids)) != len(ids):
        raise Moved(f"{root}: {len(ids) - len(set(ids))} records came twice; the listing moved while it was read")
    if declared is not None and len(ids) != declared:
        raise Moved(f"{root}: {len(ids)} records came, but {declared} are counted; the listing moved, or was cut")


def _wanted(settings: RosterSettings) -> dict[str, Sequence[str]]:
    """Column -> the names its field may have: the configured one, or what the preset knows."""
    known = dict(settings.known.columns) if settings.known else {}
    return {
        **known,
        **{column: (name,) for column, name in settings.columns.items()},
        **{f"extra.{name}": (name,) for name in settings.extra},
    }


def records(root: str, answer: Mapping[str, Any], *names: str) -> list[dict[str, Any]]:
    """The list of objects that an answer holds under one of these names."""
    found = next((answer[name] for name in names if name in answer), None)
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise Incomplete(f"{root}: the answer holds no list called {names[0]}; is the address right?")
    return found


def count(root: str, told: object, name: str) -> int:
    if isinstance(told, bool) or not isinstance(told, (int, str)) or not str(told).isdecimal():
        raise Incomplete(f"{root}: the answer does not say how many there are ({name})")
    return int(told)


def text(value: object) -> str:
    """A value as a file would have it; a day with midnight and an offset is the day that stands there."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    day = _DAY.fullmatch(value) if isinstance(value, str) else None
    return day[1] if day else str(value)


# --- BambooHR: its data sets, version 2 ---------------------------------------------------------------------------


def bamboohr(api: Api, settings: RosterSettings) -> Told:
    """Everybody of the data set `employee`, by the fields that this company has and this key may see."""
    there = _bamboohr_fields(api)
    fields = [there[normal(name)] for names in _wanted(settings).values() for name in names if normal(name) in there]
    key = next((there[name] for name in ("eeid", "id", "employeenumber") if name in there), None)
    if key is None:
        raise Incomplete(f"{api.root}: the data set has no field eeid, id or employeeNumber; may this key see them?")
    wanted = list(dict.fromkeys([*fields, key]))
    return steady(lambda: _bamboohr_once(api, wanted, key), lambda: _bamboohr_once(api, [key], key), key)


def _bamboohr_fields(api: Api) -> dict[str, str]:
    found: dict[str, str] = {}
    here: str | None = "api/v1_2/datasets/employee/fields"
    seen: set[str] = set()
    while here is not None:
        if here in seen or len(seen) > MOST_PAGES:
            raise Incomplete(f"{api.root}: the list of fields comes back to a page it has given already")
        seen.add(here)
        answer = api.get(here)
        found |= {normal(str(field.get("name"))): str(field.get("name")) for field in records(api.root, answer, "fields")}
        here = (answer.get("pagination") or {}).get("next_page") or None
    return found


def _bamboohr_once(api: Api, fields: list[str], key: str) -> Told:
    rows: list[dict[str, str]] = []
    for number in range(1, MOST_PAGES):
        body = {"fields": fields, "filter": "status in ('Active','Inactive')", "orderBy": f"{key} asc", "page": number, "pageSize": 1000}  # fmt: skip
        answer = api.ask("POST", "api/v2/datasets/employee/data", body=body)
        meta = answer.get("meta") or {}
        total, last = (
            count(api.root, meta.get("totalItems"), "totalItems"),
            count(api.root, meta.get("totalPages"), "totalPages"),
        )
        rows += [_bamboohr_row(api.root, record, fields) for record in records(api.root, answer, "data")]
        following = bool((answer.get("links") or {}).get("next"))
        if following != (number < last):
            raise Moved(
                f"{api.root}: page {number} of {last} {'has' if following else 'has no'} next one; the listing moved, or was cut"
            )
        if not following:
            distinct(api.root, [row[key] for row in rows], total)
            return Told(rows, number, total)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _bamboohr_row(root: str, record: Mapping[str, Any], fields: Iterable[str]) -> dict[str, str]:
    told = record.get("fields")
    if not isinstance(told, dict):
        raise Incomplete(f"{root}: a record has no fields")
    withheld = set(record.get("_restrictedFields") or told.get("_restrictedFields") or ()) & set(fields)
    if withheld:
        raise AccessRefused(
            f"{root}: this key may not see {', '.join(sorted(withheld))} of everybody; let its user's access level see them"
        )
    return {name: text(told.get(name)) for name in fields}


# --- HiBob: one search, no pages ----------------------------------------------------------------------------------


def hibob(api: Api, settings: RosterSettings) -> Told:
    """Everybody, searched twice, since the answer neither counts itself nor says where it was cut."""
    wanted = _wanted(settings)
    fields = list(dict.fromkeys(name for names in wanted.values() for name in names if "." in name))
    worded = {name for column in _WORDED for name in wanted.get(column, ())}
    return steady(lambda: _hibob_once(api, ["root.id", *(f for f in fields if f != "root.id")], worded))


def _hibob_once(api: Api, fields: list[str], worded: set[str]) -> Told:
    found = _hibob_search(api, fields)
    ids, again = ([_hibob_value(record, "root.id") for record in told] for told in (found, _hibob_search(api, ["root.id"])))
    if None in ids or None in again:
        raise Incomplete(f"{api.root}: records without root.id; let the service user see it")
    distinct(api.root, ids, len(again))
    if set(ids) != set(again):
        raise Moved(f"{api.root}: two searches gave different people; the listing moved while it was read")
    rows = [
        {name: text(value) for name in fields if (value := _hibob_said(record, name, worded)) is not None} for record in found
    ]
    return Told(_with_managers(rows), 1, len(again))


def _hibob_search(api: Api, fields: list[str]) -> list[dict[str, Any]]:
    body = {"fields": fields, "showInactive": True, "humanReadable": "APPEND"}
    return records(api.root, api.ask("POST", "v1/people/search", body=body), "employees")


def _hibob_said(record: Mapping[str, Any], name: str, worded: set[str]) -> Any:
    """A field's word for people where it has one: lists are numbers otherwise; days are not taken from there."""
    machine = _hibob_value(record, name)
    human = _at(record.get("humanReadable"), name) if name in worded else None
    return human if isinstance(human, str) and machine is not None else machine


def _hibob_value(record: Mapping[str, Any], name: str) -> Any:
    told = record.get("/" + name.replace(".", "/"))
    if isinstance(told, dict) and "value" in told:
        return told["value"]
    found = _at(record, name)
    return _at(record, name.removeprefix("root.")) if found is None else found


def _at(record: object, name: str) -> Any:
    for part in name.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return None if isinstance(record, (dict, list)) else record


def _with_managers(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Managers by the number their own record bears, where HiBob names them by its own."""
    numbers = {row["root.id"]: row.get("work.employeeIdInCompany", "") for row in rows}
    for row in rows:
        manager = numbers.get(row.get("work.reportsTo.id", ""))
        if manager:
            row.setdefault("work.reportsTo.employeeIdInCompany", manager)
    return rows


# --- Personio: employees, version 1 -------------------------------------------------------------------------------


def personio_token(entrance: Api, settings: Any) -> Callable[[bool], str]:
    """Asks for a token when there is none, or the one there is has run out."""
    kept: list[str] = []

    def authorise(renew: bool) -> str:
        if renew or not kept:
            told = entrance.ask(
                "POST", "v1/auth", body={"client_id": settings.username, "client_secret": settings.password.reveal()}
            )
            token = (told.get("data") or {}).get("token")
            if not told.get("success") or not isinstance(token, str):
                raise AccessRefused(f"{entrance.root}: no token for client {settings.username}; is the secret right?")
            kept[:] = [token]
        return f"Bearer {kept[0]}"

    return authorise


def personio(api: Api, settings: RosterSettings) -> Told:
    """Everybody, a hundred at a time, until as many have come as there are."""
    return steady(lambda: _personio_once(api), lambda: _personio_once(api))


def _personio_once(api: Api) -> Told:
    people: list[dict[str, Any]] = []
    total: int | None = None
    for number in range(1, MOST_PAGES):
        answer = api.get("v1/company/employees", query={"limit": 100, "offset": len(people)})
        now = count(api.root, (answer.get("metadata") or {}).get("total_elements"), "total_elements")
        if total not in (None, now):
            raise Moved(f"{api.root}: {total} people at first and {now} on page {number}; the listing moved while it was read")
        total, found = now, records(api.root, answer, "data")
        people += found
        if not found or len(people) >= total:
            rows = [dict(_personio_row(record)) for record in people]
            distinct(api.root, [row.get("id") for row in rows], total)
            return Told(rows, number, total)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _personio_row(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes by their name, a company's own by their label; of what is nested, its name, and the supervisor's number."""
    for name, told in (record.get("attributes") or {}).items():
        value = told.get("value") if isinstance(told, dict) else told
        shown = str(told.get("label") or name) if name.startswith("dynamic_") and isinstance(told, dict) else name
        if name == "supervisor":
            yield "supervisor.id", text(_nested(value, "id"))
        elif isinstance(value, list):
            yield shown, "; ".join(text(_nested(item, "name")) for item in value if isinstance(item, dict))
        else:
            yield shown, text(_nested(value, "name") if isinstance(value, dict) else value)


def _nested(value: object, name: str) -> Any:
    """An attribute of a nested record, itself perhaps with a label."""
    told = (value.get("attributes") or {}).get(name) if isinstance(value, dict) else None
    return told.get("value") if isinstance(told, dict) else told


# --- Workday: a report as a service -------------------------------------------------------------------------------


def workday(api: Api, settings: Any) -> Told:
    """All entries of one report, which has no pages: its JSON is whole or it cannot be read."""
    query = {**dict(parse_qsl(urlsplit(settings.url).query)), "format": "json"}
    entries = records(api.root, api.get(api.root, query=query), "Report_Entry")
    return Told([dict(_workday_row(entry)) for entry in entries], 1, None)


def _workday_row(entry: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Fields by their name; of a nested one, its parts as Field.Part, several of them side by side."""
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _workday_row(value, f"{before}{name}.")
        elif isinstance(value, list):
            parts = [pair for item in value if isinstance(item, dict) for pair in _workday_row(item, f"{before}{name}.")]
            yield from (
                (part, "; ".join(word for name, word in parts if name == part)) for part in dict.fromkeys(n for n, _ in parts)
            )
        else:
            yield before + name, text(value)
