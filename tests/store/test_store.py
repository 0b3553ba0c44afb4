"""A night is stored whole or not at all, and reads back as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.errors import Locked, UsageError
from reconciler.estate import Move
from reconciler.lock import exclusive
from reconciler.model import NotAssessed, RunRecord, SourceReport
from reconciler.store import Accepted, Change, Store, opened

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


def record(run: str, days: int = 0, complete: bool = True) -> RunRecord:
    at = NOW + timedelta(days=days)
    source = SourceReport(
        "ad",
        "active_directory",
        "complete",
        accounts=3,
        read=3,
        accepted=3,
        reasons=("fine",),
        as_of=at,
        scopes=({"scope": "users"},),
    )
    return RunRecord(
        run, at, at, at, complete, 0, (source,), {"owned": 1}, {"new": 1}, (NotAssessed("p", "ad", "cut"),), ("a.html",)
    )


def save(store: Store, run: str, days: int = 0, state: str = "new") -> RunRecord:
    told = record(run, days)
    change = Change("f-1", state, "orphan-account", "ad", NOW)
    store.save(
        told, "sha", [change], [Move("1", {"department": "Finance"}, NOW)], [Accepted("ad", f"sha-{run}", "S-1", 40 + days)]
    )
    return told


def test_a_night_reads_back(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/s/r.db") as store:
        told = save(store, "r1")
        assert store.runs_told() == [told]
        assert store.night_of("r1") == (told, "sha")
        assert (store.accepted(), store.pinned(), store.most_active("ad", NOW)) == ({"ad": "sha-r1"}, {"ad": "S-1"}, 40)
        assert store.moves_told() == [Move("1", {"department": "Finance"}, NOW)]


def test_only_what_is_resolved_can_come_back(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/r.db") as store:
        save(store, "r1")
        assert store.first_seen_of_resolved(["f-1"]) == {}
        save(store, "r2", 1, "resolved")
        assert store.first_seen_of_resolved(["f-1", "f-2"]) == {"f-1": NOW}
        assert [event.state for event in store.events_of("f-1")] == ["new", "resolved"]


def test_files_are_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(f"sqlite:///{tmp_path}/state/r.db") as store:
            save(store, "r1")
            assert {p.stat().st_mode & 0o777 for p in (tmp_path / "state").iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/r.db"
    with opened(url):
        pass
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '999'"))
    engine.dispose()
    with pytest.raises(UsageError, match="newer"), opened(url):
        pass


SAVES_FOR_EVER = """
import sys
from tests.store.test_store import opened, save
with opened(sys.argv[1]) as store:
    for number in range(100000):
        save(store, f"{sys.argv[2]}-{number}", number)
        print(number, flush=True)
"""


def test_killed_while_saving_leaves_whole_nights(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/r.db"
    for turn in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVES_FOR_EVER, url, str(turn)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout
        child.stdout.readline()
        time.sleep(0.02 * turn)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        with opened(url) as store:
            runs = {told.run for told in store.runs_told()}
            events = {event.run for event in store.events_of("f-1")}
        assert runs == events
        assert runs


HOLDS = """
import sys, time, datetime, pathlib
from reconciler.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "run", datetime.datetime.now(datetime.UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_told_who_holds_the_lock_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert child.stdout
    child.stdout.readline()
    with pytest.raises(Locked, match=f"process {child.pid}"), exclusive(tmp_path, "run", NOW):
        pass
    child.kill()
    child.communicate()
    with exclusive(tmp_path, "run", NOW):
        pass
