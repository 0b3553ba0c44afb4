"""One call of Microsoft Graph: who asks, for what, with what; and every way to be refused.

Error bodies: learn.microsoft.com/graph/errors.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from reconciler.sandbox.http import Reply, Request, json_reply
from reconciler.sandbox.tenant import Tenant
from reconciler.sandbox.tenant_objects import Json, made_id

_serial = itertools.count(1)
CODES = {
    400: "Request_BadRequest", 401: "InvalidAuthenticationToken", 403: "Authorization_RequestDenied", 404: "Request_ResourceNotFound",
    405: "Request_BadRequest", 409: "Directory_ConcurrencyViolation", 410: "resyncRequired", 429: "TooManyRequests",
    500: "InternalServerError", 501: "NotImplemented", 502: "BadGateway", 503: "ServiceUnavailable", 504: "GatewayTimeout",
}  # fmt: skip
TEXTS = {
    401: "Lifetime validation failed, the token is expired.", 403: "Insufficient privileges to complete the operation.",
    429: "Too many requests", 503: "The service is temporarily unavailable. Please retry after a short wait.",
}  # fmt: skip
NOT_THERE = "Resource '{}' does not exist or one of its queried reference-property objects are not present."
MASTERED = (
    "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently "
    "undergoing migration."
)


class Refusal(Exception):
    """Graph says no: an HTTP status, a code and a message."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        self.status, self.message, self.code, self.headers = status, message, code or CODES[status], headers
        super().__init__(message)

    def reply(self, client_request_id: str | None = None) -> Reply:
        here = made_id("request", str(next(_serial)))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        inner = {"date": now, "request-id": here, "client-request-id": client_request_id or here}
        error = {"code": self.code, "message": self.message, "innerError": inner}
        return json_reply({"error": error}, self.status, **{"request-id": here, **self.headers})


def error_reply(status: int) -> Reply:
    """What Graph says with a status of its own accord; a 429 asks for a fraction of a second more than whole ones."""
    headers = {"Retry-After": "0.128"} if status == 429 else {}
    return Refusal(status, TEXTS.get(status, "The request failed."), CODES.get(status, "UnknownError"), **headers).reply()


def not_found(key: str) -> Refusal:
    return Refusal(404, NOT_THERE.format(key))


def bad(message: str) -> Refusal:
    return Refusal(400, message)


def denied() -> Refusal:
    return Refusal(403, TEXTS[403])


@dataclass(frozen=True)
class Caller:
    """Whose token it is: an application, and the permissions it was granted when the token was made."""

    client_id: str
    permissions: frozenset[str]

    def may(self, *permissions: str) -> bool:
        """Any of these, or the permission above all directory reading and writing, was granted."""
        return not self.permissions.isdisjoint(permissions)


@dataclass
class Texts:
    """The text of rows that were shown before; a row keeps its text until another object takes its place."""

    most: int = 500_000
    _known: dict[tuple[int, str], tuple[Json, bytes]] = field(default_factory=dict)

    def of(self, row: Json, select: str, shown: Any) -> bytes:
        known = self._known.get((id(row), select))
        if known is not None and known[0] is row:
            return known[1]
        text = dumps(shown(row))
        if len(self._known) >= self.most:
            self._known.clear()
        self._known[id(row), select] = (row, text)
        return text


@dataclass(frozen=True)
class Call:
    """A request whose token has been found good; `ids` are the parts of the path that name things."""

    tenant: Tenant
    caller: Caller
    request: Request
    path: str  # without the version
    texts: Texts
    ids: tuple[str, ...] = ()

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def root(self) -> str:
        return f"{self.request.origin}/v1.0"

    @property
    def eventual(self) -> bool:
        """The caller accepts an index that lags, and may ask advanced questions."""
        return self.request.headers.get("consistencylevel", "").lower() == "eventual"

    @property
    def advanced(self) -> bool:
        return self.eventual and self.query.get("$count") == "true"

    @property
    def body(self) -> Json:
        """The JSON object sent; raises Refusal when it is none."""
        try:
            made = json.loads(self.request.body or b"{}")
        except ValueError:
            raise bad(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
            ) from None
        if not isinstance(made, dict):
            raise bad("Unable to read JSON request payload.")
        return made

    def user(self, number: int = 0) -> Json:
        """The user that the path names by id or userPrincipalName; raises Refusal 404."""
        try:
            return self.tenant.users[self.tenant.user_id(self.ids[number])]
        except KeyError:
            raise not_found(self.ids[number]) from None

    def group(self) -> Json:
        found = self.tenant.groups.get(self.ids[0])
        if found is None:
            raise not_found(self.ids[0])
        return found

    def held(self, where: Mapping[str, Json], number: int = 0) -> Json:
        """The object of a collection that the path names by id; raises Refusal 404."""
        found = where.get(self.ids[number])
        if found is None:
            raise not_found(self.ids[number])
        return found

    def need(self, *permissions: str) -> None:
        """Raise Refusal 403 unless one of these was granted."""
        if not self.caller.may(*permissions):
            raise denied()


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def reference(call: Call) -> str:
    """The id at the end of the `@odata.id` that the body links to; raises Refusal."""
    link = cast("str", call.body.get("@odata.id") or "")
    if "/" not in link:
        raise bad("Invalid URL format specified in request payload.")
    return link.rstrip("/").rpartition("/")[2]
