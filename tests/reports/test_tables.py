"""csv and jsonl: one row a finding, every field of the contract, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from reconciler.model import Finding
from reports import csv_table, json_lines
from tests.reports import hostile, sample

GOLDEN = Path(__file__).parent / "golden"
CONTRACT = {"schema_version", "id", "policy", "severity", "state", "person", "account", "entitlement", "source", "summary", "evidence", "first_seen", "last_seen", "due", "waiver", "remedies"}  # fmt: skip


def rows(findings: list[Finding]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_table.sheet(findings).decode(), newline="")))


def test_csv_and_jsonl_say_what_they_said_before() -> None:
    assert csv_table.render(sample.small()) == (GOLDEN / "night.csv").read_bytes()
    assert json_lines.render(sample.small()) == (GOLDEN / "night.jsonl").read_bytes()


def test_as_many_rows_as_findings() -> None:
    night = sample.night()
    lines = [json.loads(line) for line in json_lines.render(night).decode().split("\n")[:-1]]
    assert [line["id"] for line in lines] == [row["id"] for row in rows(list(night.findings))] == [f.id for f in night.findings]
    assert all(set(line) == CONTRACT for line in lines)


CELLS = [
    ("a formula", "=1+1", "'=1+1"),
    ("plus", "+1", "'+1"),
    ("minus", "-1", "'-1"),
    ("at", "@SUM(1)", "'@SUM(1)"),
    ("after a blank", "  =1", "  '=1"),
    ("after a quote", "\"=1\"", "\"'=1\""),
    ("after an apostrophe", "'=1", "''=1"),
    ("in full width", "＝1", "'＝1"),
    ("after a semicolon", "a;=1", "a;'=1"),
    ("a tab", "\t=1", "'\\u{0009}=1"),
    ("a return", "\r=1", "'\\u{000D}=1"),
    ("a new line", "\n=1", "\\u{000A}'=1"),
    ("a word", "jo@example.com", "jo@example.com"),
    ("a day", "2026-11-08", "2026-11-08"),
    ("nothing", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cell"), [case[1:] for case in CELLS], ids=[case[0] for case in CELLS])
def test_no_cell_is_a_formula(text: str, cell: str) -> None:
    assert csv_table.safe(text) == cell


@pytest.mark.parametrize("name", hostile.NAMES.values(), ids=hostile.NAMES)
def test_hostile_names_stay_one_row_and_no_formula(name: str) -> None:
    found = [hostile.finding(number, name) for number in range(6)]
    told = rows(found)
    assert [row["id"] for row in told] == [finding.id for finding in found]
    assert not [
        cell
        for row in told
        for cell in row.values()
        if cell.lstrip(" \"'\n")[:1] in tuple("=+-@\t\r") and cell and "'" not in cell
    ]
    assert csv_table.sheet(found).count(b"\r\n") == 7


@pytest.mark.parametrize("name", hostile.NAMES.values(), ids=hostile.NAMES)
def test_json_keeps_the_name_as_it_is(name: str) -> None:
    line = json.loads(json_lines.render(hostile.night(name)).splitlines()[0])
    assert line["person"]["name"] == line["summary"] == name
