"""The same night without anybody's name: initials for people, keyed hashes for ids, so that a report can leave the house.

What is kept: counts, policies, systems, states, days, group and licence names, and the order of the findings, so that
whoever holds the night can tell which line is whose. The key of the hashes is made of the night's own content, which
only they have: an employee number cannot be guessed back from its hash, and the same person has the same hash on every line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model import AccountRef, EntitlementRef, Finding, Match, Night, NotAssessed, PersonRef, RunRecord, SourceReport

# Evidence that names nobody and stays as it is; every other text is hashed.
_SAFE = {
    "access_ends", "created_at", "entitlement_kind", "kind", "last_activity_at", "last_day", "last_login_at", "line", "live_on",
    "mastered_by", "matched_by", "moved_at", "moved_from", "off_on", "ownership", "person_department", "start_date", "starts",
    "state_reason", "status", "via", "worker_type", "column", "allowed",
}  # fmt: skip
_PERSONAL_KINDS = ("mailbox", "device")  # entitlements that are named after their owner
_LISTS = ("logins",)

# In free text: addresses and sign-in names, GUIDs, domain SIDs, distinguished names, long numbers, whatever is quoted.
_TELLING = re.compile(
    r"[^\s@<>,;:'\"“”()]+@[^\s@<>,;'\"“”()]+"
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
    r"|\bS-1-[0-9-]+"
    r"|\b(?:CN|OU|DC|UID)=[^;\n]+"
    r"|\b[0-9]{4,}\b"
    r"|'[^'\n]+'|\"[^\"\n]+\"|“[^”\n]+”",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Mask:
    """Replaces texts that tell who somebody is."""

    key: bytes

    def id(self, text: str) -> str:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self.key, digest_size=6).hexdigest()

    def free(self, text: str) -> str:
        return _TELLING.sub(lambda found: self.id(found[0]), text)


def redact(night: Night) -> Night:
    """A night in which nobody is named; as many findings, matches and rows, in the same order."""
    mask = _Mask(_key(night))
    history = tuple(_record(mask, record) for record in night.history)
    return replace(
        night,
        record=_record(mask, night.record),
        findings=[_finding(mask, finding) for finding in night.findings],
        matches=[_match(mask, match) for match in night.matches],
        history=history,
    )


def _key(night: Night) -> bytes:
    """Of all that the night knows: whoever cannot see it cannot make it."""
    told = hashlib.blake2b(repr((night.organisation, night.record)).encode("utf-8", "surrogatepass"))
    for finding in night.findings:
        told.update(repr(finding).encode("utf-8", "surrogatepass"))
    return told.digest()


def initials(name: str | None) -> str | None:
    """J. D. for Jo Doe; None stays None."""
    if name is None:
        return None
    return " ".join(f"{word[0]}." for word in re.findall(r"[^\W\d_]+", name)[:4]) or "?"


def _person(mask: _Mask, person: PersonRef | None) -> PersonRef | None:
    return person and PersonRef(mask.id(person.id), initials(person.name), person.status)


def _account(mask: _Mask, account: AccountRef) -> AccountRef:
    return AccountRef(
        account.source, account.id and mask.id(account.id), account.login and mask.id(account.login), initials(account.name)
    )


def _entitlement(mask: _Mask, held: EntitlementRef | None) -> EntitlementRef | None:
    if held is None:
        return None
    return EntitlementRef(held.source, mask.id(held.id), _held_name(mask, held), held.kind)


def _held_name(mask: _Mask, held: EntitlementRef) -> str | None:
    return initials(held.name) if held.kind in _PERSONAL_KINDS else held.name and mask.free(held.name)


def _finding(mask: _Mask, finding: Finding) -> Finding:
    return replace(
        finding,
        id="f-" + mask.id(finding.id),
        person=_person(mask, finding.person),
        account=finding.account and _account(mask, finding.account),
        entitlement=_entitlement(mask, finding.entitlement),
        summary=_summary(mask, finding),
        evidence=_evidence(mask, finding.evidence),
        waiver=finding.waiver and {"until": finding.waiver.get("until"), "reason": "(not shown)", "by": "(not shown)"},
    )


def _evidence(mask: _Mask, evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fact(mask, name, value) for name, value in evidence.items()}


def _fact(mask: _Mask, name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {part: _fact(mask, part, told) for part, told in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fact(mask, name, part) for part in value]
    if name in _LISTS and isinstance(value, str):
        return ", ".join(mask.id(part) for part in value.split(", "))
    return mask.id(value) if isinstance(value, str) and name not in _SAFE else value


def _summary(mask: _Mask, finding: Finding) -> str:
    """The sentence with everything in it replaced that names somebody, the longest first; what is left is masked as free text."""
    secrets = dict(_secrets(mask, finding))
    if not secrets:
        return mask.free(finding.summary)
    known = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in sorted(secrets, key=len, reverse=True)))
    parts, at = [], 0
    for found in known.finditer(finding.summary):
        parts += [mask.free(finding.summary[at : found.start()]), secrets[found[0]]]
        at = found.end()
    return "".join((*parts, mask.free(finding.summary[at:])))


def _secrets(mask: _Mask, finding: Finding) -> Iterator[tuple[str, str]]:
    """Each text of a finding that names somebody, and what stands for it."""
    person, account, held = finding.person, finding.account, finding.entitlement
    pairs: list[tuple[str | None, Callable[[str], str | None]]] = []
    if account:
        pairs += [(account.login, mask.id), (account.name, initials), (account.id, mask.id)]
    if person:
        pairs += [(person.name, initials), (person.id, mask.id)]
    if held:
        shown = _held_name(mask, held)
        pairs += [(held.id, mask.id), (held.name, lambda _: shown)]
    for name, value in finding.evidence.items():
        texts = value.split(", ") if name in _LISTS and isinstance(value, str) else [value]
        pairs += [(text, mask.id) for text in texts if isinstance(text, str) and name not in _SAFE]
    yield from ((text, instead(text) or "?") for text, instead in pairs if text)


def _match(mask: _Mask, match: Match) -> Match:
    evidence = tuple({k: mask.id(str(v)) if k == "value" and v is not None else v for k, v in e.items()} for e in match.evidence)
    candidates = tuple({**c, "person": mask.id(str(c["person"]))} if c.get("person") else dict(c) for c in match.candidates)
    return replace(
        match, account=_account(mask, match.account), person=_person(mask, match.person), evidence=evidence, candidates=candidates
    )


def _record(mask: _Mask, record: RunRecord) -> RunRecord:
    missing = tuple(NotAssessed(n.policy, n.source, mask.free(n.reason)) for n in record.not_assessed)
    return replace(record, sources=tuple(_source(mask, s) for s in record.sources), not_assessed=missing, reports=())


def _source(mask: _Mask, source: SourceReport) -> SourceReport:
    return replace(
        source,
        reasons=tuple(mask.free(reason) for reason in source.reasons),
        identity=source.identity and mask.id(source.identity),
        areas={area: mask.free(reason) for area, reason in source.areas.items()},
        scopes=tuple({**scope, "scope": mask.free(str(scope.get("scope", "")))} for scope in source.scopes),
        certificate=tuple({**check, "found": mask.free(check["found"])} for check in source.certificate),
        snapshot=None,
    )
