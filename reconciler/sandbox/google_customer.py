"""What else the Admin SDK tells of a customer: roles, devices, domains, custom schemas."""

from __future__ import annotations

from reconciler.sandbox.google import Json
from reconciler.sandbox.google_call import Call, Refusal, not_found
from reconciler.sandbox.google_pages import Listing, in_order, page, tagged

CREATED = "2015-03-02T10:00:00.000Z"
_WIPED = {"admin_remote_wipe": "WIPING", "admin_account_wipe": "ACCOUNT_WIPING", "approve": "APPROVED", "block": "BLOCKED"}


def customer(call: Call) -> Json:
    call.own_customer("customerKey")
    us = call.customer
    shown = {"kind": "admin#directory#customer", "id": us.id, "customerDomain": us.domain, "alternateEmail": f"it@{us.domain}"}
    return tagged(shown | {"language": "en", "customerCreationTime": CREATED, "postalAddress": {"countryCode": "GB"}})


def domains(call: Call) -> Json:
    call.own_customer("customer")
    shown = [
        {"kind": "admin#directory#domain", "domainName": name, "isPrimary": name == call.customer.domain, "verified": True}
        for name in call.customer.domains
    ]
    return {"kind": "admin#directory#domains", "domains": [tagged(row) | {"creationTime": "1425290400000"} for row in shown]}


# --- roles ------------------------------------------------------------------------------------------------------


def roles(call: Call) -> Listing:
    call.own_customer("customer")
    return page(call, "items", list(call.customer.roles.values()), 100, 100)


def role(call: Call) -> Json:
    call.own_customer("customer")
    if call.path["roleId"] not in call.customer.roles:
        raise not_found("roleId")
    return tagged(call.customer.roles[call.path["roleId"]])


def assignments(call: Call) -> Listing:
    call.own_customer("customer")
    rows = list(call.customer.role_assignments.values())
    if "userKey" in call.query:
        rows = [row for row in rows if row["assignedTo"] == call.user()["id"]]
    if "roleId" in call.query:
        rows = [row for row in rows if row["roleId"] == call.query["roleId"]]
    return page(call, "items", rows, 200, 200)


def assignment(call: Call) -> Json:
    call.own_customer("customer")
    found = call.customer.role_assignments.get(call.path["roleAssignmentId"])
    if found is None:
        raise not_found("roleAssignmentId")
    return tagged(found)


def assigned(call: Call) -> Json:
    call.own_customer("customer")
    role_id, holder = str(call.body.get("roleId", "")), call.body.get("assignedTo", "")
    if role_id not in call.customer.roles:
        raise not_found("roleId")
    if holder not in call.customer.users and holder not in call.customer.groups:
        raise not_found("assignedTo")
    return tagged(call.customer.role_assignments[call.customer.assign(role_id, holder, call.body.get("orgUnitId"))])


def unassigned(call: Call) -> None:
    del call.customer.role_assignments[assignment(call)["roleAssignmentId"]]


# --- devices, schemas -----------------------------------------------------------------------------------------------


def devices(call: Call) -> Listing:
    call.own_customer("customerId")
    rows = in_order(list(call.customer.devices.values()), call.query.get("orderBy"), call.query.get("sortOrder"))
    return page(call, "mobiledevices", rows, 100, 100)


def device(call: Call) -> Json:
    call.own_customer("customerId")
    if call.path["resourceId"] not in call.customer.devices:
        raise not_found("resourceId")
    return tagged(call.customer.devices[call.path["resourceId"]])


def device_acted(call: Call) -> None:
    word = call.body.get("action", "")
    if word not in _WIPED:
        raise Refusal(400, "invalid", "Invalid Input: action")
    call.customer.devices[call.path["resourceId"]] = {**device(call), "status": _WIPED[word]}


def device_deleted(call: Call) -> None:
    del call.customer.devices[device(call)["resourceId"]]


def schemas(call: Call) -> Json:
    call.own_customer("customerId")
    shown = [tagged(one) for one in call.customer.schemas.values()]
    return {"kind": "admin#directory#schemas"} | ({"schemas": shown} if shown else {})


def schema(call: Call) -> Json:
    call.own_customer("customerId")
    key = call.path["schemaKey"]
    for one in call.customer.schemas.values():
        if key in (one["schemaId"], one["schemaName"]):
            return tagged(one)
    raise not_found("schemaKey")


HANDLERS = {
    "customers.get": customer, "domains.list": domains, "roles.list": roles, "roles.get": role,
    "roleAssignments.list": assignments, "roleAssignments.get": assignment, "roleAssignments.insert": assigned,
    "roleAssignments.delete": unassigned,
    "mobiledevices.list": devices, "mobiledevices.get": device, "mobiledevices.action": device_acted,
    "mobiledevices.delete": device_deleted, "schemas.list": schemas, "schemas.get": schema,
}  # fmt: skip
