"""Who reads a Google Workspace and how fast: service account, scopes, tokens, quotas, one session per set of scopes."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from pydantic import BaseModel, ConfigDict, Field

from connectors._http import Api, new_session
from reconciler.connector import AccessRefused, ConnectorSettings, FileRef, Incomplete, SecretRef

SCOPE = "https://www.googleapis.com/auth/"
PRODUCTION = "https://admin.googleapis.com"
LICENSING = "https://licensing.googleapis.com"
AT_ONCE = 8  # chains of requests: more meet Google's limit of concurrent ones
_AGAIN = frozenset(
    {"quotaExceeded", "rateLimitExceeded", "sharingRateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError"}
)


class WriterLogin(BaseModel):
    """The administrator that changes things; only `apply` reads it.

    Without credentials of its own it is the reader's service account that speaks for another administrator. `roles` lets
    it give and take administrator roles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    subject: str | None = None
    credentials: SecretRef | None = None
    roles: bool = False


class Settings(ConnectorSettings):
    """One customer, read by a service account. The quotas are Google's defaults; raise them when Google has raised yours."""

    kind: Literal["google_workspace"]
    customer: str = "my_customer"
    credentials: SecretRef
    subject: str | None = None
    api_url: str = PRODUCTION
    ca_file: FileRef | None = None
    products: tuple[str, ...] = ("Google-Apps", "101031", "101037", "101047", "101001", "101005", "101033", "101034")
    deleted_users: bool = True
    queries_per_minute: int = Field(default=2400, gt=0)
    licence_queries_per_minute: int = Field(default=60, gt=0)
    writer: WriterLogin | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class QuietCredentials(service_account.Credentials):
    """Service account credentials that ask nobody but the token endpoint (google-auth 2.55 looks up regions otherwise)."""

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        return False


class Pace:
    """Lets at most `most` calls pass in any `seconds`, and the others wait: a quota that is kept is a quota nobody meets."""

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
    ) -> None:  # fmt: skip
        self._seconds, self._clock, self._wait = seconds, clock, wait
        self._calls: deque[float] = deque(maxlen=most)
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            if len(self._calls) == self._calls.maxlen:
                self._wait(max(0.0, self._calls[0] + self._seconds - self._clock()))
            self._calls.append(self._clock())


class Access:
    """Opens the API under different scopes: a delegation is all or nothing, so every area asks for its own."""

    def __init__(self, settings: Settings, deadline: float, wait: Callable[[float], None] = time.sleep) -> None:
        self.settings, self._deadline, self._wait = settings, deadline, wait
        self._account, self._client_id = _account(settings)
        self._directory = Pace(settings.queries_per_minute, 60.0, wait=wait)
        self._licences = Pace(
            1, 60.0 / settings.licence_queries_per_minute, wait=wait
        )  # the licence manager counts by the second

    def directory(self, scopes: Sequence[str]) -> Api:
        return self._open(self.settings.api_url, scopes, self._directory)

    def licences(self, scopes: Sequence[str]) -> Api:
        return self._open(self.licensing_url, scopes, self._licences)

    def account_names(self) -> tuple[str, ...]:
        """The service account by its address."""
        return (self._account.service_account_email,)

    def client_id(self) -> str:
        """The number by which a delegation names the service account; its address where the key file does not tell."""
        return self._client_id or str(self._account.service_account_email)

    @property
    def licensing_url(self) -> str:
        return LICENSING if self.settings.api_url.rstrip("/") == PRODUCTION else self.settings.api_url

    def _open(self, url: str, scopes: Sequence[str], pace: Pace) -> Api:
        token = _Token(self._account.with_scopes(scopes), self.settings, pace)
        return Api(url, new_session(url, self.settings.ca_file), token, self._deadline, _passing, _expired, self._wait)


class _Token:
    """The bearer token of one set of scopes, fetched once and shared by every chain; handed out no faster than the quota."""

    def __init__(self, credentials: Any, settings: Settings, pace: Pace) -> None:
        self._credentials, self._subject, self._ca_file = credentials, settings.subject, settings.ca_file
        self._pace, self._lock = pace, threading.Lock()

    def __call__(self, renew: bool) -> str:
        self._pace()
        with self._lock:
            if renew or not self._credentials.token:
                self._refresh()
            return f"Bearer {self._credentials.token}"

    def _refresh(self) -> None:
        uri = self._credentials._token_uri
        try:
            self._credentials.refresh(_Once(uri, self._ca_file))
            if not self._credentials.token.isascii():
                self._credentials.token = None
                raise ValueError("characters that no token has; does a proxy change answers?")
        except RefreshError as problem:
            who = self._subject or self._credentials.service_account_email
            scopes = ", ".join(scope.removeprefix(SCOPE) for scope in self._credentials.scopes)
            told = str(problem.args[0])[:200] if problem.args else "refused"
            raise AccessRefused(
                f"{uri}: refused {who}: {told}; delegate {scopes} to the service account in the Admin console"
            ) from None
        except (
            GoogleAuthError,
            OSError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as problem:  # an answer that is no token
            raise Incomplete(f"{uri}: no token: {type(problem).__name__}: {problem}") from None


class _Once(Request):
    """google-auth's transport with a time limit, over a session of our own."""

    def __init__(self, uri: str, ca_file: Path | None) -> None:
        super().__init__(new_session(uri, ca_file))

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: int = 30, **words: Any
    ) -> Any:
        return super().__call__(url, method, body, headers, timeout, **words)


def _account(settings: Settings) -> tuple[Any, str]:
    """The service account, still without scopes, and its client id: reading its key takes a while, so it is read once."""
    try:
        info = json.loads(settings.credentials.reveal())
        return QuietCredentials.from_service_account_info(info, subject=settings.subject), str(info.get("client_id") or "")
    except (ValueError, KeyError) as problem:
        raise AccessRefused(f"{settings.credentials}: is no service account key file: {problem}") from None


def _passing(status: int, reason: str) -> bool:
    """Google says "slow down" with 403 as well; every other 403 is final."""
    return status in (429, 500, 502, 503, 504) or (status == 403 and reason.split(":")[0] in _AGAIN)


def _expired(status: int, reason: str) -> bool:
    return status in (400, 410) and "token" in reason.lower() and "page" in reason.lower()
