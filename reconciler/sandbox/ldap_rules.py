"""What Active Directory lets a client write, and the codes and texts it refuses the rest with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_account, directory_links, directory_values
from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory_account import DISABLED, EXPIRED, LOCKED, NO_PASSWORD
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import ACCOUNTS, BACKLINKS, DN, FLAG, LARGE, LINKS, LONGEST, NUMBER, OWNED, SECRETS, TIME
from reconciler.sandbox.ldap_filter import normal, resolve

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

ADD, DELETE, REPLACE = 0, 1, 2
_KINDS = 0x200 | 0x800 | 0x1000 | 0x2000  # one of these an account always has


def no_attribute() -> Refused:
    return Refused(16, "00000057: LdapErr: DSID-0C090D11, comment: Error in attribute conversion operation, data 0, v4563")


def unwilling(code: str) -> Refused:
    return Refused(53, f"{code}: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0\n")


def attribute_error(code: int, win32: str, problem: str, name: str) -> Refused:
    return Refused(
        code, f"{win32}: AtrErr: DSID-03152804, #1:\n\t0: {win32}: DSID-03152804, problem {problem}, data 0, Att ({name})\n"
    )


@dataclass
class Draft:
    """An object as it would be after all changes of one request; nothing is done until the last of them was good."""

    directory: Directory
    node: Node
    permissive: bool = False
    secure: bool = False
    values: dict[str, list[bytes]] = field(default_factory=dict)
    links: dict[str, dict[Node, None]] = field(default_factory=dict)
    passwords: list[tuple[int, str]] = field(default_factory=list)

    def apply(self, how: int, given: str, values: Sequence[bytes]) -> None:
        """One change; raises Refused."""
        name = self.directory.schema.name(given.partition(";")[0])
        if name is None:
            raise no_attribute()
        if name in SECRETS:
            self._password(how, name, values)
        elif name in BACKLINKS:
            raise unwilling("00000057")
        elif name in OWNED:
            raise attribute_error(19, "0000209A", "1005 (CONSTRAINT_ATT_TYPE)", name)
        elif name in ("cn", "name", "ou", "dc") and self.node.usn:
            raise Refused(67, "00002016: UpdErr: DSID-031A11E2, problem 6004 (CANT_ON_RDN), data 0\n")
        elif name == "objectClass":
            raise Refused(69, "00002040: UpdErr: DSID-031A11E2, problem 6006 (OBJ_CLASS_MODS), data 0\n")
        elif name in LINKS:
            self._links(how, name, values)
        else:
            self._values(how, name, [self._checked(name, value) for value in values])

    def _links(self, how: int, name: str, values: Sequence[bytes]) -> None:
        held = self.links.setdefault(name, dict(self.node.links.get(name, {})))
        targets = [self._target(value) for value in values]
        if how == REPLACE or (how == DELETE and not targets):
            held.clear()
        for target in targets:
            if how == DELETE and held.pop(target, self) is self and not self.permissive:
                raise (
                    unwilling("00000561")
                    if name == "member"
                    else attribute_error(16, "00002085", "1001 (NO_ATTRIBUTE_OR_VAL)", name)
                )
            if how != DELETE and (target in held or self._is_primary(name, target)) and not self.permissive:
                raise Refused(68, "00000562: UpdErr: DSID-031A11E2, problem 6005 (ENTRY_EXISTS), data 0\n")
            if how != DELETE:
                held[target] = None
        if name not in self.directory.schema.multi and len(held) > 1:
            raise attribute_error(20, "00002081", "1006 (ATT_OR_VALUE_EXISTS)", name)

    def _is_primary(self, name: str, target: Node) -> bool:
        """A group lists nobody whose primary group it is."""
        sid = self.node.values.get("objectSid")
        return bool(name == "member" and sid and target.number("primaryGroupID") == names.rid_of(sid[0]))

    def _target(self, value: bytes) -> Node:
        found = resolve(self.directory, value.decode("utf-8", "replace"))
        if found is None or found.deleted:
            raise Refused(
                32, f"0000208D: NameErr: DSID-03152DBD, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{value.decode()}'\n"
            )
        return found

    def _values(self, how: int, name: str, values: list[bytes]) -> None:
        held = self.values.setdefault(name, list(self.node.values.get(name, ())))
        if how == REPLACE:
            held[:] = values
        elif how == DELETE:
            self._remove(name, held, values)
        else:
            self._more(name, held, values)
        if len(held) > 1 and name not in self.directory.schema.multi:
            raise attribute_error(20, "00002081", "1006 (ATT_OR_VALUE_EXISTS)", name)

    def _remove(self, name: str, held: list[bytes], values: list[bytes]) -> None:
        if not held and not self.permissive:
            raise attribute_error(16, "00002085", "1001 (NO_ATTRIBUTE_OR_VAL)", name)
        if not values:
            held.clear()
        for value in values:
            same = next((known for known in held if self._same(name, known, value)), None)
            if same is not None:
                held.remove(same)
            elif not self.permissive:
                raise attribute_error(16, "00002085", "1001 (NO_ATTRIBUTE_OR_VAL)", name)

    def _more(self, name: str, held: list[bytes], values: list[bytes]) -> None:
        for value in values:
            if not any(self._same(name, known, value) for known in held):
                held.append(value)
            elif not self.permissive:
                raise attribute_error(20, "00002083", "1006 (ATT_OR_VALUE_EXISTS)", name)

    def _same(self, name: str, known: bytes, value: bytes) -> bool:
        syntax = self.directory.schema.syntax[name]
        return known == value or normal(syntax, known) == normal(syntax, value)

    def _checked(self, name: str, value: bytes) -> bytes:
        """A value that its syntax has; raises Refused 21 for any other, 19 for what only the server sets."""
        syntax, wrong = self.directory.schema.syntax[name], attribute_error(21, "00002081", "1005 (CONSTRAINT_ATT_TYPE)", name)
        patterns = {NUMBER: rb"-?\d{1,10}", LARGE: rb"-?\d{1,19}", FLAG: rb"TRUE|FALSE", TIME: rb"\d{14}(\.\d+)?Z"}
        if not value or (syntax in patterns and not re.fullmatch(patterns[syntax], value)):
            raise wrong
        if len(value.decode("utf-8", "replace")) > LONGEST.get(name, 1 << 20):
            raise wrong
        if name == "lockoutTime" and value != b"0":
            raise unwilling("00000057")
        if name == "pwdLastSet":
            if value not in (b"0", b"-1"):
                raise unwilling("00000057")
            return b"0" if value == b"0" else b"%d" % names.ticks(self.directory.now())
        if syntax == DN and name != "distinguishedName":
            return self._target(value).dn.encode()
        return _flags(value) if name == "userAccountControl" else value

    def _password(self, how: int, name: str, values: Sequence[bytes]) -> None:
        """unicodePwd: UTF-16 in quotes, and only where nobody listens."""
        if name != "unicodePwd" or not self.secure or len(values) != 1:
            raise unwilling("0000001F")
        text = values[0].decode("utf-16-le", "replace")
        if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
            raise unwilling("0000001F")
        self.passwords.append((how, text[1:-1]))

    # --- doing it -----------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Everything, or nothing when the whole would break a rule."""
        directory, node = self.directory, self.node
        secret = node.secret
        self._primary()
        try:
            old = next((text for how, text in self.passwords if how == DELETE), None)
            for how, text in self.passwords:
                if how != DELETE:
                    directory_account.set_password(directory, node, text, old)
            self._enabled_without_password()
            directory_values.write(directory, node, self.values)
        except Refused:
            node.secret = secret
            raise
        for name, targets in self.links.items():
            directory_links.relink(directory, node, name, list(targets))
        if self.values or self.passwords:
            directory.stamp(node)

    def _enabled_without_password(self) -> None:
        flags = self.values.get("userAccountControl")
        if flags and self.node.kind in ACCOUNTS and not int(flags[0]) & (DISABLED | NO_PASSWORD) and self.node.secret is None:
            raise unwilling("0000052D")

    def _primary(self) -> None:
        """Another primary group: one that lists the account, which then changes places with the old one."""
        wanted = self.values.get("primaryGroupID")
        if not wanted or not self.node.usn or wanted == self.node.values.get("primaryGroupID"):
            return
        domain, was = self.directory.domain_sid, self.node.number("primaryGroupID")
        group = self.directory.sids.get(names.sid_bytes(f"{domain}-{int(wanted[0])}"))
        if group is None or self.node not in group.links.get("member", {}):
            raise unwilling("00000561")
        directory_links.unlink(self.directory, group, "member", [self.node])
        before = self.directory.sids.get(names.sid_bytes(f"{domain}-{was}"))
        if before is not None:
            directory_links.link(self.directory, before, "member", [self.node])


def _flags(value: bytes) -> bytes:
    """userAccountControl without the two bits that are ignored, and with the kind of account it always has."""
    flags = int(value) & ~(LOCKED | EXPIRED)
    return b"%d" % (flags if flags & _KINDS else flags | 0x200)


def revived(changes: Mapping[str, Sequence[bytes]]) -> str | None:
    """The new name when a modify brings a deleted object back: isDeleted goes, distinguishedName is replaced."""
    if "isdeleted" in changes and changes.get("distinguishedname"):
        return changes["distinguishedname"][0].decode("utf-8", "replace")
    return None
