"""Graph as documented, on its real addresses: whole, or an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from connectors import _http
from connectors.microsoft365 import Settings, anchor, read
from reconciler.connector import AccessRefused, Answer, Context, Ended, Incomplete, Page, SourceError, Unreadable

GRAPH, LOGIN = "https://graph.microsoft.com/v1.0", "https://login.microsoftonline.com/contoso"
USERS = [
    {"id": f"u{n}", "userPrincipalName": f"user{n}@contoso.com", "mail": f"user{n}@contoso.com", "employeeId": f"{n:06d}", "accountEnabled": n != 1,
     "userType": "Guest" if n == 4 else "Member", "proxyAddresses": [f"SMTP:user{n}@contoso.com", f"smtp:Alias{n}@contoso.com"],
     "licenseAssignmentStates": [{"skuId": "sku", "assignedByGroup": None if n else "g0"}],
     "signInActivity": {"lastSignInDateTime": "2026-11-01T00:00:00Z" if n else "0001-01-01T00:00:00Z"}, "manager": {"id": "u0"} if n else None}
    for n in range(5)
]  # fmt: skip
LISTS: dict[str, list[dict[str, Any]]] = {
    "users": USERS,
    "groups": [
        {"id": f"g{n}", "displayName": f"Group {n}", "groupTypes": ["DynamicMembership"] if n == 2 else []} for n in range(3)
    ],
    "groups/g0/members": [{"@odata.type": "#microsoft.graph.user", "id": f"u{n}"} for n in range(5)],
    "groups/g1/members": [
        {"@odata.type": "#microsoft.graph.group", "id": "g0"},
        {"@odata.type": "#microsoft.graph.group", "id": "g1"},
    ],
    "groups/g2/members": [{"@odata.type": "#microsoft.graph.user", "id": "u2"}],
    "roleManagement/directory/roleDefinitions": [
        {"id": "r", "displayName": "Global Administrator", "templateId": "62e90394-69f5-4237-9190-012177145e10"}
    ],
    "roleManagement/directory/roleAssignments": [{"id": "a", "principalId": "u3", "roleDefinitionId": "r"}],
    "roleManagement/directory/roleEligibilityScheduleInstances": [],
    "subscribedSkus": [{"skuId": "sku", "skuPartNumber": "SPE_E5"}],
}
PAGE = 2


class Graph:
    """A small Graph in pages of two; `break_at` says what the n-th request for a path answers instead."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.break_at: dict[tuple[str, int], Any] = {}
        self.asked: list[str] = []
        self.mock = mock
        self.counts: int | None = None
        for path in LISTS:
            mock.add_callback(responses.GET, f"{GRAPH}/{path}", callback=self.answer)
        discovery = {"token_endpoint": f"{LOGIN}/oauth2/v2.0/token", "authorization_endpoint": f"{LOGIN}/a", "issuer": LOGIN}
        mock.get(f"{LOGIN}/v2.0/.well-known/openid-configuration", json=discovery)
        self.token = mock.post(
            f"{LOGIN}/oauth2/v2.0/token", json={"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
        )

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        path, query = urlsplit(request.url).path.removeprefix("/v1.0/"), parse_qs(urlsplit(request.url).query)
        kind = f"{path}?sign-in" if "signInActivity" in query.get("$select", [""])[0] else path
        self.asked.append(kind)
        begin = int(query.get("$skiptoken", ["0"])[0])
        rows = LISTS[path][begin : begin + PAGE]
        broken = self.break_at.get((kind, begin // PAGE))
        if callable(broken):
            return broken(self.asked.count(kind))
        body: dict[str, Any] = {"value": rows}
        if "$count" in query and self.counts is not None:
            body = {"value": rows[:1], "@odata.count": self.counts}
            return 200, {}, json.dumps(body)
        if broken == "again":
            body["@odata.nextLink"] = request.url
        elif broken == "elsewhere":
            body["@odata.nextLink"] = "https://graph.microsoft.com@evil.example/v1.0/users"
        elif begin + PAGE < len(LISTS[path]):
            first = request.url.split("&$skiptoken")[0]
            body["@odata.nextLink"] = f"{first}&$skiptoken={begin + PAGE}"
        return 200, {}, json.dumps(body)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    monkeypatch.setattr(_http.Api, "_pause", no_pause)
    monkeypatch.setenv("M365_SECRET", "canary-secret")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Graph(mock)


def no_pause(self: Any, attempt: int, answer: Any, problem: str) -> None:
    """Waiting is tested by itself."""


def answers() -> list[Answer]:
    made = Settings.model_validate(
        {"kind": "microsoft365", "tenant": "contoso", "client_id": "c", "client_secret": "env:M365_SECRET"}
    )
    return list(read(made, Context("m365", datetime(2026, 11, 22, tzinfo=UTC))))


def table(found: list[Answer], name: str) -> list[dict[str, Any]]:
    page = next(a for a in found if isinstance(a, Page) and a.table == name)
    return [dict(zip(page.columns, values, strict=True)) for values in zip(*page.columns.values(), strict=True)]


def test_reads_everybody(graph: Graph) -> None:
    found = answers()
    users = {row["account_id"]: row for row in table(found, "accounts")}
    assert len(users) == len(USERS)
    assert (users["u1"]["enabled"], users["u4"]["kind"], users["u2"]["aliases"]) == (False, "guest", ["alias2@contoso.com"])
    assert (users["u0"]["last_login_at"], users["u1"]["manager_account_id"], users["u3"]["privileged"]) == (None, "u0", True)


def test_says_how_each_thing_is_held(graph: Graph) -> None:
    held = {(row["account_id"], row["entitlement_id"], row["via"]) for row in table(answers(), "grants")}
    assert {
        ("u0", "g0", "direct"),
        ("u0", "g1", "nested"),
        ("u2", "g2", "dynamic"),
        ("u3", "r", "direct"),
        ("u0", "sku", "inherited"),
        ("u1", "sku", "direct"),
    } <= held
    assert not [row for row in held if row[1] == "g1" and row[2] == "direct"]


FAULTS = {
    "a server error that stays": lambda count: (503, {}, "busy"),
    "no permission": lambda count: (
        403,
        {},
        '{"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}}',
    ),
    "not JSON": lambda count: (200, {}, "<html>"),
    "cut in the middle": lambda count: (200, {}, '{"value": [{"id": "u'),
    "success without a list": lambda count: (200, {}, '{"error": {"code": "x"}}'),
    "a page token that is dead for good": lambda count: (
        400,
        {},
        '{"error": {"code": "Directory_ExpiredPageToken", "message": "x"}}',
    ),
    "the same page again": "again",
    "a link to another host": "elsewhere",
}
ESSENTIAL = [(path, page) for path in ("users", "groups", "groups/g0/members") for page in range(-(-len(LISTS[path]) // PAGE))]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("path", "page"), ESSENTIAL)
def test_a_page_that_fails_leaves_no_answer(graph: Graph, fault: str, path: str, page: int) -> None:
    graph.break_at[path, page] = FAULTS[fault]
    yielded: list[Answer] = []
    with pytest.raises(SourceError):
        for answer in _one_by_one():
            yielded.append(answer)
    assert not [a for a in yielded if isinstance(a, Page)], "rows must come only when everything was read"


def _one_by_one() -> Iterator[Answer]:
    yield from answers()


def test_a_passing_fault_passes(graph: Graph) -> None:
    def once(count: int) -> tuple[int, dict[str, str], str]:
        if count == 2:
            return 429, {"Retry-After": "0.01"}, "slow down"
        return 200, {}, json.dumps({"value": USERS[2:4], "@odata.nextLink": f"{GRAPH}/users?$top=999&$skiptoken=4"})

    graph.break_at["users", 1] = once
    assert len(table(answers(), "accounts")) == len(USERS)


OPTIONAL = [("users?sign-in", "sign_in"), ("roleManagement/directory/roleAssignments", "roles"), ("subscribedSkus", "licences")]


@pytest.mark.parametrize(("path", "area"), OPTIONAL)
def test_an_area_without_permission_is_said_to_be_unreadable(graph: Graph, path: str, area: str) -> None:
    graph.break_at[path, 0] = FAULTS["no permission"]
    found = answers()
    assert [a.area for a in found if isinstance(a, Unreadable)] == [area]
    assert len(table(found, "accounts")) == len(USERS)


@pytest.mark.parametrize("fault", ["a server error that stays", "cut in the middle", "the same page again"])
@pytest.mark.parametrize(("path", "area"), OPTIONAL)
def test_an_area_that_breaks_is_not_taken_for_refused(graph: Graph, path: str, area: str, fault: str) -> None:
    graph.break_at[path, 0] = FAULTS[fault]
    with pytest.raises(Incomplete):
        answers()


def test_a_member_that_the_listing_lacks_makes_it_short(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LISTS, "users", USERS[:4])
    with pytest.raises(Incomplete, match="listing is short"):
        answers()


@pytest.mark.parametrize(("counts", "declared"), [(5, 5), (4, 5), (6, 6)], ids=["it agrees", "its index lags", "it has more"])
def test_the_tenants_own_count_is_held_against_the_listing(graph: Graph, counts: int, declared: int) -> None:
    graph.counts = counts
    ended = next(a for a in answers() if isinstance(a, Ended) and a.scope == "users")
    assert (ended.rows, ended.declared) == (5, declared)  # the pull refuses rows != declared


def test_a_wrong_secret_is_tried_once_and_never_shown(graph: Graph) -> None:
    refusal = json.dumps({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
    graph.mock.remove(graph.token)
    token = graph.mock.post(f"{LOGIN}/oauth2/v2.0/token", status=401, body=refusal)
    with pytest.raises(AccessRefused, match="AADSTS7000215") as refused:
        answers()
    assert token.call_count == 1
    assert "canary" not in str(refused.value)


ANCHORS = [
    ("AAECAwQFBgcICQoLDA0ODw==", "03020100-0504-0706-0809-0a0b0c0d0e0f"),
    ("not base64!", "not base64!"),
    (None, None),
    ("YWJj", "YWJj"),
]


@pytest.mark.parametrize(("told", "made"), ANCHORS)
def test_the_anchor_reads_as_the_directory_prints_it(told: str | None, made: str | None) -> None:
    assert anchor(told) == made


def test_every_scope_is_told(graph: Graph) -> None:
    scopes = {a.scope for a in answers() if isinstance(a, Ended)}
    assert {"users", "groups", "managers", "sign-in activity", "role assignments", "licences", "members of g0"} <= scopes
