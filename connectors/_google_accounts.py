"""From Google's users to accounts: names, jobs, states, addresses, when somebody was last seen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]

NEVER = "1970-01-01T00:00:00.000Z"  # how Google writes "has never signed in"


def account(user: Json, extra: Mapping[str, str]) -> dict[str, Any]:
    """One account; `manager_mail` is the manager's address, to be looked up when everybody is known."""
    mail, name, job, seen = (
        user["primaryEmail"],
        user.get("name") or {},
        _main(user.get("organizations") or ()),
        user.get("lastLoginTime"),
    )
    enabled, reason = _state(user)
    return {
        "account_id": user["id"], "login": mail, "upn": mail, "email": mail,
        "aliases": [alias.lower() for alias in [*user.get("aliases", ()), *user.get("nonEditableAliases", ())]],
        "employee_id": employee_id(user), "given_name": name.get("givenName"),
        "family_name": name.get("familyName"), "display_name": name.get("fullName"), "department": job.get("department"),
        "job_title": job.get("title"), "company": job.get("name"), "location": job.get("location"),
        "enabled": enabled, "state_reason": reason, "created_at": _instant(user.get("creationTime")),
        "last_login_at": None if seen == NEVER else _instant(seen), "never_logged_in": True if seen == NEVER else None,
        "kind": "guest" if user.get("isGuestUser") else "person", "privileged": _either(user.get("isAdmin"), user.get("isDelegatedAdmin")),
        "container": user.get("orgUnitPath"), "mfa": user.get("isEnrolledIn2Sv"), "extra": _extra(user, job, extra),
        "manager_mail": (_typed(user.get("relations"), "manager") or "").lower(),
    }  # fmt: skip


def employee_id(user: Json) -> str | None:
    return _typed(user.get("externalIds"), "organization")


def tombstone(user: Json, extra: Mapping[str, str]) -> dict[str, Any]:
    """A user that was deleted in the last twenty days: nobody signs in with it, and it can still be brought back."""
    return account(user, extra) | {"enabled": False, "state_reason": "deleted", "manager_mail": ""}


def by_mail(accounts: Iterable[Json]) -> dict[str, str]:
    """Every address of every account; somebody's own address beats another one's alias."""
    listed = list(accounts)
    found = {alias: one["account_id"] for one in listed for alias in one["aliases"]}
    return found | {one["login"].lower(): one["account_id"] for one in listed}


def _typed(values: Sequence[Json] | None, kind: str) -> str | None:
    for one in values or ():
        if one.get("type") == kind:
            return one.get("value")
    return None


def _extra(user: Json, job: Json, wanted: Mapping[str, str]) -> str | None:
    """Further fields by the names the configuration gives them: the user's own, else those of the main job (costCenter)."""
    if not wanted:
        return None
    told = {kept: user.get(field, job.get(field)) for kept, field in wanted.items()}
    known = {kept: value for kept, value in told.items() if value is not None}
    return json.dumps(known, ensure_ascii=False) if known else None


def _state(user: Json) -> tuple[bool | None, str | None]:
    """(enabled, reason); unknown when Google says neither that it is suspended nor that it is not."""
    if user.get("suspended"):
        return False, "suspended"
    if user.get("archived"):
        return False, "archived"
    return (None if user.get("suspended") is None else True), None


def _either(one: bool | None, other: bool | None) -> bool | None:
    return True if one or other else None if one is None or other is None else False


def _main(jobs: Sequence[Json]) -> Json:
    if len(jobs) == 1:
        return jobs[0]
    for job in jobs:
        if job.get("primary"):
            return job
    return {}


def _instant(text: str | None) -> int | None:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else None
