"""The embedded company's Google Workspace: tokens, Admin SDK, licences, data transfer and batches on one loopback port."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from reconciler.sandbox import (
    google_aliases,
    google_batch,
    google_customer,
    google_discovery,
    google_groups,
    google_licences,
    google_units,
    google_users,
)  # fmt: skip
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.google import Customer, Json
from reconciler.sandbox.google_call import Call, Refusal, allow, body_of, parameters
from reconciler.sandbox.google_pages import Listing, Texts, body, dumps
from reconciler.sandbox.google_token import Denied, Tokens
from reconciler.sandbox.http import HttpServer, Reply, Request

HANDLERS: Mapping[str, Callable[[Call], Any]] = {  # a method's id -> what makes its answer: an object, a Listing, or nothing
    **google_users.HANDLERS, **google_aliases.HANDLERS, **google_groups.HANDLERS, **google_customer.HANDLERS,
    **google_units.HANDLERS, **google_licences.HANDLERS,
}  # fmt: skip

HTML = "text/html; charset=UTF-8"
_NOT_FOUND = b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 404 (Not Found)!!1</title>\n  <p><b>404.</b> <ins>That\xe2\x80\x99s an error.</ins>\n  <p>The requested URL was not found on this server."
_FRONT_END = b"<!DOCTYPE html>\n<html lang=en>\n  <title>Error 502 (Server Error)!!1</title>\n  <p><b>502.</b> <ins>That\xe2\x80\x99s an error.</ins>\n  <p>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds."


@dataclass
class Pace:
    """At most one call in so many seconds; zero lets everything pass."""

    seconds: float = 0.0
    _last: float = -1e9
    _lock: Lock = field(default_factory=Lock)

    def check(self) -> None:
        """Raises Refusal 503 when the last call was too short a time ago, as the licence manager does."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < self.seconds:
                raise Refusal(503, "backendError", "Quota exceeded for licensing queries per second")
            self._last = now


@dataclass(frozen=True)
class Answering:
    """Answers for one customer; what `HttpServer` calls for every request."""

    customer: Customer
    tokens: Tokens
    faults: Faults
    licences: Pace = field(default_factory=Pace)
    texts: Texts = field(default_factory=Texts)

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.path.startswith("/batch") and request.verb == "POST":
            return google_batch.answered(request, self.faults, self._called)
        if request.path == "/$discovery/rest":
            return _described(request)
        return self._called(request)

    def _token(self, request: Request) -> Reply:
        try:
            return _json(self.tokens.grant(request.body, f"{request.origin}/token"))
        except Denied as no:
            return _json(no.body, no.status)

    def _called(self, request: Request) -> Reply:
        found = google_discovery.find(request.verb, request.path)
        if found is None:
            return Reply(404, _NOT_FOUND, {}, HTML)
        try:
            return self._answered(request, *found)
        except Refusal as no:
            return _json(no.body, no.code, **({"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'} if no.code == 401 else {}))  # fmt: skip

    def _answered(self, request: Request, method: google_discovery.Method, path: Mapping[str, str]) -> Reply:
        caller = self.tokens.caller(request.headers.get("authorization", ""))
        allow(self.customer, method, caller)
        handler = HANDLERS.get(method.id.partition(".")[2])
        if handler is None:
            raise Refusal(501, "notImplemented", f"The embedded company does not offer {method.id}", modern=True)
        if method.id.startswith("licensing."):
            self.licences.check()
        query = parameters(method, request.query)
        call = Call(self.customer, method, caller, path, query, body_of(method, request.body), request.faults, request.headers)
        with self.customer.lock if request.verb != "GET" else _FREE:
            made = handler(call)
        return Reply(204) if made is None else self._reply(call, made)

    def _reply(self, call: Call, made: Json | Listing) -> Reply:
        """The answer's text; nothing but 304 for a reader that has the same already."""
        text = body(call, made, self.texts)
        etag = made.get("etag") if isinstance(made, dict) else None
        if etag and call.method.verb == "GET" and call.headers.get("if-none-match") == etag:
            return Reply(304, b"", {"ETag": etag})
        return Reply(200, text, {"ETag": etag} if etag else {})


class _Free:
    """Readers wait for nobody: objects are replaced, never changed in place."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


_FREE = _Free()


def _described(request: Request) -> Reply:
    """The discovery document of the API that the host's name and the version name."""
    version, host = request.query.get("version", ""), request.headers.get("host", "").partition(".")[0]
    for api in (host, "admin", version.partition("_")[0], "licensing"):
        text = google_discovery.document(f"{api}.{version}")
        if text is not None:
            return Reply(200, text)
    return Reply(404, _NOT_FOUND, {}, HTML)


def _json(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, dumps(value), headers)


def refused(status: int) -> Reply:
    """How Google words a refusal that a fault asks for: its front end in HTML, its services in JSON."""
    if status == 502:
        return Reply(status, _FRONT_END, {}, HTML)
    reasons = {401: "authError", 403: "userRateLimitExceeded", 404: "notFound", 429: "rateLimitExceeded", 503: "backendError"}
    return _json(Refusal(status, reasons.get(status, "internalError"), "refused by the script of faults").body, status)


class GoogleServer(HttpServer):
    """One customer on a loopback port; `tokens` is its service account."""

    def __init__(
        self, customer: Customer, faults: Faults, tls: ssl.SSLContext | None, tokens: Tokens, licence_seconds: float
    ) -> None:  # fmt: skip
        self.customer, self.tokens = customer, tokens
        super().__init__(Answering(customer, tokens, faults, Pace(licence_seconds)), faults, tls, refused)

    def key_file(self, token_uri: str | None = None) -> str:
        """The service account's key file, whose token endpoint is this server unless another address is told."""
        return dumps(self.tokens.info(token_uri or f"{self.url}/token")).decode()


def serve_google(
    customer: Customer, faults: Faults | None = None, tls: ssl.SSLContext | None = None, tokens: Tokens | None = None,
    licence_seconds: float = 0.0,
) -> GoogleServer:  # fmt: skip
    """A server of the customer, not yet started. `licence_seconds` 1.0 is the licence manager's real quota."""
    return GoogleServer(customer, faults or Faults(), tls, tokens or Tokens(customer), licence_seconds)


def over_quota(line: str, at: int = 1, reason: str = "quotaExceeded") -> Fault:
    """The fault of being too fast for Google, which it says with 403."""
    error = Refusal(403, reason, "Quota exceeded for quota metric 'Queries'.", domain="usageLimits", modern=True).body
    return Fault(line, "status", at, 403, error)
