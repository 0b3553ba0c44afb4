"""What people decide through the command line: whose an account is, what is accepted for a time; and what is due soon."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.conftest import CONFIG, Estate, account, build

REASON = ("--reason", "ticket 1234")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Estate:
    made = build(tmp_path_factory.mktemp("decided"), plugin_folder)
    assert made.night().returncode == 0
    return made


@pytest.fixture
def company(first: Estate, tmp_path: Path) -> Estate:
    """The company after its first night, to be changed."""
    shutil.copytree(first.folder, tmp_path / "company")
    return replace(
        first, folder=tmp_path / "company", accounts={k: dict(v) for k, v in first.accounts.items()}, people=[*first.people]
    )


def policies(company: Estate, *words: str) -> list[str]:
    return sorted(f["policy"] for f in company.json("findings", *words))


def at(company: Estate) -> tuple[str, str]:
    return "--as-of", company.now.isoformat()


def test_a_waived_finding_is_silent_until_its_waiver_ends(company: Estate) -> None:
    (leaver,) = company.json("findings", "--policy", "leaver-account-enabled")
    done = company.cli("waive", leaver["id"][:8], "--until", "2026-11-23", *REASON, *at(company))
    assert done.returncode == 0 and "is waived until 2026-11-24T00:00:00Z" in done.stdout
    company.night()
    assert "leaver-account-enabled" not in policies(company)
    (waived,) = company.json("findings", "--state", "waived")
    assert (waived["waiver"]["until"], waived["waiver"]["reason"]) == ("2026-11-24T00:00:00Z", "ticket 1234")
    (listed,) = company.json("waivers", "--as-of", "2026-11-23T02:05:00Z")
    assert (listed["finding"], "Jo Doe" in listed["summary"]) == (leaver["id"], True)
    company.nights += 1
    company.night()
    assert "leaver-account-enabled" in policies(company), "and it speaks up again"
    assert company.json("waivers", "list", *at(company)) == []


def test_a_waiver_is_taken_back(company: Estate) -> None:
    (leaver,) = company.json("findings", "--policy", "leaver-account-enabled")
    company.cli("waive", leaver["id"], "--until", "2027-01-01", *REASON, *at(company))
    assert company.cli("unwaive", leaver["id"][:9], *REASON, *at(company)).returncode == 0
    company.night()
    assert "leaver-account-enabled" in policies(company)


MISTAKES = [
    (("waive", "f-"), "--until"),
    (("waive", "f-0", "--until", "2027-01-01", *REASON), "`reconciler findings` lists them"),
    (("waive", "f-", "--until", "2027-01-01", *REASON), "findings begin with f-"),
    (("unwaive", "f-0", *REASON), "is not waived"),
    (("link", "nobody", "000001", *REASON), "knows no account called 'nobody'"),
    (("link", "ghost", "no-one", *REASON), "knows nobody called"),
    (("link", "ghost", "000001"), "--reason"),
    (("unlink", "ghost", *REASON), "nobody has linked"),
    (("matches", "--outcome", "owend"), "did you mean owned?"),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES, ids=[" ".join(case[0][:2]) + case[1] for case in MISTAKES])
def test_a_mistake_is_told(first: Estate, words: tuple[str, ...], told: str) -> None:
    done = first.cli(*words, *at(first))
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_a_waiver_in_the_past_and_one_without_a_reason_are_refused(first: Estate) -> None:
    (leaver,) = first.json("findings", "--policy", "leaver-account-enabled")
    for words in (("--until", "2026-11-01", *REASON), ("--until", "2027-11-01")):
        assert first.cli("waive", leaver["id"], *words, *at(first)).returncode == 2


def test_a_link_goes_before_every_key_until_it_is_taken_back(company: Estate) -> None:
    assert "orphan-account" in policies(company)
    assert company.cli("link", "ad:ghost", "di@example.com", *REASON).returncode == 0
    company.night()
    assert "orphan-account" not in policies(company) and "joiner-account-missing" not in policies(company)
    (linked,) = [m for m in company.json("matches") if m["account"]["login"] == "ghost"]
    assert (linked["outcome"], linked["person"]["id"], linked["by"]) == ("owned", "000005", "link")
    assert company.cli("unlink", "ghost", *REASON).returncode == 0
    company.night()
    assert "orphan-account" in policies(company)


def test_two_accounts_called_alike_are_told_apart(company: Estate) -> None:
    company.accounts["twin"] = account(8, "twin", employee_id=None, email="ghost")
    company.night()
    done = company.cli("link", "ghost", "000001", *REASON)
    assert (done.returncode, "ad:a-9" in done.stderr and "ad:a-8" in done.stderr) == (2, True)
    assert company.cli("link", "ad:a-9", "000001", *REASON).returncode == 0


def test_matches_say_whose_why_and_who_else(company: Estate) -> None:
    company.accounts["ghost"]["email"] = "ada@example.com"
    company.night()
    told = {m["account"]["login"]: m for m in company.json("matches")}
    assert {login: m["outcome"] for login, m in told.items()} == dict.fromkeys(("ada", "bo", "jo", "zoe", "ghost"), "owned")
    assert (told["ghost"]["by"], told["ada"]["by"]) == ("email", "employee_id")
    assert set(told["ada"]) >= {"account", "outcome", "person", "by", "probability", "margin_bits", "evidence", "candidates"}
    assert company.json("matches", "list", "--outcome", "nobody") == []
    assert (
        company.cli("matches", "--format", "csv").stdout.splitlines()[0]
        == '"source","login","name","outcome","person","by","candidates"'
    )


def test_a_changed_rule_shows_whom_it_would_re_map_before_it_is_used(company: Estate) -> None:
    company.accounts["bo"]["email"] = "ada@example.com"
    company.night()
    (company.folder / "proposed.toml").write_text(CONFIG + '[matching]\nkeys = ["email"]\n')
    told = {
        m["account"]["login"]: (m["was"]["person"]["id"], (m["person"] or {}).get("id"))
        for m in company.json("matches", "--with", "proposed.toml")
    }
    assert told == {"bo": ("000002", "000001")}


def test_the_agenda_says_who_comes_and_goes_and_what_is_not_ready(company: Estate) -> None:
    company.people[1] = "000002,Bo,Chen,bo@example.com,Active,2020-01-06,2026-11-27,Finance"
    company.people.append("000006,New,Kim,new@example.com,Active,2026-12-01,,Legal")
    company.people.append("000007,Far,Kim,far@example.com,Active,2027-12-01,,Legal")
    company.night()
    told = company.json("agenda", "--days", "14", *at(company))
    assert [(t["day"], t["what"], t["person"], t["lacking"]) for t in told] == [
        ("2026-11-27", "leaves", "000002", []), ("2026-12-01", "joins", "000006", ["no account on ad"]),
    ]  # fmt: skip
    assert json.loads(company.cli("agenda", "--days", "3", "--format", "json", *at(company)).stdout) == []
    shown = company.cli("agenda", *at(company)).stdout
    assert "ad on" in shown and "no account on ad" in shown
