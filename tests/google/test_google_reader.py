"""The reader against the embedded Google: everything the tables name; and whatever breaks, never a short answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from connectors import _http
from connectors._bulk_rows import hashes
from connectors._google_access import Pace
from connectors._google_listing import Listed, Twice, keys, listed
from connectors._http import PageExpired
from connectors.google_workspace import Settings, read
from reconciler.connector import Answer, Context, Ended, Identity, Incomplete, Noticed, Page, SourceError, Unreadable
from reconciler.sandbox import google_groups
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.google_server import over_quota
from reconciler.tables import AREA_OF_KIND
from tests.google_company import ADMIN, SCOPES, Served, company, mail, served
from tests.sampling import some

Row = dict[str, Any]
CONTEXT = Context("google", datetime(2026, 11, 22, tzinfo=UTC))


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A company so small, in pages of three, that every listing that can have a second page has one."""
    customer = company(8, 3)
    customer.page_cap = 3
    made = served(customer)
    key = tmp_path_factory.mktemp("google") / "key.json"
    key.touch(0o600)
    key.write_text(made.server.key_file())
    made.services["key"] = key
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch, google: Served) -> None:
    monkeypatch.setattr(_http.Api, "_pause", lambda *_: None)
    google.server.faults.reset()
    google.server.tokens.delegated = None


def settings(google: Served, **told: Any) -> Settings:
    about = {"kind": "google_workspace", "credentials": f"file:{google.services['key']}", "subject": ADMIN, "api_url": google.url}
    return Settings.model_validate(
        about | {"licence_queries_per_minute": 100_000, "products": ["Google-Apps", "101034", "101031"]} | told
    )


def answers(google: Served, **told: Any) -> list[Answer]:
    return list(read(settings(google, **told), CONTEXT))


def table(found: list[Answer], name: str) -> list[Row]:
    return [row for page in found if isinstance(page, Page) and page.table == name for row in page.rows()]


def accounts(found: list[Answer]) -> dict[str, Row]:
    return {row["login"]: row for row in table(found, "accounts")}


def held(found: list[Answer]) -> set[tuple[str, str, str, str]]:
    """(login, kind, name, via) of every grant."""
    logins = {row["account_id"]: row["login"] for row in table(found, "accounts")}
    named = {row["entitlement_id"]: row for row in table(found, "entitlements")}
    return {
        (logins[row["account_id"]], named[row["entitlement_id"]]["kind"], named[row["entitlement_id"]]["name"], row["via"])
        for row in table(found, "grants")
    }


def test_says_everything_that_the_tables_name(google: Served) -> None:
    found = answers(google, extra={"cost_centre": "costCenter", "schemas": "customSchemas"})
    everybody = accounts(found)
    told = everybody[mail(6)]
    assert {name: told[name] for name in ("employee_id", "given_name", "family_name", "display_name", "department", "job_title", "company")} == {
        "employee_id": "000006", "given_name": "Given 6", "family_name": "Family 6", "display_name": "Given 6 Family 6",
        "department": "Sales", "job_title": "Clerk", "company": "Example Ltd",
    }  # fmt: skip
    assert (told["container"], told["mfa"], told["kind"], told["privileged"]) == ("/Staff/Sales", True, "person", False)
    assert json.loads(told["extra"]) == {"cost_centre": "4711", "schemas": {"HR": {"grade": "6"}}}
    assert told["aliases"] == [f"{mail(6)}.test-google-a.com"]
    assert Identity("C01example") in found
    assert not [a for a in found if isinstance(a, Unreadable)]


@pytest.mark.parametrize(
    ("login", "enabled", "reason"),
    [(mail(1), False, "suspended"), (mail(2), False, "archived"), (mail(4), False, "deleted"), (mail(6), True, None)],
)
def test_states_have_their_reasons(google: Served, login: str, enabled: bool, reason: str | None) -> None:
    told = accounts(answers(google))[login]
    assert (told["enabled"], told["state_reason"]) == (enabled, reason)


def test_whom_google_itself_has_suspended_a_person_is_told_of(google: Served) -> None:
    assert [a for a in answers(google) if isinstance(a, Noticed)] == [], "user 1 was suspended by an administrator"
    google.customer.change_user(mail(1), suspensionReason="ABUSE")
    try:
        (noticed,) = [a for a in answers(google) if isinstance(a, Noticed)]
    finally:
        google.customer.change_user(mail(1), suspensionReason="ADMIN")
    assert noticed.told.startswith(f"1 user suspended by Google itself, not by an administrator: {mail(1)} (ABUSE);")
    assert noticed.by_hand == ()


@pytest.mark.parametrize(("login", "column", "value"), [
    (mail(0), "never_logged_in", True), (mail(0), "last_login_at", None), (mail(6), "never_logged_in", None),
    (mail(6), "last_login_at", 1795163400000000), (ADMIN, "privileged", True), (mail(3), "privileged", True), (mail(5), "mfa", False),
], ids=str)  # fmt: skip
def test_what_is_told_and_what_is_not(google: Served, login: str, column: str, value: Any) -> None:
    assert accounts(answers(google))[login][column] == value


@pytest.mark.parametrize("n", [5, 6], ids=["by an alias", "by the address"])
def test_managers_are_found_by_any_of_their_addresses(google: Served, n: int) -> None:
    everybody = accounts(answers(google))
    assert everybody[mail(n)]["manager_account_id"] == everybody[ADMIN]["account_id"]


@pytest.mark.parametrize("grant", [
    (mail(3), "group", "group0@example.com", "direct"), (mail(7), "group", "group0@example.com", "nested"),
    (mail(3), "group", "group1@example.com", "nested"), (mail(6), "group", "everyone@example.com", "inherited"),
    (ADMIN, "role", "_SEED_ADMIN_ROLE", "direct"), (mail(3), "role", "Help desk", "direct"), (mail(7), "role", "Help desk", "inherited"),
    (mail(5), "licence", "Google-Apps/1010020020", "direct"), (mail(2), "licence", "101034/1010340001", "direct"),
    (mail(6), "device", "Pixel 9 serial-6", "direct"), (mail(5), "oauth_grant", "Mail merge", "direct"), (mail(1), "oauth_grant", "Notes", "direct"),
], ids=" ".join)  # fmt: skip
def test_says_how_each_thing_is_held(google: Served, grant: tuple[str, str, str, str]) -> None:
    assert grant in held(answers(google))


def test_tombstones_can_be_left_out(google: Served) -> None:
    assert mail(4) not in accounts(answers(google, deleted_users=False))


def test_applications_are_asked_for_only_where_somebody_could_sign_in(google: Served) -> None:
    answers(google)
    asked = {line.split("/")[5] for line in google.server.faults.requests if "/tokens" in line}
    users = google.customer.users
    assert asked == {here for here, user in users.items() if not user["archived"]}


# --- what may be refused by itself --------------------------------------------------------------------------------

AREAS = {"roles": "rolemanagement", "licences": "apps.licensing", "devices": "device.mobile", "oauth_grants": "user.security"}


@pytest.mark.parametrize(("area", "scope"), AREAS.items(), ids=AREAS)
def test_an_area_that_is_not_delegated_is_unreadable_by_itself(google: Served, area: str, scope: str) -> None:
    whole = answers(google)
    google.server.tokens.delegated = READ_SCOPES - {name for name in READ_SCOPES if scope in name}
    found = answers(google)
    told = [a for a in found if isinstance(a, Unreadable)]
    assert [(a.area, "delegate" in a.fix) for a in told] == [(area, True)]
    assert held(found) == {grant for grant in held(whole) if AREA_OF_KIND[grant[1]] != area}


READ_SCOPES = frozenset(
    f"https://www.googleapis.com/auth/{name}"
    for name in (
        *(
            f"admin.directory.{what}.readonly"
            for what in ("user", "group", "group.member", "customer", "rolemanagement", "device.mobile")
        ),
        "admin.directory.user.security",
        "apps.licensing",
    )
)


def test_without_the_essential_scopes_nothing_is_read(google: Served) -> None:
    google.server.tokens.delegated = frozenset(SCOPES)
    with pytest.raises(SourceError, match=r"delegate admin\.directory\.user\.readonly"):
        answers(google)


# --- whatever breaks ----------------------------------------------------------------------------------------------

DENIED = {"error": {"code": 403, "message": "Not Authorized to access this resource/api", "errors": [{"reason": "forbidden"}]}}
US = "/admin/directory/v1/"
# A listing -> how its requests begin, how many pages it has here, and the area that may do without it.
LISTINGS: dict[str, tuple[str, int, str | None]] = {
    "the customer": (f"GET {US}customers/", 1, None),
    "users": (f"GET {US}users\\?.*orderBy=email&projection=full&alt", 3, None),
    "users from the other end": (f"GET {US}users\\?.*users\\(id,externalIds\\)&alt", 3, None),
    "deleted users": (f"GET {US}users\\?.*projection=full&showDeleted", 1, None),
    "groups": (f"GET {US}groups\\?.*orderBy=email&alt", 2, None),
    "groups from the other end": (f"GET {US}groups\\?.*groups/id", 2, None),
    "members": (f"GET {US}groups/0339f0bb69aee3a/members", 2, None),
    "roles": (f"GET {US}customer/my_customer/roles\\?", 1, "roles"),
    "role assignments": (f"GET {US}customer/my_customer/roleassignments\\?maxResults=200", 1, "roles"),
    "devices": (f"GET {US}customer/.*/devices/mobile\\?maxResults=100&orderBy=deviceId&alt", 2, "devices"),
    "licences": ("GET /apps/licensing/v1/product/Google-Apps/users\\?.*maxResults=1000", 2, "licences"),
    "applications let in": (f"GET {US}users/.*/tokens", 1, "oauth_grants"),
}  # fmt: skip
BREAKS: dict[str, dict[str, Any]] = {
    "a server error": {"do": "status", "value": 500},
    "slow down": {"do": "status", "value": 403, "body": over_quota("x").body},
    "no permission": {"do": "status", "value": 403, "body": DENIED},
    "nothing there": {"do": "status", "value": 404},
    "a page of HTML": {"do": "garbage"},
    "cut in the middle": {"do": "cut", "value": 150},
    "the same page again": {"do": "repeat_token"},
    "an empty page": {"do": "empty_page"},
    "the end too early": {"do": "no_more"},
    "rows that are missing": {"do": "hide_rows", "value": 1},
    "a page that has expired": {"do": "expired_token"},
}
# One page with an answer of its own and nothing to hold it against: a row that is not there leaves no trace in it.
ALONE = {"applications let in"}
ONCE = [
    (listing, page, broken) for listing, (_, pages, _) in LISTINGS.items() for page in range(1, pages + 1) for broken in BREAKS
    if listing not in ALONE or broken != "rows that are missing"
]  # fmt: skip


@pytest.mark.parametrize(("listing", "page", "broken"), some(ONCE, 13))
def test_a_page_that_breaks_once_makes_no_short_answer(
    google: Served, whole: list[Answer], listing: str, page: int, broken: str
) -> None:
    """It recovers and is whole, or it says that it is not."""
    line, _, area = LISTINGS[listing]
    google.server.faults.reset(Fault(line, at=page, **BREAKS[broken]))
    check(google, whole, area, f"{listing}, page {page}: {broken}")


@pytest.mark.parametrize("groups_too", [True, False], ids=["groups inside count", "only users count"])
def test_a_group_may_count_groups_inside_it_or_not(google: Served, monkeypatch: pytest.MonkeyPatch, groups_too: bool) -> None:
    """Google's words are "the number of users that are direct members"; whether groups are among them it does not say."""

    def shown(customer: Any, row: Row) -> Row:
        kinds = [member["type"] for member in customer.members[row["id"]].values()]
        return row | {"directMembersCount": str(len(kinds) if groups_too else kinds.count("USER"))}

    monkeypatch.setattr(google_groups, "_shown", shown)
    found = [a for a in answers(google) if isinstance(a, Ended) and a.scope.startswith("members of group0")]
    assert [(a.rows, a.declared) for a in found] == [(found[0].rows, found[0].rows)]


STAYING = {
    "a server error",
    "no permission",
    "the same page again",
    "an empty page",
    "the end too early",
    "rows that are missing",
    "a page that has expired",
}
# For good, and the same on both ways: only the comparison with earlier nights can tell.
SILENT = {"the end too early", "rows that are missing"}
UNORDERED = {"role assignments", "licences", "applications let in"}


FOR_GOOD = [(listing, broken) for listing in LISTINGS for broken in sorted(STAYING - (SILENT if listing in UNORDERED else set()))]


@pytest.mark.parametrize(("listing", "broken"), some(FOR_GOOD, 8))
def test_what_stays_broken_makes_no_short_answer(google: Served, whole: list[Answer], listing: str, broken: str) -> None:
    line, _, area = LISTINGS[listing]
    line = line.replace("maxResults=200", "").replace("maxResults=1000", "")
    google.server.faults.reset(Fault(line, at=0, **BREAKS[broken]))
    check(google, whole, area, f"{listing}: {broken}")


@pytest.fixture(scope="module")
def whole(google: Served) -> list[Answer]:
    google.server.faults.reset()
    google.server.tokens.delegated = None
    return answers(google)


def check(google: Served, whole: list[Answer], area: str | None, case: str) -> None:
    """An error; or, for an area that may be missing, a word about it; or exactly the answer of an unbroken read."""
    try:
        found = answers(google)
    except SourceError:
        assert area is None, f"{case}: one area took the source with it"
        return
    if [a for a in found if isinstance(a, Ended) and a.declared not in (None, a.rows)]:
        return  # the pull refuses what does not agree with its own count
    if [a for a in found if isinstance(a, Identity)] != [a for a in whole if isinstance(a, Identity)]:
        return  # the pull refuses whoever is not the one of the nights before
    missing = {a.area for a in found if isinstance(a, Unreadable)}
    assert missing <= {area}, case
    assert accounts(found) == accounts(whole), case
    assert held(found) == {grant for grant in held(whole) if AREA_OF_KIND[grant[1]] not in missing}, case


@pytest.mark.parametrize(("listing", "name"), [
    ("users", "id"), ("users from the other end", "id"), ("groups", "id"), ("members", "type"), ("roles", "roleId"),
    ("role assignments", "assignedTo"), ("devices", "resourceId"), ("licences", "skuId"), ("applications let in", "clientId"),
])  # fmt: skip
def test_a_row_without_what_it_is_known_by_is_no_row(google: Served, whole: list[Answer], listing: str, name: str) -> None:
    line, _, area = LISTINGS[listing]
    google.server.faults.reset(Fault(line, "drop_field", 0, name))
    check(google, whole, area, f"{listing} without {name}")


LIES = ["one row that is null", "rows that are texts", "one id that is empty", "one id that is a number", "one row with its id alone",
        "a next link that is a number", "the first row twice"]  # fmt: skip


@pytest.mark.parametrize(("listing", "lie"), some(product(("users", "groups", "members", "devices"), LIES), 5))
def test_an_answer_that_lies_once_makes_no_wrong_one(google: Served, whole: list[Answer], listing: str, lie: str) -> None:
    google.server.faults.reset(Fault(LISTINGS[listing][0], "spoil", 1, lie))
    check(google, whole, LISTINGS[listing][2], f"{listing}: {lie}")


def test_letters_that_no_header_takes_are_no_token(google: Served) -> None:
    google.server.faults.reset(Fault("POST .*token", "spoil", 0, "bytes that are no UTF-8"))
    with pytest.raises(Incomplete, match="no token"):
        answers(google)


def test_employee_ids_are_told_by_both_ways(google: Served, whole: list[Answer]) -> None:
    """Left out on one page of one way, they look like nobody's accounts; the other way tells them."""
    google.server.faults.reset(Fault(LISTINGS["users"][0], "drop_field", 1, "externalIds"))
    assert accounts(answers(google)) == accounts(whole)
    google.server.faults.reset(Fault(LISTINGS["users"][0], "drop_field", 0, "externalIds"))
    with pytest.raises(SourceError, match="neither is believed"):
        answers(google)


# --- counts, changes meanwhile, time ------------------------------------------------------------------------------


def test_somebody_who_is_made_while_we_read_is_no_error(google: Served, whole: list[Answer]) -> None:
    """The first listing lacks the last person, the second has everybody: both are read again, and agree."""
    google.server.faults.reset(Fault(LISTINGS["users"][0], "hide_rows", 3, 1))
    assert accounts(answers(google)) == accounts(whole)


def test_two_ways_that_never_agree_are_not_believed() -> None:
    never = Twice("users", lambda: Listed([1, 2], 1), keys(str), lambda: hashes(["1"]))
    with pytest.raises(Incomplete, match=r"2 came one way and 1 the other"):
        never.sure()


@pytest.mark.parametrize(("minutes", "begins"), [(10, 1), (61, 3)], ids=["a young listing gives up", "an old one begins again"])
def test_a_listing_older_than_an_hour_begins_again(minutes: int, begins: int) -> None:
    """Google ends a chain of pages after sixty minutes with 503; the same 503 earlier is an outage."""
    clock, asked = iter(range(0, 10**9, minutes * 60)), []

    class Slow:
        def get(self, url: str) -> dict[str, Any]:
            asked.append(url)
            if "pageToken" in url:
                raise Incomplete("503 backendError")
            return {"users": [{"id": "1"}], "nextPageToken": "two"}

    request = type("Worded", (), {"uri": "https://admin.googleapis.com/users?x=1"})
    with pytest.raises(Incomplete):
        listed(Slow(), request, "users", dict, lambda: float(next(clock)))  # type: ignore[arg-type] # an Api that gets
    assert len([url for url in asked if "pageToken" not in url]) == begins


def test_an_expired_page_begins_the_listing_again_and_not_for_ever() -> None:
    asked = []

    class Expiring:
        def get(self, url: str) -> dict[str, Any]:
            asked.append(url)
            if "pageToken" in url and len(asked) < 4:
                raise PageExpired("page token")
            return (
                {"users": [{"id": str(len(asked))}]} if "pageToken" in url else {"users": [{"id": "1"}], "nextPageToken": "two"}
            )

    request = type("Worded", (), {"uri": "https://admin.googleapis.com/users"})
    found = listed(Expiring(), request, "users", dict)  # type: ignore[arg-type] # an Api that gets
    assert (len(asked), found.pages, len(found.rows)) == (4, 2, 2)


def test_a_quota_is_kept() -> None:
    """Three calls in any ten seconds: the fourth waits until the first is ten seconds old."""
    now, waits = [0.0], []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    pace = Pace(3, 10.0, lambda: now[0], wait)
    for _ in range(7):
        pace()
        now[0] += 1
    assert [seconds for seconds in waits if seconds] == [7.0, 7.0]


def test_licences_come_at_the_licence_managers_pace(google: Served, whole: list[Answer]) -> None:
    """A server that answers 503 to haste: the reader is never hasty."""
    google.server.answer.licences.seconds = 0.02  # type: ignore[attr-defined] # the answer is this server's own
    try:
        found = answers(google, licence_queries_per_minute=2000)
    finally:
        google.server.answer.licences.seconds = 0.0  # type: ignore[attr-defined] # the answer is this server's own
    assert held(found) == held(whole)


def test_no_secret_is_in_what_is_said(google: Served, tmp_path: Path) -> None:
    google.server.faults.reset(Fault(f"GET {US}users", "status", 0, 500))
    with pytest.raises(SourceError) as problem:
        answers(google)
    assert "ya29" not in str(problem.value)
    assert "PRIVATE" not in repr(settings(google))


# --- how far the reader's own role reaches ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_units(google: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A company whose user 5 may read users, in one unit; so does user 2, who is in a group that may read all of them."""
    customer = company(8, 3)
    role, staff = customer.put_role("Reads users"), customer.org_units["/Staff"]["orgUnitId"]
    for n in (2, 5):
        customer.change_user(mail(n), archived=False, isDelegatedAdmin=True)
        customer.assign(role, customer.id_of(mail(n)) or "", staff)
    customer.leave("group2@example.com", mail(5))
    customer.assign(role, customer.group_of("group2@example.com") or "")
    made = served(customer)
    made.services["key"] = tmp_path_factory.mktemp("units") / "key.json"
    made.services["key"].touch(0o600)
    made.services["key"].write_text(made.server.key_file())
    yield made
    made.close()


def test_a_reader_that_is_bound_to_a_unit_is_not_believed(in_units: Served) -> None:
    """Google lists the unit's users as if there were no others: the administrator, in another one, is not seen."""
    with pytest.raises(Incomplete, match=r"bound to organisational units \(.+\): it sees only their users"):
        answers(in_units, subject=mail(5))


@pytest.mark.parametrize(
    "reader", [ADMIN, mail(2)], ids=["a super administrator", "one who is in a group that may see everybody"]
)
def test_a_reader_whose_role_is_of_the_whole_customer_is_believed(in_units: Served, reader: str) -> None:
    assert ADMIN in accounts(answers(in_units, subject=reader))


def test_what_a_reader_bound_to_a_unit_sees(in_units: Served) -> None:
    listed = in_units.session(mail(5)).get(f"{in_units.url}/admin/directory/v1/users?customer=my_customer").json()["users"]
    assert len(listed) == 7 and ADMIN not in {one["primaryEmail"] for one in listed}
