"""Accounts of a domain at work: signing in, locking out, passwords, and what is constructed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.sandbox import directory_names as names
from reconciler.sandbox import directory_values
from reconciler.sandbox.directory_node import Node, Refused
from reconciler.sandbox.directory_schema import EFFECTIVE, OWNED

if TYPE_CHECKING:
    from reconciler.sandbox.directory import Directory

# Bits of userAccountControl (MS-ADTS 2.2.16).
DISABLED, LOCKED, NO_PASSWORD, NEVER_EXPIRES, SMARTCARD, EXPIRED = 0x2, 0x10, 0x20, 0x10000, 0x40000, 0x800000
TRUSTS = 0x800 | 0x1000 | 0x2000
_LOGON_DAYS = 14 * 86_400 * 10_000_000
FOR_EVER = -(1 << 63)

_SAYS = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {}, v4563"


def sign_in(directory: Directory, name: str, password: str) -> Node:
    """Whose password that is. Raises Refused 49 with the sub-code of the reason, in the order Windows judges."""
    with directory.lock:
        node = directory.principal(name)
        if node is None or node.secret is None or node.deleted:
            raise Refused(49, _SAYS.format("52e"))
        now = names.ticks(directory.now())
        if _locked(directory, node, now):
            raise Refused(49, _SAYS.format("775"))
        if not node.secret or password != node.secret:
            _failed(directory, node, now)
            raise Refused(49, _SAYS.format("52e"))
        reason = _barred(directory, node, now)
        if reason:
            raise Refused(49, _SAYS.format(reason))
        _succeeded(directory, node, now)
        return node


def _barred(directory: Directory, node: Node, now: int) -> str | None:
    """Why the right password does not help."""
    expires = node.number("accountExpires")
    if node.number("userAccountControl") & DISABLED:
        return "533"
    if 0 < expires < names.NEVER and expires <= now:
        return "701"
    if node.number("pwdLastSet") == 0 and not node.number("userAccountControl") & (NEVER_EXPIRES | SMARTCARD):
        return "773"
    return "532" if _flags(directory, node, now) & EXPIRED else None


def _failed(directory: Directory, node: Node, now: int) -> None:
    count = node.number("badPwdCount") + 1
    node.values["badPwdCount"], node.values["badPasswordTime"] = [b"%d" % count], [b"%d" % now]
    threshold = directory.node(directory.base).number("lockoutThreshold")
    if 0 < threshold <= count:
        node.values["lockoutTime"] = [b"%d" % now]
    directory.stamp(node)


def _succeeded(directory: Directory, node: Node, now: int) -> None:
    """lastLogon stays on this server; lastLogonTimestamp is replicated, and so moved only when it is two weeks old."""
    node.values["lastLogon"], node.values["badPwdCount"] = [b"%d" % now], [b"0"]
    node.values["logonCount"] = [b"%d" % (node.number("logonCount") + 1)]
    node.wire.clear()
    if now - node.number("lastLogonTimestamp") >= _LOGON_DAYS:
        node.values["lastLogonTimestamp"] = [b"%d" % now]
        directory.stamp(node)


def set_password(directory: Directory, node: Node, text: str, old: str | None = None) -> None:
    """A client's new password; raises Refused 19 for one that the domain's rules refuse, or when `old` is not the old one."""
    if old is not None and old != node.secret:
        raise Refused(19, "00000056: AtrErr: DSID-03191083, #1:\n\t0: 00000056: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), "
                          "data 0, Att 9005a (unicodePwd)\n")  # fmt: skip
    domain = directory.node(directory.base)
    kinds = sum(
        bool(set(text) & set(letters)) for letters in ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789")
    )
    kinds += any(not letter.isalnum() for letter in text)
    weak = domain.number("pwdProperties") & 1 and (kinds < 3 or (node.text("sAMAccountName") or "-").lower() in text.lower())
    if len(text) < domain.number("minPwdLength") or weak:
        raise Refused(19, "0000052D: AtrErr: DSID-03191083, #1:\n\t0: 0000052D: DSID-03191083, problem 1005 (CONSTRAINT_ATT_TYPE), "
                          "data 0, Att 9005a (unicodePwd)\n")  # fmt: skip
    node.secret = text
    directory_values.write(directory, node, {"pwdLastSet": [b"%d" % names.ticks(directory.now())]})


# --- constructed attributes -------------------------------------------------------------------------------------


def _locked(directory: Directory, node: Node, now: int) -> bool:
    since, lasts = node.number("lockoutTime"), directory.node(directory.base).number("lockoutDuration")
    return since > 0 and (lasts in (0, FOR_EVER) or now < since - lasts)


def expiry(directory: Directory, node: Node) -> int:
    """When the password expires, in ticks; NEVER when it does not, 0 when it must be changed now."""
    longest = directory.node(directory.base).number("maxPwdAge")
    if node.number("userAccountControl") & (NEVER_EXPIRES | SMARTCARD | TRUSTS):
        return names.NEVER
    if node.number("pwdLastSet") == 0:
        return 0
    return names.NEVER if longest in (0, FOR_EVER) else node.number("pwdLastSet") - longest


def _flags(directory: Directory, node: Node, now: int) -> int:
    """The two bits that are in no userAccountControl: locked, and password expired."""
    return LOCKED * _locked(directory, node, now) + EXPIRED * (expiry(directory, node) <= now)


def token(directory: Directory, node: Node) -> list[bytes]:
    """The SIDs of every security group an account is in, at any depth, the primary group's too."""
    waiting = list(node.back.get("memberOf", ()))
    rid = node.number("primaryGroupID")
    primary = directory.sids.get(names.sid_bytes(f"{directory.domain_sid}-{rid}")) if rid else None
    waiting += [primary] if primary else []
    found: dict[Node, None] = {}
    while waiting:
        group = waiting.pop()
        if group not in found:
            found[group] = None
            waiting += group.back.get("memberOf", ())
    return [group.values["objectSid"][0] for group in found if group.number("groupType") < 0]


def canonical(directory: Directory, node: Node) -> str:
    """corp.example.com/Staff/Jo Doe"""
    labels = [(kind.upper(), value.replace("/", "\\/")) for kind, value in names.parts(node.dn)]
    domain = ".".join(value for kind, value in labels if kind == "DC")
    return domain + "/" + "/".join(value for kind, value in reversed(labels) if kind != "DC")


def _principal_name(directory: Directory, node: Node) -> Sequence[bytes]:
    sam = node.get("sAMAccountName")
    return [directory.netbios.encode() + b"\\" + sam[0]] if sam else ()


def _computed_flags(directory: Directory, node: Node) -> Sequence[bytes]:
    return [b"%d" % _flags(directory, node, names.ticks(directory.now()))] if node.get("userAccountControl") else ()


def _writable(directory: Directory, node: Node) -> Sequence[bytes]:
    """For a principal that may write at all, everything but what the server owns."""
    kept = OWNED | {"objectClass"}
    return [name.encode() for name in directory.schema.syntax if name not in kept]


_CONSTRUCTED: Mapping[str, Callable[[Directory, Node], Sequence[bytes]]] = {
    EFFECTIVE: _writable,
    "canonicalName": lambda directory, node: [canonical(directory, node).encode()],
    "msDS-PrincipalName": _principal_name,
    "msDS-User-Account-Control-Computed": _computed_flags,
    "msDS-UserPasswordExpiryTimeComputed": lambda directory, node: (
        [b"%d" % expiry(directory, node)] if node.get("userAccountControl") else ()
    ),
    "parentGUID": lambda directory, node: [node.parent.guid] if node.parent else (),
    "structuralObjectClass": lambda directory, node: node.get("objectClass"),
    "subschemaSubentry": lambda directory, node: [f"CN=Aggregate,CN=Schema,CN=Configuration,{directory.base}".encode()],
    "tokenGroups": token,
    "tokenGroupsGlobalAndUniversal": token,
    "tokenGroupsNoGCAcceptable": token,
    "createTimeStamp": lambda directory, node: node.get("whenCreated"),
    "modifyTimeStamp": lambda directory, node: node.get("whenChanged"),
    "msDS-Approx-Immed-Subordinates": lambda directory, node: [b"%d" % len(node.children)],
}


def constructed(directory: Directory, node: Node, name: str) -> Sequence[bytes]:
    return _CONSTRUCTED[name](directory, node)
