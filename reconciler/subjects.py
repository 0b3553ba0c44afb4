"""The tables that policies about accounts and people are put to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.edges import edge_accounts, edge_entitlements, edge_via
from reconciler.estate import Estate
from reconciler.snapshots import Snapshot, empty_table
from reconciler.view import Side, View

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def accounts(estate: Estate) -> View:
    """Every account that is not exempt and not deleted."""
    return estate.of_accounts("accounts", np.flatnonzero(~estate.deleted & ~estate.matches.has("exempt")))


def owned_accounts(estate: Estate) -> View:
    """Accounts a person signs in with that are somebody's, or whose owner cannot be known tonight (owner columns null)."""
    rows = np.flatnonzero(estate.personal & ~estate.matches.has("nobody"))
    return estate.of_accounts("owned_accounts", rows, {"manager_person_id": lambda view: _managers(estate, rows)})


def _managers(estate: Estate, rows: Ints) -> pa.ChunkedArray:
    """Who manages each owner according to the source: the person who owns the manager's account."""
    managers, sources = (
        tables.whole(estate.accounts.column("manager_account_id")).take(pa.array(rows)),
        estate.accounts.source_of[rows],
    )
    told, people = managers.is_valid().to_numpy(zero_copy_only=False), np.full(len(rows), -1, np.int64)
    for number, snapshot in enumerate(estate.accounts.snapshots):
        here = np.flatnonzero((sources == number) & told)
        if len(here):
            ids = tables.whole(snapshot.column("accounts", "account_id"))
            at = np.asarray(pc.fill_null(pc.index_in(managers.dictionary, ids), -1), np.int64)[
                np.asarray(managers.indices.take(pa.array(here)))
            ]
            people[here] = np.where(at < 0, -1, estate.owners[at + estate.accounts.starts[number]])
    return estate.people.column("person_id").take(pa.array(people, mask=people < 0))


def people(estate: Estate) -> View:
    """Everybody of whom something may be said, with the sources on which they are off and those on which they are live."""
    rows, words = np.flatnonzero(estate.known_people), estate.accounts.sources
    off, live = _states(estate)
    computed = {
        "_now": estate.now,
        "source": _first(off[rows], words),
        "off_on": _listed(off[rows], words),
        "live_on": _listed(live[rows], words),
    }
    return View("people", len(rows), estate.sides_of_people(rows), computed, ("person_id",))


def _states(estate: Estate) -> tuple[Flags, Flags]:
    """(off, live), each people x sources: all the person has there is disabled; something there is enabled."""
    enabled = estate.accounts.column("enabled")
    owned = np.asarray(pc.equal(estate.accounts.column("kind"), "person")) & estate.personal & (estate.owners >= 0)

    def mark(flags: pa.ChunkedArray) -> Flags:
        marked = np.zeros((len(estate.known_people), len(estate.accounts.sources)), bool)
        rows = np.flatnonzero(np.asarray(flags) & owned)
        marked[estate.owners[rows], estate.accounts.source_of[rows]] = True
        return marked

    live, unsure = mark(pc.fill_null(enabled, False)), mark(enabled.is_null())
    return mark(pc.fill_null(pc.invert(enabled), False)) & ~live & ~unsure, live


def _first(flags: Flags, words: Sequence[str]) -> pa.Array:
    """For each person the first flagged source; null where none is."""
    if not flags.size:
        return pa.nulls(len(flags), pa.string())
    return pa.array(words).take(pa.array(flags.argmax(axis=1), mask=~flags.any(axis=1)))


def _listed(flags: Flags, words: Sequence[str]) -> pa.Array:
    """For each person the flagged sources, "ad, google"; null where none is."""
    numbers = (flags.astype(np.int64) << np.arange(flags.shape[1])).sum(axis=1)
    back, kinds = pd.factorize(numbers)
    texts = [", ".join(word for bit, word in enumerate(words) if int(kind) >> bit & 1) or None for kind in kinds]
    return pa.array(texts, pa.string()).take(pa.array(back))


def people_by_source(estate: Estate) -> View:
    """A person on a source: how many enabled person accounts they have there, and which."""
    owned = (
        np.asarray(pc.equal(estate.accounts.column("kind"), "person")) & estate.personal & estate.enabled & (estate.owners >= 0)
    )
    rows, sources = np.flatnonzero(owned), len(estate.accounts.sources)
    keys = estate.owners[rows] * sources + estate.accounts.source_of[rows]
    numbers = np.bincount(keys)
    pairs = np.flatnonzero(numbers)
    computed = {
        "_now": estate.now,
        "source": estate.source_words(pairs % max(1, sources)),
        "live_accounts": numbers[pairs],
        "logins": _logins(estate, rows[numbers[keys] > 1], keys[numbers[keys] > 1], pairs),
    }
    return View(
        "people_by_source", len(pairs), estate.sides_of_people(pairs // max(1, sources)), computed, ("person_id", "source")
    )


def _logins(estate: Estate, doubled: Ints, keys: Ints, pairs: Ints) -> pa.Array:
    """The logins of those with several accounts on a source, "jdoe, jdoe2"; null for everybody else."""
    texts: dict[int, list[str]] = {}
    logins = estate.accounts.column("login").take(pa.array(doubled)).to_pylist()
    for key, login in zip(keys.tolist(), logins, strict=True):
        texts.setdefault(key, []).append(login or "?")
    at = np.full(len(pairs), -1, np.int64)
    at[np.searchsorted(pairs, np.array(list(texts), np.int64))] = np.arange(len(texts))
    words = pa.array([", ".join(sorted(listed)) for listed in texts.values()], pa.string())
    return words.take(pa.array(at, mask=at < 0))


def leaver_holdings(estate: Estate) -> View:
    """What the accounts of people who have left still hold, in every way it is held."""
    gone = np.zeros(len(estate.accounts), bool)
    if estate.roster is not None:
        owned = np.flatnonzero((estate.owners >= 0) & estate.personal)
        gone[owned] = estate.roster.left[estate.owners[owned]]
    rows = np.flatnonzero(gone)
    return holdings(estate, "leaver_holdings", [(s, estate.edges_of(s, estate.codes(s, rows))) for s in estate.accounts.sources])


def holdings(estate: Estate, name: str, parts: Sequence[tuple[str, Ints]], computed: Mapping[str, Any] | None = None) -> View:
    """A table of memberships given as (source, edge keys): an account, its owner and an entitlement in each row."""
    rows, held, via, tables_held, start = [_NONE], [_NONE], [_NONE], [empty_table("entitlements")], 0
    for source, edges in parts:
        snapshot = estate.snapshot[source]
        rows.append(
            snapshot.rows_of_accounts[edge_accounts(edges)] + estate.accounts.starts[estate.accounts.sources.index(source)]
        )
        held.append(_row_of_code(snapshot)[edge_entitlements(edges)] + start)
        via.append(edge_via(edges))
        tables_held.append(snapshot.entitlements)
        start += snapshot.entitlements.num_rows
    entitlements = Side(_Entitlements(pa.concat_tables(tables_held)), np.concatenate(held), "entitlement_")
    words = pa.DictionaryArray.from_arrays(pa.array(np.concatenate(via).astype(np.int8)), pa.array(tables.VIA))
    view = estate.of_accounts(name, np.concatenate(rows), {"via": words, "area": _area, **(computed or {})}, (entitlements,))
    view.subject = ("source", "account_id", "entitlement_id")
    return view


_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class _Entitlements:
    """Entitlements of several sources, one after the other; `id` is their immutable id."""

    table: pa.Table

    names = (*tables.ENTITLEMENTS.names, "id")

    def column(self, name: str) -> pa.ChunkedArray:
        return self.table["entitlement_id" if name == "id" else name]


def _row_of_code(snapshot: Snapshot) -> Ints:
    codes = snapshot.entitlements["code"].to_numpy()
    rows = np.zeros(int(codes.max()) + 1 if len(codes) else 0, np.int64)
    rows[codes] = np.arange(len(codes))
    return rows


def _area(view: View) -> pa.Array:
    """The area that each row's entitlement was read from."""
    kinds, areas = pa.array(list(tables.AREA_OF_KIND)), pa.array(list(tables.AREA_OF_KIND.values()))
    return areas.take(pc.index_in(view.column("entitlement_kind").combine_chunks(), kinds))


def defects(estate: Estate) -> View:
    """Rows of a roster that HR must mend: one per employee id, or per line where there is no id."""
    chosen: dict[str, Mapping[str, Any]] = {}
    for defect in () if estate.roster is None else estate.roster.defects:
        if not defect["rejected"]:  # a line that is nobody's is counted, and is no question about a person
            chosen.setdefault(str(defect["employee_id"] or f"line {defect['line']}"), defect)
    texts = {
        n: pa.array([d[n] for d in chosen.values()], pa.string())
        for n in ("source", "column", "found", "allowed", "problem", "name")
    }
    ids = pa.array(list(chosen), pa.string())
    computed = {
        **texts,
        "_now": estate.now,
        "line": pa.array([d["line"] for d in chosen.values()], pa.int64()),
        "person_id": ids,
        "person_name": texts["name"],
        "person_status": pa.nulls(len(ids), pa.string()),
    }
    return View("defects", len(ids), (), computed, ("source", "person_id"))


TABLES: Mapping[str, Callable[[Estate], View]] = {
    table.__name__: table for table in (accounts, owned_accounts, people, people_by_source, leaver_holdings, defects)
}
