"""Which findings are meant: the filters that every verb about findings takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.model import Finding

ACTIVE = ("new", "open", "reopened")


@dataclass(frozen=True)
class Filter:
    """Every part that is given must fit; within a part one word is enough. An empty part fits everything."""

    policy: Sequence[str] = ()
    source: Sequence[str] = ()
    severity: Sequence[str] = ()
    state: Sequence[str] = ACTIVE
    person: str | None = None
    since: datetime | None = None

    def chosen(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        return (finding for finding in findings if self._fits(finding))

    def _fits(self, finding: Finding) -> bool:
        words = (
            (self.policy, finding.policy),
            (self.source, finding.source),
            (self.severity, finding.severity),
            (self.state, finding.state),
        )
        return (
            all(not wanted or found in wanted for wanted, found in words)
            and (self.person is None or self.person.casefold() in _names(finding))
            and (self.since is None or finding.first_seen >= self.since)
        )


def _names(finding: Finding) -> set[str]:
    """What a person of a finding may be called: their id or name, or their account's login."""
    person, account = finding.person, finding.account
    names = [person.id, person.name] if person else []
    return {name.casefold() for name in (*names, account.login if account else None) if name}
