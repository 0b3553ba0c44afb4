"""Names of objects in a directory: distinguished names, security identifiers, GUIDs, and times, in the forms they are spelled in."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
NEVER = 0x7FFFFFFFFFFFFFFF

_PLAIN = re.compile(r'^[^\\" ]+(?: +[^\\" ,=]+)*$')
_ESCAPED = re.compile(r"\\([0-9a-fA-F]{2}|.)", re.DOTALL)
_SPECIAL = re.compile(r'[,\\#+<>;"=]')


def parts(dn: str) -> list[tuple[str, str]]:
    """(type, value) of each part of a name, nearest first; raises ValueError on what is no name."""
    found, at, begin = [], 0, 0
    while at < len(dn):
        if dn[at] == "\\":
            at += 1
        elif dn[at] == ",":
            found.append(_part(dn[begin:at]))
            begin = at + 1
        at += 1
    return [*found, _part(dn[begin:])] if dn.strip() else []


def _part(text: str) -> tuple[str, str]:
    kind, equals, value = text.partition("=")
    if not equals or not kind.strip():
        raise ValueError(f"{text!r} is no part of a distinguished name; expected TYPE=value")
    bare = value.lstrip(" ")
    while bare.endswith(" ") and not bare.endswith("\\ "):
        bare = bare[:-1]
    return kind.strip(), unescape(bare)


def unescape(value: str) -> str:
    r"""`\,` and `\2C` are commas; pairs of digits are bytes of UTF-8."""
    if "\\" not in value:
        return value
    raw = bytearray()
    at = 0
    for found in _ESCAPED.finditer(value):
        raw += value[at : found.start()].encode()
        raw += bytes.fromhex(found[1]) if len(found[1]) == 2 else found[1].encode()
        at = found.end()
    return (raw + value[at:].encode()).decode("utf-8", "replace")


def escape(value: str) -> str:
    """A value as Active Directory spells it inside a distinguished name."""
    made = _SPECIAL.sub(lambda found: "\\" + found[0], value) if _SPECIAL.search(value) else value
    if "#" in made:
        made = made.replace("\\#", "#")
        made = "\\" + made if made.startswith("#") else made
    made = made.replace("\n", "\\0A").replace("\r", "\\0D").replace("\0", "\\00")
    if made.startswith(" "):
        made = "\\" + made
    return made[:-1] + "\\ " if made.endswith(" ") and not made.endswith("\\ ") else made


def key(dn: str) -> str:
    """One spelling for all spellings of a name, to look it up by."""
    if _PLAIN.match(dn):
        return dn.lower()
    return ",".join(f"{kind.lower()}={_folded(value)}" for kind, value in parts(dn))


def _folded(value: str) -> str:
    made = value.lower().replace("\\", "\\\\").replace(",", "\\,").replace("\n", "\\0a").replace('"', '\\"')
    return "\\20" + made[1:] if made.startswith(" ") else made


def spelled(dn: str) -> str:
    """A name as the directory itself would write it."""
    return ",".join(f"{kind}={escape(value)}" for kind, value in parts(dn))


def split(dn: str) -> tuple[str, str]:
    """A name's first part, and the rest: the container's name."""
    at = 0
    while at < len(dn):
        if dn[at] == "\\":
            at += 1
        elif dn[at] == ",":
            return dn[:at], dn[at + 1 :].lstrip(" ")
        at += 1
    return dn, ""


def base_of(domain: str) -> str:
    return ",".join(f"DC={label}" for label in domain.split("."))


# --- identifiers ------------------------------------------------------------------------------------------------


def number_from(*words: object) -> int:
    """A number that depends on nothing but the words."""
    return int.from_bytes(hashlib.blake2b("\0".join(map(str, words)).encode(), digest_size=16).digest())


def guid_from(*words: object) -> bytes:
    """A GUID that depends on nothing but the words, as the sixteen bytes of objectGUID."""
    return uuid.UUID(int=number_from("guid", *words), version=4).bytes_le


def guid_text(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw))


def guid_bytes(text: str) -> bytes:
    return uuid.UUID(text.strip("{}")).bytes_le


def sid_text(raw: bytes) -> str:
    parts_ = (int.from_bytes(raw[8 + 4 * n : 12 + 4 * n], "little") for n in range(raw[1]))
    return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8]), *parts_)))


def sid_bytes(text: str) -> bytes:
    """S-1-5-21-… as bytes; raises ValueError on anything else."""
    words = text.upper().split("-")
    if len(words) < 4 or words[0] != "S" or len(words) > 18:
        raise ValueError(f"{text!r} is no security identifier; expected S-1-5-…")
    revision, authority, *rest = map(int, words[1:])
    return bytes((revision, len(rest))) + authority.to_bytes(6) + b"".join(part.to_bytes(4, "little") for part in rest)


def rid_of(sid: bytes) -> int:
    return int.from_bytes(sid[-4:], "little")


# --- times ------------------------------------------------------------------------------------------------------


def ticks(instant: datetime) -> int:
    """100 ns since 1601, in integers: a float would lose the last digits."""
    past = instant - EPOCH
    return (past.days * 86_400 + past.seconds) * 10_000_000 + past.microseconds * 10


def generalised(instant: datetime) -> bytes:
    return instant.astimezone(UTC).strftime("%Y%m%d%H%M%S.0Z").encode()
