"""A SCIM 2.0 service on loopback: users with the enterprise extension, by index and by cursor (RFC 7644, RFC 9865)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox.http import Reply, Request, json_reply

TOKEN = "hunter2-correct-horse"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
DATES = "urn:example:params:scim:schemas:hr:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
MOST = 7  # users a page at most, whatever is asked for


def user(number: int, active: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE], "id": f"2819c223-{number:04d}", "userName": f"jo{number}",
        "name": {"givenName": "Jo", "familyName": f"Doe{number}"}, "active": active, "title": "Clerk", "timezone": "Europe/London",
        "emails": [{"value": f"home{number}@example.net", "type": "home"}, {"value": f"jo{number}@example.com", "type": "work", "primary": True}],
        ENTERPRISE: {
            "employeeNumber": f"{number:06d}", "department": "Finance", "organization": "Example Ltd",
            **({"manager": {"value": "2819c223-0001", "displayName": "Jo Doe1"}} if number > 1 else {}),
        },
        **more,
    }  # fmt: skip


@dataclass
class Service:
    """The users, how they are paged, and what happens between two requests."""

    users: list[dict[str, Any]] = field(default_factory=lambda: [user(n, n not in (3, 4)) for n in range(1, 21)])
    cursors: bool = False
    says_total: bool = True
    meanwhile: Callable[[Service, int], None] = lambda service, request: None
    requests: int = 0
    views: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # what a cursor goes on in

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error(401, "authentication failed")
        if request.path.endswith("/ServiceProviderConfig"):
            return self._about()
        assert request.path == "/scim/v2/Users"
        self.requests += 1
        self.meanwhile(self, self.requests)
        size = min(int(request.query.get("count", MOST)), MOST)
        return self._by_cursor(request, size) if "cursor" in request.query else self._by_index(request, size)

    def _about(self) -> Reply:
        told = {"cursor": True, "index": True, "defaultPaginationMethod": "cursor"} if self.cursors else None
        return json_reply({"patch": {"supported": False}, **({"pagination": told} if told else {})})

    def _by_index(self, request: Request, size: int) -> Reply:
        start = int(request.query.get("startIndex", 1))
        if request.fault("repeat_token"):
            start = max(1, start - MOST)
        found = _shown(request, self.users[start - 1 : start - 1 + size])
        told: dict[str, Any] = {
            "schemas": [LIST],
            "totalResults": len(self.users),
            "itemsPerPage": len(found),
            "startIndex": start,
        }
        return json_reply(told | ({"Resources": found} if found else {}))

    def _by_cursor(self, request: Request, size: int) -> Reply:
        """Each cursor is a place in the view that its listing began with, which later comers are not in."""
        cursor = request.query["cursor"]
        view, _, place = cursor.partition("-")
        if cursor and view not in self.views:
            return _error(400, "the cursor is not known any more", "expiredCursor")
        if not cursor:
            view, place = f"view{len(self.views)}", "0"
            self.views[view] = list(self.users)
        if request.fault("repeat_token"):
            place = str(max(0, int(place) - MOST))
        end = int(place) + size
        told: dict[str, Any] = {"schemas": [LIST], "Resources": _shown(request, self.views[view][int(place) : end])}
        if self.says_total:
            told["totalResults"] = len(self.views[view])
        if end < len(self.views[view]) and not request.fault("no_more"):
            told["nextCursor"] = f"{view}-{end}"
        return json_reply(told)


def _shown(request: Request, users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if request.fault("empty_page"):
        return []
    if hidden := request.fault("hide_rows"):
        return users[: -int(hidden.value or 1)]
    return users


def _error(status: int, detail: str, kind: str | None = None) -> Reply:
    return json_reply(
        {"schemas": [ERROR], "detail": detail, "status": str(status), **({"scimType": kind} if kind else {})}, status
    )
