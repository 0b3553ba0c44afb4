"""Google's token endpoint for service accounts: a signed assertion in, a bearer token out.

Source: developers.google.com/identity/protocols/oauth2/service-account. A delegation is all or nothing: one scope that
the administrator has not delegated, and the whole request is refused.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.sandbox.google import Customer, Json
from reconciler.sandbox.google_call import Caller, Refusal

BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KNOWN_URIS = (
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "https://accounts.google.com/o/oauth2/token",
)
LIFE = 3600  # seconds
SKEW = 300
UNAUTHORIZED = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."


class Denied(Exception):
    """No token: the HTTP status, OAuth's word for it, and Google's explanation."""

    def __init__(self, status: int, error: str, description: str) -> None:
        self.status, self.body = status, {"error": error, "error_description": description}
        super().__init__(description)


@dataclass
class Tokens:
    """One service account of a customer, the scopes delegated to it, and the tokens it holds.

    `delegated` None: every scope. Times are the machine's own, as a token's life is.
    """

    customer: Customer
    delegated: frozenset[str] | None = None
    client_id: str = "112233445566778899001"
    email: str = "reader@example-project.iam.gserviceaccount.com"
    asked: int = 0  # requests for a token
    _held: dict[str, tuple[Caller, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)  # noqa: S505 - it protects nothing, and a long one takes long to read

    def info(self, token_uri: str) -> dict[str, str]:
        """The JSON object of the service account's key file."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "type": "service_account", "project_id": "example-project", "private_key_id": "1", "private_key": pem,
            "client_email": self.email, "client_id": self.client_id, "token_uri": token_uri, "universe_domain": "googleapis.com",
        }  # fmt: skip

    def grant(self, form: bytes, token_uri: str) -> Json:
        """The answer to a token request; raises Denied."""
        with self._lock:
            self.asked += 1
        told = {name: values[0] for name, values in parse_qs(form.decode("latin-1")).items()}
        if told.get("grant_type") != BEARER:
            raise Denied(400, "unsupported_grant_type", f"Invalid grant_type: {told.get('grant_type')}")
        claims = self._claims(told.get("assertion", ""))
        self._check_times(claims)
        if claims.get("aud") not in (token_uri, *KNOWN_URIS):
            raise Denied(400, "invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {token_uri}")
        return self._issue(self._caller(claims))

    def _claims(self, assertion: str) -> Json:
        """What the assertion claims, once its signature has been verified with the account's own key."""
        try:
            head, body, signature = assertion.split(".")
            header, claims = json.loads(_decoded(head)), json.loads(_decoded(body))
        except ValueError:
            raise Denied(400, "invalid_grant", "Invalid JWT: the assertion is malformed.") from None
        if claims.get("iss") != self.email or header.get("alg") != "RS256":
            raise Denied(400, "invalid_grant", "Invalid grant: account not found")
        try:
            public = self.key.public_key()
            public.verify(_decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            raise Denied(400, "invalid_grant", "Invalid JWT Signature.") from None
        return dict(claims)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now, issued, ends = time.time(), int(claims.get("iat", 0)), int(claims.get("exp", 0))
        if not (now - LIFE - SKEW <= issued <= now + SKEW and now - SKEW <= ends <= issued + LIFE):
            text = "Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
            raise Denied(400, "invalid_grant", f"Invalid JWT: {text}")

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise Denied(400, "invalid_scope", "Empty or missing scope not allowed.")
        if "sub" not in claims or claims["sub"] == self.email:
            return Caller(self.client_id, None, scopes)
        subject = self.customer.id_of(claims["sub"])
        if subject is None:
            raise Denied(400, "invalid_grant", "Invalid email or User ID")
        if self.delegated is not None and not scopes <= self.delegated:
            raise Denied(401, "unauthorized_client", UNAUTHORIZED)
        return Caller(self.client_id, subject, scopes)

    def _issue(self, caller: Caller) -> Json:
        token = "ya29." + secrets.token_urlsafe(48)
        with self._lock:
            self._held[token] = (caller, time.monotonic() + LIFE)
        return {"access_token": token, "expires_in": LIFE - 1, "token_type": "Bearer"}

    def caller(self, authorization: str) -> Caller:
        """Whose token it is; raises Refusal 401. An account may also sign a token itself (three parts, dotted)."""
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Refusal(401, "required", "Login Required.", modern=True)
        known = self._held.get(token)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        if token.count(".") == 2 and not token.startswith("ya29."):
            return self._own(token)
        raise _unauthenticated()

    def _own(self, token: str) -> Caller:
        try:
            claims = self._claims(token)
            self._check_times(claims)
        except Denied:
            raise _unauthenticated() from None
        return Caller(self.client_id, None, frozenset(claims["scope"].split()) if claims.get("scope") else None)

    def forget(self) -> None:
        """Every token ends now, as after a change of the account's key."""
        with self._lock:
            self._held.clear()


def _unauthenticated() -> Refusal:
    message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."
    return Refusal(401, "authError", message, modern=True)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
