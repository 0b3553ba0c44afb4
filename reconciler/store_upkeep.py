"""Keeping the database well: copies taken while it is in use, proof that it is sound, forgetting what is old."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from reconciler.errors import UsageError
from reconciler.store_database import Database, copy_to, sqlite_problems
from reconciler.store_tables import ADOPTIONS, FINDING_EVENTS, MOVES, RUNS, SNAPSHOTS, stamp


@dataclass(frozen=True)
class Pruned:
    """How many rows were forgotten."""

    runs: int
    events: int
    snapshots: int


class Upkeep(Database):
    def backup(self, path: Path) -> None:
        """A sound copy in one file of mode 0600, while others read and write; it appears whole or not at all.

        (A plain copy of the file misses what stands in its -wal.) Raises UsageError when there is a file already,
        when it cannot be written, or for another database than SQLite.
        """
        if not self.is_sqlite:
            raise UsageError(f"{self.shown} has its own tools for copies, such as pg_dump; use those")
        if os.path.lexists(path):
            raise UsageError(f"{path} is there already; name a new file")
        try:
            copy_to(self.engine, path)
        except (OSError, sqlite3.Error) as problem:
            raise UsageError(f"the copy {path} could not be written: {problem}") from problem

    def verify(self) -> list[str]:
        """What is unsound, one sentence each; an empty list when nothing is."""
        if not self.is_sqlite:
            with self.reading() as connection:
                return [] if connection.scalar(sa.select(1)) == 1 else [f"{self.shown} does not answer"]
        try:
            with closing(self.engine.raw_connection()) as connection:
                return sqlite_problems(connection.driver_connection)
        except (sqlite3.Error, sa.exc.DBAPIError) as problem:
            return [f"{self.shown} cannot be read: {problem}"]

    def prune(self, before: datetime) -> Pruned:
        """Forget nights older than `before`, so that their bytes are gone from the file too.

        Kept whatever their age: the last run and the last complete one, the last accepted snapshot of every source,
        the last word on every finding that is not resolved, decisions, and positions that people have left. An old run
        that one of these still names keeps its numbers and loses its stored night.
        """
        old = stamp(before)
        with self.writing() as connection:
            events = _delete(connection, FINDING_EVENTS, _superseded(FINDING_EVENTS, "finding", old, resolved=True))
            snapshots = _delete(connection, SNAPSHOTS, _superseded(SNAPSHOTS, "source", old))
            aged = _aged(connection, old)
            named = [sa.select(table.c.run) for table in (FINDING_EVENTS, SNAPSHOTS, MOVES, ADOPTIONS)]
            runs = _delete(connection, RUNS, sa.and_(aged, *(RUNS.c.run.not_in(names) for names in named)))
            connection.execute(RUNS.update().where(aged).values(night=""))
        self._wipe()
        return Pruned(runs, events, snapshots)

    def with_nights(self) -> set[str]:
        """The runs whose night is stored."""
        with self.reading() as connection:
            return set(connection.scalars(sa.select(RUNS.c.run).where(RUNS.c.night != "")))

    def in_use(self) -> set[str]:
        """The hashes of stored nights and accepted snapshots that the database names: all that the archive must keep."""
        with self.reading() as connection:
            nights = connection.scalars(sa.select(RUNS.c.night).where(RUNS.c.night != ""))
            return {*nights, *connection.scalars(sa.select(SNAPSHOTS.c.sha256))}

    def _wipe(self) -> None:
        if not self.is_sqlite:
            return
        with closing(self.engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            for words in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                driver.execute(words).fetchall()


def _superseded(table: sa.Table, about: str, old: str, resolved: bool = False) -> sa.ColumnElement[bool]:
    """Old rows with a later one about the same thing; old resolved findings too, if asked."""
    later = table.alias()
    followed = sa.exists().where(later.c[about] == table.c[about], later.c.number > table.c.number)
    return sa.and_(table.c.as_of < old, sa.or_(followed, table.c.state == "resolved") if resolved else followed)


def _aged(connection: sa.Connection, old: str) -> sa.ColumnElement[bool]:
    """Old runs, but for the last one and the last complete one."""
    last = connection.scalar(sa.select(sa.func.max(RUNS.c.number)))
    whole = connection.scalar(sa.select(sa.func.max(RUNS.c.number)).where(RUNS.c.complete))
    return sa.and_(RUNS.c.as_of < old, RUNS.c.number.not_in([last or 0, whole or 0]))


def _delete(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(table.delete().where(where)).rowcount
