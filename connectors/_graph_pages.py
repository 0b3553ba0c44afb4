"""Pages of Graph's listings, and what is kept of them: columns of accounts, rows, numbers by hash, and the few texts that are needed."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from sys import intern
from typing import NamedTuple

import numpy as np

from connectors._bulk_rows import UNKNOWN, Accounts, Numbers, Part, hashes, numbers, part
from connectors._graph_access import Device
from connectors._graph_accounts import columns, instants
from connectors._graph_listing import Row


class Users(NamedTuple):
    """A page of users: as accounts, and whose licences are whose, by product and whether a group gives them."""

    accounts: Part
    licences: dict[tuple[str, bool], Numbers]


def users_of(users: Sequence[Row], extra: Mapping[str, str]) -> Users:
    holders: dict[tuple[str, bool], list[str]] = {}
    for user in users:
        for state in user.get("licenseAssignmentStates") or ():
            holders.setdefault((state["skuId"], state.get("assignedByGroup") is not None), []).append(user["id"])
    return Users(part(columns(users, extra)), {licence: hashes(ids) for licence, ids in holders.items()})


def ids(rows: Sequence[Row]) -> Numbers:
    return hashes([row["id"] for row in rows])


def signed_in(users: Sequence[Row]) -> Numbers:
    """When each was last seen."""
    told = [user.get("signInActivity") or {} for user in users]
    return numbers(instants([seen.get("lastSuccessfulSignInDateTime") or seen.get("lastSignInDateTime") for seen in told]))


def led_by(users: Sequence[Row]) -> Numbers:
    """Managers, by hash."""
    told = [(user.get("manager") or {}).get("id") for user in users]
    return np.fromiter((hash(manager) if manager else UNKNOWN for manager in told), np.int64, len(told))


def registered(rows: Sequence[Row]) -> Numbers:
    """Whether each has registered a second factor."""
    told = [row.get("isMfaRegistered") for row in rows]
    return numbers([int(each) if isinstance(each, bool) else None for each in told])


class Met(NamedTuple):
    """A page of a group's members: all, and of them the people by their rows, the groups, and users that are not listed."""

    ids: Numbers
    people: Numbers
    groups: list[str]
    strangers: list[str]


def members_of(members: Sequence[Row], accounts: Accounts, groups: Container[str]) -> Met:
    rows = accounts.rows([member["id"] for member in members])
    others = [members[place] for place in np.flatnonzero(rows < 0).tolist()]
    strangers = [other["id"] for other in others if other.get("@odata.type") == "#microsoft.graph.user"]
    return Met(ids(members), rows[rows >= 0], [intern(other["id"]) for other in others if other["id"] in groups], strangers)


def owned(groups: Sequence[Row], accounts: Accounts) -> list[tuple[str, str | None]]:
    """Groups with one of their owners, the first by its id."""
    listed = [(group["id"], [owner["id"] for owner in group.get("owners") or [] if owner.get("id")]) for group in groups]
    known = [accounts.rows(owners) >= 0 for _, owners in listed]
    return [
        (here, min((owner for owner, is_known in zip(owners, those, strict=True) if is_known), default=None))
        for (here, owners), those in zip(listed, known, strict=True)
    ]


def devices_of(devices: Sequence[Row], accounts: Accounts) -> list[Device]:
    """Devices, and the rows of those who registered them."""
    owners = [[owner["id"] for owner in device.get("registeredOwners") or [] if owner.get("id")] for device in devices]
    rows = [accounts.rows(listed) for listed in owners]
    return [
        Device(device["id"], device.get("displayName"), tuple(held[held >= 0].tolist()))
        for device, held in zip(devices, rows, strict=True)
    ]
