"""OpenLDAP's own client lists the embedded directory, in pages, over verified TLS, and counts what is there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.tls import Authority
from tests.sandbox.ldap_estate import ADMIN, BASE, PASSWORD, STAFF, estate

pytestmark = [pytest.mark.live, pytest.mark.skipif(not shutil.which("ldapsearch"), reason="install ldap-utils")]

PEOPLE = 2300
Listed = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapServer]:
    authority = Authority()
    (tmp_path_factory.getbasetemp() / "ca.pem").write_text(authority.pem)
    with LdapServer(estate(PEOPLE), tls=authority.context()) as made:
        yield made


@pytest.fixture
def listed(server: LdapServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Listed:
    """Run ldapsearch; returns (exit code, lines)."""
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    environment = os.environ | {"LDAPTLS_CACERT": str(tmp_path_factory.getbasetemp() / "ca.pem"), "LDAPTLS_REQCERT": "demand"}

    def run(*words: str) -> tuple[int, list[str]]:
        command = ["ldapsearch", "-H", server.url, "-x", "-D", ADMIN, "-y", str(secret), "-LLL", "-o", "ldif-wrap=no", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout.splitlines()

    return run


def entries(lines: list[str]) -> int:
    return sum(line.startswith("dn:") for line in lines)


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("(&(objectClass=user)(cn=User *))", PEOPLE),
        ("(objectClass=group)", 25),
        ("(employeeID=000042)", 1),
        ("(mail=*)", PEOPLE + 2),
    ],
    ids=["everybody", "groups", "one", "with an address"],
)
def test_pages_hold_everybody(listed: Listed, expression: str, number: int) -> None:
    code, lines = listed("-b", BASE, "-E", "pr=500/noprompt", expression, "cn")
    assert (code, entries(lines)) == (0, number)


def test_without_pages_a_thousand_come(listed: Listed) -> None:
    code, lines = listed("-b", BASE, "(cn=User *)", "1.1")
    assert (code, entries(lines)) == (4, 1000)


def test_ranges_name_themselves(listed: Listed) -> None:
    code, lines = listed("-b", f"CN=Large,{STAFF}", "-s", "base", "(objectClass=*)", "member")
    assert code == 0
    assert sum(line.startswith("member;range=0-1499:") for line in lines) == 1500


def test_deleted_objects_are_shown_on_request(server: LdapServer, listed: Listed) -> None:
    server.directory.user(f"CN=Gone,{STAFF}", "gone")
    server.directory.delete(f"CN=Gone,{STAFF}")
    assert entries(listed("-b", BASE, "(sAMAccountName=gone)", "cn")[1]) == 0
    assert entries(listed("-b", BASE, "-E", "!1.2.840.113556.1.4.417", "(sAMAccountName=gone)", "cn")[1]) == 1
