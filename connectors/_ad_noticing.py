"""What a domain holds that no policy asks about, and that a person should sort out: told beside the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors._some import names, number
from reconciler.connector import Noticed

NO_PASSWORD = 0x20  # PASSWD_NOTREQD, a bit of userAccountControl: an empty password will do, whatever the domain demands
SIGNING_IN = ("person", "admin", "service", "unknown")
# What a domain controller renames when two made the same name at once: the object, "CN=Jo Doe\0ACNF:<its guid>", and its login.
CONFLICT, DUPLICATE = "\\0acnf:", "$duplicate-"
DELETED = "\\0adel:"


@dataclass
class Oddities:
    """Accounts as they are read: those that need no password, and twins of a replication conflict."""

    without_password: list[str] = field(default_factory=list)  # logins
    renamed: dict[str, str] = field(default_factory=dict)  # DN in lower case -> id

    def meet(self, dn: str, account: Mapping[str, Any], flags: int | None) -> None:
        """Look at one account; what was deleted is nobody's matter."""
        if DELETED in dn.lower():
            return
        if (flags or 0) & NO_PASSWORD and account["enabled"] and account["kind"] in SIGNING_IN:
            self.without_password.append(str(account["login"]))
        if is_twin(dn) or str(account["login"]).lower().startswith(DUPLICATE):
            self.renamed[dn.lower()] = account["account_id"]

    def told(self, id_of: Callable[[str], str | None], groups: Iterable[str]) -> Iterator[Noticed]:
        """What is to be said, once everything was read; DNs, those of `groups` too, are in lower case."""
        if self.without_password:
            found = sorted(self.without_password)
            yield Noticed(
                f"{number(found, 'enabled account')} may have an empty password (PASSWD_NOTREQD is set): {names(found)}"
            )
        if self.renamed:
            kept = {here for dn in self.renamed if (here := id_of(as_it_was(dn)))}
            yield Noticed(_twins("account", self.renamed), tuple(sorted({*self.renamed.values(), *kept})))
        if twins := [dn for dn in groups if is_twin(dn)]:
            yield Noticed(_twins("group", twins))


def _twins(noun: str, renamed: Iterable[str]) -> str:
    found = sorted(renamed)
    return f"{number(found, noun)} renamed by a replication conflict, one of two made at once: {names(found)}; merge the two, and delete one"


def is_twin(dn: str) -> bool:
    return CONFLICT in dn.lower()


def as_it_was(dn: str) -> str:
    """The name that both twins were made with."""
    name, _, rest = dn.partition(CONFLICT)
    return f"{name},{rest.partition(',')[2]}"


def circles(found: Sequence[str]) -> Iterator[Noticed]:
    """Groups that contain themselves, through others or directly."""
    if found:
        yield Noticed(f"{number(found, 'group')} in a circle of groups, each of which contains itself: {names(found)}")
