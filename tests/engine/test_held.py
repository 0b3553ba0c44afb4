"""Memberships that the listings lack, asked for one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from reconciler.certificate import certify
from reconciler.connector import Page
from reconciler.held import MOST, Kept, Pair, kept
from reconciler.plausible import Band
from tests.engine.test_plausible import Source, accounts, groups, staff


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def pages(members: int, others: int = 3) -> tuple[Page, ...]:
    return (accounts(staff()), *groups({"a": members, "b": others}, "group"))


@pytest.mark.parametrize(
    ("answer", "doubted", "found"),
    [
        (True, True, "5 missing: 5 held all the same"),
        (False, False, "5 missing: 5 gone when asked for"),
        (None, False, "5 missing: 5 not to be proven"),
    ],
    ids=["held", "gone", "nobody can tell"],
)
def test_what_a_listing_lacks_is_asked_for(source: Source, answer: bool | None, doubted: bool, found: str) -> None:
    last = source.night(*pages(20))
    new = source.night(*pages(15))

    def ask(wanted: Sequence[Pair]) -> Mapping[Pair, bool]:
        return {} if answer is None else dict.fromkeys(wanted, answer)

    verdict = certify(new, last, [last], Band(), None, ask)
    assert any("held when asked for one by one" in reason for reason in verdict.reasons) is doubted
    assert any(check["check"] == "members" and check["found"].startswith(found) for check in verdict.told)


def test_no_more_than_a_hundred_are_asked_for(source: Source) -> None:
    last = source.night(accounts(staff(400)), *groups({"a": 300}, "group"))
    asked: list[Pair] = []
    shown = kept(source.night(accounts(staff(400)), *groups({"a": 1}, "group")), last, lambda pairs: asked.extend(pairs) or {})  # type: ignore[func-returns-value]
    assert (len(asked), len(set(asked)), shown.lost) == (MOST, MOST, 299)


def test_who_or_what_is_gone_is_not_asked_for(source: Source) -> None:
    last = source.night(*pages(20))
    assert kept(source.night(accounts(staff()[10:]), *groups({"b": 0}, "group")), last, lambda pairs: {}).lost == 0
    assert Kept().told() == "nothing that was held directly is missing"
