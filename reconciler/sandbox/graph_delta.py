"""What changed since last time, as Microsoft Graph's delta queries tell it.

Source: learn.microsoft.com/graph/delta-query-overview, …/api/user-delta and …/api/group-delta.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from reconciler.sandbox.graph_call import Call, Refusal, bad
from reconciler.sandbox.graph_pages import expired_page, known, link, picked
from reconciler.sandbox.graph_shapes import default
from reconciler.sandbox.http import Reply, json_reply
from reconciler.sandbox.tenant_objects import Json

ROWS = 200
_SINGULAR = {"users": "user", "groups": "group"}
_LINKED = {"users": "manager", "groups": "members"}  # the relation whose changes may be asked for
_TYPES = {"users": "user", "groups": "group", "devices": "device", "apps": "servicePrincipal"}


@dataclass(frozen=True)
class _Round:
    """From which change to which change, and how far its pages have come; since -1: everything from the beginning."""

    since: int
    until: int
    moved: int
    moved_until: int
    begin: int = 0

    def token(self, kind: str) -> str:
        words = ".".join((kind, *map(str, astuple(self))))
        return base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")


def users(call: Call) -> Reply:
    return _delta(call, "users")


def groups(call: Call) -> Reply:
    return _delta(call, "groups")


def _delta(call: Call, kind: str) -> Reply:
    _check(call, kind)
    here = _round(call, kind)
    if call.query.get("$deltatoken") == "latest":
        return _answer(call, kind, [], here, last=True)
    ids = _ids(call, kind, here)
    short = call.request.fault("short_pages")
    size = min(_size(call), int(short.value)) if short else _size(call)
    end = here.begin if call.request.fault("empty_page") else here.begin + size
    rows = [_row(call, kind, each, here) for each in ids[here.begin : end]]
    return _answer(call, kind, _faulty(call, rows), replace(here, begin=end), last=end >= len(ids))


def _check(call: Call, kind: str) -> None:
    for name in ("$top", "$expand", "$orderby", "$search"):
        if name in call.query:
            raise bad(f"The query parameter '{name}' is not supported by a delta query.")
    unknown = set(_selected(call)) - known(_SINGULAR[kind]) - {_LINKED[kind]}
    if unknown:
        raise bad(f"Could not find a property named '{min(unknown)}' on type 'microsoft.graph.{_SINGULAR[kind]}'.")


def _selected(call: Call) -> list[str]:
    return [name for name in call.query.get("$select", "").split(",") if name]


def _round(call: Call, kind: str) -> _Round:
    """Where the token says that we are; raises Refusal when it is none of ours or has expired."""
    tenant = call.tenant
    now = _Round(-1, len(tenant.changes[kind]), -1, len(tenant.moves))
    token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
    if expired := call.request.fault("expired_token"):
        raise expired_page(int(expired.value or 410))
    if not token or token == "latest":
        return now
    try:
        asked, *numbers = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii").split(".")
        read = _Round(*map(int, numbers))
    except (ValueError, TypeError):
        raise Refusal(400, "Badly formed token.", "syncStateNotFound") from None
    if asked != kind or read.until > now.until:
        raise Refusal(400, "Badly formed token.", "syncStateNotFound")
    return read if "$skiptoken" in call.query else _Round(read.until, now.until, read.moved_until, now.moved_until)


def _ids(call: Call, kind: str, here: _Round) -> list[str]:
    tenant = call.tenant
    if here.since < 0:
        gone = tenant.deleted if kind == "users" else {}
        return [*getattr(tenant, kind), *gone]
    return list(dict.fromkeys(each for each, _ in tenant.changes[kind][here.since : here.until]))


def _row(call: Call, kind: str, here: str, told: _Round) -> Json:
    row = call.tenant.object(kind, here)
    if row is None:
        reasons = [why for each, why in call.tenant.changes[kind] if each == here and why]
        return {"id": here, "@removed": {"reason": reasons[-1] if reasons else "deleted"}}
    selected = _selected(call)
    names = [name for name in selected if name != _LINKED[kind]] or default(_SINGULAR[kind])
    shown = {"id": here} | picked(row, names)
    linked = _links(call, kind, here, told) if _LINKED[kind] in selected else []
    return shown | ({f"{_LINKED[kind]}@delta": linked} if linked else {})


def _links(call: Call, kind: str, here: str, told: _Round) -> list[Json]:
    tenant = call.tenant
    if kind == "users":
        leader = tenant.managers.get(here)
        return [{"@odata.type": "#microsoft.graph.user", "id": leader}] if leader in tenant.users else []
    if told.since < 0:
        return [_member(each, collection) for each, collection in list(tenant.members[here].items())]
    moved = {member: joined for group, member, joined in tenant.moves[told.moved : told.moved_until] if group == here}
    return [
        _member(m, _collection(call, m)) | ({} if joined else {"@removed": {"reason": "deleted"}}) for m, joined in moved.items()
    ]


def _member(here: str, collection: str) -> Json:
    return {"@odata.type": f"#microsoft.graph.{_TYPES[collection]}", "id": here}


def _collection(call: Call, member: str) -> str:
    return next((c for c in ("users", "groups", "devices", "apps") if call.tenant.object(c, member)), "users")


def _size(call: Call) -> int:
    told = re.search(r"odata\.maxpagesize=(\d+)", call.request.headers.get("prefer", ""))
    return max(1, min(int(told[1]), 999)) if told else ROWS


def _faulty(call: Call, rows: Sequence[Json]) -> list[Json]:
    hidden, dropped = call.request.fault("hide_rows"), call.request.fault("drop_field")
    if hidden:
        rows = rows[: max(0, len(rows) - int(hidden.value or 1))]
    return [{n: v for n, v in row.items() if dropped is None or n != dropped.value} for row in rows]


def _answer(call: Call, kind: str, rows: Sequence[Any], here: _Round, last: bool) -> Reply:
    head: Json = {"@odata.context": f"{call.root}/$metadata#{kind}"}
    if call.request.fault("repeat_token"):
        head["@odata.nextLink"] = link(call, call.query.get("$skiptoken") or replace(here, begin=0).token(kind))
    elif last:
        head["@odata.deltaLink"] = link(call, here.token(kind), "$deltatoken")
    elif not call.request.fault("no_more"):
        head["@odata.nextLink"] = link(call, here.token(kind))
    return json_reply({**head, "value": rows})
