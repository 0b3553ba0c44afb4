"""Every body that the embedded Google answers is what Google's own discovery documents describe, strictly."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from googleapiclient.http import HttpRequest

from reconciler.sandbox import google_discovery
from reconciler.sandbox.google_server import HANDLERS
from tests.google_company import ADMIN, DRIVE, Served, company, mail, served
from tests.sandbox.google_schema import problems

US = {"customer": "my_customer"}
HERE = {"customerId": "my_customer"}
GROUP, PERSON = {"groupKey": "group3@example.com"}, {"userKey": mail(5)}
SKU = {"productId": "Google-Apps", "skuId": "1010020020"}
NAME = {"givenName": "New", "familyName": "Person"}
HALVES = {"oldOwnerUserId": "{7}", "newOwnerUserId": "{8}"}

# A method's id -> its parameters and, for a write, its body; `{7}` is the id of user 7, `{role}` that of the help desk.
CALLS: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "directory.users.list": [
        (US | {"maxResults": 500, "projection": "full", "orderBy": "email"}, None),
        (US | {"maxResults": 3}, None),
        (US | {"showDeleted": "true"}, None),
        (US | {"query": "isSuspended=true"}, None),
        (US | {"query": "email:nobody*"}, None),
        (US | {"projection": "custom", "customFieldMask": "HR"}, None),
        (US | {"viewType": "domain_public"}, None),
        ({"domain": "example.com", "query": "orgUnitPath='/Staff'", "sortOrder": "DESCENDING", "orderBy": "familyName"}, None),
    ],
    "directory.users.get": [({"userKey": ADMIN}, None), ({"userKey": mail(1)}, None), (PERSON | {"projection": "full"}, None)],
    "directory.users.insert": [({}, {"primaryEmail": "new@example.com", "name": NAME, "password": "correct horse battery"})],
    "directory.users.update": [({"userKey": mail(9)}, {"suspended": True}), ({"userKey": mail(9)}, {"suspended": False, "organizations": None})],
    "directory.users.patch": [({"userKey": mail(10)}, {"archived": True}), ({"userKey": mail(10)}, {"primaryEmail": "renamed@example.com"})],
    "directory.users.delete": [({"userKey": mail(11)}, None)],
    "directory.users.undelete": [({"userKey": "{4}"}, {"orgUnitPath": "/Staff"})],
    "directory.users.makeAdmin": [({"userKey": mail(12)}, {"status": True})],
    "directory.users.signOut": [(PERSON, None)],
    "directory.users.aliases.list": [({"userKey": ADMIN}, None), (PERSON, None)],
    "directory.users.aliases.insert": [({"userKey": mail(13)}, {"alias": "thirteen@example.com"})],
    "directory.users.aliases.delete": [({"userKey": ADMIN, "alias": "boss@example.com"}, None)],
    "directory.twoStepVerification.turnOff": [({"userKey": mail(14)}, None)],
    "directory.tokens.list": [(PERSON, None), ({"userKey": mail(6)}, None)],
    "directory.tokens.get": [(PERSON | {"clientId": "client-1.apps.googleusercontent.com"}, None)],
    "directory.tokens.delete": [({"userKey": mail(1), "clientId": "client-2.apps.googleusercontent.com"}, None)],
    "directory.asps.list": [(PERSON, None), ({"userKey": mail(6)}, None)],
    "directory.asps.get": [(PERSON | {"codeId": 1}, None)],
    "directory.asps.delete": [(PERSON | {"codeId": 1}, None)],
    "directory.verificationCodes.list": [(PERSON, None), ({"userKey": mail(6)}, None)],
    "directory.verificationCodes.generate": [({"userKey": mail(15)}, None)],
    "directory.verificationCodes.invalidate": [({"userKey": mail(15)}, None)],
    "directory.groups.list": [(US, None), (US | {"maxResults": 2, "orderBy": "email"}, None), ({"userKey": mail(6)}, None)],
    "directory.groups.get": [(GROUP, None)],
    "directory.groups.insert": [({}, {"email": "new-group@example.com", "name": "New"})],
    "directory.groups.update": [(GROUP, {"description": "Changed"})],
    "directory.groups.patch": [(GROUP, {"name": "Renamed"})],
    "directory.groups.delete": [({"groupKey": "empty@example.com"}, None)],
    "directory.groups.aliases.list": [(GROUP, None), ({"groupKey": "everyone@example.com"}, None)],
    "directory.groups.aliases.insert": [(GROUP, {"alias": "third@example.com"})],
    "directory.groups.aliases.delete": [({"groupKey": "group4@example.com", "alias": "g4@example.com"}, None)],
    "directory.members.list": [
        ({"groupKey": "group0@example.com"}, None),
        ({"groupKey": "group0@example.com", "includeDerivedMembership": "true"}, None),
        ({"groupKey": "group2@example.com", "roles": "OWNER"}, None),
        ({"groupKey": "everyone@example.com"}, None),
    ],
    "directory.members.get": [({"groupKey": "group0@example.com", "memberKey": mail(3)}, None)],
    "directory.members.insert": [(GROUP, {"email": mail(1), "role": "MEMBER"})],
    "directory.members.update": [({"groupKey": "group0@example.com", "memberKey": mail(6)}, {"role": "MANAGER"})],
    "directory.members.patch": [({"groupKey": "group0@example.com", "memberKey": mail(9)}, {"role": "OWNER"})],
    "directory.members.delete": [({"groupKey": "group0@example.com", "memberKey": mail(12)}, None)],
    "directory.members.hasMember": [({"groupKey": "group0@example.com", "memberKey": mail(7)}, None)],
    "directory.customers.get": [({"customerKey": "my_customer"}, None)],
    "directory.domains.list": [(US, None)],
    "directory.roles.list": [(US, None), (US | {"maxResults": 1}, None)],
    "directory.roles.get": [(US | {"roleId": "{role}"}, None)],
    "directory.roleAssignments.list": [(US, None), (US | {"userKey": mail(3)}, None)],
    "directory.roleAssignments.get": [(US | {"roleAssignmentId": "{assignment}"}, None)],
    "directory.roleAssignments.insert": [(US, {"roleId": "{role}", "assignedTo": "{16}", "scopeType": "CUSTOMER"})],
    "directory.roleAssignments.delete": [(US | {"roleAssignmentId": "{assignment}"}, None)],
    "directory.orgunits.list": [(HERE | {"type": "all"}, None), (HERE, None), (HERE | {"orgUnitPath": "Staff/Sales"}, None)],
    "directory.orgunits.get": [(HERE | {"orgUnitPath": "Staff/Sales"}, None)],
    "directory.orgunits.insert": [(HERE, {"name": "New", "parentOrgUnitPath": "/Staff"})],
    "directory.orgunits.update": [(HERE | {"orgUnitPath": "Staff/Sales"}, {"name": "Selling"})],
    "directory.orgunits.patch": [(HERE | {"orgUnitPath": "Staff/Selling"}, {"description": "They sell"})],
    "directory.orgunits.delete": [(HERE | {"orgUnitPath": "Staff/New"}, None)],
    "directory.mobiledevices.list": [(HERE, None), (HERE | {"maxResults": 2}, None)],
    "directory.mobiledevices.get": [(HERE | {"resourceId": "{device}"}, None)],
    "directory.mobiledevices.action": [(HERE | {"resourceId": "{device}"}, {"action": "admin_account_wipe"})],
    "directory.mobiledevices.delete": [(HERE | {"resourceId": "{device}"}, None)],
    "directory.schemas.list": [(HERE, None)],
    "directory.schemas.get": [(HERE | {"schemaKey": "HR"}, None)],
    "licensing.licenseAssignments.listForProduct": [({"productId": "Google-Apps", "customerId": "C01example", "maxResults": 10}, None), ({"productId": "101031", "customerId": "example.com"}, None)],
    "licensing.licenseAssignments.listForProductAndSku": [(SKU | {"customerId": "C01example"}, None)],
    "licensing.licenseAssignments.get": [(SKU | {"userId": mail(5)}, None)],
    "licensing.licenseAssignments.insert": [(SKU, {"userId": ADMIN})],
    "licensing.licenseAssignments.update": [(SKU | {"userId": mail(17)}, {"skuId": "1010020026"})],
    "licensing.licenseAssignments.patch": [(SKU | {"userId": mail(18)}, {"skuId": "1010020026"})],
    "licensing.licenseAssignments.delete": [(SKU | {"userId": mail(19)}, None)],
    "datatransfer.applications.list": [({}, None)],
    "datatransfer.applications.get": [({"applicationId": DRIVE}, None)],
    "datatransfer.transfers.insert": [({}, HALVES | {"applicationDataTransfers": [{"applicationId": DRIVE, "applicationTransferParams": [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}]}]})],
    "datatransfer.transfers.list": [({}, None), ({"oldOwnerUserId": "{7}"}, None)],
    "datatransfer.transfers.get": [({"dataTransferId": "transfer-1"}, None)],
}  # fmt: skip
METHODS = {method.id: method for method in google_discovery.methods()}


@pytest.fixture(scope="module")
def google() -> Iterator[Served]:
    made = served(company())
    yield made
    made.close()


def test_every_method_that_the_server_offers_is_called_here() -> None:
    assert {name.partition(".")[2] for name in CALLS} == set(HANDLERS)


def test_every_body_is_what_the_documents_describe(google: Served) -> None:
    """In the order of the table: some calls need what another has made."""
    assert [wrong for name, calls in CALLS.items() for call in calls for wrong in bodies(google, name, *call)] == []


def bodies(google: Served, name: str, parameters: dict[str, Any], body: Any) -> list[str]:
    """What is wrong with the answer to one call, which the stock client words."""
    request = worded(google, name, json.loads(filled(google, parameters)), json.loads(filled(google, body)))
    answer = google.asking.request(request.method, request.uri, data=request.body, headers=request.headers, timeout=10)
    method = METHODS[name]
    if not answer.ok:
        return [f"{request.uri}: {answer.status_code} {answer.text}"]
    if method.answer is None:
        return [] if (answer.status_code, answer.content) == (204, b"") else [f"{answer.status_code} with a body"]
    return [f"{request.uri}: {problem}" for problem in problems(answer.json(), method.answer, method.schemas)]


def filled(google: Served, value: Any) -> str:
    """A call as JSON, its ids filled in from the company as it is now."""
    us = google.customer
    ids = {str(n): us.id_of(mail(n)) for n in (7, 8, 16)} | {"4": next(iter(us.deleted), "")}
    ids |= {"role": list(us.roles)[-1], "assignment": list(us.role_assignments)[-1], "device": list(us.devices)[-1]}
    text = json.dumps(value)
    for name, here in ids.items():
        text = text.replace("{" + name + "}", str(here))
    return text


def worded(google: Served, name: str, parameters: dict[str, Any], body: Any) -> HttpRequest:
    api, *resources, verb = name.split(".")
    version = {"directory": "directory_v1", "datatransfer": "datatransfer_v1", "licensing": "v1"}[api]
    made = google.services.get(version) or google.client("licensing" if api == "licensing" else "admin", version)
    google.services[version] = made
    for resource in resources:
        made = getattr(made, resource)()
    return getattr(made, verb)(**parameters, **({} if body is None else {"body": body}))


# --- the check itself -------------------------------------------------------------------------------------------

MUTANTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a name that is not in the document": lambda body: body["users"][0].update(employeeId="1"),
    "a name in another case": lambda body: body["users"][0].update(primaryemail="x"),
    "a flag as text": lambda body: body["users"][0].update(suspended="false"),
    "a flag as a number": lambda body: body["users"][0].update(isAdmin=0),
    "a text as a number": lambda body: body["users"][0].update(id=12),
    "null instead of nothing": lambda body: body["users"][0].update(aliases=None),
    "an empty list instead of nothing": lambda body: body["users"][0].update(aliases=[]),
    "an object instead of a list": lambda body: body["users"][0].update(externalIds={"value": "1"}),
    "a wrong name inside": lambda body: body["users"][0]["name"].update(surname="x"),
    "a wrong name inside what the document leaves open": lambda body: body["users"][1]["organizations"][0].update(dept="x"),
    "an instant without its zone": lambda body: body["users"][0].update(creationTime="2020-01-01T00:00:00"),
    "another kind": lambda body: body.update(kind="admin#directory#groups"),
    "rows as an object": lambda body: body.update(users={}),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_body_that_is_not_googles_is_seen(google: Served, mutant: Callable[[dict[str, Any]], Any]) -> None:
    url = f"{google.url}/admin/directory/v1/users?customer=my_customer&projection=full"
    method, body = METHODS["directory.users.list"], google.asking.get(url, timeout=10).json()
    assert list(problems(body, {"$ref": "Users"}, method.schemas)) == []
    changed = copy.deepcopy(body)
    mutant(changed)
    assert list(problems(changed, {"$ref": "Users"}, method.schemas))


@pytest.mark.parametrize("value", [3, "three", 3.0, "3.0"], ids=["a number", "words", "a fraction", "a fraction as text"])
def test_a_count_is_digits_in_a_text(value: object) -> None:
    schemas = METHODS["directory.groups.list"].schemas
    group = {"kind": "admin#directory#group", "directMembersCount": value}
    assert len(list(problems(group, {"$ref": "Group"}, schemas))) == 1
    assert list(problems(group | {"directMembersCount": "3"}, {"$ref": "Group"}, schemas)) == []
