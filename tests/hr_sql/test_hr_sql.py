"""A roster in a database is read in one transaction, whole or not at all, and nothing can be written with what is configured."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from connectors.hr_sql import Settings, read
from reconciler.connector import Answer, AsOf, Context, Defect, Ended, Identity, Incomplete, Page

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
PEOPLE = "CREATE TABLE staff (employee_id TEXT, given_name TEXT, family_name TEXT, status TEXT, start_date DATE, last_day, department TEXT)"
QUERY = "SELECT * FROM staff ORDER BY employee_id"
ROWS = [(f"{n:06d}", "Jo", f"Doe{n}", "A", "2020-01-06", None, "Finance  ") for n in range(1, 51)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "hr.db", isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute(PEOPLE)
        made.executemany("INSERT INTO staff VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
        yield made


def settings(folder: Path, **keys: Any) -> Settings:
    told = {"kind": "hr_sql", "url": "sqlite:///hr.db", "query": QUERY, "statuses": {"active": ["A"], "left": ["T"]}, **keys}
    return Settings.model_validate(told, context={"base": str(folder)})


def answers(folder: Path, **keys: Any) -> list[Answer]:
    return list(read(settings(folder, **keys), Context("hr", NOW)))


def people(made: list[Answer]) -> dict[str, list[Any]]:
    page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
    assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
    return {name: list(page.values(name)) for name in page.columns}


def test_reads_people_and_trims_padding(tmp_path: Path, database: sqlite3.Connection) -> None:
    assert Identity(f"sqlite:///{tmp_path}/hr.db") in answers(tmp_path)
    found = people(answers(tmp_path))
    assert (len(found["employee_id"]), found["employee_id"][0], found["department"][0]) == (50, "000001", "Finance")
    assert (found["status"][0], found["start_date"][0]) == ("active", date(2020, 1, 6))


@pytest.fixture
def between() -> Iterator[Callable[[str, Callable[[], object]], None]]:
    """Have something happen right after a statement that contains a text was answered."""
    listening: list[Any] = []

    def arrange(text: str, happen: Callable[[], object]) -> None:
        def listen(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if text in statement and happen not in done:
                done.append(happen)
                happen()

        done: list[Any] = []
        listening.append(listen)
        sa.event.listen(sa.Engine, "after_cursor_execute", listen)

    yield arrange
    for listen in listening:
        sa.event.remove(sa.Engine, "after_cursor_execute", listen)


def test_a_load_in_the_middle_of_the_read_is_not_seen(tmp_path: Path, database: sqlite3.Connection, between: Any) -> None:
    """TRUNCATE and INSERT between the count and the rows: all people of before, or none."""
    between("COUNT(*)", lambda: database.execute("DELETE FROM staff"))
    assert len(people(answers(tmp_path))["employee_id"]) == 50
    with pytest.raises(Incomplete, match="the query gives nobody; is a load under way"):
        answers(tmp_path)


def test_a_query_that_does_not_stand_still_is_refused(tmp_path: Path, database: sqlite3.Connection) -> None:
    odd = "SELECT * FROM staff WHERE employee_id > printf('%06d', abs(random() % 40))"
    with pytest.raises(Incomplete, match=r"rows read, \d+ counted before and"):
        for _ in range(20):
            people(answers(tmp_path, query=odd))


def test_nothing_can_be_written(tmp_path: Path, database: sqlite3.Connection) -> None:
    """Even by a query that gets past the words: the connection itself refuses."""
    with pytest.raises(Incomplete, match="readonly"):
        answers(tmp_path, query="WITH x AS (SELECT 1) DELETE FROM staff", count="SELECT 1")
    assert database.execute("SELECT COUNT(*) FROM staff").fetchone() == (50,)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="unable to open"):
        answers(tmp_path)
    assert not (tmp_path / "hr.db").exists()


VALUES: list[tuple[str, str, Any, str]] = [
    ("a time for a day", "start_date", "2020-01-06 17:00:00", "2020-01-06 17:00:00"),
    ("another form", "start_date", "06.01.2020", "06.01.2020"),
    ("bytes", "department", b"\xff\x00", r"b'\xff\x00'"),
    ("an unknown status", "status", "LOA-PAT", "LOA-PAT"),
    ("no status", "status", None, ""),
]


@pytest.mark.parametrize(("column", "value", "found"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES])
def test_a_value_that_does_not_fit_quarantines_its_row(
    tmp_path: Path, database: sqlite3.Connection, column: str, value: Any, found: str
) -> None:
    database.execute(f"UPDATE staff SET {column} = ? WHERE employee_id = '000008'", (value,))
    made = answers(tmp_path)
    (defect,) = (answer for answer in made if isinstance(answer, Defect))
    assert (defect.employee_id, defect.line, defect.column, defect.found) == ("000008", 8, column, found)
    assert len(people(made)["employee_id"]) == 49


def test_numbers_are_their_digits(tmp_path: Path, database: sqlite3.Connection) -> None:
    query = "SELECT 42 AS employee_id, 4711.0 AS cost_centre, 1.5 AS job_code, 'A' AS status"
    found = people(answers(tmp_path, query=query))
    assert [found[name] for name in ("employee_id", "cost_centre", "job_code")] == [["42"], ["4711"], ["1.5"]]


def test_how_old_the_data_is_may_be_asked(tmp_path: Path, database: sqlite3.Connection) -> None:
    made = answers(tmp_path, loaded_at="SELECT '2026-11-21 23:00:00'")
    assert AsOf(datetime(2026, 11, 21, 23, tzinfo=UTC)) in made
    with pytest.raises(Incomplete, match=r"^stale: sqlite.* was loaded at 2026-11-19 23:00"):
        answers(tmp_path, loaded_at="SELECT '2026-11-19 23:00:00'")
    with pytest.raises(Incomplete, match="'yesterday', which is no instant"):
        answers(tmp_path, loaded_at="SELECT 'yesterday'")


FAILING = [
    ("a table that is not there", {"query": "SELECT * FROM gone"}, "no such table: gone"),
    ("a column that is not there", {"columns": {"job_code": "code"}}, "the query: no header 'code' for job_code"),
    ("two columns of one name", {"query": "SELECT employee_id, status, status FROM staff"}, "'status' stands there twice"),
    ("too few people", {"min_people": 51}, "50 people, fewer than min_people = 51"),
    ("a driver nobody has", {"url": "nodb://db.example.com/hr"}, "no driver for this kind of database"),
    ("an isolation nobody has", {"isolation": "SOLITUDE"}, "SOLITUDE"),
]


@pytest.mark.parametrize(("keys", "told"), [case[1:] for case in FAILING], ids=[case[0] for case in FAILING])
def test_refused_with_a_sentence(tmp_path: Path, database: sqlite3.Connection, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        answers(tmp_path, **keys)


WRONG = [
    ("no URL", {"url": "hr.db"}, "expected a SQLAlchemy URL"),
    ("a database in memory", {"url": "sqlite://"}, "kept in a file"),
    ("a password in the URL", {"url": "postgresql://reader:hunter2@db/hr"}, "take it out"),
    ("a password among the options", {"url": "mssql+pyodbc://?odbc_connect=UID%3Dx%3BPWD%3Dhunter2"}, "take it out"),
    ("a password as it is", {"password": "hunter2"}, "a secret is a reference"),
    ("a query that writes", {"query": "DELETE FROM staff"}, "one query that reads"),
    ("two queries", {"query": "SELECT 1; DROP TABLE staff"}, "one query that reads"),
    ("a query behind a comment", {"query": "-- SELECT\nUPDATE staff SET status = 'T'"}, "one query that reads"),
]


@pytest.mark.parametrize(("keys", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_settings_are_refused_without_a_secret(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(tmp_path, **keys)


def test_a_semicolon_in_a_text_is_no_second_query(tmp_path: Path, database: sqlite3.Connection) -> None:
    assert people(answers(tmp_path, query="SELECT * FROM staff WHERE department <> 'a;b' -- all of them\n;"))
