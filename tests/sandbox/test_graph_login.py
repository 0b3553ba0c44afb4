"""The embedded login gives tokens as Microsoft's does: to msal with a secret or a certificate, and to nobody who cannot prove himself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.graph import READER, READING, GraphServer, Registration, microsoft
from reconciler.sandbox.tls import Authority
from tests.graph_tenant import Asking, serving, small_tenant, token_of

SCOPE = ["https://graph.microsoft.com/.default"]


def certificate() -> tuple[str, str, str]:
    """(private key, certificate, SHA-1 thumbprint) of an application."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reader")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, signed.public_bytes(Encoding.PEM).decode(), signed.fingerprint(SHA1()).hex()


KEY, CERTIFICATE, THUMBPRINT = certificate()
OTHER_KEY, OTHER_CERTIFICATE, _ = certificate()
CERTIFIED = Registration("certified", certificate_pem=CERTIFICATE)
EXPIRED = Registration("expired", secret="old", secret_expired=True)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GraphServer, str]]:
    """The server over TLS, and the file of the authority it is trusted by."""
    authority, path = Authority(), tmp_path_factory.mktemp("tls") / "ca.pem"
    Path(path).write_text(authority.pem, "ascii")
    server = microsoft(small_tenant(), Faults(), authority.context(), (READER, CERTIFIED))
    server.start()
    yield server, str(path)
    server.close()


def ask_msal(server: GraphServer, ca: str, client: str, credential: Any, tenant: str | None = None) -> dict[str, Any]:
    session = requests.Session()
    session.trust_env, session.verify = False, ca
    app = msal.ConfidentialClientApplication(
        client, client_credential=credential, authority=f"{server.url}/{tenant or server.tenant.id}", instance_discovery=False, http_client=session
    )  # fmt: skip
    return dict(app.acquire_token_for_client(SCOPE))


CREDENTIALS = {
    "a secret": (READER.client_id, READER.secret),
    "a certificate by its SHA-256 (PS256)": ("certified", {"private_key": KEY, "public_certificate": CERTIFICATE}),
    "a certificate by its SHA-1 (RS256)": ("certified", {"private_key": KEY, "thumbprint": THUMBPRINT}),
}


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("by", ["id", "domain"])
def test_msal_gets_a_token_with(secured: tuple[GraphServer, str], name: str, by: str) -> None:
    server, ca = secured
    answer = ask_msal(server, ca, *CREDENTIALS[name], tenant=getattr(server.tenant, by))
    assert "access_token" in answer, answer
    claims = json.loads(base64.urlsafe_b64decode(answer["access_token"].split(".")[1] + "=="))
    assert (set(claims["roles"]), claims["tid"], claims["aud"]) == (READING, server.tenant.id, "https://graph.microsoft.com")
    shown = requests.get(f"{server.url}/v1.0/users?$top=1", headers={"Authorization": f"Bearer {answer['access_token']}"}, verify=ca, timeout=9)  # fmt: skip
    assert shown.status_code == 200


IMPOSTORS = {
    "another's certificate": {"private_key": OTHER_KEY, "public_certificate": OTHER_CERTIFICATE},
    "another's key": {"private_key": OTHER_KEY, "thumbprint": THUMBPRINT},
}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_msal_gets_none_with(secured: tuple[GraphServer, str], name: str) -> None:
    answer = ask_msal(*secured, "certified", IMPOSTORS[name])
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def test_msal_finds_the_instance_by_itself(secured: tuple[GraphServer, str]) -> None:
    server, ca = secured
    told = requests.get(f"{server.url}/common/discovery/instance?authorization_endpoint={server.url}/common/oauth2/v2.0/authorize", verify=ca, timeout=9).json()  # fmt: skip
    assert told["tenant_discovery_endpoint"] == f"{server.url}/common/v2.0/.well-known/openid-configuration"
    assert server.url.removeprefix("https://") in told["metadata"][0]["aliases"]


WRONG = [
    ("a wrong secret", READER, {"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ("an expired secret", EXPIRED, {}, 401, "invalid_client", 7000222),
    ("no secret", READER, {"client_secret": ""}, 401, "invalid_client", 7000218),
    ("an unknown application", Registration("nobody", secret="s"), {}, 400, "unauthorized_client", 700016),
    ("another grant", READER, {"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ("another scope", READER, {"scope": "User.Read"}, 400, "invalid_scope", 70011),
]


@pytest.mark.parametrize(("client", "changed", "status", "error", "code"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_no_token_for(client: Registration, changed: dict[str, str], status: int, error: str, code: int) -> None:
    with serving(small_tenant(), clients=(READER, EXPIRED)) as server:
        answer = token_of(server, client, **changed)
        assert server.login.asked == 1
    told = answer.json()
    assert (answer.status_code, told["error"], told["error_codes"]) == (status, error, [code])
    assert told["error_description"].startswith(f"AADSTS{code}: ")


def test_an_unknown_tenant_is_said_to_be_one() -> None:
    with serving(small_tenant()) as server:
        answer = requests.get(f"{server.url}/elsewhere.example/v2.0/.well-known/openid-configuration", timeout=9)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


TOKENS = {"none": "", "of another scheme": "Basic eDp5", "made up": "Bearer a.b.c", "altered": "Bearer {token}x"}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_is(name: str) -> None:
    with serving(small_tenant()) as server:
        token = token_of(server).json()["access_token"]
        answer = requests.get(f"{server.url}/v1.0/users", headers={"Authorization": TOKENS[name].format(token=token)}, timeout=9)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_an_expired_token_is_refused() -> None:
    with serving(small_tenant()) as server:
        server.login.life = -1
        answer = Asking(server)("GET", "users")
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "Lifetime validation failed, the token is expired.")
