"""One Microsoft 365 tenant held in memory, in Graph's own JSON shapes.

A night of the company is written with `put_user`, `put_group`, `join`, … and read back by the server. People are named
by id or userPrincipalName, groups by id or name. Objects are replaced, never changed in place: the server keeps an
object's text until another object takes its place. Methods may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler.sandbox.tenant_objects import (
    GRAPH_APP,
    MICROSOFT,
    Json,
    anchor,
    device,
    group,
    instant,
    made_id,
    role,
    service_principal,
    sku,
    user,
)  # fmt: skip

__all__ = ["Json", "Tenant", "anchor", "instant", "made_id", "user"]

USER_ROLE = "00000000-0000-0000-0000-000000000000"  # the default role of an application that declares none


def _clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Tenant:
    """Everything one tenant has, by id unless said otherwise; change it through its methods."""

    id: str = "7c4b6d2e-51f0-4d7b-9a53-0e9a3f6c1b20"
    domain: str = "example.onmicrosoft.com"
    name: str = "Example Ltd"
    now: Callable[[], datetime] = _clock  # the clock of deletions and sign-outs
    domains: tuple[str, ...] = ()  # further verified domains; those of its people are verified too
    premium: bool = True  # Entra ID P1: sign-in activity and the registration report
    governance: bool = True  # Entra ID P2: roles to be taken on demand
    users: dict[str, Json] = field(default_factory=dict)
    deleted: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    members: dict[str, dict[str, str]] = field(default_factory=dict)  # group -> member -> its collection
    owners: dict[str, dict[str, str]] = field(default_factory=dict)  # group -> owner -> its collection
    managers: dict[str, str] = field(default_factory=dict)  # user -> manager
    skus: dict[str, Json] = field(default_factory=dict)
    roles: dict[str, Json] = field(default_factory=dict)
    role_assignments: dict[str, Json] = field(default_factory=dict)
    eligibilities: dict[str, Json] = field(default_factory=dict)
    devices: dict[str, Json] = field(default_factory=dict)
    device_owners: dict[str, str] = field(default_factory=dict)  # device -> user
    apps: dict[str, Json] = field(default_factory=dict)  # service principals
    consents: dict[str, Json] = field(default_factory=dict)  # oauth2PermissionGrants
    app_assignments: dict[str, Json] = field(default_factory=dict)  # appRoleAssignments
    registrations: dict[str, Json] = field(default_factory=dict)  # user -> userRegistrationDetails
    mailboxes: dict[str, Json] = field(default_factory=dict)  # user -> {"userPurpose", "rules"}
    sessions_revoked: list[str] = field(default_factory=list)  # user ids, in order
    changes: dict[str, list[tuple[str, str | None]]] = field(
        default_factory=lambda: {"users": [], "groups": []}
    )  # (id, why removed)
    moves: list[tuple[str, str, bool]] = field(default_factory=list)  # (group, member, joined), in order
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _by_name: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _away: dict[str, list[tuple[str, str]]] = field(
        default_factory=dict, repr=False
    )  # deleted user -> (group, "members"|"owners")

    # --- people ---------------------------------------------------------------------------------------------------

    def put_user(self, shown: Json) -> str:
        """Add a user made with `user(…)`, or put another object in the place of the one with its id; returns the id."""
        with self.lock:
            here = str(shown["id"])
            self._by_name.pop(("users", str(self.users.get(here, {}).get("userPrincipalName")).lower()), None)
            self.users[here] = shown
            self._by_name["users", shown["userPrincipalName"].lower()] = here
            self._changed("users", here)
            return here

    def change_user(self, key: str, **fields: Any) -> None:
        """Set properties of a user by Graph's names; None makes one null. A new mail keeps the old address as an alias."""
        with self.lock:
            before = self.users[self.user_id(key)]
            after = before | fields
            if fields.get("mail") and fields["mail"] != before["mail"] and "proxyAddresses" not in fields:
                kept = [f"smtp:{mail[5:]}" for mail in before["proxyAddresses"] if mail[5:] != fields["mail"]]
                after["proxyAddresses"] = [f"SMTP:{fields['mail']}", *kept]
            self.put_user(after)

    def delete_user(self, key: str, when: datetime | str | None = None) -> str:
        """Into deletedItems for thirty days, out of groups and roles, with the mangled name Entra gives; returns the id."""
        with self.lock:
            here = self.user_id(key)
            gone = self.users.pop(here)
            self._by_name.pop(("users", gone["userPrincipalName"].lower()), None)
            mangled = here.replace("-", "") + gone["userPrincipalName"]
            self.deleted[here] = gone | {"deletedDateTime": instant(when or self.now()), "userPrincipalName": mangled}
            held = [(g, "members") for g, m in self.members.items() if m.pop(here, None)]
            self._away[here] = held + [(g, "owners") for g, o in self.owners.items() if o.pop(here, None)]
            self._changed("users", here, "changed")
            for group_id, _ in held:
                self._moved(group_id, here, False)
            return here

    def restore(self, here: str) -> str:
        """Back from deletedItems with name, licences and groups; returns the id."""
        with self.lock:
            gone = self.deleted.pop(here)
            upn = gone["userPrincipalName"].removeprefix(here.replace("-", ""))
            self.put_user(gone | {"deletedDateTime": None, "userPrincipalName": upn})
            for group_id, kind in self._away.pop(here, []):
                getattr(self, kind)[group_id][here] = "users"
                self._moved(group_id, here, True)
            return here

    def manager(self, key: str, manager: str | None) -> None:
        """Say who leads a user; None says that nobody does."""
        with self.lock:
            here = self.user_id(key)
            self.managers.pop(here, None)
            if manager is not None:
                self.managers[here] = self.user_id(manager)
            self._changed("users", here)

    def sign_in(self, key: str, at: datetime | str, interactive: bool = True, successful: bool = True) -> None:
        """A sign-in as signInActivity remembers it: the last attempt of each sort, and the last that succeeded."""
        with self.lock:
            here, sort = self.user_id(key), "" if interactive else "NonInteractive"
            seen = dict(self.users[here].get("signInActivity") or dict.fromkeys(_SIGN_INS))
            names = [f"last{sort}SignIn", *(["lastSuccessfulSignIn"] if successful else [])]
            for name in names:
                seen |= {f"{name}DateTime": instant(at), f"{name}RequestId": made_id("sign-in", here, name, instant(at))}
            self.users[here] = self.users[here] | {"signInActivity": seen}  # no delta tells of sign-ins

    def revoke_sessions(self, key: str, when: datetime | str | None = None) -> None:
        with self.lock:
            here = self.user_id(key)
            self.sessions_revoked.append(here)
            self.change_user(here, signInSessionsValidFromDateTime=instant(when or self.now()))

    def mailbox(self, key: str, purpose: str = "user", **rules: Json) -> None:
        """A user's mailbox, and the rules of its inbox: name -> actions in Graph's words."""
        told = [
            {"id": made_id("rule", f"{key} {name}"), "displayName": name, "sequence": at, "isEnabled": True, "hasError": False, "isReadOnly": False,
             "actions": actions}
            for at, (name, actions) in enumerate(rules.items(), 1)
        ]  # fmt: skip
        self.mailboxes[self.user_id(key)] = {"userPurpose": purpose, "rules": told}

    def registration(self, key: str, mfa: bool, methods: Iterable[str] | None = None) -> None:
        """A user's row in the report of registered sign-in methods."""
        here = self.user_id(key)
        listed = list(methods if methods is not None else ["microsoftAuthenticatorPush"] if mfa else [])
        flags = {
            "isMfaRegistered": mfa,
            "isMfaCapable": mfa,
            "isSsprRegistered": mfa,
            "isSsprCapable": mfa,
            "isSsprEnabled": True,
        }
        more = {"isPasswordlessCapable": False, "isSystemPreferredAuthenticationMethodEnabled": False, "isAdmin": False}
        pushes: Json = {
            "userPreferredMethodForSecondaryAuthentication": "push" if mfa else "none",
            "systemPreferredAuthenticationMethods": [],
        }
        row = {"id": here, "methodsRegistered": listed, "lastUpdatedDateTime": "2026-01-01T00:00:00Z"}
        with self.lock:
            self.registrations[here] = row | flags | more | pushes

    # --- groups ---------------------------------------------------------------------------------------------------

    def put_group(
        self, name: str, dynamic: bool = False, unified: bool = False, mail: bool = False, synced: bool = False,
        role_assignable: bool = False, **fields: Any,
    ) -> str:  # fmt: skip
        """A group: security unless `unified` (Microsoft 365) or `mail` (a distribution list); returns its id."""
        made = group(
            name, self.domain, dynamic=dynamic, unified=unified, mail=mail, synced=synced, role_assignable=role_assignable
        )
        return self.replace_group(made | fields)

    def replace_group(self, shown: Json) -> str:
        """Put a whole group object in its place; its members stay."""
        with self.lock:
            here = str(shown["id"])
            self._by_name.pop(("groups", str(self.groups.get(here, {}).get("displayName")).lower()), None)
            self.groups[here] = shown
            self._by_name["groups", shown["displayName"].lower()] = here
            self.members.setdefault(here, {})
            self.owners.setdefault(here, {})
            self._changed("groups", here)
            return here

    def change_group(self, key: str, **fields: Any) -> None:
        self.replace_group(self.groups[self.group_id(key)] | fields)

    def delete_group(self, key: str) -> None:
        """Out of the tenant for good, and out of every group it was in."""
        with self.lock:
            here = self.group_id(key)
            for member in list(self.members[here]):
                self.leave(here, member)
            gone = self.groups.pop(here)
            self._by_name.pop(("groups", gone["displayName"].lower()), None)
            for held in (*self.members.values(), *self.owners.values()):
                held.pop(here, None)
            del self.members[here], self.owners[here]
            self._changed("groups", here, "deleted")

    def join(self, group_key: str, member: str) -> None:
        """Put a user, group, device or service principal into a group; the group's licences come with it."""
        with self.lock:
            here, (collection, inner) = self.group_id(group_key), self.find(member)
            self.members[here][inner] = collection
            self._moved(here, inner, True)
            for held in self.groups[here]["assignedLicenses"] if collection == "users" else ():
                self.license(inner, held["skuId"], here)

    def leave(self, group_key: str, member: str) -> None:
        """Take a member out of a group, and the licences that the group gave."""
        with self.lock:
            here, (collection, inner) = self.group_id(group_key), self.find(member)
            self.members[here].pop(inner)
            self._moved(here, inner, False)
            for held in self.groups[here]["assignedLicenses"] if collection == "users" else ():
                self.unlicense(inner, held["skuId"], here)

    def own(self, group_key: str, owner: str) -> None:
        """Make a user or service principal an owner of a group."""
        with self.lock:
            collection, inner = self.find(owner)
            self.owners[self.group_id(group_key)][inner] = collection

    def disown(self, here: str, owner: str) -> None:
        with self.lock:
            del self.owners[here][owner]

    # --- licences and roles ---------------------------------------------------------------------------------------

    def sku(self, part_number: str) -> str:
        """A product the tenant pays for; returns its skuId, always the same for the same part number."""
        made = sku(part_number, self.id)
        with self.lock:
            self.skus.setdefault(made["skuId"], made)
        return str(made["skuId"])

    def license(self, key: str, sku_id: str, by_group: str | None = None) -> None:
        """Give a user a licence, directly or through a group (which then gives it to whoever joins)."""
        with self.lock:
            here, giver = self.user_id(key), None if by_group is None else self.group_id(by_group)
            if giver and not any(held["skuId"] == sku_id for held in self.groups[giver]["assignedLicenses"]):
                held = [*self.groups[giver]["assignedLicenses"], {"skuId": sku_id, "disabledPlans": []}]
                self.change_group(giver, assignedLicenses=held)
            state: Json = {"skuId": sku_id, "disabledPlans": [], "assignedByGroup": giver, "state": "Active", "error": "None"}
            others = [
                s for s in self.users[here]["licenseAssignmentStates"] if (s["skuId"], s["assignedByGroup"]) != (sku_id, giver)
            ]
            self._licensed(here, [*others, state | {"lastUpdatedDateTime": CHANGED}])

    def unlicense(self, key: str, sku_id: str, by_group: str | None = None) -> None:
        """Take away the licence a user has directly, or has from this group."""
        with self.lock:
            here = self.user_id(key)
            states = self.users[here]["licenseAssignmentStates"]
            self._licensed(here, [s for s in states if (s["skuId"], s["assignedByGroup"]) != (sku_id, by_group)])

    def _licensed(self, here: str, states: list[Json]) -> None:
        before = {held["skuId"] for held in self.users[here]["assignedLicenses"]}
        after = list(dict.fromkeys(s["skuId"] for s in states))
        for sku_id in before ^ set(after):
            used = self.skus[sku_id]["consumedUnits"] + (1 if sku_id in after else -1)
            self.skus[sku_id] = self.skus[sku_id] | {"consumedUnits": used}
        held = [{"skuId": sku_id, "disabledPlans": []} for sku_id in after]
        self.change_user(here, licenseAssignmentStates=states, assignedLicenses=held)

    def role(self, name: str) -> str:
        """A role by its built-in name ("Global Administrator"), or a custom one; returns its id."""
        made = role(name)
        with self.lock:
            self.roles.setdefault(made["id"], made)
        return str(made["id"])

    def assign_role(self, principal: str, role_id: str, scope: str = "/") -> str:
        """Give a role to a user, group or service principal for good; returns the assignment's id."""
        return self._held(self.role_assignments, principal, role_id, scope)

    def make_eligible(self, principal: str, role_id: str, scope: str = "/") -> str:
        """Let a user or group take a role on demand; returns the eligibility's id."""
        return self._held(self.eligibilities, principal, role_id, scope)

    def _held(self, where: dict[str, Json], principal: str, role_id: str, scope: str) -> str:
        with self.lock:
            _, who = self.find(principal)
            here = made_id("assignment" if where is self.role_assignments else "eligibility", who, role_id, scope)
            where[here] = {"id": here, "principalId": who, "roleDefinitionId": role_id, "directoryScopeId": scope}
            return here

    # --- devices and applications ---------------------------------------------------------------------------------

    def put_device(self, owner: str | None, name: str, **fields: Any) -> str:
        """A device that a user registered, or nobody did; returns its id."""
        made = device(name, **fields)
        with self.lock:
            self.devices[made["id"]] = made
            if owner is not None:
                self.device_owners[made["id"]] = self.user_id(owner)
        return str(made["id"])

    def app(self, name: str, **fields: Any) -> str:
        """An application known to the tenant; returns its service principal's id."""
        made = service_principal(name, self.id, **fields)
        with self.lock:
            self.apps.setdefault(made["id"], made)
        return str(made["id"])

    def grant_app(self, key: str, app_id: str, scopes: Iterable[str] = ()) -> str:
        """Let a user into an application; with scopes, the user also consents to what it may do in their name.

        Returns the id of the consent, or of the assignment when there are no scopes.
        """
        with self.lock:
            here, shown, words = self.user_id(key), self.apps[app_id], " ".join(scopes)
            assignment = made_id("app assignment", here, app_id)
            who = {"principalId": here, "principalType": "User", "principalDisplayName": self.users[here]["displayName"]}
            what = {"resourceId": app_id, "resourceDisplayName": shown["displayName"], "appRoleId": USER_ROLE}
            row = {"id": assignment, "deletedDateTime": None, "createdDateTime": CHANGED}
            self.app_assignments[assignment] = row | who | what
            return self.consent(app_id, words, here) if words else assignment

    def consent(self, app_id: str, scope: str, principal: str | None = None) -> str:
        """Delegated permissions of an application, for one user or (None) for everybody; returns the grant's id."""
        with self.lock:
            graph = self.app("Microsoft Graph", appId=GRAPH_APP, appOwnerOrganizationId=MICROSOFT)
            here = made_id("consent", app_id, graph, principal or "everybody")
            who = {"consentType": "Principal" if principal else "AllPrincipals", "principalId": principal}
            self.consents[here] = {"id": here, "clientId": app_id, "resourceId": graph, "scope": scope} | who
            return here

    # --- finding things -------------------------------------------------------------------------------------------

    def user_id(self, key: str) -> str:
        """The id of a user told by id or userPrincipalName; KeyError when nobody is."""
        return key if key in self.users else self._by_name["users", key.lower()]

    def group_id(self, key: str) -> str:
        """The id of a group told by id or name; KeyError when none is."""
        return key if key in self.groups else self._by_name["groups", key.lower()]

    def find(self, key: str) -> tuple[str, str]:
        """(collection, id) of a user, group, device or service principal; KeyError when there is none."""
        for collection in ("users", "groups", "devices", "apps"):
            if key in getattr(self, collection):
                return collection, key
        named = next((c for c in ("users", "groups") if (c, key.lower()) in self._by_name), "users")
        return named, self._by_name[named, key.lower()]

    def object(self, collection: str, here: str) -> Json | None:
        """What a collection has by an id; None when it is gone."""
        found: Json | None = getattr(self, collection).get(here)
        return found

    @property
    def verified_domains(self) -> tuple[str, ...]:
        """The first domain, the further ones, and those that people have names in."""
        used = {shown["userPrincipalName"].rpartition("@")[2].lower() for shown in list(self.users.values())}
        return tuple(dict.fromkeys((self.domain, *self.domains, *sorted(used))))

    def _moved(self, group_id: str, member: str, joined: bool) -> None:
        self.moves.append((group_id, member, joined))
        self._changed("groups", group_id)

    def _changed(self, kind: str, here: str, removed: str | None = None) -> None:
        self.changes[kind].append((here, removed))


CHANGED = "2026-01-01T00:00:00Z"
_SIGN_INS = tuple(
    f"last{sort}SignIn{what}" for sort in ("", "NonInteractive", "Successful") for what in ("DateTime", "RequestId")
)
