"""Microsoft 365 through Graph: users, groups, memberships, roles, licences and sign-ins, each in a pass of its own."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from connectors._graph_token import Token
from connectors._http import Api, PageExpired, Refused, new_session, pages
from reconciler.connector import (
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

NEEDS = (
    Need("User.Read.All", "users, managers", "the source cannot be read"),
    Need("GroupMember.Read.All", "groups and memberships", "the source cannot be read"),
    Need("AuditLog.Read.All (and Entra ID P1)", "sign-in activity", "dormant and used-after-leaving are not assessed", "sign_in"),
    Need("RoleManagement.Read.Directory", "role assignments", "roles are not assessed", "roles"),
    Need("LicenseAssignment.Read.All", "licences", "licences are not assessed", "licences"),
)

KNOWN_LOGINS = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)
SELECT = (
    "id", "userPrincipalName", "mail", "proxyAddresses", "employeeId", "givenName", "surname", "displayName", "department", "jobTitle",
    "companyName", "officeLocation", "accountEnabled", "userType", "createdDateTime", "lastPasswordChangeDateTime", "onPremisesSyncEnabled",
    "onPremisesImmutableId", "onPremisesSecurityIdentifier", "licenseAssignmentStates",
)  # fmt: skip
GROUP_SELECT = "id,displayName,groupTypes,securityEnabled,mailEnabled,onPremisesSyncEnabled,isAssignableToRole"
AT_ONCE = 8  # chains; the identity service's quota allows many more
RESTARTS = 2

# Roles that can take over a tenant or its people, by template id (Microsoft, "built-in roles", marked privileged).
PRIVILEGED_ROLES = frozenset({
    "62e90394-69f5-4237-9190-012177145e10", "e8611ab8-c189-46e8-94e1-60213ab1f814", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
    "194ae4cb-b126-40b2-bd5b-6091b380977d", "fe930be7-5e62-47db-91af-98c3a49a38b1", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "158c047a-c907-4556-b7ef-446551a6b5f7", "c4e39bd9-1100-46d3-8c65-fb160da0071f", "29232cdf-9323-42fd-ade2-1d097af3e4de",
})  # fmt: skip


class Writer(BaseModel):
    """The identity that changes things; only `apply` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    client_id: str
    client_secret: SecretRef | None = None
    certificate: SecretRef | None = None


class Settings(ConnectorSettings):
    """One tenant, read as an application."""

    kind: Literal["microsoft365"]
    tenant: str
    client_id: str
    client_secret: SecretRef | None = None
    certificate: SecretRef | None = None
    login_url: str = "https://login.microsoftonline.com"
    graph_url: str = "https://graph.microsoft.com/v1.0"
    ca_file: FileRef | None = None
    writer: Writer | None = None
    extra: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults

    @model_validator(mode="after")
    def _one_credential(self) -> Settings:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("exactly one of client_secret and certificate is needed")
        return self


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """Everything, pass by pass. Users, groups and memberships are essential; each other pass may be refused by itself."""
    api = Api(
        settings.graph_url,
        new_session(settings.graph_url, settings.ca_file),
        Token(settings),
        time.monotonic() + context.deadline_seconds,
        expired=_expired,
    )
    reading = _Reading(settings, api)
    yield Identity(settings.tenant)
    yield AsOf(context.now)
    yield from reading.users()
    yield from reading.optional("sign_in", reading.sign_ins)
    yield from reading.managers()
    yield from reading.groups()
    yield from reading.optional("roles", reading.roles)
    yield from reading.optional("licences", reading.licences)
    yield page("accounts", reading.accounts.values(), ACCOUNTS.names, "users")
    yield page("entitlements", reading.entitlements.values(), ENTITLEMENTS.names, "groups, roles, licences")
    yield Page("grants", reading.grants, "memberships")


def _expired(status: int, reason: str) -> bool:
    """A page token that died: the listing begins again."""
    return status in (400, 410) and any(
        word in reason for word in ("ExpiredPageToken", "InvalidPageToken", "resyncRequired", "syncStateNotFound")
    )


class _Reading:
    """One read of a tenant."""

    def __init__(self, settings: Settings, api: Api) -> None:
        self.settings, self.api = settings, api
        self.accounts: dict[str, dict[str, Any]] = {}
        self.entitlements: dict[str, dict[str, Any]] = {}
        self.grants: dict[str, list[str]] = {"account_id": [], "entitlement_id": [], "via": []}
        self.states: dict[str, list[dict[str, Any]]] = {}  # user -> licence assignments
        self.members: dict[str, list[str]] = {}  # group -> ids of whatever is in it

    def optional(self, area: str, read: Any) -> Iterator[Answer]:
        """A pass that may be refused: then its area is unreadable, and what stands on it is not assessed."""
        need = next(n for n in NEEDS if n.area == area)
        try:
            yield from read()
        except Refused as problem:
            yield Unreadable(area, str(problem), f"grant {need.permission}")

    def rows(self, path: str) -> tuple[list[dict[str, Any]], int]:
        """(objects, pages) of a whole listing; begun again when a page token dies, then given up."""
        for attempt in range(RESTARTS + 1):
            try:
                found = list(pages(path, self.api.get, lambda answer: answer.get("@odata.nextLink")))
            except PageExpired:
                if attempt == RESTARTS:
                    raise
                continue
            return [row for answer in found for row in _value(answer, path)], len(found)
        raise AssertionError  # the loop returns or raises

    def users(self) -> Iterator[Answer]:
        wanted = ",".join((*SELECT, *dict.fromkeys(self.settings.extra.values())))
        found, count = self.rows(f"users?$select={wanted}&$top=999")
        for user in found:
            if not user.get("id"):
                raise Incomplete(f"{self.settings.graph_url}: a user without an id; nothing of the listing is used")
            self.accounts[user["id"]] = _account(user, self.settings.extra)
            self.states[user["id"]] = user.get("licenseAssignmentStates") or []
        yield Ended("users", count, len(self.accounts), self._count())

    def _count(self) -> int | None:
        """How many users the tenant says it has, by another question; None where it may not be asked.

        The count is kept in an index that lags behind new users, so that a smaller one proves nothing; a larger one
        says that the listing is short.
        """
        try:
            told = self.api.get("users?$count=true&$top=1&$select=id", {"ConsistencyLevel": "eventual"}).get("@odata.count")
        except Refused:
            return None
        return max(told, len(self.accounts)) if isinstance(told, int) else None

    def sign_ins(self) -> Iterator[Answer]:
        """Sign-ins are read apart: one missing licence would refuse the whole listing."""
        found, count = self.rows("users?$select=id,signInActivity&$top=500")
        for user in found:
            told = user.get("signInActivity") or {}
            seen = told.get("lastSuccessfulSignInDateTime") or told.get("lastSignInDateTime")
            if user["id"] in self.accounts:
                self.accounts[user["id"]]["last_login_at"] = instant(seen)
        yield Ended("sign-in activity", count, len(found))

    def managers(self) -> Iterator[Answer]:
        found, count = self.rows("users?$select=id&$expand=manager($select=id)&$top=100")
        for user in found:
            manager = (user.get("manager") or {}).get("id")
            if user["id"] in self.accounts and manager in self.accounts:
                self.accounts[user["id"]]["manager_account_id"] = manager
        yield Ended("managers", count, len(found))

    # --- groups ---------------------------------------------------------------------------------------------------

    def groups(self) -> Iterator[Answer]:
        found, count = self.rows(f"groups?$select={GROUP_SELECT}&$top=999")
        dynamic = {g["id"] for g in found if "DynamicMembership" in (g.get("groupTypes") or [])}
        for group in found:
            self.entitlements[group["id"]] = _group(group)
        yield Ended("groups", count, len(found))
        yield from together(((lambda g=g: self._members(g["id"])) for g in found), AT_ONCE)  # type: ignore[misc] # the default binds g
        for group_id, members in self.members.items():
            inside = _below(group_id, self.members)
            self._grant((m for m in members if m in self.accounts), group_id, "dynamic" if group_id in dynamic else "direct")
            self._grant({m for g in inside for m in self.members[g] if m in self.accounts}, group_id, "nested")

    def _members(self, group_id: str) -> Iterator[Answer]:
        found, count = self.rows(f"groups/{group_id}/members?$select=id&$top=999")
        self.members[group_id] = [member["id"] for member in found]
        for member in found:
            if member.get("@odata.type") == "#microsoft.graph.user" and member["id"] not in self.accounts:
                raise Incomplete(
                    f"group {group_id} has the member {member['id']}, a user that the listing of users does not hold: the listing is short"
                )
        yield Ended(f"members of {group_id}", count, len(found))

    def _grant(self, people: Iterable[str], entitlement: str, via: str) -> None:
        listed = sorted(set(people))
        self.grants["account_id"] += listed
        self.grants["entitlement_id"] += [entitlement] * len(listed)
        self.grants["via"] += [via] * len(listed)

    # --- roles and licences ---------------------------------------------------------------------------------------

    def roles(self) -> Iterator[Answer]:
        definitions, _ = self.rows("roleManagement/directory/roleDefinitions?$select=id,displayName,templateId")
        assigned, count = self.rows("roleManagement/directory/roleAssignments?$select=id,principalId,roleDefinitionId")
        eligible = self._eligible()
        names = {d["id"]: d for d in definitions}
        for via, listed in (("direct", assigned), ("eligible", eligible)):
            for one in listed:
                self._role(one["principalId"], one["roleDefinitionId"], via, names)
        yield Ended("role assignments", count, len(assigned))

    def _eligible(self) -> list[dict[str, Any]]:
        """Roles that may be taken on demand; a tenant without that feature has none."""
        try:
            return self.rows("roleManagement/directory/roleEligibilityScheduleInstances?$select=principalId,roleDefinitionId")[0]
        except Refused:
            return []

    def _role(self, principal: str, role: str, via: str, names: Mapping[str, dict[str, Any]]) -> None:
        told = names.get(role, {})
        powerful = (told.get("templateId") or role) in PRIVILEGED_ROLES
        people = [principal] if principal in self.accounts else self._people_in(principal)
        row = {"entitlement_id": role, "name": told.get("displayName"), "kind": "role", "privileged": powerful, "writable": True}
        self.entitlements.setdefault(role, row)
        self._grant(people, role, via if principal in self.accounts else "inherited")
        for person in people if powerful and via == "direct" else ():
            self.accounts[person]["privileged"] = True

    def _people_in(self, group: str) -> list[str]:
        if group not in self.members:
            return []
        inside = {group, *_below(group, self.members)}
        return sorted({m for g in inside for m in self.members[g] if m in self.accounts})

    def licences(self) -> Iterator[Answer]:
        found, count = self.rows("subscribedSkus?$select=skuId,skuPartNumber")
        for sku in found:
            self.entitlements[sku["skuId"]] = {
                "entitlement_id": sku["skuId"],
                "name": sku["skuPartNumber"],
                "kind": "licence",
                "writable": True,
            }
        for user, states in self.states.items():
            for state in states:
                sku = state["skuId"]
                self.entitlements.setdefault(sku, {"entitlement_id": sku, "name": sku, "kind": "licence", "writable": True})
                self._grant([user], sku, "inherited" if state.get("assignedByGroup") else "direct")
        yield Ended("licences", count, len(found))


def _value(answer: Mapping[str, Any], path: str) -> Sequence[dict[str, Any]]:
    value = answer.get("value")
    if not isinstance(value, list):
        raise Incomplete(f"{path.split('?')[0]}: an answer without a list of values: {str(answer)[:120]}")
    return value


def _below(group: str, members: Mapping[str, Sequence[str]]) -> set[str]:
    """Every group inside a group, at any depth; a circle ends where it began."""
    found: set[str] = set()
    waiting = [m for m in members.get(group, ()) if m in members]
    while waiting:
        here = waiting.pop()
        if here not in found and here != group:
            found.add(here)
            waiting += [m for m in members[here] if m in members]
    return found


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    types = group.get("groupTypes") or []
    mail_only = bool(group.get("mailEnabled")) and "Unified" not in types
    fixed = "DynamicMembership" in types or group.get("onPremisesSyncEnabled") or mail_only
    return {
        "entitlement_id": group["id"], "name": group.get("displayName"), "kind": "group", "writable": not fixed,
        "privileged": group.get("isAssignableToRole"),
    }  # fmt: skip


def _account(user: Mapping[str, Any], extra: Mapping[str, str]) -> dict[str, Any]:
    enabled = user.get("accountEnabled")
    upn = user.get("userPrincipalName")
    kept = {name: user[attribute] for name, attribute in extra.items() if user.get(attribute) is not None}
    aliases = [mail[5:].lower() for mail in user.get("proxyAddresses") or [] if mail.startswith("smtp:")]
    return {
        "account_id": user["id"], "login": upn, "upn": upn, "email": user.get("mail"), "aliases": aliases,
        "employee_id": user.get("employeeId"), "anchor": anchor(user.get("onPremisesImmutableId")), "sid": user.get("onPremisesSecurityIdentifier"),
        "given_name": user.get("givenName"), "family_name": user.get("surname"), "display_name": user.get("displayName"),
        "department": user.get("department"), "job_title": user.get("jobTitle"), "company": user.get("companyName"),
        "location": user.get("officeLocation"), "enabled": enabled, "state_reason": "disabled" if enabled is False else None,
        "created_at": instant(user.get("createdDateTime")), "password_changed_at": instant(user.get("lastPasswordChangeDateTime")),
        "kind": _kind(user), "mastered_by": "on-premises" if user.get("onPremisesSyncEnabled") else None,
        "extra": json.dumps(kept, ensure_ascii=False) if kept else None,
    }  # fmt: skip


def _kind(user: Mapping[str, Any]) -> str:
    if user.get("@odata.type") == "#microsoft.graph.agentUser":
        return "agent"
    if user.get("userType") == "Guest" or "#EXT#" in (user.get("userPrincipalName") or ""):
        return "guest"
    return "person"


def anchor(text: str | None) -> str | None:
    """onPremisesImmutableId as the directory prints the same GUID; text of another length stays as it is."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return text
    return str(uuid.UUID(bytes_le=raw)) if len(raw) == 16 else text


def instant(text: str | None) -> int | None:
    """RFC 3339 as microseconds since 1970; the year 1 and an empty text are Graph's words for "not told"."""
    from datetime import datetime

    if not text or text.startswith("0001-"):
        return None
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)
