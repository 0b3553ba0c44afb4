"""The drift report as one page that needs nothing else: read over coffee, printed, or searched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reconciler.model import SEVERITIES, STATES, Finding, Night
from reports import _charts, _headline, _method, _rows
from reports._tally import ACTIVE, Tally, tally
from reports._text import brief
from reports._words import listed, plural, word

NAME = "html"
SUFFIX = ".html"

_LONGEST = 1200  # no text on the page is longer; csv and jsonl have it whole
_ASSETS = Path(__file__).parent / "assets"
_SECTIONS = (("resolved", "Resolved"), ("unverified", "Unverified"), ("waived", "Waived"))
_SECTION_WORDS = {
    "resolved": "Found before, and no longer so in a whole reading.",
    "unverified": "Their source could not be read whole tonight: neither confirmed nor closed. They count again once it is.",
    "waived": "Accepted by a person until a day; they are counted here so that nothing accepted is forgotten.",
}
_TITLES = {"new": "New", "reopened": "Back again", "open": "Still open"}


def render(night: Night) -> bytes:
    """The page as UTF-8; style and script are inlined and named by hash in its content security policy."""
    counted = tally(night)
    style, script = ((_ASSETS / name).read_text("utf-8") for name in ("page.css", "page.js"))
    told = {"night": night, "counted": counted, **_inlined(style, script), **_first(night, counted), **_charted(night, counted)}
    told |= _listed(night, counted) | _last(night, counted)
    return _environment(night).get_template("page.html").render(told).encode()


def _environment(night: Night) -> Environment:
    """Every text is made visible, cut where it is absurdly long, and escaped on its way out, whoever wrote it."""
    made = Environment(loader=FileSystemLoader(_ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown)  # fmt: skip
    zone = ZoneInfo(night.timezone)
    made.filters |= {
        "brief": brief,
        "plural": plural,
        "number": lambda value: f"{value:,}" if isinstance(value, int) else "?" if value is None else value,
        "words": lambda value: word(str(value)),
        "moment": lambda instant: _rows.at(instant, zone),
    }
    made.globals |= {"ranks": {severity: rank for rank, severity in enumerate(SEVERITIES)}, "marks": _rows.MARKS}
    return made


def _shown(value: Any) -> Any:
    return brief(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markup) else value


def _inlined(style: str, script: str) -> dict[str, Markup]:
    return {"style": Markup(style), "script": Markup(script), "style_hash": _hash(style), "script_hash": _hash(script)}


def _hash(text: str) -> Markup:
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")


def _first(night: Night, counted: Tally) -> dict[str, Any]:
    """The head of the page: the night in a sentence, what to trust less, the numbers."""
    gaps = _headline.gaps_of(night, counted)
    return {
        "verdict": _headline.verdict(night, counted), "standing": _headline.standing(night, counted), "when": _headline.when(night),
        "since": _headline.since(night), "exit_words": _headline.EXITS.get(night.record.exit, ""),
        "gaps": gaps, "gap_names": listed([gap.source.name for gap in gaps]), "reused": _headline.reused(night),
        "unasked": _headline.unasked(night.record.not_assessed, gaps), "tiles": _headline.tiles(night, counted),
        "severity_tiles": _headline.severity_tiles(night, counted),
    }  # fmt: skip


def _charted(night: Night, counted: Tally) -> dict[str, Any]:
    bars, spread = _charts.bars(night.history or (night.record,), ZoneInfo(night.timezone)), _charts.spread(counted)
    return {
        "bars": bars, "grades": _charts.levels(bars), "trend": _charts.trend(bars), "trend_text": _charts.trend_text(bars),
        "flow": _charts.flow(bars), "flow_text": _charts.flow_text(bars),
        "spread": spread, "heat": _charts.heat(spread) if spread.rows else "", "heat_text": _charts.heat_text(spread) if spread.rows else "",
    }  # fmt: skip


def _listed(night: Night, counted: Tally) -> dict[str, Any]:
    """The findings that the page tells, in their groups, and the words they can be filtered by."""
    when = _headline.since(night)
    titles = _TITLES | {"new": f"New {when}", "reopened": f"Back again {when}"}
    active = _rows.rows(night, counted.shown["active"])
    others = {name: _rows.rows(night, counted.shown[name]) for name, _ in _SECTIONS}
    return {
        "active": active, "active_groups": [(state, titles[state], [row for row in active if row.finding.state == state]) for state in ACTIVE],
        "others": others, "sections": [(name, f"{title} {when}" if name == "resolved" else title) for name, title in _SECTIONS],
        "section_words": _SECTION_WORDS, "filters": _filters([row.finding for rows in (active, *others.values()) for row in rows]),
    }  # fmt: skip


def _filters(shown: Sequence[Finding]) -> list[tuple[str, list[str]]]:
    """The words that occur, in an order people expect."""
    orders: Mapping[str, Sequence[str]] = {"severity": _charts.GRAVEST_FIRST, "state": STATES}
    found = {name: {str(getattr(finding, name)) for finding in shown} for name in ("severity", "state", "policy", "source")}
    return [(name, [w for w in orders.get(name, sorted(words)) if w in words]) for name, words in found.items()]


def _last(night: Night, counted: Tally) -> dict[str, Any]:
    """Owners, coverage and method."""
    return {
        "groups": list(_method.groups(night, counted.names)), "matched": _method.matched(night.record.matching),
        "coverage": _method.coverage(night), "questions": _method.asked(night, counted), "keys": _method.keys(),
        "defects": _method.defects(counted.defects), "states": _method.STATES,
        "change_names": list(dict.fromkeys(name for counts in night.changes.values() for name in counts)),
    }  # fmt: skip
