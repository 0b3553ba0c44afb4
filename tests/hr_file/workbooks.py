"""Workbooks for tests: good ones as openpyxl writes them, and ones whose XML was changed on purpose."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl

from connectors import _workbook_child
from connectors._workbook import Limits
from reconciler.connector import Incomplete

HEADER = ["Employee ID", "Given Name", "Family Name", "Status", "Start Date", "Last Day", "Department", "Work Email", "Timezone"]
SHEET, TEXTS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OVERRIDE = (
    f'<Override PartName="/{TEXTS}" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)
Row = Sequence[Any]


def person(number: int) -> list[Any]:
    email = f"jo{number}@example.com"
    return [f"{number:06d}", "Jo", f"Doe{number}", "Active", date(2020, 1, 6), None, "Finance", email, "Europe/London"]


ROWS: list[list[Any]] = [person(n) for n in range(1, 13)]


def book(rows: Sequence[Row] = ROWS, header: Row = HEADER, change: Callable[[Any, Any], None] | None = None) -> bytes:
    """A workbook of one sheet; `change(workbook, sheet)` may do to it what a person would."""
    made = openpyxl.Workbook()
    sheet = made.active
    for row in [header, *rows]:
        sheet.append(list(row))
    if change:
        change(made, sheet)
    body = io.BytesIO()
    made.save(body)
    return _sharing(body.getvalue())


def _sharing(body: bytes) -> bytes:
    """The texts of every sheet in one table, as spreadsheets keep them; openpyxl writes them where they stand."""
    archive, made, texts = zipfile.ZipFile(io.BytesIO(body)), io.BytesIO(), dict[str, int]()
    parts = {name: archive.read(name).decode() for name in archive.namelist()}

    def place(found: re.Match[str]) -> str:
        return f't="s"><v>{texts.setdefault(found[1], len(texts))}</v>'

    for name in parts:
        if name.startswith("xl/worksheets/"):
            parts[name] = re.sub(r't="inlineStr"><is>(.*?)</is>', place, parts[name], flags=re.DOTALL)
    if TEXTS not in parts:
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace("</Types>", f"{_OVERRIDE}</Types>")
    parts[TEXTS] = f'<sst xmlns="{MAIN}">' + "".join(f"<si>{text}</si>" for text in texts) + "</sst>"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in parts.items():
            out.writestr(name, text)
    return made.getvalue()


def with_cell(at: str, value: Any, form: str | None = None) -> bytes:
    """The good workbook with one cell changed."""

    def change(_book: Any, sheet: Any) -> None:
        sheet[at] = value
        if form:
            sheet[at].number_format = form

    return book(change=change)


def patched(body: bytes, old: str, new: str, part: str = SHEET) -> bytes:
    """The workbook with a piece of one part's XML replaced."""
    archive, made = zipfile.ZipFile(io.BytesIO(body)), io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name in archive.namelist():
            text = archive.read(name)
            if name == part:
                assert old.encode() in text, (old, text[:300])
                text = text.replace(old.encode(), new.encode(), 1)
            out.writestr(name, text)
    return made.getvalue()


def added(body: bytes, name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The workbook with one more part."""
    made = io.BytesIO(body)
    with warnings.catch_warnings(), zipfile.ZipFile(made, "a", how) as archive:
        warnings.simplefilter("ignore")  # of a name that is there already
        archive.writestr(name, content)
    return made.getvalue()


def in_process(path: Path, body: bytes, sheet: str | None, limits: Limits) -> bytes:
    """What the child does, without the child: for many books, of which none is a bomb."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "\n".join(_workbook_child.printed(body, sheet, limits.unpacked)).encode()
        except Exception as problem:  # noqa: BLE001 - whatever ends the child
            raise Incomplete(f"{path}: is no workbook that can be read: {type(problem).__name__}: {problem}") from None
