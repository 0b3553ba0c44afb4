"""The engine's night against DuckDB on the same generated company: same findings, wall and CPU seconds, peak memory.

Like for like: one machine, one company, both nights, the same thirteen questions, the same evidence told, the same labels
(new, open, resolved), findings written as Parquet (zstd), each night in a process of its own, start of Python included,
contestants alternated. On "our files" DuckDB reads exactly the Parquet files that we read. On "text files" it reads the
same night with ids as text, memberships in the order in which sources tell them (group by group).

Not like for like: our night also computes what the SQL leaves out because this company has none of it (several employments
of a person, accounts mastered elsewhere, exempt and deleted accounts, unread sources), says which rows are undecided, and
makes a finding's id with SipHash-2-4, where the SQL uses DuckDB's hash. DuckDB runs on two threads, most of ours on one:
CPU seconds compare the work, wall seconds what one waits for. "Tonight encoded first" starts where DuckDB's "text files"
starts, with tonight's text files: it reads them page by page as Arrow columns, gives every id its code by last night's
vocabulary, checks, sorts and writes the snapshots, two sources at a time, and then asks them. The same with pages of a thousand
rows of Python values, as a connector of one's own may hand them over, stands below it: making those values costs more than all
the rest of the encoding, and is counted there. The readers that are here hand over Arrow columns: they make them of every page
while the next one is on its way, which is in the figures of the readers.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq

from benchmarks.engine_night import SOURCES, as_arrow, encode, night
from benchmarks.estate_data import Company
from reconciler.snapshots import Archive

OURS, ENCODED, VALUES = (
    "ours, from stored snapshots",
    "ours, tonight encoded first",
    "ours, tonight encoded first, from Python values",
)
SAME, TEXT = "DuckDB SQL, our files", "DuckDB SQL, text files"
CONTESTANTS = {
    OURS: ("benchmarks.engine_night", ()),
    SAME: ("benchmarks.engine_sql", ("encoded",)),
    TEXT: ("benchmarks.engine_sql", ("strings",)),
    ENCODED: ("benchmarks.engine_night", ("arrow",)),
    VALUES: ("benchmarks.engine_night", ("lists",)),
}
SUBJECT = ("source", "account_id", "person_id", "entitlement_id")
Row = dict[str, Any]


def measure(size: int, rounds: int = 3, folder: Path | None = None) -> list[Row]:
    """Rows of figures and of bars; `folder` keeps the generated company (or holds one from an earlier run)."""
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        place = folder or Path(name)
        if not (place / "ready").exists():
            print(f"engine, {size} people: generating two nights (about {max(1, size // 2500)} s)", file=sys.stderr)
            prepare(place, size)
        peers = importlib.util.find_spec("duckdb") is not None
        runs: dict[str, list[Row]] = {what: [] for what in CONTESTANTS if peers or "DuckDB" not in what}
        for turn in range(rounds):
            for what in runs:
                runs[what].append(_run(place, what))
                print(
                    f"  round {turn + 1}: {what}: {runs[what][-1]['wall']:.1f} s, CPU {runs[what][-1]['cpu']:.1f} s",
                    file=sys.stderr,
                )
        return list(_rows(size, runs, _same(place) if peers else None))


def _run(folder: Path, what: str) -> Row:
    """One night of one contestant in a process of its own: its figures."""
    module, arguments = CONTESTANTS[what]
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", module, str(folder), *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    told = json.loads(process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    wall, process.returncode = time.perf_counter() - begun, os.waitstatus_to_exitcode(status)
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, **told}


# --- what is told ---------------------------------------------------------------------------------------------------


def _rows(size: int, runs: Mapping[str, list[Row]], same: str | None) -> Iterator[Row]:
    findings = sum(n for counts in runs[OURS][0]["findings"].values() for state, n in counts.items() if state != "resolved")
    company = (
        f"{size} people, {runs[OURS][0]['accounts']} accounts, {runs[OURS][0]['edges']} memberships tonight, {findings} findings"
    )
    figures = {what: _figures(told) for what, told in runs.items()}
    for what, row in figures.items():
        yield {
            "what": what,
            "people": size,
            **row,
            "stages": runs[what][-1]["stages"],
            "company": company,
        }
    for what in (w for w in (SAME, TEXT) if w not in runs):
        yield {"what": what, "people": size, "not_installed": "pip install duckdb"}
    yield from _bars(size, figures)
    if same is not None:
        yield {"bar": f"{size}: the same findings of every policy", "measured": same, "met": same == "equal"}


def _figures(told: list[Row]) -> Row:
    """The median of the rounds, and the spread of the walls."""
    walls = [row["wall"] for row in told]
    return {
        "rounds": len(told), "wall_s": round(median(walls), 2), "wall_range": f"{min(walls):.1f}-{max(walls):.1f}",
        "cpu_s": round(median(row["cpu"] for row in told), 2), "peak_mb": round(max(row["peak_mb"] for row in told)),
    }  # fmt: skip


def _bars(size: int, figures: Mapping[str, Row]) -> Iterator[Row]:
    """What was promised, and what was measured; ratios only where the peer ran."""
    ours = figures[OURS]
    promised = [
        (SAME, OURS, "wall_s", 1.3),
        (SAME, OURS, "cpu_s", 2.0),
        (TEXT, OURS, "wall_s", 2.5),
        (TEXT, OURS, "cpu_s", 4.0),
        (TEXT, ENCODED, "wall_s", 1.5),
    ]
    for peer, who, figure, least in promised if size >= 1_000_000 else ():
        if peer in figures:
            ratio = figures[peer][figure] / figures[who][figure]
            word = {"wall_s": "wall", "cpu_s": "CPU"}[figure]
            yield {
                "bar": f"{size}: {who} at least {least} times faster than {peer} ({word})",
                "measured": f"{ratio:.2f} times",
                "met": ratio >= least,
            }
    for people, figure, most, unit in (
        (1_000_000, "peak_mb", 3200, "MB"),
        (100_000, "wall_s", 4, "s"),
        (100_000, "peak_mb", 600, "MB"),
    ):
        if people == size:
            yield {
                "bar": f"{size}: {OURS} in at most {most} {unit}",
                "measured": f"{ours[figure]} {unit}",
                "met": ours[figure] <= most,
            }


def linear(rows: list[Row]) -> Iterator[Row]:
    """Whether the time grows no faster than the company, once the start of Python is taken off."""
    ours = sorted((row["people"], row["cpu_s"]) for row in rows if row.get("what") == OURS and "cpu_s" in row)
    for (small, before), (large, after) in pairwise(ours):
        ratio = after / before
        yield {
            "bar": f"linear: {large // small} times the people take at most {large // small} times the CPU",
            "measured": f"{ratio:.1f} times",
            "met": ratio <= large / small,
        }


def _same(folder: Path) -> str:
    """Whether the findings of all three are about the same subjects, in the same states: "equal", or where they part."""
    for path in sorted((folder / "ours1").glob("*.parquet")):
        ours = _subjects(path)
        for other in ("encoded1", "strings1"):
            theirs = _subjects(folder / other / path.name)
            if ours != theirs:
                return f"{path.stem}: {sum((ours - theirs).values())} only ours, {sum((theirs - ours).values())} only {other}"
    return "equal"


def _subjects(path: Path) -> Counter[tuple[Any, ...]]:
    """Every finding's subject and state, as a multiset."""
    table = pq.read_table(path)
    columns = (table[n].to_pylist() if n in table.column_names else [None] * len(table) for n in (*SUBJECT, "state"))
    return Counter(zip(*columns, strict=True))


# --- the company ----------------------------------------------------------------------------------------------------


def prepare(folder: Path, size: int) -> None:
    """Write both nights as text files and as snapshots, and every contestant's findings of the first night."""
    archive, made, shas = Archive(folder / "objects"), {}, {}
    for number in (0, 1):
        strings = write_strings(folder / f"strings{number}", Company(size, number))
        made = encode(strings, archive, made, as_arrow)
        shas[str(number)] = {source: snapshot.sha256 for source, snapshot in made.items()}
    (folder / "nights.json").write_text(json.dumps(shas))
    night(archive, shas["0"], shas["0"], {}, folder / "ours0")
    if importlib.util.find_spec("duckdb") is not None:
        for kind in ("encoded", "strings"):
            subprocess.run(  # noqa: S603 - our own modules
                [sys.executable, "-m", "benchmarks.engine_sql", str(folder), kind, "first"], check=True, stdout=subprocess.DEVNULL
            )
    (folder / "ready").touch()


def write_strings(folder: Path, company: Company) -> Path:
    """One night as a source tells it, ids as text: a file per source and table."""
    folder.mkdir(parents=True)
    pq.write_table(company.people(), folder / "hr_people.parquet", compression="zstd")
    for source in SOURCES:
        if source != "hr":
            for name in SOURCES[source]:
                pq.write_table(getattr(company, name)(source), folder / f"{source}_{name}.parquet", compression="zstd")
    return folder
