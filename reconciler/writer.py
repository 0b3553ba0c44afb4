"""What a connector author imports to write: the primitive changes, what a writer promises, and the ways one may fail.

A connector that can write offers, beside what `reconciler.connector` asks of it,

    writer(settings, context) -> Writer      opens the system with the credentials of `writer = {…}`, and those alone
    WRITES                                   the kinds of change its Writer takes (frozenset of words of KINDS)

and, if it likes, three pure facts that a plan is made with, offline:

    ORDER                                    the kinds in the order in which access must end here (default: ORDER below);
                                             Google takes back tokens before it suspends, Microsoft signs out after disabling
    cannot(change, facts) -> str | None      why the system does not take this change through its interface, in words for a
                                             person ("the group is dynamic"); None when it does
    instruct(change, facts) -> str           how a person makes this change: the exact command or the path through the portal
    own(settings) -> Iterable[str]           logins or immutable ids the reader and the writer act as, from the settings alone

Who calls whom: a plan is made from the stored night and never sees a Writer; only `apply` asks for one, and for each change
calls `state`, then (the intent being on disk) `write`, then `state` again until it shows `after` or `settles` has passed. All
of these may be called from a thread; one Writer is used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reconciler.connector import Context
from reconciler.errors import AccessRefused, SourceError

__all__ = [
    "CLASSES",
    "KINDS",
    "ORDER",
    "AccessRefused",
    "Change",
    "Changed",
    "Context",
    "Facts",
    "Refused",
    "SourceError",
    "Unknown",
    "Writer",
    "class_of",
]

# Every kind of change, what `target` names, and what `before` and `after` are.
KINDS: Mapping[str, str] = {
    "enabled": "target null; before and after are true or false",
    "entitlement": "target is the entitlement's immutable id (group, role, licence); true: held directly, false: not",
    "attribute": "target is a column of accounts (department, manager_account_id, …); texts, null where there is none",
    "container": "target null; the `container` of the account as the reader tells it (DN of the OU, path of the unit)",
    "sessions": "target null; before null, after 'revoked': sign-ins, refresh tokens and app passwords end. Not undone",
    "create": "account null; before null, after the new account's columns (see Writer.write). `state` tells its id",
    "delete": "target null; 'live' or 'deleted', to where it can be restored from; after 'live' restores",
    "owner": "target is the owned entitlement's immutable id; immutable ids of accounts: who owns it, who shall",
    "transfer": "target is the receiving account's immutable id; before null, after 'transferred': its files. Not undone",
}

IRREVERSIBLE = ("sessions", "transfer")  # what no other change takes back

ORDER = ("create", "enabled", "sessions", "owner", "transfer", "entitlement", "attribute", "container", "delete")


# What a limit counts: the change's kind, and which way it goes.
CLASSES = (
    "disable", "enable", "entitlement-remove", "entitlement-add", "licence-remove", "licence-add", "attribute", "container",
    "sessions", "create", "delete", "restore", "owner", "transfer",
)  # fmt: skip
_BY_END = {
    ("enabled", False): "disable",
    ("enabled", True): "enable",
    ("delete", "deleted"): "delete",
    ("delete", "live"): "restore",
}


def class_of(kind: str, after: Any, entitlement_kind: str | None = None) -> str:
    """The class of a change, for limits."""
    if kind == "entitlement":
        return f"{'licence' if entitlement_kind == 'licence' else 'entitlement'}-{'add' if after else 'remove'}"
    return _BY_END.get((kind, after), kind) if isinstance(after, bool | str) else kind


@dataclass(frozen=True)
class Change:
    """One primitive write on one object, named by its immutable id. `key` is the same at every attempt of the same change."""

    kind: str
    account: str | None
    target: str | None
    before: Any
    after: Any
    key: str = ""

    def reverse(self) -> Change:
        """The change that takes this one back."""
        return Change(self.kind, self.account, self.target, self.after, self.before, self.key)


@dataclass(frozen=True)
class Facts:
    """What the stored night tells about the object of a change: columns of `tables`, null where the source did not tell.

    `entitlement` is there for kinds that name one; `via` lists every way in which the account holds it.
    """

    account: Mapping[str, Any]
    entitlement: Mapping[str, Any] | None = None
    via: tuple[str, ...] = ()
    groups: tuple[str, ...] = field(default=())  # names of the groups the account is a direct member of
    settings: Any = None  # the connector's own, as configured: some changes are made only where an administrator says so


class Changed(Exception):
    """The object is not as `before` says, or no longer there: nothing was written. `found` is what stands there now."""

    def __init__(self, found: Any, words: str = "") -> None:
        self.found = found
        super().__init__(words or f"found {found!r}")


class Refused(Exception):
    """The system declined this change and said so: nothing was written. The words are the system's own, without secrets."""


class Unknown(Exception):
    """The answer was lost (timeout, connection cut, 5xx after sending): written or not, nobody knows until it is read back."""


class Writer(Protocol):
    """An open connection with the right to write to one system."""

    settles: float  # seconds until a change that was acknowledged shows in a read here, at the most (propagation)

    def identity(self) -> str:
        """Domain SID, tenant id or customer id, as the reader's `Identity` tells it, read from the system now."""

    def own(self) -> Sequence[str]:
        """Immutable ids (or SIDs) of the accounts this connection acts as: nothing is ever written to them."""

    def state(self, change: Change) -> Any:
        """What stands now where `change` would write, in the terms of `before` and `after`, read from the source itself.

        `create`: the immutable id of the account that carries the new account's `employee_id`, or else its address; None
        while there is none. `sessions`: the instant (RFC 3339 text) before which sessions no longer count, or a count of
        what is left to revoke, or a word that stands while anything is left, or None where the system does not tell; only
        compared with itself. `transfer`: None,
        'requested' or 'transferred'. `delete`: 'live', 'deleted', or None when it is gone for good.
        Raises Changed when no object has this immutable id; SourceError when the system cannot be read.
        """

    def write(self, change: Change) -> None:
        """Make the change if the object still is as `before` says (compare-and-set), all of it or nothing.

        Where the system can compare and set in one operation (LDAP: delete the old value, add the new), it does. Where it
        cannot, `apply` has read `state` a moment ago and `write` sends at once. What is not named stays as it is: other
        bits of a flag word, other members of a group, other values of a list.

        "Already a member" when adding and "not a member" when removing are success, not refusal. Throttling (429, busy) and
        "try again later" are waited out here, within `context.deadline_seconds`; then Unknown or Refused.

        `create`: `after` holds columns of accounts: `email`, `given_name`, `family_name`, `display_name`, `employee_id`,
        `department`, `job_title`, `manager_account_id`, `enabled`, and `container` where configured; the login is made of
        the address. The password is random, is to be changed at first sign-in, and is never told or stored.

        Raises Changed, Refused or Unknown, and nothing else for a change that was sent; a repeated call with the same
        `key` after Unknown comes only when `state` has shown that the first one had no effect.
        """

    def close(self) -> None:
        """Let go of the connection."""
