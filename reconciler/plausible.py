"""Is tonight's answer believable beside the last accepted one? A whole answer can still be the wrong one.

A lost read right, a renamed container or a broken export all answer "success" with fewer rows or emptier columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.snapshots import Snapshot

# Columns that correlation and policies stand on: when one empties, a read right was lost.
WATCHED = {
    "accounts": ("employee_id", "email", "upn", "enabled", "login", "last_login_at"),
    "people": ("work_email", "last_day", "department"),
}
FEW = 3  # below so many rows a change is ordinary life
MANY = 10  # cells that do not all empty in one night by themselves


@dataclass(frozen=True)
class Band:
    """How far tonight may differ from the last accepted night.

    Percentages are of active people, or of accounts where there are none; None means the default: 10 percent, and
    never for fewer than 10 rows. `recent_active` is the highest count of active people over the last seven days.
    """

    max_drop_percent: float | None = None
    max_drop_7d_percent: float | None = None
    recent_active: int | None = None
    max_fill_drop: float = 0.1


def doubts(new: Snapshot, last: Snapshot | None, band: Band) -> Iterator[str]:
    """Why tonight's answer should not be believed; nothing when it should."""
    if last is None:
        return
    yield from _fewer_people(new, last, band)
    yield from _vanished_accounts(new, last)
    yield from _emptied_columns(new, last, band)


def active_people(snapshot: Snapshot) -> int:
    """How many people a roster calls active, on leave or suspended."""
    if not snapshot.rows("people"):
        return 0
    here = pc.is_in(snapshot.column("people", "status"), pa.array(["active", "leave", "suspended"]))
    return int(pc.count_distinct(snapshot.column("people", "person_id").filter(here)).as_py())


def _fewer_people(new: Snapshot, last: Snapshot, band: Band) -> Iterator[str]:
    now, before = active_people(new), active_people(last)
    for limit, reference, since in (
        (band.max_drop_percent, before, "the last accepted night"),
        (band.max_drop_7d_percent, band.recent_active or 0, "the last seven days"),
    ):
        if _too_few(now, reference, limit):
            percent = 100 * (reference - now) / reference
            yield f"{now} active people, {percent:.1f} % fewer than in {since} ({reference}); is the export whole?"


def _too_few(now: int, before: int, limit: float | None) -> bool:
    """Strictly by a limit that somebody set; the default one needs ten rows as well."""
    if now >= before:
        return False
    lost = 100 * (before - now) / before
    return lost > limit if limit is not None else lost > 10 and before - now >= 10


def _vanished_accounts(new: Snapshot, last: Snapshot) -> Iterator[str]:
    """Accounts that are gone without a tombstone: too many of all, or everything in one container."""
    if not last.rows("accounts"):
        return
    gone = _gone(new, last)
    if _too_few(last.rows("accounts") - int(gone.sum()), last.rows("accounts"), None):
        yield f"{int(gone.sum())} of {last.rows('accounts')} accounts are gone since the last accepted night; can the reader still see them?"
    containers = last.column("accounts", "container").combine_chunks().dictionary_encode()
    at = np.asarray(pc.fill_null(containers.indices, len(containers.dictionary)), np.int64)
    total, lost = (
        np.bincount(at, minlength=len(containers.dictionary) + 1),
        np.bincount(at[gone], minlength=len(containers.dictionary) + 1),
    )
    for number in np.flatnonzero((lost == total) & (lost >= FEW))[: len(containers.dictionary)]:
        if number < len(containers.dictionary):
            yield f"all {int(lost[number])} accounts in {containers.dictionary[int(number)]} are gone; was a read right lost there?"


def _gone(new: Snapshot, last: Snapshot) -> npt.NDArray[np.bool_]:
    """Which of last night's accounts are not in tonight's answer at all; those deleted before do not count."""
    before, now = last.column("accounts", "code").to_numpy(), new.column("accounts", "code").to_numpy()
    deleted = np.asarray(pc.fill_null(pc.equal(last.column("accounts", "state_reason"), "deleted"), False))
    return ~np.isin(before, now) & ~deleted


def _emptied_columns(new: Snapshot, last: Snapshot, band: Band) -> Iterator[str]:
    for table, columns in WATCHED.items():
        rows = min(new.rows(table), last.rows(table))
        for column in columns if rows >= FEW else ():
            before, now = (s.manifest["fill"][table][column] for s in (last, new))
            if before - now > max(band.max_fill_drop, FEW / rows) or (before * rows >= MANY and now == 0):
                yield f"{table}.{column} is filled in {now:.0%} of rows, {before:.0%} the night before; can the reader still read it?"
