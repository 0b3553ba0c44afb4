"""Changes by a client: done whole, or refused with Active Directory's code and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ldap3
import pytest

from reconciler.sandbox.directory import Directory
from reconciler.sandbox.directory_names import guid_text
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.tls import Authority
from tests.sandbox.ldap_estate import ADMIN, BASE, NOW, PASSWORD, READ, READER, STAFF, client, code, estate, found

ADD, DELETE, REPLACE = ldap3.MODIFY_ADD, ldap3.MODIFY_DELETE, ldap3.MODIFY_REPLACE
ANN, ZOE, CIRCLE = f"CN=Ann Boss,{STAFF}", f"CN=Zoë Müller,{STAFF}", f"CN=Circle,{STAFF}"
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)


@pytest.fixture
def directory() -> Directory:
    return estate(3)


@pytest.fixture
def connection(directory: Directory) -> Iterator[Any]:
    with LdapServer(directory, allow_clear=True) as server, client(server) as made:
        yield made


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def safe(directory: Directory, authority: Authority) -> Iterator[Any]:
    with LdapServer(directory, tls=authority.context()) as server, client(server) as made:
        yield made


def uac(directory: Directory, dn: str = ANN) -> bytes:
    return directory.entry(dn)["userAccountControl"][0]


# --- compare and set ------------------------------------------------------------------------------------------------


def test_delete_old_and_add_new_is_compare_and_set(connection: Any, directory: Directory) -> None:
    change = {"userAccountControl": [(DELETE, [512]), (ADD, [514])]}
    before = int(directory.entry(ANN)["uSNChanged"][0])
    assert connection.modify(ANN, change) and uac(directory) == b"514"
    assert int(directory.entry(ANN)["uSNChanged"][0]) > before
    assert not connection.modify(ANN, change)
    assert (code(connection), uac(directory)) == (16, b"514")
    assert "NO_ATTRIBUTE_OR_VAL" in connection.result["message"]


def test_an_object_is_changed_by_its_guid_wherever_it_is(connection: Any, directory: Directory) -> None:
    guid = guid_text(directory.entry(ANN)["objectGUID"][0])
    directory.move(ANN, f"CN=Ann Other,OU=Leavers,{BASE}")
    assert connection.modify(f"<GUID={guid}>", {"title": [(REPLACE, ["Chief"])]})
    assert directory.by_guid(guid)["title"] == [b"Chief"]
    assert not connection.modify(ANN, {"title": [(REPLACE, ["x"])]})
    assert code(connection) == 32


REFUSED: list[tuple[str, str, dict[str, Any], int]] = [
    ("a value twice", ANN, {"title": [(ADD, ["boss"])]}, 20),
    ("a second value of one", ANN, {"title": [(ADD, ["Chief"])]}, 20),
    ("a value that is not there", ANN, {"title": [(DELETE, ["Chief"])]}, 16),
    ("an attribute that is not there", ANN, {"info": [(DELETE, [])]}, 16),
    ("an attribute nobody knows", ANN, {"employeeNumbr": [(ADD, ["1"])]}, 16),
    ("a member twice", CIRCLE, {"member": [(ADD, [ANN])]}, 68),
    ("a member that is none", CIRCLE, {"member": [(DELETE, [ZOE])]}, 53),
    ("a member that is not there", CIRCLE, {"member": [(ADD, [f"CN=Gone,{STAFF}"])]}, 32),
    ("the primary group's member", f"CN=Domain Users,CN=Users,{BASE}", {"member": [(ADD, [ANN])]}, 68),
    ("and out of it", f"CN=Domain Users,CN=Users,{BASE}", {"member": [(DELETE, [ANN])]}, 53),
    ("memberOf", ANN, {"memberOf": [(ADD, [CIRCLE])]}, 53),
    ("the id", ANN, {"objectGUID": [(REPLACE, [bytes(16)])]}, 19),
    ("the name, by modify", ANN, {"cn": [(REPLACE, ["Ann"])]}, 67),
    ("a number that is none", ANN, {"accountExpires": [(REPLACE, ["tomorrow"])]}, 21),
    ("an employee id too long", ANN, {"employeeID": [(REPLACE, ["1" * 17])]}, 21),
    ("a password in the clear", ANN, {"unicodePwd": [(REPLACE, ['"Good-Pass-1!"'.encode("utf-16-le")])]}, 53),
    ("a time of the password", ANN, {"pwdLastSet": [(REPLACE, [132000000000000000])]}, 53),
    ("a primary group without being in it", ANN, {"primaryGroupID": [(REPLACE, [512])]}, 53),
    ("somebody else's login", ANN, {"sAMAccountName": [(REPLACE, ["zoe"])]}, 68),
    ("somebody else's principal name", ANN, {"userPrincipalName": [(REPLACE, [READER])]}, 19),
    ("nobody's object", f"CN=Gone,{STAFF}", {"title": [(REPLACE, ["x"])]}, 32),
]


@pytest.mark.parametrize(("dn", "change", "expected"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_change_is_refused_whole(connection: Any, directory: Directory, dn: str, change: dict[str, Any], expected: int) -> None:
    before = (directory.usn, directory.entry(ANN))
    assert not connection.modify(dn, {"description": [(REPLACE, ["first"])], **change})
    assert code(connection) == expected
    assert (directory.usn, directory.entry(ANN)) == before


def test_permissive_changes_succeed_though_there_is_nothing_to_do(connection: Any, directory: Directory) -> None:
    permissive = [("1.2.840.113556.1.4.1413", True, None)]
    assert connection.modify(CIRCLE, {"member": [(ADD, [ANN])]}, controls=permissive)
    assert connection.modify(CIRCLE, {"member": [(DELETE, [ZOE])]}, controls=permissive)


def test_two_flags_are_ignored_in_silence(connection: Any, directory: Directory) -> None:
    assert connection.modify(ANN, {"userAccountControl": [(REPLACE, [512 | 0x10 | 0x800000])]})
    assert uac(directory) == b"512"


def test_memberships_change_the_group_and_show_on_both_sides(connection: Any, directory: Directory) -> None:
    person = directory.entry(ZOE)["uSNChanged"]
    assert connection.modify(CIRCLE, {"member": [(ADD, [ZOE])]})
    (zoe,) = found(connection, "(sAMAccountName=zoe)", attributes=["memberOf"]).values()
    assert zoe["memberOf"] == [CIRCLE.encode()]
    assert directory.entry(ZOE)["uSNChanged"] == person
    assert connection.modify(CIRCLE, {"member": [(DELETE, [ZOE])]})
    (zoe,) = found(connection, "(sAMAccountName=zoe)", attributes=["memberOf"]).values()
    assert zoe == {}


def test_another_primary_group_changes_places(connection: Any, directory: Directory) -> None:
    admins, users = f"CN=Domain Admins,CN=Users,{BASE}", f"CN=Domain Users,CN=Users,{BASE}"
    directory.join(admins, ANN)
    assert connection.modify(ANN, {"primaryGroupID": [(REPLACE, [512])]})
    assert users.encode() in directory.entry(ANN)["memberOf"]
    assert admins.encode() not in directory.entry(ANN)["memberOf"]


# --- passwords ------------------------------------------------------------------------------------------------------


def test_a_password_is_set_where_nobody_listens(safe: Any, directory: Directory) -> None:
    assert safe.extend.microsoft.modify_password(ANN, "Fresh-Pass-9!")
    assert directory.node(ANN).secret == "Fresh-Pass-9!"
    with LdapServer(directory, allow_clear=True) as server, client(server, ANN, "Fresh-Pass-9!") as ann:
        assert ann.extend.standard.who_am_i() == "u:CORP\\ann"


@pytest.mark.parametrize(
    "weak", ["short", "alllowercaseletters", "Zoe-is-in-it-1"], ids=["short", "one kind of letter", "the login"]
)
def test_a_weak_password_is_refused(safe: Any, directory: Directory, weak: str) -> None:
    assert not safe.extend.microsoft.modify_password(ZOE, weak)
    assert code(safe) == 19
    assert "0000052D" in safe.result["message"]
    assert directory.node(ZOE).secret == ""


def test_only_the_old_password_leads_to_a_new_one(safe: Any, directory: Directory) -> None:
    directory.password(ANN, "The-Old-One-1!")
    assert not safe.extend.microsoft.modify_password(ANN, "The-New-One-2!", "Not-The-Old-1!")
    assert (code(safe), directory.node(ANN).secret) == (19, "The-Old-One-1!")
    assert safe.extend.microsoft.modify_password(ANN, "The-New-One-2!", "The-Old-One-1!")


# --- creating, moving, deleting -------------------------------------------------------------------------------------


def test_a_new_account_is_disabled_and_needs_no_password(safe: Any, directory: Directory) -> None:
    dn = f"CN=New,{STAFF}"
    assert safe.add(dn, "user", {"sAMAccountName": "new", "employeeID": "7"})
    entry = directory.entry(dn)
    assert (entry["userAccountControl"], entry["pwdLastSet"], entry["primaryGroupID"]) == ([b"546"], [b"0"], [b"513"])
    assert not safe.modify(dn, {"userAccountControl": [(REPLACE, [512])]})
    assert code(safe) == 53
    password = '"Good-Pass-1!"'.encode("utf-16-le")
    assert safe.modify(dn, {"unicodePwd": [(REPLACE, [password])], "userAccountControl": [(REPLACE, [512])]})
    assert uac(directory, dn) == b"512"


def test_an_account_may_begin_with_a_password(safe: Any, directory: Directory) -> None:
    password = '"Good-Pass-1!"'.encode("utf-16-le")
    assert safe.add(f"CN=New,{STAFF}", "user", {"sAMAccountName": "new", "userAccountControl": 512, "unicodePwd": password})
    assert directory.node(f"CN=New,{STAFF}").secret == "Good-Pass-1!"
    assert not safe.add(f"CN=Weak,{STAFF}", "user", {"sAMAccountName": "weak", "unicodePwd": '"weak"'.encode("utf-16-le")})
    assert f"CN=Weak,{STAFF}" not in directory


NOT_MADE: list[tuple[str, str, Any, dict[str, Any], int]] = [
    ("there already", ANN, "user", {"sAMAccountName": "other"}, 68),
    ("a login that is taken", f"CN=New,{STAFF}", "user", {"sAMAccountName": "ANN"}, 68),
    ("no container", f"CN=New,OU=Gone,{BASE}", "user", {}, 32),
    ("no class", f"CN=New,{STAFF}", "top", {}, 65),
    ("an unknown class", f"CN=New,{STAFF}", "robot", {}, 16),
    ("an unknown attribute", f"CN=New,{STAFF}", "user", {"employeeNumbr": "1"}, 16),
    ("named by the wrong type", f"OU=New,{STAFF}", "user", {}, 64),
    ("a user in use without a password", f"CN=New,{STAFF}", "user", {"userAccountControl": 512}, 53),
]


@pytest.mark.parametrize(("dn", "kind", "attributes", "expected"), [c[1:] for c in NOT_MADE], ids=[c[0] for c in NOT_MADE])
def test_what_cannot_be_made(connection: Any, directory: Directory, dn: str, kind: str, attributes: Any, expected: int) -> None:
    before = len(directory.guids)
    assert not connection.add(dn, kind, attributes)
    assert (code(connection), len(directory.guids)) == (expected, before)


def test_renaming_and_moving_take_everything_along(connection: Any, directory: Directory) -> None:
    directory.ou(f"OU=Team,{STAFF}")
    directory.move(ZOE, f"CN=Zoë Müller,OU=Team,{STAFF}")
    assert connection.modify_dn(f"OU=Team,{STAFF}", "OU=Crew", new_superior=f"OU=Leavers,{BASE}")
    assert len(found(connection, "(sAMAccountName=zoe)", f"OU=Crew,OU=Leavers,{BASE}")) == 1
    assert connection.modify_dn(ANN, r"CN=Boss\, Ann")
    (zoe,) = found(connection, "(sAMAccountName=zoe)", attributes=["manager"]).values()
    assert zoe["manager"] == [f"CN=Boss\\, Ann,{STAFF}".encode()]
    assert not connection.modify_dn(f"CN=User 1,{STAFF}", "CN=User 2")
    assert code(connection) == 68
    assert not connection.modify_dn(f"CN=User 1,{STAFF}", "CN=User 1", new_superior=f"OU=Gone,{BASE}")
    assert code(connection) == 32


def test_deleting(connection: Any, directory: Directory) -> None:
    assert not connection.delete(STAFF)
    assert code(connection) == 66
    assert not connection.delete(ADMIN)
    assert code(connection) == 53
    assert connection.delete(ANN)
    assert ANN not in directory
    assert found(connection, "(sAMAccountName=zoe)", attributes=["manager"]) == {ZOE: {}}
    assert connection.delete(STAFF, controls=[("1.2.840.113556.1.4.805", True, None)])
    assert found(connection, "(cn=User *)") == {}


def test_a_tombstone_comes_back_by_a_modify(connection: Any, directory: Directory) -> None:
    guid = guid_text(directory.entry(ANN)["objectGUID"][0])
    sid = directory.entry(ANN)["objectSid"]
    connection.delete(ANN)
    change = {"isDeleted": [(DELETE, [])], "distinguishedName": [(REPLACE, [ANN])]}
    assert connection.modify(f"<GUID={guid}>", change, controls=[SHOW_DELETED])
    back = directory.entry(ANN)
    assert (back["objectSid"], back["sAMAccountName"]) == (sid, [b"ann"])
    assert "mail" not in back


def test_comparing(connection: Any) -> None:
    assert connection.compare(ANN, "title", "BOSS") and code(connection) == 6
    assert not connection.compare(ANN, "title", "Chief") and code(connection) == 5


def test_a_reader_changes_nothing(directory: Directory) -> None:
    with LdapServer(directory, allow_clear=True) as server, client(server, READER, READ) as reader:
        attempts = (
            lambda: reader.modify(ANN, {"title": [(REPLACE, ["x"])]}),
            lambda: reader.delete(ANN),
            lambda: reader.modify_dn(ANN, "CN=x"),
            lambda: reader.add(f"CN=New,{STAFF}", "user", {"sAMAccountName": "new"}),
        )
        for attempt in attempts:
            assert not attempt()
            assert code(reader) == 50


def test_nobody_changes_nothing(directory: Directory) -> None:
    with LdapServer(directory) as server, client(server, "", "") as nobody:
        assert not nobody.delete(ANN)
        assert code(nobody) == 1


# --- signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADMIN, "CORP\\Administrator", "administrator@corp.example.com"], ids=["dn", "domain", "upn"])
def test_a_name_in_any_form_signs_in(directory: Directory, name: str) -> None:
    with LdapServer(directory, allow_clear=True) as server, client(server, name) as connection:
        assert (code(connection), connection.extend.standard.who_am_i()) == (0, "u:CORP\\Administrator")


BARRED: list[tuple[str, dict[str, Any], str]] = [
    ("disabled", {"userAccountControl": 514}, "533"),
    ("expired", {"accountExpires": 132000000000000000}, "701"),
    ("must change it first", {"pwdLastSet": 0}, "773"),
    ("locked out", {"lockoutTime": NOW}, "775"),
]


@pytest.mark.parametrize(("state", "sub_code"), [case[1:] for case in BARRED], ids=[case[0] for case in BARRED])
def test_the_right_password_does_not_help(directory: Directory, state: dict[str, Any], sub_code: str) -> None:
    directory.password(ANN, PASSWORD)
    directory.change(ANN, **state)
    with LdapServer(directory, allow_clear=True) as server, client(server, "ann@corp.example.com") as connection:
        assert (code(connection), f"data {sub_code}," in connection.result["message"]) == (49, True)


def test_wrong_passwords_lock_an_account(directory: Directory) -> None:
    directory.change(BASE, lockoutThreshold=3)
    directory.password(ANN, PASSWORD)
    with LdapServer(directory, allow_clear=True) as server:
        told = []
        for password in ("wrong", "wrong", "wrong", PASSWORD):
            with client(server, ANN, password) as connection:
                told.append(connection.result["message"].partition("data ")[2][:3])
    assert told == ["52e", "52e", "52e", "775"]


def test_signing_in_leaves_its_time(directory: Directory) -> None:
    with LdapServer(directory, allow_clear=True) as server, client(server):
        entry = directory.entry(ADMIN)
    assert entry["lastLogon"] == entry["lastLogonTimestamp"] == [b"134397867000000000"]


def test_a_hardened_server_takes_no_password_in_the_clear(directory: Directory) -> None:
    with LdapServer(directory) as server, client(server) as connection:
        assert code(connection) == 8


def test_start_tls_makes_a_clear_connection_safe(directory: Directory, authority: Authority, tmp_path: Any) -> None:
    (tmp_path / "ca.pem").write_text(authority.pem)
    names = ["localhost"]  # from Python 3.12 on ldap3 compares with no address
    tls = ldap3.Tls(validate=2, ca_certs_file=str(tmp_path / "ca.pem"), valid_names=names)
    with LdapServer(directory, start_tls=authority.context()) as server:
        assert server.url.startswith("ldap://")
        connection = ldap3.Connection(ldap3.Server(server.url, tls=tls, get_info=ldap3.NONE), ADMIN, PASSWORD)
        assert connection.start_tls() and connection.bind()
        assert connection.extend.microsoft.modify_password(ANN, "Fresh-Pass-9!")
        connection.unbind()
