"""One pass over a night's findings: everything is counted, and what fits on a page is kept, the newest and gravest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from reconciler.model import SEVERITIES, Finding, Night

ACTIVE = ("new", "reopened", "open")
# How many findings of each section a page tells in full; all of them are counted, and all are in csv and jsonl.
LIMITS: Mapping[str, int] = {"active": 2000, "resolved": 300, "unverified": 300, "waived": 300}
DEFECTS = 300  # rows of the roster that a page shows
_RANK = {state: rank for rank, state in enumerate(ACTIVE)}


class Kept:
    """The first `limit` findings by (state, severity, newest) of as many as are offered; holds at most twice as many at once."""

    def __init__(self, limit: int) -> None:
        self.limit, self._held = limit, list[tuple[tuple[Any, ...], Finding]]()

    def offer(self, finding: Finding, number: int) -> None:
        order = (_RANK.get(finding.state, 0), -SEVERITIES.index(finding.severity), -finding.first_seen.timestamp(), number)
        self._held.append((order, finding))
        if len(self._held) > 2 * self.limit:
            self._trim()

    def listed(self) -> list[Finding]:
        self._trim()
        return [finding for _, finding in self._held]

    def _trim(self) -> None:
        self._held.sort(key=itemgetter(0))
        del self._held[self.limit :]


@dataclass(frozen=True)
class Tally:
    """A night's findings in numbers, and those a page shows, by section (active, resolved, unverified, waived)."""

    every: int
    states: Counter[str]
    severities: Counter[str]  # of active findings
    fresh: Counter[tuple[str, str]]  # new and reopened ones by state and severity
    spread: Counter[tuple[str, str]]  # active ones by policy and source
    policies: Counter[str]  # active ones by policy
    unverified: Counter[str]  # by source
    overdue: int
    oldest: datetime | None  # first night of the oldest active one
    shown: Mapping[str, list[Finding]]
    defects: list[Finding]
    names: Mapping[str, str] = field(default_factory=dict)  # of people whose id somebody asked for

    @property
    def active(self) -> int:
        return sum(self.severities.values())

    def left_out(self, section: str) -> int:
        """How many findings of a section are counted and not shown."""
        every = self.active if section == "active" else self.states[section]
        return every - len(self.shown[section])


def tally(night: Night) -> Tally:
    """Count and choose; memory does not grow with the number of findings."""
    wanted = _claimants(night)
    counted = {name: Counter[Any]() for name in ("states", "severities", "fresh", "spread", "policies", "unverified")}
    kept = {section: Kept(limit) for section, limit in LIMITS.items()}
    defects, names = list[Finding](), dict[str, str]()
    overdue, oldest, number = 0, None, -1
    for number, finding in enumerate(night.findings):
        active = finding.state in ACTIVE
        counted["states"][finding.state] += 1
        kept["active" if active else finding.state].offer(finding, number)
        if active:
            _count(counted, finding)
            overdue += finding.due is not None and finding.due < night.record.as_of
            oldest = finding.first_seen if oldest is None else min(oldest, finding.first_seen)
        elif finding.state == "unverified":
            counted["unverified"][finding.source] += 1
        if finding.policy == "roster-defect" and finding.state != "resolved" and len(defects) < DEFECTS:
            defects.append(finding)
        if finding.person and finding.person.id in wanted and finding.person.name:
            names[finding.person.id] = finding.person.name
    shown = {section: box.listed() for section, box in kept.items()}
    return Tally(number + 1, **counted, overdue=overdue, oldest=oldest, shown=shown, defects=defects, names=names)


def _count(counted: Mapping[str, Counter[Any]], finding: Finding) -> None:
    counted["severities"][finding.severity] += 1
    counted["policies"][finding.policy] += 1
    counted["spread"][finding.policy, finding.source] += 1
    if finding.state in ("new", "reopened"):
        counted["fresh"][finding.state, finding.severity] += 1


def _claimants(night: Night) -> frozenset[str]:
    """The people whom a match names by id only."""
    return frozenset(_ids(night.matches))


def _ids(matches: Iterable[Any]) -> Iterable[str]:
    return (str(candidate["person"]) for match in matches for candidate in match.candidates if candidate.get("person"))
