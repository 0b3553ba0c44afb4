"""The embedded company's HTTP: a loopback server whose answers come from one function and may be broken on purpose."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.http_spoilt import WIRES, spoilt

HANDSHAKE_SECONDS, IDLE_SECONDS = 10, 120
DRIP = 97  # bytes at a time
SMALL = 1024  # bodies below this are not worth compressing
_PAGING = ("$skiptoken", "pageToken")
_WEB_PAGE = b"<!doctype html><html><title>502</title><body><h1>Service temporarily unavailable</h1></body></html>"


@dataclass(frozen=True)
class Request:
    """What was asked. `path` and the names of `query` are decoded, headers are in lower case."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    faults: Sequence[Fault] = ()
    origin: str = ""  # scheme and host as the client wrote them: what links in an answer begin with

    def fault(self, kind: str) -> Fault | None:
        """The first fault of a kind that strikes this request."""
        return next((fault for fault in self.faults if fault.do == kind), None)


@dataclass(frozen=True)
class Reply:
    """What is answered; a body of JSON unless `kind` says otherwise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json; charset=utf-8"


Answer = Callable[[Request], Reply]


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), headers)


def _plain_error(status: int) -> Reply:
    return json_reply({"error": {"code": status, "message": "the service refused"}}, status)


class HttpServer:
    """One loopback server: a thread a connection, an ephemeral port, TLS when a context is given.

    `answer` is called for every request; `error` words the answer to a `status` fault that brings no body of its own.
    """

    def __init__(
        self, answer: Answer, faults: Faults | None = None, tls: ssl.SSLContext | None = None, error: Callable[[int], Reply] = _plain_error
    ) -> None:  # fmt: skip
        self.answer, self.faults, self.tls, self.error = answer, faults or Faults(), tls, error
        self._before: dict[str, Reply] = {}  # the latest answer to each question, whatever its page
        self._server = _Listener(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> HttpServer:
        self._thread.start()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply_to(self, request: Request) -> Reply:
        """The answer after the faults that change a whole answer: delay, status, garbage."""
        if late := request.fault("delay"):
            time.sleep(float(late.value or 1))
        if refused := request.fault("status"):
            return self._refusal(refused)
        if request.fault("garbage"):
            return Reply(200, _WEB_PAGE, {}, "text/html")
        return self._spoilt(request, self.answer(request))

    def _spoilt(self, request: Request, reply: Reply) -> Reply:
        """The answer after a fault that makes it lie, or gives an older one in its place."""
        question = f"{request.path}?{sorted((n, v) for n, v in request.query.items() if n not in _PAGING)}"
        before = self._before.get(question)
        if any(fault.do == "stale" for fault in self.faults.script):
            self._before[question] = reply
        if request.fault("stale"):
            return self._or_unfit(before, reply)
        lie = request.fault("spoil")
        if lie is None:
            return reply
        body = spoilt(str(lie.value), reply.body) if reply.status == 200 else None
        return self._or_unfit(None if body is None else replace(reply, body=body), reply)

    def _or_unfit(self, made: Reply | None, otherwise: Reply) -> Reply:
        """What a fault has made of an answer; said to be unfit where that is nothing else."""
        if made is not None and made.body != otherwise.body:
            return made
        self.faults.unfit += 1
        return otherwise

    def _refusal(self, fault: Fault) -> Reply:
        made = self.error(int(fault.value))
        body = (
            made.body if fault.body is None else fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
        )
        return Reply(int(fault.value), body, {**made.headers, **dict(fault.headers)}, made.kind)


class _Listener(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self, owner: HttpServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a client that stalls holds up nobody else."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.owner.tls is None:
            return super().finish_request(request, client_address)
        request.settimeout(HANDSHAKE_SECONDS)
        try:
            secured = self.owner.tls.wrap_socket(request, server_side=True)
        except OSError:
            return None  # the client did not trust us, or went away; it is the one to say so
        with secured:
            super().finish_request(secured, client_address)
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are ordinary life here; whatever else happens shows in the client's own error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version, timeout, server_version, sys_version = "HTTP/1.1", IDLE_SECONDS, "sandbox", ""
    wbufsize = 64 * 1024
    server: _Listener

    def _serve(self) -> None:
        owner, request = self.server.owner, self._request()
        if request is None:
            self.close_connection = True
            return
        reply = owner.reply_to(request)
        raw = self._raw(reply)
        if cut := request.fault("cut"):
            raw = raw[: min(int(cut.value or 0), len(raw) - 1)]
            self.close_connection = True
        if spoilt_wire := request.fault("wire"):
            raw = WIRES[str(spoilt_wire.value)](raw)
            self.close_connection = True
        self._send(raw, DRIP if request.fault("drip") else len(raw) or 1)
        if cut or spoilt_wire:
            self._hang_up()

    def _send(self, raw: bytes, size: int) -> None:
        for at in range(0, len(raw), size):
            self.wfile.write(raw[at : at + size])
            self.wfile.flush()
            if size == DRIP:
                time.sleep(0.001)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _request(self) -> Request | None:
        """The request; None when the client went away in the middle of it, as one that is killed does."""
        parts = urlsplit(self.path)
        path, query = re.sub("/{2,}", "/", unquote(parts.path)), dict(parse_qsl(parts.query, keep_blank_values=True))
        line = f"{self.command} {path}" + ("?" + unquote(parts.query) if parts.query else "")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            return None
        headers = {name.lower(): value for name, value in self.headers.items()}
        origin = f"{'https' if self.server.owner.tls else 'http'}://{headers.get('host', '')}"
        return Request(self.command, path, query, headers, body, self.server.owner.faults.meet(line), origin)

    def _raw(self, reply: Reply) -> bytes:
        """The answer as bytes, compressed where the client allows it."""
        body, headers = reply.body, {"Content-Type": reply.kind, **reply.headers}
        if len(body) > SMALL and "gzip" in (self.headers.get("Accept-Encoding") or ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        if reply.status != 204:
            headers["Content-Length"] = str(len(body))
        head = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('',))[0]}"]
        head += [f"{name}: {value}" for name, value in headers.items()] + [f"Date: {self.date_time_string()}"]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if reply.status == 204 else body)

    def _hang_up(self) -> None:
        """End the connection as a broken wire does: no TLS good-bye."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Requests are logged by the script of faults."""
