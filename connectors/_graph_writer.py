"""Changes in a Microsoft 365 tenant: each to the object of an id, sent once, after a look at what stands there.

Graph has no compare-and-set for users: a change is sent at once after the object was read. A membership is only ever
taken away by its reference (`…/$ref`); the same address without it would delete the person.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from connectors._graph_holdings import Holdings
from connectors._graph_listing import Listings, Row
from connectors._graph_names import PROPERTIES, literal, new_user, reference
from connectors._http import Api, Lost, NotThere, Refused, SaidNo
from connectors._writing import Careful, Declined, Seen, path
from reconciler.writer import Change, Changed, Context, SourceError, Unknown

log = logging.getLogger(__name__)

WRITES = frozenset({"enabled", "entitlement", "attribute", "sessions", "create", "delete", "owner"})
SETTLES = 120.0  # seconds; Graph's replicas agree sooner, but promise nothing
_FRESH_WAITS = (0.0, 2.0, 5.0)  # a user just made is not known everywhere at once


@dataclass
class GraphWriter(Careful):
    """One tenant, written to as an application of its own."""

    api: Api
    tenant: str
    client_id: str
    context: Context
    roles: bool = False  # whether directory roles may be given and taken
    settles: float = SETTLES
    _sorts: dict[str, str] = field(default_factory=dict, repr=False)  # an entitlement's id -> group, role or licence

    def identity(self) -> str:
        try:
            found, _ = Listings(self._ready()).rows("organization?$select=id")
        except (Refused, NotThere):
            return self.tenant
        return str(found[0]["id"]) if found else self.tenant

    def own(self) -> Sequence[str]:
        """An application has no account of its own."""
        return (self.client_id,)

    def close(self) -> None:
        self.api.session.close()

    def look(self, change: Change) -> Seen:
        looks = {
            "enabled": self._enabled, "entitlement": lambda asked: Holdings(self, self._sorts).look(asked), "attribute": self._attribute, "sessions": self._sessions,
            "create": self._create, "delete": self._delete, "owner": self._owner,
        }  # fmt: skip
        if change.kind not in looks:
            return Seen(change.before, barred=f"Microsoft 365 knows no change of {change.kind}")
        self._ready()
        return looks[change.kind](change)

    # --- one kind each ----------------------------------------------------------------------------------------------

    def _enabled(self, change: Change) -> Seen:
        found = self.user(change, "accountEnabled")
        return Seen(found.get("accountEnabled"), lambda: self._patch(change, {"accountEnabled": change.after}))

    def _attribute(self, change: Change) -> Seen:
        if change.target == "manager_account_id":
            return self._manager(change)
        name = PROPERTIES.get(str(change.target))
        if name is None:
            return Seen(change.before, barred=f"{change.target} is not written to Microsoft 365")
        found = self.user(change, name)
        return Seen(found.get(name) or None, lambda: self._patch(change, {name: change.after}))

    def _manager(self, change: Change) -> Seen:
        found = self.user(change, "id", {"$expand": "manager($select=id)"})
        where = reference("users", change.account, "manager")

        def send() -> None:
            if change.after:
                self.change("PUT", where, self.link("users", change.after))
            else:
                self.change("DELETE", where)

        return Seen((found.get("manager") or {}).get("id"), send, hint="is the manager's account still there?")

    def _sessions(self, change: Change) -> Seen:
        found = self.user(change, "signInSessionsValidFromDateTime")
        where = path("users", change.account, "revokeSignInSessions")
        return Seen(found.get("signInSessionsValidFromDateTime"), lambda: self.change("POST", where))

    def _delete(self, change: Change) -> Seen:
        with suppress(NotThere):
            self.api.get(path("users", change.account), query={"$select": "id"})
            return Seen("live", lambda: self.change("DELETE", path("users", change.account)))
        try:
            self.api.get(path("directory", "deletedItems", change.account))
        except NotThere:
            return Seen(None)
        where = path("directory", "deletedItems", change.account, "restore")
        return Seen("deleted", lambda: self.change("POST", where), hint="is its address still free?")

    def _owner(self, change: Change) -> Seen:
        """Of several owners, one is exchanged; the new one comes before the old one goes, so that there always is one."""
        owners = self.linked(path("groups", change.target, "owners"), f"no group has the id {change.target} any more")
        told = next((who for who in (change.before, change.after) if who in owners), min(owners, default=None))

        def send() -> None:
            if change.after and change.after not in owners:
                self.change("POST", reference("groups", change.target, "owners"), self.link("users", change.after))
            if change.before:
                self.change("DELETE", reference("groups", change.target, "owners", change.before))

        return Seen(told, send)

    # --- a new account ------------------------------------------------------------------------------------------------

    def _create(self, change: Change) -> Seen:
        told: Mapping[str, Any] = change.after or change.before or {}
        barred = "" if str(told.get("email") or "").partition("@")[0] else "without an address there is nobody to sign in"
        return Seen(self._known(told), lambda: self._made(told), barred)

    def _known(self, told: Mapping[str, Any]) -> str | None:
        """The user who carries the new one's employee id, or else its address."""
        number, email = told.get("employee_id"), literal(told.get("email"))
        by_number = f"employeeId eq {literal(number)}" if number else ""
        by_address = f"userPrincipalName eq {email} or mail eq {email}" if told.get("email") else ""
        for asked in (by_number, by_address):
            found = self.api.get("users", query={"$filter": asked, "$select": "id"}).get("value") if asked else None
            if found:
                return min(str(row["id"]) for row in found)
        return None

    def _made(self, told: Mapping[str, Any]) -> None:
        """The user, and then who leads them, which Graph takes only of a user who is there; without that it is complete."""
        here, manager = self.change("POST", "users", new_user(told)).get("id"), told.get("manager_account_id")
        if not manager or not here:
            return
        for seconds in _FRESH_WAITS:
            self.context.wait(seconds)
            try:
                self.change("PUT", reference("users", here, "manager"), self.link("users", manager))
            except (Declined, Unknown) as problem:
                log.warning("%s: the new user %s has no manager yet: %s", self.context.source, here, problem)
            else:
                return

    # --- one request --------------------------------------------------------------------------------------------------

    def user(self, change: Change, wanted: str, query: Mapping[str, str] | None = None) -> Row:
        try:
            return self.api.get(path("users", change.account), query={"$select": f"id,{wanted}", **(query or {})})
        except NotThere:
            raise Changed(None, f"no user has the id {change.account} any more") from None

    def linked(self, where: str, otherwise: str) -> set[str]:
        """The ids of what an object links to."""
        try:
            return {row["id"] for row in Listings(self.api).rows(f"{where}?$select=id&$top=999")[0]}
        except NotThere:
            raise Changed(None, otherwise) from None

    def link(self, collection: str, here: str | None) -> dict[str, str]:
        return {"@odata.id": f"{self.api.root.rstrip('/')}/{path(collection, here)}"}

    def _patch(self, change: Change, body: Mapping[str, Any]) -> None:
        self.change("PATCH", path("users", change.account), body)

    def change(self, method: str, where: str, body: Any = None) -> dict[str, Any]:
        try:
            return self._ready().change(method, where, body)
        except Lost as problem:
            raise Unknown(str(problem)) from None
        except SaidNo as problem:
            raise Declined(str(problem)) from None
        except SourceError as problem:
            raise Declined(f"nothing was sent: {problem}") from None

    def _ready(self) -> Api:
        """The API, with as much time as one question or change may take."""
        self.api.deadline = time.monotonic() + self.context.deadline_seconds
        return self.api
