"""LDAP reading that is whole or an error: own pages, own ranges, every result code looked at.

ldap3 connects, verifies TLS, binds and encodes requests. Search entries, 98 % of the bytes, are decoded here: ldap3's
own decoding costs ten times as much, and its paged search takes a failed page for the last one.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import search_operation
from ldap3.protocol.rfc2696 import paged_search_control
from ldap3.utils.asn1 import decode_message_fast

from reconciler.connector import AccessRefused, Incomplete

Entry = tuple[str, dict[str, list[bytes]]]  # (DN, attribute -> values)

PAGE_SIZE = 1000  # MaxPageSize of Active Directory; a server may give less
CONNECT_SECONDS, ANSWER_SECONDS = 10, 130  # a query may take a domain controller 120 s (MaxQueryDuration)
PAGED = "1.2.840.113556.1.4.319"
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
_ENTRY, _REFERENCE = 0x64, 0x73

# Sub-codes of a refused bind (Microsoft, "LDAP bind errors").
_REFUSALS = {
    "525": "there is no such user", "52e": "user name or password is wrong", "530": "not at this hour", "531": "not from this machine",
    "532": "the password has expired", "533": "the account is disabled", "701": "the account has expired", "773": "the password must be changed first",
    "775": "the account is locked",
}  # fmt: skip


# --- decoding ---------------------------------------------------------------------------------------------------


def decode(data: bytes, entries: list[Entry]) -> tuple[int, bytes | None]:
    """Decode whole search entries off the front of `data` into `entries`.

    Returns how many bytes were used, and the first message that is no entry (or None when more bytes are needed).
    Lengths may be short, or long as Windows sends them (0x84). Raises Incomplete on what is no LDAP message.
    """
    at, size = 0, len(data)
    while True:
        end = _end_of_message(data, at, size)
        if end is None:
            return at, None
        body = at + 2 + (data[at + 1] & 127 if data[at + 1] > 127 else 0)
        operation = body + 2 + data[body + 1]  # the message's number always has a short length
        if data[operation] != _ENTRY:
            return end, data[at:end]
        entries.append(_entry(data, operation, end))
        at = end


def _end_of_message(data: bytes, at: int, size: int) -> int | None:
    """Where the message at `at` ends; None while not all of it has come."""
    if size - at < 2:
        return None
    if data[at] != 0x30:
        raise Incomplete(f"the server sent something that is no LDAP message (0x{data[at]:02x})")
    length, begin = data[at + 1], at + 2
    if length > 127:
        if size - begin < length & 127:
            return None
        length, begin = _long(data, length, begin)
    return begin + length if begin + length <= size else None


def _long(data: bytes, length: int, at: int) -> tuple[int, int]:
    """A length in long form: (length, where the content begins)."""
    begin = at + (length & 127)
    return int.from_bytes(data[at:begin]), begin


def _entry(data: bytes, at: int, end: int) -> Entry:
    """SearchResultEntry: a DN, and a sequence of attributes with their sets of values."""
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = _long(data, length, at)
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = _long(data, length, at)
    dn, at = data[at : at + length].decode(), at + length
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = _long(data, length, at)
    attributes: dict[str, list[bytes]] = {}
    while at < end:
        length, at = data[at + 1], at + 2
        if length > 127:
            length, at = _long(data, length, at)
        name_length, at = data[at + 1], at + 2
        name, at = data[at : at + name_length].decode("ascii"), at + name_length
        length, at = data[at + 1], at + 2
        if length > 127:
            length, at = _long(data, length, at)
        last, values = at + length, []
        while at < last:
            length, at = data[at + 1], at + 2
            if length > 127:
                length, at = _long(data, length, at)
            values.append(data[at : at + length])
            at += length
        attributes[name] = values
    return dn, attributes


# --- a connection ------------------------------------------------------------------------------------------------


@dataclass
class Directory:
    """One bound connection to one server; `read` is the only way to list anything."""

    _connection: Any = field(repr=False)
    url: str
    deadline: float  # of time.monotonic()
    elsewhere: list[str] = field(default_factory=list)  # referrals to other partitions, not followed

    def pages(
        self, base: str, scope: str, expression: str, attributes: Sequence[str], controls: Sequence[Any] = ()
    ) -> Iterator[list[Entry]]:
        """All entries, page by page, to the proper end. Raises Incomplete on any result but success, at any page.

        A page is never asked for again: a server's cookie is a handle, and the same one gives the next page.
        """
        cookie: bytes = b""
        while True:
            paging = paged_search_control(True, PAGE_SIZE, cookie)
            entries, result = self._search(base, scope, expression, attributes, [*controls, paging])
            self._succeeded(result, base, expression)
            told = (result.get("controls") or {}).get(PAGED)
            if told is None:
                raise Incomplete(
                    f"{self.url}: the answer for {expression} lacks the paging control: there may be more; nothing of it is used"
                )
            yield entries
            cookie = told["value"]["cookie"]
            if not cookie:
                return

    def one(self, dn: str, attributes: Sequence[str]) -> dict[str, list[bytes]]:
        """The attributes of one object; raises Incomplete when it cannot be read."""
        entries, result = self._search(dn, ldap3.BASE, "(objectClass=*)", attributes, [])
        self._succeeded(result, dn, "the object itself")
        if len(entries) != 1:
            raise Incomplete(
                f"{self.url}: {dn or 'the server itself'} is not there or may not be read; check `bases` and the reader's rights"
            )
        return entries[0][1]

    def _succeeded(self, result: Mapping[str, Any], base: str, what: str) -> None:
        if result["result"] == 0:
            return
        fix = (
            "grant the reader List and Read on it"
            if result["result"] in (32, 50)
            else "the whole read is discarded; it is tried again next night"
        )
        raise Incomplete(
            f"{self.url}: {what} below {base}: {result['result']} {result['description']}: {result['message'].strip()[:200]}; {fix}"
        )

    def _search(
        self, base: str, scope: str, expression: str, attributes: Sequence[str], controls: Sequence[Any]
    ) -> tuple[list[Entry], dict[str, Any]]:
        connection = self._connection
        try:
            request = search_operation(
                base, expression, scope, ldap3.DEREF_NEVER, list(attributes), 0, 0, False, True, True, None, None, False
            )
            number = connection.strategy.send("searchRequest", request, list(controls) or None)
            try:
                return self._receive(number)
            finally:
                connection.strategy._outstanding.pop(number, None)
        except (LDAPException, OSError) as problem:
            raise Incomplete(
                f"{self.url}: the connection broke while reading {expression}: {type(problem).__name__}: {problem}"
            ) from None

    def _receive(self, number: int) -> tuple[list[Entry], dict[str, Any]]:
        """Read one search's answer off the socket: its entries, and its result as ldap3 decodes it."""
        entries: list[Entry] = []
        rest = b""
        while True:
            if time.monotonic() > self.deadline:
                raise Incomplete(f"{self.url}: the read took longer than allowed; is the server overloaded?")
            data = self._connection.socket.recv(1 << 18)
            if not data:
                raise Incomplete(f"{self.url}: the server closed the connection in the middle of an answer")
            rest = rest + data if rest else data
            while True:
                used, message = decode(rest, entries)
                rest = rest[used:]
                if message is None:
                    break
                done = self._result(message, number)
                if done is not None:
                    return entries, done

    def _result(self, message: bytes, number: int) -> dict[str, Any] | None:
        """The end of a search, or None for a reference to another partition, which is noted and not followed."""
        decoded = decode_message_fast(message)
        if int(decoded["messageID"]) != number:
            raise Incomplete(
                f"{self.url}: answered message {int(decoded['messageID'])} while {number} was asked; the session is over"
            )
        if int(decoded["protocolOp"]) == _REFERENCE & 0x1F:
            self.elsewhere.append(re.sub(r"[^ -~]", "?", message.decode("latin-1"))[-120:])
            return None
        result: dict[str, Any] = self._connection.strategy.decode_response_fast(decoded)
        return result

    def all_values(self, dn: str, attribute: str, entry: Mapping[str, list[bytes]], changed: Sequence[bytes]) -> list[bytes]:
        """Every value of an attribute that may come in ranges of 1,500; raises Incomplete on a gap, or when it changes meanwhile."""
        values = list(entry.get(attribute, ()))
        part = _ranged(attribute, entry)
        while part is not None:
            first, last, held = part
            if first != len(values):
                raise Incomplete(f"{self.url}: {attribute} of {dn}: asked for values from {len(values)}, got them from {first}")
            values += held
            if last is None:
                break
            more = self.one(dn, [f"{attribute};range={last + 1}-*", "uSNChanged"])
            if list(more.get("uSNChanged", ())) != list(changed):
                raise Incomplete(f"{self.url}: {dn} changed while its members were read")
            part = _ranged(attribute, more)
            if part is None:
                raise Incomplete(f"{self.url}: {attribute} of {dn} ends after {len(values)} values without saying so")
        return values

    def close(self) -> None:
        self._connection.unbind()


def _ranged(attribute: str, entry: Mapping[str, list[bytes]]) -> tuple[int, int | None, list[bytes]] | None:
    """(first, last or None at the end, values) of a `member;range=0-1499`; None when there is none."""
    for name, values in entry.items():
        found = re.fullmatch(re.escape(attribute) + r";range=(\d+)-(\d+|\*)", name, re.IGNORECASE)
        if found:
            return int(found[1]), None if found[2] == "*" else int(found[2]), values
    return None


def connect(url: str, username: str, password: str, ca_file: str | None, seconds: float) -> Directory:
    """A bound connection with verified TLS. Raises AccessRefused when the bind is refused, Incomplete when the server is not reached.

    A refused bind is never tried again: three wrong passwords lock an account.
    """
    parts = urlsplit(url)
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED, version=ssl.PROTOCOL_TLS_CLIENT, ca_certs_file=ca_file, valid_names=[parts.hostname]
    )
    secure = parts.scheme == "ldaps"
    server = ldap3.Server(
        parts.hostname,
        parts.port or (636 if secure else 389),
        use_ssl=secure,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS,
    )
    connection = ldap3.Connection(
        server,
        username,
        password,
        client_strategy=ldap3.SYNC,
        auto_referrals=False,
        check_names=False,
        receive_timeout=ANSWER_SECONDS,
    )
    try:
        connection.open()
        if not secure:
            _start_tls(connection, url, parts.hostname or "")
        connection.bind()
    except (LDAPException, OSError) as problem:
        raise Incomplete(f"{url}: cannot be reached: {_short(problem)}") from None
    result = connection.result
    if result["result"] != 0:
        raise AccessRefused(f"{url}: refused {username}: {_refusal(result)}; it was tried once and will not be tried again")
    return Directory(connection, url, time.monotonic() + seconds)


def _start_tls(connection: Any, url: str, host: str) -> None:
    """Plain ldap:// becomes TLS; only on this machine itself may a server without it be read in the clear."""
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    try:
        done = connection.start_tls(read_server_info=False)
    except LDAPException:
        if not loopback:
            raise
        done = False
    if not done and not loopback:
        raise Incomplete(f"{url}: the server offers no StartTLS; use ldaps://")


def _refusal(result: Mapping[str, Any]) -> str:
    code = re.search(r"data ([0-9a-f]{3})", result.get("message") or "")
    if result["result"] == 8:
        return "the server wants a secure connection; use ldaps://"
    return (
        _REFUSALS.get(code[1], result["message"])
        if code
        else f"{result['result']} {result['description']} {result.get('message', '')}"
    )


def _short(problem: Exception) -> str:
    text = str(problem)
    certificate = re.search(r"certificate verify failed: [^()]*", text)
    if certificate:
        return f"{certificate[0].strip()}; set ca_file to the certificate of the authority that signed it"
    return f"{type(problem).__name__}: {text[:300]}"
