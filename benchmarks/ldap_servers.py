"""LDAP servers to read from, each in a process of its own: the embedded directory, and OpenLDAP where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PASSWORD = "Reads-for-the-bench-1!"

EMBEDDED = (
    "objectGUID", "objectSid", "objectClass", "sAMAccountName", "cn", "userPrincipalName", "mail", "proxyAddresses", "employeeID",
    "givenName", "sn", "displayName", "department", "title", "company", "physicalDeliveryOfficeName", "l", "manager",
    "userAccountControl", "accountExpires", "lockoutTime", "whenCreated", "lastLogonTimestamp", "pwdLastSet", "primaryGroupID",
    "servicePrincipalName", "msExchRecipientTypeDetails", "mS-DS-ConsistencyGuid",
)  # fmt: skip
OPENLDAP = (
    "objectClass", "uid", "cn", "sn", "givenName", "displayName", "mail", "title", "ou", "employeeNumber", "employeeType",
    "departmentNumber", "telephoneNumber", "mobile", "l", "st", "street", "postalCode", "roomNumber", "description", "initials",
    "homePhone", "pager", "preferredLanguage", "carLicense", "o", "facsimileTelephoneNumber", "postOfficeBox",
)  # fmt: skip


def serve(users: int, groups: int = 0) -> None:
    """The embedded directory with so many users, eight groups each of so many, until standard input ends; prints where it listens."""
    from reconciler.sandbox.directory import Directory
    from reconciler.sandbox.ldap_server import LdapServer

    directory = Directory()
    staff = f"OU=Staff,{directory.base}"
    directory.ou(staff)
    boss = f"CN=Boss,{staff}"
    directory.user(boss, "boss", userPrincipalName="boss@corp.example.com")
    directory.password(boss, PASSWORD)
    for number in range(users - 4):  # with the boss, Administrator, Guest and krbtgt: as many as were asked for
        login = f"user{number:06d}"
        directory.user(
            f"CN=User {number:06d},{staff}", login, userPrincipalName=f"{login}@corp.example.com", mail=f"{login}@example.com",
            proxyAddresses=[f"SMTP:{login}@example.com", f"smtp:{login}@corp.example.com"], employeeID=f"{number:06d}",
            givenName="Jo", sn=f"Doe {number}", displayName=f"Jo Doe {number}", department=f"Department {number % 40}",
            title="Engineer", company="Example Ltd", physicalDeliveryOfficeName="London", l="London", manager=boss, lockoutTime=0,
            lastLogonTimestamp=133_000_000_000_000_000 + number, servicePrincipalName=f"http/{login}",
            msExchRecipientTypeDetails=1, **{"mS-DS-ConsistencyGuid": number.to_bytes(16)},
        )  # fmt: skip
    for number in range(groups):
        members = [f"CN=User {(number * 20 + k * 31) % (users - 4):06d},{staff}" for k in range(8 * users // groups)]
        directory.group(f"CN=Group {number:06d},{staff}", f"group{number:06d}", member=list(dict.fromkeys(members)))
    with LdapServer(directory, allow_clear=True) as server:
        print(server.url, flush=True)
        sys.stdin.read()


@contextmanager
def embedded(users: int, groups: int = 0) -> Iterator[dict[str, Any]]:
    """What a client has to know of the embedded directory, while it runs."""
    command = [sys.executable, "-m", "benchmarks.ldap_servers", str(users), str(groups)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        url = process.stdout.readline().strip() if process.stdout else ""
        yield {
            "url": url, "user": "boss@corp.example.com", "password": PASSWORD, "base": "OU=Staff,DC=corp,DC=example,DC=com",
            "attributes": EMBEDDED,
        }  # fmt: skip
        if process.stdin:
            process.stdin.close()


_CONFIGURATION = """include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit unlimited
database mdb
maxsize 2147483648
suffix "dc=example"
rootdn "cn=boss,dc=example"
rootpw {password}
directory {folder}/data
"""


def slapd() -> str | None:
    """Where OpenLDAP's server is; it is not on an ordinary user's path."""
    return shutil.which("slapd", path="/usr/sbin:/usr/lib/openldap:/usr/libexec:/usr/local/libexec")


@contextmanager
def openldap(users: int) -> Iterator[dict[str, Any]]:
    """The same of OpenLDAP, filled with as many people of 28 attributes."""
    program = slapd() or "slapd"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "slapd.conf").write_text(_CONFIGURATION.format(folder=folder, password=PASSWORD))
        (folder / "people.ldif").write_text("\n".join(_people(users)))
        loading = [str(Path(program).with_name("slapadd")), "-q", "-f", f"{folder}/slapd.conf", "-l", f"{folder}/people.ldif"]
        subprocess.run(loading, check=True, capture_output=True)  # noqa: S603 - our own words
        url = "ldap://127.0.0.1:38900"
        command = [program, "-d", "0", "-h", url, "-f", f"{folder}/slapd.conf"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own words
            _wait()
            yield {"url": url, "user": "cn=boss,dc=example", "password": PASSWORD, "base": "dc=example", "attributes": OPENLDAP}
            process.terminate()


def _wait() -> None:
    import socket

    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", 38900)) == 0:
                return
        time.sleep(0.1)


def _people(users: int) -> Iterator[str]:
    yield "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example Ltd\n"
    for number in range(users):
        given = {name: f"{name} {number % 100}" for name in OPENLDAP if name not in ("objectClass", "uid", "cn", "sn", "mail")}
        given |= {"telephoneNumber": f"+44 20 {number}", "mobile": f"+44 7700 {number}", "homePhone": f"+44 1 {number}", "pager": "1",
                  "facsimileTelephoneNumber": "+44 20 1", "preferredLanguage": "en"}  # fmt: skip
        classes = "".join(f"objectClass: {name}\n" for name in ("top", "person", "organizationalPerson", "inetOrgPerson"))
        login = f"user{number:06d}"
        yield (
            f"dn: uid={login},dc=example\n{classes}uid: {login}\ncn: User {number}\nsn: Doe\nmail: {login}@example.com\n"
            + "".join(f"{name}: {value}\n" for name, value in given.items())
        )


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
