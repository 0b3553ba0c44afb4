"""What is worth another try, how long to wait, and whom never to talk to."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses

from connectors._http import Api, Refused, new_session, retry_after
from reconciler.connector import Incomplete

ROOT = "https://api.example.com/v1"


def api(waits: list[float], authorise: Callable[[bool], str] = lambda renew: "Bearer t") -> Api:
    return Api(ROOT, requests.Session(), authorise, time.monotonic() + 300, wait=waits.append)


WAITS = [("2.128", 2.128), ("3", 3.0), ("-5", 0.0), ("soon", None), (None, None), ("nan", None)]


@pytest.mark.parametrize(("text", "seconds"), WAITS)
def test_retry_after_is_read_in_every_form(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_retry_after_may_be_a_date() -> None:
    found = retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert found is not None and 27 < found < 31


@responses.activate
def test_waits_as_long_as_it_is_told_and_goes_on() -> None:
    waits: list[float] = []
    responses.get(f"{ROOT}/x", status=429, headers={"Retry-After": "2.128"})
    responses.get(f"{ROOT}/x", json={"value": []})
    assert api(waits).get("x") == {"value": []}
    assert waits == [2.128]


@responses.activate
def test_an_absurd_wait_ends_the_read() -> None:
    responses.get(f"{ROOT}/x", status=503, headers={"Retry-After": "86400"})
    with pytest.raises(Incomplete, match="86400"):
        api([]).get("x")


@responses.activate
def test_an_expired_token_is_renewed_once() -> None:
    asked: list[bool] = []
    responses.get(f"{ROOT}/x", status=401)

    def authorise(renew: bool) -> str:
        asked.append(renew)
        return "Bearer t"

    with pytest.raises(Refused):
        api([], authorise).get("x")
    assert asked == [False, True]


ELSEWHERE = [
    "https://evil.example/v1/x",
    "http://api.example.com/v1/x",
    "https://api.example.com@evil.example/x",
    "https://api.example.com:444/x",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_nobody_else_gets_the_token(url: str) -> None:
    with pytest.raises(Incomplete, match="another host"):
        api([]).get(url)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]/", True),
        ("http://graph.example.com", False),
        ("https://graph.example.com", True),
    ],
)
def test_plain_http_stays_on_this_machine(url: str, allowed: bool) -> None:
    if allowed:
        new_session(url, None).close()
    else:
        with pytest.raises(Incomplete, match="plain http"):
            new_session(url, None)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_operators_authorities_and_proxy_are_used_and_ca_file_wins(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "/etc/bundle.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    session = new_session("https://graph.example.com", None)
    assert (session.verify, session.proxies["https"]) == ("/etc/bundle.pem", "http://proxy.example:3128")
    assert new_session("https://graph.example.com", tmp_path / "ca.pem").verify == str(tmp_path / "ca.pem")
    monkeypatch.setenv("NO_PROXY", "graph.example.com")
    assert not new_session("https://graph.example.com", None).proxies


@responses.activate
def test_a_success_without_a_body_is_no_answer() -> None:
    """An answer that breaks off within its headers looks so; taken for an empty listing it would empty a directory."""
    responses.get(f"{ROOT}/x", body=b"")
    with pytest.raises(Incomplete, match="the answer is empty"):
        api([]).get("x")
