"""A table of the estate: rows that join an account, its owner and an entitlement; columns are read when asked for.

A column is looked up side by side in order, so `account.enabled` is the account's, `account.last_day` its owner's,
`person_department` the owner's where both have one, and `entitlement_name` the entitlement's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.errors import PluginError

Ints = npt.NDArray[np.int64]


class Columns(Protocol):
    """Anything that has named columns; texts that repeat may be codes."""

    @property
    def names(self) -> Collection[str]: ...

    def column(self, name: str) -> pa.ChunkedArray: ...


@dataclass(frozen=True)
class Side:
    """One thing that a table's rows join: its columns, the row of it for each row (-1: none), and a prefix of their names."""

    columns: Columns
    rows: Ints
    prefix: str = ""

    def has(self, name: str) -> bool:
        return name.startswith(self.prefix) and name.removeprefix(self.prefix) in self.columns.names

    def column(self, name: str, chosen: Ints | None = None) -> pa.Array:
        """The column for every row, or for the chosen ones; repeating texts may be codes."""
        at = self._at if chosen is None else _indices(self.rows[chosen])
        return tables.whole(self.columns.column(name.removeprefix(self.prefix))).take(at)

    @cached_property
    def _at(self) -> pa.Array:
        return _indices(self.rows)


def _indices(rows: Ints) -> pa.Array:
    return pa.array(rows, mask=rows < 0)


@dataclass
class View:
    """A table of the estate: rows that join sides, and computed columns. Attributes are columns."""

    name: str
    length: int
    sides: Sequence[Side]
    computed: Mapping[str, Any]  # arrays of `length`, or functions that make one
    subject: tuple[str, ...]  # the columns whose values make a finding's identity
    _read: dict[str, pa.ChunkedArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.length

    def __getattr__(self, column: str) -> pd.Series:
        if column.startswith("__"):
            raise AttributeError(column)
        return pd.Series(pd.arrays.ArrowExtensionArray(self.column(column)))

    def column(self, name: str) -> pa.ChunkedArray:
        """A column as Arrow, kept for the next question; raises PluginError naming the table when it has none of that name."""
        if name not in self._read:
            self._read[name] = chunked(tables.plain(self._find(name, None)))
        return self._read[name]

    def pick(self, name: str, rows: Ints) -> pa.Array:
        """A column at some rows."""
        if name in self._read:
            return tables.whole(self._read[name].take(pa.array(rows)))
        return tables.whole(chunked(tables.plain(self._find(name, rows))))

    def has(self, name: str) -> bool:
        """Whether the table has a column of that name."""
        return name in self.computed or any(side.has(name) for side in self.sides)

    def forget(self) -> None:
        """Let go of the columns that were kept."""
        self._read.clear()

    def _find(self, name: str, rows: Ints | None) -> Any:
        if name in self.computed:
            made = self.computed[name]
            made = chunked(made(self) if callable(made) else made)
            return made if rows is None else made.take(pa.array(rows))
        for side in self.sides:
            if side.has(name):
                return side.column(name, rows)
        raise PluginError(f"the table {self.name} has no column {name}")

    def unequal(self, left: str, right: str) -> pa.Array:
        """Whether two text columns differ, row by row; null where one of them tells nothing. Codes are compared, not texts."""
        ours, theirs = (tables.whole(chunked(self._find(name, None))) for name in (left, right))
        if ours.type != tables.CODED or theirs.type != tables.CODED:
            return pc.not_equal(tables.plain(ours), tables.plain(theirs))
        words = pc.fill_null(pc.index_in(theirs.dictionary, ours.dictionary), -1)  # theirs in our codes; a word we lack is -1
        return pc.not_equal(ours.indices, words.take(theirs.indices))

    def left(self, grace: timedelta) -> pd.Series:
        """Whether the owner's access ended at least `grace` ago: by date, or undated by HR's word when no grace is asked.

        Null where the owner is not known, or where HR gave no date to count the grace from.
        """
        ends = self.column("access_ends")
        by_date = pc.less_equal(pc.add(ends, pa.scalar(grace)), pa.scalar(self.now, tables.INSTANT))
        by_word = self.column("left_undated")
        if grace:
            by_word = pc.if_else(by_word, pa.scalar(None, pa.bool_()), by_word)
        return pd.Series(pd.arrays.ArrowExtensionArray(pc.if_else(ends.is_valid(), by_date, by_word)))

    @property
    def now(self) -> datetime:
        made: datetime = self.computed["_now"]
        return made


def chunked(made: Any) -> pa.ChunkedArray:
    if not isinstance(made, (pa.Array, pa.ChunkedArray)):
        made = pa.array(made)
    return made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])
