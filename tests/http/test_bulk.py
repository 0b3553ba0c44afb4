"""What is read in bulk is kept as columns and numbers, and tells the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from connectors import _bulk_rows
from connectors._bulk_held import Entitlement, Held, Members
from connectors._bulk_rows import UNKNOWN, Accounts, Index, Part, hashes, part
from reconciler.connector import Incomplete


def users(**logins: str) -> Part:
    return part({"account_id": list(logins), "login": list(logins.values())})


def rows(accounts: Accounts, **late: Any) -> list[dict[str, Any]]:
    return [row for page in accounts.pages(late) for row in page.rows()]


def test_of_an_account_told_twice_the_place_is_the_first_and_the_words_are_the_last() -> None:
    accounts = Accounts([users(a="a1", b="b1"), users(c="c1", a="a2")])
    assert [(row["account_id"], row["login"]) for row in rows(accounts)] == [("a", "a2"), ("b", "b1"), ("c", "c1")]


def test_who_is_known_already_is_not_added() -> None:
    accounts = Accounts([users(a="a1", b="b1")])
    accounts.add(Accounts([users(b="gone", c="gone")]))
    assert [(row["account_id"], row["login"]) for row in rows(accounts)] == [("a", "a1"), ("b", "b1"), ("c", "gone")]


def test_two_ids_of_one_hash_are_never_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bulk_rows, "hashes", lambda texts: np.zeros(len(texts), np.int64))
    known = Accounts([users(a="a1")])
    assert known.rows(["a"]).tolist() == [0]
    for told in (
        lambda: Accounts([users(a="a1", b="b1")]),
        lambda: known.add(Accounts([users(b="gone")])),
        lambda: known.rows(["b"]),
    ):
        with pytest.raises(Incomplete, match="two ids have one hash"):
            told()


def test_what_is_learnt_later_stands_in_its_row_and_unknown_is_null() -> None:
    accounts = Accounts([users(a="a1", b="b1"), users(c="c1")])
    told = rows(
        accounts,
        manager_account_id=accounts.rows(["c", "nobody", "a"]),
        mfa=np.array([1, UNKNOWN, 0]),
        last_login_at=np.array([UNKNOWN, -1, 5]),
    )
    assert [(row["manager_account_id"], row["mfa"], row["last_login_at"]) for row in told] == [
        ("c", True, None),
        (None, None, -1),
        ("a", False, 5),
    ]


def test_nobody_at_all_is_an_answer() -> None:
    (page,) = Accounts([]).pages({})
    assert (page.table, len(page)) == ("accounts", 0)


def test_a_value_that_does_not_fit_is_no_answer() -> None:
    with pytest.raises(Incomplete, match=r"accounts\.login: a value of users does not fit string"):
        part({"account_id": ["a"], "login": [7]})


@pytest.mark.parametrize(("text", "number"), [("a", 3), ("b", 2), ("c", UNKNOWN)], ids=["the last one's", "its own", "unknown"])
def test_an_index_tells_the_number_of_a_text(text: str, number: int) -> None:
    index = Index(hashes(["a", "b", "a"]), np.array([1, 2, 3]))
    assert (index.find(hashes([text])).tolist(), len(index)) == ([number], 2)
    assert index.lacks(hashes([text])).tolist() == [number == UNKNOWN]
    assert Index().lacks(hashes([text])).tolist() == [True]


def test_a_circle_of_groups_ends_where_it_began() -> None:
    members = Members()
    members.put("top", np.array([2, 1, 1]), ["middle", "unread"])
    members.put("middle", np.array([3]), ["bottom"])
    members.put("bottom", np.array([1, 4]), ["top"])
    assert members.below("top") == {"middle", "bottom"}
    assert members.of(members.with_below("middle")).tolist() == [1, 2, 3, 4]
    assert members.with_below("unread") == set()


def test_grants_come_with_the_ids_behind_their_numbers() -> None:
    held = Held()
    for here in ("first", "second", "first"):
        held.offer(Entitlement(here, here.title(), "group"))
    held.grant(np.array([1, UNKNOWN]), "second", "nested")
    held.grant(np.array([0, 1]), "first", "direct")
    entitlements, grants = held.pages(Accounts([users(a="a1", b="b1")]).texts, "groups")
    assert [(row["entitlement_id"], row["name"]) for row in entitlements.rows()] == [("first", "First"), ("second", "Second")]
    assert [tuple(row.values()) for row in grants.rows()] == [
        ("b", "second", "nested"),
        ("a", "first", "direct"),
        ("b", "first", "direct"),
    ]
