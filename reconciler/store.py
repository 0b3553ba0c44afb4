"""Runs, what changed in them, and what people decided; the only user of SQLAlchemy. SQLite by default, any URL by choice."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as Alembic
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from reconciler.errors import UsageError
from reconciler.estate import Move
from reconciler.model import NotAssessed, RunRecord, SourceReport, instant_text
from reconciler.snapshots import private_folder

_CHUNK = 500  # values in one IN (…): below SQLite's oldest limit


@dataclass(frozen=True)
class Change:
    """A finding's state became another tonight."""

    finding: str
    state: str
    policy: str
    source: str
    first_seen: datetime


@dataclass(frozen=True)
class Accepted:
    """A snapshot that was taken as the truth of a night; `because` is given when it was out of its band."""

    source: str
    sha256: str
    identity: str | None
    active_people: int
    because: str | None = None


@dataclass(frozen=True)
class Event:
    finding: str
    run: str
    as_of: datetime
    state: str
    first_seen: datetime


def new_run_id(now: datetime) -> str:
    """A name that sorts by time and is never given twice: 20261122T020500Z-7f3a."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


class Store:
    """An open database. Times are RFC 3339 in UTC, which sorts."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._tables = sa.MetaData()
        self._tables.reflect(engine)

    def __getattr__(self, name: str) -> sa.Table:
        if name.startswith("_") or name not in self._tables.tables:
            raise AttributeError(name)
        return self._tables.tables[name]

    # --- nights -----------------------------------------------------------------------------------------------

    def save(
        self, record: RunRecord, night: str, changes: Iterable[Change], moves: Iterable[Move], accepted: Iterable[Accepted]
    ) -> None:
        """Everything that a night stores, in one transaction: the whole night, or nothing of it."""
        with self._engine.begin() as connection:
            number = (connection.scalar(sa.select(sa.func.max(self.runs.c.number))) or 0) + 1
            here = {"run": record.run, "number": number, "as_of": instant_text(record.as_of)}
            told = json.dumps(record.to_json(), ensure_ascii=False)
            connection.execute(self.runs.insert(), {**here, "complete": record.complete, "night": night, "record": told})
            _insert(
                connection, self.finding_events, ({**vars(c), **here, "first_seen": instant_text(c.first_seen)} for c in changes)
            )
            _insert(connection, self.moves, (_move(move, record.run) for move in moves))
            _insert(
                connection, self.snapshots, ({**_without(a, "because"), **here, "accepted_because": a.because} for a in accepted)
            )

    def tell_reports(self, run: str, record: RunRecord) -> None:
        """Replace a run's record, when its reports are written."""
        with self._engine.begin() as connection:
            told = json.dumps(record.to_json(), ensure_ascii=False)
            connection.execute(self.runs.update().where(self.runs.c.run == run), {"record": told})

    def runs_told(self, limit: int | None = None) -> list[RunRecord]:
        """The last runs, oldest first."""
        query = sa.select(self.runs.c.record).order_by(self.runs.c.number.desc()).limit(limit)
        return [run_record(json.loads(text)) for text in reversed(self._column(query))]

    def night_of(self, run: str | None = None, complete: bool = False) -> tuple[RunRecord, str] | None:
        """A run (or its beginning, if that names one), or the last one; with the hash of its stored night."""
        query = sa.select(self.runs.c.record, self.runs.c.night).order_by(self.runs.c.number.desc())
        if run is not None:
            query = query.where(self.runs.c.run.startswith(run, autoescape=True))
        if complete:
            query = query.where(self.runs.c.complete)
        with self._engine.connect() as connection:
            found = connection.execute(query.limit(1)).first()
        return None if found is None else (run_record(json.loads(found.record)), found.night)

    def first_seen_of_resolved(self, findings: Sequence[str]) -> dict[str, datetime]:
        """Of these findings those that were resolved when they were last heard of, and when they were first seen."""
        return {event.finding: event.first_seen for event in self._last_events(findings) if event.state == "resolved"}

    def _last_events(self, findings: Sequence[str]) -> Iterator[Event]:
        events = self.finding_events
        if self._count(events) == 0:
            return
        for begin in range(0, len(findings), _CHUNK):
            query = sa.select(events).where(events.c.finding.in_(findings[begin : begin + _CHUNK])).order_by(events.c.number)
            last = {event.finding: event for event in self._events(query)}
            yield from last.values()

    def events_of(self, finding: str) -> list[Event]:
        """The history of one finding, oldest first."""
        events = self.finding_events
        return list(self._events(sa.select(events).where(events.c.finding == finding).order_by(events.c.number)))

    def _events(self, query: Any) -> Iterator[Event]:
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                yield Event(row.finding, row.run, _instant(row.as_of), row.state, _instant(row.first_seen))

    def accepted(self) -> dict[str, str]:
        """The hash of each source's last accepted snapshot."""
        query = sa.select(self.snapshots.c.source, self.snapshots.c.sha256).order_by(self.snapshots.c.number)
        with self._engine.connect() as connection:
            return {row.source: row.sha256 for row in connection.execute(query)}

    def pinned(self) -> dict[str, str]:
        """The identity each source answered with when it was last accepted."""
        known = sa.select(self.snapshots.c.source, self.snapshots.c.identity).where(self.snapshots.c.identity.is_not(None))
        with self._engine.connect() as connection:
            return {row.source: row.identity for row in connection.execute(known.order_by(self.snapshots.c.number))}

    def most_active(self, source: str, since: datetime) -> int | None:
        """The most active people a source had on an accepted night since then."""
        chosen = (self.snapshots.c.source == source) & (self.snapshots.c.as_of >= instant_text(since))
        with self._engine.connect() as connection:
            found: int | None = connection.scalar(sa.select(sa.func.max(self.snapshots.c.active_people)).where(chosen))
            return found

    def moves_told(self) -> list[Move]:
        """Every position that somebody has left."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(self.moves).order_by(self.moves.c.until)).all()
        return [Move(row.person, json.loads(row.attributes), _instant(row.until)) for row in rows]

    # --- decisions of people ----------------------------------------------------------------------------------

    def links_made(self) -> dict[tuple[str, str], str]:
        with self._engine.connect() as connection:
            return {(row.source, row.account): row.person for row in connection.execute(sa.select(self.links))}

    def waivers_in_force(self, now: datetime) -> dict[str, dict[str, Any]]:
        """Finding -> its waiver, as long as it has not expired."""
        query = sa.select(self.waivers).where(self.waivers.c.until > instant_text(now))
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return {row["finding"]: {"until": row["until"], "reason": row["reason"], "by": row["made_by"]} for row in rows}

    def _column(self, query: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def _count(self, table: sa.Table) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a database, made or brought up to date if need be; raises UsageError when that cannot be done."""
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            _migrate(connection)
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError, OSError) as problem:
        shown = sa.engine.make_url(url).render_as_string(hide_password=True) if "://" in url else url
        raise UsageError(f"the database {shown} cannot be opened: {str(problem).splitlines()[0]}") from None
    store = Store(engine)
    try:
        yield store
    finally:
        store.close()


def _engine(url: str) -> sa.Engine:
    made = sa.engine.make_url(url)
    if made.get_backend_name() != "sqlite":
        return sa.create_engine(made)
    path = Path(made.database or "")
    private_folder(path.parent)
    if path.is_symlink():
        raise OSError(f"{path} is a link; name the file itself")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # made before SQLite does: its -wal and -shm copy the mode
    engine = sa.create_engine(made, connect_args={"timeout": 60})
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, so that migrations are whole too
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: sa.Connection) -> None:
    """Bring the tables up to date in the caller's transaction; a database newer than this program is refused."""
    alembic = Alembic()
    alembic.set_main_option("script_location", "reconciler:migrations")
    alembic.set_main_option("path_separator", "os")
    alembic.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(alembic)
    stands = MigrationContext.configure(connection).get_current_revision()
    if stands is not None and stands not in {script.revision for script in scripts.walk_revisions()}:
        raise UsageError(
            f"the database is newer (version {stands}) than this program (version {scripts.get_current_head()}); update reconciler"
        )
    if stands != scripts.get_current_head():
        command.upgrade(alembic, "head")


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(table.insert(), listed)


def _move(move: Move, run: str) -> dict[str, Any]:
    attributes = json.dumps(dict(move.attributes), ensure_ascii=False)
    return {"person": move.person_id, "until": instant_text(move.until), "run": run, "attributes": attributes}


def _without(record: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key != name}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def run_record(told: Mapping[str, Any]) -> RunRecord:
    """A run's record from its JSON."""
    fields = {name: value for name, value in told.items() if name != "schema_version"}
    for name in ("as_of", "started", "finished"):
        fields[name] = _instant(fields[name])
    fields["sources"] = tuple(_source(source) for source in fields["sources"])
    fields["not_assessed"] = tuple(NotAssessed(**each) for each in fields["not_assessed"])
    fields["reports"] = tuple(fields["reports"])
    return RunRecord(**fields)


def _source(told: Mapping[str, Any]) -> SourceReport:
    as_of = None if told["as_of"] is None else _instant(told["as_of"])
    return SourceReport(**{**told, "as_of": as_of, "reasons": tuple(told["reasons"]), "scopes": tuple(told["scopes"])})
