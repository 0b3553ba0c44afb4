"""What becomes of bad rosters: files from a seed, each read by the connector as on a night.

Seven in eight are CSV files (stray quotes, other encodings, line breaks that are none, doubled, shuffled and missing rows and
columns, impossible cells, cut ends), one in eight is a workbook whose cells, XML or ZIP archive were damaged. Each must be refused
with a sentence that names it, or taken with every one of its rows accounted for: read = accepted + quarantined + rejected, as many
rows as the text has lines with something on them, and nobody whom the text does not name. The first file for which that does
not hold would end the run. Workbooks are parsed in the process that makes them; of each 200 one is parsed by the child of
a real night too, which must say the same.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.hr_file import fuzz

FEWEST = 1_000_000  # for the document
USUAL = 100_000
PART = 1_600  # files that a process reads at a time


@dataclass(frozen=True)
class Found:
    """What became of all files."""

    tally: Counter[tuple[str, str]]
    seed: int
    at_once: int
    seconds: float
    cpu: float


def measure() -> Found:
    """As many files as the environment says, on every core. Raises AssertionError at the first that breaks the rule."""
    files, seed = int(os.environ.get("N") or USUAL), int(os.environ.get("SEED") or fuzz.SEED)
    begun, at_once, tally, cpu = time.monotonic(), os.cpu_count() or 1, Counter[tuple[str, str]](), 0.0
    parts = [range(first, min(first + PART, files)) for first in range(0, files, PART)]
    with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as processes:
        for number, (part, seconds) in enumerate(processes.map(partial(_read, seed), parts), 1):
            tally, cpu = tally + part, cpu + seconds
            if number % 50 == 0:
                print(f"{tally.total():,} files in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return Found(tally, seed, at_once, time.monotonic() - begun, cpu)


def _read(seed: int, numbers: range) -> tuple[Counter[tuple[str, str]], float]:
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        return fuzz.run(numbers, seed, Path(folder)), time.process_time() - begun
