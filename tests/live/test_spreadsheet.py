"""A roster that went through a real spreadsheet: Gnumeric opens HR's CSV file and saves it as a workbook."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.hr_file import Settings, read
from reconciler.connector import Answer, Context, Defect, Ended, Incomplete, Page

pytestmark = pytest.mark.live

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
HEADER = "Employee ID,Given Name,Family Name,Status,Start Date,Last Day,Department,Timezone"
KINDS = ["Gnumeric_Excel:xlsx", "Gnumeric_Excel:xlsx2"]  # of 2006 and of 2008


def rows(first: int) -> list[str]:
    return [
        f"{first + n:06d},Zoë,Doe{n},Active,2020-01-06,{'2026-11-08' if n == 7 else ''},Finance,Europe/London" for n in range(200)
    ]


def answers(path: Path) -> list[Answer]:
    os.utime(path, (NOW.timestamp(),) * 2)
    told = {"kind": "hr_file", "path": str(path), "id_pattern": r"\d{6}", "statuses": {"active": ["Active"]}}
    return list(read(Settings.model_validate(told), Context("hr", NOW)))


def people(path: Path) -> dict[str, list[Any]]:
    made = answers(path)
    page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
    assert len(page) == ended.rows == 200 and not any(isinstance(answer, Defect) for answer in made)
    return {name: list(page.values(name)) for name in page.columns}


def saved(folder: Path, lines: list[str], kind: str) -> Path:
    """The roster as the spreadsheet saves it."""
    (folder / "r.csv").write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    subprocess.run(
        ["ssconvert", "-T", kind, "r.csv", "r.xlsx"],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return folder / "r.xlsx"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_spreadsheet_keeps_reads_as_the_file_did(tmp_path: Path, kind: str) -> None:
    """Its ids have become numbers and its days dates: the people are the same."""
    found = people(saved(tmp_path, rows(100_001), kind))
    assert found == people(tmp_path / "r.csv")
    assert (found["employee_id"][0], found["start_date"][0], found["last_day"][7]) == (
        "100001",
        date(2020, 1, 6),
        date(2026, 11, 8),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_that_the_spreadsheet_ate_are_missed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(Incomplete, match=r"column 'Employee ID' is wrong in 200 of 200 rows.*row 2: found '1'"):
        answers(saved(tmp_path, rows(1), kind))
