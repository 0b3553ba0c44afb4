"""Who holds what in a Microsoft 365 tenant: entitlements and grants, worked out from what the passes have read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from connectors._bulk_held import Entitlement, Held, Members
from connectors._bulk_rows import Accounts, Index, Numbers, Rows, hashes, joined
from connectors._graph_listing import Row

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
    """Entitlements and who holds them; the accounts that were listed are those that can hold anything."""

    accounts: Accounts
    members: Members
    held: Held = field(default_factory=Held)

    def rows(self, ids: Sequence[str]) -> Numbers:
        return self.accounts.rows(ids)

    def holders(self, principal: str) -> tuple[Numbers | Rows, bool]:
        """An account itself (True), or everybody in a group at any depth; nobody for a service principal or one that is gone."""
        row = self.rows([principal])
        return (row, True) if row[0] >= 0 else (self.members.of(self.members.with_below(principal)), False)


def group_access(access: Access, groups: Iterable[Row], owners: Mapping[str, str | None]) -> None:
    """Groups, with their members at every depth."""
    for group in groups:
        here, types = group["id"], group.get("groupTypes") or []
        mail_only = bool(group.get("mailEnabled")) and "Unified" not in types
        fixed = "DynamicMembership" in types or group.get("onPremisesSyncEnabled") or mail_only
        access.held.offer(
            Entitlement(
                here, group.get("displayName"), "group", group.get("isAssignableToRole"), owners.get(here), writable=not fixed
            )
        )
        access.held.grant(access.members.people[here], here, "dynamic" if "DynamicMembership" in types else "direct")
        access.held.grant(access.members.of(access.members.below(here)), here, "nested")


@dataclass
class Roles:
    """What was read of roles: their definitions, who holds them for good, and who may take them on demand."""

    definitions: Mapping[str, Row]
    held: Sequence[Row]
    eligible: Sequence[Row] | None  # None: it was not told

    def powerful(self, role: str) -> bool:
        return (self.definitions.get(role, {}).get("templateId") or role) in PRIVILEGED_ROLES


def role_access(access: Access, roles: Roles) -> Index:
    """Roles with their holders, directly, through a group, or on demand; returns who is privileged, by hash.

    A role on demand makes privileged too: its holder takes it without asking anybody.
    """
    privileged: list[Numbers] = []
    for on_demand, listed in ((False, roles.held), (True, roles.eligible or ())):
        for one in listed:
            role, principal = one["roleDefinitionId"], one["principalId"]
            name, powerful = roles.definitions.get(role, {}).get("displayName"), roles.powerful(role)
            access.held.offer(Entitlement(role, name, "role", privileged=powerful, writable=True))
            people, direct = access.holders(principal)
            access.held.grant(people, role, "eligible" if on_demand else "direct" if direct else "inherited")
            if powerful:
                _mark_groups(access, principal)
                privileged += [hashes([principal]), access.accounts.ids[people[people >= 0]]]
    return Index(joined(privileged))


def _mark_groups(access: Access, principal: str) -> None:
    """A group with a privileged role is privileged, and so is every group in it."""
    held = access.held.entitlements
    for group in access.members.with_below(principal):
        if group in held:
            held[group] = held[group]._replace(privileged=True)


def licence_access(access: Access, skus: Iterable[Row], holders: Mapping[tuple[str, bool], Sequence[Numbers]]) -> None:
    """Licences by product, each directly assigned or inherited from a group; the holders by hash, page by page."""
    for sku in skus:
        access.held.offer(Entitlement(sku["skuId"], sku.get("skuPartNumber"), "licence", writable=True))
    for (sku_id, inherited), users in holders.items():
        access.held.offer(Entitlement(sku_id, sku_id, "licence", writable=True))
        access.held.grant(np.unique(access.accounts.rows_of(joined(users))), sku_id, "inherited" if inherited else "direct")


@dataclass(frozen=True)
class Device:
    """A device, and the rows of those who registered it."""

    id: str
    name: str | None
    owners: tuple[int, ...]


def device_access(access: Access, devices: Iterable[Device]) -> None:
    """Devices, each granted to those who registered it."""
    texts = access.accounts.texts
    for device in devices:
        owner = min((texts[row].as_py() for row in device.owners), default=None)
        access.held.offer(Entitlement(device.id, device.name, "device", owner_account_id=owner, writable=False))
        access.held.grant(np.unique(np.array(device.owners, np.int32)), device.id, "direct")


@dataclass
class Applications:
    """What was read of applications: their names, who is assigned to them, and what people let them do."""

    apps: Sequence[Row]
    assigned: dict[str, Sequence[str]] = field(default_factory=dict)  # application -> who is assigned to it
    consents: Sequence[tuple[str, str | None]] = ()  # (application, whose)


def application_access(access: Access, read: Applications) -> None:
    """Applications people are assigned to (by the application's id), and consents (by "consent:" and that id)."""
    names = {app["id"]: app.get("displayName") for app in read.apps}
    for here, listed in read.assigned.items():
        if listed:
            access.held.offer(Entitlement(here, names[here], "application", writable=True))
            _assign(access, here, listed)
    for application, person in read.consents:
        here = access.held.offer(Entitlement(f"consent:{application}", names.get(application), "oauth_grant", writable=True))
        if person:
            access.held.grant(access.rows([person]), here, "direct")


def _assign(access: Access, application: str, principals: Sequence[str]) -> None:
    rows = access.rows(principals)
    access.held.grant(rows, application, "direct")
    for place in np.flatnonzero(rows < 0).tolist():
        access.held.grant(access.members.of(access.members.with_below(principals[place])), application, "inherited")
