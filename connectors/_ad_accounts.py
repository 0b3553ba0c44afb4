"""From Active Directory's attributes to accounts: flags, times as integers, identifiers, kinds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

Attributes = Mapping[str, list[bytes]]

# FILETIME: 100 ns since 1601-01-01; in microseconds since 1970 it is ticks // 10 less this.
_EPOCH = 11_644_473_600_000_000
_LAST = 253_402_300_799_999_999  # the end of the year 9999, in microseconds since 1970
DISABLED = 0x2

# Groups whose members are administrators, by the last part of their SID (Microsoft, "Protected Accounts and Groups").
PRIVILEGED_RIDS = frozenset({512, 516, 518, 519, 520, 526, 527, 544, 548, 549, 550, 551})
_MAILBOX_KINDS = {"4": "shared", "16": "room", "32": "room"}


def text(entry: Attributes, name: str) -> str | None:
    """The first value as text; None when there is none or it is empty."""
    values = entry.get(name)
    return values[0].decode("utf-8", "replace") or None if values else None


def number(entry: Attributes, name: str) -> int | None:
    values = entry.get(name)
    return int(values[0]) if values else None


def guid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw))


def sid(raw: bytes) -> str:
    """A security identifier as S-1-5-21-…"""
    parts = [int.from_bytes(raw[8 + 4 * n : 12 + 4 * n], "little") for n in range(raw[1])]
    return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8]), *parts)))


def filetime(ticks: int | None) -> int | None:
    """Microseconds since 1970; None for the many ways of "never": 0, -1, the largest numbers, anything beyond 9999."""
    if ticks is None or ticks <= 0:
        return None
    made = ticks // 10 - _EPOCH
    return made if made <= _LAST else None


def generalised(entry: Attributes, name: str) -> int | None:
    """20261122020500.0Z as microseconds since 1970."""
    from datetime import UTC, datetime

    value = text(entry, name)
    if value is None:
        return None
    return int(datetime.strptime(value[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()) * 1_000_000


def kind(entry: Attributes, security_id: str | None) -> str:
    """What sort of account it is, by its class chain, its SID and its mailbox type."""
    classes = {value.decode("ascii", "replace").lower() for value in entry.get("objectClass", ())}
    if "contact" in classes:
        return "contact"
    if classes & {"msds-groupmanagedserviceaccount", "msds-managedserviceaccount"}:
        return "service"
    if "computer" in classes:
        return "computer"
    relative = int(security_id.rpartition("-")[2]) if security_id else 0
    if (text(entry, "isCriticalSystemObject") or "").upper() == "TRUE" or 0 < relative < 1000:
        return "builtin"
    mailbox = _MAILBOX_KINDS.get(text(entry, "msExchRecipientTypeDetails") or "")
    return mailbox or ("service" if entry.get("servicePrincipalName") else "person")


def account(entry: Attributes, dn: str, now: int) -> dict[str, Any]:
    """One account's row; `now` is microseconds since 1970, against which expiry is judged."""
    security_id = sid(entry["objectSid"][0]) if entry.get("objectSid") else None
    expires, (enabled, reason) = filetime(number(entry, "accountExpires")), (None, None)
    flags = number(entry, "userAccountControl")
    if flags is not None:
        enabled, reason = _state(flags, expires, number(entry, "lockoutTime"), now)
    mails = [value.decode("utf-8", "replace") for value in entry.get("proxyAddresses", ())]
    return {
        "account_id": guid(entry["objectGUID"][0]), "login": text(entry, "sAMAccountName") or text(entry, "cn"), "sid": security_id,
        "upn": text(entry, "userPrincipalName"), "email": text(entry, "mail"),
        "aliases": [mail[5:].lower() for mail in mails if mail.startswith("smtp:")],
        "employee_id": text(entry, "employeeID"), "given_name": text(entry, "givenName"), "family_name": text(entry, "sn"),
        "display_name": text(entry, "displayName"), "department": text(entry, "department"), "job_title": text(entry, "title"),
        "company": text(entry, "company"), "location": text(entry, "physicalDeliveryOfficeName") or text(entry, "l"),
        "enabled": enabled, "state_reason": reason, "expires_at": expires, "created_at": generalised(entry, "whenCreated"),
        "last_login_at": filetime(number(entry, "lastLogonTimestamp")), "password_changed_at": filetime(number(entry, "pwdLastSet")),
        "kind": kind(entry, security_id), "container": parent(dn),
    }  # fmt: skip


def _state(flags: int, expires: int | None, locked: int | None, now: int) -> tuple[bool, str | None]:
    """(enabled, reason): a disabled or expired account is off; a lock passes by itself and changes nothing."""
    if flags & DISABLED:
        return False, "disabled"
    if expires is not None and expires <= now:
        return False, "expired"
    return True, "locked" if locked else None


def parent(dn: str) -> str:
    """The container of an object: its DN after the first comma that is not escaped."""
    at = 0
    while at < len(dn):
        if dn[at] == "\\":
            at += 1
        elif dn[at] == ",":
            return dn[at + 1 :]
        at += 1
    return ""
