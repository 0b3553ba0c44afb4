"""Plans from what is stored: who may make one, what it stands on, and where it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from reconciler.approvals import register
from reconciler.config import Config
from reconciler.disk import write_private
from reconciler.errors import Incomplete, SafetyStop, UsageError
from reconciler.filters import Filter
from reconciler.guards import Guards, guards_of, nobody
from reconciler.heads import not_behind
from reconciler.journal import Entry, Journal
from reconciler.limits import week_of
from reconciler.lookup import Lookup
from reconciler.outcomes import lasting, touched
from reconciler.plan import Basis, inverse, make, populations
from reconciler.run import night_of
from reconciler.sealed import Plan, read, text_of
from reconciler.store import Store
from reconciler.stored import Standing, standing
from reconciler.upkeep import restored
from reconciler.who import Identity


def planned(config: Config, store: Store, wanted: Filter, maker: Identity, now: datetime, out: Path | None) -> Plan:
    """A sealed plan for the chosen findings of the last night, written to `out`, kept, and noted in the journal.

    Without `out` it is only to be looked at: nothing is kept, and nobody can approve it.

    Raises SafetyStop before a baseline was adopted, Incomplete when the last night was not whole.
    """
    if not store.adoptions():
        raise SafetyStop(
            "nobody has accepted a night as the baseline yet; read the findings, then `reconciler adopt --reason TEXT`"
        )
    if (behind := restored(config)) is not None:
        raise SafetyStop(behind)
    now_known = standing(config, store, now)
    if not now_known.record.complete:
        lacking = ", ".join(s.name for s in now_known.record.sources if s.state not in ("complete", "reused"))
        raise Incomplete(f"the last night ({now_known.record.run}) is not complete: {lacking}; a plan is made of a complete one")
    held = Lookup(now_known.estate).entitlements
    if missing := nobody(config.remediation.protected, now_known.estate.accounts, lambda source: held(source).values()):
        raise SafetyStop(
            f"[remediation] protected names nobody and no group that is there: {', '.join(missing)}; was it renamed? Name it by its "
            "immutable id, or take it off the list"
        )
    journal = Journal.of(config.state.dir)
    not_behind(config, journal.entries())
    chosen = wanted.chosen(night_of(config, store, None).findings)
    plan = make(chosen, basis(config, store, journal.entries(), now_known, maker, now), config)
    return plan if out is None else _kept(plan, journal, config, out)


def undone(config: Config, store: Store, name: str, maker: Identity, now: datetime, out: Path) -> Plan:
    """The sealed plan that takes a plan back as far as it was carried out, written, kept and noted like any other."""
    journal = Journal.of(config.state.dir)
    entries = journal.entries()
    plan = made_before(config, entries, name)
    known = standing(config, store, now)
    ours = basis(config, store, entries, known, maker, now)
    return _kept(inverse(plan, touched(plan, entries), ours, config, populations(known.estate)), journal, config, out)


def basis(config: Config, store: Store, entries: Sequence[Entry], known: Standing, maker: Identity, now: datetime) -> Basis:
    """What a plan is made from, and what it is held against before it is applied."""
    guards = guards_now(config, store, entries, maker, now)
    return Basis(known.record.run, known.estate, known.snapshots, guards, week_of(entries, now), maker, now, lasting(entries))


def guards_now(config: Config, store: Store, entries: Sequence[Entry], who: Identity, now: datetime) -> Guards:
    """Who is out of bounds at this moment; whoever made or approved a plan is."""
    operators = {str(entry.facts["by"]) for entry in entries if entry.kind in ("planned", "approved")}
    return guards_of(config, store.holds(now), operators | {who.name})


def made_before(config: Config, entries: Sequence[Entry], name: str) -> Plan:
    """A plan that was made here, by its name; raises UsageError when there is none, Stale when its copy was altered."""
    known = {str(e.facts["plan"]): str(e.facts["sha256"]) for e in entries if e.kind == "planned"}
    found = [plan for plan in known if plan == name or (name and plan.startswith(name))]
    if len(found) != 1:
        last = ", ".join(list(known)[-5:])
        raise UsageError(
            f"{'several plans begin with' if found else 'no plan is called'} {name}; the last ones: {last or 'none'}"
        )
    return read(_copy(config, found[0]), known[found[0]])


def _kept(plan: Plan, journal: Journal, config: Config, out: Path) -> Plan:
    body = text_of(plan)
    try:
        for path in (_copy(config, plan.plan), out):
            write_private(path, body)
    except OSError as problem:
        raise UsageError(f"the plan {path} cannot be written: {problem.strerror}") from None
    register(plan, journal)
    return plan


def _copy(config: Config, name: str) -> Path:
    return config.state.dir / "plans" / f"{name}.json"
