"""What Microsoft 365 does not take from the tool, and how a person makes a change there: PowerShell, or the way through a portal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors._graph_names import PROPERTIES
from reconciler.writer import Change, Facts

_KINDS = ("group", "role", "licence")
_NO_ROLES = (
    "directory roles are given and taken by a person: the right to do so makes its holder master of the tenant; "
    "writer = { …, roles = true } says otherwise"
)


def cannot(change: Change, facts: Facts) -> str | None:
    """Why Graph does not take this change, or the tool is not to make it; or None."""
    held = facts.entitlement or {}
    kind = held.get("kind")
    if change.kind == "attribute" and change.target not in (*PROPERTIES, "manager_account_id"):
        return f"{change.target} is no property that Graph lets be set here"
    if change.kind == "entitlement" and kind not in (*_KINDS, None):
        return f"{held.get('name')} is of a kind ({kind}) that the tool does not write"
    if change.kind == "entitlement" and kind == "role" and not getattr(getattr(facts.settings, "writer", None), "roles", False):
        return _NO_ROLES
    if change.kind == "owner" and kind != "group":
        return f"the owner of a {kind} is not written"
    if change.kind == "sessions" and facts.account.get("kind") == "guest":
        return "a guest's sessions are ended in the tenant the guest comes from"
    if change.kind == "create" and not str((change.after or {}).get("email") or "").partition("@")[0]:
        return "without an address there is nobody to sign in"
    return None


def instruct(change: Change, facts: Facts) -> str:
    """The line of PowerShell (Microsoft.Graph, ExchangeOnlineManagement) or the way through the portal; accounts by id."""
    who, what = quoted(change.account), quoted(change.target)
    lines: dict[str, Callable[[], str]] = {
        "enabled": lambda: f"Update-MgUser -UserId {who} -AccountEnabled:${str(bool(change.after)).lower()}",
        "entitlement": lambda: _entitlement(change, facts, who, what),
        "attribute": lambda: _attribute(change, who),
        "container": lambda: "nothing: Entra ID has no containers; administrative units are under Roles & admins > Admin units",
        "sessions": lambda: f"Revoke-MgUserSignInSession -UserId {who}",
        "create": lambda: _create(change),
        "delete": lambda: (
            f"Restore-MgDirectoryDeletedItem -DirectoryObjectId {who}"
            if change.after == "live"
            else f"Remove-MgUser -UserId {who}"
        ),
        "owner": lambda: _owner(change, facts, what),
        "transfer": lambda: (
            f"(Get-MgUserDefaultDrive -UserId {who}).WebUrl tells the OneDrive; then Set-SPOUser -Site … -LoginName … "
            "-IsSiteCollectionAdmin $true lets the successor in to take the files over"
        ),
    }
    return lines[change.kind]()


def quoted(value: Any) -> str:
    """A text as PowerShell takes it literally: in single quotes, and those doubled, the typographic ones too."""
    return "'" + "".join(char * 2 if char in "'‘’‚‛" else char for char in str(value)) + "'"


def _entitlement(change: Change, facts: Facts, who: str, what: str) -> str:
    held = facts.entitlement or {}
    made = {"group": _group, "role": _role, "licence": _licence, "application": _application, "oauth_grant": _consent}
    if held.get("kind") == "device":
        return f"Intune admin center > Devices > {held.get('name')} > Retire (or Wipe, when it is the company's)"
    return made.get(str(held.get("kind")), _group)(change, facts, who, what)


def _group(change: Change, facts: Facts, who: str, what: str) -> str:
    name = str((facts.entitlement or {}).get("name"))
    if "dynamic" in facts.via:
        return f"Entra admin center > Groups > {name} > Dynamic membership rules: change the rule, or what it asks of the account"
    if facts.via and "direct" not in facts.via:
        return f"Get-MgUserMemberOf -UserId {who} shows the groups in between; take the account out of the one that is in {name}"
    verb = "Add" if change.after else "Remove"
    if (facts.entitlement or {}).get("writable") is False:
        return (
            f"a group of Exchange: {verb}-DistributionGroupMember -Identity {what} -Member {who} -BypassSecurityGroupManagerCheck; "
            "a group that is synchronised: in the directory that it comes from"
        )
    if change.after:
        return f"New-MgGroupMember -GroupId {what} -DirectoryObjectId {who}"
    return f"Remove-MgGroupMemberByRef -GroupId {what} -DirectoryObjectId {who}"


def _role(change: Change, facts: Facts, who: str, what: str) -> str:
    name = str((facts.entitlement or {}).get("name"))
    if "eligible" in facts.via:
        return (
            f"Entra admin center > Identity Governance > Privileged Identity Management > Entra roles > {name} > Eligible: Remove"
        )
    if "inherited" in facts.via:
        return f"take the account out of the group that holds {name}: Entra admin center > Roles & admins > {name} > Assignments"
    if change.after:
        return f"New-MgRoleManagementDirectoryRoleAssignment -PrincipalId {who} -RoleDefinitionId {what} -DirectoryScopeId '/'"
    return (
        f'Get-MgRoleManagementDirectoryRoleAssignment -Filter "principalId eq {who} and roleDefinitionId eq {what}" | '
        "ForEach-Object { Remove-MgRoleManagementDirectoryRoleAssignment -UnifiedRoleAssignmentId $_.Id }"
    )


def _licence(change: Change, facts: Facts, who: str, what: str) -> str:
    if change.after:
        return f"Set-MgUserLicense -UserId {who} -AddLicenses @(@{{SkuId={what}}}) -RemoveLicenses @()"
    if facts.via and "direct" not in facts.via:
        groups = f"; it is in {', '.join(facts.groups)}" if facts.groups else ""
        return (
            f"(Get-MgUser -UserId {who} -Property LicenseAssignmentStates).LicenseAssignmentStates names the group (AssignedByGroup) "
            f"that brings the licence: Remove-MgGroupMemberByRef -GroupId … -DirectoryObjectId {who}{groups}"
        )
    return f"Set-MgUserLicense -UserId {who} -AddLicenses @() -RemoveLicenses @({what})"


def _application(change: Change, facts: Facts, who: str, what: str) -> str:
    return (
        f"Get-MgUserAppRoleAssignment -UserId {who} | Where-Object ResourceId -eq {what} | "
        f"ForEach-Object {{ Remove-MgUserAppRoleAssignment -UserId {who} -AppRoleAssignmentId $_.Id }}"
    )


def _consent(change: Change, facts: Facts, who: str, what: str) -> str:
    client = quoted(str(change.target).removeprefix("consent:"))
    return (
        f'Get-MgOauth2PermissionGrant -Filter "clientId eq {client} and principalId eq {who}" | '
        "ForEach-Object { Remove-MgOauth2PermissionGrant -OAuth2PermissionGrantId $_.Id }"
    )


def _attribute(change: Change, who: str) -> str:
    if change.target == "manager_account_id" and change.after:
        link = quoted(f"https://graph.microsoft.com/v1.0/users/{change.after}")
        return f"Set-MgUserManagerByRef -UserId {who} -OdataId {link}"
    if change.target == "manager_account_id":
        return f"Remove-MgUserManagerByRef -UserId {who}"
    name = PROPERTIES.get(str(change.target), str(change.target))
    value = "$null" if change.after is None else quoted(change.after)
    return f'Invoke-MgGraphRequest -Method PATCH -Uri "v1.0/users/{change.account}" -Body @{{{name}={value}}}'


def _owner(change: Change, facts: Facts, what: str) -> str:
    held = facts.entitlement or {}
    if held.get("kind") == "device":
        return f"have {held.get('name')} reset (Intune admin center > Devices > {held.get('name')} > Wipe); whoever gets it registers it anew"
    link = quoted(f"https://graph.microsoft.com/v1.0/users/{change.after}")
    return (
        f"New-MgGroupOwnerByRef -GroupId {what} -OdataId {link}; "
        f"Remove-MgGroupOwnerDirectoryObjectByRef -GroupId {what} -DirectoryObjectId {quoted(change.before)}"
    )


def _create(change: Change) -> str:
    told = change.after or {}
    email = str(told.get("email") or "")
    return (
        f"New-MgUser -UserPrincipalName {quoted(email)} -DisplayName {quoted(told.get('display_name') or email)} "
        f"-MailNickname {quoted(email.partition('@')[0])} -EmployeeId {quoted(told.get('employee_id') or '')} -AccountEnabled "
        "-PasswordProfile @{Password=(Read-Host); ForceChangePasswordNextSignIn=$true}"
    )
