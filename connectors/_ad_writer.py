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
from connectors._ad_looking import Looking, Seen
from connectors._ad_values import guid, sid
from connectors._ldap import Directory, Search, connect, reach
from connectors._ldap import Refused as Declined
from connectors._ldap_bind import Login
from reconciler.connector import Incomplete
from reconciler.writer import AccessRefused, Change, Changed, Context, Refused, SourceError, Unknown

log = logging.getLogger(__name__)

WRITES = frozenset({"enabled", "entitlement", "attribute", "container", "create", "delete", "owner"})
BUSY = (51, 52)
OVERTAKEN = 16  # the old value has gone; when it is not what the change is about, the change is made to what is there now
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between attempts at a busy server; the last again and again
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
_PLAIN = (10, 50, 66)  # they mean the same whatever was asked

MOMENT = 2.0  # seconds for which a look is good enough to write on

T = TypeVar("T")


@dataclass
class AdWriter:
    """One connection to one domain controller: what it wrote it reads back there, however late others hear of it."""

    urls: Sequence[str]
    login: Login
    bases: Sequence[str]
    employee_id: str  # the attribute that holds HR's number
    context: Context
    settles: float = 10.0
    _directory: Directory | None = field(default=None, repr=False)
    _pinned: str = ""
    _sids: dict[str, str] = field(default_factory=dict, repr=False)  # of groups; a SID is for ever
    _last: tuple[Change, Seen, float] | None = field(default=None, repr=False)

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

    def state(self, change: Change) -> Any:
        seen = self._look(change)
        self._last = (change, seen, time.monotonic())
        return seen.found

    def write(self, change: Change) -> None:
        if change.kind not in WRITES:
            raise Refused(f"Active Directory knows no change of {change.kind}")
        left, waits, looks = self.context.deadline_seconds, list(WAITS), 3
        code, words = 0, "nothing was sent, since the object could not be read"
        while (seen := self._expected(change, words)) is not None:
            if code and not (code in BUSY and left > 0) and not (code == OVERTAKEN and looks):
                raise Refused(_refusal(code, words, seen.hint))
            if code in BUSY:
                self.context.wait(waits[0])
                left -= waits[0]
                waits = waits[1:] or waits
            looks -= code == OVERTAKEN
            code, words = self._send(seen.send)
            if code == 0:
                return

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    # --- one request ------------------------------------------------------------------------------------------------

    def _expected(self, change: Change, otherwise: str) -> Seen | None:
        """The object as the change expects it, just read; None when nothing is left to do.

        Raises Changed when it is another, Refused when it may not be changed, or cannot be read.
        """
        try:
            seen = self._fresh(change) or self._look(change)
        except SourceError as problem:
            raise Refused(f"{otherwise}: {problem}") from None
        if seen.found == change.after and change.kind == "entitlement":
            return None
        if seen.found != change.before:
            raise Changed(seen.found)
        if seen.barred:
            raise Refused(seen.barred)
        return seen

    def _fresh(self, change: Change) -> Seen | None:
        """What `state` saw a moment ago, once: the server itself refuses to delete a value that has gone since."""
        (asked, seen, at), self._last = self._last or (None, None, 0.0), None
        return seen if asked == change and time.monotonic() - at < MOMENT else None

    def _look(self, change: Change) -> Seen:
        about = (self.bases, self.employee_id, self.context.now, self._sids)
        return self._reading(lambda directory: Looking(directory, *about).at(change))

    def _send(self, ask: Callable[[Any], object]) -> tuple[int, str]:
        try:
            return self._connected().change(ask)
        except Incomplete as problem:
            self._drop()
            raise Unknown(str(problem)) from None

    def _reading(self, ask: Callable[[Directory], T]) -> T:
        """Ask, and once more on a fresh connection when this one broke; raises SourceError."""
        try:
            return ask(self._connected())
        except (Declined, AccessRefused):
            raise
        except Incomplete as problem:
            log.info("%s; asking once more on a fresh connection", problem)
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


def _refusal(code: int, words: str, hint: str) -> str:
    """What the server said, and what to do about it."""
    told = _HINTS.get(code, "") if code in _PLAIN or not hint else hint
    return f"{words}; {told}" if told else words


def _own(directory: Directory) -> list[str]:
    held = [sid(raw) for raw in directory.one("", ("tokenGroups",)).get("tokenGroups", ())]
    if not held:
        raise Incomplete(f"{directory.url}: the server does not tell as whom it takes the writer")
    anyone = "".join(f"(objectSid={one})" for one in held)
    search = Search(domain_of(directory).base, f"(&(objectClass=user)(|{anyone}))", ("objectGUID", "objectSid"))
    found = [entry for entries in directory.pages(search) for _, entry in entries]
    return [name for entry in found for name in (guid(entry["objectGUID"][0]), sid(entry["objectSid"][0]))] or held
