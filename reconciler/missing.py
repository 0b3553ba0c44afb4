"""What an earlier night had and tonight lacks: accounts and people, the values of a column, the members of a group.

Compared by id, never by label: who was renamed, moved or re-organised is still there, and a new face hides no lost one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.edges import among, edge_accounts, edge_entitlements, edge_via
from reconciler.snapshots import Snapshot
from reconciler.vocabulary import Codes

Flags = npt.NDArray[np.bool_]

# The labels that a right, a filter or an export can lose as a whole.
SCOPES = {"accounts": ("container", "company", "department"), "people": ("company", "department", "location")}
FEW = 3  # below so many rows a change is ordinary life
MANY = 10  # rows that do not all go, or empty, or change in one night by themselves
HERE = ("active", "leave", "suspended")  # statuses of people whom a roster cannot leave out


@dataclass(frozen=True)
class Shrunken:
    """A scope of an earlier night: how many rows it had, and how many of them are lost."""

    column: str
    name: str
    lost: int
    rows: int


def counted(before: Snapshot, table: str) -> Flags:
    """The rows whose absence would mean something: accounts that were not deleted before, people at work."""
    if table == "people":
        return np.asarray(pc.is_in(tables.plain(before.column("people", "status")), pa.array(HERE)))
    return ~np.asarray(pc.fill_null(pc.equal(tables.plain(before.column("accounts", "state_reason")), "deleted"), False), bool)


def gone(new: Snapshot, before: Snapshot, table: str) -> Flags:
    """Which of an earlier night's counted rows have no row tonight."""
    codes = before.column(table, "code").to_numpy()
    return ~np.isin(codes, new.column(table, "code").to_numpy()) & counted(before, table)


def ids(snapshot: Snapshot, table: str, rows: Flags) -> list[str]:
    """The immutable ids of some rows."""
    named = snapshot.column(table, "account_id" if table == "accounts" else "person_id")
    return [str(name) for name in named.filter(pa.array(rows)).to_pylist()]


def shrunken(before: Snapshot, table: str, lost: Flags) -> Iterator[Shrunken]:
    """Every scope that has lost a row, of each kind; rows without a label are in none."""
    for column in SCOPES[table]:
        yield from by_label(before, table, column, lost, counted(before, table))


def by_label(before: Snapshot, table: str, column: str, lost: Flags, among: Flags) -> Iterator[Shrunken]:
    """The labels of one column under which something is lost."""
    labels = tables.whole(before.column(table, column))
    labels = labels if pa.types.is_dictionary(labels.type) else labels.dictionary_encode()
    none = len(labels.dictionary)
    at = np.asarray(pc.fill_null(labels.indices, none), np.int64)
    every, less = (np.bincount(at[rows], minlength=none + 1)[:none] for rows in (among, lost & among))
    for number in np.flatnonzero(less).tolist():
        yield Shrunken(column, str(labels.dictionary[number]), int(less[number]), int(every[number]))


def scopes(snapshot: Snapshot, table: str) -> dict[str, int]:
    """How many different labels of each kind a snapshot has."""
    told = {column: len(pc.unique(snapshot.column(table, column)).drop_null()) for column in SCOPES[table]}
    return {column: number for column, number in told.items() if number}


@dataclass(frozen=True)
class Blanked:
    """A column held against an earlier night, over what lives on both: which cells were filled then, and are not tonight."""

    filled: Flags
    lost: Flags


def blanked(new: Snapshot, before: Snapshot, table: str, column: str) -> Blanked:
    """Cells of an earlier night, in its order; an account that was switched off meanwhile may well have been emptied."""
    here, there = _firsts(before, table), _firsts(new, table)
    at = np.searchsorted(there.codes, here.codes)
    both = at < len(there.codes)
    both[both] = there.codes[at[both]] == here.codes[both]
    at[~both] = 0
    told_before, told = (snapshot.column(table, column).is_valid().to_numpy() for snapshot in (before, new))
    filled = np.zeros(len(told_before), bool)
    lost = filled.copy()
    if not len(there.codes):
        return Blanked(filled, lost)
    live = both & ~_off(before, table)[here.rows] & ~_off(new, table)[there.rows[at]]
    filled[here.rows] = live & told_before[here.rows]
    lost[here.rows] = filled[here.rows] & ~told[there.rows[at]]
    return Blanked(filled, lost)


@dataclass(frozen=True)
class _Firsts:
    """Each code once, rising, and its first row."""

    codes: Codes
    rows: Codes


def _firsts(snapshot: Snapshot, table: str) -> _Firsts:
    codes, rows = np.unique(snapshot.column(table, "code").to_numpy(), return_index=True)
    return _Firsts(codes, rows)


def _off(snapshot: Snapshot, table: str) -> Flags:
    """Rows that are out of use."""
    if table == "people":
        return ~counted(snapshot, "people")
    return np.asarray(pc.fill_null(pc.equal(snapshot.column("accounts", "enabled"), False), False), bool)


def emptied_groups(new: Snapshot, before: Snapshot) -> Iterator[Shrunken]:
    """Groups that are still there, of which every live direct member is still there, and none is a member any more."""
    edges, now = _live_members(before, new), _live_members(new, before)
    those, members = np.unique(edge_entitlements(edges), return_counts=True)
    kept = np.isin(those, edge_entitlements(now))
    names = dict(zip(*(before.column("entitlements", name).to_pylist() for name in ("code", "name")), strict=True))
    for code, number in zip(those[~kept].tolist(), members[~kept].tolist(), strict=True):
        yield Shrunken("group", str(names.get(code)), number, number)


def _live_members(snapshot: Snapshot, other: Snapshot) -> Codes:
    """Direct memberships in groups that both nights have, of accounts that are in use on both."""
    live = snapshot.column("accounts", "code").to_numpy()[~_off(snapshot, "accounts")]
    live = np.intersect1d(live, other.column("accounts", "code").to_numpy()[~_off(other, "accounts")])
    both = np.intersect1d(groups(snapshot), groups(other))
    return among(
        snapshot.edges,
        lambda edges: (edge_via(edges) == 0) & np.isin(edge_accounts(edges), live) & np.isin(edge_entitlements(edges), both),
    )


def groups(snapshot: Snapshot) -> Codes:
    """The groups among the entitlements."""
    kinds = pc.fill_null(pc.equal(tables.plain(snapshot.column("entitlements", "kind")), "group"), False)
    codes: Codes = snapshot.column("entitlements", "code").to_numpy()[np.asarray(kinds, bool)]
    return codes
