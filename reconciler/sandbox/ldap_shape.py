"""Objects as search results: which attributes are shown, in which ranges, and the bytes that are sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_account
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.directory_node import Node
from reconciler.sandbox.directory_schema import CONSTRUCTED, SECRETS
from reconciler.sandbox.ldap_messages import ENTRY

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

MAX_VALUES = 1500  # MaxValRange of Active Directory
REMEMBERED = 6  # shapes of one object that are kept encoded
_RANGE = re.compile(r"range=(\d+)-(\d+|\*)", re.IGNORECASE)


@dataclass(frozen=True)
class Shape:
    """What a search wants of every object; two equal shapes give the same bytes of an unchanged object."""

    everything: bool
    named: tuple[str, ...]  # as the schema spells them
    ranges: tuple[tuple[str, int, int | None], ...] = ()
    types_only: bool = False
    hidden: frozenset[str] = frozenset()

    @property
    def lasting(self) -> bool:
        """Whether an object's bytes change only when the object does."""
        return not any(name in CONSTRUCTED for name in self.named)


def shape(directory: Directory, wanted: Sequence[str], types_only: bool, hidden: frozenset[str]) -> Shape:
    """From the names a client asks for; unknown ones are nowhere, `1.1` alone asks for none, none at all for everything."""
    named: dict[str, None] = {}
    ranges = []
    for text in wanted:
        bare, _, option = text.partition(";")
        name = directory.schema.name(bare)
        if name is None:
            continue
        found = _RANGE.fullmatch(option)
        if found:
            ranges.append((name, int(found[1]), None if found[2] == "*" else int(found[2])))
        elif not option or option.lower() == "binary":
            named[name] = None
    return Shape(not wanted or "*" in wanted, tuple(named), tuple(ranges), types_only, hidden)


def encoded(directory: Directory, node: Node, wanted: Shape) -> bytes:
    """The object as a SearchResultEntry, remembered until it changes."""
    known = node.wire.get(wanted)
    if known is not None:
        return known
    made = ber.constructed(ENTRY, ber.octets(node.dn), ber.constructed(ber.SEQUENCE, *_attributes(directory, node, wanted)))
    if wanted.lasting:
        if len(node.wire) >= REMEMBERED:
            node.wire.clear()
        node.wire[wanted] = made
    return made


def _attributes(directory: Directory, node: Node, wanted: Shape) -> list[bytes]:
    names = dict.fromkeys(node.names()) if wanted.everything else {}
    for name in wanted.named:
        names[name] = None
    found: list[bytes] = []
    for name in names:
        if name in SECRETS or name in wanted.hidden:
            continue
        values = directory_account.constructed(directory, node, name) if name in CONSTRUCTED else node.get(name)
        if values:
            found += _whole(name, values, wanted.types_only)
    for name, first, last in wanted.ranges:
        if name not in SECRETS and name not in wanted.hidden:
            found += _range(name, node.get(name), first, last)
    return found


def _whole(name: str, values: Sequence[bytes], types_only: bool) -> list[bytes]:
    """All values; of more than 1,500 the first ones, under a name that says so, and the plain name without any, as Windows does."""
    if types_only:
        return [ber.attribute(name, ())]
    if len(values) <= MAX_VALUES:
        return [ber.attribute(name, values)]
    return [ber.attribute(name, ()), *_range(name, values, 0, None)]


def _range(name: str, values: Sequence[bytes], first: int, last: int | None) -> list[bytes]:
    """Values from `first`, 1,500 at most; the last piece says `*`; past the end there is nothing."""
    if first >= len(values):
        return []
    end = min(first + MAX_VALUES, len(values), len(values) if last is None else last + 1)
    told = "*" if end >= len(values) else str(end - 1)
    return [ber.attribute(f"{name};range={first}-{told}", values[first:end])]
