"""The Admin SDK's users: list, get, insert, update, delete, undelete, sign out, and what a user has let in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.sandbox import google_query
from reconciler.sandbox.google import Customer, Json, user, user_id
from reconciler.sandbox.google_call import Call, Refusal, forbidden, invalid, not_found
from reconciler.sandbox.google_pages import Listing, in_order, page, strikes, tagged

MOST, USUAL = 500, 100
_SORTS = {"email": "primaryEmail", "familyName": "name.familyName", "givenName": "name.givenName"}
_CUSTOM = frozenset({"customSchemas"})


def listed(call: Call) -> Listing:
    rows = [row for row in _everyone(call) if _in_domain(call, row)]
    matches = _matcher(call)
    rows = in_order([row for row in rows if matches(row)], _SORTS.get(call.query.get("orderBy", "")), call.query.get("sortOrder"))
    shown = page(call, "users", rows, MOST, USUAL)
    own = strikes(call, "drop_field") is None
    return replace(shown, drop=frozenset() if _with_custom(call) else _CUSTOM, stored=own)


def _everyone(call: Call) -> Sequence[Json]:
    """The users of the customer or domain that the query names; it must name one."""
    told, domain = call.query.get("customer"), call.query.get("domain")
    if not told and not domain:
        raise Refusal(400, "badRequest", "Bad Request")
    if told and told not in ("my_customer", call.customer.id):
        raise invalid("customer")
    if domain and domain not in call.customer.domains:
        raise Refusal(404, "notFound", "Domain not found.")
    deleted = call.query.get("showDeleted") == "true"
    return list((call.customer.deleted if deleted else call.customer.users).values())


def _in_domain(call: Call, row: Json) -> bool:
    domain = call.query.get("domain")
    return not domain or str(row["primaryEmail"]).lower().endswith("@" + domain)


def _matcher(call: Call) -> Any:
    try:
        return google_query.matcher(call.query.get("query", ""))
    except google_query.BadQuery as problem:
        raise invalid(f"query {problem}") from None


def _with_custom(call: Call) -> bool:
    projection = call.query.get("projection", "basic")
    if projection == "custom" and not call.query.get("customFieldMask"):
        raise invalid("customFieldMask")
    return projection != "basic"


def got(call: Call) -> Json:
    return tagged(call.user(), drop=frozenset() if _with_custom(call) else _CUSTOM)


def inserted(call: Call) -> Json:
    told = call.body
    name, mail = told.get("name") or {}, told.get("primaryEmail") or ""
    if not mail or not name.get("givenName") or not name.get("familyName") or not told.get("password"):
        raise invalid("primaryEmail, name.givenName, name.familyName and password")
    if mail.rpartition("@")[2].lower() not in call.customer.domains:
        raise Refusal(404, "notFound", "Domain not found.")
    if call.customer.id_of(mail) is not None:
        raise Refusal(409, "duplicate", "Entity already exists.")
    made = user(mail, name["givenName"], name["familyName"], id=_free_id(call.customer, mail))
    call.customer.put_user(made | _writable(call, told))
    return tagged(call.customer.users[made["id"]])


def _free_id(customer: Customer, mail: str) -> str:
    taken = customer.users.keys() | customer.deleted.keys()
    return next(made for n in range(len(taken) + 1) if (made := user_id(f"{mail} {n}")) not in taken)


def _writable(call: Call, told: Mapping[str, Any]) -> Json:
    """What an administrator may set; what is read only is ignored without a word, as Google ignores it."""
    known = call.method.schemas["User"]["properties"]
    return {n: v for n, v in told.items() if not known[n].get("readOnly") and n not in ("id", "kind", "password", "hashFunction")}


def updated(call: Call) -> Json:
    """PUT and PATCH alike: fields told are set, arrays are replaced whole, null takes a field away."""
    before, told = call.user(), _writable(call, call.body)
    mail = told.get("primaryEmail")
    if mail and call.customer.id_of(mail) not in (None, before["id"]):
        raise Refusal(409, "duplicate", "Entity already exists.")
    if told.get("archived") and not before["archived"]:
        _take_archive_seat(call.customer)
    if "name" in told:
        told["name"] = _renamed(before["name"], told["name"] or {})
    if "suspended" in told:
        told["suspensionReason"] = "ADMIN" if told["suspended"] else None
    call.customer.change_user(before["id"], **told)
    return tagged(call.customer.users[before["id"]])


def _take_archive_seat(customer: Customer) -> None:
    if customer.archive_seats < 1:
        raise Refusal(412, "conditionNotMet", "Insufficient archived user licenses")
    customer.archive_seats -= 1


def _renamed(before: Mapping[str, Any], told: Mapping[str, Any]) -> Json:
    name = {**before, **told}
    return name | {"fullName": f"{name.get('givenName', '')} {name.get('familyName', '')}".strip()}


def deleted(call: Call) -> None:
    call.customer.delete_user(call.user()["id"])


def undeleted(call: Call) -> None:
    """Only by id: the address may be somebody else's by now."""
    if call.path["userKey"] not in call.customer.deleted:
        raise not_found("userKey")
    if call.customer.id_of(call.customer.deleted[call.path["userKey"]]["primaryEmail"]) is not None:
        raise Refusal(409, "duplicate", "Entity already exists.")
    call.customer.undelete(call.path["userKey"], call.body.get("orgUnitPath", "/"))


def signed_out(call: Call) -> None:
    call.customer.signed_out.append(call.user()["id"])


def made_admin(call: Call) -> None:
    """Only a super administrator makes one."""
    if not call.customer.users.get(call.caller.subject or "", {}).get("isAdmin"):
        raise forbidden()
    call.customer.change_user(call.user()["id"], isAdmin=bool(call.body.get("status")))


def turned_off(call: Call) -> None:
    call.customer.change_user(call.user()["id"], isEnrolledIn2Sv=False)


def aliases(call: Call) -> Json:
    one = call.user()
    shown = [
        {"kind": "admin#directory#alias", "id": one["id"], "primaryEmail": one["primaryEmail"], "alias": alias}
        for alias in one.get("aliases", ())
    ]
    return {"kind": "admin#directory#aliases"} | ({"aliases": [tagged(row) for row in shown]} if shown else {})


# --- what a user has let in -------------------------------------------------------------------------------------


def tokens(call: Call) -> Listing:
    return page(call, "items", list(call.customer.tokens.get(call.user()["id"], {}).values()), MOST, MOST)


def token(call: Call) -> Json:
    found = call.customer.tokens.get(call.user()["id"], {}).get(call.path["clientId"])
    if found is None:
        raise not_found("clientId")
    return tagged(found)


def token_deleted(call: Call) -> None:
    if call.customer.tokens.get(call.user()["id"], {}).pop(call.path["clientId"], None) is None:
        raise not_found("clientId")


def asps(call: Call) -> Listing:
    return page(call, "items", list(call.customer.asps.get(call.user()["id"], {}).values()), MOST, MOST)


def asp(call: Call) -> Json:
    found = call.customer.asps.get(call.user()["id"], {}).get(call.path["codeId"])
    if found is None:
        raise not_found("codeId")
    return tagged(found)


def asp_deleted(call: Call) -> None:
    if call.customer.asps.get(call.user()["id"], {}).pop(call.path["codeId"], None) is None:
        raise not_found("codeId")


def codes(call: Call) -> Listing:
    return page(call, "items", call.customer.codes.get(_unsuspended(call)["id"], []), MOST, MOST)


def codes_invalidated(call: Call) -> None:
    call.customer.codes.pop(_unsuspended(call)["id"], None)


def codes_generated(call: Call) -> None:
    here = _unsuspended(call)["id"]
    made = [{"kind": "admin#directory#verificationCode", "userId": here, "verificationCode": f"{n:08d}"} for n in range(1, 11)]
    call.customer.codes[here] = made


def _unsuspended(call: Call) -> Json:
    found = call.user()
    if found["suspended"]:
        raise Refusal(400, "invalid", "User is suspended. You must unsuspend to process backupcodes")
    return found


HANDLERS = {
    "users.list": listed, "users.get": got, "users.insert": inserted, "users.update": updated, "users.patch": updated,
    "users.delete": deleted, "users.undelete": undeleted, "users.signOut": signed_out, "users.makeAdmin": made_admin,
    "users.aliases.list": aliases, "twoStepVerification.turnOff": turned_off,
    "tokens.list": tokens, "tokens.get": token, "tokens.delete": token_deleted,
    "asps.list": asps, "asps.get": asp, "asps.delete": asp_deleted,
    "verificationCodes.list": codes, "verificationCodes.invalidate": codes_invalidated, "verificationCodes.generate": codes_generated,
}  # fmt: skip
