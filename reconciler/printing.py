"""What the command line prints: data to stdout, everything else to stderr; nothing a directory says runs in a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from reconciler import terminal
from reconciler.model import Finding, Night
from reconciler.terminal import MARKS, Line, visible

__all__ = [
    "MARKS",
    "Asked",
    "asked",
    "console",
    "print_findings",
    "print_json",
    "print_text",
    "say",
    "table",
    "tell",
    "visible",
    "write",
]

COLOURS = {"critical": "bold red", "high": "dark_orange", "medium": "yellow", "low": "green", "info": "blue"}


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
    """Where people read: colour on a terminal alone, unless --color says otherwise; NO_COLOR is honoured."""
    made = stream or sys.stdout
    if isinstance(made, TextIOWrapper) and made.errors == "strict":
        made.reconfigure(errors="backslashreplace")  # a terminal that knows no ◆ and no 王 shows their numbers
    colour = {"always": True, "never": False, "auto": None}[asked.color]
    plain = {"always": False, "never": True, "auto": None}[asked.color]
    return Console(file=made, force_terminal=colour, no_color=plain, highlight=False, markup=False, emoji=False, width=None if made.isatty() else 200)  # fmt: skip


def width() -> int | None:
    """The columns of the terminal; None where the output is a file or a pipe, which has as many as a line needs."""
    return console().width if sys.stdout.isatty() else None


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
    """Findings for people: severity, state, age, who, where and what; how many, and how to see fewer, goes to stderr."""
    _print(terminal.table(chosen, width()))
    say(terminal.hint(chosen))


def print_text(text: str) -> None:
    """Lines such as an explanation or a difference, made visible and folded to the terminal below their labels."""
    _print(Line(line) for line in terminal.laid_out(text, width()))


def tell(night: Night) -> None:
    """One night for people, or as the contract's JSON object."""
    if asked.format in ("json", "jsonl"):
        return (
            print_json(night.record.to_json())
            if asked.format == "json"
            else print(json.dumps(night.record.to_json(), ensure_ascii=False))
        )
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    return _print(terminal.night(night.record, night.findings, width()))


def _print(lines: Iterable[Line]) -> None:
    """Lines as they are laid out; the mark and word of a severity carry its colour, and news stands out."""
    out = console()
    for line in lines:
        text = Text(line.text, "bold" if line.news else "")
        if line.severity and line.text.lstrip().startswith(MARKS[line.severity]):
            begins = line.text.index(MARKS[line.severity])
            text.stylize(COLOURS[line.severity], begins, begins + 2 + len(line.severity))
        out.print(text, soft_wrap=True)
