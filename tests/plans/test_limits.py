"""How much a plan may change: one below, at and one above, per class, source and department, on one day and over seven."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.config_sections import Limit
from reconciler.journal import Journal
from reconciler.limits import Population, limits_of, stopped, week_of, words
from reconciler.sealed import Action
from tests.plans.memory import NOW, action

DEFAULT = {"default": Limit(count=10, percent=2), "rolling_7d": Limit(count=None, percent=5)}


def disables(number: int, **more: Any) -> list[Action]:
    return [action(n, **more) for n in range(1, number + 1)]


def rows(actions: list[Action], people: int, limits: dict[str, Limit] | None = None, week: Any = None, **departments: int) -> Any:
    return limits_of(actions, {"ad": Population(people, departments)}, DEFAULT if limits is None else limits, week or {})


AMOUNTS = [
    ("nine of twenty people", 9, 20, False), ("ten of twenty: the count", 10, 20, False), ("eleven of twenty", 11, 20, True),
    ("twenty of a thousand: the percentage", 20, 1000, False), ("twenty-one of a thousand", 21, 1000, True),
    ("two hundred of ten thousand", 200, 10_000, False), ("two hundred and one of ten thousand", 201, 10_000, True),
    ("eleven where nobody is known to be", 11, 0, True),
]  # fmt: skip


@pytest.mark.parametrize(("planned", "people", "over"), [a[1:] for a in AMOUNTS], ids=[a[0] for a in AMOUNTS])
def test_over_both_count_and_percentage_is_over(planned: int, people: int, over: bool) -> None:
    (row,) = rows(disables(planned), people)
    assert (row["planned"], row["stopped"]) == (planned, over)


SETTINGS = [
    ("a count of 0 forbids", {"disable": Limit(count=0, percent=None)}, 1, True), ("100 percent lifts", {"disable": Limit(count=None, percent=100)}, 90, False),
    ("a class of its own", {"disable": Limit(count=30, percent=0)}, 30, False), ("and one more", {"disable": Limit(count=30, percent=0)}, 31, True),
    ("a remedy's", {"some-remedy": Limit(count=2, percent=0)}, 3, True), ("nothing set", {}, 11, True),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "planned", "over"), [s[1:] for s in SETTINGS], ids=[s[0] for s in SETTINGS])
def test_settings(limits: dict[str, Limit], planned: int, over: bool) -> None:
    assert [row["stopped"] for row in rows(disables(planned), 100, limits)] == [over]


def test_a_remedys_limit_holds_where_others_ask_for_the_same_class() -> None:
    mixed = [*disables(1), replace(action(2), remedy="another-remedy")]
    assert [row["stopped"] for row in rows(mixed, 100, {**DEFAULT, "some-remedy": Limit(count=0, percent=None)})] == [True]


def test_a_person_in_twelve_groups_is_one() -> None:
    taken = [action(n, "entitlement", True, False, target=f"g-{n}", account="a-1") for n in range(1, 13)]
    assert [(row["planned"], row["stopped"]) for row in rows(taken, 50)] == [(1, False)]


def test_one_class_is_stopped_and_the_others_go_on() -> None:
    group = action(99, "entitlement", True, False, target="g")
    told = rows([*disables(11), group], 100)
    over = stopped(disables(1)[0], told)
    assert over is not None and words(over) == "11 accounts on ad would see disable; 10 of 100 are allowed"
    assert stopped(group, told) is None


def test_a_department_that_loses_too_many_is_stopped_though_the_company_does_not() -> None:
    sales, legal = disables(20, department="Sales"), [replace(action(n), department="Legal") for n in (31, 32)]
    told = rows([*sales, *legal], 5000, Sales=30, Legal=40)
    assert (stopped(sales[0], told) or {}).get("department") == "Sales"
    assert stopped(legal[0], told) is None


def test_a_slow_bleed_is_stopped_within_seven_days(tmp_path: Path) -> None:
    """Two in a hundred a night, each night within its limit: five percent in seven days are not passed."""
    journal, done = Journal.of(tmp_path), 0
    for night in range(14):
        now = NOW + timedelta(days=night)
        tonight = [action(done + n, account=f"a-{done + n}") for n in range(1, 21)]
        if rows(tonight, 1000, week=week_of(journal.entries(), now))[0]["stopped"]:
            break
        for each in tonight:
            facts = {"outcome": "done", "source": "ad", "limit": "disable", "account": each.account["id"]}
            journal.append("outcome", now, plan="p", n=each.n, **facts)
        done += 20
    assert (night, done) == (2, 40)
    assert not rows(tonight, 1000, week=week_of(journal.entries(), NOW + timedelta(days=9)))[0]["stopped"], "a week later"
