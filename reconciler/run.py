"""The night: the only module that knows the order of the stages."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from reconciler import drift, memory, nights, plugins
from reconciler.accounts import Accounts
from reconciler.answers import Answers, Asked, Unread
from reconciler.clock import duration
from reconciler.config import Config
from reconciler.correlate import correlate
from reconciler.errors import UsageError
from reconciler.estate import Access, Estate, Move
from reconciler.evaluate import evaluate
from reconciler.findings import Findings, Part, id_text, raised
from reconciler.journal import Entry, Journal
from reconciler.matches import Matches, describe
from reconciler.model import SEVERITIES, Match, Night, NotAssessed, PolicyPage, RunRecord, SourceReport
from reconciler.moves import moves
from reconciler.nights import StoredNight
from reconciler.plausible import Band, active_people
from reconciler.policy import policy_in
from reconciler.pull import Progress, Pulled, Source, pull, reuse
from reconciler.report import render
from reconciler.roster import Roster, roster
from reconciler.settling import made, settle, unanswered
from reconciler.snapshots import Archive, Snapshot
from reconciler.store import Accepted, Store, new_run_id

log = logging.getLogger(__name__)

DESCRIBED = 1000  # accounts without a sure owner that a report explains; all are counted
HISTORY = 30  # runs a report draws its trend from
_ACTIVE = ("new", "open", "reopened")
_NO_NIGHT = StoredNight({}, {}, (), (), {}, {})


@dataclass(frozen=True)
class Wish:
    """What the operator asked of this night."""

    now: datetime
    only: frozenset[str] = frozenset()
    replay: str | None = None  # a run whose snapshots are evaluated again, offline
    accept: Mapping[str, str] = field(default_factory=dict)  # source -> reason
    fail_on: str | None = None
    progress: Progress = lambda source, table, rows: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[float], None] = time.sleep  # between two tries
    by: str | None = None  # who asked: recorded beside what was accepted


def nightly(config: Config, store: Store, wish: Wish) -> Night:
    """Pull, correlate, evaluate, compare with last night, store, report.

    A replay of older snapshots is reported and not stored: what they lack is not gone.
    """
    memory.keep_heap()
    archive, begun = archive_of(config), wish.clock()
    last = last_night(store, archive)
    pulled = gather(config, store, archive, wish)
    records = records_changed(config, archive, pulled, last)
    moved = moved_since(config, store, archive, pulled, wish.now)
    estate = tonight(config, store, pulled, moved, wish.now)
    asked, entries = questions(config), journal_of(config)
    answers = unanswered(evaluate(asked, estate, unread(config, pulled)), asked, entries)
    labels = drift.label(answers, last.parts, drift.doubt(estate.matches), wish.now, store.first_seen_of_resolved)
    labels, settling = settle(labels, made(entries, wish.now), wish.now)
    stored = replace(to_keep(config, estate, answers, labels, records), settling=settling)
    record = in_numbers(store, wish, begun, pulled, estate, answers, stored)
    lasting = wish.replay is None or stored.snapshots == last.snapshots
    if lasting:
        store.save(record, nights.keep(archive, stored), drift.changes(labels, last.parts), moved, taken(pulled, wish))
    night = as_night(config, store, record, stored)
    paths = render(night, config.report.formats, config.report.dir)
    record = replace(record, finished=wish.clock(), reports=tuple(str(path) for path in paths))
    if lasting:
        store.tell_reports(record.run, record)
    return replace(night, record=record)


def archive_of(config: Config) -> Archive:
    return Archive(config.state.dir / "objects")


def journal_of(config: Config) -> Sequence[Entry]:
    """What was planned and written; a journal that was altered is told, and believed as far as it is whole."""
    checked = Journal.of(config.state.dir).check()
    if checked.problem is not None:
        log.warning("the journal in %s: %s", config.state.dir, checked.problem)
    return checked.entries


def last_night(store: Store, archive: Archive) -> StoredNight:
    found = store.night_of()
    return nights.load(archive, found[1]) if found else _NO_NIGHT


# --- sources ----------------------------------------------------------------------------------------------------


def gather(config: Config, store: Store, archive: Archive, wish: Wish) -> dict[str, Pulled]:
    """Tonight's answers: pulled, or a source's last whole snapshot where it is not asked."""
    unknown = (wish.only | set(wish.accept)) - set(config.connectors)
    if unknown:
        raise UsageError(f"no connector is called {sorted(unknown)[0]}; there are: {', '.join(config.connectors)}")
    known = dict(_sources(config, store, archive, wish))
    if wish.replay is not None:
        return {name: reuse(source) for name, source in known.items()}
    asked = {name: source for name, source in known.items() if not wish.only or name in wish.only}
    read = pull(asked, archive, wish.now, wish.progress, wish.wait)
    return {name: read[name] if name in read else reuse(source) for name, source in known.items()}


def _sources(config: Config, store: Store, archive: Archive, wish: Wish) -> Iterator[tuple[str, Source]]:
    shas, pins = store.accepted(), store.pinned()
    if wish.replay is not None:
        found = store.night_of(wish.replay)
        if found is None:
            raise UsageError(_no_run(store, wish.replay, False))
        shas = dict(nights.load(archive, found[1]).snapshots)
    for name, connector in config.connectors.items():
        settings, accept = connector.settings, name in wish.accept
        week = wish.now - timedelta(days=7)
        history = tuple(archive.open(sha) for sha in store.accepted_since(name, week))
        band = _band(settings, store.most_active(name, week))
        last = archive.open(shas[name]) if name in shas else None
        yield name, Source(name, connector.kind, settings, last, history, None if accept else pins.get(name), band, accept)


def _band(settings: Any, recent: int | None) -> Band:
    """How far a source may differ from its earlier nights; rosters say more about it than directories."""
    names = ("max_drop_percent", "max_drop_7d_percent", "max_moved_percent", "max_unchanged", "covers")
    drop, bleed, moved, same, covers = (getattr(settings, name, None) for name in names)
    full, same = covers == "full-history", duration(same) if same else None
    return Band(drop, bleed, moved, same, recent, full_history=full, canaries=settings.canaries)


def records_changed(
    config: Config, archive: Archive, pulled: Mapping[str, Pulled], last: StoredNight
) -> dict[str, dict[str, int]]:
    """What became of the directories' own records since last night; asked first, while little else is in memory."""
    told = {name: answer.snapshot for name, answer in pulled.items() if answer.snapshot and not config.connectors[name].is_hr}
    return drift.record_changes(told, {name: archive.open(sha) for name, sha in last.snapshots.items() if name in told})


def unread(config: Config, pulled: Mapping[str, Pulled]) -> Unread:
    """What tonight lacks: whole sources, and areas of those that were read."""
    missing = {n: "; ".join(p.report.reasons) for n, p in pulled.items() if p.snapshot is None}
    rosters = {n: reason for n, reason in missing.items() if config.connectors[n].is_hr}
    areas = {
        n: p.snapshot.manifest["areas"] for n, p in pulled.items() if p.snapshot is not None and p.snapshot.manifest["areas"]
    }
    late = {n: _delays(p.snapshot) for n, p in pulled.items() if p.snapshot is not None}
    return Unread(rosters, {n: reason for n, reason in missing.items() if n not in rosters}, areas, late)


def _delays(snapshot: Snapshot) -> Mapping[str, timedelta]:
    return {area: timedelta(seconds=seconds) for area, seconds in snapshot.manifest.get("late", {}).items()}


def taken(pulled: Mapping[str, Pulled], wish: Wish) -> Iterator[Accepted]:
    """Tonight's snapshots that the next night is held against."""
    for name, answer in pulled.items():
        if answer.snapshot is not None and answer.report.state != "reused":
            identity, sha256 = answer.report.identity, answer.snapshot.sha256
            yield Accepted(
                name,
                sha256,
                identity,
                active_people(answer.snapshot),
                wish.accept.get(name),
                wish.by if name in wish.accept else None,
            )


# --- the estate -------------------------------------------------------------------------------------------------


def tonight(config: Config, store: Store, pulled: Mapping[str, Pulled], moved: Sequence[Move], now: datetime) -> Estate:
    """Whose account is whose, and who should hold what."""
    snapshots = {name: answer.snapshot for name, answer in pulled.items()}
    people = _roster(config, snapshots, now)
    accounts = Accounts(tuple(s for name, s in snapshots.items() if s is not None and not config.connectors[name].is_hr))
    blind = any(s is None and not config.connectors[name].is_hr for name, s in snapshots.items())
    matches = correlate(
        accounts, people, keys=config.matching.keys, exempt=config.exempt.accounts, links=store.links_made(), blind=blind
    )
    rules = tuple(
        Access(r.name, r.when, tuple(r.accounts), tuple((e.source, e.name) for e in r.entitlements)) for r in config.access
    )
    areas = {name: frozenset(s.manifest["areas"]) for name, s in snapshots.items() if s is not None}
    return Estate(accounts, people, matches, now, rules, (*store.moves_told(), *moved), areas, _rosters_of(config, snapshots))


def _rosters_of(config: Config, snapshots: Mapping[str, Snapshot | None]) -> datetime | None:
    """The instant of the oldest roster, by its own account."""
    told = [s.manifest["as_of"] for name, s in snapshots.items() if s is not None and config.connectors[name].is_hr]
    return min(map(datetime.fromisoformat, told), default=None)


def _roster(config: Config, snapshots: Mapping[str, Snapshot | None], now: datetime) -> Roster | None:
    """The people of every roster together; None when one of them is missing: absence is only known of all."""
    read = [snapshots.get(name) for name, connector in config.connectors.items() if connector.is_hr]
    whole = [snapshot for snapshot in read if snapshot is not None]
    return roster(whole, now, config.organisation.timezone) if len(whole) == len(read) else None


def moved_since(config: Config, store: Store, archive: Archive, pulled: Mapping[str, Pulled], now: datetime) -> list[Move]:
    """The positions that people have left since the last accepted rosters."""
    shas = store.accepted()
    before = _roster(config, {name: archive.open(sha) for name, sha in shas.items() if name in config.connectors}, now)
    after = _roster(config, {name: answer.snapshot for name, answer in pulled.items() if answer.report.state != "reused"}, now)
    return list(moves(after, before)) if before is not None and after is not None else []


def questions(config: Config) -> list[Asked]:
    """The policies this company asks, with its settings."""
    every = (policy_in(plugins.load("policies", name)) for name in plugins.names("policies"))
    chosen = ((policy, config.policy(policy.id)) for policy in every)
    return [Asked(policy, own.settings, own.severity or policy.severity) for policy, own in chosen if own.enabled]


# --- what is kept and told --------------------------------------------------------------------------------------


def to_keep(
    config: Config, estate: Estate, answers: Answers, labels: Mapping[str, Part], records: Mapping[str, Mapping[str, int]]
) -> StoredNight:
    """Everything that `report`, `explain` and `diff` need later, offline."""
    snapshots = {s.source: s for s in (*estate.accounts.snapshots, *(estate.roster.snapshots if estate.roster else ()))}
    undecided = {policy: len(a.undecided) for policy, a in answers.answered.items() if len(a.undecided)}
    pages = tuple(asked.policy.page(asked.settings, asked.severity) for asked in questions(config))
    shas = {name: s.sha256 for name, s in snapshots.items()}
    return StoredNight(labels, shas, tuple(_unsure(estate.matches)), pages, undecided, records)


def _unsure(matches: Matches) -> Iterable[Match]:
    """Accounts without a sure owner, the disputed first."""
    for outcome in ("disputed", "withheld", "nobody", "exempt"):
        yield from describe(matches, np.flatnonzero(matches.has(outcome))[:DESCRIBED].tolist())


def in_numbers(
    store: Store, wish: Wish, begun: datetime, pulled: Mapping[str, Pulled], estate: Estate, answers: Answers, stored: StoredNight
) -> RunRecord:  # fmt: skip
    """The night's record, with its exit code."""
    reports = tuple(answer.report for answer in pulled.values())
    outcomes = {
        "owned": "owned",
        "nobody": "unowned",
        "disputed": "disputed",
        "exempt": "exempt",
        "suggested": "suggested",
        "withheld": "withheld",
    }
    matching = {told: estate.matches.count(word) for word, told in outcomes.items()}
    counts = _counts(stored, set(store.waivers_in_force(wish.now)))
    missing = (*answers.not_assessed, *_unknown_names(estate))
    complete = all(r.state in ("complete", "reused") for r in reports)
    code = _exit(reports, counts["by_severity"], wish.fail_on)
    return RunRecord(new_run_id(wish.now), wish.now, begun, wish.clock(), complete, code, reports, matching, counts, missing)


def _counts(stored: StoredNight, waived: set[str]) -> dict[str, Any]:
    states: Counter[str] = Counter()
    policies: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    late = {finding for finding, note in stored.settling.items() if note["late"]} - waived
    for policy, part in stored.parts.items():
        told = Counter({v["values"]: v["counts"] for v in pc.value_counts(part.table["state"]).to_pylist()})
        if waived:
            told = Counter("waived" if f.state in _ACTIVE and f.id in waived else f.state for f in part.findings())
        active = sum(told[state] for state in _ACTIVE)
        states += told
        if active:
            policies[policy] += active
            graver = len(late.intersection(map(id_text, part.ids.tolist()))) if late else 0
            severities[part.severity] += active - graver
            severities[raised(part.severity)] += graver
    listed = {state: states[state] for state in ("new", "open", "reopened", "waived", "resolved", "unverified")}
    return {**listed, "by_policy": dict(policies), "by_severity": {name: number for name, number in severities.items() if number}}


def _exit(reports: Sequence[SourceReport], severities: Mapping[str, int], fail_on: str | None) -> int:
    """5 when a source is not whole (4 when all it lacks is permission), else 3 at or above `fail_on`, else 0."""
    missing = [r for r in reports if r.state not in ("complete", "reused")]
    if missing:
        return 4 if all(r.refused for r in missing) else 5
    grave = SEVERITIES[SEVERITIES.index(fail_on) :] if fail_on else ()
    return 3 if any(severity in grave for severity in severities) else 0


def _unknown_names(estate: Estate) -> Iterator[NotAssessed]:
    """Rules that name something a source, though read, does not have: a typo must not look like compliance."""
    for rule in estate.access:
        for source, name in rule.entitlements:
            if source in estate.snapshot and not estate.entitlement_codes(source, name):
                yield NotAssessed(
                    "joiner-access-missing", source, f"access rule {rule.name}: there is nothing called {name!r} on {source}"
                )


def as_night(config: Config, store: Store, record: RunRecord, stored: StoredNight) -> Night:
    """A run as reports see it."""
    findings = Findings(tuple(stored.parts.values()), store.waivers_in_force(record.as_of), stored.settling)
    earlier = tuple(run for run in store.runs_told(HISTORY) if (run.started, run.run) <= (record.started, record.run))
    pages: tuple[PolicyPage, ...] = stored.policies
    return Night(
        config.organisation.name, record, findings, stored.matches, pages, earlier, stored.changes, stored.undecided, config.organisation.timezone,
    )  # fmt: skip


def night_of(config: Config, store: Store, run: str | None, complete: bool = False) -> Night:
    """A stored run, or the last one; raises UsageError when there is none."""
    found = store.night_of(run, complete)
    if found is None:
        raise UsageError(_no_run(store, run, complete))
    return as_night(config, store, found[0], nights.load(archive_of(config), found[1]))


def _no_run(store: Store, run: str | None, complete: bool) -> str:
    known = [record.run for record in store.runs_told(5)]
    if not known:
        return "there is no run yet; `reconciler run` makes one"
    last = ", ".join(reversed(known))
    if run is None:
        return f"there is no {'complete ' if complete else ''}run yet; name one: {last}"
    return f"no run is called {run}, or its night was pruned; the last ones are {last}"
