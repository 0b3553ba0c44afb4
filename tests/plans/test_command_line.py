"""Plans through the command line, as an administrator meets them: from the first dry run to the undo."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.who import _login_uid
from tests.contract.test_verbs import fits
from tests.plans.conftest import REMEDIATION, Company

PLAN_KEYS = {
    "schema_version",
    "plan",
    "run",
    "made_at",
    "expires_at",
    "made_by",
    "binds",
    "limits",
    "actions",
    "manual",
    "sha256",
}
APPLIED_KEYS = {"plan", "applied", "already", "skipped", "failed", "unknown", "actions", "exit"}


@pytest.fixture
def adopted(company: Company) -> Company:
    assert company.at("adopt", "--reason", "read through").returncode == 0
    return company


def approved(company: Company, *filters: str, name: str = "p.json") -> dict[str, Any]:
    """A plan that is made and approved."""
    made = company.at("plan", "--out", name, "--format", "json", *filters)
    assert made.returncode == 0, made.stderr
    assert company.at("approve", name, "--reason", "ok").returncode == 0
    told: dict[str, Any] = json.loads(made.stdout)
    return told


def applied(company: Company, code: int, *words: str, name: str = "p.json") -> dict[str, Any]:
    done = company.at("apply", name, "--yes", "--format", "json", *words, hours=2)
    assert done.returncode == code, done.stderr + done.stdout
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def writes(company: Company) -> list[Any]:
    return list(company.told().get("writes", []))


def fault(company: Company, **faults: Sequence[str]) -> None:
    told = company.told()
    (company.folder / "ad.json").write_text(json.dumps({**told, "faults": faults}))


# --- before anything is written -------------------------------------------------------------------------------------


def test_no_plan_before_a_night_is_the_baseline(company: Company) -> None:
    refused = company.at("plan", "--out", "p.json")
    assert (refused.returncode, (company.folder / "p.json").exists()) == (6, False)
    assert "reconciler adopt --reason TEXT" in refused.stderr
    assert company.at("adopt").returncode == 2
    assert company.at("adopt", "--reason", "read through").returncode == 0
    assert company.at("plan", "--out", "p.json").returncode == 0


def test_no_plan_from_a_night_that_is_not_whole(adopted: Company) -> None:
    adopted.trouble = {"fails": "cut"}
    assert adopted.night().returncode == 5
    refused = adopted.at("plan", "--out", "p.json")
    assert (refused.returncode, "is not complete: ad" in refused.stderr) == (5, True)


def test_nothing_is_begun_on_a_disk_that_is_nearly_full(adopted: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    approved(adopted)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 20))
    full = adopted.at("apply", "p.json", "--yes", hours=2)
    assert (full.returncode, "make room first" in full.stderr, writes(adopted)) == (6, True, [])


def test_a_plan_fits_its_schema_and_changes_nothing(adopted: Company) -> None:
    before = adopted.told()
    told = approved(adopted)
    assert set(told) >= PLAN_KEYS
    assert fits(told, adopted.json("schema", "plan")) == []
    assert (
        told
        == json.loads((adopted.folder / "p.json").read_text())
        == json.loads(adopted.at("show", "p.json", "--format", "json").stdout)
    )
    assert [a["n"] for a in told["actions"]] == list(range(1, len(told["actions"]) + 1))
    assert adopted.told() == before


@pytest.mark.parametrize(
    ("filters", "remedies"),
    [
        (("--policy", "orphan-account"), {"disable-account"}), (("--person", "000003", "--severity", "critical"), {"disable-account", "revoke-sessions"}),
        (("--policy", "joiner-account-missing"), {"create-joiner-account"}), (("--since", "2027-01-01"), set()),
    ],
    ids=["policy", "person and severity", "another policy", "nothing"],
)  # fmt: skip
def test_the_filters_of_findings_choose(filters: tuple[str, ...], remedies: set[str], adopted: Company) -> None:
    told = json.loads(adopted.at("plan", "--format", "json", *filters).stdout)
    assert {a["remedy"] for a in told["actions"]} == remedies


def test_show_tells_per_person_before_after_why_and_undo(adopted: Company) -> None:
    approved(adopted)
    told = adopted.at("show", "p.json").stdout
    for words in ("Jo Doe (000003)", "enabled: true -> false", "why: jo on ad is enabled though Jo Doe left on 8 Nov 2026",
                  "undo: enabled: false -> true", "undo: cannot be undone", "Cannot be undone: 2", "approved  22 Nov 2026 03:05 UTC"):  # fmt: skip
        assert words in told


GATES = [
    ("unapproved", lambda c: c.at("plan", "--out", "p.json"), "is not approved", 6),
    ("expired", lambda c: c.settings(REMEDIATION + 'expires = "30m"\n') or approved(c), "expired at", 7),
    ("off", lambda c: approved(c) and c.settings(""), "enabled is false", 6),
    ("frozen", lambda c: approved(c) and c.settings(REMEDIATION + 'freeze = ["2026-11-22/2026-11-23"]\n'), "freeze", 6),
    ("stopped", lambda c: approved(c) and (c.folder / "var/STOP").write_text("wait for HR"), "wait for HR", 6),
    ("altered", lambda c: approved(c) and _edit(c.folder / "p.json", "jo", "bo"), "altered", 7),
    ("overtaken", lambda c: c.settings(REMEDIATION + 'expires = "2d"\n') or (approved(c) and c.night()), "the sources were read again", 7),
    ("other rules", lambda c: approved(c) and c.settings(REMEDIATION + "[policies.orphan-account]\nenabled = false\n"), "policies", 7),
    ("journal altered", lambda c: approved(c) and _edit(c.folder / "var/journal.jsonl", "root", "toor"), "entry 1 is altered", 7),
    ("two people", lambda c: approved(c) and c.settings(REMEDIATION.replace("one", "two")), "may not approve it", 6),
    ("another directory", lambda c: approved(c) and _edit(c.folder / "ad.json", '{"accounts"', '{"identity": "x", "accounts"'), "another directory", 7),
]  # fmt: skip


def _edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(("prepare", "words", "code"), [gate[1:] for gate in GATES], ids=[gate[0] for gate in GATES])
def test_each_gate_stops_an_apply_before_its_first_write(prepare: Any, words: str, code: int, adopted: Company) -> None:
    prepare(adopted)
    done = adopted.at("apply", "p.json", "--yes", hours=2)
    assert (done.returncode, writes(adopted)) == (code, [])
    assert words in done.stderr


def test_the_maker_may_not_approve_where_two_people_are_wanted(adopted: Company) -> None:
    adopted.settings("[remediation]\nenabled = true\n")
    assert adopted.at("plan", "--out", "p.json").returncode == 0
    refused = adopted.at("approve", "p.json", "--reason", "me")
    assert (refused.returncode, "may not approve it" in refused.stderr) == (6, True)


@pytest.mark.skipif(os.getuid() != 0 or _login_uid() is not None, reason="needs root without a login, to be two people")
def test_another_person_approves_and_only_their_word_counts(adopted: Company) -> None:
    adopted.settings("[remediation]\nenabled = true\n")
    assert adopted.at("plan", "--out", "p.json", "--policy", "orphan-account").returncode == 0
    bo = {"SUDO_UID": "1"}
    when = (adopted.now - timedelta(hours=22)).isoformat()
    assert adopted.cli("approve", "p.json", "--reason", "read", "--as-of", when, env=bo).returncode == 0
    assert applied(adopted, 0)["applied"] == 1
    adopted.settings("[remediation]\nenabled = true\napprovers = ['zoe']\n")
    assert adopted.at("plan", "--out", "q.json").returncode == 0
    refused = adopted.cli("approve", "q.json", "--reason", "read", "--as-of", when, env=bo)
    assert (refused.returncode, "approvers" in refused.stderr) == (6, True)


def test_nobody_at_a_terminal_must_say_yes(adopted: Company) -> None:
    approved(adopted)
    assert (adopted.at("apply", "p.json", hours=2).returncode, writes(adopted)) == (2, [])


# --- applying -------------------------------------------------------------------------------------------------------


def test_apply_does_exactly_the_plan_and_the_second_time_nothing(adopted: Company) -> None:
    plan = approved(adopted)
    first = applied(adopted, 0)
    assert set(first) >= APPLIED_KEYS
    assert (first["applied"], len(writes(adopted))) == (len(plan["actions"]), len(plan["actions"]))
    done = writes(adopted)
    second = applied(adopted, 0)
    assert (second["applied"], second["already"], writes(adopted)) == (0, len(plan["actions"]), done)
    assert {a["outcome"] for a in second["actions"]} == {"already"}


def test_the_next_night_is_clear_and_undo_brings_every_finding_back(adopted: Company) -> None:
    policies = ("leaver-account-enabled", "leaver-access-kept", "joiner-account-missing")
    plan = approved(adopted, *(word for policy in policies for word in ("--policy", policy)))
    cleared = {f for a in plan["actions"] for f in (a["finding"], *a.get("also", ()))}
    applied(adopted, 0)
    adopted.read_back()
    adopted.night()
    assert not cleared & {f["id"] for f in adopted.json("findings")}
    assert adopted.at("undo", plan["plan"], "--out", "u.json").returncode == 0
    assert adopted.at("approve", "u.json", "--reason", "wrong").returncode == 0
    assert applied(adopted, 0, name="u.json")["applied"] == 3
    adopted.read_back()
    adopted.night()
    assert cleared <= {f["id"] for f in adopted.json("findings")}


def test_what_somebody_changed_meanwhile_is_skipped_and_named(adopted: Company) -> None:
    approved(adopted, "--policy", "leaver-access-kept", "--policy", "orphan-account")
    _edit(adopted.folder / "ad.json", '"account_id": "a-9"', '"account_id": "a-8"')
    told = applied(adopted, 7)
    assert (told["applied"], told["skipped"]) == (1, 1)
    assert {a["outcome"] for a in told["actions"]} == {"done", "stale"}


@pytest.mark.parametrize(("faults", "outcomes", "code"), [
    ({"lose": ["enabled"]}, {"done"}, 0), ({"lose_before": ["enabled"]}, {"done"}, 0), ({"refuse": ["enabled"]}, {"refused"}, 8),
])  # fmt: skip
def test_a_lost_answer_ends_in_done_and_a_refusal_is_told(faults: Any, outcomes: set[str], code: int, adopted: Company) -> None:
    approved(adopted, "--policy", "orphan-account")
    fault(adopted, **faults)
    assert {a["outcome"] for a in applied(adopted, code)["actions"]} == outcomes
    assert len(writes(adopted)) == (1 if code == 0 else 0)


@pytest.mark.parametrize("name", ["g-all staff", "All Staff"], ids=["by its id", "by its name"])
def test_a_protected_group_is_neither_planned_for_nor_written_to(name: str, adopted: Company) -> None:
    approved(adopted, "--policy", "leaver-access-kept")
    adopted.settings(f'{REMEDIATION}protected = ["ad:{name}"]\n')
    (told,) = applied(adopted, 6)["actions"]
    assert (told["outcome"], "All Staff is protected" in told["detail"], writes(adopted)) == ("refused", True, [])
    plan = adopted.json("plan", "--policy", "leaver-access-kept")
    assert (plan["actions"], ["All Staff is protected" in each["why"] for each in plan["withheld"]]) == ([], [True])


def test_a_change_out_of_its_hours_waits_for_the_next_apply(adopted: Company) -> None:
    approved(adopted)
    adopted.settings(f'{REMEDIATION}hours = {{ disable = "06:00-20:00" }}\n')
    early = applied(adopted, 6)
    refused = [a["detail"] for a in early["actions"] if a["outcome"] == "refused" and "disable is done from 06:00" in a["detail"]]
    assert len(refused) == 2 and not [write for write in writes(adopted) if write[0] == "enabled"]
    assert adopted.at("apply", "p.json", "--yes", hours=5).returncode == 0
    assert len([write for write in writes(adopted) if write[0] == "enabled"]) == 2


def test_a_protected_group_that_was_renamed_stops_every_plan(adopted: Company) -> None:
    adopted.settings(f'{REMEDIATION}protected = ["ad:All Staff"]\n')
    adopted.groups = {account: ["Everybody"] for account in adopted.groups}
    adopted.night()
    refused = adopted.at("plan", "--out", "p.json")
    assert (refused.returncode, "no group that is there: ad:All Staff" in refused.stderr) == (6, True)


def test_a_hold_after_the_approval_goes_before_it(adopted: Company) -> None:
    approved(adopted)
    assert adopted.at("hold", "jo", "--until", "2026-12-01", "--reason", "a mistake of HR").returncode == 0
    told = applied(adopted, 6)
    assert {write[1] for write in writes(adopted)} == {"a-9", None}
    assert all("a mistake of HR" in a["detail"] for a in told["actions"] if a["outcome"] == "refused")
    assert adopted.at("unhold", "jo", "--reason", "it was none").returncode == 0
    assert applied(adopted, 0)["applied"] == 3


def test_a_plan_for_somebody_on_hold_names_the_hold(adopted: Company) -> None:
    adopted.at("hold", "000003", "--until", "2026-12-01", "--reason", "a mistake of HR")
    told = json.loads(adopted.at("plan", "--format", "json").stdout)
    assert {w["account"]["login"] for w in told["withheld"]} == {"jo"}
    assert "jo" not in {a["account"]["login"] for a in told["actions"]}
    assert [h["person"] for h in json.loads(adopted.at("holds", "--format", "json").stdout)] == ["000003"]
    assert json.loads(adopted.at("holds", "--format", "json", hours=24 * 20).stdout) == []


def test_a_limit_stops_its_class_and_the_rest_proceeds(adopted: Company) -> None:
    adopted.settings(REMEDIATION + "limits = { disable = { count = 0 } }\n")
    told = json.loads(adopted.at("plan", "--format", "json").stdout)
    assert "disable" not in {a["limit"] for a in told["actions"]} and told["actions"]
    assert {row["kind"] for row in told["limits"] if row["stopped"]} == {"disable"}
    assert {w["limit"] for w in told["withheld"]} == {"disable"}


def test_a_limit_that_was_lowered_since_holds_at_apply(adopted: Company) -> None:
    approved(adopted, "--policy", "orphan-account")
    adopted.settings(REMEDIATION + "limits = { disable = { count = 0 } }\n")
    assert {a["outcome"] for a in applied(adopted, 6)["actions"]} == {"refused"}
    assert writes(adopted) == []


# --- proof ----------------------------------------------------------------------------------------------------------


def test_verify_proves_the_journal_and_a_head_its_tail(adopted: Company) -> None:
    approved(adopted, "--policy", "orphan-account")
    head = applied(adopted, 0)["head"]
    told = json.loads(adopted.at("db", "verify", "--head", head, "--format", "json").stdout)
    assert (told["valid"], told["head"]) == (True, head)
    journal = adopted.folder / "var/journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    cut = adopted.at("db", "verify", "--head", head)
    assert (cut.returncode, "is missing" in cut.stderr) == (7, True)
    assert adopted.at("db", "verify", "--head", "abc").returncode == 2


def test_evidence_tells_how_late_who_approved_and_what_was_read_back(adopted: Company) -> None:
    plan = approved(adopted, "--policy", "leaver-account-enabled")
    head = applied(adopted, 0)["head"]
    told = json.loads(adopted.at("evidence", plan["plan"], "--format", "json").stdout)
    assert ([a["reason"] for a in told["approved"]], told["journal"]["head"]) == (["ok"], head)
    (action,) = told["actions"]
    assert (action["outcome"], action["read_back"], action["access_should_end"]) == ("done", False, "2026-11-09T00:00:00Z")
    assert action["hours_late"] == 316.1
    assert "316.1 hours late" in adopted.at("evidence", plan["plan"]).stdout
    assert adopted.at("evidence", plan["plan"], "--format", "csv").stdout.splitlines()[1].count("done") == 1
    assert adopted.at("evidence", "p-none").returncode == 2


def test_nothing_a_directory_says_runs_in_the_terminal(adopted: Company) -> None:
    adopted.accounts["ghost"]["login"] = "gh\x1b]0;ost"
    adopted.night()
    told = adopted.at("plan", "--policy", "orphan-account").stdout
    assert "\x1b" not in told and "\\u{001B}" in told
