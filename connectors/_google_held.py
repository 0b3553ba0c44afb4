"""What the accounts of a Google Workspace hold: memberships to any depth, roles, licences, phones, applications let in."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from connectors._bulk_held import Entitlement, Held, Members
from connectors._bulk_rows import Accounts, Numbers, Rows
from connectors._google_accounts import Addresses

Json = Mapping[str, Any]


@dataclass
class Places:
    """Everybody's place in the groups; people from outside have no account here, and none in it."""

    accounts: Accounts
    members: Members
    everybody: set[str]  # groups of which the whole customer is a member

    def holders(self, principal: str) -> tuple[Numbers | Rows, bool]:
        """An account itself (True), or everybody in a group at any depth; nobody when it is neither."""
        row = self.accounts.rows([principal])
        return (row, True) if row[0] >= 0 else (self.members.of(self.members.with_below(principal)), False)


def add_groups(held: Held, groups: Iterable[Json], places: Places) -> None:
    for group in groups:
        here, inside = group["id"], places.members.below(group["id"])
        held.offer(Entitlement(here, group.get("email"), "group", writable=group.get("adminCreated")))
        held.grant(places.members.people[here], here, "direct")
        held.grant(places.members.of(inside), here, "nested")
        if not places.everybody.isdisjoint((here, *inside)):
            held.grant(np.arange(len(places.accounts)), here, "inherited")


def add_roles(held: Held, roles: Iterable[Json], assigned: Iterable[Json], places: Places) -> None:
    """Roles held by people, or through a group by everybody in it."""
    for role in roles:
        privileged = role.get("isSuperAdminRole", False)
        held.offer(Entitlement(f"role-{role['roleId']}", role.get("roleName"), "role", privileged, writable=True))
    for one in assigned:
        people, direct = places.holders(one["assignedTo"])
        held.grant(people, f"role-{one['roleId']}", "direct" if direct else "inherited")


def add_licences(held: Held, licences: Mapping[str, Sequence[Numbers]], addresses: Addresses) -> None:
    """Licences by "product/SKU", with their holders' addresses by hash, page by page."""
    for sku, pages in licences.items():
        rows = np.unique(addresses.of(np.concatenate(pages)))
        held.grant(rows, held.offer(Entitlement(sku, sku, "licence", writable=True)), "direct")


WIPED = frozenset({"WIPED", "ACCOUNT_WIPED", "DELETED"})  # nothing of ours is on it any more


class Phone(NamedTuple):
    """Of a phone or tablet, what is needed; addresses in small letters."""

    id: str
    name: str
    wiped: bool
    mails: tuple[str, ...]


def phone(device: Json) -> Phone:
    """A device as it is listed; KeyError when it has no id."""
    name = " ".join(str(device[word]) for word in ("model", "serialNumber") if device.get(word))
    mails = tuple(mail.lower() for mail in device.get("email", ()))
    return Phone(device["resourceId"], name or device["resourceId"], device.get("status") in WIPED, mails)


def add_devices(held: Held, devices: Iterable[Phone], accounts: Accounts, addresses: Addresses) -> None:
    """Phones and tablets that synchronise somebody's account."""
    texts = accounts.texts
    for device in devices:
        rows = addresses.rows(device.mails)
        rows = rows[rows >= 0]
        if device.wiped:
            continue
        owner = texts[int(rows[0])].as_py() if len(rows) else None
        here = held.offer(Entitlement(f"device-{device.id}", device.name, "device", owner_account_id=owner, writable=True))
        held.grant(np.unique(rows), here, "direct")


@dataclass
class LetIn:
    """Applications that people have let in: how each is called, and the rows of the people."""

    names: dict[str, str] = field(default_factory=dict)
    people: dict[str, array[int]] = field(default_factory=dict)

    def add(self, row: int, tokens: Iterable[Json]) -> None:
        for token in tokens:
            here = f"oauth-{token['clientId']}"
            self.names[here] = token.get("displayText") or token["clientId"]
            self.people.setdefault(here, array("i")).append(row)


def add_applications(held: Held, let_in: LetIn) -> None:
    for here, people in let_in.people.items():
        held.offer(Entitlement(here, let_in.names[here], "oauth_grant", writable=True))
        held.grant(np.unique(np.frombuffer(people, np.int32)), here, "direct")
