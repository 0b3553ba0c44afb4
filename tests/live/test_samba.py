"""The directory's reader and writer against a real domain controller."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ldap3
import pytest

from connectors._ad_writer import AdWriter
from connectors.active_directory import Settings, read, writer
from reconciler.connector import AccessRefused, Answer, Context, Ended, Identity, Incomplete, Page
from reconciler.writer import Change, Changed, Refused
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


# --- writing --------------------------------------------------------------------------------------------------------

LEAVERS = f"OU=Leavers, Ltd,{BASE}".replace(", L", "\\, L")
PERSON = {
    "department": "R&D",
    "title": "Engineer",
    "employeeID": "900900",
    "displayName": "Jo “J” Doe",
    "userAccountControl": 66080,
}


@dataclass
class Subject:
    """Jo Doe, her group and her boss, on a domain controller, and a writer that is connected to it."""

    writer: AdWriter
    admin: ldap3.Connection
    ids: dict[str, str]

    def entry(self, name: str) -> dict[str, Any]:
        """An object as it is, found by its GUID, without the marks of time."""
        self.admin.search(f"<GUID={self.ids[name]}>", "(objectClass=*)", ldap3.BASE, attributes=["*"])
        found = self.admin.response[0]["raw_attributes"]
        unlike = ("whenChanged", "uSNChanged", "dSCorePropagationData")
        return {name: sorted(values) for name, values in found.items() if name not in unlike}

    def change(self, kind: str, before: Any, after: Any, target: str | None = None) -> Change:
        return Change(kind, self.ids["jo"], self.ids.get(target or "", target), before, after, "p-1/1")


@pytest.fixture(scope="module")
def subject(dc: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    admin, ids, password = dc.admin(), {}, tmp_path_factory.mktemp("writer") / "password"
    password.write_text("Remediates-Pass1!")
    password.chmod(0o600)
    dc.tool("user", "create", "remediator", "Remediates-Pass1!")
    dc.tool("group", "addmembers", "Domain Admins", "remediator")
    admin.add(LEAVERS, "organizationalUnit")
    admin.add(f"OU=Desk,{BASE}", "organizationalUnit")
    for name, more in (("jo", PERSON), ("boss", {}), ("successor", {})):
        admin.add(f"CN={name}\\, awkward,OU=Desk,{BASE}", "user", {"sAMAccountName": f"desk-{name}", **more})
    admin.add(f"CN=desk,OU=Desk,{BASE}", "group", {"sAMAccountName": "desk"})
    admin.modify(f"CN=desk,OU=Desk,{BASE}", {"member": [(ldap3.MODIFY_ADD, [f"CN=boss\\, awkward,OU=Desk,{BASE}"])]})
    for login in ("desk-jo", "desk-boss", "desk-successor", "desk"):
        admin.search(BASE, f"(sAMAccountName={login})", attributes=["objectGUID"])
        ids[login.removeprefix("desk-")] = str(uuid.UUID(bytes_le=admin.response[0]["raw_attributes"]["objectGUID"][0]))
    own = {"username": "remediator@live.example", "password": f"file:{password}"}
    made = writer(settings(dc, "env:NOT_SET", writer=own), Context("ad", datetime(2026, 11, 22, tzinfo=UTC)))
    yield Subject(made, admin, ids)
    made.close()
    admin.unbind()


def test_the_writer_knows_the_domain_and_itself(subject: Subject) -> None:
    subject.admin.search(BASE, "(sAMAccountName=remediator)", attributes=["objectGUID"])
    me = str(uuid.UUID(bytes_le=subject.admin.response[0]["raw_attributes"]["objectGUID"][0]))
    assert (subject.writer.own()[0], subject.writer.identity()[:9]) == (me, "S-1-5-21-")


WRITTEN: list[tuple[str, Any, Any, str | None]] = [
    ("enabled", True, False, None),
    ("attribute", "R&D", "Finance", "department"),
    ("attribute", "Engineer", "ENGINEER", "job_title"),
    ("attribute", None, "Jo", "given_name"),
    ("attribute", "Jo “J” Doe", None, "display_name"),
    ("container", f"OU=Desk,{BASE}", LEAVERS, None),
    ("entitlement", False, True, "desk"),
    ("attribute", None, "boss", "manager_account_id"),
]


@pytest.mark.parametrize("case", WRITTEN, ids=[f"{case[0]} {case[3] or ''}" for case in WRITTEN])
def test_the_writer_changes_and_changes_back(subject: Subject, case: tuple[str, Any, Any, str | None]) -> None:
    kind, before, after, target = case
    change = subject.change(kind, before, subject.ids["boss"] if after == "boss" else after, target)
    was = {name: subject.entry(name) for name in subject.ids}
    assert subject.writer.state(change) == before
    subject.writer.write(change)
    assert subject.writer.state(change) == change.after
    assert {name: subject.entry(name) for name in subject.ids} != was
    subject.writer.write(change.reverse())
    assert {name: subject.entry(name) for name in subject.ids} == was


def test_the_writer_hands_a_group_over(subject: Subject) -> None:
    jo, boss = subject.ids["jo"], subject.ids["successor"]
    subject.admin.modify(f"<GUID={subject.ids['desk']}>", {"managedBy": [(ldap3.MODIFY_REPLACE, [f"<GUID={jo}>"])]})
    change = subject.change("owner", jo, boss, "desk")
    subject.writer.write(change)
    assert subject.writer.state(change) == boss
    subject.writer.write(change.reverse())
    assert subject.writer.state(change) == jo


def test_the_writer_overwrites_nothing_that_another_changed(subject: Subject) -> None:
    """Between looking and writing somebody sets other flags: the server refuses the stale ones; only our bit is changed."""
    change, who = subject.change("enabled", True, False), f"<GUID={subject.ids['jo']}>"
    subject.writer.state(change)
    subject.admin.modify(who, {"userAccountControl": [(ldap3.MODIFY_REPLACE, [0x110220])]})
    subject.writer.write(change)
    assert subject.entry("jo")["userAccountControl"] == [b"%d" % 0x110222]
    subject.admin.modify(who, {"userAccountControl": [(ldap3.MODIFY_REPLACE, [PERSON["userAccountControl"]])]})
    stale = subject.change("attribute", "R&D", "Sales", "department")
    subject.writer.state(stale)
    subject.admin.modify(who, {"department": [(ldap3.MODIFY_REPLACE, ["Legal"])]})
    with pytest.raises(Changed) as found:
        subject.writer.write(stale)
    assert (found.value.found, subject.entry("jo")["department"]) == ("Legal", [b"Legal"])
    subject.admin.modify(who, {"department": [(ldap3.MODIFY_REPLACE, ["R&D"])]})


def test_the_writer_takes_no_primary_group_away(subject: Subject) -> None:
    subject.admin.search(BASE, "(sAMAccountName=Domain Users)", attributes=["objectGUID"])
    users = str(uuid.UUID(bytes_le=subject.admin.response[0]["raw_attributes"]["objectGUID"][0]))
    change = subject.change("entitlement", True, False, users)
    assert subject.writer.state(change) is True
    with pytest.raises(Refused, match="primary group"):
        subject.writer.write(change)


def test_the_writer_creates_deletes_and_restores(subject: Subject) -> None:
    new = {"email": "li.o'brien@live.example", "display_name": "O'Brien, Li #1+", "given_name": "Li", "family_name": "O'Brien",
           "employee_id": "900901", "manager_account_id": subject.ids["boss"], "container": LEAVERS}  # fmt: skip
    change = Change("create", None, None, None, new)
    assert subject.writer.state(change) is None
    subject.writer.write(change)
    made = subject.writer.state(change)
    subject.ids["new"] = made
    entry = subject.entry("new")
    assert (entry["userAccountControl"], entry["pwdLastSet"], entry["cn"]) == ([b"512"], [b"0"], [b"O'Brien, Li #1+"])
    with pytest.raises(Changed):
        subject.writer.write(change)
    gone = Change("delete", made, None, "live", "deleted")
    subject.writer.write(gone)
    assert subject.writer.state(gone) == "deleted"
    subject.writer.write(gone.reverse())
    assert (subject.writer.state(gone), subject.entry("new")["sAMAccountName"]) == ("live", [b"li.o'brien"])
