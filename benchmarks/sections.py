"""Each bench as sections of the write-up: its figures worded, its bars held against them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import edits, engine, faults, fuzz, google_read, graph_read, kills, ldap_read, memory_read, plans
from benchmarks.write_up import Bar, Section
from tests.sweep.verdicts import OUTCOMES

Row = Mapping[str, Any]
ENGINE_SIZES = (10_000, 100_000, 1_000_000)
READERS = ("Active Directory and other LDAP", "Microsoft 365", "Google Workspace")


def engine_title(size: int) -> str:
    return f"The night, {size:,} people"


APPLY, KILLED, EDITED = "Applying a plan", "Applying a plan that is broken off", "Plans beside other hands"
LINEAR = "The night, as the company grows"
FAULTS = "Whatever goes wrong"
FUZZED = "Bad rosters without end"
PULL = "A pull of four sources at once"


def of_engine(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """A section for each size as soon as it is measured, and one that compares them."""
    every: list[Row] = []
    for size in sizes or ENGINE_SIZES:
        rows = engine.measure(size, rounds, Path(kept) / f"{size}" if (kept := os.environ.get("KEEP")) else None)
        every += rows
        yield _night(size, rows)
    if set(ENGINE_SIZES) <= set(sizes or ENGINE_SIZES):
        yield _growth(every)


def _night(size: int, rows: Sequence[Row]) -> Section:
    head = ("contestant", "wall s", "of rounds", "CPU s", "peak MB", "seconds by stage")
    figures = [
        (row["what"], row["not_installed"], "", "", "", "")
        if "not_installed" in row
        else (
            row["what"], f"{row['wall_s']:.2f}", f"{row['wall_range']} ({row['rounds']})", f"{row['cpu_s']:.2f}", f"{row['peak_mb']}",
            ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["stages"].items()),
        )
        for row in rows
        if "what" in row
    ]  # fmt: skip
    bars = [Bar(row["bar"], row["measured"], row["met"]) for row in rows if "bar" in row]
    company = next(row["company"] for row in rows if "company" in row)
    return Section(engine_title(size), f"The company: {company}.\n\n{_explained(engine)}", head, figures, bars)


def _growth(rows: Sequence[Row]) -> Section:
    """Ours at every size, what each further hundred thousand people cost, and the bar."""
    ours = sorted((row["people"], row["wall_s"], row["cpu_s"]) for row in rows if row.get("what") == engine.OURS)
    figures, before = [], (0, 0.0, 0.0)
    for people, wall, cpu in ours:
        further = (cpu - before[2]) / (people - before[0]) * 100_000
        figures.append((f"{people:,}", f"{wall:.2f}", f"{cpu:.2f}", f"{further:.2f}" if before[0] else "-"))
        before = (people, wall, cpu)
    bars = [Bar(row["bar"], row["measured"], row["met"]) for row in engine.linear(list(rows))]
    about = f"{engine.OURS[0].upper()}{engine.OURS[1:]}. The start of Python and of its libraries is in every figure."
    return Section(LINEAR, about, ("people", "wall s", "CPU s", "CPU s for each further 100,000 people"), figures, bars)


def of_ldap(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Every client on both servers."""
    rows = ldap_read.measure(*sizes[:1] or (20_000,), rounds)
    head = (
        "server",
        "client",
        "entries",
        "values",
        "wall s",
        "CPU s",
        "entries a second",
        "wall to ldapsearch",
        "CPU to ldapsearch",
    )
    figures = [
        (row["server"], row["client"], row["missing"], *[""] * 6)
        if "missing" in row
        else (
            row["server"], row["client"], str(row["entries"]), str(row["values"]), f"{row['wall']:.2f}", f"{row['cpu']:.2f}",
            f"{row['per_second']:.0f}", _ratio(row.get("wall_ratio")), _ratio(row.get("cpu_ratio")),
        )
        for row in rows
    ]  # fmt: skip
    yield Section(READERS[0], _explained(ldap_read), head, figures, list(_ldap_bars(rows)))


def _ldap_bars(rows: Sequence[Row]) -> Iterator[Bar]:
    for server in dict.fromkeys(row["server"] for row in rows):
        here = {row["client"]: row for row in rows if row["server"] == server and "missing" not in row}
        for peer, figure, most, promise in (
            ("ldapsearch", "wall", 2.0, "wall at most 2 times ldapsearch's"),
            ("python-ldap", "cpu", 1.0, "less CPU than python-ldap"),
        ):
            if "ours" not in here or peer not in here:
                yield Bar(f"{server}: {promise}", f"{peer} is not installed" if here else "no server", None)
                continue
            ratio = here["ours"][figure] / here[peer][figure]
            yield Bar(f"{server}: {promise}", f"{ratio:.2f} times", ratio <= most)


def of_graph(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Ours beside plain requests, the SDK and the sequential loop."""
    rows = graph_read.measure(*sizes[:1])
    head = ("what", "ours", "peer", "peer's", "ours to peer's", "how")
    figures = [
        (row["what"], f"{row['ours']:g} {row['unit']}", row["peer"], _theirs(row), _ratio(row["ratio"]), row["how"])
        for row in rows
    ]
    bars = [
        Bar(f"{row['what']}: at least {row['bar']:g} times {row['peer']}", _ratio(row["ratio"]) or "not installed", row["held"])
        for row in rows
        if row["bar"]
    ]
    yield Section(READERS[1], _explained(graph_read), head, figures, bars)


def _theirs(row: Row) -> str:
    return "not installed" if row["theirs"] is None else f"{row['theirs']:g} {row['unit']}"


def of_google(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Ours beside the stock loop, near and far, and beside GAM."""
    rows = google_read.measure(*sizes[:1])
    figures = [(row["what"], row["whose"], f"{row['wall']:.2f}", f"{row['cpu']:.2f}", str(row["per_second"])) for row in rows]
    bars = [
        Bar(f"{ours['what']}: at least {least:g} times as fast as the stock loop", f"{stock['wall'] / ours['wall']:.2f} times", stock["wall"] / ours["wall"] >= least)
        for least, ours, stock in zip((1.0, 5.0), rows[:4:2], rows[1:4:2], strict=True)
    ]  # fmt: skip
    yield Section(
        READERS[2], _explained(google_read), ("what", "whose code", "wall s", "CPU s", "objects a second"), figures, bars
    )


def of_memory(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """The peak of a first night's pull and of the night after."""
    people = sizes[0] if sizes else memory_read.PEOPLE
    rows = memory_read.measure(people)
    figures = [
        (
            f"night {row['night']}", f"{row['wall']:.0f}", f"{row['cpu']:.0f}", f"{row['peak_mb']:.0f}",
            ", ".join(f"{name} {seconds:.0f}" for name, seconds in row["seconds"].items()),
            ", ".join(f"{name} {sum(tables.values()):,}" for name, tables in row["rows"].items()),
        )
        for row in rows
    ]  # fmt: skip
    peak = max(float(row["peak_mb"]) for row in rows)
    bars = [Bar(f"{people:,} people of four sources pulled in at most 1 GiB", f"{peak:.0f} MB", peak <= memory_read.MOST_MB)]
    head = ("pull", "wall s", "CPU s", "peak MB", "seconds by source", "rows by source")
    yield Section(PULL, _explained(memory_read), head, figures, bars)


def of_plans(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """An apply beside its floor."""
    rows = [row for _ in range(rounds) for row in plans.measure(*sizes[:1])]
    best = min(rows, key=lambda row: float(row["ratio"]))
    figures = [(f"floor of {source}", f"{seconds:.1f}", "") for source, seconds in best["floors"].items()]
    figures += [(f"apply of {row['actions']:,} changes", f"{row['wall']:.1f}", f"{row['ratio']:.2f} times") for row in rows]
    promise = f"at most {plans.MOST:g} times the floor of the system with the most changes"
    bars = [Bar(promise, f"{best['ratio']:.2f} times", best["met"])]
    yield Section(APPLY, _explained(plans), ("what", "wall s", "to the highest floor"), figures, bars)


def of_faults(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Every fault at every place, or one in so many, and what came of it."""
    found = list(faults.measure(*sizes[:1]))
    head = ("system", "kinds", "places", "injected", *(word.partition(",")[0] for word in OUTCOMES), "s")
    figures = [
        (
            one.tally.name, str(one.tally.kinds), str(one.tally.places), f"{one.tally.injected:,} of {one.tally.kinds * one.tally.places:,}",
            *(f"{one.tally.outcomes[word]:,}" for word in OUTCOMES), f"{one.seconds:.0f}",
        )
        for one in found
    ]  # fmt: skip
    silent = [line for one in found for line in one.tally.silent]
    figures += [(line[:160], *[""] * (len(head) - 1)) for line in silent[:20]]
    yield Section(FAULTS, _explained(faults), head, figures, list(_fault_bars(found, len(silent))))


def _fault_bars(found: Sequence[faults.Swept], silent: int) -> Iterator[Bar]:
    injected, kinds = sum(one.tally.injected for one in found), min(one.tally.kinds for one in found)
    yield Bar(f"at least {faults.FEWEST:,} faults injected", f"{injected:,}", injected >= faults.FEWEST)
    yield Bar(f"at least {faults.FEWEST_KINDS} kinds of them everywhere", f"{kinds}", kinds >= faults.FEWEST_KINDS)
    yield Bar("no silent truncation, and no error that nobody planned", f"{silent}", not silent)


def of_fuzz(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Bad rosters from a seed, and what became of them."""
    found = fuzz.measure()
    head = ("files", "read", "refused in a sentence", "taken", "with rows set aside")
    kinds = {"csv": "CSV", "xlsx": "workbooks"}
    outcomes = ("refused", "taken", "with rows set aside")
    figures = [
        (word, f"{sum(found.tally[kind, became] for became in outcomes):,}", *(f"{found.tally[kind, became]:,}" for became in outcomes))
        for kind, word in kinds.items()
    ]  # fmt: skip
    files = found.tally.total()
    told = (
        f"{files:,} files of seed {found.seed} in {found.seconds:.0f} s on {found.at_once} processes, {found.cpu:.0f} s of CPU."
    )
    bars = [
        Bar(f"at least {fuzz.FEWEST:,} files", f"{files:,}", files >= fuzz.FEWEST),
        Bar("none ends in an error that nobody planned, every row of every other accounted for", "all held", True),
    ]
    yield Section(FUZZED, f"{told}\n\n{_explained(fuzz)}", head, figures, bars)


def of_kills(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """An apply broken off everywhere."""
    every = int(os.environ.get("EVERY") or 1)
    tallies = kills.measure(every)
    head = ("the apply", "how often", "wrong afterwards", "s each", "at these calls")
    figures = [
        (kills.WAYS[t.way], f"{t.points:,}", str(len(t.wrong)), f"{t.seconds / max(1, t.points):.2f}",
         ", ".join(f"{call} {number:,}" for call, number in t.calls.most_common()))
        for t in tallies
    ]  # fmt: skip
    yield Section(KILLED, _explained(kills), head, figures, _bars_of_kills({t.way: t for t in tallies}))


def of_edits(sizes: Sequence[int], rounds: int) -> Iterator[Section]:
    """Other people's edits, tamperings, undo."""
    found = edits.measure()
    for one in found:
        if not one.held:
            print(one.words, file=sys.stderr)
    figures = [(one.what, f"{one.tries:,}", f"{one.seconds:.1f}") for one in found]
    promises = ("none overwritten", "every reversible attribute byte for byte as before", "all found")
    bars = [Bar(f"{one.tries:,} {one.what}: {promise}", "all held" if one.held else "not all", one.held) for one, promise in zip(found, promises, strict=True)]  # fmt: skip
    yield Section(EDITED, _explained(edits), ("what", "how often", "wall s"), figures, bars)


def _bars_of_kills(found: Mapping[str, kills.Tally]) -> list[Bar]:
    def wrong(*ways: str) -> int:
        return sum(len(found[way].wrong) for way in ways)

    points, disk, lost = found["kill"].points, sum(found[way].points for way in kills.DISK), found["lost"].points
    return [
        Bar(f"killed at {kills.POINTS:,} calls or more: nothing lost, nothing twice, the journal whole, no step by hand",
            f"{points:,} calls, {wrong('kill')} wrong", points >= kills.POINTS and not wrong("kill")),
        Bar("killed when half of a write is on the disk: the same", f"{found['torn'].points:,} writes, {wrong('torn')} wrong", not wrong("torn")),
        Bar("ENOSPC and EIO at every call on a file: no request for a change without an intent on the disk", f"{disk:,} calls, {wrong(*kills.DISK)} wrong", not wrong(*kills.DISK)),
        Bar("lost answers settled by reading back in the same apply: all", f"{lost:,} tried, {wrong('lost')} wrong", not wrong("lost")),
    ]  # fmt: skip


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} times"


def _explained(module: Any) -> str:
    """What a bench says of itself, below its first sentence."""
    return str(module.__doc__).partition("\n")[2].strip()


@dataclass(frozen=True)
class Bench:
    """One bench: how it is measured, the sizes that the document shows, and whose versions matter."""

    measure: Callable[[Sequence[int], int], Iterator[Section]]
    minutes: str
    packages: tuple[str, ...]
    target: str = ""  # make's word for it; it is measured only when it is named


BENCHES: Mapping[str, Bench] = {
    "engine": Bench(of_engine, "20", ("numpy", "pandas", "pyarrow", "duckdb")),
    "ldap": Bench(of_ldap, "4", ("ldap3", "python-ldap")),
    "graph": Bench(of_graph, "3", ("requests", "msal", "msgraph-sdk")),
    "google": Bench(of_google, "4", ("requests", "google-api-python-client", "httplib2")),
    "memory": Bench(of_memory, "15", ("pyarrow", "ldap3", "requests")),
    "plans": Bench(of_plans, "2", ()),
    "faults": Bench(of_faults, "20", ("requests", "ldap3", "msal")),
    "fuzz": Bench(of_fuzz, "5", ("openpyxl",), target="fuzz"),
    "kills": Bench(of_kills, "180", (), target="kills"),
    "edits": Bench(of_edits, "1", (), target="kills"),
}
ORDER = (*map(engine_title, ENGINE_SIZES), LINEAR, *READERS, PULL, FAULTS, FUZZED, APPLY, EDITED, KILLED)
