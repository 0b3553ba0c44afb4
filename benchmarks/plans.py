"""A thousand changes on three systems that take 20 ms to answer: how far an apply is from the least that looking, writing and looking takes.

Every change is looked at, sent, and looked at again: three answers of 20 ms, one after another, in the system with the most
changes; the systems work side by side. That is the floor. On top come the journal (two entries a change, each waited for until it
is on disk), the waves, and whatever is wrong with us. The systems are in memory and answer after 20 ms; the disk is this machine's.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.apply import carried_out
from reconciler.attempt import Lane, Pace, Stop
from reconciler.journal import Journal
from reconciler.sealed import Action, Plan, Waves, seal
from reconciler.writer import Change

ANSWER, MOST = 0.020, 1.3
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
SHARES = {"ad": 0.5, "m365": 0.3, "google": 0.2}


@dataclass
class Far:
    """A system that is 20 ms away."""

    settles: float = 0.0
    held: dict[str | None, Any] = field(default_factory=dict)
    asked: int = 0

    def identity(self) -> str:
        return "far"

    def own(self) -> list[str]:
        return []

    def state(self, change: Change) -> Any:
        self._answer()
        return self.held.get(change.account, change.before)

    def write(self, change: Change) -> None:
        self._answer()
        self.held[change.account] = change.after

    def _answer(self) -> None:
        self.asked += 1
        time.sleep(ANSWER)

    def close(self) -> None:
        pass


def plan_of(actions: int) -> Plan:
    sources = [source for source, share in SHARES.items() for _ in range(round(actions * share))]
    made = tuple(
        Action(n, f"f-{n}", "disable-account", source, {"id": f"a-{n}", "login": None}, None, "disable", "enabled", None, True, False, "left")
        for n, source in enumerate(sources, 1)
    )  # fmt: skip
    return seal(Plan("", "run", NOW, NOW + timedelta(hours=24), "ada", "uid:1", {}, (), made, waves=Waves()))


def measure(actions: int = 1000) -> list[dict[str, Any]]:
    """Seconds of one apply, beside the floor of each system."""
    plan = plan_of(actions)
    far = {source: Far() for source in SHARES}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        journal, stop = Journal.of(Path(folder)), Stop()

        def note(kind: str, **facts: Any) -> Any:
            return journal.append(kind, NOW, **facts)

        lanes = {s: Lane(plan.plan, s, system, note, Pace(10**6), stop) for s, system in far.items()}
        begun = time.perf_counter()
        results = carried_out(plan, {}, lanes, lambda action, result: None)
        wall = time.perf_counter() - begun
        begun = time.perf_counter()
        entries = len(journal.entries())
        checked = time.perf_counter() - begun
    if {result.outcome for result in results.values()} != {"done"} or entries != 2 * actions:
        raise SystemExit("the bench's own apply did not do what it should")
    floors = {source: system.asked * ANSWER for source, system in far.items()}
    floor = max(floors.values())
    return [
        {
            "actions": actions,
            "wall": wall,
            "floors": floors,
            "ratio": wall / floor,
            "met": wall / floor <= MOST,
            "checked": checked,
        }
    ]


if __name__ == "__main__":
    print(measure())
