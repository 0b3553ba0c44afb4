"""One call of a Google API: who asks, for what, with what; and every way to be refused.

Error bodies: developers.google.com/workspace/admin/directory/v1/guides/troubleshoot-error-codes, and as clients see them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reconciler.sandbox.faults import Fault
from reconciler.sandbox.google import Customer, Json
from reconciler.sandbox.google_discovery import Method

STATUS_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
                409: "ALREADY_EXISTS", 412: "FAILED_PRECONDITION", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE"}  # fmt: skip


class Refusal(Exception):
    """Google says no: an HTTP status, a reason and a message; `modern` answers carry the status word too."""

    def __init__(self, code: int, reason: str, message: str, domain: str = "global", modern: bool = False) -> None:
        self.code = code
        error: Json = {"code": code, "message": message, "errors": [{"message": message, "domain": domain, "reason": reason}]}
        self.body: Json = {"error": error | ({"status": STATUS_WORDS[code]} if modern else {})}
        super().__init__(message)


def not_found(what: str) -> Refusal:
    return Refusal(404, "notFound", f"Resource Not Found: {what}")


def invalid(what: str) -> Refusal:
    return Refusal(400, "invalid", f"Invalid Input: {what}")


def forbidden() -> Refusal:
    return Refusal(403, "forbidden", "Not Authorized to access this resource/api")


@dataclass(frozen=True)
class Caller:
    """Whose token it is: a service account, in the name of an administrator or in its own; and what it may touch."""

    account: str  # the service account's unique id
    subject: str | None  # the id of the user it speaks for
    scopes: frozenset[str] | None  # None: a token that it signed itself, good for every scope


@dataclass(frozen=True)
class Call:
    """A request whose token, scopes and parameters have been found good."""

    customer: Customer
    method: Method
    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def user(self, name: str = "userKey") -> Json:
        """The user that the path or the query names; raises Refusal 404."""
        told = self.path.get(name) or self.query.get(name) or ""
        found = self.customer.id_of(told)
        if found is None:
            raise not_found(name)
        return self.customer.users[found]

    def sees(self, row: Json) -> bool:
        """Whether the administrator's roles reach this user: one that is bound to a unit does not reach beyond."""
        return self.units is None or any(f"{row['orgUnitPath']}/".startswith(f"{path}/") for path in self.units)

    @cached_property
    def units(self) -> list[str] | None:
        """The units that all of the caller's roles are bound to; None when one is bound to none."""
        held = held_by(self.customer, self.caller)
        if not held or any(one["scopeType"] != "ORG_UNIT" for one in held):
            return None
        bound = {one["orgUnitId"] for one in held}
        return [path for path, unit in self.customer.org_units.items() if unit["orgUnitId"] in bound]

    def group(self) -> Json:
        found = self.customer.group_of(self.path["groupKey"])
        if found is None:
            raise not_found("groupKey")
        return self.customer.groups[found]

    def own_customer(self, name: str) -> None:
        """The customer in the path is ours, by `my_customer` or by id; raises Refusal."""
        if self.path[name] not in ("my_customer", self.customer.id):
            raise forbidden()


def held_by(customer: Customer, caller: Caller) -> list[Json]:
    """The roles that the caller holds, in its own name or through a group."""
    here = caller.subject or caller.account
    names = {here, *(group for group, members in customer.members.items() if here in members)}
    return [one for one in list(customer.role_assignments.values()) if one["assignedTo"] in names]


def allow(customer: Customer, method: Method, caller: Caller) -> None:
    """The token's scopes and the administrator's own rights both suffice; raises Refusal 403."""
    if caller.scopes is not None and not caller.scopes & method.scopes:
        message = "Request had insufficient authentication scopes."
        refusal = Refusal(403, "insufficientPermissions", message, modern=True)
        raise refusal
    held = held_by(customer, caller)
    who = customer.users.get(caller.subject or "", {})
    if not (held or who.get("isAdmin") or who.get("isDelegatedAdmin")):
        raise forbidden()


def parameters(method: Method, given: Mapping[str, str]) -> dict[str, str]:
    """The query as the method describes it: no unknown name, numbers and words in their range; raises Refusal 400."""
    for name, text in given.items():
        about = method.query.get(name)
        if about is None:
            message = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            raise Refusal(400, "invalid", message, modern=True)
        if not _fits(about, text):
            raise Refusal(400, "invalid", f"Invalid value at '{name}', \"{text}\"", modern=True)
    missing = [name for name, about in method.query.items() if about.get("required") and not given.get(name)]
    if missing:
        raise Refusal(400, "required", f"Required parameter: {missing[0]}")
    return dict(given)


def _fits(about: Mapping[str, Any], text: str) -> bool:
    if about.get("enum"):
        return text in about["enum"]
    if about["type"] == "boolean":
        return text in ("true", "false")
    return about["type"] != "integer" or (text.isdigit() and int(text) >= int(about.get("minimum", 0)))


def body_of(method: Method, raw: bytes) -> Json:
    """The JSON object sent; a field that its schema does not have is refused, as Google refuses it."""
    if not raw.strip():
        return {}
    try:
        made = json.loads(raw)
    except ValueError:
        raise Refusal(400, "parseError", "Parse Error") from None
    if not isinstance(made, dict):
        raise Refusal(400, "parseError", "Parse Error")
    known = method.schemas.get(method.asks or "", {}).get("properties", {})
    for name in made:
        if method.asks and name not in known:
            message = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            raise Refusal(400, "badRequest", message, modern=True)
    return made
