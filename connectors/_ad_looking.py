"""What stands now where a change would write, read by GUID, and the one operation that makes the change to exactly that."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import ldap3

from connectors._ad_accounts import ATTRIBUTES, DISABLED, Reckoning, account
from connectors._ad_names import by_guid, common_name, first_part, in_filter, login_of, same_name
from connectors._ad_values import Attributes, filetime, guid, number, sid, text, texts
from connectors._ldap import NO_SUCH_OBJECT, SHOW_DELETED, Directory, Refused, Search
from connectors._writing import Seen
from reconciler.writer import Change, Changed

# Columns of accounts, and the attributes they are read from.
COLUMNS = {
    "given_name": "givenName", "family_name": "sn", "display_name": "displayName", "department": "department", "job_title": "title",
    "company": "company", "location": "physicalDeliveryOfficeName", "email": "mail", "upn": "userPrincipalName",
}  # fmt: skip
ENABLED, SWITCHED_OFF = 0x200, 0x202  # userAccountControl of a new account
_BUILT_IN = "it is a built-in account of the domain"
T = TypeVar("T")
_PEOPLE = "(objectClass=user)(!(objectClass=computer))"


@dataclass(frozen=True)
class Looking:
    """One look at the directory."""

    directory: Directory
    bases: Sequence[str]
    employee_id: str
    now: datetime
    sids: dict[str, str]  # of groups seen before
    send: Callable[[Callable[[Any], object]], None]  # has a change asked for on an ldap3 connection

    def at(self, change: Change) -> Seen:
        """Raises Changed when there is no object of that GUID, Incomplete when it cannot be read."""
        looks = {
            "enabled": self._enabled, "entitlement": self._entitlement, "attribute": self._attribute, "container": self._container,
            "owner": self._owner, "create": self._create, "delete": self._delete,
        }  # fmt: skip
        return looks[change.kind](change) if change.kind in looks else Seen(None)

    def _seen(self, found: Any, ask: Callable[[Any], object], barred: str = "", hint: str = "") -> Seen:
        return Seen(found, lambda: self.send(ask), barred, hint)

    def _object(self, object_id: str | None, attributes: Sequence[str], controls: Sequence[Any] = ()) -> tuple[str, Attributes]:
        return self._there(object_id, lambda: self.directory.entry(by_guid(str(object_id)), attributes, controls))

    def _there(self, object_id: str | None, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Refused as problem:
            if problem.code != NO_SUCH_OBJECT:
                raise
        raise Changed(None, f"no object has the id {object_id} any more")

    def _account(self, change: Change) -> tuple[str, Attributes, dict[str, Any]]:
        """An account: its name, what it holds, and its row as the reader tells it."""
        dn, entry = self._object(change.account, (*ATTRIBUTES, self.employee_id))
        row = account(dn, entry, Reckoning(int(self.now.timestamp() * 1_000_000)))
        return dn, entry, row | {"employee_id": text(entry, self.employee_id)}

    # --- one kind each ----------------------------------------------------------------------------------------------

    def _enabled(self, change: Change) -> Seen:
        _, entry, row = self._account(change)
        flags = number(entry, "userAccountControl") or 0
        wanted = flags & ~DISABLED if change.after else flags | DISABLED
        expires = filetime(number(entry, "accountExpires"))
        expired = expires is not None and expires <= self.now.timestamp() * 1_000_000
        barred = "the account has expired: move its expiry date first" if change.after and expired else ""
        name = by_guid(str(change.account))
        old, new = [b"%d" % flags], [b"%d" % wanted]
        return self._seen(row["enabled"], _swap(name, "userAccountControl", old, new), barred or _built_in(row))

    def _entitlement(self, change: Change) -> Seen:
        dn, entry, row = self._account(change)
        group, domain = by_guid(str(change.target)), (row["sid"] or "").rpartition("-")[0]
        primary = self._group_sid(str(change.target)) == f"{domain}-{number(entry, 'primaryGroupID')}"
        found = primary or self._there(change.target, lambda: self.directory.holds(group, f"(member={in_filter(dn)})"))
        how = ldap3.MODIFY_ADD if change.after else ldap3.MODIFY_DELETE
        member = {"member": [(how, [by_guid(str(change.account)).encode()])]}
        barred = "it is the primary group of the account: make another its primary group first" if primary else ""
        return self._seen(found, lambda connection: connection.modify(group, member), barred)

    def _group_sid(self, group: str) -> str:
        if group not in self.sids:
            _, entry = self._object(group, ("objectSid",))
            self.sids[group] = sid(entry["objectSid"][0]) if entry.get("objectSid") else ""
        return self.sids[group]

    def _attribute(self, change: Change) -> Seen:
        _, entry, row = self._account(change)
        name, column = by_guid(str(change.account)), str(change.target)
        if column == "manager_account_id":
            return self._pointer(entry, "manager", name, change.after)
        attribute = self._named(column, entry)
        if attribute is None:
            return Seen(row.get(column), barred=f"{column} is not written to Active Directory")
        told = [change.after.encode()] if change.after else []
        return self._seen(row[column], _swap(name, attribute, entry.get(attribute, [])[:1], told), _built_in(row))

    def _named(self, column: str, entry: Attributes) -> str | None:
        """The attribute that a column was read from."""
        if column == "employee_id":
            return self.employee_id
        if column == "location" and entry.get("l") and not entry.get("physicalDeliveryOfficeName"):
            return "l"
        return COLUMNS.get(column)

    def _owner(self, change: Change) -> Seen:
        _, entry = self._object(change.target, ("managedBy",))
        return self._pointer(entry, "managedBy", by_guid(str(change.target)), change.after)

    def _pointer(self, entry: Attributes, attribute: str, name: str, after: str | None) -> Seen:
        """An attribute that names one other object: told by its GUID, written by its GUID."""
        held = text(entry, attribute)
        told = [by_guid(after).encode()] if after else []
        hint = "is the other account still there?"
        return self._seen(self._id(held) if held else None, _swap(name, attribute, entry.get(attribute, []), told), hint=hint)

    def _id(self, dn: str) -> str:
        """The GUID of an object that another names; its name where it may not be seen."""
        try:
            return guid(self.directory.one(dn, ("objectGUID",))["objectGUID"][0])
        except (Refused, KeyError):
            return dn

    def _container(self, change: Change) -> Seen:
        dn, _, row = self._account(change)
        found, name = row["container"], by_guid(str(change.account))
        told = next((said for said in (change.after, change.before) if same_name(said, found)), found)
        own = first_part(dn)

        def move(connection: Any) -> None:
            connection.modify_dn(name, own, new_superior=change.after)

        return self._seen(told, move, _built_in(row), f"is {change.after} there, and is there no {own} in it yet?")

    def _delete(self, change: Change) -> Seen:
        name = by_guid(str(change.account))
        wanted = ("isDeleted", "isRecycled", "lastKnownParent", "isCriticalSystemObject")
        try:
            dn, entry = self._object(change.account, wanted, (SHOW_DELETED,))
        except Changed:
            return Seen(None)
        if entry.get("isRecycled") == [b"TRUE"] and self._recycle_bin():
            return Seen(None)
        if entry.get("isDeleted") != [b"TRUE"]:
            barred = _BUILT_IN if entry.get("isCriticalSystemObject") == [b"TRUE"] else ""
            return self._seen("live", lambda connection: connection.delete(name), barred)
        if not text(entry, "lastKnownParent"):
            return Seen("deleted", barred="the server does not tell where it was")
        back = f"{first_part(dn).partition(chr(92) + '0ADEL:')[0]},{text(entry, 'lastKnownParent')}"
        revive = {"isDeleted": [(ldap3.MODIFY_DELETE, [])], "distinguishedName": [(ldap3.MODIFY_REPLACE, [back.encode()])]}
        hint = f"is its container still there, and {back} free?"
        # The GUID is part of a tombstone's name; Samba 4.17 finds it by that name alone when it is to come back.
        return self._seen("deleted", lambda connection: connection.modify(dn, revive, controls=[SHOW_DELETED]), hint=hint)

    def _recycle_bin(self) -> bool:
        """Whether the forest has a recycle bin: without one, tombstones say that they are recycled and can be brought back."""
        root = self.directory.one("", ("configurationNamingContext",))
        partitions = self.directory.one(f"CN=Partitions,{text(root, 'configurationNamingContext')}", ("msDS-EnabledFeature",))
        return any(dn.lower().startswith("cn=recycle bin feature,") for dn in texts(partitions, "msDS-EnabledFeature"))

    # --- a new account ----------------------------------------------------------------------------------------------

    def _create(self, change: Change) -> Seen:
        told: Mapping[str, Any] = change.after or change.before or {}
        email = str(told.get("email") or "")
        login = login_of(email)
        if not login:
            return Seen(self._known(told), barred="without an address there is nothing to name the account after")
        above = told.get("container") or f"CN=Users,{self._domain()}"
        dn = f"{common_name(str(told.get('display_name') or login))},{above}"
        hint = f"is {above} there, and are the name {dn} and the login {login} free?"
        return self._seen(self._known(told), lambda connection: connection.add(dn, "user", self._new(told, login)), hint=hint)

    def _domain(self) -> str | None:
        return text(self.directory.one("", ("defaultNamingContext",)), "defaultNamingContext")

    def _new(self, told: Mapping[str, Any], login: str) -> dict[str, bytes]:
        """All attributes of a new account; the password is known to nobody, and must be changed at the first sign-in."""
        named = {attribute: told.get(column) for column, attribute in COLUMNS.items()}
        named |= {self.employee_id: told.get("employee_id"), "userPrincipalName": told["email"], "sAMAccountName": login}
        manager = told.get("manager_account_id")
        named |= {"manager": by_guid(manager)} if manager else {}
        password = f'"{secrets.token_urlsafe(24)}Aa1!"'.encode("utf-16-le")
        flags = SWITCHED_OFF if told.get("enabled") is False else ENABLED
        fixed = {"unicodePwd": password, "userAccountControl": b"%d" % flags, "pwdLastSet": b"0"}
        return {name: str(value).encode() for name, value in named.items() if value} | fixed

    def _known(self, told: Mapping[str, Any]) -> str | None:
        """The account that carries the new one's employee id, or else its address."""
        number_, email = told.get("employee_id"), told.get("email")
        by_number = f"({self.employee_id}={in_filter(str(number_))})" if number_ else ""
        address = in_filter(str(email)) if email else ""
        by_address = f"(|(userPrincipalName={address})(mail={address})(proxyAddresses=smtp:{address}))" if email else ""
        return next((found for asked in (by_number, by_address) if asked and (found := self._first(asked))), None)

    def _first(self, asked: str) -> str | None:
        searches = (Search(base, f"(&{_PEOPLE}{asked})", ("objectGUID",)) for base in self.bases)
        found = [entry for search in searches for entries in self.directory.pages(search) for _, entry in entries]
        return min((guid(entry["objectGUID"][0]) for entry in found), default=None)


def _swap(name: str, attribute: str, old: Sequence[bytes], new: Sequence[bytes]) -> Callable[[Any], object]:
    """Delete the old value and add the new one, in one operation: refused when the old one is no longer there."""
    steps = ((ldap3.MODIFY_DELETE, list(old)), (ldap3.MODIFY_ADD, list(new)))
    changes = {attribute: [step for step in steps if step[1]]}
    return lambda connection: connection.modify(name, changes)


def _built_in(row: Mapping[str, Any]) -> str:
    return _BUILT_IN if row["kind"] == "builtin" else ""
