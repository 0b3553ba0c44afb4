"""HTTP that is whole or an error: own retries, own clock, one host, JSON or nothing; and changes that are sent once."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
import urllib3
from requests.adapters import HTTPAdapter

from reconciler.connector import AccessRefused, Incomplete

TRIES = 5
PASSING = frozenset({429, 500, 502, 503, 504, 509})  # worth another try
LONGEST_WAIT = 120.0  # seconds a server may ask us to wait, once
CONNECT_SECONDS, ANSWER_SECONDS = 10, 120
MOST_PAGES = 100_000
MOST_THROTTLED = 60  # times a change is put off because the server is asked too much
AT_ONCE = 32  # connections to a host that are kept open


class Refused(AccessRefused):
    """The server said no to this one path; an optional area may go without it."""


class NotThere(Incomplete):
    """The server has nothing by that name."""


class SaidNo(Incomplete):
    """The server declined a change, and made none of it."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Lost(Incomplete):
    """No answer came to a change that can be understood: it is made or not, nobody knows."""


class PageExpired(Incomplete):
    """The listing's next page is no longer to be had; the listing must begin again."""


def new_session(url: str, ca_file: Path | None) -> requests.Session:
    """A session for one host: verified TLS, the operator's proxy, nothing else from the environment.

    `ca_file` wins over REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE: requests lets the environment win over
    Session.verify, so the environment is read here. Raises Incomplete for plain http to anything but this machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not loopback(parts.hostname or ""):
        raise Incomplete(f"{url}: plain http is read from this machine only; use https")
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=AT_ONCE))
    bundle = ca_file or next(
        (os.environ[n] for n in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE") if os.environ.get(n)), None
    )
    session.verify = str(bundle) if bundle else True
    if not proxy_bypass(parts.hostname or ""):
        session.proxies = {scheme: proxy for scheme, proxy in getproxies().items() if scheme in ("http", "https")}
    return session


def loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass
class Api:
    """One host's JSON API: every request authorised, retried when that helps, and answered whole."""

    root: str
    session: requests.Session
    authorise: Callable[[bool], str]  # (a new one is wanted) -> the Authorization header
    deadline: float  # of time.monotonic()
    passing: Callable[[int, str], bool] = lambda status, reason: status in PASSING
    expired: Callable[[int, str], bool] = lambda status, reason: False
    wait: Callable[[float], None] = field(default=time.sleep)

    def get(self, path: str, headers: Mapping[str, str] | None = None, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One JSON object. Raises Refused on 401 and 403, PageExpired, or Incomplete when the tries or the time are used up."""
        return self.ask("GET", path, headers, query)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> dict[str, Any]:
        """One request, tried again on passing faults. Use another method than GET only where repeating it changes nothing."""
        url, renewed, renew, problem = self._pinned(path), False, False, ""
        for attempt in range(TRIES):
            answer, problem = self._once(method, url, headers, query, body, renew)
            renew = False
            if isinstance(answer, dict):
                return answer
            if answer is not None and answer.status_code == 401 and not renewed:
                renewed = renew = True
                continue
            if answer is not None:
                self._classify(answer, problem)
            self._pause(attempt, answer, problem)
        raise Incomplete(f"{method} {_shown(url)}: given up after {TRIES} tries: {problem}")

    def change(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One change, sent once; again only where the server says that it has not looked at it: too fast, or an old token.

        Raises SaidNo when it is declined, Lost when no answer came that can be understood.
        """
        url, renewed, renew = self._pinned(path), False, False
        for attempt in range(MOST_THROTTLED):
            answer, problem = self._once(method, url, headers, None, body, renew)
            renew = False
            if isinstance(answer, dict):
                return answer
            if answer is None or answer.status_code >= 500:
                raise Lost(f"{method} {_shown(url)}: {problem}")
            if answer.status_code == 401 and not renewed:
                renewed = renew = True
                continue
            if not self.passing(answer.status_code, reason_of(answer)):
                raise SaidNo(f"{method} {_shown(url)}: {problem}", answer.status_code)
            try:
                self._pause(min(attempt, 7), answer, problem)
            except Incomplete as late:
                raise SaidNo(str(late), answer.status_code) from None
        raise SaidNo(f"{method} {_shown(url)}: still too fast after {MOST_THROTTLED} tries", 429)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str] | None, query: Mapping[str, Any] | None, body: Any, renew: bool
    ) -> tuple[dict[str, Any] | requests.Response | None, str]:  # fmt: skip
        """(the answer's object, or the refusing response, or None), and what was wrong."""
        own = {"Authorization": self.authorise(renew), "Accept": "application/json", **(headers or {})}
        try:
            answer = self.session.request(
                method,
                url,
                params=query,
                headers=own,
                json=body,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            content = _whole(answer)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            return None, f"{type(problem).__name__}: {problem}"
        if not 200 <= answer.status_code < 300:
            return answer, f"{answer.status_code} {reason_of(answer)}"
        told = answer.headers.get("Content-Length")
        if told and not answer.headers.get("Content-Encoding") and told.isdigit() and int(told) != len(content):
            return None, f"the answer was cut: {len(content)} of {told} bytes"
        if not content and answer.status_code != 204:  # an answer that breaks off within its headers looks like this
            return None, "the answer is empty"
        try:
            made = json.loads(content) if content else {}
        except ValueError:
            return None, f"the answer is not JSON: {content[:60]!r}"
        return (made, "") if isinstance(made, dict) else (None, "the answer is no JSON object")

    def _classify(self, answer: requests.Response, problem: str) -> None:
        """Raise what no further try can change."""
        status, reason = answer.status_code, reason_of(answer)
        if self.expired(status, reason):
            raise PageExpired(f"{_shown(answer.url)}: {problem}")
        if not self.passing(status, reason):
            kind = {401: Refused, 403: Refused, 404: NotThere}.get(status, Incomplete)
            raise kind(f"{_shown(answer.url)}: {problem}")

    def _pause(self, attempt: int, answer: requests.Response | None, problem: str) -> None:
        seconds = retry_after(answer.headers.get("Retry-After") if answer is not None else None)
        if seconds is None:
            seconds = 0.5 * 2**attempt * (0.5 + random.random())  # noqa: S311 - jitter, not a secret
        if seconds > LONGEST_WAIT or time.monotonic() + seconds > self.deadline:
            raise Incomplete(f"{self.root}: {problem}; asked to wait {seconds:.0f} s, longer than this run may take")
        self.wait(seconds)

    def _pinned(self, path: str) -> str:
        """The full address, which must be of the configured scheme, host and port: nobody else gets our token."""
        url = path if "://" in path else self.root.rstrip("/") + "/" + path.lstrip("/")
        ours, theirs = urlsplit(self.root), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise Incomplete(
                f"{self.root}: the answer links to another host ({theirs.scheme}://{theirs.netloc[:80]}); it is not followed"
            )
        return url


def _whole(answer: requests.Response) -> bytes:
    """The body read in one piece: requests' own way, ten kilobytes at a time, costs a fifth of a large page's time."""
    try:
        answer._content = answer.raw.read(decode_content=True)
    finally:
        answer.close()  # gives a connection that is read to its end back to the pool
    return answer._content or b""


def pages(
    first: str, fetch: Callable[[str], dict[str, Any]], following: Callable[[dict[str, Any]], str | None]
) -> Iterator[dict[str, Any]]:
    """Pages to the proper end, which is a page without a following one. The same page twice raises Incomplete."""
    seen = {first}
    here: str | None = first
    while here is not None:
        page = fetch(here)
        yield page
        here = following(page)
        if here in seen or len(seen) > MOST_PAGES:
            raise Incomplete(f"{_shown(first)}: the listing comes back to a page it has given already; nothing of it is used")
        if here is not None:
            seen.add(here)


def retry_after(text: str | None) -> float | None:
    """Seconds from a Retry-After header: whole or fractional seconds, or a date; None when it says nothing usable."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def reason_of(answer: requests.Response) -> str:
    """What a refusal says of itself: a vendor's code and message, or the beginning of its text."""
    try:
        told = answer.json()
        error = told["error"] if "error" in told else f"{told.get('scimType', '')} {told['detail']}".strip()
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.text[:120]
    if isinstance(error, str):
        return f"{error}: {told.get('error_description', '')}".removesuffix(": ")[:300]
    details = error.get("errors") or [{}]
    return f"{details[0].get('reason') or error.get('code') or ''}: {error.get('message', '')}"[:300]


def _shown(url: str) -> str:
    """An address without its page token."""
    return url.split("?")[0]
