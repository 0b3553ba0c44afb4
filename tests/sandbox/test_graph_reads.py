"""The embedded Microsoft 365 answers questions as Graph v1.0 documents it, asked with plain requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import READER, READING, GraphServer, Registration
from reconciler.sandbox.tenant import Tenant, user
from tests.graph_tenant import DOMAIN, Asking, serving, small_tenant, upn

EVENTUAL = {"ConsistencyLevel": "eventual"}


@pytest.fixture(scope="module")
def server() -> Iterator[GraphServer]:
    with serving(small_tenant()) as made:
        yield made


@pytest.fixture(scope="module")
def ask(server: GraphServer) -> Asking:
    return Asking(server)


@pytest.fixture(scope="module")
def many() -> Iterator[Asking]:
    """A tenant with more people than a page holds."""
    tenant = Tenant()
    for number in range(1203):
        tenant.put_user(user(f"m{number}@{DOMAIN}", "M", f"{number:04d}"))
    group = tenant.put_group("All")
    for here in tenant.users:
        tenant.join(group, here)
    with serving(tenant) as server:
        yield Asking(server)


PAGES = [
    ("users", 100),
    ("users?$top=7", 7),
    ("users?$top=999", 999),
    ("users?$select=id,signInActivity&$top=999", 500),
    ("users?$select=id&$expand=manager($select=id)&$top=999", 100),
    ("groups/{all}/members?$select=id&$top=999", 999),
    ("users?%24top=5&%24select=id", 5),
]


@pytest.mark.parametrize(("path", "rows"), PAGES, ids=[path for path, _ in PAGES])
def test_pages_are_as_long_as_graph_makes_them(many: Asking, path: str, rows: int) -> None:
    path = path.replace("{all}", many.server.tenant.group_id("All"))
    page = many.get(path)
    assert len(page["value"]) == rows
    assert page["@odata.nextLink"].startswith(f"{many.server.url}/v1.0/")
    assert "skiptoken" in page["@odata.nextLink"]


@pytest.mark.parametrize(("path", "rows"), PAGES[2:6], ids=[path for path, _ in PAGES[2:6]])
def test_links_lead_through_everybody_once(many: Asking, path: str, rows: int) -> None:
    found = [row["id"] for row in many.all(path.replace("{all}", many.server.tenant.group_id("All")))]
    assert (len(found), len(set(found))) == (1203, 1203)


def test_a_user_deleted_between_two_pages_hides_nobody_else(many: Asking) -> None:
    tenant = many.server.tenant
    page = many.get("users?$top=600&$select=id")
    here = tenant.delete_user("m3@example.com")
    rest = many.all(page["@odata.nextLink"])
    tenant.restore(here)
    assert len(page["value"]) + len(rest) == 1203


def test_a_page_token_answers_only_its_own_question(many: Asking) -> None:
    link = many.get("users?$top=600&$select=id")["@odata.nextLink"]
    assert many("GET", link.replace("$top=600", "$top=601")).status_code == 400
    assert many("GET", "users?$skiptoken=made-up").status_code == 400


REFUSED = [
    ("a page of a thousand", "users?$top=1000", {}, 400, "Must be between 1 and 999 inclusive"),
    ("a page of none", "users?$top=0", {}, 400, "Invalid page size"),
    ("skipping", "users?$skip=5", {}, 400, "not supported"),
    ("an unknown option", "users?$nonsense=1", {}, 400, "not supported"),
    ("an unknown property", "users?$select=employeeID", {}, 400, "Could not find a property named 'employeeID'"),
    ("a property of one user at a time", "users?$select=mailboxSettings", {}, 501, "single user"),
    ("an unknown relation", "users?$expand=nothing", {}, 400, "Could not find a property named 'nothing'"),
    ("a filter that cannot be read", "users?$filter=department eq", {}, 400, "Invalid filter clause"),
    ("a filter on nothing known", "users?$filter=shoeSize eq 5", {}, 400, "shoeSize"),
    ("not-equal without the header", "users?$filter=department ne 'IT'&$count=true", {}, 400, "ConsistencyLevel"),
    ("not-equal without the count", "users?$filter=department ne 'IT'", EVENTUAL, 400, "ConsistencyLevel"),
    ("an end without the header", "users?$filter=endsWith(mail,'com')", {}, 400, "ConsistencyLevel"),
    ("sorting a filtered list", "users?$filter=accountEnabled eq true&$orderby=displayName", {}, 400, "Sorting not supported"),
    ("searching without the header", 'users?$search="displayName:x"', {}, 400, "ConsistencyLevel"),
    ("expanding an advanced question", "users?$expand=manager&$count=true", EVENTUAL, 400, "$expand"),
    ("counting without the header", "users/$count", {}, 400, "$count is not currently supported"),
    ("casting without the header", "groups/{Everyone}/members/microsoft.graph.user", {}, 400, "ConsistencyLevel"),
    ("somebody who is not there", "users/nobody@example.com", {}, 404, "does not exist"),
    ("a path that is not there", "nothing", {}, 400, "Resource not found for the segment 'nothing'"),
    ("a manager nobody has", f"users/{upn(0)}/manager", {}, 404, "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "headers", "status", "text"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refusals_are_worded_as_graph_words_them(ask: Asking, path: str, headers: dict[str, str], status: int, text: str) -> None:
    answer = ask("GET", path.replace("{Everyone}", ask.server.tenant.group_id("Everyone")), **headers)
    error = answer.json()["error"]
    assert (answer.status_code, text in error["message"]) == (status, True), answer.text
    assert {"request-id", "client-request-id", "date"} == set(error["innerError"])


FILTERS = [
    ("department eq 'finance'", 4, False),
    ("accountEnabled eq false", 1, False),
    ("startsWith(displayName,'given1')", 1, False),
    ("employeeId in ('000001','000002')", 2, False),
    ("department eq 'IT' and accountEnabled eq true", 4, False),
    ("(department eq 'IT' or department eq 'Finance') and userType eq 'Member'", 8, False),
    ("userType eq 'Guest'", 1, False),
    ("assignedLicenses/any(x:x/skuId eq {e5})", 2, False),
    ("proxyAddresses/any(p:p eq 'smtp:p5@example.com')", 1, False),
    ("createdDateTime ge 2020-01-01T00:00:00Z", 10, False),
    ("employeeId ne null", 8, True),
    ("NOT(department eq 'IT')", 6, True),
    ("endsWith(mail,'@elsewhere.example')", 1, True),
    ("assignedLicenses/$count eq 0", 8, True),
]


@pytest.mark.parametrize(("text", "rows", "advanced"), FILTERS, ids=[text for text, _, _ in FILTERS])
def test_filters_find_whom_they_describe(ask: Asking, text: str, rows: int, advanced: bool) -> None:
    text = text.replace("{e5}", ask.server.tenant.sku("SPE_E5"))
    more, headers = ("&$count=true", EVENTUAL) if advanced else ("", {})
    page = ask.get(f"users?$select=id&$filter={text}{more}", **headers)
    assert len(page["value"]) == rows
    assert page.get("@odata.count") == (rows if advanced else None)


def test_orders_searches_and_counts(ask: Asking) -> None:
    names = [row["displayName"] for row in ask.get("users?$orderby=displayName desc&$select=displayName")["value"]]
    assert names == sorted(names, key=str.casefold, reverse=True)
    assert len(ask.get('users?$search="displayName:family3" OR "displayName:gus"', **EVENTUAL)["value"]) == 2
    assert ask("GET", "users/$count", **EVENTUAL).text == "10"


def test_a_user_without_select_has_the_default_properties_only(ask: Asking) -> None:
    shown = ask.get(f"users/{upn(0)}")
    assert set(shown) == {
        "@odata.context", "id", "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
        "preferredLanguage", "surname", "userPrincipalName",
    }  # fmt: skip


def test_a_manager_is_expanded_with_what_is_selected(ask: Asking) -> None:
    rows = ask.all("users?$select=id&$expand=manager($select=id)")
    boss = ask.server.tenant.user_id(upn(0))
    assert sum(row.get("manager") == {"@odata.type": "#microsoft.graph.user", "id": boss} for row in rows) == 7


COUNTS = [
    ("groups", 7), ("groups/{Everyone}/members", 9), ("groups/{Everyone}/transitiveMembers", 10), ("groups/{Parent}/members", 2),
    ("groups/{Everyone}/owners", 1), ("groups/{Everyone}/memberOf", 1), (f"users/{upn(0)}/memberOf", 2), (f"users/{upn(0)}/transitiveMemberOf", 3),
    ("directoryRoles", 3), ("roleManagement/directory/roleDefinitions", 4), ("roleManagement/directory/roleAssignments", 3),
    ("roleManagement/directory/roleEligibilityScheduleInstances", 1), ("roleManagement/directory/roleAssignmentScheduleInstances", 3),
    ("subscribedSkus", 1), (f"users/{upn(0)}/licenseDetails", 1), ("devices", 3), (f"users/{upn(0)}/ownedDevices", 1),
    ("servicePrincipals", 3), ("oauth2PermissionGrants", 3), (f"users/{upn(0)}/appRoleAssignments", 1),
    ("directory/deletedItems/microsoft.graph.user", 1), ("organization", 1), ("reports/authenticationMethods/userRegistrationDetails", 8),
    (f"users/{upn(0)}/directReports", 7),
]  # fmt: skip


@pytest.mark.parametrize(("path", "rows"), COUNTS, ids=[path for path, _ in COUNTS])
def test_every_listing_holds_what_the_tenant_holds(ask: Asking, path: str, rows: int) -> None:
    tenant = ask.server.tenant
    for name in ("Everyone", "Parent"):
        path = path.replace(f"{{{name}}}", tenant.group_id(name))
    assert len(ask.all(path)) == rows


def test_members_tell_their_kind_and_casts_choose_among_them(ask: Asking) -> None:
    path = f"groups/{ask.server.tenant.group_id('Everyone')}/members"
    kinds = {row["@odata.type"] for row in ask.all(f"{path}?$select=id")}
    assert kinds == {"#microsoft.graph.user", "#microsoft.graph.group"}
    assert len(ask.all(f"{path}/microsoft.graph.user?$count=true&$select=id", **EVENTUAL)) == 8


def test_a_deleted_user_keeps_its_id_and_carries_it_in_its_name(ask: Asking) -> None:
    shown = ask.all("directory/deletedItems/microsoft.graph.user?$select=id,userPrincipalName,deletedDateTime")[0]
    assert shown["userPrincipalName"] == shown["id"].replace("-", "") + f"gone@{DOMAIN}"
    assert shown["deletedDateTime"] == "2026-11-01T00:00:00Z"


def test_sign_ins_are_told_of_those_who_signed_in(ask: Asking) -> None:
    told = {row["id"]: row.get("signInActivity") for row in ask.all("users?$select=id,signInActivity")}
    tenant = ask.server.tenant
    assert told[tenant.user_id(upn(0))]["lastSuccessfulSignInDateTime"] == "2026-11-20T10:00:00Z"
    assert told[tenant.user_id(upn(1))]["lastSuccessfulSignInDateTime"] is None
    assert told[tenant.user_id(upn(2))] is None


NEEDED = {
    "users": {"User.Read.All", "Directory.Read.All"},
    "users?$select=id,signInActivity": {"AuditLog.Read.All"},
    "groups": {"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"},
    "roleManagement/directory/roleAssignments": {"RoleManagement.Read.Directory", "Directory.Read.All"},
    "roleManagement/directory/roleEligibilityScheduleInstances": {"RoleManagement.Read.Directory", "RoleEligibilitySchedule.Read.Directory"},
    "subscribedSkus": {"LicenseAssignment.Read.All", "Directory.Read.All"},
    "devices": {"Device.Read.All", "Directory.Read.All"},
    "servicePrincipals": {"Application.Read.All", "Directory.Read.All"},
    "oauth2PermissionGrants": {"Directory.Read.All"},
    "reports/authenticationMethods/userRegistrationDetails": {"AuditLog.Read.All"},
    "directory/deletedItems/microsoft.graph.user": {"User.Read.All", "Directory.Read.All"},
}  # fmt: skip


@pytest.mark.parametrize("path", NEEDED)
def test_each_path_asks_for_its_own_permission(path: str) -> None:
    weaker = Registration("weaker", secret="s", permissions=READING - NEEDED[path])
    with serving(small_tenant(), clients=(weaker, READER)) as server:
        refused = Asking(server, weaker)("GET", path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
        assert Asking(server)("GET", path).status_code == 200


LICENCES = [
    ("premium", "users?$select=id,signInActivity", 403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
    ("governance", "roleManagement/directory/roleEligibilityScheduleInstances", 400, "AadPremiumLicenseRequired"),
]


@pytest.mark.parametrize(("lacks", "path", "status", "code"), LICENCES, ids=[f"without {row[0]}" for row in LICENCES])
def test_a_tenant_without_the_licence_is_told_so(lacks: str, path: str, status: int, code: str) -> None:
    tenant = small_tenant()
    setattr(tenant, lacks, False)
    with serving(tenant) as server:
        answer = Asking(server)("GET", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_members_the_caller_may_not_read_have_an_id_and_nothing_else() -> None:
    blind = Registration("blind", secret="s", permissions=frozenset({"GroupMember.Read.All"}))
    with serving(small_tenant(), clients=(blind,)) as server:
        rows = Asking(server, blind).all(f"groups/{server.tenant.group_id('Synced')}/members?$select=id,displayName")
    assert rows == [{"@odata.type": "#microsoft.graph.user", "id": server.tenant.user_id(upn(3)), "displayName": None}]


FAULTS: list[tuple[Fault, Any]] = [
    (Fault("GET /v1.0/users", "status", value=429), lambda a: (a.status_code, a.headers["Retry-After"]) == (429, "0.128")),
    (Fault("GET /v1.0/users", "status", value=429, headers=(("Retry-After", "2.128"),)), lambda a: a.headers["Retry-After"] == "2.128"),
    (Fault("GET /v1.0/users", "status", value=503), lambda a: a.json()["error"]["code"] == "ServiceUnavailable"),
    (Fault("GET /v1.0/users", "garbage"), lambda a: "<html>" in a.text),
    (Fault("GET /v1.0/users", "empty_page"), lambda a: (a.json()["value"], "@odata.nextLink" in a.json()) == ([], True)),
    (Fault("GET /v1.0/users", "hide_rows", value=3), lambda a: len(a.json()["value"]) == 2),
    (Fault("GET /v1.0/users", "drop_field", value="id"), lambda a: "id" not in a.json()["value"][0]),
    (Fault("GET /v1.0/users", "no_more"), lambda a: "@odata.nextLink" not in a.json()),
    (Fault("GET /v1.0/users", "expired_token"), lambda a: a.json()["error"]["code"] == "Directory_ExpiredPageToken"),
    (Fault("GET /v1.0/users", "expired_token", value=410), lambda a: a.json()["error"]["code"] == "resyncRequired"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "holds"), FAULTS, ids=[f"{f.do} {f.value or ''}{f.headers or ''}" for f, _ in FAULTS])
def test_the_script_breaks_what_it_says(fault: Fault, holds: Any) -> None:
    with serving(small_tenant(), Faults([fault])) as server:
        answer = Asking(server)("GET", "users?$top=5")
        assert holds(answer), answer.text
        assert len(Asking(server).all("users?$top=5")) == 10, "only the request named in the script is struck"


def test_a_repeated_token_leads_back_to_the_same_page() -> None:
    with serving(small_tenant(), Faults([Fault("skiptoken", "repeat_token")])) as server:
        ask = Asking(server)
        second = ask.get(ask.get("users?$top=3")["@odata.nextLink"])
        assert ask.get(second["@odata.nextLink"])["value"] == second["value"]


def test_bodies_are_compressed_for_those_who_take_it(ask: Asking) -> None:
    assert ask("GET", "users?$top=999").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in ask("GET", "users?$top=999", **{"Accept-Encoding": "identity"}).headers
