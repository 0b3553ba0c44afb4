"""A roster is read whole or refused with line and column; every row is accounted for."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.hr_file import Settings, read
from reconciler.connector import Answer, Context, Defect, Ended, Incomplete, Page

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
HEADER = "Employee ID,Given Name,Family Name,Status,Start Date,Last Day,Department,Work Email,Timezone"
ROW = "{:06d},Jo,Doe{},Active,2020-01-06,,Finance,jo{}@example.com,Europe/London"
ROWS = [ROW.format(n, n, n) for n in range(1, 101)]
STATUSES = {"active": ["Active"], "leave": ["LOA"], "left": ["Terminated"], "prehire": ["Accepted"]}


def answers(
    path: Path, body: bytes | str, encoding: str = "utf-8", age: timedelta = timedelta(hours=1), **keys: Any
) -> list[Answer]:
    path.write_bytes(body if isinstance(body, bytes) else body.encode(encoding))
    stamp = (NOW - age).timestamp()
    os.utime(path, (stamp, stamp))
    made = Settings.model_validate(
        {"kind": "hr_file", "path": str(path), "id_pattern": r"\d{6}", "statuses": STATUSES, "encoding": encoding, **keys}
    )
    return list(read(made, Context("hr", NOW)))


def file(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def people(found: list[Answer]) -> dict[str, list[Any]]:
    page = next(answer for answer in found if isinstance(answer, Page))
    return {name: list(page.values(name)) for name in page.columns}


def changed(number: int, old: str, new: str) -> str:
    return file(*ROWS[:number], ROWS[number].replace(old, new), *ROWS[number + 1 :])


def test_reads_people(tmp_path: Path) -> None:
    found = people(answers(tmp_path / "r.csv", file(*ROWS)))
    assert found["employee_id"][:2] == ["000001", "000002"]
    assert (found["status"][0], found["start_date"][0].isoformat(), found["last_day"][0]) == ("active", "2020-01-06", None)


REFUSED = [
    ("empty", "", "is empty"),
    ("only a header", HEADER + "\n", "no people"),
    ("another delimiter", file(*ROWS).replace(",", ";"), "one single column"),
    ("a doubled header", file(*ROWS, header=HEADER.replace("Department", "Status")), "twice"),
    ("no header for the status", file(*ROWS, header=HEADER.replace("Status", "State")), "no header for status"),
    ("cut off within the last line", file(*ROWS)[:-40], "cut off"),
    (
        "cp1252 where utf-8 is declared",
        file(*ROWS).replace("Doe7,", "Zo\u00eb,").encode("cp1252"),
        "line 8, character 13: byte 0xeb is not utf-8",
    ),
    ("utf-16 where utf-8 is declared", file(*ROWS).encode("utf-16"), "mark of utf-16"),
    ("a NUL", file(*ROWS).replace("Doe7,", "D\0e,"), "U\\+0000"),
    (
        "a column of bad dates",
        file(*(r.replace("2020-01-06", "06.01.2020") for r in ROWS)),
        "'Start Date' is wrong in 100 of 100",
    ),
    ("a new status in many rows", file(*(r.replace("Active", "LOA-PAT") for r in ROWS[:5]), *ROWS[5:]), "LOA-PAT"),
    ("a workbook", b"PK", "is no whole workbook"),
]


@pytest.mark.parametrize(("body", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_trusted_is_refused(tmp_path: Path, body: bytes | str, text: str) -> None:
    with pytest.raises(Incomplete, match=text):
        answers(tmp_path / ("r.xlsx" if body == b"PK" else "r.csv"), body)


def test_a_wrongly_declared_encoding_shows_in_its_control_characters(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="U\\+0092"):
        answers(tmp_path / "r.csv", file(*ROWS).replace("Doe7,", "O\u2019Brien,").encode("cp1252"), encoding="latin-1")


def test_a_stale_file_and_a_short_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match=r"^stale: "):
        answers(tmp_path / "r.csv", file(*ROWS), age=timedelta(hours=27))
    with pytest.raises(Incomplete, match="min_people = 101"):
        answers(tmp_path / "r.csv", file(*ROWS), min_people=101)


QUARANTINED = [
    ("an unknown status is HR's to explain", "Active", "LOA-PAT", "Status", "LOA-PAT"),
    ("a date in another form", "2020-01-06", "06.01.2020", "Start Date", "06.01.2020"),
    ("the end before the start", "2020-01-06,,", "2020-01-06,2019-12-31,", "Last Day", "2019-12-31"),
    ("an unknown time zone", "Europe/London", "Europe/Londn", "Timezone", "Europe/Londn"),
    ("an id that lost its zeros", "000008", "8", "Employee ID", "8"),
    (
        "an id in other digits",
        "000008",
        "\u0660\u0660\u0660\u0660\u0660\u0668x",
        "Employee ID",
        "\u0660\u0660\u0660\u0660\u0660\u0668x",
    ),
    ("no id", "000008", "", "Employee ID", ""),
]


@pytest.mark.parametrize(
    ("old", "new", "column", "value"), [case[1:] for case in QUARANTINED], ids=[case[0] for case in QUARANTINED]
)
def test_a_bad_cell_quarantines_its_row(tmp_path: Path, old: str, new: str, column: str, value: str) -> None:
    found = answers(tmp_path / "r.csv", changed(7, old, new))
    defect = next(a for a in found if isinstance(a, Defect))
    assert (defect.line, defect.column, defect.found, defect.rejected) == (9, column, value, False)
    assert len(people(found)["employee_id"]) == 99


def test_a_line_that_is_nobodys_is_rejected(tmp_path: Path) -> None:
    found = answers(tmp_path / "r.csv", file(*ROWS[:7], ",,,Active,,,Finance,,", *ROWS[7:]))
    assert [(d.line, d.rejected) for d in found if isinstance(d, Defect)] == [(9, True)]


def test_identical_rows_collapse_and_count_as_accepted(tmp_path: Path) -> None:
    found = answers(tmp_path / "r.csv", file(*ROWS, ROWS[0]))
    page = next(a for a in found if isinstance(a, Page))
    assert (len(page), page.stands_for) == (100, 101)


def test_a_second_job_is_a_second_employment(tmp_path: Path) -> None:
    found = people(answers(tmp_path / "r.csv", file(*ROWS, ROWS[0].replace("Finance", "Legal"))))
    assert found["employee_id"].count("000001") == 2


CONTRADICTIONS = [("another person", "Doe1,", "Roe,"), ("another status of the same position", "Active", "Terminated")]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS])
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_rows_that_contradict_each_other_are_quarantined(tmp_path: Path, old: str, new: str, first: bool) -> None:
    other = ROWS[0].replace(old, new)
    found = answers(tmp_path / "r.csv", file(other, *ROWS) if first else file(*ROWS, other))
    assert "000001" not in people(found)["employee_id"]
    assert [d.employee_id for d in found if isinstance(d, Defect)] == ["000001", "000001"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    body = file(*ROWS).replace("Doe7,", "Zoë,").encode(encoding)
    assert (
        "Zoë"
        in people(answers(tmp_path / "r.csv", body, encoding="utf-8" if encoding == "utf-8-sig" else encoding))["family_name"]
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 8000), st.sampled_from([*list('",;\n\rx0 '), "\n\n", '""', "LOA"])), max_size=4))
def test_every_row_is_accounted_for_or_the_file_is_refused(tmp_path: Path, edits: list[tuple[int, str]]) -> None:
    text = file(*ROWS)
    for at, new in edits:
        text = text[:at] + new + text[at + 1 :]
    try:
        found = answers(tmp_path / "r.csv", text)
    except Incomplete:
        return
    page, ended = next(a for a in found if isinstance(a, Page)), next(a for a in found if isinstance(a, Ended))
    assert (page.stands_for or 0) + sum(isinstance(a, Defect) for a in found) == ended.rows
