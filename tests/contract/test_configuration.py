"""The contract's config.toml, word for word, and every way to write it wrong: all mistakes at once, and no secret shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reconciler.config import check, load
from reconciler.errors import ConfigError

CONTRACT = """
[organisation]
name = "Example Ltd"
timezone = "Europe/London"
[state]
dir = "var"
database = "sqlite:///var/reconciler.db"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
preset = "workday"
encoding = "utf-8"
delimiter = ","
date_format = "%Y-%m-%d"
covers = "full-history"
min_people = 900
max_drop_percent = 5
max_drop_7d_percent = 5
max_quarantined_percent = 2
max_age = "26h"
id_pattern = '\\d{6}'
columns = { employee_id = "Employee ID", last_day = "Last Day" }
statuses = { active = ["Active"], leave = ["LOA"], left = ["Terminated"], prehire = ["Accepted"] }
worker_types = { employee = ["Regular"], contractor = ["Contingent"] }
extra = ["postcode"]
[connectors.ad]
kind = "active_directory"
urls = ["ldaps://dc1.example.com", "ldaps://dc2.example.com"]
bases = ["DC=example,DC=com"]
bind = "simple"
username = "reader@example.com"
password = "env:AD_PASSWORD"
ca_file = "ca.pem"
writer = { username = "remediator@example.com", password = "env:AD_WRITER_PASSWORD" }
[connectors.m365]
kind = "microsoft365"
tenant = "00000000-0000-0000-0000-000000000000"
client_id = "11111111-1111-1111-1111-111111111111"
client_secret = "env:M365_SECRET"
login_url = "https://login.microsoftonline.com"
graph_url = "https://graph.microsoft.com/v1.0"
ca_file = "ca.pem"
writer = { client_id = "22222222-2222-2222-2222-222222222222", client_secret = "env:M365_WRITER_SECRET" }
[connectors.google]
kind = "google_workspace"
customer = "my_customer"
credentials = "file:service-account.json"
subject = "reader@example.com"
api_url = "https://admin.googleapis.com"
writer = { subject = "remediator@example.com" }
[matching]
keys = ["employee_id", "anchor", "upn", "email", "alias"]
names = "suggest"
[exempt]
accounts = ["svc-*", "breakglass*"]
[[access]]
name = "everyone"
when = { status = ["active"], worker_type = ["employee"] }
accounts = ["ad", "m365", "google"]
entitlements = ["ad:All Staff"]
[[access]]
name = "finance"
when = { department = ["Finance"] }
entitlements = ["ad:Finance-RW", "m365:SPE_E5", "google:finance@example.com"]
[[conflict]]
name = "raise and approve payments"
holding = ["ad:AP-Create"]
and_holding = ["google:ap-approvers@example.com"]
[policies.leaver-account-enabled]
enabled = true
severity = "critical"
grace = "0h"
[remediation]
enabled = false
approval = "two-person"
expires = "24h"
limits = { default = { count = 10, percent = 2 }, rolling_7d = { percent = 5 } }
protected = ["ad:S-1-5-21-1-2-3-500"]
freeze = ["2026-12-18/2027-01-04"]
[report]
formats = ["html", "csv", "jsonl"]
dir = "var/reports"
[schedule]
cron = "5 2 * * *"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which the contract's configuration checks clean."""
    (tmp_path / "ca.pem").touch()
    (tmp_path / "service-account.json").write_text("{}")
    monkeypatch.setenv("AD_PASSWORD", "hunter2")
    monkeypatch.setenv("M365_SECRET", "hunter2")
    return tmp_path


def problems(folder: Path, text: str) -> list[str]:
    (folder / "config.toml").write_text(text, "utf-8")
    try:
        return check(load(folder / "config.toml"))
    except ConfigError as mistakes:
        return list(mistakes.problems)


def test_the_contracts_configuration_is_taken_word_for_word(folder: Path) -> None:
    assert problems(folder, CONTRACT) == []
    config = load(folder / "config.toml")
    assert not re.search("hunter2", repr(config))


# (what is written, what is written instead, the place and the words that help)
WRONG = [
    ("[organisation]", "[organization]", ": unknown setting organization; .*did you mean organisation?"),
    ("[matching]", "[matchin]", "did you mean matching?"),
    ("[schedule]", "[scheduler]", "did you mean schedule?"),
    ('name = "Example Ltd"', "name = 7", "organisation.name: expected text, found 7"),
    ('name = "Example Ltd"', 'name = ""', "organisation.name: must not be empty"),
    ('"Europe/London"', '"Europe/Londn"', "organisation.timezone: unknown timezone Europe/Londn"),
    ('"Europe/London"', '"GMT+25"', "organisation.timezone: unknown timezone"),
    ('"sqlite:///var/reconciler.db"', '"reconciler.db"', "state.database: expected a database URL"),
    ('"sqlite:///var/reconciler.db"', '"env:NOT_SET"', "state.database: .*NOT_SET is not set"),
    ('kind = "hr_file"', 'kind = "hr_fil"', "connectors.hr: unknown kind hr_fil; .*did you mean hr_file?"),
    ('kind = "hr_file"', "", "connectors.hr: kind is missing; allowed: "),
    ("[connectors.hr]", "[connectors.hr.x]", "connectors.hr: kind is missing"),
    ('preset = "workday"', 'preset = "workdy"', "connectors.hr.preset: unknown preset workdy; allowed: adp, .*did you mean workday?"),
    ("min_people", "min_poeple", "connectors.hr: unknown setting min_poeple; .*did you mean min_people?"),
    ("min_people = 900", 'min_people = "900"', "connectors.hr.min_people: expected a whole number, found text"),
    ("max_drop_percent = 5", "max_drop_percent = 500", "connectors.hr.max_drop_percent: should be less than or equal to 100"),
    ('"26h"', '"1 day"', "connectors.hr.max_age: '1 day' is not a duration; write a number and a unit"),
    ('"26h"', "26", "connectors.hr.max_age: expected text, found 26"),
    ("'\\d{6}'", "'['", "connectors.hr.id_pattern: .*is no regular expression"),
    ('encoding = "utf-8"', 'encoding = "utf-9"', "connectors.hr.encoding: unknown encoding utf-9"),
    ('"full-history"', '"all"', "connectors.hr.covers: unknown word all; allowed: full-history, current-only"),
    ("prehire = [", "prehired = [", "connectors.hr.statuses: unknown status prehired; .*did you mean prehire?"),
    ('path = "roster.csv"', 'path = "nowhere/roster.csv"', "connectors.hr.path: there is no folder"),
    ('path = "roster.csv"', "", "connectors.hr.path: path is missing|connectors.hr: path is missing"),
    ('password = "env:AD_PASSWORD"', 'password = "hunter2"', "connectors.ad.password: a secret is a reference, .*env:NAME, file:PATH, cred:NAME, keyring:SERVICE/USER"),
    ('password = "env:AD_PASSWORD"', 'password = "env:AD_PASSWRD"', "connectors.ad.password: .*AD_PASSWRD is not set"),
    ('password = "env:AD_PASSWORD"', 'password = "file:nothing"', "connectors.ad.password: .*cannot read .*nothing"),
    ('password = "env:AD_PASSWORD"', 'password = "cred:ad"', "connectors.ad.password: .*LoadCredential=ad"),
    ('"https://login.microsoftonline.com"', '"http://login.example.com"', "plain http:// to login.example.com; allowed: https://"),
    ('"https://admin.googleapis.com"', '"https://me:hunter2@admin.googleapis.com"', "a password in a URL"),
    ("client_secret = \"env:M365_SECRET\"\nlogin", "login", "connectors.m365"),
    ('"alias"]', '"aliases"]', "matching.keys.*unknown word aliases; allowed: .*did you mean alias?"),
    ('names = "suggest"', 'names = "always"', "matching.names: unknown word always; allowed: off, suggest"),
    ('status = ["active"]', 'status = ["activ"]', "access.everyone.when: unknown status activ; .*did you mean active?"),
    ("department = [", "departmnt = [", "access.finance.when: unknown column departmnt; .*did you mean department?"),
    ('accounts = ["ad", "m365", "google"]', 'accounts = ["add"]', "access.everyone.accounts: unknown connector add; .*did you mean ad?"),
    ('"ad:Finance-RW"', '"adx:Finance-RW"', "access.finance.entitlements: unknown connector adx"),
    ('"ad:Finance-RW"', '"Finance-RW"', 'access.finance.entitlements.*expected "source:name"'),
    ('name = "finance"', 'name = "everyone"', "access.everyone: two rules have this name"),
    ("and_holding", "and_hold", "conflict.raise and approve payments: "),
    ('["google:ap-approvers@example.com"]', "[]", "conflict.raise and approve payments.and_holding: must not be empty"),
    ("leaver-account-enabled", "leaver-acount-enabled", "policies: unknown policy leaver-acount-enabled; .*did you mean leaver-account-enabled?"),
    ('grace = "0h"', 'grce = "0h"', "policies.leaver-account-enabled: unknown setting grce; it has: enabled, severity, grace; did you mean grace?"),
    ('grace = "0h"', 'grace = "soon"', "policies.leaver-account-enabled.grace: 'soon' is not a duration"),
    ('severity = "critical"', 'severity = "urgent"', "policies.leaver-account-enabled.severity: unknown severity urgent; allowed: info, low"),
    ("enabled = true", 'enabled = "yes"', "policies.leaver-account-enabled.enabled: expected true or false, found text"),
    ('"two-person"', '"nobody"', "remediation.approval: unknown word nobody; allowed: two-person, one-person"),
    ("percent = 2 }", "percent = 200 }", "remediation.limits.default.percent: should be less than or equal to 100"),
    ("rolling_7d", "rolling", "remediation.limits: unknown limit rolling; .*did you mean rolling_7d?"),
    ('"2026-12-18/2027-01-04"', '"2027-01-04/2026-12-18"', "remediation.freeze.*expected two dates"),
    ('"html", ', '"htm", ', "report.formats: unknown format htm; .*did you mean html?"),
    ('["html", "csv", "jsonl"]', "[]", "report.formats: must not be empty"),
    ('"5 2 * * *"', '"5 25 * * *"', "schedule.cron: hour '25' is out of range; allowed: 0 to 23"),
    ('"5 2 * * *"', '"0 0 30 2 *"', "schedule.cron: .*is never due"),
    ("[report]", "[report", "not valid TOML: .*line"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "told"), WRONG, ids=[f"{case[1] or 'without ' + case[0]}" for case in WRONG])
def test_a_mistake_names_file_place_and_what_is_allowed(folder: Path, right: str, wrong: str, told: str) -> None:
    assert right in CONTRACT
    found = problems(folder, CONTRACT.replace(right, wrong, 1))
    assert found and all(line.startswith(str(folder / "config.toml")) for line in found)
    assert any(re.search(told.rstrip("?"), line) for line in found), found
    assert "hunter2" not in str(found)


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    text = (
        CONTRACT.replace('"26h"', '"x"').replace('"two-person"', '"nobody"').replace("5 2 *", "99 2 *").replace("grace", "grce")
    )
    assert len(problems(folder, text)) == 4
