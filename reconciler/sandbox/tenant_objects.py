"""What a Microsoft 365 tenant holds, each thing as Graph v1.0 shows it in full.

Shapes: microsoftgraph/msgraph-metadata, schemas/v1.0-Prod.csdl. Ids are uuid5 of what made them: the same on every run.
"""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

NAMESPACE = uuid.UUID("6f0c1c5e-6a7f-5f0e-9a57-3d6d1c1f2a10")
CREATED = "2020-01-06T09:00:00Z"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"  # Microsoft Graph itself, in every tenant
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"  # the tenant that Microsoft's own applications live in

# Built-in roles by template id, the same in every tenant (learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
ROLE_TEMPLATES = {
    "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "Privileged Authentication Administrator": "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
    "Authentication Administrator": "c4e39bd9-1100-46d3-8c65-fb160da0071f",
    "Security Administrator": "194ae4cb-b126-40b2-bd5b-6091b380977d",
    "Security Reader": "5d6b6bb7-de71-4623-b4af-96380a352509",
    "User Administrator": "fe930be7-5e62-47db-91af-98c3a49a38b1",
    "Helpdesk Administrator": "729827e3-9c14-49f7-bb1b-9608f156bbb8",
    "Password Administrator": "966707d0-3269-4727-9be2-8c3a10f19b9d",
    "Groups Administrator": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
    "License Administrator": "4d6ac14f-3453-41d0-bef9-a3e0c569773a",
    "Application Administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "Cloud Application Administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "Conditional Access Administrator": "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9",
    "Exchange Administrator": "29232cdf-9323-42fd-ade2-1d097af3e4de",
    "SharePoint Administrator": "f28a1f50-f6e7-4571-818b-6a12f2af6b6c",
    "Teams Administrator": "69091246-20e8-4a56-aa4d-066075b2a7a8",
    "Intune Administrator": "3a2c62db-5318-420d-8d74-23affee5d9d5",
    "Hybrid Identity Administrator": "8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2",
    "Global Reader": "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    "Reports Reader": "4a5d8f65-41da-4de4-8968-e035b65339cf",
    "Directory Readers": "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
    "Directory Writers": "9360feb5-f418-4baa-8175-e2a00bac4301",
}


def made_id(*words: str) -> str:
    """The id of something, always the same for the same words."""
    return str(uuid.uuid5(NAMESPACE, "\n".join(words)))


def anchor(guid: uuid.UUID) -> str:
    """onPremisesImmutableId of the directory object with this objectGUID, as Entra Connect writes it."""
    return base64.b64encode(guid.bytes_le).decode()


def instant(at: datetime | str) -> str:
    """An instant as Graph writes it."""
    return at if isinstance(at, str) else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(upn: str, given: str | None, family: str | None, **fields: Any) -> Json:
    """A user with every property that `$select` can ask for; `fields` are Graph's own names."""
    nick, _, domain = upn.partition("@")
    shown: Json = dict.fromkeys(_USER_NULLS)
    shown |= {name: [] for name in _USER_LISTS}
    shown |= {
        "id": made_id("user", upn), "userPrincipalName": upn, "mail": upn, "mailNickname": nick, "givenName": given, "surname": family,
        "displayName": " ".join(word for word in (given, family) if word) or nick, "accountEnabled": True, "userType": "Member",
        "createdDateTime": CREATED, "lastPasswordChangeDateTime": CREATED, "signInSessionsValidFromDateTime": CREATED,
        "proxyAddresses": [f"SMTP:{upn}"], "usageLocation": "GB",
        "identities": [{"signInType": "userPrincipalName", "issuer": domain, "issuerAssignedId": upn}],
        "onPremisesExtensionAttributes": {f"extensionAttribute{n}": None for n in range(1, 16)},
    }  # fmt: skip
    return shown | fields


def group(name: str, domain: str, *, dynamic: bool, unified: bool, mail: bool, synced: bool, role_assignable: bool) -> Json:
    """A group: a security group unless it is unified (Microsoft 365) or mail (a distribution list)."""
    nick = "".join(letter for letter in name.lower() if letter.isalnum() or letter in "-_.") or "group"
    address = f"{nick}@{domain}" if mail or unified else None
    kinds = [word for word, wanted in (("Unified", unified), ("DynamicMembership", dynamic)) if wanted]
    return dict.fromkeys(_GROUP_NULLS) | {
        "id": made_id("group", name), "displayName": name, "groupTypes": kinds, "mail": address, "mailEnabled": bool(address),
        "mailNickname": nick, "securityEnabled": not mail and not unified, "createdDateTime": CREATED, "renewedDateTime": CREATED,
        "proxyAddresses": [f"SMTP:{address}"] if address else [], "resourceBehaviorOptions": [],
        "resourceProvisioningOptions": [], "onPremisesProvisioningErrors": [], "serviceProvisioningErrors": [], "assignedLicenses": [],
        "membershipRule": 'user.userType -eq "Member"' if dynamic else None, "membershipRuleProcessingState": "On" if dynamic else None,
        "onPremisesSyncEnabled": True if synced else None, "onPremisesLastSyncDateTime": CREATED if synced else None,
        "isAssignableToRole": True if role_assignable else None, "visibility": "Private" if unified else None,
        "securityIdentifier": _sid("group", name),
    }  # fmt: skip


def device(name: str, **fields: Any) -> Json:
    """A registered computer or phone."""
    return {
        "id": made_id("device", name), "deletedDateTime": None, "accountEnabled": True, "deviceId": made_id("device id", name),
        "displayName": name, "operatingSystem": "Windows", "operatingSystemVersion": "10.0.26100.1", "isCompliant": True,
        "isManaged": True, "trustType": "AzureAd", "profileType": "RegisteredDevice", "registrationDateTime": CREATED,
        "approximateLastSignInDateTime": None, "manufacturer": None, "model": None, "physicalIds": [], "systemLabels": [],
    } | fields  # fmt: skip


def service_principal(name: str, tenant: str, **fields: Any) -> Json:
    """An application as this tenant knows it."""
    return {
        "id": made_id("app", tenant, name), "deletedDateTime": None, "accountEnabled": True, "appId": made_id("app id", name),
        "appDisplayName": name, "displayName": name, "appOwnerOrganizationId": tenant, "appRoleAssignmentRequired": False,
        "servicePrincipalType": "Application", "signInAudience": "AzureADMyOrg", "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
        "appRoles": [], "oauth2PermissionScopes": [], "servicePrincipalNames": [], "replyUrls": [],
        "alternativeNames": [], "homepage": None, "loginUrl": None, "logoutUrl": None, "notes": None, "keyCredentials": [],
        "passwordCredentials": [],
    } | fields  # fmt: skip


def sku(part_number: str, tenant: str) -> Json:
    """A product the tenant pays for."""
    here = made_id("sku", part_number)
    return {
        "id": f"{tenant}_{here}", "accountId": tenant, "accountName": "example", "appliesTo": "User", "capabilityStatus": "Enabled",
        "consumedUnits": 0, "skuId": here, "skuPartNumber": part_number, "subscriptionIds": [made_id("subscription", part_number)],
        "prepaidUnits": {"enabled": 100_000, "suspended": 0, "warning": 0, "lockedOut": 0}, "servicePlans": [],
    }  # fmt: skip


def role(name: str) -> Json:
    """A built-in role, whose id is its template's."""
    here = ROLE_TEMPLATES.get(name) or made_id("role", name)
    known = name in ROLE_TEMPLATES
    allowed = [{"allowedResourceActions": ["microsoft.directory/users/basic/update"], "condition": None}]
    return {
        "id": here, "templateId": here, "displayName": name, "description": name, "isBuiltIn": known, "isEnabled": True,
        "resourceScopes": ["/"], "version": "1", "rolePermissions": allowed,
    }  # fmt: skip


def _sid(*words: str) -> str:
    parts = uuid.uuid5(NAMESPACE, "\n".join(("sid", *words))).int
    return "S-1-12-1-" + "-".join(str(parts >> shift & 0xFFFFFFFF) for shift in (96, 64, 32, 0))


_USER_NULLS = (
    "id", "deletedDateTime", "accountEnabled", "ageGroup", "city", "companyName", "consentProvidedForMinor", "country", "createdDateTime",
    "creationType", "department", "displayName", "employeeHireDate", "employeeId", "employeeLeaveDateTime", "employeeOrgData",
    "employeeType", "externalUserState", "externalUserStateChangeDateTime", "faxNumber", "givenName", "isManagementRestricted",
    "isResourceAccount", "jobTitle", "legalAgeGroupClassification", "mail", "mailNickname", "mobilePhone", "officeLocation",
    "onPremisesDistinguishedName", "onPremisesDomainName", "onPremisesImmutableId", "onPremisesLastSyncDateTime",
    "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "onPremisesSyncEnabled", "onPremisesUserPrincipalName",
    "passwordPolicies", "passwordProfile", "postalCode", "preferredDataLocation", "preferredLanguage", "securityIdentifier",
    "showInAddressList", "state", "streetAddress", "surname", "usageLocation", "userPrincipalName", "userType",
)  # fmt: skip
_USER_LISTS = (
    "businessPhones", "imAddresses", "otherMails", "assignedLicenses", "assignedPlans", "provisionedPlans",
    "licenseAssignmentStates", "onPremisesProvisioningErrors", "serviceProvisioningErrors",
)  # fmt: skip
_GROUP_NULLS = (
    "deletedDateTime", "classification", "description", "expirationDateTime", "isAssignableToRole", "isManagementRestricted",
    "licenseProcessingState", "onPremisesDomainName", "onPremisesLastSyncDateTime", "onPremisesNetBiosName",
    "onPremisesSamAccountName", "onPremisesSecurityIdentifier", "preferredDataLocation", "preferredLanguage", "theme", "uniqueName",
)  # fmt: skip
