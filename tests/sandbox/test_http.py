"""The loopback server and its throw-away authority, asked by requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.http import HttpServer, Reply, Request, json_reply
from reconciler.sandbox.tls import Authority


def echo(request: Request) -> Reply:
    told = {
        "verb": request.verb,
        "path": request.path,
        "query": dict(request.query),
        "body": request.body.decode(),
        "origin": request.origin,
    }
    return json_reply(told | {"long": "x" * 5000}, **{"X-Own": "yes"})


@pytest.fixture
def plain() -> Iterator[HttpServer]:
    server = HttpServer(echo).start()
    yield server
    server.close()


def test_a_request_arrives_decoded_and_the_answer_is_compressed(plain: HttpServer) -> None:
    answer = requests.post(f"{plain.url}/v1.0//users/a%40b?%24top=9&x=", data=b"{}", timeout=5)
    told = answer.json()
    assert (told["verb"], told["path"], told["query"], told["body"]) == ("POST", "/v1.0/users/a@b", {"$top": "9", "x": ""}, "{}")
    assert told["origin"] == plain.url
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["X-Own"] == "yes"
    assert plain.faults.requests == ["POST /v1.0/users/a@b?$top=9&x="]


def test_half_a_request_is_none(plain: HttpServer) -> None:
    """A client that is killed while it sends has asked for nothing."""
    with socket.create_connection(("127.0.0.1", plain.port), 5) as client:
        client.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert plain.faults.requests == []


def test_many_requests_use_one_connection(plain: HttpServer) -> None:
    with requests.Session() as session:
        assert {session.get(f"{plain.url}/{n}", timeout=5).json()["path"] for n in range(20)} == {f"/{n}" for n in range(20)}


def test_a_status_fault_answers_once_with_its_own_headers_and_body(plain: HttpServer) -> None:
    plain.faults.reset(Fault("GET /a", "status", 2, 429, {"error": "slow"}, (("Retry-After", "2.128"),)))
    answers = [requests.get(f"{plain.url}/a", timeout=5) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 429, 200]
    assert answers[1].headers["Retry-After"] == "2.128"
    assert answers[1].json() == {"error": "slow"}


@pytest.mark.parametrize("bytes_sent", [0, 40, 300, 10_000_000])
def test_a_cut_answer_never_arrives_whole(plain: HttpServer, bytes_sent: int) -> None:
    plain.faults.reset(Fault("GET", "cut", 1, bytes_sent))
    try:
        answer = requests.get(f"{plain.url}/a", timeout=5, headers={"Accept-Encoding": "identity"})
    except requests.RequestException:
        pass
    else:  # cut within its headers, an answer looks like a success without a body: a client must not take that for "nothing"
        assert (answer.ok, answer.content, "Content-Length" in answer.headers) == (True, b"", False)
    assert requests.get(f"{plain.url}/a", timeout=5).ok


def test_tls_is_verified_against_the_authority_and_the_name(tmp_path: Path) -> None:
    authority = Authority()
    bundle = tmp_path / "ca.pem"
    bundle.write_text(authority.pem)
    good, other = (
        HttpServer(echo, Faults(), authority.context(names)).start() for names in (["127.0.0.1"], ["elsewhere.example"])
    )
    old = HttpServer(echo, Faults(), authority.context(["127.0.0.1"], -9, -2)).start()
    try:
        assert requests.get(good.url, verify=str(bundle), timeout=5).ok
        for server in (other, old):
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(server.url, verify=str(bundle), timeout=5)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(good.url, verify=True, timeout=5)
    finally:
        for server in (good, other, old):
            server.close()
