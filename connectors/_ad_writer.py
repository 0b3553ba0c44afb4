"""Changes in Active Directory: each to the object of a GUID, each only if the object still is as the plan says.

A change of a value deletes the old one and adds the new one in one operation: the server refuses it when the old one has
gone. What is not named stays: other bits of userAccountControl, other members, other values.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors._ad_domain import domain_of
from connectors._ad_looking import Looking
from connectors._ad_values import guid, sid
from connectors._ldap import Directory, Search, connect, reach
from connectors._ldap import Refused as SearchRefused
from connectors._ldap_bind import Login
from connectors._writing import AT_HAND, Careful, Declined, Seen
from reconciler.connector import Incomplete
from reconciler.writer import Change, Context, SourceError, Unknown

log = logging.getLogger(__name__)

WRITES = frozenset({"enabled", "entitlement", "attribute", "container", "create", "delete", "owner"})
BUSY = (51, 52)
OVERTAKEN = 16  # the old value has gone; when it is not what the change is about, the change is made to what is there now
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between attempts at a busy server; the last again and again
REPLICATION = 20.0  # seconds until every domain controller of a site has heard of a change (15 by default, and some)
# What an administrator can do about a result code (RFC 4511, appendix A; MS-ADTS 3.1.1.5).
_HINTS = {
    10: "this server may not write, it is read-only: name a writable domain controller first in urls",
    19: "the domain does not allow this value, or another object has it",
    32: "what the change names is not there",
    50: "grant the writer this right on the object; accounts of administrators do not inherit it (AdminSDHolder)",
    53: "the server is unwilling to do this",
    66: "there are objects below it; remove them first",
    68: "another object has this name or login already",
}


T = TypeVar("T")


@dataclass
class AdWriter(Careful):
    """One connection to one domain controller: what it wrote it reads back there, however late others hear of it."""

    urls: Sequence[str]
    login: Login
    bases: Sequence[str]
    employee_id: str  # the attribute that holds HR's number
    context: Context
    settles: float = AT_HAND
    _directory: Directory | None = field(default=None, repr=False)
    _pinned: str = ""
    _sids: dict[str, str] = field(default_factory=dict, repr=False)  # of groups; a SID is for ever

    def open(self) -> AdWriter:
        """Connect to the first server that answers; raises AccessRefused or Incomplete."""
        self._directory = reach(self.urls, self.login, self._deadline())
        self._pinned = self._directory.url
        domain_of(self._directory)
        return self

    def identity(self) -> str:
        return self._reading(lambda directory: domain_of(directory).sid)

    def own(self) -> Sequence[str]:
        """The account of this connection, by GUID and SID: the one account whose SID its own token holds."""
        return self._reading(_own)

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    # --- one request ------------------------------------------------------------------------------------------------

    def look(self, change: Change) -> Seen:
        if change.kind not in WRITES:
            return Seen(change.before, barred=f"Active Directory knows no change of {change.kind}")
        about = (self.bases, self.employee_id, self.context.now, self._sids, self._send)
        return self._reading(lambda directory: Looking(directory, *about).at(change))

    def _send(self, ask: Callable[[Any], object]) -> None:
        """One change, again while the server is busy; raises Declined, or Unknown when no answer came."""
        left, waits = self.context.deadline_seconds, list(WAITS)
        while True:
            try:
                code, words = self._connected().change(ask)
            except SourceError as problem:
                self._drop()
                raise Unknown(str(problem)) from None
            if code == 0:
                return
            if code not in BUSY or left <= 0:
                raise Declined(f"{words}; {_HINTS[code]}" if code in _HINTS else words, code == OVERTAKEN)
            self.context.wait(waits[0])
            left, waits = left - waits[0], waits[1:] or waits

    def _reading(self, ask: Callable[[Directory], T]) -> T:
        """Ask; again while the server is busy, and once more on a fresh connection when this one broke. Raises SourceError."""
        fresh = False
        for seconds in WAITS:
            try:
                return ask(self._connected())
            except SearchRefused as problem:
                if problem.code not in BUSY:
                    raise
                self.context.wait(seconds)
            except Incomplete as problem:
                if fresh:
                    raise
                log.info("%s; asking once more on a fresh connection", problem)
                fresh = True
                self._drop()
        return ask(self._connected())

    def _connected(self) -> Directory:
        """The connection, made anew to the same server when it broke: another might not have heard of the last change."""
        if self._directory is None:
            self._directory = connect(self._pinned, self.login, self._deadline())
            domain_of(self._directory)
        self._directory.deadline = self._deadline()
        return self._directory

    def _drop(self) -> None:
        with suppress(OSError):
            self.close()

    def _deadline(self) -> float:
        return time.monotonic() + self.context.deadline_seconds


def _own(directory: Directory) -> list[str]:
    held = [sid(raw) for raw in directory.one("", ("tokenGroups",)).get("tokenGroups", ())]
    if not held:
        raise Incomplete(f"{directory.url}: the server does not tell as whom it takes the writer")
    anyone = "".join(f"(objectSid={one})" for one in held)
    search = Search(domain_of(directory).base, f"(&(objectClass=user)(|{anyone}))", ("objectGUID", "objectSid"))
    found = [entry for entries in directory.pages(search) for _, entry in entries]
    return [name for entry in found for name in (guid(entry["objectGUID"][0]), sid(entry["objectSid"][0]))] or held
