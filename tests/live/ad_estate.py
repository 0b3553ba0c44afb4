"""Five thousand people in a real directory, and every oddity such directories have, each with what has to be read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.live.domain import BASE

PEOPLE = 5000
STAFF, ODD, GROUPS = f"OU=Staff,{BASE}", f"OU=Odd,{BASE}", f"OU=Groups,{BASE}"
UNITS = ("Sales", "Support", "Finance", "Legal", "Plant 1", "Plant 2", 'R&D\\, \\"Labs\\" \\+ Co', "Büro Köln", "東京")
SIZES = (1499, 1500, 1501, 3000, 4501)  # around the 1,500 values that a server gives at once
NEVER = 0x7FFFFFFFFFFFFFFF
DEPARTED = range(4900, 4940)  # deleted before the first night
QUIET = range(4988, 5000)  # in a unit of their own, and in no group
NORMAL, DISABLED, NO_PASSWORD, NO_EXPIRY, SMARTCARD, TRUST = 0x200, 0x2, 0x20, 0x10000, 0x40000, 0x800
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
Line = Mapping[str, Any]


def ticks(instant: datetime) -> int:
    """FILETIME: 100 ns since 1601, by integers alone."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 10


@dataclass(frozen=True)
class Odd:
    """One odd object. `told`: columns of accounts that must be read of it; `finds`: the policies that must find it."""

    login: str
    why: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    finds: frozenset[str] = frozenset()
    cn: str | None = None  # as it stands in the DN
    kind: str = "user"  # objectClass
    hr: bool = True  # HR has an active person of its employee id

    @property
    def dn(self) -> str:
        return f"CN={self.cn or self.login},{ODD}"


def people() -> Iterator[Line]:
    """Ordinary people, who are found by nothing."""
    for unit in (STAFF, ODD, GROUPS, f"OU=Quiet,{STAFF}", *(f"OU={name},{STAFF}" for name in UNITS)):
        yield {"do": "add", "dn": unit, "set": {"objectClass": ["organizationalUnit"]}}
    for number in range(PEOPLE):
        yield {"do": "add", "dn": dn_of(number), "set": {"objectClass": ["user"], **_lists(person(number))}, "relax": True}


def person(number: int) -> dict[str, Any]:
    login, now = login_of(number), datetime.now(UTC)
    return {
        "sAMAccountName": login, "userPrincipalName": f"{login}@live.example", "mail": f"{login}@example.com",
        "proxyAddresses": [f"SMTP:{login}@example.com", f"smtp:{login}@old.example.com"], "employeeID": id_of(number),
        "givenName": f"Given{number}", "sn": f"Name{number}", "displayName": f"Given{number} Name{number}", "department": "Works",
        "title": "Operator", "company": "Example Ltd", "l": "Leeds", "userAccountControl": NORMAL | NO_PASSWORD,
        "lastLogonTimestamp": ticks(now - timedelta(days=number % 30, seconds=number)), "pwdLastSet": ticks(now - timedelta(days=40)),
    }  # fmt: skip


def login_of(number: int) -> str:
    return f"p{number:05d}"


def id_of(number: int) -> str:
    return f"{100_000 + number}"


def dn_of(number: int) -> str:
    unit = "Quiet" if number in QUIET else UNITS[number % len(UNITS)]
    return f"CN=Person {number},OU={unit},{STAFF}"


def _lists(attributes: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: value if isinstance(value, list) else [value] for name, value in attributes.items() if value is not None}


# --- odd accounts -------------------------------------------------------------------------------------------------

ORPHAN = frozenset({"orphan-account"})


def odd_accounts(now: datetime) -> list[Odd]:
    """Every odd account; each gets its login, an address and an employee id unless it says otherwise."""
    return [*_states(now), *_times(now), *_numbers(), *_names(), *_kinds(), *_holders()]


def _states(now: datetime) -> Iterator[Odd]:
    hour = timedelta(hours=1)
    on, off = {"enabled": True, "state_reason": None}, {"enabled": False, "state_reason": "disabled"}
    flags = {"no password needed": NORMAL | NO_PASSWORD, "smart card": NORMAL | NO_EXPIRY | SMARTCARD}
    for at, (why, value) in enumerate(flags.items()):
        yield Odd(f"flags{at}", why, {"userAccountControl": value}, on)
    yield Odd("disabled", "disabled", {"userAccountControl": NORMAL | DISABLED}, off)
    yield Odd("disabled-card", "disabled among other flags", {"userAccountControl": NORMAL | DISABLED | SMARTCARD}, off)
    past, future = now - hour, now + hour
    yield Odd(
        "expired",
        "expired an hour ago",
        {"accountExpires": ticks(past)},
        {"enabled": False, "state_reason": "expired", "expires_at": past},
    )
    yield Odd("expires-soon", "expires in an hour", {"accountExpires": ticks(future)}, {**on, "expires_at": future})
    yield Odd("lock-of-old", "a lock that has passed by itself", {"lockoutTime": ticks(now - 5 * hour)}, on)
    yield Odd("locked", "locked by wrong passwords", {}, {"enabled": True, "state_reason": "locked"})
    yield Odd("must-change", "must change the password", {"pwdLastSet": 0}, {**on, "password_changed_at": None})


def _times(now: datetime) -> Iterator[Odd]:
    for at, value in enumerate((0, NEVER, 0x7FFFFFFEFFFFFFFF, -1, 2_650_467_743_999_999_999 + 10**12, None)):
        told = {"expires_at": None, "enabled": True}
        yield Odd(f"never{at}", f"never expires, told as {value}", {"accountExpires": value}, told)
    exact = datetime(2026, 3, 29, 1, 30, 0, 123457, tzinfo=UTC)
    yield Odd("exact", "a time with all its digits", {"pwdLastSet": ticks(exact) + 3}, {"password_changed_at": exact})
    idle = now - timedelta(days=200)
    yield Odd(
        "idle",
        "signed in 200 days ago",
        {"lastLogonTimestamp": ticks(idle)},
        {"last_login_at": idle},
        frozenset({"dormant-account"}),
    )
    for at, value in enumerate((None, 0)):
        yield Odd(f"unseen{at}", f"no sign-in known ({value})", {"lastLogonTimestamp": value}, {"last_login_at": None})


def _numbers() -> Iterator[Odd]:
    """Employee ids that are alike and not the same: each is kept as it stands, and none is HR's 200042."""
    for at, number in enumerate((" 200042", "0200042", "２０００４２", "20_0042", "200042\u00a0", "٢٠٠٠٤٢")):
        finds = frozenset[str]() if number.strip() == "200042" else ORPHAN  # blanks around a number do not make another one
        yield Odd(f"number{at}", f"the employee id {number!r}", {"employeeID": number}, {"employee_id": number}, finds, hr=False)
    for login in ("twin-a", "twin-b"):
        yield Odd(login, "two accounts of one person", {"employeeID": "200077"}, {"employee_id": "200077"})
    yield Odd("no-number", "no employee id", {"employeeID": None}, {"employee_id": None}, ORPHAN, hr=False)
    yield Odd("longest", "an employee id as long as it may be", {"employeeID": "9" * 16}, {"employee_id": "9" * 16})


def _names() -> Iterator[Odd]:
    """Names that need escaping, names that look alike, names that are none."""
    names = {
        "comma": "Smith\\, John", "hash": "\\#hash", "blank": "\\ blank\\ ", "plus": "a\\+b\\=c", "back": "O\\\\B", "quote": '\\"q\\"',
        "angle": "\\<x\\;y\\>", "slash": "a/b", "line": "two\\0Alines", "rtl": "\u202egnp.exe", "emoji": "🦉 Owl", "dotted": "İstanbul",
        "sharp": "Straße", "kelvin": "\u212aelvin", "equals": "dn\\=CN", "longest-cn": "x" * 64, "formula": "\\=cmd|' /C calc'!A0",
        "script": "\\<script\\>alert(1)\\</script\\>", "conflict": "Jo Doe\\0ACNF:0d6f6f3c-0000-4000-8000-00000000c0de",
    }  # fmt: skip
    for login, cn in names.items():
        yield Odd(login, f"the name {cn}", {}, {"container": ODD}, cn=cn)


def _kinds() -> Iterator[Odd]:
    mailboxes = {"shared": ("shared", 4), "room": ("room", 16), "equipment": ("room", 32), "linked": ("shared", 2), "remote-shared": ("shared", 34359738368), "remote-room": ("room", 8589934592)}  # fmt: skip
    for login, (kind, value) in mailboxes.items():
        off = {"employeeID": None, "userAccountControl": NORMAL | DISABLED, "msExchRecipientTypeDetails": value}
        yield Odd(login, f"a mailbox of type {value}", off, {"kind": kind}, hr=False)
    nobody = {"employeeID": None}
    spn = {**nobody, "servicePrincipalName": ["http/intranet.live.example"]}
    yield Odd("svc-web", "an account of a service", spn, {"kind": "service"}, hr=False)
    managed = {**nobody, "msDS-ManagedPasswordInterval": 30, "userAccountControl": 0x1000}
    none = frozenset[str]()
    yield Odd(
        "gmsa$", "a group managed account", managed, {"kind": "service"}, none, None, "msDS-GroupManagedServiceAccount", False
    )
    yield Odd(
        "smsa$",
        "a managed account",
        {**nobody, "userAccountControl": 0x1000},
        {"kind": "service"},
        none,
        None,
        "msDS-ManagedServiceAccount",
        False,
    )
    yield Odd(
        "pc1$", "a computer", {**nobody, "userAccountControl": 0x1000}, {"kind": "computer"}, none, "pc1", "computer", False
    )
    yield Odd(
        "OTHER$",
        "another domain's trust",
        {**nobody, "userAccountControl": TRUST | NO_PASSWORD},
        {"kind": "builtin"},
        none,
        None,
        "user",
        False,
    )
    contact = {"employeeID": None, "sAMAccountName": None, "userAccountControl": None, "userPrincipalName": None, "lastLogonTimestamp": None, "pwdLastSet": None}  # fmt: skip
    yield Odd("friend", "a contact", contact, {"kind": "contact", "enabled": None}, none, None, "contact", False)
    yield Odd("inet", "an inetOrgPerson", {}, {"kind": "person", "enabled": True}, none, None, "inetOrgPerson")


def _holders() -> Iterator[Odd]:
    yield Odd("hidden-admin", "Domain Admins by primary group alone", {}, {"privileged": True})
    yield Odd("nested-admin", "Domain Admins through two groups", {}, {"privileged": True})
    yield Odd("was-admin", "adminCount of an earlier life", {"adminCount": 1}, {"privileged": False})
    yield Odd("led", "a manager of an awkward name", {"manager": f"CN=Smith\\, John,{ODD}"}, {})
    yield Odd(
        "anchored",
        "an anchor of its own",
        {"mS-DS-ConsistencyGuid": {"hex": "11" * 16}},
        {"anchor": "11111111-1111-1111-1111-111111111111"},
    )
    addresses = ["SMTP:main@example.com", "smtp:Second@Example.com", "x500:/o=Example/cn=x", "smtp:ünï@example.com", "EUM:1"]
    yield Odd(
        "addresses",
        "addresses of many kinds",
        {"proxyAddresses": addresses},
        {"aliases": ["second@example.com", "ünï@example.com"]},
    )
    yield Odd(
        "sid-history",
        "a SID of an earlier domain",
        {"sIDHistory": {"hex": "010500000000000515000000" + "01000000" * 3 + "e8030000"}},
        {"privileged": False},
    )


def made(odd: Odd, number: int, now: datetime) -> Line:
    usual = {
        "sAMAccountName": odd.login, "userPrincipalName": f"{odd.login.rstrip('$')}@live.example", "mail": f"{odd.login.rstrip('$')}@example.com",
        "employeeID": odd_id(number), "displayName": odd.cn, "userAccountControl": NORMAL | NO_PASSWORD,
        "lastLogonTimestamp": ticks(now - timedelta(days=3)), "pwdLastSet": ticks(now - timedelta(days=40)),
    }  # fmt: skip
    return {"do": "add", "dn": odd.dn, "set": {"objectClass": [odd.kind], **_lists({**usual, **odd.attributes})}, "relax": True}


def odd_id(number: int) -> str:
    return f"{300_000 + number}"


# --- groups -------------------------------------------------------------------------------------------------------


def groups(odd: Sequence[Odd]) -> Iterator[Line]:
    """Groups around the size that comes at once, in one another and in circles, and what may be a member besides people."""
    for size in SIZES:
        yield _group(f"size-{size}", [dn_of(number) for number in range(size)])
    for number in range(100):  # what people have by their work
        yield _group(f"team-{number}", [dn_of(member) for member in range(number, QUIET[0], 100) if member not in DEPARTED])
    yield _group("everything-odd", [one.dn for one in odd])
    yield _group("empty", [])
    yield _group("deep-0", [dn_of(1)])
    for depth in range(1, 8):
        yield _group(f"deep-{depth}", [_name(f"deep-{depth - 1}")])
    for name in ("circle-a", "circle-b", "circle-c"):
        yield _group(name, [])
    for outer, inner in (("a", "b"), ("b", "c"), ("c", "a")):
        yield _join(_name(f"circle-{outer}"), [_name(f"circle-{inner}")])
    yield _join(_name("circle-c"), [dn_of(2)])
    yield _group("inner-admins", [f"CN=nested-admin,{ODD}"])
    yield _group("outer-admins", [_name("inner-admins")])
    domain_admins = f"CN=Domain Admins,CN=Users,{BASE}"
    yield _join(domain_admins, [_name("outer-admins"), f"CN=hidden-admin,{ODD}"])
    yield {"do": "replace", "dn": f"CN=hidden-admin,{ODD}", "set": {"primaryGroupID": [512]}}
    yield _group("strangers", ["<SID=S-1-5-21-9-9-9-1234>", f"CN=friend,{ODD}", f"CN=pc1,{ODD}", dn_of(3)])
    yield {"do": "add", "dn": f"CN=Sales\\, Ltd,{GROUPS}", "set": {"objectClass": ["group"], "sAMAccountName": ["Sales Ltd"], "member": [dn_of(4)], "managedBy": [dn_of(5)], "groupType": [2]}}  # fmt: skip


def _name(group: str) -> str:
    return f"CN={group},{GROUPS}"


def _group(name: str, members: Sequence[str]) -> Line:
    return {
        "do": "add",
        "dn": _name(name),
        "set": {"objectClass": ["group"], "sAMAccountName": [name], **({"member": list(members)} if members else {})},
    }


def _join(group: str, members: Sequence[str]) -> Line:
    return {"do": "join", "dn": group, "set": {"member": list(members)}}


def departures() -> Iterator[Line]:
    for number in DEPARTED:
        yield {"do": "delete", "dn": dn_of(number)}


# --- HR's side ----------------------------------------------------------------------------------------------------

COLUMNS = (
    "employee_id",
    "given_name",
    "family_name",
    "work_email",
    "status",
    "worker_type",
    "start_date",
    "last_day",
    "department",
    "job_title",
)


def roster(odd: Sequence[Odd], now: datetime, left: Mapping[int, datetime]) -> str:
    """Everybody HR knows as CSV; `left` tells of people's numbers when they left."""
    lines = [",".join(COLUMNS)]
    gone = {**dict.fromkeys(DEPARTED, now - timedelta(days=60)), **left}
    for number in range(PEOPLE):
        told, last = person(number), gone.get(number)
        status = "Terminated" if last else "Active"
        lines.append(",".join((told["employeeID"], told["givenName"], told["sn"], told["mail"], status, "Regular", "2020-02-01", f"{last:%Y-%m-%d}" if last else "", "Works", "Operator")))  # fmt: skip
    numbers = {str(one.attributes.get("employeeID", odd_id(at))): one.login for at, one in enumerate(odd) if one.hr} | {
        "200042": "one"
    }
    lines += [
        f"{number},,,,Active,Regular,2020-02-01,,,".replace(",,,,", f",Odd,{login},,", 1) for number, login in numbers.items()
    ]
    return "\n".join(lines) + "\n"


def schema() -> Iterator[Line]:
    """The one attribute of Exchange's schema that tells a mailbox from a person."""
    top, name = f"CN=Schema,CN=Configuration,{BASE}", "msExchRecipientTypeDetails"
    whole_number = {"attributeSyntax": ["2.5.5.16"], "oMSyntax": [65], "isSingleValued": ["TRUE"]}
    about = {"objectClass": ["attributeSchema"], "attributeID": ["1.2.840.113556.1.4.7000.102.50972"], "lDAPDisplayName": [name]}
    yield {"do": "add", "dn": f"CN=ms-Exch-Recipient-Type-Details,{top}", "set": {**about, **whole_number}}
    yield {"do": "join", "dn": f"CN=User,{top}", "set": {"mayContain": [name]}}
