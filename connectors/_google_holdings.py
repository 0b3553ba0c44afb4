"""What an account of a Google Workspace holds, given and taken: places in groups, licences, administrator roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from connectors._http import NotThere
from connectors._writing import Seen, path
from reconciler.writer import Change, Changed

DIRECTORY = "admin/directory/v1"
NO_ROLES = "roles are written only with writer = { …, roles = true }"
ROLE, NOT_WRITTEN = "role-", ("device-", "oauth-")


class Asked(Protocol):
    """A writer, for those who need its requests."""

    customer: str
    roles: bool

    def user(self, key: str | None, wanted: str) -> dict[str, Any]: ...
    def get(self, scope: str, where: str, **query: Any) -> dict[str, Any]: ...
    def change(self, scope: str, method: str, where: str, body: Any = None, gone_is_done: bool = False) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Holdings:
    writer: Asked

    def look(self, change: Change) -> Seen:
        """By the form of the id: `role-…`, `product/sku`, or a group's."""
        target = str(change.target)
        if target.startswith(NOT_WRITTEN):
            return Seen(change.before, barred=f"{target} is nothing that can be given back, and is left to a person")
        if target.startswith(ROLE):
            return self._role(change, target.removeprefix(ROLE))
        return self._licence(change, target) if "/" in target else self._group(change, target)

    def _group(self, change: Change, group: str) -> Seen:
        members = path(*DIRECTORY.split("/"), "groups", group, "members")
        one = f"{members}/{path(change.account)}"

        def send() -> None:
            if change.after:
                self.writer.change("directory.group.member", "POST", members, {"id": change.account, "role": "MEMBER"})
            else:
                self.writer.change("directory.group.member", "DELETE", one)

        found = self._is_member(group, one)
        if not found:
            self.writer.user(change.account, "id")
        return Seen(found, send)

    def _is_member(self, group: str, one: str) -> bool:
        try:
            self.writer.get("directory.group.member", one)
        except NotThere as problem:
            if "groupKey" in str(problem):
                raise Changed(None, f"no group has the id {group} any more") from None
            return False
        return True

    def _licence(self, change: Change, target: str) -> Seen:
        """A licence is assigned to an address: the one that the account has now."""
        mail = str(self.writer.user(change.account, "primaryEmail")["primaryEmail"])
        product, _, sku = target.partition("/")
        holders = path("apps", "licensing", "v1", "product", product, "sku", sku, "user")
        one = f"{holders}/{path(mail)}"

        def send() -> None:
            if change.after:
                self.writer.change("apps.licensing", "POST", holders, {"userId": mail})
            else:
                self.writer.change("apps.licensing", "DELETE", one)

        try:
            self.writer.get("apps.licensing", one)
        except NotThere:
            return Seen(False, send, hint="is a licence left, and does the account hold another of the same product?")
        return Seen(True, send)

    def _role(self, change: Change, role: str) -> Seen:
        self.writer.user(change.account, "id")
        where = f"{DIRECTORY}/customer/{self.writer.customer}/roleassignments"
        told = self.writer.get("directory.rolemanagement", where, userKey=change.account, maxResults=200).get("items") or []
        held = [one for one in told if str(one.get("roleId")) == role and one.get("assignedTo") == change.account]
        narrow = any(one.get("scopeType") != "CUSTOMER" for one in held)
        barred = "the role is held for a unit only, which could not be given back" if narrow else ""

        def send() -> None:
            body = {"roleId": role, "assignedTo": change.account, "scopeType": "CUSTOMER"}
            if change.after:
                self.writer.change("directory.rolemanagement", "POST", where, body)
            for one in held if not change.after else ():
                self.writer.change("directory.rolemanagement", "DELETE", f"{where}/{path(one['roleAssignmentId'])}")

        return Seen(bool(held), send, barred if self.writer.roles else NO_ROLES)
