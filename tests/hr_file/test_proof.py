"""A file that brings proof of its wholeness is held against it: a checksum beside it, or a last line that counts."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import _workbook, hr_file
from connectors.hr_file import Settings, read
from reconciler.connector import Context, Defect, Ended, Incomplete, Page
from tests.hr_file.corpus import HEADER, ROWS, WHOLE, csv
from tests.hr_file.workbooks import book, in_process, person

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
TRAILER = {"trailer": "TRAILER,([0-9]+)"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hr_file, "SETTLE", 0)
    monkeypatch.setattr(_workbook, "in_child", in_process)


def settings(path: Path, **keys: Any) -> Settings:
    told = {"kind": "hr_file", "path": str(path), "statuses": {"active": ["Active"]}, **keys}
    return Settings.model_validate(told, context={"base": str(path.parent)})


def people(path: Path, body: str | bytes, **keys: Any) -> int:
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    os.utime(path, (NOW.timestamp(),) * 2)
    answers = list(read(settings(path, **keys), Context("hr", NOW)))
    page, ended = (next(answer for answer in answers if isinstance(answer, kind)) for kind in (Page, Ended))
    assert page.stands_for == ended.rows == ended.declared and not any(isinstance(answer, Defect) for answer in answers)
    return len(page)


@pytest.mark.parametrize("kind", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("form", ["{}", "{}  r.csv\n", "{} *r.csv\r\n"])
def test_a_checksum_that_is_right_is_taken(tmp_path: Path, kind: str, form: str) -> None:
    (tmp_path / "r.sum").write_text(form.format(hashlib.new(kind, WHOLE.encode()).hexdigest()))
    assert people(tmp_path / "r.csv", WHOLE, checksum="r.sum") == 60


SUMS = [
    ("of another file", hashlib.sha256(b"x").hexdigest(), "is not the file that was exported, or not all of it"),
    ("of a kind that is broken", hashlib.md5(WHOLE.encode()).hexdigest(), "no checksum of the kinds sha256"),
    ("nothing", "", "no checksum of the kinds sha256"),
    ("a word", "pending", "no checksum of the kinds sha256"),
    ("not there yet", None, "has the export come to its end"),
]


@pytest.mark.parametrize(("text", "told"), [case[1:] for case in SUMS], ids=[case[0] for case in SUMS])
def test_a_checksum_that_is_not_right_refuses_the_file(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "r.sum").write_text(text)
    with pytest.raises(Incomplete, match=told):
        people(tmp_path / "r.csv", WHOLE, checksum="r.sum")


COUNTED = [
    ("with a line break", csv(*ROWS, "TRAILER,60")),
    ("without", csv(*ROWS, "TRAILER,60").rstrip("\n")),
    ("with blank lines behind", csv(*ROWS, "TRAILER,60", "", "")),
    ("of Windows", csv(*ROWS, "TRAILER,60", end="\r\n")),
]


@pytest.mark.parametrize("body", [case[1] for case in COUNTED], ids=[case[0] for case in COUNTED])
def test_a_last_line_that_counts_is_no_row(tmp_path: Path, body: str) -> None:
    assert people(tmp_path / "r.csv", body, **TRAILER) == 60


MISCOUNTED = [
    ("one too few", csv(*ROWS[1:], "TRAILER,60"), "has 59 rows, but its last line counts 60"),
    ("one too many", csv(*ROWS, ROWS[0], "TRAILER,60"), "has 61 rows, but its last line counts 60"),
    ("no last line", WHOLE, "it was cut off, or the export has changed"),
    ("half of it", csv(*ROWS, "TRAIL").rstrip(), "ends with 'TRAIL', not with a line of the form"),
    ("no number", csv(*ROWS, "TRAILER,"), "not with a line of the form"),
    ("only the last line", "TRAILER,0\n", "is empty"),
    ("a header and the last line", HEADER + "\nTRAILER,0\n", "has a header and no people"),
]


@pytest.mark.parametrize(("body", "told"), [case[1:] for case in MISCOUNTED], ids=[case[0] for case in MISCOUNTED])
def test_a_last_line_that_miscounts_refuses_the_file(tmp_path: Path, body: str, told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        people(tmp_path / "r.csv", body, **TRAILER)


def test_a_workbooks_last_row_may_count_too(tmp_path: Path) -> None:
    rows = [person(n) for n in range(1, 13)]
    assert people(tmp_path / "r.xlsx", book([*rows, ["TRAILER", 12]]), **TRAILER) == 12
    with pytest.raises(Incomplete, match="has 11 rows, but its last line counts 12"):
        people(tmp_path / "r.xlsx", book([*rows[1:], ["TRAILER", 12]]), **TRAILER)
    with pytest.raises(Incomplete, match="it was cut off, or the export has changed"):
        people(tmp_path / "r.xlsx", book(rows), **TRAILER)


@pytest.mark.parametrize(("pattern", "told"), [("TRAILER", "needs one group"), ("(a)(b)", "needs one group"), ("([0-9]", "no regular expression")])  # fmt: skip
def test_a_pattern_that_cannot_count_is_a_mistake(tmp_path: Path, pattern: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(tmp_path / "r.csv", trailer=pattern)
