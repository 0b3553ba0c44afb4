"""Between a reader and Samba: the limits that Active Directory has and Samba lacks, and faults on the wire.

A search without pages ends after 1,000 entries in sizeLimitExceeded (MaxPageSize), a page is never larger, an attribute comes
1,500 values at a time (MaxValRange), and a cookie is good on the connection that it was given to, once. Clients come in the
clear; Samba is reached over TLS.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.ldap_messages import DONE, ENTRY, EXTENDED, PAGED, SEARCH, UNBIND

PAGE, VALUES = 1000, 1500
SIZE_LIMIT, UNKNOWN_COOKIE, NO_TLS = 4, 12, 2
CONTROLS = 0xA0


@dataclass(frozen=True)
class Answer:
    """One answer to a search: whole messages of entries and references, the result's code, and the cookie, None without paging."""

    entries: tuple[bytes, ...]
    code: int
    cookie: bytes | None
    referral: str = ""


@dataclass(frozen=True)
class Asked:
    """One search: its text as (base filter-length attributes), the page of it from 1, and its number on the connection."""

    number: int
    base: str
    attributes: tuple[str, ...]
    page: int


Fault = Callable[[Asked, Answer], Answer | bytes | None]  # another answer; bytes to send before the line is cut; None: only cut


@dataclass
class Limits:
    """What the proxy keeps to, what it breaks, and what it has seen. `fault` may be set between reads."""

    fault: Fault | None = None
    largest: int = 0  # entries of one answer
    ranges: int = 0  # answers whose values were cut
    refused: int = 0  # cookies
    searches: list[Asked] = field(default_factory=list)


class LimitingProxy(ThreadingTCPServer):
    """Serves while it is entered."""

    daemon_threads, block_on_close, request_queue_size = True, False, 64

    def __init__(self, address: str, ca_file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.upstream, self.limits = address, Limits()
        self.tls = ssl.create_default_context(cafile=str(ca_file))

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> LimitingProxy:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are ordinary life here."""


class _Connection(BaseRequestHandler):
    server: LimitingProxy

    def setup(self) -> None:
        raw = socket.create_connection((self.server.upstream, 636), 30)
        self.samba = self.server.tls.wrap_socket(raw, server_hostname=self.server.upstream)
        self.cookies: dict[bytes, tuple[bytes, int]] = {}  # ours -> (Samba's, pages so far)

    def handle(self) -> None:
        for message in _messages(self.request):
            number, operation, content, controls = _read(message)
            if operation == UNBIND:
                return
            if operation == EXTENDED:
                self._end(number, operation + 1, NO_TLS)
            elif operation == SEARCH:
                if not self._search(number, content, controls):
                    return
            else:
                self.samba.sendall(message)
                self.request.sendall(next(_messages(self.samba)))

    def finish(self) -> None:
        for end in (self.samba, self.request):
            with suppress(OSError):
                end.close()

    # --- one search -----------------------------------------------------------------------------------------------

    def _search(self, number: int, content: bytes, controls: bytes) -> bool:
        """Ask Samba, keep to the limits, break what is to be broken; whether the connection goes on."""
        limits, (paged, size, cookie, others) = self.server.limits, _paging(controls)
        known = self.cookies.pop(cookie, None) if cookie else (b"", 0)
        asked = Asked(number, *_question(content), page=known[1] + 1 if known else 0)
        limits.searches.append(asked)
        if known is None:
            limits.refused += 1
            self._end(number, DONE, UNKNOWN_COOKIE)
            return True
        paging = _control(min(size, PAGE), known[0]) if paged else b""
        told = ber.constructed(CONTROLS, others, paging) if others or paging else b""
        self.samba.sendall(ber.message(number, ber.constructed(SEARCH, content), told))
        answer = self._limited(self._taken(number), paged, known[1])
        limits.largest = max(limits.largest, sum(_read(message)[1] == ENTRY for message in answer.entries))
        broken = limits.fault(asked, answer) if limits.fault else answer
        if isinstance(broken, Answer):
            self.request.sendall(_sent(number, broken))
            return True
        self.request.sendall(broken or b"")
        return False

    def _taken(self, number: int) -> Answer:
        entries = []
        for message in _messages(self.samba):
            _, operation, content, controls = _read(message)
            if operation == DONE:
                (_, code), *_rest = ber.elements(content)
                paged, _, cookie, _ = _paging(controls)
                return Answer(tuple(entries), ber.number(code), cookie if paged else None)
            entries.append(self._ranged(number, content) if operation == ENTRY else message)
        raise ConnectionError("Samba has gone")

    def _limited(self, answer: Answer, paged: bool, pages: int) -> Answer:
        if not paged:
            over = len(answer.entries) > PAGE  # references to other partitions come last
            return replace(answer, entries=answer.entries[:PAGE], code=SIZE_LIMIT) if over else answer
        if not answer.cookie:
            return answer
        ours = secrets.token_bytes(16)
        self.cookies[ours] = (answer.cookie, pages + 1)
        return replace(answer, cookie=ours)

    def _ranged(self, number: int, content: bytes) -> bytes:
        """An entry, at most 1,500 values of each attribute in it."""
        (_, dn), (_, attributes) = ber.elements(content)
        made = []
        for _, pair in ber.elements(attributes):
            (_, name), (_, values) = ber.elements(pair)
            made += _cut(name.decode(), [value for _, value in ber.elements(values)])
        self.server.limits.ranges += any(";range=" in name and not name.endswith("*") for name, _ in made)
        inside = ber.constructed(ber.SEQUENCE, *(ber.attribute(name, values) for name, values in made))
        return ber.message(number, ber.constructed(ENTRY, ber.octets(dn), inside))

    def _end(self, number: int, operation: int, code: int) -> None:
        self.request.sendall(ber.message(number, ber.constructed(operation, *_result(code))))


def _cut(name: str, values: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """An attribute as it comes; as Windows does, an empty one beside the first range of many values."""
    plain, _, asked = name.partition(";range=")
    if len(values) <= VALUES:
        yield name, values
        return
    first = int(asked.partition("-")[0]) if asked else 0
    if not asked:
        yield plain, []
    yield f"{plain};range={first}-{first + VALUES - 1}", values[:VALUES]


def _sent(number: int, answer: Answer) -> bytes:
    controls = b"" if answer.cookie is None else ber.constructed(CONTROLS, _control(0, answer.cookie))
    referral = ber.constructed(0xA3, ber.octets(answer.referral)) if answer.referral else b""
    end = ber.message(number, ber.constructed(DONE, *_result(answer.code), referral), controls)
    return b"".join((*answer.entries, end))


def _result(code: int) -> tuple[bytes, ...]:
    return ber.integer(code, ber.ENUMERATED), ber.octets(""), ber.octets("")


def _messages(source: Any) -> Iterator[bytes]:
    """Whole messages, until the other side has gone."""
    data = bytearray()
    while True:
        while size := ber.size(data):
            if len(data) < size:
                break
            yield bytes(data[:size])
            del data[:size]
        try:
            part = source.recv(1 << 18)
        except OSError:
            return
        if not part:
            return
        data += part


def _read(message: bytes) -> tuple[int, int, bytes, bytes]:
    """(number, operation, content, controls)."""
    ((_, inside),) = ber.elements(message)
    (_, number), (operation, content), *more = ber.elements(inside)
    return ber.number(number), operation, content, next((told for tag, told in more if tag == CONTROLS), b"")


def _paging(controls: bytes) -> tuple[bool, int, bytes, bytes]:
    """(whether paged, size, cookie, the other controls as they came)."""
    paged, size, cookie, others = False, 0, b"", []
    for tag, content in ber.elements(controls):
        (_, oid), *rest = ber.elements(content)
        if oid.decode() != PAGED:
            others.append(ber.constructed(tag, content))
            continue
        ((_, value),) = ber.elements(rest[-1][1])
        (_, told), (_, cookie) = ber.elements(value)
        paged, size = True, ber.number(told)
    return paged, size, cookie, b"".join(others)


def _control(size: int, cookie: bytes) -> bytes:
    value = ber.constructed(ber.SEQUENCE, ber.integer(size), ber.octets(cookie))
    return ber.constructed(ber.SEQUENCE, ber.octets(PAGED), ber.octets(value))


def _question(content: bytes) -> tuple[str, tuple[str, ...]]:
    (_, base), *_middle, (_, attributes) = ber.elements(content)
    return base.decode(), tuple(name.decode() for _, name in ber.elements(attributes))
