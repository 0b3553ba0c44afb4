"""Google Workspace through the Admin SDK: users, groups, memberships; roles, licences, devices and applications let in, each by itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from connectors._bulk_held import Held
from connectors._bulk_rows import Accounts, Numbers, numbers
from connectors._examining import host
from connectors._google_access import AT_ONCE, SCOPE, Access, Settings
from connectors._google_accounts import MANAGER, Addresses, Users, decisive, known_by, tombstones_of, users_of
from connectors._google_areas import OPTIONAL, Areas
from connectors._google_asking import Asking
from connectors._google_by_hand import cannot, instruct
from connectors._google_examining import examined
from connectors._google_held import Json, Places, add_groups
from connectors._google_listing import Listed, Twice, having, ids, keys, listed, paged, there, wording
from connectors._google_members import Membership, Met
from connectors._google_writer import ORDER, SETTLES, WRITES, GoogleWriter
from connectors._http import Api, NotThere, loopback
from connectors._some import names, number
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
    Noticed,
    Right,
    together,
)

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
_OF_A_GROUP = frozenset(("id", "email", "adminCreated", "directMembersCount"))


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
        self.accounts, self.deleted = Accounts(), Accounts()
        self.addresses = Addresses(self.accounts)
        self.groups: dict[str, Any] = {}
        self.membership = Membership()
        self.differing: list[Json] = []  # groups whose members are not as many as they say

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
        yield from areas.applications(self.accounts, self._one_user)

    def essentials(self, *beside: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
        """Users, groups, and the members of every group."""
        yield from together([self.read_users, self.read_groups, *beside], AT_ONCE)
        self.membership = Membership(self.accounts, self.addresses, self.groups)
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
        found = Twice("users", self._list_users, known_by, self._user_ids).sure()
        self.accounts = Accounts([users.accounts for users in found])  # somebody who moved between pages comes twice
        self.addresses = Addresses(self.accounts)
        yield Ended("users", len(found), len(np.unique(known_by(found))))
        if by_google := sorted(login for users in found for login in users.by_google):
            yield Noticed(
                f"{number(by_google, 'user')} suspended by Google itself, not by an administrator: {names(by_google)}; "
                "find out what happened before anybody lets them in again"
            )

    def _users(self, **asked: Any) -> Any:
        return self.words.users().list(customer=self.settings.customer, maxResults=500, orderBy="email", **asked)

    def _list_users(self) -> list[Users]:
        return paged(self.directory, self._users(projection="full"), "users", partial(users_of, extra=self.settings.extra))

    def _user_ids(self, **asked: Any) -> Numbers:
        """From the other end, with what decides whose account it is: lost on one way, it is told on the other."""
        request = self._users(sortOrder="DESCENDING", fields="nextPageToken,users(id,externalIds)", **asked)
        return ids(self.directory, request, "users", decisive)

    def _one_user(self, here: str) -> dict[str, Any] | None:
        return there(self.directory, self.words.users().get(userKey=here, projection="full"))

    def read_deleted(self) -> Iterator[Answer]:
        found = Twice("deleted users", self._tombstones, known_by, lambda: self._user_ids(showDeleted="true")).sure()
        self.deleted = Accounts([users.accounts for users in found])
        yield Ended("deleted users", len(found), len(np.unique(known_by(found))))

    def _tombstones(self) -> list[Users]:
        request = self._users(projection="full", showDeleted="true")
        return paged(self.directory, request, "users", partial(tombstones_of, extra=self.settings.extra))

    def read_groups(self) -> Iterator[Answer]:
        found = Twice("groups", self._list_groups, keys(_id), self._group_ids).sure().once(_id)
        self.groups = {group["id"]: group for group in found.rows}
        yield Ended("groups", found.pages, len(found.rows))

    def _groups(self, **asked: Any) -> Any:
        return self.words.groups().list(customer=self.settings.customer, maxResults=200, orderBy="email", **asked)

    def _list_groups(self) -> Listed:
        return listed(self.directory, self._groups(), "groups", _group)

    def _group_ids(self) -> Numbers:
        request = self._groups(sortOrder="DESCENDING", fields="nextPageToken,groups/id")
        return ids(self.directory, request, "groups", _id)

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
        types = sum((page.types for page in found), Counter[str]())
        agrees = declared is None or declared in _totals(types)
        if not agrees and not again:
            self.differing.append(group)
            return
        self.membership.join(group, found)
        rows = types.total()
        counted = None if declared is None else rows if agrees else max(rows, declared)
        yield Ended(f"members of {group.get('email', group['id'])}", len(found), rows, counted, lags=True)

    def _members(self, group_id: str) -> list[Met]:
        request = self.words.members().list(groupKey=group_id, maxResults=200)
        return paged(self.directory, request, "members", self.membership.meet)

    def meet_strangers(self) -> None:
        """Members with an address of ours whom the listing did not have were made, or deleted, since; many were not."""
        strangers = self.membership.strangers
        if len(strangers) > MOST_STRANGERS:
            raise Incomplete(f"{len(strangers)} members are users that the listing of users does not hold: the listing is short")
        for here in sorted(strangers):
            found, owner = self._one_user(here), self.addresses.rows([strangers[here][0]])
            if found is not None:
                self.accounts.add(Accounts([users_of([found], self.settings.extra).accounts]))
                self.membership.admit(here)
            elif owner[0] >= 0 and self.deleted.rows([here])[0] < 0:
                raise Incomplete(
                    f"member {here} of a group, who is nobody, has the address of user {self.accounts.texts[int(owner[0])]}"
                )
        self.addresses = Addresses(self.accounts) if strangers else self.addresses

    # --- answers ----------------------------------------------------------------------------------------------------

    def answers(self, areas: Areas) -> Iterator[Answer]:
        """What was read, as the tables of the contract; who is told among the deleted and the others is not deleted."""
        held, places = Held(), Places(self.accounts, self.membership.members, self.membership.everybody)
        add_groups(held, self.groups.values(), places)
        areas.add(held, places, self.addresses)
        self.accounts.add(self.deleted)
        managers = self.addresses.of(numbers(self.accounts.column(MANAGER)))
        yield from self.accounts.pages({"manager_account_id": managers})
        yield from held.pages(self.accounts.texts, "groups, roles, licences, devices, applications")


def _id(group: Json) -> str:
    return str(group["id"])


def _group(row: Json) -> Json:
    """What is kept of a group."""
    return {name: value for name, value in having("id", "email")(row).items() if name in _OF_A_GROUP}


def _count(group: Json) -> int | None:
    return int(group["directMembersCount"]) if "directMembersCount" in group else None


def _totals(types: Counter[str]) -> set[int]:
    """What a group may say of itself: Google counts "users that are direct members", and leaves open what of groups in groups."""
    return {types.total(), types.total() - types["GROUP"], types["USER"]}
