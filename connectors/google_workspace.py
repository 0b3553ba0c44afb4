"""Google Workspace through the Admin SDK: users, groups, memberships, roles and licences, each with scopes of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from googleapiclient.discovery import build
from pydantic import BaseModel, ConfigDict, Field

from connectors._http import Api, NotThere, PageExpired, Refused, new_session, pages
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
    Unreadable,
    page,
    together,
)  # fmt: skip
from reconciler.tables import ACCOUNTS, ENTITLEMENTS

_SCOPE = "https://www.googleapis.com/auth/"
ESSENTIAL = tuple(f"{_SCOPE}admin.directory.{what}.readonly" for what in ("user", "group", "group.member", "customer"))
ROLES = (f"{_SCOPE}admin.directory.rolemanagement.readonly",)
LICENCES = (f"{_SCOPE}apps.licensing",)
NEEDS = (
    Need("admin.directory.user.readonly", "users", "the source cannot be read"),
    Need(
        "admin.directory.group.readonly, admin.directory.group.member.readonly",
        "groups and memberships",
        "the source cannot be read",
    ),
    Need("admin.directory.rolemanagement.readonly", "administrator roles", "roles are not assessed", "roles"),
    Need("apps.licensing", "licences", "licences are not assessed", "licences"),
)

PRODUCTION = "https://admin.googleapis.com"
LICENSING = "https://licensing.googleapis.com"
NEVER = "1970-01-01T00:00:00.000Z"  # how Google writes "has never signed in"
AT_ONCE = 8  # chains; the quota is 2,400 queries a minute
RESTARTS = 2
_AGAIN = frozenset(
    {"quotaExceeded", "rateLimitExceeded", "sharingRateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError"}
)


class Writer(BaseModel):
    """The identity that changes things; only `apply` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    subject: str | None = None
    credentials: SecretRef | None = None


class Settings(ConnectorSettings):
    """One customer, read by a service account."""

    kind: Literal["google_workspace"]
    customer: str = "my_customer"
    credentials: SecretRef
    subject: str | None = None
    api_url: str = PRODUCTION
    ca_file: FileRef | None = None
    products: tuple[str, ...] = ("Google-Apps", "101031", "101037", "101047", "101001", "101005", "101033", "101034")
    writer: Writer | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class QuietCredentials(service_account.Credentials):
    """Service account credentials that ask nobody but the token endpoint (google-auth 2.55 looks up regions otherwise)."""

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Everything, pass by pass. Users, groups and memberships are essential; roles and licences may be refused by themselves."""
    reading = _Reading(settings, time.monotonic() + context.deadline_seconds)
    yield from reading.customer()
    yield AsOf(context.now)
    yield from reading.users()
    yield from reading.groups()
    yield from reading.optional("roles", reading.roles)
    yield from reading.optional("licences", reading.licences)
    yield page("accounts", reading.accounts.values(), ACCOUNTS.names, "users")
    yield page("entitlements", reading.entitlements.values(), ENTITLEMENTS.names, "groups, roles, licences")
    yield Page("grants", reading.grants, "memberships")


class _Token:
    """The bearer token of one set of scopes, fetched once and shared by every chain."""

    def __init__(self, settings: Settings, scopes: Sequence[str]) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._credentials = _credentials(settings, scopes)

    def __call__(self, renew: bool) -> str:
        with self._lock:
            if renew or not self._credentials.token:
                self._refresh()
            return f"Bearer {self._credentials.token}"

    def _refresh(self) -> None:
        uri = self._credentials._token_uri
        try:
            self._credentials.refresh(_Once(new_session(uri, self._settings.ca_file)))
        except RefreshError as problem:
            who = self._settings.subject or self._credentials.service_account_email
            scopes = ", ".join(scope.removeprefix(_SCOPE) for scope in self._credentials.scopes)
            told = str(problem.args[0])[:200] if problem.args else "refused"
            raise Refused(
                f"{uri}: refused {who}: {told}; delegate {scopes} to the service account in the Admin console"
            ) from None
        except (GoogleAuthError, OSError) as problem:
            raise Incomplete(f"{uri}: no token: {type(problem).__name__}: {problem}") from None


class _Once(Request):
    """google-auth's transport with a time limit."""

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: int = 30, **words: Any
    ) -> Any:
        return super().__call__(url, method, body, headers, timeout, **words)


def _credentials(settings: Settings, scopes: Sequence[str]) -> Any:
    try:
        info = json.loads(settings.credentials.reveal())
        return QuietCredentials.from_service_account_info(info, scopes=scopes, subject=settings.subject)
    except (ValueError, KeyError) as problem:
        raise AccessRefused(f"{settings.credentials}: is no service account key file: {problem}") from None


def _passing(status: int, reason: str) -> bool:
    """Google says "slow down" with 403 as well; every other 403 is final."""
    return status in (429, 500, 502, 503, 504) or (status == 403 and reason.split(":")[0] in _AGAIN)


def _expired(status: int, reason: str) -> bool:
    return status in (400, 410) and "token" in reason.lower() and "page" in reason.lower()


class _Reading:
    """One read of a customer."""

    def __init__(self, settings: Settings, deadline: float) -> None:
        self.settings, self.deadline = settings, deadline
        self.directory = self._api(settings.api_url, ESSENTIAL)
        self.requests = build(
            "admin", "directory_v1", http=_NoHttp(), static_discovery=True, client_options={"api_endpoint": settings.api_url}
        )
        self.customer_id = settings.customer
        self.accounts: dict[str, dict[str, Any]] = {}
        self.by_mail: dict[str, str] = {}
        self.entitlements: dict[str, dict[str, Any]] = {}
        self.grants: dict[str, list[str]] = {"account_id": [], "entitlement_id": [], "via": []}
        self.members: dict[str, list[dict[str, Any]]] = {}

    def _api(self, url: str, scopes: Sequence[str]) -> Api:
        return Api(url, new_session(url, self.settings.ca_file), _Token(self.settings, scopes), self.deadline, _passing, _expired)

    def optional(self, area: str, read: Any) -> Iterator[Answer]:
        """A pass that may be refused: then its area is unreadable, and what stands on it is not assessed."""
        need = next(n for n in NEEDS if n.area == area)
        try:
            yield from read()
        except Refused as problem:
            yield Unreadable(area, str(problem), f"delegate {need.permission}")

    def rows(self, api: Api, request: Any, name: str) -> tuple[list[dict[str, Any]], int]:
        """(objects, pages) of a whole listing; an omitted list is an empty one. Begun again when a page token dies."""
        first = request.uri

        def following(answer: dict[str, Any]) -> str | None:
            token = answer.get("nextPageToken")
            return None if not token else first + ("&" if "?" in first else "?") + f"pageToken={_quoted(token)}"

        for attempt in range(RESTARTS + 1):
            try:
                found = list(pages(first, api.get, following))
            except PageExpired:
                if attempt == RESTARTS:
                    raise
                continue
            if any("error" in answer for answer in found):
                raise Incomplete(f"{first.split('?')[0]}: an error came with a success")
            return [row for answer in found for row in answer.get(name, [])], len(found)
        raise AssertionError  # the loop returns or raises

    def customer(self) -> Iterator[Answer]:
        self.customer_id = self.directory.get(self.requests.customers().get(customerKey=self.settings.customer).uri)["id"]
        yield Identity(self.customer_id)

    def users(self) -> Iterator[Answer]:
        request = self.requests.users().list(customer=self.settings.customer, maxResults=500, projection="full", orderBy="email")
        found, count = self.rows(self.directory, request, "users")
        distinct = {user["id"]: user for user in found}  # somebody who moved between pages comes twice
        for user in distinct.values():
            self.accounts[user["id"]] = _account(user, self.settings.extra)
            for mail in (user["primaryEmail"], *user.get("aliases", ()), *user.get("nonEditableAliases", ())):
                self.by_mail[mail.lower()] = user["id"]
        for user in distinct.values():
            manager = next((r.get("value", "") for r in user.get("relations", ()) if r.get("type") == "manager"), "")
            self.accounts[user["id"]]["manager_account_id"] = self.by_mail.get(manager.lower())
        yield Ended("users", count, len(found))

    # --- groups ---------------------------------------------------------------------------------------------------

    def groups(self) -> Iterator[Answer]:
        found, count = self.rows(
            self.directory, self.requests.groups().list(customer=self.settings.customer, maxResults=200), "groups"
        )
        for group in found:
            self.entitlements[group["id"]] = {
                "entitlement_id": group["id"],
                "name": group.get("email"),
                "kind": "group",
                "writable": group.get("adminCreated"),
            }
        yield Ended("groups", count, len(found))
        yield from together(((lambda g=g: self._members(g)) for g in found), AT_ONCE)  # type: ignore[misc] # the default binds g
        for group_id in self.members:
            self._grant_group(group_id)

    def _members(self, group: Mapping[str, Any]) -> Iterator[Answer]:
        """The members of one group, held against the count that the group itself gives; read once more if they differ."""
        declared = int(group["directMembersCount"]) if "directMembersCount" in group else None
        request = self.requests.members().list(groupKey=group["id"], maxResults=200)
        found, count = self.rows(self.directory, request, "members")
        if declared is not None and len(found) != declared:
            again = self.directory.get(self.requests.groups().get(groupKey=group["id"]).uri)
            declared = int(again["directMembersCount"]) if "directMembersCount" in again else None
            found, count = self.rows(self.directory, request, "members")
        self.members[group["id"]] = found
        yield Ended(f"members of {group.get('email', group['id'])}", count, len(found), declared)

    def _grant_group(self, group_id: str) -> None:
        members, inside = self.members[group_id], _below(group_id, self.members)
        self._grant(self._people(members), group_id, "direct")
        self._grant([p for g in inside for p in self._people(self.members[g])], group_id, "nested")
        everyone = any(m.get("type") == "CUSTOMER" for g in (group_id, *inside) for m in self.members[g])
        self._grant(self.accounts if everyone else (), group_id, "inherited")

    def _people(self, members: Sequence[Mapping[str, Any]]) -> list[str]:
        """The members who are this customer's users; people from outside have no account here."""
        ids = [m["id"] for m in members if m.get("type", "USER") == "USER" and m.get("id") in self.accounts]
        domains = {mail.rpartition("@")[2] for mail in self.by_mail}
        for member in members:
            ours = member.get("type") == "USER" and (member.get("email") or "").rpartition("@")[2].lower() in domains
            if ours and member.get("id") not in self.accounts:
                raise Incomplete(
                    f"the member {member.get('email')} is a user that the listing of users does not hold: the listing is short"
                )
        return ids

    def _grant(self, people: Iterable[str], entitlement: str, via: str) -> None:
        listed = sorted(set(people))
        self.grants["account_id"] += listed
        self.grants["entitlement_id"] += [entitlement] * len(listed)
        self.grants["via"] += [via] * len(listed)

    # --- roles and licences ---------------------------------------------------------------------------------------

    def roles(self) -> Iterator[Answer]:
        api = self._api(self.settings.api_url, ROLES)
        listed, _ = self.rows(api, self.requests.roles().list(customer=self.settings.customer, maxResults=100), "items")
        assigned, count = self.rows(
            api, self.requests.roleAssignments().list(customer=self.settings.customer, maxResults=200), "items"
        )
        for role in listed:
            self.entitlements[f"role-{role['roleId']}"] = {
                "entitlement_id": f"role-{role['roleId']}", "name": role.get("roleName"), "kind": "role",
                "privileged": role.get("isSuperAdminRole", False), "writable": True,
            }  # fmt: skip
        for one in assigned:
            role_id, holder = f"role-{one['roleId']}", one["assignedTo"]
            if role_id not in self.entitlements:
                raise Incomplete(f"role {one['roleId']} is assigned and not listed: the listing of roles is short")
            if holder in self.accounts:
                self._grant([holder], role_id, "direct")
            elif holder in self.members:
                inside = [m for g in (holder, *_below(holder, self.members)) for m in self.members[g]]
                self._grant(self._people(inside), role_id, "inherited")
        yield Ended("role assignments", count, len(assigned))

    def licences(self) -> Iterator[Answer]:
        """One listing per product; a product that the customer does not have answers "not found"."""
        url = LICENSING if self.settings.api_url.rstrip("/") == PRODUCTION else self.settings.api_url
        api = self._api(url, LICENCES)
        service = build("licensing", "v1", http=_NoHttp(), static_discovery=True, client_options={"api_endpoint": url})
        for product in self.settings.products:
            request = service.licenseAssignments().listForProduct(productId=product, customerId=self.customer_id, maxResults=100)
            try:  # the first page alone says whether there is such a product: a later one that is missing is a short listing
                api.get(request.uri)
            except NotThere:
                continue
            found, count = self.rows(api, request, "items")
            for one in found:
                self._licence(product, one)
            yield Ended(f"licences of {product}", count, len(found))

    def _licence(self, product: str, one: Mapping[str, Any]) -> None:
        sku = f"{product}/{one['skuId']}"
        self.entitlements.setdefault(sku, {"entitlement_id": sku, "name": sku, "kind": "licence", "writable": True})
        person = self.by_mail.get(one["userId"].lower())
        self._grant([person] if person else [], sku, "direct")


class _NoHttp:
    """googleapiclient only words the requests; they are sent by our own session."""

    def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("requests are sent by Api")

    def close(self) -> None:
        pass


def _quoted(token: str) -> str:
    from urllib.parse import quote

    return quote(token, safe="")


def _below(group: str, members: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
    """Every group inside a group, at any depth; a circle ends where it began."""
    found: set[str] = set()
    waiting = [m["id"] for m in members[group] if m.get("type") == "GROUP" and m.get("id") in members]
    while waiting:
        here = waiting.pop()
        if here not in found and here != group:
            found.add(here)
            waiting += [m["id"] for m in members[here] if m.get("type") == "GROUP" and m.get("id") in members]
    return found


def _account(user: Mapping[str, Any], extra: Mapping[str, str]) -> dict[str, Any]:
    name, job = user.get("name") or {}, _main(user.get("organizations") or [])
    ids = [x.get("value") for x in user.get("externalIds") or [] if x.get("type") == "organization"]
    seen = user.get("lastLoginTime")
    enabled, reason = _state(user)
    kept = {kept: user[attribute] for kept, attribute in extra.items() if user.get(attribute) is not None}
    return {
        "account_id": user["id"], "login": user["primaryEmail"], "upn": user["primaryEmail"], "email": user["primaryEmail"],
        "aliases": [alias.lower() for alias in (*user.get("aliases", ()), *user.get("nonEditableAliases", ()))],
        "employee_id": ids[0] if ids else None, "given_name": name.get("givenName"), "family_name": name.get("familyName"),
        "display_name": name.get("fullName"), "department": job.get("department"), "job_title": job.get("title"), "company": job.get("name"),
        "location": job.get("location"), "enabled": enabled, "state_reason": reason, "created_at": _instant(user.get("creationTime")),
        "last_login_at": None if seen == NEVER else _instant(seen), "never_logged_in": True if seen == NEVER else None,
        "kind": "guest" if user.get("isGuestUser") else "person", "privileged": _either(user.get("isAdmin"), user.get("isDelegatedAdmin")),
        "container": user.get("orgUnitPath"), "mfa": user.get("isEnrolledIn2Sv"),
        "extra": json.dumps(kept, ensure_ascii=False) if kept else None,
    }  # fmt: skip


def _state(user: Mapping[str, Any]) -> tuple[bool | None, str | None]:
    """(enabled, reason); unknown when Google says neither that it is suspended nor that it is not."""
    if user.get("suspended"):
        return False, "suspended"
    if user.get("archived"):
        return False, "archived"
    return (None if user.get("suspended") is None else True), None


def _either(one: bool | None, other: bool | None) -> bool | None:
    return True if one or other else None if one is None or other is None else False


def _main(jobs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((job for job in jobs if job.get("primary")), jobs[0] if len(jobs) == 1 else {})


def _instant(text: str | None) -> int | None:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else None
