"""Changes that were made and that tonight does not show yet: for a while they are on their way, after that somebody must look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from reconciler.findings import Part, id_number, id_text, labelled
from reconciler.journal import Entry
from reconciler.model import instant_text

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
