"""A roster that says the same things in another way than last night: columns that changed places, a kind that changed.

Every row of such a roster is right by itself, and every person on it seems to have moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.missing import FEW, MANY, Flags
from reconciler.snapshots import Snapshot
from reconciler.vocabulary import Codes

# What everybody keeps from one night to the next, but for the few who move, marry or are corrected.
PLACES = ("department", "job_code", "job_title", "cost_centre", "location", "company", "worker_type")
FACTS = ("given_name", "family_name", "work_email", "start_date", "last_day", "end_date", "position_start", "timezone")
MOST = 10.0  # percent of people who move in one night, where nothing is set
HALF = 50.0  # percent of the told of a fact, which nothing but another column's values change in so many


def recast(new: Snapshot, last: Snapshot, full_history: bool, most: float | None) -> Iterator[str]:
    """Why a roster should not be taken for a night's ordinary changes."""
    if not (new.rows("people") and last.rows("people")):
        return
    both = _both(new, last)
    yield from _moved(new, last, both, most)
    yield from _swapped(new, last, both)
    before, now = (_told_as_left(snapshot) for snapshot in (last, new))
    if full_history and before >= FEW and not now:
        yield (
            f"{before} people were told as left, and nobody is now; does the roster name only those who are here? "
            'If so, set covers = "current-only"'
        )


def _moved(new: Snapshot, last: Snapshot, both: _Both, most: float | None) -> Iterator[str]:
    """Too many people who have moved; without a limit that somebody set, ten do not in one night by themselves."""
    moved = np.zeros(len(both.now), bool)
    for name in PLACES:
        moved |= both.differs(new, last, name)[0]
    number = int(moved.sum())
    if number * 100 > (MOST if most is None else most) * len(moved) and (most is not None or number >= MANY):
        yield (
            f"{number} of {len(moved)} people have another {', '.join(PLACES[:-1])} or {PLACES[-1]} than last night; have columns "
            "changed places, or units new names?"
        )


def _swapped(new: Snapshot, last: Snapshot, both: _Both) -> Iterator[str]:
    """Facts that are others for most of the people of whom they are told."""
    for name in FACTS:
        differs, told = (int(flags.sum()) for flags in both.differs(new, last, name))
        if differs >= MANY and differs * 100 > HALF * told:
            yield f"{name} is another one for {differs} of {told} people than last night; have columns changed places?"


@dataclass(frozen=True)
class _Both:
    """People at work on both nights, with one employment on each: their rows."""

    now: Codes
    then: Codes

    def differs(self, new: Snapshot, last: Snapshot, column: str) -> tuple[Flags, Flags]:
        """(where a column is another one, where it was told on both nights)."""
        ours, theirs = (
            tables.plain(tables.whole(snapshot.column("people", column))).take(pa.array(rows))
            for snapshot, rows in ((new, self.now), (last, self.then))
        )
        unequal = pc.not_equal(ours, theirs)
        return np.asarray(pc.fill_null(unequal, False), bool), np.asarray(unequal.is_valid(), bool)


def _both(new: Snapshot, last: Snapshot) -> _Both:
    (codes, rows), (earlier, before) = (_single(snapshot) for snapshot in (new, last))
    _, at, back = np.intersect1d(codes, earlier, assume_unique=True, return_indices=True)
    return _Both(rows[at], before[back])


def _single(snapshot: Snapshot) -> Sequence[Codes]:
    """Codes of people with one row, rising, and those rows."""
    every: Codes = snapshot.column("people", "code").to_numpy()
    codes, rows, times = np.unique(every, return_index=True, return_counts=True)
    return codes[times == 1], rows[times == 1]


def _told_as_left(snapshot: Snapshot) -> int:
    told = pc.is_in(tables.plain(snapshot.column("people", "status")), pa.array(["left"]))
    return int(pc.sum(pc.cast(told, pa.int64())).as_py() or 0)
