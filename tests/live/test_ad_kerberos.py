"""Sign-in by Kerberos against a real domain controller: over TLS with the channel bound, and sealing port 389 by itself."""

from __future__ import annotations

import gc
import importlib
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from connectors._ldap_bind import Login, close, connect
from reconciler.connector import AccessRefused, Answer, Incomplete
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.tls import Authority
from tests.live.ad_estate import ODD
from tests.live.directory import Directory, rows
from tests.live.domain import REALM, DomainController

# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.fixture(scope="module")
def gssapi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The optional package, from an environment of its own where ours has it not."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec("gssapi") is None:
            folder = tmp_path_factory.mktemp("gssapi")
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            subprocess.run([folder / "venv/bin/pip", "install", "-q", "gssapi"], check=True, capture_output=True)
            patch.syspath_prepend(next((folder / "venv/lib").glob("python*/site-packages")))
        yield importlib.import_module("gssapi")


@pytest.fixture
def ticket(gssapi: Any, company: Directory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DomainController:
    """An environment in which the reader's key table gets a ticket."""
    for name, value in {
        "KRB5_CONFIG": company.dc.folder / "krb5.conf",
        "KRB5_CLIENT_KTNAME": company.dc.keytab("reader"),
        "KRB5CCNAME": f"FILE:{tmp_path}/tickets",
    }.items():
        monkeypatch.setenv(name, str(value))
    return company.dc


def told(found: list[Answer]) -> list[list[str]]:
    return sorted(sorted(f"{name}={value}" for name, value in row.items()) for row in rows(found, "accounts"))


BY_TICKET = {"bases": [ODD], "bind": "kerberos", "username": "", "password": None}


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_ticket_reads_what_a_password_reads(company: Directory, ticket: DomainController, scheme: str) -> None:
    found = company.answers(**BY_TICKET, urls=[f"{scheme}://{ticket.address}"])
    assert told(found) == told(company.answers(bases=[ODD]))


def test_a_password_gets_a_ticket_of_its_own(
    company: Directory, ticket: DomainController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", "FILE:/nowhere")
    found = company.answers(bases=[ODD], bind="kerberos", username=f"reader@{REALM}")
    assert len(rows(found, "accounts")) >= len(company.odd)


def test_without_a_ticket_nothing_is_read(company: Directory, ticket: DomainController, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", "FILE:/nowhere")
    with pytest.raises(AccessRefused, match=r"no Kerberos ticket that the server takes.*kinit"):
        company.answers(**BY_TICKET)


# --- sealing ------------------------------------------------------------------------------------------------------


@dataclass
class Wire:
    """A line to the server's port 389 that keeps what passes, and may flip a bit of what the server sends."""

    address: str
    spoils: bool = False
    passed: bytearray = field(default_factory=bytearray)
    _server: Any = None

    def __enter__(self) -> Wire:
        wire = self

        class Line(BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((wire.address, 389)) as there:
                    threading.Thread(target=wire.pour, args=(self.request, there, False), daemon=True).start()
                    wire.pour(there, self.request, wire.spoils)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Line)
        self._server.daemon_threads, self._server.block_on_close = True, False
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self._server.server_address[1]}"

    def pour(self, one: socket.socket, other: socket.socket, spoils: bool) -> None:
        sent = 0
        with suppress(OSError):
            while data := bytearray(one.recv(65536)):
                self.passed += data
                sent += len(data)
                if spoils and sent > 20_000:
                    data[-1] ^= 1
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


def test_nothing_can_be_read_on_the_way(company: Directory, ticket: DomainController) -> None:
    with Wire(ticket.address) as wire:
        assert rows(company.answers(**BY_TICKET, urls=[wire.url]), "accounts")
    assert len(wire.passed) > 50_000
    assert b"example" not in wire.passed[6000:]
    assert b"employeeID" not in wire.passed


def test_what_is_changed_on_the_way_is_refused(company: Directory, ticket: DomainController) -> None:
    with Wire(ticket.address, spoils=True) as wire, pytest.raises(Incomplete, match="sealed piece that the server did not make"):
        company.answers(**BY_TICKET, urls=[wire.url])


# --- the bound channel --------------------------------------------------------------------------------------------


class Demanding(ThreadingTCPServer):
    """A server that takes a ticket only together with the certificate of its own, as hardened domain controllers do."""

    daemon_threads, block_on_close = True, False

    def __init__(self, gssapi: Any, tls: ssl.SSLContext, keytab: Path, bound_to: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Demand)
        self.gssapi, self.tls, self.bound_to = gssapi, tls, bound_to
        self.keys = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{keytab}"})

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away."""


class _Demand(BaseRequestHandler):
    server: Demanding

    def handle(self) -> None:
        with self.server.tls.wrap_socket(self.request, server_side=True) as sock:
            self._judge(self.server.gssapi, sock)

    def _judge(self, gssapi: Any, sock: ssl.SSLSocket) -> None:
        bindings = gssapi.raw.ChannelBindings(application_data=self.server.bound_to)
        context = gssapi.SecurityContext(usage="accept", creds=self.server.keys, channel_bindings=bindings)
        number, token = _credentials(sock)
        try:
            answer = context.step(token) or b""
            taken = bool(context.complete)
        except gssapi.exceptions.GSSError:
            taken = False
        if not taken:
            sock.sendall(_bind_answer(number, 49, b"", "80090346: LdapErr: DSID-0C0906B0, data 80090346, v4563"))
            return
        sock.sendall(_bind_answer(number, 14, answer))
        number, _empty = _credentials(sock)
        sock.sendall(_bind_answer(number, 14, context.wrap(b"\x01\x00\x00\x00", False).message))
        number, chosen = _credentials(sock)
        assert context.unwrap(chosen).message[:1] == b"\x01"
        sock.sendall(_bind_answer(number, 0, b""))
        sock.recv(100)


def _credentials(sock: ssl.SSLSocket) -> tuple[int, bytes]:
    data = bytearray()
    while not ber.size(data) or len(data) < ber.size(data):
        data += sock.recv(65536)
    ((_, inside),) = ber.elements(bytes(data))
    (_, number), (_, bind), *_ = ber.elements(inside)
    _version, _name, (_, sasl) = ber.elements(bind)
    _mechanism, *token = ber.elements(sasl)
    return ber.number(number), token[0][1] if token else b""


def _bind_answer(number: int, code: int, token: bytes, told: str = "") -> bytes:
    parts = (ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets(told), ber.primitive(0x87, token))
    return ber.message(number, ber.constructed(0x61, *parts))


@pytest.fixture
def demanding(gssapi: Any, ticket: DomainController, tmp_path: Path) -> Iterator[Callable[[bytes | None], tuple[str, str]]]:
    """Starts a server that demands a binding, by default to its own certificate; gives its address and its authority's file."""
    servers = []

    def start(bound_to: bytes | None = None) -> tuple[str, str]:
        authority = Authority()
        (tmp_path / "ca.pem").write_text(authority.pem)
        server = Demanding(gssapi, authority.context(("127.0.0.1",)), ticket.keytab("ldap/127.0.0.1"), bound_to or b"")
        if bound_to is None:
            server.bound_to = _end_point(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"ldaps://127.0.0.1:{server.server_address[1]}", str(tmp_path / "ca.pem")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
    gc.collect()


def _end_point(server: Demanding) -> bytes:
    """By another way than ours: the certificate as a client sees it, hashed by the standard library."""
    import hashlib

    here, there = socket.socketpair()
    with here, there:
        pair = threading.Thread(target=lambda: server.tls.wrap_socket(here, server_side=True).recv(1))
        pair.start()
        anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with anyone.wrap_socket(there) as seen:
            certificate = seen.getpeercert(True) or b""
            seen.sendall(b"x")
        pair.join()
    return b"tls-server-end-point:" + hashlib.sha256(certificate).digest()


def test_a_ticket_is_bound_to_the_channel(demanding: Callable[..., tuple[str, str]]) -> None:
    url, ca_file = demanding()
    connection = connect(url, Login("", "", "kerberos", ca_file))
    assert connection.bound
    close(connection)


def test_a_ticket_that_passed_another_channel_is_refused(demanding: Callable[..., tuple[str, str]]) -> None:
    url, ca_file = demanding(b"tls-server-end-point:" + bytes(32))
    with pytest.raises(AccessRefused, match="the server demands channel binding"):
        connect(url, Login("", "", "kerberos", ca_file))
