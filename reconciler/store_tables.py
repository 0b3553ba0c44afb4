"""The database's tables as the store reads and writes them; `migrations` makes them, a test holds the two together.

Instants are UTC texts of one width (2026-11-22T02:05:00.000000Z), so that they sort alike in every database and collation.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Integer, Text

metadata = sa.MetaData()


def _decision(name: str, *columns: Column[object]) -> sa.Table:
    """What a person decided: who, when and why; rows are added, never replaced."""
    said = (Column(word, Text, nullable=False) for word in ("reason", "made_by", "made_at"))
    return sa.Table(name, metadata, Column("number", Integer, primary_key=True), *columns, *said)


RUNS = sa.Table(
    "runs",
    metadata,
    Column("run", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),  # the order in which runs were stored
    Column("as_of", Text, nullable=False),
    Column("complete", sa.Boolean, nullable=False),
    Column("night", Text, nullable=False),  # hash of the stored night; empty once it was pruned
    Column("record", Text, nullable=False),  # the contract's run object
)
FINDING_EVENTS = sa.Table(
    "finding_events",
    metadata,
    Column("finding", Text, primary_key=True),
    Column("run", Text, ForeignKey("runs.run"), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("first_seen", Text, nullable=False),
)
SNAPSHOTS = sa.Table(
    "snapshots",
    metadata,
    Column("source", Text, primary_key=True),
    Column("run", Text, ForeignKey("runs.run"), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("identity", Text),
    Column("active_people", Integer, nullable=False),
    Column("accepted_because", Text),
    Column("accepted_by", Text),
)
MOVES = sa.Table(
    "moves",
    metadata,
    Column("person", Text, primary_key=True),
    Column("until", Text, primary_key=True),
    Column("run", Text, ForeignKey("runs.run"), primary_key=True),
    Column("attributes", Text, nullable=False),
)
LINKS = _decision(
    "links",
    Column("source", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("person", Text),  # null: the link was taken back
)
WAIVERS = _decision("waivers", Column("finding", Text, nullable=False), Column("until", Text))  # null: it was taken back
HOLDS = _decision("holds", Column("person", Text, nullable=False), Column("until", Text, nullable=False))
ADOPTIONS = _decision("adoptions", Column("run", Text, ForeignKey("runs.run"), nullable=False))


def stamp(instant: datetime) -> str:
    """An aware instant as the tables hold it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
