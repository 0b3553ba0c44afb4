"""What `doctor` asks of a Microsoft 365 tenant: one small question for each permission, and what the token could change.

Permissions are those of permissions.json (microsoftgraph/microsoft-graph-devx-content); the token's `roles` name what was granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors._graph_listing import EVENTUAL, Row
from connectors._graph_reading import NO_FEATURE, ROLES
from connectors._graph_rights import SEES_HIDDEN, granted_to
from connectors._http import Api, NotThere, Refused
from reconciler.check import Check, Counted
from reconciler.connector import Incomplete, Need

_PLAINLY_READS = re.compile(r"[^.]+\.Read(Basic)?(\.|$)")
_NO_PREMIUM = "NonPremiumTenant"  # Authentication_RequestFromNonPremiumTenantOrB2CTenant: the licence lacks, not the permission


@dataclass(frozen=True)
class Probe:
    """A permission, and the question that is refused without it; `of` is the listing whose first object's id goes into it."""

    permission: str
    reads: str
    path: str
    area: str | None = None
    of: str | None = None


PROBES = (
    Probe("User.Read.All", "users", "users?$select=id&$top=1"),
    Probe("GroupMember.Read.All", "groups", "groups?$select=id&$top=1"),
    Probe("GroupMember.Read.All", "members of groups", "groups/{}/members?$select=id&$top=1", of="groups?$select=id&$top=1"),
    Probe("User.Read.All", "who leads whom", "users?$select=id&$expand=manager($select=id)&$top=1", "managers"),
    Probe("GroupMember.Read.All", "owners of groups", "groups?$select=id&$expand=owners($select=id)&$top=1", "owners"),
    Probe("AuditLog.Read.All", "sign-in activity", "users?$select=id,signInActivity&$top=1", "sign_in"),
    Probe("AuditLog.Read.All", "registered sign-in methods",
          "reports/authenticationMethods/userRegistrationDetails?$select=id,isMfaRegistered&$top=1", "mfa"),
    Probe("RoleManagement.Read.Directory", "role assignments", f"{ROLES}/roleAssignments?$top=1", "roles"),
    Probe("RoleEligibilitySchedule.Read.Directory", "roles on demand", f"{ROLES}/roleEligibilityScheduleInstances?$top=1", "roles"),
    Probe("LicenseAssignment.Read.All", "licences", "subscribedSkus?$select=id", "licences"),
    Probe("Device.Read.All", "devices", "devices?$select=id&$top=1", "devices"),
    Probe("Application.Read.All", "applications", "servicePrincipals?$select=id&$top=1", "oauth_grants"),
    Probe("Directory.Read.All", "what people let applications do", "oauth2PermissionGrants?$top=1", "oauth_grants"),
    Probe("User.Read.All", "deleted users", "directory/deletedItems/microsoft.graph.user?$select=id&$top=1", "deleted"),
    Probe("MailboxSettings.Read", "what mailboxes are", "users/{}/mailboxSettings?$select=userPurpose", "mailboxes", of="users?$select=id&$top=1"),
)  # fmt: skip


def examined(api: Api, client: str, needs: Sequence[Need]) -> Iterator[Check | Counted]:
    """Every permission in turn. Raises AccessRefused when the application itself is refused, Incomplete when nobody answers."""
    granted = granted_to(api.authorise(False))
    yield Check("identity", client, told="signed in")
    without = {need.area: need.without for need in needs}
    for probe in (probe for probe in PROBES if probe.area in without):
        yield _probed(api, probe, granted, without[probe.area])
    yield _hidden(granted, without["hidden_groups"])
    yield _could_write(granted)
    yield from _counted(api)


def _probed(api: Api, probe: Probe, granted: frozenset[str] | None, without: str) -> Check:
    required = probe.area is None
    try:
        told = _ask(api, probe)
    except Refused as problem:
        held = granted is not None and probe.permission in granted
        return Check(
            "permission", probe.permission, "refused" if required else "missing",
            f"{probe.reads}: {'granted, and yet refused' if held else 'not granted'}: {problem}", without, _fix(probe.permission, str(problem)),
        )  # fmt: skip
    except Incomplete as problem:
        return Check(
            "permission", probe.permission, "unreadable" if required else "missing", f"{probe.reads}: {problem}", without
        )
    return Check("permission", probe.permission, told=told)


def _hidden(granted: frozenset[str] | None, without: str) -> Check:
    """No question is refused without it: groups that hide their members look empty instead."""
    if SEES_HIDDEN in (granted or ()):
        return Check("permission", SEES_HIDDEN, told="granted: members of groups that hide them")
    told = "members of groups that hide them: " + ("unknown: the token does not tell" if granted is None else "not granted")
    return Check("permission", SEES_HIDDEN, "missing", told, without, _fix(SEES_HIDDEN, ""))


def _ask(api: Api, probe: Probe) -> str:
    """Ask; what is told when it is answered. Raises Refused or Incomplete."""
    path = probe.path
    if probe.of:
        first = next(iter(_values(api, probe.of)), None)
        if first is None:
            return f"not asked, since there is none: {probe.reads}"
        path = path.format(first["id"])
    try:
        _values(api, path)
    except NotThere:  # a user without a mailbox: whoever may not ask is refused first
        return f"granted: {probe.reads}"
    except Incomplete as problem:
        if NO_FEATURE not in str(problem):  # a tenant without roles on demand lacks no permission
            raise
    return f"granted: {probe.reads}"


def _values(api: Api, path: str) -> list[Row]:
    found: list[Row] = api.get(path).get("value", [])
    return found


def _fix(permission: str, problem: str) -> str:
    if _NO_PREMIUM in problem:
        return "the tenant needs Entra ID P1 or P2 for this; no permission helps"
    return (
        f"Entra admin centre, App registrations, API permissions: add the application permission {permission} of Microsoft Graph, "
        "then grant admin consent"
    )


def _could_write(granted: frozenset[str] | None) -> Check:
    """Whatever is not plainly for reading counts as writing."""
    if granted is None:
        return Check("rights", "could also write", "warning", "unknown: the token does not tell its permissions")
    writing = sorted(role for role in granted if not _PLAINLY_READS.match(role))
    if not writing:
        return Check("rights", "could also write", told=f"no: {len(granted)} permissions, all of them for reading")
    fix = "remove them from this app registration; `apply` has one of its own (writer)"
    return Check("rights", "could also write", "warning", f"yes: {', '.join(writing)}", fix=fix)


def _counted(api: Api) -> Iterator[Check | Counted]:
    """Users that are on, and all others, by the tenant's own count."""
    try:
        every, on = (_count(api, asked) for asked in ("", "&$filter=accountEnabled eq true"))
    except (Refused, NotThere, Incomplete) as problem:
        yield Check("rows", "accounts", "warning", f"not counted: {problem}")
        yield Counted()
        return
    yield Check("rows", "accounts", told=f"{on:,} active, {every - on:,} inactive")
    yield Counted(on, every - on)


def _count(api: Api, asked: str) -> int:
    told = api.get(f"users?$count=true&$top=1&$select=id{asked}", EVENTUAL).get("@odata.count")
    if not isinstance(told, int):
        raise Incomplete("users: no count came")
    return told
