"""What an account of a Microsoft 365 tenant holds, given and taken: places in groups, directory roles, licences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from connectors._graph_listing import Listings, Row
from connectors._graph_names import literal, reference
from connectors._http import Api, NotThere, Refused
from connectors._writing import Seen, path
from reconciler.writer import Change, Changed

ROLES = "roleManagement/directory"
NO_ROLES = "roles are written only with writer = { …, roles = true }"


class Asked(Protocol):
    """A writer, for those who need its requests."""

    api: Api
    roles: bool

    def user(self, change: Change, wanted: str, query: Mapping[str, str] | None = None) -> Row: ...
    def linked(self, where: str, otherwise: str) -> set[str]: ...
    def link(self, collection: str, here: str | None) -> dict[str, str]: ...
    def change(self, method: str, where: str, body: Any = None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Holdings:
    writer: Asked
    sorts: dict[str, str]  # an entitlement's id -> group, role or licence, as far as it is known

    def look(self, change: Change) -> Seen:
        sort = self._sort(str(change.target))
        return {"group": self._member, "role": self._role, "licence": self._licence}[sort](change)

    def _sort(self, target: str) -> str:
        """What an id is the id of: raises Changed when it is none of a group, role or licence (any more)."""
        if "licence" not in self.sorts.values():
            self.sorts.update(dict.fromkeys(self._skus(), "licence"))
        asked = (("group", path("groups", target)), ("role", path(*ROLES.split("/"), "roleDefinitions", target)))
        for sort, where in asked:
            if target not in self.sorts and self._is_there(where):
                self.sorts[target] = sort
        if target not in self.sorts:
            raise Changed(None, f"no group, role or licence has the id {target} (any more), or it may not be read")
        return self.sorts[target]

    def _skus(self) -> list[str]:
        try:
            return [row["skuId"] for row in Listings(self.writer.api).rows("subscribedSkus?$select=id,skuId")[0]]
        except Refused:
            return []

    def _is_there(self, where: str) -> bool:
        try:
            self.writer.api.get(where, query={"$select": "id"})
        except (NotThere, Refused):
            return False
        return True

    def _member(self, change: Change) -> Seen:
        above = self.writer.linked(path("users", change.account, "memberOf"), f"no user has the id {change.account} any more")

        def send() -> None:
            if change.after:
                self.writer.change(
                    "POST", reference("groups", change.target, "members"), self.writer.link("directoryObjects", change.account)
                )
            else:
                self.writer.change("DELETE", reference("groups", change.target, "members", change.account))

        return Seen(change.target in above, send)

    def _role(self, change: Change) -> Seen:
        self.writer.user(change, "id")
        asked = {"$filter": f"principalId eq {literal(change.account)}"}
        listed = self.writer.api.get(f"{ROLES}/roleAssignments", query=asked).get("value") or []
        held = [row for row in listed if row.get("roleDefinitionId") == change.target]
        narrow = [row for row in held if row.get("directoryScopeId") != "/"]
        barred = "the role is held for a part of the tenant only, which could not be given back" if narrow else ""
        given = {"principalId": change.account, "roleDefinitionId": change.target, "directoryScopeId": "/"}

        def send() -> None:
            if change.after:
                self.writer.change("POST", f"{ROLES}/roleAssignments", given)
            for row in held if not change.after else ():
                self.writer.change("DELETE", path(*ROLES.split("/"), "roleAssignments", row["id"]))

        return Seen(bool(held), send, "" if self.writer.roles and not barred else barred or NO_ROLES)

    def _licence(self, change: Change) -> Seen:
        states = self.writer.user(change, "licenseAssignmentStates").get("licenseAssignmentStates") or []
        ways = [state.get("assignedByGroup") for state in states if state.get("skuId") == change.target]
        adding, removing = ([{"skuId": change.target}], []) if change.after else ([], [change.target])
        body, where = {"addLicenses": adding, "removeLicenses": removing}, path("users", change.account, "assignLicense")
        return Seen(None in ways, lambda: self.writer.change("POST", where, body))
