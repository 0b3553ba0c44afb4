"""The token for Graph: one client, one attempt, shared by every reading chain."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msal
import requests

from connectors._http import new_session
from reconciler.connector import AccessRefused, Incomplete, Secret

_NO_ANSWER = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
)  # of msal, to nonsense
FRESH_SECONDS = 5.0  # a token this young was renewed by another chain a moment ago


class Client(Protocol):
    """What the settings of a tenant say about the application that reads it."""

    @property
    def tenant(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def client_secret(self) -> Secret | None: ...
    @property
    def certificate(self) -> Secret | None: ...
    @property
    def managed_identity(self) -> bool: ...
    @property
    def login_url(self) -> str: ...
    @property
    def graph_url(self) -> str: ...
    @property
    def ca_file(self) -> Path | None: ...


class Token:
    """The bearer token, fetched once and shared by every chain; a refused identity is not tried a second time."""

    def __init__(self, settings: Client) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._app: Any = None
        self._header: str | None = None
        self._fetched = 0.0

    def __call__(self, renew: bool) -> str:
        """The Authorization header; chains that ask for a new one together get the same new one."""
        with self._lock:
            if self._header is None or (renew and time.monotonic() - self._fetched > FRESH_SECONDS):
                self._header = f"Bearer {self._fetch()}"
                self._fetched = time.monotonic()
            return self._header

    def _fetch(self) -> str:
        logging.getLogger("msal.oauth2cli.oauth2").disabled = True  # it logs answers that it cannot read, tokens and all
        who = self._settings.client_id or "the machine's own identity"
        where = "managed identity" if self._settings.managed_identity else self._settings.login_url.rstrip("/")
        try:
            answer = self._asked()
        except (requests.RequestException, OSError, msal.exceptions.MsalError, *_NO_ANSWER) as problem:
            raise Incomplete(f"{where}: no token: {type(problem).__name__}: {problem}") from None
        except ValueError as problem:  # msal's word for a tenant that is not there
            raise AccessRefused(f"{where}: tenant {self._settings.tenant}: {problem}") from None
        if not isinstance(answer.get("access_token", ""), str):
            raise Incomplete(f"{where}: no token: what came in its place is a {type(answer['access_token']).__name__}")
        if "access_token" not in answer:
            told = next(iter(str(answer.get("error_description") or answer.get("error") or "").splitlines()), "")
            raise AccessRefused(f"{where}: refused {self._kind} {who}: {told}; {self._fix}")
        token: str = answer["access_token"]
        if not (token.isascii() and token.isprintable()):
            raise Incomplete(
                f"{where}: no token: what came in its place has characters that no token has; does a proxy change answers?"
            )
        return token

    @property
    def _kind(self) -> str:
        return "managed identity" if self._settings.managed_identity else "client"

    @property
    def _fix(self) -> str:
        if self._settings.managed_identity:
            return "assign the identity to this machine, and give it the application permissions of Graph"
        return "renew the secret or certificate in the app registration"

    def _asked(self) -> Mapping[str, Any]:
        """msal's answer. The configured login is asked, or the machine's own identity endpoint, and nobody else."""
        settings, host = self._settings, "/".join(self._settings.graph_url.split("/")[:3])
        if settings.managed_identity:
            session = requests.Session()  # the endpoint is at this machine's own door: no proxy, and plain http
            session.trust_env = False
            own = settings.client_id
            identity = msal.UserAssignedManagedIdentity(client_id=own) if own else msal.SystemAssignedManagedIdentity()
            found: Mapping[str, Any] = msal.ManagedIdentityClient(identity, http_client=_Timed(session)).acquire_token_for_client(
                resource=host
            )
            return found
        login = settings.login_url.rstrip("/")
        session = new_session(login, settings.ca_file)
        client = _Plain(session) if login.startswith("http://") else _Timed(session)
        self._app = msal.ConfidentialClientApplication(
            settings.client_id, client_credential=_credential(settings), authority=f"{_secured(login)}/{settings.tenant}",
            instance_discovery=False, http_client=client,
        )  # fmt: skip
        return dict(self._app.acquire_token_for_client([f"{host}/.default"]))


class _Timed:
    """msal's HTTP client with time limits."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session

    def get(self, url: str, **words: Any) -> requests.Response:
        return self._session.get(url, **{"timeout": 30, **words})

    def post(self, url: str, **words: Any) -> requests.Response:
        return self._session.post(url, **{"timeout": 30, **words})

    def close(self) -> None:
        self._session.close()


class _Plain(_Timed):
    """The same for a login on this machine that speaks plain http, of which msal will not hear: it is told https."""

    def get(self, url: str, **words: Any) -> requests.Response:
        return _told_secured(super().get("http" + url.removeprefix("https"), **words))

    def post(self, url: str, **words: Any) -> requests.Response:
        return super().post("http" + url.removeprefix("https"), **words)


def _secured(login: str) -> str:
    return "https" + login.removeprefix("http") if login.startswith("http://") else login


def _told_secured(answer: requests.Response) -> requests.Response:
    """The login's description of itself with its own addresses as https."""
    answer._content = answer.content.replace(b"http://", b"https://")
    return answer


def _credential(settings: Client) -> Any:
    if settings.client_secret is not None:
        return settings.client_secret.reveal()
    assert settings.certificate is not None  # noqa: S101 - one of the two is there, the settings see to it
    pem = settings.certificate.reveal()
    return {"private_key": pem, "public_certificate": pem}
