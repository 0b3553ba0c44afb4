"""Nights in the foreground: a missed one is caught up with once, and a signal lets a night finish."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.cron import parse
from reconciler.schedule import Nightly

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday, at noon; nights are due at 02:05
TONIGHT = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param(None, TONIGHT, id="never run: wait for tonight"),
        pytest.param(hours_ago(9.9), TONIGHT, id="last night was run"),
        pytest.param(hours_ago(11), NOW, id="last night was missed: at once"),
        pytest.param(hours_ago(24 * 40), NOW, id="forty nights were missed: at once"),
        pytest.param(NOW + timedelta(days=900), TONIGHT, id="a last run dated in the future"),
    ],
)
def test_the_first_night(last: datetime | None, expected: datetime) -> None:
    assert Nightly(parse("5 2 * * *"), "UTC", last).get_next_fire_time(None, NOW) == expected


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        pytest.param(TONIGHT - timedelta(days=1), TONIGHT, id="after a night in time"),
        pytest.param(NOW, TONIGHT, id="after a night caught up with: not once more"),
        pytest.param(NOW - timedelta(days=3), NOW, id="after three days of sleep: at once"),
    ],
)
def test_the_next_night(previous: datetime, expected: datetime) -> None:
    assert Nightly(parse("5 2 * * *"), "UTC", NOW - timedelta(days=40)).get_next_fire_time(previous, NOW) == expected


SERVES = """
import sys, time
import numpy, pyarrow  # a night needs them, and they start threads
from datetime import UTC, datetime, timedelta
from reconciler.errors import Locked
from reconciler.schedule import serve

def say(text):
    print(text, flush=True)

def night(now):
    say("begun")
    time.sleep(float(sys.argv[2]))
    if sys.argv[3] == "locked":
        raise Locked("another run holds it")
    return 0

last = datetime.now(UTC) - timedelta(days=int(sys.argv[1])) if int(sys.argv[1]) else None
far = datetime.now(UTC) + timedelta(hours=12)
sys.exit(serve(f"{far.minute} {far.hour} * * *", "UTC", night, last, say))
"""


@contextmanager
def serving(missed_days: int, seconds: float = 0, ends: str = "well") -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", SERVES, str(missed_days), str(seconds), ends]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as child:
        try:
            yield child
        finally:
            child.kill()


def lines_until(child: subprocess.Popen[str], beginning: str) -> list[str]:
    assert child.stdout
    lines = []
    for line in child.stdout:
        lines.append(line.strip())
        if line.startswith(beginning):
            return lines
    raise AssertionError(f"no line begins with {beginning}: {lines}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_the_night_finish(number: signal.Signals, code: int) -> None:
    with serving(3, seconds=0.5) as child:
        lines_until(child, "begun")
        child.send_signal(number)
        lines = lines_until(child, "night ended")
        assert child.wait(10) == code
    assert lines[0].startswith("stopping")


def test_a_second_signal_ends_the_night_too() -> None:
    with serving(3, seconds=60) as child:
        lines_until(child, "begun")
        child.send_signal(signal.SIGINT)
        lines_until(child, "stopping")
        child.send_signal(signal.SIGINT)
        assert child.wait(10) in (130, -signal.SIGINT)


def test_a_missed_night_is_caught_up_with_once() -> None:
    with serving(9) as child:
        lines = lines_until(child, "night ended")
        lines += lines_until(child, "next night")
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.send_signal(signal.SIGTERM)
        assert child.stdout
        rest = child.stdout.read()
    assert (lines.count("begun"), "begun" in rest) == (1, False)


def test_nothing_runs_before_it_is_due() -> None:
    with serving(0) as child:
        lines_until(child, "next night")
        child.send_signal(signal.SIGTERM)
        assert child.stdout
        assert "begun" not in child.stdout.read()
        assert child.wait(10) == 0


def test_a_night_that_fails_is_told_and_the_next_one_stands() -> None:
    with serving(3, ends="locked") as child:
        assert "night failed with exit 75: another run holds it" in lines_until(child, "night failed")
        lines_until(child, "next night")
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
