"""What becomes of each change: looked at, written once, looked at again, whatever the system does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying import Applied
from reconciler.attempt import Pace, Result, Stop
from reconciler.errors import SourceError
from reconciler.journal import Journal
from reconciler.sealed import Waves
from reconciler.writer import Change, Changed, Refused, Unknown
from tests.plans.memory import System, action, plan_of, run, systems_for


def once(step: str, problem: Exception) -> Callable[[str, Change], None]:
    """The first time at this step, this happens."""
    left = [problem]

    def trouble(at: str, change: Change) -> None:
        if at == step and left:
            raise left.pop()

    return trouble


def always(step: str, problem: Exception) -> Callable[[str, Change], None]:
    def trouble(at: str, change: Change) -> None:
        if at == step:
            raise problem

    return trouble


CHANGES = [
    ("enabled", True, False, None), ("entitlement", True, False, "g-1"), ("attribute", "Sales", None, "department"),
    ("container", "OU=A", "OU=B", None), ("sessions", None, "revoked", None), ("delete", "live", "deleted", None),
    ("owner", "a-1", "a-2", "g-1"), ("transfer", None, "transferred", "a-2"),
    ("create", None, {"employee_id": "000001", "email": "x@example.com"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "before", "after", "target"), CHANGES, ids=[c[0] for c in CHANGES])
def test_every_kind_of_change_is_made_once_and_told_as_made_the_second_time(
    kind: str, before: Any, after: Any, target: str | None, tmp_path: Path
) -> None:
    plan = plan_of([action(1, kind, before, after, target=target, account=None if kind == "create" else "a-1")])
    systems = systems_for(plan)
    assert run(plan, systems, tmp_path)[1].outcome == "done"
    assert run(plan, systems, tmp_path)[1].outcome == "already"
    assert len(systems["ad"].writes) == 1


@pytest.mark.parametrize(("kind", "before", "after", "target"), CHANGES, ids=[c[0] for c in CHANGES])
@pytest.mark.parametrize("step", ["before", "after"])
def test_a_lost_answer_is_settled_by_reading_back(
    step: str, kind: str, before: Any, after: Any, target: str | None, tmp_path: Path
) -> None:
    plan = plan_of([action(1, kind, before, after, target=target, account=None if kind == "create" else "a-1")])
    systems = systems_for(plan)
    systems["ad"].trouble = once(step, Unknown("cut"))
    assert run(plan, systems, tmp_path)[1].outcome == "done"
    assert len(systems["ad"].writes) == 1


TROUBLES = [
    ("somebody changed it before", {("a-1", "enabled", None): False}, None, "already", 0),
    ("it holds something else", {("a-1", "enabled", None): None}, None, "stale", 0),
    ("it is gone", {}, None, "stale", 0),
    ("it cannot be read", {("a-1", "enabled", None): True}, always("state", SourceError("down")), "failed", 0),
    ("the system declines", {("a-1", "enabled", None): True}, always("before", Refused("no right")), "refused", 0),
    ("it changed between the look and the write", {("a-1", "enabled", None): True}, once("before", Changed("x")), "stale", 0),
    ("no answer ever comes", {("a-1", "enabled", None): True}, always("before", Unknown("cut")), "unknown", 0),
]  # fmt: skip


@pytest.mark.parametrize(("held", "trouble", "outcome", "writes"), [t[1:] for t in TROUBLES], ids=[t[0] for t in TROUBLES])
def test_each_trouble_has_its_outcome(held: Any, trouble: Any, outcome: str, writes: int, tmp_path: Path) -> None:
    plan = plan_of([action(1)])
    system = System(held=dict(held), **({"trouble": trouble} if trouble else {}))
    assert run(plan, {"ad": system}, tmp_path)[1].outcome == outcome
    assert len(system.writes) == writes


def test_what_is_not_to_be_seen_in_time_is_unknown_and_found_by_the_next_apply(tmp_path: Path) -> None:
    plan = plan_of([action(1)])
    systems = systems_for(plan)
    systems["ad"].lag = 5
    assert run(plan, systems, tmp_path)[1].outcome == "unknown"
    systems["ad"]._old.clear()
    assert run(plan, systems, tmp_path)[1].outcome == "already"
    assert len(systems["ad"].writes) == 1


def test_a_read_that_lags_is_waited_for(tmp_path: Path) -> None:
    plan = plan_of([action(n) for n in (1, 2, 3)])
    systems = systems_for(plan)
    systems["ad"].lag, systems["ad"].settles = 2, 5.0
    pace = Pace(10**6, lambda seconds: None)
    assert {r.outcome for r in run(plan, systems, tmp_path, pace=pace).values()} == {"done"}


def test_an_action_whose_need_failed_is_not_sent(tmp_path: Path) -> None:
    first, second = action(1), action(2, "sessions", None, "revoked", account="a-1", needs=(1,))
    systems = systems_for(plan := plan_of([first, second]))
    systems["ad"].trouble = once("before", Refused("no right"))
    results = run(plan, systems, tmp_path)
    assert (results[1].outcome, results[1].counted) == ("refused", "failed")
    assert (results[2].outcome, results[2].counted) == ("refused", "skipped")
    assert "it needs action 1" in results[2].detail


def test_the_first_wave_is_small_and_three_failures_in_it_stop_the_rest(tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 101)]))
    systems["ad"].trouble = always("before", Refused("no right"))
    results = run(plan, systems, tmp_path)
    assert sum(r.counted == "failed" for r in results.values()) == 3
    assert results[100].detail == "not sent: 3 failures in wave 1"
    systems["ad"].trouble = lambda step, change: None
    assert {r.outcome for r in run(plan, systems, tmp_path).values()} == {"done"}, "and it can be applied again"


def test_every_system_has_its_share_of_each_wave(tmp_path: Path) -> None:
    mixed = [action(n, source="ad" if n <= 20 else "m365" if n <= 30 else "google") for n in range(1, 41)]
    order: list[str] = []
    plan = plan_of(mixed, Waves((4, 36)))
    run(plan, systems_for(plan), tmp_path, told=lambda a, result: order.append(a.source))
    assert sorted(order[:4]) == ["ad", "ad", "google", "m365"]


@pytest.mark.parametrize("at", range(0, 12, 3))
def test_the_kill_switch_is_heeded_within_one_action(at: int, tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 12)]))
    stop = Stop(look=lambda: "the kill switch" if len(systems["ad"].writes) >= at else None)
    results = run(plan, systems, tmp_path, stop)
    assert len(systems["ad"].writes) == at
    assert {r.detail for r in results.values() if r.outcome != "done"} == {"not sent: the kill switch"}


def test_a_hold_set_meanwhile_goes_before_the_plan(tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 6)]))
    results = run(plan, systems, tmp_path, objection=lambda a: "on hold" if a.n == 3 else None)
    assert [n for n, r in results.items() if r.outcome != "done"] == [3]


def test_no_more_is_sent_in_a_minute_than_allowed(tmp_path: Path) -> None:
    naps: list[float] = []
    pace = Pace(3, lambda seconds: naps.append(seconds))
    pace._sent.extend([0.0] * 0)
    for _ in range(3):
        pace.take()
    assert naps == []
    pace.pause = lambda seconds: (naps.append(seconds), pace._sent.popleft())
    pace.take()
    assert 59 < naps[0] <= 60


def test_every_effect_has_an_intent_before_it_in_the_journal(tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 20)]))
    seen: list[int] = []
    systems["ad"].trouble = lambda step, change: seen.append(_intents(tmp_path)) if step == "before" else None
    run(plan, systems, tmp_path)
    assert seen == list(range(1, 20))


def _intents(folder: Path) -> int:
    return sum(entry.kind == "intent" for entry in Journal.of(folder).entries())


def test_a_signal_lets_the_change_under_way_finish_and_sends_no_other(tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 12)]))
    stop = Stop()
    systems["ad"].trouble = lambda step, change: stop.interrupted.set() if step == "after" else None
    results = run(plan, systems, tmp_path, stop)
    assert [n for n, r in results.items() if r.outcome == "done"] == [1]
    assert {r.detail for n, r in results.items() if n > 1} == {"not sent: interrupted by a signal"}


def test_a_fault_of_a_writer_ends_the_apply_and_leaves_its_change_to_be_looked_at(tmp_path: Path) -> None:
    systems = systems_for(plan := plan_of([action(n) for n in range(1, 12)]))
    systems["ad"].trouble = once("after", ZeroDivisionError("a fault"))  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        run(plan, systems, tmp_path)
    assert len(systems["ad"].writes) == 1
    assert {r.outcome for r in run(plan, systems, tmp_path).values()} <= {"done", "already"}
    assert len(systems["ad"].writes) == 11


RESULTS = [
    ("all made", [("done", False), ("already", False)], 0), ("one was stale", [("done", False), ("stale", False)], 7),
    ("one was held back by us", [("done", False), ("stale", False), ("refused", True)], 6),
    ("the system declined one", [("done", False), ("refused", False), ("refused", True)], 8),
    ("one is unknown", [("unknown", False), ("stale", False)], 8), ("one could not be read", [("failed", False)], 8),
]  # fmt: skip


@pytest.mark.parametrize(("told", "code"), [r[1:] for r in RESULTS], ids=[r[0] for r in RESULTS])
def test_the_exit_code_is_the_gravest(told: list[tuple[str, bool]], code: int) -> None:
    results = {n: Result(n, outcome, ours=ours) for n, (outcome, ours) in enumerate(told, 1)}
    applied = Applied(plan_of([action(n) for n in results]), results, "head")
    assert applied.exit == code
    counts = applied.to_json()
    assert sum(counts[name] for name in ("applied", "already", "skipped", "failed", "unknown")) == len(told)
