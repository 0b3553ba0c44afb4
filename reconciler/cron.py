"""The five fields of cron, as cron means them: 0 and 7 are Sunday, and a day of the month or of the week will do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day of week": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}


@dataclass(frozen=True)
class Cron:
    """When something is due: the sets of minutes, hours, days and months of a cron line."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    any_day: bool
    any_weekday: bool

    def on(self, moment: datetime) -> bool:
        """Whether the day of a local time is one of its days: either field will do when both are restricted."""
        by_day, by_week = moment.day in self.days, moment.isoweekday() % 7 in self.weekdays
        either = by_day or by_week if not (self.any_day or self.any_weekday) else by_day and by_week
        return moment.month in self.months and either


def parse(text: str) -> Cron:
    """A cron line; raises ValueError naming the field, what was found and what is allowed."""
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(words)} fields; a cron line has five: minute hour day-of-month month day-of-week")
    minutes, hours, days, months, weekdays = (_field(word, *field) for word, field in zip(words, _FIELDS, strict=True))
    weekdays = frozenset(day % 7 for day in weekdays)
    return Cron(text, minutes, hours, days, months, weekdays, words[2].startswith("*"), words[4].startswith("*"))


def _field(word: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        shape = re.fullmatch(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/(\d+))?", part.lower())
        if shape is None or shape[3] == "0" or (shape[1] == "*" and shape[2]):
            raise ValueError(f"{name} {part!r} is not understood; allowed: *, a number, a-b, */n, a-b/n and lists of these")
        begin = low if shape[1] == "*" else _number(shape[1], name, low, high)
        end = _number(shape[2], name, low, high) if shape[2] else high if shape[1] == "*" or shape[3] else begin
        if end < begin:
            raise ValueError(f"{name} {part!r} ends before it begins; write two parts, such as 5-6,0-1")
        found |= set(range(begin, end + 1, int(shape[3] or 1)))
    return frozenset(found)


def _number(word: str, name: str, low: int, high: int) -> int:
    names = _NAMES.get(name, [])
    if word in names:
        return names.index(word) + low
    if not word.isdigit() or not low <= int(word) <= high:
        also = f" or {', '.join(names)}" if names else ""
        raise ValueError(f"{name} {word!r} is out of range; allowed: {low} to {high}{also}")
    return int(word)


def next_after(cron: Cron, instant: datetime, zone: str) -> datetime:
    """The next due instant (UTC) after `instant`, by the clocks of `zone`.

    A time that the clocks skip comes due when they have jumped; one that comes twice is due the first time only.
    Raises ValueError for a line that is never due, such as 30 February.
    """
    local = ZoneInfo(zone)
    day = instant.astimezone(local).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for ahead in range(366 * 8):
        today = day + timedelta(days=ahead)
        if not cron.on(today):
            continue
        for hour in sorted(cron.hours):
            for minute in sorted(cron.minutes):
                due = today.replace(hour=hour, minute=minute, tzinfo=local, fold=0).astimezone(UTC)
                if due > instant:
                    return due
    raise ValueError(f"{cron.text!r} is never due")
