"""What `doctor` asks of a Google Workspace: one token and one small question for each scope, and what could be changed.

A delegation is all or nothing, so each scope is asked for alone. A refused token means the scope; a refused question means
that the administrator in whose name it was asked lacks the privilege.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors._google_access import SCOPE, Access, Settings
from connectors._google_areas import OPTIONAL
from connectors._google_listing import listed, wording
from connectors._http import Api, NotThere, Refused
from reconciler.check import Check, Counted, State
from reconciler.connector import AccessRefused, Answer, Context, Identity, Incomplete

NOT_DELEGATED = "unauthorized_client"
WRITING = (
    "admin.directory.user",
    "admin.directory.group",
    "admin.directory.group.member",
    "admin.directory.rolemanagement",
    "admin.datatransfer",
)
BOTH_WAYS = ("apps.licensing", "admin.directory.user.security")  # Google has no narrower ones


@dataclass(frozen=True)
class Probe:
    """A scope, the question that needs it, and the administrator's privilege that the question needs."""

    scope: str
    reads: str
    privilege: str
    ask: Callable[[Examination, Api], None]
    area: str | None = None


@dataclass
class Examination:
    """One customer being examined."""

    settings: Settings
    access: Access
    words: Any
    customer_id: str
    group: str | None = None
    without: Mapping[str | None, str] = field(default_factory=lambda: {need.area: need.without for need in OPTIONAL})

    @property
    def who(self) -> str:
        return self.settings.subject or self.access.account_names()[0]

    def open(self, scope: str) -> Api:
        """An API that holds a token of one scope. Raises AccessRefused when there is none."""
        api = self.access.licences([SCOPE + scope]) if scope == "apps.licensing" else self.access.directory([SCOPE + scope])
        api.authorise(False)
        return api

    # --- one question a scope -------------------------------------------------------------------------------------

    def customer(self, api: Api) -> None:
        try:
            told = api.get(self.words.customers().get(customerKey=self.settings.customer).uri).get("id")
        except NotThere:
            return
        self.customer_id = told if isinstance(told, str) else self.customer_id

    def users(self, api: Api) -> None:
        api.get(self.words.users().list(customer=self.settings.customer, maxResults=1).uri)

    def groups(self, api: Api) -> None:
        found = api.get(self.words.groups().list(customer=self.settings.customer, maxResults=1).uri).get("groups", ())
        self.group = next((str(group["id"]) for group in found), None)

    def members(self, api: Api) -> None:
        if self.group is not None:
            api.get(self.words.members().list(groupKey=self.group, maxResults=1).uri)

    def roles(self, api: Api) -> None:
        api.get(self.words.roleAssignments().list(customer=self.settings.customer, maxResults=1).uri)

    def devices(self, api: Api) -> None:
        api.get(self.words.mobiledevices().list(customerId=self.customer_id, maxResults=1).uri)

    def licences(self, api: Api) -> None:
        words = wording("licensing", "v1", self.access.licensing_url).licenseAssignments()
        for product in self.settings.products:
            try:
                return void(api.get(words.listForProduct(productId=product, customerId=self.customer_id, maxResults=1).uri))
            except NotThere:
                continue
        return None

    def tokens(self, api: Api) -> None:
        if self.settings.subject:
            api.get(self.words.tokens().list(userKey=self.settings.subject).uri)


def void(_: object) -> None:
    """An answer of which only that it came is of interest."""


PROBES = (
    Probe("admin.directory.customer.readonly", "which customer it is", "any administrator role", Examination.customer),
    Probe("admin.directory.user.readonly", "users", "Admin API privileges: Users, Read", Examination.users),
    Probe("admin.directory.group.readonly", "groups", "Admin API privileges: Groups, Read", Examination.groups),
    Probe("admin.directory.group.member.readonly", "members of groups", "Admin API privileges: Groups, Read", Examination.members),
    Probe("admin.directory.rolemanagement.readonly", "administrator roles", "super administrator", Examination.roles, "roles"),
    Probe("apps.licensing", "licences", "License Management", Examination.licences, "licences"),
    Probe("admin.directory.device.mobile.readonly", "mobile devices", "Mobile Device Management", Examination.devices, "devices"),
    Probe("admin.directory.user.security", "applications let in", "Users: Security", Examination.tokens, "oauth_grants"),
)  # fmt: skip


def examined(settings: Settings, context: Context) -> Iterator[Check | Counted | Answer]:
    """Every scope in turn. Raises AccessRefused when the account itself is refused, Incomplete when nobody answers."""
    access = Access(settings, time.monotonic() + context.deadline_seconds, context.wait)
    here = Examination(settings, access, wording("admin", "directory_v1", settings.api_url), settings.customer)
    users: Api | None = None
    for number, probe in enumerate(PROBES):
        check, api = _probed(here, probe)
        users = api if probe.scope == "admin.directory.user.readonly" and check.state == "ok" else users
        if not number:
            yield Check("identity", here.who, told="signed in" if api else "known")
            yield Identity(here.customer_id)
        yield check
    yield from _rights(here, users)
    yield from _counted(here, users)


def _probed(here: Examination, probe: Probe) -> tuple[Check, Api | None]:
    lacking: State = "missing" if probe.area else "refused"
    without = here.without.get(probe.area, "the source cannot be read")
    try:
        api = here.open(probe.scope)
    except AccessRefused as problem:
        if NOT_DELEGATED not in str(problem):
            raise  # the account, its key or its subject: no other scope would fare better
        state = lacking
        return Check(
            "permission", probe.scope, state, f"{probe.reads}: not delegated", without, _delegate(here, probe.scope)
        ), None
    try:
        probe.ask(here, api)
    except Refused as problem:
        fix = f"give {here.who} an administrator role with the privilege: {probe.privilege}"
        return Check("permission", probe.scope, lacking, f"{probe.reads}: {problem}", without, fix), api
    except Incomplete as problem:
        return Check(
            "permission", probe.scope, "missing" if probe.area else "unreadable", f"{probe.reads}: {problem}", without
        ), api
    return Check("permission", probe.scope, told=f"granted: {probe.reads}"), api


def _delegate(here: Examination, scope: str) -> str:
    return (
        "Admin console, Security, API controls, Domain-wide delegation: add to client "
        f"{here.access.client_id()} the scope {SCOPE}{scope}"
    )


# --- what could be changed ----------------------------------------------------------------------------------------


def _rights(here: Examination, users: Api | None) -> Iterator[Check]:
    delegated = [scope for scope in WRITING if _delegated(here, scope)]
    if _super(here, users):
        fix = f"name an administrator with a role of its own in subject, with privileges to read, in place of {here.who}"
        told = f"yes: {here.who} is a super administrator" + (f"; delegated: {', '.join(delegated)}" if delegated else "")
        yield Check("rights", "could also write", "warning", told, fix=fix)
    elif delegated:
        told = f"delegated: {', '.join(delegated)}; only the role of {here.who} stands in the way"
        fix = "give the writer a service account of its own, and take these scopes out of this one's delegation"
        yield Check("rights", "could also write", "warning", told, fix=fix)
    else:
        told = f"no, but for what {' and '.join(BOTH_WAYS)} allow: Google has no narrower scopes"
        yield Check("rights", "could also write", told=told)


def _delegated(here: Examination, scope: str) -> bool:
    """Whether a token for writing is to be had; it is thrown away. A service account of its own gets every token it asks for."""
    if not here.settings.subject:
        return False
    try:
        here.open(scope)
    except AccessRefused:
        return False
    return True


def _super(here: Examination, users: Api | None) -> bool:
    if users is None or not here.settings.subject:
        return False
    try:
        return users.get(here.words.users().get(userKey=here.settings.subject, fields="isAdmin").uri).get("isAdmin") is True
    except (Refused, NotThere):
        return False


def _counted(here: Examination, users: Api | None) -> Iterator[Check | Counted]:
    """Users who can sign in, and all others, listed with nothing but that."""
    if users is None:
        yield Counted()
        return
    asked = here.words.users().list(
        customer=here.settings.customer, maxResults=500, orderBy="email", fields="nextPageToken,users(id,suspended,archived)"
    )
    found = listed(users, asked, "users", lambda user: bool(user.get("suspended") or user.get("archived"))).rows
    off = sum(found)
    yield Check("rows", "accounts", told=f"{len(found) - off:,} active, {off:,} inactive")
    yield Counted(len(found) - off, off)
