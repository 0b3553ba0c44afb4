"""Microsoft Graph's users: list, get, count, who leads them, what they belong to, what they hold."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.sandbox.graph_call import Call, Refusal, denied, not_found
from reconciler.sandbox.graph_groups import directory_roles, groups_above
from reconciler.sandbox.graph_pages import counted, listed, one
from reconciler.sandbox.graph_shapes import MIXED, Shape, shape
from reconciler.sandbox.http import Reply
from reconciler.sandbox.tenant_objects import Json

SIGN_IN_ROWS = 500  # rows a page once signInActivity is asked for (docs-contrib pull request 9591)
NOT_PREMIUM = "Neither tenant is B2C or tenant doesn't have premium license"


def users(call: Call) -> Reply:
    return listed(call, list(call.tenant.users.values()), _shape(call))


def count(call: Call) -> Reply:
    return counted(call, list(call.tenant.users.values()), _shape(call))


def user(call: Call) -> Reply:
    return one(call, call.user(), _shape(call))


def _shape(call: Call, context: str = "users") -> Shape:
    """Users with what the caller asks of them; raises Refusal when a property needs more than it has."""
    asked = call.query.get("$select", "") + call.query.get("$filter", "")
    made = shape("user", context, expands={"manager": _manager, "memberOf": _groups, "directReports": _reports}, stored=True)
    if "employeeLeaveDateTime" in asked and not call.caller.may(
        "User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"
    ):
        raise denied()
    return _with_sign_ins(call, made) if "signInActivity" in asked else made


def _with_sign_ins(call: Call, made: Shape) -> Shape:
    call.need("AuditLog.Read.All")
    if not call.tenant.premium:
        raise Refusal(403, NOT_PREMIUM, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    return made.capped(SIGN_IN_ROWS)


def _manager(call: Call, row: Json) -> Json | None:
    return call.tenant.users.get(call.tenant.managers.get(row["id"], ""))


def _reports(call: Call, row: Json) -> list[Json]:
    below = [who for who, leader in list(call.tenant.managers.items()) if leader == row["id"]]
    return [call.tenant.users[who] for who in below if who in call.tenant.users]


def _groups(call: Call, row: Json) -> list[Json]:
    direct = [call.tenant.groups[group] for group, members in list(call.tenant.members.items()) if row["id"] in members]
    held = [role for role in directory_roles(call.tenant) if row["id"] in role.members]
    return [*direct, *(role.shown for role in held)]


# --- below a user -------------------------------------------------------------------------------------------------


def manager(call: Call) -> Reply:
    found = _manager(call, call.user())
    if found is None:
        raise not_found("manager")
    return one(call, {"@odata.type": "#microsoft.graph.user", **found}, shape("user", "directoryObjects"))


def direct_reports(call: Call) -> Reply:
    return listed(call, _reports(call, call.user()), MIXED)


def member_of(call: Call) -> Reply:
    return listed(call, _groups(call, call.user()), MIXED)


def transitive_member_of(call: Call) -> Reply:
    here = call.user()
    above = [call.tenant.groups[group] for group in groups_above(call.tenant, here["id"])]
    return listed(call, [*above, *(row for row in _groups(call, here) if "roleTemplateId" in row)], MIXED)


def licence_details(call: Call) -> Reply:
    held = [call.tenant.skus[each["skuId"]] for each in call.user()["assignedLicenses"]]
    rows = [{"id": sku["id"], "servicePlans": [], "skuId": sku["skuId"], "skuPartNumber": sku["skuPartNumber"]} for sku in held]
    return listed(call, rows, Shape(f"users('{call.ids[0]}')/licenseDetails", pages=False, directory=False))


def devices_of(call: Call) -> Reply:
    here = call.user()["id"]
    held = [call.tenant.devices[device] for device, owner in list(call.tenant.device_owners.items()) if owner == here]
    return listed(call, held, MIXED)


def app_assignments(call: Call) -> Reply:
    here = call.user()["id"]
    rows = [row for row in list(call.tenant.app_assignments.values()) if row["principalId"] == here]
    return listed(call, rows, Shape(f"users('{here}')/appRoleAssignments", directory=False))


# --- mailboxes ------------------------------------------------------------------------------------------------------


def mailbox_settings(call: Call) -> Reply:
    told = {"userPurpose": _mailbox(call)["userPurpose"], "automaticRepliesSetting": {"status": "disabled"}, "timeZone": "UTC"}
    return one(call, told, Shape(f"users('{call.ids[0]}')/mailboxSettings", directory=False))


def message_rules(call: Call) -> Reply:
    rules = _mailbox(call)["rules"]
    return listed(call, rules, Shape(f"users('{call.ids[0]}')/mailFolders('inbox')/messageRules", directory=False))


def _mailbox(call: Call) -> Json:
    found = call.tenant.mailboxes.get(call.user()["id"])
    if found is None:
        message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        raise Refusal(404, message, "MailboxNotEnabledForRESTAPI")
    return found


# --- those who were deleted -----------------------------------------------------------------------------------------


def deleted_users(call: Call) -> Reply:
    return listed(call, list(call.tenant.deleted.values()), shape("user", "directoryObjects", stored=True))


def deleted_item(call: Call) -> Reply:
    return one(
        call, {"@odata.type": "#microsoft.graph.user", **call.held(call.tenant.deleted)}, shape("user", "directoryObjects")
    )


# --- reports --------------------------------------------------------------------------------------------------------


def registrations(call: Call) -> Reply:
    if not call.tenant.premium:
        raise Refusal(403, NOT_PREMIUM, "Authentication_RequestFromNonPremiumTenantOrB2CTenant")
    context = "reports/authenticationMethods/userRegistrationDetails"
    return listed(call, _registered(call), Shape(context, directory=False))


def _registered(call: Call) -> Iterable[Json]:
    admins = {row["principalId"] for row in list(call.tenant.role_assignments.values())}
    for here, row in list(call.tenant.registrations.items()):
        about = call.tenant.users.get(here)
        if about is not None:
            who = {"userPrincipalName": about["userPrincipalName"], "userDisplayName": about["displayName"]}
            yield row | who | {"userType": (about["userType"] or "Member").lower(), "isAdmin": here in admins}
