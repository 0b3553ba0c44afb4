"""What the accounts of a Google Workspace hold: memberships to any depth, roles, licences, phones, applications let in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = Mapping[str, Any]


@dataclass
class Held:
    """Entitlements by id, and who holds them; each area adds its own when it has been read whole."""

    entitlements: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, list[str]] = field(default_factory=lambda: {"account_id": [], "entitlement_id": [], "via": []})

    def add(self, here: str, name: Any, kind: str, **told: Any) -> str:
        self.entitlements[here] = {"entitlement_id": here, "name": name, "kind": kind, "writable": True, **told}
        return here

    def grant(self, people: Iterable[str], entitlement: str, via: str) -> None:
        listed = sorted(set(people))
        self.grants["account_id"] += listed
        self.grants["entitlement_id"] += [entitlement] * len(listed)
        self.grants["via"] += [via] * len(listed)


class Member(NamedTuple):
    """Of a member of a group, what is needed: a company has millions of them. The address is that of a stranger only."""

    id: str
    type: str
    email: str = ""


@dataclass(frozen=True)
class Membership:
    """Everybody's place in the groups: `members` by group id, `accounts` the users there are."""

    accounts: Mapping[str, Any]
    members: Mapping[str, Sequence[Member]]

    def people(self, groups: Iterable[str]) -> list[str]:
        """The direct members who are this customer's users; people from outside have no account here."""
        return [m.id for group in groups for m in self.members[group] if m.id in self.accounts]

    def below(self, group: str) -> set[str]:
        """Every group inside a group, at any depth; a circle ends where it began."""
        found: set[str] = set()
        waiting = self._inside(group)
        while waiting:
            here = waiting.pop()
            if here not in found and here != group:
                found.add(here)
                waiting += self._inside(here)
        return found

    def _inside(self, group: str) -> list[str]:
        return [m.id for m in self.members[group] if m.type == "GROUP" and m.id in self.members]

    def everybody_in(self, groups: Iterable[str]) -> bool:
        """Whether the whole customer is a member."""
        return any(m.type == "CUSTOMER" for group in groups for m in self.members[group])


def add_groups(held: Held, groups: Iterable[Json], places: Membership) -> None:
    for group in groups:
        here, inside = group["id"], places.below(group["id"])
        held.add(here, group.get("email"), "group", writable=group.get("adminCreated"))
        held.grant(places.people([here]), here, "direct")
        held.grant(places.people(inside), here, "nested")
        held.grant(places.accounts if places.everybody_in((here, *inside)) else (), here, "inherited")


def add_roles(held: Held, roles: Iterable[Json], assigned: Iterable[Json], places: Membership) -> None:
    """Roles held by people, or through a group by everybody in it."""
    for role in roles:
        held.add(f"role-{role['roleId']}", role.get("roleName"), "role", privileged=role.get("isSuperAdminRole", False))
    for one in assigned:
        role_id, holder = f"role-{one['roleId']}", one["assignedTo"]
        if holder in places.accounts:
            held.grant([holder], role_id, "direct")
        elif holder in places.members:
            held.grant(places.people((holder, *places.below(holder))), role_id, "inherited")


def add_licences(held: Held, licences: Iterable[tuple[str, str, str]], mails: Mapping[str, str]) -> None:
    """(product, SKU, address of the holder)."""
    holders: dict[str, list[str]] = {}
    for product, sku, mail in licences:
        holders.setdefault(f"{product}/{sku}", []).extend([mails[mail.lower()]] if mail.lower() in mails else [])
    for sku, people in holders.items():
        held.grant(people, held.add(sku, sku, "licence"), "direct")


WIPED = frozenset({"WIPED", "ACCOUNT_WIPED", "DELETED"})  # nothing of ours is on it any more


def add_devices(held: Held, devices: Iterable[Json], mails: Mapping[str, str]) -> None:
    """Phones and tablets that synchronise somebody's account."""
    for device in devices:
        owners = [mails[mail.lower()] for mail in device.get("email", ()) if mail.lower() in mails]
        if device.get("status") in WIPED:
            continue
        name = " ".join(str(device[word]) for word in ("model", "serialNumber") if device.get(word)) or device["resourceId"]
        here = held.add(f"device-{device['resourceId']}", name, "device", owner_account_id=owners[0] if owners else None)
        held.grant(owners, here, "direct")


def add_applications(held: Held, tokens: Mapping[str, Sequence[Json]]) -> None:
    """Applications that people have let in, by account id."""
    holders: dict[str, list[str]] = {}
    for person, let_in in tokens.items():
        for token in let_in:
            here = held.add(f"oauth-{token['clientId']}", token.get("displayText") or token["clientId"], "oauth_grant")
            holders.setdefault(here, []).append(person)
    for here, people in holders.items():
        held.grant(people, here, "direct")
