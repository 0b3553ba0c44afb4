"""Names that a change needs: an object by its GUID, a common name inside a DN, a value inside a filter, a new login."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME, LONGEST_LOGIN = 64, 20  # cn; sAMAccountName of a user (MS-SAMR)
_IN_NAMES = re.compile(r'[,\\#+<>;"=]')
_IN_FILTERS = re.compile(rb"[^ -'+-\[\]-~]")  # all but printable ASCII, and of that not ( ) * \
_NOT_IN_LOGINS = re.compile(r'["/\\\[\]:;|=,+*?<>@\s]')


def by_guid(account_id: str) -> str:
    """The name that an object keeps when it is renamed or moved."""
    return f"<GUID={account_id}>"


def common_name(value: str) -> str:
    """CN=value, escaped (RFC 4514) and cut to what a directory takes."""
    made = _IN_NAMES.sub(lambda found: "\\" + found[0], value.strip()[:LONGEST_NAME].strip())
    return "CN=" + "".join(char if char.isprintable() or char == " " else _bytes(char) for char in made)


def _bytes(char: str) -> str:
    return "".join(f"\\{byte:02X}" for byte in char.encode())


def in_filter(value: str) -> str:
    """A value that means nothing but itself inside a filter (RFC 4515)."""
    return _IN_FILTERS.sub(lambda found: b"\\%02x" % ord(found[0]), value.encode()).decode()


def first_part(dn: str) -> str:
    """An object's own part of its name, as it is spelled."""
    found = re.match(r"(?:[^\\,]|\\.)*", dn, re.DOTALL)
    return found[0] if found else dn


def same_name(one: str | None, other: str | None) -> bool:
    """Whether two DNs name the same object: case, and spaces after commas, do not count."""
    return one is not None and other is not None and _folded(one) == _folded(other)


def _folded(dn: str) -> str:
    return re.sub(r"(?<!\\),\s+", ",", dn).casefold()


def login_of(email: str) -> str:
    """A login made of an address: what stands before the @, in the characters and length that logins have."""
    plain = unicodedata.normalize("NFC", email.partition("@")[0])
    return _NOT_IN_LOGINS.sub("", plain)[:LONGEST_LOGIN].rstrip(".")
