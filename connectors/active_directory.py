"""Active Directory over LDAP: every account, every group, every membership, or an error."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors import _ad_accounts, _ad_examining, _ad_groups
from connectors._ad_absence import in_groups
from connectors._ad_absence import whereabouts as _whereabouts
from connectors._ad_accounts import Accounts, Reckoning
from connectors._ad_by_hand import cannot, instruct
from connectors._ad_domain import Domain, base_answers, check_attributes, domain_of, emptied, inspect
from connectors._ad_groups import Groups, Memberships, memberships
from connectors._ad_numbers import Names
from connectors._ad_values import Attributes, inside, text
from connectors._ad_writer import REPLICATION, WRITES, AdWriter
from connectors._ldap import NO_RIGHT, NO_SUCH_OBJECT, PAGE_SIZE, SHOW_DELETED, Directory, Refused, Search, reach
from connectors._ldap_bind import Login
from connectors._writing import AT_HAND
from reconciler.check import Check
from reconciler.connector import (
    AccessRefused,
    Answer,
    ConnectorSettings,
    Context,
    Ended,
    FileRef,
    Identity,
    Incomplete,
    Late,
    Need,
    Page,
    Right,
    SecretRef,
    Unreadable,
)  # fmt: skip
from reconciler.tables import whole

__all__ = ["NEEDS", "WRITES", "Settings", "cannot", "examine", "held", "instruct", "own", "read", "whereabouts", "writer"]

log = logging.getLogger(__name__)

NEEDS = (
    Need("List Contents and Read All Properties on each base", "accounts, groups, memberships", "the source cannot be read"),
    Need("Read lastLogonTimestamp", "when an account last signed in, within two weeks", "dormant accounts are not assessed", "sign_in"),
)  # fmt: skip

# objectClass=user also names computers and managed service accounts; contacts are no users.
USERS = "(|(objectClass=user)(objectClass=contact))"
GROUPS = "(objectClass=group)"
DELETED = "(&(isDeleted=TRUE)(|(objectClass=user)(objectClass=contact)))"
# How a server says that deleted objects are not for this reader: no such object, no right, no such control, unwilling.
NOT_LISTED = (NO_SUCH_OBJECT, NO_RIGHT, 12, 53)
ATTEMPTS = 3  # at the whole read


class WriterLogin(BaseModel):
    """The identity that changes things; only `apply` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    username: str
    password: SecretRef


class Settings(ConnectorSettings):
    """One directory; the first server that answers is kept for the whole read."""

    kind: Literal["active_directory"]
    urls: tuple[str, ...] = Field(min_length=1)
    bases: tuple[str, ...] = Field(min_length=1)
    bind: Literal["simple", "kerberos"] = "simple"
    username: str = ""
    password: SecretRef | None = None
    ca_file: FileRef | None = None
    writer: WriterLogin | None = None
    page_size: int = Field(PAGE_SIZE, ge=1, le=PAGE_SIZE)
    employee_id: str = "employeeID"  # the attribute that holds HR's number
    extra: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults

    @field_validator("urls")
    @classmethod
    def _servers(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("ldaps://", "ldap://")) or not url.partition("://")[2]:
                raise ValueError(f"{url!r} is no LDAP server; expected ldaps://host or ldap://host")
        return urls

    @field_validator("bases")
    @classmethod
    def _apart(cls, bases: tuple[str, ...]) -> tuple[str, ...]:
        for base in bases:
            if any(inside(base, other) for other in bases if other != base) or bases.count(base) > 1:
                raise ValueError(f"{base!r} lies inside another base, and would be read twice")
        return bases

    @model_validator(mode="after")
    def _identified(self) -> Self:
        if self.bind == "simple" and not (self.username and self.password):
            raise ValueError('bind = "simple" needs username and password')
        return self


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Accounts, groups and memberships below every base. Raises Incomplete or AccessRefused; never gives a part.

    A read that breaks is begun anew from the start, on a fresh connection, with the next server first; three times in all.
    """
    deadline = time.monotonic() + context.deadline_seconds
    yield from _begin(settings, context, _reader(settings), deadline).answers()


def examine(settings: Settings, context: Context) -> Iterator[Check | Answer]:
    """What `doctor` asks; one bind a server, and none after a refused one. Raises AccessRefused or Incomplete."""
    yield from _ad_examining.examined(settings.urls, settings.bases, _reader(settings), context)


def whereabouts(settings: Settings, context: Context, ids: Sequence[str]) -> Mapping[str, str]:
    """Each of these accounts read by its GUID, deleted ones included. Raises as `read` does."""
    deadline = time.monotonic() + context.deadline_seconds
    directory = reach(settings.urls, _reader(settings), deadline, settings.page_size)
    try:
        search = _bin(domain_of(directory))
        lists_deleted = _listable(directory, search) and bool(directory.some(search, 1))
        found = {here: _whereabouts(directory, settings.bases, here, lists_deleted) for here in ids}
    finally:
        directory.close()
    return {here: where for here, where in found.items() if where is not None}


def held(settings: Settings, context: Context, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
    """Whether these accounts say that they are direct members of these groups, each read by its GUID. Raises as `read` does."""
    deadline = time.monotonic() + context.deadline_seconds
    directory = reach(settings.urls, _reader(settings), deadline, settings.page_size)
    try:
        return in_groups(directory, pairs)
    finally:
        directory.close()


def writer(settings: Settings, context: Context) -> AdWriter:
    """Opens the directory as `writer = {…}`: over LDAPS, or StartTLS. Raises AccessRefused or Incomplete."""
    if settings.writer is None:
        raise AccessRefused(f"{context.source}: nothing is written without writer = {{ username = …, password = … }}")
    ca_file = str(settings.ca_file) if settings.ca_file else None
    login = Login(settings.writer.username, settings.writer.password.reveal(), "simple", ca_file)
    safest = sorted(settings.urls, key=lambda url: not url.startswith("ldaps://"))
    settles = AT_HAND if len(safest) == 1 else REPLICATION  # the next connection may be to another server
    return AdWriter(safest, login, settings.bases, settings.employee_id, context, settles).open()


def own(settings: Settings) -> Iterator[str]:
    """The logins that reader and writer have by the settings, with and without their domain."""
    for name in (settings.username, settings.writer.username if settings.writer else ""):
        plain = name.rpartition("\\")[2]
        yield from {word for word in (name, plain, plain.partition("@")[0]) if word}


def _reader(settings: Settings) -> Login:
    password = settings.password.reveal() if settings.password else ""
    return Login(settings.username, password, settings.bind, str(settings.ca_file) if settings.ca_file else None)


def _begin(settings: Settings, context: Context, login: Login, deadline: float) -> _Reading:
    urls, broken = settings.urls, []
    while True:
        directory = reach(urls, login, deadline, settings.page_size)
        try:
            return _whole(directory, settings, context)
        except Incomplete as problem:
            broken.append(str(problem))
            if len(broken) == ATTEMPTS or time.monotonic() > deadline:
                raise Incomplete("; before that: ".join(dict.fromkeys(reversed(broken)))) from None
            log.warning("%s; the read begins anew", problem)
        at = urls.index(directory.url) + 1
        urls = urls[at:] + urls[:at]


@dataclass
class _Reading:
    """One whole read, ready to be handed on."""

    domain: Domain
    accounts: Accounts
    groups: Groups
    held: Memberships
    scopes: list[Ended]
    rights: tuple[Right, ...] = ()

    def answers(self) -> Iterator[Answer]:
        yield Identity(self.domain.sid)
        yield from self.scopes
        yield from self.rights
        yield from _unknown_sign_ins(self.domain, self.accounts)
        accounts, groups, names = (
            whole(column)
            for column in (
                self.accounts.columns["account_id"],
                self.groups.columns["entitlement_id"],
                self.groups.columns["name"],
            )
        )
        yield from self.accounts.odd.told(self.accounts.id_of, self.groups.names.of(self.groups.named))
        yield from (Page("accounts", part, "users") for part in self.accounts.columns.chunks())
        yield from (Page("entitlements", part, "groups") for part in self.groups.columns.chunks())
        yield from _ad_groups.grants(self.held, accounts, groups, names)


def _whole(directory: Directory, settings: Settings, context: Context) -> _Reading:
    """Everything, in order; the connection is closed when it is done or broken."""
    try:
        domain = domain_of(directory)
        check_attributes(directory, domain, "employeeID", (settings.employee_id, *settings.extra.values()))
        now = int(context.now.timestamp() * 1_000_000)
        names = Names()
        accounts, groups = Accounts(Reckoning(now, domain.lockout), names, settings.employee_id, settings.extra), Groups(names)
        scopes = [ended for base in settings.bases for ended in _base(directory, base, accounts, groups)]
        empty = groups.empty()
        held = memberships(accounts, groups, domain.sid)
        inspect(directory, held.strangers, settings.bases)
        emptied(directory, settings.bases, empty)
        scopes.append(Ended("memberships", len(groups), held.links))
        _ad_groups.finish(accounts, groups, held, domain.sid)
        rights = tuple(_rights(settings, accounts, _deleted(directory, domain, settings, accounts)))
        _ad_groups.sids_shown(accounts, groups)
        return _Reading(domain, accounts, groups, held, scopes, rights)
    finally:
        directory.close()


def _base(directory: Directory, base: str, accounts: Accounts, groups: Groups) -> Iterator[Ended]:
    """One base: its accounts, then its groups, then the members of groups too large for one answer."""
    base_answers(directory, base)
    attributes = (*_ad_accounts.ATTRIBUTES, accounts.employee_id, *accounts.extra.values())
    users = _list(directory, Search(base, USERS, attributes), f"users below {base}", accounts.take, accounts.employee_id)
    accounts.each_once()
    parted: list[tuple[int, str, Attributes]] = []

    def take(dn: str, entry: Attributes) -> None:
        if any(name.startswith("member;") for name in entry):
            parted.append((len(groups), dn, entry))
        groups.take(dn, entry)

    found = _list(directory, Search(base, GROUPS, _ad_groups.ATTRIBUTES), f"groups below {base}", take, "member")
    groups.each_once()
    for row, dn, entry in parted:
        groups.list(row, directory.values(dn, "member", dict(entry)))
    if not users.rows + found.rows:
        raise Incomplete(
            f"{directory.url}: nothing is visible below {base}; check `bases`, and grant the reader List Contents there"
        )
    yield from (users, found)


def _list(directory: Directory, search: Search, scope: str, take: Callable[[str, Attributes], None], decisive: str) -> Ended:
    """Every entry of one search, of which searches of their own have counted the names, and those that have what decides.

    Raises Incomplete when the counts differ. `decisive` is the attribute without which an entry would be judged wrongly.
    """
    having = replace(search, expression=f"(&{search.expression}({decisive}=*))")
    counted, full, pages, rows, held = directory.count(search), directory.count(having), 0, 0, 0
    for entries in directory.pages(search):
        pages, rows = pages + 1, rows + len(entries)
        if rows > counted:
            break
        for dn, entry in entries:
            held += _has(entry, decisive)
            take(dn, entry)
    if (rows, held) != (counted, full):
        more = "or more " if rows > counted else ""
        raise Incomplete(
            f"{directory.url}: {scope}: {rows} {more}came, {held} of them with {decisive}, but counts of their own find {counted} "
            f"and {full}; nothing of it is used"
        )
    log.info("%s: %s: %d in %d pages", directory.url, scope, rows, pages)
    return Ended(scope, pages, rows, counted)


def _has(entry: Attributes, attribute: str) -> bool:
    """Whether an entry shows any value of an attribute, be it in the first of several ranges."""
    return bool(entry.get(attribute)) or any(name.startswith(attribute + ";") for name in entry)


def _deleted(directory: Directory, domain: Domain, settings: Settings, accounts: Accounts) -> bool:
    """Tombstones tell a deleted account from one that cannot be seen any more; most readers may not list them. Whether any is seen: a right that is denied answers with none."""
    attributes = (*_ad_accounts.ATTRIBUTES, accounts.employee_id, "lastKnownParent")
    search = _bin(domain, attributes)
    if not _listable(directory, search):
        return False

    def take(dn: str, entry: Attributes) -> None:
        where = text(entry, "lastKnownParent") or ""
        if any(inside(where, base) for base in settings.bases):
            accounts.take_deleted(dn, entry)

    found = _list(directory, search, "deleted accounts", take, settings.employee_id)
    accounts.each_once()
    return found.rows > 0


def _bin(domain: Domain, attributes: Sequence[str] = ("1.1",)) -> Search:
    return Search(f"CN=Deleted Objects,{domain.base}", DELETED, attributes, (SHOW_DELETED,))


def _listable(directory: Directory, search: Search) -> bool:
    """Whether the reader may list something it need not see; refused twice is refused, a right that comes and goes is no answer."""
    refused = []
    for _ in range(2):
        try:
            directory.count(search)
        except Refused as problem:
            if problem.code not in NOT_LISTED:
                raise
            refused.append(problem)
        else:
            break
    if len(refused) == 1:
        raise Incomplete(f"{refused[0]}; and a moment later it was listed")
    if refused:
        log.info("%s: not listed: %s", directory.url, refused[0])
    return not refused


def _rights(settings: Settings, accounts: Accounts, lists_deleted: bool) -> Iterator[Right]:
    """What the reader was seen to be able to read; a directory answers "success" with less instead of refusing."""
    for base in settings.bases:
        yield Right(f"List Contents on {base}", True, "something is visible there, and as much as was counted")
    for column, attribute in (("employee_id", settings.employee_id), ("email", "mail"), ("last_login_at", "lastLogonTimestamp")):
        filled = len(accounts) - accounts.columns[column].null_count
        told = f"{filled} of {len(accounts)} accounts show it"
        yield Right(f"Read {attribute}", filled > 0, told, essential=column == "employee_id")
    told = "deleted accounts are listed" if lists_deleted else "none is: an account that is gone is not told from a hidden one"
    yield Right("List Contents on CN=Deleted Objects", lists_deleted, told, essential=False)


def _unknown_sign_ins(domain: Domain, accounts: Accounts) -> Iterator[Unreadable | Late]:
    """How late sign-ins are recorded, or why nothing can be said about them: not recorded at all, or not to be seen."""
    if domain.sign_in_days == 0:
        yield Unreadable("sign_in", "the domain does not record sign-ins (msDS-LogonTimeSyncInterval is 0)", "set it to 14")
        return
    yield Late("sign_in", timedelta(days=domain.sign_in_days))
    if accounts.columns["last_login_at"].null_count == len(accounts):
        yield Unreadable("sign_in", "no account shows lastLogonTimestamp", "grant the reader Read lastLogonTimestamp")
