"""What Microsoft Graph lets an application change between things: group members, roles, and applications people let in.

Sources: learn.microsoft.com/graph/api/group-delete-members and group-post-members; the texts of refusals as clients see them.
"""

from __future__ import annotations

from reconciler.sandbox.graph_call import MASTERED, Call, Refusal, bad, not_found, reference
from reconciler.sandbox.graph_groups import principal
from reconciler.sandbox.graph_pages import one
from reconciler.sandbox.graph_shapes import Shape
from reconciler.sandbox.http import Reply
from reconciler.sandbox.tenant_objects import Json

WITHOUT_REF = (
    "This address deletes the directory object itself, not its membership: DELETE /groups/{id}/members/{id} without /$ref. "
    "Nothing was deleted. To take a member out of the group, address the reference: DELETE /groups/{id}/members/{id}/$ref."
)
_DYNAMIC = "Insufficient privileges to complete the operation: the members of a dynamic group are decided by its rule."
_EXCHANGE = "Cannot Update a mail-enabled security groups and or distribution list."
_DONE = Reply(204)


def joined(call: Call) -> Reply:
    here, member = _writable(call), reference(call)
    try:
        call.tenant.find(member)
    except KeyError:
        raise not_found(member) from None
    if member in call.tenant.members[here["id"]]:
        raise bad("One or more added object references already exist for the following modified properties: 'members'.")
    call.tenant.join(here["id"], member)
    return _DONE


def left(call: Call) -> Reply:
    here = _writable(call)
    if call.ids[1] not in call.tenant.members[here["id"]]:
        raise not_found(call.ids[1])
    call.tenant.leave(here["id"], call.ids[1])
    return _DONE


def left_without_ref(call: Call) -> Reply:
    """Graph would delete the person; the embedded company refuses and says why."""
    raise bad(WITHOUT_REF)


def owned(call: Call) -> Reply:
    here, owner = call.group(), reference(call)
    if owner not in call.tenant.users:
        raise not_found(owner)
    if owner in call.tenant.owners[here["id"]]:
        raise bad("One or more added object references already exist for the following modified properties: 'owners'.")
    call.tenant.own(here["id"], owner)
    return _DONE


def disowned(call: Call) -> Reply:
    """Raises Refusal for the last owner: a group keeps one (learn.microsoft.com/graph/api/group-delete-owners)."""
    held = call.tenant.owners[call.group()["id"]]
    if call.ids[1] not in held:
        raise not_found(call.ids[1])
    if len(held) == 1:
        raise bad("The group must have at least one owner, hence this owner cannot be removed.")
    call.tenant.disown(call.group()["id"], call.ids[1])
    return _DONE


def _writable(call: Call) -> Json:
    """The group of the path, if an application may change who is in it; raises Refusal."""
    here = call.group()
    if "DynamicMembership" in here["groupTypes"]:
        raise bad(_DYNAMIC)
    if here["onPremisesSyncEnabled"]:
        raise bad(MASTERED)
    if here["mailEnabled"] and "Unified" not in here["groupTypes"]:
        raise bad(_EXCHANGE)
    if here["isAssignableToRole"]:
        call.need("RoleManagement.ReadWrite.Directory")
    return here


def role_given(call: Call) -> Reply:
    told = call.body
    who, role = str(told.get("principalId")), str(told.get("roleDefinitionId"))
    if principal(call.tenant, who) is None:
        raise bad(f"The principal '{who}' is not found.")
    if role not in call.tenant.roles:
        raise bad(f"The role definition '{role}' is not found.")
    if any((row["principalId"], row["roleDefinitionId"]) == (who, role) for row in list(call.tenant.role_assignments.values())):
        raise Refusal(400, "A conflicting object with one or more of the specified property values is present in the directory.")
    here = call.tenant.assign_role(who, role, str(told.get("directoryScopeId") or "/"))
    return one(call, call.tenant.role_assignments[here], Shape("roleManagement/directory/roleAssignments"), 201)


def role_taken(call: Call) -> Reply:
    here = call.held(call.tenant.role_assignments)["id"]
    with call.tenant.lock:
        del call.tenant.role_assignments[here]
    return _DONE


def consent_deleted(call: Call) -> Reply:
    here = call.held(call.tenant.consents)["id"]
    with call.tenant.lock:
        del call.tenant.consents[here]
    return _DONE


def app_assignment_deleted(call: Call) -> Reply:
    found = call.held(call.tenant.app_assignments, 1)
    if found["principalId"] != call.user()["id"]:
        raise not_found(call.ids[1])
    with call.tenant.lock:
        del call.tenant.app_assignments[found["id"]]
    return _DONE
