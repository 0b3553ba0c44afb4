"""The permissions in a token for Graph: what was granted to the application, and what covers what.

They are read and not verified: the tenant alone decides what it answers. What a wider permission covers is from
permissions.json (microsoftgraph/microsoft-graph-devx-content).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

from reconciler.connector import Right

SEES_HIDDEN = "Member.Read.Hidden"
_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
COVERED_BY: Mapping[str, tuple[str, ...]] = {
    "User.Read.All": ("User.ReadWrite.All", *_DIRECTORY),
    "GroupMember.Read.All": ("GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", *_DIRECTORY),
    "AuditLog.Read.All": (),
    "RoleManagement.Read.Directory": ("RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", *_DIRECTORY),
    "RoleEligibilitySchedule.Read.Directory": (
        "RoleEligibilitySchedule.ReadWrite.Directory", "RoleManagement.Read.All", "RoleManagement.Read.Directory",
        "RoleManagement.ReadWrite.Directory",
    ),
    "LicenseAssignment.Read.All": ("LicenseAssignment.ReadWrite.All", "Organization.Read.All", "Organization.ReadWrite.All", *_DIRECTORY),
    "Device.Read.All": ("Device.ReadWrite.All", *_DIRECTORY),
    "Application.Read.All": ("Application.ReadWrite.All", *_DIRECTORY),
    "Directory.Read.All": ("Directory.ReadWrite.All",),
    SEES_HIDDEN: (),
    "MailboxSettings.Read": ("MailboxSettings.ReadWrite",),
}  # fmt: skip
ESSENTIAL = ("User.Read.All", "GroupMember.Read.All")


def granted_to(header: str) -> frozenset[str] | None:
    """The permissions that an Authorization header's token names; None where it does not tell."""
    try:
        middle = header.split(".")[1]
        claims: Mapping[str, object] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return None
    roles = claims.get("roles", [])
    return frozenset(map(str, roles)) if isinstance(roles, list) else None


def rights(granted: frozenset[str] | None) -> Iterator[Right]:
    """Every permission that is used, by what the token names; nothing where the token does not tell."""
    if granted is None:
        return
    for permission, wider in COVERED_BY.items():
        found = next((name for name in (permission, *wider) if name in granted), None)
        told = f"the token names {found}" if found else "the token does not name it"
        yield Right(permission, found is not None, told, permission in ESSENTIAL)
