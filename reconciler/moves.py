"""Who changed position since the last accepted roster: what an old position gave can only be known by remembering it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.clock import start_of_day
from reconciler.estate import Move
from reconciler.roster import Roster

# What an [[access]] rule can ask about a position.
POSITION = ("department", "job_code", "job_title", "cost_centre", "location", "company", "worker_type")


def moves(tonight: Roster, before: Roster) -> Iterator[Move]:
    """Positions that people on both rosters have left. A column that is null on either night says nothing."""
    at = pc.index_in(tonight.person_ids, before.person_ids)
    known = np.flatnonzero(np.asarray(at.is_valid()) & tonight.begun)
    then, now = at.take(pa.array(known)), pa.array(known)
    changed = np.zeros(len(known), bool)
    for name in POSITION:
        differs = pc.not_equal(tonight.column(name).take(now), before.column(name).take(then))
        changed |= np.asarray(pc.fill_null(differs, False))
    rows = np.flatnonzero(changed)
    for new, old in zip(known[rows].tolist(), then.take(pa.array(rows)).to_pylist(), strict=True):
        attributes = {name: before.column(name)[old].as_py() for name in POSITION}
        yield Move(tonight.person_ids[new].as_py(), attributes, _since(tonight, before, new, old))


def _since(tonight: Roster, before: Roster, new: int, old: int) -> datetime:
    """When the new position began: by HR's date where it gives a new one, else tonight."""
    began, earlier = tonight.column("position_start")[new].as_py(), before.column("position_start")[old].as_py()
    if began is None or began == earlier:
        return tonight.now
    return start_of_day(began, tonight.column("timezone")[new].as_py() or tonight.zone)
