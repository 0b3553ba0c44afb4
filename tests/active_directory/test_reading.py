"""The directory reader against a real server on this machine: everything, or an error; never a short answer."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.active_directory import ATTEMPTS, Settings, read
from reconciler.connector import AccessRefused, Answer, Context, Ended, Identity, Incomplete, Late, Noticed, Page, Unreadable
from reconciler.sandbox.directory import Directory
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.tls import Authority
from tests.sampling import some
from tests.sandbox.ldap_estate import ADMIN, BASE, NOW, READ, READER, STAFF, estate

PEOPLE = 60
PAGE = 40
ANN = f"CN=Ann Boss,{STAFF}"
# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Read = Callable[..., list[Answer]]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def ca_file(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    path.write_text(authority.pem)
    return path


@pytest.fixture
def settings(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    monkeypatch.setenv("READER_PASSWORD", READ)

    def made(*servers: LdapServer, **keys: Any) -> Settings:
        usual = {"kind": "active_directory", "urls": [server.url for server in servers], "bases": [BASE], "username": READER,
                 "password": "env:READER_PASSWORD", "ca_file": str(ca_file), "page_size": PAGE}  # fmt: skip
        return Settings.model_validate(usual | keys)

    return made


@pytest.fixture
def reading(settings: Callable[..., Settings]) -> Read:
    return lambda *servers, **keys: list(read(settings(*servers, **keys), Context("ad", NOW)))


@dataclass
class Domain:
    directory: Directory
    server: LdapServer


@pytest.fixture(scope="module")
def domain(authority: Authority) -> Iterator[Domain]:
    directory = estate(PEOPLE)
    for login in ("gone", "left"):
        directory.user(f"CN={login},{STAFF}", login)
        directory.delete(f"CN={login},{STAFF}")
    with LdapServer(directory, Faults(), authority.context()) as server:
        yield Domain(directory, server)


@pytest.fixture
def serve(authority: Authority) -> Iterator[Callable[..., LdapServer]]:
    """More servers, for a directory of the test's own."""
    running = []

    def start(directory: Directory, *script: Fault, **keys: Any) -> LdapServer:
        running.append(LdapServer(directory, Faults(list(script)), **({"tls": authority.context()} | keys)).start())
        return running[-1]

    yield start
    for server in running:
        server.close()


def rows(found: list[Answer], table: str) -> list[dict[str, Any]]:
    pages = [answer for answer in found if isinstance(answer, Page) and answer.table == table]
    return [row for page in pages for row in page.rows()]


def whole(found: list[Answer]) -> tuple[Any, ...]:
    """An answer without regard to order."""
    tables = ("accounts", "entitlements", "grants")
    return tuple(sorted(map(repr, rows(found, table))) for table in tables)


def by_login(found: list[Answer]) -> dict[str, dict[str, Any]]:
    return {row["login"]: row for row in rows(found, "accounts")}


def held(found: list[Answer]) -> set[tuple[str, str, str]]:
    accounts = {row["account_id"]: row["login"] for row in rows(found, "accounts")}
    groups = {row["entitlement_id"]: row["name"] for row in rows(found, "entitlements")}
    return {(accounts[row["account_id"]], groups[row["entitlement_id"]], row["via"]) for row in rows(found, "grants")}


# --- everything -----------------------------------------------------------------------------------------------------


def test_everybody_is_read_and_counted(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset()
    found = reading(domain.server)
    accounts = by_login(found)
    assert len([login for login in accounts if login.startswith("user")]) == PEOPLE
    assert [answer.value for answer in found if isinstance(answer, Identity)] == [domain.directory.domain_sid]
    assert all(ended.rows == ended.declared for ended in found if isinstance(ended, Ended) and ended.declared is not None)
    assert (accounts["ann"]["employee_id"], accounts["zoe"]["manager_account_id"]) == ("00042", accounts["ann"]["account_id"])
    states = {
        login: (accounts[login]["enabled"], accounts[login]["state_reason"]) for login in ("ann", "john", "expired", "locked")
    }
    assert states == {"ann": (True, None), "john": (False, "disabled"), "expired": (False, "expired"), "locked": (True, "locked")}
    kinds = {login: accounts[login]["kind"] for login in ("Administrator", "krbtgt", "PC1$", "svc", "Partner", "zoe")}
    assert kinds == {
        "Administrator": "builtin",
        "krbtgt": "builtin",
        "PC1$": "computer",
        "svc": "service",
        "Partner": "contact",
        "zoe": "person",
    }
    assert {row["mfa"] for row in accounts.values()} == {None}


def test_memberships_are_direct_nested_and_primary(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset()
    found = held(reading(domain.server))
    expected = {
        ("ann", "Circle", "direct"),
        ("ann", "Inner", "nested"),
        ("ann", "Outer", "nested"),
        ("zoe", "Domain Users", "primary"),
    }
    assert expected <= found
    assert len([group for _, group, via in found if (group, via) == ("Large", "direct")]) == PEOPLE


@pytest.mark.parametrize("number", [1499, 1500, 1501, 3000, 3001])
def test_large_groups_are_read_to_the_end(serve: Any, reading: Read, number: int) -> None:
    found = held(reading(serve(estate(number)), page_size=1000))
    assert len([login for login, group, via in found if (group, via) == ("Large", "direct")]) == number


def test_an_administrator_by_primary_group_is_privileged(serve: Any, reading: Read) -> None:
    directory = estate()
    directory.change(ANN, primaryGroupID=512)
    accounts = by_login(reading(serve(directory)))
    assert {login for login, row in accounts.items() if row["privileged"]} == {"Administrator", "DC1$", "ann"}


def test_the_deleted_are_told_from_the_unseen(serve: Any, reading: Read) -> None:
    directory = estate(3)
    guid = str(directory.node("CN=User 1," + STAFF).guid.hex())
    directory.delete(f"CN=User 1,{STAFF}")
    row = by_login(reading(serve(directory)))["user1"]
    assert (row["enabled"], row["state_reason"], row["container"]) == (False, "deleted", STAFF)
    assert bytes.fromhex(guid)[8:].hex() == row["account_id"].replace("-", "")[16:]


def test_thousands_of_nested_groups_are_read_in_time(serve: Any, reading: Read) -> None:
    directory = estate(200)
    names = [f"CN=Group {number},{STAFF}" for number in range(2500)]
    for number, dn in enumerate(names):
        directory.group(dn, f"group{number}")
        directory.join(dn, *(f"CN=User {(number * 7 + n) % 200},{STAFF}" for n in range(20)))
    for number, dn in enumerate(names[1:], 1):
        directory.join(names[number // 5], dn)
    begun = datetime.now(UTC)
    found = reading(serve(directory), page_size=1000)
    assert len({group for _, group, via in held(found) if via == "nested"}) > 490
    assert datetime.now(UTC) - begun < timedelta(seconds=30)


# --- whole, or an error ---------------------------------------------------------------------------------------------

STRIKES: list[tuple[str, dict[str, Any]]] = [
    ("busy", {"do": "status", "value": 51}),
    ("too many", {"do": "status", "value": 4}),
    ("no such object", {"do": "status", "value": 32}),
    ("no right", {"do": "status", "value": 50}),
    ("an expired cookie", {"do": "expired_token"}),
    ("cut", {"do": "cut", "value": 3000}),
    ("nothing", {"do": "cut", "value": 0}),
    ("a page again", {"do": "repeat_token"}),
    ("an empty page", {"do": "empty_page"}),
    ("an end too early", {"do": "no_more"}),
    ("noise", {"do": "garbage"}),
    ("hidden rows", {"do": "hide_rows", "value": 3}),
    ("no id", {"do": "drop_field", "value": "objectGUID"}),
    ("no employee id", {"do": "drop_field", "value": "employeeID"}),
    ("no members", {"do": "drop_field", "value": "member"}),
    ("no SID", {"do": "drop_field", "value": "objectSid"}),
]


@pytest.mark.parametrize("fault", [case[1] for case in STRIKES], ids=[case[0] for case in STRIKES])
def test_a_fault_on_any_page_is_an_error_or_overcome(domain: Domain, reading: Read, fault: dict[str, Any]) -> None:
    """One strike on the k-th search, for every k; the read that follows must be whole, or there is none."""
    domain.server.faults.reset()
    complete = whole(reading(domain.server))
    searches = [line for line in domain.server.faults.requests if line.startswith("search")]
    striking = [at for at, line in enumerate(searches, 1) if "attributeSchema" not in line or at % 4 == 0]
    assert len(striking) > 15
    for at in some(striking, 9):
        domain.server.faults.reset(Fault("^search ", at=at, **fault))
        assert outcome(reading, domain) in (complete, None), (at, searches[at - 1])


def outcome(reading: Read, domain: Domain) -> Any:
    """The answer, or None when the reader says that there is none."""
    try:
        return whole(reading(domain.server))
    except (Incomplete, AccessRefused):
        return None


LISTINGS = [
    ("the users", r"^search [^ ]+ \(\|\(objectClass=user\).*objectGUID"),
    ("the count of users", r"^search [^ ]+ \(\|\(objectClass=user\).* 1\.1"),
    ("the groups", r"^search [^ ]+ \(objectClass=group\).*objectGUID"),
]


@pytest.mark.parametrize(("on", "fault"), some(((on, fault) for _, on in LISTINGS for _, fault in STRIKES), 4))
def test_a_fault_that_stays_is_an_error(domain: Domain, reading: Read, on: str, fault: dict[str, Any]) -> None:
    domain.server.faults.reset()
    complete = whole(reading(domain.server))
    domain.server.faults.reset(Fault(on, at=0, **fault))
    assert outcome(reading, domain) in (complete, None)


@pytest.mark.parametrize(
    "fault", [case[1] for case in STRIKES if case[0] != "an empty page"], ids=[c[0] for c in STRIKES if c[0] != "an empty page"]
)
def test_a_server_that_is_always_broken_gives_nothing(domain: Domain, reading: Read, fault: dict[str, Any]) -> None:
    """Not even when it breaks every count in the same way: who is in a group, and in no listing, is looked for."""
    domain.server.faults.reset(Fault(r"objectClass=user|objectClass=group|^search CN=", at=0, **fault))
    shown = outcome(reading, domain)
    if fault.get("value") in ("employeeID", "member"):
        assert shown is None
    assert shown is None


CODES = [1, 3, 4, 10, 11, 12, 32, 50, 51, 52, 53, 80]


@pytest.mark.parametrize("code", CODES)
def test_any_code_but_success_ends_a_page(domain: Domain, reading: Read, code: int) -> None:
    domain.server.faults.reset(Fault(r"objectClass=user.*objectGUID", "status", 0, code))
    with pytest.raises(Incomplete, match=f": {code} "):
        reading(domain.server)


def test_a_server_that_a_referral_names_hears_nothing(domain: Domain, reading: Read) -> None:
    """Not a byte: a client that followed would sign in there with our password."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}/{BASE}"
        domain.server.faults.reset(Fault(r"objectClass=user.*objectGUID", "status", 0, 10, body=url))
        with pytest.raises(Incomplete, match="that is never followed"):
            reading(domain.server)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_a_server_that_stalls_is_given_up(domain: Domain, reading: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors._ldap.ANSWER_SECONDS", 0.1)
    domain.server.faults.reset(Fault(r"objectClass=user.*objectGUID", "delay", 0, 0.4))
    with pytest.raises(Incomplete, match="no answer in time; is the server overloaded"):
        reading(domain.server)


def test_two_readers_of_one_account_do_not_disturb_each_other(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset(Fault("^search", "short_pages", 0, 7))
    with ThreadPoolExecutor(2) as readers:
        one, other = readers.map(lambda _: whole(reading(domain.server)), range(2))
    assert one == other and len(one[0]) >= PEOPLE


def test_every_night_reads_everything(domain: Domain, reading: Read) -> None:
    """No change numbers, no cookies of an earlier night: what one reading asks the next one asks again."""
    asked = []
    for _ in range(2):
        domain.server.faults.reset()
        reading(domain.server)
        asked.append(list(domain.server.faults.requests))
    assert asked[0] == asked[1]
    assert not [line for line in asked[0] if "uSNChanged>" in line or "uSNChanged=" in line]


@pytest.fixture(scope="module")
def large(authority: Authority) -> Iterator[Domain]:
    """A group whose members do not fit into one answer."""
    directory = estate(1600)
    with LdapServer(directory, Faults(), authority.context()) as server:
        yield Domain(directory, server)


@pytest.mark.parametrize("at", [1, 0], ids=["once", "always"])
@pytest.mark.parametrize("fault", [case[1] for case in STRIKES[:7]], ids=[case[0] for case in STRIKES[:7]])
def test_a_fault_in_a_range_is_an_error_or_overcome(large: Domain, reading: Read, fault: dict[str, Any], at: int) -> None:
    large.server.faults.reset(Fault("^search .*member;range", at=at, **fault))
    try:
        found = held(reading(large.server, page_size=1000, bases=[STAFF]))
    except Incomplete:
        return
    assert at == 1
    assert len([login for login, group, via in found if (group, via) == ("Large", "direct")]) == 1600


# --- beginning anew -------------------------------------------------------------------------------------------------


def test_a_broken_read_begins_anew_on_the_next_server(serve: Any, reading: Read) -> None:
    directory = estate(PEOPLE)
    broken, sound = serve(directory, Fault("objectGUID", "cut", 2, 500)), serve(directory)
    assert len(by_login(reading(broken, sound))) == PEOPLE + 13
    binds = [[line for line in server.faults.requests if line.startswith("bind")] for server in (broken, sound)]
    assert list(map(len, binds)) == [1, 1]


def test_a_read_begins_anew_three_times_at_most(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset(Fault(r"objectClass=user.*objectGUID", "status", 0, 51))
    with pytest.raises(Incomplete, match="51 busy"):
        reading(domain.server)
    assert len([line for line in domain.server.faults.requests if line.startswith("bind")]) == ATTEMPTS


def test_the_next_server_is_asked_when_one_cannot_be_reached(serve: Any, reading: Read) -> None:
    directory = estate(2)
    gone, sound = serve(directory), serve(directory)
    gone.close()
    assert "user1" in by_login(reading(gone, sound))
    with pytest.raises(Incomplete, match="cannot be reached"):
        reading(gone)


# --- what cannot be seen --------------------------------------------------------------------------------------------


def test_members_of_a_hidden_container_are_missed(serve: Any, reading: Read) -> None:
    directory = estate(3)
    directory.move(f"CN=Large,{STAFF}", f"CN=Large,CN=Users,{BASE}")
    directory.hide(STAFF, READER)
    with pytest.raises(Incomplete, match=r"is in a group and below a base, but cannot be seen.*List Contents"):
        reading(serve(directory))


def test_members_that_are_no_accounts_are_no_reason(serve: Any, reading: Read) -> None:
    directory = estate(3)
    directory.put(f"CN=Printer,{STAFF}", {"objectClass": "printQueue"})
    directory.put(f"CN=S-1-5-21-9-9-9-1104,CN=ForeignSecurityPrincipals,{BASE}", {"objectClass": "foreignSecurityPrincipal"})
    directory.join(f"CN=Large,{STAFF}", f"CN=Printer,{STAFF}", f"CN=S-1-5-21-9-9-9-1104,CN=ForeignSecurityPrincipals,{BASE}")
    assert "user1" in by_login(reading(serve(directory)))


def test_members_outside_the_bases_are_no_reason(serve: Any, reading: Read) -> None:
    directory = estate(3)
    directory.join(f"CN=Large,{STAFF}", ADMIN)
    accounts = by_login(reading(serve(directory), bases=[STAFF]))
    assert "Administrator" not in accounts
    assert {row["privileged"] for row in accounts.values()} == {None}  # the administrators' groups are out of sight


def test_an_id_that_may_not_be_read_is_no_account(serve: Any, reading: Read) -> None:
    directory = estate(3)
    directory.hide_attribute("objectGUID", READER)
    with pytest.raises(Incomplete, match=r"objectGUID .* may not be read"):
        reading(serve(directory))


def test_groups_whose_sids_may_not_be_read_are_no_answer(domain: Domain, reading: Read) -> None:
    """A primary group is known by its SID alone: without it, who is in there by it is in no group."""
    domain.server.faults.reset(Fault(LISTINGS[2][1], at=0, do="drop_field", value="objectSid"))
    with pytest.raises(Incomplete, match=r"the objectSid of \d+ groups may not be read"):
        reading(domain.server)


def test_a_domain_without_sign_ins_says_so(serve: Any, reading: Read) -> None:
    directory = estate(3)
    directory.hide_attribute("lastLogonTimestamp", READER)
    assert [answer.area for answer in reading(serve(directory)) if isinstance(answer, Unreadable)] == ["sign_in"]


def test_an_attribute_that_the_schema_lacks_is_named(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset()
    with pytest.raises(Incomplete, match="no attribute 'employeeNumbr'; did you mean employeeNumber"):
        reading(domain.server, employee_id="employeeNumbr")


def test_a_base_that_is_not_there_is_no_empty_directory(domain: Domain, reading: Read) -> None:
    domain.server.faults.reset()
    with pytest.raises(Incomplete, match="noSuchObject"):
        reading(domain.server, bases=[f"OU=Gone,{BASE}"])


# --- signing in -----------------------------------------------------------------------------------------------------

BARRED: list[tuple[str, dict[str, Any], str]] = [
    ("a wrong password", {}, "user name or the password is wrong"),
    ("disabled", {"userAccountControl": 514}, "disabled"),
    ("expired", {"accountExpires": 132000000000000000}, "has expired"),
    ("to be changed", {"pwdLastSet": 0}, "must be changed"),
    ("locked", {"lockoutTime": NOW}, "locked out"),
]


@pytest.mark.parametrize(("state", "told"), [case[1:] for case in BARRED], ids=[case[0] for case in BARRED])
def test_a_refused_reader_tries_once(
    serve: Any, reading: Read, monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], told: str
) -> None:
    directory = estate()
    server, next_one = serve(directory), serve(directory)
    if state:
        directory.change(READER_DN, **state)
    else:
        monkeypatch.setenv("READER_PASSWORD", "Wr0ng-canary")
    with pytest.raises(AccessRefused, match=told) as refused:
        reading(server, next_one)
    assert "canary" not in str(refused.value)
    assert server.faults.requests + next_one.faults.requests == [f"bind {READER}"]


READER_DN = f"CN=Reader,{STAFF}"


def test_start_tls_on_a_clear_port(serve: Any, reading: Read, authority: Authority) -> None:
    server = serve(estate(2), tls=None, start_tls=authority.context())
    assert "user1" in by_login(reading(server))
    assert server.faults.requests[0] == "extended 1.3.6.1.4.1.1466.20037"


def test_a_certificate_of_somebody_else_is_not_trusted(serve: Any, reading: Read) -> None:
    server = serve(estate(2), tls=Authority("another").context())
    with pytest.raises(Incomplete, match=r"certificate is not accepted.*ca_file"):
        reading(server)
    assert server.faults.requests == []


@pytest.mark.parametrize(
    ("names", "begins", "ends", "told"),
    [(("dc1.test",), -1, 7, "name the server as its certificate does"), (("127.0.0.1",), -9, -2, "renew it")],
    ids=["another host's", "expired"],
)
def test_a_certificate_must_be_good(
    serve: Any, reading: Read, authority: Authority, names: Any, begins: int, ends: int, told: str
) -> None:
    server = serve(estate(2), tls=authority.context(names, begins, ends))
    with pytest.raises(Incomplete, match=told):
        reading(server)
    assert server.faults.requests == []


# --- what no policy asks about ---------------------------------------------------------------------------------------


def test_what_a_person_should_sort_out_is_told(serve: Any, reading: Read) -> None:
    """Groups in a circle, an account that needs no password, and twins of a replication conflict."""
    directory = estate()
    directory.user(f"CN=Open,{STAFF}", "open", userAccountControl=0x220)
    directory.user(f"CN=Shut,{STAFF}", "shut", userAccountControl=0x222)
    directory.user(f"CN=Old,{STAFF}", "old", userAccountControl=0x220)
    directory.delete(f"CN=Old,{STAFF}")
    twin = f"CN=Ann Boss\\0ACNF:0f0e0d0c-0b0a-0908-0706-050403020100,{STAFF}"
    directory.user(twin, "$DUPLICATE-452")
    directory.group(f"CN=Large\\0ACNF:1f0e0d0c-0b0a-0908-0706-050403020100,{STAFF}", "$DUPLICATE-453")
    found = reading(serve(directory))
    told, by_hand = zip(*((one.told, one.by_hand) for one in found if isinstance(one, Noticed)), strict=True)
    accounts = by_login(found)
    assert told[0] == "1 enabled account may have an empty password (PASSWD_NOTREQD is set): open"
    assert told[1].startswith("1 account renamed by a replication conflict") and twin.lower() in told[1]
    assert "1 group renamed by a replication conflict" in told[2] and "cn=large" in told[2]
    assert told[3] == "3 groups in a circle of groups, each of which contains itself: Circle, Inner, Outer"
    both = {accounts[login]["account_id"] for login in ("ann", "$DUPLICATE-452")}
    assert [set(ids) for ids in by_hand] == [set(), both, set(), set()]


@pytest.mark.parametrize(("interval", "late"), [(None, 14), (5, 5), (60, 60), (0, None)])
def test_how_late_sign_ins_are_told_is_the_domains_own(serve: Any, reading: Read, interval: int | None, late: int | None) -> None:
    directory = estate()
    if interval is not None:
        directory.change(BASE, **{"msDS-LogonTimeSyncInterval": interval})
    directory.change(ANN, lastLogonTimestamp=NOW)
    found = reading(serve(directory))
    assert [one.delay.days for one in found if isinstance(one, Late)] == ([] if late is None else [late])
    assert [one.area for one in found if isinstance(one, Unreadable)] == (["sign_in"] if late is None else [])


# --- the server's limits ----------------------------------------------------------------------------------------------


def test_nobody_waits_on_an_open_connection(domain: Domain, settings: Callable[..., Settings]) -> None:
    """A server ends a connection that is idle for a quarter of an hour: by the first answer everything was read, and nothing is asked later."""
    domain.server.faults.reset()
    answers = read(settings(domain.server), Context("ad", NOW))
    next(answers)
    asked = len(domain.server.faults.requests)
    assert [answer.rows == answer.declared for answer in answers if isinstance(answer, Ended) and answer.declared is not None]
    assert len(domain.server.faults.requests) == asked > 3


def test_a_page_is_never_larger_than_a_server_gives(domain: Domain, settings: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match="less than or equal to 1000"):
        settings(domain.server, page_size=1001)
