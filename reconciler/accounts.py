"""Every account of tonight in one numbering: the sources' snapshots one after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reconciler import tables
from reconciler.snapshots import Snapshot

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Accounts:
    """Row r of source s is account `starts[s] + r`; columns are read when first asked for, and kept."""

    snapshots: tuple[Snapshot, ...]
    _read: dict[str, pa.ChunkedArray] = field(default_factory=dict)

    @cached_property
    def starts(self) -> Ints:
        """Where each source's rows begin, and last the number of all accounts."""
        return np.cumsum([0, *(snapshot.rows("accounts") for snapshot in self.snapshots)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def sources(self) -> list[str]:
        return [snapshot.source for snapshot in self.snapshots]

    @cached_property
    def source_of(self) -> npt.NDArray[np.int8]:
        """The index in `sources` of every account."""
        return np.repeat(np.arange(len(self.snapshots), dtype=np.int8), np.diff(self.starts))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column over all sources; `source` is the configured name. Raises KeyError for a column accounts do not have."""
        if name not in self._read:
            self._read[name] = pa.chunked_array([tables.whole(self._gathered(name))])
        return self._read[name]

    def _gathered(self, name: str) -> pa.ChunkedArray:
        if name == "source":
            return pa.chunked_array(
                [pa.DictionaryArray.from_arrays(pa.array(self.source_of), pa.array(self.sources, pa.string()))]
            )
        kind = tables.ACCOUNTS.column(name).held
        with ThreadPoolExecutor(2) as threads:  # each source's file has a handle of its own
            columns = threads.map(lambda snapshot: snapshot.column("accounts", name), self.snapshots)
        return pa.chunked_array([chunk for column in columns for chunk in column.chunks], kind)

    def row(self, source: str, account_id: str) -> int | None:
        """The row of one account, or None."""
        index = self.sources.index(source)
        found = self.snapshots[index].column("accounts", "account_id").index(account_id).as_py()
        return None if found < 0 else int(self.starts[index]) + int(found)
