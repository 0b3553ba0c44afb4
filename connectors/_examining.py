"""What `doctor` asks of every system that speaks HTTP: is its TLS good, and do the clocks agree."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors._http import CONNECT_SECONDS, new_session
from connectors._tls import clock, in_short, tls
from reconciler.check import Check
from reconciler.connector import Context, Incomplete

SECONDS = 30


def host(url: str, ca_file: Path | None, context: Context) -> Iterator[Check]:
    """One request to a host, without credentials. Raises Incomplete when it is not reached, or its certificate not accepted."""
    parts = urlsplit(url)
    with new_session(url, ca_file) as session:
        try:
            answer = session.get(
                f"{parts.scheme}://{parts.netloc}/", timeout=(CONNECT_SECONDS, SECONDS), allow_redirects=False, stream=True
            )
        except (requests.RequestException, OSError) as problem:
            raise Incomplete(f"{parts.scheme}://{parts.netloc}: cannot be reached: {in_short(problem)}") from None
        with answer:
            yield tls(parts.netloc, _socket(answer), context.clock())
            told = answer.headers.get("Date")
        if told:
            yield clock(parts.netloc, parsedate_to_datetime(told), context.clock())


def _socket(answer: requests.Response) -> Any:
    """The socket an answer came on, while its body is unread; through a proxy it is the one to the host itself."""
    return getattr(getattr(answer.raw, "_connection", None), "sock", None)
