"""A number or an address given again: an account that is older than its finder's first day, and bears another's name.

HR may give a number of somebody long gone to somebody new. Whoever had it before is not on the roster any more, or is
overwritten there; but their account remains, and must not be taken for the newcomer's.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.accounts import Accounts
from reconciler.roster import Roster

EARLIER = timedelta(days=90)  # accounts are made ahead of a first day, but not so far
ON_ACCOUNT, ON_ROSTER = ("given_name", "family_name"), ("given_name", "preferred_name", "family_name", "display_name")

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def strangers(accounts: Accounts, roster: Roster, rows: Ints, people: Ints) -> Flags:
    """Which of these accounts cannot be those of the people that a key has found (negative: nobody)."""
    found = np.flatnonzero(people >= 0)
    made = accounts.column("created_at").take(pa.array(rows[found])).cast(pa.int64())
    later = np.asarray(pc.fill_null(made, 0), np.int64) + EARLIER // timedelta(microseconds=1)
    older = found[np.asarray(made.is_valid(), bool) & (later < roster.first_starts[people[found]])]
    strange = np.zeros(len(rows), bool)
    strange[older] = [_nothing_shared(accounts, roster, int(rows[at]), int(people[at])) for at in older]
    return strange


def _nothing_shared(accounts: Accounts, roster: Roster, account: int, person: int) -> bool:
    """Whether both are named in full, in letters that can be compared, and no part of the names is the same."""
    ours = [accounts.column(name)[account].as_py() for name in ON_ACCOUNT]
    theirs = [roster.column(name)[person].as_py() for name in ON_ROSTER]
    if not all(ours) or not (theirs[0] and theirs[2]):
        return False
    parts = _parts(ours), _parts(theirs)
    return all(part.isascii() for part in set.union(*parts)) and not set.intersection(*parts)


def _parts(names: list[str | None]) -> set[str]:
    """The parts of some names, without case and accents."""
    plain = unicodedata.normalize("NFKD", " ".join(filter(None, names)).casefold())
    return set(re.findall(r"\w+", "".join(char for char in plain if not unicodedata.combining(char))))
