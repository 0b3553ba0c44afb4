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
_ADMIN_ONLY = frozenset({
    "isAdmin", "isDelegatedAdmin", "lastLoginTime", "creationTime", "deletionTime", "suspended", "suspensionReason", "suspensionTime",
    "archived", "archivalTime", "changePasswordAtNextLogin", "ipWhitelisted", "agreedToTerms", "orgUnitPath", "isEnrolledIn2Sv",
    "isEnforcedIn2Sv", "recoveryEmail", "recoveryPhone", "externalIds", "includeInGlobalAddressList", "isMailboxSetup",
})  # fmt: skip


def listed(call: Call) -> Listing:
    asked = tuple(call.query.get(name) for name in ("customer", "domain", "query", "orderBy", "sortOrder", "showDeleted"))
    rows = call.customer.view(asked, lambda: _wanted(call))
    rows = rows if call.units is None else [row for row in rows if call.sees(row)]
    shown = page(call, "users", rows, MOST, USUAL)
    if call.query.get("projection") == "custom":
        return replace(shown, rows=[_with_schemas(call, row) for row in shown.rows], drop=_dropped(call))
    return replace(shown, drop=_dropped(call), stored=strikes(call, "drop_field") is None)


def _wanted(call: Call) -> list[Json]:
    matches = _matcher(call)
    rows = [row for row in _everyone(call) if _in_domain(call, row) and matches(row)]
    return in_order(rows, _SORTS.get(call.query.get("orderBy", "")), call.query.get("sortOrder"))


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


def _dropped(call: Call) -> frozenset[str]:
    """What is not shown: custom fields unless asked for, and what only administrators see in the public view."""
    projection = call.query.get("projection", "basic")
    if projection == "custom" and not call.query.get("customFieldMask"):
        raise invalid("customFieldMask")
    hidden = _CUSTOM if projection == "basic" else frozenset()
    return hidden | (_ADMIN_ONLY if call.query.get("viewType") == "domain_public" else frozenset())


def _with_schemas(call: Call, row: Json) -> Json:
    """A user with the custom schemas that the mask names, and no others."""
    wanted = set(call.query.get("customFieldMask", "").split(","))
    return row | {"customSchemas": {name: told for name, told in row.get("customSchemas", {}).items() if name in wanted}}


def got(call: Call) -> Json:
    row = call.user()
    if not call.sees(row):
        raise forbidden()
    return tagged(_with_schemas(call, row) if call.query.get("projection") == "custom" else row, drop=_dropped(call))


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
    call.customer.put_user(made | {"creationTime": call.customer.now} | _writable(call, told))
    call.customer.unsettled[made["id"]] = call.customer.settling
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
    before, told = _settled(call), _writable(call, call.body)
    mail = told.get("primaryEmail")
    if mail and call.customer.id_of(mail) not in (None, before["id"]):
        raise Refusal(409, "duplicate", "Entity already exists.")
    if "name" in told:
        told["name"] = _renamed(before["name"], told["name"] or {})
    call.customer.change_user(before["id"], **told, **_states(call.customer, before, told))
    return tagged(call.customer.users[before["id"]])


def _settled(call: Call) -> Json:
    """The user that is to change; refused while its creation is under way."""
    one, left = call.user(), call.customer.unsettled
    if left.get(one["id"], 0) > 0:
        left[one["id"]] -= 1
        raise Refusal(412, "conditionNotMet", "User creation is not complete.")
    return one


def _states(customer: Customer, before: Json, told: Json) -> Json:
    """What Google notes by itself when somebody is suspended or archived, or no longer is."""
    noted: Json = {}
    if "suspended" in told and bool(told["suspended"]) != bool(before["suspended"]):
        on = bool(told["suspended"])
        noted |= {"suspensionReason": "ADMIN" if on else None, "suspensionTime": customer.now if on else None}
    if "archived" in told and bool(told["archived"]) != bool(before["archived"]):
        on = bool(told["archived"])
        _take_archive_seat(customer) if on else _give_archive_seat(customer)
        noted["archivalTime"] = customer.now if on else None
    return noted


def _give_archive_seat(customer: Customer) -> None:
    customer.archive_seats += 1


def _take_archive_seat(customer: Customer) -> None:
    if customer.archive_seats < 1:
        raise Refusal(412, "conditionNotMet", "Insufficient archived user licenses")
    customer.archive_seats -= 1


def _renamed(before: Mapping[str, Any], told: Mapping[str, Any]) -> Json:
    name = {**before, **told}
    return name | {"fullName": f"{name.get('givenName', '')} {name.get('familyName', '')}".strip()}


def deleted(call: Call) -> None:
    call.customer.delete_user(_settled(call)["id"])


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
    "twoStepVerification.turnOff": turned_off,
    "tokens.list": tokens, "tokens.get": token, "tokens.delete": token_deleted,
    "asps.list": asps, "asps.get": asp, "asps.delete": asp_deleted,
    "verificationCodes.list": codes, "verificationCodes.invalidate": codes_invalidated, "verificationCodes.generate": codes_generated,
}  # fmt: skip
