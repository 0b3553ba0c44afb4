"""What the `[[access]]` rules expect people to have, held against what they do have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.edges import edge_keys
from reconciler.estate import Access, Estate, Move
from reconciler.matches import claimants
from reconciler.roster import Roster
from reconciler.subjects import holdings
from reconciler.view import Columns, View

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Expectation = tuple[str, int, Flags]  # (source, entitlement code, the people expected to hold it)


def fits(rule: Access, attributes: Columns, status: pa.ChunkedArray) -> Flags:
    """The people a rule is about, by these attributes and this status."""
    found = np.ones(len(status), bool)
    for name, words in rule.when.items():
        column = status if name == "status" else attributes.column(name)
        found &= np.asarray(pc.is_in(column, pa.array(words, pa.string())))
    return found


def expected_accounts(estate: Estate) -> View:
    """Each person and source on which a rule expects an account, prehires as the active people they will be: is there one?"""
    status = estate.people.column("status")
    status = pc.if_else(pc.equal(status, "prehire"), "active", tables.plain(status))
    may = estate.known_people if estate.roster is None else estate.known_people & ~estate.roster.left
    people, sources = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, source in enumerate(estate.accounts.sources):
        rules = [rule for rule in estate.access if source in rule.accounts]
        wanted = np.logical_or.reduce([fits(rule, estate.people, status) for rule in rules] or [np.zeros(len(may), bool)])
        people.append(np.flatnonzero(wanted & may))
        sources.append(np.full(len(people[-1]), number))
    return _with_accounts(estate, np.concatenate(people), np.concatenate(sources))


def _with_accounts(estate: Estate, people: Ints, sources: Ints) -> View:
    owned = np.flatnonzero((estate.owners >= 0) & ~estate.deleted)
    held, claimed = (np.zeros((len(estate.known_people), len(estate.accounts.sources)), bool) for _ in range(2))
    held[estate.owners[owned], estate.accounts.source_of[owned]] = True
    accounts, claiming = claimants(estate.matches)  # a disputed account may turn out to be theirs
    claimed[claiming, estate.accounts.source_of[accounts]] = True
    claimed[:, _sources_half_known(estate)] = True
    has = held[people, sources]
    unsure = ~has & claimed[people, sources]
    nothing = pa.nulls(len(people), pa.string())
    computed = {
        "_now": estate.now,
        "source": estate.source_words(sources),
        "has_account": pa.array(has, mask=unsure),
        "account_id": nothing,
        "login": nothing,
        "account_name": nothing,
    }
    return View("expected_accounts", len(people), estate.sides_of_people(people), computed, ("person_id", "source"))


def _sources_half_known(estate: Estate) -> Ints:
    """Sources with accounts whose owner is named only by a directory that was not read: they may be anybody's."""
    unnamed = estate.matches.has("withheld") & (estate.matches.by < 0)
    return np.unique(estate.accounts.source_of[unnamed]).astype(np.int64)


def expected_holdings(estate: Estate) -> View:
    """Each enabled account whose owner a rule expects to hold something there: is it held? Null where the area was not read."""
    live = np.flatnonzero(estate.personal & estate.enabled & (estate.owners >= 0))
    keys: dict[str, list[Ints]] = {source: [] for source in estate.accounts.sources}
    held: dict[str, list[Flags]] = {source: [] for source in estate.accounts.sources}
    for source, code, people in _expectations(estate):
        codes = estate.codes(source, live[people[estate.owners[live]]])
        keys[source].append(edge_keys(codes, np.full(len(codes), code), 0))
        held[source].append(estate.holds(source, codes, code))
    parts, flags = [], [np.empty(0, bool)]
    for source in estate.accounts.sources:
        edges, first = np.unique(np.concatenate([np.empty(0, np.int64), *keys[source]]), return_index=True)
        parts.append((source, edges))
        flags.append(np.concatenate([np.empty(0, bool), *held[source]])[first])
    view = holdings(estate, "expected_holdings", parts)
    view.computed = {**view.computed, "held": pa.array(np.concatenate(flags), mask=_unread(estate, view))}
    return view


def _unread(estate: Estate, view: View) -> Flags:
    """Rows whose area could not be read on their source."""
    if not any(estate.unreadable.values()):
        return np.zeros(len(view), bool)
    blind = pa.array([f"{source} {area}" for source, areas in estate.unreadable.items() for area in areas], pa.string())
    pairs = pc.binary_join_element_wise(view.column("source"), view.column("area"), " ")
    return np.asarray(pc.is_in(pairs, blind))


def _expectations(estate: Estate) -> Iterator[Expectation]:
    """What each rule expects of people who have begun and not left, as far as the sources were read."""
    if estate.roster is None:
        return
    may = estate.known_people & estate.roster.begun & ~estate.roster.left
    yield from _by_rules(estate, estate.roster, estate.roster.column("status"), may)


def _by_rules(estate: Estate, attributes: Columns, status: pa.ChunkedArray, may: Flags) -> Iterator[Expectation]:
    for rule in estate.access:
        meant = fits(rule, attributes, status) & may
        for source, name in rule.entitlements:
            for code in estate.entitlement_codes(source, name):
                yield source, code, meant


def former_holdings(estate: Estate) -> View:
    """What a mover's old position gave and the new one does not, where it is still held directly."""
    found: dict[str, dict[int, Move]] = {source: {} for source in estate.accounts.sources}
    for (person, source, code), move in _stale(estate).items():
        codes = estate.codes(source, np.flatnonzero((estate.owners == person) & estate.personal))
        codes = codes[estate.holds(source, codes, code, "direct")]
        found[source] |= {int(key): move for key in edge_keys(codes, np.full(len(codes), code), 0)}
    moves = [moves[key] for moves in found.values() for key in sorted(moves)]
    computed = {
        "moved_at": pa.array([move.until for move in moves], tables.INSTANT),
        "moved_from": pa.array([move.attributes.get("department") for move in moves], pa.string()),
    }
    return holdings(
        estate, "former_holdings", [(source, np.array(sorted(keys), np.int64)) for source, keys in found.items()], computed
    )


def _stale(estate: Estate) -> dict[tuple[int, str, int], Move]:
    """(person, source, entitlement code) that an old position gave and tonight's does not, with the last move that dropped it."""
    movers = _movers(estate)
    if estate.roster is None or not movers:
        return {}
    status = estate.roster.column("status").take(pa.array([row for row, _ in movers]))
    expected_now: dict[tuple[str, int], Flags] = {}
    for source, code, fits in _expectations(estate):
        expected_now[source, code] = expected_now.get((source, code), np.False_) | fits
    stale: dict[tuple[int, str, int], Move] = {}
    for source, code, fits in _by_rules(estate, _Former(movers), status, np.ones(len(movers), bool)):
        for row, move in (movers[int(number)] for number in np.flatnonzero(fits)):
            key = (row, source, code)
            if not expected_now[source, code][row] and (key not in stale or stale[key].until < move.until):
                stale[key] = move
    return stale


def _movers(estate: Estate) -> list[tuple[int, Move]]:
    """People who have left a position and not the company, as (row of the roster, move)."""
    roster: Roster | None = estate.roster
    if roster is None:
        return []
    rows = pc.index_in(pa.array([move.person_id for move in estate.moves], pa.string()), roster.person_ids).to_pylist()
    may = estate.known_people & roster.begun & ~roster.left
    return [(row, move) for row, move in zip(rows, estate.moves, strict=True) if row is not None and may[row]]


@dataclass(frozen=True)
class _Former:
    """The attributes of the positions that movers have left."""

    movers: Sequence[tuple[int, Move]]

    names = tables.PEOPLE.names

    def column(self, name: str) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array([move.attributes.get(name) for _, move in self.movers], pa.string())])


TABLES: Mapping[str, Callable[[Estate], View]] = {
    table.__name__: table for table in (expected_accounts, expected_holdings, former_holdings)
}
