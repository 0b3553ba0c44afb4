"""What Active Directory does not take from the tool, and how a person makes a change there: as a line of PowerShell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors._ad_looking import COLUMNS
from connectors._ad_names import login_of
from reconciler.writer import Change, Facts


def cannot(change: Change, facts: Facts) -> str | None:
    """Why the directory does not take this change, or None."""
    account = facts.account
    if change.kind == "enabled" and account.get("kind") == "contact":
        return "a contact has no switch: nobody signs in as one"
    if change.kind == "enabled" and change.after and account.get("state_reason") == "expired":
        return "the account has expired; whether and until when it shall live again is for a person to say"
    if change.kind == "attribute" and change.target not in (*COLUMNS, "manager_account_id", "employee_id"):
        return f"{change.target} is no attribute that Active Directory lets be set"
    if change.kind == "create" and not login_of(str((change.after or {}).get("email") or "")):
        return "without an address there is nothing to name the account after"
    return None


def instruct(change: Change, facts: Facts) -> str:
    """The line of PowerShell (module ActiveDirectory) that makes the change; accounts are named by GUID."""
    who, what = quoted(change.account), quoted(change.target)
    lines: dict[str, Callable[[], str]] = {
        "enabled": lambda: _enabled(change, facts, who),
        "entitlement": lambda: _membership(change, facts, who, what),
        "attribute": lambda: _attribute(change, who),
        "container": lambda: f"Move-ADObject -Identity {who} -TargetPath {quoted(change.after)}",
        "sessions": lambda: (
            f"Set-ADAccountPassword -Identity {who} -Reset; Active Directory keeps no sessions to end: Kerberos tickets "
            "live on for up to 10 hours, so restart or sign out the machines that matter"
        ),
        "create": lambda: _create(change),
        "delete": lambda: (
            f"Restore-ADObject -Identity {who}" if change.after == "live" else f"Remove-ADUser -Identity {who} -Confirm:$false"
        ),
        "owner": lambda: f"Set-ADGroup -Identity {what} -ManagedBy {quoted(change.after)}",
        "transfer": lambda: (
            f"(Get-ADUser {who} -Properties HomeDirectory).HomeDirectory tells the folder; move it with "
            f"robocopy /E /COPYALL, then icacls … /setowner for {what}"
        ),
    }
    return lines[change.kind]()


def quoted(value: Any) -> str:
    """A text as PowerShell takes it literally: in single quotes, and those doubled, the typographic ones too."""
    doubled = "".join(char * 2 if char in "'‘’‚‛" else char for char in str(value))
    return f"'{doubled}'"


def _enabled(change: Change, facts: Facts, who: str) -> str:
    if not change.after:
        return f"Disable-ADAccount -Identity {who}"
    expired = facts.account.get("state_reason") == "expired"
    return f"Clear-ADAccountExpiration -Identity {who}" if expired else f"Enable-ADAccount -Identity {who}"


def _membership(change: Change, facts: Facts, who: str, what: str) -> str:
    if change.after:
        return f"Add-ADGroupMember -Identity {what} -Members {who}"
    if "primary" in facts.via:
        return (
            f"Set-ADUser -Identity {who} -Replace @{{primaryGroupID=513}} (Domain Users, once a member of it); then "
            f"Remove-ADGroupMember -Identity {what} -Members {who} -Confirm:$false"
        )
    if facts.via and "direct" not in facts.via:
        return (
            f"Get-ADPrincipalGroupMembership {who} shows the groups in between; take the account out of the one that is in {what}"
        )
    return f"Remove-ADGroupMember -Identity {what} -Members {who} -Confirm:$false"


def _attribute(change: Change, who: str) -> str:
    column = str(change.target)
    if column == "manager_account_id":
        return (
            f"Set-ADUser -Identity {who} -Manager {quoted(change.after)}"
            if change.after
            else f"Set-ADUser -Identity {who} -Clear manager"
        )
    name = {"employee_id": "employeeID"}.get(column, COLUMNS.get(column, column))
    if change.after is None:
        return f"Set-ADUser -Identity {who} -Clear {name}"
    return f"Set-ADUser -Identity {who} -Replace @{{{name}={quoted(change.after)}}}"


def _create(change: Change) -> str:
    told = change.after or {}
    email = str(told.get("email") or "")
    name = quoted(told.get("display_name") or email)
    path = f" -Path {quoted(told['container'])}" if told.get("container") else ""
    return (
        f"New-ADUser -Name {name} -SamAccountName {quoted(login_of(email))} -UserPrincipalName {quoted(email)}"
        f" -EmployeeID {quoted(told.get('employee_id') or '')}{path} -ChangePasswordAtLogon $true -Enabled $true"
        " -AccountPassword (Read-Host -AsSecureString)"
    )
