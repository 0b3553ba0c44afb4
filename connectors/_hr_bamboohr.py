"""BambooHR: everybody in its data set of employees, by version 2, with the fields that this company has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors._hr_listing import MOST_PAGES, Moved, Told, count, distinct, records, steady, text, wanted
from connectors._http import Api
from connectors._presets import normal
from connectors._roster_settings import RosterSettings
from reconciler.connector import AccessRefused, Incomplete


def bamboohr(api: Api, settings: RosterSettings) -> Told:
    """Everybody of the data set `employee`, by the fields that this company has and this key may see."""
    there = _fields(api)
    fields = [there[normal(name)] for names in wanted(settings).values() for name in names if normal(name) in there]
    key = next((there[name] for name in ("eeid", "id", "employeenumber") if name in there), None)
    if key is None:
        raise Incomplete(f"{api.root}: the data set has no field eeid, id or employeeNumber; may this key see them?")
    asked = list(dict.fromkeys([*fields, key]))
    return steady(lambda: _once(api, asked, key), lambda: _once(api, [key], key), key)


def _fields(api: Api) -> dict[str, str]:
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


def _once(api: Api, fields: list[str], key: str) -> Told:
    rows: list[dict[str, str]] = []
    for number in range(1, MOST_PAGES):
        body = {"fields": fields, "filter": "status in ('Active','Inactive')", "orderBy": f"{key} asc", "page": number, "pageSize": 1000}  # fmt: skip
        answer = api.ask("POST", "api/v2/datasets/employee/data", body=body)
        meta = answer.get("meta") or {}
        total, last = (
            count(api.root, meta.get("totalItems"), "totalItems"),
            count(api.root, meta.get("totalPages"), "totalPages"),
        )
        rows += [_row(api.root, record, fields) for record in records(api.root, answer, "data")]
        following = bool((answer.get("links") or {}).get("next"))
        if following != (number < last):
            raise Moved(
                f"{api.root}: page {number} of {last} {'has' if following else 'has no'} next one; the listing moved, or was cut"
            )
        if not following:
            distinct(api.root, [row[key] for row in rows], total)
            return Told(rows, number, total)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _row(root: str, record: Mapping[str, Any], fields: Iterable[str]) -> dict[str, str]:
    told = record.get("fields")
    if not isinstance(told, dict):
        raise Incomplete(f"{root}: a record has no fields")
    withheld = set(record.get("_restrictedFields") or told.get("_restrictedFields") or ()) & set(fields)
    if withheld:
        raise AccessRefused(
            f"{root}: this key may not see {', '.join(sorted(withheld))} of everybody; let its user's access level see them"
        )
    return {name: text(told.get(name)) for name in fields}
