"""An account that the listing lacks, asked for by its GUID: there, among the deleted, moved elsewhere, or nowhere to be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors._ad_names import by_guid
from connectors._ad_values import inside, text
from connectors._ldap import NO_SUCH_OBJECT, SHOW_DELETED, Directory, Refused

SHOW_RECYCLED = ("1.2.840.113556.1.4.2064", False, None)  # also what was deleted out of the recycle bin
_BIN = ",cn=deleted objects,"


def whereabouts(directory: Directory, bases: Sequence[str], account_id: str, lists_deleted: bool) -> str | None:
    """Where one account is; None where nobody can tell.

    "No such object" proves nothing: it is also the answer about an object in a container that may not be listed. But a
    reader that lists the deleted would see a tombstone: what has none is "unseen", and not gone. A tombstone whose last
    container is outside of the bases was moved before it was deleted.
    """
    try:
        dn, entry = directory.entry(by_guid(account_id), ("isDeleted", "lastKnownParent"), (SHOW_DELETED, SHOW_RECYCLED))
    except Refused as problem:
        if problem.code != NO_SUCH_OBJECT:
            raise
        return "unseen" if lists_deleted else None
    if text(entry, "isDeleted") == "TRUE" or _BIN in dn.lower():
        return "deleted"
    return "there" if any(inside(dn, base) for base in bases) else "elsewhere"


def in_groups(directory: Directory, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
    """Whether each account has each group in its `memberOf`; left out where one of the two is not to be seen."""
    names = {here: _entry(directory, here) for here in dict.fromkeys(here for pair in pairs for here in pair)}
    found = {}
    for account, group in pairs:
        said, wanted = names[account], names[group]
        if said is not None and wanted is not None:
            found[account, group] = wanted[0] in said[1]
    return found


def _entry(directory: Directory, here: str) -> tuple[str, frozenset[str]] | None:
    """An object's name, and those of the groups that it says to be in, all in lower case; None when it is not to be seen."""
    try:
        dn, entry = directory.entry(by_guid(here), ("memberOf", "uSNChanged"))
    except Refused as problem:
        if problem.code != NO_SUCH_OBJECT:
            raise
        return None
    values = directory.values(dn, "memberOf", dict(entry))
    return dn.lower(), frozenset(value.decode("utf-8", "replace").lower() for value in values)
