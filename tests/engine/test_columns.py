"""Rows that a reader collects come out as they went in, with what was learnt later in its place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.columns import ROWS, Columns
from reconciler.connector import Incomplete
from reconciler.tables import ACCOUNTS

MANY = ROWS + 7


def accounts(rows: int) -> Columns:
    made = Columns(ACCOUNTS)
    for number in range(rows):
        made.take({"account_id": f"a{number}", "department": "Sales", "aliases": [f"{number}@example.com"]})
    return made


def test_rows_and_pages_of_rows_come_out_in_their_order() -> None:
    made = accounts(MANY)
    made.add({"account_id": ["x", "y"], "login": ["xavier", None]})
    chunks = list(made.chunks())
    assert [name for chunk in chunks for name in chunk["account_id"].to_pylist()] == [f"a{n}" for n in range(MANY)] + ["x", "y"]
    assert chunks[-1]["login"].to_pylist()[-2:] == ["xavier", None]
    assert chunks[0]["aliases"][0].as_py() == ["0@example.com"]
    assert len(made) == 0


def test_a_column_and_single_cells_that_are_known_later() -> None:
    made, when = accounts(MANY), datetime(2026, 11, 22, tzinfo=UTC)
    made.put("privileged", [number == MANY - 1 for number in range(MANY)])
    made.change("last_login_at", {2: when, MANY - 1: when})
    made.change("department", {MANY - 2: None})
    assert made["privileged"].to_pylist().index(True) == MANY - 1
    assert [row for row, value in enumerate(made["last_login_at"].to_pylist()) if value == when] == [2, MANY - 1]
    assert made["department"].null_count == 1


def test_a_value_that_does_not_fit_is_an_error_of_the_source() -> None:
    made = Columns(ACCOUNTS)
    made.take({"account_id": "a", "login": 3})
    with pytest.raises(Incomplete, match=r"accounts\.login: a value does not fit string"):
        made["login"]
