"""Every report file, present and future: it counts what it was given, tells every finding, and nothing in it runs."""

from __future__ import annotations

import re
from dataclasses import replace
from types import ModuleType

import pytest

from reconciler import plugins
from reconciler.model import Night
from reconciler.redact import redact
from tests.reports import hostile, sample

REPORTS = list(plugins.names("reports"))

FEW = {
    "a night with everything": sample.night(),
    "the first night": replace(sample.night(), history=()),
    "a night without findings": replace(sample.night([]), matches=(), changes={}, undecided={}),
    "a night without policies": replace(sample.night(), policies=()),
    "a night without anybody's name": redact(sample.night()),
}


def report(name: str) -> ModuleType:
    return plugins.load("reports", name)


def test_names_and_endings_are_claimed_once() -> None:
    loaded = [report(name) for name in REPORTS]
    assert len({module.NAME for module in loaded}) == len({module.SUFFIX for module in loaded}) == len(loaded)
    assert all(module.SUFFIX.startswith(".") for module in loaded)


@pytest.mark.parametrize("night", FEW.values(), ids=FEW)
@pytest.mark.parametrize("name", REPORTS)
def test_tells_every_finding_that_it_was_given(name: str, night: Night) -> None:
    body = report(name).render(night).decode()
    assert not [finding.id for finding in night.findings if finding.id not in body]


@pytest.mark.parametrize("name", REPORTS)
def test_two_renderings_are_the_same_bytes(name: str) -> None:
    assert report(name).render(sample.night()) == report(name).render(sample.night())


@pytest.mark.parametrize("text", hostile.NAMES.values(), ids=hostile.NAMES)
@pytest.mark.parametrize("name", REPORTS)
def test_shows_what_cannot_be_seen(name: str, text: str) -> None:
    """No control character, no mark that turns or hides text, and no half of a surrogate pair comes out as it went in."""
    body = report(name).render(hostile.night(text)).decode("utf-8")
    assert not re.search(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]", body
    )
