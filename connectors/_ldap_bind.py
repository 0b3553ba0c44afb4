"""A bound LDAP connection: TLS always verified, one bind, and a refusal in words an administrator can act on."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException

from connectors import _ldap_kerberos
from connectors._tls import in_short
from reconciler.connector import AccessRefused, Incomplete

CONNECT_SECONDS = 10.0
BIND_SECONDS = 60.0

# What the server says about the identity; anything else (busy, unavailable …) says nothing about it.
_REFUSING = {7, 8, 13, 32, 34, 48, 49, 50, 53}

# "data xxx" in the answer to a refused bind: Windows error numbers in hexadecimal (Microsoft, "System Error Codes").
_WHY = {
    "525": ("there is no such user", "correct username"),
    "52e": ("the user name or the password is wrong", "correct username and password"),
    "530": ("the account may not sign in at this hour", "lift its logon hours"),
    "531": ("the account may not sign in from this machine", "lift its logon workstations"),
    "532": ("its password has expired", "set a new password, and let it never expire for this account"),
    "533": ("the account is disabled", "enable it"),
    "568": ("it is in too many groups for one token", "take it out of some"),
    "701": ("the account has expired", "extend its expiry date"),
    "773": ("its password must be changed at the next logon", "set a password that need not be changed"),
    "775": ("the account is locked out", "unlock it, and find out who tried wrong passwords"),
    "80090346": ("the server demands channel binding", 'use bind = "kerberos" with ldaps://'),
}


@dataclass(frozen=True)
class Login:
    """Who binds, and how; `ca_file` None means the system's store."""

    username: str
    password: str = field(repr=False)
    bind: Literal["simple", "kerberos"] = "simple"
    ca_file: str | None = None


class VerifiedTls(ldap3.Tls):  # type: ignore[misc]
    """TLS that checks the chain and the host name, by Python's own rules instead of ldap3's."""

    def __init__(self, ca_file: str | None) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # CERT_REQUIRED and check_hostname are its defaults
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca_file:
            self.context.load_verify_locations(ca_file)
        else:
            self.context.load_default_certs()

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002 - ldap3's signature
        connection.socket = self.context.wrap_socket(connection.socket, server_hostname=connection.server.host)


def connect(url: str, login: Login) -> Any:
    """A bound ldap3 connection. Raises AccessRefused when the identity is refused, Incomplete when the server is not reached.

    A refused bind is never tried again: a few wrong passwords lock an account.
    """
    parts = urlsplit(url)
    connection = _connection(parts, login)
    try:
        connection.open(read_server_info=False)
        if parts.scheme == "ldap" and login.bind == "simple":
            _start_tls(connection, url, parts.hostname or "")
        connection.socket.settimeout(BIND_SECONDS)
        _bind(connection, url, login)
    except (LDAPException, OSError, LookupError, ValueError, TypeError) as problem:  # the last three: ldap3 decoding noise
        close(connection)
        raise Incomplete(f"{url}: cannot be reached: {in_short(problem)}") from None
    except BaseException:
        close(connection)
        raise
    connection.password = None  # ldap3 shows it in its repr; nothing binds again on this connection
    return connection


def close(connection: Any) -> None:
    """End a connection, whatever state it is in."""
    if connection.bound and not connection.closed:
        try:
            connection.unbind()
        except LDAPException:
            connection.closed = True
    if connection.socket is not None:
        connection.socket.close()


def _connection(parts: SplitResult, login: Login) -> Any:
    secure = parts.scheme == "ldaps"
    try:
        tls = VerifiedTls(login.ca_file)
    except OSError as problem:
        raise Incomplete(f"ca_file {login.ca_file}: {problem.strerror or problem}; it must hold PEM certificates") from None
    server = ldap3.Server(
        parts.hostname, parts.port or (636 if secure else 389), use_ssl=secure, tls=tls, get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS, allowed_referral_hosts=[],
    )  # fmt: skip
    how = {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.KERBEROS} if login.bind == "kerberos" else {
        "user": login.username, "password": login.password, "authentication": ldap3.SIMPLE}  # fmt: skip
    return ldap3.Connection(server, client_strategy=ldap3.SYNC, auto_referrals=False, check_names=False, **how)


def _start_tls(connection: Any, url: str, host: str) -> None:
    """Plain ldap:// becomes TLS; only on this machine itself may a server that offers none be read in the clear."""
    try:
        connection.start_tls(read_server_info=False)
    except LDAPException:
        offered = (connection.result or {}).get("result", 0) == 0
        if offered or connection.socket is None:
            raise
        if not _loopback(host):
            raise Incomplete(
                f"{url}: the server offers no StartTLS, and a password is never sent in the clear; use ldaps://"
            ) from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(connection: Any, url: str, login: Login) -> None:
    """Exactly one bind; raises AccessRefused in the server's sense, Incomplete when it did not judge the identity."""
    if login.bind == "simple" and not (login.username and login.password):
        raise AccessRefused(f"{url}: username and password may not be empty: the server would take it for an anonymous bind")
    if login.bind == "kerberos":
        result = _ldap_kerberos.bind(connection, url, login.username, login.password)
        connection.bound = result["result"] == 0
    else:
        connection.bind(read_server_info=False)
        result = connection.result
    if result["result"] == 0:
        return
    told = f"{result['result']} {result['description']}"
    if result["result"] not in _REFUSING:
        raise Incomplete(f"{url}: could not answer the bind: {told} {(result.get('message') or '').strip()[:200]}")
    raise AccessRefused(f"{url}: refused {login.username or 'the Kerberos ticket'}: {refusal(result)}; tried once, not again")


def refusal(result: Mapping[str, Any]) -> str:
    """A refused bind in words: what is wrong with the identity, and what to do about it."""
    if result["result"] in (8, 13):
        return "the server wants a secure connection; use ldaps://"
    message = result.get("message") or ""
    code = re.search(r"\bdata ([0-9a-f]+)", message)
    if code and code[1] in _WHY:
        what, fix = _WHY[code[1]]
        return f"{what} ({code[1]}); {fix}"
    return f"{result['result']} {result['description']}: {message.strip()[:200]}; check username and password"
