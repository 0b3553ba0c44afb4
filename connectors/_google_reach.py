"""How far the reader's own administrator role reaches: one that is bound to an organisational unit sees a part of the company.

Google then lists that part, and calls it the customer's. Its roles say so, where they may be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.connector import Incomplete

OF_USERS = "USERS"  # how the privileges of reading and changing users begin: USERS_RETRIEVE, USERS_ALL, …

Json = Mapping[str, Any]


def check_reach(
    roles: Sequence[Json], assigned: Sequence[Json], reader: Callable[[], str], in_group: Callable[[str, str], bool]
) -> None:
    """Raises Incomplete when all roles that let the reader see users are bound to units; it is asked about only where some role is."""
    telling = {role["roleId"] for role in roles if role.get("isSuperAdminRole") or _of_users(role)}
    every = [one for one in assigned if one["roleId"] in telling]
    if all(map(_whole, every)):
        return
    here = reader()
    own = [one for one in every if one["assignedTo"] == here]
    if not any(map(_whole, own)):
        own += [one for one in every if one.get("assigneeType") == "group" and in_group(str(one["assignedTo"]), here)]
    if own and not any(map(_whole, own)):
        units = ", ".join(sorted({str(one.get("orgUnitId")) for one in own}))
        raise Incomplete(
            f"the reader's administrator role is bound to organisational units ({units}): it sees only their users, and all others would "
            "look deleted; assign it a role with Users, Read for the whole customer"
        )


def _whole(assignment: Json) -> bool:
    return assignment.get("scopeType") != "ORG_UNIT"


def _of_users(role: Json) -> bool:
    return any(str(one.get("privilegeName", "")).startswith(OF_USERS) for one in role.get("rolePrivileges") or ())
