"""Distinguished names by number: a directory names each of its objects many times over, as a member, as a manager, as an owner."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from reconciler.connector import Incomplete

Rows = npt.NDArray[np.int32]  # -1 for none

NOBODY = -1


@dataclass
class Names:
    """Every name that was told, in lower case, numbered as they come."""

    _numbers: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, dn: str | None) -> int:
        if dn is None:
            return NOBODY
        lower = dn.lower()
        return self._numbers.setdefault(lower, len(self._numbers))

    def of(self, numbers: Iterable[int]) -> list[str]:
        """The names behind numbers."""
        told = list(self._numbers)
        return [told[number] for number in numbers]

    def row_of(self, dn: str, owners: array[int]) -> int | None:
        """The row of one object, by its name in lower case."""
        number = self._numbers.get(dn)
        return owners.index(number) if number is not None and number in owners else None

    def rows(self, owners: array[int]) -> Rows:
        """For every number the row of its object, which are given by their names' numbers in the order of rows."""
        found = np.full(len(self) + 1, NOBODY, np.int32)  # the last for nobody
        found[np.frombuffer(owners, np.int32)] = np.arange(len(owners), dtype=np.int32)
        return found


def numbers() -> array[int]:
    """Numbers while they are collected, four bytes each."""
    return array("i")


def repeated(ids: bytes | bytearray) -> int | None:
    """The row of an id of 16 bytes that stands there twice, or None."""
    each = np.frombuffer(ids, "S16")  # all are of one length, so that zeros at the end tell nothing
    order = np.argsort(each, kind="stable")
    again = np.flatnonzero(each[order[1:]] == each[order[:-1]])
    return int(order[1:][again].min()) if len(again) else None


def twice(dn: str) -> Incomplete:
    return Incomplete(f"{dn} came twice: it moved while the directory was read, or the server repeated a page")
