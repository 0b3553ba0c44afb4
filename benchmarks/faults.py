"""What becomes of a reading in which something goes wrong: every kind of fault, once, at every place, one at a time.

Each fault is put into an otherwise undisturbed reading of an embedded system whose pages are so short that listings have
several: by the connector itself, over real sockets, with its retries and restarts. A cloud is broken page by page of every
endpoint, logins included (of endpoints that differ by an id alone, the one with the most pages stands for all); a directory at
every request of its reading, in three sizes. A fault that cannot be done to an answer (no next link to spoil on a last page)
is not counted. The answer is then held against that of an undisturbed reading, cell by cell. A second factor or a manager
may be left untold of somebody: that is "not known", which no policy takes for "no".

Not in these figures: what a system hides for good and consistently, which no single reading can tell. That is held against
earlier nights, and against other questions where the system has any (tests/night/test_certificate.py). "Less than the night
before" are faults in the one listing that nothing counts and no second question covers, the applications that one person has
let in: what it lacks is asked for one by one.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.sweep.count import Tally, swept
from tests.sweep.subjects import clouds, directories

FEWEST, FEWEST_KINDS = 5_000, 40


@dataclass(frozen=True)
class Swept:
    """One system's figures."""

    tally: Tally
    seconds: float


def measure(one_in: int = 1) -> Iterator[Swept]:
    """Each system in turn; one shot in so many."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        where = Path(folder)
        for subject in (*stack.enter_context(clouds(where)), *stack.enter_context(directories(where))):
            begun = time.monotonic()
            yield Swept(swept(subject, one_in), time.monotonic() - begun)
    logging.disable(logging.NOTSET)
