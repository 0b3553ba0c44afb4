"""After an apply: what is only on its way is neither open nor closed; what should be there by now is graver than before."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from tests.plans.conftest import Company
from tests.plans.test_command_line import applied, approved


def lagging(company: Company, settles: float) -> None:
    """An apply whose change the directory forgets again: a replica that is behind."""
    plugin = company.folder / "ad.json"
    before = plugin.read_text()
    approved(company, "--policy", "leaver-account-enabled")
    module = __import__("toy_writable")
    normal, module.Toy.settles = module.Toy.settles, settles
    try:
        assert applied(company, 0)["applied"] == 1
    finally:
        module.Toy.settles = normal
    plugin.write_text(before)


def leavers(company: Company, *states: str) -> list[dict[str, Any]]:
    words = [word for state in states for word in ("--state", state)]
    found: list[dict[str, Any]] = company.json("findings", "--policy", "leaver-account-enabled", *words)
    return found


def test_what_is_on_its_way_is_not_flagged_again(company: Company) -> None:
    company.at("adopt", "--reason", "read through")
    lagging(company, timedelta(hours=30).total_seconds())
    told = json.loads(company.night("--format", "json").stdout)
    assert "leaver-account-enabled" not in told["findings"]["by_policy"]
    assert leavers(company) == []
    (found,) = leavers(company, "unverified")
    assert "which may not show yet" in found["summary"]
    assert datetime.fromisoformat(found["evidence"]["applied"]["settles_by"]) > datetime.fromisoformat(told["as_of"])
    company.night()
    (late,) = leavers(company, "open")
    assert (late["state"], "has not settled" in late["summary"]) == ("open", True), "and the night after it is late"


def test_what_should_be_there_by_now_is_graver(company: Company) -> None:
    company.settings(
        "[remediation]\nenabled = true\napproval = 'one-person'\n[policies.leaver-account-enabled]\nseverity = 'medium'\n"
    )
    company.night()
    company.at("adopt", "--reason", "read through")
    lagging(company, 0.2)
    told = json.loads(company.night("--format", "json").stdout)
    (found,) = leavers(company)
    assert (found["severity"], found["evidence"]["applied"]["late"]) == ("high", True)
    listed = [f["severity"] for f in company.json("findings")]
    assert told["findings"]["by_severity"] == {severity: listed.count(severity) for severity in set(listed)}


def test_what_was_taken_back_is_simply_open(company: Company) -> None:
    company.at("adopt", "--reason", "read through")
    plan = approved(company, "--policy", "leaver-account-enabled")
    applied(company, 0)
    company.at("undo", plan["plan"], "--out", "u.json")
    company.at("approve", "u.json", "--reason", "wrong")
    applied(company, 0, name="u.json")
    company.read_back()
    company.night()
    (found,) = leavers(company)
    assert (found["state"], "applied" in found["evidence"]) == ("open", False)


def test_an_orphan_that_a_plan_has_disabled_is_dealt_with_until_somebody_enables_it(company: Company) -> None:
    company.at("adopt", "--reason", "read through")
    approved(company, "--policy", "orphan-account")
    assert applied(company, 0)["applied"] == 1
    company.read_back()
    company.night()
    listed = company.json("findings", "--policy", "orphan-account", "--state", "resolved", "--state", "open")
    assert [f["state"] for f in listed] == ["resolved"]
    answers = {each["policy"]: each["answer"] for each in company.json("explain", "ghost")["answers"]}
    assert answers["orphan-account"] == "no"
    company.night()
    assert company.json("findings", "--policy", "orphan-account") == [], "and it stays so"
    company.accounts["ghost"]["enabled"] = True
    company.night()
    assert [f["state"] for f in company.json("findings", "--policy", "orphan-account")] == ["reopened"]


def test_an_orphan_that_somebody_else_has_disabled_is_still_told(company: Company) -> None:
    company.accounts["ghost"]["enabled"] = False
    company.night()
    assert [f["state"] for f in company.json("findings", "--policy", "orphan-account")] == ["open"]


def test_a_use_after_leaving_that_was_dealt_with_comes_back_with_the_next_use(company: Company) -> None:
    company.accounts["jo"]["last_login_at"] = "2026-11-15T08:00:00+00:00"
    company.night()
    company.at("adopt", "--reason", "read through")
    approved(company, "--policy", "leaver-account-used")
    assert applied(company, 0)["applied"] == 2
    company.read_back()
    company.night()
    assert company.json("findings", "--policy", "leaver-account-used") == []
    company.accounts["jo"]["last_login_at"] = (company.now - timedelta(hours=1)).isoformat()
    company.night()
    assert [f["state"] for f in company.json("findings", "--policy", "leaver-account-used")] == ["reopened"]
