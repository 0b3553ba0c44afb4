"""When a cron line is due: cron's own rules, and the two days a year on which clocks change."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reconciler.cron import Cron, next_after, parse

NIGHTLY = "30 2 * * *"
LONDON, NEW_YORK, AUCKLAND, SANTIAGO = "Europe/London", "America/New_York", "Pacific/Auckland", "America/Santiago"
NUUK, LORD_HOWE = "America/Nuuk", "Australia/Lord_Howe"


def due(line: str, after: str, zone: str, times: int) -> list[str]:
    cron, instant = parse(line), datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = []
    for _ in range(times):
        instant = next_after(cron, instant, zone)
        found.append(instant.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes"))
    return found


# 22 November 2026 is a Sunday.
@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        pytest.param("5 2 * * *", "2026-11-22T02:04", ["2026-11-22T02:05", "2026-11-23T02:05"], id="every night"),
        pytest.param("5 2 * * *", "2026-11-22T02:05", ["2026-11-23T02:05"], id="strictly after"),
        pytest.param("0 1 * * 0", "2026-11-22T02:00", ["2026-11-29T01:00"], id="0 is Sunday"),
        pytest.param("0 1 * * 7", "2026-11-22T02:00", ["2026-11-29T01:00"], id="7 is Sunday too"),
        pytest.param("0 1 * * sun", "2026-11-22T02:00", ["2026-11-29T01:00"], id="so is sun"),
        pytest.param("0 1 * * 1", "2026-11-22T02:00", ["2026-11-23T01:00"], id="1 is Monday"),
        pytest.param("0 1 * * 0-5", "2026-11-27T02:00", ["2026-11-29T01:00"], id="0-5 leaves out Saturday"),
        pytest.param("0 1 * * 5-7", "2026-11-22T02:00", ["2026-11-27T01:00", "2026-11-28T01:00", "2026-11-29T01:00", "2026-12-04T01:00"], id="5-7 is Friday to Sunday"),
        pytest.param("0 1 * * FRI-SUN", "2026-11-22T02:00", ["2026-11-27T01:00", "2026-11-28T01:00", "2026-11-29T01:00"], id="by name, in capitals"),
        pytest.param("0 1 * * 1,3", "2026-11-22T02:00", ["2026-11-23T01:00", "2026-11-25T01:00", "2026-11-30T01:00"], id="a list"),
        pytest.param("0 1 * * */2", "2026-11-22T02:00", ["2026-11-24T01:00", "2026-11-26T01:00", "2026-11-28T01:00", "2026-11-29T01:00"], id="steps begin at Sunday"),
        pytest.param("0 1 * * 1-5/2", "2026-11-22T02:00", ["2026-11-23T01:00", "2026-11-25T01:00", "2026-11-27T01:00"], id="steps in a range"),
        pytest.param("0 1 13 * 5", "2026-11-08T00:00", ["2026-11-13T01:00", "2026-11-20T01:00", "2026-11-27T01:00", "2026-12-04T01:00", "2026-12-11T01:00", "2026-12-13T01:00"], id="both days restricted: either will do"),
        pytest.param("0 1 */2 * 1", "2026-11-22T02:00", ["2026-11-23T01:00", "2026-12-07T01:00"], id="a star with a step does not restrict: both must hold"),
        pytest.param("0 1 31 * *", "2026-11-22T02:00", ["2026-12-31T01:00", "2027-01-31T01:00", "2027-03-31T01:00"], id="months without a 31st"),
        pytest.param("0 0 29 feb *", "2026-11-22T02:00", ["2028-02-29T00:00", "2032-02-29T00:00"], id="a leap day"),
        pytest.param("0 0 29 2 *", "2096-03-01T00:00", ["2104-02-29T00:00"], id="the leap day that 2100 has not"),
        pytest.param("0,30 */12 * * *", "2026-11-22T00:00", ["2026-11-22T00:30", "2026-11-22T12:00", "2026-11-22T12:30", "2026-11-23T00:00"], id="twice a day, twice"),
        pytest.param("59 23 31 12 *", "2026-12-31T23:59", ["2027-12-31T23:59"], id="the last minute of a year"),
    ],
)  # fmt: skip
def test_known_dates(line: str, after: str, expected: list[str]) -> None:
    assert due(line, after, "UTC", len(expected)) == [f"{moment}+00:00" for moment in expected]


@pytest.mark.parametrize(
    ("zone", "line", "after", "expected"),
    [
        pytest.param(LONDON, "30 1 * * *", "2026-03-28T12:00", ["2026-03-29T02:30+01:00", "2026-03-30T01:30+01:00"], id="London, in the gap"),
        pytest.param(LONDON, "30 1 * * *", "2026-10-24T12:00", ["2026-10-25T01:30+01:00", "2026-10-26T01:30+00:00"], id="London, in the fold"),
        pytest.param(NEW_YORK, NIGHTLY, "2026-03-07T12:00", ["2026-03-08T03:30-04:00", "2026-03-09T02:30-04:00"], id="New York, in the gap"),
        pytest.param(NEW_YORK, "30 1 * * *", "2026-10-31T12:00", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"], id="New York, in the fold"),
        pytest.param(AUCKLAND, NIGHTLY, "2026-09-26T12:00", ["2026-09-27T03:30+13:00", "2026-09-28T02:30+13:00"], id="Auckland, in the gap"),
        pytest.param(AUCKLAND, NIGHTLY, "2026-04-04T12:00", ["2026-04-05T02:30+13:00", "2026-04-06T02:30+12:00"], id="Auckland, in the fold"),
        pytest.param(SANTIAGO, "30 0 * * *", "2026-09-05T12:00", ["2026-09-06T01:30-03:00", "2026-09-07T00:30-03:00"], id="Santiago, whose midnight is skipped"),
        pytest.param(SANTIAGO, "30 23 * * *", "2026-04-04T12:00", ["2026-04-04T23:30-03:00", "2026-04-05T23:30-04:00"], id="Santiago, whose last hour comes twice"),
        pytest.param(NUUK, "30 23 * * 6", "2026-03-28T12:00", ["2026-03-29T00:30-01:00", "2026-04-04T23:30-01:00"], id="Nuuk, skipped into the next day"),
        pytest.param(NUUK, "30 23 * * 6", "2026-03-29T00:10", ["2026-03-29T00:30-01:00"], id="Nuuk, asked on that next day"),
        pytest.param(LORD_HOWE, "10,35 2 * * *", "2026-10-03T12:00", ["2026-10-04T02:35+11:00", "2026-10-04T02:40+11:00", "2026-10-05T02:10+11:00"], id="Lord Howe, whose gap is half an hour"),
        pytest.param(NEW_YORK, "0 * * * *", "2026-11-01T00:30", ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"], id="every hour means every hour of a fold"),
        pytest.param(NEW_YORK, "0 * * * *", "2026-03-08T00:30", ["2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00"], id="every hour means no hour twice in a gap"),
        pytest.param(LONDON, "5 2 * * *", "2026-06-30T12:00", ["2026-07-01T02:05+01:00"], id="by local clocks, not UTC"),
    ],
)  # fmt: skip
def test_clocks_that_change(zone: str, line: str, after: str, expected: list[str]) -> None:
    assert due(line, after, zone, len(expected)) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("", "has 0 fields", id="empty"),
        pytest.param("5 2 * *", "has 4 fields", id="four fields"),
        pytest.param("5 2 * * * root", "has 6 fields", id="six fields"),
        pytest.param("@daily", "has 1 fields", id="a nickname"),
        pytest.param("60 2 * * *", "minute '60' is out of range; allowed: 0 to 59", id="minute 60"),
        pytest.param("5 24 * * *", "hour '24' is out of range", id="hour 24"),
        pytest.param("5 2 0 * *", "day of month '0' is out of range", id="day 0"),
        pytest.param("5 2 * 13 *", "month '13' is out of range; allowed: 1 to 12 or jan", id="month 13"),
        pytest.param("5 2 * * 8", "day of week '8' is out of range; allowed: 0 to 7 or sun", id="weekday 8"),
        pytest.param("5 2 * * monday", "day of week 'monday' is out of range", id="a whole word"),
        pytest.param("5 2 * * 5-1", "ends before it begins", id="a range backwards"),
        pytest.param("*/0 2 * * *", "'*/0' is not understood", id="step 0"),
        pytest.param("*/00 2 * * *", "'*/00' is not understood", id="step 00"),
        pytest.param("5,,6 2 * * *", "minute '' is not understood", id="a hole in a list"),
        pytest.param("*-5 2 * * *", "'*-5' is not understood", id="star to five"),
        pytest.param("-5 2 * * *", "'-5' is not understood", id="a minus"),
        pytest.param("5 2 L * *", "day of month 'l' is out of range", id="a word of another cron"),
        pytest.param("٥ 2 * * *", "is not understood", id="other digits"),
        pytest.param("0 0 30 2 *", "is never due: month 2 has no day 30", id="30 February"),
        pytest.param("0 0 31 4,6,9,11 *", "is never due", id="the 31st of short months"),
    ],
)
def test_what_is_refused(line: str, words: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(line)
    assert words in str(refused.value)


def test_an_impossible_day_beside_a_weekday_is_due_on_the_weekday() -> None:
    assert due("0 1 30 2 1", "2026-01-31T00:00", "UTC", 2) == ["2026-02-02T01:00+00:00", "2026-02-09T01:00+00:00"]


def by_the_minute(cron: Cron, instant: datetime) -> datetime:
    """The slow way: look at every minute."""
    moment = instant.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while not (moment.minute in cron.minutes and moment.hour in cron.hours and cron.on(moment.date())):
        moment += timedelta(minutes=1)
    return moment


def test_agrees_with_looking_at_every_minute() -> None:
    rolled = random.Random(7)
    for _ in range(150):
        minute, hour, weekday = (
            rolled.randrange(60),
            rolled.choice(["*", "*/5", "3", "22-23"]),
            rolled.choice(["*", "1-5", "0,6"]),
        )
        cron = parse(f"{minute} {hour} * * {weekday}")
        instant = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rolled.randrange(366 * 86400))
        assert next_after(cron, instant, "UTC") == by_the_minute(cron, instant)
