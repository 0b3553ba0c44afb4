"""What Microsoft Graph lets an application change of a user: create, alter, disable, delete, restore, sign out, license.

Sources: learn.microsoft.com/graph/api/user-update, user-assignlicense, user-revokesigninsessions, user-post-users,
directory-deleteditems-restore; the texts of refusals as clients see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reconciler.sandbox.graph_call import MASTERED, Call, bad, denied, not_found, reference
from reconciler.sandbox.graph_groups import groups_above
from reconciler.sandbox.graph_pages import one
from reconciler.sandbox.graph_shapes import known, shape
from reconciler.sandbox.http import Reply, json_reply
from reconciler.sandbox.tenant import user
from reconciler.sandbox.tenant_objects import ROLE_TEMPLATES, Json, made_id

READ_ONLY = frozenset({
    "id", "createdDateTime", "deletedDateTime", "assignedLicenses", "assignedPlans", "licenseAssignmentStates", "proxyAddresses",
    "signInActivity", "provisionedPlans", "imAddresses", "securityIdentifier", "signInSessionsValidFromDateTime", "creationType",
    "lastPasswordChangeDateTime", "onPremisesSyncEnabled", "onPremisesSecurityIdentifier", "onPremisesLastSyncDateTime",
})  # fmt: skip
CLOUD_OWNED = frozenset({  # of a synced user, what the cloud still decides
    "usageLocation", "passwordPolicies", "preferredDataLocation", "employeeLeaveDateTime", "customSecurityAttributes", "businessPhones",
})  # fmt: skip
SENSITIVE = frozenset({"accountEnabled", "passwordProfile", "userPrincipalName", "otherMails", "mobilePhone", "businessPhones"})
FULL = ("User.ReadWrite.All", "Directory.ReadWrite.All")
_STRONG = ("Global Administrator", "Privileged Authentication Administrator")
_LICENSING = ("LicenseAssignment.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All")
_DONE = Reply(204)
_INHERITED = "User license is inherited from a group membership and it cannot be removed directly from the user."


def changed(call: Call) -> Reply:
    """PATCH: set what is told, if the caller may and the cloud decides it."""
    here, told = call.user(), call.body
    _may_change(call, told)
    _check_properties(call, told)
    if here["onPremisesSyncEnabled"] and not told.keys() <= CLOUD_OWNED:
        raise bad(MASTERED)
    if not told.keys().isdisjoint(SENSITIVE):
        _outranks(call, here["id"])
    if "userPrincipalName" in told:
        _check_name(call, str(told["userPrincipalName"]), here["id"])
    call.tenant.change_user(here["id"], **_kept(told))
    return _DONE


def _may_change(call: Call, told: Json) -> None:
    """The narrow permissions reach what they are named after, and nothing else."""
    narrow = {"accountEnabled": ("User.EnableDisableAccount.All",), "passwordProfile": ("User-PasswordProfile.ReadWrite.All",)}
    for name in told:
        call.need(*FULL, *narrow.get(name, ()))
    if "accountEnabled" in told and not call.caller.may("User.Read.All", *FULL, "Directory.Read.All"):
        raise denied()


def _check_properties(call: Call, told: Json) -> None:
    for name, value in told.items():
        if name not in known("user"):
            raise bad(f"Invalid property '{name}'.")
        if name in READ_ONLY:
            raise bad(f"Property '{name}' is read-only and cannot be set.")
        if name == "accountEnabled" and not isinstance(value, bool):
            raise bad("A value without a type name was found and no expected type is available.")


def _kept(told: Json) -> dict[str, Any]:
    """What is remembered of a change: never a password."""
    return {name: value for name, value in told.items() if name != "passwordProfile"}


def _outranks(call: Call, target: str) -> None:
    """Who holds an administrator's role may be touched only by an application that holds a higher one; raises Refusal.

    Source: learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
    """
    tenant = call.tenant
    ours = {app["id"] for app in list(tenant.apps.values()) if app["appId"] == call.caller.client_id}
    if not _roles_of(call, [target, *groups_above(tenant, target)]):
        return
    if not _roles_of(call, ours) & {ROLE_TEMPLATES[name] for name in _STRONG}:
        raise denied()


def _roles_of(call: Call, principals: Iterable[str]) -> set[str]:
    wanted = set(principals)
    return {row["roleDefinitionId"] for row in list(call.tenant.role_assignments.values()) if row["principalId"] in wanted}


def _check_name(call: Call, upn: str, own: str | None = None) -> None:
    tenant = call.tenant
    if upn.rpartition("@")[2].lower() not in tenant.verified_domains:
        raise bad("The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.")  # fmt: skip
    try:
        taken = tenant.user_id(upn)
    except KeyError:
        return
    if taken != own:
        raise bad("Another object with the same value for property userPrincipalName already exists.")


def created(call: Call) -> Reply:
    told = call.body
    _check_properties(call, told)
    for name in ("accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"):
        if told.get(name) is None:
            raise bad(f"A value is required for property '{name}' of resource 'User'.")
    upn = str(told["userPrincipalName"])
    _check_name(call, upn)
    tenant, words = call.tenant, _kept(told)
    taken = tenant.users.keys() | tenant.deleted.keys()
    here = next(made for n in range(len(taken) + 1) if (made := made_id("user", upn, *["again"] * n)) not in taken)
    mail = {"mail": told.get("mail"), "proxyAddresses": [f"SMTP:{told['mail']}"] if told.get("mail") else []}
    now = tenant.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = user(
        upn, told.get("givenName"), told.get("surname"), **{**mail, "usageLocation": None, **words, "createdDateTime": now}
    )
    tenant.put_user(shown | {"id": here})
    return one(call, tenant.users[here], shape("user", "users"), 201)


def deleted(call: Call) -> Reply:
    here = call.user()
    if here["onPremisesSyncEnabled"]:
        raise bad(MASTERED)
    _outranks(call, here["id"])
    call.tenant.delete_user(here["id"])
    return _DONE


def restored(call: Call) -> Reply:
    here = str(call.held(call.tenant.deleted)["id"])
    upn = call.tenant.deleted[here]["userPrincipalName"].removeprefix(here.replace("-", ""))
    _check_name(call, upn, here)
    call.tenant.restore(here)
    return one(call, {"@odata.type": "#microsoft.graph.user", **call.tenant.users[here]}, shape("user", "directoryObjects"))


def purged(call: Call) -> Reply:
    """Out of deletedItems for good."""
    here = call.held(call.tenant.deleted)["id"]
    with call.tenant.lock:
        del call.tenant.deleted[here]
        call.tenant.changes["users"].append((here, "deleted"))
    return _DONE


def signed_out(call: Call) -> Reply:
    call.tenant.revoke_sessions(call.user()["id"])
    return json_reply({"@odata.context": f"{call.root}/$metadata#Edm.Boolean", "value": True})


def manager_set(call: Call) -> Reply:
    leader = reference(call)
    if leader not in call.tenant.users:
        raise not_found(leader)
    _not_synced(call)
    call.tenant.manager(call.user()["id"], leader)
    return _DONE


def manager_removed(call: Call) -> Reply:
    _not_synced(call)
    if call.user()["id"] not in call.tenant.managers:
        raise not_found("manager")
    call.tenant.manager(call.user()["id"], None)
    return _DONE


def _not_synced(call: Call) -> None:
    if call.user()["onPremisesSyncEnabled"]:
        raise bad(MASTERED)


def licensed(call: Call) -> Reply:
    """assignLicense: both lists are told, and nothing is changed when any part of it cannot be."""
    call.need(*_LICENSING)
    here, told = call.user(), call.body
    if not isinstance(told.get("addLicenses"), list) or not isinstance(told.get("removeLicenses"), list):
        raise bad("A null value was found for the parameter named 'addLicenses' or 'removeLicenses'; both lists must be present.")
    adding = [str(each.get("skuId")) for each in told["addLicenses"]]
    for sku in adding:
        _check_adding(call, here, sku)
    for sku in told["removeLicenses"]:
        _check_removing(here, str(sku))
    for sku in told["removeLicenses"]:
        call.tenant.unlicense(here["id"], str(sku))
    for sku in adding:
        call.tenant.license(here["id"], sku)
    return one(call, call.tenant.users[here["id"]], shape("user", "users"))


def _check_adding(call: Call, here: Json, sku: str) -> None:
    if sku not in call.tenant.skus:
        raise bad(f"License {sku} does not correspond to a valid company License.")
    if not here["usageLocation"]:
        raise bad("License assignment cannot be done for user with invalid usage location.")
    paid = call.tenant.skus[sku]
    if (
        all(held["skuId"] != sku for held in here["assignedLicenses"])
        and paid["consumedUnits"] >= paid["prepaidUnits"]["enabled"]
    ):
        raise bad(f"Subscription with SKU {sku} does not have any available licenses.")


def _check_removing(here: Json, sku: str) -> None:
    givers = [state["assignedByGroup"] for state in here["licenseAssignmentStates"] if state["skuId"] == sku]
    if not givers:
        raise bad("User does not have a corresponding license.")
    if None not in givers:
        raise bad(_INHERITED)
