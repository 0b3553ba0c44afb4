"""The directory in memory: the same ids every time, names that follow moves, deletion and return, filled in seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.sandbox.directory import Directory, Refused
from reconciler.sandbox.directory_names import escape, guid_text, key, parts, sid_bytes, sid_text, spelled, split
from tests.sandbox.ldap_estate import BASE, NOW, STAFF, estate

ANN = f"CN=Ann Boss,{STAFF}"


def ids(directory: Directory) -> dict[str, tuple[bytes, ...]]:
    return {node.dn: (node.guid, *node.get("objectSid")) for node in directory.guids.values()}


def test_a_directory_built_again_has_the_same_ids() -> None:
    assert ids(estate(20)) == ids(estate(20))
    assert not set(ids(estate(5)).values()) & set(ids(estate(5, seed=2)).values())
    assert estate().domain_sid != estate(seed=2).domain_sid


def test_one_more_object_changes_no_other_ids() -> None:
    few, many = ids(estate(5)), ids(estate(6))
    assert {dn: many[dn] for dn in few} == few


def test_whoever_comes_back_under_an_old_name_is_somebody_else() -> None:
    made = estate()
    before = made.entry(ANN)["objectGUID"]
    made.delete(ANN)
    made.user(ANN, "ann")
    assert made.entry(ANN)["objectGUID"] != before


def test_well_known_objects_are_there() -> None:
    made = Directory()
    sids = {f"{made.domain_sid}-{rid}" for rid in (500, 501, 502, 512, 513, 518, 519)} | {"S-1-5-32-544"}
    assert sids <= {sid_text(sid) for sid in made.sids}
    assert all(f"CN={name},{made.base}" in made for name in ("Users", "Computers", "Deleted Objects", "Configuration"))
    assert Directory("a.test").base == "DC=a,DC=test"


SPELLINGS = [
    ("CN=Smith\\, John,OU=b,DC=c", "cn=smith\\2C john, ou=B,dc=C"),
    ("CN=a\\0ADEL:1,DC=c", "CN=a\\0aDEL:1,DC=c"),
    ("CN=M\\C3\\BCller,DC=c", "CN=Müller,DC=c"),
    ("CN=a  b,DC=c", "cn=A  B ,DC=c"),
    ("CN=a\\=b,DC=c", "CN=a=b,DC=c"),
    ("CN=\\#a,DC=c", "CN=#a,DC=c"),
    ("CN=a\\\\,DC=c", "CN=A\\5C,DC=c"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_names_are_one_in_every_spelling(one: str, other: str) -> None:
    assert key(one) == key(other) == key(spelled(other))


@pytest.mark.parametrize(
    "value", ["Smith, John", "#x", "x ", " ", "a+b=c", "O\\B", "a\nb", 'q"q', "<;>", "\u202ex", "a\0b", "x\\"]
)
def test_values_survive_being_escaped(value: str) -> None:
    assert parts(f"CN={escape(value)},OU=b") == [("CN", value), ("OU", "b")]
    assert split(f"CN={escape(value)},OU=b")[1] == "OU=b"
    made = Directory()
    dn = f"CN={escape(value)},CN=Users,{BASE}"
    guid = made.user(dn, "somebody")
    assert made.entry(dn)["objectGUID"] == made.by_guid(guid)["objectGUID"]
    assert made.by_guid(guid)["cn"] == [value.encode()]


def test_security_identifiers_survive() -> None:
    assert sid_text(sid_bytes("S-1-5-21-1-2-3-500")) == "S-1-5-21-1-2-3-500"
    with pytest.raises(ValueError, match="no security identifier"):
        sid_bytes("S-1")


def test_links_follow_moves_and_end_with_deletion() -> None:
    made = estate()
    made.move(STAFF, f"OU=People,OU=Leavers,{BASE}")
    ann = f"CN=Ann Boss,OU=People,OU=Leavers,{BASE}"
    circle = f"CN=Circle,OU=People,OU=Leavers,{BASE}"
    assert made.entry(ann)["memberOf"] == [circle.encode()]
    assert len(made.entry(ann)["directReports"]) == 2
    made.delete(circle)
    assert "memberOf" not in made.entry(ann)
    made.leave(f"CN=Outer,OU=People,OU=Leavers,{BASE}", f"CN=Inner,OU=People,OU=Leavers,{BASE}")
    assert "member" not in made.entry(f"CN=Outer,OU=People,OU=Leavers,{BASE}")


@pytest.mark.parametrize(("recycle_bin", "kept"), [(True, True), (False, False)], ids=["with a recycle bin", "without"])
def test_a_deleted_person_comes_back(recycle_bin: bool, kept: bool) -> None:
    made = estate(recycle_bin=recycle_bin)
    guid = guid_text(made.entry(ANN)["objectGUID"][0])
    sid = made.entry(ANN)["objectSid"]
    made.delete(ANN)
    assert ("mail" in made.by_guid(guid)) is kept
    made.restore(guid)
    back = made.entry(ANN)
    assert (back["objectSid"], "mail" in back, "memberOf" in back) == (sid, kept, kept)


def test_changes_take_numbers_and_times() -> None:
    clock = [NOW]
    made = Directory(now=lambda: clock[0])
    made.user(f"CN=a,CN=Users,{BASE}", "a", accountExpires=datetime(2027, 1, 1, tzinfo=UTC), msNPAllowDialin=True, adminCount=1)
    before = made.entry(f"CN=a,CN=Users,{BASE}")
    clock[0] = datetime(2026, 11, 23, tzinfo=UTC)
    made.change(f"CN=a,CN=Users,{BASE}", title="x", adminCount=None)
    after = made.entry(f"CN=a,CN=Users,{BASE}")
    assert (before["accountExpires"], before["msNPAllowDialin"]) == ([b"134432352000000000"], [b"TRUE"])
    assert int(after["uSNChanged"][0]) > int(before["uSNChanged"][0])
    assert (after["whenCreated"], after["whenChanged"]) == ([b"20261122020500.0Z"], [b"20261123000000.0Z"])
    assert "adminCount" not in after


def test_new_attributes_are_learnt() -> None:
    made = estate()
    made.change(ANN, costCentre=["1", "2"])
    assert made.entry(ANN)["costCentre"] == [b"1", b"2"]
    assert made.schema.name("COSTCENTRE") == "costCentre"


REFUSED: list[tuple[str, Any, int]] = [
    ("there already", lambda made: made.user(ANN, "other"), 68),
    ("a login that is taken", lambda made: made.user(f"CN=b,{STAFF}", "ann"), 68),
    ("no container", lambda made: made.user(f"CN=b,OU=Gone,{BASE}", "b"), 32),
    ("no member", lambda made: made.join(f"CN=Outer,{STAFF}", f"CN=Gone,{STAFF}"), 32),
    ("not empty", lambda made: made.delete(STAFF), 66),
    ("into itself", lambda made: made.move(STAFF, f"OU=Staff,OU=Staff,{BASE}"), 53),
    ("no class", lambda made: made.put(f"CN=b,{STAFF}", {"objectClass": "robot"}), 65),
    ("the back of a link", lambda made: made.change(ANN, memberOf=f"CN=Outer,{STAFF}"), 53),
]


@pytest.mark.parametrize(("change", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_says_so(change: Any, code: int) -> None:
    with pytest.raises(Refused) as refused:
        change(estate())
    assert refused.value.code == code


def test_a_large_company_is_filled_in_seconds() -> None:
    begun = time.process_time()
    made = Directory()
    made.ou(STAFF)
    people = [f"CN=User {number},{STAFF}" for number in range(10_000)]
    for number, dn in enumerate(people):
        made.user(
            dn,
            f"user{number}",
            mail=f"user{number}@example.com",
            employeeID=f"{number:06d}",
            manager=people[number // 10] if number else None,
        )
    for number in range(1000):
        made.group(f"CN=Group {number},{STAFF}", f"group{number}")
        made.join(f"CN=Group {number},{STAFF}", *people[number * 7 : number * 7 + 300])
    assert sum(len(node.links.get("member", ())) for node in made.guids.values()) > 300_000
    assert time.process_time() - begun < 10
