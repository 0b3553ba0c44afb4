"""The Admin SDK as documented, on its real addresses: whole, or an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors import _http
from connectors.google_workspace import Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Identity, Page, SourceError, Unreadable

ADMIN, TOKEN = "https://admin.googleapis.com/admin/directory/v1", "https://oauth2.googleapis.com/token"
LICENSING = "https://licensing.googleapis.com/apps/licensing/v1/product"
USERS = [
    {"id": f"u{n}", "primaryEmail": f"user{n}@example.com", "suspended": n == 1, "name": {"givenName": "User", "familyName": str(n)},
     "lastLoginTime": "1970-01-01T00:00:00.000Z" if n == 0 else "2026-11-01T00:00:00.000Z", "creationTime": "2020-01-01T00:00:00.000Z",
     "externalIds": [{"type": "organization", "value": f"{n:06d}"}], "relations": [{"type": "manager", "value": "boss@example.com"}] if n else [],
     **({"aliases": ["boss@example.com"]} if n == 0 else {})}
    for n in range(5)
]  # fmt: skip
LISTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "users": ("users", USERS),
    "groups": ("groups", [{"id": "g0", "email": "all@example.com", "directMembersCount": "3"}, {"id": "g1", "email": "outer@example.com"}, {"id": "g2", "email": "everyone@example.com"}]),
    "groups/g0/members": ("members", [{"id": "u0", "type": "USER", "email": "user0@example.com"}, {"id": "u1", "type": "USER"}, {"id": "x", "type": "USER", "email": "x@elsewhere.org"}]),
    "groups/g1/members": ("members", [{"id": "g0", "type": "GROUP"}]),
    "groups/g2/members": ("members", [{"id": "C", "type": "CUSTOMER"}]),
    "customer/my_customer/roles": ("items", [{"roleId": "7", "roleName": "_SEED_ADMIN_ROLE", "isSuperAdminRole": True}]),
    "customer/my_customer/roleassignments": ("items", [{"roleAssignmentId": "70", "roleId": "7", "assignedTo": "u3"}]),
}  # fmt: skip
PAGE = 2


class Workspace:
    """A small Admin SDK in pages of two; `break_at` says what a page answers instead."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.break_at: dict[tuple[str, int], Any] = {}
        self.mock = mock
        for path in LISTS:
            mock.add_callback(responses.GET, f"{ADMIN}/{path}", callback=self.answer)
        mock.get(f"{ADMIN}/customer/C0123/devices/mobile", json={})
        mock.get(re.compile(rf"{ADMIN}/users/\w+/tokens"), json={})
        mock.get(f"{ADMIN}/customers/my_customer", json={"id": "C0123"})
        mock.get(f"{ADMIN}/groups/g0", json={"id": "g0", "directMembersCount": "3"})
        self.token = mock.post(TOKEN, json={"access_token": "t", "expires_in": 3600})
        for product in Settings.model_fields["products"].default:
            items = [{"skuId": "1010020020", "userId": "user2@example.com"}] if product == "Google-Apps" else []
            mock.get(f"{LICENSING}/{product}/users", json={"items": items})

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        path, query = (
            unquote(urlsplit(request.url).path).removeprefix("/admin/directory/v1/"),
            parse_qs(urlsplit(request.url).query),
        )
        name, rows = LISTS[path]
        rows = [] if "showDeleted" in query else rows
        begin = int(query.get("pageToken", ["0"])[0])
        broken = self.break_at.get((path, begin // PAGE))
        if isinstance(broken, tuple):
            return broken
        body: dict[str, Any] = {name: rows[begin : begin + PAGE]} if rows else {}
        if begin + PAGE < len(rows) or broken == "again":
            body["nextPageToken"] = str(begin if broken == "again" else begin + PAGE)
        return 200, {}, json.dumps(body)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path_factory.mktemp("key") / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "r@p.iam.gserviceaccount.com",
                "private_key": key,
                "private_key_id": "1",
                "token_uri": TOKEN,
            }
        )
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(_http.Api, "_pause", lambda *_: None)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Workspace(mock)


def answers(key_file: Path) -> list[Answer]:
    made = Settings.model_validate(
        {
            "kind": "google_workspace",
            "credentials": f"file:{key_file}",
            "subject": "admin@example.com",
            "licence_queries_per_minute": 60000,
        }
    )
    return list(read(made, Context("google", datetime(2026, 11, 22, tzinfo=UTC))))


def table(found: list[Answer], name: str) -> list[dict[str, Any]]:
    return [row for page in found if isinstance(page, Page) and page.table == name for row in page.rows()]


def test_reads_everybody(workspace: Workspace, key_file: Path) -> None:
    found = answers(key_file)
    users = {row["account_id"]: row for row in table(found, "accounts")}
    assert len(users) == len(USERS)
    assert (users["u1"]["enabled"], users["u1"]["state_reason"], users["u2"]["employee_id"]) == (False, "suspended", "000002")
    assert (users["u0"]["last_login_at"], users["u0"]["never_logged_in"], users["u3"]["manager_account_id"]) == (None, True, "u0")
    assert Identity("C0123") in found


def test_says_how_each_thing_is_held(workspace: Workspace, key_file: Path) -> None:
    held = {(row["account_id"], row["entitlement_id"], row["via"]) for row in table(answers(key_file), "grants")}
    assert {
        ("u0", "g0", "direct"),
        ("u0", "g1", "nested"),
        ("u4", "g2", "inherited"),
        ("u3", "role-7", "direct"),
        ("u2", "Google-Apps/1010020020", "direct"),
    } <= held
    assert not [row for row in held if row[0] == "x"]


FAULTS: dict[str, Any] = {
    "a server error that stays": (503, {}, '{"error": {"code": 503, "errors": [{"reason": "backendError"}], "message": "x"}}'),
    "slow down, for ever": (403, {}, '{"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}], "message": "x"}}'),
    "no permission": (403, {}, '{"error": {"code": 403, "errors": [{"reason": "forbidden"}], "message": "Not Authorized"}}'),
    "a page of HTML": (200, {}, "<html>Request rate higher than configured</html>"),
    "cut in the middle": (200, {}, '{"users": [{"id": "u'),
    "an error with success": (200, {}, '{"error": {"code": 500}}'),
    "the same page again": "again",
}
ESSENTIAL = [(path, page) for path in ("users", "groups", "groups/g0/members") for page in range(2)]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("path", "page"), ESSENTIAL)
def test_a_page_that_fails_leaves_no_answer(workspace: Workspace, key_file: Path, fault: str, path: str, page: int) -> None:
    workspace.break_at[path, page] = FAULTS[fault]
    with pytest.raises(SourceError):
        answers(key_file)


def test_a_group_short_of_its_own_count_is_not_believed(workspace: Workspace, key_file: Path) -> None:
    workspace.break_at["groups/g0/members", 1] = (200, {}, "{}")
    declared = [a for a in answers(key_file) if getattr(a, "declared", None) == 3]
    assert [(a.rows, a.declared) for a in declared] == [(2, 3)]  # type: ignore[union-attr] # the pull refuses rows != declared


@pytest.mark.parametrize("path", ["customer/my_customer/roles", "customer/my_customer/roleassignments"])
def test_an_area_without_permission_is_said_to_be_unreadable(workspace: Workspace, key_file: Path, path: str) -> None:
    workspace.break_at[path, 0] = FAULTS["no permission"]
    assert [a.area for a in answers(key_file) if isinstance(a, Unreadable)] == ["roles"]


def licence_listing(workspace: Workspace, later: tuple[int, str]) -> None:
    """A product whose first page names a second one, which answers `later`."""
    url = f"{LICENSING}/Google-Apps/users"
    workspace.mock.remove(responses.GET, url)
    first = {"items": [{"skuId": "1", "userId": "user2@example.com"}], "nextPageToken": "two"}

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        return (later[0], {}, later[1]) if "pageToken" in request.url else (200, {}, json.dumps(first))

    workspace.mock.add_callback(responses.GET, url, callback=answer)


@pytest.mark.parametrize("status", [400, 404, 410])
@pytest.mark.parametrize("text", ["Not Found", "Invalid page token"])
def test_a_second_page_of_licences_that_is_missing_makes_no_short_listing(
    workspace: Workspace, key_file: Path, status: int, text: str
) -> None:
    licence_listing(workspace, (status, json.dumps({"error": {"code": status, "message": text}})))
    assert [a.area for a in answers(key_file) if isinstance(a, Unreadable)] == ["licences"]


def test_a_product_that_the_customer_does_not_have_is_no_error(workspace: Workspace, key_file: Path) -> None:
    workspace.mock.remove(responses.GET, f"{LICENSING}/101031/users")
    workspace.mock.get(f"{LICENSING}/101031/users", status=404, json={"error": {"code": 404, "message": "Not Found"}})
    assert len(table(answers(key_file), "accounts")) == len(USERS)


def test_a_role_that_is_assigned_and_not_listed_is_no_answer(workspace: Workspace, key_file: Path) -> None:
    workspace.break_at["customer/my_customer/roles", 0] = (200, {}, "{}")
    told = [(a.area, a.reason) for a in answers(key_file) if isinstance(a, Unreadable)]
    assert told == [("roles", "role 7 is assigned and not listed: the listing of roles is short")]


def test_a_refused_delegation_is_tried_once_and_says_what_to_grant(workspace: Workspace, key_file: Path) -> None:
    workspace.mock.remove(workspace.token)
    token = workspace.mock.post(
        TOKEN, status=401, json={"error": "unauthorized_client", "error_description": "Client is unauthorized"}
    )
    with pytest.raises(AccessRefused, match=r"delegate admin\.directory\.user\.readonly"):
        answers(key_file)
    assert token.call_count == 1
