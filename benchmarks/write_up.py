"""What was measured: a table for the terminal, and a section of docs/benchmarks.md that replaces the one of that title."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ABOUT = """# Benchmarks

Written by `make bench`, which needs a package index (the peers go into `.venv-bench`) and a quiet machine; it measures
every contestant in turns and replaces the sections it has measured. Nothing here was typed. Where a peer was not to be had
the row says so. A bar is what was promised before anything was measured; one that is not met is shown as such.
"""


@dataclass(frozen=True)
class Bar:
    """A promise and what came of it; `met` is None when a peer was missing."""

    promise: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "NOT met", None: "not measured"}[self.met]


@dataclass(frozen=True)
class Section:
    """One measurement: what was done and how fair it is, the figures, the bars."""

    title: str
    about: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[Bar]


def printed(section: Section) -> str:
    """A section for the terminal."""
    widths = [max(len(row[i]) for row in (section.head, *section.rows)) for i in range(len(section.head))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in (section.head, *section.rows)]
    bars = [f"{bar.verdict:>12}  {bar.promise}: {bar.measured}" for bar in section.bars]
    return "\n".join([f"\n{section.title}", "", *lines, "", *bars])


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Words to the left, figures to the right."""
    return (
        f"{cell:>{width}}" if re.fullmatch(r"[\d.,]+( \S+)?", cell) else f"{cell:<{width}}"
        for cell, width in zip(row, widths, strict=True)
    )


def written(section: Section, circumstances: Sequence[str]) -> str:
    """A section for the document; `circumstances` say when, where and how it was measured."""
    lines = [f"## {section.title}", "", *(f"- {told}" for told in circumstances), "", *_table(section.head, section.rows)]
    if section.bars:
        lines += ["", *_table(("bar", "measured", ""), [(bar.promise, bar.measured, bar.verdict) for bar in section.bars])]
    return "\n".join([*lines, "", section.about.strip(), ""])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def replace(document: Path, order: Sequence[str], made: dict[str, str]) -> None:
    """Put sections, by title, in the place of those of the same title; all in an order, unknown ones last."""
    old = document.read_text("utf-8") if document.exists() else ""
    found = re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]
    sections = {section.splitlines()[0].removeprefix("## "): section.rstrip() + "\n" for section in found} | made
    titles = sorted(sections, key=lambda title: order.index(title) if title in order else len(order))
    document.write_text("\n".join([ABOUT, *(sections[title] for title in titles)]), "utf-8")
