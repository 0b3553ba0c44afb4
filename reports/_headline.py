"""What a reader needs first: the night in a sentence, what to trust less tonight, and the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reconciler.model import SEVERITIES, Night, NotAssessed, RunRecord, SourceReport
from reports._tally import Tally
from reports._words import listed, plural

EXITS = {
    0: "complete", 1: "stopped by an unexpected error", 3: "findings at or above the level that pages",
    4: "an identity or a permission was refused", 5: "a source was not read whole",
}  # fmt: skip
_URGENT = ("critical", "high")
STATE_TILES = (
    ("new", "new", "for the first time"),
    ("reopened", "back again", "had gone"),
    ("open", "still open", "known before"),
    ("resolved", "resolved", "gone, and read whole"),
    ("unverified", "unverified", "could not be looked at"),
    ("waived", "waived", "accepted by a person"),
)


@dataclass(frozen=True)
class Tile:
    number: int
    label: str
    note: str
    kind: str  # severity or state
    by: str  # the filter it stands for


@dataclass(frozen=True)
class Gap:
    """A source that was not read whole, and what follows from that."""

    source: SourceReport
    headline: str
    unverified: int


def before(night: Night) -> RunRecord | None:
    """The run before this one, as far as it is known."""
    earlier = [record for record in night.history if record.run != night.record.run and record.started <= night.record.started]
    return earlier[-1] if earlier else None


def since(night: Night) -> str:
    """Since when things are called new: last night, or a day."""
    last = before(night)
    if last is None:
        return "on the first night"
    apart = night.record.as_of - last.as_of
    if timedelta(hours=12) <= apart <= timedelta(hours=36):
        return "since last night"
    at = last.as_of.astimezone(ZoneInfo(night.timezone))
    return f"since {at:%H:%M}" if timedelta(0) <= apart < timedelta(hours=12) else f"since {at.day} {at:%b %Y}"


def verdict(night: Night, counted: Tally) -> str:
    """The night in a sentence or two."""
    when = since(night)
    news = list(_news(counted))
    said = f"{when[0].upper()}{when[1:]}: {listed(news)}." if news else f"Nothing new {when}."
    gaps = [gap.source.name for gap in gaps_of(night, counted)]
    return said + (f" {listed(gaps)} {'was' if len(gaps) == 1 else 'were'} not read whole." if gaps else "")


def _news(counted: Tally) -> Iterator[str]:
    new, back, gone = (counted.states[state] for state in ("new", "reopened", "resolved"))
    if new:
        yield plural(new, "new finding") + _urgent(counted, "new")
    if back:
        yield (f"{back:,}" if new else plural(back, "finding")) + " back again" + _urgent(counted, "reopened")
    if gone:
        yield (f"{gone:,}" if new or back else plural(gone, "finding")) + " resolved"


def _urgent(counted: Tally, state: str) -> str:
    """How many of them cannot wait: (4 critical, 3 high)."""
    grave = [f"{counted.fresh[state, severity]:,} {severity}" for severity in _URGENT if counted.fresh[state, severity]]
    return f" ({', '.join(grave)})" if grave else ""


def standing(night: Night, counted: Tally) -> str:
    """What is open in all, in a sentence."""
    if not counted.every:
        return "No finding is open, waived or unverified."
    said = plural(counted.active, "finding is", "findings are") + " open in all"
    if counted.overdue:
        said += f", {counted.overdue:,} of them overdue"
    if counted.oldest:
        days = (night.record.as_of - counted.oldest).days
        said += f"; the oldest for {plural(days, 'day')}" if days else "; all found tonight"
    return said + "."


def gaps_of(night: Night, counted: Tally) -> list[Gap]:
    """Sources that could not be read whole, with the findings that hang on them."""
    missing = [source for source in night.record.sources if source.state not in ("complete", "reused")]
    return [Gap(source, _headline(source), counted.unverified[source.name]) for source in missing]


def _headline(source: SourceReport) -> str:
    told = {
        "incomplete": "could not be read to its end",
        "failed": "could not be read at all",
        "stale": "gave data that is too old",
    }
    return told.get(source.state, source.state)


def reused(night: Night) -> list[SourceReport]:
    return [source for source in night.record.sources if source.state == "reused"]


@dataclass(frozen=True)
class Unasked:
    """Questions left unasked of a source for one reason."""

    source: str
    reason: str
    policies: Sequence[str]


def unasked(missing: Sequence[NotAssessed], gaps: Sequence[Gap]) -> list[Unasked]:
    """Questions that were not asked of sources that were read, one line per source and reason."""
    grouped: dict[tuple[str, str], list[str]] = {}
    told = {gap.source.name for gap in gaps}
    for gap in (gap for gap in missing if gap.source not in told):
        grouped.setdefault((gap.source, gap.reason), []).append(gap.policy)
    return [Unasked(source, reason, sorted(set(policies))) for (source, reason), policies in grouped.items()]


def tiles(night: Night, counted: Tally) -> list[Tile]:
    """The states of tonight's findings."""
    return [Tile(counted.states[state], label, note, state, "state") for state, label, note in STATE_TILES]


def severity_tiles(night: Night, counted: Tally) -> list[Tile]:
    """Active findings by severity, each beside the night before."""
    last = before(night)
    earlier: Mapping[str, int] | None = last.findings.get("by_severity", {}) if last else None
    return [
        Tile(counted.severities[s], s, _moved(counted.severities[s], earlier, s), s, "severity")
        for s in reversed(SEVERITIES)
        if s != "info" or counted.severities[s]
    ]


def _moved(now: int, earlier: Mapping[str, int] | None, severity: str) -> str:
    if earlier is None:
        return "active"
    more = now - earlier.get(severity, 0)
    return "as last time" if not more else f"{abs(more):,} {'more' if more > 0 else 'fewer'} than last time"


def when(night: Night) -> str:
    at: datetime = night.record.as_of.astimezone(ZoneInfo(night.timezone))
    return f"{at:%A} {at.day} {at:%B %Y, %H:%M} {at:%Z}"
