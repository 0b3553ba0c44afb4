"""HiBob: everybody in one search without pages, held against a second one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors._hr_listing import Moved, Told, distinct, records, steady, text, wanted
from connectors._http import Api
from connectors._roster_settings import RosterSettings
from reconciler.connector import Incomplete

# Columns in which HiBob's words for people stand beside its own numbers.
_WORDED = ("status", "worker_type", "department", "cost_centre", "job_code", "job_title", "location", "company")


def hibob(api: Api, settings: RosterSettings) -> Told:
    """Everybody, searched twice, since the answer neither counts itself nor says where it was cut."""
    known = wanted(settings)
    fields = list(dict.fromkeys(name for names in known.values() for name in names if "." in name))
    worded = {name for column in _WORDED for name in known.get(column, ())}
    return steady(lambda: _once(api, ["root.id", *(f for f in fields if f != "root.id")], worded))


def _once(api: Api, fields: list[str], worded: set[str]) -> Told:
    found = _search(api, fields)
    ids, again = ([_value(record, "root.id") for record in told] for told in (found, _search(api, ["root.id"])))
    if None in ids or None in again:
        raise Incomplete(f"{api.root}: records without root.id; let the service user see it")
    distinct(api.root, ids, len(again))
    if set(ids) != set(again):
        raise Moved(f"{api.root}: two searches gave different people; the listing moved while it was read")
    rows = [{name: text(value) for name in fields if (value := _said(record, name, worded)) is not None} for record in found]
    return Told(_with_managers(rows), 1, len(again))


def _search(api: Api, fields: list[str]) -> list[dict[str, Any]]:
    body = {"fields": fields, "showInactive": True, "humanReadable": "APPEND"}
    return records(api.root, api.ask("POST", "v1/people/search", body=body), "employees")


def _said(record: Mapping[str, Any], name: str, worded: set[str]) -> Any:
    """A field's word for people where it has one: lists are numbers otherwise; days are not taken from there."""
    machine = _value(record, name)
    human = _at(record.get("humanReadable"), name) if name in worded else None
    return human if isinstance(human, str) and machine is not None else machine


def _value(record: Mapping[str, Any], name: str) -> Any:
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
