"""The embedded Microsoft 365 tells what changed, and answers several questions at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import WRITING, Registration
from tests.graph_tenant import DOMAIN, Asking, serving, small_tenant, upn

WRITER = Registration("writer", secret="s", permissions=WRITING)


@pytest.fixture
def ask() -> Iterator[Asking]:
    with serving(small_tenant(), clients=(WRITER,)) as server:
        yield Asking(server, WRITER)


def round_of(ask: Asking, path: str, **headers: str) -> tuple[dict[str, dict[str, Any]], str]:
    """(rows by id, deltaLink) of one round."""
    rows: dict[str, dict[str, Any]] = {}
    while True:
        page = ask.get(path, **headers)
        rows.update({row["id"]: row for row in page["value"]})
        assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page), "a page has one or the other"
        if "@odata.deltaLink" in page:
            return rows, page["@odata.deltaLink"]
        path = page["@odata.nextLink"]


@pytest.mark.parametrize("path", ["users/delta", "users/delta()", "users/microsoft.graph.delta()"])
def test_a_first_round_tells_everybody_and_the_deleted(ask: Asking, path: str) -> None:
    rows, _ = round_of(ask, f"{path}?$select=displayName", Prefer="odata.maxpagesize=3")
    assert len(rows) == 11
    assert [row["@removed"] for row in rows.values() if "@removed" in row] == [{"reason": "changed"}]


def test_a_second_round_tells_what_changed(ask: Asking) -> None:
    tenant = ask.server.tenant
    _, link = round_of(ask, "users/delta?$select=department,manager")
    assert round_of(ask, link)[0] == {}
    tenant.change_user(upn(1), department="Sales")
    gone = tenant.delete_user(upn(2))
    here = tenant.restore(next(each for each in tenant.deleted if each != gone))
    rows, after = round_of(ask, link)
    assert rows[tenant.user_id(upn(1))]["department"] == "Sales"
    assert rows[tenant.user_id(upn(1))]["manager@delta"][0]["id"] == tenant.user_id(upn(0))
    assert rows[gone] == {"id": gone, "@removed": {"reason": "changed"}}
    assert set(rows) == {tenant.user_id(upn(1)), gone, here}
    assert round_of(ask, after)[0] == {}
    assert set(round_of(ask, link)[0]) == set(rows), "a round may be replayed"


def test_members_who_left_are_told(ask: Asking) -> None:
    tenant = ask.server.tenant
    rows, link = round_of(ask, "groups/delta?$select=displayName,members")
    assert len(rows[tenant.group_id("Everyone")]["members@delta"]) == 9
    tenant.leave("Everyone", upn(2))
    tenant.join("Team", upn(2))
    rows, _ = round_of(ask, link)
    here = {"@odata.type": "#microsoft.graph.user", "id": tenant.user_id(upn(2))}
    assert rows[tenant.group_id("Everyone")]["members@delta"] == [here | {"@removed": {"reason": "deleted"}}]
    assert rows[tenant.group_id("Team")]["members@delta"] == [here]


def test_from_now_on_tells_nothing_of_before(ask: Asking) -> None:
    rows, link = round_of(ask, "users/delta?$deltatoken=latest")
    ask.server.tenant.change_user(upn(1), department="Sales")
    assert (rows, len(round_of(ask, link)[0])) == ({}, 1)


REFUSED = [
    ("users/delta?$top=5", 400),
    ("users/delta?$expand=manager", 400),
    ("users/delta?$deltatoken=made-up", 400),
    ("users/delta?$select=nope", 400),
]


@pytest.mark.parametrize(("path", "status"), REFUSED)
def test_a_delta_query_refuses(ask: Asking, path: str, status: int) -> None:
    assert ask("GET", path).status_code == status


def test_an_expired_token_begins_a_full_read() -> None:
    faults = Faults()
    with serving(small_tenant(), faults, (WRITER,)) as server:
        ask = Asking(server, WRITER)
        _, link = round_of(ask, "users/delta")
        faults.reset(Fault("deltatoken", "expired_token"))
        answer = ask("GET", link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "resyncRequired")
    assert answer.headers["Location"].endswith("$deltatoken=")


# --- batches ------------------------------------------------------------------------------------------------------


def batch(ask: Asking, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = ask("POST", "$batch", {"requests": [{"id": str(n), "method": "GET", **each} for n, each in enumerate(requests)]})
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["responses"]}


def test_each_request_of_a_batch_is_answered_by_itself(ask: Asking) -> None:
    json_body = {"Content-Type": "application/json"}
    done = batch(
        ask,
        {"url": "/users?$top=1&$select=id"},
        {"url": "/nothing"},
        {"url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}},
        {"method": "PATCH", "url": f"/users/{upn(1)}", "body": {"department": "Sales"}, "headers": json_body},
        {"method": "PATCH", "url": f"/users/{upn(1)}", "body": {"department": "Lost"}},
        {"url": f"/users/{upn(1)}?$select=department", "dependsOn": ["3"]},
        {"url": "/users", "dependsOn": ["1"]},
    )
    assert [done[str(n)]["status"] for n in range(7)] == [200, 400, 200, 204, 400, 200, 424]
    assert (len(done["0"]["body"]["value"]), done["5"]["body"]["department"]) == (1, "Sales")


def test_a_batch_is_throttled_request_by_request() -> None:
    faults = Faults([Fault("GET /v1.0/groups", "status", value=429, headers=(("Retry-After", "2.128"),))])
    with serving(small_tenant(), faults) as server:
        done = batch(Asking(server), {"url": "/users?$top=1"}, {"url": "/groups"}, {"url": "/groups"})
    assert [done[str(n)]["status"] for n in range(3)] == [200, 429, 200]
    assert done["1"]["headers"]["Retry-After"] == "2.128"


TOO_MUCH: dict[str, Any] = {
    "twenty-one requests": {"requests": [{"id": str(n), "method": "GET", "url": "/users"} for n in range(21)]},
    "two of one id": {"requests": [{"id": "1", "method": "GET", "url": "/users"}] * 2},
    "one that waits for none": {"requests": [{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["9"]}]},
    "none at all": {"requests": []},
    "something else": {"value": 1},
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_batch_may_not_have(ask: Asking, name: str) -> None:
    assert ask("POST", "$batch", TOO_MUCH[name]).status_code == 400


def test_what_a_tenant_forgets_it_forgets_for_good(ask: Asking) -> None:
    tenant = ask.server.tenant
    _, link = round_of(ask, "groups/delta")
    here = tenant.group_id("Team")
    tenant.delete_group("Team")
    assert round_of(ask, link)[0] == {here: {"id": here, "@removed": {"reason": "deleted"}}}
    assert tenant.user_id(f"helper@{DOMAIN}")
