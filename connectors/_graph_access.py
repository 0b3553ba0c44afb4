"""Who holds what in a Microsoft 365 tenant: entitlements and grants, worked out from what the passes have read."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors._graph_listing import Row
from reconciler.connector import Page, page
from reconciler.tables import ENTITLEMENTS

# Roles that Microsoft marks as privileged, and Exchange's, which reads everybody's mail; by template id.
# Source: learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
PRIVILEGED_ROLES = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",  # Privileged Authentication Administrator
        "c4e39bd9-1100-46d3-8c65-fb160da0071f",  # Authentication Administrator
        "194ae4cb-b126-40b2-bd5b-6091b380977d",  # Security Administrator
        "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f",  # Security Operator
        "5d6b6bb7-de71-4623-b4af-96380a352509",  # Security Reader
        "f2ef992c-3afb-46b9-b7cf-a126ee74c451",  # Global Reader
        "fe930be7-5e62-47db-91af-98c3a49a38b1",  # User Administrator
        "729827e3-9c14-49f7-bb1b-9608f156bbb8",  # Helpdesk Administrator
        "966707d0-3269-4727-9be2-8c3a10f19b9d",  # Password Administrator
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
        "cf1c38e5-3621-4004-a7cb-879624dced7c",  # Application Developer
        "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",  # Conditional Access Administrator
        "3a2c62db-5318-420d-8d74-23affee5d9d5",  # Intune Administrator
        "7698a772-787b-4ac8-901f-60d6b08affd2",  # Cloud Device Administrator
        "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",  # Hybrid Identity Administrator
        "9360feb5-f418-4baa-8175-e2a00bac4301",  # Directory Writers
        "d29b2b05-8046-44ba-8758-1e26182fcf32",  # Directory Synchronization Accounts
        "8329153b-31d0-4727-b945-745eb3bc5f31",  # Domain Name Administrator
        "be2f45a1-457d-42af-a067-6ec1fa63bc45",  # External Identity Provider Administrator
        "59d46f88-662b-457b-bceb-5c3809e5908f",  # Lifecycle Workflows Administrator
        "4ba39ca4-527c-499a-b93d-d9b492c50246",  # Partner Tier1 Support
        "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8",  # Partner Tier2 Support
        "29232cdf-9323-42fd-ade2-1d097af3e4de",  # Exchange Administrator
    }
)


@dataclass
class Access:
    """Entitlements by id, and who holds them; `people` are the accounts that can hold anything."""

    people: Container[str]
    entitlements: dict[str, Row] = field(default_factory=dict)
    grants: dict[str, list[str]] = field(default_factory=lambda: {"account_id": [], "entitlement_id": [], "via": []})

    def offer(self, here: str, name: str | None, kind: str, **more: Any) -> None:
        self.entitlements.setdefault(here, {"entitlement_id": here, "name": name, "kind": kind, **more})

    def grant(self, holders: Iterable[str], entitlement: str, via: str) -> None:
        listed = sorted({who for who in holders if who in self.people})
        self.grants["account_id"] += listed
        self.grants["entitlement_id"] += [entitlement] * len(listed)
        self.grants["via"] += [via] * len(listed)

    def pages(self) -> Iterable[Page]:
        names = "groups, roles, licences, devices, applications"
        return page("entitlements", self.entitlements.values(), ENTITLEMENTS.names, names), Page(
            "grants", self.grants, "memberships"
        )


def group_access(
    access: Access, groups: Iterable[Row], members: Mapping[str, Sequence[str]], owners: Mapping[str, str | None]
) -> None:
    """Groups, with their members at every depth."""
    for group in groups:
        here, types = group["id"], group.get("groupTypes") or []
        mail_only = bool(group.get("mailEnabled")) and "Unified" not in types
        fixed = "DynamicMembership" in types or group.get("onPremisesSyncEnabled") or mail_only
        access.offer(
            here, group.get("displayName"), "group", writable=not fixed, privileged=group.get("isAssignableToRole"),
            owner_account_id=owners.get(here),
        )  # fmt: skip
        access.grant(members[here], here, "dynamic" if "DynamicMembership" in types else "direct")
        access.grant((m for inner in below(here, members) for m in members[inner]), here, "nested")


def below(group: str, members: Mapping[str, Sequence[str]]) -> set[str]:
    """Every group inside a group, at any depth; a circle ends where it began."""
    found: set[str] = set()
    waiting = [m for m in members.get(group, ()) if m in members]
    while waiting:
        here = waiting.pop()
        if here not in found and here != group:
            found.add(here)
            waiting += [m for m in members[here] if m in members]
    return found


@dataclass
class Roles:
    """What was read of roles: their definitions, who holds them for good, and who may take them on demand."""

    definitions: Mapping[str, Row]
    held: Sequence[Row]
    eligible: Sequence[Row] | None  # None: it was not told

    def powerful(self, role: str) -> bool:
        return (self.definitions.get(role, {}).get("templateId") or role) in PRIVILEGED_ROLES


def role_access(access: Access, roles: Roles, members: Mapping[str, Sequence[str]]) -> dict[str, bool]:
    """Roles with their holders, directly, through a group, or on demand; returns who is privileged.

    A role on demand makes privileged too: its holder takes it without asking anybody.
    """
    privileged: dict[str, bool] = {}
    for on_demand, listed in ((False, roles.held), (True, roles.eligible or ())):
        for one in listed:
            role, principal = one["roleDefinitionId"], one["principalId"]
            powerful = roles.powerful(role)
            access.offer(role, roles.definitions.get(role, {}).get("displayName"), "role", privileged=powerful, writable=True)
            people = [principal] if principal in access.people else _inside(principal, members)
            access.grant(people, role, "eligible" if on_demand else "direct" if principal in access.people else "inherited")
            if powerful:
                privileged.update(dict.fromkeys([principal, *people], True))
    for here in [here for here in privileged if here in members and here in access.entitlements]:
        access.entitlements[here]["privileged"] = True
    return privileged


def _inside(group: str, members: Mapping[str, Sequence[str]]) -> list[str]:
    if group not in members:
        return []  # a service principal, or a principal that is gone
    return sorted({m for here in (group, *below(group, members)) for m in members[here]})


def licence_access(access: Access, skus: Iterable[Row], states: Iterable[tuple[str, str, bool]]) -> None:
    """Licences by product, each directly assigned or inherited from a group."""
    for sku in skus:
        access.offer(sku["skuId"], sku.get("skuPartNumber"), "licence", writable=True)
    for user, sku_id, inherited in dict.fromkeys(states):
        access.offer(sku_id, sku_id, "licence", writable=True)
        access.grant([user], sku_id, "inherited" if inherited else "direct")


def device_access(access: Access, devices: Iterable[Row]) -> None:
    """Devices, each granted to those who registered it."""
    for device in devices:
        owners = [owner["id"] for owner in device.get("registeredOwners") or [] if owner.get("id") in access.people]
        access.offer(
            device["id"], device.get("displayName"), "device", owner_account_id=min(owners, default=None), writable=False
        )
        access.grant(owners, device["id"], "direct")


@dataclass
class Applications:
    """What was read of applications: their names, who is assigned to them, and what people let them do."""

    apps: Sequence[Row]
    assigned: dict[str, Sequence[Row]] = field(default_factory=dict)  # application -> its assignments
    consents: Sequence[Row] = ()


def application_access(access: Access, read: Applications, members: Mapping[str, Sequence[str]]) -> None:
    """Applications people are assigned to (by the application's id), and consents (by "consent:" and that id)."""
    names = {app["id"]: app.get("displayName") for app in read.apps}
    for here, listed in read.assigned.items():
        if listed:
            access.offer(here, names[here], "application", writable=True)
        for one in listed:
            direct = one["principalId"] in access.people
            people = [one["principalId"]] if direct else _inside(one["principalId"], members)
            access.grant(people, here, "direct" if direct else "inherited")
    for consent in read.consents:
        here = f"consent:{consent['clientId']}"
        access.offer(here, names.get(consent["clientId"]), "oauth_grant", writable=True)
        if consent.get("principalId"):
            access.grant([consent["principalId"]], here, "direct")
