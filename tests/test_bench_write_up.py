"""The write-up of the benchmarks: one section is replaced, the others and their order stay."""

from __future__ import annotations

from pathlib import Path

from benchmarks.write_up import Bar, Section, printed, replace, written

BARS = [Bar("at least 2 times faster", "1.5 times", False), Bar("beside the SDK", "not installed", None)]
SECTION = Section("Middle", "How fair it is.", ("who", "wall s"), [("ours|theirs", "12.50"), ("peer", "3.00")], BARS)


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    order = ("First", "Middle", "Last")
    for title in ("Last", "Middle", "Another", "First"):
        replace(document, order, {title: f"## {title}\n\nold\n"})
    replace(document, order, {"Middle": written(SECTION, ["measured today"])})
    text = document.read_text("utf-8")
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert titles == ["# Benchmarks", "## First", "## Middle", "## Last", "## Another"]
    assert (text.count("old"), text.count("measured today"), text.count("How fair it is.")) == (3, 1, 1)


def test_a_missed_bar_and_a_missing_peer_are_said_plainly() -> None:
    text = written(SECTION, [])
    assert "| at least 2 times faster | 1.5 times | NOT met |" in text
    assert "| beside the SDK | not installed | not measured |" in text
    assert "| ours\\|theirs | 12.50 |" in text
    assert "     NOT met  at least 2 times faster: 1.5 times" in printed(SECTION)
