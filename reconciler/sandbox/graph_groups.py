"""Microsoft Graph's groups and directory roles: what is in them, at one level or at every depth, and who owns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.sandbox.graph_call import Call, Refusal, not_found
from reconciler.sandbox.graph_pages import counted, listed, one
from reconciler.sandbox.graph_shapes import MIXED, Shape, kind_of, shape
from reconciler.sandbox.http import Reply
from reconciler.sandbox.tenant import Tenant
from reconciler.sandbox.tenant_objects import ROLE_TEMPLATES, Json, made_id

CASTS = {"microsoft.graph.user": "user", "microsoft.graph.group": "group", "microsoft.graph.device": "device",
         "microsoft.graph.servicePrincipal": "servicePrincipal"}  # fmt: skip


def groups(call: Call) -> Reply:
    return listed(call, list(call.tenant.groups.values()), _shape())


def count(call: Call) -> Reply:
    return counted(call, list(call.tenant.groups.values()), _shape())


def group(call: Call) -> Reply:
    return one(call, call.group(), _shape())


def _shape() -> Shape:
    return shape("group", "groups", expands={"members": _members, "owners": _owners}, stored=True)


def _members(call: Call, row: Json) -> list[Json]:
    """What is in a group; one that hides its members is empty to who may not see hidden ones."""
    if row.get("visibility") == "HiddenMembership" and not call.caller.may("Member.Read.Hidden"):
        return []
    return _objects(call.tenant, call.tenant.members[row["id"]])


def _owners(call: Call, row: Json) -> list[Json]:
    return _objects(call.tenant, call.tenant.owners[row["id"]])


def _objects(tenant: Tenant, held: Mapping[str, str]) -> list[Json]:
    found = (tenant.object(collection, here) for here, collection in list(held.items()))
    return [row for row in found if row is not None]


def members(call: Call) -> Reply:
    return listed(call, _cast(call, _members(call, call.group())), MIXED)


def members_count(call: Call) -> Reply:
    return counted(call, _members(call, call.group()), MIXED)


def owners(call: Call) -> Reply:
    return listed(call, _cast(call, _owners(call, call.group())), MIXED)


def transitive_members(call: Call) -> Reply:
    below = groups_below(call.tenant, call.group()["id"])
    held = {here: kind for group in below for here, kind in call.tenant.members[group].items()}
    return listed(call, _cast(call, _objects(call.tenant, held)), MIXED)


def member_of(call: Call) -> Reply:
    """The groups that a group is a member of."""
    here = call.group()["id"]
    rows = [call.tenant.groups[above] for above, held in list(call.tenant.members.items()) if here in held]
    return listed(call, rows, MIXED)


def _cast(call: Call, rows: Iterable[Json]) -> list[Json]:
    """Only the kind that the end of the path names; advanced questions only, as Graph has it. Raises Refusal."""
    wanted = CASTS.get(call.path.rpartition("/")[2])
    if wanted is None:
        return list(rows)
    if not call.advanced:
        raise Refusal(400, "OData casts need the header 'ConsistencyLevel: eventual' and the parameter '$count=true'.", "Request_UnsupportedQuery")  # fmt: skip
    return [row for row in rows if kind_of(row) == wanted]


def groups_below(tenant: Tenant, here: str) -> list[str]:
    """A group and every group inside it; a circle ends where it began."""
    found, waiting = dict.fromkeys([here]), [here]
    while waiting:
        inner = [m for m, kind in tenant.members[waiting.pop()].items() if kind == "groups" and m not in found]
        found.update(dict.fromkeys(inner))
        waiting += inner
    return list(found)


def groups_above(tenant: Tenant, here: str) -> list[str]:
    """Every group that something is in, at any depth."""
    found: dict[str, None] = {}
    waiting = [here]
    while waiting:
        inner = waiting.pop()
        above = [group for group, held in list(tenant.members.items()) if inner in held and group not in found]
        found.update(dict.fromkeys(above))
        waiting += above
    return list(found)


# --- directory roles ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DirectoryRole:
    """A role somebody has been given, as `/directoryRoles` shows it, and whoever holds it by himself or as a group."""

    shown: Json
    members: tuple[str, ...]


def directory_roles(tenant: Tenant) -> Iterator[DirectoryRole]:
    """Only roles that are in use, and the one that every tenant has."""
    held: dict[str, list[str]] = {ROLE_TEMPLATES["Global Administrator"]: []} if tenant.roles else {}
    for row in list(tenant.role_assignments.values()):
        if row["directoryScopeId"] == "/":
            held.setdefault(row["roleDefinitionId"], []).append(row["principalId"])
    for role_id, principals in held.items():
        about = tenant.roles.get(role_id)
        if about is not None:
            shown = {
                "id": made_id("directory role", tenant.id, role_id),
                "deletedDateTime": None,
                "description": about["description"],
            }
            yield DirectoryRole(
                shown | {"displayName": about["displayName"], "roleTemplateId": about["templateId"]}, tuple(principals)
            )


def roles(call: Call) -> Reply:
    rows = [role.shown for role in directory_roles(call.tenant)]
    return listed(call, rows, shape("directoryRole", "directoryRoles", pages=False))


def role_members(call: Call) -> Reply:
    found = next((role for role in directory_roles(call.tenant) if role.shown["id"] == call.ids[0]), None)
    if found is None:
        raise not_found(call.ids[0])
    rows = [row for who in found.members if (row := principal(call.tenant, who)) is not None]
    return listed(call, rows, Shape("directoryObjects", mixed=True, pages=False))


def principal(tenant: Tenant, who: str) -> Json | None:
    """A user, group or service principal by id; None when it is gone."""
    collections = (tenant.users, tenant.groups, tenant.apps)
    return next((held[who] for held in collections if who in held), None)
