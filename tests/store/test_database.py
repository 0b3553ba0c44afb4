"""The file itself: private, up to date, refused when it is not ours to open, and whole whatever happens to the process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reconciler import store_database
from reconciler.errors import ReconcilerError, UsageError
from reconciler.migrations import NEWEST
from reconciler.store import Store, opened
from reconciler.store_tables import metadata
from tests.store.conftest import Save

ROOT = Path(__file__).parents[2]


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids="umask {0:03o}".format)
def test_files_are_private(url: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        with opened(url) as store:
            store.links()
            modes = {path.name: path.stat().st_mode & 0o777 for path in file_of(url).parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"r.db": 0o600, "r.db-wal": 0o600, "r.db-shm": 0o600}
    assert file_of(url).parent.stat().st_mode & 0o777 == 0o700


def test_a_restored_file_that_others_could_read_is_closed_to_them(url: str) -> None:
    with opened(url):
        pass
    file_of(url).chmod(0o644)
    with opened(url):
        assert file_of(url).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["r.db", "r.db-wal", "r.db-shm"])
def test_a_link_is_refused(url: str, tmp_path: Path, name: str) -> None:
    file_of(url).parent.mkdir()
    (file_of(url).parent / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=rf"{name} is a link"), opened(url):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param("sqlite://", "nights are kept in a file", id="no file"),
        pytest.param("sqlite:///:memory:", "nights are kept in a file", id="in memory"),
        pytest.param("sqlite:////", "is a link or no file", id="a folder"),
        pytest.param("oracle9://nobody:pass-word@db/x", "cannot be opened", id="an unknown database"),
        pytest.param("nonsense pass-word", "cannot be opened", id="not a URL"),
    ],
)
def test_a_url_that_cannot_be_opened_is_refused_without_its_password(wrong: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused, opened(wrong):
        pass
    assert "pass-word" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(url: str) -> None:
    file_of(url).parent.mkdir()
    file_of(url).write_bytes(b"Employee ID,Name\n" * 100)
    with pytest.raises(UsageError, match="not a database"), opened(url):
        pass


def set_version(url: str, version: str) -> None:
    with closing(sqlite3.connect(file_of(url))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def test_a_newer_database_is_refused_and_left_alone(url: str) -> None:
    with opened(url):
        pass
    set_version(url, "999")
    before = file_of(url).read_bytes()
    with (
        pytest.raises(UsageError, match=r"newer \(version 999\) than this program \(version \d+\); update reconciler"),
        opened(url),
    ):
        pass
    assert file_of(url).read_bytes() == before


def test_migrations_make_the_tables_that_the_store_uses(store: Store) -> None:
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_newest_step_is_the_one_that_is_told_without_alembic() -> None:
    alembic = Config()
    alembic.set_main_option("script_location", "reconciler:migrations")
    alembic.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(alembic).get_current_head() == NEWEST


def migrate_to(url: str, version: str) -> None:
    """As an older program left it."""
    engine = store_database._engine(sa.make_url(url))
    with Store(engine).writing() as connection:
        alembic = Config()
        alembic.set_main_option("script_location", "reconciler:migrations")
        alembic.set_main_option("path_separator", "os")
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, version)
    engine.dispose()


def test_an_older_database_is_brought_up_to_date_with_what_it_holds(url: str) -> None:
    migrate_to(url, "001")
    with closing(sqlite3.connect(file_of(url))) as connection, connection:
        connection.execute("INSERT INTO runs VALUES ('r1', 1, '2026-11-22T02:05:00Z', 1, 'sha', '{}')")
        connection.execute("INSERT INTO snapshots VALUES ('ad', 'r1', 1, '2026-11-22T02:05:00Z', 's-1', 'S-1', 40, NULL)")
    with opened(url) as store:
        assert store.accepted() == {"ad": "s-1"}
        assert store.links() == []


def test_a_migration_that_fails_leaves_the_older_database_as_it_was(url: str) -> None:
    migrate_to(url, "001")
    with closing(sqlite3.connect(file_of(url))) as connection, connection:
        connection.execute("CREATE TABLE adoptions (x)")  # in the way of the second version, after it has dropped two tables
    with pytest.raises(UsageError, match="adoptions already exists"), opened(url):
        pass
    with closing(sqlite3.connect(file_of(url))) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert ({"links", "waivers"} <= tables, "holds" in tables, version) == (True, False, ("001",))


@contextmanager
def locked(url: str, seconds: float, words: str) -> Iterator[None]:
    """Another connection in the midst of something for some seconds."""
    begun = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(file_of(url), isolation_level=None)) as other:
            for word in words.split(";"):
                other.execute(word).fetchall()
            begun.set()
            time.sleep(seconds)
            other.execute("COMMIT")

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    yield
    thread.join()


@pytest.mark.parametrize("words", ["BEGIN;SELECT * FROM runs", "BEGIN IMMEDIATE"], ids=["a reader", "a writer"])
def test_no_night_is_lost_to_somebody_else_in_the_database(url: str, store: Store, save: Save, words: str) -> None:
    save("r1")
    with locked(url, 1.0, words):
        save("r2", 1, "resolved")
    assert [told.run for told in store.runs_told()] == ["r1", "r2"]


def test_a_database_that_stays_locked_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_database, "BUSY", 0.2)
    with (
        opened(url) as store,
        locked(url, 1.0, "BEGIN IMMEDIATE"),
        pytest.raises(ReconcilerError, match="nothing of this was stored"),
    ):
        store.tell_reports("r1", None)  # type: ignore[arg-type] # the lock is asked for first


def test_a_full_disk_is_told_and_nothing_is_stored(url: str, save: Save, store: Store) -> None:
    save("r1")
    sa.event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=1"))
    store.engine.dispose()
    with pytest.raises(ReconcilerError, match="full"):
        for number in range(200):
            save(f"r2-{number}", 1, "x" * 10_000)
    assert store.verify() == []


OPENS = """
import sys
from reconciler.store import opened
with opened(sys.argv[1]) as store:
    print(len(store.runs_told()))
"""


def test_several_processes_may_be_the_first_to_open(url: str) -> None:
    children = [subprocess.Popen([sys.executable, "-c", OPENS, url], stdout=subprocess.PIPE, cwd=ROOT) for _ in range(3)]
    assert [child.communicate()[0].strip() for child in children] == [b"0"] * 3


SAVES_FOR_EVER = """
import sys
from datetime import UTC, datetime
from reconciler.model import RunRecord
from reconciler.store import Accepted, Change, opened

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
with opened(sys.argv[1]) as store:
    begun = len(store.runs_told())
    for number in range(begun, begun + 10_000):
        run = f"r{number:06d}"
        changes = [Change(f"f-{n}", "new" if number == 0 else "open", "p", "ad", NOW) for n in range(4000)]
        record = RunRecord(run, NOW, NOW, NOW, True, 0, (), {}, {})
        print("saving", flush=True)
        store.save(record, "night", changes, [], [Accepted("ad", run, None, 1)])
        print("saved", flush=True)
"""


def test_killed_at_any_moment_whole_nights_are_left_and_no_told_one_is_lost(url: str) -> None:
    """Kill -9 at moments from the opening of the database to the midst of a save."""
    told = 0
    for delay in (None, 0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12):
        with subprocess.Popen([sys.executable, "-c", SAVES_FOR_EVER, url], stdout=subprocess.PIPE, cwd=ROOT) as child:
            assert child.stdout
            if delay is not None:
                child.stdout.readline()
            time.sleep(delay or 0.35)
            child.kill()
            told += child.stdout.read().count(b"saved")
        with opened(url) as store:
            assert store.verify() == []
            runs = [record.run for record in store.runs_told()]
            events = [event.run for event in store.events_of("f-3999")]
            accepted = store.accepted()
        assert events == runs
        assert accepted == ({"ad": runs[-1]} if runs else {})
        assert len(runs) >= told
