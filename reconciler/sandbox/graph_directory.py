"""What else Microsoft Graph tells of a tenant: role assignments, licences, devices, applications and what they may do."""

from __future__ import annotations

from reconciler.sandbox.graph_call import Call, Refusal
from reconciler.sandbox.graph_groups import principal
from reconciler.sandbox.graph_pages import listed, one
from reconciler.sandbox.graph_shapes import MIXED, Shape, shape
from reconciler.sandbox.http import Reply
from reconciler.sandbox.tenant_objects import CREATED, Json

_NOT_GOVERNED = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."


def organisation(call: Call) -> Reply:
    us = call.tenant
    domains = [
        {
            "name": name,
            "isDefault": n == 0,
            "isInitial": name.endswith(".onmicrosoft.com"),
            "type": "Managed",
            "capabilities": "Email",
        }
        for n, name in enumerate(us.verified_domains)
    ]
    synced = any(user["onPremisesSyncEnabled"] for user in list(us.users.values()))
    shown = {"id": us.id, "displayName": us.name, "tenantType": "AAD", "createdDateTime": CREATED, "countryLetterCode": "GB"}
    row = shown | {"verifiedDomains": domains, "onPremisesSyncEnabled": synced or None, "assignedPlans": []}
    return listed(call, [row], Shape("organization", pages=False, directory=False))


# --- roles and licences -----------------------------------------------------------------------------------------------


def role_definitions(call: Call) -> Reply:
    rows = list(call.tenant.roles.values())
    return listed(call, rows, shape("role", "roleManagement/directory/roleDefinitions", pages=False, directory=False))


def role_definition(call: Call) -> Reply:
    return one(call, call.held(call.tenant.roles), shape("role", "roleManagement/directory/roleDefinitions"))


def _held(context: str) -> Shape:
    """Who holds which role; both may be expanded."""
    expands = {"principal": _principal, "roleDefinition": lambda call, row: call.tenant.roles.get(row["roleDefinitionId"])}
    return Shape(f"roleManagement/directory/{context}", expands=expands, directory=False)


def _principal(call: Call, row: Json) -> Json | None:
    return principal(call.tenant, row["principalId"])


def role_assignments(call: Call) -> Reply:
    return listed(call, list(call.tenant.role_assignments.values()), _held("roleAssignments"))


def role_assignment(call: Call) -> Reply:
    return one(call, call.held(call.tenant.role_assignments), _held("roleAssignments"))


def eligibilities(call: Call) -> Reply:
    rows = [_scheduled(row) | {"roleEligibilityScheduleId": row["id"]} for row in list(call.tenant.eligibilities.values())]
    return listed(call, _governed(call, rows), _held("roleEligibilityScheduleInstances"))


def active_assignments(call: Call) -> Reply:
    same = {"assignmentType": "Assigned"}
    rows = [
        _scheduled(row) | same | {"roleAssignmentScheduleId": row["id"], "roleAssignmentOriginId": row["id"]}
        for row in list(call.tenant.role_assignments.values())
    ]
    return listed(call, _governed(call, rows), _held("roleAssignmentScheduleInstances"))


def _scheduled(row: Json) -> Json:
    return row | {"appScopeId": None, "startDateTime": CREATED, "endDateTime": None, "memberType": "Direct"}


def _governed(call: Call, rows: list[Json]) -> list[Json]:
    if not call.tenant.governance:
        raise Refusal(400, _NOT_GOVERNED, "AadPremiumLicenseRequired")
    return rows


def skus(call: Call) -> Reply:
    return listed(call, list(call.tenant.skus.values()), Shape("subscribedSkus", pages=False, directory=False))


# --- devices and applications -----------------------------------------------------------------------------------------


def devices(call: Call) -> Reply:
    expands = {"registeredOwners": _owners, "registeredUsers": _owners}
    return listed(call, list(call.tenant.devices.values()), shape("device", "devices", expands=expands, stored=True))


def device(call: Call) -> Reply:
    return one(call, call.held(call.tenant.devices), shape("device", "devices"))


def device_owners(call: Call) -> Reply:
    return listed(call, _owners(call, call.held(call.tenant.devices)), MIXED)


def _owners(call: Call, row: Json) -> list[Json]:
    owner = call.tenant.users.get(call.tenant.device_owners.get(row["id"], ""))
    return [] if owner is None else [owner]


def apps(call: Call) -> Reply:
    return listed(call, list(call.tenant.apps.values()), shape("servicePrincipal", "servicePrincipals", stored=True))


def app(call: Call) -> Reply:
    return one(call, call.held(call.tenant.apps), shape("servicePrincipal", "servicePrincipals"))


def app_assigned_to(call: Call) -> Reply:
    here = call.held(call.tenant.apps)["id"]
    rows = [row for row in list(call.tenant.app_assignments.values()) if row["resourceId"] == here]
    return listed(call, rows, Shape(f"servicePrincipals('{here}')/appRoleAssignedTo", directory=False))


def consents(call: Call) -> Reply:
    return listed(call, list(call.tenant.consents.values()), Shape("oauth2PermissionGrants", directory=False))
