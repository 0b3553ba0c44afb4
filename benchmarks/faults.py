"""What becomes of a reading in which something goes wrong: every kind of fault, once, at every place, one at a time.

Each fault is put into an otherwise undisturbed reading of an embedded system whose pages are so short that listings have
several: by the connector itself, over real sockets, with its retries and restarts. A cloud is broken page by page of every
endpoint, logins included (of endpoints that differ by an id alone, the one with the most pages stands for all); a directory at
every request of its reading, in three sizes. A fault that cannot be done to an answer (no next link to spoil on a last page)
is not counted: "of" says how many there would be. The answer is then held against that of an undisturbed reading, cell by cell. A second factor,
a sign-in, a manager or a group's owner may be left untold of somebody: that is "not known", which no policy takes for "no".
Of the deleted their ids, employee ids and states count.

Not in these figures: what a system hides for good and consistently, which no single reading can tell. That is held against
earlier nights, and against other questions where the system has any (tests/night/test_certificate.py). "Less than the night
before" are faults in the one listing that nothing counts and no second question covers, the applications that one person has
let in: what it lacks is asked for one by one.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.sweep.count import Tally, swept
from tests.sweep.subjects import SUBJECTS

FEWEST, FEWEST_KINDS = 5_000, 40
AT_ONCE = 3  # processes: a reading waits for its own threads now and then


@dataclass(frozen=True)
class Swept:
    """One system's figures."""

    tally: Tally
    seconds: float


def measure(one_in: int = 1) -> Iterator[Swept]:
    """Every system, each in a process of its own; one shot in so many."""
    with ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("spawn")) as processes:
        for found in processes.map(partial(_swept, one_in), SUBJECTS):
            told = ", ".join(f"{number:,} {word}" for word, number in found.tally.outcomes.items())
            print(f"{found.tally.name}: {found.tally.injected:,} faults in {found.seconds:.0f} s: {told}", file=sys.stderr)
            yield found


def _swept(one_in: int, name: str) -> Swept:
    logging.disable(logging.CRITICAL)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, SUBJECTS[name](Path(folder)) as subject:
        return Swept(swept(subject, one_in), time.monotonic() - begun)
