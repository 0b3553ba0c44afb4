"""A roster from a SCIM 2.0 service: every user once, as many as the service counts, by index or by cursor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from connectors._examining import host
from connectors._hr_listing import MOST_PAGES, Moved, Told, count, distinct, records, steady, text
from connectors._http import Api, NotThere, PageExpired, Refused, new_session
from connectors._roster import Row
from connectors._roster_settings import COLUMNS, RosterSettings
from connectors._roster_table import answers, places, reading
from reconciler.check import Check
from reconciler.connector import Answer, AsOf, Context, FileRef, Incomplete, Need, SecretRef

NEEDS = (Need("read of Users", "the roster", "nothing can be said about anybody"),)

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
# Column -> where RFC 7643 keeps it; `columns` in the configuration goes before it.
USUAL = {
    "status": "active", "given_name": "name.givenName", "family_name": "name.familyName", "display_name": "displayName",
    "preferred_name": "nickName", "work_email": "emails", "worker_type": "userType", "job_title": "title", "timezone": "timezone",
    "department": f"{ENTERPRISE}:department", "cost_centre": f"{ENTERPRISE}:costCenter", "company": f"{ENTERPRISE}:organization",
    "manager_id": f"{ENTERPRISE}:manager.value",
}  # fmt: skip
NUMBERS = (f"{ENTERPRISE}:employeeNumber", "externalId")  # what an employee's number may be called; the first that anybody has


class Settings(RosterSettings):
    """SCIM knows active and not; without dates of its own, `columns` may name a column of an extension by its full URN."""

    kind: Literal["hr_scim"]
    url: str = Field(description="The service's base, that /Users stands under.")
    token: SecretRef = Field(description="A bearer token.")
    filter: str | None = Field(None, description="A SCIM filter, where not every user is one of HR's.")
    paging: Literal["auto", "index", "cursor"] = Field("auto", description="By cursor where the service says that it can.")
    page_size: int = Field(200, ge=1, le=10_000, strict=True)
    ca_file: FileRef | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_words(cls, raw: Any) -> Any:
        """`active` is true or false, unless the configuration names another column for the status."""
        return {"statuses": {"active": ["true"], "left": ["false"]}, **raw} if isinstance(raw, dict) else raw


def examine(settings: Settings, context: Context) -> Iterator[Check]:
    """What `doctor` asks beyond a whole read. Raises Incomplete when the host is not reached."""
    yield from host(settings.url, settings.ca_file, context)


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The users of a service as people. Raises Refused, or Incomplete when a listing is cut or never stands still."""
    told = _users(_api(settings, context), settings)
    yield AsOf(context.now)
    if not told.rows:
        raise Incomplete(f"{settings.url}: answers with nobody; may this token see users?")
    rows = _columns(told.rows, settings)
    header = list(dict.fromkeys(name for row in rows for name in row))
    headers = places(settings, header, context.source, f"{settings.url}: the answer")
    made = reading(settings, context.source, header, headers, "entry")
    named = {column: header[at] for column, at in headers.items()}
    made.read([Row(n, {c: row.get(name, "") for c, name in named.items()}) for n, row in enumerate(rows, 1)], len(rows))
    yield from answers(settings, made, len(rows), settings.url, told.pages, told.declared, urlsplit(settings.url).netloc)


def _api(settings: Settings, context: Context) -> Api:
    session, deadline = new_session(settings.url, settings.ca_file), time.monotonic() + context.deadline_seconds
    return Api(
        settings.url, session, lambda _renew: f"Bearer {settings.token.reveal()}", deadline, expired=_expired, wait=context.wait
    )


def _expired(status: int, reason: str) -> bool:
    """RFC 9865, 2.3: a cursor that has run out, or that the service no longer knows."""
    return status == 400 and ("expiredCursor" in reason or "invalidCursor" in reason)


# --- pages ------------------------------------------------------------------------------------------------------


def _users(api: Api, settings: Settings) -> Told:
    by_cursor = settings.paging == "cursor" or (settings.paging == "auto" and _offers_cursors(api))
    if by_cursor:
        return steady(lambda: _by_cursor(api, settings))
    return steady(lambda: _by_index(api, settings), lambda: _by_index(api, settings, attributes="id"))


def _offers_cursors(api: Api) -> bool:
    """What the service says of itself (RFC 9865, 4); a service that says nothing pages by index."""
    try:
        told = api.get("ServiceProviderConfig").get("pagination")
    except (NotThere, Refused):
        return False
    return isinstance(told, dict) and told.get("cursor") is True


def _query(settings: Settings, **more: Any) -> dict[str, Any]:
    return {**({"filter": settings.filter} if settings.filter else {}), "count": settings.page_size, **more}


def _by_index(api: Api, settings: Settings, **more: str) -> Told:
    """Pages by index. One who leaves on a page that was read shifts all others: total, places and ids must agree."""
    users: list[dict[str, Any]] = []
    total: int | None = None
    for number in range(1, MOST_PAGES):
        answer = api.get("Users", query=_query(settings, startIndex=len(users) + 1, **more))
        now = count(api.root, answer.get("totalResults"), "totalResults")
        if total not in (None, now) or answer.get("startIndex", len(users) + 1) != len(users) + 1:
            raise Moved(
                f"{api.root}: page {number} begins at {answer.get('startIndex')} of {now}, not at {len(users) + 1} of {total}; the listing moved"
            )
        total, found = now, records(api.root, answer, "Resources") if now or "Resources" in answer else []
        users += found
        if not found or len(users) >= total:
            return _told(api, users, number, total)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _by_cursor(api: Api, settings: Settings) -> Told:
    """Pages by cursor, to the one that names no next one; held against the total, which is asked for where it is not told."""
    users: list[dict[str, Any]] = []
    cursor, seen = "", {""}
    for number in range(1, MOST_PAGES):
        try:
            answer = api.get("Users", query=_query(settings, cursor=cursor))
        except PageExpired as problem:
            raise Moved(str(problem)) from None
        users += records(api.root, answer, "Resources") if answer.get("totalResults") != 0 else []
        following = answer.get("nextCursor")
        if not following:
            told = answer.get("totalResults")
            total = count(api.root, told, "totalResults") if told is not None else _counted(api, settings)
            return _told(api, users, number, total)
        if following in seen:
            raise Moved(f"{api.root}: page {number} names a cursor that was used already; the listing goes in a circle")
        cursor = str(following)
        seen.add(cursor)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _counted(api: Api, settings: Settings) -> int:
    """How many there are, asked for without any (RFC 7644, 3.4.2.4)."""
    return count(api.root, api.get("Users", query=_query(settings, count=0)).get("totalResults"), "totalResults")


def _told(api: Api, users: list[dict[str, Any]], pages: int, total: int) -> Told:
    ids = [user.get("id") for user in users]
    if None in ids:
        raise Incomplete(f"{api.root}: users without id; every SCIM user has one")
    distinct(api.root, ids, total)
    return Told([dict(_flat(user)) for user in users], pages, total)


# --- users ------------------------------------------------------------------------------------------------------


def _flat(user: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Attributes by their path, an extension's behind its URN; of several values the primary one, or the first."""
    for name, value in user.items():
        if name == "schemas":
            continue
        if isinstance(value, list):
            value = next(
                (item for item in value if isinstance(item, dict) and item.get("primary") is True), value[0] if value else None
            )
            value = value.get("value") if isinstance(value, dict) else value
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}{':' if name.startswith('urn:') else '.'}")
        elif value is not None:
            yield before + name, text(value)


def _columns(users: Sequence[Mapping[str, str]], settings: Settings) -> list[dict[str, str]]:
    """Users with the table's own columns, where the configuration names no others; managers by their own number."""
    there = Counter(name for user in users for name in user)
    number = next((name for name in NUMBERS if there[name]), None)
    usual = {**USUAL, **({"employee_id": number} if number else {})}
    usual = {column: name for column, name in usual.items() if column not in settings.columns and there[name]}
    by = settings.columns.get("employee_id", number or "id")
    numbers = {user["id"]: user.get(by, "") for user in users}
    rows, named = [], set(settings.columns.values())
    for user in users:
        kept = {name: value for name, value in user.items() if name not in COLUMNS or name in named}
        row = kept | {column: user.get(name, "") for column, name in usual.items()}
        if "manager_id" in usual:
            row["manager_id"] = numbers.get(row["manager_id"], "")
        rows.append(row)
    return rows
