"""The drift report as one page that needs nothing else: read over coffee, printed, or searched."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reconciler.model import SEVERITIES, Finding, Night, RunRecord, SourceReport
from reports._text import visible
from reports._words import facts

NAME = "html"
SUFFIX = ".html"

SHOWN = 2000  # findings told in full on the page
MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▪", "info": "·"}  # never by colour alone
OUTCOMES = (
    ("disputed", "Several people have a claim"),
    ("nobody", "Nobody on the roster"),
    ("withheld", "Cannot be known tonight"),
    ("exempt", "Exempt by configuration"),
)
_ACTIVE = ("new", "open", "reopened")
_ASSETS = Path(__file__).parent / "assets"


def render(night: Night) -> bytes:
    """The page as UTF-8; style and script are inlined and named by hash in its content security policy."""
    findings = list(night.findings)
    told = [f for f in findings if f.state != "resolved"]
    style, script = ((_ASSETS / name).read_text("utf-8") for name in ("page.css", "page.js"))
    style += "".join(f".h{n}{{--w:{n * 12}}}" for n in range(6))
    page = _environment(night).get_template("page.html").render(
        night=night, rows=told[:SHOWN], left_out=max(0, len(told) - SHOWN), pages={p.id: p for p in night.policies},
        as_of=f"{night.record.as_of.astimezone(UTC):%Y-%m-%d %H:%M} UTC", as_of_local=_local(night),
        verdict=verdict(night, findings), gaps=_gaps(night.record), since=_since(findings), tiles=list(_tiles(night, findings)),
        trend=_trend(night), trend_svg=_trend_svg(night), heat=_heat(told), heat_sources=sorted({f.source for f in told}),
        filters=_filters(told), changes=night.changes, marks=MARKS, severities=SEVERITIES, outcomes=OUTCOMES,
        style=Markup(style), script=Markup(script), style_hash=_hash(style), script_hash=_hash(script),
    )  # fmt: skip
    return page.encode()


def _environment(night: Night) -> Environment:
    made = Environment(loader=FileSystemLoader(_ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    zone = ZoneInfo(night.timezone)
    made.filters |= {
        "visible": lambda text: visible(str(text)),
        "facts": lambda evidence: list(facts(evidence)),
        "day": lambda instant: f"{instant.astimezone(zone):%-d %b %Y %H:%M}",
        "age": lambda finding: max(0, (night.record.as_of - finding.first_seen).days),
    }
    return made


def _hash(text: str) -> str:
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")


def _local(night: Night) -> str:
    at: datetime = night.record.as_of.astimezone(ZoneInfo(night.timezone))
    return f"{at:%A} {at.day} {at:%B %Y, %H:%M} {night.timezone}"


def verdict(night: Night, findings: Sequence[Finding]) -> str:
    """What a person needs to know first, in a sentence or two."""
    fresh = [f for f in findings if f.state in ("new", "reopened")]
    urgent = sum(f.severity in ("critical", "high") for f in fresh)
    standing = sum(f.state == "open" for f in findings)
    said = (
        f"{_count(len(fresh), 'new finding')}"
        + (f", {urgent} of them urgent" if urgent else "")
        + f"; {_count(standing, 'older one')} still open."
    )
    if not fresh:
        said = f"Nothing new tonight; {_count(standing, 'finding')} still open." if standing else "Nothing to do tonight."
    gaps = [source.name for source in _gaps(night.record)]
    blind = sum(f.state == "unverified" for f in findings)
    return said + (f" {', '.join(gaps)} not read whole: {_count(blind, 'finding')} unverified." if gaps else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _gaps(record: RunRecord) -> list[SourceReport]:
    return [source for source in record.sources if source.state not in ("complete", "reused")]


def _since(findings: Sequence[Finding]) -> list[tuple[str, list[Finding]]]:
    titles = {"new": "New", "reopened": "Back again", "resolved": "Resolved", "unverified": "Could not be confirmed"}
    return [(title, [f for f in findings if f.state == state]) for state, title in titles.items()]


def _tiles(night: Night, findings: Sequence[Finding]) -> Iterator[tuple[str, str, str]]:
    active = Counter(f.severity for f in findings if f.state in _ACTIVE)
    for severity in reversed(SEVERITIES[1:]):
        yield str(active[severity]), f"{MARKS[severity]} {severity}, active", severity
    sources, matching = night.record.sources, night.record.matching
    whole = sum(s.state == "complete" for s in sources)
    yield f"{whole}/{len(sources)}", "sources read whole", "good" if whole == len(sources) else "high"
    owned, every = matching.get("owned", 0), sum(matching.values())
    yield f"{100 * owned // every if every else 0} %", f"of {every} accounts have a sure owner", ""
    ages = [(night.record.as_of - f.first_seen).days for f in findings if f.state in _ACTIVE]
    yield f"{max(ages, default=0)} d", "the oldest active finding", ""


def _trend(night: Night) -> list[dict[str, Any]]:
    """Active findings per night and severity, oldest first."""
    nights = night.history or (night.record,)
    return [
        {"night": f"{r.as_of:%Y-%m-%d %H:%M}", "counts": {s: r.findings.get("by_severity", {}).get(s, 0) for s in SEVERITIES}}
        for r in nights
    ]


def _trend_svg(night: Night) -> Markup:
    """Stacked bars, one per night; the table beside it says the same."""
    nights, height, width = _trend(night), 140, 1000
    top = max([sum(n["counts"].values()) for n in nights] + [1])
    step = width / max(len(nights), 12)
    bars = []
    for number, each in enumerate(nights):
        level = float(height)
        for severity in reversed(SEVERITIES):
            tall = height * each["counts"][severity] / top
            level -= tall
            bars.append(
                f'<rect class="b-{severity}" x="{number * step + 2:.1f}" y="{level:.1f}" width="{step - 4:.1f}" height="{tall:.1f}"/>'
            )
    last, first = nights[-1], nights[0]
    text = f"Active findings over {_count(len(nights), 'night')}: {sum(first['counts'].values())} on {first['night']}, {sum(last['counts'].values())} on {last['night']}."
    return Markup(f'<svg viewBox="0 0 {width} {height + 22}" role="img" aria-labelledby="trend-title trend-desc"><title id="trend-title">Trend</title><desc id="trend-desc">{text}</desc>{"".join(bars)}<text x="2" y="{height + 16}">{first["night"]}</text><text x="{width - 2}" y="{height + 16}" text-anchor="end">{last["night"]}</text></svg><p>{text}</p>')  # fmt: skip


def _heat(told: Sequence[Finding]) -> list[tuple[str, list[tuple[int, int]]]]:
    counts = Counter((f.policy, f.source) for f in told if f.state in _ACTIVE)
    top, sources = max(counts.values(), default=1), sorted({f.source for f in told})
    policies = sorted({policy for policy, _ in counts})
    return [(p, [(counts[p, s], -(-5 * counts[p, s] // top)) for s in sources]) for p in policies]


def _filters(told: Sequence[Finding]) -> list[tuple[str, list[str]]]:
    severities = [s for s in reversed(SEVERITIES) if any(f.severity == s for f in told)]
    return [
        ("severity", severities),
        *((name, sorted({str(getattr(f, name)).lower() for f in told})) for name in ("state", "policy", "source")),
    ]
