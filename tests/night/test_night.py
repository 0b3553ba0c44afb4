"""Whole nights: what is told of people, sources and findings when one thing is not as it should be."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reconciler.explain import difference, explanation
from reconciler.explain_words import in_words
from reconciler.model import Night
from reconciler.sandbox import google
from reconciler.sandbox.embedded import CLIENT_SECRET
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.roster_file import HEADERS
from reconciler.sandbox.stock import READER_PASSWORD
from reconciler.store import opened
from tests.night.conftest import House

HOSTILE = "<script>alert(1)</script>"


def states(night: Night, source: str | None = None, policy: str = "") -> dict[str, str]:
    chosen = [f for f in night.findings if policy in f.policy and source in (None, f.source)]
    return {finding.id: finding.state for finding in chosen}


def roster(house: House) -> Path:
    return house.folder / "roster.csv"


def rewrite(house: House, text: str | bytes) -> None:
    """Another roster, exported at the same time as the honest one."""
    import os

    path, exported = roster(house), roster(house).stat().st_mtime
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (exported, exported))


def leaver(house: House, policy: str = "leaver-account-enabled", source: str = "google") -> str:
    return next(str(person) for p, s, person, _, _ in sorted(house.world.expected, key=str) if (p, s) == (policy, source))


# --- rosters ------------------------------------------------------------------------------------------------------


def cut(text: str) -> str:
    return text[: len(text) * 2 // 3]


ROSTERS = {
    "empty": lambda text: "",
    "a header alone": lambda text: ",".join(HEADERS) + "\r\n",
    "cut off": cut,
    "one person in ten": lambda text: "".join(line for at, line in enumerate(text.splitlines(keepends=True)) if at % 10 == 0),
    "noise": lambda text: "\0" * 500,
    "another encoding": lambda text: text.encode("utf-16"),
}


@pytest.mark.parametrize("broken", list(ROSTERS.values()), ids=list(ROSTERS))
def test_a_broken_roster_makes_no_leavers_and_closes_nothing(settled: House, broken: object) -> None:
    before = states(settled.first)
    settled.moves_to(1)
    rewrite(settled, broken(roster(settled).read_text("utf-8")))  # type: ignore[operator]
    night = settled.night()
    assert states(night) == dict.fromkeys(before, "unverified")
    assert (night.record.exit, night.record.complete) == (5, False)


def test_a_roster_of_last_week_is_stale(settled: House) -> None:
    import os

    before = states(settled.first)
    old = settled.world.now.timestamp() - 7 * 86400
    os.utime(roster(settled), (old, old))
    night = settled.night()
    assert [s.state for s in night.record.sources if s.name == "hr"] == ["stale"]
    assert states(night) == dict.fromkeys(before, "unverified")


def test_a_quarantined_person_is_neither_leaver_nor_orphan(house: House) -> None:
    who = leaver(house)
    first = house.night()
    held = [f.id for f in first.findings if f.person and f.person.id == who]
    rewrite(house, re.sub(rf"^({who},.*),Terminated,", r"\1,LOA-PAT,", roster(house).read_text("utf-8"), flags=re.M))
    night = house.night()
    assert {states(night)[here] for here in held} == {"unverified"}
    assert [f.state for f in night.findings if f.policy == "roster-defect" and f.person and f.person.id == who] == ["new"]
    assert night.record.complete
    assert night.record.matching["withheld"] > first.record.matching["withheld"]


# --- sources ------------------------------------------------------------------------------------------------------


def test_a_mended_fault_is_resolved_and_one_that_comes_back_is_reopened(settled: House) -> None:
    settled.moves_to(1)
    assert "resolved" in states(settled.night(), "ad", "leaver-account-enabled").values()
    settled.moves_to(2)
    assert "reopened" in states(settled.night(), "ad", "leaver-account-enabled").values()


def test_another_tenant_is_not_taken_for_ours(settled: House) -> None:
    before = states(settled.first, "m365")
    ours = settled.embedded.tenant.id
    settled.embedded.tenant.id = "99999999-51f0-4d7b-9a53-0e9a3f6c1b20"
    try:
        night = settled.night()
    finally:
        settled.embedded.tenant.id = ours
    report = next(s for s in night.record.sources if s.name == "m365")
    assert report.state not in ("complete", "reused")
    assert states(night, "m365") == dict.fromkeys(before, "unverified")


def test_an_area_that_was_never_readable_is_not_assessed_and_pages_nobody(house: House) -> None:
    house.embedded.tenant.premium = False
    try:
        night = house.night()
    finally:
        house.embedded.tenant.premium = True
    assert night.record.exit == 0
    assert "sign_in" in next(s for s in night.record.sources if s.name == "m365").areas
    assert ("leaver-account-used", "m365") in {(n.policy, n.source) for n in night.record.not_assessed}


def test_a_wrong_password_is_tried_once_and_pages(settled: House) -> None:
    (settled.folder / "secrets" / "ad-password").write_text("wrong")
    settled.embedded.faults["ad"].reset()
    night = settled.night()
    assert [line for line in settled.embedded.faults["ad"].requests if line.startswith("bind")] == [
        f"bind reader@{settled.embedded.directory.domain}"
    ]
    assert night.record.exit == 4
    assert set(states(night, "ad").values()) == {"unverified"}


def test_only_asks_one_source_and_marks_the_others(settled: House) -> None:
    night = settled.night(only=frozenset({"hr"}))
    reused = dict.fromkeys(("ad", "m365", "google"), "reused")
    assert {s.name: s.state for s in night.record.sources} == {"hr": "complete", **reused}


def test_replays_a_stored_night_offline(settled: House) -> None:
    first = settled.first
    for faults in settled.embedded.faults.values():
        faults.reset(Fault(".", "status", 0, 500))
    again = settled.night(replay=first.record.run)
    assert states(again) == dict.fromkeys(states(first), "open")
    assert not [line for faults in settled.embedded.faults.values() for line in faults.requests]


def test_replaying_an_older_night_closes_nothing(settled: House) -> None:
    older = settled.first
    settled.moves_to(1)
    newer = states(settled.night())
    settled.night(replay=older.record.run)
    kept = {here: state for here, state in newer.items() if state != "resolved"}
    assert states(settled.night()) == dict.fromkeys(kept, "open")


# --- what is told -------------------------------------------------------------------------------------------------


def test_explain_says_why_and_what_was_not_assessed(house: House) -> None:
    who = leaver(house)
    house.night()
    with opened(house.config.state.url(house.config.base)) as store:
        told = explanation(house.config, store, who)
    assert [person["person_id"] for person in told["people"]] == [who]
    assert {account["account"]["source"] for account in told["accounts"]} == {"ad", "m365", "google"}
    assert "by employee_id" in in_words(told)
    house.embedded.faults["google"].reset(Fault("GET .*/users", "garbage", 0))
    house.night()
    with opened(house.config.state.url(house.config.base)) as store:
        answers = {a["policy"]: a for a in explanation(house.config, store, who)["answers"]}
    assert "google" in " ".join(answers["leaver-account-enabled"]["reasons"])


def test_diff_tells_two_nights_apart(settled: House) -> None:
    before = settled.world.expected
    settled.moves_to(1)
    settled.night()
    with opened(settled.config.state.url(settled.config.base)) as store:
        told = difference(settled.config, store, None, None)
    assert len(told["new"]) == len(settled.world.expected - before)
    assert len(told["resolved"]) == len(before - settled.world.expected)


def test_findings_page_when_asked_to(house: House) -> None:
    assert house.night(fail_on="critical").record.exit == 3


def test_reports_hold_every_finding_and_run_nothing(house: House) -> None:
    config = house.folder / "config.toml"
    config.write_text(config.read_text("utf-8").replace('formats = ["jsonl"]', 'formats = ["html", "csv", "jsonl"]'), "utf-8")
    orphan = google.user("=cmd@elsewhere.example", HOSTILE, "<img src=x onerror=alert(2)>")
    house.embedded.customer.put_user(orphan)
    night = house.night()
    paths = {Path(path).suffix: Path(path) for path in night.record.reports}
    lines = paths[".jsonl"].read_text().splitlines()
    rows = list(csv.DictReader(paths[".csv"].read_text("utf-8").splitlines()))
    ids = {finding.id for finding in night.findings}
    assert {json.loads(line)["id"] for line in lines} == {row["id"] for row in rows} == ids
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    page = _Page(paths[".html"].read_text())
    assert page.scripts == 1
    assert page.images == 0
    assert not page.addresses
    assert {path.stat().st_mode & 0o777 for path in paths.values()} == {0o600}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts = self.images = 0
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.images += tag == "img"
        for name, value in attrs:
            if name in ("src", "href", "action") and value and not value.startswith("#"):
                self.addresses.append(value)


def test_no_secret_is_written_anywhere(house: House) -> None:
    house.embedded.faults["m365"].reset(Fault("GET", "status", 0, 403))
    house.night()
    held = b"".join(path.read_bytes() for path in (house.folder / "var").rglob("*") if path.is_file())
    assert not [secret for secret in (READER_PASSWORD, CLIENT_SECRET, "PRIVATE KEY") if secret.encode() in held]
