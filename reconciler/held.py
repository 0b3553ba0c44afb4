"""What somebody held on the last night and not tonight, asked for one by one: a list of members can be short and end in success."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from reconciler.edges import edge_accounts, edge_entitlements, edge_via, lost
from reconciler.missing import groups
from reconciler.snapshots import Snapshot
from reconciler.vocabulary import Codes

MOST = 100  # of what was held that is asked for in one night; of more, evenly spread ones

Pair = tuple[str, str]  # (account id, entitlement id)
Ask = Callable[[Sequence[Pair]], Mapping[Pair, bool]]  # whether it is held directly; left out where nobody can tell


@dataclass(frozen=True)
class Kept:
    """What asking has shown of direct memberships that the listings lack, of accounts and groups that are both there."""

    lost: int = 0
    found: Mapping[Pair, bool] = field(default_factory=dict)

    def still_held(self) -> list[Pair]:
        return sorted(pair for pair, held in self.found.items() if held)

    def told(self) -> str:
        """In a sentence."""
        if not self.lost:
            return "nothing that was held directly is missing"
        held = len(self.still_held())
        unsaid = self.lost - len(self.found)
        parts = [f"{held} held all the same"] * (held > 0) + [f"{len(self.found) - held} gone when asked for"] * (
            held < len(self.found)
        )
        return f"{self.lost} missing: " + ", ".join(parts + [f"{unsaid} not to be proven"] * (unsaid > 0))


def kept(new: Snapshot, last: Snapshot, ask: Ask | None) -> Kept:
    """Asks for what tonight's listings lack. Raises SourceError as the source does."""
    if "grants" not in last.manifest["tables"] or "grants" not in new.manifest["tables"]:
        return Kept()
    gone = _gone(new, last)
    if not len(gone) or ask is None:
        return Kept(len(gone))
    some = gone if len(gone) <= MOST else gone[np.arange(MOST) * len(gone) // MOST]
    pairs = _pairs(last, some)
    asked = set(pairs)
    return Kept(len(gone), {pair: held for pair, held in ask(pairs).items() if pair in asked})


def _gone(new: Snapshot, last: Snapshot) -> Codes:
    """What was held directly on the last night and is not tonight, in any way, by accounts that are there.

    A group that is gone takes its members with it; an application or a licence is known by its holders alone.
    """
    before = lost(last.edges, new.edges)
    there = np.isin(edge_accounts(before), new.column("accounts", "code").to_numpy())
    away = np.setdiff1d(groups(last), new.column("entitlements", "code").to_numpy())
    gone: Codes = before[(edge_via(before) == 0) & there & ~np.isin(edge_entitlements(before), away)]
    return gone


def _pairs(snapshot: Snapshot, edges: Codes) -> list[Pair]:
    accounts = _ids(snapshot, "accounts", "account_id", edge_accounts(edges))
    return list(zip(accounts, _ids(snapshot, "entitlements", "entitlement_id", edge_entitlements(edges)), strict=True))


def _ids(snapshot: Snapshot, table: str, column: str, codes: Codes) -> list[str]:
    rows = np.searchsorted(snapshot.column(table, "code").to_numpy(), codes)
    return [str(here) for here in snapshot.column(table, column).take(pa.array(rows)).to_pylist()]
