"""Ten HR systems' exports are read with nothing but the preset's name, and found out from a sample."""

from __future__ import annotations

import csv
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import _workbook, hr_file
from connectors._presets import names, preset
from connectors._roster_settings import COLUMNS
from connectors.hr_file import Settings, read
from reconciler.config import check, load
from reconciler.connector import Context, Defect, Page
from reconciler.errors import UsageError
from reconciler.starter import starter
from reconciler.tables import STATUSES
from tests.hr_file.workbooks import book, in_process

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hr_file, "SETTLE", 0)


def test_the_presets_are_the_promised_ones() -> None:
    assert names() == [
        "adp",
        "bamboohr",
        "csv2scim",
        "hibob",
        "oracle",
        "personio",
        "rippling",
        "successfactors",
        "ukg",
        "workday",
    ]


@pytest.mark.parametrize("name", names())
def test_a_preset_speaks_our_words(name: str) -> None:
    found = preset(name)
    assert set(found.columns) <= set(COLUMNS) and {"employee_id", "status"} <= set(found.columns)
    assert set(found.statuses) <= set(STATUSES) and {"active", "left"} <= set(found.statuses)
    assert set(found.settings) <= {"date_format", "no_date", "delimiter", "encoding"}
    words = [word.casefold() for listed in found.statuses.values() for word in listed]
    assert len(words) == len(set(words))


def people(settings: Settings) -> list[dict[str, Any]]:
    os.utime(settings.path, (NOW.timestamp(), NOW.timestamp()))
    made = list(read(settings, Context("hr", NOW)))
    assert [answer for answer in made if isinstance(answer, Defect)] == []
    page = next(answer for answer in made if isinstance(answer, Page))
    rows = page.rows()
    return [{k: v if isinstance(v, str) else v.isoformat() for k, v in row.items() if v is not None} for row in rows]


@pytest.mark.parametrize("name", names())
def test_the_sample_reads_as_it_did(name: str, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / f"{name}.csv", tmp_path / "r.csv")
    read_as = people(Settings.model_validate({"kind": "hr_file", "path": str(tmp_path / "r.csv"), "preset": name}))
    golden = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    assert read_as == golden
    assert [person["given_name"] for person in read_as] == ["Ada", "Bo", "Jo", "Zoë"]
    assert (read_as[2]["status"], read_as[3]["worker_type"]) == ("left", "contractor")


@pytest.mark.parametrize("name", names())
def test_the_sample_as_a_workbook_is_known_and_reads_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workbook, "in_child", in_process)
    text, delimiter = (SAMPLES / f"{name}.csv").read_text("utf-8-sig"), preset(name).settings.get("delimiter", ",")
    header, *rows = csv.reader(text.splitlines(), delimiter=delimiter)
    (tmp_path / "r.xlsx").write_bytes(book(rows, header))
    (tmp_path / "config.toml").write_text(starter(tmp_path / "r.xlsx", tmp_path / "config.toml"), "utf-8")
    config = load(tmp_path / "config.toml")
    settings = config.connectors["hr"].settings
    assert isinstance(settings, Settings)
    assert (settings.preset, check(config)) == (name, [])
    assert people(settings) == json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


def test_a_workbook_of_two_rosters_is_no_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_workbook, "in_child", in_process)
    (tmp_path / "r.xlsx").write_bytes(book(change=lambda made, _: made.create_sheet("Old").append(["Employee ID", "Status"])))
    with pytest.raises(UsageError, match="2 sheets with content: Sheet, Old"):
        starter(tmp_path / "r.xlsx", tmp_path / "config.toml")


@pytest.mark.parametrize("name", names())
def test_a_sample_is_known_and_its_configuration_reads_it(name: str, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / f"{name}.csv", tmp_path / "r.csv")
    (tmp_path / "config.toml").write_text(starter(tmp_path / "r.csv", tmp_path / "config.toml"), "utf-8")
    config = load(tmp_path / "config.toml")
    settings = config.connectors["hr"].settings
    assert isinstance(settings, Settings)
    assert (settings.preset, check(config)) == (name, [])
    assert people(settings) == json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))


SAMPLE = "Personalnr;Name;Zustand;Eintritt;Abteilung\n00017;Ödön;aktiv;01.02.2020;Büro\n00018;Zoë;aktiv;31.12.2021;Büro\n"
ROSTERS = [
    ("an unknown system", "Employee No,Status,Start Date\n0001,Employed,13/02/2020\n0002,Resigned,01/02/2020\n", None),
    ("semicolons and cp1252", SAMPLE.replace("Personalnr", "Employee ID").replace("Zustand", "Status").encode("cp1252"), None),
    ("utf-16", "Employee ID\tStatus\n1\tActive\n2\tGone fishing\n".encode("utf-16"), None),
    ("no line break at the end", "Employee ID,Status\n1,Active\n2,Active", None),
    ("a header with quotes", 'Employee ID,Status,"Said ""hi"""\n1,Active,\n', None),
]


@pytest.mark.parametrize(("body", "known"), [case[1:] for case in ROSTERS], ids=[case[0] for case in ROSTERS])
def test_any_roster_gives_a_configuration_that_reads_it(tmp_path: Path, body: str | bytes, known: str | None) -> None:
    (tmp_path / "r.csv").write_bytes(body if isinstance(body, bytes) else body.encode())
    (tmp_path / "config.toml").write_text(starter(tmp_path / "r.csv", tmp_path / "config.toml"), "utf-8")
    config = load(tmp_path / "config.toml")
    settings = config.connectors["hr"].settings
    assert isinstance(settings, Settings)
    assert (settings.preset, check(config)) == (known, [])
    assert people(settings)


def test_the_configuration_goes_before_the_preset() -> None:
    own = {"columns": {"employee_id": "Number"}, "statuses": {"left": ["On Leave"]}, "date_format": "%d.%m.%Y"}
    made = Settings.model_validate({"kind": "hr_file", "path": "r.csv", "preset": "workday", **own})
    assert (made.columns, made.date_format) == ({"employee_id": "Number"}, "%d.%m.%Y")
    assert "On Leave" in made.statuses["left"] and "On Leave" not in made.statuses["leave"] and "LOA" in made.statuses["leave"]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown preset", {"preset": "workdy"}, r"unknown preset workdy; allowed: adp, .*; did you mean workday\?"),
    ("an unknown column", {"columns": {"staus": "x"}}, "unknown column staus; .*did you mean status"),
    ("an unknown status", {"statuses": {"gone": ["x"]}}, "unknown status gone; allowed: prehire, active"),
    ("one word for two statuses", {"statuses": {"active": ["A"], "left": ["a"]}}, "'a' stands under active and under left"),
    ("years of two digits", {"date_format": "%d/%m/%y"}, "years of two digits are guesses"),
    ("a date format without a day", {"date_format": "%m/%Y"}, "is not a form of whole dates"),
    ("no date format at all", {"date_format": "dd.mm.yyyy"}, "is not a form of whole dates"),
    ("a pattern with an open bracket", {"id_pattern": "["}, "is no regular expression"),
    ("an unknown encoding", {"encoding": "utf-9"}, "unknown encoding utf-9"),
    ("an encoding that is none", {"encoding": "base64"}, "unknown encoding base64"),
    ("a delimiter of two", {"delimiter": "||"}, "is no delimiter"),
    ("a letter for a delimiter", {"delimiter": "x"}, "is no delimiter"),
    ("a negative floor", {"min_people": -1}, "greater than or equal to 0"),
    ("a floor in quotes", {"min_people": "900"}, "valid integer"),
    ("more than all", {"max_quarantined_percent": 101}, "less than or equal to 100"),
    ("a duration in words", {"max_age": "a day"}, "is not a duration"),
    ("a setting nobody knows", {"colums": {}}, "colums"),
]


@pytest.mark.parametrize(("keys", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_settings_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings.model_validate({"kind": "hr_file", "path": "r.csv", **keys})
