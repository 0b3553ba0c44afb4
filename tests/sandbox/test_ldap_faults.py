"""Every fault the script knows strikes the request it names, and nothing else; a broken answer does not undo a write."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import ldap3
import pytest
from ldap3.core.exceptions import LDAPException
from ldap3.protocol.rfc2696 import paged_search_control

from reconciler.sandbox.directory import Directory
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.ldap_server import LdapServer
from tests.sandbox.ldap_estate import ADMIN, PASSWORD, STAFF, client, code, estate, found

PAGED = "1.2.840.113556.1.4.319"
ANN = f"CN=Ann Boss,{STAFF}"
# ldap3 leaves the socket of a connection that broke to be collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def directory() -> Directory:
    return estate(25)


@pytest.fixture(scope="module")
def server(directory: Directory) -> Iterator[LdapServer]:
    with LdapServer(directory, allow_clear=True) as made:
        yield made


def pages(connection: Any, most: int = 9) -> list[set[str]]:
    """The people in pages of ten, until the cookie is empty or `most` pages came."""
    names, cookie = [], b""
    while len(names) < most:
        answers = found(connection, "(cn=User *)", controls=[paged_search_control(True, 10, cookie)], attributes=["cn", "mail"])
        names.append({dn for dn, entry in answers.items() if "mail" in entry})
        cookie = ((connection.result.get("controls") or {}).get(PAGED) or {"value": {"cookie": b""}})["value"]["cookie"]
        if not cookie:
            break
    return names


PAGES: list[tuple[str, Fault, list[int], int]] = [
    ("nothing", Fault("nobody", "status", value=51), [10, 10, 5], 0),
    ("busy on page 2", Fault("cn=User", "status", 2, 51), [10, 0], 51),
    ("out of time on page 3", Fault("cn=User", "status", 3, 3), [10, 10, 0], 3),
    ("a cookie that has expired", Fault("cn=User", "expired_token", 2), [10, 0], 53),
    ("a page twice", Fault("cn=User", "repeat_token", 2), [10, 10, 10, 5], 0),
    ("an empty page in between", Fault("cn=User", "empty_page", 2), [10, 0, 10, 5], 0),
    ("an end too early", Fault("cn=User", "no_more", 2), [10, 10], 0),
    ("rows that are hidden", Fault("cn=User", "hide_rows", 2, 3), [10, 7, 5], 0),
    ("a field that is missing", Fault("cn=User", "drop_field", 0, "mail"), [0, 0, 0], 0),
]


@pytest.mark.parametrize(("fault", "sizes", "last"), [case[1:] for case in PAGES], ids=[case[0] for case in PAGES])
def test_a_page_is_broken_as_told(server: LdapServer, fault: Fault, sizes: list[int], last: int) -> None:
    with client(server) as connection:
        server.faults.reset(fault)
        assert [len(page) for page in pages(connection)] == sizes
        assert code(connection) == last


@pytest.mark.parametrize("fault", [Fault("cn=User", "cut", 1, 100), Fault("cn=User", "garbage", 1)], ids=lambda fault: fault.do)
def test_a_connection_breaks_in_the_middle(server: LdapServer, fault: Fault) -> None:
    server.faults.reset()
    with client(server) as connection:
        server.faults.reset(fault)
        with pytest.raises(LDAPException):
            pages(connection)


def test_a_delay_is_waited_for(server: LdapServer) -> None:
    with client(server) as connection:
        server.faults.reset(Fault("cn=User", "delay", 1, 0.2))
        begun = time.monotonic()
        assert len(pages(connection)) == 3
        assert time.monotonic() - begun >= 0.2


def test_signing_in_can_be_refused_in_any_words(server: LdapServer) -> None:
    server.faults.reset(Fault("^bind .*Administrator", "status", 1, 49, "80090308: … data 532, v4563"))
    with client(server) as connection:
        assert (code(connection), connection.result["message"]) == (49, "80090308: … data 532, v4563")


@pytest.mark.parametrize("kind", ["cut", "garbage"])
def test_a_write_is_done_though_its_answer_is_lost(kind: Any) -> None:
    own = estate()
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        server.faults.reset(Fault("^modify .*Ann", kind, 1, 0))
        with pytest.raises(LDAPException):
            connection.modify(ANN, {"title": [(ldap3.MODIFY_REPLACE, ["Chief"])]})
    assert own.entry(ANN)["title"] == [b"Chief"]


def test_a_write_that_is_refused_has_no_effect() -> None:
    own = estate()
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        server.faults.reset(Fault("^delete ", "status", 1, 51))
        assert not connection.delete(ANN)
        assert code(connection) == 51
    assert ANN in own


def test_the_log_names_every_request(server: LdapServer) -> None:
    server.faults.reset()
    with client(server) as connection:
        connection.extend.standard.who_am_i()
        connection.compare(ANN, "title", "x")
        connection.modify(ANN, {"title": [(ldap3.MODIFY_REPLACE, ["Boss"])]})
    assert server.faults.requests == [f"bind {ADMIN}", "extended 1.3.6.1.4.1.4203.1.11.3", f"compare {ANN}", f"modify {ANN}"]


NOISE = [
    ("another protocol", b"GET / HTTP/1.1\r\n\r\n"),
    ("a length that lies", b"\x30\x84\xff\xff\xff\xff"),
    ("an operation nobody sends", bytes.fromhex("30050201016500")),
    ("a message without a number", bytes.fromhex("3003040161")),
    ("a filter without an end", bytes.fromhex("30130201016300") + b"\0" * 14),
]


@pytest.mark.parametrize("sent", [case[1] for case in NOISE], ids=[case[0] for case in NOISE])
def test_noise_ends_the_session_and_not_the_server(server: LdapServer, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        told = b""
        while more := wire.recv(4096):
            told += more
    assert b"1.3.6.1.4.1.1466.20036" in told
    with client(server) as connection:
        assert code(connection) == 0


def test_closing_ends_every_connection(directory: Directory) -> None:
    server = LdapServer(directory, allow_clear=True).start()
    waiting = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(3)]
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 2
    for wire in waiting:
        with wire, contextlib.suppress(ConnectionResetError):  # of one that was not accepted yet
            assert wire.recv(1) == b""


def test_many_clients_at_once(directory: Directory, server: LdapServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    server.faults.reset()

    def one(number: int) -> int:
        with client(server, ADMIN, PASSWORD) as connection:
            connection.modify(f"CN=User {number},{STAFF}", {"title": [(ldap3.MODIFY_REPLACE, [str(number)])]})
            return sum(len(page) for page in pages(connection))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(16))) == [25] * 16
    assert directory.entry(f"CN=User 15,{STAFF}")["title"] == [b"15"]
