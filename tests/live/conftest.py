"""A real domain controller for the tests of this folder: Samba, in a folder of its own, on an address of this machine only."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest

ADDRESS = os.environ.get("RECONCILER_LIVE_ADDRESS", "127.0.55.7")  # two at once on one machine need two addresses
REALM, DOMAIN = "LIVE.EXAMPLE", "LIVE"
BASE = "DC=live,DC=example"
PASSWORD = "Adm1n-Live-Pass!"
CONF = """
[global]
    netbios name = DC1
    realm = {realm}
    workgroup = {domain}
    server role = active directory domain controller
    server services = ldap
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


@dataclass(frozen=True)
class DomainController:
    folder: Path
    url: str = f"ldaps://{ADDRESS}"
    administrator: str = f"CN=Administrator,CN=Users,{BASE}"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def admin(self) -> ldap3.Connection:
        """A bound administrator, for the tests to change things with."""
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=str(self.ca_file))
        server = ldap3.Server(self.url, get_info=ldap3.NONE, tls=tls, connect_timeout=5)
        return ldap3.Connection(server, self.administrator, PASSWORD, auto_bind=True, raise_exceptions=True, check_names=False)

    def tool(self, *words: str) -> str:
        done = subprocess.run(
            ["samba-tool", *words, "-s", f"{self.folder}/smb.conf", "-H", f"{self.folder}/private/sam.ldb"],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@pytest.fixture(scope="session")
def dc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    folder = tmp_path_factory.mktemp("dc")
    for name in ["private", "state", "cache", "lock", "run", "ncalrpc", "winbindd", "ntp", "dns"]:
        (folder / name).mkdir(mode=0o700 if name in ("private", "ntp") else 0o755)
    (folder / "smb.conf").write_text(CONF.format(realm=REALM, domain=DOMAIN, address=ADDRESS, folder=folder))
    _certificate(folder)
    _run("samba-tool", "domain", "provision", "-s", f"{folder}/smb.conf", f"--realm={REALM}", f"--domain={DOMAIN}", "--host-name=DC1", f"--host-ip={ADDRESS}", "--server-role=dc", "--dns-backend=NONE", f"--adminpass={PASSWORD}")  # fmt: skip
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(
            ["samba", "-s", f"{folder}/smb.conf", "-F", "-M", "single"],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        made = DomainController(folder)
        _wait(server, folder / "out")
        yield made
    finally:
        os.killpg(server.pid, 15)
        server.wait(20)


def _wait(server: subprocess.Popen[bytes], out: Path) -> None:
    for _ in range(150):
        try:
            socket.create_connection((ADDRESS, 636), 1).close()
        except OSError:
            assert server.poll() is None, out.read_text()
            time.sleep(0.2)
        else:
            return
    raise AssertionError(out.read_text())


def _certificate(folder: Path) -> None:
    """A throw-away authority and a certificate for the address."""
    (folder / "ext").write_text(
        f"subjectAltName=IP:{ADDRESS},DNS:dc1.live.example\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
    )
    ca = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    _run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=Live CA",
        *ca,
        "-keyout",
        f"{folder}/ca.key",
        "-out",
        f"{folder}/ca.pem",
    )
    _run(
        "openssl",
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=dc1.live.example",
        "-keyout",
        f"{folder}/key.pem",
        "-out",
        f"{folder}/req.pem",
    )
    _run(
        "openssl",
        "x509",
        "-req",
        "-in",
        f"{folder}/req.pem",
        "-CA",
        f"{folder}/ca.pem",
        "-CAkey",
        f"{folder}/ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        f"{folder}/ext",
        "-out",
        f"{folder}/cert.pem",
    )
    (folder / "key.pem").chmod(0o600)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    def reference(value: str) -> str:
        monkeypatch.setenv("LIVE_SECRET", value)
        return "env:LIVE_SECRET"

    return reference
