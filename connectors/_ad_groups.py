"""Who is in which group: listed, by primary group, and through groups in groups; in row numbers, and at the end as grants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt

from connectors._ad_accounts import Accounts
from connectors._ad_noticing import circles as in_circles
from connectors._ad_values import Attributes, guid, relative_id, sid, text, true
from reconciler.connector import Incomplete, Noticed, Page
from reconciler.tables import ENTITLEMENTS

Rows = npt.NDArray[np.int64]

ATTRIBUTES = ("objectGUID", "objectSid", "sAMAccountName", "cn", "managedBy", "member", "isCriticalSystemObject", "uSNChanged")

# Members of these, at any depth, are administrators (Microsoft, "Protected Accounts and Groups"): the domain's own by
# RID (Domain, Schema and Enterprise Admins, Domain Controllers, Policy Creators, Key Admins), the built-in ones by SID.
DOMAIN_RIDS = frozenset({512, 516, 518, 519, 520, 526, 527})
BUILTIN_RIDS = frozenset({544, 548, 549, 550, 551})
ROWS = 20_000  # of a page of grants, at least
_FOREIGN = ",cn=foreignsecurityprincipals,"


@dataclass
class Groups:
    """Every group read so far, as columns, and the DNs of its members; rows are numbered as they come."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ENTITLEMENTS.names})
    row_of: dict[str, int] = field(default_factory=dict)  # DN in lower case -> row
    sids: list[str | None] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)  # DNs in lower case
    members: list[list[str]] = field(default_factory=list)  # DNs in lower case, each kept once however many groups name it
    _seen: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.sids)

    def take(self, dn: str, entry: Attributes, members: Sequence[bytes]) -> None:
        """Add one group with all its members. Raises Incomplete when its identity may not be read, or when it comes twice."""
        if not entry.get("objectGUID"):
            raise Incomplete(f"the objectGUID of {dn} may not be read; grant the reader Read All Properties")
        group_id, owner = guid(entry["objectGUID"][0]), text(entry, "managedBy")
        if group_id in self._seen:
            raise Incomplete(f"{dn} came twice: it moved while the directory was read, or the server repeated a page")
        self._seen.add(group_id)
        row = {"entitlement_id": group_id, "name": text(entry, "sAMAccountName") or text(entry, "cn"), "kind": "group",
               "writable": not true(entry, "isCriticalSystemObject")}  # fmt: skip
        for name, column in self.columns.items():
            column.append(row.get(name))
        self.row_of[dn.lower()] = len(self.sids)
        self.sids.append(sid(entry["objectSid"][0]) if entry.get("objectSid") else None)
        self.owners.append(owner.lower() if owner else None)
        self.members.append([intern(member.decode("utf-8", "replace").lower()) for member in members])


@dataclass(frozen=True)
class Memberships:
    """Per group row: account rows it lists, account rows that have it as primary group, and group rows it lists."""

    direct: list[Rows]
    primary: list[Rows]
    inner: list[list[int]]
    strangers: list[str]  # DNs of members that are neither an account nor a group that was read; in lower case
    foreign: int  # members from other domains, which stand here by their SID only

    @property
    def links(self) -> int:
        return sum(map(len, self.direct)) + sum(map(len, self.inner)) + len(self.strangers) + self.foreign


def memberships(accounts: Accounts, groups: Groups, domain_sid: str) -> Memberships:
    """Resolve every member's DN, and add the primary groups, which no list of members names."""
    direct, inner, strangers = [], [], []
    for members in groups.members:
        rows = [(accounts.row_of.get(dn), groups.row_of.get(dn), dn) for dn in members]
        direct.append(np.array([account for account, _, _ in rows if account is not None], np.int64))
        inner.append([group for account, group, _ in rows if account is None and group is not None])
        strangers += [dn for account, group, dn in rows if account is None and group is None]
    near = [dn for dn in strangers if _FOREIGN not in dn]
    return Memberships(direct, _primary(accounts, groups, domain_sid), inner, near, len(strangers) - len(near))


def _primary(accounts: Accounts, groups: Groups, domain_sid: str) -> list[Rows]:
    rids = np.array(accounts.primary, np.int64)
    by_rid = {relative_id(known): row for row, known in enumerate(groups.sids) if known and known.startswith(domain_sid + "-")}
    empty = np.empty(0, np.int64)
    held = {by_rid[rid]: np.flatnonzero(rids == rid) for rid in np.unique(rids).tolist() if rid in by_rid}
    return [held.get(row, empty) for row in range(len(groups))]


def below(group: int, inner: Sequence[Sequence[int]]) -> set[int]:
    """Every group inside a group, at any depth; with the group itself when groups form a circle through it."""
    found: set[int] = set()
    waiting = list(inner[group])
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += inner[here]
    return found


def grants(held: Memberships, accounts: Accounts, groups: Groups) -> Iterator[Page | Noticed]:
    """Grants, some thousands a page: direct, by primary group, and nested through groups inside the group."""
    account_ids = np.array(accounts.columns["account_id"], object)
    waiting: dict[str, list[Any]] = {"account_id": [], "entitlement_id": [], "via": []}
    circles: list[str] = []
    for row, group_id in enumerate(groups.columns["entitlement_id"]):
        reached = below(row, held.inner)
        circles += [groups.columns["name"][row] or group_id] if row in reached else []
        for via, rows in (
            ("direct", held.direct[row]),
            ("primary", held.primary[row]),
            ("nested", _nested(held, reached - {row})),
        ):
            waiting["account_id"] += account_ids[rows].tolist()
            waiting["entitlement_id"] += [group_id] * len(rows)
            waiting["via"] += [via] * len(rows)
        if len(waiting["via"]) >= ROWS:
            yield Page("grants", waiting, "memberships")
            waiting = {name: [] for name in waiting}
    yield Page("grants", waiting, "memberships")
    yield from in_circles(sorted(circles))


def _nested(held: Memberships, reached: set[int]) -> Rows:
    through = [members for inside in reached for members in (held.direct[inside], held.primary[inside])]
    return np.unique(np.concatenate(through)) if through else np.empty(0, np.int64)


def protected(groups: Groups, held: Memberships, domain_sid: str) -> tuple[set[int], bool]:
    """(rows of groups whose members are administrators, whether all that decide it were read).

    A group is one of them by its SID, or by being inside one at any depth.
    """
    roots = {row for row, known in enumerate(groups.sids) if known and _is_protected(known, domain_sid)}
    found = roots.union(*(below(row, held.inner) for row in roots))
    return found, {f"{domain_sid}-512", "S-1-5-32-544"} <= set(groups.sids)


def _is_protected(security_id: str, domain_sid: str) -> bool:
    rids = (
        DOMAIN_RIDS if security_id.startswith(domain_sid + "-") else BUILTIN_RIDS if security_id.startswith("S-1-5-32-") else ()
    )
    return relative_id(security_id) in rids


def finish(accounts: Accounts, groups: Groups, held: Memberships, domain_sid: str) -> None:
    """What is known only when all is read: managers, owners of groups, and who is privileged."""
    ids = accounts.columns["account_id"]
    accounts.columns["manager_account_id"] = [_id(ids, accounts, dn) for dn in accounts.managers]
    groups.columns["owner_account_id"] = [_id(ids, accounts, dn) for dn in groups.owners]
    rows, whole = protected(groups, held, domain_sid)
    admins = np.zeros(len(accounts), bool)
    for row in rows:
        admins[held.direct[row]] = admins[held.primary[row]] = True
    admins |= np.isin(np.array(accounts.primary, np.int64), sorted(DOMAIN_RIDS))
    unknown = False if whole else None  # without Domain Admins in sight nobody can be said to be no administrator
    accounts.columns["privileged"] = [True if admin else unknown for admin in admins.tolist()]
    groups.columns["privileged"] = [True if row in rows else unknown for row in range(len(groups))]


def _id(ids: Sequence[str], accounts: Accounts, dn: str | None) -> str | None:
    row = accounts.row_of.get(dn) if dn else None
    return None if row is None else ids[row]
