"""Ids and their codes: a code is given at first sight, never taken back, and found again millions of times a night.

The ids of earlier nights stand in a table of Python's own hashes of them (64 bits, under a key that is drawn anew for every
process), looked up a quarter of a million at a time, which takes a fifth of a dictionary's time: a dictionary of a million
texts misses the processor's cache three times for every id, one after the other. Two ids of one hash among those known are
told apart letter by letter, and so is every id that a listing names (`Vocabulary.sure`). Only an id that memberships name
and no listing holds could be taken for another one, once in 10¹³; it would have ended the reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int64]


class Vocabulary:
    """Texts by their codes: those known from earlier nights, and tonight's new ones after them."""

    def __init__(self, known: pa.Array | None = None) -> None:
        self._known = pa.array([], pa.string()) if known is None else known
        texts = self._known.to_pylist()
        hashes = _hashes(texts)
        alone = _alone(hashes)
        self._table = _Table(hashes, np.flatnonzero(alone))
        self._others = {texts[code]: code for code in np.flatnonzero(~alone).tolist()}
        self._size = len(texts)

    def __len__(self) -> int:
        return self._size

    def encode(self, ids: Sequence[str]) -> Codes:
        """Codes of `ids` in order, giving new ids the next codes."""
        hashes = _hashes(ids)
        first = np.ones(len(hashes), bool)  # of a run of the same id, as memberships come group by group
        np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
        begins = np.flatnonzero(first)
        codes = np.repeat(self._table.find(hashes[begins]), np.diff(begins, append=len(hashes)))
        strange = np.flatnonzero(codes < 0)
        if len(strange):
            codes[strange] = self._further([ids[row] for row in strange.tolist()])
        return codes

    def _further(self, ids: Sequence[str]) -> Codes:
        """The codes of ids that the table does not have, new ones included."""
        others = self._others
        codes = np.fromiter(map(others.get, ids, repeat(-1)), np.int64, len(ids))
        for row in np.flatnonzero(codes < 0).tolist():
            codes[row] = code = others.setdefault(ids[row], self._size)
            self._size += code == self._size
        return codes

    def sure(self, codes: Codes, ids: pa.Array) -> bool:
        """Whether codes stand for exactly these texts; those new tonight do."""
        old = pa.array(codes < len(self._known))
        return bool(pc.all(pc.equal(self._known.take(pa.array(codes).filter(old)), ids.filter(old))).as_py() is not False)

    def texts(self) -> pa.Array:
        """Every text, in the order of the codes."""
        new = [text for text, code in self._others.items() if code >= len(self._known)]
        return pa.concat_arrays([self._known, pa.array(new, pa.string())])

    def name(self, code: int) -> str:
        """The id behind a code (slow: for error messages)."""
        return str(self.texts()[code].as_py())


def _hashes(texts: Sequence[str]) -> Codes:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _alone(hashes: Codes) -> npt.NDArray[np.bool_]:
    """Which hashes no other text has."""
    order = np.argsort(hashes, kind="stable")
    same = np.zeros(len(hashes) + 1, bool)
    same[1:-1] = hashes[order[1:]] == hashes[order[:-1]]
    alone = np.empty(len(hashes), bool)
    alone[order] = ~(same[1:] | same[:-1])
    return alone


class _Table:
    """A hash table in arrays: a code stands at its hash's place, or at the next free one."""

    def __init__(self, hashes: Codes, codes: Codes) -> None:
        self._hashes = hashes
        self._mask = (1 << (2 * len(codes)).bit_length()) - 1
        self._codes = np.full(self._mask + 1, -1, np.int32)
        at = hashes[codes] & self._mask
        while len(codes):
            free = self._codes[at] < 0
            self._codes[at[free]] = codes[free]
            lost = self._codes[at] != codes
            codes, at = codes[lost], (at[lost] + 1) & self._mask

    def find(self, hashes: Codes) -> Codes:
        """The code of each hash, or -1."""
        found = np.full(len(hashes), -1, np.int64)
        rows, at = np.arange(len(hashes) if len(self._hashes) else 0), hashes & self._mask
        while len(rows):
            here = self._codes[at]
            same = (here >= 0) & (self._hashes[here] == hashes[rows])
            found[rows[same]] = here[same]
            on = (here >= 0) & ~same
            rows, at = rows[on], (at[on] + 1) & self._mask
        return found
