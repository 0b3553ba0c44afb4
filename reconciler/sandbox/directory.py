"""One Active Directory domain in memory: people, groups and everything else, changed through methods, safe for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.sandbox import directory_links, directory_seed, directory_values
from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory_node import Node, Refused, Values
from reconciler.sandbox.directory_schema import ACCOUNTS, KINDS, SECURITY, Schema, kind_named

__all__ = ["Directory", "Node", "Refused"]

# What every new object of a kind has; an attribute given overrides it. 512 is an enabled account.
_FRESH: dict[str, dict[str, list[bytes]]] = {
    "user": {"userAccountControl": [b"512"], "primaryGroupID": [b"513"], "sAMAccountType": [b"805306368"]},
    "computer": {"userAccountControl": [b"4096"], "primaryGroupID": [b"515"], "sAMAccountType": [b"805306369"]},
    "group": {"groupType": [b"-2147483646"], "sAMAccountType": [b"268435456"]},
}
_FRESH |= {"inetOrgPerson": _FRESH["user"]} | dict.fromkeys(
    ("msDS-GroupManagedServiceAccount", "msDS-ManagedServiceAccount"), _FRESH["computer"]
)
_ACCOUNT: dict[str, list[bytes]] = {
    name: [b"0"] for name in ("badPwdCount", "badPasswordTime", "codePage", "countryCode", "lastLogoff", "lastLogon", "logonCount")
} | {"accountExpires": [b"%d" % names.NEVER]}  # fmt: skip
_INDEXED = ("sAMAccountName", "userPrincipalName")


class Directory:
    """One domain. Times come from `now`; GUIDs and RIDs depend on `seed` and on the name an object is created under.

    Attributes are texts, numbers, booleans, bytes, instants or lists of them; None takes an attribute away.
    Every change raises Refused, with Active Directory's code, when it cannot be.
    """

    def __init__(
        self,
        domain: str = "corp.example.com",
        *,
        netbios: str | None = None,
        seed: object = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        recycle_bin: bool = False,
    ) -> None:
        self.domain, self.base, self.seed, self.now, self.recycle_bin = domain, names.base_of(domain), seed, now, recycle_bin
        self.netbios = (netbios or domain.partition(".")[0]).upper()
        self.lock = threading.RLock()
        self.schema = Schema()
        self.usn = 8192
        self.keys: dict[str, Node] = {}
        self.guids: dict[bytes, Node] = {}
        self.sids: dict[bytes, Node] = {}
        self.logins: dict[str, dict[str, Node]] = {name: {} for name in _INDEXED}
        self.hidden: dict[bytes, set[bytes]] = {}  # container -> principals that may not list it
        self.hidden_attributes: dict[str, set[bytes]] = {}
        self.readers: set[bytes] = set()  # principals that may not write
        self._made: dict[str, int] = {}  # how often an object was created under a name
        parts = (names.number_from("domain", domain, seed, part) % 0xFFFFFFFF for part in range(3))
        self.domain_sid = "S-1-5-21-" + "-".join(map(str, parts))
        self.heads: list[Node] = []
        directory_seed.plant(self)

    # --- creating -----------------------------------------------------------------------------------------------

    def ou(self, dn: str, **attributes: Any) -> str:
        """An organisational unit; like every method that creates, returns the GUID as text."""
        return self._create(dn, "organizationalUnit", attributes)

    def user(self, dn: str, sam: str, **attributes: Any) -> str:
        return self._create(dn, "user", {"sAMAccountName": sam, **attributes})

    def group(self, dn: str, sam: str, **attributes: Any) -> str:
        return self._create(dn, "group", {"sAMAccountName": sam, **attributes})

    def computer(self, dn: str, sam: str, **attributes: Any) -> str:
        return self._create(dn, "computer", {"sAMAccountName": sam, **attributes})

    def contact(self, dn: str, **attributes: Any) -> str:
        return self._create(dn, "contact", attributes)

    def put(self, dn: str, attributes: Mapping[str, Any]) -> str:
        """An object of any class: objectClass names it (the last, most special one counts)."""
        given = dict(attributes)
        classes = next((given.pop(name) for name in attributes if name.lower() == "objectclass"), None)
        named = [classes] if isinstance(classes, (str, bytes)) else list(classes or ())
        special = named[-1].decode() if named and isinstance(named[-1], bytes) else (named[-1] if named else "")
        kind = kind_named(str(special))
        if kind is None:
            raise Refused(65, f"{dn}: objectClass {special!r} is not in the schema; it has: {', '.join(sorted(KINDS))}")
        return self._create(dn, kind, given)

    def _create(self, dn: str, kind: str, attributes: Mapping[str, Any], **marks: Any) -> str:
        with self.lock:
            rdn, above = names.split(dn)
            parent = self.keys.get(names.key(above)) if above else None
            if parent is None and not marks.get("partition"):
                raise Refused(32, f"{dn}: its container {above!r} is not there; create it first")
            naming, value = names.parts(rdn)[0]
            full = names.spelled(dn) if parent is None else f"{naming}={names.escape(value)},{parent.dn}"
            key = names.key(full)
            if key in self.keys:
                raise Refused(
                    68, f"00002071: UpdErr: DSID-031A0F80, problem 6005 (ENTRY_EXISTS), data 0: {full} is there already"
                )
            given, links = directory_values.taken(self, attributes)
            guid = given["objectGUID"][0] if "objectGUID" in given else self._new_guid(key)
            spelled = "name" if naming.upper() not in ("CN", "OU", "DC") else naming.lower()
            values: Values = {
                "objectClass": [word.encode() for word in KINDS[kind].chain], spelled: [value.encode()], "name": [value.encode()],
                "objectGUID": [guid], "instanceType": [b"4"],
                "objectCategory": [f"CN={KINDS[kind].category},CN=Schema,CN=Configuration,{self.base}".encode()],
                **_FRESH.get(kind, {}), **(_ACCOUNT if kind in ACCOUNTS else {}),
            }  # fmt: skip
            values.update({name: values_ for name, values_ in given.items() if name not in ("cn", "name", "ou", "objectClass")})
            node = Node(full, key, kind, guid, values, parent, secret="", **marks)  # a password that nobody knows
            self._secure(node)
            self._file(node)
            self.stamp(node, fresh=True)
            for name, targets in links.items():
                directory_links.link(self, node, name, targets)
            return names.guid_text(guid)

    def _new_guid(self, key: str) -> bytes:
        count = self._made[key] = self._made.get(key, 0) + 1
        return names.guid_from(self.domain, self.seed, key, count)

    def _secure(self, node: Node) -> None:
        """A security principal has a SID, a login, and unless it never got a password, the time it was set."""
        if node.kind not in SECURITY:
            return
        if "objectSid" not in node.values:
            node.values["objectSid"] = [self._new_sid(node)]
        sam = node.values.setdefault("sAMAccountName", [f"${node.guid.hex()[:12]}".encode()])
        for name in _INDEXED:
            directory_values.unique(self, node, name, node.values.get(name) or ())
        if node.kind in ACCOUNTS and "pwdLastSet" not in node.values:
            node.values["pwdLastSet"] = [b"%d" % names.ticks(self.now())]
        if node.kind != "group" and sam[0].endswith(b"$") and node.kind == "user":
            node.values["sAMAccountType"] = [b"805306368"]

    def _new_sid(self, node: Node) -> bytes:
        rid = 1104 + names.number_from("rid", self.seed, node.key, self._made.get(node.key, 1)) % 0xFF_FFFF
        while (sid := names.sid_bytes(f"{self.domain_sid}-{rid}")) in self.sids:
            rid += 1
        return sid

    def _file(self, node: Node) -> None:
        """Into the tree and every index."""
        self.keys[node.key] = self.guids[node.guid] = node
        if node.parent is not None:
            node.parent.children[node.key] = node
        if node.partition:
            self.heads.append(node)
        for sid in node.values.get("objectSid", ()):
            self.sids[sid] = node
        self.index(node)

    def index(self, node: Node) -> None:
        for name in _INDEXED:
            for value in node.values.get(name, ()):
                self.logins[name][value.decode("utf-8", "replace").lower()] = node

    def unindex(self, node: Node) -> None:
        for name in _INDEXED:
            for value in node.values.get(name, ()):
                held = self.logins[name].get(value.decode("utf-8", "replace").lower())
                if held is node:
                    del self.logins[name][value.decode("utf-8", "replace").lower()]

    # --- finding ------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Node | None:
        """An object by its name, or by its GUID as text."""
        known = self.keys.get(name.lower())  # most names come as the directory spells them
        if known is not None:
            return known
        if len(name) in (36, 38) and "=" not in name:
            return self.guids.get(names.guid_bytes(name))
        return self.keys.get(names.key(name))

    def node(self, name: str) -> Node:
        found = self.find(name)
        if found is None:
            raise Refused(32, f"0000208D: NameErr: DSID-0310020A, problem 2001 (NO_OBJECT), data 0, best match of: {name!r}")
        return found

    def entry(self, dn: str) -> dict[str, list[bytes]]:
        """Everything an object holds, backlinks included, constructed attributes not; raises Refused when it is not there."""
        with self.lock:
            node = self.node(dn)
            return {name: list(node.get(name)) for name in node.names()}

    def by_guid(self, guid: str) -> dict[str, list[bytes]]:
        return self.entry(guid)

    def __contains__(self, dn: str) -> bool:
        return self.find(dn) is not None

    def principal(self, name: str) -> Node | None:
        r"""Who signs in under a name: a DN, a GUID, user@domain, DOMAIN\user or plain sAMAccountName."""
        if "=" in name:
            return self.find(name)
        lower = name.lower()
        if lower in self.logins["userPrincipalName"]:
            return self.logins["userPrincipalName"][lower]
        domain, slash, sam = lower.rpartition("\\")
        if slash:
            return self.logins["sAMAccountName"].get(sam) if domain in (self.netbios.lower(), self.domain) else None
        sam, at, domain = lower.partition("@")
        if at and domain != self.domain:
            return None
        return self.logins["sAMAccountName"].get(sam)

    # --- changing -----------------------------------------------------------------------------------------------

    def change(self, name: str, **attributes: Any) -> None:
        """Set attributes of an object, named by DN or GUID; None takes one away."""
        with self.lock:
            node = self.node(name)
            values, links = directory_values.taken(self, attributes)
            for attribute, targets in links.items():
                directory_links.relink(self, node, attribute, targets)
            directory_values.write(self, node, values)
            self.stamp(node)

    def join(self, group_dn: str, *members: str) -> None:
        """Make objects members of a group; one that is there already stays so."""
        with self.lock:
            directory_links.link(self, self.node(group_dn), "member", [self.node(member) for member in members])

    def leave(self, group_dn: str, *members: str) -> None:
        with self.lock:
            directory_links.unlink(self, self.node(group_dn), "member", [self.node(member) for member in members])

    def move(self, dn: str, new_dn: str) -> None:
        """Rename an object, or move it with everything below."""
        with self.lock:
            directory_links.move(self, self.node(dn), new_dn)

    def delete(self, dn: str, *, tree: bool = False) -> None:
        """Make an object a tombstone in CN=Deleted Objects; with `tree`, all below it first."""
        with self.lock:
            node = self.node(dn)
            if node.children and not tree:
                raise Refused(66, f"00002015: UpdErr: DSID-031A11FA, problem 6003 (CANT_ON_NON_LEAF), data 0: {node.dn}")
            for below in list(node.children.values()):
                self.delete(below.dn, tree=True)
            directory_links.bury(self, node)

    def forget(self, node: Node) -> None:
        """An object that was never to be: it leaves no tombstone."""
        for name in list(node.links):
            directory_links.unlink(self, node, name, list(node.links[name]))
        self.unindex(node)
        self.keys.pop(node.key, None)
        self.guids.pop(node.guid, None)
        for sid in node.values.get("objectSid", ()):
            self.sids.pop(sid, None)
        if node.parent is not None:
            node.parent.children.pop(node.key, None)

    def restore(self, name: str, new_dn: str | None = None) -> None:
        """Bring a deleted object back where it was, or under another name; `name` is its GUID or its tombstone's DN."""
        with self.lock:
            directory_links.dig_up(self, self.node(name), new_dn)

    def password(self, dn: str, text: str) -> None:
        with self.lock:
            node = self.node(dn)
            node.secret = text
            directory_values.write(self, node, {"pwdLastSet": [b"%d" % names.ticks(self.now())]})
            self.stamp(node)

    def stamp(self, node: Node, fresh: bool = False) -> None:
        """An object changed: its number and time move on, and what was sent of it is stale."""
        self.usn += 1
        node.usn, node.changed = self.usn, self.now()
        if fresh:
            node.usn_created, node.created = node.usn, node.changed
        node.wire.clear()

    # --- who may see and do what --------------------------------------------------------------------------------

    def hide(self, dn: str, principal: str) -> None:
        """Nobody lists what is below `dn` any more as `principal`; `dn` itself stays visible."""
        self.hidden.setdefault(self.node(dn).guid, set()).add(self._known(principal).guid)

    def show(self, dn: str, principal: str) -> None:
        self.hidden.get(self.node(dn).guid, set()).discard(self._known(principal).guid)

    def hide_attribute(self, attribute: str, principal: str) -> None:
        self.hidden_attributes.setdefault(self.schema.known(attribute), set()).add(self._known(principal).guid)

    def show_attribute(self, attribute: str, principal: str) -> None:
        self.hidden_attributes.get(self.schema.known(attribute), set()).discard(self._known(principal).guid)

    def read_only(self, principal: str) -> None:
        """Every write of that principal is refused."""
        self.readers.add(self._known(principal).guid)

    def _known(self, principal: str) -> Node:
        found = self.principal(principal)
        if found is None:
            raise Refused(32, f"{principal}: nobody signs in under this name; a DN, user@domain, DOMAIN\\user or a login is one")
        return found

    def accounts(self) -> Iterable[Node]:
        """Every account that is not deleted."""
        return [node for node in self.guids.values() if node.kind in ACCOUNTS and not node.deleted]
