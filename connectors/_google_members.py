"""Members of Google's groups, page by page: people by their rows, and the others as far as they matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from connectors._bulk_held import Members
from connectors._bulk_rows import UNKNOWN, Accounts
from connectors._google_accounts import Addresses
from connectors._google_listing import having
from reconciler.connector import Incomplete

Json = Mapping[str, Any]

_typed = having("type")


@dataclass
class Met:
    """A page of members: how many of each type, and who."""

    types: Counter[str]
    people: list[int]
    groups: list[str] = field(default_factory=list)
    strangers: list[tuple[str, str]] = field(default_factory=list)  # ids and addresses
    everybody: bool = False  # the whole customer is a member
    nameless: bool = False


@dataclass
class Membership:
    """Everybody's place in the groups, as it is read."""

    accounts: Accounts = field(default_factory=Accounts)
    addresses: Addresses = field(default_factory=lambda: Addresses(Accounts()))
    groups: Mapping[str, Json] = field(default_factory=dict)
    members: Members = field(default_factory=Members)
    everybody: set[str] = field(default_factory=set)  # groups of which the whole customer is a member
    strangers: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # users of ours, not listed: address and groups

    def meet(self, members: Sequence[Json]) -> Met:
        """What a page of members comes to; people from outside have no account here, and are left out."""
        types = Counter([_typed(member)["type"] for member in members])
        rows = self.accounts.rows([member.get("id") for member in members])
        met = Met(types, rows[rows >= 0].tolist())
        for place in np.flatnonzero(rows < 0).tolist():
            self._meet_other(members[place], met)
        return met

    def _meet_other(self, member: Json, met: Met) -> None:
        """A member whose id is no account's. One without an id is the user or group with its address."""
        mail, sort = str(member.get("email") or "").lower(), member["type"]
        row = UNKNOWN if member.get("id") else self.addresses.rows([mail])[0]
        here = member.get("id") or self._group_of(mail)
        if row >= 0:
            met.people.append(int(row))
        elif here is None:
            met.nameless = True
        elif sort == "GROUP" and here in self.groups:
            met.groups.append(here)
        elif sort == "CUSTOMER":
            met.everybody = True
        elif sort == "USER" and mail.rpartition("@")[2] in self.addresses.domains:
            met.strangers.append((here, mail))

    def _group_of(self, mail: str) -> str | None:
        return next((here for here, group in self.groups.items() if str(group.get("email")).lower() == mail), None)

    def join(self, group: Json, pages: Sequence[Met]) -> None:
        """Take in the members of a group; raises Incomplete when one of them is not known by anything."""
        here = group["id"]
        if any(page.nameless for page in pages):
            raise Incomplete(f"group {group.get('email', here)}: a member came without an id; nothing of the listing is used")
        people = [row for page in pages for row in page.people]
        self.members.put(here, np.array(people, np.int64), (inner for page in pages for inner in page.groups))
        if any(page.everybody for page in pages):
            self.everybody.add(here)
        for stranger, mail in (each for page in pages for each in page.strangers):
            self.strangers.setdefault(stranger, (mail, []))[1].append(here)

    def admit(self, stranger: str) -> None:
        """A stranger has an account after all."""
        row = self.accounts.rows([stranger])
        for group in self.strangers[stranger][1]:
            self.members.put(group, np.append(self.members.people[group], row), self.members.inside[group])
