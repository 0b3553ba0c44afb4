"""Searching as Active Directory does it: where to look, who may see what, pages, and limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_names as names
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox import ldap_filter, ldap_messages, ldap_root, ldap_shape
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import EFFECTIVE
from reconciler.sandbox.ldap_messages import Request, Search
from reconciler.sandbox.ldap_shape import Shape

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

MAX_PAGE = 1000  # MaxPageSize of Active Directory
MAX_CURSORS = 10  # paged searches a connection may have open; the oldest is given up (as seen with Samba 4.17)
BASE, ONE, SUB = 0, 1, 2
TOKENS = ("tokenGroups", "tokenGroupsGlobalAndUniversal", "tokenGroupsNoGCAcceptable")


@dataclass(frozen=True)
class Found:
    """What a search found, not yet sent."""

    nodes: Sequence[Node]
    shape: Shape
    references: tuple[str, ...] = ()


def found(directory: Directory, asked: Search, who: Node, request: Request) -> Found:
    """Every object a search finds, in the order they were created; raises Refused as Active Directory does."""
    graves = bool({ldap_messages.SHOW_DELETED, ldap_messages.SHOW_RECYCLED} & request.controls.keys())
    base = located(directory, asked.base, who, graves)
    hidden = _hidden(directory, asked, who)
    wanted = ldap_shape.shape(directory, asked.attributes, asked.types_only, hidden)
    if asked.scope != BASE and any(name in TOKENS for name in wanted.named):
        raise Refused(1, "00002120: SvcErr: DSID-031401E7, problem 5012 (DIR_ERROR), data 0")
    expression = ldap_filter.parse(asked.filter)
    ask = ldap_filter.question(directory, expression, hidden)
    only = ldap_filter.shortcut(directory, expression)
    nodes = _within(base, asked.scope) if only is True else _one(only, base, asked.scope)
    closed = [node for guid, whom in directory.hidden.items() if who.guid in whom and (node := directory.guids.get(guid))]
    listed = [node for node in nodes if ask(node) is True and (graves or not node.deleted) and not _behind(node, closed)]
    references: tuple[str, ...] = ()
    if asked.scope == SUB and ldap_messages.DOMAIN_SCOPE not in request.controls:
        below = (
            head for head in directory.heads if head.parent and head.parent.head() is base.head() and head.parent.within(base)
        )
        references = tuple(f"ldap://{directory.domain}/{head.dn}" for head in below)
    return Found(_sorted(directory, listed, request), wanted, references)


def _hidden(directory: Directory, asked: Search, who: Node) -> frozenset[str]:
    """The attributes that are not shown to somebody: what he may not read, and where he may write nothing, what that would be."""
    hidden = frozenset(name for name, principals in directory.hidden_attributes.items() if who.guid in principals)
    nothing = who.guid in directory.readers and EFFECTIVE.lower() in map(str.lower, asked.attributes)
    return hidden | {EFFECTIVE} if nothing else hidden


def _within(base: Node, scope: int) -> Iterable[Node]:
    if scope == BASE:
        return (base,)
    return [child for child in base.children.values() if not child.partition] if scope == ONE else base.walk()


def _one(node: Node | bool | None, base: Node, scope: int) -> tuple[Node, ...]:
    """The object an index has found, when it lies where it is looked for."""
    if not isinstance(node, Node):
        return ()
    inside = {BASE: node is base, ONE: node.parent is base}.get(scope, node.within(base) and node.head() is base.head())
    return (node,) if inside else ()


def _behind(node: Node, closed: Sequence[Node]) -> bool:
    return any(node is not container and node.within(container) for container in closed)


def _sorted(directory: Directory, nodes: list[Node], request: Request) -> list[Node]:
    """By the attribute of the sort control, when there is one and it is known; objects without it come last."""
    if ldap_messages.SORT not in request.controls:
        return nodes
    ((_, keys),) = ber.elements(request.controls[ldap_messages.SORT])
    ((_, key), *_) = ber.elements(keys)
    parts = ber.elements(key)
    name = directory.schema.name(parts[0][1].decode("utf-8", "replace"))
    if name is None:
        return nodes
    backward = any(tag == 0x81 and value != b"\0" for tag, value in parts)
    having = sorted(
        (node for node in nodes if node.get(name)), key=lambda node: ldap_filter.folded(node.get(name)[0]), reverse=backward
    )
    return having + [node for node in nodes if not node.get(name)]


def located(directory: Directory, name: str, who: Node | None, graves: bool = False) -> Node:
    """The object of a name; raises Refused 32 with the nearest container there is, 10 for another domain's, 34 for no name."""
    node = ldap_filter.resolve(directory, name)
    closed = [c for guid, whom in directory.hidden.items() if who and who.guid in whom and (c := directory.guids.get(guid))]
    if node is not None and (graves or not node.deleted) and not _behind(node, closed):
        return node
    if name.startswith("<") or not name:
        raise Refused(32, "0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t''\n")
    try:
        outermost, lowest = names.parts(name)[-1], names.key(name)
    except ValueError:
        raise Refused(
            34, f"0000208F: NameErr: DSID-0310021B, problem 2006 (BAD_NAME), data 8350, best match of:\n\t'{name}'\n"
        ) from None
    if not lowest.endswith(names.key(directory.base)):
        domain = ".".join(value for kind, value in names.parts(name) if kind.upper() == "DC") or outermost[1]
        raise Refused(
            10, f"0000202B: RefErr: DSID-0310084A, data 0, 1 access points\n\tref 1: '{domain}'\n", f"ldap://{domain}/{name}"
        )
    nearest = name
    while nearest and directory.find(nearest) is None:
        nearest = names.split(nearest)[1]
    raise Refused(
        32, f"0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{nearest}'\n", nearest
    )


def root_entry(directory: Directory, asked: Search, who: Node | None = None) -> bytes | None:
    """The root or the subschema when that is what is asked for."""
    name = asked.base.lower().replace(" ", "")
    if asked.base == "" and asked.scope == BASE:
        return ldap_root.entry("", ldap_root.root(directory), asked.attributes, ldap_root.token(directory, who))
    if name.startswith("cn=aggregate,cn=schema,") and asked.scope == BASE:
        return ldap_root.entry(asked.base, ldap_root.subschema(directory), asked.attributes)
    return None
