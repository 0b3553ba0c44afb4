"""Graph's users as accounts: what each property means to us, column by column."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors import _bulk_rows

SELECT = (
    "id", "userPrincipalName", "mail", "proxyAddresses", "employeeId", "givenName", "surname", "displayName", "department", "jobTitle",
    "companyName", "officeLocation", "accountEnabled", "userType", "createdDateTime", "lastPasswordChangeDateTime", "onPremisesSyncEnabled",
    "onPremisesImmutableId", "onPremisesSecurityIdentifier",
)  # fmt: skip
_PLAIN = {
    "account_id": "id", "login": "userPrincipalName", "upn": "userPrincipalName", "email": "mail", "employee_id": "employeeId",
    "sid": "onPremisesSecurityIdentifier", "given_name": "givenName", "family_name": "surname", "display_name": "displayName",
    "department": "department", "job_title": "jobTitle", "company": "companyName", "location": "officeLocation",
    "enabled": "accountEnabled",
}  # fmt: skip

_YEAR_2 = -62_104_060_800_000_000  # microseconds since 1970

Columns = dict[str, Any]  # lists, and instants as Arrow's numbers


def columns(users: Sequence[Mapping[str, Any]], extra: Mapping[str, str]) -> Columns:
    """A page of users as columns of accounts."""
    told = _told(users)
    made: Columns = {name: told[source] for name, source in _PLAIN.items()}
    made["aliases"] = [_aliases(mails) for mails in told["proxyAddresses"]]
    made["anchor"] = [anchor(text) for text in told["onPremisesImmutableId"]]
    made["state_reason"] = ["disabled" if enabled is False else None for enabled in made["enabled"]]
    made["created_at"] = instants(told["createdDateTime"])
    made["password_changed_at"] = instants(told["lastPasswordChangeDateTime"])
    made["mastered_by"] = ["on-premises" if synced else None for synced in told["onPremisesSyncEnabled"]]
    sorts = [user.get("@odata.type") for user in users]
    made["kind"] = [_kind(*about) for about in zip(sorts, told["userType"], made["login"], strict=True)]
    if extra:
        made["extra"] = [_extra(user, extra) for user in users]
    return made


def _told(users: Sequence[Mapping[str, Any]]) -> Columns:
    """Every selected property as a column; the common case, in which every user tells each of them, goes fast."""
    try:
        return (
            dict(zip(SELECT, map(list, zip(*map(itemgetter(*SELECT), users), strict=True)), strict=True))
            if users
            else {name: [] for name in SELECT}
        )
    except KeyError:
        return {name: [user.get(name) for user in users] for name in SELECT}


def deleted(users: Sequence[Mapping[str, Any]], extra: Mapping[str, str]) -> Columns:
    """A page of deleted users: off, and under the name they had before Entra put their id in front of it."""
    made = columns(users, extra)
    names = [
        (name or "").removeprefix(here.replace("-", "")) or None
        for here, name in zip(made["account_id"], made["login"], strict=True)
    ]
    return made | {"login": names, "upn": names, "enabled": [False] * len(users), "state_reason": ["deleted"] * len(users)}


def _aliases(mails: Sequence[str] | None) -> tuple[str, ...]:
    """Further addresses; a tuple of texts is nothing the garbage collector has to look at again and again."""
    return tuple([mail[5:].lower() for mail in mails if mail[:5] == "smtp:"]) if mails else ()


def _kind(sort: str | None, user_type: str | None, upn: str | None) -> str:
    if sort == "#microsoft.graph.agentUser":
        return "agent"
    if user_type == "Guest" or "#EXT#" in (upn or ""):
        return "guest"
    return "person"


def _extra(user: Mapping[str, Any], extra: Mapping[str, str]) -> str | None:
    kept = {name: user[attribute] for name, attribute in extra.items() if user.get(attribute) is not None}
    return json.dumps(kept, ensure_ascii=False) if kept else None


def anchor(text: str | None) -> str | None:
    """onPremisesImmutableId as the directory prints the same GUID; text of another length stays as it is."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return text
    if len(raw) != 16:
        return text
    return "-".join((raw[3::-1].hex(), raw[5:3:-1].hex(), raw[7:5:-1].hex(), raw[8:10].hex(), raw[10:].hex()))


def instant(text: str | None) -> int | None:
    """RFC 3339 as microseconds since 1970; the year 1 and an empty text are Graph's words for "not told"."""
    if not text or text.startswith("0001-"):
        return None
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


def instants(texts: Sequence[str | None]) -> pa.Array:
    """A column of instants; one by one where the year 1 stands for "not told"."""
    made = _bulk_rows.instants(texts, instant)
    least = pc.min(made).as_py()
    return made if least is None or least >= _YEAR_2 else pa.array([instant(text) for text in texts], pa.int64())
