"""The embedded Google as a stock googleapiclient sees it: listings, pages, batches, writes, refusals, faults."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from googleapiclient.errors import HttpError

from reconciler.sandbox.faults import Fault
from reconciler.sandbox.google_server import over_quota
from reconciler.sandbox.tls import Authority
from tests.google_company import ADMIN, DRIVE, Served, company, mail, served

PEOPLE = 30 + 1 - 1  # and an administrator, without the one who was deleted


@pytest.fixture
def google() -> Iterator[Served]:
    made = served(company())
    yield made
    made.close()


def everybody(service: Any, **asked: Any) -> list[dict[str, Any]]:
    request, rows = service.users().list(customer="my_customer", **asked), []
    while request is not None:
        answer = request.execute(num_retries=0)
        rows += answer.get("users", [])
        request = service.users().list_next(request, answer)
    return rows


@pytest.mark.parametrize("over", ["httplib2", "requests"])
@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_listing_is_whole_whatever_the_size_of_its_pages(google: Served, over: str, size: int) -> None:
    rows = everybody(google.client(over=over), maxResults=size, orderBy="email")
    assert len({row["id"] for row in rows}) == len(rows) == PEOPLE
    assert [row["primaryEmail"] for row in rows] == sorted(row["primaryEmail"] for row in rows)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"query": "isSuspended=true"}, 1),
        ({"query": "email:user000*"}, 9),
        ({"query": "orgUnitPath='/Staff'"}, PEOPLE - 1),
        ({"query": "externalId=000007"}, 1),
        ({"query": "givenName:'Given 7' isArchived=false"}, 1),
        ({"showDeleted": "true"}, 1),
        ({"domain": "example.com"}, PEOPLE),
    ],
    ids=lambda told: json.dumps(told),
)
def test_a_listing_is_what_was_asked_for(google: Served, asked: dict[str, str], count: int) -> None:
    whose = {} if "domain" in asked else {"customer": "my_customer"}
    assert len(google.client().users().list(**whose, **asked, maxResults=500).execute().get("users", [])) == count


def test_a_mask_keeps_what_it_names(google: Served) -> None:
    rows = everybody(google.client(), fields="nextPageToken,users(id,name/givenName)", maxResults=10)
    assert {tuple(row) for row in rows} == {("id", "name")}
    assert {tuple(row["name"]) for row in rows} == {("givenName",)}
    with pytest.raises(HttpError, match="Invalid field selection nonsense"):
        google.client().users().list(customer="my_customer", fields="users(nonsense)").execute()


def test_numbers_are_texts_and_empty_lists_are_left_out(google: Served) -> None:
    service = google.client()
    shown = {row["email"]: row for row in service.groups().list(customer="my_customer").execute()["groups"]}
    assert shown["group0@example.com"]["directMembersCount"] == str(
        len(google.customer.members[shown["group0@example.com"]["id"]])
    )
    assert "members" not in service.members().list(groupKey="empty@example.com").execute()
    assert "aliases" not in service.users().get(userKey=mail(5)).execute()


def test_members_are_direct_unless_derived_ones_are_asked_for(google: Served) -> None:
    service = google.client()
    direct = service.members().list(groupKey="group0@example.com").execute()["members"]
    derived = service.members().list(groupKey="group0@example.com", includeDerivedMembership=True).execute()["members"]
    assert {row["type"] for row in direct} == {"USER", "GROUP"}
    assert {row["id"] for row in direct if row["type"] == "USER"} < {row["id"] for row in derived}
    assert service.members().list(groupKey="everyone@example.com").execute()["members"][0].get("email") is None


# --- writes -----------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back(google: Served) -> None:
    users, key = google.client().users(), {"userKey": mail(6)}
    assert users.update(**key, body={"suspended": True}).execute()["suspensionReason"] == "ADMIN"
    assert users.get(**key).execute()["suspended"] is True
    assert "suspensionReason" not in users.update(**key, body={"suspended": False}).execute()
    assert users.patch(**key, body={"name": {"familyName": "Married"}}).execute()["name"]["fullName"] == "Given 6 Married"
    users.update(**key, body={"primaryEmail": "married@example.com", "externalIds": None}).execute()
    assert users.get(userKey=mail(6)).execute()["primaryEmail"] == "married@example.com"  # the old address is an alias
    assert "externalIds" not in users.get(userKey="married@example.com", projection="full").execute()
    assert users.signOut(userKey="married@example.com").execute() == ""
    assert google.customer.signed_out == [google.customer.id_of("married@example.com")]


def test_a_deleted_user_can_be_brought_back_by_id(google: Served) -> None:
    users, here = google.client().users(), google.customer.id_of(mail(6))
    users.delete(userKey=here).execute()
    with pytest.raises(HttpError, match="Resource Not Found: userKey"):
        users.get(userKey=mail(6)).execute()
    users.undelete(userKey=here, body={"orgUnitPath": "/Staff"}).execute()
    assert users.get(userKey=mail(6)).execute()["orgUnitPath"] == "/Staff"


REFUSED: dict[str, tuple[Callable[[Any], Any], int, str]] = {
    "a member twice": (lambda s: s.members().insert(groupKey="group0@example.com", body={"email": mail(3)}), 409, "duplicate"),
    "a member who is none": (lambda s: s.members().delete(groupKey="group0@example.com", memberKey=mail(7)), 404, "notFound"),
    "codes of a suspended user": (lambda s: s.verificationCodes().invalidate(userKey=mail(1)), 400, "invalid"),
    "an address that is taken": (lambda s: s.users().update(userKey=mail(6), body={"primaryEmail": mail(7)}), 409, "duplicate"),
    "a field that does not exist": (lambda s: s.users().update(userKey=mail(6), body={"suspend": True}), 400, "badRequest"),
    "another customer": (lambda s: s.roles().list(customer="C09other"), 403, "forbidden"),
    "no customer": (lambda s: s.users().list(), 400, "badRequest"),
    "a made-up page": (lambda s: s.users().list(customer="my_customer", pageToken="abc"), 400, "invalid"),
    "another listing's page": (lambda s: s.groups().list(customer="my_customer", pageToken=s.users().list(customer="my_customer", maxResults=3).execute()["nextPageToken"]), 400, "invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "status", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_google_refuses_is_refused(google: Served, call: Callable[[Any], Any], status: int, reason: str) -> None:
    with pytest.raises(HttpError) as problem:
        call(google.client()).execute()
    assert (problem.value.resp.status, problem.value.error_details[0]["reason"]) == (status, reason)


def test_archiving_takes_a_licence(google: Served) -> None:
    google.customer.archive_seats = 1
    users = google.client().users()
    assert users.update(userKey=mail(6), body={"archived": True}).execute()["archivalTime"]
    with pytest.raises(HttpError, match=r"412.*Insufficient archived user licenses"):
        users.update(userKey=mail(7), body={"archived": True}).execute()
    users.update(userKey=mail(6), body={"archived": False}).execute()
    assert users.update(userKey=mail(7), body={"archived": True}).execute()["archived"]


def test_a_new_user_may_take_a_moment(google: Served) -> None:
    google.customer.settling = 1
    users = google.client().users()
    made = {
        "primaryEmail": "new@example.com",
        "name": {"givenName": "New", "familyName": "Person"},
        "password": "a long password",
    }
    users.insert(body=made).execute()
    with pytest.raises(HttpError, match=r"412.*User creation is not complete\."):
        users.update(userKey="new@example.com", body={"suspended": True}).execute()
    assert users.update(userKey="new@example.com", body={"suspended": True}).execute()["suspended"]


def test_data_goes_from_one_person_to_another(google: Served) -> None:
    service = google.client(version="datatransfer_v1")
    ends = {"oldOwnerUserId": google.customer.id_of(mail(6)), "newOwnerUserId": google.customer.id_of(mail(7))}
    made = service.transfers().insert(body=ends | {"applicationDataTransfers": [{"applicationId": DRIVE}]}).execute()
    assert made["overallTransferStatusCode"] == "inProgress"
    polled = [service.transfers().get(dataTransferId=made["id"]).execute()["overallTransferStatusCode"] for _ in range(2)]
    assert polled == ["inProgress", "completed"]


def test_licences_want_the_customers_own_id_and_no_haste(google: Served) -> None:
    listing = google.client("licensing", "v1").licenseAssignments().listForProduct
    assert len(listing(productId="Google-Apps", customerId="C01example").execute()["items"]) == PEOPLE - 2
    with pytest.raises(HttpError, match="403"):
        listing(productId="Google-Apps", customerId="my_customer").execute()
    google.server.answer.licences.seconds = 60.0  # type: ignore[attr-defined] # the answer is this server's own
    with pytest.raises(HttpError, match="503"):
        listing(productId="Google-Apps", customerId="C01example").execute()


# --- batch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["httplib2", "requests"])
def test_every_call_of_a_batch_has_an_answer_of_its_own(google: Served, over: str) -> None:
    google.server.faults.reset(over_quota("users/user0007"), Fault("users/user0008", "status", 1, 503))
    service, found = google.client(over=over), {}
    service.users().get(userKey=ADMIN).execute()  # a batch fetches a token over a connection that it never closes
    batch = service.new_batch_http_request(callback=lambda here, answer, problem: found.update({here: answer or problem}))
    batch._batch_uri = f"{google.url}/batch"  # the client sends batches to the real host whatever its endpoint
    for key in (mail(5), mail(6), mail(7), mail(8), "nobody@example.com"):
        batch.add(service.users().get(userKey=key), request_id=key)
    batch.add(service.users().update(userKey=mail(9), body={"suspended": True}), request_id="write")
    batch.execute()
    assert [found[mail(n)]["primaryEmail"] for n in (5, 6)] == [mail(5), mail(6)]
    assert [found[key].resp.status for key in (mail(7), mail(8), "nobody@example.com")] == [403, 503, 404]
    assert found["write"]["suspended"] is True


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"", "no multipart"), (b"--x\r\nContent-Type: application/http\r\n\r\nnonsense\r\n--x--\r\n", "no request line")],
    ids=["nothing in it", "no call in it"],
)
def test_a_batch_that_is_none_is_refused(google: Served, body: bytes, says: str) -> None:
    answer = google.session().post(
        f"{google.url}/batch", data=body, headers={"Content-Type": "multipart/mixed; boundary=x"}, timeout=5
    )
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


# --- who may ask ------------------------------------------------------------------------------------------------


def test_a_delegation_is_all_or_nothing(google: Served) -> None:
    google.server.tokens.delegated = frozenset({"https://www.googleapis.com/auth/admin.directory.user.readonly"})
    with pytest.raises(RefreshError, match="unauthorized_client"):
        google.client().users().list(customer="my_customer").execute()


@pytest.mark.parametrize(
    ("subject", "says"), [("nobody@example.com", "invalid_grant"), (mail(5), "403")], ids=["nobody", "no administrator"]
)
def test_who_is_no_administrator_reads_nothing(google: Served, subject: str, says: str) -> None:
    if says == "invalid_grant":
        with pytest.raises(RefreshError, match=says):
            google.session(subject).get(f"{google.url}/admin/directory/v1/users?customer=my_customer", timeout=5)
    else:
        answer = google.session(subject).get(f"{google.url}/admin/directory/v1/users?customer=my_customer", timeout=5)
        assert answer.json()["error"]["message"] == "Not Authorized to access this resource/api"


def test_a_service_account_with_a_role_of_its_own_needs_no_subject(google: Served) -> None:
    url = f"{google.url}/admin/directory/v1/users?customer=my_customer"
    own = google.credentials(None)
    own._is_regional_access_boundary_lookup_required = lambda: False  # google-auth would ask the internet
    own.refresh(Request())
    bearer = {"Authorization": f"Bearer {own.token}"}
    assert requests.get(url, headers=bearer, timeout=5).status_code == 403
    google.customer.assign(google.customer.put_role("Reader"), google.server.tokens.client_id)
    assert requests.get(url, headers=bearer, timeout=5).status_code == 200


@pytest.mark.parametrize("bearer", ["", "Bearer nonsense", "Basic abc"])
def test_without_a_token_nothing_is_read(google: Served, bearer: str) -> None:
    answer = requests.get(
        f"{google.url}/admin/directory/v1/users?customer=my_customer", headers={"Authorization": bearer}, timeout=5
    )
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


# --- faults, addresses, descriptions ----------------------------------------------------------------------------


FAULTY: dict[str, tuple[Fault, int | str]] = {
    "an empty page in the middle": (Fault("/users", "empty_page", 2), PEOPLE),
    "rows that are hidden": (Fault("/users", "hide_rows", 2, 3), PEOPLE - 3),
    "the end too early": (Fault("/users", "no_more", 2), 20),
    "a page that has expired": (Fault("/users", "expired_token", 2), "pageToken has expired"),
    "too fast": (over_quota("/users", 2), "Quota exceeded"),
    "a page of HTML": (Fault("/users", "status", 2, 502), "502"),
    "garbage": (Fault("/users", "garbage", 2), "has no attribute"),
}


@pytest.mark.parametrize(("fault", "outcome"), FAULTY.values(), ids=FAULTY)
def test_a_fault_does_what_its_name_says(google: Served, fault: Fault, outcome: int | str) -> None:
    google.server.faults.reset(fault)
    if isinstance(outcome, int):
        assert len(everybody(google.client(), maxResults=10)) == outcome
    else:
        with pytest.raises((HttpError, AttributeError), match=outcome):
            everybody(google.client(), maxResults=10)


def test_a_field_can_be_dropped_and_a_token_repeated(google: Served) -> None:
    google.server.faults.reset(Fault("/users", "drop_field", 1, "suspended"), Fault("/users", "repeat_token", 2))
    service = google.client()
    first = service.users().list(customer="my_customer", maxResults=10).execute()
    assert not [row for row in first["users"] if "suspended" in row]
    second = service.users().list(customer="my_customer", maxResults=10, pageToken=first["nextPageToken"]).execute()
    assert second["nextPageToken"] == first["nextPageToken"]


def test_common_parameters_addresses_and_etags_are_understood(google: Served) -> None:
    asking = google.session()
    url = f"{google.url}//admin//directory/v1/users/{mail(5).replace('@', '%40')}?alt=json&prettyPrint=false&quotaUser=me&key=abc"
    first = asking.get(url, headers={"Accept-Encoding": "identity"}, timeout=5)
    assert first.json()["primaryEmail"] == mail(5)
    assert asking.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=5).status_code == 304
    assert asking.get(f"{google.url}/admin/directory/v1/nothing", timeout=5).headers["Content-Type"].startswith("text/html")
    assert asking.get(f"{url}&nonsense=1", timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("host", "version", "name"),
    [("admin.googleapis.com", "directory_v1", "admin:directory_v1"), ("admin.googleapis.com", "datatransfer_v1", "admin:datatransfer_v1"), ("licensing.googleapis.com", "v1", "licensing:v1")],
)  # fmt: skip
def test_the_apis_describe_themselves(google: Served, host: str, version: str, name: str) -> None:
    answer = requests.get(f"{google.url}/$discovery/rest?version={version}", headers={"Host": host}, timeout=5)
    assert answer.json()["id"] == name


def test_it_is_served_over_tls_as_well(tmp_path: Path) -> None:
    """The token too: google-auth asks over the same certificate."""
    authority, bundle = Authority(), tmp_path / "ca.pem"
    bundle.write_text(authority.pem)
    made = served(company(), tls=authority.context())
    try:
        own = made.credentials()
        with requests.Session() as trusting:
            trusting.trust_env, trusting.verify = False, str(bundle)
            own.refresh(Request(trusting))
            url = f"{made.url}/admin/directory/v1/users?customer=my_customer"
            answer = trusting.get(url, headers={"Authorization": f"Bearer {own.token}"}, timeout=5)
        assert len(answer.json()["users"]) == PEOPLE
    finally:
        made.close()


def test_big_answers_are_compressed(google: Served) -> None:
    answer = google.session().get(
        f"{google.url}/admin/directory/v1/users?customer=my_customer&maxResults=500", timeout=5, stream=True
    )
    assert json.loads(gzip.decompress(answer.raw.read(decode_content=False)))["kind"] == "admin#directory#users"
