"""Who is in which group: listed, by primary group, and through groups in groups; in row numbers, and at the end as grants."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors._ad_accounts import Accounts
from connectors._ad_noticing import circles as in_circles
from connectors._ad_numbers import Names, Rows, numbers, repeated, twice
from connectors._ad_values import Attributes, guid, relative_id, sid, text, true
from reconciler import tables
from reconciler.columns import Columns
from reconciler.connector import Incomplete, Noticed, Page
from reconciler.tables import ENTITLEMENTS, VIA

ATTRIBUTES = ("objectGUID", "objectSid", "sAMAccountName", "cn", "managedBy", "member", "isCriticalSystemObject", "uSNChanged")

# Members of these, at any depth, are administrators (Microsoft, "Protected Accounts and Groups"): the domain's own by
# RID (Domain, Schema and Enterprise Admins, Domain Controllers, Policy Creators, Key Admins), the built-in ones by SID.
DOMAIN_RIDS = frozenset({512, 516, 518, 519, 520, 526, 527})
BUILTIN_RIDS = frozenset({544, 548, 549, 550, 551})
ROWS = 20_000  # of a page of grants, at least
_FOREIGN = ",cn=foreignsecurityprincipals,"


@dataclass
class Groups:
    """Every group read so far, and the names of its members by their numbers; rows are numbered as they come."""

    names: Names
    columns: Columns = field(default_factory=lambda: Columns(ENTITLEMENTS))
    named: array[int] = field(default_factory=numbers)  # each one's own name
    owners: array[int] = field(default_factory=numbers)
    sids: list[str | None] = field(default_factory=list)
    members: list[array[int]] = field(default_factory=list)
    _ids: bytearray = field(default_factory=bytearray)  # objectGUIDs, 16 bytes each

    def __len__(self) -> int:
        return len(self.sids)

    def take(self, dn: str, entry: Attributes) -> None:
        """Add one group with the members that came with it. Raises Incomplete when its identity may not be read."""
        if not entry.get("objectGUID"):
            raise Incomplete(f"the objectGUID of {dn} may not be read; grant the reader Read All Properties")
        self.columns.take({
            "entitlement_id": guid(entry["objectGUID"][0]), "name": text(entry, "sAMAccountName") or text(entry, "cn"), "kind": "group",
            "writable": not true(entry, "isCriticalSystemObject"),
        })  # fmt: skip
        self._ids += entry["objectGUID"][0]
        self.named.append(self.names.number(dn))
        self.owners.append(self.names.number(text(entry, "managedBy")))
        self.sids.append(sid(entry["objectSid"][0]) if entry.get("objectSid") else None)
        self.members.append(numbers())
        self.list(len(self.members) - 1, entry.get("member", ()))

    def list(self, row: int, members: Sequence[bytes]) -> None:
        """Set the members of a group."""
        number = self.names.number
        self.members[row] = array("i", [number(member.decode("utf-8", "replace")) for member in members])

    def each_once(self) -> None:
        """Raises Incomplete when an object came twice."""
        row = repeated(self._ids)
        if row is not None:
            raise twice(self.names.of([self.named[row]])[0])

    def empty(self) -> Sequence[str]:
        """The names of groups that list nobody."""
        return self.names.of(self.named[row] for row, members in enumerate(self.members) if not members)


@dataclass(frozen=True)
class Memberships:
    """Per group row: account rows it lists, account rows that have it as primary group, and group rows it lists."""

    direct: Sequence[Rows]
    primary: Sequence[Rows]
    inner: Sequence[Sequence[int]]
    strangers: Sequence[str]  # DNs of members that are neither an account nor a group that was read; in lower case
    foreign: int  # members from other domains, which stand here by their SID only

    @property
    def links(self) -> int:
        return sum(map(len, self.direct)) + sum(map(len, self.inner)) + len(self.strangers) + self.foreign


def memberships(accounts: Accounts, groups: Groups, domain_sid: str) -> Memberships:
    """Resolve every member's name, and add the primary groups, which no list of members names; the lists are forgotten."""
    account, group = groups.names.rows(accounts.named), groups.names.rows(groups.named)
    direct, inner = [], []
    strange = numbers()
    for row, listed in enumerate(groups.members):
        members = np.frombuffer(listed, np.int32)
        people, inside = account[members], group[members]
        direct.append(people[people >= 0])
        inner.append(inside[(people < 0) & (inside >= 0)].tolist())
        strange.extend(members[(people < 0) & (inside < 0)].tolist())
        groups.members[row] = numbers()
    strangers = groups.names.of(strange)
    near = [dn for dn in strangers if _FOREIGN not in dn]
    return Memberships(direct, _primary(accounts, groups, domain_sid), inner, near, len(strangers) - len(near))


def sids_shown(accounts: Accounts, groups: Groups) -> None:
    """Whatever may be given rights has a SID: all groups, and all accounts but contacts; a primary group is known by nothing else.

    Raises Incomplete.
    """
    without = pc.and_(accounts.columns["sid"].is_null(), pc.not_equal(accounts.columns["kind"], "contact"))
    for sort, named, hidden in (
        ("groups", groups.named, [row for row, known in enumerate(groups.sids) if known is None]),
        ("accounts", accounts.named, np.flatnonzero(without).tolist()),
    ):
        if hidden:
            example = groups.names.of([named[hidden[0]]])[0]
            raise Incomplete(
                f"the objectSid of {len(hidden)} {sort} may not be read, e.g. {example}; grant the reader Read All Properties"
            )


def _primary(accounts: Accounts, groups: Groups, domain_sid: str) -> list[Rows]:
    rids = np.frombuffer(accounts.primary, np.int64)
    by_rid = {relative_id(known): row for row, known in enumerate(groups.sids) if known and known.startswith(domain_sid + "-")}
    empty = np.empty(0, np.int32)
    held = {by_rid[rid]: np.flatnonzero(rids == rid).astype(np.int32) for rid in np.unique(rids).tolist() if rid in by_rid}
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


def grants(held: Memberships, account_ids: pa.Array, group_ids: pa.Array, group_names: pa.Array) -> Iterator[Page | Noticed]:
    """Grants, some thousands a page: direct, by primary group, and nested through groups inside the group."""
    waiting: list[tuple[int, int, Rows]] = []  # (group, how, accounts)
    circles: list[int] = []
    for row in range(len(group_ids)):
        reached = below(row, held.inner)
        circles += [row] if row in reached else []
        ways = {"direct": held.direct[row], "primary": held.primary[row], "nested": _nested(held, reached - {row})}
        waiting += [(row, VIA.index(via), rows) for via, rows in ways.items() if len(rows)]
        if sum(len(rows) for _, _, rows in waiting) >= ROWS:
            yield _page(waiting, account_ids, group_ids)
            waiting = []
    if waiting:
        yield _page(waiting, account_ids, group_ids)
    yield from in_circles(sorted(pc.coalesce(group_names, group_ids).take(pa.array(circles, pa.int64())).to_pylist()))


def _page(waiting: Sequence[tuple[int, int, Rows]], account_ids: pa.Array, group_ids: pa.Array) -> Page:
    rows, first = [len(rows) for _, _, rows in waiting], waiting[0][0]
    named = group_ids.slice(first, waiting[-1][0] + 1 - first)
    groups, ways = (
        np.repeat(np.array(codes, np.int32), rows) for codes in zip(*((row - first, via) for row, via, _ in waiting), strict=True)
    )
    return Page(
        "grants",
        {
            "account_id": account_ids.take(pa.array(np.concatenate([rows for _, _, rows in waiting]))),
            "entitlement_id": pa.DictionaryArray.from_arrays(pa.array(groups), named),
            "via": pa.DictionaryArray.from_arrays(pa.array(ways), pa.array(VIA)),
        },
        "memberships",
    )


def _nested(held: Memberships, reached: set[int]) -> Rows:
    through = [members for inside in reached for members in (held.direct[inside], held.primary[inside])]
    return np.unique(np.concatenate(through)) if through else np.empty(0, np.int32)


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
    ids, rows_of = tables.whole(accounts.columns["account_id"]), accounts.names.rows(accounts.named)
    accounts.columns.put("manager_account_id", _ids(ids, rows_of, accounts.managers))
    groups.columns.put("owner_account_id", _ids(ids, rows_of, groups.owners))
    rows, whole = protected(groups, held, domain_sid)
    admins = np.isin(np.frombuffer(accounts.primary, np.int64), sorted(DOMAIN_RIDS))
    for row in rows:
        admins[held.direct[row]] = admins[held.primary[row]] = True
    unknown = False if whole else None  # without Domain Admins in sight nobody can be said to be no administrator
    accounts.columns.put("privileged", [True if admin else unknown for admin in admins.tolist()])
    groups.columns.put("privileged", [True if row in rows else unknown for row in range(len(groups))])


def _ids(ids: pa.Array, rows_of: Rows, names: array[int]) -> pa.Array:
    """The accounts behind names; null where there is none."""
    rows = rows_of[np.frombuffer(names, np.int32)]
    return ids.take(pa.array(rows, mask=rows < 0))
