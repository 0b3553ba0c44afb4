"""One reading of a Microsoft 365 tenant: each subject in a pass of its own, in two waves of parallel chains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow.compute as pc

from connectors._bulk_held import Members
from connectors._bulk_rows import UNKNOWN, Accounts, Index, Numbers, hashes, index, joined, part
from connectors._graph_access import (
    Access,
    Applications,
    Device,
    Roles,
    application_access,
    device_access,
    group_access,
    licence_access,
    role_access,
)
from connectors._graph_accounts import SELECT, deleted
from connectors._graph_listing import EVENTUAL, Listings, Row, told
from connectors._graph_mailboxes import Mailboxes
from connectors._graph_pages import devices_of, ids, led_by, members_of, owned, registered, signed_in, users_of
from connectors._graph_rights import SEES_HIDDEN, rights
from connectors._http import NotThere, Refused
from reconciler.connector import Answer, Ended, Incomplete, SourceError, Unreadable, together

AT_ONCE = 16  # chains: at 0.3 s a page some 1,100 resource units in ten seconds, of the 3,500 the smallest tenant has
GROUP_SELECT = "id,displayName,groupTypes,securityEnabled,mailEnabled,onPremisesSyncEnabled,isAssignableToRole,visibility"
HIDDEN = "HiddenMembership"  # a group that shows its members to nobody else
ROLES = "roleManagement/directory"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"  # the tenant of Microsoft's own applications
OF_THE_COMPANY = "WindowsAzureActiveDirectoryIntegratedApp"  # the tag of what the portal lists as an enterprise application
NO_FEATURE = "AadPremiumLicenseRequired"  # the tenant has no roles to be taken on demand at all
FEWEST_TOLD = 0.9  # of the people who can sign in, for the report of registered methods to be taken

Chain = Callable[[], Iterable[Answer]]


@dataclass
class Reading:
    """What has been read so far; passes run side by side, each writing what only it writes."""

    listings: Listings
    extra: Mapping[str, str]
    fixes: Mapping[str, str]  # area -> the permission it needs
    granted: frozenset[str] | None = None  # the permissions that the token names, where it does
    accounts: Accounts = field(default_factory=Accounts)
    gone: Accounts = field(default_factory=Accounts)  # deleted users
    told: frozenset[str] = frozenset()  # what tells whose account it is, where every user shows it: then the deleted do too
    holders: dict[tuple[str, bool], list[Numbers]] = field(default_factory=dict)  # (licence, inherited) -> users, by hash
    groups: list[Row] = field(default_factory=list)
    group_ids: frozenset[str] = frozenset()
    owners: dict[str, str | None] = field(default_factory=dict)  # group -> one of its owners
    members: Members = field(default_factory=Members)
    differing: list[str] = field(default_factory=list)  # groups with fewer members than they count
    removed: set[str] = field(default_factory=set)  # groups deleted since they were listed
    unseen: set[str] = field(default_factory=set)  # groups whose members may not be seen
    strangers: set[str] = field(default_factory=set)  # users met in groups that the listing of users lacks
    seen: dict[str, Index] = field(default_factory=dict)  # further listings of users or groups -> what they tell, by id
    mfa: Index | None = None  # None: the report was not read
    skus: list[Row] = field(default_factory=list)
    roles: Roles | None = None
    devices: list[Device] = field(default_factory=list)
    applications: Applications = field(default_factory=lambda: Applications([]))
    mailboxes: Mailboxes | None = None  # None: nobody asked for them

    # --- the order of the work ------------------------------------------------------------------------------------

    def everything(self) -> Iterator[Answer]:
        """The two waves, then the tables: a pass that breaks leaves no rows behind."""
        yield from rights(self.granted)
        yield from together(self.first(), AT_ONCE)
        yield from together(self.second(), AT_ONCE)
        yield from together([partial(self._members, group, True) for group in self.differing], AT_ONCE)
        self.groups = [group for group in self.groups if group["id"] not in self.removed]
        yield from self.checked()
        yield from self.tables()

    def first(self) -> list[Chain]:
        """What everything else stands on."""
        return [self._users, self._groups, partial(self._optional, "oauth_grants", self._apps)]

    def second(self) -> list[Chain]:
        """What is about people and groups that are known by now; the longest chains begin first."""
        optional = {
            "managers": self._managers, "roles": self._roles, "sign_in": self._sign_ins, "mfa": self._registrations, "devices": self._devices,
            "deleted": self._deleted, "licences": self._licences, "oauth_grants": self._consents, "owners": self._owners,
        }  # fmt: skip
        chains: list[Chain] = [partial(self._optional, area, read) for area, read in optional.items()]
        apps = [partial(self._optional, "oauth_grants", partial(self._assigned, app["id"])) for app in self.applications.apps]
        mail = self.mailboxes.chains(self.accounts) if self.mailboxes else ()
        return [*chains, *apps, *mail, *(partial(self._members, group["id"]) for group in self.groups)]

    def _optional(self, area: str, read: Chain) -> Iterator[Answer]:
        """A pass that may be refused or break off: then its area is unreadable, and what stands on it is not assessed."""
        try:
            yield from read()
        except SourceError as problem:
            yield Unreadable(area, str(problem), f"grant {self.fixes[area]}" if isinstance(problem, Refused) else "")

    # --- people ---------------------------------------------------------------------------------------------------

    def _users(self) -> Iterator[Answer]:
        wanted = ",".join((*SELECT, "licenseAssignmentStates", *dict.fromkeys(self.extra.values())))
        before = self.listings.count("users")
        read = self.listings.read(f"users?$select={wanted}&$top=999", partial(users_of, extra=self.extra))
        self.accounts = Accounts([users.accounts for users in read.parts])
        self.told = read.told & {"employeeId"}
        for licence, holders in (each for users in read.parts for each in users.licences.items()):
            self.holders.setdefault(licence, []).append(holders)
        found = len(self.accounts)
        yield Ended("users", read.pages, found, self.listings.declared("users", before, found))

    def _deleted(self) -> Iterator[Answer]:
        wanted = ",".join((*SELECT, *dict.fromkeys(self.extra.values())))
        path = "directory/deletedItems/microsoft.graph.user"
        before = self.listings.count(path)
        read = self.listings.read(
            f"{path}?$select={wanted}&$top=999", lambda users: part(deleted(users, self.extra)), sure=self.told
        )
        self.gone = Accounts(read.parts)
        yield Ended("deleted users", read.pages, read.rows, self.listings.declared(path, before, read.rows))

    def _sign_ins(self) -> Iterator[Answer]:
        """Sign-ins are read apart: one missing licence would refuse the whole listing."""
        yield from self._about_users("sign-in activity", "users?$select=id,signInActivity&$top=500", signed_in)

    def _managers(self) -> Iterator[Answer]:
        yield from self._about_users("managers", "users?$select=id&$expand=manager($select=id)&$top=100", led_by)

    def _about_users(self, scope: str, path: str, take: Callable[[list[Row]], Numbers]) -> Iterator[Answer]:
        """A further listing of the users: of each page only a number for every user is kept."""
        read = self.listings.read(path, lambda users: (ids(users), take(users)))
        self.seen[scope] = index(read.parts)
        yield Ended(scope, read.pages, len(self.seen[scope]))

    def _registrations(self) -> Iterator[Answer]:
        path = "reports/authenticationMethods/userRegistrationDetails?$select=id,isMfaRegistered&$top=999"
        read = self.listings.read(path, lambda rows: (ids(rows), registered(rows)))
        self.mfa = index(read.parts)
        yield Ended("registered methods", read.pages, len(self.mfa))

    # --- groups ---------------------------------------------------------------------------------------------------

    def _groups(self) -> Iterator[Answer]:
        before = self.listings.count("groups")
        self.groups, read = self.listings.rows(f"groups?$select={GROUP_SELECT}&$top=999")
        found = len(self.groups)
        yield Ended("groups", read.pages, found, self.listings.declared("groups", before, found))
        yield from self._hidden()
        self.group_ids = frozenset(group["id"] for group in self.groups)

    def _hidden(self) -> Iterator[Answer]:
        """Groups that show their members only to who may see hidden ones: to others they look empty, and are left out."""
        hidden = {group["id"] for group in self.groups if group.get("visibility") == HIDDEN}
        if hidden and SEES_HIDDEN not in (self.granted or ()):
            self.unseen = hidden
            self.groups = [group for group in self.groups if group["id"] not in hidden]
            yield Unreadable("hidden_groups", f"{len(hidden)} groups hide their members and are left out", f"grant {SEES_HIDDEN}")

    def _members(self, group: str, again: bool = False) -> Iterator[Answer]:
        """Members with the count that comes with them, so that a listing cut short shows.

        The count's index lags, so a group that is short of it is looked at again at the end, and the count asked for by itself.
        """
        path, meet = f"groups/{group}/members", partial(members_of, accounts=self.accounts, groups=self.group_ids)
        try:
            read = self.listings.read(f"{path}?$select=id&$count=true&$top=999", meet, EVENTUAL)
            found, counted = len(Index(joined(page.ids for page in read.parts))), read.count
            if again and (counted is None or counted > found):
                asked = self.listings.count(path)
                counted = min((number for number in (counted, asked) if number is not None), default=None)
        except NotThere:
            if self.listings.still_there("groups", [group]):
                raise
            self.removed.add(group)
            return
        if not again and (counted is None or counted > found):
            self.differing.append(group)
            return
        self.members.put(group, joined(page.people for page in read.parts), (here for page in read.parts for here in page.groups))
        self.strangers.update(here for page in read.parts for here in page.strangers)
        total = None if counted is None else max(found, counted)
        yield Ended(f"members of {group}", read.pages, found, total, lags=True)

    def _owners(self) -> Iterator[Answer]:
        read = self.listings.read("groups?$select=id&$expand=owners($select=id)&$top=100", partial(owned, accounts=self.accounts))
        self.owners = {group: owner for page in read.parts for group, owner in page}
        self.seen["owners of groups"] = Index(hashes(self.owners))
        yield Ended("owners of groups", read.pages, len(self.owners))

    # --- roles, licences, devices, applications -------------------------------------------------------------------

    def _roles(self) -> Iterator[Answer]:
        definitions, _ = self.listings.agreed(f"{ROLES}/roleDefinitions?$select=id,displayName,templateId")
        held, count = self.listings.agreed(f"{ROLES}/roleAssignments?$select=id,principalId,roleDefinitionId,directoryScopeId")
        roles = Roles({role["id"]: role for role in definitions}, _named(held, "roleAssignments"), None)
        self._confirm(roles)
        self.roles = roles
        yield Ended("role assignments", count, len(held))
        yield from self._eligible(roles)

    def _confirm(self, roles: Roles) -> None:
        """Whoever a directory role shows as its member must be among the assignments; raises Incomplete."""
        known = {(roles.definitions.get(one["roleDefinitionId"], {}).get("templateId"), one["principalId"]) for one in roles.held}
        for role in self.listings.rows("directoryRoles?$select=id,roleTemplateId")[0]:
            template = told(role, "roleTemplateId", "directoryRoles")
            for member in self.listings.rows(f"directoryRoles/{role['id']}/members?$select=id")[0]:
                if (template, member["id"]) not in known:
                    raise Incomplete(
                        f"{member['id']} is a member of the directory role {template}, which the listing of role assignments "
                        "does not say: that listing is short"
                    )

    def _eligible(self, roles: Roles) -> Iterator[Answer]:
        """Roles that may be taken on demand. Where they are refused, nothing is concluded from roles at all."""
        path = f"{ROLES}/roleEligibilityScheduleInstances?$select=id,principalId,roleDefinitionId"
        try:
            found, count = self.listings.agreed(path)
        except Refused as problem:
            yield Unreadable("roles", f"roles to be taken on demand: {problem}", "grant RoleEligibilitySchedule.Read.Directory")
            return
        except Incomplete as problem:
            if NO_FEATURE not in str(problem):
                raise
            found, count = [], 1
        roles.eligible = _named(found, "roleEligibilityScheduleInstances")
        yield Ended("eligible roles", count, len(found))

    def _licences(self) -> Iterator[Answer]:
        self.skus, count = self.listings.agreed("subscribedSkus?$select=id,skuId,skuPartNumber")
        yield Ended("licences", count, len(self.skus))

    def _devices(self) -> Iterator[Answer]:
        before = self.listings.count("devices")
        read = self.listings.read(
            "devices?$select=id,displayName&$expand=registeredOwners($select=id)&$top=100",
            partial(devices_of, accounts=self.accounts),
        )
        self.devices = list({device.id: device for page in read.parts for device in page}.values())
        found = len(self.devices)
        yield Ended("devices", read.pages, found, self.listings.declared("devices", before, found))

    def _apps(self) -> Iterator[Answer]:
        """Applications of the company; Microsoft's own, which every tenant has by the hundred, are left out."""
        before = self.listings.count("servicePrincipals")
        found, read = self.listings.rows("servicePrincipals?$select=id,displayName,appOwnerOrganizationId,tags&$top=999")
        ours = [
            app for app in found if app.get("appOwnerOrganizationId") != MICROSOFT or OF_THE_COMPANY in (app.get("tags") or [])
        ]
        self.applications.apps = ours
        yield Ended("applications", read.pages, len(found), self.listings.declared("servicePrincipals", before, len(found)))

    def _assigned(self, app: str) -> Iterator[Answer]:
        found, count = self.listings.agreed(f"servicePrincipals/{app}/appRoleAssignedTo?$top=999")
        self.applications.assigned[app] = [told(one, "principalId", "appRoleAssignedTo") for one in found]
        yield Ended(f"people assigned to {app}", count, len(found))

    def _consents(self) -> Iterator[Answer]:
        found, count = self.listings.agreed("oauth2PermissionGrants?$top=999")
        for one in found:
            told(one, "clientId", "oauth2PermissionGrants")
            if told(one, "consentType", "oauth2PermissionGrants") == "Principal":
                told(one, "principalId", "oauth2PermissionGrants")
        self.applications.consents = [(one["clientId"], one.get("principalId")) for one in found]
        yield Ended("consents", count, len(found))

    # --- what it comes to -----------------------------------------------------------------------------------------

    def checked(self) -> Iterator[Answer]:
        """The listings agree with one another; raises Incomplete where one of them is short."""
        known = self.listings.still_there("users", self.strangers)
        if known:
            raise Incomplete(
                f"{known[0]} is a member of a group, and the listing of users does not hold it: the listing is short"
            )
        groups = sorted({group["id"] for group in self.groups} | self.unseen)
        for scope, seen in self.seen.items():
            if scope == "owners of groups":
                path, every, lacking = "groups", len(groups), [groups[n] for n in np.flatnonzero(seen.lacks(hashes(groups)))]
            else:
                path, every, lacking = "users", len(self.accounts), self.accounts.named(seen.lacks(self.accounts.ids))
            if self.listings.still_there(path, lacking):
                raise Incomplete(f"{scope}: the listing lacks {len(lacking)} of {every} {path}; nothing of it is used")
        yield from self._mfa_told()

    def _mfa_told(self) -> Iterator[Answer]:
        """The report of registered methods is taken only when it tells of nearly everybody who can sign in."""
        if self.mfa is None:
            return
        enabled, kinds = self.accounts.column("enabled"), self.accounts.column("kind")
        people = pc.fill_null(pc.and_(enabled, pc.equal(kinds, "person")), False).to_numpy()
        silent = int(np.count_nonzero(people & (self.mfa.find(self.accounts.ids) == UNKNOWN)))
        total = int(np.count_nonzero(people))
        if silent > max(20, (1 - FEWEST_TOLD) * total):
            self.mfa = None
            yield Unreadable(
                "mfa", f"the report tells nothing of {silent} of {total} people who can sign in", "ask again tomorrow"
            )

    def tables(self) -> Iterator[Answer]:
        """Accounts, entitlements and grants, once everything was read."""
        access = Access(self.accounts, self.members)
        group_access(access, self.groups, self.owners)
        privileged = Index() if self.roles is None else role_access(access, self.roles)
        if self.skus:
            licence_access(access, self.skus, self.holders)
        device_access(access, self.devices)
        application_access(access, self.applications)
        whole = self.roles is not None and self.roles.eligible is not None
        self.accounts.add(self.gone)  # who was restored meanwhile is no longer gone
        if self.mailboxes:
            yield from self.mailboxes.add(access)
        yield from self.accounts.pages(self._learnt(privileged, whole))
        yield from access.held.pages(self.accounts.texts, "groups, roles, licences, devices, applications")

    def _learnt(self, privileged: Index, whole: bool) -> dict[str, Numbers]:
        """What the further listings tell of the accounts, row by row."""
        everybody, nobody = self.accounts.ids, Index()
        return {
            "last_login_at": self.seen.get("sign-in activity", nobody).find(everybody),
            "manager_account_id": self.accounts.rows_of(self.seen.get("managers", nobody).find(everybody)),
            "mfa": (nobody if self.mfa is None else self.mfa).find(everybody),
            "privileged": np.where(privileged.lacks(everybody), 0 if whole else UNKNOWN, 1),
        }


def _named(rows: list[Row], path: str) -> list[Row]:
    for row in rows:
        told(row, "principalId", path)
        told(row, "roleDefinitionId", path)
    return rows
