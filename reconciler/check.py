"""What a connector's `examine` yields for `doctor`: one line for each thing that must be right before a night.

`examine(settings, context) -> Iterator[Check | Identity | Counted]` is optional. It asks small questions and changes
nothing. A source that it does not count (no Counted) is read whole afterwards, as a night reads it, and nothing of it is
kept. What it raises is the end of the examination: AccessRefused for the identity, any other SourceError for the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "connection", "tls", "clock", "identity", "pinned", "permission", "rights", "rows", "age", "secret", "writer", "certificate"
]
State = Literal[
    "ok",
    "warning",  # a night will run, and somebody should know
    "missing",  # an optional permission: its area will not be assessed
    "unreadable",  # something required cannot be read
    "refused",  # the identity, or a permission that is required
]
STATES: tuple[State, ...] = get_args(State)  # from right to worst


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was found, what stops working without it, and the exact fix."""

    kind: Kind
    what: str
    state: State = "ok"
    told: str = ""
    without: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Counted:
    """How many accounts the source has by its own count; None where it may not be asked."""

    active: int | None = None
    inactive: int | None = None
