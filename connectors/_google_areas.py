"""What a Google Workspace may refuse to show: roles, licences, devices, applications let in; each area stands or falls by itself."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from connectors._bulk_held import Held
from connectors._bulk_rows import Accounts, Numbers, hashes, joined
from connectors._google_access import AT_ONCE, SCOPE, Access, Settings
from connectors._google_accounts import Addresses
from connectors._google_held import (
    Json,
    LetIn,
    Phone,
    Places,
    add_applications,
    add_devices,
    add_licences,
    add_roles,
    phone,
)
from connectors._google_listing import Listed, Twice, having, ids, keys, listed, paged, there, wording
from connectors._google_reach import check_reach
from connectors._http import Api, NotThere
from reconciler.connector import AccessRefused, Answer, Ended, Incomplete, Need, Right, SourceError, Unreadable, together

OPTIONAL = (
    Need("admin.directory.rolemanagement.readonly", "administrator roles", "roles are not assessed", "roles"),
    Need("apps.licensing", "licences", "licences are not assessed", "licences"),
    Need("admin.directory.device.mobile.readonly", "mobile devices", "devices are not assessed", "devices"),
    Need(
        "admin.directory.user.security",  # there is no narrower one for reading
        "applications that people have let in",
        "applications let in are not assessed",
        "oauth_grants",
    ),
)


class Areas:
    """The optional areas of one read; `add` puts those that were read whole beside the groups."""

    def __init__(self, settings: Settings, access: Access, words: Any, customer_id: str) -> None:
        self._settings, self._access, self._words, self._customer_id = settings, access, words, customer_id
        self._roles: tuple[list[Any], list[Any]] = ([], [])
        self._licences: dict[str, list[Numbers]] = {}
        self._devices: list[Phone] = []
        self._let_in = LetIn()

    def add(self, held: Held, places: Places, addresses: Addresses) -> None:
        add_roles(held, *self._roles, places)
        add_licences(held, self._licences, addresses)
        add_devices(held, self._devices, places.accounts, addresses)
        add_applications(held, self._let_in)

    def roles(self) -> Iterator[Answer]:
        yield from _optional("roles", self._read_roles)

    def check_reach(self, reader: Callable[[], str], in_group: Callable[[str, str], bool]) -> None:
        """Raises Incomplete when the reader's own roles, where roles were read, are bound to organisational units."""
        check_reach(*self._roles, reader, in_group)

    def licences(self) -> Iterator[Answer]:
        yield from _optional("licences", self._read_licences)

    def devices(self) -> Iterator[Answer]:
        yield from _optional("devices", self._read_devices)

    def applications(self, accounts: Accounts, single: Callable[[str], Any]) -> Iterator[Answer]:
        """One question a person who can sign in, or could again tomorrow; what guests let in is their own company's matter."""
        yield from _optional("oauth_grants", lambda: self._read_applications(_asked(accounts), single))

    # --- the passes -------------------------------------------------------------------------------------------------

    def _open(self, area: str) -> Api:
        scope = f"{SCOPE}{_need(area).permission}"
        return self._access.licences([scope]) if area == "licences" else self._access.directory([scope])

    def _read_roles(self) -> Iterator[Answer]:
        api = self._open("roles")
        roles = listed(api, self._words.roles().list(customer=self._settings.customer, maxResults=100), "items", having("roleId"))
        assigned = (
            Twice("role assignments", partial(self._assignments, api), keys(_assignment), partial(self._assignment_ids, api))
            .sure()
            .once(_assignment)
        )
        missing = {one["roleId"] for one in assigned.rows} - {role["roleId"] for role in roles.rows}
        if missing:
            raise Incomplete(f"role {min(missing)} is assigned and not listed: the listing of roles is short")
        self._roles = roles.rows, assigned.rows
        yield Ended("role assignments", assigned.pages, len(assigned.rows))

    def _assigned(self, size: int, **asked: Any) -> Any:
        return self._words.roleAssignments().list(customer=self._settings.customer, maxResults=size, **asked)

    def _assignments(self, api: Api) -> Listed:
        return listed(api, self._assigned(200), "items", having("roleAssignmentId", "roleId", "assignedTo"))

    def _assignment_ids(self, api: Api) -> Numbers:
        return ids(api, self._assigned(199, fields="nextPageToken,items/roleAssignmentId"), "items", _assignment)

    def _read_devices(self) -> Iterator[Answer]:
        api = self._open("devices")
        found = Twice("mobile devices", partial(self._phone_list, api), keys(_of_phone), partial(self._phone_ids, api)).sure()
        found = found.once(_of_phone)
        self._devices = found.rows
        yield Ended("mobile devices", found.pages, len(found.rows))

    def _phones(self, **asked: Any) -> Any:
        return self._words.mobiledevices().list(customerId=self._customer_id, maxResults=100, orderBy="deviceId", **asked)

    def _phone_list(self, api: Api) -> Listed:
        return listed(api, self._phones(), "mobiledevices", lambda row: phone(having("resourceId")(row)))

    def _phone_ids(self, api: Api) -> Numbers:
        request = self._phones(sortOrder="DESCENDING", fields="nextPageToken,mobiledevices/resourceId")
        return ids(api, request, "mobiledevices", _device)

    def _read_licences(self) -> Iterator[Answer]:
        api, words = self._open("licences"), wording("licensing", "v1", self._access.licensing_url).licenseAssignments()
        found: dict[str, list[Numbers]] = {}
        for product in self._settings.products:
            pages = self._product(api, partial(words.listForProduct, productId=product, customerId=self._customer_id), product)
            for sku, holders in (each for page in pages for each in page.holders.items()):
                found.setdefault(f"{product}/{sku}", []).append(holders)
            yield Ended(f"licences of {product}", max(1, len(pages)), len(np.unique(_known_by(pages))))
        self._licences = found

    def _product(self, api: Api, request: Callable[..., Any], product: str) -> list[_Licences]:
        """One product's licences; none when the customer does not have the product, which answers "not found"."""

        def counted() -> Numbers:
            again = request(maxResults=999, fields="nextPageToken,items(skuId,userId)")
            return ids(api, again, "items", _licence)

        def read() -> list[_Licences]:
            return paged(api, request(maxResults=1000), "items", _licences)

        try:
            found = read()
        except NotThere:
            if there(api, request(maxResults=1)) is None:  # "not found" is believed when it is said twice
                return []
            found = read()
        return Twice(f"licences of {product}", read, _known_by, counted).settled(found, counted())

    def _read_applications(self, people: Iterable[tuple[int, str]], single: Callable[[str], Any]) -> Iterator[Answer]:
        api, found, numbers = self._open("oauth_grants"), LetIn(), array("i")

        def one(row: int, person: str) -> Iterator[Answer]:
            try:
                tokens = listed(api, self._words.tokens().list(userKey=person), "items", having("clientId")).rows
                found.add(row, tokens)
                numbers.append(len(tokens))
            except NotThere:
                if single(person) is not None:
                    raise
            yield from ()

        yield from together((partial(one, *each) for each in people), AT_ONCE)
        self._let_in = found
        yield Ended("applications let in", len(numbers), sum(numbers))


class _Licences(NamedTuple):
    """A page of licences: the addresses of each SKU's holders, and every licence, by hash."""

    holders: dict[str, Numbers]
    known_by: Numbers


def _licences(rows: Sequence[Json]) -> _Licences:
    mails: dict[str, list[str]] = {}
    for one in rows:
        mails.setdefault(str(one["skuId"]), []).append(str(one["userId"]).lower())
    return _Licences({sku: hashes(listed) for sku, listed in mails.items()}, hashes([_licence(one) for one in rows]))


def _licence(one: Json) -> str:
    return f"{one['skuId']} {one['userId']}"


def _known_by(pages: Sequence[_Licences]) -> Numbers:
    return joined(page.known_by for page in pages)


def _asked(accounts: Accounts) -> Iterator[tuple[int, str]]:
    """Whose applications are asked for: rows and ids."""
    for begin, batch in accounts.batches():
        told = zip(*(batch[name].to_pylist() for name in ("account_id", "kind", "state_reason")), strict=True)
        for row, (here, kind, reason) in enumerate(told, begin):
            if kind != "guest" and reason != "archived":
                yield row, here


def _need(area: str) -> Need:
    return next(need for need in OPTIONAL if need.area == area)


def _optional(area: str, read: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
    """A pass of its own: when it is refused or comes to no proper end, its area is unreadable and nothing stands on it."""
    try:
        yield from list(read())
        yield Right(_need(area).permission, True, "what needs it was read", False)
    except AccessRefused as problem:
        yield Right(_need(area).permission, False, str(problem), False)
        yield Unreadable(area, str(problem), f"delegate {_need(area).permission}")
    except SourceError as problem:
        yield Unreadable(area, str(problem))


def _assignment(one: Json) -> str:
    return str(one["roleAssignmentId"])


def _device(one: Json) -> str:
    return str(one["resourceId"])


def _of_phone(one: Phone) -> str:
    return one.id
