"""From Google's users to accounts: names, jobs, states, addresses, when somebody was last seen."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from connectors._bulk_rows import UNKNOWN, Accounts, Numbers, Part, hashes, index, instants, joined, part

Json = Mapping[str, Any]

MANAGER = "manager"  # what is put aside of a user: the manager's address, by hash
_NOTHING: Json = {}
_NAMES = {"given_name": "givenName", "family_name": "familyName", "display_name": "fullName"}
_JOB = {"department": "department", "job_title": "title", "company": "name", "location": "location"}

BY_AN_ADMIN = "ADMIN"  # why a user is suspended; any other reason is Google's own
NEVER = "1970-01-01T00:00:00.000Z"  # how Google writes "has never signed in"


def columns(users: Sequence[Json], extra: Mapping[str, str]) -> dict[str, Any]:
    """A page of users as columns of accounts."""
    mails = [user["primaryEmail"] for user in users]
    names = [user.get("name") or _NOTHING for user in users]
    jobs = [_main(user.get("organizations") or ()) for user in users]
    seen = [user.get("lastLoginTime") for user in users]
    states = [_state(user) for user in users]
    made: dict[str, Any] = {"account_id": [user["id"] for user in users], "login": mails, "upn": mails, "email": mails}
    made |= {column: [name.get(field) for name in names] for column, field in _NAMES.items()}
    made |= {column: [job.get(field) for job in jobs] for column, field in _JOB.items()}
    made["aliases"] = [_aliases(user) for user in users]
    made["employee_id"] = [employee_id(user) for user in users]
    made["enabled"], made["state_reason"] = [enabled for enabled, _ in states], [reason for _, reason in states]
    made["created_at"] = instants([user.get("creationTime") or None for user in users], _instant)
    made["last_login_at"] = instants([None if each == NEVER else each or None for each in seen], _instant)
    made["never_logged_in"] = [True if each == NEVER else None for each in seen]
    made["kind"] = ["guest" if user.get("isGuestUser") else "person" for user in users]
    made["privileged"] = [_either(user.get("isAdmin"), user.get("isDelegatedAdmin")) for user in users]
    made["container"] = [user.get("orgUnitPath") for user in users]
    made["mfa"] = [user.get("isEnrolledIn2Sv") for user in users]
    made["extra"] = [_extra(user, job, extra) for user, job in zip(users, jobs, strict=True)]
    return made


class Users(NamedTuple):
    """A page of users as accounts, and what each is known by when they are listed once more."""

    accounts: Part
    known_by: Numbers
    by_google: Sequence[str] = ()  # logins that Google itself has suspended, and its reasons


def users_of(rows: Sequence[Json], extra: Mapping[str, str]) -> Users:
    """A page of users; their managers' addresses are put aside, to be looked up when everybody is known."""
    managers = [(_typed(user.get("relations"), "manager") or "").lower() for user in rows]
    reasons = [(user["primaryEmail"], user.get("suspensionReason") or BY_AN_ADMIN) for user in rows if user.get("suspended")]
    by_google = [f"{login} ({reason})" for login, reason in reasons if reason != BY_AN_ADMIN]
    return _users(rows, columns(rows, extra), hashes(managers))._replace(by_google=by_google)


def tombstones_of(rows: Sequence[Json], extra: Mapping[str, str]) -> Users:
    """Users that were deleted in the last twenty days: nobody signs in with them, and they can still be brought back."""
    gone = {"enabled": [False] * len(rows), "state_reason": ["deleted"] * len(rows)}
    return _users(rows, columns(rows, extra) | gone, np.full(len(rows), UNKNOWN))


def _users(rows: Sequence[Json], told: Mapping[str, Any], managers: Numbers) -> Users:
    return Users(part(told, **{MANAGER: managers}), hashes([decisive(user) for user in rows]))


def known_by(pages: Sequence[Users]) -> Numbers:
    return joined(page.known_by for page in pages)


def decisive(user: Json) -> str:
    """What decides whose account it is."""
    return f"{user['id']} {employee_id(user)}"


def employee_id(user: Json) -> str | None:
    return _typed(user.get("externalIds"), "organization")


class Addresses:
    """Accounts by every address they have; somebody's own address beats another one's alias."""

    def __init__(self, accounts: Accounts) -> None:
        self.domains: set[str] = set()
        own: list[tuple[Numbers, Numbers]] = []
        aliases: list[tuple[Numbers, Numbers]] = []
        for begin, batch in accounts.batches():
            further, mails = batch["aliases"], [mail.lower() for mail in batch["login"].to_pylist()]
            others = pc.list_flatten(further).to_pylist()
            aliases.append((hashes(others), begin + pc.list_parent_indices(further).to_numpy().astype(np.int64)))
            own.append((hashes(mails), np.arange(begin, begin + len(mails))))
            self.domains |= {mail.rpartition("@")[2] for mail in (*mails, *others)}
        self._index = index([*aliases, *own])

    def rows(self, mails: Collection[str]) -> Numbers:
        """Whose address each is, in small letters, by row; UNKNOWN where nobody has it."""
        return self.of(hashes(mails))

    def of(self, mails: Numbers) -> Numbers:
        """The same, by the addresses' hashes."""
        return self._index.find(mails)


def _aliases(user: Json) -> list[str]:
    return [alias.lower() for alias in (*user.get("aliases", ()), *user.get("nonEditableAliases", ()))]


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
