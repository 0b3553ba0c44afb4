"""Killed at every step of an apply over three systems: no effect is lost, none comes twice, the journal stays whole.

RECONCILER_KILL_ACTIONS (default 3) says how many actions the apply has; every write, fsync and open of the journal, the half of
each journal line, and the moments before and after each effect in a system are points to be killed at.
"""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.journal import Journal
from reconciler.outcomes import attempts, open_intents
from reconciler.sealed import Plan
from reconciler.writer import Change
from tests.plans.memory import System, action, plan_of, run, systems_for

ACTIONS = int(os.environ.get("RECONCILER_KILL_ACTIONS", "3"))
KINDS = [("enabled", True, False, None), ("entitlement", True, False, "g-1"), ("create", None, {"employee_id": "1", "email": "x"}, None),
         ("attribute", "Sales", "Legal", "department"), ("delete", "live", "deleted", None), ("transfer", None, "transferred", "a-99")]  # fmt: skip


@dataclass
class Lasting(System):
    """A system whose effects outlive the process that caused them."""

    file: Path = Path()

    def write(self, change: Change) -> None:
        super().write(change)

    def keep(self) -> None:
        whole = self.file.with_suffix(".whole")
        whole.write_bytes(pickle.dumps((self.held, self.writes)))
        whole.rename(self.file)

    def recall(self) -> None:
        if self.file.exists():
            self.held, self.writes = pickle.loads(self.file.read_bytes())


def the_plan() -> Plan:
    made = []
    for n in range(1, ACTIONS + 1):
        kind, before, after, target = KINDS[(n - 1) % len(KINDS)]
        after = {**after, "employee_id": str(n)} if kind == "create" else after
        made.append(action(n, kind, before, after, target=target, source=("ad", "m365", "google")[n % 3], account=None if kind == "create" else f"a-{n}"))  # fmt: skip
    return plan_of(made)


def lasting(plan: Plan, folder: Path) -> dict[str, Lasting]:
    found = {name: Lasting(name, system.held, file=folder / f"{name}.system") for name, system in systems_for(plan).items()}
    for system in found.values():
        system.recall()
        system.trouble = lambda step, change, system=system: system.keep() if step == "after" else None  # type: ignore[misc]
    return found


def steps(monkeypatch: pytest.MonkeyPatch, tick: Callable[[str], None], systems: dict[str, Lasting]) -> None:
    """Every step calls `tick`: those of the journal's file, and those of the systems."""
    real = {name: getattr(os, name) for name in ("open", "pwrite", "fsync", "ftruncate")}

    def pwrite(handle: int, body: bytes, at: int) -> int:
        tick("pwrite")
        if len(body) > 80:
            real["pwrite"](handle, body[: len(body) // 2], at)
            tick("half a line")
        return int(real["pwrite"](handle, body, at))

    def stepped(name: str) -> Callable[..., Any]:
        def call(*words: Any, **more: Any) -> Any:
            tick(name)
            return real[name](*words, **more) if name != "fsync" else None

        return call

    monkeypatch.setattr(os, "pwrite", pwrite)
    for name in ("open", "fsync", "ftruncate"):
        monkeypatch.setattr(os, name, stepped(name))
    for system in systems.values():
        kept = system.trouble

        def trouble(step: str, change: Change, kept: Any = kept) -> None:
            tick(f"{step} {change.kind}")
            kept(step, change)
            tick(f"{step} {change.kind}, told")

        system.trouble = trouble


def killed_at(point: int, plan: Plan, folder: Path) -> bool:
    """Apply in a process of its own that is killed at this step; False when it came to its end before."""
    child = os.fork()
    if child == 0:
        monkeypatch, left = pytest.MonkeyPatch(), [point]

        def tick(step: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            systems = lasting(plan, folder)
            steps(monkeypatch, tick, systems)
            run(plan, systems, folder)
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_no_effect_is_lost_and_none_comes_twice(tmp_path: Path) -> None:
    plan, point = the_plan(), 0
    while True:
        point += 1
        folder = tmp_path / str(point)
        folder.mkdir()
        if not killed_at(point, plan, folder):
            break
        systems = lasting(plan, folder)
        results = run(plan, systems, folder)
        told = f"killed at step {point}: {results}"
        assert {r.outcome for r in results.values()} <= {"done", "already"}, told
        effects = Counter((system.source, *write[:2]) for system in systems.values() for write in system.writes)
        assert len(effects) == ACTIONS and set(effects.values()) == {1}, told
        assert Journal.of(folder).check().problem is None, told
        assert open_intents(Journal.of(folder).entries()) == []
    assert point > 15 * ACTIONS


@pytest.mark.parametrize("name", ["pwrite", "fsync", "open", "ftruncate"])
@pytest.mark.parametrize("problem", [28, 5], ids=["ENOSPC", "EIO"])
def test_a_full_or_broken_disk_lets_nothing_be_written_that_is_not_in_the_journal(
    name: str, problem: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, point, failed = the_plan(), 0, True
    while failed:
        point, failed = point + 1, False
        folder = tmp_path / str(point)
        folder.mkdir()
        systems, left = systems_for(plan), [point]

        def tick(step: str, left: list[int] = left) -> None:
            left[0] -= step == name
            if left[0] == 0 and step == name:
                raise OSError(problem, os.strerror(problem))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda handle: tick("fsync"))
            for other in ("pwrite", "open", "ftruncate"):
                patch.setattr(os, other, _failing(other, tick))
            try:
                run(plan, systems, folder)
            except ReconcilerError:
                failed = True
        known = attempts(plan.plan, Journal.of(folder).check().entries)
        intended = {(a.intent.facts["source"], a.intent.facts["n"]) for a in known.values() if a.intent}
        written = sum(len(system.writes) for system in systems.values())
        assert written <= len(intended), f"{name} {point}"
        results = run(plan, systems, folder)
        assert {r.outcome for r in results.values()} <= {"done", "already"}, f"{name} {point}: {results}"
        assert sum(len(system.writes) for system in systems.values()) == ACTIONS


def _failing(name: str, tick: Callable[[str], None]) -> Callable[..., Any]:
    real = getattr(os, name)

    def call(*words: Any, **more: Any) -> Any:
        tick(name)
        return real(*words, **more)

    return call
