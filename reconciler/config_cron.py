"""When the night runs: the five fields of cron, read as cron reads them (0 and 7 are Sunday)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True)
class Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()  # the first stands for `low`


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 7, WEEKDAYS),
)


def parse(text: str) -> tuple[frozenset[int], ...]:
    """The values each of the five fields allows, 7 as 0 for Sunday; raises ValueError naming field and range."""
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise ValueError(
            f'{text!r} has {len(parts)} fields; cron has five: minute hour day-of-month month day-of-week, as in "5 2 * * *"'
        )
    values = [_values(field, part) for field, part in zip(FIELDS, parts, strict=True)]
    return (*values[:4], frozenset(day % 7 for day in values[4]))


def _values(field: Field, text: str) -> frozenset[int]:
    return frozenset(value for item in text.split(",") for value in _item(field, item))


def _item(field: Field, item: str) -> range:
    found = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", item)
    if found is None or found[4] == "0" or (found[4] and not (found[1] == "*" or found[3])):
        raise _wrong(field, item)
    low = field.low if found[1] == "*" else _number(field, found[2])
    high = field.high if found[1] == "*" else _number(field, found[3]) if found[3] else low
    if low > high:
        raise _wrong(field, item)
    return range(low, high + 1, int(found[4] or 1))


def _number(field: Field, word: str) -> int:
    if word.lower() in field.words:
        return field.words.index(word.lower()) + field.low
    if not re.fullmatch(r"[0-9]{1,2}", word) or not field.low <= int(word) <= field.high:
        raise _wrong(field, word)
    return int(word)


def _wrong(field: Field, item: str) -> ValueError:
    words = f" or {field.words[0]}-{field.words[-1]}" if field.words else ""
    return ValueError(
        f"{field.name} {item!r}; allowed: {field.low}-{field.high}{words}, *, lists (1,2), ranges (1-5), steps (*/15, 8-18/2)"
    )
