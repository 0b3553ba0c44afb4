"""Whole nights over a real directory that changes, hides things, and is put right again; each test is the night after the last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.snapshots import Archive
from tests.live.ad_estate import NORMAL, ODD, STAFF, Line, dn_of, id_of, login_of, person
from tests.live.ad_night import Nights, source
from tests.live.directory import Directory
from tests.live.domain import BASE

pytestmark = pytest.mark.live

RENAMED, MOVED, DELETED, REBORN, LEFT, ADMIN, OFF = 10, 11, 12, 13, 20, 30, 40  # people, and what happens to them
LEGAL, QUIET_UNIT = f"OU=Legal,{STAFF}", f"OU=Quiet,{STAFF}"
NUMBER = "bf967962-0de6-11d0-a285-00aa003049e2"  # the GUID of employeeID in the schema
HIDDEN, SILENT = "D;CI;RPLCLO;;", f"OD;CI;RP;{NUMBER};"
Told = dict[str, set[str]]


@pytest.fixture(scope="module")
def nights(company: Directory, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    made = Nights(company, tmp_path_factory.mktemp("nights"))
    made.configure()
    return made


def told(nights: Nights) -> Told:
    """Policy -> logins, or ids of people who have no account, of the findings that stand."""
    found: Told = {}
    for one in nights.findings():
        found.setdefault(one["policy"], set()).add((one["account"] or {}).get("login") or one["person"]["id"])
    return found


def test_the_first_night_finds_what_is_odd_and_nothing_else(nights: Nights) -> None:
    night = nights.run()
    assert (source(night)["state"], night["complete"]) == ("complete", True)
    for policy in ("orphan-account", "dormant-account", "leaver-account-enabled", "joiner-account-missing"):
        odd = {odd.login for odd in nights.company.odd if policy in odd.finds} | (
            {"reader"} if policy == "orphan-account" else set()
        )
        assert told(nights).get(policy, set()) == odd, policy
    assert told(nights)["duplicate-account"] == {"200042", "200077"}


def happened() -> list[Line]:
    born = {
        "objectClass": ["user"],
        **{name: value if isinstance(value, list) else [value] for name, value in person(REBORN).items()},
    }
    return [
        {"do": "rename", "dn": dn_of(RENAMED), "to": f"CN=Renamed\\, Jo,{dn_of(RENAMED).partition(',')[2]}"},
        {"do": "rename", "dn": f"CN=idle,{ODD}", "to": f"CN=idle \\+ renamed,{LEGAL}"},
        {"do": "rename", "dn": dn_of(MOVED), "to": f"CN=Person {MOVED},OU=東京,{STAFF}"},
        {"do": "delete", "dn": dn_of(DELETED)},
        {"do": "delete", "dn": dn_of(REBORN)},
        {"do": "add", "dn": dn_of(REBORN), "set": born, "relax": True},
        {"do": "join", "dn": f"CN=Domain Admins,CN=Users,{BASE}", "set": {"member": [dn_of(ADMIN)]}},
        {"do": "replace", "dn": dn_of(ADMIN), "set": {"primaryGroupID": [512]}},
        {"do": "replace", "dn": dn_of(OFF), "set": {"userAccountControl": [NORMAL | 0x22]}},
    ]


def test_the_second_night_tells_what_happened(nights: Nights) -> None:
    before = {one["id"]: one for one in nights.findings()}
    nights.company.dc.populate(happened())
    nights.left[LEFT] = nights.company.now - timedelta(days=3)
    night = nights.run()
    assert (source(night)["state"], source(night)["reasons"]) == ("complete", [])
    after = {one["id"]: one for one in nights.findings()}
    assert set(before) <= set(after), "a finding keeps its name when its account is renamed and moved"
    new = {
        (one["policy"], (one["account"] or {}).get("login") or one["person"]["id"])
        for name, one in after.items()
        if name not in before
    }
    assert {("leaver-account-enabled", login_of(LEFT)), ("joiner-account-missing", id_of(DELETED))} <= new
    quiet = {login_of(number) for number in (RENAMED, MOVED)}
    assert not [one for one in new if one[1] in quiet]


def test_who_is_an_administrator_by_primary_group_alone_is_one(nights: Nights) -> None:
    """Domain Admins lists neither of them, and no membership is told."""
    snapshot = Archive(nights.folder / "var" / "objects").open(str(source(nights.night)["snapshot"]))
    privileged = {row["login"] for row in snapshot.table("accounts", ["login", "privileged"]).to_pylist() if row["privileged"]}
    assert {login_of(ADMIN), "hidden-admin"} <= privileged


def test_a_unit_that_may_not_be_listed_is_not_gone(nights: Nights) -> None:
    """Nobody of it is in a group: every answer is a success, and every count agrees."""
    before = told(nights)
    nights.company.allow(QUIET_UNIT, HIDDEN)
    try:
        night = nights.run()
    finally:
        nights.company.revoke(QUIET_UNIT, HIDDEN)
    assert (night["exit"], source(night)["state"]) == (5, "incomplete")
    assert any("Quiet" in reason for reason in source(night)["reasons"]), source(night)["reasons"]
    assert not night["findings"]["new"] + night["findings"]["resolved"]
    unverified = {(one["policy"], (one["account"] or {}).get("login")) for one in nights.findings("--state", "unverified")}
    assert ("dormant-account", "idle") in unverified
    assert {policy for policy, _ in unverified} >= set(before) - {"duplicate-account"}


def test_an_attribute_that_may_not_be_read_is_not_empty(nights: Nights) -> None:
    nights.company.allow(LEGAL, SILENT)
    try:
        night = nights.run()
    finally:
        nights.company.revoke(LEGAL, SILENT)
    assert (night["exit"], source(night)["state"]) == (5, "incomplete")
    assert any("employee_id" in reason for reason in source(night)["reasons"]), source(night)["reasons"]
    assert not night["findings"]["new"] + night["findings"]["resolved"]


def test_when_it_is_put_right_the_findings_are_the_same_again(nights: Nights) -> None:
    night = nights.run()
    assert (source(night)["state"], night["findings"]["new"], night["findings"]["unverified"]) == ("complete", 0, 0)
    assert {"idle"} == told(nights)["dormant-account"]
    assert login_of(LEFT) in told(nights)["leaver-account-enabled"]
