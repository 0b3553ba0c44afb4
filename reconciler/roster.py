"""The people of tonight: employments of every roster, folded into one row per person.

A person holds access while any begun employment is open. An employment ends at the end of its last day in the
person's own zone: `last_day`, or `end_date` where HR gives no last day (not for a contractor still called active:
a contract's end is a question of its own). Dates decide, not the status word: somebody called "left" whose last day
is to come has not left yet; somebody "left" without any date has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.clock import starts_of_days
from reconciler.collisions import collisions
from reconciler.snapshots import Snapshot

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_RANK = ("active", "leave", "suspended", "prehire", "unknown", "left")  # which employment speaks for the person
_NEVER = np.iinfo(np.int64).min
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Roster:
    """One row per person. `person_of` maps employments to people; `ends` and `starts` are microseconds UTC or _NEVER."""

    snapshots: tuple[Snapshot, ...]
    now: datetime
    zone: str
    defects: tuple[Mapping[str, object], ...] = ()
    _told: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    _read: dict[str, pa.ChunkedArray] = field(default_factory=dict)

    # --- employments ------------------------------------------------------------------------------------------

    def employments(self, name: str) -> pa.ChunkedArray:
        """One column over every employment of every roster, repeating texts as codes."""
        if name not in self._told:
            chunks = [chunk for snapshot in self.snapshots for chunk in snapshot.column("people", name).chunks]
            self._told[name] = pa.chunked_array([tables.whole(pa.chunked_array(chunks, tables.PEOPLE.column(name).held))])
        return self._told[name]

    @cached_property
    def _encoded(self) -> pa.DictionaryArray:
        return tables.whole(self.employments("person_id")).dictionary_encode()

    @cached_property
    def person_of(self) -> Ints:
        return np.asarray(self._encoded.indices, np.int64)

    @cached_property
    def person_ids(self) -> pa.Array:
        return self._encoded.dictionary

    def __len__(self) -> int:
        return len(self.person_ids)

    @cached_property
    def _zones(self) -> pa.DictionaryArray:
        return pc.fill_null(tables.plain(tables.whole(self.employments("timezone"))), self.zone).dictionary_encode()

    def _instants(self, days: pa.Array, later: int = 0) -> Ints:
        """When calendar days begin in each employment's zone, or days that many `later`; computed once per distinct (zone, day)."""
        numbers, zones = np.asarray(pc.fill_null(days.cast(pa.int32()), 0), np.int64), np.asarray(self._zones.indices)
        begins = np.full(len(numbers), _NEVER, np.int64)
        for code, zone in enumerate(self._zones.dictionary.to_pylist()):
            here = np.flatnonzero((zones == code) & np.asarray(days.is_valid()))
            distinct, back = np.unique(numbers[here] + later, return_inverse=True)
            known = [_NEVER if begin is None else begin for begin in starts_of_days(distinct.tolist(), zone)]
            begins[here] = np.array(known, np.int64)[back]
        return begins

    @cached_property
    def _ends(self) -> Ints:
        last_day, end_date = tables.whole(self.employments("last_day")), tables.whole(self.employments("end_date"))
        contractor = pc.equal(
            pc.utf8_lower(pc.fill_null(tables.plain(tables.whole(self.employments("worker_type"))), "")), "contractor"
        )
        open_contract = pc.and_(contractor, pc.invert(self._has_status("left")))
        spoken = pc.if_else(open_contract, pa.scalar(None, pa.date32()), end_date)
        return self._instants(pc.coalesce(last_day, spoken), 1)

    @cached_property
    def _starts(self) -> Ints:
        return self._instants(tables.whole(self.employments("start_date")))

    @cached_property
    def first_starts(self) -> Ints:
        """When each person's first employment began, in microseconds; the lowest number where HR does not say of all of them."""
        first = np.full(len(self), np.iinfo(np.int64).max)
        np.minimum.at(first, self.person_of, self._starts)
        return first

    def _has_status(self, word: str) -> pa.Array:
        return pc.fill_null(pc.equal(tables.whole(self.employments("status")), word), False)

    # --- people -----------------------------------------------------------------------------------------------

    @cached_property
    def _counting(self) -> Flags:
        """Employments that speak for their person tonight: those that have begun, or all where none has."""
        return self._begun | ~self.begun[self.person_of]

    @cached_property
    def _begun(self) -> Flags:
        """Employments that have begun; one without a start date has, unless HR calls it a prehire."""
        undated_prehire = (self._starts == _NEVER) & np.asarray(self._has_status("prehire"))
        return (self._starts <= _micros_of(self.now)) & ~undated_prehire

    @cached_property
    def _single(self) -> bool:
        """Whether everybody has one employment."""
        return len(self) == len(self.person_of)

    def spoken(self, name: str) -> pa.ChunkedArray:
        """One column per person, as the employment that speaks for them has it."""
        told = self.employments(name)
        return told if self._single else told.take(pa.array(self._primary))

    @cached_property
    def _primary(self) -> Ints:
        """The employment that speaks for each person: counting, of the liveliest status, the latest begun."""
        if self._single:
            return np.arange(len(self))
        rank = np.asarray(pc.index_in(tables.whole(self.employments("status")), pa.array(_RANK)), np.int64)
        over = (self._ends != _NEVER) & (self._ends <= _micros_of(self.now))
        order = np.lexsort((-self._starts, rank, over, ~self._counting, self.person_of))
        first = np.ones(len(order), bool)
        first[1:] = np.diff(self.person_of[order]) != 0
        return order[first]

    @cached_property
    def _open(self) -> Flags:
        """People with an employment that has no end."""
        undated_left = np.asarray(self._has_status("left"))
        return self._any(self._counting & (self._ends == _NEVER) & ~undated_left)

    @cached_property
    def _last_end(self) -> Ints:
        latest = np.full(len(self), _NEVER, np.int64)
        np.maximum.at(latest, self.person_of, np.where(self._counting, self._ends, _NEVER))
        return np.where(self._open, _NEVER, latest)

    @cached_property
    def left(self) -> Flags:
        """People whose access has ended: every begun employment is over, by date or, without one, by HR's word."""
        return ~self._open & (self._last_end <= _micros_of(self.now))

    def _any(self, flags: Flags) -> Flags:
        found = np.zeros(len(self), bool)
        found[self.person_of[flags]] = True
        return found

    @cached_property
    def begun(self) -> Flags:
        """People with an employment that has begun."""
        return self._any(self._begun)

    @cached_property
    def withheld(self) -> Flags:
        """People of whom a row is quarantined: nothing may be concluded about them tonight."""
        ids = pa.array({d["employee_id"] for d in self.defects if d.get("employee_id")}, pa.string())
        return self._any(np.asarray(pc.is_in(tables.whole(self.employments("employee_id")), ids)))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column per person: a computed one, or the one its primary employment gives. KeyError for others."""
        if name not in self._read:
            computed = _COMPUTED.get(name)
            made = computed(self) if computed else self.spoken(name)
            self._read[name] = made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])
        return self._read[name]

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES


def _micros_of(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _instants(numbers: Ints) -> pa.Array:
    return pa.array(numbers, mask=numbers == _NEVER).cast(tables.INSTANT)


def _status(roster: Roster) -> pa.Array:
    """The status by dates: left once access has ended, active from the first day on; else HR's word."""
    word = tables.plain(tables.whole(roster.column("hr_status")))
    begun = pa.array(roster.begun)
    told_too_early = pc.or_(pc.and_(pc.equal(word, "prehire"), begun), pc.equal(word, "left"))
    return pc.if_else(pa.array(roster.left), "left", pc.if_else(told_too_early, "active", word)).dictionary_encode()


def _name(roster: Roster) -> pa.Array:
    if not roster.column("display_name").null_count:
        return roster.column("display_name")
    names = ("preferred_name", "given_name", "family_name")
    preferred, given, family = (tables.plain(roster.column(name)) for name in names)
    first = pc.coalesce(preferred, given)
    # Its own way of leaving nulls out (null_handling="skip") loses the rows that have nothing else: seen in pyarrow 26.
    full = pc.coalesce(pc.binary_join_element_wise(first, family, " "), first, family)
    full = pc.if_else(pc.equal(full, ""), None, full)
    return pc.coalesce(roster.column("display_name"), full)


_COMPUTED: Mapping[str, Callable[[Roster], pa.Array]] = {
    "person_id": lambda r: r.person_ids,
    "hr_status": lambda r: r.spoken("status"),
    "status": _status,
    "name": _name,
    "access_ends": lambda r: _instants(r._last_end),
    "left_undated": lambda r: pa.array(r.left & (r._last_end == _NEVER)),
    "has_left": lambda r: pa.array(r.left),
    "current": lambda r: pa.array(~r.left & r.begun),
    "starts": lambda r: _instants(r._starts[r._primary]),
    "contract_ends": lambda r: _instants(r._instants(tables.whole(r.employments("end_date")), 1)[r._primary]),
    "last_day": lambda r: pc.coalesce(*(r.spoken(n) for n in ("last_day", "end_date"))),
}


NAMES = (*tables.PEOPLE.names, *_COMPUTED)


def normal(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The published normal form of a key: outer blanks off, NFC, case folded; an empty key is no key."""
    plain = pc.all(pc.string_is_ascii(texts)).as_py() is not False  # the usual case, and ten times cheaper
    trimmed = pc.utf8_trim_whitespace(texts)
    folded = pc.ascii_lower(trimmed) if plain else pc.utf8_lower(pc.utf8_normalize(trimmed, "NFC"))
    empty = pc.equal(folded, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), folded) if pc.any(empty).as_py() else folded


def roster(snapshots: Sequence[Snapshot], now: datetime, zone: str) -> Roster:
    """The people of complete rosters as they stand at `now`; `zone` is used where a person's own is unknown."""
    defects: Iterable[Mapping[str, object]] = (d for s in snapshots for d in s.manifest.get("defects", ()))
    return Roster(tuple(snapshots), now, zone, (*defects, *collisions(snapshots)))
