"""Microsoft 365 through Graph: users, groups, memberships, roles, licences, sign-ins and more, each in a pass of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, model_validator

from connectors._examining import host
from connectors._graph_accounts import anchor, instant
from connectors._graph_by_hand import cannot, instruct
from connectors._graph_examining import examined
from connectors._graph_listing import Listings, expired, groups_of, where
from connectors._graph_mailboxes import PERMISSION as MAILBOXES
from connectors._graph_mailboxes import Mailboxes
from connectors._graph_reading import AT_ONCE, Reading
from connectors._graph_rights import granted_to
from connectors._graph_token import Token
from connectors._graph_writer import SETTLES, WRITES, GraphWriter
from connectors._http import Api, NotThere, Refused, loopback, new_session
from connectors._writing import AT_HAND
from reconciler.check import Check, Counted
from reconciler.connector import (
    AccessRefused,
    Answer,
    AsOf,
    ConnectorSettings,
    Context,
    FileRef,
    Identity,
    Need,
    SecretRef,
    needed,
)

__all__ = [
    "NEEDS",
    "WRITES",
    "Settings",
    "anchor",
    "cannot",
    "examine",
    "held",
    "instant",
    "instruct",
    "read",
    "whereabouts",
    "writer",
]

NEEDS = (
    Need("User.Read.All", "users, managers", "the source cannot be read"),
    Need("GroupMember.Read.All", "groups, their owners and memberships", "the source cannot be read"),
    Need("AuditLog.Read.All (and Entra ID P1)", "sign-in activity", "dormant and used-after-leaving are not assessed", "sign_in"),
    Need("RoleManagement.Read.Directory", "role assignments, and roles to be taken on demand", "roles are not assessed", "roles"),
    Need("LicenseAssignment.Read.All", "licences", "licences are not assessed", "licences"),
    Need("Device.Read.All", "devices and who registered them", "devices are not assessed", "devices"),
    Need("Directory.Read.All and Application.Read.All", "applications and what people let them do", "applications are not assessed", "oauth_grants"),
    Need("AuditLog.Read.All (and Entra ID P1)", "registered sign-in methods", "multi-factor sign-in is not assessed", "mfa"),
    Need("User.Read.All", "who leads whom", "managers are not compared", "managers"),
    Need("GroupMember.Read.All", "who owns which group", "owners of groups are not known", "owners"),
    Need("Member.Read.Hidden", "members of groups that hide them", "such groups are left out", "hidden_groups"),
    Need(MAILBOXES, "what mailboxes are, and whom their rules send mail to", "orphan accounts are not assessed", "mailboxes", "mailboxes"),
    Need("User.DeleteRestore.All or User.Read.All", "deleted users", "names that deleted users still hold are not known", "deleted"),
)  # fmt: skip

GRAPH_URL = "https://graph.microsoft.com/v1.0"
GRAPH_OF_LOGIN = {  # national clouds: a login's own Graph (learn.microsoft.com/graph/deployments)
    "https://login.microsoftonline.us": "https://graph.microsoft.us/v1.0",
    "https://login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn/v1.0",
    "https://login.chinacloudapi.cn": "https://microsoftgraph.chinacloudapi.cn/v1.0",
}


class WriterLogin(BaseModel):
    """The application that changes things; only `apply` reads it. `roles` lets it give and take directory roles."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    client_id: str
    client_secret: SecretRef | None = None
    certificate: SecretRef | None = None
    roles: bool = False

    @model_validator(mode="after")
    def _one_credential(self) -> WriterLogin:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("exactly one of client_secret and certificate is needed")
        return self


class Settings(ConnectorSettings):
    """One tenant, read as an application, or as the managed identity of an Azure machine (by `client_id` where it has several)."""

    kind: Literal["microsoft365"]
    tenant: str
    client_id: str = ""
    client_secret: SecretRef | None = None
    certificate: SecretRef | None = None
    managed_identity: bool = False
    login_url: str = "https://login.microsoftonline.com"
    graph_url: str = GRAPH_URL
    ca_file: FileRef | None = None
    writer: WriterLogin | None = None
    extra: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    mailboxes: bool = False  # three requests for each of them

    @model_validator(mode="before")
    @classmethod
    def _graph_of_the_login(cls, told: Any) -> Any:
        """A national cloud's login brings its own Graph along."""
        if isinstance(told, dict) and "graph_url" not in told:
            found = GRAPH_OF_LOGIN.get(str(told.get("login_url", "")).rstrip("/"))
            return told | ({"graph_url": found} if found else {})
        return told

    @model_validator(mode="after")
    def _one_credential(self) -> Settings:
        if (self.client_secret is not None) + (self.certificate is not None) + self.managed_identity != 1:
            raise ValueError("exactly one of client_secret, certificate and managed_identity = true is needed")
        if not (self.client_id or self.managed_identity):
            raise ValueError("client_id is needed: the application's id")
        return self


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Everything, pass by pass. Users, groups and memberships are essential; each other pass may be refused by itself.

    Nothing is handed over before everything was read: a pass that breaks leaves no rows behind.
    """
    api = _api(settings, context)
    fixes = {need.area: need.permission for need in NEEDS if need.area}
    listings = Listings(api)
    reading = Reading(listings, settings.extra, fixes, granted_to(api.authorise(False)))
    reading.mailboxes = Mailboxes(listings) if settings.mailboxes else None
    yield Identity(_tenant_id(settings, reading.listings))
    yield AsOf(context.now)
    yield from reading.everything()


def examine(settings: Settings, context: Context) -> Iterator[Check | Counted | Answer]:
    """What `doctor` asks; a refused application is asked about nothing further. Raises AccessRefused or Incomplete."""
    asked = [settings.graph_url] if settings.managed_identity else [settings.login_url, settings.graph_url]
    for url in {urlsplit(url).netloc: url for url in asked}.values():
        yield from host(url, settings.ca_file, context)
    api = _api(settings, context)
    api.authorise(False)
    yield Identity(_tenant_id(settings, Listings(api)))
    yield from examined(api, settings.client_id or "managed identity", needed(NEEDS, settings))


def whereabouts(settings: Settings, context: Context, ids: Sequence[str]) -> Mapping[str, str]:
    """Each of these users read by its id, and where there is none among the deleted. Raises as `read` does."""
    api = _api(settings, context)
    api.authorise(False)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(zip(ids, threads.map(partial(where, api), ids), strict=True))


def held(settings: Settings, context: Context, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], bool]:
    """Which users are direct members of which groups after all, by what each user says. Raises as `read` does.

    What a user does not name may be a licence, a role or an application: of it nothing is said.
    """
    api = _api(settings, context)
    api.authorise(False)
    users = sorted({user for user, _ in pairs})
    with ThreadPoolExecutor(AT_ONCE) as threads:
        above = dict(zip(users, threads.map(partial(groups_of, Listings(api)), users), strict=True))
    return {(user, group): True for user, group in pairs if group in above[user]}


def writer(settings: Settings, context: Context) -> GraphWriter:
    """Opens the tenant as `writer = {…}`. Raises AccessRefused or Incomplete when it gets no token."""
    own = settings.writer
    if own is None:
        raise AccessRefused(f"{context.source}: nothing is written without writer = {{ client_id = …, client_secret = … }}")
    login = {
        "client_id": own.client_id,
        "client_secret": own.client_secret,
        "certificate": own.certificate,
        "managed_identity": False,
    }
    api = _api(settings.model_copy(update=login), context)
    api.authorise(False)
    settles = AT_HAND if loopback(urlsplit(settings.graph_url).hostname or "") else SETTLES
    return GraphWriter(api, settings.tenant, own.client_id, context, own.roles, settles)


def _api(settings: Settings, context: Context) -> Api:
    session, deadline = new_session(settings.graph_url, settings.ca_file), time.monotonic() + context.deadline_seconds
    return Api(settings.graph_url, session, Token(settings), deadline, expired=expired, wait=context.wait)


def _tenant_id(settings: Settings, listings: Listings) -> str:
    """The tenant's own id, whichever of its names the configuration uses; that name where the id may not be asked for."""
    try:
        found, _ = listings.rows("organization?$select=id")
    except (Refused, NotThere):
        return settings.tenant
    return str(found[0]["id"]) if found else settings.tenant
