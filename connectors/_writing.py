"""How every writer goes about a change: look, compare, send once, and when the system declines, look again before saying so."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.writer import Change, Changed, Refused, SourceError

MOMENT = 2.0  # seconds for which a look is good enough to write on
LOOKS = 3
AT_HAND = 1.0  # seconds until a server on this machine shows what it has taken
_WITHOUT_BEFORE = ("sessions",)  # there is nothing that `before` could be compared with


def path(*parts: str | None) -> str:
    """A path of which no part is missing: with an empty id, an address would mean the thing above it. Raises Changed."""
    if not all(parts):
        raise Changed(None, f"an id is missing in {'/'.join(part or '…' for part in parts)}; nothing was sent")
    return "/".join(quote(part or "", safe="$") for part in parts)


def nothing() -> None:
    """Where there is nothing to send."""


@dataclass(frozen=True)
class Seen:
    """What was found, in the terms of a change, and how to make the change to exactly that.

    `barred` is why it may not be made; `hint` is what to do when the system declines it.
    """

    found: Any
    send: Callable[[], object] = nothing
    barred: str = ""
    hint: str = ""


class Declined(Exception):
    """The system said no, in its own words, and changed nothing; `overtaken` when only because something else has changed."""

    def __init__(self, words: str, overtaken: bool = False) -> None:
        self.overtaken = overtaken
        super().__init__(words)


class Careful(ABC):
    """`state` and `write` of a Writer, on one `look` for every kind of change."""

    _last: tuple[Change, Seen, float] | None = None

    @abstractmethod
    def look(self, change: Change) -> Seen:
        """Raises Changed when the object is not there, SourceError when it cannot be read.

        What it gives to be sent raises Declined, or Unknown when the answer is lost.
        """

    def state(self, change: Change) -> Any:
        self._last = None
        seen = self.look(change)
        self._last = (change, seen, time.monotonic())
        return seen.found

    def write(self, change: Change) -> None:
        """As reconciler.writer says."""
        words, overtaken = "nothing was sent, since the object could not be read", False
        for attempt in range(LOOKS):
            seen = self._expected(change, words)
            if seen is None:
                return
            if attempt and not overtaken:
                raise Refused(words)
            try:
                seen.send()
            except Declined as problem:
                overtaken, words = problem.overtaken, f"{problem}; {seen.hint}" if seen.hint else str(problem)
            else:
                return
        raise Refused(words)

    def _expected(self, change: Change, otherwise: str) -> Seen | None:
        """The object as the change expects it; None when nothing is left to do.

        Raises Changed when it is another, Refused when it may not be changed, or cannot be read.
        """
        try:
            seen = self._fresh(change) or self.look(change)
        except SourceError as problem:
            raise Refused(f"{otherwise}: {problem}") from None
        if seen.found == change.after and change.kind == "entitlement":
            return None
        if seen.found != change.before and change.kind not in _WITHOUT_BEFORE:
            raise Changed(seen.found)
        if seen.barred:
            raise Refused(seen.barred)
        return seen

    def _fresh(self, change: Change) -> Seen | None:
        """What `state` saw a moment ago; it serves once."""
        (asked, seen, at), self._last = self._last or (None, None, 0.0), None
        return seen if asked == change and time.monotonic() - at < MOMENT else None
