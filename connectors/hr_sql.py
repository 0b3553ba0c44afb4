"""A roster in a database: one query in one transaction that reads only, counted before and after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from connectors._roster import DATES, Reading, Row
from connectors._roster_settings import RosterSettings
from connectors._roster_table import answers, places, reading
from reconciler.connector import AccessRefused, Answer, AsOf, Context, Incomplete, Need, SecretRef, duration

NEEDS = (Need("SELECT on what the query names", "the roster", "nothing can be said about anybody"),)

# One view of the data for the whole transaction, where the database has it.
ISOLATION = {"postgresql": "REPEATABLE READ", "mysql": "REPEATABLE READ", "mariadb": "REPEATABLE READ", "mssql": "SNAPSHOT", "oracle": "SERIALIZABLE"}  # fmt: skip
READ_ONLY = {"sqlite": "PRAGMA query_only=ON", "mysql": "SET SESSION TRANSACTION READ ONLY", "mariadb": "SET SESSION TRANSACTION READ ONLY"}  # fmt: skip
CONNECT_SECONDS = {"postgresql": "connect_timeout", "mysql": "connect_timeout", "mariadb": "connect_timeout", "sqlite": "timeout"}
_REFUSED = ("28000", "28P01", "42501")  # SQLSTATEs of a login or a right that is not there
# What PostgreSQL, MySQL, SQL Server and Oracle say of a login, where the driver brings no SQLSTATE.
_NO_ENTRY = re.compile(r'authentication failed|role ".*" does not exist|access denied|login failed|ORA-01017', re.IGNORECASE)


def _address(value: object, info: ValidationInfo) -> object:
    """A URL without a password; a relative SQLite file lies beside the configuration."""
    try:
        url = sa.make_url(value) if isinstance(value, str) else None
    except sa.exc.ArgumentError:
        url = None
    if url is None:
        raise ValueError("expected a SQLAlchemy URL, as in postgresql+psycopg://reader@db.example.com/hr")
    if url.password is not None or re.search("pwd=|password", str(url.query), re.IGNORECASE):
        raise ValueError('the password stands in the URL; take it out and write password = "env:NAME"')
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise ValueError("a roster is kept in a file; name one, as in sqlite:///hr.db")
        url = url.set(database=str(Path((info.context or {}).get("base", ".")).absolute() / str(url.database)))
    return url.render_as_string()


def _question(text: str) -> str:
    plain = re.sub(r"--[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL).strip().rstrip(";").rstrip()
    if not re.match(r"(select|with|values|table)\b", plain, re.IGNORECASE) or ";" in re.sub("'[^']*'", "", plain):
        raise ValueError("expected one query that reads: SELECT … or WITH …")
    return text.strip().rstrip(";")


class Settings(RosterSettings):
    """Any database SQLAlchemy speaks to, with a driver that is installed."""

    kind: Literal["hr_sql"]
    url: Annotated[str, BeforeValidator(_address)] = Field(description="A SQLAlchemy URL, without a password.")
    password: SecretRef | None = None
    query: Annotated[str, AfterValidator(_question)] = Field(description="One row per employment.")
    count: Annotated[str, AfterValidator(_question)] | None = Field(None, description="Its number of rows, where the query cannot stand in parentheses.")  # fmt: skip
    loaded_at: Annotated[str, AfterValidator(_question)] | None = Field(None, description="When the data was loaded: one instant, held against max_age.")  # fmt: skip
    isolation: str | None = Field(None, description="Of the transaction; without it the best the database has.")


@dataclass(frozen=True)
class _Told:
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    count: int
    loaded_at: datetime | None


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The people of a query. Raises Incomplete, or AccessRefused when the database does not let this user in."""
    shown = sa.make_url(settings.url).render_as_string()
    told = _asked(settings, shown)
    if told.loaded_at and context.now - told.loaded_at > duration(settings.max_age):
        raise Incomplete(
            f"stale: {shown} was loaded at {told.loaded_at:%Y-%m-%d %H:%M} UTC, older than max_age = {settings.max_age} "
            f"at {context.now:%Y-%m-%d %H:%M} UTC; has the load stopped?"
        )
    yield AsOf(told.loaded_at or context.now)
    headers = places(settings, told.header, context.source, f"{shown}: the query")
    if not told.rows:
        raise Incomplete(f"{shown}: the query gives nobody; is a load under way?")
    made = reading(settings, context.source, told.header, headers, "row")
    made.read(list(_rows(settings, made, told.rows, headers)), len(told.rows))
    yield from answers(settings, made, len(told.rows), shown, declared=told.count, identity=_who_answers(settings))


def _who_answers(settings: Settings) -> str:
    """The database, whichever user and driver it is asked by."""
    url = sa.make_url(settings.url)
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


# --- the database -----------------------------------------------------------------------------------------------


def _asked(settings: Settings, shown: str) -> _Told:
    """Count, rows and count again in one transaction, which is rolled back."""
    try:
        engine = _engine(settings)
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                told = _read(connection, settings, shown)
                transaction.rollback()
                return told
        finally:
            engine.dispose()
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as problem:
        raise Incomplete(f"{shown}: no driver for this kind of database: {_first_line(problem)}; install it") from None
    except sa.exc.SQLAlchemyError as problem:
        cause = getattr(problem, "orig", None) or problem
        refused = getattr(cause, "sqlstate", None) in _REFUSED or _NO_ENTRY.search(str(cause))
        kind = AccessRefused if refused else Incomplete
        raise kind(f"{shown}: {_first_line(cause)}") from None


def _engine(settings: Settings) -> sa.Engine:
    url = sa.make_url(settings.url)
    backend = url.get_backend_name()
    if settings.password is not None:
        url = url.set(password=settings.password.reveal())
    if backend == "sqlite":
        url = url.set(database=f"file:{quote(str(url.database))}", query={**url.query, "mode": "ro", "uri": "true"})
    level = settings.isolation or ISOLATION.get(backend)
    options: dict[str, Any] = {"isolation_level": level} if level else {}
    options |= {"postgresql_readonly": True} if backend == "postgresql" else {}
    limits = {CONNECT_SECONDS[backend]: 10} if backend in CONNECT_SECONDS else {}
    engine = sa.create_engine(url, hide_parameters=True, poolclass=sa.NullPool, connect_args=limits, execution_options=options)
    sa.event.listen(engine, "connect", _prepared(READ_ONLY.get(backend), backend))
    if backend == "sqlite":
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepared(statement: str | None, backend: str) -> Any:
    """A listener that has a new connection refuse to write, whatever this user may do."""

    def listen(connection: Any, _record: Any) -> None:
        if backend == "sqlite":
            connection.isolation_level = None  # a transaction begins where SQLAlchemy says, not at the first write
        if statement:
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()

    return listen


def _read(connection: sa.Connection, settings: Settings, shown: str) -> _Told:
    def ask(query: str) -> sa.CursorResult[Any]:
        return connection.exec_driver_sql(query, execution_options={"no_parameters": True})

    counting = settings.count or f"SELECT COUNT(*) FROM ({settings.query}) counted"  # noqa: S608 - the operator's own query
    before = int(ask(counting).scalar_one())
    found = ask(settings.query)
    header, rows = list(found.keys()), found.all()
    after = int(ask(counting).scalar_one())
    if not before == len(rows) == after:
        raise Incomplete(
            f"{shown}: {len(rows)} rows read, {before} counted before and {after} after; read when no load is under way"
        )
    loaded = ask(settings.loaded_at).scalar() if settings.loaded_at else None
    return _Told(header, rows, after, _instant(loaded, shown) if settings.loaded_at else None)


def _instant(value: object, shown: str) -> datetime:
    """An instant as databases tell it; one without a zone is taken as UTC."""
    try:
        made = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise Incomplete(f"{shown}: loaded_at gives {str(value)[:60]!r}, which is no instant") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _first_line(problem: object) -> str:
    return next(iter(str(problem).splitlines()), type(problem).__name__)[:300]


# --- rows -------------------------------------------------------------------------------------------------------


def _rows(settings: Settings, read: Reading, rows: Sequence[Sequence[Any]], headers: Mapping[str, int]) -> Iterator[Row]:
    for number, values in enumerate(rows, 1):
        row = Row(number, {column: _text(values[at], settings.date_format) for column, at in headers.items()})
        odd = next((column for column, at in headers.items() if _unfit(column, values[at])), None)
        if odd:
            due = (
                "a day; cast it to a date in the query, in the zone it is meant in"
                if odd in DATES
                else "a text, a number or a day"
            )
            read.quarantine(row, odd, row.cells[odd], due, f"row {number}: {row.cells[odd]!r} is {_kind(values[headers[odd]])}")
        else:
            yield row


def _unfit(column: str, value: object) -> bool:
    """Whether a value is of another kind than its column: a time of day for a day, bytes for a text."""
    if isinstance(value, datetime):
        return column in DATES and (value.tzinfo is not None or value != datetime.combine(value, datetime.min.time()))
    return not (value is None or isinstance(value, (str, int, float, Decimal, date)))


def _kind(value: object) -> str:
    return "a time, not a day" if isinstance(value, datetime) else f"of the kind {type(value).__name__}"


def _text(value: Any, date_format: str) -> str:
    """A value as a file would have it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        midnight = value.tzinfo is None and value == datetime.combine(value, datetime.min.time())
        return value.strftime(date_format) if midnight else value.isoformat(" ")
    if isinstance(value, date):
        return value.strftime(date_format)
    whole = (
        value.is_integer() if isinstance(value, float) else isinstance(value, Decimal) and value.is_finite() and value % 1 == 0
    )
    return str(int(value)) if whole else str(value)
