"""The sentence every night, for a machine without cron; the only user of APScheduler.

APScheduler keeps time, waits and runs one night at a time; when a night is due is cron's question, answered by
`reconciler.cron`, because APScheduler's own parser counts Monday as day 0 (cron's 0 and 7 are Sunday).
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from reconciler.cron import Cron, next_after, parse
from reconciler.errors import ReconcilerError
from reconciler.memory import give_back
from reconciler.model import instant_text

_STOP = (signal.SIGTERM, signal.SIGINT)


class Nightly(BaseTrigger):  # type: ignore[misc] # APScheduler 3 has no types
    """Due when cron says so; at once when a night was missed, and then once, however many were."""

    def __init__(self, cron: Cron, zone: str, last: datetime | None) -> None:
        self._cron, self._zone, self._last = cron, zone, last

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next due instant, never before `now`; a last run dated in the future (--as-of) counts as now."""
        since = min(previous or self._last or now, now)
        return max(next_after(self._cron, since, self._zone), now)


def serve(cron: str, zone: str, night: Callable[[datetime], int], last: datetime | None, say: Callable[[str], None]) -> int:
    """Run nights in the foreground until SIGTERM (returns 0) or SIGINT (returns 130); a night in progress is finished first.

    `night` takes the instant and returns its exit code; `last` is when the last night began. Call it in the main thread.
    """
    with _signals() as stopped:
        scheduler = _scheduler(Nightly(parse(cron), zone, last), night, say)
        scheduler.start()
        stopped_by = stopped()
    say("stopping, after the night in progress if there is one; a second signal ends that too")
    scheduler.shutdown(wait=True)
    return 130 if stopped_by == signal.SIGINT else 0


@contextmanager
def _signals() -> Iterator[Callable[[], int]]:
    """A wait for SIGTERM or SIGINT, whichever thread the system gives it to: libraries start threads as they are imported."""
    told, tells = socket.socketpair()
    tells.setblocking(False)
    for number in _STOP:
        signal.signal(number, lambda number, frame: None)
    signal.set_wakeup_fd(tells.fileno())
    try:
        yield lambda: told.recv(1)[0]
    finally:
        signal.set_wakeup_fd(-1)
        for number in _STOP:
            signal.signal(number, signal.SIG_DFL)
        told.close()
        tells.close()


def _scheduler(trigger: Nightly, night: Callable[[datetime], int], say: Callable[[str], None]) -> BackgroundScheduler:
    def tell_next() -> None:
        now = datetime.now(UTC)
        say(f"next night: {instant_text(trigger.get_next_fire_time(now, now))}")

    def once() -> None:
        try:
            say(f"night ended with exit {night(datetime.now(UTC))}")
        except ReconcilerError as problem:
            say(f"night failed with exit {problem.exit_code}: {problem}")
        finally:
            give_back()
            tell_next()

    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(once, trigger, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.add_job(_look_at_the_clock, "interval", minutes=1)
    now = datetime.now(UTC)
    say(f"next night: {instant_text(trigger.get_next_fire_time(None, now))}")
    return scheduler


def _look_at_the_clock() -> None:
    """Nothing: it wakes the scheduler, whose long wait would sleep on while the machine does, or while its clock is set."""
