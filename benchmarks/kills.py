"""An apply over three systems broken off at every call that leaves a trace, and what the next `reconciler apply` makes of it.

A plan of more than sixty changes in Active Directory, Microsoft 365 and Google Workspace (the embedded company, over LDAPS and
HTTPS on loopback) is applied by the command line's own `main`, in a process of its own; only the import of Python's modules is
not repeated. The kernel stops the process at each call that could leave a trace: every write, fsync, rename, creation and
truncation of a file, every send to a system and every receipt from one (the first of several that a thread makes in a row). One
run counts them; then, for each, everything is put back as it was, the process is killed with SIGKILL before that very call
("torn": when half of a write has reached the disk), or the call fails with ENOSPC or EIO; and `reconciler apply` is run once
more, with nothing else done. It must end with 0 and every change done; every request for a change must have reached its system
exactly as often as in an undisturbed apply (Google's sign-out and the end of backup codes, of which it tells nothing, once more
at the most: a second one ends nothing that the first has left), the systems must hold exactly what that one left, the journal
must be whole and no outcome unknown. While the disk fails no system may have had more requests for changes than there were
intents on the disk. A lost answer (each request for a change alone, and all at once: the effect is there, the connection is cut
before a byte of the answer) must be settled by reading back in the same apply.

Two companies for each processor take their shares of the calls. The state folders are in memory where the machine has
such a file system: an fsync there is the same call, and a process that is killed leaves the same bytes. Each point is noted as
soon as it is tried (`.kills-points`): a bench that was broken off itself goes on where it was, while the code is the same.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, takewhile
from pathlib import Path
from typing import Any

from benchmarks.stage import AGAIN, APPLY, FURTHER, Stage, environment, staged
from reconciler.journal import Journal
from reconciler.sandbox.faults import Fault

POINTS = 1500
AT_ONCE = 2 * (os.cpu_count() or 1)  # of the processes of a point most wait for another most of the time
NOTED = Path(".kills-points")
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, with a name that was not there
CODE = ("reconciler", "connectors", "policies", "benchmarks")
DISK = ("ENOSPC", "EIO")
WAYS = {
    "kill": "killed before the call", "torn": "killed when half is written", "lost": "not broken off: answers lost",
    "ENOSPC": "the call fails: no room", "EIO": "the call fails: broken disk",
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


@dataclass(frozen=True)
class Share:
    """The points of one process: of each so-many-th call those whose turn is its own and that are not `known` already."""

    every: int
    of: int
    number: int
    known: frozenset[tuple[str, int]]

    def turns(self, way: str) -> Iterator[int]:
        return (at for at in count(1 + self.every * self.number, self.every * self.of) if (way, at) not in self.known)


def measure(every: int = 1, ways: Sequence[str] = tuple(WAYS), at_once: int = AT_ONCE) -> list[Tally]:
    """Break off at every call, or at each so-many-th, in each way."""
    known = _noted(every)
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as processes:
        list(processes.map(partial(_shared, ways), [Share(every, at_once, number, known) for number in range(at_once)]))
    tallies = _tallied(ways)
    NOTED.unlink()
    return tallies


def _noted(every: int) -> frozenset[tuple[str, int]]:
    """The points that an earlier bench of the same code has tried; nothing of another's is kept."""
    files = sorted(chain.from_iterable((Path(__file__).parent.parent / folder).rglob("*.py") for folder in CODE))
    ours = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() + f" {every}"
    if not NOTED.exists() or NOTED.read_text("utf-8").partition("\n")[0] != ours:
        NOTED.write_text(f"{ours}\n", "utf-8")
    return frozenset((point["way"], point["at"]) for point in _points_noted())


def _points_noted() -> Iterator[Mapping[str, Any]]:
    return map(json.loads, NOTED.read_text("utf-8").splitlines()[1:])


def _tallied(ways: Sequence[str]) -> list[Tally]:
    tallies = {way: Tally(way) for way in ways}
    for point in _points_noted():
        if point["way"] in tallies:
            tally = tallies[point["way"]]
            tally.calls[point["call"]] += 1
            tally.wrong += point["wrong"]
            tally.seconds += point["seconds"]
    return list(tallies.values())


def _shared(ways: Sequence[str], share: Share) -> None:
    """One process's share of the points, on a company of its own; each point is noted in one write."""
    where = IN_MEMORY if IN_MEMORY.is_dir() else Path()
    with tempfile.TemporaryDirectory(dir=where, prefix=".kills-") as folder, staged(Path(folder).resolve()) as stage:
        worker = Worker(stage)
        try:
            worker.run("warm")
            whole = _undisturbed(stage, worker)
            for way in ways:
                _tried(way, share, stage, worker, whole)
        finally:
            worker.process.kill()
            worker.process.wait()


def _undisturbed(stage: Stage, worker: Worker) -> Whole:
    stage.restore()
    done = worker.run("kill", 0)
    if done["code"] != 0 or json.loads(done["out"])["applied"] != stage.actions:
        raise SystemExit(f"the undisturbed apply ended with {done['code']}: {done['out']}{done['err']}")
    return Whole(stage.received(), stage.held(), done["calls"])


def _tried(way: str, share: Share, stage: Stage, worker: Worker, whole: Whole) -> None:
    todo = (_lost if way == "lost" else partial(_points, way))(share, stage, worker, whole)
    begun, points = time.perf_counter(), 0
    for at, call, wrong in todo:
        points, seconds, begun = points + 1, time.perf_counter() - begun, time.perf_counter()
        with NOTED.open("a", encoding="utf-8") as noted:
            noted.write(json.dumps({"way": way, "at": at, "call": call, "wrong": wrong, "seconds": round(seconds, 3)}) + "\n")
        for words in wrong:
            print(f"WRONG, {way}: {words}", file=sys.stderr, flush=True)
        if points % 50 == 0:
            print(f"{way}: {points} points of share {share.number + 1}, the last in {seconds:.2f} s", file=sys.stderr, flush=True)


def _points(way: str, share: Share, stage: Stage, worker: Worker, whole: Whole) -> Iterator[tuple[int, str, list[str]]]:
    """Break off at call 1, 2, 3 …, until an apply comes to its end before."""
    for at in share.turns(way):
        stage.restore()
        broken = worker.run(way, at)
        if len(broken["calls"]) < at:
            return
        call = broken["calls"][-1] if way in ("kill", "torn") else broken["calls"][at - 1]
        wrong = list(_beyond_intents(stage, broken)) if way in DISK else []
        if way in ("kill", "torn") and broken["code"] != 137:
            wrong.append(f"it was to be killed, and ended with {broken['code']}")
        wrong += _afterwards(stage, worker, whole)
        yield at, _kind(call), [f"call {at} ({call}): {words}" for words in wrong]


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
        yield from (f"{source} had this once more: {line}" for line, times in more.items() if times > 1 or not AGAIN.search(line))
        yield from (f"{source} never had this: {line}" for line in fewer)
    if stage.held() != whole.held:
        yield "the systems hold something else than after an undisturbed apply"
    yield from stage.journal_problems()


def _lost(share: Share, stage: Stage, worker: Worker, whole: Whole) -> Iterator[tuple[int, str, list[str]]]:
    """The first answers to all requests for changes lost, and then each of these alone."""
    asked = {source: sorted(lines) for source, lines in whole.received.items()}
    alone = [(f"one answer of {source}", {source: [line]}) for source, lines in asked.items() for line in lines]
    tries = [("all answers", asked), *alone]
    for at in takewhile(lambda at: at <= len(tries), share.turns("lost")):
        what, lost = tries[at - 1]
        yield at, what, _settled(stage, worker, whole, lost)


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
