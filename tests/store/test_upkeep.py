"""Copies are sound and whole, damage is seen, and what is forgotten is gone from the file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import UsageError
from reconciler.model import RunRecord
from reconciler.store import Change, Store, opened
from reconciler.store_decisions import Said
from reconciler.store_upkeep import Pruned
from tests.store.conftest import NOW, Save


def test_a_copy_holds_everything_in_one_private_file(store: Store, save: Save, tmp_path: Path) -> None:
    told = save("r1")
    store.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]
    with opened(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert (copy.runs_told(), copy.verify()) == ([told], [])


def test_a_copy_is_taken_while_somebody_writes(store: Store, save: Save, tmp_path: Path) -> None:
    save("r0")
    with store.writing():
        store.backup(tmp_path / "during.db")
    writer = threading.Thread(target=lambda: [save(f"r{n}", n, "open") for n in range(1, 30)])
    writer.start()
    store.backup(tmp_path / "copy.db")
    writer.join()
    with opened(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert copy.verify() == []
        assert [told.run for told in copy.runs_told()] == [event.run for event in copy.events_of("f-1")]


@pytest.mark.parametrize("where", ["copy.db", "missing/copy.db"], ids=["there is one already", "no such folder"])
def test_a_copy_that_cannot_be_made_is_told_and_leaves_nothing(store: Store, tmp_path: Path, where: str) -> None:
    (tmp_path / "copy.db").write_text("last week's")
    with pytest.raises(UsageError, match=r"copy\.db"):
        store.backup(tmp_path / where)
    assert (tmp_path / "copy.db").read_text() == "last week's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "state"]


def test_damage_is_seen(url: str, record: Callable[..., RunRecord]) -> None:
    with opened(url) as store:
        store.save(record("r1"), "sha", [Change(f"f-{n}", "new", "p", "ad", NOW) for n in range(2000)], [], [])
    path = Path(url.removeprefix("sqlite:///"))
    whole = path.read_bytes()
    path.write_bytes(whole[:40_960] + b"\xff" * 8192 + whole[49_152:])
    with opened(url) as store:
        assert store.verify()


def test_what_is_old_is_forgotten_and_what_the_next_night_needs_is_kept(
    store: Store, save: Save, record: Callable[..., RunRecord]
) -> None:
    for days, state in enumerate(("new", "resolved", "reopened")):
        save(f"r{days}", days, state)
    store.save(record("r3", 3), "night-r3", [Change("f-2", "resolved", "p", "ad", NOW)], [], [])
    store.save(record("r9", 9, complete=False), "night-r9", [], [], [])
    assert store.prune(NOW + timedelta(days=8)) == Pruned(runs=2, events=3, snapshots=2)
    assert [told.run for told in store.runs_told()] == ["r2", "r3", "r9"]
    assert [event.state for event in store.events_of("f-1")] == ["reopened"]
    assert (store.events_of("f-2"), store.accepted(), store.pinned()) == ([], {"ad": "sha-r2"}, {"ad": "S-1"})
    assert store.in_use() == {"night-r3", "night-r9", "sha-r2"}
    assert (store.night_of("r2"), store.verify()) == (None, [])
    assert store.night_of(complete=True) == (record("r3", 3), "night-r3")


def test_an_adopted_run_is_not_forgotten(store: Store, save: Save) -> None:
    save("r0"), save("r1", 1)
    store.adopt("r0", Said("ann", NOW, "first night"))
    store.prune(NOW + timedelta(days=9))
    assert [told.run for told in store.runs_told()] == ["r0", "r1"]


def test_what_is_forgotten_leaves_no_bytes(url: str, store: Store, record: Callable[..., RunRecord]) -> None:
    gone = [Change(f"f-gone-{n}", "resolved", "p", "ad", NOW) for n in range(500)]
    store.save(record("r0"), "night-r0", gone, [], [])
    store.save(record("r1", 1), "night-r1", [], [], [])
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert any(b"f-gone-7" in path.read_bytes() for path in folder.iterdir())
    store.prune(NOW + timedelta(hours=1))
    assert not any(b"f-gone" in path.read_bytes() for path in folder.iterdir())
