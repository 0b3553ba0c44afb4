"""Values on their way into a directory: anything a program holds, as the bytes an attribute stores."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory_node import Node, Refused, Values
from reconciler.sandbox.directory_schema import BACKLINKS, LARGE, LINKS, SID

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

Taken = tuple[Values, dict[str, list[Node]]]


def taken(directory: Directory, attributes: Mapping[str, Any]) -> Taken:
    """Attributes as stored values, and links as the objects they lead to; an empty list takes the attribute away."""
    values: Values = {}
    links: dict[str, list[Node]] = {}
    for given, value in attributes.items():
        name = directory.schema.known(given)
        if name in BACKLINKS:
            raise Refused(53, f"{name} is the back of {BACKLINKS[name]}; write that one")
        several = [] if value is None else _several(value)
        if name in LINKS:
            links[name] = [directory.node(text if isinstance(text, str) else text.decode()) for text in several]
            continue
        if len(several) > 1:
            directory.schema.multi.add(name)
        values[name] = [stored(directory.schema.syntax[name], one) for one in several]
    return values, links


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]


def stored(syntax: str, value: Any) -> bytes:
    """One value as it is stored: TRUE, digits, 20261122020500.0Z, ticks since 1601, UTF-8."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"TRUE" if value else b"FALSE"
    if isinstance(value, datetime):
        return b"%d" % names.ticks(value) if syntax == LARGE else names.generalised(value)
    if isinstance(value, uuid.UUID):
        return value.bytes_le
    if syntax == SID and isinstance(value, str):
        return names.sid_bytes(value)
    if isinstance(value, (str, int, date)):
        return str(value).encode()
    raise TypeError(f"a directory stores text, numbers, booleans, bytes and instants, no {type(value).__name__}")


def write(directory: Directory, node: Node, values: Mapping[str, Sequence[bytes]]) -> None:
    """Set stored values on an object and keep the indexes right; the caller stamps it."""
    for name in ("sAMAccountName", "userPrincipalName"):
        if name in values:
            unique(directory, node, name, values[name])
    directory.unindex(node)
    for name, listed in values.items():
        if listed:
            node.values[name] = list(listed)
        else:
            node.values.pop(name, None)
    directory.index(node)


def unique(directory: Directory, node: Node, name: str, values: Sequence[bytes]) -> None:
    """A login belongs to one object: a second sAMAccountName is refused as existing, a second UPN as a constraint."""
    for value in values:
        holder = directory.logins[name].get(value.decode("utf-8", "replace").lower())
        if holder is None or holder is node:
            continue
        if name == "sAMAccountName":
            raise Refused(
                68, f"00000524: UpdErr: DSID-031A11FA, problem 6005 (ENTRY_EXISTS), data 0: {value.decode()} is {holder.dn}"
            )
        raise Refused(19, "000021C8: AtrErr: DSID-03200EF7, #1:\n\t0: 000021C8: DSID-03200EF7, problem 1005 (CONSTRAINT_ATT_TYPE), "
                          "data 0, Att 90290 (userPrincipalName)")  # fmt: skip
