"""How objects hang together: memberships both ways, moves that names follow, deletion and return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import LINKS

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

# What a tombstone keeps when there is no recycle bin (MS-ADTS 3.1.1.5.5.1.1).
_KEPT = frozenset(["objectClass", "objectGUID", "objectSid", "sAMAccountName", "userAccountControl", "name", "instanceType", "groupType", "sIDHistory", "sAMAccountType"])  # fmt: skip


def link(directory: Directory, node: Node, name: str, targets: Iterable[Node]) -> None:
    """Add links; the object that holds them changes, those at the other end do not (but look different)."""
    forward = node.links.setdefault(name, {})
    before = len(forward)
    back = LINKS[name]
    for target in targets:
        if target not in forward:
            forward[target] = None
            target.back.setdefault(back, {})[node] = None
            target.wire.clear()
    if len(forward) != before:
        directory.stamp(node)


def unlink(directory: Directory, node: Node, name: str, targets: Iterable[Node]) -> None:
    forward = node.links.get(name, {})
    before = len(forward)
    for target in targets:
        if target in forward:
            del forward[target]
            target.back[LINKS[name]].pop(node, None)
            target.wire.clear()
    if len(forward) != before:
        directory.stamp(node)


def relink(directory: Directory, node: Node, name: str, targets: Sequence[Node]) -> None:
    """The links are exactly these now."""
    held, kept = node.links.get(name, {}), set(targets)
    unlink(directory, node, name, [target for target in held if target not in kept])
    link(directory, node, name, targets)


def move(directory: Directory, node: Node, new_dn: str) -> None:
    """Another name: everything below follows, and so do the names in everybody's links."""
    rdn, above = names.split(new_dn)
    parent = directory.node(above)
    if node.partition or node.parent is None:
        raise Refused(53, f"0000209A: SvcErr: DSID-031A124C, problem 5003 (WILL_NOT_PERFORM), data 0: {node.dn}")
    if parent.within(node):
        raise Refused(53, "000020E2: UpdErr: DSID-031A11E3, problem 5003 (WILL_NOT_PERFORM), data 0: a container into itself")
    naming, value = names.parts(rdn)[0]
    full = f"{naming}={names.escape(value)},{parent.dn}"
    holder = directory.keys.get(names.key(full))
    if holder is not None and holder is not node:
        raise Refused(68, f"00002071: UpdErr: DSID-031B0CB4, problem 6005 (ENTRY_EXISTS), data 0: {full}")
    _place(directory, node, full, parent)
    node.values["name"] = node.values[naming.lower()] = [value.encode()]
    directory.stamp(node)


def _place(directory: Directory, node: Node, full: str, parent: Node) -> None:
    if node.parent is not None:
        node.parent.children.pop(node.key, None)
    directory.keys.pop(node.key, None)
    node.dn, node.key, node.parent = full, names.key(full), parent
    directory.keys[node.key] = parent.children[node.key] = node
    stale(node)
    below = list(node.children.values())
    node.children.clear()
    for child in below:
        _place(directory, child, f"{names.split(child.dn)[0]},{full}", node)


def stale(node: Node) -> None:
    """What was sent of an object, or of any that names it, is sent anew."""
    node.wire.clear()
    for nodes in (*node.links.values(), *node.back.values()):
        for other in nodes:
            other.wire.clear()


def bury(directory: Directory, node: Node) -> None:
    r"""Into CN=Deleted Objects as NAME\0ADEL:GUID; without a recycle bin most of it is lost, links always."""
    graves = directory.node(f"CN=Deleted Objects,{directory.base}")
    if node.partition or node.parent is None or node.values.get("isCriticalSystemObject") == [b"TRUE"]:
        raise Refused(53, f"00002094: SvcErr: DSID-030F1250, problem 5003 (WILL_NOT_PERFORM), data 0: {node.dn}")
    buried = (node.dn, dict(node.values), {name: list(nodes) for name, nodes in node.links.items()},
              [(other, name) for back in node.back.values() for other in back for name in other.links if node in other.links[name]])  # fmt: skip
    last = node.parent.dn
    for name in list(node.links):
        unlink(directory, node, name, list(node.links[name]))
    for other, name in buried[3]:
        unlink(directory, other, name, [node])
    directory.unindex(node)
    value = node.values["name"][0].decode() + "\nDEL:" + names.guid_text(node.guid)
    naming = names.split(node.dn)[0].partition("=")[0]
    _place(directory, node, f"{naming}={names.escape(value)},{graves.dn}", graves)
    if not directory.recycle_bin:
        node.values = {name: values for name, values in node.values.items() if name in _KEPT}
    node.values |= {
        "name": [value.encode()],
        naming.lower(): [value.encode()],
        "isDeleted": [b"TRUE"],
        "lastKnownParent": [last.encode()],
    }
    node.deleted, node.buried = True, buried
    directory.stamp(node)


def dig_up(directory: Directory, node: Node, new_dn: str | None) -> None:
    """Back to life: with a recycle bin as it was, memberships too; without one, only what the tombstone kept."""
    if not node.deleted:
        raise Refused(53, f"{node.dn} is not deleted; only what lies in CN=Deleted Objects can be restored")
    was_dn, values, links, held_by = node.buried
    full = new_dn or was_dn
    rdn, above = names.split(full)
    if names.key(full) in directory.keys:
        raise Refused(68, f"00002071: UpdErr: DSID-031A0F80, problem 6005 (ENTRY_EXISTS), data 0: {full}")
    parent = directory.node(above)
    naming, value = names.parts(rdn)[0]
    _place(directory, node, f"{naming}={names.escape(value)},{parent.dn}", parent)
    kept = (
        values if directory.recycle_bin else {k: v for k, v in node.values.items() if k not in ("isDeleted", "lastKnownParent")}
    )
    node.values = kept | {"name": [value.encode()], naming.lower(): [value.encode()], "objectCategory": values["objectCategory"]}
    if not directory.recycle_bin and "userAccountControl" in node.values:
        node.values["userAccountControl"] = [b"546"]
    node.deleted, node.buried = False, None
    directory.index(node)
    if directory.recycle_bin:
        for name, targets in links.items():
            link(directory, node, name, [target for target in targets if not target.deleted])
        for other, name in held_by:
            if not other.deleted:
                link(directory, other, name, [node])
    directory.stamp(node)
