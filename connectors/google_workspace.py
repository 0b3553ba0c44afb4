"""Google Workspace through the Admin SDK: users, groups, memberships; roles, licences, devices and applications let in, each by itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from connectors._examining import host
from connectors._google_access import AT_ONCE, SCOPE, Access, Settings
from connectors._google_accounts import account, by_mail, employee_id, tombstone
from connectors._google_areas import OPTIONAL, Areas
from connectors._google_asking import Asking
from connectors._google_by_hand import cannot, instruct
from connectors._google_examining import examined
from connectors._google_held import Held, Json, Member, Membership, add_groups
from connectors._google_listing import Listed, Twice, having, ids, listed, there, wording
from connectors._google_writer import ORDER, SETTLES, WRITES, GoogleWriter
from connectors._http import Api, NotThere, loopback
from connectors._writing import AT_HAND
from reconciler.check import Check, Counted
from reconciler.connector import (
    AccessRefused,
    Answer,
    AsOf,
    Context,
    Ended,
    Identity,
    Incomplete,
    Need,
    Page,
    Right,
    page,
    together,
)
from reconciler.tables import ACCOUNTS, ENTITLEMENTS

__all__ = ["NEEDS", "ORDER", "WRITES", "Settings", "cannot", "examine", "held", "instruct", "read", "whereabouts", "writer"]


NEEDS = (
    Need("admin.directory.user.readonly", "users", "the source cannot be read"),
    Need(
        "admin.directory.group.readonly, admin.directory.group.member.readonly",
        "groups and memberships",
        "the source cannot be read",
    ),
    *OPTIONAL,
)
ESSENTIAL = tuple(f"{SCOPE}admin.directory.{what}.readonly" for what in ("user", "group", "group.member", "customer"))


MOST_STRANGERS = 20


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Everything: first who and what there is, then each group's members and each person's applications."""
    reading = _Reading(settings, context)
    yield from reading.customer()
    yield AsOf(context.now)
    areas = Areas(settings, reading.access, reading.words, reading.customer_id)
    yield from together([areas.licences, lambda: reading.directory_pass(areas)], 2)  # licences come at a pace of their own
    areas.check_reach(reading.own_id, reading.in_group)
    yield from reading.answers(areas)


def examine(settings: Settings, context: Context) -> Iterator[Check | Counted | Answer]:
    """What `doctor` asks; a refused account is asked about nothing further. Raises AccessRefused or Incomplete."""
    yield from host(settings.api_url, settings.ca_file, context)
    yield from examined(settings, context)


def whereabouts(settings: Settings, context: Context, ids: Sequence[str]) -> Mapping[str, str]:
    """Each of these users read by its id. Raises as `read` does."""
    directory = Access(settings, time.monotonic() + context.deadline_seconds, context.wait).directory(ESSENTIAL)
    words = wording("admin", "directory_v1", settings.api_url)
    asked = [words.users().get(userKey=here, projection="basic") for here in ids]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(ids, threads.map(partial(_where, directory), asked), strict=True))


def held(settings: Settings, context: Context, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
    """Whether these users are direct members of these groups, or have let these applications in. Raises as `read` does."""
    access = Access(settings, time.monotonic() + context.deadline_seconds, context.wait)
    asking = Asking(access, wording("admin", "directory_v1", settings.api_url), ESSENTIAL)
    wanted = [(person, what) for person, what in pairs if asking.can(what)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(wanted, threads.map(asking.held, wanted), strict=True))


def _where(directory: Api, request: Any) -> str:
    found = there(directory, request)
    return "gone" if found is None else "deleted" if found.get("deletionTime") else "there"


def writer(settings: Settings, context: Context) -> GoogleWriter:
    """Opens the customer as `writer = {…}`. Raises AccessRefused or Incomplete when it gets no token."""
    own = settings.writer
    if own is None or not (own.subject or own.credentials):
        raise AccessRefused(f"{context.source}: nothing is written without writer = {{ subject = … }}, or credentials of its own")
    login = settings.model_copy(update={"subject": own.subject, "credentials": own.credentials or settings.credentials})
    access = Access(login, time.monotonic() + context.deadline_seconds, context.wait)
    settles = AT_HAND if loopback(urlsplit(settings.api_url).hostname or "") else SETTLES
    made = GoogleWriter(access, settings.customer, context, own.roles, settles)
    made.api("directory.user").authorise(False)
    return made


class _Reading:
    """One read of a customer."""

    def __init__(self, settings: Settings, context: Context) -> None:
        deadline = time.monotonic() + context.deadline_seconds
        self.settings, self.access = settings, Access(settings, deadline, context.wait)
        self.directory = self.access.directory(ESSENTIAL)
        self.words = wording("admin", "directory_v1", settings.api_url)
        self.customer_id = settings.customer
        self.accounts: dict[str, dict[str, Any]] = {}
        self.deleted: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Any] = {}
        self.members: dict[str, list[Member]] = {}
        self.differing: list[Json] = []  # groups whose members are not as many as they say
        self.user_listing = Twice("users", self._list_users, _decisive, self._user_ids)
        self.group_listing = Twice("groups", self._list_groups, lambda group: str(group["id"]), self._group_ids)

    def customer(self) -> Iterator[Answer]:
        """Who answers: the customer's own id, or where that may not be asked for the name it is configured by."""
        try:
            told = self.directory.get(self.words.customers().get(customerKey=self.settings.customer).uri).get("id")
        except NotThere:
            told = None
        self.customer_id = told if isinstance(told, str) else self.settings.customer
        yield Identity(self.customer_id)
        for scope in ESSENTIAL:  # a token names all of its scopes, or there is none
            yield Right(scope.removeprefix(SCOPE), True, "delegated" if self.settings.subject else "asked for and given")

    def directory_pass(self, areas: Areas) -> Iterator[Answer]:
        """All that the directory tells, as fast as its quota allows."""
        beside = [areas.roles, areas.devices, *([self.read_deleted] if self.settings.deleted_users else [])]
        yield from self.essentials(*beside)
        yield from areas.applications(self.accounts.values(), self._one_user)

    def essentials(self, *beside: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
        """Users, groups, and the members of every group."""
        yield from together([self.read_users, self.read_groups, *beside], AT_ONCE)
        yield from together((partial(self.read_members, group) for group in list(self.groups.values())), AT_ONCE)
        yield from together((partial(self.read_members, group, True) for group in self.differing), AT_ONCE)
        self.meet_strangers()

    def own_id(self) -> str:
        """By what assignments of roles name the reader."""
        if self.settings.subject is None:
            return self.access.client_id()
        found = there(self.directory, self.words.users().get(userKey=self.settings.subject, fields="id"))
        return str((found or {}).get("id"))

    def in_group(self, group: str, member: str) -> bool:
        found = there(self.directory, self.words.members().hasMember(groupKey=group, memberKey=member))
        return (found or {}).get("isMember") is True

    # --- users and groups -----------------------------------------------------------------------------------------

    def read_users(self) -> Iterator[Answer]:
        found = self.user_listing.sure()
        self.accounts = {one["account_id"]: one for one in found.rows}  # somebody who moved between pages comes twice
        yield Ended("users", found.pages, len(found.rows))

    def _users(self, **asked: Any) -> Any:
        return self.words.users().list(customer=self.settings.customer, maxResults=500, orderBy="email", **asked)

    def _list_users(self) -> Listed:
        return listed(self.directory, self._users(projection="full"), "users", self._account)

    def _account(self, user: Json) -> dict[str, Any]:
        return account(user, self.settings.extra)

    def _user_ids(self, **asked: Any) -> set[str]:
        """From the other end, with what decides whose account it is: lost on one way, it is told on the other."""
        request = self._users(sortOrder="DESCENDING", fields="nextPageToken,users(id,externalIds)", **asked)
        return ids(self.directory, request, "users", lambda user: f"{user['id']} {employee_id(user)}")

    def _one_user(self, here: str) -> dict[str, Any] | None:
        found = there(self.directory, self.words.users().get(userKey=here, projection="full"))
        return None if found is None else self._account(found)

    def read_deleted(self) -> Iterator[Answer]:
        found = Twice("deleted users", self._tombstones, _decisive, lambda: self._user_ids(showDeleted="true")).sure()
        self.deleted = {one["account_id"]: one for one in found.rows}
        yield Ended("deleted users", found.pages, len(found.rows))

    def _tombstones(self) -> Listed:
        request = self._users(projection="full", showDeleted="true")
        return listed(self.directory, request, "users", lambda user: tombstone(user, self.settings.extra))

    def read_groups(self) -> Iterator[Answer]:
        found = self.group_listing.sure()
        self.groups = {group["id"]: group for group in found.rows}
        yield Ended("groups", found.pages, len(found.rows))

    def _groups(self, **asked: Any) -> Any:
        return self.words.groups().list(customer=self.settings.customer, maxResults=200, orderBy="email", **asked)

    def _list_groups(self) -> Listed:
        return listed(self.directory, self._groups(), "groups", having("id", "email"))

    def _group_ids(self) -> set[str]:
        request = self._groups(sortOrder="DESCENDING", fields="nextPageToken,groups/id")
        return ids(self.directory, request, "groups", lambda group: str(group["id"]))

    def _one_group(self, here: str) -> dict[str, Any] | None:
        return there(self.directory, self.words.groups().get(groupKey=here))

    def read_members(self, group: Json, again: bool = False) -> Iterator[Answer]:
        """The members of one group, held against the count that the group itself gives; both are looked at again if they differ."""
        try:
            declared = _count(self.directory.get(self.words.groups().get(groupKey=group["id"]).uri) if again else group)
            found = self._members(group["id"])
        except NotThere:
            if self._one_group(group["id"]) is not None:
                raise
            del self.groups[group["id"]]  # deleted since it was listed
            return
        agrees = declared is None or declared in _totals(found.rows)
        if not agrees and not again:
            self.differing.append(group)
            return
        self.members[group["id"]] = [self._identified(member, group) for member in found.rows]
        rows = len(found.rows)
        counted = None if declared is None else rows if agrees else max(rows, declared)
        yield Ended(f"members of {group.get('email', group['id'])}", found.pages, rows, counted, lags=True)

    def _members(self, group_id: str) -> Listed:
        return listed(self.directory, self.words.members().list(groupKey=group_id, maxResults=200), "members", having("type"))

    def _identified(self, member: Json, group: Json) -> Member:
        """A member with an id: its own, or that of the user or group with its address."""
        mail = str(member.get("email") or "").lower()
        here = member.get("id") or self.by_mail.get(mail) or self._group_of(mail)
        if here is None:
            raise Incomplete(
                f"group {group.get('email', group['id'])}: a member came without an id; nothing of the listing is used"
            )
        known = self.accounts.get(here)
        return Member(known["account_id"] if known else here, sys.intern(member["type"]), "" if known else mail)

    def _group_of(self, mail: str) -> str | None:
        return next((group["id"] for group in self.groups.values() if str(group.get("email")).lower() == mail), None)

    @cached_property
    def by_mail(self) -> Mapping[str, str]:
        """Users by every address they have, once all were listed."""
        return by_mail(self.accounts.values())

    def meet_strangers(self) -> None:
        """Members with an address of ours whom the listing did not have were made, or deleted, since; many were not."""
        domains = {mail.rpartition("@")[2] for mail in by_mail(self.accounts.values())}
        outside = [m for held in self.members.values() for m in held if m.type == "USER" and m.id not in self.accounts]
        strangers = {m.id for m in outside if m.email.rpartition("@")[2] in domains}
        if len(strangers) > MOST_STRANGERS:
            raise Incomplete(f"{len(strangers)} members are users that the listing of users does not hold: the listing is short")
        known = {m.id: self.by_mail.get(m.email) for m in outside}
        for here in sorted(strangers):
            found = self._one_user(here)
            if found is None and known[here] is not None and here not in self.deleted:
                raise Incomplete(f"member {here} of a group, who is nobody, has the address of user {known[here]}")
            self.accounts |= {} if found is None else {here: found}

    # --- answers ----------------------------------------------------------------------------------------------------

    def answers(self, areas: Areas) -> Iterator[Answer]:
        """What was read, as the tables of the contract."""
        mails, held = by_mail(self.accounts.values()), Held()
        places = Membership(self.accounts, self.members)
        for one in self.accounts.values():
            one["manager_account_id"] = mails.get(one["manager_mail"])
        add_groups(held, self.groups.values(), places)
        areas.add(held, places, mails)
        gone = [one for here, one in self.deleted.items() if here not in self.accounts]
        yield page("accounts", [*self.accounts.values(), *gone], ACCOUNTS.names, "users")
        yield page(
            "entitlements", held.entitlements.values(), ENTITLEMENTS.names, "groups, roles, licences, devices, applications"
        )
        yield Page("grants", held.grants, "memberships")


def _decisive(one: Json) -> str:
    return f"{one['account_id']} {one['employee_id']}"


def _count(group: Json) -> int | None:
    return int(group["directMembersCount"]) if "directMembersCount" in group else None


def _totals(members: Sequence[Json]) -> set[int]:
    """What a group may say of itself: Google counts "users that are direct members", and leaves open what of groups in groups."""
    kinds = [member["type"] for member in members]
    return {len(kinds), len(kinds) - kinds.count("GROUP"), kinds.count("USER")}
