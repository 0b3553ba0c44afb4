"""One company, five kinds of roster: the same people, the same findings."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.http import HttpServer, Reply, Request, json_reply
from tests.contract.conftest import CONFIG, HEADER, PEOPLE, Estate
from tests.hr_file.workbooks import book
from tests.hr_scim.service import DATES, ENTERPRISE, TOKEN, Service

WORDS = 'statuses = { active = ["Active"], leave = ["LOA"], left = ["Terminated"], prehire = ["Accepted"] }'
ROWS = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in PEOPLE]


def as_file(estate: Estate) -> str:
    return f'kind = "hr_file"\npath = "roster.csv"\n{WORDS}'


def as_workbook(estate: Estate) -> str:
    (estate.folder / "roster.xlsx").write_bytes(book([list(row.values()) for row in ROWS], HEADER.split(",")))
    os.utime(estate.folder / "roster.xlsx", (estate.now.timestamp(),) * 2)
    return f'kind = "hr_file"\npath = "roster.xlsx"\n{WORDS}'


def as_database(estate: Estate) -> str:
    names = [name.lower().replace(" ", "_") for name in ROWS[0]]
    with closing(sqlite3.connect(estate.folder / "hr.db", isolation_level=None)) as made:
        made.execute(f"CREATE TABLE staff ({', '.join(names)})")
        made.executemany(f"INSERT INTO staff VALUES ({', '.join('?' * len(names))})", [tuple(row.values()) for row in ROWS])
    return f'kind = "hr_sql"\nurl = "sqlite:///hr.db"\nquery = "SELECT * FROM staff"\n{WORDS}'


@pytest.fixture
def serve(estate: Estate) -> Iterator[Callable[[Callable[[Request], Reply]], str]]:
    running: list[HttpServer] = []

    def start(answer: Callable[[Request], Reply]) -> str:
        (estate.folder / "secret").write_text(TOKEN)
        (estate.folder / "secret").chmod(0o600)
        running.append(HttpServer(answer, Faults()).start())
        return running[-1].url

    yield start
    for server in running:
        server.close()


def as_report(url: str) -> str:
    return f'kind = "hr_api"\npreset = "workday"\nurl = "{url}/ccx/service/customreport2/example/isu/Staff"\nusername = "isu"\npassword = "file:secret"'


def report(request: Request) -> Reply:
    return json_reply({"Report_Entry": [{name.replace(" ", "_"): value for name, value in row.items()} for row in ROWS]})


def as_scim(url: str) -> str:
    return f'kind = "hr_scim"\nurl = "{url}/scim/v2"\ntoken = "file:secret"\ncolumns = {{ last_day = "{DATES}:lastDay", start_date = "{DATES}:startDate" }}'


def users() -> list[dict[str, Any]]:
    return [
        {
            "id": f"id-{row['Employee ID']}", "userName": row["Work Email"], "active": row["Status"] == "Active",
            "name": {"givenName": row["Given Name"], "familyName": row["Family Name"]}, "emails": [{"value": row["Work Email"], "type": "work"}],
            ENTERPRISE: {"employeeNumber": row["Employee ID"], "department": row["Department"]},
            DATES: {"startDate": row["Start Date"], **({"lastDay": row["Last Day"]} if row["Last Day"] else {})},
        }
        for row in ROWS
    ]  # fmt: skip


def found(estate: Estate, settings: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What a first night finds with such a roster, and what it says of it."""
    begin, end = CONFIG.index("[connectors.hr]"), CONFIG.index("[connectors.ad]")
    own = f"[connectors.hr]\n{settings}\nid_pattern = '\\d{{6}}'\n"
    (estate.folder / "config.toml").write_text(CONFIG[:begin] + own + CONFIG[end:])
    told = estate.json("run", "--as-of", estate.now.isoformat())
    return estate.json("findings"), next(source for source in told["sources"] if source["name"] == "hr")


def plain(findings: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((one["id"], one["policy"], one["summary"], str(one["person"]), str(one["evidence"])) for one in findings)


def test_every_kind_of_roster_finds_the_same(estate: Estate, serve: Any) -> None:
    first = plain(found(estate, as_file(estate))[0])
    assert {one[1] for one in first} == {
        "leaver-account-enabled",
        "leaver-account-used",
        "leaver-access-kept",
        "orphan-account",
        "joiner-account-missing",
    }
    for kind in (as_workbook(estate), as_database(estate), as_report(serve(report)), as_scim(serve(Service(users()).answer))):
        (estate.folder / "var" / "reconciler.db").unlink()
        findings, source = found(estate, kind)
        assert (source["state"], source["people"], source["read"], source["quarantined"]) == ("complete", 5, 5, 0), kind
        assert plain(findings) == first, kind
