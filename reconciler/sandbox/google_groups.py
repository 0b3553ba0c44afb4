"""The Admin SDK's groups and their members, direct and derived."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.sandbox import google_query
from reconciler.sandbox.google import Customer, Json, group
from reconciler.sandbox.google_call import Call, Refusal, invalid, not_found
from reconciler.sandbox.google_pages import Listing, in_order, page, tagged

MOST = 200


def listed(call: Call) -> Listing:
    rows = in_order([_shown(call.customer, row) for row in _wanted(call)], call.query.get("orderBy"), call.query.get("sortOrder"))
    return page(call, "groups", rows, MOST, MOST)


def _wanted(call: Call) -> list[Json]:
    """The groups of the customer, of a domain, or of a member; the query must name one of them."""
    told, domain, member = (call.query.get(name) for name in ("customer", "domain", "userKey"))
    if not (told or domain or member):
        raise Refusal(400, "badRequest", "Bad Request")
    if told and told not in ("my_customer", call.customer.id):
        raise invalid("customer")
    rows = list(call.customer.groups.values())
    if domain:
        rows = [row for row in rows if row["email"].endswith("@" + domain)]
    if member:
        rows = [row for row in rows if _member_id(call.customer, member) in call.customer.members[row["id"]]]
    return [row for row in rows if _matches(call.query.get("query", ""), row)]


def _matches(query: str, row: Json) -> bool:
    try:
        return google_query.matcher(query)(row)
    except google_query.BadQuery as problem:
        raise invalid(f"query {problem}") from None


def _member_id(customer: Customer, key: str) -> str:
    """A member is told by id or address, be it a user, a group, or somebody from outside."""
    inside = customer.id_of(key) or customer.group_of(key)
    outside = (m["id"] for held in list(customer.members.values()) for m in held.values() if m.get("email") == key)
    return inside or next(outside, key)


def _shown(customer: Customer, row: Json) -> Json:
    return row | {"directMembersCount": str(len(customer.members.get(row["id"], ())))}


def got(call: Call) -> Json:
    return tagged(_shown(call.customer, call.group()))


def inserted(call: Call) -> Json:
    mail = call.body.get("email") or ""
    if mail.rpartition("@")[2] not in call.customer.domains:
        raise invalid("email")
    if call.customer.group_of(mail) is not None or call.customer.id_of(mail) is not None:
        raise Refusal(409, "duplicate", "Entity already exists.")
    here = call.customer.put_group(group(mail, call.body.get("name") or mail, description=call.body.get("description") or ""))
    return tagged(_shown(call.customer, call.customer.groups[here]))


def updated(call: Call) -> Json:
    told = {name: call.body[name] for name in ("email", "name", "description") if name in call.body}
    call.customer.put_group(call.group() | told)
    return got(call)


def deleted(call: Call) -> None:
    gone = call.group()["id"]
    del call.customer.groups[gone], call.customer.members[gone]
    for held in call.customer.members.values():
        held.pop(gone, None)


# --- members ----------------------------------------------------------------------------------------------------


def members(call: Call) -> Listing:
    here = call.group()["id"]
    roles = [role for role in call.query.get("roles", "").upper().split(",") if role]
    derived = call.query.get("includeDerivedMembership") == "true"
    rows = _derived(call.customer, here, set()) if derived else iter(call.customer.members[here].values())
    distinct = {row["id"]: row for row in reversed(list(rows))}
    shown = [_today(call.customer, row) for row in reversed(distinct.values())]
    return page(call, "members", [row for row in shown if not roles or row["role"] in roles], MOST, MOST)


def _derived(customer: Customer, here: str, seen: set[str]) -> Iterator[Json]:
    """Members of the group and of the groups inside it; a circle ends where it began."""
    seen.add(here)
    for row in list(customer.members[here].values()):
        if row["type"] != "GROUP":
            yield row
        elif row["id"] not in seen:
            yield from _derived(customer, row["id"], seen)


def _today(customer: Customer, row: Json) -> Json:
    """A member with the address and the state it has now."""
    about = customer.users.get(row["id"])
    if about is None:
        return row
    return row | {"email": about["primaryEmail"], "status": "SUSPENDED" if about["suspended"] else "ACTIVE"}


def member(call: Call) -> Json:
    return tagged(_today(call.customer, _found(call)))


def _found(call: Call) -> Json:
    held = call.customer.members[call.group()["id"]]
    found = held.get(_member_id(call.customer, call.path["memberKey"]))
    if found is None:
        raise not_found("memberKey")
    return found


def joined(call: Call) -> Json:
    here, key = call.group()["id"], call.body.get("id") or call.body.get("email") or ""
    if not key:
        raise Refusal(400, "required", "Missing required field: memberKey")
    if _member_id(call.customer, key) in call.customer.members[here]:
        raise Refusal(409, "duplicate", "Member already exists.")
    call.customer.join(here, key, call.body.get("role", "MEMBER"))
    return tagged(call.customer.members[here][_member_id(call.customer, key)])


def rejoined(call: Call) -> Json:
    row = _found(call) | {name: call.body[name] for name in ("role", "delivery_settings") if name in call.body}
    call.customer.members[call.group()["id"]][row["id"]] = row
    return tagged(row)


def left(call: Call) -> None:
    del call.customer.members[call.group()["id"]][_found(call)["id"]]


def has_member(call: Call) -> Json:
    everybody = {row["id"] for row in _derived(call.customer, call.group()["id"], set())}
    return {"isMember": _member_id(call.customer, call.path["memberKey"]) in everybody}


HANDLERS = {
    "groups.list": listed, "groups.get": got, "groups.insert": inserted, "groups.update": updated, "groups.patch": updated,
    "groups.delete": deleted, "members.list": members, "members.get": member, "members.insert": joined, "members.update": rejoined,
    "members.patch": rejoined, "members.delete": left, "members.hasMember": has_member,
}  # fmt: skip
