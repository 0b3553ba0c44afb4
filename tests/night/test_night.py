"""Whole nights, from a roster and two clouds to stored findings and reports; and nights on which something breaks."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import responses

from connectors import _http
from reconciler.config import load
from reconciler.explain import difference, explanation
from reconciler.explain_words import in_words
from reconciler.model import Night
from reconciler.run import Wish, nightly
from reconciler.store import opened
from tests.google.test_google_workspace import FAULTS as GOOGLE_FAULTS
from tests.google.test_google_workspace import Workspace, key_file  # noqa: F401 - a fixture
from tests.microsoft.test_microsoft365 import FAULTS as GRAPH_FAULTS
from tests.microsoft.test_microsoft365 import USERS, Graph

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
CONFIG = """
[organisation]
name = "Example Ltd"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
statuses = {{ active = ["Active"], left = ["Terminated"] }}
max_quarantined_percent = 50
max_drop_percent = 50
[connectors.m365]
kind = "microsoft365"
tenant = "contoso"
client_id = "c"
client_secret = "env:M365_SECRET"
[connectors.google]
kind = "google_workspace"
credentials = "file:{key}"
subject = "admin@example.com"
licence_queries_per_minute = 60000
[[access]]
name = "everyone"
when = {{ status = ["active"] }}
accounts = ["m365", "google"]
"""
HEADER = "Employee ID,Given Name,Family Name,Status,Start Date,Last Day"
PEOPLE = [f"{n:06d},User,{n},Active,2020-01-06," for n in range(5)]
LEAVER = "000003,User,=HYPERLINK(1),Terminated,2020-01-06,2026-11-08"


@dataclass
class House:
    """A company of five people whose accounts are on two clouds; `night` runs one night."""

    folder: Path
    graph: Graph
    workspace: Workspace
    nights: int = 0

    def roster(self, *rows: str) -> None:
        (self.folder / "roster.csv").write_text("\n".join([HEADER, *rows]) + "\n")

    def night(self, **wish: Any) -> Night:
        now = NOW + timedelta(days=self.nights)
        self.nights += 1
        os.utime(self.folder / "roster.csv", (now.timestamp(), now.timestamp()))
        config = load(self.folder / "config.toml")
        with opened(config.state.url(config.base)) as store:
            return nightly(config, store, Wish(now, **wish))

    def breaks(self, source: str, path: str, page: int, fault: Any) -> None:
        {"m365": self.graph, "google": self.workspace}[source].break_at[path, page] = fault


@pytest.fixture
def house(tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:  # noqa: F811
    monkeypatch.setattr(_http.Api, "_pause", lambda *_: None)
    monkeypatch.setenv("M365_SECRET", "canary-secret")
    (tmp_path / "config.toml").write_text(CONFIG.format(key=key_file))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        made = House(tmp_path, Graph(mock), Workspace(mock))
        made.roster(*PEOPLE[:3], LEAVER, PEOPLE[4])
        yield made


def states(night: Night, policy: str = "") -> dict[tuple[str, str, str | None], str]:
    return {
        (f.policy, f.source, f.entitlement.name if f.entitlement else None): f.state for f in night.findings if policy in f.policy
    }


# The leaver is user 3: enabled on both clouds, holding a group, a role and a licence there, and manager of nobody.
EXPECTED = {
    ("leaver-account-enabled", "m365", None), ("leaver-account-enabled", "google", None), ("leaver-access-kept", "m365", "Group 0"),
    ("leaver-access-kept", "m365", "Global Administrator"), ("leaver-access-kept", "google", "_SEED_ADMIN_ROLE"),
    ("leaver-licence-kept", "m365", "SPE_E5"),
}  # fmt: skip


def test_two_nights_tell_what_is_new_and_what_stays(house: House) -> None:
    first, second = house.night(), house.night()
    assert {key for key in states(first) if key[0].startswith("leaver")} == EXPECTED
    assert set(states(first).values()) == {"new"}
    assert states(second) == dict.fromkeys(states(first), "open")
    assert (first.record.exit, first.record.complete) == (0, True)
    assert all(s.read == s.accepted + s.quarantined + s.rejected for s in first.record.sources)


def test_what_is_mended_is_resolved_and_what_comes_back_is_reopened(house: House) -> None:
    house.night()
    house.roster(*PEOPLE)
    assert set(states(house.night(), "leaver").values()) == {"resolved"}
    house.roster(*PEOPLE[:3], LEAVER, PEOPLE[4])
    assert set(states(house.night(), "leaver").values()) == {"reopened"}


BREAKS = [
    *(
        ("m365", path, page, name)
        for path in ("users", "groups", "groups/g0/members")
        for page in (0, 1)
        for name in GRAPH_FAULTS
    ),
    *(
        ("google", path, page, name)
        for path in ("users", "groups", "groups/g0/members")
        for page in (0, 1)
        for name in GOOGLE_FAULTS
    ),
]


@pytest.mark.parametrize(("source", "path", "page", "fault"), BREAKS)
def test_no_broken_page_opens_or_closes_anything(house: House, source: str, path: str, page: int, fault: str) -> None:
    before = states(house.night())
    house.roster(*PEOPLE)  # everything is mended, but the source cannot say so
    house.breaks(source, path, page, {"m365": GRAPH_FAULTS, "google": GOOGLE_FAULTS}[source][fault])
    broken = house.night()
    theirs = {key: state for key, state in states(broken).items() if key[1] == source}
    assert set(theirs) == {key for key in before if key[1] == source}
    assert set(theirs.values()) <= {"unverified"}
    assert broken.record.exit == (4 if fault == "no permission" else 5)
    assert {s.name for s in broken.record.sources if s.state != "complete"} == {source}


ROSTERS = [
    ("gone", None),
    ("empty", ""),
    ("cut", HEADER + "\n" + PEOPLE[0] + "\n000001,Us"),
    ("one of four people", HEADER + "\n" + PEOPLE[0] + "\n"),
]


@pytest.mark.parametrize("text", [case[1] for case in ROSTERS], ids=[case[0] for case in ROSTERS])
def test_a_broken_roster_makes_no_leavers_and_closes_nothing(house: House, text: str | None) -> None:
    before = states(house.night())
    if text is None:
        (house.folder / "roster.csv").write_bytes(b"\0")
    else:
        (house.folder / "roster.csv").write_text(text)
    broken = house.night()
    assert states(broken) == dict.fromkeys(before, "unverified")
    assert broken.record.exit == 5


def test_a_quarantined_person_is_neither_leaver_nor_orphan(house: House) -> None:
    house.night()
    house.roster(*PEOPLE[:3], LEAVER.replace("Terminated", "LOA-PAT"), PEOPLE[4])
    night = house.night()
    assert set(states(night, "leaver").values()) == {"unverified"}
    assert ("roster-defect", "hr", None) in states(night)
    assert night.record.matching["withheld"] == 2
    assert night.record.complete


def test_another_tenant_is_not_taken_for_ours(house: House) -> None:
    house.night()
    config = house.folder / "config.toml"
    config.write_text(config.read_text().replace('tenant = "contoso"', 'tenant = "CONTOSO"'))
    with pytest.MonkeyPatch.context():
        night = house.night()
    report = next(s for s in night.record.sources if s.name == "m365")
    assert report.state != "complete"


def test_only_asks_one_source_and_marks_the_others(house: House) -> None:
    house.night()
    night = house.night(only=frozenset({"hr"}))
    assert {s.name: s.state for s in night.record.sources} == {"hr": "complete", "m365": "reused", "google": "reused"}


def test_replays_a_stored_night_offline(house: House) -> None:
    first = house.night()
    house.graph.mock.reset()
    again = house.night(replay=first.record.run)
    assert set(states(again)) == set(states(first))


def test_replaying_an_older_night_closes_nothing(house: House) -> None:
    house.roster(*PEOPLE)
    clean = house.night()
    house.roster(*PEOPLE[:3], LEAVER, PEOPLE[4])
    house.night()
    again = house.night(replay=clean.record.run)
    assert not [key for key, state in states(again, "leaver").items() if state != "resolved"]
    assert set(states(house.night(), "leaver").values()) == {"open"}


def test_explain_says_what_was_not_assessed(house: House) -> None:
    house.roster(*PEOPLE)
    house.night()
    house.breaks("m365", "users", 0, GRAPH_FAULTS["not JSON"])
    house.night()
    config = load(house.folder / "config.toml")
    with opened(config.state.url(config.base)) as store:
        told = {a["policy"]: a for a in explanation(config, store, "000003")["answers"]}
    assert told["leaver-account-enabled"]["answer"] == "not assessed"
    assert "m365" in told["leaver-account-enabled"]["reasons"][0]


def test_findings_page_when_asked_to(house: House) -> None:
    assert house.night(fail_on="critical").record.exit == 3


def test_reports_hold_every_finding_and_run_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(USERS[3], "displayName", HOSTILE)
    night = house.night()
    paths = {Path(path).suffix: Path(path) for path in night.record.reports}
    lines = paths[".jsonl"].read_text().splitlines()
    rows = list(csv.DictReader(paths[".csv"].read_text("utf-8").splitlines()))
    ids = {finding.id for finding in night.findings}
    assert {json.loads(line)["id"] for line in lines} == {row["id"] for row in rows} == ids
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    page = _Page(paths[".html"].read_text())
    assert ids <= page.ids
    assert page.scripts == 1
    assert not page.addresses
    assert {path.stat().st_mode & 0o777 for path in paths.values()} == {0o600}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.scripts = 0
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("src", "href", "action") and value and not value.startswith("#"):
                self.addresses.append(value)


def test_explains_a_person_and_the_difference_between_two_nights(house: House) -> None:
    house.night()
    house.roster(*PEOPLE)
    house.night()
    config = load(house.folder / "config.toml")
    with opened(config.state.url(config.base)) as store:
        told = explanation(config, store, "user3@contoso.com")
        changed = difference(config, store, None, None)
    assert [person["person_id"] for person in told["people"]] == ["000003"]
    assert {account["account"]["source"] for account in told["accounts"]} == {"m365", "google"}
    assert "by employee_id" in in_words(told)
    assert {f.policy for f in changed["resolved"]} >= {"leaver-account-enabled", "leaver-access-kept"}
    assert not changed["new"]


def test_no_secret_is_written_anywhere(house: House) -> None:
    house.breaks("m365", "users", 0, GRAPH_FAULTS["no permission"])
    house.night()
    held = b"".join(path.read_bytes() for path in (house.folder / "var").rglob("*") if path.is_file())
    assert not re.search(rb"canary-secret|PRIVATE KEY", held)
