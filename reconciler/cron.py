"""The five fields of cron, as cron means them: 0 and 7 are Sunday, and a day of the month or of the week will do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day of week": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_AHEAD = 366 * 41  # days: 29 February falls on a given weekday again after 40 years at most


@dataclass(frozen=True)
class Cron:
    """When something is due: the sets of minutes, hours, days and months of a cron line."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool  # the field begins with *, which is what cron itself looks at
    any_weekday: bool

    def on(self, day: date) -> bool:
        """Whether a day is one of its days: either field will do when both are restricted (crontab(5))."""
        by_day, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        either = by_day or by_week if not (self.any_day or self.any_weekday) else by_day and by_week
        return day.month in self.months and either


def parse(text: str) -> Cron:
    """A cron line; raises ValueError naming the field, what was found and what is allowed."""
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(words)} fields; a cron line has five: minute hour day-of-month month day-of-week")
    minutes, hours, days, months, weekdays = (_field(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    weekdays = frozenset(day % 7 for day in weekdays)
    cron = Cron(text, minutes, hours, days, months, weekdays, words[2].startswith("*"), words[4].startswith("*"))
    either = not (cron.any_day or cron.any_weekday)
    if not either and all(min(days) > _LONGEST[month - 1] for month in months):
        raise ValueError(f"{text!r} is never due: month {words[3]} has no day {words[2]}")
    return cron


def _field(word: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        shape = re.fullmatch(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/0*([1-9][0-9]{0,3}))?", part.lower())
        if shape is None or (shape[1] == "*" and shape[2]):
            raise ValueError(f"{name} {part!r} is not understood; allowed: *, a number, a-b, */n, a-b/n and lists of these")
        begin = low if shape[1] == "*" else _number(shape[1], name, low, high)
        end = _number(shape[2], name, low, high) if shape[2] else high if shape[1] == "*" or shape[3] else begin
        end = high if shape[2] == "sun" and begin else end  # fri-sun: Sunday ends a week as well as it begins one
        if end < begin:
            raise ValueError(f"{name} {part!r} ends before it begins; write two parts, such as 5-6,0-1")
        found |= set(range(begin, end + 1, int(shape[3] or 1)))
    return frozenset(found)


def _number(word: str, name: str, low: int, high: int) -> int:
    names = _NAMES.get(name, [])
    if word in names:
        return names.index(word) + low
    if not word.isdigit() or len(word) > 4 or not low <= int(word) <= high:
        also = f" or {', '.join(names)}" if names else ""
        raise ValueError(f"{name} {word!r} is out of range; allowed: {low} to {high}{also}")
    return int(word)


def next_after(cron: Cron, instant: datetime, zone: str) -> datetime:
    """The next due instant (UTC) after `instant`, by the clocks of `zone`.

    A time that the clocks skip comes due as much later as they skip; one that comes twice is due the first time only,
    unless every hour is asked for. Raises ValueError for a line that is never due.
    """
    local = ZoneInfo(zone)
    day = instant.astimezone(local).date() - timedelta(days=1)  # a time skipped before midnight comes due after it
    for ahead in range(_AHEAD):
        today = day + timedelta(days=ahead)
        if cron.on(today) and (due := [moment for moment in _moments(cron, today, local) if moment > instant]):
            return min(due)
    raise ValueError(f"{cron.text!r} is never due")


def _moments(cron: Cron, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The due instants of one local day, in no order."""
    folds = (0, 1) if len(cron.hours) == 24 else (0,)
    for hour in cron.hours:
        for minute in cron.minutes:
            for fold in folds:
                yield datetime.combine(day, time(hour, minute, fold=fold), zone).astimezone(UTC)
