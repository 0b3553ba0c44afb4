"""A Graph that offers little and leaves out what is null: people and groups are read whole, every other area says why it is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.microsoft365 import Settings, read
from reconciler.connector import Answer, Context, Identity, Page, Unreadable
from reconciler.sandbox.http import HttpServer, Reply, Request, json_reply

USERS = [
    {
        "id": "u1",
        "userPrincipalName": "ada@example.com",
        "mail": "ada@example.com",
        "accountEnabled": True,
        "employeeId": "000001",
    },
    {"id": "u2", "userPrincipalName": "bob@example.com", "accountEnabled": False, "displayName": "Bob"},
    {"id": "u3", "userPrincipalName": "cy@example.com", "accountEnabled": True, "assignedLicenses": [{"skuId": "s1"}]},
]
MEMBERS = {"g1": ["u1", "u3"], "g2": []}


def lean(request: Request) -> Reply:
    """Two pages of users, two groups, nothing else; plain http, no counts, no nulls."""
    path = request.path.removeprefix("/v1.0")
    if path.endswith("/openid-configuration"):
        token = f"{request.origin}/tenant/oauth2/v2.0/token"
        return json_reply({"token_endpoint": token, "authorization_endpoint": token, "issuer": f"{request.origin}/tenant/v2.0"})
    if path.endswith("/token"):
        return json_reply({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})
    if path == "/users":
        second = "$skiptoken" in request.query
        link = {} if second else {"@odata.nextLink": f"{request.origin}/v1.0/users?$skiptoken=2"}
        return json_reply({"value": USERS[2:] if second else USERS[:2], **link})
    if path == "/groups":
        return json_reply({"value": [{"id": here, "displayName": here.upper()} for here in MEMBERS]})
    if path.startswith("/groups/") and path.endswith("/members"):
        return json_reply({"value": [{"id": member} for member in MEMBERS[path.split("/")[2]]]})
    return json_reply({"error": {"code": "Request_ResourceNotFound", "message": "no such thing here"}}, 404)


@pytest.fixture
def answers(tmp_path: Path) -> Iterator[list[Answer]]:
    server = HttpServer(lean).start()
    (tmp_path / "secret").write_text("s")
    told = {"kind": "microsoft365", "tenant": "tenant", "client_id": "c", "client_secret": "file:secret"}
    told |= {"login_url": server.url, "graph_url": f"{server.url}/v1.0"}
    settings = Settings.model_validate(told, context={"base": str(tmp_path)})
    yield list(read(settings, Context("m365", datetime(2026, 11, 22, tzinfo=UTC), wait=lambda seconds: None)))
    server.close()


def rows(answers: list[Answer], table: str) -> list[dict[str, Any]]:
    pages = [a for a in answers if isinstance(a, Page) and a.table == table]
    return [row for page in pages for row in page.rows()]


def test_people_and_groups_are_read_whole(answers: list[Answer]) -> None:
    accounts = {row["account_id"]: row for row in rows(answers, "accounts")}
    assert {here: row["enabled"] for here, row in accounts.items()} == {"u1": True, "u2": False, "u3": True}
    assert (accounts["u1"]["employee_id"], accounts["u2"]["employee_id"], accounts["u2"]["email"]) == ("000001", None, None)
    assert {(row["account_id"], row["entitlement_id"]) for row in rows(answers, "grants") if row["entitlement_id"] == "g1"} == {
        ("u1", "g1"),
        ("u3", "g1"),
    }
    assert [a.value for a in answers if isinstance(a, Identity)] == ["tenant"]


def test_every_other_area_says_that_it_was_not_read(answers: list[Answer]) -> None:
    unread = {a.area for a in answers if isinstance(a, Unreadable)}
    assert {"roles", "licences", "devices", "oauth_grants", "mfa", "deleted"} <= unread
