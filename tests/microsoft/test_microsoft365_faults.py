"""Every fault the script knows, on every page of every listing: the whole answer, or none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
import requests

from connectors._graph_listing import Listings, expired
from connectors._graph_reading import Reading
from connectors._graph_rights import SEES_HIDDEN, granted_to
from connectors._http import Api, new_session
from connectors.microsoft365 import NEEDS
from reconciler.connector import AccessRefused, Answer, Ended, Incomplete, Page, SourceError, Unreadable
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import READER, GraphServer, microsoft
from reconciler.sandbox.graph_token import READING, Registration
from reconciler.sandbox.tenant import Tenant
from tests.graph_tenant import serving, small_tenant, token_of
from tests.sampling import some

SHORT = Fault("GET", "short_pages", at=0, value=2)
TENANT = small_tenant()
LISTINGS = {  # what is asked: its line, and how many pages it has
    "users": (r"users\?\$select=id,userPrincipalName", 5),
    "sign-ins": (r"users\?\$select=id,signInActivity", 5),
    "managers": (r"users\?\$select=id&\$expand=manager", 5),
    "groups": (r"groups\?\$select=id,displayName", 4),
    "owners": (r"groups\?\$select=id&\$expand=owners", 4),
    "members": (rf"groups/{TENANT.group_id('Everyone')}/members", 5),
    "role definitions": (r"roleDefinitions", 1),
    "role assignments": (r"roleAssignments", 2),
    "directory roles": (r"directoryRoles\?", 1),
    "members of a role": (r"directoryRoles/.*/members", 3),
    "eligible roles": (r"roleEligibility", 1),
    "licences": (r"subscribedSkus", 1),
    "devices": (r"devices\?\$select=id,displayName", 2),
    "applications": (r"servicePrincipals\?\$select=id,displayName", 2),
    "people assigned": (rf"servicePrincipals/{TENANT.app('Expenses')}/appRoleAssignedTo", 1),
    "consents": (r"oauth2PermissionGrants", 2),
    "deleted users": (r"deletedItems/microsoft.graph.user\?\$select=id,user", 1),
    "registered methods": (r"userRegistrationDetails", 4),
}
FAULTS: dict[str, tuple[Any, Any]] = {
    "a passing server error": ("status", 503),
    "no permission": ("status", 403),
    "a bad request": ("status", 400),
    "nothing there": ("status", 404),
    "an expired token": ("status", 401),
    "an answer cut to nothing": ("cut", 0),
    "an answer cut short": ("cut", 200),
    "a web page": ("garbage", None),
    "the same page again": ("repeat_token", None),
    "an empty page": ("empty_page", None),
    "a hidden row": ("hide_rows", 1),
    "objects without an id": ("drop_field", "id"),
    "an expired page token": ("expired_token", 400),
    "a reset page token": ("expired_token", 410),
    "an early end": ("no_more", None),
    "a late answer": ("delay", 0.01),
}
STAYING = [name for name in FAULTS if name not in ("an empty page", "a hidden row", "an early end", "a late answer")]


@pytest.fixture(scope="module")
def server() -> Iterator[GraphServer]:
    made = microsoft(TENANT, Faults([SHORT]))
    made.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors._graph_reading.AT_ONCE", 2)  # hundreds of readings, each opening its connections
        yield made
    made.close()


@pytest.fixture(scope="module")
def truth(server: GraphServer) -> dict[str, Any]:
    server.faults.reset(SHORT)
    found = told(answers(server))
    assert len(found["accounts"]) == 11
    return found


@cache
def session_of(root: str) -> tuple[requests.Session, str]:
    """One session and one token for all readings of a server."""
    form = {"client_id": READER.client_id, "client_secret": READER.secret, "grant_type": "client_credentials"}
    told = requests.post(f"{root}/{TENANT.id}/oauth2/v2.0/token", data=form | {"scope": "x/.default"}, timeout=10).json()
    return new_session(root, None), f"Bearer {told['access_token']}"


def answers(server: GraphServer) -> list[Answer]:
    """A reading over one login, without waiting between tries."""
    (session, header), root = session_of(server.url), f"{server.url}/v1.0"
    api = Api(root, session, lambda renew: header, time.monotonic() + 60, expired=expired, wait=lambda seconds: None)
    return list(Reading(Listings(api), {}, {n.area: n.permission for n in NEEDS if n.area}).everything())


def told(found: list[Answer]) -> dict[str, Any]:
    """Every table as rows in an order of their own."""
    made: dict[str, Any] = {}
    for page in (a for a in found if isinstance(a, Page)):
        made[page.table] = sorted([*made.get(page.table, ()), *page.rows()], key=repr)
    return made


def verdict(server: GraphServer, truth: dict[str, Any]) -> str:
    """What came of a reading: refused, incomplete, unreadable in part, or whole; anything else fails the test."""
    try:
        found = answers(server)
    except AccessRefused:
        return "refused"
    except Incomplete:
        return "incomplete"
    if any(isinstance(a, Ended) and a.declared not in (None, a.rows) for a in found):
        return "incomplete"  # the pull refuses it
    unread = [a.area for a in found if isinstance(a, Unreadable)]
    if unread:
        return f"unreadable: {', '.join(sorted(set(unread)))}"
    made = told(found)
    silent = {row["account_id"] for row in made["accounts"] if row["mfa"] is None}
    whole = [row | ({"mfa": None} if row["account_id"] in silent else {}) for row in truth["accounts"]]
    assert {**made, "accounts": sorted(made["accounts"], key=repr)} == {**truth, "accounts": sorted(whole, key=repr)}
    return "whole"


CASES = [(name, page, fault) for name, (_, pages) in LISTINGS.items() for page in sorted({1, pages}) for fault in FAULTS]


@pytest.mark.parametrize(("listing", "page", "fault"), some(CASES, 11))
def test_one_fault_leaves_the_whole_answer_or_none(
    server: GraphServer, truth: dict[str, Any], listing: str, page: int, fault: str
) -> None:
    do, value = FAULTS[fault]
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", do, page, value))
    verdict(server, truth)


@pytest.mark.parametrize(("listing", "fault"), some(product(LISTINGS, STAYING), 7))
def test_a_fault_that_stays_leaves_no_answer(server: GraphServer, truth: dict[str, Any], listing: str, fault: str) -> None:
    do, value = FAULTS[fault]
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", do, 0, value))
    assert verdict(server, truth) != "whole"


LOST = [
    ("users", "accountEnabled"), ("users", "employeeId"), ("users", "licenseAssignmentStates"), ("groups", "groupTypes"),
    ("role assignments", "principalId"), ("eligible roles", "roleDefinitionId"), ("directory roles", "roleTemplateId"),
    ("licences", "skuPartNumber"), ("consents", "clientId"), ("consents", "consentType"), ("people assigned", "principalId"),
    ("registered methods", "isMfaRegistered"), ("devices", "displayName"), ("applications", "tags"), ("deleted users", "userPrincipalName"),
]  # fmt: skip


@pytest.mark.parametrize(("listing", "name"), LOST, ids=[f"{name} of {listing}" for listing, name in LOST])
def test_a_property_that_is_no_longer_told_is_noticed(
    server: GraphServer, truth: dict[str, Any], listing: str, name: str
) -> None:
    """A property that one page tells and another does not; one that no page tells is held against earlier nights."""
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", "drop_field", 0 if name == "id" else 2, name))
    found = verdict(server, truth)  # fails on an answer that lacks anything; what is read again may come whole
    assert found != "whole" or name != "id"


def test_the_deleted_show_whose_they_were_as_others_do(server: GraphServer, truth: dict[str, Any]) -> None:
    """In their only page nothing else tells that it is lost; the users do."""
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS['deleted users'][0]}", "drop_field", 0, "employeeId"))
    assert verdict(server, truth) == "unreadable: deleted"


LIES = [
    "one row with its id alone",
    "one id that is a number",
    "one row that is null",
    "a count that is a text",
    "no next page",
    "an older page",
]


@pytest.mark.parametrize(("listing", "lie"), some(product(("users", "groups", "members"), LIES), 5))
def test_an_answer_that_lies_makes_no_wrong_one(server: GraphServer, truth: dict[str, Any], listing: str, lie: str) -> None:
    how: tuple[Any, Any] = ("stale", None) if lie == "an older page" else ("spoil", lie)
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", how[0], 1, how[1]))
    verdict(server, truth)


HIDDEN = [
    "users",
    "groups",
    "members",
    "sign-ins",
    "managers",
    "owners",
    "devices",
    "applications",
    "deleted users",
    "role assignments",
]


@pytest.mark.parametrize("listing", HIDDEN)
def test_rows_that_are_always_hidden_are_missed(server: GraphServer, truth: dict[str, Any], listing: str) -> None:
    """Each of these is held against another question: a count, the listing of users, the members of directory roles."""
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", "hide_rows", 0, 1))
    assert verdict(server, truth).startswith(("incomplete", "unreadable"))


@pytest.mark.parametrize("listing", [name for name in HIDDEN if name != "deleted users"])
def test_a_listing_that_always_ends_early_is_noticed(server: GraphServer, truth: dict[str, Any], listing: str) -> None:
    server.faults.reset(SHORT, Fault(f"GET .*{LISTINGS[listing][0]}", "no_more", 0))
    assert verdict(server, truth).startswith(("incomplete", "unreadable"))


def test_groups_that_hide_their_members_are_left_out_unless_they_may_be_seen(server: GraphServer) -> None:
    """To who may not see hidden members such a group looks empty, with every request answered."""
    tenant = small_tenant()
    group = tenant.put_group("Works council", unified=True, visibility="HiddenMembership")
    tenant.join("Works council", "p4@example.com")
    found = {}
    for sees in (True, False):
        client = Registration(READER.client_id, READER.secret, permissions=READING - (set() if sees else {SEES_HIDDEN}))
        with serving(tenant, clients=(client,)) as made:
            root = f"{made.url}/v1.0"
            header = f"Bearer {token_of(made, client).json()['access_token']}"
            api = Api(root, new_session(root, None), lambda renew, header=header: header, time.monotonic() + 60)
            fixes = {n.area: n.permission for n in NEEDS if n.area}
            found[sees] = list(Reading(Listings(api), {}, fixes, granted_to(header)).everything())
    groups = {sees: {row["entitlement_id"] for row in told(answers)["entitlements"]} for sees, answers in found.items()}
    assert group in groups[True] and group not in groups[False]
    assert [(a.area, a.fix) for a in found[False] if isinstance(a, Unreadable)] == [("hidden_groups", f"grant {SEES_HIDDEN}")]
    assert not [a for a in found[True] if isinstance(a, Unreadable)]


def test_every_night_reads_everything(server: GraphServer, truth: dict[str, Any]) -> None:
    """No change tokens of an earlier night are used or kept: they forget, and do not tell of absence."""
    asked = []
    for _ in range(2):
        server.faults.reset(SHORT)
        assert told(answers(server))["accounts"] == truth["accounts"]
        asked.append(sorted(line.partition("&$skiptoken")[0] for line in server.faults.requests))
    assert asked[0] == asked[1]
    assert not [line for line in asked[0] if "delta" in line]


def test_a_group_that_is_deleted_while_it_is_read_is_left_out(server: GraphServer, truth: dict[str, Any]) -> None:
    tenant = small_tenant()
    everyone = tenant.group_id("Synced")
    with serving(tenant) as made:
        made.faults.reset(Fault(rf"groups/{everyone}[/?]", "status", 0, 404))
        root = f"{made.url}/v1.0"
        header = f"Bearer {token_of(made).json()['access_token']}"
        api = Api(root, new_session(root, None), lambda renew: header, time.monotonic() + 60)
        found = told(list(Reading(Listings(api), {}, {n.area: n.permission for n in NEEDS if n.area}).everything()))
    whole = {row["entitlement_id"] for row in truth["entitlements"]}
    assert whole - {row["entitlement_id"] for row in found["entitlements"]} == {everyone}


def test_throttling_is_waited_out(server: GraphServer, truth: dict[str, Any]) -> None:
    waits = tuple(Fault("GET .*v1.0/", "status", at, 429, headers=(("Retry-After", "0.01"),)) for at in range(1, 40, 5))
    server.faults.reset(SHORT, *waits)
    assert verdict(server, truth) == "whole"


def test_a_link_to_another_host_is_not_followed(server: GraphServer) -> None:
    body = {"value": [], "@odata.nextLink": "https://graph.microsoft.com@evil.example/v1.0/users"}
    server.faults.reset(SHORT, Fault(r"users\?\$select=id,userPrincipalName", "status", 1, 200, body))
    with pytest.raises(SourceError, match="another host"):
        answers(server)


def test_a_tenant_may_be_empty_of_everything_but_people() -> None:
    tenant = Tenant()
    tenant.put_user(next(iter(TENANT.users.values())))
    made = microsoft(tenant, Faults())
    made.start()
    found = told(answers(made))
    made.close()
    assert [len(found[name]) for name in ("accounts", "entitlements", "grants")] == [1, 0, 0]
