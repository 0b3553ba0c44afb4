"""Changes that were made and that tonight does not show yet: for a while they are on their way, after that somebody must look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from reconciler.answers import Answers, Asked
from reconciler.findings import Part, id_number, id_text, labelled
from reconciler.journal import Entry
from reconciler.model import instant_text
from reconciler.outcomes import MADE

SYNCHRONISED = timedelta(hours=3)  # until another system shows what was changed where the account is mastered
_LATELY = timedelta(days=30)
_ACTIVE = ("new", "open", "reopened")


@dataclass(frozen=True)
class Made:
    """The change that was to clear a finding: made at this instant, to be seen by then."""

    plan: str
    n: int
    source: str
    at: datetime
    settles: timedelta

    def by(self, source: str) -> datetime:
        """When a finding on this source must be gone."""
        return self.at + (self.settles if source == self.source else max(self.settles, SYNCHRONISED))


def made(entries: Iterable[Entry], now: datetime) -> dict[str, Made]:
    """Finding -> the last change that was made for it and not taken back since."""
    undoing: set[str] = set()
    found: dict[str, Made] = {}
    for entry in entries:
        facts = entry.facts
        if entry.kind == "planned" and facts["undoes"] is not None:
            undoing.add(facts["plan"])
        if entry.kind != "outcome" or facts["outcome"] != "done":
            continue
        at = datetime.fromisoformat(entry.at)
        for finding in facts["findings"] if now - _LATELY < at <= now else ():
            if facts["plan"] in undoing:
                found.pop(finding, None)
            else:
                found[finding] = Made(facts["plan"], facts["n"], facts["source"], at, timedelta(seconds=facts["settles"]))
    return found


def unanswered(answers: Answers, asked: Iterable[Asked], entries: Iterable[Entry]) -> Answers:
    """Tonight's findings without those that a plan has dealt with: what it changed still stands, only the fact behind it stays."""
    kinds = {question.policy.id: question.policy.answered_by for question in asked if question.policy.answered_by}
    at = _dealt_with(entries)
    numbers = np.array([id_number(finding) for finding in at], np.uint64)
    left = dict(answers.answered)
    for policy in kinds.keys() & left.keys() if at else ():
        part = left[policy].part
        rows = np.flatnonzero(np.isin(part.ids, numbers)).tolist()
        over = {
            row for row in rows if _stands(part.table["evidence"][row].as_py(), at[id_text(int(part.ids[row]))], kinds[policy])
        }
        if over:
            kept = [row for row in range(part.table.num_rows) if row not in over]
            left[policy] = replace(left[policy], part=replace(part, table=part.table.take(pa.array(kept, pa.int64()))))
    return replace(answers, answered=left)


def _dealt_with(entries: Iterable[Entry]) -> dict[str, dict[str, datetime]]:
    """Finding -> the kinds of change that were made for it, and when, without those that were taken back."""
    undoing: set[str] = set()
    found: dict[str, dict[str, datetime]] = {}
    for entry in entries:
        facts = entry.facts
        if entry.kind == "planned" and facts["undoes"] is not None:
            undoing.add(facts["plan"])
        if entry.kind != "outcome" or facts["outcome"] not in MADE:
            continue
        for finding in facts["findings"]:
            if facts["plan"] in undoing:
                found.pop(finding, None)
            else:
                found.setdefault(finding, {})[facts["change"]] = datetime.fromisoformat(entry.at)
    return found


def _stands(evidence: Mapping[str, Any], made_at: Mapping[str, datetime], kinds: Iterable[str]) -> bool:
    """The account is off, and nobody has signed in to it since it was changed."""
    at = max((made_at[kind] for kind in kinds if kind in made_at), default=None)
    used = evidence.get("last_login_at")
    return at is not None and evidence["enabled"] is False and (used is None or used <= at)


def settle(labels: Mapping[str, Part], changes: Mapping[str, Made], now: datetime) -> tuple[dict[str, Part], dict[str, dict[str, Any]]]:  # fmt: skip
    """Tonight's findings, those on their way unverified; and for each that a change was made for, what a reader needs to know."""
    numbers = {id_number(finding): change for finding, change in changes.items()}
    wanted = np.array(list(numbers), np.uint64)
    settled, notes = dict(labels), {}
    for policy, part in labels.items():
        rows = np.flatnonzero(np.isin(part.ids, wanted)).tolist() if numbers else []
        states, sources = part.table["state"].to_pylist() if rows else [], part.table["source"]
        for row in rows:
            if states[row] in _ACTIVE:
                number = int(part.ids[row])
                by = numbers[number].by(sources[row].as_py())
                states[row] = "unverified" if now < by else states[row]
                notes[id_text(number)] = _note(numbers[number], by, now)
        if rows:
            times = part.table["first_seen"], part.table["last_seen"]
            settled[policy] = labelled(part, pa.array(states, pa.string()), *times)
    return settled, notes


def _note(change: Made, by: datetime, now: datetime) -> dict[str, Any]:
    return {
        "plan": change.plan, "action": change.n, "applied_at": instant_text(change.at), "settles_by": instant_text(by), "late": by <= now,
    }  # fmt: skip
