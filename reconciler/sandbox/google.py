"""One Google Workspace customer held in memory, in the Admin SDK's own shapes.

A night of the company is written with `put_user`, `put_group`, `join`, … and read back by the server. Objects are
replaced, never changed in place: the server keeps an object's text until another object takes its place.
Shapes: discovery documents admin.directory_v1, licensing.v1 and admin.datatransfer_v1.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]

NEVER = "1970-01-01T00:00:00.000Z"  # how Google writes "has never signed in"
SUPER_ADMIN_ROLE = "_SEED_ADMIN_ROLE"


def user_id(text: str) -> str:
    """An id as users have: 21 digits, always the same for the same text."""
    return "1" + str(int(hashlib.sha256(text.encode()).hexdigest(), 16))[:20]


def group_id(text: str) -> str:
    """An id as groups have: 15 letters and digits, always the same for the same text."""
    return "0" + hashlib.sha256(text.encode()).hexdigest()[:14]


def user(mail: str, given: str, family: str, **told: Any) -> Json:
    """A user as `users.get` shows it: every field that Google always sends, and whatever else is `told`."""
    shown: Json = {
        "kind": "admin#directory#user", "id": user_id(mail), "primaryEmail": mail,
        "name": {"givenName": given, "familyName": family, "fullName": f"{given} {family}"},
        "isAdmin": False, "isDelegatedAdmin": False, "lastLoginTime": NEVER, "creationTime": "2020-01-06T09:00:00.000Z",
        "agreedToTerms": True, "suspended": False, "archived": False, "changePasswordAtNextLogin": False, "ipWhitelisted": False,
        "emails": [{"address": mail, "primary": True}], "languages": [{"languageCode": "en", "preference": "preferred"}],
        "orgUnitPath": "/", "isMailboxSetup": True, "isEnrolledIn2Sv": False, "isEnforcedIn2Sv": False,
        "includeInGlobalAddressList": True,
    }  # fmt: skip
    return shown | told


def group(mail: str, name: str, **told: Any) -> Json:
    """A group as `groups.get` shows it; the server adds directMembersCount."""
    shown = {"kind": "admin#directory#group", "id": group_id(mail), "email": mail, "name": name, "description": ""}
    return shown | {"adminCreated": True} | told


def unit(path: str, **told: str) -> Json:
    """An organisational unit as `orgunits.get` shows it; its id is always the same for the same path."""
    above, _, name = path.rpartition("/")
    return {
        "kind": "admin#directory#orgUnit", "name": name, "description": "", "orgUnitPath": path, "orgUnitId": unit_id(path),
        "parentOrgUnitPath": above or "/", "parentOrgUnitId": unit_id(above or "/"), "blockInheritance": False, **told,
    }  # fmt: skip


def unit_id(path: str) -> str:
    return "id:03ph8a2z" + hashlib.sha256(path.encode()).hexdigest()[:14]


@dataclass
class Customer:
    """Everything one customer has, by id unless said otherwise; change it through its methods."""

    id: str = "C01example"
    domain: str = "example.com"
    groups: dict[str, Json] = field(default_factory=dict)
    members: dict[str, dict[str, Json]] = field(default_factory=dict)  # group id -> member id -> Member
    roles: dict[str, Json] = field(default_factory=dict)
    role_assignments: dict[str, Json] = field(default_factory=dict)
    licences: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (product id, sku id) -> user ids
    sku_names: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, dict[str, Json]] = field(default_factory=dict)  # user id -> client id -> Token
    asps: dict[str, dict[str, Json]] = field(default_factory=dict)  # user id -> code id -> Asp
    codes: dict[str, list[Json]] = field(default_factory=dict)  # user id -> verification codes
    devices: dict[str, Json] = field(default_factory=dict)
    org_units: dict[str, Json] = field(default_factory=dict)  # by path
    schemas: dict[str, Json] = field(default_factory=dict)
    transfers: dict[str, Json] = field(default_factory=dict)
    signed_out: list[str] = field(default_factory=list)  # user ids, in order
    archive_seats: int = 1_000_000  # free Archived User licences
    now: str = "2026-11-22T02:00:00.000Z"  # when the customer believes things are changed
    page_cap: int = 0  # at most so many rows on any page, whatever is asked for; 0: as many as Google gives
    settling: int = 0  # how many changes of a user just made are refused, as "User creation is not complete"
    unsettled: dict[str, int] = field(default_factory=dict)  # user id -> refusals still to come
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _users: dict[str, Json] = field(default_factory=dict)
    _deleted: dict[str, Json] = field(default_factory=dict)
    _by_mail: dict[str, str] = field(default_factory=dict)
    _changes: int = 0
    _views: dict[Any, tuple[int, Sequence[Json]]] = field(default_factory=dict, repr=False)

    def view(self, asked: Any, make: Callable[[], Sequence[Json]]) -> Sequence[Json]:
        """The users that answer a question, worked out once until a user changes."""
        known = self._views.get(asked)
        if known is None or known[0] != self._changes:
            if len(self._views) > 64:
                self._views.clear()
            known = self._views[asked] = (self._changes, make())
        return known[1]

    @property
    def users(self) -> Mapping[str, Json]:
        return MappingProxyType(self._users)

    @property
    def deleted(self) -> Mapping[str, Json]:
        return MappingProxyType(self._deleted)

    @property
    def domains(self) -> tuple[str, ...]:
        """The primary domain first, then every other domain that people or groups have an address in."""
        mails = [*self._by_mail, *(g["email"] for g in self.groups.values())]
        return (self.domain, *sorted({mail.rpartition("@")[2] for mail in mails} - {self.domain}))

    # --- people ---------------------------------------------------------------------------------------------------

    def put_user(self, shown: Json) -> str:
        """Add a user, or put another object in the place of the one with its id; returns the id."""
        with self.lock:
            self._changes += 1
            here = str(shown["id"])
            for mail in _mails(self._users.get(here, {})):
                self._by_mail.pop(mail, None)
            self._users[here] = {**shown, "customerId": self.id}
            self._by_mail.update(dict.fromkeys(_mails(shown), here))
            return here

    def change_user(self, key: str, **told: Any) -> None:
        """Set fields of a user; None takes a field away. A new primary address keeps the old one as an alias."""
        with self.lock:
            before = self._users[self.id_of(key) or key]
            after = {name: value for name, value in (before | told).items() if value is not None}
            if after["primaryEmail"] != before["primaryEmail"]:
                kept = dict.fromkeys([*after.get("aliases", []), before["primaryEmail"]])
                after["aliases"] = [alias for alias in kept if alias != after["primaryEmail"]]
                after["emails"] = [
                    {"address": after["primaryEmail"], "primary": True},
                    *({"address": a} for a in after["aliases"]),
                ]
            self.put_user(after)

    def delete_user(self, key: str, when: str | None = None) -> None:
        """Out of the customer, its groups and licences; `undelete` finds it again for twenty days."""
        with self.lock:
            self._changes += 1
            gone = self._users.pop(self.id_of(key) or key)
            for mail in _mails(gone):
                self._by_mail.pop(mail, None)
            for members in self.members.values():
                members.pop(gone["id"], None)
            for sku, holders in self.licences.items():
                self.licences[sku] = [holder for holder in holders if holder != gone["id"]]
            self._deleted[gone["id"]] = gone | {"deletionTime": when or self.now}

    def undelete(self, here: str, unit: str = "/") -> None:
        with self.lock:
            back = self._deleted.pop(here)
            self.put_user({name: value for name, value in back.items() if name != "deletionTime"} | {"orgUnitPath": unit})

    def id_of(self, key: str) -> str | None:
        """The id of a user told by id, primary address or alias; None when nobody is."""
        return key if key in self._users else self._by_mail.get(key.lower())

    def put_unit(self, path: str, **told: str) -> str:
        """An organisational unit, and every unit above it that is not there yet; returns its id."""
        with self.lock:
            above = path.rpartition("/")[0]
            if above and above not in self.org_units:
                self.put_unit(above)
            self.org_units[path] = unit(path, **told)
            return str(self.org_units[path]["orgUnitId"])

    def rename_unit(self, path: str, new: str) -> None:
        """A unit, what is below it and who is in it move along."""
        with self.lock:
            for old in [one for one in self.org_units if one == path or one.startswith(path + "/")]:
                moved = self.org_units.pop(old)
                self.org_units[new + old[len(path) :]] = unit(new + old[len(path) :], orgUnitId=moved["orgUnitId"])
            for one in list(self._users.values()):
                if one["orgUnitPath"] == path or one["orgUnitPath"].startswith(path + "/"):
                    self.change_user(one["id"], orgUnitPath=new + one["orgUnitPath"][len(path) :])

    # --- groups and what people hold ------------------------------------------------------------------------------

    def put_group(self, shown: Json) -> str:
        self.groups[shown["id"]] = shown
        self.members.setdefault(shown["id"], {})
        return str(shown["id"])

    def group_of(self, key: str) -> str | None:
        """The id of a group told by id, address or alias; None when none is."""
        if key in self.groups:
            return key
        names = (g["id"] for g in list(self.groups.values()) if key.lower() in (g["email"].lower(), *g.get("aliases", ())))
        return next(names, None)

    def join(self, group_key: str, member: str, role: str = "MEMBER") -> None:
        """Put a user, a group, an address from outside, or everybody (the customer's own id) into a group."""
        here = self.group_of(group_key) or group_key
        shown = self._member(member) | {"role": role}
        self.members[here][shown["id"]] = shown

    def leave(self, group_key: str, member: str) -> None:
        self.members[self.group_of(group_key) or group_key].pop(self._member(member)["id"])

    def _member(self, key: str) -> Json:
        shown: Json = {"kind": "admin#directory#member"}
        if key == self.id:
            return shown | {"id": key, "type": "CUSTOMER"}
        person, inner = self.id_of(key), self.group_of(key)
        if person is not None:
            about = self._users[person]
            status = "SUSPENDED" if about.get("suspended") else "ACTIVE"
            return shown | {"id": person, "email": about["primaryEmail"], "type": "USER", "status": status}
        if inner is not None:
            return shown | {"id": inner, "email": self.groups[inner]["email"], "type": "GROUP", "status": "ACTIVE"}
        kind = "EXTERNAL" if "@" not in key else "USER"  # Google shows people from outside as users, with an id of their own
        return shown | {"id": user_id(key), "email": key, "type": kind, "status": "ACTIVE"}

    def put_role(self, name: str, super_admin: bool = False, system: bool = False) -> str:
        """A role with its privileges; returns its id, which is always the same for the same name."""
        here = str(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))
        shown = {"kind": "admin#directory#role", "roleId": here, "roleName": name, "roleDescription": name}
        flags = {"isSystemRole": system or super_admin, "isSuperAdminRole": super_admin}
        privileges = [{"privilegeName": "USERS_RETRIEVE", "serviceId": "00haapch16h1ysv"}]
        self.roles[here] = shown | flags | {"rolePrivileges": privileges}
        return here

    def assign(self, role: str, holder: str, unit: str | None = None) -> str:
        """Give a role to a user, a group or a service account, by id; returns the assignment's id."""
        here = str(int(hashlib.sha256(f"{role} {holder} {unit}".encode()).hexdigest()[:12], 16))
        scope = {"scopeType": "CUSTOMER"} if unit is None else {"scopeType": "ORG_UNIT", "orgUnitId": unit}
        kind = "group" if holder in self.groups else "user"
        shown = {"kind": "admin#directory#roleAssignment", "roleAssignmentId": here, "roleId": role, "assignedTo": holder}
        self.role_assignments[here] = shown | {"assigneeType": kind} | scope
        return here

    def license(self, product: str, sku: str, holders: Iterable[str], name: str | None = None) -> None:
        """Assign a licence to users, by id."""
        self.licences.setdefault((product, sku), []).extend(holders)
        self.sku_names.setdefault(sku, name or sku)

    def put_device(self, mail: str, serial: str, **told: Any) -> str:
        """A managed phone of a user; returns its resource id."""
        here = hashlib.sha256(serial.encode()).hexdigest()[:32]
        shown = {"kind": "admin#directory#mobiledevice", "resourceId": here, "deviceId": serial, "serialNumber": serial}
        about = {"name": [mail.partition("@")[0]], "email": [mail], "model": "Pixel 9", "type": "ANDROID", "status": "APPROVED"}
        times = {"firstSync": "2025-02-03T08:00:00.000Z", "lastSync": "2026-11-20T08:00:00.000Z"}
        self.devices[here] = shown | about | times | told
        return here

    def put_asp(self, key: str, name: str) -> int:
        """A password that a user made for one application; returns its code id."""
        person = self.id_of(key) or key
        held = self.asps.setdefault(person, {})
        code = len(held) + 1
        shown = {"kind": "admin#directory#asp", "codeId": code, "name": name, "userKey": person}
        held[str(code)] = shown | {"creationTime": "1735725600000", "lastTimeUsed": "0"}
        return code

    def grant_token(self, key: str, client: str, name: str, scopes: Iterable[str]) -> None:
        """A user lets an application in."""
        person = self.id_of(key) or key
        shown = {"kind": "admin#directory#token", "clientId": client, "userKey": person, "displayText": name}
        self.tokens.setdefault(person, {})[client] = shown | {"anonymous": False, "nativeApp": False, "scopes": list(scopes)}


def _mails(shown: Mapping[str, Any]) -> Iterator[str]:
    for mail in (shown.get("primaryEmail"), *shown.get("aliases", ()), *shown.get("nonEditableAliases", ())):
        if mail:
            yield mail.lower()
