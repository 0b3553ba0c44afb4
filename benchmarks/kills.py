"""An apply over three systems broken off at every call that leaves a trace, and what the next `reconciler apply` makes of it.

A plan of sixty changes in Active Directory, Microsoft 365 and Google Workspace (the embedded company, over LDAPS and HTTPS on
loopback) is applied by the command line's own `main`, in a process of its own; only the import of Python's modules is not
repeated. The kernel stops the process at each call that could leave a trace: every write, fsync, rename, creation and truncation
of a file, every send to a system and every receipt from one. One run counts them; then, for each, everything is put back
as it was, the process is killed with SIGKILL before that very call ("torn": when half of a write has reached the disk), or the call
fails with ENOSPC or EIO; and `reconciler apply` is run once more, with nothing else done. It must end with 0 and every change done;
every request for a change must have reached its system exactly as often as in an undisturbed apply, the systems must hold exactly
what that one left, the journal must be whole and no outcome unknown. While the disk fails no system may have had more requests for
changes than there were intents on the disk. A lost answer (each request for a change alone, and all at once: the effect is there, the
connection is cut before a byte of the answer) must be settled by reading back in the same apply.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.stage import AGAIN, APPLY, FURTHER, Stage, environment, staged
from reconciler.journal import Journal
from reconciler.sandbox.faults import Fault

POINTS = 1500
DISK = ("ENOSPC", "EIO")
WAYS = {
    "kill": "killed before the call", "torn": "killed when half is written", "ENOSPC": "the call fails: no room",
    "EIO": "the call fails: broken disk", "lost": "not broken off: answers lost",
}  # fmt: skip


@dataclass
class Worker:
    """The warm process that runs the command line."""

    stage: Stage
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.killed_worker"]
        self.process = subprocess.Popen(  # noqa: S603
            command, cwd=self.stage.folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, do: str = "", at: int | None = None, words: Sequence[str] = APPLY) -> Mapping[str, Any]:
        """One run of the command line, watched when there is a place where something is to be done."""
        assert self.process.stdin and self.process.stdout  # noqa: S101 - they are pipes
        self.process.stdin.write(json.dumps({"do": do, "at": at, "words": words}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@dataclass(frozen=True)
class Whole:
    """An undisturbed apply: what it asked of the systems, what they hold after it, and the calls it made."""

    received: Mapping[str, Counter[str]]
    held: str
    calls: Sequence[str]


@dataclass
class Tally:
    """How often one way of breaking off was tried, at which calls, and what went wrong."""

    way: str
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return sum(self.calls.values())


def measure(every: int = 1, tell: Callable[[str], None] = lambda words: None, ways: Sequence[str] = tuple(WAYS)) -> list[Tally]:
    """Break off at every call, or at each so-many-th, in each way."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".kills-") as folder, staged(Path(folder).resolve()) as stage:
        worker = Worker(stage)
        try:
            worker.run("warm")
            whole = _undisturbed(stage, worker)
            return [_tried(way, every, stage, worker, whole, tell) for way in ways]
        finally:
            worker.process.kill()
            worker.process.wait()


def _undisturbed(stage: Stage, worker: Worker) -> Whole:
    stage.restore()
    done = worker.run("kill", 0)
    if done["code"] != 0 or json.loads(done["out"])["applied"] != stage.actions:
        raise SystemExit(f"the undisturbed apply ended with {done['code']}: {done['out']}{done['err']}")
    return Whole(stage.received(), stage.held(), done["calls"])


def _tried(way: str, every: int, stage: Stage, worker: Worker, whole: Whole, tell: Callable[[str], None]) -> Tally:
    tally, begun = Tally(way), time.perf_counter()
    for call, wrong in _lost(every, stage, worker, whole) if way == "lost" else _points(way, every, stage, worker, whole):
        tally.calls[call] += 1
        tally.wrong += wrong
        tally.seconds = time.perf_counter() - begun
        for words in wrong:
            tell(f"WRONG, {way}: {words}")
        if tally.points % 50 == 0:
            tell(f"{way}: {tally.points} points, {tally.seconds / tally.points:.2f} s each, {len(tally.wrong)} wrong")
    return tally


def _points(way: str, every: int, stage: Stage, worker: Worker, whole: Whole) -> Iterator[tuple[str, list[str]]]:
    """Break off at call 1, 2, 3 …, until an apply comes to its end before."""
    at = 1
    while True:
        stage.restore()
        broken = worker.run(way, at)
        if len(broken["calls"]) < at:
            return
        call = broken["calls"][-1] if way in ("kill", "torn") else broken["calls"][at - 1]
        wrong = list(_beyond_intents(stage, broken)) if way in DISK else []
        if way in ("kill", "torn") and broken["code"] != 137:
            wrong.append(f"it was to be killed, and ended with {broken['code']}")
        wrong += _afterwards(stage, worker, whole)
        yield _kind(call), [f"call {at} ({call}): {words}" for words in wrong]
        at += every


def _kind(call: str) -> str:
    """The calls of one kind on one file, whatever a database's helper files are called."""
    name, _, where = call.partition(" ")
    return f"{name} {'the database' if where.startswith('reconciler.db') else where}"


def _beyond_intents(stage: Stage, broken: Mapping[str, Any]) -> Iterator[str]:
    """Requests for changes of which no intent was on the disk: each entry of the journal ends with an fsync of its own."""
    synced = sum(call == "fsync journal.jsonl" for call in broken["calls"])
    failed = sum(1 for call in broken["calls"][-1:] if broken["code"] and call == "fsync journal.jsonl")
    kept = len(Journal.of(stage.kept).check().entries)
    durable = Journal.of(stage.state).check().entries[: kept + synced - failed]
    intents = Counter(str(entry.facts["source"]) for entry in durable if entry.kind == "intent")
    for source, lines in stage.received().items():
        changes = sum(number for line, number in lines.items() if not FURTHER.search(line))
        if changes > intents[source]:
            yield f"{source} had {changes} requests for changes, and {intents[source]} intents were on the disk"


def _afterwards(stage: Stage, worker: Worker, whole: Whole) -> Iterator[str]:
    """Apply once more, and look."""
    done = worker.run()
    if done["code"] != 0:
        yield f"the next apply ended with {done['code']}: {done['err'].strip()[:300]} {done['out'][-300:]}"
        return
    outcomes = Counter(action["outcome"] for action in json.loads(done["out"])["actions"])
    if sum(outcomes.values()) != stage.actions or set(outcomes) - {"done", "already"}:
        yield f"the next apply says {dict(outcomes)}"
    yield from _effects(stage, whole)


def _effects(stage: Stage, whole: Whole) -> Iterator[str]:
    for source, lines in stage.received().items():
        more, fewer = lines - whole.received[source], whole.received[source] - lines
        yield from (f"{source} had this once more: {line}" for line in more if not AGAIN.search(line))
        yield from (f"{source} never had this: {line}" for line in fewer)
    if stage.held() != whole.held:
        yield "the systems hold something else than after an undisturbed apply"
    yield from stage.journal_problems()


def _lost(every: int, stage: Stage, worker: Worker, whole: Whole) -> Iterator[tuple[str, list[str]]]:
    """The first answer to each request for a change lost alone, and then all of these."""
    asked = {source: list(lines) for source, lines in whole.received.items()}
    for source, lines in asked.items():
        for line in lines[::every]:
            yield f"one answer of {source}", _settled(stage, worker, whole, {source: [line]})
    yield "all answers", _settled(stage, worker, whole, asked)


def _settled(stage: Stage, worker: Worker, whole: Whole, lost: Mapping[str, Sequence[str]]) -> list[str]:
    stage.restore()
    for source, lines in lost.items():
        stage.embedded.faults[source].reset(*(Fault(f"^{re.escape(line)}$", "cut", 1, 0) for line in lines))
    done = worker.run()
    outcomes = Counter(action["outcome"] for action in json.loads(done["out"] or '{"actions": []}')["actions"])
    wrong = (
        []
        if done["code"] == 0 and outcomes == {"done": stage.actions}
        else [f"{done['code']}: {dict(outcomes)} {done['err'][:300]}"]
    )
    return [f"{next(iter(lost.values()))[0]} …: {words}" for words in (*wrong, *_effects(stage, whole))]
