"""What was read, what was asked and how sure that is: the part of a page that an auditor turns to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from reconciler.model import Finding, Match, Night, PolicyPage, SourceReport
from reports._rows import MARKS, at
from reports._tally import Tally
from reports._text import brief
from reports._words import CHECKS, KEYS, plural, word

MATCHES = 300  # accounts of one outcome that a page lists; all are counted
OUTCOMES = (
    ("disputed", "disputed", "Several people have a claim", "Decide with reconciler link ACCOUNT PERSON, or correct the shared key."),
    ("suggested", "suggested", "A likely owner, to be confirmed", "Confirm with reconciler link ACCOUNT PERSON; nothing acts on a suggestion."),
    ("nobody", "unowned", "Nobody on the roster", "Find the owner, exempt it as a service account, or disable it."),
    ("withheld", "withheld", "Cannot be known tonight", "Their person's row is in quarantine, or the system that decides was not read whole."),
    ("exempt", "exempt", "Exempt by configuration", "Listed so that an exemption is never silent: [exempt] accounts in config.toml."),
)  # fmt: skip
STATES = {
    "new": "found for the first time",
    "open": "found before, and still so",
    "reopened": "had gone, and is back",
    "resolved": "was found before; a whole reading no longer shows it",
    "unverified": "its source could not be read whole: neither confirmed nor closed",
    "waived": "accepted by a person, with a reason and an end date; after that day it speaks up again",
}
LEVELS = {"exact": "one person", "several people": "several people", "nobody": "nobody", "no value": "no value"}


@dataclass(frozen=True)
class Claim:
    """An account whose owner is not sure, and what each of its keys finds on the roster."""

    match: Match
    login: str
    name: str
    keys: Sequence[tuple[str, str, str]]  # key, value, what it finds
    people: Sequence[str]


@dataclass(frozen=True)
class Group:
    outcome: str
    title: str
    hint: str
    every: int
    claims: Sequence[Claim]


def groups(night: Night, names: Mapping[str, str]) -> Iterator[Group]:
    """Accounts without a sure owner, by outcome; an outcome that nobody has is left out."""
    for outcome, counted, title, hint in OUTCOMES:
        found = [match for match in night.matches if match.outcome == outcome]
        every = max(night.record.matching.get(counted, 0), len(found))
        if every:
            yield Group(outcome, title, hint, every, [_claim(match, names) for match in found[:MATCHES]])


def _claim(match: Match, names: Mapping[str, str]) -> Claim:
    keys = [
        (word(str(e["field"]), "matched_by"), brief(str(e["value"])), LEVELS.get(str(e["level"]), str(e["level"])))
        for e in match.evidence
        if e.get("value")
    ]
    people = [f"{names[c['person']]} ({c['person']})" if c["person"] in names else str(c["person"]) for c in match.candidates]
    return Claim(
        match, brief(match.account.login or match.account.id or "?", 80), brief(match.account.name or "", 80), keys, people
    )


@dataclass(frozen=True)
class Coverage:
    """What one source gave, and how much of it is proven."""

    source: SourceReport
    whole: bool
    gave: str
    as_of: str
    proven: int  # scopes whose rows the source counted too
    differing: Sequence[Mapping[str, object]]
    checks: Sequence[Mapping[str, str]]  # of its certificate, by the names that people use


def coverage(night: Night) -> list[Coverage]:
    return [_covered(source, ZoneInfo(night.timezone)) for source in night.record.sources]


def _covered(source: SourceReport, zone: ZoneInfo) -> Coverage:
    counts = ((source.people, "person", "people"), (source.accounts, "account", None), (source.entitlements, "group, role or licence", "groups, roles and licences"), (source.grants, "membership", None))  # fmt: skip
    gave = ", ".join(plural(number, one, many) for number, one, many in counts if number) or "nothing"
    declared = [scope for scope in source.scopes if scope.get("declared") is not None]
    return Coverage(
        source, source.state == "complete", gave, at(source.as_of, zone) if source.as_of else "not known", len(declared),
        [scope for scope in declared if scope["declared"] != scope.get("rows")],
        [{"name": CHECKS.get(check["check"], check["check"]), "found": check["found"]} for check in source.certificate],
    )  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One policy as it was asked tonight."""

    page: PolicyPage
    mark: str
    settings: str
    active: int
    undecided: int
    not_asked: Sequence[str]


def asked(night: Night, counted: Tally) -> list[Question]:
    missing: dict[str, list[str]] = {}
    for gap in night.record.not_assessed:
        missing.setdefault(gap.policy, []).append(gap.source)
    return [
        Question(page, MARKS[page.severity], _settings(page), counted.policies[page.id], night.undecided.get(page.id, 0), sorted(set(missing.get(page.id, ()))))
        for page in night.policies
    ]  # fmt: skip


def _settings(page: PolicyPage) -> str:
    return ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in page.settings.items()) or "none"


@dataclass(frozen=True)
class Defect:
    """A row of the roster that was set aside, in HR's words."""

    finding: Finding
    row: str
    column: str
    found: str
    allowed: str
    problem: str


def defects(findings: Sequence[Finding]) -> list[Defect]:
    return [_defect(finding, finding.evidence) for finding in findings]


def _defect(finding: Finding, told: Mapping[str, object]) -> Defect:
    row, column, found, allowed, problem = (
        "" if told.get(name) is None else brief(str(told[name])) for name in ("line", "column", "found", "allowed", "problem")
    )
    return Defect(finding, row, column, found, allowed, problem or brief(finding.summary))


def keys() -> list[tuple[str, str]]:
    """The keys of matching, sure to weak, and what each is."""
    return [(word(key, "matched_by"), told) for key, told in KEYS.items()]


def matched(matching: Mapping[str, int]) -> str:
    """How many accounts have a sure owner, in a sentence."""
    owned, every = matching.get("owned", 0), sum(matching.values())
    share = f"{100 * owned / every:.1f} %" if every else "0 %"
    return f"{owned:,} of {plural(every, 'account')} ({share}) have an owner by an exact key or a person's decision."
