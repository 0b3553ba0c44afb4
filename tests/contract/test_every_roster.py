"""One company, five kinds of roster: the same people, the same findings."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from reconciler import plugins
from reconciler.config import load
from reconciler.connector import Context, Defect, Page
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


def configured(estate: Estate, settings: str) -> None:
    """The company's configuration with another kind of roster."""
    begin, end = CONFIG.index("[connectors.hr]"), CONFIG.index("[connectors.ad]")
    own = f"[connectors.hr]\n{settings}\nid_pattern = '\\d{{6}}'\n"
    (estate.folder / "config.toml").write_text(CONFIG[:begin] + own + CONFIG[end:])


def people(estate: Estate, settings: str) -> dict[str, list[Any]]:
    """What such a roster tells of everybody, as the configuration has it read."""
    (estate.folder / "config.toml").write_text(f"[connectors.hr]\n{settings}\n")
    connector = load(estate.folder / "config.toml").connectors["hr"]
    answers = list(plugins.load("connectors", connector.kind).read(connector.settings, Context("hr", estate.now)))
    (page,) = (answer for answer in answers if isinstance(answer, Page))
    assert not any(isinstance(answer, Defect) for answer in answers)
    return {name: list(page.values(name)) for name in page.columns}


def test_every_kind_of_roster_tells_the_same(estate: Estate, serve: Any) -> None:
    told = people(estate, as_file(estate))
    assert told["employee_id"] == [f"00000{n}" for n in range(1, 6)]
    for kind in (as_workbook(estate), as_database(estate), as_report(serve(report))):
        assert people(estate, kind) == told, kind
    by_scim = people(estate, as_scim(serve(Service(users()).answer)))
    assert {**by_scim, "extra": told["extra"]} == told


def test_a_night_on_a_scim_service_finds_what_one_on_its_file_does(estate: Estate, serve: Any) -> None:
    findings = []
    for kind in (as_file(estate), as_scim(serve(Service(users()).answer))):
        configured(estate, kind)
        told = estate.json("run", "--as-of", estate.now.isoformat())
        assert [(s["state"], s["people"], s["read"]) for s in told["sources"] if s["name"] == "hr"] == [("complete", 5, 5)]
        findings.append(sorted((f["id"], f["policy"], f["summary"], str(f["evidence"])) for f in estate.json("findings")))
        (estate.folder / "var" / "reconciler.db").unlink()
    assert findings[0] == findings[1] and {policy for _, policy, *_ in findings[0]} >= {
        "leaver-account-enabled",
        "orphan-account",
    }
