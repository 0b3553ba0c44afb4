"""Cron's five fields, by cron's own meaning, over clocks that jump."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.cron import next_after, parse
from reconciler.schedule import Nightly

DUE = [
    ("every night", "5 2 * * *", "2026-11-22T02:05:00", "UTC", "2026-11-23T02:05:00"),
    ("0 is Sunday", "0 2 * * 0", "2026-11-23T00:00:00", "UTC", "2026-11-29T02:00:00"),
    ("7 is Sunday", "0 2 * * 7", "2026-11-23T00:00:00", "UTC", "2026-11-29T02:00:00"),
    ("Monday to Friday", "0 2 * * 1-5", "2026-11-27T03:00:00", "UTC", "2026-11-30T02:00:00"),
    ("by name", "0 2 * * sun", "2026-11-23T00:00:00", "UTC", "2026-11-29T02:00:00"),
    ("either day field will do", "0 2 1 * 1", "2026-11-24T00:00:00", "UTC", "2026-11-30T02:00:00"),
    ("the clocks skip it in London", "30 1 * * *", "2026-03-28T12:00:00", "Europe/London", "2026-03-29T01:30:00"),
    ("it comes twice in London and is due once", "30 1 * * *", "2026-10-25T00:30:00", "Europe/London", "2026-10-26T01:30:00"),
    ("by Auckland's clocks", "5 2 * * *", "2026-11-22T00:00:00", "Pacific/Auckland", "2026-11-22T13:05:00"),
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("text", "after", "zone", "due"), [case[1:] for case in DUE], ids=[case[0] for case in DUE])
def test_due(text: str, after: str, zone: str, due: str) -> None:
    assert next_after(parse(text), at(after), zone) == at(due)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "* * 0 * *"]
)
def test_what_cron_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"field|range|understood|ends before"):
        parse(text)


def test_a_missed_night_is_caught_up_with_once() -> None:
    now = at("2026-11-25T12:00:00")
    nightly = Nightly(parse("5 2 * * *"), "UTC", at("2026-11-20T02:05:00"))
    assert nightly.get_next_fire_time(None, now) == now
    assert nightly.get_next_fire_time(now, now) == at("2026-11-26T02:05:00")
