"""What a real domain controller refuses the reader, and what it lets the writer change and change back."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ldap3
import pytest

from connectors._ad_writer import AdWriter
from connectors.active_directory import Settings, writer
from reconciler.connector import AccessRefused, Context, Incomplete
from reconciler.writer import Change, Changed, Refused
from tests.live.ad_estate import GROUPS, STAFF
from tests.live.directory import Directory
from tests.live.domain import ADMINISTRATOR, BASE, DomainController

# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


def test_a_wrong_password_is_refused_and_never_shown(company: Directory, secret: Callable[[str], str]) -> None:
    with pytest.raises(AccessRefused, match="user name or the password is wrong") as refused:
        company.answers(password=secret("Wr0ng-canary"))
    assert "canary" not in str(refused.value)


def test_a_locked_reader_is_told_so(company: Directory, secret: Callable[[str], str]) -> None:
    with pytest.raises(AccessRefused, match=r"locked out \(775\)"):
        company.answers(username="locked@live.example", password=secret("Wr0ng-canary"))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What ldap3 leaves of connections that failed goes while its warnings are not errors."""
    yield
    gc.collect()


def test_another_authority_is_not_trusted(company: Directory) -> None:
    with pytest.raises(Incomplete, match=r"certificate is not accepted: .*; set ca_file"):
        company.answers(ca_file="/etc/ssl/certs/ca-certificates.crt")


def test_a_base_that_is_not_there_is_no_empty_directory(company: Directory) -> None:
    with pytest.raises(Incomplete, match="noSuchObject"):
        company.answers(bases=[f"OU=Gone,{BASE}"])


def test_an_attribute_that_the_schema_lacks_is_named(company: Directory) -> None:
    with pytest.raises(Incomplete, match=r"no attribute 'employeeNumbr'; did you mean employeeNumber\?"):
        company.answers(employee_id="employeeNumbr")


def test_a_lost_right_answers_success_and_is_not_believed(company: Directory) -> None:
    """The reader may not see one unit any more: every page succeeds, both counts agree, but a member of a group is missed."""
    unit = f"OU=Legal,{STAFF}"
    company.allow(unit, "D;CI;RPLCLO;;")
    try:
        with pytest.raises(Incomplete, match=r"is in a group and below a base, but cannot be seen.*List Contents"):
            company.answers(bases=[STAFF, GROUPS])
    finally:
        company.revoke(unit, "D;CI;RPLCLO;;")


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


def _settings(dc: DomainController, own: dict[str, str]) -> Settings:
    reader = {"username": ADMINISTRATOR, "password": "env:NOT_SET"}
    return Settings.model_validate(
        {"kind": "active_directory", "urls": [dc.url], "bases": [BASE], "ca_file": str(dc.ca_file), "writer": own, **reader}
    )


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
    made = writer(_settings(dc, own), Context("ad", datetime(2026, 11, 22, tzinfo=UTC)))
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
