"""Exactly the approved plan, by whoever may, to the systems it was made of: gates, writers, waves, and the count of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reconciler import gates, plugins
from reconciler.apply import Told, carried_out
from reconciler.attempt import Lane, Pace, Result, Stop
from reconciler.config import Config
from reconciler.connector import Context
from reconciler.errors import PluginError, SafetyStop
from reconciler.guards import Guards
from reconciler.journal import Entry, Journal
from reconciler.lookup import Lookup
from reconciler.model import SCHEMA_VERSION
from reconciler.outcomes import Attempt, attempts, open_intents
from reconciler.plan import populations
from reconciler.planning import basis
from reconciler.resolve import resolve
from reconciler.sealed import Action, Plan, read
from reconciler.store import Store
from reconciler.stored import standing
from reconciler.who import Identity
from reconciler.writer import Writer


@dataclass(frozen=True)
class Order:
    """Who applies, by which clock, what stops it, who is asked before the first write, and who is told of each result."""

    who: Identity
    clock: Callable[[], datetime]
    stop: Stop
    confirm: Callable[[Plan, Sequence[Action]], None] = lambda plan, actions: None
    told: Told = lambda action, result: None


@dataclass(frozen=True)
class Applied:
    """What became of every action, and the journal's head afterwards."""

    plan: Plan
    results: Mapping[int, Result]
    head: str
    stopped: str | None = None
    interrupted: bool = False

    @property
    def counts(self) -> Counter[str]:
        return Counter(result.counted for result in self.results.values())

    @property
    def exit(self) -> int:
        """130 when interrupted, 8 when something failed, 6 when a safety stop held something back, 7 when something had changed."""
        if self.interrupted:
            return 130
        if self.counts["failed"] or self.counts["unknown"]:
            return 8
        if any(result.ours and result.outcome == "refused" for result in self.results.values()):
            return 6
        return 7 if self.counts["skipped"] else 0

    def to_json(self) -> dict[str, Any]:
        counts = {name: self.counts[name] for name in ("applied", "already", "skipped", "failed", "unknown")}
        listed = [self.results[action.n].to_json() for action in self.plan.actions]
        told = {"schema_version": SCHEMA_VERSION, "plan": self.plan.plan, **counts, "actions": listed}
        return told | {"stopped": self.stopped, "head": self.head, "exit": self.exit}


def apply_file(config: Config, store: Store, path: Path, order: Order) -> Applied:
    """Apply a plan's file. Raises SafetyStop or Stale when nothing may be written, ReconcilerError when the journal fails."""
    plan, journal = read(path), Journal.of(config.state.dir)
    if not config.remediation.enabled:
        gates.may_begin(plan, journal.entries(), config, order.clock())
    note = _noter(journal, order.clock)
    _resolved(config, journal, note, order)
    entries = journal.entries()
    known = {number: _known(number, a) for number, a in attempts(plan.plan, entries).items() if a.made}
    if len(known) == len(plan.actions):
        return Applied(plan, known, journal.check().head)
    gates.may_begin(plan, entries, config, order.clock())
    held = _held_back(plan, config, store, entries, order, known)
    todo = [action for action in plan.actions if action.n not in held]
    if todo:
        gates.room(config, len(todo))
        order.confirm(plan, todo)
        with _writers(config, {action.source for action in todo}, order.clock()) as writers:
            held = _own(plan, held, writers)
            results = _sent(plan, held, _lanes(plan, config, store, writers, note, order), note, order)
    else:
        results = held
    stop = order.stop
    return Applied(plan, results, journal.check().head, stop.reason, stop.interrupted.is_set())


def _noter(journal: Journal, clock: Callable[[], datetime]) -> Callable[..., Entry]:
    return lambda kind, **facts: journal.append(kind, clock(), **facts)


def _known(number: int, attempt: Attempt) -> Result:
    """What an earlier apply of this plan has made."""
    told = attempt.outcome
    assert told is not None  # noqa: S101 - it is made
    return Result(number, "already", told.facts["read_back"], f"applied at {told.at}", account=told.facts["account"])


def _resolved(config: Config, journal: Journal, note: Callable[..., Entry], order: Order) -> None:
    """Every open intent in the journal, whichever plan's, has its outcome before anything else."""
    intents = open_intents(journal.entries())
    if intents:
        with _writers(config, {str(entry.facts["source"]) for entry in intents}, order.clock()) as writers:
            resolve(intents, writers, note, order.clock(), order.stop.interrupted.wait)


def _held_back(
    plan: Plan, config: Config, store: Store, entries: Sequence[Entry], order: Order, known: Mapping[int, Result]
) -> dict[int, Result]:  # fmt: skip
    """What needs or may have no write: what is made already, people out of bounds by now, classes over their limits by now."""
    now = order.clock()
    ours = basis(config, store, entries, standing(config, store, now), order.who, now)
    gates.still_bound(plan, ours, config)
    lookup = Lookup(ours.estate)
    reasons = gates.over_limits(plan, populations(ours.estate), config, ours.week)
    for action in plan.actions:
        if (why := gates.objection(action, ours.guards, lookup, config, now)) is not None:
            reasons[action.n] = why
    refused = {n: Result(n, "refused", None, f"not sent: {why}", ours=True) for n, why in reasons.items()}
    return {**refused, **known}


@contextmanager
def _writers(config: Config, sources: Iterable[str], now: datetime) -> Iterator[dict[str, Writer]]:
    """A writer for each source, all open before the first write."""
    with ExitStack() as stack:
        opened: dict[str, Writer] = {}
        for source in sorted(sources):
            opened[source] = _writer(config, source, now)
            stack.callback(opened[source].close)
        yield opened


def _writer(config: Config, source: str, now: datetime) -> Writer:
    connector = config.connectors.get(source)
    if connector is None:
        raise SafetyStop(f"the plan writes to {source}, and {config.path} has no [connectors.{source}]")
    module = plugins.load("connectors", connector.kind)
    if not callable(getattr(module, "writer", None)):
        raise PluginError(f"connector {connector.kind} offers no writer(settings, context)")
    made: Writer = module.writer(connector.settings, Context(source, now, deadline_seconds=120.0))
    return made


def _own(plan: Plan, held: Mapping[int, Result], writers: Mapping[str, Writer]) -> dict[int, Result]:
    """Nothing is written by a writer to its own account, or to another directory than the plan's."""
    found = dict(held)
    for source, writer in writers.items():
        gates.same_directory(source, writer.identity(), plan)
        own = {name.casefold() for name in writer.own()}
        for action in plan.actions:
            if action.source == source and action.n not in found and (action.account["id"] or "").casefold() in own:
                found[action.n] = Result(action.n, "refused", None, "not sent: the account is the tool's own", ours=True)
    return found


def _lanes(
    plan: Plan, config: Config, store: Store, writers: Mapping[str, Writer], note: Callable[..., Entry], order: Order
) -> dict[str, Lane]:  # fmt: skip
    order.stop.look = lambda: gates.pulled(config)
    objection, pause = _asked_anew(config, store, order), order.stop.interrupted.wait
    return {
        source: Lane(plan.plan, source, writer, note, Pace(config.remediation.writes_per_minute, pause), order.stop, objection)
        for source, writer in writers.items()
    }


def _asked_anew(config: Config, store: Store, order: Order) -> Callable[[Action], str | None]:
    """Whether an action's person was put on hold since the apply began, or its hours are over; asked before every send."""
    lock = threading.Lock()

    def objection(action: Action) -> str | None:
        with lock:
            holds = store.holds(order.clock())
        held = Guards(holds, frozenset(), {}, frozenset()).on_hold(action)
        return held or gates.out_of_hours(action, config, order.clock())

    return objection


def _sent(plan: Plan, held: Mapping[int, Result], lanes: Mapping[str, Lane], note: Callable[..., Entry], order: Order) -> Mapping[int, Result]:  # fmt: skip
    note("apply-begun", plan=plan.plan, sha256=plan.sha256, by=order.who.name, by_id=order.who.id)
    results = carried_out(plan, held, lanes, order.told)
    note("apply-ended", plan=plan.plan, sha256=plan.sha256, counts=dict(Counter(r.outcome for r in results.values())))
    return results
