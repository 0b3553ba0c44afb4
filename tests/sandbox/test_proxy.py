"""The CONNECT proxy: a real host name in the address, the embedded company at the other end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from reconciler.sandbox.http import HttpServer, Request, json_reply
from reconciler.sandbox.proxy import ConnectProxy
from reconciler.sandbox.tls import Authority


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[ConnectProxy, requests.Session]]:
    authority, bundle = Authority(), tmp_path / "ca.pem"
    bundle.write_text(authority.pem)
    server = HttpServer(lambda request: json_reply(_told(request)), tls=authority.context(["admin.googleapis.com"])).start()
    proxy = ConnectProxy({"admin.googleapis.com": server.port}).start()
    with requests.Session() as session:
        session.trust_env, session.verify, session.proxies = False, str(bundle), {"https": proxy.url, "http": proxy.url}
        yield proxy, session
    proxy.close()
    server.close()


def _told(request: Request) -> dict[str, str]:
    return {"host": request.headers["host"], "path": request.path, "long": "x" * 300_000}


def test_a_real_name_leads_to_this_machine(proxied: tuple[ConnectProxy, requests.Session]) -> None:
    proxy, session = proxied
    told = session.get("https://admin.googleapis.com/users", timeout=5).json()
    assert (told["host"], told["path"], len(told["long"])) == ("admin.googleapis.com", "/users", 300_000)
    assert proxy.connected == ["admin.googleapis.com:443"]


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/", "https://admin.googleapis.com:8443/", "http://admin.googleapis.com/"]
)
def test_nothing_else_is_reached(proxied: tuple[ConnectProxy, requests.Session], url: str) -> None:
    proxy, session = proxied
    try:
        assert session.get(url, timeout=5).status_code == 405  # plain http is no tunnel
    except requests.exceptions.ProxyError:
        assert len(proxy.refused) == 1
    assert proxy.connected == []
