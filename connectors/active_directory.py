"""Active Directory over LDAP: every account, every group, every membership, or an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import ldap3
from pydantic import BaseModel, ConfigDict

from connectors._ad_accounts import PRIVILEGED_RIDS, Attributes, account, guid, number, sid, text
from connectors._ldap import Directory, connect
from reconciler.connector import (
    AccessRefused,
    Answer,
    AsOf,
    ConnectorSettings,
    Context,
    Ended,
    FileRef,
    Identity,
    Incomplete,
    Need,
    Page,
    SecretRef,
    page,
)  # fmt: skip
from reconciler.tables import ACCOUNTS, ENTITLEMENTS

log = logging.getLogger(__name__)

NEEDS = (
    Need("List Contents and Read All Properties on each base", "accounts, groups, memberships", "the source cannot be read"),
)

USERS = "(|(&(objectCategory=person)(|(objectClass=user)(objectClass=contact)))(objectCategory=computer)(objectClass=msDS-GroupManagedServiceAccount)(objectClass=msDS-ManagedServiceAccount))"
GROUPS = "(objectCategory=group)"
USER_ATTRIBUTES = (
    "objectGUID", "objectSid", "objectClass", "sAMAccountName", "cn", "userPrincipalName", "mail", "proxyAddresses", "employeeID",
    "givenName", "sn", "displayName", "department", "title", "company", "physicalDeliveryOfficeName", "l", "manager",
    "userAccountControl", "accountExpires", "lockoutTime", "whenCreated", "lastLogonTimestamp", "pwdLastSet", "primaryGroupID",
    "servicePrincipalName", "msExchRecipientTypeDetails", "isCriticalSystemObject",
)  # fmt: skip
GROUP_ATTRIBUTES = (
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "cn",
    "managedBy",
    "member",
    "isCriticalSystemObject",
    "uSNChanged",
)


class Writer(BaseModel):
    """The identity that changes things; only `apply` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    username: str
    password: SecretRef


class Settings(ConnectorSettings):
    """One directory; the first server that answers is kept for the whole run."""

    kind: Literal["active_directory"]
    urls: tuple[str, ...]
    bases: tuple[str, ...]
    bind: Literal["simple"] = "simple"
    username: str
    password: SecretRef
    ca_file: FileRef | None = None
    writer: Writer | None = None
    extra: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Accounts, groups and memberships below every base. Raises Incomplete or AccessRefused; never gives a part."""
    directory = _first(settings, context)
    try:
        root = directory.one("", ["defaultNamingContext", "currentTime"])
        domain = directory.one(text(root, "defaultNamingContext") or settings.bases[0], ["objectSid"])
        if not domain.get("objectSid"):
            raise Incomplete(f"{directory.url}: the domain's SID may not be read; grant the reader Read on the domain object")
        yield Identity(sid(domain["objectSid"][0]))
        yield AsOf(context.now)
        yield from _Reading(settings, context, directory, sid(domain["objectSid"][0])).answers()
    finally:
        directory.close()


def _first(settings: Settings, context: Context) -> Directory:
    """The first server that can be reached. A refused bind ends it: the next server would refuse the same secret."""
    password, tried = settings.password.reveal(), []
    for url in settings.urls:
        try:
            ca_file = str(settings.ca_file) if settings.ca_file else None
            return connect(url, settings.username, password, ca_file, context.deadline_seconds)
        except AccessRefused:
            raise
        except Incomplete as problem:
            tried.append(str(problem))
    raise Incomplete("; ".join(tried) or "no urls are configured")


class _Reading:
    """One read of a directory: users first, then groups with their members."""

    def __init__(self, settings: Settings, context: Context, directory: Directory, domain_sid: str) -> None:
        self.settings, self.context, self.directory, self.domain_sid = settings, context, directory, domain_sid
        self.accounts: dict[str, dict[str, Any]] = {}  # DN in lower case -> row
        self.primary: dict[str, int] = {}  # account id -> RID of the primary group
        self.managers: dict[str, str] = {}  # account id -> DN of the manager
        self.groups: dict[str, dict[str, Any]] = {}  # DN in lower case -> row
        self.members: dict[str, list[str]] = {}  # group id -> DNs in lower case

    def answers(self) -> Iterator[Answer]:
        for base in self.settings.bases:
            yield from self._list(base, "users", USERS, [*USER_ATTRIBUTES, *self.settings.extra.values()], self._user)
            yield from self._list(base, "groups", GROUPS, GROUP_ATTRIBUTES, self._group)
        if not self.accounts:
            raise Incomplete(
                f"{self.directory.url}: no account below {', '.join(self.settings.bases)}; check `bases` and the reader's rights"
            )
        held = self._held()
        self._finish(held)
        yield page("accounts", self.accounts.values(), (*ACCOUNTS.names,), "users")
        yield page("entitlements", self.groups.values(), ENTITLEMENTS.names, "groups")
        yield Page("grants", held, "memberships")

    def _list(self, base: str, scope: str, expression: str, attributes: Sequence[str], take: Any) -> Iterator[Answer]:
        """Every entry of one search, counted a second time by a search that asks for nothing but names."""
        pages = rows = 0
        for entries in self.directory.pages(base, ldap3.SUBTREE, expression, attributes):
            pages, rows = pages + 1, rows + len(entries)
            for dn, entry in entries:
                take(dn, entry)
        again = sum(len(entries) for entries in self.directory.pages(base, ldap3.SUBTREE, expression, ["1.1"]))
        yield Ended(f"{scope} below {base}", pages, rows, again)

    def _user(self, dn: str, entry: Attributes) -> None:
        if not entry.get("objectGUID"):
            raise Incomplete(
                f"{self.directory.url}: the objectGUID of {dn} may not be read; grant the reader Read All Properties"
            )
        now = int(self.context.now.timestamp() * 1_000_000)
        row = account(entry, dn, now)
        kept = {name: value for name, attribute in self.settings.extra.items() if (value := text(entry, attribute)) is not None}
        row["extra"] = json.dumps(kept, ensure_ascii=False) if kept else None
        self.accounts[dn.lower()] = row
        if (rid := number(entry, "primaryGroupID")) is not None:
            self.primary[row["account_id"]] = rid
        if manager := text(entry, "manager"):
            self.managers[row["account_id"]] = manager.lower()

    def _group(self, dn: str, entry: Attributes) -> None:
        security_id = sid(entry["objectSid"][0]) if entry.get("objectSid") else ""
        group_id = guid(entry["objectGUID"][0])
        changed = list(entry.get("uSNChanged", ()))
        members = self.directory.all_values(dn, "member", entry, changed)
        critical = (text(entry, "isCriticalSystemObject") or "").upper() == "TRUE"
        self.groups[dn.lower()] = {
            "entitlement_id": group_id, "name": text(entry, "sAMAccountName") or text(entry, "cn"), "kind": "group", "writable": not critical,
            "owner_account_id": text(entry, "managedBy"), "sid": security_id,
        }  # fmt: skip
        self.members[group_id] = [member.decode("utf-8", "replace").lower() for member in members]

    # --- memberships ----------------------------------------------------------------------------------------------

    def _held(self) -> dict[str, list[str]]:
        """Grants as columns: direct, through a group in the group, and the primary group that no list names."""
        by_rid = {
            int(g["sid"].rpartition("-")[2]): g["entitlement_id"]
            for g in self.groups.values()
            if g["sid"].startswith(self.domain_sid)
        }
        ids = {dn: row["account_id"] for dn, row in self.accounts.items()}
        group_ids = {dn: row["entitlement_id"] for dn, row in self.groups.items()}
        direct = {g: {ids[m] for m in members if m in ids} for g, members in self.members.items()}
        inner = {g: {group_ids[m] for m in members if m in group_ids} for g, members in self.members.items()}
        first = {g: set() for g in direct} | {by_rid[r]: set() for r in self.primary.values() if r in by_rid}  # type: dict[str, set[str]]
        for account_id, rid in self.primary.items():
            if rid in by_rid:
                first[by_rid[rid]].add(account_id)
        columns: dict[str, list[str]] = {"account_id": [], "entitlement_id": [], "via": []}
        for group in direct:
            reached = _below(group, inner)
            nested = set().union(*(direct[g] | first.get(g, set()) for g in reached)) if reached else set()
            for via, people in (("direct", direct[group]), ("primary", first.get(group, set())), ("nested", nested)):
                columns["account_id"] += sorted(people)
                columns["entitlement_id"] += [group] * len(people)
                columns["via"] += [via] * len(people)
        return columns

    def _finish(self, held: Mapping[str, list[str]]) -> None:
        """What is known only when all is read: managers, owners of groups, and who is privileged."""
        ids = {dn: row["account_id"] for dn, row in self.accounts.items()}
        powerful = {
            g["entitlement_id"] for g in self.groups.values() if g["sid"] and int(g["sid"].rpartition("-")[2]) in PRIVILEGED_RIDS
        }
        admins = {a for a, g in zip(held["account_id"], held["entitlement_id"], strict=True) if g in powerful}
        for row in self.accounts.values():
            row["manager_account_id"] = ids.get(self.managers.get(row["account_id"], ""))
            row["privileged"] = row["account_id"] in admins
        for row in self.groups.values():
            row["owner_account_id"] = ids.get((row["owner_account_id"] or "").lower())
            row["privileged"] = row["entitlement_id"] in powerful


def _below(group: str, inner: Mapping[str, set[str]]) -> set[str]:
    """Every group inside a group, at any depth; a circle of groups ends where it began."""
    found: set[str] = set()
    waiting = list(inner.get(group, ()))
    while waiting:
        here = waiting.pop()
        if here not in found and here != group:
            found.add(here)
            waiting += inner.get(here, ())
    return found
