"""The sentence every night, for a machine without cron; the only user of APScheduler.

APScheduler keeps time, waits and runs one night at a time; when a night is due is cron's question, answered by
`reconciler.cron`, because APScheduler's own parser counts Monday as day 0 (cron's 0 and 7 are Sunday).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from reconciler.cron import Cron, next_after, parse
from reconciler.errors import ReconcilerError
from reconciler.model import instant_text


class Nightly(BaseTrigger):  # type: ignore[misc] # APScheduler 3 has no types
    """Due when cron says so; the first time at once when a night was missed."""

    def __init__(self, cron: Cron, zone: str, last: datetime | None) -> None:
        self._cron, self._zone, self._last = cron, zone, last

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next due instant; one that lies in the past is a missed night, caught up with once."""
        since = previous or self._last or now
        return max(next_after(self._cron, since, self._zone), now) if since < now else next_after(self._cron, since, self._zone)


def serve(cron: str, zone: str, night: Callable[[datetime], int], last: datetime | None, say: Callable[[str], None]) -> int:
    """Run nights in the foreground until SIGTERM or SIGINT, which let a night in progress finish; returns the exit code."""
    trigger = Nightly(parse(cron), zone, last)
    scheduler = BlockingScheduler(timezone=UTC)
    stopped: list[int] = []

    def once() -> None:
        try:
            say(f"night ended with exit {night(datetime.now(UTC))}")
        except ReconcilerError as problem:
            say(f"night failed with exit {problem.exit_code}: {problem}")
        say(f"next night: {instant_text(next_after(parse(cron), datetime.now(UTC), zone))}")

    def stop(number: int, _frame: Any) -> None:
        stopped.append(number)
        scheduler.shutdown(wait=False)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    scheduler.add_job(once, trigger, max_instances=1, coalesce=True, misfire_grace_time=None)
    say(f"next night: {instant_text(trigger.get_next_fire_time(None, datetime.now(UTC)))}")
    scheduler.start()
    return 130 if signal.SIGINT in stopped else 0
