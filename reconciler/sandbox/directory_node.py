"""One object of a directory: its name, its values, its links to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.sandbox.directory_names import EPOCH, generalised
from reconciler.sandbox.directory_schema import BACKLINKS, LINKS

Values = dict[str, list[bytes]]
_NOTHING: Sequence[bytes] = ()


class Refused(Exception):
    """What a directory will not do: an LDAP result code, and the text Active Directory gives with it."""

    def __init__(self, code: int, message: str, matched: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.matched = code, message, matched


@dataclass(eq=False, slots=True)
class Node:
    """An object. `wire` holds it as it was last sent, and is emptied when it changes."""

    dn: str
    key: str
    kind: str
    guid: bytes
    values: Values
    parent: Node | None = None
    children: dict[str, Node] = field(default_factory=dict)
    links: dict[str, dict[Node, None]] = field(default_factory=dict)  # member, manager, managedBy
    back: dict[str, dict[Node, None]] = field(default_factory=dict)  # memberOf, directReports, managedObjects
    wire: dict[Any, bytes] = field(default_factory=dict)
    created: datetime = EPOCH
    changed: datetime = EPOCH
    usn_created: int = 0
    usn: int = 0
    secret: str | None = None
    deleted: bool = False
    partition: bool = False  # the head of a naming context: a search from above does not enter
    buried: Any = None  # what a deleted object was, for its return

    def get(self, name: str) -> Sequence[bytes]:
        """The values of an attribute, spelled as in the schema; none when it has none. Not those constructed on demand."""
        plain = self.values.get(name)
        if plain is not None:
            return plain
        derive = _DERIVED.get(name)
        return derive(self) if derive else _NOTHING

    def text(self, name: str) -> str | None:
        found = self.get(name)
        return found[0].decode("utf-8", "replace") if found else None

    def number(self, name: str, otherwise: int = 0) -> int:
        found = self.get(name)
        return int(found[0]) if found else otherwise

    def names(self) -> list[str]:
        """Every attribute it has, constructed ones apart."""
        linked = [name for name, nodes in (*self.links.items(), *self.back.items()) if nodes]
        return [*self.values, *linked, *_STAMPS]

    def walk(self) -> Iterator[Node]:
        """It and everything below, other naming contexts apart."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += [child for child in reversed(node.children.values()) if not child.partition]

    def within(self, other: Node) -> bool:
        node: Node | None = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    def head(self) -> Node:
        """The head of the naming context it is in."""
        node = self
        while not node.partition and node.parent is not None:
            node = node.parent
        return node


def _link(name: str) -> Callable[[Node], Sequence[bytes]]:
    return lambda node: [other.dn.encode() for other in node.links.get(name, ())]


def _back(name: str) -> Callable[[Node], Sequence[bytes]]:
    return lambda node: [other.dn.encode() for other in node.back.get(name, ())]


_STAMPS: Mapping[str, Callable[[Node], Sequence[bytes]]] = {
    "distinguishedName": lambda node: [node.dn.encode()],
    "whenCreated": lambda node: [generalised(node.created)],
    "whenChanged": lambda node: [generalised(node.changed)],
    "uSNCreated": lambda node: [b"%d" % node.usn_created],
    "uSNChanged": lambda node: [b"%d" % node.usn],
}
_DERIVED: Mapping[str, Callable[[Node], Sequence[bytes]]] = {
    **_STAMPS, **{name: _link(name) for name in LINKS}, **{name: _back(name) for name in BACKLINKS},
}  # fmt: skip
