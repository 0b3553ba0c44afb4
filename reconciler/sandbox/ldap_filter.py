"""Search filters: read off the wire, spelled as text, and turned into a question that is put to every object.

An answer is True, False, or None: undefined, as Active Directory has it for an attribute that the schema lacks
(MS-ADTS 3.1.1.3.1.3.1); undefined stays so under "not", and finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_names as names
from reconciler.sandbox import ldap_ber as ber
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import (
    BACKLINKS,
    CLASS,
    CONSTRUCTED,
    DN,
    FLAG,
    KINDS,
    LARGE,
    LINKS,
    NUMBER,
    OCTETS,
    SID,
    TEXT,
    TIME,
)
from reconciler.sandbox.ldap_ber import Element, Malformed

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

Answer = bool | None
Question = Callable[[Node], Answer]

AND, OR, NOT, EQUAL, SUBSTRING, AT_LEAST, AT_MOST, PRESENT, APPROXIMATE, RULE = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9)  # fmt: skip
BIT_AND, BIT_OR, IN_CHAIN = "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.804", "1.2.840.113556.1.4.1941"
DEEPEST = 200  # filters within filters
_ANR = (
    "displayName",
    "givenName",
    "legacyExchangeDN",
    "mail",
    "name",
    "physicalDeliveryOfficeName",
    "proxyAddresses",
    "sAMAccountName",
    "sn",
)
_SIGNS = {EQUAL: "=", AT_LEAST: ">=", AT_MOST: "<=", APPROXIMATE: "~="}
_CATEGORIES = {name.lower(): kind.category for name, kind in KINDS.items()} | {
    "person": "Person",
    "organizationalperson": "Person",
}


# --- as data and as text ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filter:
    """One filter: `inside` for and, or, not; else an attribute and its value, or the pieces of a substring."""

    kind: int
    inside: tuple[Filter, ...] = ()
    attribute: str = ""
    value: bytes = b""
    pieces: tuple[bytes | None, ...] = field(default=())  # None stands for a star
    rule: str = ""
    with_dn: bool = False

    def __str__(self) -> str:
        if self.kind in (AND, OR, NOT):
            return f"({'&|!'[(AND, OR, NOT).index(self.kind)]}{''.join(map(str, self.inside))})"
        if self.kind == PRESENT:
            return f"({self.attribute}=*)"
        if self.kind == SUBSTRING:
            return f"({self.attribute}={''.join('*' if piece is None else _shown(piece) for piece in self.pieces)})"
        if self.kind == RULE:
            return (
                f"({self.attribute}{':dn' if self.with_dn else ''}{':' + self.rule if self.rule else ''}:={_shown(self.value)})"
            )
        return f"({self.attribute}{_SIGNS[self.kind]}{_shown(self.value)})"


def _shown(value: bytes) -> str:
    return re.sub(rb"[^ -'+-\[\]-~\x80-\xff]", lambda found: b"\\%02x" % found[0][0], value).decode("utf-8", "backslashreplace")


def parse(element: Element, depth: int = 0) -> Filter:
    tag, content = element
    if depth > DEEPEST:
        raise Malformed("a filter nested too deeply")
    if tag in (AND, OR, NOT):
        return Filter(tag, tuple(parse(inner, depth + 1) for inner in ber.elements(content)))
    if tag == PRESENT:
        return Filter(tag, attribute=content.decode("utf-8", "replace"))
    if tag in _SIGNS:
        (_, name), (_, value) = ber.elements(content)
        return Filter(tag, attribute=name.decode("utf-8", "replace"), value=value)
    if tag == SUBSTRING:
        return _substring(content)
    if tag == RULE:
        return _rule(content)
    raise Malformed(f"a filter of kind 0x{tag:02x}")


def _substring(content: bytes) -> Filter:
    (_, name), (_, listed) = ber.elements(content)
    pieces: list[bytes | None] = []
    for tag, piece in ber.elements(listed):
        pieces += [piece] if tag == 0x80 else [None, piece]
    if not listed or ber.elements(listed)[-1][0] != 0x82:
        pieces.append(None)
    return Filter(SUBSTRING, attribute=name.decode("utf-8", "replace"), pieces=tuple(pieces))


def _rule(content: bytes) -> Filter:
    found = dict(ber.elements(content))
    attribute, rule = found.get(0x82, b"").decode("utf-8", "replace"), found.get(0x81, b"").decode("utf-8", "replace")
    return Filter(RULE, attribute=attribute, rule=rule, value=found.get(0x83, b""), with_dn=found.get(0x84, b"\0") != b"\0")


# --- as a question ----------------------------------------------------------------------------------------------


def question(directory: Directory, asked: Filter, hidden: frozenset[str] = frozenset()) -> Question:
    """The question a filter puts to an object; an attribute in `hidden` looks as if nobody had it."""
    if asked.kind in (AND, OR):
        return _all_or_any([question(directory, inner, hidden) for inner in asked.inside], asked.kind == AND)
    if asked.kind == NOT:
        inner = question(directory, asked.inside[0], hidden)
        return lambda node: None if (answer := inner(node)) is None else not answer
    if asked.attribute.lower() == "anr":
        return _ambiguous(asked)
    name = directory.schema.name(asked.attribute)
    if name is None:
        return lambda node: None
    if name in hidden or name in CONSTRUCTED:
        return lambda node: False
    if asked.kind == PRESENT:
        return lambda node: bool(node.get(name))
    if asked.kind == SUBSTRING:
        return _pieces(directory, name, asked)
    if asked.kind == RULE and asked.rule:
        return _by_rule(directory, name, asked)
    if asked.kind in (AT_LEAST, AT_MOST):
        return _ordered(directory, name, asked)
    return _equal(directory, name, asked.value)


def _all_or_any(inner: Sequence[Question], every: bool) -> Question:
    """Conjunction or disjunction; a False (or a True) decides, an undefined part leaves the rest undecided."""

    def answer(node: Node) -> Answer:
        undecided = False
        for ask in inner:
            told = ask(node)
            if told is None:
                undecided = True
            elif told is not every:
                return not every
        return None if undecided else every

    return answer


def folded(value: bytes) -> str:
    """Text as Active Directory compares it: without regard to case, outer and doubled blanks."""
    return " ".join(value.decode("utf-8", "replace").lower().split())


def _moment(value: bytes) -> str:
    return value.decode("ascii", "replace").partition(".")[0].rstrip("Z")


def normal(syntax: str, value: bytes) -> object | None:
    """A value in the form its syntax compares; None when the syntax has no such value."""
    try:
        if syntax in (NUMBER, LARGE):
            return int(value)
        if syntax == SID:
            return names.sid_bytes(value.decode()) if value[:2] in (b"S-", b"s-") else value
        if syntax == OCTETS:
            return names.guid_bytes(value.decode()) if len(value) in (36, 38) and value.count(b"-") == 4 else value
        if syntax == DN:
            return names.key(value.decode())
    except ValueError:
        return None
    if syntax == FLAG:
        return value.upper() if value.upper() in (b"TRUE", b"FALSE") else None
    return _moment(value) if syntax == TIME else folded(value)


def _equal(directory: Directory, name: str, value: bytes) -> Question:
    if name == "objectClass":
        wanted = value.decode("utf-8", "replace").lower()
        kinds = frozenset(kind for kind, about in KINDS.items() if wanted in map(str.lower, about.chain))
        return lambda node: node.kind in kinds
    if name in LINKS or name in BACKLINKS:
        return _linked(directory, name, value)
    if name == "objectCategory" and b"=" not in value:
        category = _CATEGORIES.get(value.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace"))
        value = f"CN={category},CN=Schema,CN=Configuration,{directory.base}".encode()
    if name == "distinguishedName":
        target = resolve(directory, value.decode("utf-8", "replace"))
        return lambda node: node is target
    syntax = directory.schema.syntax[name]
    wanted_value = normal(syntax, value)
    if wanted_value is None:
        return lambda node: None
    if syntax in (OCTETS, SID):
        return lambda node: wanted_value in node.get(name)
    return lambda node: any(held == value or normal(syntax, held) == wanted_value for held in node.get(name))


def _linked(directory: Directory, name: str, value: bytes) -> Question:
    target = resolve(directory, value.decode("utf-8", "replace"))
    if target is None:
        return lambda node: False
    if name in LINKS:
        return lambda node: target in node.links.get(name, ())
    return lambda node: target in node.back.get(name, ())


def _ordered(directory: Directory, name: str, asked: Filter) -> Question:
    syntax = directory.schema.syntax[name]
    bound = normal(syntax, asked.value)
    if bound is None or syntax not in (NUMBER, LARGE, TIME, TEXT):
        return lambda node: None
    if asked.kind == AT_LEAST:
        return lambda node: any(normal(syntax, held) >= bound for held in node.get(name))  # type: ignore[operator]
    return lambda node: any(normal(syntax, held) <= bound for held in node.get(name))  # type: ignore[operator]


def _pieces(directory: Directory, name: str, asked: Filter) -> Question:
    """Substrings are for text; of names, numbers and bytes they are undefined."""
    if directory.schema.syntax[name] not in (TEXT, CLASS):
        return lambda node: None
    written = [".*" if piece is None else re.escape(piece.decode("utf-8", "replace").lower()) for piece in asked.pieces]
    pattern = re.compile("".join(written), re.DOTALL)
    return lambda node: any(pattern.fullmatch(held.decode("utf-8", "replace").lower()) for held in node.get(name))


def _ambiguous(asked: Filter) -> Question:
    """Ambiguous name resolution: any of the usual names begins with it, or a first and a last name do."""
    wanted = folded(asked.value)
    first, blank, last = wanted.partition(" ")

    def begins(node: Node, name: str, text: str) -> bool:
        return any(folded(held).removeprefix("smtp:").startswith(text) for held in node.get(name))

    def answer(node: Node) -> Answer:
        if any(begins(node, name, wanted) for name in _ANR):
            return True
        return bool(blank) and any(
            begins(node, a, first) and begins(node, b, last) for a, b in (("givenName", "sn"), ("sn", "givenName"))
        )

    return answer


def _by_rule(directory: Directory, name: str, asked: Filter) -> Question:
    syntax = directory.schema.syntax[name]
    if asked.rule in (BIT_AND, BIT_OR) and syntax in (NUMBER, LARGE) and re.fullmatch(rb"-?\d+", asked.value):
        bits = int(asked.value)
        if asked.rule == BIT_AND:
            return lambda node: any(int(held) & bits == bits for held in node.get(name))
        return lambda node: any(int(held) & bits != 0 for held in node.get(name))
    if asked.rule == IN_CHAIN and (name in LINKS or name in BACKLINKS):
        target = resolve(directory, asked.value.decode("utf-8", "replace"))
        found = chain(target, name) if target else set()
        return lambda node: node in found
    return lambda node: None


def chain(target: Node, name: str) -> set[Node]:
    """Every object from which `target` is reached over the links of that name, at any depth; circles come round to themselves."""
    back = LINKS.get(name)
    found: set[Node] = set()
    waiting = [target]
    while waiting:
        here = waiting.pop()
        further = here.back.get(back, {}) if back else here.links.get(BACKLINKS[name], {})
        fresh = [node for node in further if node not in found]
        found.update(fresh)
        waiting += fresh
    return found


def resolve(directory: Directory, name: str) -> Node | None:
    """An object by DN, <GUID=…>, <SID=…> or <WKGUID=…,DN>; None when there is none. Raises Refused 34 on what is no name."""
    try:
        return _special(directory, name[1:-1]) if name.startswith("<") and name.endswith(">") else directory.find(name)
    except (ValueError, UnicodeError):
        raise Refused(
            34, f"0000208F: NameErr: DSID-0310021B, problem 2006 (BAD_NAME), data 8350, best match of:\n\t'{name}'\n"
        ) from None


def _special(directory: Directory, inner: str) -> Node | None:
    form, _, value = inner.partition("=")
    if form.upper() == "GUID":
        return directory.guids.get(names.guid_bytes(value) if "-" in value else bytes.fromhex(value))
    if form.upper() == "SID":
        return directory.sids.get(names.sid_bytes(value) if value.upper().startswith("S-") else bytes.fromhex(value))
    if form.upper() == "WKGUID":
        guid, _, dn = value.partition(",")
        below = directory.find(dn)
        for held in below.get("wellKnownObjects") if below else ():
            _, _, known, found = held.decode().split(":", 3)
            if known.upper() == guid.upper():
                return directory.find(found)
        return None
    raise ValueError(form)


def shortcut(directory: Directory, asked: Filter) -> Node | bool | None:
    """The one object a filter can find, by an index: None when there is none, True when all have to be asked."""
    if asked.kind == AND:
        found = (shortcut(directory, inner) for inner in asked.inside)
        return next((node for node in found if node is not True), True)
    if asked.kind != EQUAL:
        return True
    name = directory.schema.name(asked.attribute)
    if name in ("sAMAccountName", "userPrincipalName"):
        exact = directory.logins[name].get(asked.value.decode("utf-8", "replace").lower())
        return exact or True  # deleted objects are in no index
    index = {"objectGUID": directory.guids, "objectSid": directory.sids}.get(name or "")
    if index is None or name is None:
        return True
    raw = normal(directory.schema.syntax[name], asked.value)
    return index.get(raw) if isinstance(raw, bytes) else None
