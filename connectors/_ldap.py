"""LDAP reading that is whole or an error: own pages, own ranges, every result code looked at.

ldap3 connects, binds and encodes requests. Search entries, 98 % of the bytes, are decoded by `_ldap_wire`: ldap3's own
decoding costs ten times as much, and its paged search takes a failed page for the last one.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.core.results import RESULT_CODES
from ldap3.operation.search import search_operation
from ldap3.protocol.rfc2696 import paged_search_control

from connectors._ldap_bind import Login, close
from connectors._ldap_bind import connect as bound
from connectors._ldap_ending import Result, ending
from connectors._ldap_wire import ENTRY, Attributes, Entries, Entry, messages
from reconciler.connector import AccessRefused, Incomplete

log = logging.getLogger(__name__)

PAGE_SIZE = 1000  # MaxPageSize of Active Directory; a server may give less
ANSWER_SECONDS = 130.0  # a query may take a domain controller 120 s (MaxQueryDuration)
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
MOST_EMPTY = 100  # pages without an entry, one after the other
NO_SUCH_OBJECT, NO_RIGHT = 32, 50


@dataclass(frozen=True)
class Search:
    """One question: what below which base (or the base itself), with which attributes."""

    base: str
    expression: str
    attributes: Sequence[str] = ("1.1",)  # "1.1" asks for names only
    controls: Sequence[Any] = ()
    below: bool = True

    def __str__(self) -> str:
        return f"{self.expression} below {self.base}" if self.below else self.base or "the server itself"


class Refused(Incomplete):
    """A search that did not end in success; `code` is the server's result code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class _Answer:
    """One whole answer that ended in success."""

    result: Result
    entries: Entries


@dataclass
class Directory:
    """One bound connection to one server. One search at a time: a server forgets old cookies when others are opened."""

    _connection: Any = field(repr=False)
    url: str
    deadline: float  # of time.monotonic()
    page_size: int = PAGE_SIZE
    partitions: frozenset[str] = frozenset()  # DNs, in lower case, of which others hold the entries
    _waits: float = 0.0  # seconds the socket waits for an answer

    def pages(self, search: Search) -> Iterator[Entries]:
        """All entries, page by page, to the proper end. Raises Incomplete on any result but success, on any page.

        A page is never asked for again: a cookie is a handle, and the same one gives the page after it. The next page is
        asked for before this one is decoded, so that server and reader work at the same time; until the last page nothing
        else may be asked on this connection.
        """
        first, empty = "", 0
        answer = self._ask(search, self._paging(search, b""))
        while True:
            cookie = answer.result.cookie
            if cookie is None:
                raise Incomplete(
                    f"{self.url}: {search}: an answer lacks the paging control, so there may be more; nothing of it is used"
                )
            number = self._send(search, self._paging(search, cookie)) if cookie else 0
            entries = answer.entries
            begins, empty = (next(iter(entries))[0], 0) if entries else (first, empty + 1)
            if empty > MOST_EMPTY or (entries and begins == first):
                raise Incomplete(
                    f"{self.url}: {search}: the pages go round in circles at {begins or 'nothing'}; nothing of it is used"
                )
            first = begins
            yield entries
            if not cookie:
                return
            answer = self._take(search, number)

    def _paging(self, search: Search, cookie: bytes) -> list[Any]:
        return [*search.controls, paged_search_control(True, self.page_size, cookie)]

    def count(self, search: Search) -> int:
        """How many entries a search has, by a search of its own that asks for names only."""
        return sum(len(entries) for entries in self.pages(Search(search.base, search.expression, ("1.1",), search.controls)))

    def one(self, dn: str, attributes: Sequence[str] = ("1.1",)) -> Attributes:
        """The attributes of one object, {} for those it has not; raises Incomplete when the object cannot be read."""
        return self.entry(dn, attributes)[1]

    def entry(self, dn: str, attributes: Sequence[str], controls: Sequence[Any] = ()) -> Entry:
        """One object, its name as the directory spells it first; raises Incomplete as `one` does."""
        search = Search(dn, "(objectClass=*)", attributes, controls, below=False)
        entries = list(self._ask(search, controls).entries)
        if len(entries) != 1:
            raise Refused(f"{self.url}: {search} may not be read; check `bases`, and grant the reader Read on it", NO_SUCH_OBJECT)
        return entries[0]

    def some(self, search: Search, most: int) -> list[Entry]:
        """A few of the entries of a search, to look at what is usual; never to conclude what there is."""
        return list(self._ask(search, [*search.controls, paged_search_control(True, most, b"")]).entries)

    @property
    def socket(self) -> Any:
        return self._connection.socket

    def holds(self, dn: str, expression: str) -> bool:
        """Whether one object is as an expression says; raises Incomplete when there is no such object."""
        return bool(self._ask(Search(dn, expression, below=False), []).entries)

    def change(self, ask: Callable[[Any], object]) -> tuple[int, str]:
        """One change, asked for on ldap3's connection: the result code, and the server's own words.

        Raises Incomplete when no answer came that can be understood: the change is made or not, nobody knows.
        """
        with self._unbroken("a change"):
            self._patience()
            try:
                ask(self._connection)
            except (LookupError, ValueError, TypeError) as problem:  # ldap3 decoding what is no LDAP
                raise Incomplete(f"{self.url}: the answer to a change cannot be read: {problem}") from None
        told = self._connection.result
        return int(told["result"]), f"{told['result']} {told['description']} {(told['message'] or '').strip()[:200]}".strip()

    def values(self, dn: str, attribute: str, entry: Attributes) -> list[bytes]:
        """All values of an attribute that comes in ranges of 1,500 (MaxValRange); `entry` is the first answer, with uSNChanged.

        Raises Incomplete on any gap, or when the object changes meanwhile.
        """
        values = list(entry.get(attribute, ()))
        part = _range(attribute, entry)
        while part is not None:
            first, last, more = part
            if first != len(values) or (last is not None and len(more) != last - first + 1):
                raise Incomplete(
                    f"{self.url}: {attribute} of {dn}: {len(more)} values from {first} where those from {len(values)} belong"
                )
            values += more
            if last is None:
                return values
            answer = self.one(dn, (f"{attribute};range={last + 1}-*", "uSNChanged"))
            if answer.get("uSNChanged") != entry.get("uSNChanged"):
                raise Incomplete(f"{self.url}: {dn} changed while its {attribute} values were read")
            part = _range(attribute, answer)
            if part is None:
                raise Incomplete(f"{self.url}: {attribute} of {dn} stops after {len(values)} values without saying that it ends")
        return values

    def close(self) -> None:
        close(self._connection)

    # --- one request and its answer -------------------------------------------------------------------------------

    def _ask(self, search: Search, controls: Sequence[Any]) -> _Answer:
        """Send one request, take its whole answer; raises Incomplete on anything but success."""
        return self._take(search, self._send(search, controls))

    def _send(self, search: Search, controls: Sequence[Any]) -> int:
        """Send one request; returns its number."""
        below = ldap3.SUBTREE if search.below else ldap3.BASE
        request = search_operation(
            search.base, search.expression, below, ldap3.DEREF_NEVER, list(search.attributes), 0, 0, False, True, True, None, None, False
        )  # fmt: skip
        with self._unbroken(search):
            self._patience()
            number = self._connection.strategy.send("searchRequest", request, list(controls) or None)
            (self._connection.strategy._outstanding or {}).pop(number, None)
        return int(number)

    def _take(self, search: Search, number: int) -> _Answer:
        """Everything up to the end of the search, straight off the socket, not yet decoded."""
        data, places = bytearray(), []
        with self._unbroken(search):
            for begin, operation, stop in messages(data, number, lambda: self._more(data)):
                if data[operation] == ENTRY:
                    places.append((operation, stop))
                    continue
                end = ending(bytes(data[begin:stop]))
                if isinstance(end, Result):
                    break
                self._elsewhere(search, end)
        assert isinstance(end, Result)  # noqa: S101 - else there would be further messages
        if stop != len(data):
            raise Incomplete(f"{self.url}: {search}: the server went on after it said that it was done; nothing of it is used")
        self._succeeded(search, end)
        return _Answer(end, Entries(bytes(data), places))

    def _more(self, data: bytearray) -> None:
        self._patience()
        part = self._connection.socket.recv(1 << 18)
        if not part:
            raise Incomplete(f"{self.url}: the server closed the connection in the middle of an answer")
        data += part

    @contextmanager
    def _unbroken(self, search: Search | str) -> Iterator[None]:
        """What breaks on the way is Incomplete."""
        try:
            yield
        except TimeoutError:
            raise Incomplete(f"{self.url}: {search}: no answer in time; is the server overloaded?") from None
        except (LDAPException, OSError) as problem:
            raise Incomplete(f"{self.url}: {search}: the connection broke: {type(problem).__name__}: {problem}") from None

    def _patience(self) -> None:
        """Let the socket wait as long as a query may take, and never past the deadline of the run."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Incomplete(f"{self.url}: the read took longer than allowed; is the server overloaded?")
        waits = min(left, ANSWER_SECONDS)
        if waits != self._waits:  # a server may send every entry by itself, and this takes as long as to receive one
            self._connection.socket.settimeout(waits)
            self._waits = waits

    def _succeeded(self, search: Search, result: Result) -> None:
        if result.code == 0:
            return
        told = f"{result.code} {RESULT_CODES.get(result.code, 'a result code of its own')} {result.message.strip()[:200]}".strip()
        if result.referrals:
            fix = f"it is held by {result.referrals[0][:100]}; that is never followed: name that server in urls, or narrow bases"
        elif result.code in (NO_SUCH_OBJECT, NO_RIGHT):
            fix = "check `bases`, and grant the reader List Contents and Read All Properties there"
        else:
            fix = "the whole read is discarded"
        raise Refused(f"{self.url}: {search}: {told}; {fix}", result.code)

    def _elsewhere(self, search: Search, urls: Sequence[str]) -> None:
        """A reference below the asked base is fine when it names another partition, and never followed."""
        for url in urls:
            dn = unquote(urlsplit(url).path.lstrip("/"))
            if dn.lower() not in self.partitions:
                raise Incomplete(
                    f"{self.url}: {search}: the answer refers to {url[:150]}, which is no partition of this forest; "
                    "it is never followed: read that server by a connector of its own, and narrow bases"
                )
            log.debug("%s: %s is a partition of its own and not read here", self.url, dn)


def _range(attribute: str, entry: Mapping[str, list[bytes]]) -> tuple[int, int | None, list[bytes]] | None:
    """(first, last or None at the end, values) of a `member;range=0-1499`; None when there is none."""
    for name, values in entry.items():
        found = re.fullmatch(re.escape(attribute) + r";range=(\d+)-(\d+|\*)", name, re.IGNORECASE)
        if found:
            return int(found[1]), None if found[2] == "*" else int(found[2]), values
    return None


def connect(url: str, login: Login, deadline: float, page_size: int = PAGE_SIZE) -> Directory:
    """A directory ready to be read; raises AccessRefused or Incomplete as binding does."""
    connection = bound(url, login)
    return Directory(connection, url, deadline, page_size)


def reach(urls: Sequence[str], login: Login, deadline: float, page_size: int = PAGE_SIZE) -> Directory:
    """The first server that answers. A refused bind ends it: the next server would refuse the same secret."""
    tried = []
    for url in urls:
        try:
            return connect(url, login, deadline, page_size)
        except AccessRefused:
            raise
        except Incomplete as problem:
            tried.append(str(problem))
    raise Incomplete("; ".join(tried))
