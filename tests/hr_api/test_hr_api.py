"""Four HR systems' APIs are read whole or not at all, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.hr_api import Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Defect, Ended, Identity, Incomplete, Page
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.http import HttpServer
from tests.hr_api import systems
from tests.hr_api.systems import SECRET, Person, System, company
from tests.sampling import some

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
NAMES = ("bamboohr", "hibob", "personio", "workday")
USERS = {"hibob": "SERVICE-1", "personio": "client-1", "workday": "ISU_Reader"}
REPORT = "/ccx/service/customreport2/example/ISU_Reader/Workers"


@dataclass
class House:
    """One HR system, its script of faults, and how it is read."""

    name: str
    folder: Path
    system: System
    server: HttpServer

    def settings(self, **keys: Any) -> Settings:
        (self.folder / "secret").write_text(SECRET)
        (self.folder / "secret").chmod(0o600)
        url = self.server.url + (REPORT if self.name == "workday" else "")
        told = {
            "kind": "hr_api",
            "preset": self.name,
            "url": url,
            "username": USERS.get(self.name),
            "password": "file:secret",
            **keys,
        }
        return Settings.model_validate(told, context={"base": str(self.folder)})

    def read(self, **keys: Any) -> list[Answer]:
        return list(read(self.settings(**keys), Context("hr", NOW, wait=lambda seconds: None)))

    def people(self, **keys: Any) -> dict[str, dict[str, Any]]:
        """What is read of each person, by their number; every entry accounted for."""
        made = self.read(**keys)
        page, ended = (next(answer for answer in made if isinstance(answer, kind)) for kind in (Page, Ended))
        assert (page.stands_for or 0) + sum(isinstance(answer, Defect) for answer in made) == ended.rows == ended.declared
        rows = page.rows()
        return {row["employee_id"].lstrip("0"): row for row in rows}


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], House]]:
    running: list[HttpServer] = []

    def start(name: str) -> House:
        system = System(company())
        running.append(HttpServer(getattr(systems, name)(system), Faults()).start())
        return House(name, tmp_path, system, running[-1])

    yield start
    for server in running:
        server.close()


@pytest.mark.parametrize("name", NAMES)
def test_everybody_is_read_with_what_policies_stand_on(house: Callable[[str], House], name: str) -> None:
    found = house(name).people()
    assert len(found) == 20
    assert {number: found[number]["status"] for number in ("1", "3", "4", "5")} == {
        "1": "active",
        "3": "left",
        "4": "left",
        "5": "active",
    }
    ends = {number: found[number]["last_day"] or found[number]["end_date"] for number in ("1", "3", "5")}
    assert ends == {"1": None, "3": date(2026, 11, 8), "5": date(2026, 12, 31)}
    assert {found["2"][key] for key in ("given_name", "family_name", "work_email", "department")} == {
        "Jo",
        "Doe2",
        "jo2@example.com",
        "Finance",
    }
    assert (found["2"]["start_date"], found["2"]["manager_id"]) == (date(2020, 1, 6), found["1"]["employee_id"])
    assert found["1"]["manager_id"] is None


def test_statuses_beyond_active_and_left_where_the_system_has_them(house: Callable[[str], House]) -> None:
    for name in ("hibob", "personio", "workday"):
        found = house(name).people()
        assert (found["6"]["status"], found["7"]["status"]) == ("leave", "prehire")


def test_a_companys_own_field_goes_by_its_label(house: Callable[[str], House]) -> None:
    found = house("personio").people(columns={"employee_id": "Badge"}, extra=["cost_centers"])
    assert found["B2"]["employee_id"] == "B2" and found["B2"]["extra"] == '{"cost_centers": "4711"}'


def test_lists_of_hibob_are_words_and_its_days_are_days(house: Callable[[str], House]) -> None:
    found = house("hibob").people()
    assert (found["2"]["department"], found["2"]["job_title"], found["2"]["start_date"]) == ("Finance", "Clerk", date(2020, 1, 6))


# --- what breaks ------------------------------------------------------------------------------------------------

KINDS = [
    ("status", 429), ("status", 500), ("status", 503), ("status", 404), ("cut", 0), ("cut", 200), ("garbage", None), ("empty_page", None),
    ("hide_rows", 1), ("hide_rows", 3), ("repeat_token", None), ("no_more", None),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_of_any_request_is_recovered_from_or_told(house: Callable[[str], House], name: str) -> None:
    """Every kind of fault, once, at every request: everybody is read, or nobody is."""
    here = house(name)
    whole = here.people()
    recovered = 0
    for at, (kind, value) in some(product(range(1, len(here.server.faults.requests) + 1), KINDS), 5):
        if name == "workday" and kind in ("empty_page", "hide_rows"):
            continue  # nothing in one report tells them from a smaller company: that is the band's to notice
        here.server.faults.reset(Fault(".", kind, at, value))  # type: ignore[arg-type]
        here.system.tokens.clear()
        with suppress(Incomplete):
            assert here.people() == whole, (kind, value, at)
            recovered += 1
    assert recovered


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["status", "hide_rows", "empty_page"])
def test_a_fault_that_stays_is_told(house: Callable[[str], House], name: str, kind: str) -> None:
    here = house(name)
    on = "search" if name == "hibob" else "data|employees|Workers"
    here.server.faults.reset(
        *(Fault(on, kind, at, {"status": 503}.get(kind, 1)) for at in ((1, 3, 5, 7) if name == "hibob" else (0,)))
    )  # type: ignore[arg-type]
    if kind == "hide_rows" and name == "workday":
        assert len(here.people()) == 19
    elif kind == "status" and name == "hibob":
        assert len(here.people()) == 20
    else:
        with pytest.raises(Incomplete):
            here.people()


JOINER = Person(99)


def _joins_once(system: System, request: int) -> None:
    if request == 2:
        system.people.insert(0, JOINER)


def _leaves_once(system: System, request: int) -> None:
    if request == 2:
        del system.people[0]


def _one_leaves_and_one_joins(system: System, request: int) -> None:
    """The total stands still while everybody moves."""
    if request == 2:
        system.people[:] = [*system.people[1:], JOINER]


def _never_stands_still(system: System, request: int) -> None:
    system.people.insert(0, replace(JOINER, number=1000 + request))


@pytest.mark.parametrize("name", ["bamboohr", "hibob", "personio"])
@pytest.mark.parametrize(
    ("happens", "people"),
    [(_joins_once, 21), (_leaves_once, 19), (_one_leaves_and_one_joins, 20)],
    ids=["joins", "leaves", "one leaves and one joins"],
)
def test_a_listing_that_moves_is_read_anew(house: Callable[[str], House], name: str, happens: Any, people: int) -> None:
    """Whoever comes or goes on the first page shifts everybody behind: nobody is skipped, nobody comes twice."""
    here = house(name)
    here.system.meanwhile = happens
    assert set(here.people()) == {str(person.number) for person in here.system.people}
    assert len(here.system.people) == people


@pytest.mark.parametrize("name", ["bamboohr", "hibob", "personio"])
def test_a_listing_that_never_stands_still_is_incomplete(house: Callable[[str], House], name: str) -> None:
    here = house(name)
    here.system.meanwhile = _never_stands_still
    with pytest.raises(Incomplete, match="moved"):
        here.people()


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_secret_is_a_refusal_that_does_not_show_it(house: Callable[[str], House], name: str) -> None:
    here = house(name)
    settings = here.settings()
    (here.folder / "secret").write_text("an-old-secret")
    with pytest.raises(AccessRefused) as refused:
        list(read(settings, Context("hr", NOW, wait=lambda seconds: None)))
    assert "an-old-secret" not in str(refused.value)


def test_a_withheld_field_is_a_refusal_or_a_header_that_is_missing(house: Callable[[str], House]) -> None:
    """BambooHR says that it withholds; others leave the field out without a word, and then the essential ones are missed."""
    bamboo = house("bamboohr")
    bamboo.system.withheld = "terminationDate"
    with pytest.raises(AccessRefused, match="may not see terminationDate"):
        bamboo.people()
    for name, field in (("personio", "status"), ("hibob", "internal.lifecycleStatus"), ("workday", "Worker_Status")):
        here = house(name)
        here.system.withheld = field
        with pytest.raises(Incomplete, match="no header for status"):
            here.people()


def test_a_token_that_runs_out_is_renewed(house: Callable[[str], House]) -> None:
    here = house("personio")

    def runs_out(system: System, request: int) -> None:
        if request == 2:
            system.tokens.append("another")

    here.system.meanwhile = runs_out
    assert len(here.people()) == 20
    assert sum("/v1/auth" in line for line in here.server.faults.requests) == 2


def test_a_company_without_people_is_not_believed(house: Callable[[str], House]) -> None:
    for name in NAMES:
        here = house(name)
        here.system.people.clear()
        with pytest.raises(Incomplete, match=r"answers with nobody|page 1 of 0"):
            here.people()


def test_an_answer_of_another_kind_is_told(house: Callable[[str], House]) -> None:
    here = house("workday")
    here.server.answer = lambda request: systems.json_reply({"Entries": []})
    with pytest.raises(Incomplete, match="no list called Report_Entry"):
        here.people()


WRONG = [
    ("no such preset", {"preset": "workdy"}, "bamboohr"),
    ("no address", {"preset": "workday", "username": "x"}, "url"),
    ("no username", {"preset": "hibob"}, "needs a username"),
    ("a secret as it is", {"preset": "bamboohr", "url": "https://x.bamboohr.com", "password": SECRET}, "a secret is a reference"),
]


@pytest.mark.parametrize(("keys", "told"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_settings_are_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings.model_validate({"kind": "hr_api", "password": "env:HR", **keys})


@pytest.mark.parametrize("name", NAMES)
def test_who_answered_is_the_company_and_not_the_clerk(house: Callable[[str], House], name: str) -> None:
    """Pinned on the first night: another system, or its test environment, is not taken for it."""
    here = house(name)
    host = here.server.url.removeprefix("http://")
    who = {"bamboohr": host, "workday": f"{host}/example"}.get(name, f"{USERS.get(name)} at {host}")
    assert Identity(who) in here.read()


def test_usual_addresses_are_known() -> None:
    made = Settings.model_validate({"kind": "hr_api", "preset": "hibob", "username": "x", "password": "env:HR"})
    assert made.url == "https://api.hibob.com"
