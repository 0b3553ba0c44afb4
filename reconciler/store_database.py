"""An open database: private files, tables up to date, whole transactions. SQLite unless a URL says otherwise."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from reconciler.disk import private_folder
from reconciler.errors import ReconcilerError, UsageError
from reconciler.migrations import NEWEST

BUSY = 60  # seconds to wait for another process that writes
_ONE_WRITER = 7_230_114_902  # PostgreSQL advisory lock: any number that no other program takes


class Database:
    """Reads and writes of one database; what a write began is stored whole or not at all."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent view; raises ReconcilerError when the database fails."""
        with self._told("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, one writer at a time; raises ReconcilerError, with nothing stored, when the database fails."""
        with self._told("written; nothing of this was stored"), self.engine.execution_options(write=True).begin() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ONE_WRITER)))
            yield connection

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as problem:
            raise ReconcilerError(f"the database {self.shown} could not be {done}: {_first_line(problem.orig)}") from problem

    def close(self) -> None:
        self.engine.dispose()


def connect(url: str) -> sa.Engine:
    """Open a database, made or brought up to date if need be; raises UsageError when that cannot be done."""
    try:
        engine = _engine(sa.make_url(url))
    except (sa.exc.ArgumentError, ModuleNotFoundError, OSError) as problem:
        raise UsageError(f"the database {_without_password(url)} cannot be opened: {_first_line(problem)}") from None
    try:
        _bring_up_to_date(Database(engine))
    except ReconcilerError as problem:
        engine.dispose()
        raise UsageError(str(problem)) from problem
    return engine


def look(url: str) -> sa.Engine | None:
    """A database as it stands, for reading: not made, not brought up to date, not touched; None where there is none yet."""
    try:
        made = sa.make_url(url)
        if made.get_backend_name() != "sqlite":
            return sa.create_engine(made, hide_parameters=True)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as problem:
        raise UsageError(f"the database {_without_password(url)} cannot be opened: {_first_line(problem)}") from None
    path = Path(str(made.database)).absolute()
    if not path.is_file():
        return None
    alone = not Path(f"{path}-wal").exists()  # nobody writes: without this, SQLite would make files beside it
    asked = "?mode=ro&immutable=1&uri=true" if alone else "?mode=ro&uri=true"
    return sa.create_engine(f"sqlite:///file:{quote(str(path))}{asked}", hide_parameters=True)


def _without_password(url: str) -> str:
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "of [state] database"  # not a URL: it may hold anything


def _first_line(problem: object) -> str:
    return next(iter(str(problem).splitlines()), type(problem).__name__)


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, hide_parameters=True)  # what is stored about people stays out of errors
    if url.database in (None, "", ":memory:"):
        raise OSError("nights are kept in a file; name one, as in sqlite:///var/reconciler.db")
    _make_private(Path(str(url.database)))
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Make the file before SQLite does: its -wal and -shm copy the mode. Refuses what is a link or no file.

    A file that is there is not opened here: closing it would drop the locks that this process holds on it
    (sqlite.org/howtocorrupt.html, 2.2).
    """
    private_folder(path.parent)
    if not os.path.lexists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        mode = _mode(file)
        if not stat.S_ISREG(mode):
            raise OSError(f"{file} is a link or no file; name the file itself")
        if mode & 0o077:
            file.chmod(0o600)


def _mode(file: Path) -> int:
    """A file's mode; that of a private file where there is none, or none any more: another process may have closed the database."""
    try:
        return file.lstat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, so that migrations are whole too
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer asks for the lock at once: one that had read first would be refused instead of waiting its turn."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("write") else "BEGIN")


def _bring_up_to_date(database: Database) -> None:
    """Run missing migrations in one transaction; raises UsageError for a database newer than this program."""
    with database.reading() as connection:
        stands = _version(connection)
    if stands == NEWEST:
        return
    if stands is not None and database.is_sqlite:
        _keep_a_copy(database.engine, stands)
    with database.writing() as connection:
        if _version(connection) != NEWEST:  # another process may have been quicker
            _upgrade(connection)


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # half as long to import as all the rest of a verb
    from alembic.config import Config

    alembic = Config()
    alembic.set_main_option("script_location", "reconciler:migrations")
    alembic.set_main_option("path_separator", "os")
    alembic.attributes["connection"] = connection
    command.upgrade(alembic, "head")


def versions(url: str) -> tuple[str | None, str]:
    """The version a database has (None: there is none yet), and the one this program has; raises UsageError when it cannot be read."""
    engine = look(url)
    if engine is None:
        return None, NEWEST
    try:
        with Database(engine).reading() as connection:
            return _version(connection), NEWEST
    finally:
        engine.dispose()


def _keep_a_copy(engine: sa.Engine, stands: str) -> None:
    """The database as it is before it is brought up to date, beside it: an older program reads that one."""
    path = Path(f"{engine.url.database}.{stands}")
    if not path.exists():
        try:
            copy_to(engine, path)
        except (OSError, sqlite3.Error) as problem:
            raise UsageError(f"the database is left as it is, since no copy of it could be made: {path}: {problem}") from problem


def copy_to(engine: sa.Engine, path: Path) -> None:
    """A sound copy of a SQLite database in one file of mode 0600, while others read and write; it appears whole or not at all."""
    handle, part = mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with closing(engine.raw_connection()) as source, closing(sqlite3.connect(part)) as copy:
            driver: Any = source.driver_connection
            driver.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            if problems := sqlite_problems(copy):
                raise sqlite3.DatabaseError(problems[0])
        os.fsync(handle)
        Path(part).rename(path)
    finally:
        os.close(handle)
        Path(part).unlink(missing_ok=True)


def sqlite_problems(connection: Any) -> list[str]:
    """What is unsound in a SQLite database, one sentence each."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [line for line in found if line != "ok"] + [
        f"table {row[0]}: row {row[1]} names a run that is not there" for row in orphans
    ]


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    stands = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if stands is not None and not "001" <= stands <= NEWEST:
        raise UsageError(f"the database is newer (version {stands}) than this program (version {NEWEST}); update reconciler")
    return stands
