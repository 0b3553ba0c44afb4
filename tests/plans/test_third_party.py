"""Somebody else edits between the plan and the apply, and between the apply and the undo: nothing of theirs is overwritten.

RECONCILER_EDITS (default 300) says how many edits are made; the seed is fixed.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.journal import Journal
from reconciler.outcomes import touched
from reconciler.sealed import Action, Plan
from reconciler.writer import Change
from tests.plans.memory import System, action, plan_of, run, systems_for

EDITS = int(os.environ.get("RECONCILER_EDITS", "300"))
KINDS: list[tuple[str, Any, Any, str | None, list[Any]]] = [
    ("enabled", True, False, None, [False, None]), ("entitlement", True, False, "g-1", [False]),
    ("attribute", "Sales", "Legal", "department", ["Legal", "Finance", None, ""]), ("container", "OU=A", "OU=B", None, ["OU=C"]),
    ("owner", "a-1", "a-2", "g-9", ["a-3", "a-2"]), ("delete", "live", "deleted", None, ["deleted", None]),
]  # fmt: skip


def changes(number: int) -> list[Action]:
    made = []
    for n in range(1, number + 1):
        kind, before, after, target, _ = KINDS[n % len(KINDS)]
        made.append(action(n, kind, before, after, target=target, source=("ad", "m365", "google")[n % 3]))
    return made


def edited(a: Action, systems: dict[str, System], dice: random.Random, plan: str) -> Any:
    """Somebody sets it to something else, deletes the object, or deletes it and makes another of the same name."""
    place = System.place(a.change(plan))
    choice = dice.choice([*KINDS[a.n % len(KINDS)][4], "gone", "another"])
    if choice in ("gone", "another"):
        del systems[a.source].held[place]
        if choice == "another":
            systems[a.source].held[f"{a.account['id']}-again", *place[1:]] = a.before
        return None
    systems[a.source].held[place] = choice
    return choice


def everything(systems: dict[str, System]) -> dict[Any, Any]:
    return {(name, *place): value for name, system in systems.items() for place, value in system.held.items()}


@pytest.mark.parametrize("when", ["before the apply", "between the look and the write"])
def test_no_edit_between_plan_and_apply_is_overwritten(when: str, tmp_path: Path) -> None:
    dice, plan = random.Random(f"edits {when}"), plan_of(changes(EDITS))
    systems = systems_for(plan)
    if when == "before the apply":
        for a in plan.actions:
            edited(a, systems, dice, plan.plan)
        theirs = everything(systems)
    else:
        theirs = _edited_at_the_last_moment(plan, systems, dice)
    results = run(replace(plan, waves=replace(plan.waves, stop_after=10**6)), systems, tmp_path)
    assert {r.outcome for r in results.values()} <= {"stale", "already"}
    assert [w for system in systems.values() for w in system.writes] == []
    assert everything(systems) == theirs


def _edited_at_the_last_moment(plan: Plan, systems: dict[str, System], dice: random.Random) -> dict[Any, Any]:
    """The edit happens when the write has been sent and not arrived: only the system itself can see it."""
    theirs = everything(systems)
    by_place = {(a.source, System.place(a.change(plan.plan))): a for a in plan.actions}
    for name, system in systems.items():

        def trouble(step: str, change: Change, name: str = name) -> None:
            if step == "before":
                place = System.place(change)
                edited(by_place[name, place], systems, dice, plan.plan)
                theirs.pop((name, *place))
                for key in (place, (f"{place[0]}-again", *place[1:])):
                    if key in systems[name].held:
                        theirs[name, *key] = systems[name].held[key]

        system.trouble = trouble
    return theirs


def test_undo_restores_what_we_changed_and_nothing_else(tmp_path: Path) -> None:
    """500 changes applied, every tenth changed by somebody else since; the rest comes back exactly."""
    from reconciler.plan import _reversed

    dice, plan = random.Random("undo"), plan_of(changes(EDITS))
    systems = systems_for(plan)
    before = everything(systems)
    run(plan, systems, tmp_path)
    for a in plan.actions[::10]:
        systems[a.source].held[System.place(a.change(plan.plan))] = f"theirs {dice.random()}"
    theirs = {k: v for k, v in everything(systems).items() if isinstance(v, str) and v.startswith("theirs")}
    done = touched(plan, Journal.of(tmp_path).entries())
    back = plan_of([_reversed(a, *done[a.n]) for a in reversed(plan.actions)], undoes=plan.plan)
    results = run(back, systems, tmp_path)
    assert everything(systems) == before | theirs
    assert sum(r.outcome == "stale" for r in results.values()) == len(theirs)
    assert sum(r.outcome == "done" for r in results.values()) == EDITS - len(theirs)
