"""LDAP requests as data, read off the wire: what is asked, and under which controls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.ldap_ber import Element, Malformed

BIND, UNBIND, SEARCH, MODIFY, ADD, DELETE, RENAME, COMPARE, ABANDON, EXTENDED = (
    0x60, 0x42, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x50, 0x77)  # fmt: skip
ENTRY, DONE, REFERENCE = 0x64, 0x65, 0x73
ANSWERS = {BIND: 0x61, SEARCH: 0x65, MODIFY: 0x67, ADD: 0x69, DELETE: 0x6B, RENAME: 0x6D, COMPARE: 0x6F, EXTENDED: 0x78}

PAGED = "1.2.840.113556.1.4.319"
SHOW_DELETED, SHOW_RECYCLED = "1.2.840.113556.1.4.417", "1.2.840.113556.1.4.2064"
SORT, SORTED = "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.474"
TREE_DELETE, PERMISSIVE, DOMAIN_SCOPE = "1.2.840.113556.1.4.805", "1.2.840.113556.1.4.1413", "1.2.840.113556.1.4.1339"
IGNORED = frozenset({  # taken and without effect here: lazy commit, descriptor parts, search options, ManageDsaIT, range without a limit
    "1.2.840.113556.1.4.619", "1.2.840.113556.1.4.801", "1.2.840.113556.1.4.1340", "2.16.840.1.113730.3.4.2", "1.2.840.113556.1.4.1948",
})  # fmt: skip
CONTROLS = frozenset({PAGED, SHOW_DELETED, SHOW_RECYCLED, SORT, TREE_DELETE, PERMISSIVE, DOMAIN_SCOPE}) | IGNORED


@dataclass(frozen=True)
class Request:
    """One message of a client; `controls` maps the known ones to their values, `refused` is a critical one nobody knows."""

    number: int
    operation: int
    content: bytes
    controls: Mapping[str, bytes] = field(default_factory=dict)
    refused: str | None = None


@dataclass(frozen=True)
class Search:
    base: str
    scope: int  # 0 the object, 1 its children, 2 everything below
    size_limit: int
    types_only: bool
    filter: Element
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One change of a modify: 0 adds values, 1 deletes them (or all), 2 replaces them."""

    how: int
    attribute: str
    values: tuple[bytes, ...]


def request(data: bytes) -> Request:
    """A whole message; raises Malformed when it is none."""
    try:
        ((_, content),) = ber.elements(data)
        (tag, number), (operation, inside), *more = ber.elements(content)
    except ValueError:
        raise Malformed("a message is a number and an operation") from None
    if tag != ber.INTEGER:
        raise Malformed("a message begins with its number")
    controls: dict[str, bytes] = {}
    refused = None
    for _, content in (element for tag, listed in more if tag == 0xA0 for element in ber.elements(listed)):
        (_, oid), *rest = ber.elements(content)
        critical = any(tag == ber.BOOLEAN and value != b"\x00" for tag, value in rest)
        if oid.decode() in CONTROLS:
            controls[oid.decode()] = next((value for tag, value in rest if tag == ber.OCTETS), b"")
        elif critical:
            refused = oid.decode()
    return Request(ber.number(number), operation, inside, controls, refused)


def search(content: bytes) -> Search:
    base, scope, _deref, size, _time, types, wanted, attributes = ber.elements(content)
    names = tuple(name.decode("utf-8", "replace") for _, name in ber.elements(attributes[1]))
    return Search(text(base), ber.number(scope[1]), ber.number(size[1]), types[1] != b"\x00", wanted, names)


def modify(content: bytes) -> tuple[str, list[Change]]:
    name, changes = ber.elements(content)
    found = []
    for _, change in ber.elements(changes[1]):
        how, (_, attribute) = ber.elements(change)
        found.append(Change(ber.number(how[1]), *_attribute(attribute)))
    return text(name), found


def add(content: bytes) -> tuple[str, dict[str, tuple[bytes, ...]]]:
    name, attributes = ber.elements(content)
    return text(name), dict(_attribute(attribute) for _, attribute in ber.elements(attributes[1]))


def _attribute(content: bytes) -> tuple[str, tuple[bytes, ...]]:
    name, values = ber.elements(content)
    return text(name), tuple(value for _, value in ber.elements(values[1]))


def rename(content: bytes) -> tuple[str, str, str | None]:
    """(name, new first part, new container or None)."""
    name, rdn, _delete, *superior = ber.elements(content)
    return text(name), text(rdn), text(superior[0]) if superior else None


def text(element: Element) -> str:
    return element[1].decode("utf-8", "replace")
