"""Rows that a reader collects come out as they went in, with what was learnt later in its place."""

from __future__ import annotations

import numpy as np
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


def test_rows_come_out_in_their_order_and_are_forgotten() -> None:
    made = accounts(MANY)
    chunks = list(made.chunks())
    assert [name for chunk in chunks for name in chunk["account_id"].to_pylist()] == [f"a{n}" for n in range(MANY)]
    assert chunks[0]["aliases"][0].as_py() == ["0@example.com"]
    assert len(made) == 0


def test_a_column_that_is_known_later() -> None:
    made = accounts(MANY)
    made.put("privileged", [number == MANY - 1 for number in range(MANY)])
    assert made["privileged"].to_pylist().index(True) == MANY - 1


def test_some_rows_may_be_kept_in_another_order() -> None:
    made = accounts(MANY)
    made.keep(np.array([MANY - 1, 0, 2]))
    assert [(row["account_id"], row["department"]) for row in made.rows([0, 2])] == [(f"a{MANY - 1}", "Sales"), ("a2", "Sales")]
    assert len(made) == 3


def test_a_value_that_does_not_fit_is_an_error_of_the_source() -> None:
    made = Columns(ACCOUNTS)
    made.take({"account_id": "a", "login": 3})
    with pytest.raises(Incomplete, match=r"accounts\.login: a value does not fit string"):
        made["login"]
