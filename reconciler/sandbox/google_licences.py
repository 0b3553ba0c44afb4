"""Licences by product and SKU, and transfers of a leaver's data to somebody else.

Sources: developers.google.com/workspace/admin/licensing/v1 and …/data-transfer/v1. The licence manager wants the real
customer id or the domain, never `my_customer`, and answers 503 to a customer that asks too often.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.sandbox.google import Json
from reconciler.sandbox.google_call import Call, Refusal, forbidden, not_found
from reconciler.sandbox.google_pages import Listing, page, tagged

PRODUCTS = {
    "Google-Apps": "Google Workspace", "101001": "Cloud Identity", "101005": "Cloud Identity Premium",
    "101031": "Google Workspace for Education", "101033": "Google Voice", "101034": "Google Workspace Archived User",
    "101035": "Cloud Search", "101036": "Google Meet Global Dialing", "101037": "Google Workspace for Education",
    "101038": "AppSheet", "101039": "Assured Controls", "101040": "Chrome Enterprise",
    "101043": "Google Workspace Additional Storage", "101047": "Gemini", "101049": "Education Endpoint Management",
    "101050": "Colab", "Google-Chrome-Device-Management": "Google Chrome Device Management",
    "Google-Drive-storage": "Google Drive Storage", "Google-Vault": "Google Vault",
}  # fmt: skip
APPLICATIONS = {"55656082996": "Drive and Docs", "435070579839": "Calendar", "810260081642": "Looker Studio"}
_PARAMETERS = {"55656082996": [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}],
               "435070579839": [{"key": "RELEASE_RESOURCES", "value": ["TRUE", "FALSE"]}]}  # fmt: skip


def listed(call: Call) -> Listing:
    """Assignments of a product, or of one SKU of it."""
    product, sku = _product(call), call.path.get("skuId")
    if call.query.get("customerId") not in (call.customer.id, *call.customer.domains):
        raise forbidden()
    held = [(s, one) for (p, s), holders in call.customer.licences.items() if p == product for one in holders]
    rows = [_shown(call, product, s, one) for s, one in held if sku in (None, s)]
    return replace(page(call, "items", rows, 1000, 100), etag="etags")


def _product(call: Call) -> str:
    if call.path["productId"] not in PRODUCTS:
        raise Refusal(400, "invalid", "Invalid productId")
    return call.path["productId"]


def _shown(call: Call, product: str, sku: str, holder: str) -> Json:
    mail = call.customer.users[holder]["primaryEmail"]
    link = f"https://licensing.googleapis.com/apps/licensing/v1/product/{product}/sku/{sku}/user/{mail}"
    names = {"skuId": sku, "skuName": call.customer.sku_names.get(sku, sku), "productName": PRODUCTS[product]}
    return {"kind": "licensing#licenseAssignment", "selfLink": link, "userId": mail, "productId": product} | names


def _holder(call: Call, key: str) -> str:
    found = call.customer.id_of(key)
    if found is None:
        raise not_found("userId")
    return found


def got(call: Call) -> Json:
    product, sku, holder = _product(call), call.path["skuId"], _holder(call, call.path["userId"])
    if holder not in call.customer.licences.get((product, sku), ()):
        raise Refusal(404, "notFound", "The user does not have a license for the specified sku and product")
    return tagged(_shown(call, product, sku, holder), "etags")


def inserted(call: Call) -> Json:
    product, sku, holder = _product(call), call.path["skuId"], _holder(call, call.body.get("userId", ""))
    if any(holder in holders for (p, _), holders in call.customer.licences.items() if p == product):
        raise Refusal(412, "conditionNotMet", "User already has a license for the specified product and SKU(s)")
    call.customer.license(product, sku, [holder])
    return tagged(_shown(call, product, sku, holder), "etags")


def moved(call: Call) -> Json:
    """A user changes from one SKU of a product to another."""
    got(call)
    product, holder = call.path["productId"], _holder(call, call.path["userId"])
    call.customer.licences[product, call.path["skuId"]].remove(holder)
    call.customer.license(product, call.body.get("skuId") or call.path["skuId"], [holder])
    return tagged(_shown(call, product, call.body.get("skuId") or call.path["skuId"], holder), "etags")


def deleted(call: Call) -> Json:
    got(call)
    call.customer.licences[call.path["productId"], call.path["skuId"]].remove(_holder(call, call.path["userId"]))
    return {}


# --- data transfer ------------------------------------------------------------------------------------------------


def applications(call: Call) -> Listing:
    rows = [_application(here) for here in APPLICATIONS]
    return page(call, "applications", rows, 500, 100)


def _application(here: str) -> Json:
    shown = {"kind": "admin#datatransfer#ApplicationResource", "id": here, "name": APPLICATIONS[here]}
    return shown | {"transferParams": _PARAMETERS.get(here, [])}


def application(call: Call) -> Json:
    if call.path["applicationId"] not in APPLICATIONS:
        raise not_found("applicationId")
    return tagged(_application(call.path["applicationId"]))


def transferred(call: Call) -> Json:
    """From one user to another, both by id; it is under way until it is asked for the first time."""
    told = call.body
    ends = [told.get("oldOwnerUserId"), told.get("newOwnerUserId")]
    if not all(end in call.customer.users for end in ends) or not told.get("applicationDataTransfers"):
        raise Refusal(400, "invalid", "Invalid Input: oldOwnerUserId, newOwnerUserId and applicationDataTransfers")
    here = f"transfer-{len(call.customer.transfers) + 1}"
    shown = {"kind": "admin#datatransfer#DataTransfer", "id": here, "oldOwnerUserId": ends[0], "newOwnerUserId": ends[1]}
    parts = [{**part, "applicationTransferStatus": "pending"} for part in told["applicationDataTransfers"]]
    about = {
        "applicationDataTransfers": parts,
        "overallTransferStatusCode": "inProgress",
        "requestTime": "2026-01-01T00:00:00.000Z",
    }
    call.customer.transfers[here] = shown | about
    return tagged(call.customer.transfers[here])


def transfer(call: Call) -> Json:
    found = call.customer.transfers.get(call.path["dataTransferId"])
    if found is None:
        raise not_found("dataTransferId")
    parts = [{**part, "applicationTransferStatus": "completed"} for part in found["applicationDataTransfers"]]
    done = {"applicationDataTransfers": parts, "overallTransferStatusCode": "completed"}
    call.customer.transfers[found["id"]] = found | done
    return tagged(found)


def transfers(call: Call) -> Listing:
    asked = {name: call.query[name] for name in ("oldOwnerUserId", "newOwnerUserId") if name in call.query}
    rows = [row for row in call.customer.transfers.values() if all(row[name] == value for name, value in asked.items())]
    return page(call, "dataTransfers", rows, 500, 100)


HANDLERS = {
    "licenseAssignments.listForProduct": listed, "licenseAssignments.listForProductAndSku": listed, "licenseAssignments.get": got,
    "licenseAssignments.insert": inserted, "licenseAssignments.update": moved, "licenseAssignments.patch": moved,
    "licenseAssignments.delete": deleted, "applications.list": applications, "applications.get": application,
    "transfers.insert": transferred, "transfers.get": transfer, "transfers.list": transfers,
}  # fmt: skip
