"""Break the embedded company on purpose: one script of faults for all of its servers."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "status",  # answer this code instead: an HTTP status, or an LDAP result code; `body` may replace the error text
    "delay",  # wait `value` seconds before answering
    "cut",  # send the first `value` bytes of the answer and never the last one, then close the connection; the effect has happened
    "repeat_token",  # page on with the token or cookie of the page before
    "empty_page",  # no rows on this page, the chain goes on
    "short_pages",  # at most `value` rows a page, as servers may give
    "drop_field",  # leave the field or attribute named `value` out of every row
    "hide_rows",  # leave the last `value` rows out, as a lost permission does
    "expired_token",  # the page token has expired: HTTP 400/410, LDAP unwillingToPerform
    "garbage",  # an answer that is not the protocol: HTML instead of JSON, noise instead of BER
    "spoil",  # HTTP: the body lies or is spoilt, as `value` says (http_spoilt.LIES and TEXTS)
    "wire",  # HTTP: the message is not what it says, as `value` says (http_spoilt.WIRES), and the connection ends
    "drip",  # HTTP: a few bytes at a time
    "stale",  # HTTP: the answer before this one to the same question, whatever its page
    "no_more",  # end the chain early: no next link, no page token, an empty cookie
]


@dataclass(frozen=True)
class Fault:
    """`do` something to the `at`-th request (from 1; 0 is every one) whose line matches the expression `on`.

    A line is "GET /v1.0/users?$top=999" for HTTP, "search DC=x (filter) attr,attr" or "bind CN=…" for LDAP.
    """

    on: str
    do: Kind
    at: int = 1
    value: Any = None
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Faults:
    """The script of one server, and the log of every request it saw; shared by its threads."""

    script: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    struck: int = 0  # faults that met their request
    unfit: int = 0  # of those, the ones that could not be done to the answer there was
    _seen: dict[int, int] = field(default_factory=dict)  # a fault's place in the script -> requests it has matched
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def meet(self, line: str) -> list[Fault]:
        """Log a request and return the faults that strike it, in script order."""
        with self._lock:
            self.requests.append(line)
            return [fault for place, fault in enumerate(self.script) if re.search(fault.on, line) and self._strikes(place, fault)]

    def _strikes(self, place: int, fault: Fault) -> bool:
        self._seen[place] = self._seen.get(place, 0) + 1
        strikes = fault.at in (0, self._seen[place])
        self.struck += strikes and fault.do != "short_pages"
        return strikes

    def reset(self, *script: Fault) -> None:
        """Start over with another script and an empty log."""
        with self._lock:
            self.script[:], self.requests[:] = script, []
            self._seen.clear()
            self.struck = self.unfit = 0
