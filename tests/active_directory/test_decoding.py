"""Search entries off the wire, and Active Directory's numbers and names, without a server."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors._ad_accounts import Reckoning, account, kind
from connectors._ad_values import filetime, guid, parent, sid
from connectors._ldap_wire import ENTRY, Entries, Entry, messages
from reconciler.connector import Incomplete


def tlv(tag: int, body: bytes, long: bool) -> bytes:
    if len(body) < 128 and not long:
        return bytes([tag, len(body)]) + body
    return bytes([tag, 0x84]) + len(body).to_bytes(4, "big") + body


def message(entry: Entry, long: bool) -> bytes:
    """A search entry as Samba (short lengths) or Windows (long ones on everything made of parts) sends it."""
    dn, attributes = entry
    listed = b"".join(
        tlv(0x30, tlv(4, name.encode(), False) + tlv(0x31, b"".join(tlv(4, v, False) for v in values), long), long)
        for name, values in attributes.items()
    )
    return tlv(0x30, bytes([2, 1, 7]) + tlv(0x64, tlv(4, dn.encode(), False) + tlv(0x30, listed, long), long), long)


ENTRIES: list[Entry] = [
    (
        "CN=Zoë,OU=Staff,DC=x",
        {"objectGUID": [bytes(range(16))], "member": [b"a" * n for n in (0, 1, 127, 128, 300)], "empty": []},
    ),
    ("CN=" + "n" * 200, {"description": [b"x" * 70000]}),
    ("CN=nothing", {}),
]
DONE = bytes([0x30, 12, 2, 1, 7, 0x65, 7, 10, 1, 0, 4, 0, 4, 0])


def decode(data: bytes, number: int) -> list[Entry]:
    """The entries of an answer after which nothing more comes."""

    def no_more() -> None:
        raise Incomplete("it stops in the middle of a message")

    places = []
    for begin, operation, end in messages(bytearray(data), number, no_more):
        if data[operation] != ENTRY:
            assert data[begin:end] == DONE
            break
        places.append((operation, end))
    return list(Entries(data, places))


@pytest.mark.parametrize("long", [False, True], ids=["short lengths", "long lengths"])
def test_entries_are_decoded(long: bool) -> None:
    assert decode(b"".join(message(entry, long) for entry in ENTRIES) + DONE, 7) == ENTRIES


@pytest.mark.parametrize("long", [False, True], ids=["short lengths", "long lengths"])
def test_entries_that_look_alike_are_told_apart(long: bool) -> None:
    """Attributes in one order, some missing or of one name's beginning, with values of every length on both sides of a byte's end."""
    entries: list[Entry] = [
        (
            f"CN={size}",
            {
                "cn": [b"a" * size],
                "c": [b"b", b"\x84" * size][size % 2 :],
                **({"mail": []} if size % 3 else {}),
                "m": [b"\x30\x84\0\0\0"],
            },
        )
        for size in range(270)
    ]
    assert decode(b"".join(message(entry, long) for entry in entries) + DONE, 7) == entries
    assert decode(b"".join(message(entry, long) for entry in reversed(entries)) + DONE, 7) == entries[::-1]


@pytest.mark.parametrize("long", [False, True], ids=["short lengths", "long lengths"])
def test_an_answer_that_is_cut_is_no_answer(long: bool) -> None:
    stream = b"".join(message(entry, long) for entry in ENTRIES) + DONE
    whole = {0, len(stream)}
    for entry in [*(message(entry, long) for entry in ENTRIES), DONE]:
        whole.add(max(at for at in whole if at < len(stream)) + len(entry))
    for cut in {*range(1, 700), *random.Random(3).sample(range(len(stream)), 200)} - whole:
        with pytest.raises(Incomplete):
            decode(stream[:cut], 7)


LIE = tlv(
    0x30, bytes([2, 1, 7]) + tlv(0x64, tlv(4, b"CN=a", False) + bytes.fromhex("300b300904016131040405") + b"xy", False), False
)
BROKEN = [
    ("no LDAP", b"HTTP/1.1 400 Bad Request", 7, "no LDAP message"),
    ("another message", message(ENTRIES[0], False), 8, "answered message 7 while 8"),
    ("a value longer than its set", LIE, 7, "cannot be read"),
    ("a name that is no ASCII", message(("CN=a", {"\u00e9": [b"x"]}), False), 7, "cannot be read"),
]


@pytest.mark.parametrize(("data", "number", "told"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_is_no_answer_is_refused(data: bytes, number: int, told: str) -> None:
    with pytest.raises(Incomplete, match=told):
        decode(data + DONE, number)


NEVERS = [None, 0, -1, 9223372036854775807, 9223372032559808511]


@pytest.mark.parametrize("ticks", NEVERS)
def test_never_has_many_forms(ticks: int | None) -> None:
    assert filetime(ticks) is None


ENDS = [  # "end of 14 May" as the console writes it on a computer in that zone, and the same instant in UTC
    ("Auckland", "Pacific/Auckland", "2026-05-14T12:00:00+00:00"),
    ("Pago Pago", "Pacific/Pago_Pago", "2026-05-15T11:00:00+00:00"),
    ("London, in summer", "Europe/London", "2026-05-14T23:00:00+00:00"),
    ("Kiritimati", "Pacific/Kiritimati", "2026-05-14T10:00:00+00:00"),
]


@pytest.mark.parametrize(("zone", "ends"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_an_account_expires_at_an_instant_not_on_a_day(zone: str, ends: str) -> None:
    local = datetime(2026, 5, 15, tzinfo=ZoneInfo(zone))
    at = int(local.timestamp()) * 1_000_000
    ticks = (at + 11_644_473_600_000_000) * 10
    entry = {
        "objectGUID": [bytes(16)],
        "userAccountControl": [b"512"],
        "accountExpires": [b"%d" % ticks],
        "objectClass": [b"user"],
    }
    told = {second: account("CN=a,DC=x", entry, Reckoning(at + second * 1_000_000, None)) for second in (-1, 0)}
    assert told[0]["expires_at"] == at == int(datetime.fromisoformat(ends).timestamp()) * 1_000_000
    assert [(told[second]["enabled"], told[second]["state_reason"]) for second in (-1, 0)] == [(True, None), (False, "expired")]


def test_filetimes_keep_their_microseconds() -> None:
    assert filetime(132_000_000_000_000_010) == 1_555_526_400_000_001


def test_identifiers_read_as_administrators_write_them() -> None:
    assert guid(bytes(range(16))) == "03020100-0504-0706-0908-0a0b0c0d0e0f".replace("0908", "0809")
    assert sid(bytes.fromhex("010500000000000515000000010000000200000003000000f4010000")) == "S-1-5-21-1-2-3-500"


@pytest.mark.parametrize(
    ("dn", "container"),
    [("CN=a,OU=b,DC=c", "OU=b,DC=c"), (r"CN=Smith\, John,OU=b", "OU=b"), (r"CN=x\\,DC=c", "DC=c"), ("DC=c", "")],
)
def test_the_container_is_what_follows_the_first_real_comma(dn: str, container: str) -> None:
    assert parent(dn) == container


KINDS: list[tuple[str, dict[str, list[bytes]], str, str]] = [
    ("a person", {"objectClass": [b"top", b"person", b"user"]}, "S-1-5-21-1-2-3-1104", "person"),
    ("the administrator", {"objectClass": [b"user"]}, "S-1-5-21-1-2-3-500", "builtin"),
    ("a computer is a user too", {"objectClass": [b"user", b"computer"]}, "S-1-5-21-1-2-3-1105", "computer"),
    (
        "a managed service account",
        {"objectClass": [b"computer", b"msDS-GroupManagedServiceAccount"]},
        "S-1-5-21-1-2-3-1106",
        "service",
    ),
    (
        "a user with a service name",
        {"objectClass": [b"user"], "servicePrincipalName": [b"http/x"]},
        "S-1-5-21-1-2-3-1107",
        "service",
    ),
    ("a shared mailbox", {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"4"]}, "S-1-5-21-1-2-3-1108", "shared"),
    ("a room", {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"16"]}, "S-1-5-21-1-2-3-1109", "room"),
    ("a linked mailbox", {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"2"]}, "S-1-5-21-1-2-3-1110", "shared"),
    (
        "a remote shared mailbox",
        {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"34359738368"]},
        "S-1-5-21-1-2-3-1111",
        "shared",
    ),
    ("a remote room", {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"8589934592"]}, "S-1-5-21-1-2-3-1112", "room"),
    (
        "remote equipment",
        {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"17179869184"]},
        "S-1-5-21-1-2-3-1113",
        "room",
    ),
    (
        "a remote mailbox of a person",
        {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"2147483648"]},
        "S-1-5-21-1-2-3-1114",
        "person",
    ),
    (
        "an arbitration mailbox",
        {"objectClass": [b"user"], "msExchRecipientTypeDetails": [b"8388608"]},
        "S-1-5-21-1-2-3-1115",
        "shared",
    ),
    ("a contact", {"objectClass": [b"contact"]}, "", "contact"),
]


@pytest.mark.parametrize(("entry", "security_id", "expected"), [case[1:] for case in KINDS], ids=[case[0] for case in KINDS])
def test_every_kind_of_account_is_told_apart(entry: Any, security_id: str, expected: str) -> None:
    assert kind(entry, security_id or None) == expected


STATES = [
    ("enabled", {"userAccountControl": [b"512"]}, (True, None)),
    ("disabled", {"userAccountControl": [b"514"]}, (False, "disabled")),
    ("expired", {"userAccountControl": [b"512"], "accountExpires": [b"132000000000000000"]}, (False, "expired")),
    ("locked stays enabled", {"userAccountControl": [b"512"], "lockoutTime": [b"132000000000000000"]}, (True, "locked")),
    ("flags that may not be read", {}, (None, None)),
]


@pytest.mark.parametrize(("entry", "expected"), [case[1:] for case in STATES], ids=[case[0] for case in STATES])
def test_the_state_is_what_the_directory_says(entry: Any, expected: Any) -> None:
    row = account("CN=a,DC=b", {"objectGUID": [bytes(16)], **entry}, Reckoning(1_800_000_000_000_000))
    assert (row["enabled"], row["state_reason"]) == expected
