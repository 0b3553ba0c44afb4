"""The Admin SDK's aliases: the other addresses of users and groups."""

from __future__ import annotations

from typing import Any

from reconciler.sandbox.google import Json
from reconciler.sandbox.google_call import Call, Refusal, invalid, not_found
from reconciler.sandbox.google_pages import tagged


def of_user(call: Call) -> Json:
    one = call.user()
    return _listed(one, "primaryEmail", one["primaryEmail"])


def of_group(call: Call) -> Json:
    one = call.group()
    return _listed(one, "primaryEmail", one["email"])


def _listed(one: Json, name: str, mail: str) -> Json:
    shown = [_alias(one["id"], mail, alias) for alias in one.get("aliases", ())]
    return {"kind": "admin#directory#aliases"} | ({"aliases": [tagged(row) for row in shown]} if shown else {})


def _alias(here: str, mail: str, alias: str) -> Json:
    return {"kind": "admin#directory#alias", "id": here, "primaryEmail": mail, "alias": alias}


def _wanted(call: Call) -> str:
    """The address to add: of our own domains and nobody's yet; raises Refusal."""
    mail = str(call.body.get("alias") or "")
    if mail.rpartition("@")[2].lower() not in call.customer.domains:
        raise invalid("alias")
    if call.customer.id_of(mail) is not None or call.customer.group_of(mail) is not None:
        raise Refusal(409, "duplicate", "Entity already exists.")
    return mail


def added_to_user(call: Call) -> Json:
    one, mail = call.user(), _wanted(call)
    _set_user(call, one, [*one.get("aliases", ()), mail])
    return tagged(_alias(one["id"], one["primaryEmail"], mail))


def taken_from_user(call: Call) -> None:
    one = call.user()
    _set_user(call, one, _without(one, call.path["alias"]))


def _set_user(call: Call, one: Json, aliases: list[str]) -> None:
    emails: list[dict[str, Any]] = [{"address": one["primaryEmail"], "primary": True}, *({"address": a} for a in aliases)]
    call.customer.change_user(one["id"], aliases=aliases or None, emails=emails)


def added_to_group(call: Call) -> Json:
    one, mail = call.group(), _wanted(call)
    call.customer.put_group(one | {"aliases": [*one.get("aliases", ()), mail]})
    return tagged(_alias(one["id"], one["email"], mail))


def taken_from_group(call: Call) -> None:
    one = call.group()
    call.customer.put_group(one | {"aliases": _without(one, call.path["alias"])})


def _without(one: Json, alias: str) -> list[str]:
    kept = [mail for mail in one.get("aliases", ()) if mail.lower() != alias.lower()]
    if len(kept) == len(one.get("aliases", ())):
        raise not_found("alias")
    return kept


HANDLERS = {
    "users.aliases.list": of_user, "users.aliases.insert": added_to_user, "users.aliases.delete": taken_from_user,
    "groups.aliases.list": of_group, "groups.aliases.insert": added_to_group, "groups.aliases.delete": taken_from_group,
}  # fmt: skip
