"""Lists of records on stdout: a table for people; JSON, JSON lines or CSV for machines."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from reconciler.printing import console, print_json, visible

_FORMULA = re.compile(r"[=+\-@\t\r]")  # what a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)


def show(form: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows in the format asked for; `columns` are those of the table and of CSV, JSON has everything."""
    if form == "json":
        print_json(list(rows))
    elif form == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif form == "csv":
        sys.stdout.write(_sheet(rows, columns))
    else:
        _table(rows, columns)


def show_one(form: str, record: Mapping[str, Any]) -> None:
    """One record as JSON, indented or on one line."""
    if form == "jsonl":
        print(json.dumps(record, ensure_ascii=False))
    else:
        print_json(record)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name.replace("_", " "), no_wrap=number < len(columns) - 1)
    for row in rows:
        table.add_row(*(visible(_text(row.get(name))) for name in columns))
    console().print(table)


def _sheet(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    made = io.StringIO(newline="")
    writer = csv.writer(made, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [visible(_text(row.get(name))) for name in columns]
        writer.writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells])
    return made.getvalue()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int | float)
        else json.dumps(value, ensure_ascii=False)
    )
