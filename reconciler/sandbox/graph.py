"""Microsoft's login and Graph v1.0 on one loopback port, answering from a tenant in memory.

Permissions: microsoftgraph/microsoft-graph-devx-content, permissions/new/permissions.json.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from reconciler.sandbox import graph_delta as delta
from reconciler.sandbox import graph_directory as directory
from reconciler.sandbox import graph_groups as groups
from reconciler.sandbox import graph_links as links
from reconciler.sandbox import graph_users as users
from reconciler.sandbox import graph_writes as writes
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.graph_batch import batch, struck
from reconciler.sandbox.graph_call import Call, Refusal, Texts, error_reply
from reconciler.sandbox.graph_shapes import READERS
from reconciler.sandbox.graph_token import READING, WRITING, Login, Registration
from reconciler.sandbox.http import HttpServer, Reply, Request
from reconciler.sandbox.tenant import Tenant

__all__ = ["READER", "READING", "WRITING", "GraphServer", "Registration", "microsoft"]

READER = Registration("11111111-1111-1111-1111-111111111111", secret="reader-secret")  # noqa: S106 - of a company that does not exist

Handler = Callable[[Call], Reply]

_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
_USERS, _GROUPS, _DEVICES, _APPS = (READERS[kind] for kind in ("user", "group", "device", "servicePrincipal"))
_MEMBERS = ("GroupMember.ReadBasic.All", *(each for each in _GROUPS if each != "Group.ReadBasic.All"))
_MEMBER_OF = ("GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", *_DIRECTORY)
_ROLES = ("RoleManagement.Read.All", *READERS["directoryRole"])
_ELIGIBLE = (
    "RoleEligibilitySchedule.Read.Directory",
    "RoleManagement.Read.All",
    "RoleManagement.Read.Directory",
    "RoleManagement.ReadWrite.Directory",
)
_ACTIVE = ("RoleAssignmentSchedule.Read.Directory", *_ELIGIBLE[1:])
_LICENCES = ("LicenseAssignment.Read.All", "LicenseAssignment.ReadWrite.All", "Organization.Read.All", *_DIRECTORY)
_CONSENTS = ("DelegatedPermissionGrant.Read.All", "DelegatedPermissionGrant.ReadWrite.All", *_DIRECTORY)
_ASSIGNED = ("AppRoleAssignment.ReadWrite.All", *_DIRECTORY)
_DELETED = ("User.DeleteRestore.All", *_USERS)
_MAILBOXES = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")
_REPORTS = ("AuditLog.Read.All",)
_ORGANISATION = ("Organization.Read.All", *_USERS)
_ANYBODY: tuple[str, ...] = ()  # the handler asks for what the request needs
_GRANT_ROLE = ("RoleManagement.ReadWrite.Directory",)
_JOIN = ("GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All")
_OWN = ("Group.ReadWrite.All", "Directory.ReadWrite.All")
_DELETE = ("User.DeleteRestore.All", *writes.FULL)
_SIGN_OUT = ("User.RevokeSessions.All", *writes.FULL)

ROUTES: tuple[tuple[str, str, tuple[str, ...], Handler], ...] = (
    ("GET", "users", _USERS, users.users),
    ("GET", "users/$count", _USERS, users.count),
    ("GET", "users/delta", _USERS, delta.users),
    ("GET", "users/{}", _USERS, users.user),
    ("GET", "users/{}/manager", _USERS, users.manager),
    ("GET", "users/{}/directReports", _USERS, users.direct_reports),
    ("GET", "users/{}/memberOf", _MEMBER_OF, users.member_of),
    ("GET", "users/{}/transitiveMemberOf", _MEMBER_OF, users.transitive_member_of),
    ("GET", "users/{}/licenseDetails", _LICENCES + _USERS, users.licence_details),
    ("GET", "users/{}/ownedDevices", _DEVICES, users.devices_of),
    ("GET", "users/{}/registeredDevices", _DEVICES, users.devices_of),
    ("GET", "users/{}/appRoleAssignments", _ASSIGNED, users.app_assignments),
    ("GET", "users/{}/mailboxSettings", _MAILBOXES, users.mailbox_settings),
    ("GET", "users/{}/mailFolders/inbox/messageRules", _MAILBOXES, users.message_rules),
    ("GET", "groups", _GROUPS, groups.groups),
    ("GET", "groups/$count", _GROUPS, groups.count),
    ("GET", "groups/delta", _GROUPS, delta.groups),
    ("GET", "groups/{}", _GROUPS, groups.group),
    ("GET", "groups/{}/members", _MEMBERS, groups.members),
    ("GET", "groups/{}/members/$count", _MEMBERS, groups.members_count),
    ("GET", "groups/{}/members/{cast}", _MEMBERS, groups.members),
    ("GET", "groups/{}/transitiveMembers", _MEMBERS, groups.transitive_members),
    ("GET", "groups/{}/transitiveMembers/{cast}", _MEMBERS, groups.transitive_members),
    ("GET", "groups/{}/memberOf", _MEMBERS, groups.member_of),
    ("GET", "groups/{}/owners", _MEMBERS, groups.owners),
    ("GET", "directoryRoles", _ROLES, groups.roles),
    ("GET", "directoryRoles/{}/members", _ROLES, groups.role_members),
    ("GET", "roleManagement/directory/roleDefinitions", _ROLES, directory.role_definitions),
    ("GET", "roleManagement/directory/roleDefinitions/{}", _ROLES, directory.role_definition),
    ("GET", "roleManagement/directory/roleAssignments", _ROLES, directory.role_assignments),
    ("GET", "roleManagement/directory/roleAssignments/{}", _ROLES, directory.role_assignment),
    ("GET", "roleManagement/directory/roleEligibilityScheduleInstances", _ELIGIBLE, directory.eligibilities),
    ("GET", "roleManagement/directory/roleAssignmentScheduleInstances", _ACTIVE, directory.active_assignments),
    ("GET", "subscribedSkus", _LICENCES, directory.skus),
    ("GET", "organization", _ORGANISATION, directory.organisation),
    ("GET", "devices", _DEVICES, directory.devices),
    ("GET", "devices/{}", _DEVICES, directory.device),
    ("GET", "devices/{}/registeredOwners", _DEVICES, directory.device_owners),
    ("GET", "devices/{}/registeredUsers", _DEVICES, directory.device_owners),
    ("GET", "servicePrincipals", _APPS, directory.apps),
    ("GET", "servicePrincipals/{}", _APPS, directory.app),
    ("GET", "servicePrincipals/{}/appRoleAssignedTo", _APPS, directory.app_assigned_to),
    ("GET", "oauth2PermissionGrants", _CONSENTS, directory.consents),
    ("GET", "directory/deletedItems/microsoft.graph.user", _DELETED, users.deleted_users),
    ("GET", "directory/deletedItems/{}", _DELETED, users.deleted_item),
    ("GET", "reports/authenticationMethods/userRegistrationDetails", _REPORTS, users.registrations),
    ("POST", "users", writes.FULL, writes.created),
    ("PATCH", "users/{}", _ANYBODY, writes.changed),
    ("DELETE", "users/{}", _DELETE, writes.deleted),
    ("POST", "users/{}/revokeSignInSessions", _SIGN_OUT, writes.signed_out),
    ("POST", "users/{}/assignLicense", _ANYBODY, writes.licensed),
    ("PUT", "users/{}/manager/$ref", writes.FULL, writes.manager_set),
    ("DELETE", "users/{}/manager/$ref", writes.FULL, writes.manager_removed),
    ("DELETE", "users/{}/appRoleAssignments/{}", ("AppRoleAssignment.ReadWrite.All",), links.app_assignment_deleted),
    ("POST", "directory/deletedItems/{}/restore", _DELETE, writes.restored),
    ("DELETE", "directory/deletedItems/{}", _DELETE, writes.purged),
    ("POST", "groups/{}/members/$ref", _JOIN, links.joined),
    ("DELETE", "groups/{}/members/{}/$ref", _JOIN, links.left),
    ("DELETE", "groups/{}/members/{}", _ANYBODY, links.left_without_ref),
    ("POST", "groups/{}/owners/$ref", _OWN, links.owned),
    ("DELETE", "groups/{}/owners/{}/$ref", _OWN, links.disowned),
    ("POST", "roleManagement/directory/roleAssignments", _GRANT_ROLE, links.role_given),
    ("DELETE", "roleManagement/directory/roleAssignments/{}", _GRANT_ROLE, links.role_taken),
    ("DELETE", "oauth2PermissionGrants/{}", ("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"), links.consent_deleted),
)  # fmt: skip


@cache
def _routes() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...], Handler], ...]:
    return tuple((verb, tuple(path.split("/")), needs, handler) for verb, path, needs, handler in ROUTES)


@dataclass
class Microsoft:
    """Login and Graph of one tenant. `login.clients` may be exchanged while it answers; a token keeps what it was given."""

    tenant: Tenant
    login: Login
    faults: Faults = field(default_factory=Faults)
    texts: Texts = field(default_factory=Texts)

    def answer(self, request: Request) -> Reply:
        """The reply to any request for login or for Graph."""
        first, _, rest = request.path.lstrip("/").partition("/")
        known = None if first in ("v1.0", "beta") else self.login.answer(request, first, rest)
        return known if known is not None else self._graph(request, first, rest)

    def _graph(self, request: Request, version: str, path: str) -> Reply:
        try:
            if version != "v1.0":
                raise Refusal(404, f"Resource not found for the segment '{version}'.", "ResourceNotFound")
            caller = self.login.caller(request)
            if (request.verb, path) == ("POST", "$batch"):
                return batch(request, self.faults, self._inner)
            path = path.rstrip("/").removesuffix("()").replace("/microsoft.graph.delta", "/delta")
            needs, handler, ids = _route(request.verb, path)
            call = Call(self.tenant, caller, request, path, self.texts, ids)
            if needs:
                call.need(*needs)
            return handler(call)
        except Refusal as refused:
            return refused.reply(request.headers.get("client-request-id"))

    def _inner(self, request: Request) -> Reply:
        """A request inside a batch, which may be struck by itself."""
        return struck(request) or self._graph(request, "v1.0", request.path.removeprefix("/v1.0/"))


def _route(verb: str, path: str) -> tuple[tuple[str, ...], Handler, tuple[str, ...]]:
    """(permissions of which one is needed, handler, ids in the path); raises Refusal."""
    parts, there = path.split("/"), False
    for known, pattern, needs, handler in _routes():
        ids = _matched(pattern, parts)
        if ids is not None and known == verb:
            return needs, handler, ids
        there = there or ids is not None
    if there:
        raise Refusal(405, "Specified HTTP method is not allowed for the request target.")
    raise Refusal(400, f"Resource not found for the segment '{parts[-1]}'.", "BadRequest")


def _matched(pattern: tuple[str, ...], parts: list[str]) -> tuple[str, ...] | None:
    if len(pattern) != len(parts):
        return None
    ids = []
    for known, part in zip(pattern, parts, strict=True):
        if known == "{}" and part and not part.startswith("$"):
            ids.append(part)
        elif known != part and not (known == "{cast}" and part in groups.CASTS):
            return None
    return tuple(ids)


class GraphServer(HttpServer):
    """Login and Graph of one tenant on a loopback port; `login` knows the app registrations and counts requests for tokens."""

    def __init__(self, tenant: Tenant, faults: Faults, tls: ssl.SSLContext | None, login: Login) -> None:
        self.tenant, self.login = tenant, login
        super().__init__(Microsoft(tenant, login, faults).answer, faults, tls, error_reply)


def microsoft(
    tenant: Tenant, faults: Faults | None = None, tls: ssl.SSLContext | None = None, clients: Iterable[Registration] = (READER,)
) -> GraphServer:  # fmt: skip
    """A server of login and Graph for a tenant, not yet started; `clients` are its app registrations."""
    login = Login(tenant)
    login.register(clients)
    return GraphServer(tenant, faults or Faults(), tls, login)
