"""What a terminal shows: aligned and folded at any width, no colour where none is wanted, nothing hostile obeyed."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.cells import cell_len

from reconciler import printing, terminal
from tests.reports import hostile, sample

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ud800-\udfff]")
WIDTHS = [72, 80, 109, 110, 200]


@pytest.fixture(autouse=True)
def asked() -> Iterator[None]:
    before = dict(vars(printing.asked))
    yield
    vars(printing.asked).update(before)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    night = sample.night()
    lines = [*terminal.night(night.record, night.findings, width), *terminal.table(list(night.findings), width)]
    assert not [line.text for line in lines if cell_len(line.text) > width]


@pytest.mark.parametrize("width", WIDTHS)
def test_columns_stand_below_their_heads(width: int) -> None:
    """Ids begin in one column whatever the script of the name before them."""
    found = list(sample.night().findings)
    head, *lines = [line.text for line in terminal.table(found, width)]
    starts = {cell_len(line[: line.index(f.id)]) for f in found for line in lines if f.id in line}
    assert len(starts) == 1
    assert starts == {head.index("id")} or head.endswith("finding")
    assert [f.id for f in found] == [match[0] for line in lines if (match := re.search("f-[0-9a-f]{16}", line))]


def test_a_pipe_gets_one_line_a_finding() -> None:
    found = list(sample.night().findings)
    lines = [line.text for line in terminal.table(found, None)]
    assert len(lines) == 1 + len(found)
    assert all(finding.summary in line for finding, line in zip(found, lines[1:], strict=True))


@pytest.mark.parametrize("name", hostile.NAMES.values(), ids=hostile.NAMES)
@pytest.mark.parametrize("width", [80, 200, None])
def test_hostile_names_are_shown_and_not_obeyed(name: str, width: int | None) -> None:
    night = hostile.night(name)
    lines = [*terminal.night(night.record, night.findings, width), *terminal.table(list(night.findings), width)]
    assert not [line.text for line in lines if CONTROL.search(line.text)]
    assert width is None or not [line.text for line in lines if cell_len(line.text) > width]


FOLDS = [
    ("fits", "policy  leaver", 40, ["policy  leaver"]),
    ("below its label", "why   one two three", 12, ["why   one", "      two", "      three"]),
    ("below its indentation", "    one two three", 12, ["    one two", "    three"]),
    ("a word longer than the line", "x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
    ("wide characters count two", "王小明 王小明", 8, ["王小明", "王小明"]),
    ("a terminal's commands", "a\x1b[2Jb", 80, ["a\\u{001B}[2Jb"]),
    ("several lines", "one\ntwo", 80, ["one", "two"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "width", "lines"), [case[1:] for case in FOLDS], ids=[case[0] for case in FOLDS])
def test_long_lines_fold_below_the_text_that_they_continue(text: str, width: int, lines: list[str]) -> None:
    assert list(terminal.laid_out(text, width)) == lines


def test_a_summary_says_what_was_read_what_is_new_and_what_the_exit_means() -> None:
    night = sample.night()
    text = "\n".join(line.text for line in terminal.night(night.record, night.findings, 200))
    assert "!!  google  incomplete  nothing" in text
    assert "62 read = 60 accepted + 2 quarantined + 0 rejected" in text
    assert "findings  10 new, 1 back again, 32 still open, 3 resolved, 3 unverified, 2 waived" in text
    assert text.count("  ◆ critical  user") == 4
    assert "and 1 more: reconciler findings --state new --state reopened" in text
    assert text.endswith("exit 5: a source was not read whole")


def test_a_quiet_night_reads_no_findings() -> None:
    night = sample.night([])
    lines = list(terminal.night(replace(night.record, sources=()), iter(()), 80))
    assert "new or back again:" not in [line.text for line in lines]


HINTS = [
    (0, "0 findings"),
    (1, "1 finding; one of them whole: reconciler findings show ID"),
    (40, "40 findings; fewer with --severity"),
]


@pytest.mark.parametrize(("number", "said"), HINTS)
def test_a_long_table_says_how_to_see_fewer(number: int, said: str) -> None:
    assert terminal.hint(list(sample.Many(number))).startswith(said)


COLOURS = [
    ("a file", "auto", {}, False, False),
    ("a terminal", "auto", {}, True, True),
    ("a terminal and NO_COLOR", "auto", {"NO_COLOR": "1"}, True, False),
    ("a terminal and --color never", "never", {}, True, False),
    ("a file and --color always", "always", {}, False, True),
]


class Screen(io.StringIO):
    """A stream that may say it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(("color", "given", "tty", "coloured"), [case[1:] for case in COLOURS], ids=[case[0] for case in COLOURS])
def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch, color: str, given: dict[str, str], tty: bool, coloured: bool) -> None:  # fmt: skip
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm-256color"} | given).items():
        monkeypatch.setenv(name, value)
    screen = Screen(tty)
    monkeypatch.setattr("sys.stdout", screen)
    printing.asked.color = color
    printing.table(list(sample.night().findings)[:3])
    said = screen.getvalue()
    assert bool(re.search("\x1b\\[[0-9;]*31m", said)) is coloured
    assert "◆ critical" in re.sub("\x1b\\[[0-9;]*m", "", said)


def test_a_terminal_without_the_signs_shows_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii")
    monkeypatch.setattr("sys.stdout", stream)
    printing.table([sample.findings()[0]])
    stream.flush()
    assert b"\\u25c6 critical" in raw.getvalue()


def test_data_goes_to_stdout_and_talk_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    printing.asked.format = "jsonl"
    found = list(sample.night().findings)
    printing.print_findings(found)
    out, _ = capsys.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == [finding.id for finding in found]
    printing.asked.format = None
    printing.table(found)
    assert capsys.readouterr().err == terminal.hint(found) + "\n"
