"""A real domain controller: Samba, in a folder of its own, on an address of this machine only."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3

REALM, DOMAIN = "LIVE.EXAMPLE", "LIVE"
BASE = "DC=live,DC=example"
PASSWORD = "Adm1n-Live-Pass!"
ADMINISTRATOR = f"CN=Administrator,CN=Users,{BASE}"
FOLDERS = ("private", "state", "cache", "lock", "run", "ncalrpc", "winbindd", "ntp", "dns")
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Samba's library
CONF = """
[global]
    netbios name = DC1
    realm = {realm}
    workgroup = {domain}
    server role = active directory domain controller
    server services = ldap, kdc
    interfaces = {address}/8
    bind interfaces only = yes
    disable netbios = yes
    private dir = {folder}/private
    state directory = {folder}/state
    cache directory = {folder}/cache
    lock directory = {folder}/lock
    pid directory = {folder}/run
    ncalrpc dir = {folder}/ncalrpc
    winbindd socket directory = {folder}/winbindd
    ntp signd socket directory = {folder}/ntp
    binddns dir = {folder}/dns
    posix:eadb = {folder}/private/eadb.tdb
    log file = {folder}/log
    dsdb:schema update allowed = yes
    ldb:nosync = true
    ldap server require strong auth = allow_sasl_over_tls
    tls enabled = yes
    tls keyfile = {folder}/key.pem
    tls certfile = {folder}/cert.pem
    tls cafile = {folder}/ca.pem
[sysvol]
    path = {folder}/state/sysvol
    read only = no
[netlogon]
    path = {folder}/state/sysvol/live.example/scripts
    read only = no
"""
KRB5 = """[libdefaults]
    default_realm = {realm}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {realm} = {{
        kdc = {address}:88
    }}
[domain_realm]
    .live.example = {realm}
    {address} = {realm}
"""


@dataclass(frozen=True)
class DomainController:
    folder: Path
    address: str

    @property
    def url(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def admin(self) -> ldap3.Connection:
        """A bound administrator, for the tests to change things with."""
        return self.bound(ADMINISTRATOR, PASSWORD)

    def bound(self, user: str, password: str, **how: Any) -> ldap3.Connection:
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=str(self.ca_file))
        server = ldap3.Server(self.url, get_info=ldap3.NONE, tls=tls, connect_timeout=5)
        return ldap3.Connection(
            server, user, password, **{"auto_bind": True, "raise_exceptions": True, "check_names": False, **how}
        )

    def refuses(self, user: str, password: str) -> str:
        """What the server says to a wrong password."""
        connection = self.bound(user, password, auto_bind=False, raise_exceptions=False)
        connection.open(read_server_info=False)
        connection.bind(read_server_info=False)
        told = connection.result
        connection.unbind()
        assert told["result"] == 49, told
        return str(told["message"])

    def tool(self, *words: str) -> str:
        return _run("samba-tool", *words, "-s", f"{self.folder}/smb.conf", "-H", f"{self.folder}/private/sam.ldb")

    def sid_of(self, login: str) -> str:
        return self.tool("user", "show", login, "--attributes=objectSid").partition("objectSid: ")[2].split()[0]

    def keytab(self, principal: str) -> Path:
        path = self.folder / f"{principal.replace('/', '-')}.keytab"
        _run("samba-tool", "domain", "exportkeytab", str(path), f"--principal={principal}", "-s", f"{self.folder}/smb.conf")
        return path

    def populate(self, lines: Iterable[Mapping[str, Any]], *how: str) -> None:
        """All of these changes in one transaction, straight into the database: some hundred objects a second."""
        script, told = Path(__file__).with_name("populate.py"), "".join(json.dumps(line) + "\n" for line in lines)
        command = [SYSTEM_PYTHON, script, f"{self.folder}/smb.conf", f"{self.folder}/private/sam.ldb", *how]
        done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]


@contextmanager
def domain_controller(folder: Path) -> Iterator[DomainController]:
    """Provisioned from nothing, serving LDAP, LDAPS and Kerberos until the end."""
    made = DomainController(folder, free_address())
    _provision(made)
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(
            ["samba", "-s", f"{folder}/smb.conf", "-F", "-M", "single"],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _wait(server, made)
        yield made
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def free_address() -> str:
    """An address of this machine where nobody serves LDAP: Samba's ports are fixed."""
    for last in range(7, 250):
        address = f"127.0.55.{last}"
        with socket.socket() as probe:
            if probe.connect_ex((address, 636)):
                return address
    raise AssertionError("every address is taken")


def _provision(made: DomainController) -> None:
    folder, words = made.folder, {"realm": REALM, "domain": DOMAIN, "address": made.address, "folder": made.folder}
    for name in FOLDERS:
        (folder / name).mkdir(mode=0o700 if name in ("private", "ntp") else 0o755)
    (folder / "smb.conf").write_text(CONF.format(**words))
    (folder / "krb5.conf").write_text(KRB5.format(**words))
    _certificate(folder, made.address)
    _run("samba-tool", "domain", "provision", "-s", f"{folder}/smb.conf", f"--realm={REALM}", f"--domain={DOMAIN}", "--host-name=DC1", f"--host-ip={made.address}", "--server-role=dc", "--dns-backend=NONE", f"--adminpass={PASSWORD}")  # fmt: skip
    # Names that tickets are made for: nobody else writes them where no DNS service runs.
    made.populate([{"do": "join", "dn": f"CN=DC1,OU=Domain Controllers,{BASE}", "set": {"servicePrincipalName": [f"ldap/{name}" for name in ("dc1.live.example", made.address, "127.0.0.1")]}}])  # fmt: skip


def _wait(server: subprocess.Popen[bytes], made: DomainController) -> None:
    out = made.folder / "out"
    for _ in range(150):
        try:
            socket.create_connection((made.address, 636), 1).close()
        except OSError:
            assert server.poll() is None, out.read_text()
            time.sleep(0.2)
        else:
            return
    raise AssertionError(out.read_text())


def _certificate(folder: Path, address: str) -> None:
    """A throw-away authority and a certificate for the address."""
    names = f"subjectAltName=IP:{address},DNS:dc1.live.example"
    (folder / "ext").write_text(f"{names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    new = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
    _run(*new, "-x509", "-days", "2", "-subj", "/CN=Live CA", *usage, "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
    _run(*new, "-subj", "/CN=dc1.live.example", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/req.pem")
    signing = ("-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "2")
    _run(
        "openssl", "x509", "-req", "-in", f"{folder}/req.pem", *signing, "-extfile", f"{folder}/ext", "-out", f"{folder}/cert.pem"
    )
    (folder / "key.pem").chmod(0o600)


def _run(*words: str) -> str:
    assert shutil.which(words[0]), f"{words[0]} is missing: run tests/live/install.sh"
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
