"""One client of the directory server: who it signed in as, its pages, and the answer to each of its requests."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_account, ldap_filter, ldap_messages, ldap_root, ldap_search, ldap_shape
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.ldap_ber import Malformed
from reconciler.sandbox.ldap_messages import PAGED, SORT, SORTED, Request, Search
from reconciler.sandbox.ldap_search import MAX_CURSORS, MAX_PAGE, Found
from reconciler.sandbox.ldap_write import OPERATIONS, Writer

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

Struck = Mapping[str, Fault]
NOISE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
_UNBOUND = (
    "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the "
    "connection., data 0, v4563"
)
_CLEAR = (
    "00002028: LdapErr: DSID-0C090257, comment: The server requires binds to turn on integrity checking if SSL\\TLS are not already "
    "active on the connection, data 0, v4563"
)
_CONTROL = "00000057: LdapErr: DSID-0C090EA2, comment: Error processing control, data 0, v4563"
_NAMES = {
    ldap_messages.ADD: "add",
    ldap_messages.MODIFY: "modify",
    ldap_messages.RENAME: "modifyDN",
    ldap_messages.COMPARE: "compare",
}


@dataclass
class Cursor:
    """A paged search that is not at its end."""

    found: Found
    at: int = 0


@dataclass(frozen=True)
class Answer:
    """Bytes to send; with `close`, the connection ends after the first `only` of them (or all)."""

    data: bytes
    close: bool = False
    only: int | None = None
    start_tls: bool = False


@dataclass
class Session:
    """The state of one connection; `secure` when nobody can listen."""

    directory: Directory
    faults: Faults
    secure: bool
    allow_clear: bool = False
    offers_tls: bool = False
    who: Node | None = None
    cursors: OrderedDict[bytes, Cursor] = field(default_factory=OrderedDict)
    _opened: int = 0

    def answer(self, request: Request) -> Answer:
        """What to send for one request, after every fault that strikes it. Raises Malformed on what cannot be understood."""
        if request.operation == ldap_messages.UNBIND:
            return Answer(b"", close=True)
        if request.operation == ldap_messages.ABANDON:
            return Answer(b"")
        if request.operation not in ldap_messages.ANSWERS:
            raise Malformed(f"an operation 0x{request.operation:02x} that clients do not send")
        struck: Struck = {fault.do: fault for fault in self.faults.meet(line(request))}
        if "delay" in struck:
            time.sleep(float(struck["delay"].value or 0))
        return _mangled(self._honest(request, struck), struck)

    def _honest(self, request: Request, struck: Struck) -> Answer:
        if "status" in struck:
            code = int(struck["status"].value or 80)
            return Answer(
                result(request, code, str(struck["status"].body or "00002120: SvcErr: DSID-03140211, problem 5012 (DIR_ERROR)"))
            )
        try:
            if request.refused is not None:
                raise Refused(12, _CONTROL)
            if request.operation == ldap_messages.BIND:
                return Answer(self._bind(request))
            if request.operation == ldap_messages.EXTENDED:
                return self._extended(request)
            if request.operation == ldap_messages.SEARCH:
                return Answer(self._search(request, struck))
            return Answer(self._write(request))
        except Refused as refused:
            return Answer(result(request, refused.code, refused.message, refused.matched))

    # --- identity -----------------------------------------------------------------------------------------------

    def _bind(self, request: Request) -> bytes:
        _version, name, (how, secret) = ber.elements(request.content)[:3]
        self.who = None
        self.cursors.clear()
        if how != 0x80:
            raise Refused(7, "00002027: LdapErr: DSID-0C0905F6, comment: Invalid Authentication method, data 0, v4563")
        if not name[1] or not secret:
            return result(request, 0)  # anonymous, and Windows takes a name without a password for that too
        if not self.secure and not self.allow_clear:
            raise Refused(8, _CLEAR)
        self.who = directory_account.sign_in(self.directory, ldap_messages.text(name), secret.decode("utf-8", "replace"))
        return result(request, 0)

    def _extended(self, request: Request) -> Answer:
        oid = ldap_messages.text(ber.elements(request.content)[0])
        if oid == ldap_root.WHO_AM_I:
            sam = self.who.text("sAMAccountName") if self.who else None
            told = f"u:{self.directory.netbios}\\{sam}" if sam else ""
            return Answer(result(request, 0, extra=ber.primitive(0x8B, told.encode())))
        if oid == ldap_root.START_TLS and self.offers_tls and not self.secure:
            return Answer(result(request, 0, extra=ber.primitive(0x8A, oid.encode())), start_tls=True)
        if oid == ldap_root.START_TLS:
            code = 1 if self.secure else 52
            raise Refused(code, "00000000: LdapErr: DSID-0C0912F0, comment: Error initializing SSL/TLS, data 0, v4563")
        raise Refused(2, "0000203D: LdapErr: DSID-0C0912D4, comment: Unknown extended request OID, data 0, v4563")

    def _write(self, request: Request) -> bytes:
        if self.who is None:
            raise Refused(1, _UNBOUND)
        with self.directory.lock:
            code = OPERATIONS[request.operation](Writer(self.directory, self.who, self.secure), request)
        return result(request, code)

    # --- searching ----------------------------------------------------------------------------------------------

    def _search(self, request: Request, struck: Struck) -> bytes:
        asked = ldap_messages.search(request.content)
        own = ldap_search.root_entry(self.directory, asked, self.who)
        if own is not None:
            present = str(ldap_filter.parse(asked.filter)).lower() in ("(objectclass=*)", "(objectclass=subschema)")
            return ber.messages(request.number, [own] if present else []) + result(request, 0)
        if self.who is None:
            raise Refused(1, _UNBOUND)
        if "expired_token" in struck:
            raise Refused(53, _CONTROL)
        with self.directory.lock:
            if PAGED in request.controls:
                return self._page(request, asked, struck)
            return self._all(request, asked, struck)

    def _all(self, request: Request, asked: Search, struck: Struck) -> bytes:
        """A search without pages: 1,000 objects at most, or as many as the client allows."""
        found = ldap_search.found(self.directory, asked, self._bound(), request)
        most = min(asked.size_limit or MAX_PAGE, MAX_PAGE)
        code = 4 if len(found.nodes) > most else 0
        return self._entries(request, found, found.nodes[:most], struck) + _references(request, found) + result(request, code)

    def _page(self, request: Request, asked: Search, struck: Struck) -> bytes:
        """The next page. The cookie is a handle: whoever sends it again gets the page after."""
        ((_, inside),) = ber.elements(request.controls[PAGED])
        (_, size), (_, cookie) = ber.elements(inside)
        most = min(ber.number(size), MAX_PAGE)
        if cookie and most == 0:  # the client gives the search up
            self.cursors.pop(cookie, None)
            return result(request, 0, controls=_paged(b""))
        cookie, cursor = self._cursor(request, asked, cookie)
        if "short_pages" in struck:
            most = min(most or MAX_PAGE, int(struck["short_pages"].value))
        begin, end = cursor.at, cursor.at + (most or MAX_PAGE)
        nodes = [] if "empty_page" in struck else cursor.found.nodes[begin:end]
        if not {"empty_page", "repeat_token"} & struck.keys():
            cursor.at = end
        sent = self._entries(request, cursor.found, nodes, struck)
        if 0 < asked.size_limit < min(end, len(cursor.found.nodes)):
            self.cursors.pop(cookie, None)
            return sent + result(request, 4)
        if cursor.at >= len(cursor.found.nodes) or "no_more" in struck:
            self.cursors.pop(cookie, None)
            return sent + _references(request, cursor.found) + result(request, 0, controls=_paged(b"") + _sorted(request))
        return sent + result(request, 0, controls=_paged(cookie) + _sorted(request))

    def _cursor(self, request: Request, asked: Search, cookie: bytes) -> tuple[bytes, Cursor]:
        """The search a cookie stands for, or a new one; the oldest is given up when there are too many."""
        if cookie:
            if cookie not in self.cursors:
                raise Refused(53, _CONTROL)
            return cookie, self.cursors[cookie]
        self._opened += 1
        made = f"{id(self):x}.{self._opened}".encode().rjust(32, b"\0")
        self.cursors[made] = Cursor(ldap_search.found(self.directory, asked, self._bound(), request))
        while len(self.cursors) > MAX_CURSORS:
            self.cursors.popitem(last=False)
        return made, self.cursors[made]

    def _bound(self) -> Node:
        if self.who is None:
            raise Refused(1, _UNBOUND)
        return self.who

    def _entries(self, request: Request, found: Found, nodes: Sequence[Node], struck: Struck) -> bytes:
        shape = found.shape
        if "drop_field" in struck:
            dropped = self.directory.schema.known(str(struck["drop_field"].value))
            shape = replace(shape, hidden=shape.hidden | {dropped})
        if "hide_rows" in struck:
            nodes = nodes[: max(0, len(nodes) - int(struck["hide_rows"].value or 1))]
        graves = ldap_messages.SHOW_DELETED in request.controls or ldap_messages.SHOW_RECYCLED in request.controls
        shown = (node for node in nodes if graves or not node.deleted)
        return ber.messages(request.number, [ldap_shape.encoded(self.directory, node, shape) for node in shown])


def line(request: Request) -> str:
    """A request as the log and the script of faults name it."""
    if request.operation == ldap_messages.SEARCH:
        asked = ldap_messages.search(request.content)
        return f"search {asked.base} {ldap_filter.parse(asked.filter)} {','.join(asked.attributes)}"
    if request.operation == ldap_messages.BIND:
        return f"bind {ldap_messages.text(ber.elements(request.content)[1])}"
    if request.operation == ldap_messages.EXTENDED:
        return f"extended {ldap_messages.text(ber.elements(request.content)[0])}"
    if request.operation == ldap_messages.DELETE:
        return f"delete {request.content.decode('utf-8', 'replace')}"
    return f"{_NAMES[request.operation]} {ldap_messages.text(ber.elements(request.content)[0])}"


def result(
    request: Request, code: int, message: str = "", matched: str = "", *, extra: bytes = b"", controls: bytes = b""
) -> bytes:
    """An LDAPResult for a request; with code 10, `matched` is where to ask instead."""
    referral = ber.constructed(0xA3, ber.octets(matched)) if code == 10 else b""
    inside = (ber.integer(code, ber.ENUMERATED), ber.octets("" if code == 10 else matched), ber.octets(message), referral, extra)
    operation = ber.constructed(ldap_messages.ANSWERS[request.operation], *inside)
    return ber.message(request.number, operation, ber.constructed(0xA0, controls) if controls else b"")


def _control(oid: str, value: bytes) -> bytes:
    return ber.constructed(ber.SEQUENCE, ber.octets(oid), ber.octets(value))


def _paged(cookie: bytes) -> bytes:
    return _control(PAGED, ber.constructed(ber.SEQUENCE, ber.integer(0), ber.octets(cookie)))


def _sorted(request: Request) -> bytes:
    return _control(SORTED, ber.constructed(ber.SEQUENCE, ber.integer(0, ber.ENUMERATED))) if SORT in request.controls else b""


def _references(request: Request, found: Found) -> bytes:
    """Where the rest of the forest is; not followed by who knows better."""
    made = (ber.constructed(ldap_messages.REFERENCE, ber.octets(url)) for url in found.references)
    return ber.messages(request.number, made)


def _mangled(answer: Answer, struck: Struck) -> Answer:
    """What the network makes of an answer, after the work was done."""
    if "garbage" in struck:
        return Answer(NOISE, close=True)
    if "cut" in struck:
        return replace(answer, close=True, only=int(struck["cut"].value or 0))
    return answer
