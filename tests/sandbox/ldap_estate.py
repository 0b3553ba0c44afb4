"""A small directory that every test of the LDAP server reads, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import ldap3

from reconciler.sandbox.directory import Directory
from reconciler.sandbox.ldap_server import LdapServer

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
BASE = "DC=corp,DC=example,DC=com"
STAFF = f"OU=Staff,{BASE}"
ADMIN, PASSWORD = f"CN=Administrator,CN=Users,{BASE}", "Runs-the-domain-1!"
READER, READ = "reader@corp.example.com", "Only-reads-2!"
PAST = 132_000_000_000_000_000  # ticks, in April 2019


def estate(people: int = 0, **settings: Any) -> Directory:
    """Nine people worth naming, nested groups with a circle, and as many others as are wanted."""
    made = Directory(now=lambda: NOW, **settings)
    made.ou(STAFF)
    made.ou(f"OU=Leavers,{BASE}")
    boss = f"CN=Ann Boss,{STAFF}"
    made.user(boss, "ann", userPrincipalName="ann@corp.example.com", mail="Ann@example.com", employeeID="00042", title="Boss",
              givenName="Ann", sn="Boss", displayName="Ann Boss", description="first   of all")  # fmt: skip
    made.user(
        f"CN=Zoë Müller,{STAFF}", "zoe", givenName="Zoë", sn="Müller", employeeID="42", manager=boss, department="R&D (lab) *"
    )
    made.user(f"CN=Smith\\, John,{STAFF}", "john", employeeID="ab1", sn="Smith", manager=boss, userAccountControl=514)
    made.user(f"CN=Expired,{STAFF}", "expired", accountExpires=PAST, userAccountControl=66048)
    made.user(f"CN=Locked,{STAFF}", "locked", lockoutTime=NOW, userAccountControl=0x140200)
    made.user(f"CN=Service,{STAFF}", "svc", servicePrincipalName=["http/web", "http/web.example.com"])
    made.computer(f"CN=PC1,CN=Computers,{BASE}", "PC1$")
    made.contact(f"CN=Partner,{STAFF}", mail="partner@example.net")
    made.user(f"CN=Reader,{STAFF}", "reader", userPrincipalName=READER)
    for number in range(people):
        made.user(f"CN=User {number},{STAFF}", f"user{number}", employeeID=f"{number:06d}", mail=f"user{number}@example.com")
    for name in ("Outer", "Inner", "Circle", "Large"):
        made.group(f"CN={name},{STAFF}", name)
    made.join(f"CN=Outer,{STAFF}", f"CN=Inner,{STAFF}")
    made.join(f"CN=Inner,{STAFF}", f"CN=Circle,{STAFF}")
    made.join(f"CN=Circle,{STAFF}", f"CN=Outer,{STAFF}", boss)
    made.join(f"CN=Large,{STAFF}", *(f"CN=User {number},{STAFF}" for number in range(people)))
    made.password(ADMIN, PASSWORD)
    made.password(f"CN=Reader,{STAFF}", READ)
    made.read_only(READER)
    return made


@contextmanager
def client(server: LdapServer, user: str = ADMIN, password: str = PASSWORD, **settings: Any) -> Iterator[Any]:
    """A bound ldap3 connection that reads no schema and checks nothing, so that every answer is the server's own."""
    settings = {"get_info": ldap3.NONE} | settings
    connection = ldap3.Connection(
        ldap3.Server(server.url, connect_timeout=5, **settings), user, password, check_names=False, auto_referrals=False,
        auto_range=False, return_empty_attributes=False, receive_timeout=20,
    )  # fmt: skip
    connection.bind()
    try:
        yield connection
    finally:
        connection.unbind()


def found(
    connection: Any, expression: str = "(objectClass=*)", base: str = BASE, **keys: Any
) -> dict[str, dict[str, list[bytes]]]:
    """DN -> attributes of one search."""
    connection.search(base, expression, **({"attributes": ["1.1"]} | keys))
    answers = connection.response or ()
    entries = ((each["dn"], each["raw_attributes"]) for each in answers if each["type"] == "searchResEntry")
    return {dn: {name: list(values or ()) for name, values in attributes.items()} for dn, attributes in entries}


def code(connection: Any) -> int:
    return int(connection.result["result"])
