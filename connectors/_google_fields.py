"""Which part of a Google user a column of accounts is, and a user with that part changed and everything else as it was."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

NAMES = {"given_name": "givenName", "family_name": "familyName"}
JOB = {"department": "department", "job_title": "title", "company": "name", "location": "location"}
LISTED = {"employee_id": ("externalIds", "organization"), "manager_account_id": ("relations", "manager")}
COLUMNS = (*NAMES, *JOB, *LISTED)
_FRESH_JOB = {"primary": True, "type": "work"}


def field_of(column: str) -> str | None:
    """The field of a user that a column lies in; None for what is not written."""
    if column in LISTED:
        return LISTED[column][0]
    return "name" if column in NAMES else "organizations" if column in JOB else None


def told(user: Json, column: str) -> str | None:
    """A column's value; for the manager, the address that is there."""
    if column in NAMES:
        return (user.get("name") or {}).get(NAMES[column]) or None
    if column in JOB:
        job = _main(user.get("organizations") or ())
        return None if job is None else job.get(JOB[column]) or None
    name, kind = LISTED[column]
    return next((one.get("value") for one in user.get(name) or () if one.get("type") == kind), None)


def several_jobs(user: Json) -> bool:
    """Whether none of several jobs is the main one, so that nobody can say which is meant."""
    return len(user.get("organizations") or ()) > 1 and _main(user.get("organizations") or ()) is None


def with_value(user: Json, column: str, value: str | None) -> Any:
    """The whole field with one value changed: Google takes a list as it is sent, and drops what is not in it."""
    if column in NAMES:
        return {name: kept for name, kept in (user.get("name") or {}).items() if name != "fullName"} | {NAMES[column]: value}
    if column in JOB:
        jobs = list(user.get("organizations") or ())
        main = _main(jobs)
        changed = _without_null({**(main if main is not None else _FRESH_JOB), JOB[column]: value})
        return _put(jobs, main, None if changed == _FRESH_JOB else changed)
    name, kind = LISTED[column]
    listed = list(user.get(name) or ())
    held = next((one for one in listed if one.get("type") == kind), None)
    return _put(listed, held, None if value is None else {**(held or {"type": kind}), "value": value})


def _put(listed: Sequence[Json], old: Json | None, new: Json | None) -> list[Json] | None:
    """One entry in another's place, at the end, or gone; no entries are no list at all."""
    made = [new if one is old else one for one in listed] + ([new] if old is None else [])
    return [one for one in made if one is not None] or None


def _without_null(entry: Json) -> Json:
    return {name: value for name, value in entry.items() if value is not None}


def _main(jobs: Sequence[Json]) -> Json | None:
    """The job that a user's columns are read from."""
    if len(jobs) == 1:
        return jobs[0]
    return next((job for job in jobs if job.get("primary")), None)


def new_user(wanted: Json, manager: str | None) -> dict[str, Any]:
    """The body that creates a user; the password is known to nobody, and must be changed at the first sign-in."""
    address = str(wanted["email"])
    shown = str(wanted.get("display_name") or address.partition("@")[0])
    name = {"givenName": wanted.get("given_name") or shown, "familyName": wanted.get("family_name") or shown}
    made: dict[str, Any] = {"primaryEmail": address, "name": name}
    values = {column: wanted.get(column) for column in (*JOB, "employee_id")} | {"manager_account_id": manager}
    for column, value in values.items():
        if value:
            made[str(field_of(column))] = with_value(made, column, value)
    made |= {"orgUnitPath": wanted["container"]} if wanted.get("container") else {}
    made |= {"suspended": True} if wanted.get("enabled") is False else {}
    return made | {"password": secrets.token_urlsafe(24) + "Aa1!", "changePasswordAtNextLogin": True}
