"""A disk that takes no more ends the night in a sentence, and leaves nothing half written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.connector import Page
from reconciler.errors import ReconcilerError
from reconciler.snapshots import Archive


@contextmanager
def full(at: int) -> Iterator[None]:
    """Files cannot grow beyond `at` bytes: the kernel refuses, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def people(number: int) -> Page:
    return Page("accounts", {"account_id": [f"a-{n:08d}" for n in range(number)], "login": [f"login{n}" for n in range(number)]})


@pytest.mark.parametrize("at", [0, 100, 20_000], ids=["nothing fits", "a part of the first column", "not all columns"])
def test_no_room_for_what_a_source_says(tmp_path: Path, at: int) -> None:
    draft = Archive(tmp_path / "objects").draft(None)
    with full(at), pytest.raises(ReconcilerError, match=r"objects cannot be written: .*; nothing of this run is stored") as told:
        draft.add(people(6000))
    assert told.value.exit_code == 1


def test_no_room_for_a_snapshot(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    draft = archive.draft(None)
    draft.add(people(4000))
    tables = draft.tables()
    with full(1000), pytest.raises(ReconcilerError, match=r"cannot be written: .*; nothing of this run is stored"):
        archive.put_table(tables["accounts"])
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


def test_what_was_shelved_comes_back_as_it_was(tmp_path: Path) -> None:
    draft = Archive(tmp_path / "objects").draft(None)
    draft.add(people(6000))
    assert draft.tables()["accounts"]["login"].to_pylist() == [f"login{n}" for n in range(6000)]
