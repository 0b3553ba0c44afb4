"""The embedded company: the same on every run, clean but for what is planted, and plausible."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime

import pytest

from reconciler import plugins
from reconciler.policy import policy_in
from reconciler.sandbox.company import SYSTEMS, Company, World
from reconciler.sandbox.roster_file import HEADERS, roster_csv
from reconciler.sandbox.stock import customer_of, directory_of, guid_of, tenant_of

FIRST = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(FIRST, 60, 1)


@pytest.fixture(scope="module")
def nights(company: Company) -> list[World]:
    return [company.night(number) for number in range(3)]


def test_a_company_of_a_seed_is_always_the_same(company: Company, nights: list[World]) -> None:
    again = Company(FIRST, 60, 1).night(1)
    assert (again.workers, again.accounts, again.expected) == (nights[1].workers, nights[1].accounts, nights[1].expected)
    assert Company(FIRST, 60, 2).night(1).workers != again.workers


def test_every_policy_has_something_to_find(nights: list[World]) -> None:
    planted = {subject[0] for world in nights for subject in world.expected}
    asked = {policy_in(plugins.load("policies", name)).id for name in plugins.names("policies")}
    assert planted == asked


def test_findings_come_stay_go_and_come_back(nights: list[World]) -> None:
    first, second, third = (world.expected for world in nights)
    assert second - first, "nothing is new on the second night"
    assert first & second, "nothing stays"
    assert first - second, "nothing is resolved"
    assert (first & third) - second, "nothing comes back"


def test_logins_addresses_and_ids_are_nobody_elses(nights: list[World]) -> None:
    world = nights[0]
    for taken in ([w.login for w in world.workers.values()], [w.mail for w in world.workers.values()], list(world.workers)):
        assert Counter(taken).most_common(1)[0][1] == 1
    for system in SYSTEMS:
        logins = [account.login.lower() for account in world.accounts.values() if account.system == system]
        assert len(set(logins)) == len(logins)


@pytest.mark.parametrize(("size", "people"), [(60, 60), (600, 600)])
def test_about_as_many_people_are_at_work_as_the_size_says(size: int, people: int) -> None:
    world = Company(FIRST, size, 3).night(0)
    at_work = sum(worker.here(world.now) for worker in world.workers.values())
    assert people <= at_work <= people * 1.1


def test_accounts_keep_their_ids_whatever_they_are_called(nights: list[World]) -> None:
    before, after = (directory_of(world) for world in nights[:2])
    renamed = next(s[2] for s in nights[1].expected if s[0] == "attribute-drift" and s[1] == "ad")
    assert renamed is not None
    guid = str(guid_of(renamed))
    assert before.by_guid(guid)["objectSid"] == after.by_guid(guid)["objectSid"]
    assert before.domain_sid == after.domain_sid


def test_the_three_systems_hold_what_the_world_says(nights: list[World]) -> None:
    world = nights[1]
    directory, held = (
        directory_of(world),
        {system: [a for a in world.accounts.values() if a.system == system] for system in SYSTEMS},
    )
    tenant, customer = tenant_of(world, directory), customer_of(world)
    assert {a.login for a in held["m365"]} <= {user["userPrincipalName"] for user in tenant.users.values()}
    assert {a.login for a in held["google"]} <= {user["primaryEmail"] for user in customer.users.values()}
    assert all(directory.by_guid(str(guid_of(a.key)))["sAMAccountName"] == [a.login.encode()] for a in held["ad"])
    suspended = {user["primaryEmail"] for user in customer.users.values() if user["suspended"]}
    assert suspended == {a.login for a in held["google"] if not a.enabled}


def test_the_roster_has_a_row_for_every_employment(nights: list[World]) -> None:
    world = nights[1]
    rows = list(csv.DictReader(io.StringIO(roster_csv(world))))
    assert tuple(rows[0]) == HEADERS
    assert len(rows) == len(world.workers) + sum(worker.before is not None for worker in world.workers.values())
    assert {row["Status"] for row in rows} == {"Active", "On Leave", "Terminated", "Accepted", "LOA-PAT"}
