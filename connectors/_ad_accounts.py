"""From an object of Active Directory to an account: its state, what sort it is, and the names it goes by."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors._ad_noticing import Oddities
from connectors._ad_numbers import Names, numbers, repeated, twice
from connectors._ad_values import Attributes, filetime, guid, instant, number, parent, relative_id, sid, text, texts, true
from reconciler.columns import Columns
from reconciler.connector import Incomplete
from reconciler.tables import ACCOUNTS

ATTRIBUTES = (
    "objectGUID", "objectSid", "objectClass", "sAMAccountName", "cn", "userPrincipalName", "mail", "proxyAddresses",
    "givenName", "sn", "displayName", "department", "title", "company", "physicalDeliveryOfficeName", "l", "manager",
    "userAccountControl", "accountExpires", "lockoutTime", "whenCreated", "lastLogonTimestamp", "pwdLastSet", "primaryGroupID",
    "servicePrincipalName", "msExchRecipientTypeDetails", "mS-DS-ConsistencyGuid", "isCriticalSystemObject",
)  # fmt: skip
CLASSES = frozenset(
    {"user", "contact", "computer", "inetorgperson", "msds-groupmanagedserviceaccount", "msds-managedserviceaccount"}
)

# Bits of userAccountControl (MS-ADTS 2.2.16).
DISABLED, TRUSTED_DOMAIN = 0x2, 0x800
_MANAGED = {"msds-groupmanagedserviceaccount", "msds-managedserviceaccount"}
# msExchRecipientTypeDetails. Nobody signs in to these: shared and linked mailboxes, those of the system (attendant, database,
# arbitration, discovery), rooms and equipment; the large numbers are of mailboxes that are in the cloud already.
_SHARED = (2, 4, 8192, 16384, 8388608, 536870912, 34359738368)
_ROOMS = (16, 32, 8589934592, 17179869184)
_MAILBOXES = dict.fromkeys(_SHARED, "shared") | dict.fromkeys(_ROOMS, "room")


@dataclass(frozen=True)
class Reckoning:
    """What an account's state depends on besides itself; microseconds since 1970, and microseconds."""

    now: int
    lockout: int | None = None  # how long a lock lasts; None for ever


@dataclass
class Accounts:
    """Every account read so far; rows are numbered as they come."""

    reckoning: Reckoning
    names: Names
    employee_id: str = "employeeID"
    extra: Mapping[str, str] = field(default_factory=dict)
    columns: Columns = field(default_factory=lambda: Columns(ACCOUNTS))
    named: array[int] = field(default_factory=numbers)  # each one's own name, by number
    managers: array[int] = field(default_factory=numbers)  # their names, by number
    primary: array[int] = field(default_factory=lambda: array("q"))  # RID of the primary group, 0 where there is none
    odd: Oddities = field(default_factory=Oddities)
    _ids: bytearray = field(default_factory=bytearray)  # objectGUIDs, 16 bytes each

    def __len__(self) -> int:
        return len(self.named)

    def take(self, dn: str, entry: Attributes) -> None:
        """Add one object. Raises Incomplete when its identity may not be read."""
        self._add(dn, entry, number(entry, "primaryGroupID") or 0, text(entry, "manager"), {})

    def take_deleted(self, dn: str, entry: Attributes) -> None:
        """Add a tombstone: an account that was, in the container where it was last."""
        told = {"enabled": False, "state_reason": "deleted", "container": text(entry, "lastKnownParent")}
        self._add(dn, entry, 0, None, told)

    def _add(self, dn: str, entry: Attributes, primary: int, manager: str | None, told: Mapping[str, Any]) -> None:
        row = account(dn, entry, self.reckoning)
        self.columns.take({**row, "employee_id": text(entry, self.employee_id), "extra": self._kept(entry), **told})
        self.odd.meet(dn, row, number(entry, "userAccountControl"))
        self._ids += entry["objectGUID"][0]
        self.named.append(self.names.number(dn))
        self.primary.append(primary)
        self.managers.append(self.names.number(manager))

    def each_once(self) -> None:
        """Raises Incomplete when an object came twice."""
        row = repeated(self._ids)
        if row is not None:
            raise twice(self.names.of([self.named[row]])[0])

    def id_of(self, dn: str) -> str | None:
        """The id of the account with this DN in lower case."""
        row = self.names.row_of(dn, self.named)
        return None if row is None else str(self.columns["account_id"][row])

    def _kept(self, entry: Attributes) -> str | None:
        kept = {name: value for name, attribute in self.extra.items() if (value := text(entry, attribute)) is not None}
        return json.dumps(kept, ensure_ascii=False) if kept else None


def account(dn: str, entry: Attributes, reckoning: Reckoning) -> dict[str, Any]:
    """One object as a row of accounts. Raises Incomplete when its objectGUID may not be read."""
    if not entry.get("objectGUID"):
        raise Incomplete(f"the objectGUID of {dn} may not be read; grant the reader Read All Properties")
    security_id = sid(entry["objectSid"][0]) if entry.get("objectSid") else None
    flags, expires = number(entry, "userAccountControl"), filetime(number(entry, "accountExpires"))
    enabled, reason = _state(flags, expires, filetime(number(entry, "lockoutTime")), reckoning)
    account_id, email = guid(entry["objectGUID"][0]), text(entry, "mail")
    return {
        "account_id": account_id, "login": text(entry, "sAMAccountName") or text(entry, "cn"), "sid": security_id,
        "upn": text(entry, "userPrincipalName"), "email": email, "aliases": _aliases(entry), "anchor": _anchor(entry, account_id),
        "given_name": text(entry, "givenName"), "family_name": text(entry, "sn"), "display_name": text(entry, "displayName"),
        "department": text(entry, "department"), "job_title": text(entry, "title"), "company": text(entry, "company"),
        "location": text(entry, "physicalDeliveryOfficeName") or text(entry, "l"),
        "enabled": enabled, "state_reason": reason, "expires_at": expires, "created_at": instant(entry, "whenCreated"),
        "last_login_at": filetime(number(entry, "lastLogonTimestamp")), "password_changed_at": filetime(number(entry, "pwdLastSet")),
        "kind": kind(entry, security_id, flags), "container": parent(dn),
    }  # fmt: skip


def kind(entry: Attributes, security_id: str | None, flags: int | None = None) -> str:
    """What sort of account it is, by its class chain, its SID, its flags and its mailbox type.

    adminCount is not asked: it stays set when somebody is an administrator no longer, and is not set by a primary group.
    """
    classes = {name.lower() for name in texts(entry, "objectClass")}
    if not classes:
        return "unknown"
    if "contact" in classes:
        return "contact"
    if classes & _MANAGED:
        return "service"
    if "computer" in classes:
        return "computer"
    if 0 < relative_id(security_id) < 1000 or true(entry, "isCriticalSystemObject") or (flags or 0) & TRUSTED_DOMAIN:
        return "builtin"
    mailbox = _MAILBOXES.get(number(entry, "msExchRecipientTypeDetails") or 0)
    return mailbox or ("service" if entry.get("servicePrincipalName") else "person")


def _state(flags: int | None, expires: int | None, locked: int | None, reckoning: Reckoning) -> tuple[bool | None, str | None]:
    """(enabled, reason). Disabled and expired accounts are off; a lock passes by itself and leaves the account on.

    A lock is not in userAccountControl, and lockoutTime stays when it has passed: it is reckoned with the domain's duration.
    """
    if flags is None:
        return None, None
    if flags & DISABLED:
        return False, "disabled"
    if expires is not None and expires <= reckoning.now:
        return False, "expired"
    if locked is not None and (reckoning.lockout is None or reckoning.now < locked + reckoning.lockout):
        return True, "locked"
    return True, None


def _aliases(entry: Attributes) -> list[str]:
    """The further addresses, in lower case: "SMTP:" is the primary one, "smtp:" each of the others."""
    return [address[5:].lower() for address in texts(entry, "proxyAddresses") if address.startswith("smtp:")]


def _anchor(entry: Attributes, account_id: str) -> str | None:
    """mS-DS-ConsistencyGuid, by which the cloud knows the account, when it is not simply its own id."""
    raw = entry.get("mS-DS-ConsistencyGuid")
    made = guid(raw[0]) if raw and len(raw[0]) == 16 else None
    return None if made == account_id else made
