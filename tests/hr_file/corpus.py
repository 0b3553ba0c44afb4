"""The corpus: bad rosters that have been seen, each with what must become of it. Sixty people, and one thing wrong.

A case is refused (`told` is what the sentence must hold), or read with so many rows `taken` and `lost` to quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from tests.hr_file.workbooks import HEADER as COLUMNS
from tests.hr_file.workbooks import book, patched, person

HEADER = ",".join(COLUMNS)
ROWS = [f"{n:06d},Jo,Doe{n},Active,2020-01-06,,Finance,jo{n}@example.com,Europe/London" for n in range(1, 61)]
SHEET_ROWS = [person(n) for n in range(1, 13)]


@dataclass(frozen=True)
class Case:
    """One file and what must become of it."""

    name: str
    body: bytes
    told: str = ""
    taken: int = 0
    lost: int = 0
    keys: dict[str, Any] = field(default_factory=dict)
    file: str = "r.csv"


def csv(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def refused(name: str, body: str | bytes, told: str, **keys: Any) -> Case:
    return Case(name, body if isinstance(body, bytes) else body.encode(), told, keys=keys)


def read(name: str, body: str | bytes, taken: int = 60, lost: int = 0, **keys: Any) -> Case:
    return Case(name, body if isinstance(body, bytes) else body.encode(), taken=taken, lost=lost, keys=keys)


def changed(at: int, old: str, new: str) -> str:
    """The good file with one row changed."""
    assert old in ROWS[at]
    return csv(*ROWS[:at], ROWS[at].replace(old, new, 1), *ROWS[at + 1 :])


def every(old: str, new: str) -> str:
    return csv(*(row.replace(old, new, 1) for row in ROWS))


WHOLE = csv(*ROWS)


def cut_and_half_written() -> Iterator[Case]:
    """B01, B02: an export that failed, or is still going on."""
    for percent in (1, 10, 50, 90, 97):
        kept = ROWS[: max(1, len(ROWS) * percent // 100)]
        yield refused(f"{percent} % of the rows", csv(*kept), f"{len(kept)} people, fewer than min_people = 60", min_people=60)
    for cells in range(1, 9):
        yield refused(f"the last line has {cells} of 9 cells", csv(*ROWS[:59]) + ",".join(ROWS[59].split(",")[:cells]), "cut off")
    yield refused("cut in the header", HEADER[:40], "no header for status|has a header and no people|one single column")
    yield refused("the header alone", HEADER + "\n", "has a header and no people")
    yield refused("nothing", "", "is empty")
    yield refused("a mark alone", b"\xef\xbb\xbf", "is empty")
    yield refused("blanks alone", " \n\t\n", "is empty")
    yield refused("half a character at the end", csv(*ROWS[:59]).encode() + "000060,Zoë".encode()[:-1], "byte 0xc3 is not utf-8")
    yield read("no line break at the end, a time zone others have", WHOLE.rstrip("\n"))
    yield read("no line break at the end, a time zone nobody else has", WHOLE.rstrip("\n").removesuffix("London") + "Lon", 59, 1)


def quotes() -> Iterator[Case]:
    """B03: a quote that never closes eats the rows behind it in most readers; here it costs its own."""
    for at in range(0, 60, 6):
        yield read(f"an open quote in row {at + 2}", changed(at, f"Doe{at + 1},", f'"Doe{at + 1},'), 59, 1)
    for gap in (1, 5, 30):
        rows = [
            row.replace("Doe", '"Doe', 1) if n == 10 else row.replace(",Active", '",Active') if n == 10 + gap else row
            for n, row in enumerate(ROWS)
        ]
        yield read(f"a quote that closes {gap} rows later", csv(*rows), 59, 1)
    yield read("a quote within a name", changed(7, "Doe8", 'Doe "Bo" Lee'))
    yield read("doubled quotes within quotes", changed(7, "Doe8", '"Doe ""Bo"" Lee"'))
    yield read("a comma in quotes", changed(7, "Doe8", '"Doe, Jr"'))
    yield read("text behind a closing quote", changed(7, "Doe8", '"Doe"8'), 59, 1)
    yield refused("an open quote before the id", csv('"' + ROWS[0].split(",")[0], *ROWS[1:]), "whose row it is cannot be told")
    yield refused("an open quote in the header", WHOLE.replace("Status", '"Status', 1), "the header cannot be read")


def headers() -> Iterator[Case]:
    """B04, B27: doubled, renamed, missing and swapped headers."""
    for column in ("Status", "Employee ID", "Last Day", "Department"):
        yield refused(
            f"{column} stands twice",
            csv(*(row + ",x" for row in ROWS), header=f"{HEADER},{column}"),
            f"'{column}' stands there twice",
        )
    for old, new in (("Employee ID", "Number"), ("Status", "State")):
        yield refused(f"{old} is called {new}", WHOLE.replace(old, new, 1), "no header for")
    yield refused("no header at all", csv(*ROWS[1:], header=ROWS[0]), "no header for employee_id")
    yield refused("a line above the header", "Staff of Example Ltd\n" + WHOLE, "one single column")
    yield refused(
        "two lines that both mean status", csv(*(row + ",x" for row in ROWS), header=f"{HEADER},STATUS"), "both mean status"
    )
    yield refused(
        "dates swapped with names",
        csv(*ROWS, header=HEADER.replace("Given Name", "X").replace("Start Date", "Given Name").replace("X", "Start Date")),
        "'Start Date' is wrong in 60 of 60",
    )
    yield read("the header again at the bottom", csv(*ROWS, HEADER), 60, 1)
    yield read("the header in capitals", WHOLE.replace(HEADER, HEADER.upper(), 1))
    yield read("the header with underscores", WHOLE.replace(HEADER, HEADER.replace(" ", "_"), 1))
    yield read(
        "the columns in another order",
        csv(*(",".join(reversed(row.split(","))) for row in ROWS), header=",".join(reversed(COLUMNS))),
    )
    yield read("a row too long", changed(7, "Finance", "Finance,x"), 59, 1)
    yield read("a row too short", changed(7, ",Finance", ""), 59, 1)


def encodings() -> Iterator[Case]:
    """B05, B06: marks, and encodings that are not what is declared."""
    named = changed(7, "Doe8", "Zoë O’Brien")
    yield read("a mark of utf-8", b"\xef\xbb\xbf" + WHOLE.encode())
    for encoding in ("utf-16", "cp1252", "utf-8", "utf-16-le"):
        yield read(f"{encoding}, as declared", named.encode(encoding), encoding=encoding)
    yield refused("cp1252 for utf-8", named.encode("cp1252"), "byte 0xeb is not utf-8; is the file cp1252")
    yield refused("utf-8 for utf-16", named.encode(), "is not utf-16|U[+]|one single column|cannot", encoding="utf-16")
    yield refused("cp1252 for latin-1", named.encode("cp1252"), "U[+]0092", encoding="latin-1")
    yield refused("utf-16 for utf-8", named.encode("utf-16"), "mark of utf-16")
    yield refused("utf-16 without its mark for utf-8", WHOLE.encode("utf-16-le"), "U[+]0000")
    yield refused("utf-16 for cp1252", named.encode("utf-16"), "mark of utf-16", encoding="cp1252")
    for name, character in (
        ("NUL", "\0"),
        ("bell", "\a"),
        ("vertical tab", "\x0b"),
        ("form feed", "\x0c"),
        ("file separator", "\x1c"),
        ("next line", "\x85"),
        ("delete", "\x7f"),
    ):
        yield refused(f"a {name} in a name", changed(7, "Doe8", f"Do{character}e"), "control character U[+]")
    for name, character in (
        ("line separator", "\u2028"),
        ("paragraph separator", "\u2029"),
        ("no-break space", "\xa0"),
        ("a face", "😀"),
        ("a turn of direction", "\u202e"),
    ):
        yield read(f"a {name} in a name is one row", changed(7, "Doe8", f"Do{character}e"))


def dialects() -> Iterator[Case]:
    """B08: another computer's idea of a comma."""
    for name, mark in (("semicolons", ";"), ("tabs", "\t"), ("bars", "|")):
        yield refused(f"{name}, not declared", WHOLE.replace(",", mark), "one single column")
        yield read(f"{name}, declared", WHOLE.replace(",", mark), delimiter=mark)
    for name, end in (("Windows", "\r\n"), ("old", "\r")):
        yield read(f"line ends of {name}", csv(*ROWS, end=end))
    yield read("both kinds of line ends", WHOLE.replace("\n", "\r\n", 30))
    yield refused("a web page", "<html><body>503 Service Unavailable</body></html>", "one single column")
    yield refused("JSON", '[{"Employee ID": "000001"}]', "no header for|has a header and no people|one single column")


def ids() -> Iterator[Case]:
    """B09, B21, B30: numbers that lost their zeros, and rows of one number."""
    pattern = {"id_pattern": r"\d{6}"}
    for name, number in (("without zeros", "8"), ("in powers of ten", "8.0E+00"), ("with a fraction", "8.0"), ("too long", "0000008"), ("with a letter", "00000B"),
                         ("with a sign", "-00008"), ("of another script", "٠٠٠٠٠٨"), ("with an unseen space", "000\u200b008"), ("with a blank", "000 008"), ("blank", "")):  # fmt: skip
        yield read(f"an id {name}", changed(7, "000008", number), 59, 1, **pattern)
    yield refused(
        "all ids without zeros", csv(*(row.lstrip("0") for row in ROWS)), "'Employee ID' is wrong in 60 of 60", **pattern
    )
    yield read("00042 beside 42, two people", csv(*ROWS, ROWS[41].replace("000042", "42").replace("Doe42", "Roe")), 59, 2)
    yield read("a row twice", csv(*ROWS, ROWS[7]), 61)
    yield read("an id with two names", csv(*ROWS, ROWS[7].replace("Doe8", "Roe")), 59, 2)
    yield read("an id active and terminated", csv(*ROWS, ROWS[7].replace("Active", "Terminated")), 59, 2)
    yield read("terminated and active, in the other order", csv(ROWS[7].replace("Active", "Terminated"), *ROWS), 59, 2)
    yield read("a second job", csv(*ROWS, ROWS[7].replace("Finance", "Legal")), 61)
    yield read("a line of totals", csv(*ROWS, "Total,,,,,,60,,"), 60, 1, **pattern)
    yield read("a line that is nobody's", csv(*ROWS, ",,,,,,60,,"), 60, 1)
    for name in ("Null", "NA", "NaN", "None", "True", "1E5", "-", "=HYPERLINK(1)", "<script>", "O'Brien", "x" * 200):
        yield read(f"somebody called {name[:14]}", changed(7, "Doe8", name))


def dates() -> Iterator[Case]:
    """B16, B33: days in another form, days that are none, and days that mean never."""
    for text in ("06.01.2020", "03/04/2025", "20-01-06", "2020-02-30", "2020-13-01", "43836", "2020-01-06 00:00", "2020-01-06T00:00:00Z", "6 Jan 2020", "0202-01-06",
                 "3026-01-01", "#N/A", "#######", "today", "2020-1-6x", "２０２０-01-06"):  # fmt: skip
        yield read(f"a first day of {text}", changed(7, "2020-01-06", text), 59, 1)
    for text in ("9999-12-31", "0000-00-00", "00/00/0000", "31/12/9999", "12/31/9999"):
        yield read(f"a last day of {text}", changed(7, "2020-01-06,", f"2020-01-06,{text}"))
    yield read("the end before the start", changed(7, "2020-01-06,", "2020-01-06,2019-12-31"), 59, 1)
    yield refused("every day in another form", every("2020-01-06", "06/01/2020"), "'Start Date' is wrong in 60 of 60")
    yield read("every day in the declared form", every("2020-01-06", "06/01/2020"), date_format="%d/%m/%Y")
    yield read("a time zone that is none", changed(7, "Europe/London", "Europe/Londn"), 59, 1)


def statuses() -> Iterator[Case]:
    """B23: words that nobody has told us."""
    for word in ("LOA-PAT", "", "Active ?", "terminated early", "0", "A", "Aktiv"):
        yield read(f"a status of {word!r}", changed(7, "Active", word), 59, 1)
    yield refused(
        "a new status for a tenth",
        csv(*(row.replace("Active", "LOA-PAT") if n < 7 else row for n, row in enumerate(ROWS))),
        "found 'LOA-PAT'",
    )
    yield read("a status in other letters", changed(7, "Active", "ACTIVE"))


def workbook(name: str, body: bytes, told: str = "", taken: int = 12, lost: int = 0, **keys: Any) -> Case:
    return Case(name, body, told, taken, lost, keys, "r.xlsx")


def sheet(change: Any = None, at: str = "", value: Any = None, form: str = "") -> bytes:
    if change is None and at:

        def change(_made: Any, page: Any) -> None:
            page[at] = value
            page[at].number_format = form or page[at].number_format

    return book(SHEET_ROWS, change=change)


def workbooks() -> Iterator[Case]:
    """B10 to B13: what a spreadsheet does to a roster."""
    good = sheet()
    yield workbook("a workbook", good)
    for claim in ("A1:A1", "A1:D4", "A1:I3", "A1:ZZ9999"):
        yield workbook(f"a workbook that claims {claim}", patched(good, 'ref="A1:I13"', f'ref="{claim}"'))
    for name, at, value, form in (("a status by formula", "D9", "=A1", ""), ("a start by formula", "E9", "=TODAY()", ""), ("an id by formula", "A9", "=A8+1", ""),
                                  ("an error for a day", "E9", "#N/A", ""), ("an error for a status", "D9", "#REF!", ""), ("a number with a fraction for an id", "A9", 8.5, ""),
                                  ("an id of seventeen digits", "A9", 12345678901234567, ""), ("an id that is a day", "A9", date(2026, 3, 4), ""),
                                  ("an id that is true", "A9", True, ""), ("a department that is a day", "G9", date(2026, 3, 4), ""), ("a day with an hour", "E9", datetime(2020, 1, 6, 9), ""),
                                  ("a day as a number", "E9", 43836, "General"), ("a cell beyond the header", "K9", "x", ""), ("an id that lost its zeros", "A9", 8, "")):  # fmt: skip
        yield workbook(name, sheet(at=at, value=value, form=form), taken=11, lost=1)
    for name, at, value, form in (("an id shown with zeros", "A9", 8, "000000"), ("a status that is a number", "D9", 1, ""), ("a department that is a number", "G9", 4711, ""),
                                  ("a day as text", "E9", "2020-01-06", "")):  # fmt: skip
        yield workbook(name, sheet(at=at, value=value, form=form))
    yield workbook("a hidden row", sheet(lambda _, page: setattr(page.row_dimensions[9], "hidden", True)), taken=11, lost=1)
    yield workbook("merged departments", sheet(lambda _, page: page.merge_cells("G5:G6")), taken=10, lost=2)
    yield workbook("a second sheet", sheet(lambda made, _: made.create_sheet("Old").append(COLUMNS)), "2 sheets with content")
    yield workbook("the sheet is not there", good, "has no sheet 'Staff'", sheet="Staff")
    yield workbook("two rows of one number", patched(good, '<row r="9"', '<row r="8"'), "not in order")
    yield workbook("cut in the middle", good[: len(good) // 2], "is no whole workbook")
    yield workbook("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 64, "an old workbook")
    yield workbook("a page of text", b"Employee ID,Status\n", "is no whole workbook")


CASES = [
    case
    for group in (cut_and_half_written, quotes, headers, encodings, dialects, ids, dates, statuses, workbooks)
    for case in group()
]
