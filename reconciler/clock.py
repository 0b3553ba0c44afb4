"""Days and durations: when a calendar day begins and ends in a person's own zone, and how spans are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH, _DAY_ONE = datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1).toordinal()

DURATION_FORMS = 'a number and a unit: "30m", "36h", "14d" or "2w"'
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def duration(text: str) -> timedelta:
    """A span of time from its text; raises ValueError naming the allowed forms."""
    found = re.fullmatch(r"([0-9]{1,6})([mhdw])", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write {DURATION_FORMS}")
    return int(found[1]) * _UNITS[found[2]]


def duration_text(span: timedelta) -> str:
    """The shortest text that `duration` reads back: whole days as days, else hours, else minutes."""
    minutes = int(span.total_seconds() // 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m" if minutes else "0h"


@lru_cache(maxsize=200_000)
def end_of_day(day: date, zone: str) -> datetime:
    """The instant (UTC) at which `day` is over in `zone`: from then on its calendar shows a later date.

    Midnight may be skipped (Santiago, Cairo), come twice (when 00:00 falls back to 23:00) or a whole day may be
    missing (Apia, 30 December 2011). Raises OverflowError for 31 December 9999.
    """
    next_day = day + timedelta(days=1)
    midnight = datetime(next_day.year, next_day.month, next_day.day, tzinfo=ZoneInfo(zone))
    first, second = midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC)
    if first == second:
        return first
    if first < second:  # midnight comes twice: the day is over at the second if the clock fell back into it
        before = (second - timedelta(seconds=1)).astimezone(midnight.tzinfo).date()
        return second if before == day else first
    return _first_instant_on(next_day, second, first, midnight.tzinfo)


def starts_of_days(days: Iterable[int], zone: str) -> Iterator[int | None]:
    """`start_of_day` of many days (numbered from 1970), as microseconds; None where the calendar ends."""
    place, day_long, offsets = ZoneInfo(zone), 86_400_000_000, dict[timedelta | None, int]()
    for number in days:
        try:
            midnight = datetime.fromordinal(number + _DAY_ONE).replace(tzinfo=place)
        except (ValueError, OverflowError):
            yield None
            continue
        offset = midnight.utcoffset()
        if offset != midnight.replace(fold=1).utcoffset():  # midnight is skipped or comes twice
            yield (start_of_day(midnight.date(), zone) - _EPOCH) // timedelta(microseconds=1)
            continue
        if offset not in offsets:
            offsets[offset] = (offset or timedelta()) // timedelta(microseconds=1)
        yield number * day_long - offsets[offset]


def start_of_day(day: date, zone: str) -> datetime:
    """The instant (UTC) at which `day` begins in `zone`."""
    return end_of_day(day - timedelta(days=1), zone)


def _first_instant_on(day: date, low: datetime, high: datetime, zone: object) -> datetime:
    """The first second in (low, high] whose local date is `day` or later; midnight itself was skipped."""
    assert isinstance(zone, ZoneInfo)  # noqa: S101 - narrows the type that datetime.tzinfo lost
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(zone).date() >= day else (middle, high)
    return high
