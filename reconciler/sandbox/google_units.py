"""The Admin SDK's organisational units: the containers that users lie in."""

from __future__ import annotations

from reconciler.sandbox.google import Json
from reconciler.sandbox.google_call import Call, Refusal, invalid
from reconciler.sandbox.google_pages import tagged


def listed(call: Call) -> Json:
    """Every unit below the path with type=all, only its children otherwise; never in pages."""
    call.own_customer("customerId")
    above = "/" + call.query.get("orgUnitPath", "").strip("/")
    below = [u for path, u in call.customer.org_units.items() if path != above and path.startswith(above.rstrip("/") + "/")]
    if call.query.get("type", "children") == "children":
        below = [unit for unit in below if unit["parentOrgUnitPath"] == above]
    return {"kind": "admin#directory#orgUnits"} | ({"organizationUnits": [tagged(unit) for unit in below]} if below else {})


def got(call: Call) -> Json:
    return tagged(_found(call))


def _found(call: Call) -> Json:
    """The unit that the path names, by its own path or by its id."""
    call.own_customer("customerId")
    key = call.path["orgUnitPath"]
    by_id = (unit for unit in call.customer.org_units.values() if unit["orgUnitId"] == key)
    found = call.customer.org_units.get("/" + key.strip("/")) or next(by_id, None)
    if found is None:
        raise Refusal(404, "notFound", "Org unit not found")
    return found


def made(call: Call) -> Json:
    call.own_customer("customerId")
    name, above = call.body.get("name"), "/" + str(call.body.get("parentOrgUnitPath") or "/").strip("/")
    if not name:
        raise invalid("name")
    if above != "/" and above not in call.customer.org_units:
        raise Refusal(400, "invalid", "Invalid Ou Id")
    path = f"{above.rstrip('/')}/{name}"
    if path in call.customer.org_units:
        raise Refusal(409, "duplicate", "Entity already exists.")
    call.customer.put_unit(path, description=call.body.get("description") or "")
    return tagged(call.customer.org_units[path])


def changed(call: Call) -> Json:
    """A new description, or another name: then everybody in it and below it moves along."""
    one = _found(call)
    name = call.body.get("name") or one["name"]
    path = f"{one['parentOrgUnitPath'].rstrip('/')}/{name}"
    told = {"description": call.body.get("description", one.get("description", "")), "orgUnitId": one["orgUnitId"]}
    if path != one["orgUnitPath"]:
        call.customer.rename_unit(one["orgUnitPath"], path)
    call.customer.put_unit(path, **told)
    return tagged(call.customer.org_units[path])


def deleted(call: Call) -> None:
    """Only an empty unit can go."""
    path = _found(call)["orgUnitPath"]
    inside = [u for u in call.customer.org_units if u.startswith(path + "/")]
    if inside or any(u["orgUnitPath"] == path for u in list(call.customer.users.values())):
        raise Refusal(412, "conditionNotMet", "Organizational unit is not empty")
    del call.customer.org_units[path]


HANDLERS = {
    "orgunits.list": listed, "orgunits.get": got, "orgunits.insert": made, "orgunits.update": changed,
    "orgunits.patch": changed, "orgunits.delete": deleted,
}  # fmt: skip
