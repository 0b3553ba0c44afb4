"""The night: the only module that knows the order of the stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from reconciler import drift, nights
from reconciler.accounts import Accounts
from reconciler.answers import Answers, Asked, Unread
from reconciler.config import Config, Connector
from reconciler.correlate import correlate
from reconciler.errors import SafetyStop, UsageError
from reconciler.estate import Access, Estate, Move
from reconciler.evaluate import evaluate
from reconciler.findings import Findings, Part
from reconciler.matches import Matches, describe
from reconciler.model import SEVERITIES, Finding, Match, Night, NotAssessed, RunRecord, SourceReport
from reconciler.moves import moves
from reconciler.nights import StoredNight
from reconciler.plausible import Band, active_people
from reconciler.pull import Progress, Pulled, Source, pull, reuse
from reconciler.report import render
from reconciler.roster import Roster, roster
from reconciler.snapshots import Archive, Snapshot
from reconciler.store import Store, new_run_id

log = logging.getLogger(__name__)

DESCRIBED = 1000  # matches that a report explains; the rest is counted
HISTORY = 30  # earlier runs that a report draws its trends from


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


def nightly(config: Config, store: Store, wish: Wish) -> Night:
    """Pull, correlate, evaluate, compare with last night, store, report."""
    archive, begun = Archive(config.state_dir / "objects"), wish.clock()
    before = last_night(store, archive)
    pulled = gather(config, store, archive, wish)
    moved = new_moves(config, pulled, before.snapshots, archive, wish.now)
    estate = tonight(config, store, pulled, moved, wish.now)
    answers = evaluate(questions(config), estate, unread(config, pulled))
    answers = replace(answers, not_assessed=(*answers.not_assessed, *unknown_entitlements(estate)))
    labels = drift.label(answers, before.parts, drift.doubt(estate.matches), wish.now, store.first_seen_of_resolved)
    stored = to_store(estate, answers, labels, before, pulled, archive)
    record = in_numbers(config, store, wish, begun, pulled, estate.matches, answers, labels)
    store.save(record, nights.keep(archive, stored), drift.events(labels, before.parts), moved, pulled_rows(pulled, wish))
    night = as_night(config, store, record, stored)
    paths = render(night, config.report.formats, config.report_dir)
    return replace(night, record=store.add_reports(record, [str(path) for path in paths]))
