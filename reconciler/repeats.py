"""An old answer come again: a roster file that was delivered before, in the place of tonight's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from reconciler.missing import counted, gone
from reconciler.snapshots import Snapshot
from reconciler.vocabulary import Codes

COMING_AND_GOING = 0.3  # of everybody at work, in a year: half of them leave, half of them come in their place
CERTAIN = 10  # people who must have come or gone; that none of so many did is one case in twenty thousand
LEAST = timedelta(days=7)
BACKWARD = 3  # people who cannot all have gone back in one night


def delivered_again(new: Snapshot, last: Snapshot, history: Sequence[Snapshot]) -> str | None:
    """Why a roster is an earlier night's, byte for byte, and not tonight's; None when it is not.

    A mistake that HR corrects makes yesterday's roster the day before's again. So at least three people must have gone
    backward: joiners of the last roster who are not on this one, and people told as left who are here again.
    """
    if not new.rows("people") or _content(new) == _content(last):
        return None
    same = [night for night in history if night.rows("people") and _content(night) == _content(new)]
    backward = len(_back(new, last)) + len(np.unique(_lost(new, last))) if same else 0
    if backward < BACKWARD:
        return None
    return (
        f"stale: this is the roster of {same[-1].manifest['as_of'][:10]} again, row for row, and {backward} people have come or gone "
        "since; was an old file delivered?"
    )


def unchanged_since(new: Snapshot, last: Snapshot) -> str | None:
    """Since when a roster is the same, row for row; None when it changed tonight."""
    if not new.rows("people") or _content(new) != _content(last):
        return None
    return str(last.manifest.get("unchanged_since") or last.manifest["as_of"])


def too_long(new: Snapshot, since: str | None, most: timedelta | None) -> str | None:
    """Why a roster that does not change is an old one under new times; without a limit that somebody set, by the size of the company."""
    if since is None:
        return None
    still = datetime.fromisoformat(new.manifest["as_of"]) - datetime.fromisoformat(since)
    here = len(_present(new))
    expected = here * COMING_AND_GOING * still / timedelta(days=365)
    if still <= most if most is not None else still < LEAST or expected < CERTAIN:
        return None
    return (
        f"stale: the roster is the same, row for row, since {since[:10]}; of {here:,} people some {expected:.0f} come or go in that time. "
        "Is an old file delivered under new times?"
    )


def _content(snapshot: Snapshot) -> str:
    return str(snapshot.manifest["tables"]["people"]["sha256"])


def _present(snapshot: Snapshot) -> Codes:
    return np.unique(snapshot.column("people", "code").to_numpy()[counted(snapshot, "people")])


def _back(new: Snapshot, last: Snapshot) -> Codes:
    """Who is here again though the last roster told them as left."""
    told: Codes = last.column("people", "code").to_numpy()
    return np.intersect1d(np.setdiff1d(_present(new), _present(last)), told)


def _lost(new: Snapshot, last: Snapshot) -> Codes:
    codes: Codes = last.column("people", "code").to_numpy()[gone(new, last, "people")]
    return codes
