"""What is read in bulk, kept small: columns in Arrow as soon as a page is there, ids and addresses as numbers.

A quarter of a million people as Python's own objects take ten times the memory. A text that is only looked up is known by its
64-bit hash, under a key that Python draws anew for every process: among a million texts two are alike once in 37 million readings.
Whoever is found in a group or a device, or left out as known, is compared by the text itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.columns import fitted
from reconciler.connector import Incomplete, Page
from reconciler.tables import ACCOUNTS, CODED, Column, whole

Numbers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
Columns = Mapping[str, Sequence[Any] | pa.Array]

UNKNOWN = np.int64(np.iinfo(np.int64).min)  # a number that nobody told; below every row
_NOTHING = np.empty(0, np.int64)


def hashes(texts: Collection[object]) -> Numbers:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def numbers(values: Sequence[int | None] | pa.Array) -> Numbers:
    """A column as numbers, UNKNOWN for nulls."""
    made = values if isinstance(values, pa.Array) else pa.array(values, pa.int64())
    filled: Numbers = made.fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    return filled


def instants(texts: Sequence[str | None], single: Callable[[str | None], int | None]) -> pa.Array:
    """RFC 3339 as microseconds since 1970, a column at once; one by one where Arrow cannot read them all."""
    try:
        return pa.array(texts, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.array([single(text) for text in texts], pa.int64())


def joined(parts: Iterable[npt.NDArray[Any]]) -> Numbers:
    """Numbers of several pages in one piece."""
    return np.concatenate([_NOTHING, *parts])


class Index:
    """A number for each text, which is its place unless told otherwise; of a text that came twice, the last one's."""

    def __init__(self, texts: Numbers = _NOTHING, numbers: Numbers | None = None) -> None:
        order = np.argsort(texts, kind="stable")
        self._texts = texts[order]
        self._numbers = order.astype(np.int32) if numbers is None else numbers[order]

    def __len__(self) -> int:
        """How many different texts there are."""
        return int(np.count_nonzero(self._texts[1:] != self._texts[:-1])) + bool(len(self._texts))

    def find(self, texts: Numbers) -> Numbers:
        """The number of each text; UNKNOWN where there is none."""
        places, known = self._places(texts)
        return np.where(known, self._numbers[places], UNKNOWN) if len(self._texts) else np.full(len(texts), UNKNOWN)

    def lacks(self, texts: Numbers) -> npt.NDArray[np.bool_]:
        return ~self._places(texts)[1]

    def _places(self, texts: Numbers) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        places = np.searchsorted(self._texts, texts, side="right") - 1
        return places, self._texts[places] == texts if len(self._texts) else np.zeros(len(texts), bool)


def index(pages: Sequence[tuple[Numbers, Numbers]]) -> Index:
    """An index of pages of texts and their numbers."""
    return Index(joined(texts for texts, _ in pages), joined(numbers for _, numbers in pages))


@dataclass(frozen=True)
class Part:
    """A page of accounts: its columns, and its ids once more by their hashes."""

    batch: pa.RecordBatch
    ids: Numbers


def part(columns: Columns, **aside: Numbers) -> Part:
    """Columns of Python values as Arrow; raises Incomplete on a value that does not fit. What is put `aside` is not handed over."""
    once: dict[tuple[int, pa.DataType], pa.Array] = {}  # a list under several names, as logins and addresses are, is held once
    made = {name: pa.array(told) for name, told in aside.items()}
    for column in (column for column in ACCOUNTS.columns if column.name in columns):
        values = columns[column.name]
        key = id(values), column.held
        made[column.name] = once[key] if key in once else once.setdefault(key, _held(column, values))
    return Part(pa.RecordBatch.from_pydict(made), hashes(columns["account_id"]))


def _held(column: Column, values: Sequence[Any] | pa.Array) -> pa.Array:
    """Instants stay numbers until they are taken."""
    return values if isinstance(values, pa.Array) else fitted(values, column, f"accounts.{column.name}: a value of users")


class Accounts:
    """Every account of a listing. Of an id that was told twice, the row is where it came first, and tells what came last."""

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        self._batches = deque(each.batch for each in parts)
        self.ids = joined(each.ids for each in parts)
        self._index = Index(self.ids)
        if len(self._index) < len(self.ids):
            self._tell_once()

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Sequence[str | None]) -> Numbers:
        """The row of each id; UNKNOWN for strangers. Raises Incomplete when a stranger's id has the hash of an account's."""
        rows = self.rows_of(hashes(ids))
        self._compare(pa.array(ids, pa.string()), rows)
        return rows

    def rows_of(self, ids: Numbers) -> Numbers:
        """The same by hashes, where the texts themselves are not held any more."""
        return self._index.find(ids)

    def add(self, others: Accounts) -> None:
        """Further accounts after these; those that are known already are left out. Raises Incomplete when two ids have one hash."""
        rows = self.rows_of(others.ids)
        self._compare(others.texts, rows)
        new = rows == UNKNOWN
        self._batches += pa.Table.from_batches(others._batches).filter(pa.array(new)).to_batches() if new.any() else ()
        self.ids = joined((self.ids, others.ids[new]))
        self._index = Index(self.ids)
        self.__dict__.pop("texts", None)

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The accounts as they are held, each batch with the row it begins at."""
        begins = accumulate((len(batch) for batch in self._batches), initial=0)
        yield from zip(begins, self._batches, strict=False)

    def column(self, name: str) -> pa.ChunkedArray:
        held = [batch[name] for batch in self._batches]
        return pa.chunked_array(held) if held else pa.chunked_array([], ACCOUNTS.column(name).held)

    def put(self, name: str, values: Sequence[Any]) -> None:
        """Tell a whole column anew."""
        for begin, batch in list(self.batches()):
            told = _held(ACCOUNTS.column(name), values[begin : begin + len(batch)])
            self._batches.popleft()
            self._batches.append(batch.set_column(batch.schema.get_field_index(name), name, told))

    def named(self, which: npt.NDArray[np.bool_]) -> list[str]:
        """The ids of some rows as texts."""
        found: list[str] = self.column("account_id").filter(pa.array(which)).to_pylist()
        return found

    @cached_property
    def texts(self) -> pa.Array:
        """The ids as texts, by row."""
        return whole(self.column("account_id"))

    def pages(self, late: Mapping[str, Numbers]) -> Iterator[Page]:
        """The accounts as they were read, with columns that were learnt later; each page is let go when it is taken."""
        begin, _ = 0, self.texts
        while self._batches:
            batch = self._batches.popleft()
            end = begin + len(batch)
            further = {name: self._learnt(name, numbers[begin:end]) for name, numbers in late.items()}
            told = {name: batch[name] for name in ACCOUNTS.names if name in batch.schema.names}
            yield Page("accounts", told | further, "users")
            begin = end
        if not begin:
            yield Page("accounts", {"account_id": []}, "users")

    def _learnt(self, name: str, numbers: Numbers) -> pa.Array:
        """Instants and yes or no as they are; another account by its row."""
        made, column = pa.array(numbers, mask=numbers == UNKNOWN), ACCOUNTS.column(name)
        if column.held == CODED:
            return self.texts.take(made).dictionary_encode()
        return made.cast(pa.bool_()) if column.type == pa.bool_() else made

    def _compare(self, ids: pa.Array, rows: Numbers) -> None:
        known = np.flatnonzero(rows != UNKNOWN)
        if len(known) and not ids.take(pa.array(known)).equals(self.texts.take(pa.array(rows[known]))):
            raise _alike()

    def _tell_once(self) -> None:
        texts = whole(self.column("account_id"))
        _, first, which = np.unique(self.ids, return_index=True, return_inverse=True)
        last = np.empty(len(first), np.int64)
        last[which] = np.arange(len(which))
        if not texts.equals(texts.take(pa.array(last[which]))):
            raise _alike()
        rows = last[np.argsort(first)]
        table = pa.Table.from_batches(self._batches).combine_chunks().take(pa.array(rows))
        self._batches, self.ids = deque(table.combine_chunks().to_batches()), self.ids[rows]
        self._index = Index(self.ids)


def _alike() -> Incomplete:
    return Incomplete("accounts: two ids have one hash, which happens once in 37 million readings; run again")
