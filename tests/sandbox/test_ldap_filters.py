"""Every kind of filter, put to the server by ldap3, finds what Active Directory finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.sandbox.directory import Directory
from reconciler.sandbox.ldap_server import LdapServer
from tests.sandbox.ldap_estate import BASE, STAFF, client, code, estate, found


@pytest.fixture(scope="module")
def directory() -> Directory:
    return estate()


@pytest.fixture(scope="module")
def connection(directory: Directory) -> Iterator[Any]:
    with LdapServer(directory, allow_clear=True) as server, client(server) as made:
        yield made


BUILT_IN = {"Administrator", "Guest", "krbtgt"}
PEOPLE = {"Ann Boss", "Zoë Müller", "Smith, John", "Expired", "Locked", "Service", "Reader"} | BUILT_IN
CASES = [
    ("equality", "(sAMAccountName=ann)", {"Ann Boss"}),
    ("case does not count", "(samaccountname=ANN)", {"Ann Boss"}),
    ("outer blanks do not count", "(employeeID= 42 )", {"Zoë Müller"}),
    ("doubled blanks count once", "(description=first of  all)", {"Ann Boss"}),
    ("leading zeros do", "(employeeID=00042)", {"Ann Boss"}),
    ("letters of any case", "(employeeID=AB1)", {"Smith, John"}),
    ("names from any language", "(sn=MÜLLER)", {"Zoë Müller"}),
    ("and", "(&(objectClass=user)(employeeID=42))", {"Zoë Müller"}),
    ("or", "(|(sAMAccountName=ann)(sAMAccountName=zoe))", {"Ann Boss", "Zoë Müller"}),
    ("not", "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", PEOPLE - {"Smith, John", "Guest", "krbtgt"}),
    ("not, where the attribute is absent", "(&(objectCategory=person)(objectClass=user)(!(employeeID=*)))",
     {"Expired", "Locked", "Service", "Reader"} | BUILT_IN),
    ("an unknown attribute is undefined", "(employeeNumbr=1)", set()),
    ("not undefined is undefined", "(!(employeeNumbr=1))", set()),
    ("or with an undefined part", "(|(employeeNumbr=1)(sAMAccountName=ann))", {"Ann Boss"}),
    ("a person by category", "(&(objectCategory=person)(objectClass=user))", PEOPLE),
    ("category by name", f"(&(objectCategory=CN=Person,CN=Schema,CN=Configuration,{BASE})(objectClass=contact))", {"Partner"}),
    ("computers are users", "(&(objectClass=user)(sAMAccountName=PC1$))", {"PC1"}),
    ("present", "(servicePrincipalName=*)", {"Service", "krbtgt"}),
    ("begins", "(cn=ann*)", {"Ann Boss"}),
    ("ends", "(cn=*BOSS)", {"Ann Boss"}),
    ("in the middle", "(cn=*n b*)", {"Ann Boss"}),
    ("several pieces", "(cn=a*n*ss)", {"Ann Boss"}),
    ("pieces in the wrong order", "(cn=b*ann)", set()),
    ("a star as a letter", r"(department=R&D \28lab\29 \2a)", {"Zoë Müller"}),
    ("a star in a substring", r"(department=*\2a)", {"Zoë Müller"}),
    ("substring of a number is undefined", "(userAccountControl=5*)", set()),
    ("substring of a name is undefined", "(manager=CN=Ann*)", set()),
    ("at least", "(&(objectCategory=person)(userAccountControl>=66049))", {"Guest", "Locked"}),
    ("at most", "(&(objectCategory=person)(accountExpires<=132000000000000000)(accountExpires>=1))", {"Expired"}),
    ("a time at least", "(&(sAMAccountName=ann)(whenCreated>=20261122020500.0Z))", {"Ann Boss"}),
    ("a time too late", "(&(sAMAccountName=ann)(whenCreated>=20261122020501.0Z))", set()),
    ("approximately", "(sAMAccountName~=ann)", {"Ann Boss"}),
    ("a bit that is set", "(&(objectClass=user)(userAccountControl:1.2.840.113556.1.4.803:=65536)(cn=Exp*))", {"Expired"}),
    ("all bits at once", "(userAccountControl:1.2.840.113556.1.4.803:=1310720)", {"Locked"}),
    ("any of the bits", "(&(objectCategory=person)(userAccountControl:1.2.840.113556.1.4.804:=1310722)(!(isCriticalSystemObject=TRUE)))",
     {"Smith, John", "Locked"}),
    ("a rule nobody knows", "(userAccountControl:1.2.3:=2)", set()),
    ("by manager", f"(manager=CN=Ann Boss,{STAFF})", {"Zoë Müller", "Smith, John"}),
    ("a name spelled otherwise", f"(manager=cn=ann boss, ou=STAFF, {BASE.lower()})", {"Zoë Müller", "Smith, John"}),
    ("by membership", f"(memberOf=CN=Circle,{STAFF})", {"Outer", "Ann Boss"}),
    ("membership in nothing", f"(memberOf=CN=Gone,{STAFF})", set()),
    ("in chain, round a circle", f"(memberOf:1.2.840.113556.1.4.1941:=CN=Outer,{STAFF})", {"Outer", "Inner", "Circle", "Ann Boss"}),
    ("in chain, from the member", f"(member:1.2.840.113556.1.4.1941:=CN=Ann Boss,{STAFF})", {"Outer", "Inner", "Circle"}),
    ("by distinguished name", f"(distinguishedName=CN=Smith\\5c, John,{STAFF})", {"Smith, John"}),
    ("a flag", "(&(objectClass=user)(isCriticalSystemObject=true)(cn=krb*))", {"krbtgt"}),
    ("constructed attributes find nothing", "(msDS-User-Account-Control-Computed=16)", set()),
    ("but lockoutTime does", "(lockoutTime>=1)", {"Locked"}),
    ("ambiguous names", "(anr=ann bo)", {"Ann Boss"}),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_filter_finds(connection: Any, expression: str, expected: set[str]) -> None:
    answers = found(connection, expression, attributes=["cn"])
    assert code(connection) == 0
    assert {entry["cn"][0].decode() for entry in answers.values()} == expected


def test_identifiers_are_found_as_bytes_and_as_text(connection: Any, directory: Directory) -> None:
    ann = directory.entry(f"CN=Ann Boss,{STAFF}")
    raw = "".join(f"\\{byte:02x}" for byte in ann["objectGUID"][0])
    sid = "".join(f"\\{byte:02x}" for byte in ann["objectSid"][0])
    for expression in (f"(objectGUID={raw})", f"(objectSid={sid})", f"(objectSid={directory.domain_sid}-500)"):
        assert len(found(connection, expression)) == 1, expression


def test_the_log_spells_a_filter_as_it_was_meant(connection: Any, directory: Directory) -> None:
    spelled = r"(&(|(cn=a*b)(!(sn=\2ax)))(userAccountControl:1.2.840.113556.1.4.803:=2)(mail=*)(uSNChanged>=1))"
    with LdapServer(directory, allow_clear=True) as server, client(server) as own:
        found(own, spelled, attributes=["cn", "mail"])
        assert server.faults.requests[-1] == f"search {BASE} {spelled} cn,mail"
