"""Active Directory's values in our own terms: times as integers, identifiers as administrators write them."""

from __future__ import annotations

import calendar
import uuid
from collections.abc import Mapping

from reconciler.connector import Incomplete

Attributes = Mapping[str, list[bytes]]

# FILETIME: 100 ns since 1601-01-01; in microseconds since 1970 it is ticks // 10 less this.
_EPOCH = 11_644_473_600_000_000
_LAST = 253_402_300_799_999_999  # the end of the year 9999, in microseconds since 1970


def text(entry: Attributes, name: str) -> str | None:
    """The first value as text; None when there is none or it is empty."""
    values = entry.get(name)
    return values[0].decode("utf-8", "replace") or None if values else None


def texts(entry: Attributes, name: str) -> list[str]:
    return [value.decode("utf-8", "replace") for value in entry.get(name, ())]


def number(entry: Attributes, name: str) -> int | None:
    """The first value as an integer; None when there is none. Raises Incomplete on anything else."""
    values = entry.get(name)
    if not values:
        return None
    try:
        return int(values[0])
    except ValueError:
        raise Incomplete(f"{name} is {values[0][:40]!r}, which is no number; is this Active Directory?") from None


def true(entry: Attributes, name: str) -> bool:
    return entry.get(name) == [b"TRUE"]


def guid(raw: bytes) -> str:
    """objectGUID's 16 bytes as Windows writes them, in lower case; raises Incomplete when they are not 16."""
    if len(raw) != 16:
        raise Incomplete(f"an objectGUID has {len(raw)} bytes instead of 16; is this Active Directory?")
    return str(uuid.UUID(bytes_le=raw))


def sid(raw: bytes) -> str:
    """A security identifier's bytes as S-1-5-21-… (MS-DTYP 2.4.2.2)."""
    if len(raw) < 8 or len(raw) != 8 + 4 * raw[1]:
        raise Incomplete(f"an objectSid has {len(raw)} bytes, which is none; is this Active Directory?")
    parts = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, len(raw), 4)]
    return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8]), *parts)))


def relative_id(security_id: str | None) -> int:
    """The last part of a SID, which names the account within its domain; 0 without a SID."""
    return int(security_id.rpartition("-")[2]) if security_id else 0


def filetime(ticks: int | None) -> int | None:
    """Microseconds since 1970; None for the many ways of "never": 0, -1, the largest numbers, anything beyond 9999."""
    if ticks is None or ticks <= 0:
        return None
    made = ticks // 10 - _EPOCH
    return made if made <= _LAST else None


def span(ticks: int | None) -> int | None:
    """A negative count of 100 ns, as the domain's policies have it, in microseconds; None for 0 and "for ever"."""
    return None if not ticks or ticks <= -(2**63) else -ticks // 10


def instant(entry: Attributes, name: str) -> int | None:
    """20261122020500.0Z in microseconds since 1970; None when there is none, or only the year 1601 that stands for it."""
    values = entry.get(name)
    if not values:
        return None
    said = values[0]
    try:
        parts = (said[:4], said[4:6], said[6:8], said[8:10], said[10:12], said[12:14])
        made = calendar.timegm(tuple(map(int, parts)))
    except ValueError:
        raise Incomplete(f"{name} is {said[:40]!r}, which is no time; is this Active Directory?") from None
    return made * 1_000_000 if made > 0 else None


def parent(dn: str) -> str:
    """The container of an object: its DN after the first comma that is not escaped."""
    at = dn.find(",")
    while at > 0 and (at - len(dn[:at].rstrip("\\"))) % 2:
        at = dn.find(",", at + 1)
    return dn[at + 1 :] if at >= 0 else ""


def inside(dn: str, base: str) -> bool:
    """Whether an object is a base or lies below it; DNs compare without regard to case."""
    dn, base = dn.lower(), base.lower()
    return dn == base or dn.endswith("," + base)
