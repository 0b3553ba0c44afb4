"""A workbook is read as a CSV file is: whole or refused, every row accounted for, by a child that cannot take much."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import _workbook, hr_file
from connectors._workbook import Limits, in_child
from connectors.hr_file import Settings, read
from reconciler.connector import Answer, Context, Defect, Ended, Incomplete, Page
from tests.hr_file.workbooks import HEADER, MAIN, ROWS, SHEET, TEXTS, added, book, in_process, patched, person, with_cell

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
WORDS = {"active": ["Active", "1"], "leave": ["LOA"], "left": ["Terminated"], "prehire": ["Accepted"]}
PATTERN = {"id_pattern": r"\d{6}"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hr_file, "SETTLE", 0)
    monkeypatch.setattr(_workbook, "in_child", in_process)


def answers(path: Path, body: bytes, **keys: Any) -> list[Answer]:
    path.write_bytes(body)
    os.utime(path, (NOW.timestamp() - 60,) * 2)
    told = {"kind": "hr_file", "path": str(path), "statuses": WORDS, "max_quarantined_percent": 30.0, **keys}
    return list(read(Settings.model_validate(told), Context("hr", NOW)))


def people(made: list[Answer]) -> dict[str, list[Any]]:
    page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
    assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
    return {name: list(page.values(name)) for name in page.columns}


def test_a_workbook_reads_as_the_same_rows_in_csv_do(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("\n".join(",".join(map(str, row)).replace("None", "") for row in [HEADER, *ROWS]) + "\n")
    os.utime(tmp_path / "r.csv", (NOW.timestamp(),) * 2)
    told = {"kind": "hr_file", "path": str(tmp_path / "r.csv"), "statuses": WORDS}
    as_csv = list(read(Settings.model_validate(told), Context("hr", NOW)))
    assert people(answers(tmp_path / "r.xlsx", book())) == people(as_csv)


def hide(row: int) -> bytes:
    return book(change=lambda _, sheet: setattr(sheet.row_dimensions[row], "hidden", True))


def epoch_1904(made: Any, sheet: Any) -> None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    made.epoch = CALENDAR_MAC_1904
    sheet["E5"] = date(2019, 2, 28)


def second_sheet(made: Any, _sheet: Any) -> None:
    made.create_sheet("Leavers").append(HEADER)


def hidden_second_sheet(made: Any, _sheet: Any) -> None:
    second_sheet(made, None)
    made["Leavers"].sheet_state = "hidden"


TAKEN: list[tuple[str, bytes, dict[str, Any], str, int, Any]] = [
    ("ids as numbers", book([[int(row[0]), *row[1:]] for row in ROWS]), {}, "employee_id", 7, "8"),
    ("ids as numbers shown with zeros", with_cell("A9", 8, "000000"), PATTERN, "employee_id", 7, "000008"),
    ("a number shown with zeros beside texts", with_cell("A9", 8, "000000"), {}, "employee_id", 7, "000008"),
    ("an id as a number with a useless fraction", with_cell("A9", 100008.0), PATTERN, "employee_id", 7, "100008"),
    ("dates since 1904", book(change=epoch_1904), {}, "start_date", 3, date(2019, 2, 28)),
    ("a date as text, as declared", with_cell("E9", "2020-02-29"), {}, "start_date", 7, date(2020, 2, 29)),
    ("a date cell where another form is declared for texts", with_cell("E9", date(2020, 2, 29)), {"date_format": "%d.%m.%Y"}, "start_date", 7, date(2020, 2, 29)),
    ("a status as a number", with_cell("D9", 1), {}, "status", 7, "active"),
    ("a department as a number", with_cell("G9", 4711), {}, "department", 7, "4711"),
    ("a name that looks like an error", with_cell("C9", "#Null"), {}, "family_name", 7, "#Null"),
    ("a name of two lines is one row", with_cell("C9", "Doe\nRoe"), {}, "family_name", 7, "Doe\nRoe"),
    ("a lie about its size", patched(book(), 'ref="A1:I13"', 'ref="A1:I4"'), {}, "employee_id", 11, "000012"),
    ("a lie about everything", patched(book(), 'ref="A1:I13"', 'ref="A1:A1"'), {}, "employee_id", 11, "000012"),
    ("no word about its size", patched(book(), '<dimension ref="A1:I13" />', ""), {}, "employee_id", 11, "000012"),
    ("a formula in a column nobody reads", book([[*row, "=1+1"] for row in ROWS], [*HEADER, "Shoe Size"]), {}, "employee_id", 11, "000012"),
    ("an error in a column nobody reads", book([[*row, "#N/A"] for row in ROWS], [*HEADER, "Shoe Size"]), {}, "employee_id", 11, "000012"),
    ("blank rows between", book([line for row in ROWS for line in (row, [])]), {}, "employee_id", 11, "000012"),
    ("a sheet that starts lower", book(header=[], rows=[[], HEADER, *ROWS]), {}, "employee_id", 11, "000012"),
    ("a blank second sheet", book(change=lambda made, _: made.create_sheet("Sheet2")), {}, "employee_id", 11, "000012"),
    ("a hidden second sheet", book(change=hidden_second_sheet), {}, "employee_id", 11, "000012"),
    ("a named sheet of two", book(change=second_sheet), {"sheet": "Sheet"}, "employee_id", 11, "000012"),
    ("an extra column as date and number", book([[*row, date(2020, 1, 6)] for row in ROWS], [*HEADER, "Badge"]), {"extra": ["Badge"]}, "extra", 0, '{"Badge": "2020-01-06"}'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "column", "at", "value"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_is_odd_and_right_is_taken(
    tmp_path: Path, body: bytes, keys: dict[str, Any], column: str, at: int, value: Any
) -> None:
    made = answers(tmp_path / "r.xlsx", body, **keys)
    assert [answer for answer in made if isinstance(answer, Defect)] == []
    found = people(made)
    assert (len(found["employee_id"]), found[column][at]) == (12, value)


FORMULA = patched(with_cell("D9", "=A1"), "<f>A1</f><v />", "<f>A1</f><v>1</v>")
# (what, body, keys, column in HR's words, what was found, where)
QUARANTINED: list[tuple[str, bytes, dict[str, Any], str, str]] = [
    ("a status by a formula without a value", with_cell("D9", '=IF(A1="","Active","")'), {}, "Status", "(a formula"),
    ("a status by a formula with a value", FORMULA, {}, "Status", "1 (a formula"),
    ("an error for a date", with_cell("E9", "#N/A"), {}, "Start Date", "#N/A (an error"),
    ("an error for a department", with_cell("G9", "#REF!"), {}, "Department", "#REF! (an error"),
    ("a department that became a date", with_cell("G9", date(2026, 3, 4)), {}, "Department", "2026-03-04 (a date"),
    ("an id that became a date", with_cell("A9", date(2026, 3, 4)), {}, "Employee ID", "2026-03-04 (a date"),
    ("an id with a fraction", with_cell("A9", 8.5), {}, "Employee ID", "8.5 (a number with a fraction"),
    ("an id of sixteen digits", with_cell("A9", 1234567890123456), {}, "Employee ID", "1234567890123456 (a number"),
    ("an id that is true", with_cell("A9", True), {}, "Employee ID", "TRUE (a truth value"),
    ("an id that lost its zeros", with_cell("A9", 8), PATTERN, "Employee ID", "8"),
    ("an id that lost its zeros, without a pattern", with_cell("A9", 8), {}, "Employee ID", "8 (a number"),
    ("a day with a time", with_cell("E9", datetime(2020, 1, 6, 17, 0)), {}, "Start Date", "2020-01-06 17:00:00 (a time"),
    ("a time without a day", with_cell("E9", time(17, 0)), {}, "Start Date", "17:00:00 (a time"),
    ("a span of hours", with_cell("E9", timedelta(hours=30)), {}, "Start Date", "1900-01-01 06:00:00 (a time"),
    ("a day number that is shown as a number", with_cell("E9", 43836, "General"), {}, "Start Date", "43836"),
    ("a day beyond the calendar", patched(book(), '<c r="E9" s="1" t="n"><v>43836</v>', '<c r="E9" s="1" t="n"><v>99999999</v>'), {}, "Start Date", "#VALUE! (an error"),
    ("an unknown status", with_cell("D9", "LOA-PAT"), {}, "Status", "LOA-PAT"),
    ("a hidden row", hide(9), {}, "row", "is hidden"),
    ("a cell beyond the header", with_cell("J9", "x"), {}, "row", "10 columns"),
    ("a cell that swallowed a book", with_cell("C9", "x" * 10_001), {}, "row", "a cell is longer than 10000 characters"),
    ("a control character", patched(with_cell("C9", "QZQ"), "QZQ", "Q\x7fQ", TEXTS), {}, "row", "control character U+007F"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "column", "found"), [case[1:] for case in QUARANTINED], ids=[case[0] for case in QUARANTINED])  # fmt: skip
def test_quarantined_with_row_and_column(tmp_path: Path, body: bytes, keys: dict[str, Any], column: str, found: str) -> None:
    made = answers(tmp_path / "r.xlsx", body, **keys)
    (defect,) = (answer for answer in made if isinstance(answer, Defect))
    assert (defect.line, defect.column, defect.rejected) == (9, column, False)
    assert found in defect.found and defect.allowed and defect.problem
    assert len(people(made)["employee_id"]) == 11


def test_merged_cells_quarantine_every_row_they_touch(tmp_path: Path) -> None:
    made = answers(tmp_path / "r.xlsx", book(change=lambda _, sheet: sheet.merge_cells("G5:G7")))
    defects = [answer for answer in made if isinstance(answer, Defect)]
    assert [(defect.line, defect.found) for defect in defects] == [(row, "has merged cells (G5:G7)") for row in (5, 6, 7)]
    assert len(people(made)["employee_id"]) == 9


def test_a_row_that_is_nobodys_is_rejected(tmp_path: Path) -> None:
    made = answers(tmp_path / "r.xlsx", book([*ROWS, [None] * 6 + ["Total"]]))
    assert [(defect.line, defect.rejected) for defect in made if isinstance(defect, Defect)] == [(14, True)]
    people(made)


STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
REFUSED: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("no archive", b"PK", {}, "is no whole workbook"),
    ("an old workbook, or one with a password", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, {}, "protected by a password, or an old workbook"),
    ("a CSV file by another name", b"Employee ID,Status\n1,Active\n", {}, "is no whole workbook"),
    ("cut in the middle", book()[:2500], {}, "is no whole workbook"),
    ("an archive of other things", added(b"", "readme.txt", b"hello"), {}, "is no workbook that can be read"),
    ("no rows at all", book([], []), {}, "has nothing on any sheet"),
    ("a header and no people", book([]), {}, "has a header and no people"),
    ("two sheets with content", book(change=second_sheet), {}, "2 sheets with content: Sheet, Leavers; name the one"),
    ("a sheet that is not there", book(), {"sheet": "Staff"}, "has no sheet 'Staff'; there are: Sheet"),
    ("a title above the header", book(ROWS, ["Staff of Example Ltd"]), {}, "row 1: no header for employee_id"),
    ("a doubled header", book(header=[*HEADER[:-1], "Status"]), {}, "row 1: the header 'Status' stands there twice"),
    ("a header by a formula", with_cell("D1", "=A1"), {}, "row 1: the header cannot be read"),
    ("a merged header", book(change=lambda _, sheet: sheet.merge_cells("H1:I1")), {}, "row 1: the header cannot be read: has merged"),
    ("two rows of one number", patched(book(), '<row r="9"', '<row r="8"'), {}, "not in order"),
    ("rows out of order", patched(book(), '<row r="9"', '<row r="5"'), {}, "not in order"),
    ("a cell in another row", patched(book(), '<c r="D9"', '<c r="D8"'), {}, "not in order"),
    ("two cells of one place", patched(book(), '<c r="E9"', '<c r="D9"'), {}, "not in order"),
    ("a row beyond the last", patched(book(), '<row r="13"', '<row r="1048577"'), {}, "not in order"),
    ("an XML of another kind that no reader sees", patched(book(), f'xmlns="{MAIN}"', f'xmlns="{STRICT}"'), {}, "two readings"),
    ("entities", patched(book(), "<worksheet", '<!DOCTYPE x [<!ENTITY a "b">]><worksheet'), {}, "declares entities"),
    ("a part twice", added(book(), SHEET, b"<worksheet/>"), {}, "two parts of one name"),
    ("XML that breaks off", patched(book(), "</sheetData>", ""), {}, "is no XML"),
    ("a style that is not there", patched(book(), '<c r="E9" s="1"', '<c r="E9" s="77"'), {}, "is no workbook that can be read"),
    ("a text that is not there", patched(book(), '<c r="D9" t="s"><v>', '<c r="D9" t="s"><v>99999'), {}, "is no workbook that can be read"),
    ("half of the rows hidden", book(change=lambda _, sheet: [setattr(sheet.row_dimensions[n], "hidden", True) for n in range(2, 8)]), {}, "rows cannot be read in 6 of 12 rows"),
    ("every status by a formula", book([[*row[:3], "=1", *row[4:]] for row in ROWS]), {}, "'Status' is wrong in 12 of 12 rows.*paste values"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "told"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_with_a_sentence(tmp_path: Path, body: bytes, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        answers(tmp_path / "r.xlsx", body, **keys)


@pytest.mark.parametrize(("name", "told"), [("~$r.xlsx", "beside an open file"), ("r.xls", "save it as .xlsx"), ("r.ods", "save it as")])  # fmt: skip
def test_what_is_no_xlsx_is_refused_by_its_name(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        answers(tmp_path / name, book([person(1)]))


# --- the child, which is given little --------------------------------------------------------------------------

LITTLE = Limits(memory=112 << 20, seconds=30, unpacked=64 << 20)
BOOK = book(ROWS[:5])


def _of_many_parts() -> bytes:
    made = io.BytesIO(BOOK)
    with zipfile.ZipFile(made, "a") as archive:
        for n in range(2_001):
            archive.writestr(f"xl/media/{n}", b"")
    return made.getvalue()


BOMBS = [
    ("a part of zeros", added(BOOK, "xl/media/zeros.bin", b"\0" * (65 << 20)), "unpacks to more than 64 MiB"),
    ("two thousand parts", _of_many_parts(), "unpacks to more than 64 MiB or 2000 parts"),
    ("more text than memory", patched(BOOK, "</sst>", "<si><t>" + "x" * (60 << 20) + "</t></si></sst>", TEXTS), "takes more than .*112 MiB"),
    ("rows for ever", patched(BOOK, "</sheetData>", "<row><c><v>1</v></c></row>" * 300_000 + "</sheetData>"), "takes more than 1 seconds or|could not be read in 4 seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "told"), [case[1:] for case in BOMBS], ids=[case[0] for case in BOMBS])
def test_a_bomb_does_not_go_off(body: bytes, told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        list(
            _workbook._rows(
                Path("r.xlsx"), in_child(Path("r.xlsx"), body, None, replace(LITTLE, seconds=1) if "seconds" in told else LITTLE)
            )
        )


def test_the_child_prints_what_is_read_in_process() -> None:
    limits = Limits()
    assert in_child(Path("r.xlsx"), BOOK, None, limits).strip() == in_process(Path("r.xlsx"), BOOK, None, limits)
