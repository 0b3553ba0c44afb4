"""A roster in PostgreSQL: one view of the data while it is loaded anew, by a user who may read and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.hr_sql import Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Defect, Ended, Incomplete, Page
from tests.live.test_postgresql import database  # noqa: F401 - a fixture

pytestmark = pytest.mark.live

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
LOAD = "INSERT INTO staff SELECT lpad(n::text, 6, '0'), 'Jo', 'Doe' || n, 'A', DATE '2020-01-06', 'Finance' FROM generate_series(1, 2000) n"


@pytest.fixture
def owner(database: str) -> Iterator[sa.Engine]:  # noqa: F811
    """The loader's connection to a table of two thousand people."""
    made = sa.create_engine(database, isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        for statement in (
            "DROP TABLE IF EXISTS staff",
            "CREATE TABLE staff (employee_id char(10), given_name text, family_name text, status text, start_date date, department char(20))",
            LOAD,
            "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            "GRANT SELECT ON staff TO reader",
        ):
            connection.exec_driver_sql(statement)
    yield made
    made.dispose()


def answers(url: str, **keys: Any) -> list[Answer]:
    told = {"kind": "hr_sql", "url": url, "query": "SELECT * FROM staff", "statuses": {"active": ["A"]}, **keys}
    return list(read(Settings.model_validate(told), Context("hr", NOW)))


def people(made: list[Answer]) -> dict[str, list[Any]]:
    page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
    assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
    return {name: list(page.values(name)) for name in page.columns}


def reader(database: str) -> str:  # noqa: F811
    return database.replace("reconciler@", "reader@")


def test_a_reader_reads_and_padding_is_gone(owner: sa.Engine, database: str) -> None:  # noqa: F811
    found = people(answers(reader(database), query="SELECT * FROM staff WHERE family_name LIKE 'Doe%' ORDER BY employee_id"))
    assert (len(found["employee_id"]), found["employee_id"][0], found["department"][0]) == (2000, "000001", "Finance")


@pytest.mark.parametrize("how", ["DELETE FROM staff WHERE employee_id > '001000'", "TRUNCATE staff"])
def test_a_load_in_the_middle_is_not_seen(owner: sa.Engine, database: str, how: str) -> None:  # noqa: F811
    """Between the count and the rows; TRUNCATE has to wait for us, DELETE is not in our view."""
    loading: list[threading.Thread] = []

    def load() -> None:
        with owner.connect() as connection:
            connection.exec_driver_sql(how)

    def listen(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "COUNT(*)" in statement and not loading:
            loading.append(threading.Thread(target=load))
            loading[0].start()
            loading[0].join(0.5)

    sa.event.listen(sa.Engine, "after_cursor_execute", listen)
    try:
        assert len(people(answers(reader(database)))["employee_id"]) == 2000
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", listen)
    loading[0].join(10)
    with owner.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM staff").scalar_one() < 2000


def test_nothing_can_be_written_even_by_the_owner(owner: sa.Engine, database: str) -> None:  # noqa: F811
    with pytest.raises(Incomplete, match="read-only transaction"):
        answers(database, query="WITH gone AS (DELETE FROM staff RETURNING *) SELECT * FROM gone", count="SELECT 0")


def test_a_right_that_is_missing_is_a_refusal(owner: sa.Engine, database: str) -> None:  # noqa: F811
    with owner.connect() as connection:
        connection.exec_driver_sql("REVOKE SELECT ON staff FROM reader")
    with pytest.raises(AccessRefused, match="permission denied for table staff"):
        answers(reader(database))
    with pytest.raises(AccessRefused, match="nobody") as refused:
        answers(database.replace("reconciler@", "nobody@"))
    assert "SELECT" not in str(refused.value)


def test_a_time_stamp_is_no_day(owner: sa.Engine, database: str) -> None:  # noqa: F811
    query = "SELECT employee_id, status, start_date::timestamptz AS start_date FROM staff LIMIT 10"
    with pytest.raises(Incomplete, match="cast it to a date in the query"):
        answers(reader(database), query=query)
