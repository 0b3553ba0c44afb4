"""What is asked, and what comes back: findings, rows nobody could decide, and questions that could not be put."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from reconciler.findings import Ids, Part, identities
from reconciler.model import NotAssessed
from reconciler.policy import Policy
from reconciler.view import View


@dataclass(frozen=True)
class Asked:
    """A policy as this company asks it: with its settings and its severity."""

    policy: Policy
    settings: Mapping[str, Any]
    severity: str


@dataclass(frozen=True)
class Unread:
    """What was not read tonight: rosters and sources of accounts with the reason, optional areas by source."""

    rosters: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    areas: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    late: Mapping[str, Mapping[str, timedelta]] = field(default_factory=dict)  # source -> area -> how far behind


@dataclass(frozen=True)
class Answered:
    """One policy's answer: its findings, and the rows it could not decide."""

    part: Part
    view: View
    undecided: npt.NDArray[np.int64]

    def undecided_ids(self) -> Ids:
        return identities(self.part.policy, [self.view.pick(name, self.undecided) for name in self.view.subject])


@dataclass(frozen=True)
class Answers:
    answered: Mapping[str, Answered]
    not_assessed: tuple[NotAssessed, ...]
    closed: Mapping[str, frozenset[tuple[str | None, str | None]]]  # policy -> (source, area) not assessed; None is every one

    def open_to(self, policy: str, source: str, area: str | None) -> bool:
        """Whether the question was asked of a source (and an area of it) tonight."""
        closed = self.closed.get(policy, frozenset())
        return not closed & {(None, None), (source, None), (source, area)}
