"""What the documents say is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from reconciler.cli import app
from reconciler.config import TOP, check, load
from reconciler.errors import ConfigError
from reconciler.starter import starter

ROOT = Path(__file__).parent.parent


def test_the_example_configuration_shows_every_section_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "config.example.toml").read_text("utf-8")
    (tmp_path / "config.toml").write_text(text, "utf-8")
    (tmp_path / "ca.pem").touch()
    (tmp_path / "service-account.json").write_text("{}")
    for name in ("AD_PASSWORD", "M365_SECRET"):
        monkeypatch.setenv(name, "a secret")
    config = load(tmp_path / "config.toml")
    assert (set(config.connectors), check(config)) == ({"hr", "ad", "m365", "google"}, [])
    assert set(tomllib.loads(text)) == set(TOP)


def test_the_further_rosters_of_the_example_check_when_they_are_taken_out_of_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "config.example.toml").read_text("utf-8")
    begin, end = text.index("# [connectors.contractors]"), text.index("[connectors.ad]")
    (tmp_path / "config.toml").write_text(re.sub("(?m)^# ?", "", text[begin:end]), "utf-8")
    for name in ("HR_DB_PASSWORD", "BAMBOOHR_KEY", "HR_SCIM_TOKEN"):
        monkeypatch.setenv(name, "a secret")
    config = load(tmp_path / "config.toml")
    assert [connector.kind for connector in config.connectors.values()] == ["hr_sql", "hr_api", "hr_scim"]
    assert check(config) == []


def test_exit_codes_are_documented() -> None:
    told = (ROOT / "docs/operations.md").read_text("utf-8")
    assert all(re.search(rf"\b{code}\b", told) for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 75, 130))


def test_a_started_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(
        "Worker ID;Worker Status;Hire Date\n1;Active;2020-01-01\n2;Gone fishing;2020-01-01\n3;Active;2020-01-01\n"
    )
    (tmp_path / "config.toml").write_text(starter(tmp_path / "roster.csv"))
    settings = load(tmp_path / "config.toml").connectors["hr"].settings
    assert (settings.columns["employee_id"], settings.delimiter, settings.statuses["active"]) == ("Worker ID", ";", ["Active"])  # type: ignore[attr-defined]
    assert '"Gone fishing"' in (tmp_path / "config.toml").read_text()


def test_verbs_that_the_readme_names_exist() -> None:
    known = {(c.name or c.callback.__name__) for c in app.registered_commands if c.callback} | {
        g.name for g in app.registered_groups
    }
    named = set(
        re.findall(r"reconciler (?:-q )?([a-z]+)", (ROOT / "README.md").read_text() + (ROOT / "docs/operations.md").read_text())
    )
    assert named - {"run"} <= known


MISTAKES = [
    ("[organisation]\ntimezone = 'Europe/Londn'", "timezone"),
    ("[connectors.hr]\nkind = 'hr_fil'", "hr_file"),
    ("[polices.x]", "policies"),
    ("[policies.leaver-account-enabled]\ngrce = '1h'", "grace"),
    ("[policies.leaver-account-enabled]\ngrace = '1 day'", "36h"),
    (
        "[connectors.ad]\nkind='active_directory'\nurls=['ldaps://x']\nbases=['DC=x']\nusername='u'\npassword='hunter2'",
        "env:NAME",
    ),
    ("[schedule]\ncron = '5 25 * * *'", "hour"),
    ("[report]\nformats = ['pdf']", "html"),
    ("x = ", "line 1"),
]


@pytest.mark.parametrize(("text", "allowed"), MISTAKES, ids=[case[1] for case in MISTAKES])
def test_a_mistake_names_what_is_allowed_and_never_shows_a_secret(tmp_path: Path, text: str, allowed: str) -> None:
    (tmp_path / "config.toml").write_text(text + "\n")
    with pytest.raises(ConfigError, match=re.escape(allowed)) as refused:
        load(tmp_path / "config.toml")
    assert "hunter2" not in str(refused.value)
