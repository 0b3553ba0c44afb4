"""Plans beside other people and other hands: what of theirs is overwritten, what tampering is not found, what an undo leaves behind.

The project's own tests of this (tests/plans/test_third_party.py, tests/plans/test_tampering.py) with larger numbers. Edits come
between the plan and the apply, and in another apply between the look and the write, where only the system itself can see them:
another value, none, the object deleted, or deleted and made anew under the same name. Tamperings are bits flipped, bytes inserted,
deleted and swapped, lines swapped, repeated and dropped, and a tail cut off, each kind so often in a plan's file and in a journal. An
undo follows an apply after which somebody else has changed every tenth object: these stay, all others are byte for byte as before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

EDITS, TAMPERINGS = 2000, 10_000
TESTS = {
    "edits between plan and apply": ("tests/plans/test_third_party.py", "overwritten", EDITS),
    "changes applied and undone": ("tests/plans/test_third_party.py", "undo", EDITS),
    "tamperings of each of eight kinds, in a plan and in a journal": ("tests/plans/test_tampering.py", "altered", TAMPERINGS),
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """One promise: how often it was tried, whether all tries held, and how long they took."""

    what: str
    tries: int
    held: bool
    seconds: float
    words: str


def measure() -> list[Held]:
    """Each promise, tried in a process of its own."""
    return [_tried(what, *told) for what, told in TESTS.items()]


def _tried(what: str, path: str, chosen: str, tries: int) -> Held:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path, "-k", chosen]
    sizes = {"RECONCILER_EDITS": str(EDITS), "RECONCILER_TAMPERINGS": str(TAMPERINGS)}
    begun = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **sizes}, capture_output=True, text=True, check=False)  # noqa: S603
    return Held(what, tries, done.returncode == 0, time.perf_counter() - begun, done.stdout[-2000:])
