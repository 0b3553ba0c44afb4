"""Runs, what changed in them, and what people decided; with its own rooms the only user of SQLAlchemy. SQLite by default."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from reconciler.errors import UsageError
from reconciler.estate import Move
from reconciler.model import Change, NotAssessed, RunRecord, SourceReport
from reconciler.store_database import connect, look
from reconciler.store_decisions import Decisions
from reconciler.store_tables import FINDING_EVENTS, MOVES, RUNS, SNAPSHOTS, instant, stamp
from reconciler.store_upkeep import Upkeep

_CHUNK = 30_000  # values in one IN (...): below the limits of SQLite (32,766) and PostgreSQL (65,535)


@dataclass(frozen=True)
class Accepted:
    """A snapshot that was taken as the truth of a night; `because` and `by` are given when it was out of its band."""

    source: str
    sha256: str
    identity: str | None
    active_people: int
    because: str | None = None
    by: str | None = None


@dataclass(frozen=True)
class Event:
    """What became of a finding in one run."""

    finding: str
    run: str
    as_of: datetime
    state: str
    first_seen: datetime


def new_run_id(now: datetime) -> str:
    """A name that sorts by time and is never given twice: 20261122T020500Z-7f3a."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


class Store(Decisions, Upkeep):
    """An open database: nights here, decisions and upkeep in its other rooms."""

    def save(
        self, record: RunRecord, night: str, changes: Iterable[Change], moves: Iterable[Move], accepted: Iterable[Accepted]
    ) -> None:
        """Everything that a night stores, in one transaction: the whole night, or nothing of it.

        `night` is the hash of the stored night. Raises ReconcilerError when the database fails.
        """
        with self.writing() as connection:
            number = (connection.scalar(sa.select(sa.func.max(RUNS.c.number))) or 0) + 1
            here = {"run": record.run, "number": number, "as_of": stamp(record.as_of)}
            told = {"complete": record.complete, "night": night, "record": _told(record)}
            connection.execute(RUNS.insert(), {**here, **told})
            _insert(connection, FINDING_EVENTS, [{**vars(c), **here, "first_seen": stamp(c.first_seen)} for c in changes])
            _insert(connection, MOVES, [_move(move, record.run) for move in moves])
            _insert(connection, SNAPSHOTS, [{**_snapshot(a), **here} for a in accepted])

    def tell_reports(self, run: str, record: RunRecord) -> None:
        """Replace a run's record, when its reports are written."""
        with self.writing() as connection:
            connection.execute(RUNS.update().where(RUNS.c.run == run), {"record": _told(record)})

    def runs_told(self, limit: int | None = None) -> list[RunRecord]:
        """The last runs, oldest first."""
        query = sa.select(RUNS.c.record).order_by(RUNS.c.number.desc()).limit(limit)
        with self.reading() as connection:
            return [run_record(json.loads(text)) for text in reversed(connection.scalars(query).all())]

    def night_of(self, run: str | None = None, complete: bool = False) -> tuple[RunRecord, str] | None:
        """A run, or the last one, with the hash of its stored night; None when there is none, or its night was pruned.

        `run` is an id or its beginning; raises UsageError when several runs begin so.
        """
        query = sa.select(RUNS.c.run, RUNS.c.record, RUNS.c.night).where(RUNS.c.night != "")
        query = query.where(RUNS.c.complete) if complete else query
        if run is None:
            query = query.order_by(RUNS.c.number.desc()).limit(1)
        else:
            query = query.where(RUNS.c.run.startswith(run, autoescape=True)).order_by(RUNS.c.run).limit(2)
        with self.reading() as connection:
            found = connection.execute(query).all()
        if len(found) > 1 and found[0].run != run:
            raise UsageError(f"several runs begin with {run}: {found[0].run}, {found[1].run} …; give more of the one you mean")
        return (run_record(json.loads(found[0].record)), found[0].night) if found else None

    def first_seen_of_resolved(self, findings: Sequence[str]) -> dict[str, datetime]:
        """Of these findings those that were resolved when they were last heard of, and when they were first seen."""
        return {name: event.first_seen for name, event in self.last_events(findings).items() if event.state == "resolved"}

    def last_events(self, findings: Sequence[str]) -> dict[str, Event]:
        """Finding -> what was last heard of it; findings never heard of are left out."""
        last: dict[str, Event] = {}
        for begin in range(0, len(findings), _CHUNK):
            chosen = FINDING_EVENTS.c.finding.in_(findings[begin : begin + _CHUNK])
            last |= {event.finding: event for event in self._events(chosen)}
        return last

    def events_of(self, finding: str) -> list[Event]:
        """The history of one finding, oldest first."""
        return list(self._events(FINDING_EVENTS.c.finding == finding))

    def _events(self, chosen: sa.ColumnElement[bool]) -> Iterator[Event]:
        with self.reading() as connection:
            for row in connection.execute(sa.select(FINDING_EVENTS).where(chosen).order_by(FINDING_EVENTS.c.number)):
                yield Event(row.finding, row.run, instant(row.as_of), row.state, instant(row.first_seen))

    def accepted(self) -> dict[str, str]:
        """The hash of each source's last accepted snapshot."""
        query = sa.select(SNAPSHOTS.c.source, SNAPSHOTS.c.sha256).order_by(SNAPSHOTS.c.number)
        with self.reading() as connection:
            return {row.source: row.sha256 for row in connection.execute(query)}

    def pinned(self) -> dict[str, str]:
        """The identity each source answered with when it was last accepted."""
        known = sa.select(SNAPSHOTS.c.source, SNAPSHOTS.c.identity).where(SNAPSHOTS.c.identity.is_not(None))
        with self.reading() as connection:
            return {row.source: row.identity for row in connection.execute(known.order_by(SNAPSHOTS.c.number))}

    def most_active(self, source: str, since: datetime) -> int | None:
        """The most active people a source had on an accepted night since then, or since somebody took a reading on trust."""
        chosen = (SNAPSHOTS.c.as_of >= stamp(since)) & _believed(source)
        with self.reading() as connection:
            found: int | None = connection.scalar(sa.select(sa.func.max(SNAPSHOTS.c.active_people)).where(chosen))
            return found

    def accepted_since(self, source: str, since: datetime) -> list[str]:
        """The hashes of a source's accepted snapshots since then, or since somebody took a reading on trust; oldest first."""
        chosen = (SNAPSHOTS.c.as_of >= stamp(since)) & _believed(source)
        with self.reading() as connection:
            return list(connection.scalars(sa.select(SNAPSHOTS.c.sha256).where(chosen).order_by(SNAPSHOTS.c.number)))

    def moves_told(self) -> list[Move]:
        """Every position that somebody has left."""
        with self.reading() as connection:
            rows = connection.execute(sa.select(MOVES).order_by(MOVES.c.until)).all()
        return [Move(row.person, json.loads(row.attributes), instant(row.until)) for row in rows]


def _believed(source: str) -> sa.ColumnElement[bool]:
    """A source's nights since somebody took a reading on trust."""
    trusted = sa.select(sa.func.max(SNAPSHOTS.c.number)).where(
        (SNAPSHOTS.c.source == source) & SNAPSHOTS.c.accepted_because.is_not(None)
    )
    return (SNAPSHOTS.c.source == source) & (SNAPSHOTS.c.number >= sa.func.coalesce(trusted.scalar_subquery(), 0))


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a database, made or brought up to date if need be; raises UsageError when that cannot be done."""
    store = Store(connect(url))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def looked_into(url: str) -> Iterator[Store | None]:
    """A database that is only looked at, as it stands; None where there is none yet, or nothing in it."""
    engine = look(url)
    if engine is None:
        yield None
        return
    store = Store(engine)
    try:
        with store.reading() as connection:
            there = sa.inspect(connection).has_table(SNAPSHOTS.name)
        yield store if there else None
    finally:
        store.close()


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _told(record: RunRecord) -> str:
    return json.dumps(record.to_json())  # in ASCII: a database may refuse what a source sent as text


def _move(move: Move, run: str) -> dict[str, Any]:
    return {"person": move.person_id, "until": stamp(move.until), "run": run, "attributes": json.dumps(dict(move.attributes))}


def _snapshot(accepted: Accepted) -> dict[str, Any]:
    fields = dict(vars(accepted))
    return {**fields, "accepted_because": fields.pop("because"), "accepted_by": fields.pop("by")}


def run_record(told: Mapping[str, Any]) -> RunRecord:
    """A run's record from its JSON."""
    fields = {name: value for name, value in told.items() if name != "schema_version"}
    for name in ("as_of", "started", "finished"):
        fields[name] = instant(fields[name])
    fields["sources"] = tuple(_source(source) for source in fields["sources"])
    fields["not_assessed"] = tuple(NotAssessed(**each) for each in fields["not_assessed"])
    fields["reports"] = tuple(fields["reports"])
    return RunRecord(**fields)


def _source(told: Mapping[str, Any]) -> SourceReport:
    as_of = None if told["as_of"] is None else instant(told["as_of"])
    several = {name: tuple(told.get(name, ())) for name in ("reasons", "scopes", "certificate")}
    return SourceReport(**{**told, **several, "as_of": as_of})
