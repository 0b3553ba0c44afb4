"""What the command line prints: data to stdout, everything else to stderr; nothing a directory says runs in a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reconciler.model import SEVERITIES, Finding, Night, RunRecord

MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▪", "info": "·"}
COLOURS = {"critical": "red", "high": "dark_orange", "medium": "yellow", "low": "green", "info": "blue"}


@dataclass
class Asked:
    """The options that stand before or after any verb."""

    config: Path = Path("config.toml")
    format: str | None = None
    as_of: datetime | None = None
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False

    @property
    def now(self) -> datetime:
        return self.as_of or datetime.now(UTC)


asked = Asked()


def say(text: str) -> None:
    if not asked.quiet:
        print(text, file=sys.stderr)


def console(stream: Any = None) -> Console:
    colour = {"always": True, "never": False, "auto": None}[asked.color]
    return Console(file=stream or sys.stdout, force_terminal=colour, no_color=True if asked.color == "never" else None, highlight=False, markup=False, width=None if (stream or sys.stdout).isatty() else 200)  # fmt: skip


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_findings(chosen: Iterable[Finding]) -> None:
    if asked.format == "jsonl":
        for finding in chosen:
            print(json.dumps(finding.to_json(), ensure_ascii=False))
    elif asked.format == "json":
        print_json([finding.to_json() for finding in chosen])
    elif asked.format == "csv":
        from reconciler import plugins

        write(plugins.load("reports", "csv_table").sheet(chosen))
    else:
        table(list(chosen))


def write(body: bytes) -> None:
    sys.stdout.buffer.write(body)


def table(chosen: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("severity", "state", "id", "finding"):
        table.add_column(name, no_wrap=name != "finding")
    for f in chosen:
        table.add_row(
            f"{MARKS[f.severity]} {f.severity}",
            f.state,
            f.id,
            visible(f.summary),
            style=COLOURS[f.severity] if f.severity == "critical" else None,
        )
    console().print(table)
    say(f"{len(chosen)} findings")


def visible(text: str) -> str:
    """What a terminal must not interpret, shown instead."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):04X}}}" for c in text)


def tell(night: Night) -> None:
    """One night for people, or as the contract's JSON object."""
    if asked.format == "json":
        return print_json(night.record.to_json())
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    for line in lines(night.record):
        print(line)
    return None


def lines(record: RunRecord) -> Iterator[str]:
    for s in record.sources:
        mark = "OK" if s.state in ("complete", "reused") else "!!"
        rows = (
            f"{s.people} people" if s.people else f"{s.accounts} accounts, {s.entitlements} entitlements, {s.grants} memberships"
        )
        yield f"{mark}  {s.name:10} {s.state:10} {rows} (read {s.read} = accepted {s.accepted} + quarantined {s.quarantined} + rejected {s.rejected}) {s.seconds:.1f} s"
        yield from (f"      {visible(reason)}" for reason in s.reasons)
        yield from (f"      not read: {area}: {visible(reason)}" for area, reason in s.areas.items())
    m, f = record.matching, record.findings
    yield f"accounts: {m['owned']} owned, {m['unowned']} nobody's, {m['disputed']} disputed, {m['withheld']} withheld, {m['exempt']} exempt"
    yield f"findings: {f['new']} new, {f['open']} open, {f['reopened']} reopened, {f['resolved']} resolved, {f['waived']} waived, {f['unverified']} unverified"
    yield from (f"   {MARKS[s]} {s:8} {f['by_severity'][s]}" for s in reversed(SEVERITIES) if f["by_severity"].get(s))
    yield from (f"report: {path}" for path in record.reports)
    yield f"run {record.run}  exit {record.exit}"
