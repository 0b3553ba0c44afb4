"""What may be changed in the embedded Microsoft 365, by whom, and how it refuses everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.sandbox.graph import WRITING, Registration
from reconciler.sandbox.tenant import Tenant
from tests.graph_tenant import DOMAIN, Asking, serving, small_tenant, upn

WRITER = Registration("writer", secret="s", permissions=WRITING)
STRONGER = Registration("stronger", secret="s", permissions=WRITING)


def wrote(
    verb: str, path: str, body: Any = None, tenant: Tenant | None = None, client: Registration = WRITER
) -> tuple[Any, Tenant]:
    """(answer, tenant afterwards); names in braces become ids."""
    tenant = tenant or small_tenant()
    with serving(tenant, clients=(client,)) as server:
        return Asking(server, client)(verb, _ids(tenant, path), _ids(tenant, body)), tenant


def _ids(tenant: Tenant, told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _ids(tenant, value) for name, value in told.items()}
    if isinstance(told, list):
        return [_ids(tenant, value) for value in told]
    if isinstance(told, str):
        for name in ("Everyone", "Parent", "Rule", "Synced", "List", "Admins", "Team"):
            told = told.replace(f"{{{name}}}", tenant.group_id(name))
        for number in range(8):
            told = told.replace(
                f"{{p{number}}}", tenant.users.get(tenant._by_name.get(("users", upn(number)), ""), {}).get("id", "-")
            )
        told = told.replace("{e5}", tenant.sku("SPE_E5")).replace("{gone}", next(iter(tenant.deleted), "-"))
        told = told.replace("{consent}", next(iter(tenant.consents), "-")).replace(
            "{assigned}", next(iter(tenant.app_assignments), "-")
        )
        told = told.replace(
            "{role}",
            next(
                (a["id"] for a in tenant.role_assignments.values() if a["principalId"] == tenant._by_name.get(("users", upn(6)))),
                "-",
            ),
        )
    return told


NEW = {"accountEnabled": True, "displayName": "New Person", "mailNickname": "new", "userPrincipalName": f"new@{DOMAIN}",
       "passwordProfile": {"password": "x9!x9!x9!x9!"}}  # fmt: skip
LINK = "https://graph.microsoft.com/v1.0/directoryObjects/"
DONE: list[tuple[str, str, str, Any, int, Callable[[Tenant], bool]]] = [
    ("disable", "PATCH", "users/{p2}", {"accountEnabled": False}, 204, lambda t: t.users[t.user_id(upn(2))]["accountEnabled"] is False),
    ("change a department", "PATCH", f"users/{upn(2)}", {"department": None}, 204, lambda t: t.users[t.user_id(upn(2))]["department"] is None),
    ("sign out", "POST", "users/{p2}/revokeSignInSessions", None, 200, lambda t: t.sessions_revoked == [t.user_id(upn(2))]),
    ("sign out moves the instant", "POST", "users/{p2}/revokeSignInSessions", None, 200,
     lambda t: t.users[t.user_id(upn(2))]["signInSessionsValidFromDateTime"] == "2026-11-22T02:05:00Z"),
    ("take a direct licence", "POST", "users/{p0}/assignLicense", {"addLicenses": [], "removeLicenses": ["{e5}"]}, 200,
     lambda t: t.users[t.user_id(upn(0))]["assignedLicenses"] == []),
    ("give a licence", "POST", "users/{p2}/assignLicense", {"addLicenses": [{"skuId": "{e5}"}], "removeLicenses": []}, 200,
     lambda t: len(t.users[t.user_id(upn(2))]["licenseAssignmentStates"]) == 1),
    ("leave a group", "DELETE", "groups/{Everyone}/members/{p2}/$ref", None, 204, lambda t: t.user_id(upn(2)) not in t.members[t.group_id("Everyone")]),
    ("leaving takes the group's licence", "DELETE", "groups/{Everyone}/members/{p1}/$ref", None, 204,
     lambda t: t.users[t.user_id(upn(1))]["assignedLicenses"] == []),
    ("join a group", "POST", "groups/{Team}/members/$ref", {"@odata.id": LINK + "{p2}"}, 204, lambda t: t.user_id(upn(2)) in t.members[t.group_id("Team")]),
    ("name a manager", "PUT", "users/{p2}/manager/$ref", {"@odata.id": LINK + "{p1}"}, 204, lambda t: t.managers[t.user_id(upn(2))] == t.user_id(upn(1))),
    ("remove a manager", "DELETE", "users/{p2}/manager/$ref", None, 204, lambda t: t.user_id(upn(2)) not in t.managers),
    ("create", "POST", "users", NEW, 201, lambda t: t.users[t.user_id(f"new@{DOMAIN}")]["createdDateTime"] == "2026-11-22T02:05:00Z"),
    ("delete", "DELETE", "users/{p2}", None, 204, lambda t: any(u["deletedDateTime"] for u in t.deleted.values() if upn(2) in u["userPrincipalName"])),
    ("restore", "POST", "directory/deletedItems/{gone}/restore", None, 200, lambda t: t.user_id(f"gone@{DOMAIN}") in t.members[t.group_id("Everyone")]),
    ("delete for good", "DELETE", "directory/deletedItems/{gone}", None, 204, lambda t: not t.deleted),
    ("take back a consent", "DELETE", "oauth2PermissionGrants/{consent}", None, 204, lambda t: len(t.consents) == 2),
    ("take a person out of an application", "DELETE", "users/{p0}/appRoleAssignments/{assigned}", None, 204, lambda t: len(t.app_assignments) == 2),
    ("take away a role", "DELETE", "roleManagement/directory/roleAssignments/{role}", None, 204, lambda t: len(t.role_assignments) == 2),
    ("give a role", "POST", "roleManagement/directory/roleAssignments",
     {"principalId": "{p2}", "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10", "directoryScopeId": "/"}, 201, lambda t: len(t.role_assignments) == 4),
    ("change a synced person's cloud licence place", "PATCH", "users/{p3}", {"usageLocation": "DE"}, 204, lambda t: t.users[t.user_id(upn(3))]["usageLocation"] == "DE"),
    ("sign out a synced person", "POST", "users/{p3}/revokeSignInSessions", None, 200, lambda t: len(t.sessions_revoked) == 1),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path", "body", "status", "holds"), [row[1:] for row in DONE], ids=[row[0] for row in DONE])
def test_may(verb: str, path: str, body: Any, status: int, holds: Callable[[Tenant], bool]) -> None:
    answer, tenant = wrote(verb, path, body)
    assert answer.status_code == status, answer.text
    assert holds(tenant)


MASTERED = "on-premises mastered"
REFUSED = [
    ("a member by the address of the person", "DELETE", "groups/{Everyone}/members/{p2}", None, 400, "without /$ref"),
    ("a member of a dynamic group", "DELETE", "groups/{Rule}/members/{p2}/$ref", None, 400, "dynamic group"),
    ("a member of a synced group", "DELETE", "groups/{Synced}/members/{p3}/$ref", None, 400, MASTERED),
    ("a member of a distribution list", "POST", "groups/{List}/members/$ref", {"@odata.id": LINK + "{p2}"}, 400, "mail-enabled security groups"),
    ("a member who is there already", "POST", "groups/{Everyone}/members/$ref", {"@odata.id": LINK + "{p2}"}, 400, "already exist"),
    ("a member who is not there", "DELETE", "groups/{Team}/members/{p2}/$ref", None, 404, "does not exist"),
    ("a member who is nobody", "POST", "groups/{Team}/members/$ref", {"@odata.id": LINK + "nobody"}, 404, "does not exist"),
    ("a link that is none", "POST", "groups/{Team}/members/$ref", {"id": "x"}, 400, "Invalid URL format"),
    ("a synced person's state", "PATCH", "users/{p3}", {"accountEnabled": False}, 400, MASTERED),
    ("a synced person's manager", "PUT", "users/{p3}/manager/$ref", {"@odata.id": LINK + "{p1}"}, 400, MASTERED),
    ("a synced person", "DELETE", "users/{p3}", None, 400, MASTERED),
    ("an administrator's state", "PATCH", "users/{p0}", {"accountEnabled": False}, 403, "Insufficient privileges"),
    ("an administrator by group", "PATCH", "users/{p4}", {"accountEnabled": False}, 403, "Insufficient privileges"),
    ("an inherited licence", "POST", "users/{p1}/assignLicense", {"addLicenses": [], "removeLicenses": ["{e5}"]}, 400, "inherited from a group"),
    ("a licence nobody has", "POST", "users/{p2}/assignLicense", {"addLicenses": [], "removeLicenses": ["{e5}"]}, 400, "does not have a corresponding"),
    ("a licence the tenant has not", "POST", "users/{p2}/assignLicense", {"addLicenses": [{"skuId": "x"}], "removeLicenses": []}, 400, "valid company License"),
    ("one list of licences", "POST", "users/{p2}/assignLicense", {"removeLicenses": ["{e5}"]}, 400, "both lists"),
    ("an unknown property", "PATCH", "users/{p2}", {"employeeID": "1"}, 400, "Invalid property 'employeeID'"),
    ("a property that is only told", "PATCH", "users/{p2}", {"createdDateTime": "2020-01-01T00:00:00Z"}, 400, "read-only"),
    ("a state that is no state", "PATCH", "users/{p2}", {"accountEnabled": "false"}, 400, "expected type"),
    ("a name of another domain", "PATCH", "users/{p2}", {"userPrincipalName": "a@elsewhere.example"}, 400, "verified domain names"),
    ("a name that is taken", "POST", "users", NEW | {"userPrincipalName": upn(2)}, 400, "already exists"),
    ("a person without a password", "POST", "users", NEW | {"passwordProfile": None}, 400, "passwordProfile"),
    ("a role that is held", "POST", "roleManagement/directory/roleAssignments",
     {"principalId": "{p0}", "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10"}, 400, "conflicting object"),
    ("another's assignment", "DELETE", "users/{p2}/appRoleAssignments/{assigned}", None, 404, "does not exist"),
    ("a verb that is not offered", "PUT", "users/{p2}", {}, 405, "method is not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_may_not_change(verb: str, path: str, body: Any, status: int, text: str) -> None:
    before = small_tenant()
    answer, after = wrote(verb, path, body)
    assert (answer.status_code, text in answer.json()["error"]["message"]) == (status, True), answer.text
    assert (after.users, after.members, after.role_assignments) == (before.users, before.members, before.role_assignments)


NEEDS = [
    ("PATCH", "users/{p2}", {"accountEnabled": False}, {"User.EnableDisableAccount.All", "User.ReadWrite.All"}),
    ("PATCH", "users/{p2}", {"department": "X"}, {"User.ReadWrite.All"}),
    ("POST", "users/{p2}/revokeSignInSessions", None, {"User.RevokeSessions.All", "User.ReadWrite.All"}),
    ("POST", "users/{p0}/assignLicense", {"addLicenses": [], "removeLicenses": ["{e5}"]}, {"LicenseAssignment.ReadWrite.All", "User.ReadWrite.All"}),
    ("DELETE", "groups/{Everyone}/members/{p2}/$ref", None, {"GroupMember.ReadWrite.All", "Group.ReadWrite.All"}),
    ("DELETE", "groups/{Admins}/members/{p4}/$ref", None, {"RoleManagement.ReadWrite.Directory"}),
    ("DELETE", "users/{p2}", None, {"User.DeleteRestore.All", "User.ReadWrite.All"}),
    ("POST", "users", NEW, {"User.ReadWrite.All"}),
    ("POST", "directory/deletedItems/{gone}/restore", None, {"User.DeleteRestore.All", "User.ReadWrite.All"}),
    ("DELETE", "oauth2PermissionGrants/{consent}", None, {"DelegatedPermissionGrant.ReadWrite.All"}),
    ("DELETE", "users/{p0}/appRoleAssignments/{assigned}", None, {"AppRoleAssignment.ReadWrite.All"}),
    ("DELETE", "roleManagement/directory/roleAssignments/{role}", None, {"RoleManagement.ReadWrite.Directory"}),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "path", "body", "needed"), NEEDS, ids=[f"{n[0]} {n[1]} {n[2] or ''}"[:60] for n in NEEDS])
def test_each_write_asks_for_its_own_permission(verb: str, path: str, body: Any, needed: set[str]) -> None:
    weaker = Registration("weaker", secret="s", permissions=WRITING - needed)
    refused, _ = wrote(verb, path, body, client=weaker)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    answer, _ = wrote(verb, path, body)
    assert answer.status_code < 300


def test_the_narrow_permission_disables_and_does_nothing_else() -> None:
    narrow = Registration("narrow", secret="s", permissions=frozenset({"User.EnableDisableAccount.All", "User.Read.All"}))
    assert wrote("PATCH", "users/{p2}", {"accountEnabled": False}, client=narrow)[0].status_code == 204
    assert wrote("PATCH", "users/{p2}", {"accountEnabled": False, "department": "X"}, client=narrow)[0].status_code == 403


def test_an_application_of_higher_rank_disables_an_administrator() -> None:
    tenant = small_tenant()
    tenant.assign_role(tenant.app("Remediator", appId=STRONGER.client_id), tenant.role("Privileged Authentication Administrator"))
    answer, _ = wrote("PATCH", "users/{p0}", {"accountEnabled": False}, tenant, STRONGER)
    assert answer.status_code == 204


def test_a_new_person_s_password_is_not_remembered() -> None:
    _, tenant = wrote("POST", "users", NEW)
    assert "x9!x9!" not in str(tenant.users)
