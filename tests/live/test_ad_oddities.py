"""Every oddity of a real directory of five thousand people is read for what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.connector import Answer, Ended, Identity
from tests.live.ad_estate import DEPARTED, ODD, PEOPLE, SIZES, dn_of, id_of, login_of, odd_accounts
from tests.live.directory import DELETED, Directory, rows

pytestmark = pytest.mark.live

NAMES = [odd.login for odd in odd_accounts(datetime.now(UTC))]
Rows = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def accounts(found: list[Answer]) -> Rows:
    return {row["login"]: row for row in rows(found, "accounts") if row["state_reason"] != "deleted"}


@pytest.fixture(scope="module")
def held(found: list[Answer]) -> set[tuple[str, str, str]]:
    """(login, group, how) of every membership."""
    logins = {row["account_id"]: row["login"] for row in rows(found, "accounts")}
    names = {row["entitlement_id"]: row["name"] for row in rows(found, "entitlements")}
    return {(logins[row["account_id"]], names[row["entitlement_id"]], row["via"]) for row in rows(found, "grants")}


@pytest.mark.parametrize("login", NAMES)
def test_an_oddity_is_read_for_what_it_is(company: Directory, accounts: Rows, login: str) -> None:
    odd = next(odd for odd in company.odd if odd.login == login)
    assert {name: accounts[login][name] for name in odd.told} == odd.told, odd.why


def test_everybody_is_read_and_counted(found: list[Answer], accounts: Rows) -> None:
    there = [number for number in range(PEOPLE) if number not in DEPARTED]
    assert {login_of(number): accounts[login_of(number)]["employee_id"] for number in there} == {
        login_of(n): id_of(n) for n in there
    }
    ends = [answer for answer in found if isinstance(answer, Ended)]
    assert all(end.rows == end.declared for end in ends if end.declared is not None)
    assert sum(end.rows for end in ends if end.scope.startswith("users")) == len(accounts)
    assert [answer.value[:9] for answer in found if isinstance(answer, Identity)] == ["S-1-5-21-"]


def test_built_in_accounts_are_told_apart(accounts: Rows) -> None:
    kinds = {"Administrator": "builtin", "krbtgt": "builtin", "Guest": "builtin", "DC1$": "computer", "reader": "person"}
    assert {login: accounts[login]["kind"] for login in kinds} == kinds


def test_the_deleted_are_where_they_were(found: list[Answer]) -> None:
    deleted = {row["login"]: row for row in rows(found, "accounts") if row["state_reason"] == "deleted"}
    assert {login: row["container"] for login, row in deleted.items()} == {
        login_of(n): dn_of(n).partition(",")[2] for n in DEPARTED
    }
    assert {row["enabled"] for row in deleted.values()} == {False}


def test_groups_of_any_size_have_all_their_members(held: set[tuple[str, str, str]]) -> None:
    direct = Counter(group for _, group, via in held if via == "direct")
    assert {size: direct[f"size-{size}"] for size in SIZES} == {size: size for size in SIZES}
    assert direct["empty"] == 0


def test_every_name_is_found_as_a_member(company: Directory, held: set[tuple[str, str, str]]) -> None:
    assert {login for login, group, _ in held if group == "everything-odd"} == {odd.login for odd in company.odd}


def test_groups_in_groups_and_in_circles(held: set[tuple[str, str, str]]) -> None:
    deep = {(group, via) for login, group, via in held if login == login_of(1) and group.startswith("deep")}
    assert deep == {("deep-0", "direct")} | {(f"deep-{depth}", "nested") for depth in range(1, 8)}
    circle = {(group, via) for login, group, via in held if login == login_of(2) and group.startswith("circle")}
    assert circle == {("circle-c", "direct"), ("circle-a", "nested"), ("circle-b", "nested")}


def test_primary_groups_are_memberships(held: set[tuple[str, str, str]]) -> None:
    assert (login_of(3), "Domain Users", "primary") in held
    assert {via for login, group, via in held if login == "hidden-admin" and group == "Domain Admins"} == {"primary"}
    assert ("nested-admin", "Domain Admins", "nested") in held


def test_a_foreign_member_is_counted_and_nobody(found: list[Answer], held: set[tuple[str, str, str]]) -> None:
    assert {login for login, group, _ in held if group == "strangers"} == {"friend", "pc1$", login_of(3)}
    assert next(answer for answer in found if isinstance(answer, Ended) and answer.scope == "memberships").rows > sum(SIZES)


def test_owners_and_managers_are_found_by_any_name(found: list[Answer], accounts: Rows) -> None:
    assert accounts["led"]["manager_account_id"] == accounts["comma"]["account_id"]
    groups = {row["name"]: row for row in rows(found, "entitlements")}
    assert groups["Sales Ltd"]["owner_account_id"] == accounts[login_of(5)]["account_id"]


def test_who_is_an_administrator(accounts: Rows) -> None:
    assert {login for login, row in accounts.items() if row["privileged"]} == {
        "hidden-admin",
        "nested-admin",
        "Administrator",
        "DC1$",
    }


def test_a_reader_without_the_right_to_the_deleted_reads_the_rest(company: Directory, accounts: Rows) -> None:
    company.revoke(DELETED, "A;;RPLC;;")
    try:
        less = rows(company.answers(bases=[ODD]), "accounts")
    finally:
        company.allow(DELETED, "A;;RPLC;;")
    assert {row["login"] for row in less} >= {odd.login for odd in company.odd} - {"idle"}, "a night may have moved that one"
    assert not [row for row in less if row["state_reason"] == "deleted"]
