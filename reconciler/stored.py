"""A stored night as tables again: what explanations, plans and decisions about people are made from, offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.accounts import Accounts
from reconciler.config import Config
from reconciler.errors import UsageError
from reconciler.estate import Estate
from reconciler.matches import Matches, describe
from reconciler.model import AccountRef, RunRecord, SourceReport
from reconciler.nights import load
from reconciler.pull import Pulled, Source, reuse
from reconciler.roster import normal
from reconciler.run import archive_of, tonight
from reconciler.store import Store


@dataclass(frozen=True)
class Standing:
    """What is known now: the last run, and everything that was last read whole."""

    record: RunRecord
    estate: Estate
    snapshots: Mapping[str, str]  # source -> SHA-256


def answers_of(config: Config, store: Store) -> dict[str, Pulled]:
    """What the last run was made from; a source that it had not read is missing here too."""
    archive, found = archive_of(config), store.night_of()
    shas = load(archive, found[1]).snapshots if found else {}
    told = {report.name: report for report in found[0].sources} if found else {}
    pulled: dict[str, Pulled] = {}
    for name, connector in config.connectors.items():
        if name in shas:
            pulled[name] = reuse(Source(name, connector.kind, connector.settings, archive.open(shas[name])))
        else:
            report = told.get(name) or SourceReport(name, connector.kind, "failed", reasons=("the run did not know this source",))
            pulled[name] = Pulled(report, None)
    return pulled


def standing(config: Config, store: Store, now: datetime) -> Standing:
    """Every source's last accepted reading, which is the last night's where that was complete; raises UsageError before any run."""
    found = store.night_of()
    if found is None:
        raise UsageError("there is no run yet; `reconciler run` makes one")
    archive = archive_of(config)
    shas = {name: sha for name, sha in store.accepted().items() if name in config.connectors}
    pulled = {
        name: reuse(Source(name, c.kind, c.settings, archive.open(shas[name]) if name in shas else None))
        for name, c in config.connectors.items()
    }
    return Standing(found[0], tonight(config, store, pulled, [], now), shas)


def named(estate: Estate, who: str) -> tuple[list[int], np.ndarray[Any, Any]]:
    """(rows of the roster, rows of accounts) that are called so, and the accounts of those people."""
    wanted = normal(pa.chunked_array([pa.array([who])])).combine_chunks()
    hits = np.zeros(len(estate.accounts), bool)
    for column in ("login", "upn", "email", "account_id"):
        hits |= np.asarray(pc.fill_null(pc.is_in(normal(estate.accounts.column(column)), wanted), False), bool)
    people: set[int] = set()
    if estate.roster is not None:
        for column in ("person_id", "employee_id", "work_email"):
            found = np.asarray(pc.is_in(normal(estate.roster.employments(column)), wanted), bool)
            people |= set(estate.roster.person_of[found].tolist())
    people |= set(estate.owners[hits & (estate.owners >= 0)].tolist())
    hits |= np.isin(estate.owners, sorted(people)) & (estate.owners >= 0)
    return sorted(people), np.flatnonzero(hits)


def person_called(config: Config, store: Store, who: str) -> tuple[str, str | None]:
    """The id and name of the one person who is called so; raises UsageError for nobody and for several."""
    found = store.night_of()
    if found is None:
        raise UsageError("there is no run yet, so nobody is known; `reconciler run` makes one")
    estate = tonight(config, store, answers_of(config, store), [], found[0].as_of)
    people = named(estate, who)[0]
    roster = estate.roster
    if roster is None or len(people) != 1:
        ids = [] if roster is None else [str(roster.person_ids[row].as_py()) for row in people]
        several = (
            f"{len(ids)} people are called so: {', '.join(ids)}; give an id" if ids else "give a person's id, e-mail or login"
        )
        raise UsageError(f"the last run knows {'several' if ids else 'nobody'} called {who!r}; {several}")
    return str(roster.person_ids[people[0]].as_py()), roster.column("name")[people[0]].as_py()


def account_called(config: Config, store: Store, who: str) -> AccountRef:
    """The one account that is called so, as `source:login` where several are; raises UsageError for none and for several."""
    found = store.night_of()
    if found is None:
        raise UsageError("there is no run yet, so no account is known; `reconciler run` makes one")
    accounts = tonight(config, store, answers_of(config, store), [], found[0].as_of).accounts
    source, _, rest = who.partition(":")
    here, name = (source, rest) if source in accounts.sources and rest else (None, who)
    rows = _rows_called(accounts, name)
    refs = [AccountRef(*(accounts.column(c)[int(row)].as_py() for c in _REF)) for row in rows]
    refs = [ref for ref in refs if here in (None, ref.source)]
    if len(refs) != 1:
        several = ", ".join(f"{ref.source}:{ref.id}" for ref in refs)
        raise UsageError(
            f"several accounts are called so: {several}" if refs else f"the last run knows no account called {who!r}"
        )
    return refs[0]


_REF = ("source", "account_id", "login", "display_name")


def _rows_called(accounts: Accounts, name: str) -> list[int]:
    wanted = normal(pa.chunked_array([pa.array([name])])).combine_chunks()
    hits = np.zeros(len(accounts), bool)
    for column in ("login", "upn", "email", "account_id"):
        hits |= np.asarray(pc.fill_null(pc.is_in(normal(accounts.column(column)), wanted), False), bool)
    return [int(row) for row in np.flatnonzero(hits)]


def matched(config: Config, store: Store) -> Iterator[dict[str, Any]]:
    """Whose each account of the last run is."""
    matches = _matches(config, config, store)
    return (match.to_json() for match in describe(matches, range(len(matches.outcome))))


def rematched(config: Config, store: Store, other: Config) -> Iterator[dict[str, Any]]:
    """The accounts that another configuration would give to somebody else, and whose they were."""
    before, after = _matches(config, config, store), _matches(config, other, store)
    rows = np.flatnonzero((before.outcome != after.outcome) | (before.owner != after.owner)).tolist()
    for was, will in zip(describe(before, rows), describe(after, rows), strict=True):
        told = was.to_json()
        yield {**will.to_json(), "was": {"outcome": told["outcome"], "person": told["person"], "by": told["by"]}}


def _matches(config: Config, rules: Config, store: Store) -> Matches:
    """The last run's accounts under the matching and exempting rules of a configuration."""
    found = store.night_of()
    if found is None:
        raise UsageError("there is no run yet; `reconciler run` makes one")
    ruled = replace(config, matching=rules.matching, exempt=rules.exempt)
    return tonight(ruled, store, answers_of(config, store), [], found[0].as_of).matches
