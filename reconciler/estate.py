"""Tonight: accounts, people, whose is whose, who should hold what, and the one clock; with the set arithmetic on codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.accounts import Accounts
from reconciler.edges import ACCOUNT_SHIFT, VIA_BITS, distinct, edge_keys
from reconciler.matches import PERSONAL_KINDS, Matches
from reconciler.roster import NAMES, Roster
from reconciler.snapshots import Snapshot
from reconciler.view import Columns, Side, View

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Move:
    """A position a person has left: its attributes, and when the person moved on."""

    person_id: str
    attributes: Mapping[str, str | None]
    until: datetime


@dataclass(frozen=True)
class Access:
    """One `[[access]]` rule: whom it is about, and what they are expected to have."""

    name: str
    when: Mapping[str, tuple[str, ...]]
    accounts: tuple[str, ...]
    entitlements: tuple[tuple[str, str], ...]  # (source, name or id)


@dataclass(frozen=True)
class Estate:
    """Everything a policy may ask about; `roster` is None when a roster was not read whole, and then nobody is known."""

    accounts: Accounts
    roster: Roster | None
    matches: Matches
    now: datetime
    access: tuple[Access, ...] = ()
    moves: tuple[Move, ...] = ()
    unreadable: Mapping[str, frozenset[str]] = field(default_factory=dict)  # source -> optional areas not read
    rosters_of: datetime | None = None  # how old the oldest roster is by its own account

    @cached_property
    def owners(self) -> Ints:
        """Every account's owner as a row of the roster, or -1."""
        return self.matches.owner.astype(np.int64)

    @cached_property
    def people(self) -> Columns:
        """The roster's columns, or their empty likeness when no roster was read."""
        return self.roster if self.roster is not None else _Nobody()

    @cached_property
    def known_people(self) -> Flags:
        """People about whom something may be concluded tonight."""
        return np.zeros(0, bool) if self.roster is None else ~self.roster.withheld

    @cached_property
    def snapshot(self) -> Mapping[str, Snapshot]:
        return {snapshot.source: snapshot for snapshot in self.accounts.snapshots}

    @cached_property
    def deleted(self) -> Flags:
        return np.asarray(pc.fill_null(pc.equal(self.accounts.column("state_reason"), "deleted"), False))

    @cached_property
    def enabled(self) -> Flags:
        """Accounts known to be enabled."""
        return np.asarray(pc.fill_null(self.accounts.column("enabled"), False))

    @cached_property
    def personal(self) -> Flags:
        """Accounts a person signs in with, neither deleted nor exempt."""
        kinds = np.asarray(pc.is_in(self.accounts.column("kind"), pa.array(PERSONAL_KINDS)))
        return kinds & ~self.deleted & ~self.matches.has("exempt")

    def of_accounts(self, name: str, rows: Ints, computed: Mapping[str, Any] | None = None, sides: Sequence[Side] = ()) -> View:
        """A table whose rows are accounts and their owners."""
        own, people = Side(AccountColumns(self), rows), self.owners[rows]
        return View(
            name,
            len(rows),
            (*sides, own, *self.sides_of_people(people)),
            {"_now": self.now, **(computed or {})},
            ("source", "account_id"),
        )

    def sides_of_people(self, rows: Ints) -> tuple[Side, ...]:
        return Side(self.people, rows), Side(self.people, rows, "person_")

    def source_words(self, numbers: Ints) -> pa.Array:
        """Sources by their numbers, as codes."""
        return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int8)), pa.array(self.accounts.sources, pa.string()))

    # --- memberships as sorted integers ---------------------------------------------------------------------

    def codes(self, source: str, rows: Ints) -> Ints:
        """The codes of those of these accounts that are of a source, in the rows' order."""
        number = self.accounts.sources.index(source)
        local = rows[self.accounts.source_of[rows] == number] - self.accounts.starts[number]
        codes: Ints = self.snapshot[source].column("accounts", "code").to_numpy()[local].astype(np.int64)
        return codes

    def edges_of(self, source: str, codes: Ints) -> Ints:
        """The memberships of some accounts of one source: slices of the sorted edges, joined."""
        edges, codes = self.snapshot[source].edges, distinct(codes)
        low, high = np.searchsorted(edges, codes << ACCOUNT_SHIFT), np.searchsorted(edges, (codes + 1) << ACCOUNT_SHIFT)
        counts = high - low
        begins = np.repeat(low - (np.cumsum(counts) - counts), counts)
        return edges[np.arange(len(begins)) + begins]

    def holds(self, source: str, accounts: Ints, entitlement: int, via: str | None = None) -> Flags:
        """Which of these accounts (codes) hold an entitlement, in that way or in any."""
        edges = self.snapshot[source].edges
        wanted = edge_keys(accounts, np.full(len(accounts), entitlement), 0 if via is None else tables.VIA.index(via))
        if not len(edges):
            return np.zeros(len(wanted), bool)
        found = edges[np.minimum(np.searchsorted(edges, wanted), len(edges) - 1)]
        return (found >> VIA_BITS) == (wanted >> VIA_BITS) if via is None else found == wanted

    def entitlement_codes(self, source: str, name: str) -> list[int]:
        """Codes of the entitlements of a source with that id, or else called so in any case; none when it was not read."""
        held = self.snapshot[source].entitlements if source in self.snapshot else None
        if held is None:
            return []
        by_id = held.filter(pc.equal(held["entitlement_id"], name))
        found = by_id if len(by_id) else held.filter(pc.equal(pc.utf8_lower(held["name"]), name.lower()))
        return list(found["code"].to_pylist())


class _Nobody:
    """The columns of a roster that was not read: every row is null."""

    names = NAMES

    def column(self, name: str) -> pa.ChunkedArray:
        flags = dict.fromkeys(("has_left", "current", "left_undated"), pa.bool_())
        times = dict.fromkeys(("access_ends", "starts", "contract_ends"), tables.INSTANT)
        texts = dict.fromkeys(("name", "hr_status"), pa.string())
        types = {**{c.name: c.held for c in tables.PEOPLE.columns}, **texts, **flags, **times}
        return pa.chunked_array([], types[name])


@dataclass(frozen=True)
class AccountColumns:
    """Accounts' columns, and those that correlation adds."""

    estate: Estate

    names = (*tables.ACCOUNTS.names, "source", "account_name", "ownership", "matched_by", "last_activity_at")

    def column(self, name: str) -> pa.ChunkedArray:
        matches, accounts = self.estate.matches, self.estate.accounts
        if name == "ownership":
            return pa.chunked_array([matches.outcomes])
        if name == "matched_by":
            return pa.chunked_array([matches.matched_by])
        if name == "mastered_by":
            return self._mastered_by
        if name == "last_activity_at":  # the last sign-in, or the creation where the source says there never was one
            never = pc.fill_null(accounts.column("never_logged_in"), False)
            return pc.coalesce(accounts.column("last_login_at"), pc.if_else(never, accounts.column("created_at"), None))
        return accounts.column({"account_name": "display_name"}.get(name, name))

    @cached_property
    def _mastered_by(self) -> pa.ChunkedArray:
        """The source that masters a synced account: where its master was found, else as the source calls it."""
        matches, accounts = self.estate.matches, self.estate.accounts
        synced = accounts.column("mastered_by")
        if synced.null_count == len(synced):
            return synced
        masters = accounts.column("source").take(pa.array(matches.master, mask=matches.master < 0))
        return pc.if_else(synced.is_valid(), pc.coalesce(tables.plain(masters), tables.plain(synced)), None)
