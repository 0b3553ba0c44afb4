"""Hold a night's findings against what was planted: nothing may be missing, nothing may be extra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.model import Finding
from reconciler.sandbox.company import Subject, World

ACTIVE = ("new", "open", "reopened")


@dataclass(frozen=True)
class Verdict:
    """How a night compares with the truth."""

    planted: int
    missing: frozenset[Subject]
    extra: frozenset[Subject]

    @property
    def true(self) -> bool:
        return not self.missing and not self.extra

    def lines(self) -> Iterator[str]:
        yield f"{self.planted} planted, {self.planted - len(self.missing)} found, {len(self.missing)} missing, {len(self.extra)} extra"
        for word, subjects in (("missing", self.missing), ("extra", self.extra)):
            yield from (f"  {word}: {' '.join(str(part) for part in subject if part)}" for subject in sorted(subjects, key=str))


def subject(finding: Finding) -> Subject:
    """What a finding is about, in the words the plants use."""
    person, account, entitlement = finding.person, finding.account, finding.entitlement
    login = account.login if account and account.id else None
    return (finding.policy, finding.source, person.id if person else None, login, entitlement.name if entitlement else None)


def verdict(world: World, findings: Iterable[Finding]) -> Verdict:
    found = frozenset(subject(finding) for finding in findings if finding.state in ACTIVE)
    planted = frozenset(world.expected)
    return Verdict(len(planted), planted - found, found - planted)
