"""Rows of one table while a reader collects them: Arrow, in a tenth of the memory of Python's objects.

    accounts = Columns(ACCOUNTS)
    accounts.take({"account_id": "…", "login": "…"})      one row; a column left out is null
    len(accounts)                                         rows are numbered as they come, from 0
    accounts["account_id"]                                a column, as an Arrow ChunkedArray
    accounts.put("manager_account_id", values)            a whole column that is known only at the end
    accounts.rows([3, 17])                                some rows, as dicts
    accounts.keep(numpy.array([0, 2, 1]))                 only these rows, in this order
    for columns in accounts.chunks():                     everything, some thousand rows at a time, and forgotten while it is
        yield Page("accounts", columns, "users")          handed on

Not for several threads at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler.errors import Incomplete
from reconciler.tables import Column, Table, whole

ROWS = 5000  # of a chunk

Values: TypeAlias = "Sequence[Any] | pa.Array"


def fitted(values: Values, column: Column, where: str) -> pa.Array:
    """Values in the column's own type; raises Incomplete, beginning with `where`, on one that does not fit."""
    try:
        made = values.cast(column.held) if isinstance(values, pa.Array) else pa.array(values, column.held)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError, OverflowError) as problem:
        raise Incomplete(f"{where} does not fit {column.type}: {problem}") from None
    return made


class Columns:
    """The rows of a table so far."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._chunks: dict[str, list[pa.Array]] = {name: [] for name in table.names}
        self._sizes: list[int] = []
        self._waiting: dict[str, list[Any]] = {name: [] for name in table.names}
        self._rows = 0  # that wait

    def __len__(self) -> int:
        return sum(self._sizes) + self._rows

    def take(self, row: Mapping[str, Any]) -> None:
        """Add one row; a column it lacks is null."""
        for name, column in self._waiting.items():
            column.append(row.get(name))
        self._rows += 1
        if self._rows == ROWS:
            self._settle()

    def _settle(self) -> None:
        """Make a chunk of the rows that wait."""
        if not self._rows:
            return
        for name, values in self._waiting.items():
            self._chunks[name].append(self._fitted(name, values))
            self._waiting[name] = []
        self._sizes.append(self._rows)
        self._rows = 0

    def _fitted(self, name: str, values: Values) -> pa.Array:
        return fitted(values, self._table.column(name), f"{self._table.name}.{name}: a value")

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        self._settle()
        return pa.chunked_array(self._chunks[name], self._table.column(name).held)

    def put(self, name: str, values: Values) -> None:
        """Set a whole column."""
        self._settle()
        ends = accumulate(self._sizes)
        self._chunks[name] = [self._fitted(name, values[end - size : end]) for end, size in zip(ends, self._sizes, strict=True)]

    def rows(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Some rows, as Python values."""
        some = {name: self[name].take(pa.array(rows, pa.int64())).to_pylist() for name in self._chunks}
        return [dict(zip(some, row, strict=True)) for row in zip(*some.values(), strict=True)]

    def keep(self, rows: npt.NDArray[np.int64]) -> None:
        """Only these rows, in this order."""
        for name in self._chunks:
            kept = whole(self[name].take(pa.array(rows)))
            self._chunks[name] = [kept.slice(begin, ROWS) for begin in range(0, len(rows), ROWS)]
        self._sizes = [min(ROWS, len(rows) - begin) for begin in range(0, len(rows), ROWS)]

    def chunks(self) -> Iterator[dict[str, pa.Array]]:
        """Everything, a chunk at a time; what was handed on is forgotten."""
        self._settle()
        for parts in self._chunks.values():
            parts.reverse()
        while self._sizes:
            self._sizes.pop()
            yield {name: parts.pop() for name, parts in self._chunks.items()}
