"""The directory reader against a real domain controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import ldap3
import pytest

from connectors.active_directory import Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Ended, Identity, Incomplete, Page
from tests.live.conftest import BASE, PASSWORD, DomainController

# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

PEOPLE = 1700
OU = f"OU=Staff,{BASE}"


@pytest.fixture(scope="module")
def estate(dc: DomainController) -> DomainController:
    """People in an OU: a group of 1,700, a group in a group, a circle, a hidden domain admin, an expired and a disabled account."""
    admin = dc.admin()
    admin.add(OU, "organizationalUnit")
    for number in range(PEOPLE):
        flags = {"userAccountControl": 514 if number == 1 else 544, "employeeID": f"{number:06d}"}
        admin.add(
            f"CN=User {number},{OU}", "user", {"sAMAccountName": f"user{number}", "mail": f"user{number}@example.com", **flags}
        )
    for name in ("Large", "Outer", "Inner", "Circle"):
        admin.add(f"CN={name},{OU}", "group", {"sAMAccountName": name})
    admin.modify(f"CN=Large,{OU}", {"member": [(ldap3.MODIFY_ADD, [f"CN=User {n},{OU}" for n in range(PEOPLE)])]})
    for group, member in (("Outer", "Inner"), ("Inner", "Circle"), ("Circle", "Outer"), ("Circle", "User 5")):
        admin.modify(f"CN={group},{OU}", {"member": [(ldap3.MODIFY_ADD, [f"CN={member},{OU}"])]})
    admin.modify(f"CN=Domain Admins,CN=Users,{BASE}", {"member": [(ldap3.MODIFY_ADD, [f"CN=User 7,{OU}"])]})
    admin.modify(f"CN=User 7,{OU}", {"primaryGroupID": [(ldap3.MODIFY_REPLACE, [512])]})
    admin.modify(
        f"CN=User 9,{OU}",
        {
            "accountExpires": [(ldap3.MODIFY_REPLACE, ["132000000000000000"])],
            "manager": [(ldap3.MODIFY_REPLACE, [f"CN=User 8,{OU}"])],
        },
    )
    admin.unbind()
    dc.tool("user", "create", "reader", "Read-Only-Pass1!")
    return dc


def settings(dc: DomainController, password: str, **keys: Any) -> Settings:
    made = {
        "kind": "active_directory",
        "urls": [dc.url],
        "bases": [BASE],
        "username": dc.administrator,
        "password": password,
        "ca_file": str(dc.ca_file),
    }
    return Settings.model_validate(made | keys)


def answers(made: Settings) -> list[Answer]:
    return list(read(made, Context("ad", datetime(2026, 11, 22, tzinfo=UTC))))


def rows(found: list[Answer], table: str) -> list[dict[str, Any]]:
    page = next(a for a in found if isinstance(a, Page) and a.table == table)
    return [dict(zip(page.columns, values, strict=True)) for values in zip(*page.columns.values(), strict=True)]


@pytest.fixture
def found(estate: DomainController, secret: Callable[[str], str]) -> list[Answer]:
    return answers(settings(estate, secret(PASSWORD)))


def test_reads_everybody_and_proves_it(found: list[Answer]) -> None:
    accounts = {row["login"]: row for row in rows(found, "accounts")}
    assert len([login for login in accounts if login.startswith("user")]) == PEOPLE
    assert (accounts["user3"]["employee_id"], accounts["user3"]["email"], accounts["user3"]["enabled"]) == (
        "000003",
        "user3@example.com",
        True,
    )
    assert (accounts["user1"]["enabled"], accounts["user1"]["state_reason"]) == (False, "disabled")
    assert (accounts["user9"]["enabled"], accounts["user9"]["state_reason"]) == (False, "expired")
    assert accounts["user9"]["manager_account_id"] == accounts["user8"]["account_id"]
    assert (accounts["Administrator"]["kind"], accounts["krbtgt"]["kind"], accounts["DC1$"]["kind"]) == (
        "builtin",
        "builtin",
        "computer",
    )
    assert all(ended.rows == ended.declared for ended in found if isinstance(ended, Ended) and ended.declared is not None)
    assert next(a for a in found if isinstance(a, Identity)).value.startswith("S-1-5-21-")


def test_memberships_are_direct_nested_and_primary(found: list[Answer]) -> None:
    accounts = {row["account_id"]: row["login"] for row in rows(found, "accounts")}
    groups = {row["entitlement_id"]: row["name"] for row in rows(found, "entitlements")}
    held = {(accounts[r["account_id"]], groups[r["entitlement_id"]], r["via"]) for r in rows(found, "grants")}
    assert Counter(group for _, group, via in held if via == "direct")["Large"] == PEOPLE
    assert {("user5", "Circle", "direct"), ("user5", "Inner", "nested"), ("user5", "Outer", "nested")} <= held
    assert ("user7", "Domain Admins", "primary") in held
    assert ("user3", "Domain Users", "primary") in held


def test_an_administrator_by_primary_group_is_privileged(found: list[Answer]) -> None:
    privileged = {row["login"] for row in rows(found, "accounts") if row["privileged"]}
    assert {"user7", "Administrator"} <= privileged
    assert "user3" not in privileged


def test_a_wrong_password_is_refused_and_never_shown(estate: DomainController, secret: Callable[[str], str]) -> None:
    with pytest.raises(AccessRefused, match="user name or the password is wrong") as refused:
        answers(settings(estate, secret("Wr0ng-canary")))
    assert "canary" not in str(refused.value)


def test_another_authority_is_not_trusted(estate: DomainController, secret: Callable[[str], str]) -> None:
    with pytest.raises(Incomplete, match=r"certificate is not accepted: .*; set ca_file"):
        answers(settings(estate, secret(PASSWORD), ca_file="/etc/ssl/certs/ca-certificates.crt"))


def test_a_base_that_is_not_there_is_no_empty_directory(estate: DomainController, secret: Callable[[str], str]) -> None:
    with pytest.raises(Incomplete, match="noSuchObject"):
        answers(settings(estate, secret(PASSWORD), bases=[f"OU=Gone,{BASE}"]))


def test_a_lost_read_right_answers_success_and_is_not_believed(estate: DomainController, secret: Callable[[str], str]) -> None:
    """The reader may not see one container any more: every page succeeds, both counts agree, but a member of a group is missed."""
    reader = settings(estate, secret("Read-Only-Pass1!"), username=f"reader@{'live.example'}")
    who = next(row["sid"] for row in rows(answers(reader), "accounts") if row["login"] == "reader")
    estate.tool("dsacl", "set", f"--objectdn={OU}", f"--sddl=(D;CI;LCRPLO;;;{who})")
    try:
        with pytest.raises(Incomplete, match=r"is in a group and below a base, but cannot be seen.*List Contents"):
            answers(reader)
    finally:
        estate.tool("dsacl", "set", f"--objectdn={OU}", f"--sddl=(A;CI;LCRPLO;;;{who})")
