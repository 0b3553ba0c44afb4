"""When a day is over, where it is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from reconciler.clock import duration, duration_text, end_of_day, start_of_day

ENDS = [
    ("an ordinary day in London", date(2026, 11, 21), "Europe/London", "2026-11-22T00:00:00"),
    ("Auckland is ahead", date(2026, 11, 21), "Pacific/Auckland", "2026-11-21T11:00:00"),
    ("Pago Pago is behind", date(2026, 11, 21), "Pacific/Pago_Pago", "2026-11-22T11:00:00"),
    ("Kiritimati is furthest ahead", date(2026, 11, 21), "Pacific/Kiritimati", "2026-11-21T10:00:00"),
    ("midnight is skipped in Santiago", date(2024, 9, 7), "America/Santiago", "2024-09-08T04:00:00"),
    ("23 o'clock comes twice in Santiago", date(2024, 4, 6), "America/Santiago", "2024-04-07T04:00:00"),
    ("midnight is skipped in Cairo", date(2024, 4, 25), "Africa/Cairo", "2024-04-25T22:00:00"),
    ("midnight is skipped in Beirut", date(2024, 3, 30), "Asia/Beirut", "2024-03-30T22:00:00"),
    ("Apia had no 30 December 2011", date(2011, 12, 29), "Pacific/Apia", "2011-12-30T10:00:00"),
    ("the hour that comes twice is after midnight in the Azores", date(2026, 10, 24), "Atlantic/Azores", "2026-10-25T00:00:00"),
]


@pytest.mark.parametrize(("day", "zone", "ends"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_a_day_ends(day: date, zone: str, ends: str) -> None:
    assert end_of_day(day, zone) == datetime.fromisoformat(ends).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", sorted(available_timezones())[::9])
def test_the_calendar_turns_exactly_then(zone: str) -> None:
    """Every day of a year: a second before it is still the day (or an earlier one), from then on a later one."""
    local, second = ZoneInfo(zone), timedelta(seconds=1)
    for number in range(366):
        day = date(2024, 1, 1) + timedelta(days=number)
        end = end_of_day(day, zone)
        assert (end - second).astimezone(local).date() <= day < end.astimezone(local).date()


def test_a_day_begins_where_the_one_before_ends() -> None:
    assert start_of_day(date(2026, 11, 22), "Asia/Tokyo") == end_of_day(date(2026, 11, 21), "Asia/Tokyo")


@pytest.mark.parametrize("text", ["30m", "36h", "14d", "2w", "0h"])
def test_durations_read_back(text: str) -> None:
    assert duration(duration_text(duration(text))) == duration(text)


@pytest.mark.parametrize("text", ["", "h", "3", "-1d", "1.5h", "1 day", "9999999d", "٣d"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)
