"""How a change is addressed in Graph: paths of ids that are all there, references that end in /$ref, properties of columns."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from connectors._writing import path
from reconciler.writer import Changed

# Columns of accounts, and the properties they are read from. Addresses are not among them: people sign in with them.
PROPERTIES = {
    "given_name": "givenName", "family_name": "surname", "display_name": "displayName", "department": "department",
    "job_title": "jobTitle", "company": "companyName", "location": "officeLocation", "employee_id": "employeeId",
}  # fmt: skip
_NOT_IN_NICKNAMES = re.compile(r'[^\x21-\x7e]|[@()\\\[\]";:<>,]')


def reference(*parts: str | None) -> str:
    """The address of a link to an object. Without /$ref at its end, a DELETE there would delete the object itself."""
    made = path(*parts, "$ref")
    if not made.endswith("/$ref"):
        raise Changed(None, f"{made} is no reference; nothing was sent")
    return made


def literal(value: object) -> str:
    """A text inside a $filter."""
    return "'" + str(value).replace("'", "''") + "'"


def new_user(told: Mapping[str, Any]) -> dict[str, Any]:
    """The body that creates a user; the password is known to nobody, and must be changed at the first sign-in."""
    address = str(told["email"])
    nickname = _NOT_IN_NICKNAMES.sub("", address.partition("@")[0])[:64]
    known = {name: told[column] for column, name in PROPERTIES.items() if told.get(column)}
    password = {"password": secrets.token_urlsafe(24) + "Aa1!", "forceChangePasswordNextSignIn": True}
    fixed = {"accountEnabled": told.get("enabled") is not False, "userPrincipalName": address, "mailNickname": nickname}
    return {"displayName": nickname} | known | fixed | {"passwordProfile": password}
