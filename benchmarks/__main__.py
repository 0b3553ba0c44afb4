"""python -m benchmarks [engine] [ldap] [graph] [google] [memory] [faults] [plans] [fuzz] [edits] [kills]: measure, print, and write
docs/benchmarks.md.

All but fuzz, edits and kills without a name. SIZE=100000 measures one size instead of those that the document shows, ROUNDS=1 takes one turn
instead of three (engine, ldap), KEEP=DIR keeps the generated companies there for the next time. EVERY=50 breaks an apply off
at each fiftieth call only (kills). N=1000 reads so many bad rosters, SEED=1 others (fuzz). A size that the document does not show, or a part of the calls, is printed only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fuzz import FEWEST
from benchmarks.machine import load, machine, versions
from benchmarks.sections import BENCHES, ENGINE_SIZES, ORDER
from benchmarks.write_up import Section, printed, replace, written

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Measure what was named, and say how many bars were met."""
    names = sys.argv[1:] or [name for name, bench in BENCHES.items() if not bench.target]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"unknown bench {unknown[0]}; there are: {', '.join(BENCHES)}")
    sizes, rounds = [int(text) for text in os.environ.get("SIZE", "").split()], int(os.environ.get("ROUNDS") or 3)
    bars = [bar.verdict for name in names for section in _measured(name, sizes, rounds) for bar in section.bars]
    print(f"\n{len(bars)} bars: " + ", ".join(f"{bars.count(word)} {word}" for word in ("met", "NOT met", "not measured")))


def _measured(name: str, sizes: list[int], rounds: int) -> Iterator[Section]:
    """The sections of one bench, each printed and written as soon as it is there."""
    bench, busy = BENCHES[name], load()
    print(f"\n{name}: about {bench.minutes} minutes in its usual size", file=sys.stderr)
    for section in bench.measure(sizes, rounds):
        print(printed(section), flush=True)
        told = (
            f"{datetime.now(UTC):%d %b %Y}, by `{_command(name)}`",
            f"{machine()}; load {busy} when it began",
            versions(bench.packages),
        )
        if _shown(name, sizes):
            replace(DOCUMENT, ORDER, {section.title: written(section, told)})
            print(f"written to {DOCUMENT}", file=sys.stderr)
        yield section


def _shown(name: str, sizes: list[int]) -> bool:
    """Whether the document shows measurements of these sizes, and of all there is to measure."""
    if (os.environ.get("EVERY") or "1") != "1":
        return False
    if name == "fuzz":
        return int(os.environ.get("N") or 0) >= FEWEST
    if name == "faults":
        return True  # the rows say how many of the faults were taken
    return set(sizes) <= set(ENGINE_SIZES) if name == "engine" else not sizes


def _command(name: str) -> str:
    """What to type for the same measurement."""
    words = [f"{key}={os.environ[key]}" for key in ("SIZE", "ROUNDS", "EVERY", "N", "SEED") if os.environ.get(key)]
    make = ["make", BENCHES[name].target] if BENCHES[name].target else ["make bench", f"BENCHES={name}"]
    return " ".join([*make, *words] if "MAKELEVEL" in os.environ else [*words, "python -m benchmarks", name])


main()
