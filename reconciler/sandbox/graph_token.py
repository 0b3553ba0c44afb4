"""Microsoft's login for applications: a secret or a signed assertion in, a bearer token with its permissions out.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, …/certificate-credentials,
…/reference-error-codes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from reconciler.sandbox.graph_call import Caller, Refusal
from reconciler.sandbox.http import Reply, Request, json_reply
from reconciler.sandbox.tenant import Tenant
from reconciler.sandbox.tenant_objects import Json, made_id

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
READING = frozenset({
    "User.Read.All", "GroupMember.Read.All", "Group.Read.All", "RoleManagement.Read.Directory", "LicenseAssignment.Read.All",
    "AuditLog.Read.All", "Device.Read.All", "Application.Read.All", "Directory.Read.All", "RoleEligibilitySchedule.Read.Directory",
    "Member.Read.Hidden", "MailboxSettings.Read",
})  # fmt: skip
WRITING = READING | {
    "User.EnableDisableAccount.All", "User.RevokeSessions.All", "LicenseAssignment.ReadWrite.All", "GroupMember.ReadWrite.All",
    "User.DeleteRestore.All", "User.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "AppRoleAssignment.ReadWrite.All",
    "RoleManagement.ReadWrite.Directory", "Group.ReadWrite.All",
}  # fmt: skip


@dataclass(frozen=True)
class Registration:
    """One app registration: how it proves itself, and the application permissions an administrator consented to."""

    client_id: str
    secret: str | None = None
    certificate_pem: str | None = None
    permissions: frozenset[str] = READING
    secret_expired: bool = False


@dataclass(frozen=True)
class Denied(Exception):
    """No token: the HTTP status, OAuth's word for it, and Microsoft's explanation."""

    status: int
    error: str
    code: int
    text: str

    def reply(self) -> Reply:
        here = made_id("login", secrets.token_hex(8))
        description = f"AADSTS{self.code}: {self.text} Trace ID: {here} Correlation ID: {here} Timestamp: 2026-01-01 00:00:00Z"
        about = {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": "2026-01-01 00:00:00Z",
        }
        return json_reply(about | {"trace_id": here, "correlation_id": here}, self.status)


@dataclass
class Login:
    """The registrations of a tenant, and the tokens made for them. Times are the machine's own, as a token's life is."""

    tenant: Tenant
    clients: dict[str, Registration] = field(default_factory=dict)
    life: int = 3599  # seconds
    asked: int = 0  # requests for a token
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def register(self, clients: Iterable[Registration]) -> None:
        self.clients.update({client.client_id: client for client in clients})

    def answer(self, request: Request, tenant: str, rest: str) -> Reply | None:
        """The answer of the login to a path below a tenant's name; None when the path is none of the login's."""
        try:
            if rest == "v2.0/.well-known/openid-configuration":
                return json_reply(self._configuration(request.origin, tenant))
            if (request.verb, rest) == ("POST", "oauth2/v2.0/token"):
                return json_reply(self._grant(request, tenant))
        except Denied as refused:
            return refused.reply()
        return json_reply(_instances(request), 200) if rest == "discovery/instance" else None

    def _known(self, tenant: str) -> None:
        if tenant.lower() not in (self.tenant.id, self.tenant.domain):
            raise Denied(400, "invalid_request", 90002, f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.")  # fmt: skip

    def _configuration(self, origin: str, tenant: str) -> Json:
        if tenant not in ("common", "organizations"):
            self._known(tenant)
        root = f"{origin}/{tenant}"
        return {
            "token_endpoint": f"{root}/oauth2/v2.0/token", "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "issuer": f"{origin}/{self.tenant.id}/v2.0", "jwks_uri": f"{root}/discovery/v2.0/keys", "tenant_region_scope": "EU",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "token"], "scopes_supported": ["openid"], "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"], "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net", "msgraph_host": "graph.microsoft.com",
        }  # fmt: skip

    # --- tokens ---------------------------------------------------------------------------------------------------

    def _grant(self, request: Request, tenant: str) -> Json:
        with self._lock:
            self.asked += 1
        self._known(tenant)
        told = {name: values[0] for name, values in parse_qs(request.body.decode("latin-1")).items()}
        if told.get("grant_type") != "client_credentials":
            raise Denied(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        scope = told.get("scope", "")
        if not scope.endswith("/.default"):
            raise Denied(400, "invalid_scope", 70011, f"The provided request must include a 'scope' input parameter. The provided value '{scope}' is not valid.")  # fmt: skip
        client = self._client(told)
        self._prove(
            client, told, {f"{request.origin}/{tenant}/oauth2/v2.0/token", f"{request.origin}/{self.tenant.id}/oauth2/v2.0/token"}
        )
        token = self._token(client, scope.removesuffix("/.default"))
        return {"token_type": "Bearer", "expires_in": self.life, "ext_expires_in": self.life, "access_token": token}

    def _client(self, told: Mapping[str, str]) -> Registration:
        client = self.clients.get(told.get("client_id", ""))
        if client is None:
            raise Denied(400, "unauthorized_client", 700016, f"Application with identifier '{told.get('client_id')}' was not found in the directory '{self.tenant.name}'.")  # fmt: skip
        return client

    def _prove(self, client: Registration, told: Mapping[str, str], audiences: set[str]) -> None:
        """The application is who it says; raises Denied."""
        if told.get("client_assertion_type") == ASSERTION:
            return _check_assertion(client, told.get("client_assertion", ""), audiences)
        if not told.get("client_secret"):
            raise Denied(401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")  # fmt: skip
        if client.secret is None or not hmac.compare_digest(client.secret.encode(), told["client_secret"].encode()):
            raise Denied(401, "invalid_client", 7000215, f"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client.client_id}'.")  # fmt: skip
        if client.secret_expired:
            raise Denied(401, "invalid_client", 7000222, f"The provided client secret keys for app '{client.client_id}' are expired. Visit the Azure portal to create new keys for your app.")  # fmt: skip
        return None

    def _token(self, client: Registration, audience: str) -> str:
        now = int(time.time())
        about = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant.id}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.life,
        }
        who = {"appid": client.client_id, "tid": self.tenant.id, "idtyp": "app", "roles": sorted(client.permissions)}
        head = _encoded({"typ": "JWT", "alg": "HS256"}) + "." + _encoded(about | who)
        return head + "." + _text(hmac.digest(self._key, head.encode(), "sha256"))

    def caller(self, request: Request) -> Caller:
        """Whose bearer token the request carries; raises Refusal 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "Access token is empty.")
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_text(hmac.digest(self._key, head.encode(), "sha256")), signature):
            raise Refusal(401, "Access token validation failure. Invalid signature.")
        claims = json.loads(_raw(head.partition(".")[2]))
        if claims["exp"] < time.time():
            raise Refusal(401, "Lifetime validation failed, the token is expired.")
        return Caller(claims["appid"], frozenset(claims["roles"]))


def _instances(request: Request) -> Json:
    """Which hosts are Microsoft's logins; the one asked is among them."""
    host = request.headers.get("host", "")
    names = [host, "login.microsoftonline.com", "login.windows.net"]
    asked = request.query.get("authorization_endpoint", "").rpartition("/oauth2/")[0]
    return {
        "tenant_discovery_endpoint": f"{asked}/v2.0/.well-known/openid-configuration", "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": names}],
    }  # fmt: skip


# --- assertions signed with a certificate -------------------------------------------------------------------------


def _check_assertion(client: Registration, assertion: str, audiences: set[str]) -> None:
    """An assertion signed by the registered certificate, for this login, not expired; raises Denied."""
    try:
        head, claims, signature = assertion.split(".")
        header, told = json.loads(_raw(head)), json.loads(_raw(claims))
        proof = _raw(signature)
    except ValueError:
        raise Denied(401, "invalid_client", 50027, "JWT token is invalid or malformed.") from None
    certificate = _certificate(client, header)
    _check_signature(certificate, header.get("alg"), f"{head}.{claims}".encode(), proof)
    if told.get("aud") not in audiences:
        raise Denied(401, "invalid_client", 700021, f"Client assertion application identifier or audience doesn't match. Expected one of {sorted(audiences)}, found {told.get('aud')}.")  # fmt: skip
    if told.get("iss") != client.client_id or told.get("sub") != client.client_id:
        raise Denied(
            401, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
        )
    if not told.get("exp", 0) > time.time() > told.get("nbf", 0) - 300:
        raise Denied(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")


def _certificate(client: Registration, header: Mapping[str, Any]) -> x509.Certificate:
    """The registered certificate, when the assertion names it by its thumbprint."""
    held = x509.load_pem_x509_certificate(client.certificate_pem.encode()) if client.certificate_pem else None
    prints = {} if held is None else {"x5t": _text(held.fingerprint(SHA1())), "x5t#S256": _text(held.fingerprint(SHA256()))}  # noqa: S303 - x5t is SHA-1 by its definition
    if held is None or not any(str(header.get(name)).rstrip("=") == prints[name] for name in prints):
        raise Denied(401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application.")  # fmt: skip
    return held


def _check_signature(certificate: x509.Certificate, algorithm: Any, signed: bytes, proof: bytes) -> None:
    key = certificate.public_key()
    pads = {"RS256": padding.PKCS1v15(), "PS256": padding.PSS(padding.MGF1(SHA256()), hashlib.sha256().digest_size)}
    if not isinstance(key, rsa.RSAPublicKey) or algorithm not in pads:
        raise Denied(401, "invalid_client", 5002738, f"The algorithm {algorithm} is not supported.")
    try:
        key.verify(proof, signed, pads[algorithm], SHA256())
    except InvalidSignature:
        raise Denied(
            401, "invalid_client", 700027, "The key was found, but use of the key to verify the signature failed."
        ) from None


def _encoded(value: Any) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
