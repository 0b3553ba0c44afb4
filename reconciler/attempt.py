"""One change: look, note the intent on disk, write, look again, note the outcome; a lost answer is settled by looking."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import SourceError
from reconciler.journal import Entry
from reconciler.sealed import Action
from reconciler.writer import Change, Changed, Refused, Unknown, Writer

TRIES = 3  # sends of one change whose answer is lost and that had no effect
_FIRST_LOOK, _LONGEST_LOOK = 0.05, 5.0  # seconds between two reads of what has not settled


@dataclass(frozen=True)
class Result:
    """What became of an action. `ours`: it was this tool that declined, not the system."""

    n: int
    outcome: str  # done, already, stale, refused, failed, unknown
    read_back: Any = None
    detail: str = ""
    ours: bool = False
    account: str | None = None

    @property
    def made(self) -> bool:
        return self.outcome in ("done", "already")

    @property
    def counted(self) -> str:
        """Where a summary counts it."""
        if self.outcome in ("stale", "refused"):
            return "skipped" if self.outcome == "stale" or self.ours else "failed"
        return {"done": "applied"}.get(self.outcome, self.outcome)

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "outcome": self.outcome, "read_back": self.read_back, "detail": self.detail}


@dataclass(frozen=True)
class Sent:
    """A change that was sent and does not show yet; `answered`: the system said that it was made."""

    action: Action
    change: Change
    prior: Any
    answered: bool
    at: float
    tries: int = 1


@dataclass
class Pace:
    """No more than so many sends in any minute."""

    per_minute: int
    pause: Callable[[float], object] = time.sleep
    _sent: deque[float] = field(default_factory=deque)

    def take(self) -> None:
        """Wait until one more may be sent."""
        while len(self._sent) >= self.per_minute and (rest := self._sent[0] + 60 - time.monotonic()) > 0:
            self.pause(rest)
        self._sent.append(time.monotonic())
        while len(self._sent) > self.per_minute:
            self._sent.popleft()


@dataclass
class Stop:
    """Why nothing more is to be sent; set once by whoever sees it first, heeded before every intent."""

    look: Callable[[], str | None] = lambda: None  # the kill switch, asked before every send
    reason: str | None = None
    interrupted: threading.Event = field(default_factory=threading.Event)

    def now(self) -> str | None:
        if self.reason is None:
            self.reason = "interrupted by a signal" if self.interrupted.is_set() else self.look()
        return self.reason


@dataclass
class Lane:
    """One system: its writer, the pace of writing to it, and the journal everything passes through. One thread at a time."""

    plan: str
    source: str
    writer: Writer
    note: Callable[..., Entry]  # appends to the journal
    pace: Pace
    stop: Stop
    objection: Callable[[Action], str | None] = lambda action: None  # who is out of bounds at this very moment

    def intend(self, action: Action, change: Change, prior: Any, tries: int) -> None:
        person = action.person["id"] if action.person else None
        self.note(
            "intent", plan=self.plan, n=action.n, source=self.source, account=change.account, change=change.kind, target=change.target,
            before=change.before, after=change.after, key=change.key, prior=prior, limit=action.limit, person=person,
            findings=list(action.findings), send=tries,
        )  # fmt: skip

    def end(self, action: Action, outcome: str, found: Any, detail: str = "", ours: bool = False) -> Result:
        """Note an outcome; only then is it told."""
        account = found if action.kind == "create" and outcome in ("done", "already") else action.account["id"]
        person = action.person["id"] if action.person else None
        self.note(
            "outcome", plan=self.plan, n=action.n, source=self.source, account=account, change=action.kind, target=action.target, limit=action.limit,
            outcome=outcome, read_back=found, detail=detail, settles=self.writer.settles, person=person,
            findings=list(action.findings),
        )  # fmt: skip
        return Result(action.n, outcome, found, detail, ours, account)


def attempt(action: Action, lane: Lane) -> Result | Sent:
    """Make a change if the object still is as the plan saw it. Raises ReconcilerError when the journal cannot be written."""
    change = action.change(lane.plan)
    lane.pace.take()
    try:
        found = lane.writer.state(change)
    except Changed as problem:
        return lane.end(action, "stale", problem.found, str(problem))
    except SourceError as problem:
        return lane.end(action, "failed", None, f"{lane.source} could not be read: {problem}")
    if is_so(change, found):
        return lane.end(action, "already", found)
    if not as_planned(change, found):
        return lane.end(action, "stale", found, f"the plan saw {change.before!r}, now it is {found!r}")
    if (reason := lane.stop.now() or lane.objection(action)) is not None:
        return Result(action.n, "refused", None, f"not sent: {reason}", ours=True)
    return send(action, change, found, lane)


def send(action: Action, change: Change, prior: Any, lane: Lane, tries: int = 1) -> Result | Sent:
    """Note the intent, send, look once."""
    lane.intend(action, change, prior, tries)
    try:
        lane.writer.write(change)
        answered = True
    except Changed as problem:
        if tries > 1 and shown(change, problem.found, prior):
            return lane.end(action, "done", problem.found, "the answer was lost; the first send had made it")
        return lane.end(action, "stale", problem.found, str(problem))
    except Refused as problem:
        return lane.end(action, "refused", None, str(problem))
    except (Unknown, SourceError):
        answered = False
    return look(Sent(action, change, prior, answered, time.monotonic(), tries), lane)


def look(sent: Sent, lane: Lane) -> Result | Sent:
    """The outcome, if the system shows it by now."""
    try:
        found = lane.writer.state(sent.change)
    except Changed as problem:
        return _other(sent, problem.found, str(problem), lane)
    except SourceError:
        return sent
    shows = shown(sent.change, found, sent.prior)
    if shows or (shows is None and sent.answered):
        return lane.end(sent.action, "done", found, "" if sent.answered else "the answer was lost; read back")
    if shows is False and not as_planned(sent.change, found):
        return _other(sent, found, f"after the write it is {found!r}", lane)
    return sent


def _other(sent: Sent, found: Any, words: str, lane: Lane) -> Result:
    """Neither before nor after: somebody else was there."""
    if sent.answered:
        return lane.end(sent.action, "unknown", found, f"the write was answered, and then changed by somebody else: {words}")
    return lane.end(sent.action, "stale", found, words)


def settle(sent: Sent, lane: Lane) -> Result:
    """Look until the change shows, or its system's time to show it is over; what had no effect is sent again."""
    state: Result | Sent = sent
    nap = _FIRST_LOOK
    while isinstance(state, Sent):
        if time.monotonic() - state.at < lane.writer.settles and not lane.stop.interrupted.is_set():
            lane.pace.pause(min(nap, max(0.0, state.at + lane.writer.settles - time.monotonic())))
            nap = min(nap * 2, _LONGEST_LOOK)
            state = look(state, lane)
        else:
            state = _late(state, lane)
    return state


def _late(sent: Sent, lane: Lane) -> Result | Sent:
    last = look(sent, lane)
    if isinstance(last, Result):
        return last
    if sent.answered:
        return lane.end(sent.action, "unknown", None, f"answered, and not to be seen after {lane.writer.settles:g} s")
    if not _no_effect(sent, lane) or sent.tries >= TRIES or lane.stop.now() is not None:
        return lane.end(sent.action, "unknown", None, "the answer was lost, and reading back does not show the change")
    lane.pace.take()
    return send(sent.action, sent.change, sent.prior, lane, sent.tries + 1)


def _no_effect(sent: Sent, lane: Lane) -> bool:
    """Whether reading tells for sure that a change whose answer was lost was not made."""
    try:
        return as_planned(sent.change, lane.writer.state(sent.change))
    except (Changed, SourceError):
        return False


# --- what a state says ----------------------------------------------------------------------------------------------


def is_so(change: Change, found: Any) -> bool:
    """Nothing is left to do."""
    if change.kind == "sessions":
        return found == 0 and not isinstance(found, bool)
    return shown(change, found, None) is True


def as_planned(change: Change, found: Any) -> bool:
    """The object is as the plan saw it."""
    if change.kind == "sessions":
        return True
    return found is None if change.kind in ("create", "transfer") else _same(found, change.before)


def shown(change: Change, found: Any, prior: Any) -> bool | None:
    """The change shows; None where the system does not tell. `prior` is what was read before it was sent."""
    if change.kind == "create":
        return found is not None
    if change.kind == "transfer":
        return found in ("requested", "transferred")
    if change.kind == "sessions":
        return None if found is None else found != prior or found == 0
    return _same(found, change.after)


def _same(found: Any, wanted: Any) -> bool:
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
