"""One finding as a page tells it: who, where, since when, until when, why, how sure, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reconciler.model import Finding, Night, PolicyPage
from reports._text import brief
from reports._words import KEYS, REMEDIES, facts, plural, word

MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▪", "info": "·"}  # never by colour alone
_LONG = 600  # a fact longer than this is cut on the page, and whole in csv and jsonl


@dataclass(frozen=True)
class Row:
    """A finding in words; everything in it is still to be escaped."""

    finding: Finding
    mark: str
    says: str
    who: str
    age: str
    days: int
    first: str
    last: str
    due: str
    overdue: bool
    about: Sequence[tuple[str, str, str]]  # name, value, immutable id
    facts: Sequence[tuple[str, str]]
    sure: str
    remedies: Sequence[str]
    page: PolicyPage | None


def rows(night: Night, findings: Sequence[Finding]) -> list[Row]:
    """Findings in words, in their order."""
    zone, pages = ZoneInfo(night.timezone), {page.id: page for page in night.policies}
    return [_row(finding, night.record.as_of, zone, pages) for finding in findings]


def _row(finding: Finding, now: datetime, zone: ZoneInfo, pages: Mapping[str, PolicyPage]) -> Row:
    days = max(0, (now - finding.first_seen).days)
    shown = [(name, brief(value, _LONG)) for name, value in facts(finding.evidence) if name != "matched by"]
    return Row(
        finding, MARKS[finding.severity], brief(finding.summary, 240), who(finding), age(days), days,
        at(finding.first_seen, zone), at(finding.last_seen, zone), due(finding, now), _overdue(finding, now),
        list(_about(finding)), shown, sure(finding), [REMEDIES.get(r, r.replace("-", " ")) for r in finding.remedies],
        pages.get(finding.policy),
    )  # fmt: skip


def who(finding: Finding) -> str:
    """The person, or how many have a claim."""
    if finding.person:
        return brief(finding.person.name or finding.person.id, 60)
    return "several people" if finding.evidence.get("matched_by") else "nobody"


def age(days: int) -> str:
    return plural(days, "day") if days else "tonight"


def at(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M} {local:%Z}"


def _overdue(finding: Finding, now: datetime) -> bool:
    return finding.due is not None and finding.due < now and finding.state not in ("resolved", "waived")


def due(finding: Finding, now: datetime) -> str:
    """Until when, as people say it; nothing where no day is set or nothing is left to do."""
    if finding.state == "waived":
        return f"until {word(str((finding.waiver or {}).get('until', '?'))[:10])}"
    if finding.due is None or finding.state == "resolved":
        return ""
    left = finding.due - now
    if left < timedelta(0):
        return f"overdue {_span(-left)}"
    return f"due in {_span(left)}"


def _span(time: timedelta) -> str:
    hours = max(1, round(time.total_seconds() / 3600))
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} d"


def _about(finding: Finding) -> Sequence[tuple[str, str, str]]:
    """The subject with its immutable ids."""
    person, account, held = finding.person, finding.account, finding.entitlement
    told = []
    if person:
        status = f" ({word(person.status)} in HR)" if person.status else ""
        told.append(("person", brief(person.name or "no name told", _LONG) + status, person.id))
    if account and account.login:
        name = f" ({brief(account.name, _LONG)})" if account.name else ""
        told.append((f"account on {account.source}", brief(account.login, _LONG) + name, account.id or ""))
    if held:
        told.append((held.kind, brief(held.name or "no name told", _LONG), held.id))
    return told


def sure(finding: Finding) -> str:
    """How we know whose it is: by which key, and what that key is worth."""
    key = finding.evidence.get("matched_by")
    if isinstance(key, str):
        if finding.person is None:
            return f"Several people share {KEYS.get(key, word(key, 'matched_by')).split(',')[0]}."
        return f"Matched by {KEYS.get(key, word(key, 'matched_by'))}."
    if finding.policy == "roster-defect":
        return "The roster's own row says so."
    if finding.person is None:
        return "None of this account's keys finds anybody on the roster." if finding.account else ""
    return "Found by the person's record and the accounts matched to it." if finding.account is None or not finding.account.id else "The account is matched to this person."  # fmt: skip
