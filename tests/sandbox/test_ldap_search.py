"""Searches: scopes, names, what is shown, pages, limits, ranges, rights, deleted objects; as Active Directory has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ldap3
import pytest
from ldap3.protocol.rfc2696 import paged_search_control

from reconciler.sandbox.directory import Directory
from reconciler.sandbox.directory_names import guid_text
from reconciler.sandbox.ldap_server import LdapServer
from tests.sandbox.ldap_estate import ADMIN, BASE, READ, READER, STAFF, client, code, estate, found

PAGED = "1.2.840.113556.1.4.319"
PEOPLE = 3100
USERS = "(&(objectClass=user)(cn=User *))"
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)


@pytest.fixture(scope="module")
def directory() -> Directory:
    return estate(PEOPLE)


@pytest.fixture(scope="module")
def server(directory: Directory) -> Iterator[LdapServer]:
    with LdapServer(directory, allow_clear=True) as made:
        yield made


@pytest.fixture
def connection(server: LdapServer) -> Iterator[Any]:
    with client(server) as made:
        yield made


def page(connection: Any, size: int, cookie: bytes = b"", **keys: Any) -> tuple[set[str], bytes | None]:
    """One page: the names in it, and the cookie; None when the answer has no paging control."""
    answers = found(connection, controls=[paged_search_control(True, size, cookie)], **({"expression": USERS} | keys))
    told = (connection.result.get("controls") or {}).get(PAGED)
    return set(answers), told["value"]["cookie"] or b"" if told else None


# --- where ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "number"),
    [(ldap3.BASE, 1), (ldap3.LEVEL, PEOPLE + 12), (ldap3.SUBTREE, PEOPLE + 13)],
    ids=["itself", "children", "below"],
)
def test_scopes(connection: Any, scope: str, number: int) -> None:
    names, cookie = set(), b""
    while True:
        more, told = page(connection, 1000, cookie, expression="(objectClass=*)", base=STAFF, search_scope=scope)
        names |= more
        if not told:
            break
        cookie = told
    assert len(names) == number


def test_names_lead_to_objects_in_every_form(connection: Any, directory: Directory) -> None:
    entry = directory.entry(f"CN=Ann Boss,{STAFF}")
    guid = guid_text(entry["objectGUID"][0])
    forms = (f"<GUID={guid}>", f"<GUID={entry['objectGUID'][0].hex()}>", f"<SID={directory.domain_sid}-500>",
             f"<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,{BASE}>", f"cn=ANN boss,ou=staff,{BASE}", f"CN=Smith\\2C John,{STAFF}")  # fmt: skip
    assert [list(found(connection, base=form, search_scope=ldap3.BASE)) for form in forms] == [
        [f"CN=Ann Boss,{STAFF}"], [f"CN=Ann Boss,{STAFF}"], [ADMIN], [f"CN=Users,{BASE}"], [f"CN=Ann Boss,{STAFF}"],
        [f"CN=Smith\\, John,{STAFF}"],
    ]  # fmt: skip


MISSING = [
    ("no such object", f"CN=Gone,{STAFF}", 32, "NO_OBJECT"),
    ("no such GUID", "<GUID=00000000-0000-0000-0000-000000000001>", 32, "NO_OBJECT"),
    ("another domain is a referral", "DC=other,DC=test", 10, "RefErr"),
    ("no name at all", "Administrator", 34, "BAD_NAME"),
    ("a tombstone, without the control", f"CN=Deleted Objects,{BASE}", 32, "NO_OBJECT"),
]


@pytest.mark.parametrize(("base", "expected", "text"), [case[1:] for case in MISSING], ids=[case[0] for case in MISSING])
def test_what_is_not_there_has_its_code(connection: Any, base: str, expected: int, text: str) -> None:
    found(connection, base=base)
    assert code(connection) == expected
    assert text in connection.result["message"]


def test_the_nearest_container_is_named(connection: Any) -> None:
    found(connection, base=f"CN=a,OU=Gone,{STAFF}")
    assert connection.result["dn"] == STAFF


def test_the_configuration_is_a_partition_of_its_own(connection: Any) -> None:
    found(connection, "(objectClass=crossRef)")
    references = [answer["uri"] for answer in connection.response if answer["type"] == "searchResRef"]
    assert references == [[f"ldap://corp.example.com/CN=Configuration,{BASE}"]]
    assert len(found(connection, "(objectClass=crossRef)", f"CN=Partitions,CN=Configuration,{BASE}")) == 3


# --- what is shown --------------------------------------------------------------------------------------------------


def test_attributes_are_shown_as_asked(connection: Any) -> None:
    def shown(*attributes: str) -> set[str]:
        return set(found(connection, "(sAMAccountName=ann)", attributes=list(attributes))[f"CN=Ann Boss,{STAFF}"])

    assert shown("1.1") == set()
    assert shown("MAIL", "nosuchattribute") == {"mail"}
    everything = shown("*")
    assert {"objectGUID", "objectSid", "memberOf", "directReports", "whenCreated", "uSNChanged"} <= everything
    assert not everything & {"canonicalName", "tokenGroups", "unicodePwd", "msDS-User-Account-Control-Computed"}
    assert shown("*", "canonicalName") == everything | {"canonicalName"}


def test_constructed_attributes(connection: Any, directory: Directory) -> None:
    asked = ["canonicalName", "tokenGroups", "msDS-User-Account-Control-Computed", "msDS-UserPasswordExpiryTimeComputed"]
    (ann,) = found(connection, base=f"CN=Ann Boss,{STAFF}", search_scope=ldap3.BASE, attributes=asked).values()
    assert ann["canonicalName"] == [b"corp.example.com/Staff/Ann Boss"]
    assert ann["msDS-UserPasswordExpiryTimeComputed"] == [b"9223372036854775807"]
    groups = {directory.sids[sid].dn.partition(",")[0] for sid in ann["tokenGroups"]}
    assert groups == {"CN=Domain Users", "CN=Users", "CN=Circle", "CN=Inner", "CN=Outer"}
    (locked,) = found(connection, base=f"CN=Locked,{STAFF}", search_scope=ldap3.BASE, attributes=asked).values()
    assert locked["msDS-User-Account-Control-Computed"] == [b"16"]
    found(connection, attributes=["tokenGroups"])
    assert code(connection) == 1  # of one object only


def test_the_primary_group_is_in_no_list(connection: Any) -> None:
    (ann,) = found(connection, "(sAMAccountName=ann)", attributes=["memberOf", "primaryGroupID"]).values()
    assert ann == {"memberOf": [f"CN=Circle,{STAFF}".encode()], "primaryGroupID": [b"513"]}
    (users,) = found(connection, "(sAMAccountName=Domain Users)", attributes=["member"]).values()
    assert users == {}


def test_types_without_values(connection: Any) -> None:
    (ann,) = found(connection, "(sAMAccountName=ann)", attributes=["mail"], types_only=True).values()
    assert ann == {"mail": []}


def test_sorted_on_request(connection: Any) -> None:
    sort = ("1.2.840.113556.1.4.473", False, b"\x30\x06\x30\x04\x04\x02cn")
    connection.search(STAFF, "(|(cn=Zo*)(cn=Ann*)(cn=Lo*))", attributes=["cn"], controls=[sort])
    assert [a["dn"].partition(",")[0] for a in connection.response if a["type"] == "searchResEntry"] == [
        "CN=Ann Boss", "CN=Locked", "CN=Zoë Müller"]  # fmt: skip


# --- pages, limits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 999, 1000, 5000], ids=lambda size: f"pages of {size}")
def test_pages_hold_everybody_once(connection: Any, size: int) -> None:
    expression = USERS if size > 100 else "(&(objectClass=user)(cn=User 12*))"
    names, cookies, pages = set(), [b""], 0
    while True:
        more, told = page(connection, size, cookies[-1], expression=expression)
        assert not names & more and len(more) <= min(size, 1000)
        names, pages = names | more, pages + 1
        if not told:
            break
        cookies.append(told)
    assert len(names) == (PEOPLE if size > 100 else 111)
    assert pages == -(-len(names) // min(size, 1000))
    assert len(set(cookies[1:])) <= 1  # a handle, the same for every page


def test_a_cookie_sent_again_gives_the_next_page(connection: Any) -> None:
    first, cookie = page(connection, 500)
    second, _ = page(connection, 500, cookie or b"")
    third, _ = page(connection, 500, cookie or b"")
    assert len(first | second | third) == 1500


def test_a_cookie_belongs_to_its_connection(connection: Any, server: LdapServer) -> None:
    _, cookie = page(connection, 500)
    with client(server) as other:
        assert page(other, 500, cookie or b"") == (set(), None)
        assert code(other) == 53


def test_the_oldest_cookie_is_given_up(connection: Any) -> None:
    _, oldest = page(connection, 10)
    for _ in range(10):
        _, newest = page(connection, 10)
    assert page(connection, 10, oldest or b"")[1] is None
    assert code(connection) == 53
    assert len(page(connection, 10, newest or b"")[0]) == 10


def test_a_client_may_give_up(connection: Any) -> None:
    _, cookie = page(connection, 10)
    assert page(connection, 0, cookie or b"") == (set(), b"")
    page(connection, 10, cookie or b"")
    assert code(connection) == 53


def test_without_pages_a_thousand_come(connection: Any) -> None:
    assert len(found(connection, USERS)) == 1000
    assert code(connection) == 4
    assert len(found(connection, USERS, size_limit=7)) == 7
    assert code(connection) == 4
    assert len(found(connection, "(cn=User 12)", size_limit=7)) == 1
    assert code(connection) == 0


def test_objects_deleted_while_paging_are_left_out() -> None:
    own = estate(30)
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        first, cookie = page(connection, 10)
        own.delete(f"CN=User 25,{STAFF}")
        own.move(f"CN=User 26,{STAFF}", f"CN=User 26,OU=Leavers,{BASE}")
        rest, _ = page(connection, 100, cookie or b"")
    assert len(first | rest) == 29
    assert f"CN=User 26,OU=Leavers,{BASE}" in rest


# --- many values ----------------------------------------------------------------------------------------------------

RANGES = [
    ("plain", "member", {"member": 0, "member;range=0-1499": 1500}),
    ("the first", "member;range=0-1499", {"member;range=0-1499": 1500}),
    ("all, as many as it gives", "member;range=0-*", {"member;range=0-1499": 1500}),
    ("the next", "member;range=1500-*", {"member;range=1500-2999": 1500}),
    ("the last", "member;range=3000-*", {"member;range=3000-*": 100}),
    ("few", "member;range=5-9", {"member;range=5-9": 5}),
    ("past the end", "member;range=4000-*", {}),
]


@pytest.mark.parametrize(("asked", "expected"), [case[1:] for case in RANGES], ids=[case[0] for case in RANGES])
def test_many_values_come_in_ranges(connection: Any, asked: str, expected: dict[str, int]) -> None:
    (large,) = found(connection, "(sAMAccountName=Large)", attributes=[asked]).values()
    assert {name: len(values) for name, values in large.items()} == expected


@pytest.mark.parametrize(("number", "ranged"), [(1499, False), (1500, False), (1501, True)])
def test_ranges_begin_above_1500_values(number: int, ranged: bool) -> None:
    own = estate(number)
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        (large,) = found(connection, "(sAMAccountName=Large)", attributes=["member"]).values()
    assert ("member;range=0-1499" in large) is ranged
    assert len(large["member"]) == (0 if ranged else number)


# --- rights ---------------------------------------------------------------------------------------------------------


def test_what_may_not_be_listed_answers_success_with_nothing() -> None:
    own = estate(3)
    with LdapServer(own, allow_clear=True) as server, client(server, READER, READ) as connection:
        own.hide(STAFF, READER)
        assert list(found(connection, "(objectClass=*)", STAFF)) == [STAFF]
        assert code(connection) == 0
        found(connection, base=f"CN=Ann Boss,{STAFF}", search_scope=ldap3.BASE)
        assert code(connection) == 32
        own.show(STAFF, READER)
        assert len(found(connection, "(cn=User *)", STAFF)) == 3


def test_an_attribute_that_may_not_be_read_looks_absent() -> None:
    own = estate(3)
    own.hide_attribute("employeeID", READER)
    with LdapServer(own, allow_clear=True) as server, client(server, READER, READ) as connection:
        assert found(connection, "(employeeID=000001)") == {}
        assert len(found(connection, "(&(cn=User *)(!(employeeID=*)))")) == 3
        (one,) = found(connection, "(cn=User 1)", attributes=["*"]).values()
        assert "employeeID" not in one
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        assert len(found(connection, "(employeeID=000001)")) == 1


def test_nobody_sees_only_the_root(server: LdapServer) -> None:
    with client(server, "", "") as nobody:
        ((_, root),) = found(nobody, base="", search_scope=ldap3.BASE, attributes=["*"]).items()
        assert root["defaultNamingContext"] == [BASE.encode()]
        assert root["supportedLDAPVersion"] == [b"3", b"2"]
        found(nobody)
        assert code(nobody) == 1
        assert "a successful bind must be completed" in nobody.result["message"]


def test_the_schema_is_read_by_clients_that_check_names(server: LdapServer) -> None:
    with client(server, get_info=ldap3.ALL) as connection:
        assert connection.server.info.other["defaultNamingContext"] in (BASE, [BASE])
        assert connection.server.schema.attribute_types["sAMAccountName"].single_value


# --- controls, deleted objects --------------------------------------------------------------------------------------


def test_an_unknown_control_stops_only_when_it_must(connection: Any) -> None:
    assert len(found(connection, "(cn=Ann Boss)", controls=[("1.2.3.4", False, None)])) == 1
    found(connection, "(cn=Ann Boss)", controls=[("1.3.6.1.1.12", True, None)])
    assert code(connection) == 12


def test_deleted_objects_are_shown_on_request() -> None:
    own = estate(2)
    guid = guid_text(own.entry(f"CN=User 1,{STAFF}")["objectGUID"][0])
    own.delete(f"CN=User 1,{STAFF}")
    with LdapServer(own, allow_clear=True) as server, client(server) as connection:
        assert found(connection, "(sAMAccountName=user1)") == {}
        ((dn, grave),) = found(connection, "(sAMAccountName=user1)", controls=[SHOW_DELETED], attributes=["*"]).items()
        assert dn == f"CN=User 1\\0ADEL:{guid},CN=Deleted Objects,{BASE}"
        assert grave["isDeleted"] == [b"TRUE"]
        assert grave["lastKnownParent"] == [STAFF.encode()]
        assert not {"mail", "memberOf", "employeeID"} & set(grave)
        assert len(found(connection, base=f"<GUID={guid}>", search_scope=ldap3.BASE, controls=[SHOW_DELETED])) == 1
