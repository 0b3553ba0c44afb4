"""What Google Workspace does not take from the tool, and how a person makes a change there: with GAM, or in the Admin console."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from connectors import _google_fields as fields
from reconciler.writer import Change, Facts

_NO_ROLES = "administrator roles are given and taken by a person: only a super administrator may; writer = { …, roles = true } says otherwise"


def cannot(change: Change, facts: Facts) -> str | None:
    """Why Google does not take this change, or the tool is not to make it; or None."""
    held = facts.entitlement or {}
    if change.kind == "enabled" and change.after and facts.account.get("state_reason") == "archived":
        return "the account is archived: taking it back needs a licence, and a person to say which"
    if change.kind == "attribute" and change.target not in fields.COLUMNS:
        return f"{change.target} is nothing that Google Workspace lets be set here"
    if change.kind == "entitlement" and held.get("kind") not in ("group", "licence", "role", None):
        return f"{held.get('name')} is of a kind ({held.get('kind')}) that could not be given back"
    if (
        change.kind == "entitlement"
        and held.get("kind") == "role"
        and not getattr(getattr(facts.settings, "writer", None), "roles", False)
    ):
        return _NO_ROLES
    if change.kind == "create" and not str((change.after or {}).get("email") or "").partition("@")[0]:
        return "without an address there is nobody to sign in"
    return None


def instruct(change: Change, facts: Facts) -> str:
    """The line of GAM (version 7) or the way through the Admin console; accounts by their immutable id."""
    who, what, after = shlex.quote(f"uid:{change.account}"), shlex.quote(str(change.target)), shlex.quote(str(change.after))
    lines: dict[str, Callable[[], str]] = {
        "enabled": lambda: _enabled(change, facts, who),
        "entitlement": lambda: _entitlement(change, facts, who, what),
        "attribute": lambda: _attribute(change, facts, who),
        "container": lambda: f"gam update user {who} org {after}",
        "sessions": lambda: f"gam user {who} deprovision signout",
        "create": lambda: _create(change),
        "delete": lambda: f"gam undelete user {who}" if change.after == "live" else f"gam delete user {who}",
        "owner": lambda: _owner(change, facts, who, what),
        "transfer": lambda: f"gam create datatransfer {who} gdrive uid:{change.target} all",
    }
    return lines[change.kind]()


def _enabled(change: Change, facts: Facts, who: str) -> str:
    if change.after and facts.account.get("state_reason") == "archived":
        return f"Admin console > Directory > Users > {facts.account.get('login')} > Unarchive, with a licence; or gam update user {who} archived off"
    return f"gam {'unsuspend' if change.after else 'suspend'} user {who}"


def _entitlement(change: Change, facts: Facts, who: str, what: str) -> str:
    held = facts.entitlement or {}
    kind, name = held.get("kind"), shlex.quote(str(held.get("name")))
    if kind == "licence":
        product, _, sku = str(change.target).partition("/")
        verb = "add" if change.after else "delete"
        return f"gam user {who} {verb} license {shlex.quote(sku)} product {shlex.quote(product)}"
    if kind == "role":
        through = "the group that holds it" if facts.via and "direct" not in facts.via else who
        return f"Admin console > Account > Admin roles > {held.get('name')} > Admins: {'assign' if change.after else 'unassign'} {through}"
    if kind == "oauth_grant":
        return f"gam user {who} delete token clientid {shlex.quote(str(change.target).removeprefix('oauth-'))}"
    if kind == "device":
        return f"gam update mobile {shlex.quote(str(change.target).removeprefix('device-'))} action account_wipe"
    if facts.via and "direct" not in facts.via:
        return f"gam user {who} print groups shows the groups in between; take the account out of the one that is in {name}"
    return f"gam update group {what} {'add member' if change.after else 'remove'} user {who}"


def _owner(change: Change, facts: Facts, who: str, what: str) -> str:
    held = facts.entitlement or {}
    if held.get("kind") == "device":
        device = shlex.quote(str(change.target).removeprefix("device-"))
        return f"gam update mobile {device} action account_wipe, once {held.get('name')} was handed in; whoever gets it enrols it anew"
    return f"gam update group {what} add owner uid:{change.after}; gam update group {what} update member {who}"


_LABELS = {
    "department": "Department", "job_title": "Job title", "location": "Location", "employee_id": "Employee ID",
    "manager_account_id": "Manager's email",
}  # fmt: skip


def _attribute(change: Change, facts: Facts, who: str) -> str:
    """Names by GAM; what lies in lists in the console, since GAM puts a new list in the place of the old one."""
    column, value = str(change.target), change.after or ""
    words = {"given_name": "firstname", "family_name": "lastname"}
    if column in words:
        return f"gam update user {who} {words[column]} {shlex.quote(str(value))}"
    if column == "manager_account_id" and value:
        value = f"the address that gam info user uid:{value} nogroups tells"
    where = f"Admin console > Directory > Users > {facts.account.get('login') or who} > User information > Employee information"
    return f"{where}: {_LABELS.get(column, column)} = {value or '(empty)'}"


def _create(change: Change) -> str:
    told = change.after or {}
    address = str(told.get("email") or "")
    first, last = (shlex.quote(str(told.get(name) or "")) for name in ("given_name", "family_name"))
    unit = f" org {shlex.quote(str(told['container']))}" if told.get("container") else ""
    number = f" externalid organization {shlex.quote(str(told['employee_id']))}" if told.get("employee_id") else ""
    return f"gam create user {shlex.quote(address)} firstname {first} lastname {last}{unit}{number} password random changepassword on"
