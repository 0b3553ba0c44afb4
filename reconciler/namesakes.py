"""A number or an address given again: an account that is older than its finder's first day, and bears another's name.

HR may give a number of somebody long gone to somebody new. Whoever had it before is not on the roster any more, or is
overwritten there; but their account remains, and must not be taken for the newcomer's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.accounts import Accounts
from reconciler.roster import Roster

EARLIER = timedelta(days=90)  # accounts are made ahead of a first day, but not so far
ON_ACCOUNT = ("given_name", "family_name")
ON_ROSTER = (*ON_ACCOUNT, "preferred_name", "display_name")

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def strangers(accounts: Accounts, roster: Roster, rows: Ints, people: Ints) -> Flags:
    """Which of these accounts cannot be those of the people that a key has found (negative: nobody)."""
    found = np.flatnonzero(people >= 0)
    made = accounts.column("created_at").take(pa.array(rows[found])).cast(pa.int64())
    later = np.asarray(pc.fill_null(made, 0), np.int64) + EARLIER // timedelta(microseconds=1)
    older = found[np.asarray(made.is_valid(), bool) & (later < roster.first_starts[people[found]])]
    strange = np.zeros(len(rows), bool)
    strange[older] = _nothing_shared(accounts, roster, rows[older], people[older])
    return strange


def _nothing_shared(accounts: Accounts, roster: Roster, rows: Ints, people: Ints) -> Flags:
    """Where both are named in full, in letters that can be compared, and no part of the names is the same."""
    ours = [tables.plain(accounts.column(name).take(pa.array(rows))) for name in ON_ACCOUNT]
    theirs = [tables.plain(roster.column(name).take(pa.array(people))) for name in ON_ROSTER]
    differ = np.ones(len(rows), bool)
    for one, other in zip(ours, theirs, strict=False):  # a given or a family name that is told of one alone differs from none
        differ &= np.asarray(pc.fill_null(pc.not_equal(one, other), False), bool)
    at = np.flatnonzero(differ)  # few: the rest is looked at letter by letter
    shown = zip(*(column.take(pa.array(at)).to_pylist() for column in (*ours, *theirs)), strict=True)
    differ[at] = [_apart(_parts(names[:2]), _parts(names[2:])) for names in shown]
    return differ


def _apart(ours: set[str], theirs: set[str]) -> bool:
    return bool(ours and theirs) and all(part.isascii() for part in ours | theirs) and not ours & theirs


def _parts(names: Sequence[str | None]) -> set[str]:
    """The parts of some names, without case and accents."""
    plain = unicodedata.normalize("NFKD", " ".join(filter(None, names)).casefold())
    return set(re.findall(r"\w+", "".join(char for char in plain if not unicodedata.combining(char))))
