"""Ids and their codes: a code is given at first sight, never taken back, and found again millions of times a night.

The ids of earlier nights are found by 64-bit hashes (under keys that are drawn anew for every process), many at a time: a
dictionary of a million texts misses the processor's cache three times for every id, one after the other. Two ids of one hash among those known are told apart letter by letter, and so is every id that a listing
names (`Vocabulary.sure`). Only an id that memberships name and no listing holds could be taken for another one, once in 10¹³;
it would have ended the reading.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int64]
_AT_ONCE = 1 << 16  # ids hashed together, so that they stay in the processor's cache
_FEW = 5000  # new ids that are found by their letters
_KEYS = np.frombuffer(secrets.token_bytes(16), np.uint64) | np.uint64(1)


class Vocabulary:
    """Texts by their codes: those known from earlier nights, tonight's after them, of which the last are in a dictionary."""

    def __init__(self, known: pa.Array | None = None) -> None:
        self._known = pa.array([], pa.string()) if known is None else known
        self._size = len(self._known)
        self._index(_hashes(self._known))

    def _index(self, hashes: Codes) -> None:
        """Find what is known by its hash, and what shares one by its letters."""
        alike = pd.Index(hashes).duplicated(keep=False)
        others = np.flatnonzero(alike)
        self._others = dict(zip(self._known.take(pa.array(others)).to_pylist(), others.tolist(), strict=True))
        self._table = HashTable(hashes, np.flatnonzero(~alike))
        self._all = hashes

    def __len__(self) -> int:
        return self._size

    def encode(self, ids: pa.Array) -> Codes:
        """Codes of `ids` (texts without nulls) in order, giving new ids the next codes."""
        hashes = _hashes(ids)
        first = np.ones(len(hashes), bool)  # of a run of the same id, as memberships come group by group
        np.not_equal(hashes[1:], hashes[:-1], out=first[1:])
        begins = np.flatnonzero(first)
        codes = np.repeat(self._table.find(hashes[begins]), np.diff(begins, append=len(hashes)))
        strange = np.flatnonzero(codes < 0)
        if len(strange):
            codes[strange] = self._further(ids.take(pa.array(strange)).to_pylist())
        return codes

    def find(self, texts: pa.Array) -> Codes:
        """Codes of texts, compared letter by letter; -1 for one that has none, and for a null."""
        codes = self._table.find(_hashes(texts))
        if self._others:
            strange = np.flatnonzero(codes < 0)
            codes[strange] = [self._others.get(text, -1) for text in texts.take(pa.array(strange)).to_pylist()]
        same = pc.fill_null(pc.equal(self._known.take(pa.array(codes, mask=codes < 0)), texts), False)
        return np.where(np.asarray(same), codes, -1)

    def _further(self, ids: Sequence[str]) -> Codes:
        """The codes of ids that the table does not have, new ones included."""
        others = self._others
        codes = np.fromiter(map(others.get, ids, repeat(-1)), np.int64, len(ids))
        for row in np.flatnonzero(codes < 0).tolist():
            codes[row] = code = others.setdefault(ids[row], self._size)
            self._size += code == self._size
        if self._size - len(self._known) >= max(_FEW, len(self._known) // 8):
            self._settle()
        return codes

    def _settle(self) -> None:
        """Find tonight's ids as those of earlier nights: a dictionary takes three times the memory of hashes and letters."""
        new = self._new()
        self._known = pa.concat_arrays([self._known, new])
        self._index(np.concatenate([self._all, _hashes(new)]))

    def _new(self) -> pa.Array:
        known = len(self._known)
        return pa.array([text for text, code in self._others.items() if code >= known], pa.string())

    def sure(self, codes: Codes, ids: pa.Array) -> bool:
        """Whether codes stand for exactly these texts; those that came last do, by their letters."""
        old = pa.array(codes < len(self._known))
        return bool(pc.all(pc.equal(self._known.take(pa.array(codes).filter(old)), ids.filter(old))).as_py() is not False)

    def texts(self) -> pa.Array:
        """Every text, in the order of the codes."""
        return pa.concat_arrays([self._known, self._new()])

    def name(self, code: int) -> str:
        """The id behind a code (slow: for error messages)."""
        return str(self.texts()[code].as_py())


class HashTable:
    """Codes by hashes, in open addressing: looked up many at a time, they miss the cache side by side (pandas' one after the other)."""

    def __init__(self, hashes: Codes, codes: Codes) -> None:
        """`hashes` by code; `codes` are those to be found, each with a hash of its own."""
        self._hashes = np.append(hashes, 0)  # the last for what is not found
        self._codes = np.full(2 << len(hashes).bit_length(), -1, np.int32)  # half of the places are taken, or a quarter
        self._mask = len(self._codes) - 1
        codes = codes.astype(np.int32)
        places = hashes[codes] & self._mask
        while len(codes):
            free = self._codes[places] < 0
            self._codes[places[free]] = codes[free]  # where several want one place, the last has it
            moved = self._codes[places] != codes
            codes, places = codes[moved], (places[moved] + 1) & self._mask

    def find(self, hashes: Codes) -> Codes:
        """The code of each hash; -1 for those that have none."""
        parts = [self._found(hashes[begin : begin + _AT_ONCE]) for begin in range(0, len(hashes), _AT_ONCE)]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _found(self, hashes: Codes) -> Codes:
        places = hashes & self._mask
        codes = self._codes[places]
        rest = np.flatnonzero((self._hashes[codes] != hashes) & (codes >= 0))  # somebody else is there
        while len(rest):
            places[rest] = (places[rest] + 1) & self._mask
            codes[rest] = self._codes[places[rest]]
            rest = rest[(self._hashes[codes[rest]] != hashes[rest]) & (codes[rest] >= 0)]
        return codes.astype(np.int64)


def _hashes(texts: pa.Array) -> Codes:
    """A 64-bit hash of every text: its bytes, eight at a time, each mixed in by two secret odd factors."""
    parts = [_mixed(texts.slice(begin, _AT_ONCE)) for begin in range(0, len(texts), _AT_ONCE)]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _mixed(texts: pa.Array) -> Codes:
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters, lengths = np.frombuffer(data or b"", np.uint8), np.diff(ends)
    if lengths.min() == (longest := int(lengths.max())):
        return _mixed_words(letters[ends[0] : ends[-1]].reshape(len(texts), longest))
    made = np.empty(len(texts), np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        made[rows] = _mixed_words(letters[ends[rows, None] + np.arange(length)])
    return made


def _mixed_words(letters: npt.NDArray[np.uint8]) -> Codes:
    """Hashes of texts of one length, a row each."""
    texts, length = letters.shape
    words = np.zeros((texts, -(-length // 8)), np.uint64)
    words.view(np.uint8)[:, :length] = letters
    mixed = np.full(texts, length, np.uint64) * _KEYS[0]
    for word in words.T:
        mixed ^= word
        mixed *= _KEYS[0]
        mixed.byteswap(inplace=True)  # a product carries upwards only
        mixed *= _KEYS[1]
    return mixed.byteswap(inplace=True).view(np.int64)
