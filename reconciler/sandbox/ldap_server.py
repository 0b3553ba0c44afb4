"""A real LDAP server on this machine over a directory in memory: one thread a connection, TLS when it is given a certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox import ldap_messages
from reconciler.sandbox.directory import Directory
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.ldap_session import Session

_NOTICE = "1.3.6.1.4.1.1466.20036"  # the server ends the session


@dataclass
class LdapServer:
    """Serve `directory` on `host`, at a port of the system's choosing when `port` is 0.

    With `tls` it speaks ldaps://; with `start_tls` a client may turn a clear connection into a safe one. Without either,
    passwords are refused as a hardened domain controller refuses them, unless `allow_clear`.
    """

    directory: Directory
    faults: Faults = field(default_factory=Faults)
    tls: ssl.SSLContext | None = None
    start_tls: ssl.SSLContext | None = None
    allow_clear: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    name: str = ""  # what `url` calls the host, when its certificate is for a name
    _listener: socket.socket | None = field(default=None, repr=False)
    _open: set[socket.socket] = field(default_factory=set, repr=False)
    _threads: list[threading.Thread] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def url(self) -> str:
        return f"{'ldaps' if self.tls else 'ldap'}://{self.name or self.host}:{self.port}"

    def start(self) -> Self:
        self._listener = socket.create_server((self.host, self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._begin(self._accept, self._listener)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection and wait for its thread."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _shut(listener)
            listener.close()
        with self._lock:
            for connection in self._open:
                _shut(connection)
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(10)

    def _begin(self, work: Callable[[socket.socket], None], connection: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(connection,), name="ldap", daemon=True)
        with self._lock:
            self._threads = [*(known for known in self._threads if known.is_alive() or known.ident is None), thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._listener is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        """One client until it leaves, breaks off, or talks nonsense."""
        wire = _Wire(connection)
        try:
            self._register(connection)
            if self.tls:
                self._wrap(wire, self.tls)
            session = Session(self.directory, self.faults, self.tls is not None, self.allow_clear, self.start_tls is not None)
            self._talk(wire, session)
        except OSError:
            pass  # the client went away, or did not trust the certificate
        finally:
            with self._lock:
                self._open.discard(wire.socket)
            wire.socket.close()

    def _register(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            if self._listener is None:
                _shut(connection)

    def _wrap(self, wire: _Wire, context: ssl.SSLContext) -> None:
        """The same connection under TLS; the handshake may fail with OSError."""
        with self._lock:
            self._open.discard(wire.socket)
        wire.socket = context.wrap_socket(wire.socket, server_side=True, do_handshake_on_connect=False)
        self._register(wire.socket)
        wire.socket.do_handshake()

    def _talk(self, wire: _Wire, session: Session) -> None:
        try:
            self._converse(wire, session)
        except (ber.Malformed, ValueError) as problem:
            wire.socket.sendall(_farewell(str(problem)))

    def _converse(self, wire: _Wire, session: Session) -> None:
        data = bytearray()
        while True:
            while not (size := ber.size(data)) or len(data) < size:
                more = wire.socket.recv(1 << 16)
                if not more:
                    return
                data += more
            answer = session.answer(ldap_messages.request(bytes(data[:size])))
            del data[:size]
            wire.socket.sendall(answer.data[: answer.only])
            if answer.close:
                return
            if answer.start_tls and self.start_tls:
                self._wrap(wire, self.start_tls)
                session.secure = True


@dataclass
class _Wire:
    """A connection, clear or safe: it changes from one to the other in the middle."""

    socket: socket.socket


def _shut(connection: socket.socket) -> None:
    """Wake whoever waits for the socket; on a TLS socket the layer below is meant."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _farewell(why: str) -> bytes:
    """Notice of disconnection (RFC 4511, 4.4.1): protocolError."""
    inside = (ber.integer(2, ber.ENUMERATED), ber.octets(""), ber.octets(why), ber.primitive(0x8A, _NOTICE.encode()))
    return ber.message(0, ber.constructed(0x78, *inside))
