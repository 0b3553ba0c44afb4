"""Groups short of their own total and permissions that are gone, night against night."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler import totals


def night(scopes: Any = (), rights: Any = ()) -> Any:
    """As much of a snapshot as is looked at."""
    told = [{"scope": name, "rows": rows, "declared": declared, "lags": lags} for name, rows, declared, lags in scopes]
    held = [{"permission": name, "held": held, "told": "by the token", "essential": must} for name, held, must in rights]
    return SimpleNamespace(manifest={"scopes": told, "rights": held})


@pytest.mark.parametrize(
    ("last", "now", "doubted"),
    [
        (None, [("members of a", 3, 5, True)], True),
        (None, [("members of a", 5, 5, True), ("users", 9, None, False)], False),
        ([("members of a", 3, 5, True)], [("members of a", 4, 6, True)], False),
        ([("members of a", 3, 5, True)], [("members of a", 3, 6, True)], True),
        ([("members of b", 3, 5, True)], [("members of a", 3, 5, True)], True),
    ],
    ids=["short", "whole", "as short as was accepted", "shorter than was accepted", "another one was accepted"],
)
def test_a_short_group_is_doubted(last: Any, now: Any, doubted: bool) -> None:
    assert bool(list(totals.short(night(now), None if last is None else night(last)))) is doubted


def test_many_short_groups_are_counted_and_some_are_named() -> None:
    told = list(totals.short(night([(f"members of {at}", 1, 2, True) for at in range(9)]), None))
    assert len(told) == totals.LISTED + 1 and told[-1] == "9 groups in all are short of their own totals"


@pytest.mark.parametrize(
    ("before", "now", "essential", "doubted"),
    [(True, False, True, True), (False, False, True, False), (True, True, True, False), (True, False, False, False)],
    ids=["lost", "never held", "held", "an optional area speaks for itself"],
)
def test_a_permission_that_is_gone_is_doubted(before: bool, now: bool, essential: bool, doubted: bool) -> None:
    last, new = (night(rights=[("User.Read.All", held, essential)]) for held in (before, now))
    assert bool(list(totals.lost_rights(new, last))) is doubted
    assert list(totals.lost_rights(new, None)) == []


def test_what_is_held_is_told_in_a_sentence() -> None:
    told = totals.rights(night(rights=[("User.Read.All", True, True), ("Device.Read.All", False, False)]))
    assert told == "1 of 2 permissions seen to be held; not Device.Read.All"
