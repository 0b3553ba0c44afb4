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
        "attribute": lambda: _attribute(change, who),
        "container": lambda: f"gam update user {who} org {after}",
        "sessions": lambda: f"gam user {who} deprovision signout",
        "create": lambda: _create(change),
        "delete": lambda: f"gam undelete user {who}" if change.after == "live" else f"gam delete user {who}",
        "owner": lambda: f"gam update group {what} add owner uid:{change.after}; gam update group {what} update member {who}",
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


def _attribute(change: Change, who: str) -> str:
    column, value = str(change.target), shlex.quote(str(change.after or ""))
    if column == "manager_account_id":
        return f"gam update user {who} relation manager {shlex.quote(f'uid:{change.after}') if change.after else 'clear'}"
    if column == "employee_id":
        return f"gam update user {who} externalid organization {value}"
    words = {"given_name": "firstname", "family_name": "lastname"}
    if column in words:
        return f"gam update user {who} {words[column]} {value}"
    return f"Admin console > Directory > Users > the user > User information > Employee information: {fields.JOB.get(column, column)} = {change.after}"


def _create(change: Change) -> str:
    told = change.after or {}
    address = str(told.get("email") or "")
    first, last = (shlex.quote(str(told.get(name) or "")) for name in ("given_name", "family_name"))
    unit = f" org {shlex.quote(str(told['container']))}" if told.get("container") else ""
    number = f" externalid organization {shlex.quote(str(told['employee_id']))}" if told.get("employee_id") else ""
    return f"gam create user {shlex.quote(address)} firstname {first} lastname {last}{unit}{number} password random changepassword on"
