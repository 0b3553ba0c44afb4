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

from connectors._graph_listing import Listings, Row
from connectors._graph_names import PROPERTIES, literal, new_user, reference
from connectors._http import Api, Lost, NotThere, Refused, SaidNo
from connectors._writing import Careful, Declined, Seen, path
from reconciler.writer import Change, Changed, Context, SourceError, Unknown

log = logging.getLogger(__name__)

WRITES = frozenset({"enabled", "entitlement", "attribute", "sessions", "create", "delete", "owner"})
ROLES = "roleManagement/directory"
NO_ROLES = "roles are written only with writer = { …, roles = true }"
_FRESH_WAITS = (0.0, 2.0, 5.0)  # a user just made is not known everywhere at once


@dataclass
class GraphWriter(Careful):
    """One tenant, written to as an application of its own."""

    api: Api
    tenant: str
    client_id: str
    context: Context
    roles: bool = False  # whether directory roles may be given and taken
    settles: float = 120.0
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
            "enabled": self._enabled, "entitlement": self._entitlement, "attribute": self._attribute, "sessions": self._sessions,
            "create": self._create, "delete": self._delete, "owner": self._owner,
        }  # fmt: skip
        if change.kind not in looks:
            return Seen(change.before, barred=f"Microsoft 365 knows no change of {change.kind}")
        self._ready()
        return looks[change.kind](change)

    # --- one kind each ----------------------------------------------------------------------------------------------

    def _enabled(self, change: Change) -> Seen:
        found = self._user(change, "accountEnabled")
        return Seen(found.get("accountEnabled"), lambda: self._patch(change, {"accountEnabled": change.after}))

    def _attribute(self, change: Change) -> Seen:
        if change.target == "manager_account_id":
            return self._manager(change)
        name = PROPERTIES.get(str(change.target))
        if name is None:
            return Seen(change.before, barred=f"{change.target} is not written to Microsoft 365")
        found = self._user(change, name)
        return Seen(found.get(name) or None, lambda: self._patch(change, {name: change.after}))

    def _manager(self, change: Change) -> Seen:
        found = self._user(change, "id", {"$expand": "manager($select=id)"})
        where = reference("users", change.account, "manager")

        def send() -> None:
            if change.after:
                self._change("PUT", where, self._link("users", change.after))
            else:
                self._change("DELETE", where)

        return Seen((found.get("manager") or {}).get("id"), send, hint="is the manager's account still there?")

    def _sessions(self, change: Change) -> Seen:
        found = self._user(change, "signInSessionsValidFromDateTime")
        where = path("users", change.account, "revokeSignInSessions")
        return Seen(found.get("signInSessionsValidFromDateTime"), lambda: self._change("POST", where))

    def _delete(self, change: Change) -> Seen:
        with suppress(NotThere):
            self.api.get(path("users", change.account), query={"$select": "id"})
            return Seen("live", lambda: self._change("DELETE", path("users", change.account)))
        try:
            self.api.get(path("directory", "deletedItems", change.account))
        except NotThere:
            return Seen(None)
        where = path("directory", "deletedItems", change.account, "restore")
        return Seen("deleted", lambda: self._change("POST", where), hint="is its address still free?")

    def _owner(self, change: Change) -> Seen:
        """Of several owners, one is exchanged; the new one comes before the old one goes, so that there always is one."""
        owners = self._linked(path("groups", change.target, "owners"), f"no group has the id {change.target} any more")
        told = next((who for who in (change.before, change.after) if who in owners), min(owners, default=None))

        def send() -> None:
            if change.after and change.after not in owners:
                self._change("POST", reference("groups", change.target, "owners"), self._link("users", change.after))
            if change.before:
                self._change("DELETE", reference("groups", change.target, "owners", change.before))

        return Seen(told, send)

    # --- groups, roles, licences --------------------------------------------------------------------------------------

    def _entitlement(self, change: Change) -> Seen:
        sort = self._sort(str(change.target))
        return {"group": self._member, "role": self._role, "licence": self._licence}[sort](change)

    def _sort(self, target: str) -> str:
        """What an id is the id of: raises Changed when it is none of a group, role or licence (any more)."""
        if target not in self._sorts:
            self._sorts |= dict.fromkeys(self._skus(), "licence")
        asked = (("group", path("groups", target)), ("role", path(*ROLES.split("/"), "roleDefinitions", target)))
        for sort, where in asked:
            if target not in self._sorts and self._is_there(where):
                self._sorts[target] = sort
        if target not in self._sorts:
            raise Changed(None, f"no group, role or licence has the id {target} (any more), or it may not be read")
        return self._sorts[target]

    def _skus(self) -> list[str]:
        try:
            return [row["skuId"] for row in Listings(self.api).rows("subscribedSkus?$select=id,skuId")[0]]
        except Refused:
            return []

    def _is_there(self, where: str) -> bool:
        try:
            self.api.get(where, query={"$select": "id"})
        except (NotThere, Refused):
            return False
        return True

    def _member(self, change: Change) -> Seen:
        above = self._linked(path("users", change.account, "memberOf"), f"no user has the id {change.account} any more")

        def send() -> None:
            if change.after:
                self._change(
                    "POST", reference("groups", change.target, "members"), self._link("directoryObjects", change.account)
                )
            else:
                self._change("DELETE", reference("groups", change.target, "members", change.account))

        return Seen(change.target in above, send)

    def _role(self, change: Change) -> Seen:
        self._user(change, "id")
        asked = {"$filter": f"principalId eq {literal(change.account)}"}
        listed = self.api.get(f"{ROLES}/roleAssignments", query=asked).get("value") or []
        held = [row for row in listed if row.get("roleDefinitionId") == change.target]
        narrow = [row for row in held if row.get("directoryScopeId") != "/"]
        barred = "the role is held for a part of the tenant only, which could not be given back" if narrow else ""
        given = {"principalId": change.account, "roleDefinitionId": change.target, "directoryScopeId": "/"}

        def send() -> None:
            if change.after:
                self._change("POST", f"{ROLES}/roleAssignments", given)
            for row in held if not change.after else ():
                self._change("DELETE", path(*ROLES.split("/"), "roleAssignments", row["id"]))

        return Seen(bool(held), send, "" if self.roles and not barred else barred or NO_ROLES)

    def _licence(self, change: Change) -> Seen:
        states = self._user(change, "licenseAssignmentStates").get("licenseAssignmentStates") or []
        ways = [state.get("assignedByGroup") for state in states if state.get("skuId") == change.target]
        adding, removing = ([{"skuId": change.target}], []) if change.after else ([], [change.target])
        body, where = {"addLicenses": adding, "removeLicenses": removing}, path("users", change.account, "assignLicense")
        return Seen(None in ways, lambda: self._change("POST", where, body))

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
        here, manager = self._change("POST", "users", new_user(told)).get("id"), told.get("manager_account_id")
        if not manager or not here:
            return
        for seconds in _FRESH_WAITS:
            self.context.wait(seconds)
            try:
                self._change("PUT", reference("users", here, "manager"), self._link("users", manager))
            except (Declined, Unknown) as problem:
                log.warning("%s: the new user %s has no manager yet: %s", self.context.source, here, problem)
            else:
                return

    # --- one request --------------------------------------------------------------------------------------------------

    def _user(self, change: Change, wanted: str, query: Mapping[str, str] | None = None) -> Row:
        try:
            return self.api.get(path("users", change.account), query={"$select": f"id,{wanted}", **(query or {})})
        except NotThere:
            raise Changed(None, f"no user has the id {change.account} any more") from None

    def _linked(self, where: str, otherwise: str) -> set[str]:
        """The ids of what an object links to."""
        try:
            return {row["id"] for row in Listings(self.api).rows(f"{where}?$select=id&$top=999")[0]}
        except NotThere:
            raise Changed(None, otherwise) from None

    def _link(self, collection: str, here: str | None) -> dict[str, str]:
        return {"@odata.id": f"{self.api.root.rstrip('/')}/{path(collection, here)}"}

    def _patch(self, change: Change, body: Mapping[str, Any]) -> None:
        self._change("PATCH", path("users", change.account), body)

    def _change(self, method: str, where: str, body: Any = None) -> dict[str, Any]:
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
