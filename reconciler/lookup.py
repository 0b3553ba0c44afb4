"""One account, person or entitlement of a stored night as a row: what a remedy and a guard ask about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from reconciler import tables
from reconciler.edges import edge_accounts, edge_entitlements, edge_via
from reconciler.estate import Estate

Row = Mapping[str, Any]

_PEOPLE = (*tables.PEOPLE.names, "name", "access_ends")


@dataclass
class Lookup:
    """Rows by immutable ids, read from the estate when first asked for."""

    estate: Estate
    _accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    _held: dict[str, dict[str, Row]] = field(default_factory=dict)
    _holders: dict[tuple[str, str, tuple[str, ...]], frozenset[int]] = field(default_factory=dict)

    # --- accounts -----------------------------------------------------------------------------------------------

    def number(self, source: str, account_id: str | None) -> int | None:
        """The row number of an account, or None."""
        if source not in self.estate.snapshot or account_id is None:
            return None
        if source not in self._accounts:
            start = int(self.estate.accounts.starts[self.estate.accounts.sources.index(source)])
            ids = self.estate.snapshot[source].column("accounts", "account_id").to_pylist()
            self._accounts[source] = {text: start + row for row, text in enumerate(ids)}
        return self._accounts[source].get(account_id)

    def account(self, source: str, account_id: str | None) -> Row | None:
        """An account by its immutable id."""
        number = self.number(source, account_id)
        return None if number is None else {**self.account_at(number), "by_hand": self._by_hand(source).get(str(account_id))}

    def _by_hand(self, source: str) -> Mapping[str, str]:
        """What the reader has noticed of accounts that only a person may change."""
        noticed = self.estate.snapshot[source].manifest.get("noticed", ())
        return {account: one["told"] for one in noticed for account in one["by_hand"]}

    def account_at(self, number: int) -> Row:
        """An account by its number."""
        accounts = self.estate.accounts
        return {name: accounts.column(name)[number].as_py() for name in (*tables.ACCOUNTS.names, "source")}

    def master(self, source: str, account_id: str) -> Row | None:
        """The account that masters this one in another system, where it was found."""
        number = self.number(source, account_id)
        master = -1 if number is None else int(self.estate.matches.master[number])
        return None if master < 0 else self.account_at(master)

    def owner(self, source: str, account_id: str | None) -> str | None:
        """The id of the person whose account it is."""
        number = self.number(source, account_id)
        owner = -1 if number is None else int(self.estate.owners[number])
        return None if owner < 0 or self.estate.roster is None else str(self.estate.roster.person_ids[owner].as_py())

    def account_of(self, person_id: str | None, source: str) -> Row | None:
        """A person's account on a source: a live one of their own if there is one, else any."""
        here = [n for n in self._of_person(person_id) if self.estate.accounts.column("source")[n].as_py() == source]
        live = [n for n in here if self.estate.enabled[n] and self.estate.accounts.column("kind")[n].as_py() == "person"]
        return self.account_at((live or here)[0]) if here else None

    def accounts_of(self, person_id: str) -> list[Row]:
        return [self.account_at(number) for number in self._of_person(person_id)]

    def deleted_of(self, person_id: str | None, source: str) -> Row | None:
        """An account of a person that was deleted and can still be restored."""
        found = (n for n in self._all_of_person(person_id) if self.estate.deleted[n])
        return next((row for row in map(self.account_at, found) if row["source"] == source), None)

    def _of_person(self, person_id: str | None) -> list[int]:
        return [n for n in self._all_of_person(person_id) if self.estate.personal[n]]

    def _all_of_person(self, person_id: str | None) -> list[int]:
        row = self._people.get(person_id) if person_id is not None else None
        if row is None:
            return []
        low, high = np.searchsorted(self._owners_sorted, [row, row + 1])
        return sorted(int(n) for n in self._by_owner[low:high])

    @cached_property
    def _by_owner(self) -> Any:
        return np.argsort(self.estate.owners, kind="stable")

    @cached_property
    def _owners_sorted(self) -> Any:
        return self.estate.owners[self._by_owner]

    # --- people -------------------------------------------------------------------------------------------------

    @cached_property
    def _people(self) -> dict[str, int]:
        roster = self.estate.roster
        return {} if roster is None else {text: row for row, text in enumerate(roster.person_ids.to_pylist())}

    def person(self, person_id: str | None) -> Row | None:
        """A person as the roster tells them."""
        row = self._people.get(person_id) if person_id is not None else None
        return None if row is None else {name: self.estate.people.column(name)[row].as_py() for name in _PEOPLE}

    # --- entitlements -------------------------------------------------------------------------------------------

    def entitlements(self, source: str) -> dict[str, Row]:
        """Every entitlement of a source, by its immutable id."""
        if source not in self._held:
            rows = self.estate.snapshot[source].entitlements.to_pylist() if source in self.estate.snapshot else []
            self._held[source] = {row["entitlement_id"]: row for row in rows}
        return self._held[source]

    def entitlement(self, source: str, entitlement_id: str | None) -> Row | None:
        return self.entitlements(source).get(entitlement_id) if entitlement_id is not None else None

    def holdings(self, source: str, account_id: str | None) -> Iterator[tuple[Row, str]]:
        """(entitlement, via) for everything an account holds."""
        number = self.number(source, account_id)
        if number is None:
            return
        by_code = self._by_code(source)
        edges = self.estate.edges_of(source, self.estate.codes(source, np.array([number])))
        for code, via in zip(edge_entitlements(edges).tolist(), edge_via(edges).tolist(), strict=True):
            yield by_code[code], tables.VIA[via]

    def via(self, source: str, account_id: str | None, entitlement_id: str | None) -> tuple[str, ...]:
        """The ways in which an account holds an entitlement."""
        return tuple(via for held, via in self.holdings(source, account_id) if held["entitlement_id"] == entitlement_id)

    def live_holders(self, source: str, entitlement_id: str) -> set[str]:
        """The enabled accounts that hold an entitlement in any way but as eligible."""
        snapshot, held = self.estate.snapshot[source], self.entitlement(source, entitlement_id)
        if held is None:
            return set()
        edges = snapshot.edges[
            (edge_entitlements(snapshot.edges) == held["code"]) & (edge_via(snapshot.edges) != tables.VIA.index("eligible"))
        ]
        rows = snapshot.rows_of_accounts[np.unique(edge_accounts(edges))]
        ids, enabled = snapshot.column("accounts", "account_id"), snapshot.column("accounts", "enabled")
        return {ids[int(row)].as_py() for row in rows if row >= 0 and enabled[int(row)].as_py()}

    def holders(self, source: str, entitlement_id: str, via: tuple[str, ...]) -> frozenset[int]:
        """The codes of the accounts that hold an entitlement in one of these ways."""
        key = source, entitlement_id, via
        if key not in self._holders:
            held, edges = self.entitlement(source, entitlement_id), self.estate.snapshot[source].edges
            ways = [tables.VIA.index(word) for word in via]
            wanted = (edge_entitlements(edges) == (held["code"] if held else -1)) & np.isin(edge_via(edges), ways)
            self._holders[key] = frozenset(edge_accounts(edges[wanted]).tolist())
        return self._holders[key]

    def _by_code(self, source: str) -> dict[int, Row]:
        return {row["code"]: row for row in self.entitlements(source).values()}
