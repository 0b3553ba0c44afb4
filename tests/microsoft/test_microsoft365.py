"""Microsoft 365 as the embedded tenant serves it: read whole and right, by a real login over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import _http
from connectors.microsoft365 import NEEDS, Settings, anchor, instant, read
from reconciler.connector import AccessRefused, Answer, Context, Ended, Identity, Incomplete, Noticed, Page, Unreadable, needed
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import READER, READING, GraphServer, Registration, microsoft
from reconciler.sandbox.http import HttpServer, Reply, Request, json_reply
from reconciler.sandbox.tenant import user
from reconciler.sandbox.tls import Authority
from reconciler.tables import AREAS
from tests.graph_tenant import DOMAIN, small_tenant, upn

GLOBAL, HELPDESK, USER_ADMIN = (
    "62e90394-69f5-4237-9190-012177145e10",
    "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    "fe930be7-5e62-47db-91af-98c3a49a38b1",
)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphServer]:
    (tmp_path / "ca.pem").write_text(authority.pem, "ascii")
    monkeypatch.setenv("M365_SECRET", READER.secret or "")
    monkeypatch.setattr(_http.Api, "_pause", lambda self, attempt, answer, problem: None)  # waiting is tested by itself
    made = microsoft(small_tenant(), Faults(), authority.context())
    made.start()
    yield made
    made.close()


def settings(server: GraphServer, folder: Path, **more: Any) -> Settings:
    told = {
        "kind": "microsoft365", "tenant": server.tenant.domain, "client_id": READER.client_id, "client_secret": "env:M365_SECRET",
        "login_url": server.url, "graph_url": f"{server.url}/v1.0", "ca_file": str(folder / "ca.pem"),
    }  # fmt: skip
    return Settings.model_validate(told | more)


def answers(server: GraphServer, folder: Path, **more: Any) -> list[Answer]:
    return list(read(settings(server, folder, **more), Context("m365", datetime(2026, 11, 22, tzinfo=UTC))))


def table(found: list[Answer], name: str) -> list[dict[str, Any]]:
    return [row for page in found if isinstance(page, Page) and page.table == name for row in page.rows()]


def people(found: list[Answer]) -> dict[str, dict[str, Any]]:
    return {row["login"]: row for row in table(found, "accounts")}


def test_reads_everybody(server: GraphServer, tmp_path: Path) -> None:
    found = people(answers(server, tmp_path))
    assert len(found) == 11
    assert (found[upn(7)]["enabled"], found[upn(7)]["state_reason"]) == (False, "disabled")
    assert found[f"guest_elsewhere.example#EXT#@{server.tenant.domain}"]["kind"] == "guest"
    assert found[f"helper@{DOMAIN}"]["kind"] == "agent"
    assert list(found[upn(5)]["aliases"]) == [upn(5)]
    assert (found[upn(3)]["mastered_by"], found[upn(3)]["sid"]) == ("on-premises", "S-1-5-21-1-2-3-1103")
    assert found[upn(3)]["anchor"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert (found[upn(1)]["manager_account_id"], found[upn(0)]["manager_account_id"]) == (server.tenant.user_id(upn(0)), None)


def test_a_deleted_user_is_told_under_the_name_it_had(server: GraphServer, tmp_path: Path) -> None:
    gone = people(answers(server, tmp_path))[f"gone@{DOMAIN}"]
    assert (gone["enabled"], gone["state_reason"], gone["employee_id"]) == (False, "deleted", "000099")


def test_unknown_stays_unknown(server: GraphServer, tmp_path: Path) -> None:
    found = people(answers(server, tmp_path))
    assert found[upn(0)]["last_login_at"] == instant("2026-11-20T10:00:00Z")
    assert found[upn(2)]["last_login_at"] is None
    assert [found[name]["mfa"] for name in (upn(0), upn(2), f"helper@{DOMAIN}")] == [True, False, None]


def test_the_privileged_are_known_directly_by_group_and_on_demand(server: GraphServer, tmp_path: Path) -> None:
    found = people(answers(server, tmp_path))
    assert {name for name, row in found.items() if row["privileged"]} == {upn(0), upn(4), upn(1)}
    assert found[upn(6)]["privileged"] is False, "Reports Reader is no privileged role"


def test_says_how_each_thing_is_held(server: GraphServer, tmp_path: Path) -> None:
    found, tenant = answers(server, tmp_path), server.tenant
    names = {row["account_id"]: row["login"] for row in table(found, "accounts")}
    held = {(names[row["account_id"]], row["entitlement_id"], row["via"]) for row in table(found, "grants")}
    e5, ids = tenant.sku("SPE_E5"), {name: tenant.group_id(name) for name in ("Everyone", "Parent", "Rule", "Admins")}
    assert {
        (upn(0), ids["Everyone"], "direct"), (upn(0), ids["Parent"], "nested"), (upn(6), ids["Parent"], "direct"), (upn(6), ids["Everyone"], "direct"),
        (upn(2), ids["Rule"], "dynamic"), (upn(0), GLOBAL, "direct"), (upn(4), HELPDESK, "inherited"), (upn(1), USER_ADMIN, "eligible"),
        (upn(0), e5, "direct"), (upn(1), e5, "inherited"), (upn(0), tenant.app("Expenses"), "direct"),
        (upn(2), f"consent:{tenant.app('Mail Archive')}", "direct"),
    } <= held  # fmt: skip
    assert sum(entitlement == ids["Parent"] for _, entitlement, _ in held) == 9, "a circle of groups ends where it began"


def test_what_a_mailbox_is_and_who_gets_its_mail(server: GraphServer, tmp_path: Path) -> None:
    found, tenant = answers(server, tmp_path, mailboxes=True), server.tenant
    kinds = {name: row["kind"] for name, row in people(found).items()}
    assert {name: kinds[name] for name in map(upn, (0, 4, 5, 6, 7))} == dict(
        zip(map(upn, (0, 4, 5, 6, 7)), ("person", "person", "person", "room", "shared"), strict=True)
    )
    boxes = {row["entitlement_id"]: row for row in table(found, "entitlements") if row["kind"] == "mailbox"}
    team = f"mailbox:{tenant.user_id(upn(7))}"
    assert (boxes[team]["name"], boxes[team]["owner_account_id"], len(boxes)) == (f"mail of {upn(7)}", tenant.user_id(upn(7)), 4)
    held = {row["account_id"] for row in table(found, "grants") if row["entitlement_id"] == team}
    assert held == {tenant.user_id(upn(1)), tenant.user_id(upn(2))}
    told = [one.told for one in found if isinstance(one, Noticed)]
    assert told == [f"mail is sent on to nobody's account here by rules: {upn(4)} to p4@home.example"]


def test_mailboxes_are_read_where_that_is_asked_for(server: GraphServer, tmp_path: Path) -> None:
    found = answers(server, tmp_path)
    assert not [request for request in server.faults.requests if "mailbox" in request]
    assert {row["kind"] for row in people(found).values()} == {"person", "guest", "agent"}
    assert [need.area for need in NEEDS if need not in needed(NEEDS, settings(server, tmp_path))] == ["mailboxes"]


def test_mailboxes_that_may_not_be_read_are_not_peoples(server: GraphServer, tmp_path: Path) -> None:
    """One mailbox that is kept from the application, and none is told: what stands on their sort is not assessed."""
    server.faults.reset(Fault("messageRules", "status", at=3, value=403))
    found = answers(server, tmp_path, mailboxes=True)
    assert [(one.area, one.fix) for one in found if isinstance(one, Unreadable)] == [("mailboxes", "grant MailboxSettings.Read")]
    assert not [row for row in table(found, "entitlements") if row["kind"] == "mailbox"]
    assert people(found)[upn(6)]["kind"] == "person"


def test_says_what_each_thing_is(server: GraphServer, tmp_path: Path) -> None:
    found, tenant = answers(server, tmp_path), server.tenant
    about = {row["name"]: row for row in table(found, "entitlements") if row["kind"] != "oauth_grant"}
    kinds = {name: about[name]["kind"] for name in ("Everyone", "Global Administrator", "SPE_E5", "LAPTOP-0", "Expenses")}
    assert list(kinds.values()) == ["group", "role", "licence", "device", "application"]
    assert {name for name, row in about.items() if row["kind"] == "group" and not row["writable"]} == {"Rule", "Synced", "List"}
    assert about["Everyone"]["owner_account_id"] == tenant.user_id(upn(5))
    assert about["LAPTOP-1"]["owner_account_id"] == tenant.user_id(upn(1))
    assert (about["KIOSK"]["owner_account_id"], about["Admins"]["privileged"]) == (None, True)


def test_further_properties_are_kept_under_the_names_they_are_given(server: GraphServer, tmp_path: Path) -> None:
    server.tenant.change_user(upn(1), postalCode="N1 9GU")
    found = people(answers(server, tmp_path, extra={"postcode": "postalCode"}))
    assert (found[upn(1)]["extra"], found[upn(2)]["extra"]) == ('{"postcode": "N1 9GU"}', None)


def test_every_listing_comes_to_its_end(server: GraphServer, tmp_path: Path) -> None:
    found = answers(server, tmp_path)
    ended = {a.scope: a for a in found if isinstance(a, Ended)}
    assert {
        "users", "groups", "managers", "sign-in activity", "role assignments", "eligible roles", "licences", "devices", "applications",
        "consents", "deleted users", "registered methods", "owners of groups",
    } <= set(ended)  # fmt: skip
    assert all(a.declared in (None, a.rows) for a in ended.values())
    assert (ended["users"].declared, ended["groups"].declared) == (10, 7)
    assert next(a for a in found if isinstance(a, Identity)).value == server.tenant.id


# --- who may read what --------------------------------------------------------------------------------------------

WITHOUT = [
    ("sign_in and mfa", {"AuditLog.Read.All"}, {"sign_in", "mfa"}),
    ("roles", {"RoleManagement.Read.Directory", "Directory.Read.All"}, {"roles", "oauth_grants"}),
    ("licences", {"LicenseAssignment.Read.All", "Directory.Read.All"}, {"licences", "oauth_grants"}),
    ("devices", {"Device.Read.All", "Directory.Read.All"}, {"devices", "oauth_grants"}),
    ("applications", {"Application.Read.All", "Directory.Read.All"}, {"oauth_grants"}),
]


@pytest.mark.parametrize(("taken", "areas"), [row[1:] for row in WITHOUT], ids=[f"without {row[0]}" for row in WITHOUT])
def test_an_area_without_permission_is_unreadable_and_the_rest_is_whole(
    server: GraphServer, tmp_path: Path, taken: set[str], areas: set[str]
) -> None:
    server.login.register([Registration(READER.client_id, READER.secret, permissions=READING - taken)])
    found = answers(server, tmp_path)
    assert {a.area for a in found if isinstance(a, Unreadable)} == areas
    assert all(
        a.fix.startswith("grant ") and "Authorization_RequestDenied" in a.reason for a in found if isinstance(a, Unreadable)
    )
    assert len(people(found)) == 11


@pytest.mark.parametrize(
    "taken", [{"User.Read.All", "Directory.Read.All"}, {"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}]
)
def test_without_users_or_groups_there_is_no_answer(server: GraphServer, tmp_path: Path, taken: set[str]) -> None:
    server.login.register([Registration(READER.client_id, READER.secret, permissions=READING - taken)])
    with pytest.raises(AccessRefused, match="Authorization_RequestDenied"):
        answers(server, tmp_path)


def test_roles_on_demand_that_are_refused_are_not_taken_for_none(server: GraphServer, tmp_path: Path) -> None:
    """Directory.Read.All tells who holds a role, and not who may take one."""
    taken = {"RoleManagement.Read.Directory", "RoleEligibilitySchedule.Read.Directory"}
    server.login.register([Registration(READER.client_id, READER.secret, permissions=READING - taken)])
    found = answers(server, tmp_path)
    unread = [a for a in found if isinstance(a, Unreadable)]
    assert [(a.area, a.fix) for a in unread] == [("roles", "grant RoleEligibilitySchedule.Read.Directory")]
    told = people(found)
    assert (told[upn(0)]["privileged"], told[upn(2)]["privileged"]) == (True, None)


def test_a_tenant_without_roles_on_demand_has_none(server: GraphServer, tmp_path: Path) -> None:
    server.tenant.governance = False
    found = answers(server, tmp_path)
    assert not [a for a in found if isinstance(a, Unreadable)]
    assert people(found)[upn(1)]["privileged"] is False


def test_a_tenant_without_premium_tells_neither_sign_ins_nor_methods(server: GraphServer, tmp_path: Path) -> None:
    server.tenant.premium = False
    assert {a.area for a in answers(server, tmp_path) if isinstance(a, Unreadable)} == {"sign_in", "mfa"}


def test_every_area_has_its_permission_and_is_known_to_the_tables() -> None:
    assert {need.area for need in NEEDS if need.area} <= set(AREAS)


# --- the login ----------------------------------------------------------------------------------------------------


def test_a_wrong_secret_is_tried_once_and_never_shown(
    server: GraphServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M365_SECRET", "canary-secret")
    with pytest.raises(AccessRefused, match="AADSTS7000215") as refused:
        answers(server, tmp_path)
    assert server.login.asked == 1
    assert "canary" not in str(refused.value)


def test_an_unknown_tenant_is_said_to_be_one(server: GraphServer, tmp_path: Path) -> None:
    with pytest.raises(AccessRefused, match=r"elsewhere\.example"):
        answers(server, tmp_path, tenant="elsewhere.example")


@pytest.mark.parametrize("own", ["", "33333333-3333-3333-3333-333333333333"], ids=["the machine's", "one of several"])
def test_a_managed_identity_takes_the_place_of_a_secret(
    server: GraphServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    """As App Service offers it: an endpoint of the machine's own, over plain http, that gives tokens for a resource."""
    token = server.login._token(READER, "https://graph.microsoft.com")
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        known = request.headers["x-identity-header"] == "door"
        return json_reply(
            {"access_token": token, "expires_on": "4102444800", "resource": "x"} if known else {}, 200 if known else 403
        )

    endpoint = HttpServer(answer).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "door")
    found = answers(server, tmp_path, client_secret=None, managed_identity=True, client_id=own)
    assert len(people(found)) == 11
    assert [(a.query["resource"], a.query.get("client_id", "")) for a in asked] == [(server.url, own)]
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    with pytest.raises(AccessRefused, match="managed identity"):
        answers(server, tmp_path, client_secret=None, managed_identity=True, client_id=own)
    endpoint.close()


@pytest.mark.parametrize("lie", ["JSON without its last letter", "bytes that are no UTF-8"])
def test_a_token_in_an_answer_that_cannot_be_read_is_not_logged(
    server: GraphServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """msal would log the whole answer; bytes that are no UTF-8 become letters that no header takes."""
    server.faults.reset(Fault("POST .*token", "spoil", 0, lie))
    with pytest.raises(Incomplete, match="no token"):
        answers(server, tmp_path)
    assert "access_token" not in caplog.text and "eyJ" not in caplog.text


@pytest.mark.parametrize("on", ["users", "members", "roleAssignments"])
def test_a_token_that_dies_is_renewed_once(server: GraphServer, tmp_path: Path, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors._graph_token.FRESH_SECONDS", 0.0)
    assert server.faults is not None
    server.faults.reset(Fault(f"GET .*{on}", "status", at=2, value=401))
    assert len(people(answers(server, tmp_path))) == 11
    assert server.login.asked == 2


def test_a_token_refused_twice_is_no_permission(server: GraphServer, tmp_path: Path) -> None:
    server.faults.reset(Fault("GET .*v1.0/users", "status", at=0, value=401))
    with pytest.raises(AccessRefused):
        answers(server, tmp_path)
    assert server.login.asked <= 2


LOGIN_FAULTS = [
    ("a web page", "garbage", None), ("a server error", "status", 503), ("too many requests", "status", 429),
    ("half an answer", "cut", 60), ("an empty answer", "cut", 0),
]  # fmt: skip


@pytest.mark.parametrize(("do", "value"), [row[1:] for row in LOGIN_FAULTS], ids=[row[0] for row in LOGIN_FAULTS])
@pytest.mark.parametrize("path", ["openid-configuration", "oauth2/v2.0/token"])
def test_a_login_that_breaks_leaves_no_answer(server: GraphServer, tmp_path: Path, path: str, do: Any, value: Any) -> None:
    server.faults.reset(Fault(path, do, at=0, value=value))
    with pytest.raises((AccessRefused, Incomplete)):
        answers(server, tmp_path)


CLOUDS = [
    ("https://login.microsoftonline.us", None, "https://graph.microsoft.us/v1.0"),
    ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0", "https://dod-graph.microsoft.us/v1.0"),
    ("https://login.partner.microsoftonline.cn/", None, "https://microsoftgraph.chinacloudapi.cn/v1.0"),
    ("https://login.microsoftonline.com", None, "https://graph.microsoft.com/v1.0"),
]


@pytest.mark.parametrize(("login", "graph", "made"), CLOUDS)
def test_a_national_login_brings_its_own_graph(login: str, graph: str | None, made: str) -> None:
    told = {"kind": "microsoft365", "tenant": "t", "client_id": "c", "client_secret": "env:X", "login_url": login}
    assert Settings.model_validate(told | ({"graph_url": graph} if graph else {})).graph_url == made


# --- small things -------------------------------------------------------------------------------------------------

ANCHORS = [
    ("AAECAwQFBgcICQoLDA0ODw==", "03020100-0504-0706-0809-0a0b0c0d0e0f"),
    ("not base64!", "not base64!"),
    (None, None),
    ("YWJj", "YWJj"),
]


@pytest.mark.parametrize(("told", "made"), ANCHORS)
def test_the_anchor_reads_as_the_directory_prints_it(told: str | None, made: str | None) -> None:
    assert anchor(told) == made


INSTANTS = [
    ("2026-11-20T10:00:00Z", 1795168800000000), ("2026-11-20T10:00:00.1234567Z", 1795168800123456), ("0001-01-01T00:00:00Z", None),
    ("", None), (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("told", "made"), INSTANTS)
def test_an_instant_that_is_none_is_not_told(told: str | None, made: int | None) -> None:
    assert instant(told) == made


def test_a_report_that_tells_of_too_few_is_not_believed(server: GraphServer, tmp_path: Path) -> None:
    for number in range(30):
        server.tenant.put_user(user(f"more{number}@{DOMAIN}", "More", str(number)))
    found = answers(server, tmp_path)
    assert [a.area for a in found if isinstance(a, Unreadable)] == ["mfa"]
    assert {row["mfa"] for row in table(found, "accounts")} == {None}
