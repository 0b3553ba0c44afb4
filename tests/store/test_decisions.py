"""What people decide is kept for ever; the last word counts, as long as it lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.errors import UsageError
from reconciler.store import Store
from reconciler.store_decisions import Adoption, Hold, Link, Said, Waiver
from tests.store.conftest import NOW, Save

SAID = Said("ann", NOW, "agreed with Finance")
LATER = Said("bob", NOW + timedelta(hours=1), "a mistake")
DAY = timedelta(days=1)


def test_a_link_stands_until_it_is_taken_back_and_its_history_stays(store: Store) -> None:
    store.link("ad", "a-1", "1", SAID), store.link("m365", "a-1", "2", SAID), store.link("ad", "a-1", "3", LATER)
    assert store.links_made() == {("ad", "a-1"): "3", ("m365", "a-1"): "2"}
    store.unlink("ad", "a-1", LATER)
    assert store.links_made() == {("m365", "a-1"): "2"}
    assert store.links()[2:] == [Link("ad", "a-1", "3", LATER), Link("ad", "a-1", None, LATER)]
    with pytest.raises(UsageError, match="nobody has linked ad:a-1"):
        store.unlink("ad", "a-1", LATER)


@pytest.mark.parametrize(
    ("now", "in_force"),
    [
        pytest.param(NOW, True, id="while it lasts"),
        pytest.param(NOW + DAY - timedelta(microseconds=1), True, id="at its last moment"),
        pytest.param(NOW + DAY, False, id="when it ends"),
        pytest.param(NOW + 900 * DAY, False, id="long after"),
    ],
)
def test_a_waiver_ends(store: Store, now: object, in_force: bool) -> None:
    store.waive("f-1", NOW + DAY, SAID)
    shown = {"f-1": {"until": "2026-11-23T02:05:00Z", "reason": "agreed with Finance", "by": "ann"}}
    assert store.waivers_in_force(now) == (shown if in_force else {})  # type: ignore[arg-type]


def test_a_later_waiver_replaces_an_earlier_one_even_with_less_time(store: Store) -> None:
    store.waive("f-1", NOW + 9 * DAY, SAID), store.waive("f-1", NOW + DAY, LATER)
    assert store.waivers_in_force(NOW + 2 * DAY) == {}
    assert store.waivers() == [Waiver("f-1", NOW + 9 * DAY, SAID), Waiver("f-1", NOW + DAY, LATER)]


def test_a_waiver_taken_back_is_over_and_remembered(store: Store) -> None:
    store.waive("f-1", NOW + DAY, SAID)
    store.unwaive("f-1", LATER)
    assert store.waivers_in_force(NOW) == {}
    assert store.waivers()[-1] == Waiver("f-1", None, LATER)
    with pytest.raises(UsageError, match="f-1 is not waived"):
        store.unwaive("f-1", LATER)


def test_a_waiver_that_has_ended_already_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="2026-11-22T02:05:00Z would have ended already"):
        store.waive("f-1", NOW, SAID)


def test_a_decision_without_a_reason_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        Said("ann", NOW, " ")


def test_a_hold_lasts_until_its_day(store: Store) -> None:
    store.hold("1", NOW + DAY, SAID)
    assert store.holds(NOW) == {"1": Hold("1", NOW + DAY, SAID)}
    assert store.holds(NOW + DAY) == {}


def test_only_a_complete_run_is_adopted(store: Store, save: Save) -> None:
    save("r1"), save("r2", complete=False)
    store.adopt("r1", SAID)
    for run in ("r2", "r3"):
        with pytest.raises(UsageError, match=f"{run} is not a complete run"):
            store.adopt(run, SAID)
    assert store.adoptions() == [Adoption("r1", SAID)]
