"""The contract's command line, as a user's script meets it: verbs, options, formats, shapes."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import ROOT, Estate

VERBS = ["demo", "init", "check", "doctor", "run", "findings", "explain", "diff", "report", "link", "unlink", "matches", "waive",
         "unwaive", "waivers", "agenda", "adopt", "hold", "unhold", "holds", "plan", "show",
         "approve", "apply", "undo", "evidence", "db", "schedule", "policies", "schema", "version"]  # fmt: skip


# --- shapes ---------------------------------------------------------------------------------------------------------


def fits(value: Any, schema: Mapping[str, Any], where: str = "$") -> list[str]:
    """What of a value does not fit a JSON Schema, as far as ours use it."""
    if "anyOf" in schema:
        return [] if any(not fits(value, option) for option in schema["anyOf"]) else [f"{where}: fits none"]
    kinds = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    wanted = schema.get("type", [])
    allowed = [kinds[name] for name in ([wanted] if isinstance(wanted, str) else wanted)]
    if allowed and not any(isinstance(value, kind) for kind in allowed):
        return [f"{where}: {value!r} is not {wanted}"]
    found = [f"{where}: {value!r} not in {schema['enum']}"] if "enum" in schema and value not in schema["enum"] else []
    found += [f"{where}: not {schema['const']}"] if "const" in schema and value != schema["const"] else []
    if isinstance(value, dict):
        found += [f"{where}: lacks {name}" for name in schema.get("required", ()) if name not in value]
        properties = schema.get("properties", {})
        for name, item in value.items():
            if name in properties:
                found += fits(item, properties[name], f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where}: has {name} beside the schema")
    if isinstance(value, list) and "items" in schema:
        found += [problem for number, item in enumerate(value) for problem in fits(item, schema["items"], f"{where}[{number}]")]
    return found


RUN_KEYS = [
    "schema_version",
    "run",
    "as_of",
    "started",
    "finished",
    "complete",
    "exit",
    "sources",
    "matching",
    "findings",
    "not_assessed",
    "reports",
]
SOURCE_KEYS = {"name", "kind", "state", "people", "accounts", "entitlements", "grants", "read", "accepted", "quarantined", "rejected", "reasons", "as_of", "seconds"}  # fmt: skip
FINDING_KEYS = {"schema_version", "id", "policy", "severity", "state", "person", "account", "entitlement", "source", "summary", "evidence", "first_seen", "last_seen", "due", "waiver", "remedies"}  # fmt: skip


def test_run_prints_the_contracts_object(estate: Estate) -> None:
    told = json.loads(estate.night("--format", "json").stdout)
    assert list(told) == RUN_KEYS
    assert all(set(source) >= SOURCE_KEYS for source in told["sources"])
    assert all(s["read"] == s["accepted"] + s["quarantined"] + s["rejected"] for s in told["sources"])
    assert {"owned", "unowned", "disputed", "exempt", "suggested"} <= set(told["matching"])
    assert {"new", "open", "reopened", "waived", "resolved", "unverified", "by_policy", "by_severity"} == set(told["findings"])
    assert (told["complete"], told["exit"], told["as_of"]) == (True, 0, "2026-11-22T02:05:00Z")
    assert fits(told, estate.json("schema", "run")) == []


def test_findings_fit_their_schema(lived: Estate) -> None:
    schema = lived.json("schema", "finding")
    listed = [json.loads(line) for line in lived.cli("findings", "--format", "jsonl").stdout.splitlines()]
    assert len(listed) == 5
    for finding in listed:
        assert set(finding) == FINDING_KEYS
        assert fits(finding, schema) == []
        assert datetime.fromisoformat(finding["first_seen"]).tzinfo
    assert listed == lived.json("findings")


def test_a_missing_account_is_named_by_its_source(lived: Estate) -> None:
    (found,) = lived.json("findings", "--policy", "joiner-account-missing")
    assert found["account"] == {"source": "ad", "id": None, "login": None, "name": None}
    assert (found["source"], found["person"]["id"]) == ("ad", "000005")


def test_the_configurations_schema_knows_every_section(lived: Estate) -> None:
    assert set(lived.json("schema", "config")["properties"]) == {
        "organisation", "state", "connectors", "matching", "exempt", "access", "conflict", "policies", "remediation", "report", "schedule",
    }  # fmt: skip


# --- options --------------------------------------------------------------------------------------------------------

PLACES = [
    (["--format", "json", "findings"], "before the verb"),
    (["findings", "--format", "json"], "after the verb"),
    (["findings", "list", "--format", "json"], "after the second word"),
    (["findings", "--format=json", "-q"], "with an equals sign"),
    (["-v", "findings", "list", "--config", "config.toml", "--format", "json"], "among others"),
]


@pytest.mark.parametrize("words", [case[0] for case in PLACES], ids=[case[1] for case in PLACES])
def test_common_options_stand_anywhere(lived: Estate, words: list[str]) -> None:
    done = lived.cli(*words)
    assert (done.returncode, len(json.loads(done.stdout))) == (0, 5)


FILTERS = [
    (["--policy", "orphan-account"], {"orphan-account"}),
    (["--policy", "orphan-account", "--policy", "attribute-drift"], {"orphan-account", "attribute-drift"}),
    (["--source", "ad", "--severity", "low"], {"attribute-drift"}),
    (["--severity", "critical", "--severity", "medium"], {"leaver-account-used", "joiner-account-missing"}),
    (["--state", "new"], {"attribute-drift"}),
    (["--state", "resolved"], {"leaver-account-enabled"}),
    (["--person", "000003"], {"leaver-account-used", "leaver-access-kept"}),
    (["--person", "jo doe"], {"leaver-account-used", "leaver-access-kept"}),
    (["--person", "ghost"], {"orphan-account"}),
    (["--since", "2026-11-23"], {"attribute-drift"}),
    (["--since", "2026-11-24T00:00:00Z"], set()),
    (["--source", "hr"], set()),
]


@pytest.mark.parametrize(("words", "policies"), FILTERS, ids=[" ".join(case[0]) for case in FILTERS])
def test_findings_are_filtered(lived: Estate, words: list[str], policies: set[str]) -> None:
    for verb in (["findings"], ["findings", "list"]):
        assert {finding["policy"] for finding in lived.json(*verb, *words)} == policies


def test_the_configuration_may_be_named_by_the_environment(lived: Estate, tmp_path: Path) -> None:
    named = {"RECONCILER_CONFIG": str(lived.folder / "config.toml")}
    assert lived.cli("check", env=named, where=tmp_path).returncode == 0
    lost = lived.cli("check", where=tmp_path)
    assert (lost.returncode, "reconciler init" in lost.stderr) == (2, True)


@pytest.mark.parametrize(("words", "coloured"), [(["--color", "always"], True), (["--color", "never"], False), ([], False)])
def test_no_colour_where_nobody_looks(lived: Estate, words: list[str], coloured: bool) -> None:
    assert ("\x1b[" in lived.cli("findings", *words).stdout) == coloured


def test_data_goes_to_stdout_and_talk_to_stderr(lived: Estate) -> None:
    done = lived.cli("findings")
    assert "5 findings" in done.stderr
    assert "5 findings" not in done.stdout
    assert lived.cli("-q", "findings").stderr == ""


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_any_locale_gets_the_same_bytes(lived: Estate, locale: dict[str, str]) -> None:
    assert lived.process("findings", env=locale).stdout == lived.cli("findings").stdout


SHAPES = [
    (["version"], "json"), (["check"], "json"), (["policies", "list"], "json"), (["policies", "list"], "jsonl"), (["policies", "list"], "csv"),
    (["policies", "docs"], "json"), (["diff"], "json"), (["diff"], "jsonl"), (["diff"], "csv"), (["explain", "jo"], "json"), (["explain", "jo"], "jsonl"),
    (["report"], "json"), (["findings"], "csv"), (["findings"], "jsonl"), (["findings", "show", "f-"], "json"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "form"), SHAPES, ids=[f"{' '.join(case[0])} as {case[1]}" for case in SHAPES])
def test_every_format_is_what_it_says(lived: Estate, words: list[str], form: str) -> None:
    if words[-1] == "f-":
        words = [*words[:-1], lived.json("findings")[0]["id"]]
    done = lived.cli(*words, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    if form == "json":
        assert json.loads(done.stdout)
    elif form == "jsonl":
        assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
    else:
        header, *rows = csv.reader(io.StringIO(done.stdout))
        assert rows and all(len(row) == len(header) for row in rows)


@pytest.mark.parametrize("words", [["run"], ["explain", "jo"], ["check"], ["version"], ["report"]])
def test_a_format_that_makes_no_sense_is_refused(lived: Estate, words: list[str]) -> None:
    done = lived.cli(*words, "--format", "csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "allowed: table, json, jsonl" in done.stderr


# --- help and mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb",
    [
        *VERBS,
        "findings list",
        "findings show",
        "policies list",
        "policies docs",
        "db verify",
        "db upgrade",
        "db backup",
        "db prune",
    ],
)
def test_help_teaches_with_an_example(lived: Estate, verb: str) -> None:
    done = lived.cli(*verb.split(), "--help")
    assert done.returncode == 0
    assert re.search(rf"Examples?:\n +reconciler (-q )?{verb.split()[0]}", done.stdout)
    assert "--as-of INSTANT" in done.stdout


def test_the_list_of_verbs_is_the_contracts(lived: Estate) -> None:
    told = lived.cli("--help").stdout
    assert [verb for verb in VERBS if not re.search(rf"^  {verb} ", told, re.MULTILINE)] == []
    assert lived.cli("--version").stdout == lived.cli("version").stdout


MISTAKES = [
    (["finding"], "Did you mean 'findings'"),
    (["findings", "--polcy", "x"], "--policy"),
    (["findings", "--policy", "orphan-acount"], "did you mean orphan-account?"),
    (["findings", "--source", "add"], "did you mean ad?"),
    (["findings", "--severity", "hihg"], "did you mean high?"),
    (["findings", "--state", "closed"], "allowed: new, open, reopened, waived, resolved, unverified"),
    (["findings", "--since", "yesterday"], "--since 'yesterday': write an instant such as"),
    (["findings", "show", "f-nothing"], "`reconciler findings` lists them"),
    (["explain"], "Missing argument"),
    (["explain", "nobody.at.all"], "give a person's id, an e-mail or a login"),
    (["diff", "2020"], "the last ones are 2026"),
    (["report", "--formats", "htm"], "did you mean html?"),
    (["report", "2020"], "the last ones are 2026"),
    (["policies", "docs", "orphan-acount"], "did you mean orphan-account?"),
    (["schema", "findings"], "did you mean finding?"),
    (["--format", "yaml", "version"], "allowed: table, json, jsonl, csv"),
    (["--color", "sometimes", "version"], "allowed: auto, always, never"),
    (["--as-of", "tonight", "version"], "2026-11-22T02:05:00Z"),
    (["version", "--config"], "--config needs a value"),
    (["doctor", "adx"], "did you mean ad?"),
    (["run", "--only", "adx"], "there are: hr, ad"),
    (["run", "--fail-on", "severe"], "allowed: info, low, medium, high, critical"),
    (["run", "--accept", "hr"], "--reason TEXT"),
    (["run", "--accept", "hr", "--reason", " "], "--reason TEXT"),
    (["run", "--reason", "why"], "goes with --accept"),
    (["run", "--from", "2020"], "the last ones are 2026"),
    (["run", "--from", "2026", "--only", "hr"], "no source is asked"),
    (["schedule", "--as-of", "2026-11-22"], "goes with run"),
    (["init"], "is there already"),
    (["check", "--config", "elsewhere.toml"], "`reconciler init` writes one"),
    (["run", "extra"], "unexpected extra argument"),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES])
def test_a_mistake_is_told_in_a_sentence(lived: Estate, words: list[str], told: str) -> None:
    done = lived.cli(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


# --- verbs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "state", "told", "code"),
    [
        ({}, "ok", "granted: accounts", 0),
        ({"unreadable": ["sign_in"]}, "missing", "grant it", 0),
        ({"identity": "S-1-5-21-2"}, "unreadable", "every night before it was S-1-5-21-1", 5),
        ({"fails": "cut"}, "unreadable", "page 2 did not come", 5),
        ({"fails": "fault"}, "unreadable", "stopped with ZeroDivisionError", 5),
        ({"fails": "refused"}, "refused", "grant it the right to read", 4),
    ],
    ids=["granted", "an area is missing", "another identity", "cut", "a fault of the connector", "refused"],
)
def test_doctor_examines_a_connector_by_what_it_reads(
    lived: Estate, tmp_path: Path, trouble: dict[str, Any], state: str, told: str, code: int
) -> None:
    estate = replace(lived, folder=tmp_path / "copy", trouble=trouble)
    shutil.copytree(lived.folder, estate.folder)
    estate.write()
    before = {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()}
    (source,) = estate.json("doctor", "ad", code=code)["connectors"]
    assert source["state"] == state
    assert [line for line in source["checks"] if line["state"] == state and told in f"{line['told']} {line['fix']}"]
    assert {path: path.read_bytes() for path in estate.folder.rglob("*") if path.is_file()} == before


def test_explain_says_who_why_and_what_would_clear_it(lived: Estate) -> None:
    told = lived.json("explain", "JO@example.com")
    (account,) = told["accounts"]
    assert (account["by"], account["person"]["id"], account["outcome"]) == ("employee_id", "000003", "owned")
    answers = {answer["policy"]: answer for answer in told["answers"]}
    assert set(answers) == {page["id"] for page in lived.json("policies", "list")}
    assert {answer["answer"] for answer in answers.values()} == {"yes", "no"}
    (kept,) = answers["leaver-access-kept"]["facts"]
    assert kept["facts"]["last_day"] == "2026-11-08"
    assert kept["cleared_by"] == ["All Staff is taken away on ad", "HR says that the person has not left"]
    resolved = next(f["id"] for f in told["findings"] if f["state"] == "resolved")
    assert [event["state"] for event in told["history"][resolved]] == ["new", "resolved"]


@pytest.mark.parametrize("who", ["000003", "jo", "JO", "jo@example.com", "a-3"])
def test_explain_takes_a_person_an_address_or_a_login(lived: Estate, who: str) -> None:
    assert [person["person_id"] for person in lived.json("explain", who)["people"]] == ["000003"]


def test_explain_knows_accounts_of_nobody(lived: Estate) -> None:
    told = lived.json("explain", "ghost")
    assert (told["people"], told["accounts"][0]["outcome"]) == ([], "nobody")
    (orphan,) = (answer for answer in told["answers"] if answer["policy"] == "orphan-account")
    assert orphan["facts"][0]["cleared_by"] == ["the account is clearly one person's"]


def test_explain_names_candidates_and_why_they_were_rejected(estate: Estate) -> None:
    estate.accounts["ghost"] |= {"employee_id": "000001", "email": "bo@example.com"}
    estate.night()
    (account,) = (a for a in estate.json("explain", "ghost")["accounts"] if a["account"]["login"] == "ghost")
    assert account["person"]["id"] == "000001"
    assert account["rejected"] == [{"person": "000002", "why": "employee_id goes before, and it names 000001"}]


def test_explain_says_undecided_and_what_is_not_known(estate: Estate) -> None:
    estate.accounts["jo"]["last_login_at"] = None
    estate.night()
    answers = {answer["policy"]: answer for answer in estate.json("explain", "jo")["answers"]}
    assert answers["leaver-account-used"]["answer"] == "undecided"
    assert answers["leaver-account-used"]["facts"][0]["unknown"][0] == "last_login_at"
    enabled = answers["leaver-account-enabled"]["facts"][0]["cleared_by"]
    assert enabled == ["the account is disabled on ad", "HR says that the person has not left"]


def test_explain_says_what_was_not_assessed_and_who_is_quarantined(estate: Estate) -> None:
    estate.trouble["fails"] = "cut"
    estate.people[2] = estate.people[2].replace("Terminated", "Gardening")
    assert estate.night().returncode == 5
    told = estate.json("explain", "000003")
    assert [(d["line"], d["found"]) for d in told["quarantined"]] == [(4, "Gardening")]
    answers = {answer["policy"]: answer for answer in told["answers"]}
    assert answers["roster-defect"]["answer"] == "yes"
    assert (answers["leaver-account-enabled"]["answer"], "page 2" in str(answers["leaver-account-enabled"]["reasons"])) == (
        "not assessed",
        True,
    )


def test_diff_tells_findings_and_records(lived: Estate) -> None:
    told = lived.json("diff")
    assert {word: [f["policy"] for f in told[word]] for word in ("new", "reopened", "resolved", "changed")} == {
        "new": ["attribute-drift"], "reopened": [], "resolved": ["leaver-account-enabled"], "changed": [],
    }  # fmt: skip
    changed = {(r["source"], r["table"], r["name"]): r["columns"] for r in told["changed_records"]}
    assert changed == {
        ("hr", "people", "Bo Chen"): {"department": {"before": "Finance", "after": "Sales"}},
        ("ad", "accounts", "jo"): {"enabled": {"before": True, "after": False}},
        ("ad", "accounts", "zoe"): {"department": {"before": None, "after": "Sales"}},
    }
    assert told["from"] < told["to"]


def test_diff_goes_both_ways_between_named_runs(lived: Estate) -> None:
    told = lived.json("diff")
    back = lived.json("diff", told["to"], told["from"])
    assert [f["policy"] for f in back["resolved"]] == ["attribute-drift"]
    assert (back["from"], back["to"]) == (told["to"], told["from"])


def test_diff_of_one_run_says_what_is_missing(estate: Estate) -> None:
    estate.night()
    done = estate.cli("diff")
    assert (done.returncode, "one run only" in done.stderr) == (2, True)


def test_findings_show_tells_one_whole(lived: Estate) -> None:
    name = lived.json("findings", "--policy", "leaver-account-used")[0]["id"]
    assert [event["state"] for event in lived.json("findings", "show", name[:9])["history"]] == ["new", "open"]
    told = lived.cli("findings", "show", name).stdout
    assert "signed in to on 20 Nov 2026" in told and "history     new" in told and "fix " in told


def test_policies_docs_show_settings_to_copy(lived: Estate) -> None:
    told = lived.cli("policies", "docs", "leaver-account-enabled").stdout
    assert '[policies.leaver-account-enabled]\n    enabled = true\n    severity = "critical"\n    grace = "0h"' in told
    assert "Why it matters: " in told and "How to fix: " in told and "Can be wrong when: " in told


def test_report_renders_a_named_run(lived: Estate, tmp_path: Path) -> None:
    first = lived.json("diff")["from"]
    told = lived.json("report", first, "--formats", "csv,jsonl", "--out", str(tmp_path), "--redact")
    assert told["run"] == first
    assert {Path(path).suffix for path in told["reports"]} == {".csv", ".jsonl"}
    assert all(Path(path).parent == tmp_path and "Jo Doe" not in Path(path).read_text() for path in told["reports"])


# --- exit codes -----------------------------------------------------------------------------------------------------


def test_findings_are_no_failure_unless_asked(estate: Estate) -> None:
    assert estate.night().returncode == 0
    assert estate.night("--fail-on", "critical").returncode == 3
    assert estate.night("--fail-on", "high").returncode == 3
    estate.accounts.clear(), estate.groups.clear()
    del estate.people[2:], estate.people[0]
    assert (
        estate.night("--fail-on", "critical", "--accept", "hr", "--accept", "ad", "--reason", "a smaller company").returncode == 0
    )


CODES = [("cut", 5, "incomplete"), ("refused", 4, "failed"), ("fault", 5, "incomplete")]


@pytest.mark.parametrize(("trouble", "code", "state"), CODES, ids=[case[0] for case in CODES])
def test_a_source_that_is_not_whole_goes_before_findings(estate: Estate, trouble: str, code: int, state: str) -> None:
    estate.night()
    estate.trouble["fails"] = trouble
    done = estate.night("--fail-on", "info", "--format", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit"], told["complete"]) == (code, code, False)
    assert {s["name"]: s["state"] for s in told["sources"]} == {"hr": "complete", "ad": state}
    assert (told["findings"]["new"], told["findings"]["resolved"]) == (0, 0)
    assert told["findings"]["unverified"] > 0
    assert "Traceback" not in done.stderr


def test_a_roster_without_names_is_read(estate: Estate) -> None:
    keep = (0, 3, 4, 5, 6)
    estate.people = [",".join(row.split(",")[n] for n in keep) for row in estate.people]
    estate.write()
    roster = estate.folder / "roster.csv"
    roster.write_text("\n".join(["Employee ID,Work Email,Status,Start Date,Last Day", *estate.people]) + "\n")
    done = estate.cli("run", "--as-of", estate.now.isoformat())
    assert done.returncode == 0, done.stderr
    (found,) = estate.json("findings", "--policy", "leaver-account-enabled")
    assert (found["person"]["id"], found["person"]["name"]) == ("000003", None)


def test_an_optional_area_is_not_assessed_at_first_and_missed_later(estate: Estate) -> None:
    estate.trouble["unreadable"] = ["sign_in"]
    told = json.loads(estate.night("--format", "json").stdout)
    assert (told["exit"], {n["policy"] for n in told["not_assessed"]}) == (0, {"dormant-account", "leaver-account-used"})
    estate.trouble.clear()
    assert estate.night().returncode == 0
    estate.trouble["unreadable"] = ["sign_in"]
    assert estate.night().returncode == 5


def test_an_unexpected_error_is_one_sentence_without_v(estate: Estate) -> None:
    estate.night()
    for path in (estate.folder / "var" / "objects").rglob("*.json"):
        path.write_bytes(b"{}")
    done = estate.cli("findings")
    assert (done.returncode, "was altered" in done.stderr, "Traceback" in done.stderr) == (7, True, False)


def test_what_nobody_expected_is_one_and_a_trace_only_when_asked(estate: Estate) -> None:
    module = estate.folder / "sitecustomize.py"
    module.write_text("import reconciler.starter\nreconciler.starter.starter = lambda *_: 1 / 0\n")
    quiet, loud = (estate.process(*words, "--config", "new.toml", "init") for words in ([], ["-v"]))
    assert (quiet.returncode, loud.returncode) == (1, 1)
    assert ("Traceback" in quiet.stderr, "Traceback" in loud.stderr) == (False, True)
    assert "ZeroDivisionError: division by zero; run again with -v" in quiet.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_finds_no_room_is_an_error_in_a_sentence(estate: Estate) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", "version"], cwd=estate.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "reconciler: a file cannot be written: No space left on device; make room, then run again\n",
    )


# --- run ------------------------------------------------------------------------------------------------------------


def test_accept_is_recorded_with_who_and_why(estate: Estate) -> None:
    estate.night()
    estate.people = estate.people[:1]
    shrunk = estate.night("--format", "json")
    assert shrunk.returncode == 5
    (hr,) = (s for s in json.loads(shrunk.stdout)["sources"] if s["name"] == "hr")
    assert "fewer than in the last accepted night" in hr["reasons"][0]
    assert estate.night("--accept", "hr", "--reason", "the Leeds office was sold").returncode == 0
    with sqlite3.connect(estate.folder / "var" / "reconciler.db") as database:
        rows = database.execute(
            "SELECT source, accepted_by, accepted_because FROM snapshots WHERE accepted_because IS NOT NULL"
        ).fetchall()
    database.close()
    assert rows == [("hr", pwd.getpwuid(os.getuid()).pw_name, "the Leeds office was sold")]
    assert estate.night().returncode == 0


def test_only_and_from(estate: Estate) -> None:
    first = json.loads(estate.night("--format", "json").stdout)
    estate.trouble["fails"] = "cut"
    only = json.loads(estate.night("--only", "hr", "--format", "json").stdout)
    assert ({s["name"]: s["state"] for s in only["sources"]}, only["exit"]) == ({"hr": "complete", "ad": "reused"}, 0)
    (estate.folder / "roster.csv").unlink()
    again = estate.json("run", "--from", first["run"], "--as-of", first["as_of"])
    assert {s["state"] for s in again["sources"]} == {"reused"}
    assert set(again["findings"]["by_policy"]) == set(first["findings"]["by_policy"])


def test_as_of_is_the_clock_for_everything(estate: Estate) -> None:
    estate.nights = 365 * 20
    assert estate.night().returncode == 0
    stale = estate.json("run", "--as-of", "2046-11-20T02:05:00Z", code=5)
    assert {s["name"]: s["state"] for s in stale["sources"]}["hr"] == "stale"
    assert "older than max_age = 26h" in stale["sources"][0]["reasons"][0]


def test_a_second_run_names_the_holder(estate: Estate) -> None:
    import fcntl

    (estate.folder / "var").mkdir(mode=0o700)
    with (estate.folder / "var" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write('{"pid": 4711, "host": "hades", "verb": "schedule", "since": "2026-11-22T02:05:00Z"}')
        lock.flush()
        done = estate.night()
    assert done.returncode == 75
    assert "`reconciler schedule`, process 4711 on hades, since 2026-11-22T02:05:00Z" in done.stderr
    assert estate.night().returncode == 0


# --- init and check -------------------------------------------------------------------------------------------------


def test_init_from_a_roster_checks_and_runs(estate: Estate) -> None:
    done = estate.cli("init", "--from-csv", "roster.csv", "--config", "own.toml")
    assert (done.returncode, done.stdout) == (0, "")
    assert estate.cli("check", "--config", "own.toml").returncode == 0
    night = estate.json("run", "--config", "own.toml", "--as-of", estate.now.isoformat())
    assert [(s["state"], s["people"], s["quarantined"]) for s in night["sources"]] == [("complete", 5, 0)]
    again = estate.cli("init", "--config", "own.toml")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


def test_init_without_a_roster_checks(tmp_path: Path, lived: Estate) -> None:
    assert lived.cli("init", where=tmp_path).returncode == 0
    assert lived.cli("check", where=tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_init_from_no_roster_is_refused(lived: Estate, tmp_path: Path, name: str) -> None:
    done = lived.cli("init", "--from-csv", name, where=tmp_path)
    assert (done.returncode, (tmp_path / "config.toml").exists()) == (2, False)
    assert "there is no such file" in done.stderr


WORDS = {  # headers, a person, and the statuses that are found
    "german": ("Personalnummer;Vorname;Nachname;Status;Eintritt;Austritt", "000101;Änne;Groß;ausgetreten;15.07.2015;31.10.2026", {"left": ["ausgetreten"]}),
    "french": ("Matricule;Prénom;Nom;Statut;Date d'embauche;Date de sortie", "000101;Zoé;Rey;Actif;15/07/2015;", {"active": ["Actif"]}),
    "spanish": ("Número de empleado;Nombre;Apellidos;Estado;Fecha de alta;Fecha de baja", "000101;Íñigo;Sáenz;Activo;15/07/2015;", {"active": ["Activo"]}),
    "italian": ("Matricola;Nome;Cognome;Stato;Data assunzione;Data cessazione", "000101;Ugo;Re;Cessato;15/07/2015;31/10/2026", {"left": ["Cessato"]}),
    "dutch": ("Personeelsnummer;Voornaam;Achternaam;Status;Datum in dienst;Datum uit dienst", "000101;Jan;Smit;in dienst;15-07-2015;", {"active": ["in dienst"]}),
    "portuguese": ("Matrícula;Nome;Sobrenome;Situação;Data de admissão;Data de desligamento", "000101;João;Luz;Ativo;15/07/2015;", {"active": ["Ativo"]}),
}  # fmt: skip


@pytest.mark.parametrize("language", WORDS)
def test_a_roster_is_understood_in_the_language_of_its_headers(lived: Estate, language: str, tmp_path: Path) -> None:
    header, row, statuses = WORDS[language]
    (tmp_path / "roster.csv").write_text(f"{header}\n{row}\n", "utf-8")
    done = lived.cli("init", "--from-csv", "roster.csv", where=tmp_path)
    hr = tomllib.loads((tmp_path / "config.toml").read_text("utf-8"))["connectors"]["hr"]
    assert (done.returncode, "to do" in done.stderr) == (0, False)
    columns = ("employee_id", "given_name", "family_name", "status", "start_date", "last_day")
    assert hr["columns"] == dict(zip(columns, header.split(";"), strict=True))
    assert {status: words for status, words in hr["statuses"].items() if words} == statuses
    ran = lived.cli("run", "--as-of", "2026-11-22T02:05:00Z", where=tmp_path)
    assert "1 read = 1 accepted" in ran.stderr + ran.stdout


def test_what_init_cannot_know_it_names(lived: Estate, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text("Nr,Status,Hired,Start Date\n1,baja,x,01/02/2020\n2,Active,y,03/04/2021\n", "utf-8")
    told = lived.cli("init", "--from-csv", "roster.csv", where=tmp_path).stderr.splitlines()
    assert [line.split(": ", 1)[1].split("  ")[0] for line in told[:-1]] == [
        "%m/%d/%Y would fit every date too: which is it?",
        'columns.employee_id = "…"',
        "where do these belong? Until you move them, such people are neither active nor gone.",
    ]
    assert told[-1] == "wrote config.toml; look it over, then: reconciler check"


def test_check_tells_every_mistake_at_once_as_json_too(estate: Estate) -> None:
    text = (estate.folder / "config.toml").read_text().replace("id_pattern", "id_patern").replace('"Example Ltd"', "7")
    (estate.folder / "config.toml").write_text(text)
    done = estate.cli("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "organisation.name: expected text, found 7" in done.stderr
    assert "connectors.hr: unknown setting id_patern" in done.stderr and "did you mean id_pattern?" in done.stderr
    told = estate.json("check", code=2)
    assert (told["valid"], len(told["problems"])) == (False, 2)


# --- secrets, warnings, the schedule --------------------------------------------------------------------------------

SECRETS = [
    ("env:TOKEN", None, 0o600, "TOKEN is not set"),
    ("env:EMPTY", None, 0o600, "EMPTY is empty"),
    ("file:token", None, 0o600, "cannot read .*No such file"),
    ("file:token", b"", 0o600, "is empty"),
    ("file:token", b"\xff\xfe\xfa", 0o600, "is not UTF-8 text"),
    ("file:token", b"canary-1\n", 0o644, None),
    ("file:token", b"canary-1\n", 0o600, None),
    ("cred:token", None, 0o600, "CREDENTIALS_DIRECTORY is not set"),
    ("keyring:us/me", None, 0o600, "keyring"),
    ("canary-1", None, 0o600, "a secret is a reference, never the value itself; allowed: env:NAME"),
]


@pytest.mark.parametrize(("reference", "body", "mode", "told"), SECRETS, ids=[f"{c[0]} {c[3] or oct(c[2])}" for c in SECRETS])
def test_secrets_are_references_and_never_shown(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reference: str, body: bytes | None, mode: int, told: str | None
) -> None:  # fmt: skip
    config = estate.folder / "config.toml"
    config.write_text(config.read_text().replace('path = "ad.json"', f'path = "ad.json"\ntoken = "{reference}"'))
    if body is not None:
        (estate.folder / "token").write_bytes(body)
        (estate.folder / "token").chmod(mode)
    monkeypatch.setenv("EMPTY", "")
    done = estate.cli("check")
    said = done.stderr + caplog.text
    assert done.returncode == (2 if told else 0), said
    assert re.search(f"connectors.ad.token: .*{told}" if told else "nothing wrong", done.stderr)
    assert ("can be read by others" in said) == (mode == 0o644)
    assert "canary" not in said + done.stdout and "Traceback" not in said


def test_schedule_catches_up_with_a_missed_night_and_ends_when_told(estate: Estate) -> None:
    import signal
    import subprocess
    import sys
    from contextlib import closing

    estate.night()
    config = estate.folder / "config.toml"
    config.write_text(config.read_text().replace('path = "roster.csv"', 'path = "roster.csv"\nmax_age = "9000d"'))
    with closing(sqlite3.connect(estate.folder / "var" / "reconciler.db")) as database, database:
        (record,) = database.execute("SELECT record FROM runs").fetchone()
        missed = {**json.loads(record), "started": "2026-01-01T02:05:00Z"}
        database.execute("UPDATE runs SET record = ?", (json.dumps(missed),))
    paths = os.pathsep.join((str(estate.plugins), str(Path(__file__).parents[2])))
    command = [sys.executable, "-u", "-m", "reconciler", "schedule"]
    with subprocess.Popen(
        command,
        cwd=estate.folder,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr
        lines = []
        for line in child.stderr:
            lines.append(line)
            if line.startswith("night ended with exit"):
                break
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert "night ended with exit 0" in lines[-1], lines
    with closing(sqlite3.connect(estate.folder / "var" / "reconciler.db")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (2,)
