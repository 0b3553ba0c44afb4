"""A CONNECT proxy that leads real host names to the embedded company, so that a production configuration runs unchanged."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

_CONNECT = re.compile(rb"CONNECT ([^:\s]+):(\d+) HTTP/1\.[01]\r\n")
IDLE_SECONDS = 120


class ConnectProxy:
    """`routes` leads a host name to a port of this machine; every other host is refused. `connected` lists who was asked for.

    A name in `routes` stands for its port 443 only. Refused names are in `refused`.
    """

    def __init__(self, routes: Mapping[str, int]) -> None:
        self.routes = dict(routes)
        self.connected: list[str] = []
        self.refused: list[str] = []
        self._server = _Listener(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> ConnectProxy:
        self._thread.start()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def port_of(self, host: str, port: int) -> int | None:
        """Where a host leads to, noted; None when it leads nowhere."""
        found = self.routes.get(host.lower()) if port == 443 else None
        (self.refused if found is None else self.connected).append(f"{host}:{port}")
        return found


class _Listener(ThreadingTCPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self, owner: ConnectProxy) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are ordinary life here."""


class _Handler(StreamRequestHandler):
    server: _Listener
    timeout = IDLE_SECONDS
    rbufsize = 0  # nothing of what follows the request may stay in a buffer

    def handle(self) -> None:
        asked = _CONNECT.fullmatch(self.rfile.readline(8192))
        while self.rfile.readline(8192) not in (b"\r\n", b"\n", b""):
            pass
        if asked is None:
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        port = self.server.owner.port_of(asked[1].decode("latin-1"), int(asked[2]))
        if port is None:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", port), IDLE_SECONDS) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pour, args=(there, self.connection), daemon=True)
            back.start()
            _pour(self.connection, there)
            back.join()


def _pour(one: socket.socket, other: socket.socket) -> None:
    """Everything from one side to the other, until either goes away."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
