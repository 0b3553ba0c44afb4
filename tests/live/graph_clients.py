"""What Microsoft's own clients say of a server: run by the Python that has msgraph-sdk and azure-identity, never by ours.

argv: what to do, the server's address, the tenant, the client, its secret, the authority's file. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from typing import Any

COLLECTIONS = {  # path -> kiota's model of its answer
    "users?$select={users}&$top=20": ("user_collection_response", "UserCollectionResponse"),
    "users?$select=id,signInActivity&$top=20": ("user_collection_response", "UserCollectionResponse"),
    "users?$select=id&$expand=manager($select=id)&$top=20": ("user_collection_response", "UserCollectionResponse"),
    "groups?$top=20": ("group_collection_response", "GroupCollectionResponse"),
    "groups/{group}/members?$top=20": ("directory_object_collection_response", "DirectoryObjectCollectionResponse"),
    "directoryRoles": ("directory_role_collection_response", "DirectoryRoleCollectionResponse"),
    "roleManagement/directory/roleDefinitions": ("unified_role_definition_collection_response", "UnifiedRoleDefinitionCollectionResponse"),
    "roleManagement/directory/roleAssignments": ("unified_role_assignment_collection_response", "UnifiedRoleAssignmentCollectionResponse"),
    "roleManagement/directory/roleEligibilityScheduleInstances": (
        "unified_role_eligibility_schedule_instance_collection_response", "UnifiedRoleEligibilityScheduleInstanceCollectionResponse"),
    "roleManagement/directory/roleAssignmentScheduleInstances": (
        "unified_role_assignment_schedule_instance_collection_response", "UnifiedRoleAssignmentScheduleInstanceCollectionResponse"),
    "subscribedSkus": ("subscribed_sku_collection_response", "SubscribedSkuCollectionResponse"),
    "users/{user}/licenseDetails": ("license_details_collection_response", "LicenseDetailsCollectionResponse"),
    "devices?$expand=registeredOwners($select=id)": ("device_collection_response", "DeviceCollectionResponse"),
    "servicePrincipals": ("service_principal_collection_response", "ServicePrincipalCollectionResponse"),
    "users/{user}/appRoleAssignments": ("app_role_assignment_collection_response", "AppRoleAssignmentCollectionResponse"),
    "oauth2PermissionGrants": ("o_auth2_permission_grant_collection_response", "OAuth2PermissionGrantCollectionResponse"),
    "directory/deletedItems/microsoft.graph.user": ("user_collection_response", "UserCollectionResponse"),
    "organization": ("organization_collection_response", "OrganizationCollectionResponse"),
    "reports/authenticationMethods/userRegistrationDetails": (
        "user_registration_details_collection_response", "UserRegistrationDetailsCollectionResponse"),
}  # fmt: skip


def main() -> None:
    """Do what the first argument says."""
    what, url, tenant, client, secret, ca = sys.argv[1:7]
    credential = _credential(url, tenant, client, secret, ca)
    print(json.dumps(asyncio.run({"list": _listed, "check": _checked}[what](url, credential, ca, sys.argv[7:]))))


def _credential(url: str, tenant: str, client: str, secret: str, ca: str) -> Any:
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(tenant, client, secret, authority=url, disable_instance_discovery=True, connection_verify=ca)


async def _listed(url: str, credential: Any, ca: str, names: list[str]) -> dict[str, Any]:
    """Users by the official client and its own page iterator, in small pages: its models take their time."""
    import httpx
    from kiota_abstractions.api_error import APIError
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
    from msgraph import GraphServiceClient
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder as Users
    from msgraph.graph_request_adapter import GraphRequestAdapter
    from msgraph_core import GraphClientFactory
    from msgraph_core.tasks.page_iterator import PageIterator

    scopes = ["https://graph.microsoft.com/.default"]
    provider = AzureIdentityAuthenticationProvider(credential, scopes=scopes, allowed_hosts=["127.0.0.1", "localhost"])
    http = GraphClientFactory.create_with_default_middleware(client=httpx.AsyncClient(verify=ca))
    adapter = GraphRequestAdapter(provider, http)
    adapter.base_url = f"{url}/v1.0"
    asking = Users.UsersRequestBuilderGetQueryParameters(select=["id", "userPrincipalName", "accountEnabled"], top=4)
    client = GraphServiceClient(request_adapter=adapter)
    page = await client.users.get(RequestConfiguration(query_parameters=asking))
    found: list[Any] = []
    await PageIterator(page, adapter).iterate(lambda user: found.append([user.user_principal_name, user.account_enabled]) or True)
    try:
        await client.users.by_user_id("nobody@example.com").get()
        problem = "none"
    except APIError as raised:
        problem = raised.error.code  # type: ignore[attr-defined]
    return {"users": found, "problem": problem}


async def _checked(url: str, credential: Any, ca: str, names: list[str]) -> dict[str, Any]:
    """Every kind of answer, parsed by kiota: what no model of v1.0 knows lands in additional_data."""
    import ssl

    token = credential.get_token("https://graph.microsoft.com/.default").token
    known = dict(name.split("=", 1) for name in names)
    unknown: dict[str, list[str]] = {}
    for path, (module, model) in COLLECTIONS.items():
        request = urllib.request.Request(f"{url}/v1.0/{path.format(**known)}", headers={"Authorization": f"Bearer {token}"})
        body = urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca)).read()
        unknown[path] = _unknown(body, module, model)
    return unknown


def _unknown(body: bytes, module: str, model: str) -> list[str]:
    """Names that the model does not know, and values that it lost because they are of another type."""
    import importlib

    from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory

    kind = getattr(importlib.import_module(f"msgraph.generated.models.{module}"), model)
    made = JsonParseNodeFactory().get_root_parse_node("application/json", body).get_object_value(kind)
    found = [name for row in made.value for name in _strays(row)]
    told = json.loads(body)["value"]
    found += [f"lost {name}" for row, raw in zip(made.value, told, strict=True) for name in _lost(row, raw)]
    return sorted(set(found)) or ([] if told else ["nothing to check"])


def _strays(thing: Any) -> list[str]:
    extra = [name for name in getattr(thing, "additional_data", None) or {} if not name.startswith("@odata")]
    inner = [value for value in _values(thing) if hasattr(value, "additional_data")]
    return [*extra, *(name for value in inner for name in _strays(value))]


def _values(thing: Any) -> list[Any]:
    held = [vars(thing)[name] for name in vars(thing) if name not in ("additional_data", "backing_store")]
    store = getattr(thing, "backing_store", None)
    if store is not None:
        held += [value for _, value in store.enumerate_()]
    return [each for value in held for each in (value if isinstance(value, list) else [value])]


def _lost(thing: Any, raw: dict[str, Any]) -> list[str]:
    """Properties told that the model holds nothing of."""
    import re

    def snake(name: str) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

    mine = {name.replace("_", "") for name in dir(thing) if not name.startswith("_") and getattr(thing, name, None) is not None}
    return [
        name
        for name, value in raw.items()
        if value not in (None, [], {}) and not name.startswith("@") and snake(name).replace("_", "") not in mine
    ]


if __name__ == "__main__":
    main()
