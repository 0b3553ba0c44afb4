"""Every flip, insertion, deletion, swap and truncation of a plan's file and of the journal shows.

RECONCILER_TAMPERINGS (default 1,000) says how many of each kind are tried; the seed is fixed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import Stale, UsageError
from reconciler.journal import GENESIS, Journal, walked
from reconciler.sealed import parse, read, text_of
from tests.plans.memory import NOW, action, plan_of

TRIES = int(os.environ.get("RECONCILER_TAMPERINGS", "1000"))


def flip(body: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << dice.randrange(8))]) + body[at + 1 :]


def insert(body: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(body))
    return body[:at] + dice.randbytes(dice.randint(1, 4)) + body[at:]


def delete(body: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(body))
    return body[:at] + body[at + dice.randint(1, 40) :]


def swap(body: bytes, dice: random.Random) -> bytes:
    one, two = sorted(dice.sample(range(len(body)), 2))
    return body[:one] + body[two : two + 1] + body[one + 1 : two] + body[one : one + 1] + body[two + 1 :]


def swap_lines(body: bytes, dice: random.Random) -> bytes:
    lines = body.splitlines(keepends=True)
    one, two = dice.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def repeat_line(body: bytes, dice: random.Random) -> bytes:
    lines = body.splitlines(keepends=True)
    return b"".join([*lines[: (at := dice.randrange(len(lines)))], lines[at], *lines[at:]])


def drop_line(body: bytes, dice: random.Random) -> bytes:
    lines = body.splitlines(keepends=True)
    del lines[dice.randrange(len(lines))]
    return b"".join(lines)


def truncate(body: bytes, dice: random.Random) -> bytes:
    return body[: dice.randrange(len(body))]


KINDS = [flip, insert, delete, swap, swap_lines, repeat_line, drop_line, truncate]


@pytest.fixture(scope="module")
def plan_body() -> bytes:
    return text_of(
        plan_of([action(1), action(2, "entitlement", True, False, target="g-é"), action(3, "sessions", None, "revoked")])
    )


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    journal = Journal.of(tmp_path_factory.mktemp("journal"))
    for number in range(12):
        last = journal.append("outcome", NOW, plan="p-1", n=number, outcome="done", read_back=None, detail="Zoë 王")
    return journal.path.read_bytes(), last.hash


@pytest.mark.parametrize("tamper", KINDS, ids=lambda kind: kind.__name__)
def test_an_altered_plan_is_no_plan(tamper: Callable[[bytes, random.Random], bytes], plan_body: bytes) -> None:
    dice = random.Random(f"plan {tamper.__name__}")
    parse(plan_body, "the plan itself")
    for number in range(TRIES):
        altered = tamper(plan_body, dice)
        if altered != plan_body:
            with pytest.raises(Stale):
                parse(altered, f"{tamper.__name__} {number}")


@pytest.mark.parametrize("tamper", KINDS, ids=lambda kind: kind.__name__)
def test_an_altered_journal_is_found_out(tamper: Callable[[bytes, random.Random], bytes], chain: tuple[bytes, str]) -> None:
    body, head = chain
    dice = random.Random(f"journal {tamper.__name__}")
    assert walked(body, (head, False)).problem is None
    for number in range(TRIES):
        altered = tamper(body, dice)
        found = walked(altered, (head, False))
        assert altered == body or (found.problem or "").startswith("entry "), f"{tamper.__name__} {number}: {altered!r}"


def test_a_tail_that_is_missing_together_with_its_note_is_found_by_a_head_kept_elsewhere(chain: tuple[bytes, str]) -> None:
    lines = chain[0].splitlines(keepends=True)
    for kept in range(len(lines)):
        body = b"".join(lines[:kept])
        rest = walked(body, (GENESIS, False))
        assert rest.problem is None
        assert (walked(body, (rest.head, False), chain[1]).problem or "").startswith(f"entry {kept + 1} is missing")


def test_a_journal_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    journal = Journal.of(tmp_path)
    journal.append("planned", NOW)
    journal.path.unlink()
    assert Journal.of(tmp_path).check().problem is not None
    with pytest.raises(Stale, match="there was a journal here"):
        Journal.of(tmp_path).append("planned", NOW)


@pytest.mark.parametrize("cut", range(1, 90, 8))
@pytest.mark.parametrize("place", [0, 90], ids=["while it is written", "after it was written"])
def test_a_note_of_the_head_that_is_cut_short_costs_nothing(place: int, cut: int, tmp_path: Path) -> None:
    journal = Journal.of(tmp_path)
    journal.append("planned", NOW)
    note, before = tmp_path / "journal.head", (tmp_path / "journal.head").read_bytes()
    journal.append("approved", NOW)
    after = note.read_bytes()
    half = after[: place + cut] + before[place + cut :]
    note.write_bytes(half if place else half[:90] + before[90:])
    assert Journal.of(tmp_path).check().problem is None
    Journal.of(tmp_path).append("apply-begun", NOW)
    assert (Journal.of(tmp_path).check().problem, len(Journal.of(tmp_path).entries())) == (None, 3)


def test_two_lines_of_one_object_that_change_places_show(plan_body: bytes) -> None:
    """The same object to a JSON reader, and other bytes than those that were approved."""
    lines = plan_body.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"id":' in line and b'"login":' in lines[n + 1])
    first, second = lines[at].rstrip(b",\n") + b"\n", lines[at + 1].rstrip(b",\n") + b",\n"
    with pytest.raises(Stale):
        parse(b"".join([*lines[:at], second, first, *lines[at + 2 :]]), "the plan")


def test_a_plan_is_read_from_the_file_that_was_named_and_not_through_a_link(plan_body: bytes, tmp_path: Path) -> None:
    (tmp_path / "real.json").write_bytes(plan_body)
    assert text_of(read(tmp_path / "real.json")) == plan_body
    (tmp_path / "plan.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "plan.json")
