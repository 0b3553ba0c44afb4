"""A system in memory that can be written to, the plans for it, and an apply without a command line around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.apply import carried_out
from reconciler.attempt import Lane, Pace, Result, Stop
from reconciler.journal import Journal
from reconciler.outcomes import attempts, open_intents
from reconciler.resolve import resolve
from reconciler.sealed import Action, Plan, Waves, seal
from reconciler.writer import Change, Changed, class_of

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


def nothing(step: str, change: Change) -> None:
    """A system without trouble."""


@dataclass
class System:
    """Accounts as plain values: (account, kind, target) -> what stands there; every write that had an effect is listed."""

    source: str = "ad"
    held: dict[tuple[str | None, str, str | None], Any] = field(default_factory=dict)
    trouble: Callable[[str, Change], None] = nothing  # called as "state", "before" and "after" each write's effect
    writes: list[tuple[str | None, str, Any]] = field(default_factory=list)
    settles: float = 0.0
    lag: int = 0  # so many reads after a write still show what was there before
    _old: dict[tuple[str | None, str, str | None], list[Any]] = field(default_factory=dict)

    @staticmethod
    def place(change: Change) -> tuple[str | None, str, str | None]:
        return (change.account if change.kind != "create" else change.after["employee_id"], change.kind, change.target)

    def identity(self) -> str:
        return f"id of {self.source}"

    def own(self) -> list[str]:
        return []

    def state(self, change: Change) -> Any:
        self.trouble("state", change)
        place = self.place(change)
        if change.kind != "create" and place not in self.held:
            raise Changed(None, "no such object")
        if self._old.get(place):
            return self._old[place].pop()
        return self.held.get(place)

    def write(self, change: Change) -> None:
        self.trouble("before", change)
        place = self.place(change)
        if change.kind not in ("create", "sessions") and self.held.get(place, change) != change.before:
            raise Changed(self.held.get(place))
        self._old[place] = [self.held.get(place)] * self.lag
        self.held[place] = {"create": f"new-{place[0]}", "sessions": f"at {len(self.writes)}"}.get(change.kind, change.after)
        self.writes.append((place[0], change.kind, change.after))
        self.trouble("after", change)

    def close(self) -> None:
        pass


def action(n: int, kind: str = "enabled", before: Any = True, after: Any = False, **more: Any) -> Action:
    source, account = more.pop("source", "ad"), more.pop("account", f"a-{n}")
    return Action(
        n, f"f-{n}", "some-remedy", source, {"id": account, "login": f"login {account}"}, {"id": f"p-{account}", "name": None},
        class_of(kind, after), kind, more.pop("target", None), before, after, "because", kind not in ("sessions", "transfer"), **more,
    )  # fmt: skip


def plan_of(actions: Iterable[Action], waves: Waves | None = None, **more: Any) -> Plan:
    told = {"snapshots": {}, "policies": "x", "directories": {"ad": "id of ad"}, "tool": "0"}
    made = Plan(
        "", "run", NOW, NOW + timedelta(hours=24), "ada", "uid:1", told, (), tuple(actions), waves=waves or Waves(), **more
    )
    return seal(made)


def systems_for(plan: Plan) -> dict[str, System]:
    """Systems that hold what the plan saw."""
    found: dict[str, System] = {}
    for a in plan.actions:
        system = found.setdefault(a.source, System(a.source))
        if a.kind != "create":
            system.held[system.place(a.change(plan.plan))] = a.before
    return found


def run(plan: Plan, systems: Mapping[str, System], folder: Path, stop: Stop | None = None, **lane: Any) -> dict[int, Result]:
    """An apply as the verb does it, gates aside: open intents first, then what is not made."""
    journal, halt = Journal.of(folder), stop or Stop()

    def note(kind: str, **facts: Any) -> Any:
        return journal.append(kind, NOW, **facts)

    resolve(open_intents(journal.entries()), systems, note, NOW, lambda seconds: None)
    made = {n: Result(n, "already") for n, a in attempts(plan.plan, journal.entries()).items() if a.made}
    lanes = {
        name: Lane(
            plan.plan, name, system, note, lane.get("pace") or Pace(10**6), halt, lane.get("objection") or (lambda a: None)
        )
        for name, system in systems.items()
    }
    return carried_out(plan, made, lanes, lane.get("told") or (lambda action, result: None))
