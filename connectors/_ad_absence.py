"""An account that the listing lacks, asked for by its GUID: there, among the deleted, moved elsewhere, or not to be seen."""

from __future__ import annotations

from collections.abc import Sequence

from connectors._ad_names import by_guid
from connectors._ad_values import inside, text
from connectors._ldap import NO_SUCH_OBJECT, SHOW_DELETED, Directory, Refused


def whereabouts(directory: Directory, bases: Sequence[str], account_id: str) -> str | None:
    """Where one account is; None where nobody can tell.

    "No such object" proves nothing: it is also the answer about an object in a container that may not be listed. A
    tombstone whose last container is outside of the bases was moved before it was deleted.
    """
    try:
        dn, entry = directory.entry(by_guid(account_id), ("isDeleted", "lastKnownParent"), (SHOW_DELETED,))
    except Refused as problem:
        if problem.code != NO_SUCH_OBJECT:
            raise
        return None
    if text(entry, "isDeleted") == "TRUE":
        return "deleted"
    return "there" if any(inside(dn, base) for base in bases) else "elsewhere"
