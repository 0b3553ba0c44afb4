"""The page: nothing in it runs or leaves it, it is sound for a screen reader, and its numbers are the night's."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.model import Night, NotAssessed
from reports import html_page
from reports._tally import LIMITS, tally
from tests.reports import hostile, sample
from tests.reports.page import Element, read

GOLDEN = Path(__file__).parent / "golden"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "h2", "h3", "h4", "p", "nav", "ul", "ol", "li", "b", "main", "section",
    "div", "span", "strong", "bdi", "code", "svg", "desc", "g", "rect", "line", "text", "details", "summary", "table", "caption", "thead", "tbody",
    "tr", "th", "td", "form", "label", "input", "select", "option", "button", "dl", "dt", "dd", "br", "footer", "script",
}  # fmt: skip
ADDRESSES = ("href", "src", "action", "srcset", "data", "poster", "formaction", "xlink:href", "background", "ping")


def page(night: Night) -> Element:
    return read(html_page.render(night))


@pytest.mark.parametrize("name", hostile.NAMES.values(), ids=hostile.NAMES)
def test_hostile_names_run_nothing(name: str) -> None:
    shown = page(hostile.night(name))
    elements = list(shown.every())
    assert {element.tag for element in elements} <= TAGS
    assert not [key for element in elements for key in element.has if key.startswith("on") or key == "style"]
    assert [element.tag for element in elements].count("script") == 1
    assert not [
        value for element in elements for key, value in element.has.items() if key in ADDRESSES and not value.startswith("#")
    ]
    assert [item.has["id"] for item in shown.every("li") if item.has.get("class") == "finding"] == [
        f"f-{n:016x}" for n in (0, 1, 2, 3, 4, 5)
    ]


@pytest.mark.parametrize("name", [hostile.NAMES["long"], hostile.NAMES["combining"]], ids=["long", "combining"])
def test_a_very_long_name_is_cut_on_the_page(name: str) -> None:
    assert max(len(part) for element in page(hostile.night(name)).every() if element.tag not in ("style", "script") for part in element.inside if isinstance(part, str)) <= 1300  # fmt: skip


@pytest.mark.parametrize("name", hostile.NAMES.values(), ids=hostile.NAMES)
def test_a_name_cannot_turn_the_text_around_it(name: str) -> None:
    """Names stand in an isolate of their own; sentences, whose language is known, run from left to right."""
    for item in page(hostile.night(name)).every("li"):
        if item.has.get("class") == "finding":
            spans = {span.has.get("class", "").split(" ")[0]: span for span in item.every("span")}
            assert spans["c-says"].has["dir"] == "ltr"
            assert [part.tag for part in spans["c-who"].every()] == ["bdi"]


def test_the_policy_of_the_page_allows_its_own_style_and_script_alone() -> None:
    shown = page(sample.night())
    policy = next(meta.has["content"] for meta in shown.every("meta") if meta.has.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag in ("style", "script"):
        (element,) = shown.every(tag)
        assert rules[f"{tag}-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()}'"
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}


def test_nothing_is_fetched() -> None:
    body = html_page.render(sample.night()).decode()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttpRequest|sendBeacon|WebSocket|import\(", body)


STRUCTURES = {
    "everything": sample.night(),
    "nothing": replace(sample.night([]), matches=(), changes={}),
    "hostile": hostile.night("<b>"),
}


@pytest.mark.parametrize("night", STRUCTURES.values(), ids=STRUCTURES)
def test_is_sound_for_a_screen_reader(night: Night) -> None:
    shown = page(night)
    (root,) = shown.every("html")
    assert root.has["lang"] == "en"
    assert [len(list(shown.every(tag))) for tag in ("h1", "main", "header", "footer", "nav", "title")][:5] == [1, 1, 1, 1, 1]
    levels = [int(heading.tag[1]) for heading in shown.every("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = Counter(element.has["id"] for element in shown.every() if "id" in element.has)
    assert set(ids.values()) == {1}
    named = [name for element in shown.every() for name in element.has.get("aria-labelledby", "").split()]
    jumps = [link.has["href"][1:] for link in shown.every("a")]
    assert not [name for name in (*named, *jumps) if name not in ids]
    assert next(shown.every("a")).has == {"class": "skip", "href": "#findings"}


@pytest.mark.parametrize("night", STRUCTURES.values(), ids=STRUCTURES)
def test_tables_fields_and_charts_have_names(night: Night) -> None:
    shown = page(night)
    for table in shown.every("table"):
        assert next(table.every("caption")).words
        assert all(cell.has["scope"] in ("col", "row") for cell in table.every("th"))
        widths = {len([cell for cell in row.inside if isinstance(cell, Element)]) for row in table.every("tr")}
        assert len(widths) == 1, "every row has as many cells as the head"
    labelled = {label.has["for"] for label in shown.every("label")}
    assert {field.has["id"] for field in shown.every("input", "select")} == labelled
    for drawing in shown.every("svg"):
        hidden = drawing.has.get("class") == "dot"
        assert hidden or (drawing.has["role"] == "img" and len(list(drawing.every("desc"))) == 1)
    assert [element.has["id"] for element in shown.every() if element.has.get("aria-live") == "polite"] == ["count"]
    assert all(region.has["tabindex"] == "0" and region.has["aria-label"] for region in shown.every("div") if region.has.get("role") == "region")  # fmt: skip


def test_severity_is_said_in_words_and_marks_and_not_by_colour_alone() -> None:
    marks = {span.words for span in page(sample.night()).every("span") if span.has.get("class", "").startswith("sev ")}
    assert marks == {"◆ critical", "▲ high", "● medium", "▪ low"}


def test_the_filters_stay_hidden_until_the_script_runs() -> None:
    (tools,) = page(sample.night()).every("form")
    assert "hidden" in tools.has


def test_the_numbers_are_the_nights() -> None:
    night = sample.night()
    states = Counter(finding.state for finding in night.findings)
    shown = page(night)
    tiles = {link.has["data-state"]: int(next(link.every("b")).text) for link in shown.every("a") if "data-state" in link.has}
    assert tiles == states
    items = Counter(item.has["data-state"] for item in shown.every("li") if item.has.get("class") == "finding")
    assert items == states
    grades = {
        link.has["data-severity"]: int(next(link.every("b")).text) for link in shown.every("a") if "data-severity" in link.has
    }
    assert grades == night.record.findings["by_severity"]


HEADLINES = [
    ("a full night", sample.night(), "Since last night: 10 new findings (3 critical, 4 high), 1 back again (1 critical) and 3 resolved. google was not read whole."),
    ("nothing new", sample.night([f for f in sample.findings() if f.state == "open"]), "Nothing new since last night. google was not read whole."),
    ("one thing back", sample.night([f for f in sample.findings() if f.state == "reopened"]), "Since last night: 1 finding back again (1 critical). google was not read whole."),
    ("the first night", replace(sample.night([f for f in sample.findings() if f.severity == "low"]), history=()), "On the first night: 1 new finding. google was not read whole."),
    ("everything read, nothing found", replace(sample.night([]), record=replace(sample.night().record, sources=sample.sources()[:3])), "Nothing new since last night."),
]  # fmt: skip


@pytest.mark.parametrize(("night", "said"), [case[1:] for case in HEADLINES], ids=[case[0] for case in HEADLINES])
def test_begins_with_the_night_in_a_sentence(night: Night, said: str) -> None:
    assert next(p.words for p in page(night).every("p") if p.has.get("class") == "verdict") == said


def test_says_since_when_after_a_missed_night() -> None:
    night = sample.night()
    late = replace(
        night, history=tuple(r for r in night.history if r.as_of < sample.AS_OF - timedelta(days=2) or r is night.record)
    )
    assert "Since 20 Nov 2026: 10 new findings" in page(late).text


def test_a_source_that_was_not_read_whole_has_a_banner_that_says_what_follows() -> None:
    (banner,) = [s for s in page(sample.night()).every("section") if s.has.get("class") == "banner"]
    assert "google could not be read to its end: page 3 of users: HTTP 503" in banner.words
    assert "Nothing was opened and nothing was closed there tonight; its 3 findings of before are unverified." in banner.words


def test_what_was_not_asked_is_said_once_per_source_and_reason() -> None:
    (note,) = [s for s in page(sample.night()).every("section") if s.has.get("class") == "banner note"]
    assert "m365: leaver-access-kept. roles: 403 Authorization_RequestDenied" in note.words
    night = sample.night()
    gone = tuple(NotAssessed(policy.id, "google", "cut off") for policy in night.policies)
    told = page(replace(night, record=replace(night.record, not_assessed=gone)))
    assert not [s for s in told.every("section") if s.has.get("class") == "banner note"], "its own banner says it"


def test_a_page_shows_the_newest_and_gravest_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIMITS, "active", 200)
    night = sample.night(sample.Many(600))
    counted = tally(night)
    shown = page(night)
    items = [item.has for item in shown.every("li") if item.has.get("class") == "finding"]
    assert len([item for item in items if item["data-state"] in ("new", "open", "reopened")]) == LIMITS["active"]
    assert f"{counted.active - LIMITS['active']:,} more are in the csv and jsonl reports of this run." in shown.text
    order = [(("new", "reopened", "open").index(i["data-state"]), -int(i["data-rank"]), -int(i["data-first"])) for i in items if i["data-state"] in ("new", "open", "reopened")]  # fmt: skip
    assert order == sorted(order)


def outline(shown: Element) -> str:
    """What a page says, element by element, without its style and script."""
    kept = ("h1", "h2", "h3", "h4", "p", "li", "summary", "caption", "th", "td", "dt", "dd", "title", "desc", "option", "label")
    own = [(e.tag, " ".join("".join(p if isinstance(p, str) else "" if p.tag in kept or any(p.every(*kept)) else p.text for p in e.inside).split())) for e in shown.every(*kept)]  # fmt: skip
    return "".join(f"{tag}: {words}\n" for tag, words in own if words)


def test_says_what_it_said_before() -> None:
    """The golden page; `python -m tests.reports.golden` writes it anew, and the difference is for reading."""
    assert outline(page(sample.small())) == (GOLDEN / "page.txt").read_text("utf-8")
