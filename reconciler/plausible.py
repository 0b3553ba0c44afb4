"""Is tonight's answer believable beside the last accepted one? A whole answer can still be the wrong one.

A lost read right, a renamed container or a broken export all answer "success" with fewer rows or emptier columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from reconciler.absence import Proof
from reconciler.missing import FEW, MANY, Flags, Shrunken, blanked, by_label, counted, emptied_groups, gone, shrunken
from reconciler.snapshots import Snapshot

# Columns that correlation and policies stand on: when one empties, a read right was lost.
DECISIVE = {"accounts": ("employee_id", "login", "upn", "email", "enabled"), "people": ("work_email",)}
WATCHED = {
    "accounts": (
        *DECISIVE["accounts"], "anchor", "sid", "given_name", "family_name", "display_name", "department", "job_title", "company",
        "location", "created_at", "last_login_at", "password_changed_at", "container",
    ),
    "people": (*DECISIVE["people"], "family_name", "start_date", "department", "company", "location", "manager_id"),
}  # fmt: skip
AREA_OF = {"last_login_at": "sign_in"}  # columns that are lost by themselves
SOME = 5  # of a scope that loses more than half
LISTED = 5  # scopes that a reason names
EVERYTHING = 100.0  # percent: a limit that was lifted
_NONE = Proof()


@dataclass(frozen=True)
class Band:
    """How far tonight may differ from the last accepted night.

    Percentages are of active people, or of accounts where there are none; None means the default: 10 percent, and
    for fewer than 10 rows only when they are three or more and most of all. `recent_active` is the highest count of active people over the last seven days.
    `full_history` rosters name those who have left too, so that nobody vanishes from them. `canaries` are ids or logins
    that must be seen.
    """

    max_drop_percent: float | None = None
    max_drop_7d_percent: float | None = None
    max_moved_percent: float | None = None
    max_unchanged: timedelta | None = None  # how long a roster may be the same, row for row
    recent_active: int | None = None
    max_fill_drop: float = 0.1
    max_decisive_drop: float = 0.02
    max_bleed: float = 0.05  # over the window
    full_history: bool = False
    canaries: tuple[str, ...] = field(default=())


def doubts(
    new: Snapshot, last: Snapshot | None, band: Band, window: Snapshot | None = None, proof: Proof = _NONE
) -> Iterator[str]:
    """Why tonight's answer should not be believed; nothing when it should. `window` is the oldest night of the last seven days."""
    yield from hidden_canaries(new, band)
    if last is None:
        return
    yield from _short(proof)
    yield from _fewer_people(new, last, band)
    yield from _vanished_accounts(new, last, proof)
    yield from _vanished_people(new, last, band)
    yield from _emptied_columns(new, last, band)
    yield from _emptied_groups(new, last)
    if window is not None:
        yield from _bleeding(new, window, band, proof)


def active_people(snapshot: Snapshot) -> int:
    """How many people a roster calls active, on leave or suspended."""
    if not snapshot.rows("people"):
        return 0
    here = pc.is_in(snapshot.column("people", "status"), pa.array(["active", "leave", "suspended"]))
    return int(pc.count_distinct(snapshot.column("people", "person_id").filter(here)).as_py())


def hidden_canaries(new: Snapshot, band: Band) -> Iterator[str]:
    """Objects that somebody said must be seen, and are not."""
    wanted = set(band.canaries)
    named = {"accounts": ("account_id", "login", "upn", "email"), "people": ("person_id", "employee_id", "work_email")}
    for table, columns in (named | {"entitlements": ("entitlement_id", "name")}).items():
        for column in columns if wanted and new.rows(table) else ():
            told = new.column(table, column)
            if table == "accounts":
                told = told.filter(pc.fill_null(pc.not_equal(new.column(table, "state_reason"), "deleted"), True))
            wanted -= set(told.filter(pc.is_in(told, pa.array(sorted(wanted), pa.string()))).to_pylist())
    for name in sorted(wanted):
        yield f"the canary {name} is not to be seen; can the reader still see what is around it?"


def _short(proof: Proof) -> Iterator[str]:
    """Accounts that the listing lacks and that are there when they are read by their ids."""
    there = proof.still_there()
    if there:
        yield f"{len(there)} accounts are missing from the listing, and there when read by id, e.g. {there[0]}: the listing is short"
    unseen = proof.unseen()
    if unseen:
        yield (
            f"{len(unseen)} accounts are neither to be seen nor among the deleted, e.g. {unseen[0]}; can the reader still see "
            "where they were? (Or were they moved to another domain?)"
        )


# --- rows that are gone -------------------------------------------------------------------------------------------


def _fewer_people(new: Snapshot, last: Snapshot, band: Band) -> Iterator[str]:
    now, before = active_people(new), active_people(last)
    for limit, reference, since in (
        (band.max_drop_percent, before, "the last accepted night"),
        (band.max_drop_7d_percent, band.recent_active or 0, "the last seven days"),
    ):
        most = limit is None and not band.full_history and _most(reference - now, reference)  # who has left is told there
        if most or _too_few(now, reference, limit):
            percent = 100 * (reference - now) / reference
            yield f"{now} active people, {percent:.1f} % fewer than in {since} ({reference}); is the export whole?"


def _too_few(now: int, before: int, limit: float | None = None) -> bool:
    """Strictly by a limit that somebody set; the default one needs ten rows as well."""
    if now >= before:
        return False
    lost = 100 * (before - now) / before
    return lost > limit if limit is not None else lost > 10 and before - now >= MANY


def _most(lost: int, rows: int) -> bool:
    """So much of a whole does not go in a night, however small it is."""
    return lost >= FEW and 2 * lost > rows


def _out_of_band(scope: Shrunken) -> bool:
    """Small scopes lie below any percentage of the whole, so each has a band of its own.

    A container is what a right is lost to, so that even the only account of one does not go unproven.
    """
    all_of_it = scope.lost == scope.rows and (scope.lost >= FEW or scope.column == "container")
    most_of_it = scope.lost >= SOME and 2 * scope.lost > scope.rows
    return all_of_it or most_of_it or _too_few(scope.rows - scope.lost, scope.rows)


def _vanished_accounts(new: Snapshot, last: Snapshot, proof: Proof) -> Iterator[str]:
    """Accounts that are gone without a tombstone: too many of all, or of what lies together."""
    if not last.rows("accounts"):
        return
    lost, rows = gone(new, last, "accounts"), last.rows("accounts")
    number = int(lost.sum())
    if _most(number, rows) or _too_few(rows - number, rows):
        yield f"{number} of {rows} accounts are gone since the last accepted night; can the reader still see them?"
    yield from _scopes_lost(last, "accounts", proof.unproven(last, lost), "gone; was a read right lost there?")


def _vanished_people(new: Snapshot, last: Snapshot, band: Band) -> Iterator[str]:
    """People at work who are not on the roster any more, instead of being told as left."""
    if not last.rows("people") or not band.full_history or band.max_drop_percent == EVERYTHING:
        return
    lost, rows = gone(new, last, "people"), int(counted(last, "people").sum())
    what = "no longer on the roster, and not told as left; is the export whole?"
    if _most(number := int(lost.sum()), rows):
        yield f"{number} of {rows} people at work are {what}"
    yield from _scopes_lost(last, "people", lost, what)


def _scopes_lost(last: Snapshot, table: str, lost: Flags, what: str) -> Iterator[str]:
    found = (scope for scope in shrunken(last, table, lost) if _out_of_band(scope)) if lost.any() else iter(())
    for scope in islice(found, LISTED):
        yield f"{_share(scope)} {table} in {scope.column} {scope.name} are {what}"


def _share(scope: Shrunken) -> str:
    return f"all {scope.lost}" if scope.lost == scope.rows else f"{scope.lost} of {scope.rows}"


# --- cells that are empty -----------------------------------------------------------------------------------------


def _emptied_columns(new: Snapshot, last: Snapshot, band: Band) -> Iterator[str]:
    """Attributes that can no longer be read: of everybody, of many, or of all who lie together."""
    for table, column in watched(new, last):
        held = blanked(new, last, table, column)
        filled, lost = int(held.filled.sum()), int(held.lost.sum())
        decisive = column in DECISIVE[table]
        most = band.max_decisive_drop if decisive else band.max_fill_drop
        if lost > max(FEW, most * filled) or (lost == filled and lost >= FEW):
            yield f"{table}.{column} was filled in {filled} rows that are there on both nights, and is empty in {lost} of them now; can the reader still read it?"
        elif decisive and lost >= FEW and table == "accounts":
            yield from _emptied_there(by_label(last, table, "container", held.lost, held.filled), f"{table}.{column}")


def watched(new: Snapshot, last: Snapshot) -> Iterator[tuple[str, str]]:
    """The columns whose filling is held against the last night's; those of an area that is lost speak for themselves."""
    for table, columns in WATCHED.items():
        for column in columns if new.rows(table) and last.rows(table) else ():
            if last.manifest["fill"][table][column] and AREA_OF.get(column) not in new.manifest.get("areas", ()):
                yield table, column


def _emptied_there(scopes: Iterable[Shrunken], column: str) -> Iterator[str]:
    for scope in islice((s for s in scopes if s.lost == s.rows and s.lost >= FEW), LISTED):
        yield f"{column} is empty now in all {scope.lost} rows of {scope.column} {scope.name}; was a read right lost there?"


def _emptied_groups(new: Snapshot, last: Snapshot) -> Iterator[str]:
    """Groups without a member, all of whose members are still in use: one large one, or several at once."""
    if "grants" not in last.manifest["tables"]:
        return
    found = [group for group in emptied_groups(new, last) if group.lost >= FEW]
    if len(found) >= FEW or any(group.lost >= MANY for group in found):
        largest = max(found, key=lambda group: group.lost)
        yield (
            f"{len(found)} groups have lost every member at once, e.g. {largest.name} its {largest.lost}, who are all still in use; "
            "can the reader still see members?"
        )


# --- slow losses --------------------------------------------------------------------------------------------------


def _bleeding(new: Snapshot, window: Snapshot, band: Band, proof: Proof) -> Iterator[str]:
    """Losses too small for one night's band that add up over seven days."""
    since = f"since {window.manifest['as_of'][:10]}, a little every night"
    for table in ("accounts", "people"):
        rows = window.rows(table)
        if not rows or (table == "people" and (not band.full_history or band.max_drop_7d_percent == EVERYTHING)):
            continue
        lost = gone(new, window, table)
        lost = proof.unproven(window, lost) if table == "accounts" else lost
        if _adds_up(int(lost.sum()), rows, band):
            yield f"{int(lost.sum())} of {rows} {table} are gone {since}, and nothing says where they went; is something being hidden?"
    for table, column in watched(new, window):
        held = blanked(new, window, table, column) if column in DECISIVE[table] else None
        if held is not None and _adds_up(int(held.lost.sum()), int(held.filled.sum()), band):
            yield f"{table}.{column} was emptied in {int(held.lost.sum())} of {int(held.filled.sum())} rows {since}; can the reader still read it?"


def _adds_up(lost: int, rows: int, band: Band) -> bool:
    return lost >= SOME and lost > band.max_bleed * rows
