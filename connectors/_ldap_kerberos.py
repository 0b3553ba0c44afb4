"""Sign-in by a Kerberos ticket (SASL GSSAPI, RFC 4752): bound to the TLS channel it comes through, or sealing the connection itself.

Over TLS the ticket names the server's certificate (tls-server-end-point, RFC 5929), so that nobody in between can pass it
on; domain controllers may demand it. Without TLS everything after the sign-in is encrypted by the ticket's own key, as
Windows' own tools have it on port 389.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from ldap3.protocol.sasl.sasl import send_sasl_negotiation

from reconciler.connector import AccessRefused, Incomplete

MORE_TO_SAY = 14  # saslBindInProgress
PLAIN, SEALED = 1, 4  # layers of RFC 4752: none, and confidentiality
LARGEST = 0xFFFFFF  # bytes of one sealed piece


def bind(connection: Any, url: str, username: str = "", password: str = "") -> Mapping[str, Any]:
    """Sign in; returns the server's answer. `username` chooses a ticket; with a password one is got for it.

    Raises AccessRefused where there is no ticket to be had, Incomplete when the server does not follow the protocol.
    """
    try:
        gssapi: Any = import_module("gssapi")  # optional: only bind = "kerberos" needs it
    except ImportError:
        raise AccessRefused(
            f'{url}: bind = "kerberos" needs the gssapi package: pip install "identity-reconciler[kerberos]"'
        ) from None
    try:
        return _bound(gssapi, connection, url, _credentials(gssapi, username, password))
    except gssapi.exceptions.GSSError as problem:
        raise AccessRefused(
            f"{url}: no Kerberos ticket that the server takes: {problem}; run kinit, or set KRB5_CLIENT_KTNAME, and name the server in url as its ticket does"
        ) from None


def _credentials(gssapi: Any, username: str, password: str) -> Any:
    """A ticket for the directory's reader: by password, else from the cache or the key table that the environment names."""
    kerberos = [gssapi.MechType.kerberos]
    name = gssapi.Name(username, gssapi.NameType.user) if username else None
    if name is not None and password:
        return gssapi.Credentials(
            base=gssapi.raw.acquire_cred_with_password(name, password.encode(), usage="initiate", mechs=kerberos).creds
        )
    return gssapi.Credentials(usage="initiate", name=name, mechs=kerberos)


def _bound(gssapi: Any, connection: Any, url: str, credentials: Any) -> Mapping[str, Any]:
    flags = gssapi.RequirementFlag
    own = isinstance(connection.socket, ssl.SSLSocket)
    context = gssapi.SecurityContext(
        name=gssapi.Name(f"ldap@{connection.server.host}", gssapi.NameType.hostbased_service), creds=credentials, usage="initiate",
        flags=flags.mutual_authentication | flags.integrity | flags.confidentiality | flags.out_of_sequence_detection,
        channel_bindings=gssapi.raw.ChannelBindings(application_data=end_point(connection.socket)) if own else None,
    )  # fmt: skip
    told: bytes | None = None
    while True:
        token = context.step(told) or b""
        result: Mapping[str, Any] = send_sasl_negotiation(connection, None, token)
        if result["result"] != MORE_TO_SAY:
            return result
        told = result["saslCreds"] or b""
        if context.complete:
            break
    return _layered(connection, context, url, told, PLAIN if own else SEALED, gssapi.exceptions.GSSError)


def _layered(connection: Any, context: Any, url: str, told: bytes, wanted: int, faults: type[Exception]) -> Mapping[str, Any]:
    """Agree on what lies under the messages that follow: nothing where TLS does, else the ticket's own encryption."""
    offered = context.unwrap(told).message
    if len(offered) != 4 or not offered[0] & wanted:
        raise Incomplete(
            f"{url}: the server offers no {'sign-in without a layer of its own' if wanted == PLAIN else 'encryption'} by Kerberos"
        )
    most = int.from_bytes(offered[1:4])
    answer = bytes([wanted]) + (0 if wanted == PLAIN else LARGEST).to_bytes(3)
    result: Mapping[str, Any] = send_sasl_negotiation(connection, None, context.wrap(answer, False).message)
    if result["result"] == 0 and wanted == SEALED:
        connection.socket = Sealed(connection.socket, context, context.get_wrap_size_limit(most, True), faults)
    return result


def end_point(socket: Any) -> bytes:
    """What names the server's certificate: its hash by the algorithm that it is signed with, SHA-256 where that is too old or none."""
    certificate = socket.getpeercert(True)
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    digest = hashes.Hash(hashes.SHA256() if algorithm is None or algorithm.name in ("md5", "sha1") else algorithm)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


@dataclass
class Sealed:
    """A socket whose bytes are encrypted by a ticket's key: pieces of four bytes of length and as many sealed ones."""

    inner: Any = field(repr=False)
    context: Any = field(repr=False)
    most: int  # plain bytes of one piece that the server takes
    faults: type[Exception] = field(repr=False)  # what unwrapping raises
    _ready: bytearray = field(default_factory=bytearray, repr=False)
    _coming: bytearray = field(default_factory=bytearray, repr=False)

    def sendall(self, data: bytes) -> None:
        for first in range(0, len(data), self.most):
            sealed = self.context.wrap(bytes(data[first : first + self.most]), True).message
            self.inner.sendall(len(sealed).to_bytes(4) + sealed)

    def recv(self, most: int) -> bytes:
        """Some plain bytes; none when the server has gone. Raises OSError when a piece is too large or not the server's."""
        while not self._ready:
            part = self.inner.recv(1 << 16)
            if not part:
                return b""
            self._coming += part
            self._open()
        plain = bytes(self._ready[:most])
        del self._ready[:most]
        return plain

    def _open(self) -> None:
        """Every whole piece that has come."""
        while len(self._coming) >= 4:
            size = int.from_bytes(self._coming[:4])
            if size > LARGEST:
                raise OSError(f"a sealed piece of {size} bytes")
            if len(self._coming) < 4 + size:
                return
            try:
                self._ready += self.context.unwrap(bytes(self._coming[4 : 4 + size])).message
            except self.faults as problem:
                raise OSError(f"a sealed piece that the server did not make: {problem}") from None
            del self._coming[: 4 + size]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
