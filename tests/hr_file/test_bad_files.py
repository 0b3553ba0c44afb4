"""Everything a roster may be and should not: refused with the place and a sentence, or quarantined, and every row counted."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import hr_file
from connectors.hr_file import Settings, read
from reconciler.connector import Answer, Context, Defect, Ended, Incomplete, Page

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
HEADER = "Employee ID,Given Name,Family Name,Status,Start Date,Last Day,Department,Work Email,Timezone"
ROWS = [f"{n:06d},Jo,Doe{n},Active,2020-01-06,,Finance,jo{n}@example.com,Europe/London" for n in range(1, 101)]
WORDS = {"active": ["Active"], "leave": ["LOA"], "left": ["Terminated"], "prehire": ["Accepted"]}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hr_file, "SETTLE", 0)


def answers(path: Path, body: bytes | str, age: timedelta = timedelta(hours=1), **keys: Any) -> list[Answer]:
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    stamp = (NOW - age).timestamp()
    os.utime(path, (stamp, stamp))
    told = {"kind": "hr_file", "path": str(path), "statuses": WORDS, **keys}
    return list(read(Settings.model_validate(told), Context("hr", NOW)))


def text(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def row7(old: str, new: str) -> str:
    """The whole file with one row changed, which stands on line 9."""
    assert old in ROWS[7]
    return text(*ROWS[:7], ROWS[7].replace(old, new), *ROWS[8:])


def every(old: str, new: str) -> str:
    return text(*(row.replace(old, new) for row in ROWS))


WHOLE = text(*ROWS)
PATTERN = {"id_pattern": r"\d{6}"}

REFUSED: list[tuple[str, bytes | str, dict[str, Any], str]] = [
    ("no bytes", b"", {}, "is empty"),
    ("blank lines only", "\n \n\n", {}, "is empty"),
    ("separators only", ",,,\n,,,\n", {}, "is empty"),
    ("a header and no people", HEADER + "\n", {}, "has a header and no people"),
    ("a header without its line break", HEADER, {}, "has a header and no people"),
    ("a mark and nothing", b"\xef\xbb\xbf", {}, "is empty"),
    ("a web page of an error", "<html><body>503</body></html>\n", {}, "one single column"),
    ("semicolons where commas are declared", WHOLE.replace(",", ";"), {}, "one single column"),
    ("tabs where commas are declared", WHOLE.replace(",", "\t"), {}, "one single column"),
    ("commas where semicolons are declared", WHOLE, {"delimiter": ";"}, "one single column"),
    ("the header quoted as one cell", text(*ROWS, header=f'"{HEADER}"'), {}, "one single column"),
    ("a quote open in the header", text(*ROWS, header='"' + HEADER), {}, "line 1: the header cannot be read"),
    ("a doubled header", text(*ROWS, header=HEADER.replace("Department", "Status")), {}, "'Status' stands there twice"),
    ("a header doubled but for its case", text(*ROWS, header=HEADER.replace("Department", "STATUS")), {}, "both mean status"),
    ("two headers of one meaning", text(*ROWS, header=HEADER.replace("Department", "employee_id")), {}, "both mean employee_id"),
    ("no header for the status", text(*ROWS, header=HEADER.replace("Status", "State")), {}, "no header for status"),
    ("no header for the id", text(*ROWS, header=HEADER.replace("Employee ID", "Number")), {}, "no header for employee_id"),
    ("a configured header that is gone", WHOLE, {"columns": {"job_title": "Role"}}, "no header 'Role' for job_title"),
    ("a configured header misspelt", WHOLE, {"columns": {"status": "Staus"}}, "did you mean 'Status'?"),
    ("an extra column that is gone", WHOLE, {"extra": ["postcode"]}, "no header 'postcode' for extra"),
    ("the header is missing", text(*ROWS[1:], header=ROWS[0]), {}, "no header for employee_id"),
    ("utf-16 where utf-8 is declared", WHOLE.encode("utf-16"), {}, "mark of utf-16"),
    ("utf-16 without its mark", WHOLE.encode("utf-16-le"), {}, r"line 1, character 2: control character U\+0000"),
    ("a utf-8 mark where cp1252 is declared", b"\xef\xbb\xbf" + WHOLE.encode(), {"encoding": "cp1252"}, "mark of utf-8"),
    ("cp1252 where utf-8 is declared", row7("Doe8", "Zoë").encode("cp1252"), {}, "line 9, character 13: byte 0xeb is not utf-8"),
    ("latin-1 declared for cp1252", row7("Doe8", "O’Brien").encode("cp1252"), {"encoding": "latin-1"}, r"line 9, .*U\+0092"),
    ("a byte that cp1252 has not", row7("Doe8", "x").encode().replace(b",x,", b",\x81,"), {"encoding": "cp1252"}, "byte 0x81 is not cp1252"),
    ("utf-8 cut within a character", row7("Doe8", "Zoë").encode()[: text(*ROWS[:7]).encode().__len__() + 13], {}, "byte 0xc3 is not utf-8"),
    ("a NUL in a name", row7("Doe8", "D\0e"), {}, r"line 9, character 12: control character U\+0000"),
    ("a file of NULs", b"\0" * 4096, {}, r"U\+0000"),
    ("a form feed", row7("Doe8", "Do\x0ce"), {}, r"U\+000C"),
    ("a next-line character", row7("Doe8", "Do\x85e"), {}, r"U\+0085"),
    ("a file separator", row7("Doe8", "Do\x1ce"), {}, r"U\+001C"),
    ("an escape sequence", row7("Doe8", "\x1b[31mDoe"), {}, r"U\+001B"),
    ("cut within the last line", WHOLE[:-40], {}, "line 101: the last line has 7 of 9 columns: the file was cut off"),
    ("cut after the id of the last line", text(*ROWS[:9]) + "000010", {}, "the last line has 1 of 9 columns"),
    ("fewer people than min_people", WHOLE, {"min_people": 101}, "100 people, fewer than min_people = 101"),
    ("a column of dates in another form", every("2020-01-06", "06.01.2020"), {}, "'Start Date' is wrong in 100 of 100 rows"),
    ("two-digit years throughout", every("2020-01-06", "20-01-06"), {}, "'Start Date' is wrong in 100 of 100"),
    ("a new status in three of a hundred", text(*(r.replace("Active", "LOA-PAT") for r in ROWS[:3]), *ROWS[3:]), {}, "found 'LOA-PAT'"),
    ("ids that lost their zeros", text(*(r.lstrip("0") for r in ROWS)), PATTERN, "'Employee ID' is wrong in 100 of 100"),
    ("ids as a spreadsheet shows them", every("0000", "1.2E+0"), PATTERN, "'Employee ID' is wrong"),
    ("two columns swapped", text(*ROWS, header=HEADER.replace("Status", "S").replace("Given Name", "Status")), {}, "'Status' is wrong in 100"),
    ("every row one cell too long", text(*(r + ",x" for r in ROWS)), {}, "rows cannot be read in 100 of 100"),
    ("every person twice, contradicting", text(*ROWS, *(r.replace("Active", "Terminated") for r in ROWS)), {}, "'Employee ID' is wrong in 200 of 200"),
    ("a quote whose row nobody can tell", text('"' + ROWS[0], *ROWS[1:]), {}, "line 2: .* whose row it is cannot be told"),
    ("a row of shreds", text(*ROWS[:5], "x" * 3, *ROWS[5:]), PATTERN, "line 7 has 1 columns, .* cannot be told"),
    ("stale", WHOLE, {"max_age": "59m"}, "^stale: "),
    ("one bad row of ten says how to lift the limit", text(*ROWS[:9], ROWS[9].replace("Active", "?")), {}, "raise connectors.hr.max_quarantined_percent"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "told"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_with_the_place_and_a_sentence(tmp_path: Path, body: bytes | str, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        answers(tmp_path / "r.csv", body, **keys)


@pytest.mark.parametrize("make", ["missing", "folder", "workbook", "unreadable"])
def test_what_is_no_file_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / ("r.xlsx" if make == "workbook" else "r.csv")
    if make == "folder":
        path.mkdir()
    elif make == "unreadable":
        path.symlink_to(path)
    elif make == "workbook":
        path.write_bytes(b"PK")
    with pytest.raises(Incomplete, match=r"r\.(csv|xlsx): "):
        list(read(Settings.model_validate({"kind": "hr_file", "path": str(path)}), Context("hr", NOW)))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(_seconds: float) -> None:
        with (tmp_path / "r.csv").open("a") as file:
            file.write(ROWS[0] + "\n")

    monkeypatch.setattr(time, "sleep", meanwhile)
    with pytest.raises(Incomplete, match="is still being written"):
        answers(tmp_path / "r.csv", WHOLE)


# (what, body, keys, column in HR's words, what was found)
QUARANTINED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("an unknown status", row7("Active", "LOA-PAT"), {}, "Status", "LOA-PAT"),
    ("a blank status", row7("Active", ""), {}, "Status", ""),
    ("a status of blanks", row7("Active", "  "), {}, "Status", ""),
    ("a status with a stray letter", row7("Active", "Active1"), {}, "Status", "Active1"),
    ("a date in another form", row7("2020-01-06", "06.01.2020"), {}, "Start Date", "06.01.2020"),
    ("a date with an ambiguous form", row7("2020-01-06", "03/04/2025"), {}, "Start Date", "03/04/2025"),
    ("a date of two digits", row7("2020-01-06", "20-01-06"), {}, "Start Date", "20-01-06"),
    ("a day that is none", row7("2020-01-06", "2020-02-30"), {}, "Start Date", "2020-02-30"),
    ("a spreadsheet's day number", row7("2020-01-06", "43836"), {}, "Start Date", "43836"),
    ("a date with a time", row7("2020-01-06", "2020-01-06 00:00"), {}, "Start Date", "2020-01-06 00:00"),
    ("a date in full-width digits", row7("2020-01-06", "２０２０-01-06"), {}, "Start Date", "２０２０-01-06"),
    ("a year of the Romans", row7("2020-01-06", "0202-01-06"), {}, "Start Date", "0202-01-06"),
    ("a year of science fiction", row7("2020-01-06,", "2020-01-06,3026-01-01"), {}, "Last Day", "3026-01-01"),
    ("a word for a date", row7("2020-01-06", "#N/A"), {}, "Start Date", "#N/A"),
    ("the end before the start", row7("2020-01-06,", "2020-01-06,2019-12-31"), {}, "Last Day", "2019-12-31"),
    ("an unknown time zone", row7("Europe/London", "Europe/Londn"), {}, "Timezone", "Europe/Londn"),
    ("no id", row7("000008", ""), {}, "Employee ID", ""),
    ("an id that lost its zeros", row7("000008", "8"), PATTERN, "Employee ID", "8"),
    ("an id too long", row7("000008", "0000080"), PATTERN, "Employee ID", "0000080"),
    ("an id with a line's rest", row7("000008", "000008 000009"), PATTERN, "Employee ID", "000008 000009"),
    ("an id in full-width digits", row7("000008", "００００００８"), {}, "Employee ID", "００００００８"),
    ("an id in Arabic digits that a pattern of digits must not take", row7("000008", "٠٠٠٠٠٨"), PATTERN, "Employee ID", "٠٠٠٠٠٨"),
    ("an id with a blank in it", row7("000008", "000 008"), {}, "Employee ID", "000 008"),
    ("an id with an unseen character", row7("000008", "000\u200b008"), {}, "Employee ID", "000\u200b008"),
    ("an id as a spreadsheet rounds it", row7("000008", "8.0"), PATTERN, "Employee ID", "8.0"),
    ("a total at the end", text(*ROWS, "Total,,,,,,,,"), PATTERN, "Employee ID", "Total"),
    ("an unknown worker type", text(*(r + ",Regular" for r in ROWS[:99]), ROWS[99] + ",Robot", header=HEADER + ",Worker Type"),
     {"worker_types": {"employee": ["Regular"]}}, "Worker Type", "Robot"),
    ("one cell too many", row7("Finance", "Finance,x"), {}, "row", "10 columns"),
    ("one cell too few", row7(",Finance", ""), {}, "row", "8 columns"),
    ("a quote that never closes", row7("Doe8", '"Doe8'), {}, "row", "a quote opens in column 3 and does not close on its line"),
    ("a nickname in quotes at the front", row7("Jo,", '"Jo" Ann,'), {}, "row", "a stray quote"),
    ("a cell that swallowed a book", row7("Doe8", "x" * 10_001), {}, "row", "a cell is longer than 10000 characters"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "keys", "column", "found"), [case[1:] for case in QUARANTINED], ids=[case[0] for case in QUARANTINED]
)
def test_quarantined_with_row_and_column(tmp_path: Path, body: str, keys: dict[str, Any], column: str, found: str) -> None:
    made = answers(tmp_path / "r.csv", body, **keys)
    (defect,) = (answer for answer in made if isinstance(answer, Defect))
    assert (defect.column, defect.found, defect.rejected) == (column, found, False)
    assert defect.line in (9, 101, 102)
    assert defect.problem and (defect.allowed or column == "Status")
    assert len(people(made)["employee_id"]) == len(body.splitlines()) - 2 or "\u2028" in body
    reconciled(made)


SEVERAL = [
    ("a quote that closes ten lines later eats nobody", text(*ROWS[:10], ROWS[10].replace("Doe11", '"Doe11'), *ROWS[11:20], ROWS[20].replace("Doe21", 'Doe21"'), *ROWS[21:]), {}, 99, 1),
    ("an address of two lines", text(*ROWS[:10], ROWS[10].replace("Finance", '"High St'), '000099,London",x@example.com', *ROWS[11:]), {"max_quarantined_percent": 5}, 99, 2),
    ("00042 beside 42", text(*ROWS, ROWS[41].replace("000042", "42").replace("Doe42", "Roe")), {}, 99, 2),
    ("the same id twice, another person", text(*ROWS, ROWS[3].replace("Doe4", "Roe")), {}, 99, 2),
    ("the same id twice, another status of one position", text(*ROWS, ROWS[3].replace("Active", "Terminated")), {}, 99, 2),
    ("the same row twice, once with a bad date", text(*ROWS, ROWS[3].replace("2020-01-06", "x")), {}, 100, 1),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "taken", "lost"), [case[1:] for case in SEVERAL], ids=[case[0] for case in SEVERAL])
def test_rows_that_concern_each_other(tmp_path: Path, body: str, keys: dict[str, Any], taken: int, lost: int) -> None:
    made = answers(tmp_path / "r.csv", body, **{"max_quarantined_percent": 3.0, **keys})
    assert (len(people(made)["employee_id"]), sum(isinstance(answer, Defect) for answer in made)) == (taken, lost)
    reconciled(made)


# (what, body, keys, people): odd and right
TAKEN: list[tuple[str, bytes | str, dict[str, Any], int]] = [
    ("a utf-8 mark", b"\xef\xbb\xbf" + WHOLE.encode(), {}, 100),
    ("utf-16 as declared", WHOLE.encode("utf-16"), {"encoding": "utf-16"}, 100),
    ("cp1252 as declared", row7("Doe8", "O’Brien").encode("cp1252"), {"encoding": "cp1252"}, 100),
    ("semicolons as declared", WHOLE.replace(",", ";"), {"delimiter": ";"}, 100),
    ("line ends of Windows", WHOLE.replace("\n", "\r\n"), {}, 100),
    ("line ends of old", WHOLE.replace("\n", "\r"), {}, 100),
    ("blank lines between", WHOLE.replace("\n", "\n\n"), {}, 100),
    ("a line of separators at the end", WHOLE + ",,,,,,,,\n", {}, 100),
    ("a separator in quotes", row7("Doe8", '"Doe, Jr"'), {}, 100),
    ("quotes within quotes", row7("Doe8", '"Do""e"'), {}, 100),
    ("a quote within a name", row7("Doe8", "D'Arcy \"Bo\" Lee"), {}, 100),
    ("a line separator in a name", row7("Doe8", "Do\u2028e"), {}, 100),
    ("identical rows", text(*ROWS, ROWS[0], ROWS[0]), {}, 100),
    ("a second job", text(*ROWS, ROWS[0].replace("Finance", "Legal")), {}, 101),
    ("no end in three ways", text(*(r.replace("-06,", f"-06,{end}") for r, end in zip(ROWS[:3], ("9999-12-31", "0000-00-00", "31/12/9999"), strict=True))), {}, 3),
    ("no end, in the declared form", text(*(r.replace("2020-01-06,", "06/01/2020,31/12/9999") for r in ROWS)), {"date_format": "%d/%m/%Y"}, 100),
    ("blanks around every cell", WHOLE.replace(",", " , "), {"columns": {}}, 100),
    ("people called Null, NA, True and 1E5", text(*(r.replace(f"Doe{n}", w) for n, (r, w) in enumerate(zip(ROWS[:4], ("Null", "NA", "True", "1E5"), strict=True), 1))), {}, 4),
    ("hostile names", text(*(r.replace(f"Doe{n}", w) for n, (r, w) in enumerate(zip(ROWS[:4], ("=HYPERLINK(1)", "<script>", "\u202eeoD", "😀" * 60), strict=True), 1))), {}, 4),
    ("42 and 00042 where both are declared right", text(*ROWS[:3], ROWS[2].replace("000003", "3").replace("Doe3", "Roe")), {"id_pattern": r"\d+"}, 4),
    ("no line break at the end, the last cell as others", WHOLE.rstrip("\n"), {}, 100),
    ("columns nobody knows", text(*(r + ",1,2" for r in ROWS), header=HEADER + ",Shoe Size,Shoe Colour"), {}, 100),
]  # fmt: skip


@pytest.mark.parametrize(("body", "keys", "taken"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_is_odd_and_right_is_taken(tmp_path: Path, body: bytes | str, keys: dict[str, Any], taken: int) -> None:
    made = answers(tmp_path / "r.csv", body, **keys)
    assert (len(people(made)["employee_id"]), [a for a in made if isinstance(a, Defect)]) == (taken, [])
    assert set(people(made)["last_day"]) == {None}
    reconciled(made)


def test_the_last_cell_without_a_line_break_is_doubted(tmp_path: Path) -> None:
    made = answers(
        tmp_path / "r.csv", "id,status,Work Email\n".replace("id", "employee_id") + "1,Active,a@example.com\n2,Active,b@exam"
    )
    assert people(made)["employee_id"] == ["1"]
    (defect,) = (answer for answer in made if isinstance(answer, Defect))
    assert (defect.employee_id, defect.line, defect.column, defect.found) == ("2", 3, "Work Email", "b@exam")


def people(made: list[Answer]) -> dict[str, list[Any]]:
    page = next(answer for answer in made if isinstance(answer, Page))
    return {name: list(page.values(name)) for name in page.columns}


def reconciled(made: list[Answer]) -> None:
    """Rows in = accepted + quarantined + rejected."""
    page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
    assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
