"""The nouns of the night: frozen records that stages hand to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

SCHEMA_VERSION = 1

SEVERITIES = ("info", "low", "medium", "high", "critical")  # rising
STATES = ("new", "open", "reopened", "waived", "resolved", "unverified")
SOURCE_STATES = ("complete", "incomplete", "failed", "stale", "reused")
OUTCOMES = ("owned", "nobody", "disputed", "suggested", "exempt", "withheld")

SourceState = Literal["complete", "incomplete", "failed", "stale", "reused"]


def instant_text(instant: datetime | None) -> str | None:
    """RFC 3339 in UTC with a Z, whole seconds unless there are parts of one; None stays None."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class PersonRef:
    id: str
    name: str | None
    status: str | None


@dataclass(frozen=True)
class AccountRef:
    source: str
    id: str | None
    login: str | None
    name: str | None


@dataclass(frozen=True)
class EntitlementRef:
    source: str
    id: str
    name: str | None
    kind: str


@dataclass(frozen=True)
class Finding:
    """One answered question that needs somebody: what is wrong, about whom, why we say so, since when.

    `id` depends only on the policy and the subject's immutable ids. `evidence` is JSON-ready.
    """

    id: str
    policy: str
    severity: str
    state: str
    person: PersonRef | None
    account: AccountRef | None
    entitlement: EntitlementRef | None
    source: str
    summary: str
    evidence: Mapping[str, Any]
    first_seen: datetime
    last_seen: datetime
    due: datetime | None = None
    waiver: Mapping[str, Any] | None = None
    remedies: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as the contract's JSON object."""
        record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **vars(self)}
        for name in ("person", "account", "entitlement"):
            record[name] = None if record[name] is None else dict(vars(record[name]))
        for name in ("first_seen", "last_seen", "due"):
            record[name] = instant_text(record[name])
        record |= {"evidence": dict(self.evidence), "waiver": self.waiver and dict(self.waiver), "remedies": list(self.remedies)}
        return record


@dataclass(frozen=True)
class Change:
    """A finding's state became another tonight."""

    finding: str
    state: str
    policy: str
    source: str
    first_seen: datetime


@dataclass(frozen=True)
class SourceReport:
    """What a source gave tonight; `read = accepted + quarantined + rejected` always."""

    name: str
    kind: str
    state: SourceState
    people: int = 0
    accounts: int = 0
    entitlements: int = 0
    grants: int = 0
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = ()
    as_of: datetime | None = None
    seconds: float = 0.0
    identity: str | None = None
    areas: Mapping[str, str] = field(default_factory=dict)  # optional area -> why it could not be read
    scopes: tuple[Mapping[str, Any], ...] = ()  # {"scope", "pages", "rows", "declared"}
    snapshot: str | None = None
    certificate: tuple[Mapping[str, str], ...] = ()  # {"check", "found"}: what was proven of the answer
    refused: bool = False  # the identity or a permission was refused: exit 4, not 5

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        record.update(reasons=list(self.reasons), scopes=[dict(s) for s in self.scopes], as_of=instant_text(self.as_of))
        record["certificate"] = [dict(check) for check in self.certificate]
        record["seconds"] = round(self.seconds, 3)
        record.pop("refused")
        return record


@dataclass(frozen=True)
class NotAssessed:
    """A question that could not be asked of a source tonight, and why; its open findings stay unverified."""

    policy: str
    source: str
    reason: str


@dataclass(frozen=True)
class Match:
    """Whose account it is, by which key, and what else was considered."""

    account: AccountRef
    outcome: str
    person: PersonRef | None = None
    by: str | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    candidates: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        record["person"] = None if self.person is None else {"id": self.person.id, "name": self.person.name}
        record.update(probability=None, margin_bits=None)
        record.update(evidence=list(self.evidence), candidates=list(self.candidates))
        return record


@dataclass(frozen=True)
class RunRecord:
    """One night in numbers: what `run --format json` prints and what trends are drawn from."""

    run: str
    as_of: datetime
    started: datetime
    finished: datetime
    complete: bool
    exit: int
    sources: tuple[SourceReport, ...]
    matching: Mapping[str, int]  # owned, unowned, disputed, exempt, suggested, withheld
    findings: Mapping[str, Any]  # new, open, reopened, waived, resolved, unverified, by_policy, by_severity
    not_assessed: tuple[NotAssessed, ...] = ()
    reports: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The contract's run object."""
        record: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "run": self.run}
        for name in ("as_of", "started", "finished"):
            record[name] = instant_text(getattr(self, name))
        record |= {"complete": self.complete, "exit": self.exit, "sources": [s.to_json() for s in self.sources]}
        record |= {"matching": dict(self.matching), "findings": dict(self.findings)}
        record |= {"not_assessed": [asdict(n) for n in self.not_assessed], "reports": list(self.reports)}
        return record


@dataclass(frozen=True)
class PolicyPage:
    """A policy's own documentation, as a report's reader needs it."""

    id: str
    title: str
    why: str
    fix: str
    wrong_when: str
    severity: str
    controls: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Night:
    """Everything one run knows; the only thing a report sees."""

    organisation: str
    record: RunRecord
    findings: Sequence[Finding]  # of tonight, resolved ones included; sorted by severity, policy, source, subject
    matches: Sequence[Match]  # accounts that are nobody's, disputed, withheld or exempt
    policies: tuple[PolicyPage, ...]  # those that were asked
    history: tuple[RunRecord, ...] = ()  # earlier runs, oldest first, tonight last
    changes: Mapping[str, Any] = field(default_factory=dict)  # changed records since the night before, per source
    undecided: Mapping[str, int] = field(default_factory=dict)  # policy -> rows it could not answer
    timezone: str = "UTC"
