"""What a remedy's author imports: the case of one finding, and the two answers to it, a step or a task for a person.

A remedy is one file in `reconciler/actions/`, named like the remedy, with a docstring and

    propose(case) -> Iterable[Step | ByHand]     what would clear the finding, from the stored night alone
    NEEDS_SETTING = "delete_after"               only if it does nothing until [remediation] sets that

It proposes; it decides nothing about limits, protected accounts, order or the system that masters an account: a plan does.
Proposing nothing says that nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from reconciler.model import Finding

__all__ = ["ByHand", "Case", "Columns", "Settings", "Step"]

Columns = Mapping[str, Any]  # one row of a table: column -> value, null where the source did not tell


@dataclass(frozen=True)
class Step:
    """One change of one object: `account` is the row it is about (for `create` only its source counts)."""

    account: Columns
    kind: str
    before: Any
    after: Any
    because: str
    target: str | None = None
    entitlement: Columns | None = None


@dataclass(frozen=True)
class ByHand:
    """What only a person can do: why the tool does not, and the exact instruction."""

    why: str
    do: str


@dataclass(frozen=True)
class Settings:
    """What [remediation] says to remedies: where leavers and joiners go in each source, and after how long one deletes."""

    quarantine: Mapping[str, str]
    joiners: Mapping[str, str]
    delete_after: timedelta | None = None


class Case(Protocol):
    """One finding with what the stored night tells about its subject."""

    finding: Finding
    settings: Settings
    now: datetime

    @property
    def account(self) -> Columns | None:
        """The finding's account, with `source`."""

    @property
    def person(self) -> Columns | None:
        """The finding's person as the roster tells them: columns of people, and `name`, `access_ends`."""

    @property
    def entitlement(self) -> Columns | None: ...

    @property
    def via(self) -> tuple[str, ...]:
        """The ways in which the finding's account holds the finding's entitlement."""

    def account_of(self, person_id: str | None, source: str) -> Columns | None:
        """A person's account on a source: a live one if there is one."""

    def owned(self) -> Sequence[Columns]:
        """The entitlements whose owner is the finding's account."""
