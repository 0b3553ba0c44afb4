"""A SCIM service is read by index or by cursor: every user once, as many as it counts, or nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.hr_scim import Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Defect, Ended, Identity, Incomplete, Page
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.http import HttpServer
from tests.hr_scim.service import DATES, ENTERPRISE, TOKEN, Service, user
from tests.sampling import some

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@dataclass
class House:
    """The service, its script of faults, and how it is read."""

    folder: Path
    service: Service
    server: HttpServer

    def settings(self, **keys: Any) -> Settings:
        (self.folder / "token").write_text(TOKEN)
        (self.folder / "token").chmod(0o600)
        told = {
            "kind": "hr_scim",
            "url": f"{self.server.url}/scim/v2",
            "token": "file:token",
            "max_quarantined_percent": 10,
            **keys,
        }
        return Settings.model_validate(told, context={"base": str(self.folder)})

    def read(self, **keys: Any) -> list[Answer]:
        return list(read(self.settings(**keys), Context("hr", NOW, wait=lambda seconds: None)))

    def people(self, **keys: Any) -> dict[str, dict[str, Any]]:
        made = self.read(**keys)
        page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
        assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
        rows = page.rows()
        return {row["employee_id"]: row for row in rows}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    service = Service()
    server = HttpServer(service.answer, Faults()).start()
    yield House(tmp_path, service, server)
    server.close()


@pytest.fixture(params=["index", "cursor"])
def paged(request: pytest.FixtureRequest, house: House) -> House:
    house.service.cursors = request.param == "cursor"
    return house


def test_everybody_is_read_by_what_the_service_offers(paged: House) -> None:
    found = paged.people()
    assert len(found) == 20
    second = {"status": "active", "given_name": "Jo", "family_name": "Doe2", "work_email": "jo2@example.com", "department": "Finance",
              "job_title": "Clerk", "company": "Example Ltd", "timezone": "Europe/London", "manager_id": "000001"}  # fmt: skip
    assert {name: found["000002"][name] for name in second} == second
    assert (found["000003"]["status"], found["000001"]["manager_id"]) == ("left", None)
    assert Identity(paged.server.url.removeprefix("http://")) in paged.read()
    del paged.server.faults.requests[len(paged.server.faults.requests) // 2 :]
    asked = [line for line in paged.server.faults.requests if "Users" in line]
    assert all(("cursor=" in line) == paged.service.cursors for line in asked)
    assert (len(asked), sum("attributes=id" in line for line in asked)) == ((3, 0) if paged.service.cursors else (6, 3))


def test_dates_come_from_an_extension_that_is_named(house: House) -> None:
    house.service.users[4] = user(5, **{DATES: {"lastDay": "2026-12-31T00:00:00Z"}})
    house.service.users[5] = user(6, **{DATES: {"lastDay": "2026-12-31T17:00:00Z"}})
    made = house.read(columns={"last_day": f"{DATES}:lastDay"})
    page = next(answer for answer in made if isinstance(answer, Page))
    ends = dict(zip(page.values("employee_id"), page.values("last_day"), strict=True))
    assert (ends["000005"], ends["000002"]) == (date(2026, 12, 31), None)
    assert [(d.employee_id, d.found) for d in made if isinstance(d, Defect)] == [("000006", "2026-12-31T17:00:00Z")]


def test_the_external_id_serves_where_nobody_has_an_employee_number(house: House) -> None:
    for at, told in enumerate(house.service.users):
        del told[ENTERPRISE]["employeeNumber"]
        told["externalId"] = f"E{at + 1}"
    found = house.people()
    assert (len(found), found["E2"]["manager_id"]) == (20, "E1")
    for told in house.service.users:
        del told["externalId"]
    with pytest.raises(Incomplete, match="no header for employee_id"):
        house.people()


def test_other_words_for_inactive(house: House) -> None:
    assert house.people(statuses={"active": ["true"], "suspended": ["false"]})["000003"]["status"] == "suspended"


def test_a_filter_is_passed_on(house: House) -> None:
    house.people(filter='userType eq "Employee"')
    assert all('filter=userType+eq+"Employee"' in line for line in house.server.faults.requests if "Users" in line)


KINDS = [
    ("status", 429), ("status", 500), ("status", 503), ("cut", 0), ("cut", 200), ("garbage", None), ("empty_page", None),
    ("hide_rows", 1), ("hide_rows", 3), ("repeat_token", None), ("no_more", None),
]  # fmt: skip


def test_a_fault_of_any_request_is_recovered_from_or_told(paged: House) -> None:
    whole = paged.people()
    recovered = 0
    for at, (kind, value) in some(product(range(1, len(paged.server.faults.requests) + 1), KINDS), 3):
        paged.server.faults.reset(Fault(".", kind, at, value))  # type: ignore[arg-type]
        with suppress(Incomplete):
            assert paged.people() == whole, (kind, value, at)
            recovered += 1
    assert recovered


@pytest.mark.parametrize("kind", ["status", "empty_page", "hide_rows", "repeat_token", "no_more"])
def test_a_fault_that_stays_is_told(paged: House, kind: str) -> None:
    paged.server.faults.reset(Fault("Users", kind, 0, {"status": 503}.get(kind, 1)))  # type: ignore[arg-type]
    if kind == "no_more" and not paged.service.cursors:
        assert len(paged.people()) == 20  # pages by index have no mark of an end to take away
    else:
        with pytest.raises(Incomplete):
            paged.people()


def _leaves(service: Service, request: int) -> None:
    if request == 2:
        del service.users[0]


def _joins(service: Service, request: int) -> None:
    if request == 2:
        service.users.insert(0, user(99))


def _one_leaves_and_one_joins(service: Service, request: int) -> None:
    """The total stands still while everybody moves."""
    if request == 2:
        service.users[:] = [*service.users[1:], user(98)]


def _never_stands_still(service: Service, request: int) -> None:
    service.users.insert(0, user(1000 + request))


@pytest.mark.parametrize(("happens", "people"), [(_leaves, 19), (_joins, 21)], ids=["leaves", "joins"])
def test_a_listing_that_moves_is_read_anew(house: House, happens: Any, people: int) -> None:
    house.service.meanwhile = happens
    assert len(house.people()) == people


def test_a_total_that_stands_still_while_people_move_is_noticed(house: House) -> None:
    """One is skipped, one is new, the sum is right: only a second reading shows it."""
    house.service.meanwhile = _one_leaves_and_one_joins
    assert set(house.people()) == {told[ENTERPRISE]["employeeNumber"] for told in house.service.users}


def test_a_listing_that_never_stands_still_is_incomplete(house: House) -> None:
    house.service.meanwhile = _never_stands_still
    with pytest.raises(Incomplete, match="moved"):
        house.people()


def test_a_cursor_that_runs_out_begins_the_listing_anew(house: House) -> None:
    house.service.cursors = True

    def forgets(service: Service, request: int) -> None:
        if request == 2:
            service.views.clear()

    house.service.meanwhile = forgets
    assert len(house.people()) == 20
    assert house.service.requests == 5


def test_a_total_that_cursors_do_not_tell_is_asked_for(house: House) -> None:
    house.service.cursors, house.service.says_total = True, False
    assert len(house.people()) == 20
    assert "count=0" in house.server.faults.requests[-1]
    house.server.faults.reset(Fault("Users", "hide_rows", 0, 1))
    with pytest.raises(Incomplete, match="17 records came, but 20 are counted"):
        house.people()


def test_a_wrong_token_is_a_refusal_that_does_not_show_it(house: House) -> None:
    settings = house.settings()
    (house.folder / "token").write_text("an-old-token")
    with pytest.raises(AccessRefused, match="authentication failed") as refused:
        list(read(settings, Context("hr", NOW, wait=lambda seconds: None)))
    assert "an-old-token" not in str(refused.value)


def test_nobody_is_not_believed(paged: House) -> None:
    paged.service.users.clear()
    with pytest.raises(Incomplete, match="answers with nobody"):
        paged.people()


def test_a_user_without_id_is_not_believed(house: House) -> None:
    del house.service.users[7]["id"]
    with pytest.raises(Incomplete, match="users without id"):
        house.people()


@pytest.mark.parametrize(("keys", "told"), [({"paging": "pages"}, "cursor"), ({"page_size": 0}, "greater"), ({"token": TOKEN}, "reference")])  # fmt: skip
def test_wrong_settings_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings.model_validate({"kind": "hr_scim", "url": "https://x", "token": "env:T", **keys})
