"""What tonight says about last night's findings, and what it may not say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import drift, plugins
from reconciler.answers import Asked, Unread
from reconciler.evaluate import evaluate
from reconciler.findings import Findings, Part, id_text
from reconciler.policy import policy_in

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
LEAVER = {"person": {"status": "left", "last_day": datetime(2026, 11, 8).date()}, "holds": [{"name": "Finance-RW"}]}
HOUSE: dict[str, Any] = {"more_accounts": [{"source": "m365"}]}

NOTHING_UNREAD = Unread()

Label = Callable[..., dict[str, Part]]


@pytest.fixture
def label(build: Any) -> Label:
    """One night: the facts, what could not be read, and last night's findings."""

    def night(
        case: dict[str, Any],
        last: dict[str, Part],
        unread: Unread = NOTHING_UNREAD,
        closed: dict[str, datetime] | None = None,
        days: int = 0,
    ) -> dict[str, Part]:
        policies = [policy_in(plugins.load("policies", name)) for name in plugins.names("policies")]
        estate = build({**HOUSE, **case})
        answers = evaluate([Asked(p, {}, p.severity) for p in policies], estate, unread)
        before = lambda ids: {i: (closed or {})[i] for i in ids if i in (closed or {})}  # noqa: E731
        return drift.label(answers, last, drift.doubt(estate.matches), NOW + timedelta(days=days), before)

    return night


def states(parts: dict[str, Part]) -> dict[tuple[str, str], str]:
    return {(f.policy, f.source): f.state for f in Findings(tuple(parts.values()), {})}


LEAVING = {("leaver-account-enabled", "ad"), ("leaver-account-enabled", "m365"), ("leaver-access-kept", "ad")}


def test_the_first_night_finds_everything_new(label: Label) -> None:
    assert states(label(LEAVER, {})) == dict.fromkeys(LEAVING, "new")


def test_the_next_night_finds_it_open_and_remembers_when_it_began(label: Label) -> None:
    first = label(LEAVER, {})
    second = label(LEAVER, first, days=1)
    assert states(second) == dict.fromkeys(LEAVING, "open")
    seen = {(f.first_seen, f.last_seen) for f in Findings(tuple(second.values()), {})}
    assert seen == {(NOW, NOW + timedelta(days=1))}


def test_what_is_mended_is_resolved_once(label: Label) -> None:
    mended = label({}, label(LEAVER, {}))
    assert states(mended) == dict.fromkeys(LEAVING, "resolved")
    assert states(label({}, mended)) == {}


def test_what_comes_back_is_reopened_with_its_first_day(label: Label) -> None:
    first = label(LEAVER, {})
    closed = {id_text(int(number)): NOW for part in first.values() for number in part.ids}
    again = label(LEAVER, label({}, first), closed=closed, days=2)
    assert states(again) == dict.fromkeys(LEAVING, "reopened")
    assert {f.first_seen for f in Findings(tuple(again.values()), {})} == {NOW}


CANNOT_SAY = [
    ("the directory was not read", {}, Unread(sources={"ad": "cut off"}), {("leaver-account-enabled", "m365"): "resolved"}),
    ("the roster was not read", {"roster": "unread"}, Unread(rosters={"hr": "cut off"}), {}),
    ("the person's row is quarantined", {"defects": [{"employee_id": "1"}]}, Unread(), {}),
    ("the person's row is quarantined and nothing else is left of them", {"person": False, "defects": [{"employee_id": "1"}]}, Unread(), {}),
    ("two people claim the account", {"account": {"employee_id": "", "email": "x@y"}, "person": {"work_email": "x@y"},
     "more_people": [{"person_id": "2", "employee_id": "2", "work_email": "x@y"}], "more_accounts": []},
     Unread(sources={"m365": "cut off"}), {}),
]  # fmt: skip


@pytest.mark.parametrize(("tonight", "unread", "sure"), [case[1:] for case in CANNOT_SAY], ids=[case[0] for case in CANNOT_SAY])
def test_what_nobody_could_confirm_stays_unverified(label: Label, tonight: Any, unread: Unread, sure: Any) -> None:
    found = states(label(tonight, label(LEAVER, {}), unread))
    assert {key: found[key] for key in LEAVING} == dict.fromkeys(LEAVING, "unverified") | sure


def test_an_unverified_finding_is_confirmed_later(label: Label) -> None:
    blind = label(LEAVER, label(LEAVER, {}), Unread(sources={"ad": "cut off"}))
    assert states(label(LEAVER, blind)) == dict.fromkeys(LEAVING, "open")
    assert states(label({}, blind)) == dict.fromkeys(LEAVING, "resolved")


def test_an_unread_area_leaves_only_its_own_findings_open(label: Label) -> None:
    holds = [{"name": "Finance-RW"}, {"name": "Reader", "kind": "role"}]
    first = label({**LEAVER, "holds": holds}, {})
    second = label({**LEAVER, "holds": []}, first, Unread(areas={"ad": {"roles": "refused"}}))
    kept = {
        f.entitlement.name: f.state
        for f in Findings(tuple(second.values()), {})
        if f.policy == "leaver-access-kept" and f.entitlement
    }
    assert kept == {"Finance-RW": "resolved", "Reader": "unverified"}


def test_ids_do_not_know_names_or_order(build: Any, label: Label) -> None:
    renamed = {**LEAVER, "account": {"login": "someone.else", "display_name": "New Name"}}
    first, second = (sorted(f.id for f in Findings(tuple(label(case, {}).values()), {})) for case in (LEAVER, renamed))
    assert first == second


edges = st.lists(st.integers(0, 2**59), unique=True, max_size=60).map(lambda numbers: np.array(sorted(numbers), np.int64))


@given(edges, edges, st.integers(1, 70))
def test_membership_changes_are_set_differences(old: np.ndarray, new: np.ndarray, stretch: int) -> None:
    with mock.patch.object(drift, "_STRETCH", stretch):
        added, removed = drift.edge_changes(old, new)
    assert (set(added.tolist()), set(removed.tolist())) == (
        set(new.tolist()) - set(old.tolist()),
        set(old.tolist()) - set(new.tolist()),
    )
