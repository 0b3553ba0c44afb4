"""Two charts as drawings that need no script: findings night by night, and where they gather; each with its numbers as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from markupsafe import Markup, escape

from reconciler.model import SEVERITIES, RunRecord
from reports._tally import Tally
from reports._text import brief
from reports._words import plural

GRAVEST_FIRST = tuple(reversed(SEVERITIES))
NIGHTS = 30
_WIDE, _HIGH, _LEFT, _TOP, _BOTTOM = 560, 232, 34, 8, 34  # the trend, in units of its own
_FLOW = 76  # the height of what came and went below it
_LABEL, _CELL, _ROW = 172, 62, 26  # the heat: width of names, of a cell, height of a row


@dataclass(frozen=True)
class Bar:
    """One night of the trend."""

    day: str
    counts: Mapping[str, int]  # active findings by severity
    new: int
    resolved: int
    whole: bool

    @property
    def every(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Spread:
    """Active findings by policy and source, the fullest policy first."""

    sources: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]

    @property
    def top(self) -> int:
        return max((count for _, counts in self.rows for count in counts), default=0)


def bars(history: Sequence[RunRecord], zone: tzinfo) -> list[Bar]:
    """The last nights, oldest first; two runs of one day are told apart by the hour."""
    nights = list(history)[-NIGHTS:]
    days = [f"{r.as_of.astimezone(zone):%-d %b}" for r in nights]
    return [
        Bar(day if days.count(day) == 1 else f"{day} {r.as_of.astimezone(zone):%H:%M}", _by_severity(r), r.findings.get("new", 0), r.findings.get("resolved", 0), r.complete)
        for day, r in zip(days, nights, strict=True)
    ]  # fmt: skip


def levels(nights: Sequence[Bar]) -> list[str]:
    """The severities that a chart or its table speaks of; info only where there is any."""
    return [s for s in GRAVEST_FIRST if s != "info" or any(night.counts[s] for night in nights)]


def _by_severity(record: RunRecord) -> dict[str, int]:
    told = record.findings.get("by_severity", {})
    return {severity: told.get(severity, 0) for severity in GRAVEST_FIRST}


def trend_text(nights: Sequence[Bar]) -> str:
    """What the trend shows, in a sentence."""
    first, last = nights[0], nights[-1]
    if len(nights) == 1:
        return (
            f"The first night: {plural(last.every, 'active finding')}. From the second night on this chart shows how they change."
        )
    gaps = sum(not night.whole for night in nights)
    moved = last.every - first.every
    way = "as many as" if not moved else f"{abs(moved):,} {'more' if moved > 0 else 'fewer'} than"
    told = f"{plural(last.every, 'active finding')} tonight, {way} on {first.day}."
    return told + (f" {plural(gaps, 'night')} of {len(nights)} had a source that was not read whole (marked !)." if gaps else "")


def trend(nights: Sequence[Bar]) -> Markup:
    """Stacked bars, the gravest at the bottom; a night that was not whole has a mark below it."""
    top = _ceiling(max(night.every for night in nights))
    wide, tall = _WIDE - _LEFT, _HIGH - _TOP - _BOTTOM
    step = min(wide / len(nights), 72)
    drawn = [*_lines(top, tall)]
    for number, night in enumerate(nights):
        drawn.append(_bar(night, _LEFT + number * step, step, tall / top, _TOP + tall))
    drawn += _days(nights, step)
    return _svg("trend", _WIDE, _HIGH, "Active findings night by night", trend_text(nights), drawn)


def flow(nights: Sequence[Bar]) -> Markup:
    """What came and what went each night: new ones above the line, resolved ones below it, in the trend's columns."""
    most_new, most_gone = (max(1, *counts) for counts in ([night.new for night in nights], [night.resolved for night in nights]))
    unit, step = (_FLOW - 8) / (most_new + most_gone), min((_WIDE - _LEFT) / len(nights), 72)
    line = 4 + most_new * unit
    drawn = [_came_and_went(night, _LEFT + number * step, step, unit, line) for number, night in enumerate(nights)]
    drawn.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDE}" y1="{line:.1f}" y2="{line:.1f}"/>')
    return _svg("flow", _WIDE, _FLOW, "New and resolved findings night by night", flow_text(nights), drawn)


def _came_and_went(night: Bar, x: float, step: float, unit: float, line: float) -> str:
    gap, new, gone = min(4.0, step * 0.2), night.new * unit, night.resolved * unit
    place = f'x="{x + gap / 2:.1f}" width="{step - gap:.1f}"'
    return (
        f"<g><title>{escape(night.day)}: {night.new:,} new, {night.resolved:,} resolved</title>"
        f'<rect class="came" {place} y="{line - new:.1f}" height="{new:.1f}"/><rect class="went" {place} y="{line:.1f}" height="{gone:.1f}"/></g>'
    )


def flow_text(nights: Sequence[Bar]) -> str:
    """How much came and went in all, in a sentence."""
    came, went = sum(night.new for night in nights), sum(night.resolved for night in nights)
    return f"{came:,} new and {went:,} resolved in {plural(len(nights), 'night')}."


def _ceiling(most: int) -> int:
    """A round number, a multiple of four, that the highest bar stays below."""
    if most <= 4:
        return 4
    unit = 10 ** (len(str(most)) - 1)
    return next(int(unit * f) for f in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12) if unit * f >= most and unit * f % 4 == 0)


def _lines(top: int, tall: int) -> Iterator[str]:
    for share in (0, 0.5, 1):
        y = _TOP + tall * (1 - share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(round(top * share))}</text>'


def _short(number: int) -> str:
    return f"{number / 1000:g}k" if number >= 1000 else str(number)


def _bar(night: Bar, x: float, step: float, unit: float, floor: float) -> str:
    parts, level, gap = [], floor, min(4.0, step * 0.2)
    for severity, count in night.counts.items():
        level -= count * unit
        if count:
            parts.append(f'<rect class="b-{severity}" x="{x + gap / 2:.1f}" y="{level:.1f}" width="{step - gap:.1f}" height="{count * unit:.1f}"/>')  # fmt: skip
    mark = "" if night.whole else f'<text class="gap" x="{x + step / 2:.1f}" y="{floor + 13:.1f}" text-anchor="middle">!</text>'
    told = ", ".join(f"{count:,} {severity}" for severity, count in night.counts.items() if count) or "none"
    words = f"{night.day}: {night.every:,} active ({told})" + ("" if night.whole else "; a source was not read whole")
    return f"<g><title>{escape(words)}</title>{''.join(parts)}{mark}</g>"


def _days(nights: Sequence[Bar], step: float) -> Iterator[str]:
    """The first and the last night, and one or two between where there is room."""
    last = len(nights) - 1
    for number in sorted({0, last} | ({last // 3, last * 2 // 3} if last >= 9 else set())):
        anchor = "start" if number == 0 else "end" if number == last and last else "middle"
        x = _LEFT + (number + {"start": 0, "middle": 0.5, "end": 1}[anchor]) * step
        yield f'<text x="{x:.1f}" y="{_HIGH - 5}" text-anchor="{anchor}">{escape(nights[number].day)}</text>'


def spread(counted: Tally) -> Spread:
    sources = sorted({source for _, source in counted.spread})
    policies = sorted(counted.policies, key=lambda policy: (-counted.policies[policy], policy))
    return Spread(sources, [(policy, [counted.spread[policy, source] for source in sources]) for policy in policies])


def heat(found: Spread) -> Markup:
    """One square per policy and source, the darker the more; the number stands in it."""
    wide, high = _LABEL + _CELL * len(found.sources), _ROW * (len(found.rows) + 1)
    drawn = [
        f'<text x="{_LABEL + _CELL * (n + 0.5):.1f}" y="16" text-anchor="middle">{escape(brief(source, 9))}</text>'
        for n, source in enumerate(found.sources)
    ]
    for line, (policy, counts) in enumerate(found.rows, 1):
        drawn.append(f'<text x="0" y="{line * _ROW + 17}">{escape(brief(policy, 27))}</text>')
        drawn += [_square(policy, source, count, found.top, n, line) for n, (source, count) in enumerate(zip(found.sources, counts, strict=True))]  # fmt: skip
    name = "heat" if len(found.sources) <= 4 else "heat many"
    return _svg(name, wide, high, "Active findings by policy and system", heat_text(found), drawn)


def heat_text(found: Spread) -> str:
    """Where most of it is, in a sentence."""
    most = max(((count, policy, found.sources[n]) for policy, counts in found.rows for n, count in enumerate(counts)), key=lambda c: c[0])  # fmt: skip
    return f"Most in one place: {most[0]:,} of {brief(most[1], 40)} on {brief(most[2], 40)}."


def _square(policy: str, source: str, count: int, top: int, column: int, line: int) -> str:
    x, y = _LABEL + column * _CELL + 1, line * _ROW + 1
    shade = math.ceil(5 * count / top) if top else 0
    return (
        f'<g><title>{escape(brief(policy))} on {escape(brief(source))}: {count:,}</title><rect class="h{shade}" x="{x}" y="{y}" width="{_CELL - 2}" height="{_ROW - 2}" rx="3"/>'
        f'<text class="{"in" if count else "none"}" x="{x + _CELL / 2 - 1}" y="{y + 16}" text-anchor="middle">{_short(count) if count else "·"}</text></g>'
    )


def _svg(name: str, wide: int, high: int, title: str, text: str, drawn: Sequence[str]) -> Markup:
    label = name.split()[0]
    return Markup(
        f'<svg class="{name}" viewBox="0 0 {wide} {high}" role="img" aria-labelledby="{label}-title {label}-text"><title id="{label}-title">{title}</title><desc id="{label}-text">{escape(text)}</desc>{"".join(drawn)}</svg>'
    )
