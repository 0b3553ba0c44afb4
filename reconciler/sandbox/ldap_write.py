"""Changes a client asks for: add, modify, rename or move, delete, compare; each is done whole or refused with its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_names as names
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox import ldap_filter, ldap_messages, ldap_search
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import ACCOUNTS, KINDS, is_class, kind_named
from reconciler.sandbox.ldap_messages import Request
from reconciler.sandbox.ldap_rules import ADD, Draft, no_attribute, revived, unwilling

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

COMPARED_FALSE, COMPARED_TRUE = 5, 6


@dataclass(frozen=True)
class Writer:
    """Who writes, and whether anybody could be listening."""

    directory: Directory
    who: Node
    secure: bool

    def modify(self, request: Request) -> int:
        name, changes = ldap_messages.modify(request.content)
        graves = ldap_messages.SHOW_DELETED in request.controls
        node = self._mine(name, graves)
        back = revived({change.attribute.lower(): change.values or (b"",) for change in changes}) if node.deleted else None
        if back is not None:
            self.directory.restore(node.dn, back)
            changes = [change for change in changes if change.attribute.lower() not in ("isdeleted", "distinguishedname")]
        draft = Draft(self.directory, node, ldap_messages.PERMISSIVE in request.controls, self.secure)
        for change in changes:
            draft.apply(change.how, change.attribute, change.values)
        draft.commit()
        return 0

    def add(self, request: Request) -> int:
        name, given = ldap_messages.add(request.content)
        self._may_write()
        self._container(name)
        attributes = {self._known(attribute): values for attribute, values in given.items()}
        kind = self._kind(attributes.pop("objectClass", ()))
        above = ldap_search.located(self.directory, names.split(name)[1], self.who)
        if KINDS[kind].naming != names.parts(name)[0][0].upper():
            raise Refused(
                64, f"00002099: NameErr: DSID-03050F30, problem 2005 (NAMING_VIOLATION), data 0, best match of:\n\t'{name}'\n"
            )
        if self.directory.find(name) is not None:
            raise Refused(68, "00002071: UpdErr: DSID-031A0F80, problem 6005 (ENTRY_EXISTS), data 0\n")
        self._fill(name, kind, above, attributes)
        return 0

    def _fill(self, name: str, kind: str, above: Node, attributes: dict[str, tuple[bytes, ...]]) -> None:
        """Try all values on an object that is not there yet, then make it; an account begins disabled, without a password."""
        blank = {"userAccountControl": [b"546"], "primaryGroupID": [b"513"], "pwdLastSet": [b"0"]} if kind in ACCOUNTS else {}
        trial = Node("", "", kind, b"", {})
        draft = Draft(self.directory, trial, False, self.secure)
        rdn = ("cn", "name", "ou", "dc", "distinguishedName")
        for attribute, values in attributes.items():
            if attribute not in rdn:
                draft.apply(ADD, attribute, values)
        password = draft.passwords[0][1] if draft.passwords else None
        flags = draft.values.get("userAccountControl")
        if flags and kind in ACCOUNTS and password is None and not int(flags[0]) & 0x22:
            raise unwilling("0000052D")
        links = {attribute: [node.dn for node in nodes] for attribute, nodes in draft.links.items()}
        guid = self.directory.put(f"{names.split(name)[0]},{above.dn}", {"objectClass": kind, **blank, **draft.values, **links})
        if kind in ACCOUNTS:
            self._first_password(self.directory.node(guid), password)
            if draft.values.get("pwdLastSet") == [b"0"]:
                self.directory.change(guid, pwdLastSet=0)

    def _first_password(self, node: Node, password: str | None) -> None:
        node.secret = None
        if password is None:
            return
        draft = Draft(self.directory, node, False, self.secure, passwords=[(ADD, password)])
        try:
            draft.commit()
        except Refused:
            self.directory.forget(node)
            raise

    def delete(self, request: Request) -> int:
        node = self._mine(request.content.decode("utf-8", "replace"))
        self.directory.delete(node.dn, tree=ldap_messages.TREE_DELETE in request.controls)
        return 0

    def rename(self, request: Request) -> int:
        name, rdn, superior = ldap_messages.rename(request.content)
        node = self._mine(name)
        if node.values.get("isCriticalSystemObject") == [b"TRUE"]:
            raise unwilling("00002094")
        above = node.parent.dn if superior is None and node.parent else superior or ""
        self.directory.move(node.dn, f"{rdn},{ldap_search.located(self.directory, above, self.who).dn}")
        return 0

    def compare(self, request: Request) -> int:
        name, assertion = ber.elements(request.content)
        (_, attribute), (_, value) = ber.elements(assertion[1])
        node = ldap_search.located(self.directory, ldap_messages.text(name), self.who)
        asked = ldap_filter.Filter(ldap_filter.EQUAL, attribute=attribute.decode("utf-8", "replace"), value=value)
        answer = ldap_filter.question(self.directory, asked)(node)
        if answer is None:
            raise no_attribute()
        return COMPARED_TRUE if answer else COMPARED_FALSE

    # --- checks -------------------------------------------------------------------------------------------------

    def _mine(self, name: str, graves: bool = False) -> Node:
        node = ldap_search.located(self.directory, name, self.who, graves)
        self._may_write()
        return node

    def _may_write(self) -> None:
        if self.who.guid in self.directory.readers:
            raise Refused(50, "00002098: SecErr: DSID-031514A0, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n")

    def _container(self, name: str) -> None:
        try:
            names.parts(name)
        except ValueError:
            raise Refused(
                34, f"0000208F: NameErr: DSID-0310021B, problem 2006 (BAD_NAME), data 8350, best match of:\n\t'{name}'\n"
            ) from None

    def _known(self, attribute: str) -> str:
        name = self.directory.schema.name(attribute)
        if name is None:
            raise no_attribute()
        return name

    def _kind(self, classes: tuple[bytes, ...]) -> str:
        named = [text.decode("utf-8", "replace") for text in classes]
        if not all(is_class(name) for name in named):
            raise Refused(16, "00000057: LdapErr: DSID-0C090FEC, comment: Error in attribute conversion operation, data 0, v4563")
        kinds = [kind for name in named if (kind := kind_named(name))]
        if not kinds:
            raise Refused(65, "0000207D: UpdErr: DSID-0315166D, problem 6002 (OBJ_CLASS_VIOLATION), data 0\n")
        return max(kinds, key=lambda kind: len(KINDS[kind].chain))


OPERATIONS = {
    ldap_messages.MODIFY: Writer.modify, ldap_messages.ADD: Writer.add, ldap_messages.DELETE: Writer.delete,
    ldap_messages.RENAME: Writer.rename, ldap_messages.COMPARE: Writer.compare,
}  # fmt: skip
