"""Groups short of their own total, and permissions that were held before: what an answer says of itself, night against night."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from reconciler.snapshots import Snapshot

LISTED = 5  # scopes that a reason names


def short(new: Snapshot, last: Snapshot | None) -> Iterator[str]:
    """Scopes with fewer rows than the source itself counts, at a second look too.

    A count that lags for good is accepted once: a scope that was accepted short may be as short again.
    """
    before = {} if last is None else _missing(last)
    found = {scope: number for scope, number in _missing(new).items() if number > before.get(scope, 0)}
    counted = {scope["scope"]: scope["declared"] for scope in new.manifest["scopes"]}
    for scope, number in islice(found.items(), LISTED):
        yield f"{scope}: read {counted[scope] - number} rows, but the source counts {counted[scope]}, at a second look too"
    if len(found) > LISTED:
        yield f"{len(found)} groups in all are short of their own totals"


def _missing(snapshot: Snapshot) -> Mapping[str, int]:
    """How many rows each scope whose count may lag is short."""
    return {
        scope["scope"]: scope["declared"] - scope["rows"]
        for scope in snapshot.manifest["scopes"]
        if scope.get("lags") and scope["declared"] is not None and scope["declared"] > scope["rows"]
    }


def lost_rights(new: Snapshot, last: Snapshot | None) -> Iterator[str]:
    """Essential permissions that were held on the last accepted night, and are not tonight; an optional area speaks for itself."""
    before = set() if last is None else {right["permission"] for right in _rights(last) if right["held"]}
    for right in _rights(new):
        if right["essential"] and right["permission"] in before and not right["held"]:
            yield f"{right['permission']} was held before and is not tonight: {right['told']}"


def rights(snapshot: Snapshot) -> str:
    """What the identity was seen to hold, in a sentence."""
    told = _rights(snapshot)
    lacking = [right["permission"] for right in told if not right["held"]]
    held = f"{len(told) - len(lacking)} of {len(told)} permissions seen to be held"
    return held + (f"; not {', '.join(lacking)}" if lacking else "")


def _rights(snapshot: Snapshot) -> list[dict[str, Any]]:
    return list(snapshot.manifest.get("rights", ()))
