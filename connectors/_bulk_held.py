"""Who holds what, by numbers: entitlements in the order in which they were named, grants as rows of accounts, groups in groups."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from connectors._bulk_rows import Numbers, Rows
from reconciler.connector import Page
from reconciler.tables import VIA

_AT_ONCE = 1 << 16  # grants to a page
_NOBODY = np.empty(0, np.int32)


class Entitlement(NamedTuple):
    """One entitlement, in the columns of the contract."""

    entitlement_id: str
    name: str | None
    kind: str
    privileged: bool | None = None
    owner_account_id: str | None = None
    writable: bool | None = None


@dataclass
class Held:
    """Entitlements by id, and who holds them; what is named again is as it was named first."""

    entitlements: dict[str, Entitlement] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _holders: array[int] = field(default_factory=lambda: array("i"))
    _held: array[int] = field(default_factory=lambda: array("i"))
    _ways: array[int] = field(default_factory=lambda: array("b"))

    def offer(self, one: Entitlement) -> str:
        self._numbers.setdefault(one.entitlement_id, len(self._numbers))
        return self.entitlements.setdefault(one.entitlement_id, one).entitlement_id

    def grant(self, holders: Numbers | Rows, entitlement: str, via: str) -> None:
        """Holders by their rows; numbers below nought are of nobody here."""
        rows = holders[holders >= 0]
        self._holders.frombytes(rows.astype(np.int32).tobytes())
        self._held.frombytes(np.full(len(rows), self._numbers[entitlement], np.int32).tobytes())
        self._ways.frombytes(np.full(len(rows), VIA.index(via), np.int8).tobytes())

    def pages(self, accounts: pa.Array, scope: str) -> Iterator[Page]:
        """Both tables; `accounts` are the ids by row."""
        told = {name: [getattr(one, name) for one in self.entitlements.values()] for name in Entitlement._fields}
        yield Page("entitlements", told, scope)
        ids, words = pa.array(self.entitlements, pa.string()), pa.array(VIA)
        holders, held, ways = (
            np.frombuffer(self._holders, np.int32),
            np.frombuffer(self._held, np.int32),
            np.frombuffer(self._ways, np.int8),
        )
        for begin in range(0, max(1, len(holders)), _AT_ONCE):
            here = slice(begin, begin + _AT_ONCE)
            columns = {
                "account_id": accounts.take(pa.array(holders[here])),
                "entitlement_id": ids.take(pa.array(held[here])).dictionary_encode(),
                "via": pa.DictionaryArray.from_arrays(pa.array(ways[here].astype(np.int32)), words),
            }
            yield Page("grants", columns, "memberships")


@dataclass
class Members:
    """Who is directly in which group: accounts by their rows, groups by their ids. Only groups that were read are here."""

    people: dict[str, Rows] = field(default_factory=dict)
    inside: dict[str, list[str]] = field(default_factory=dict)

    def put(self, group: str, people: Numbers, inside: Iterable[str]) -> None:
        self.inside[group] = list(inside)
        self.people[group] = np.unique(people).astype(np.int32)

    def below(self, group: str) -> set[str]:
        """Every group inside a group, at any depth; a circle ends where it began."""
        found: set[str] = set()
        waiting = self._groups_in(group)
        while waiting:
            here = waiting.pop()
            if here not in found and here != group:
                found.add(here)
                waiting += self._groups_in(here)
        return found

    def with_below(self, group: str) -> set[str]:
        """A group and every group inside it; none when it is no group that was read."""
        return {group, *self.below(group)} if group in self.people else set()

    def of(self, groups: Iterable[str]) -> Rows:
        """The people directly in any of these groups, each once."""
        return np.unique(np.concatenate([_NOBODY, *(self.people[group] for group in groups)]))

    def _groups_in(self, group: str) -> list[str]:
        return [here for here in self.inside.get(group, ()) if here in self.people]
