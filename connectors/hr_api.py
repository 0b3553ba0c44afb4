"""A roster from an HR system's own API: BambooHR, HiBob, Personio or a Workday report, read to its proper end."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from connectors import _hr_personio
from connectors._examining import host
from connectors._hr_bamboohr import bamboohr
from connectors._hr_hibob import hibob
from connectors._hr_listing import Told
from connectors._hr_personio import personio
from connectors._hr_workday import workday
from connectors._http import Api, new_session
from connectors._roster import Row
from connectors._roster_settings import RosterSettings
from connectors._roster_table import answers, places, reading
from reconciler.check import Check
from reconciler.connector import Answer, AsOf, Context, FileRef, Incomplete, Need, SecretRef

NEEDS = (
    Need(
        "read rights on the people's fields that are configured, active and inactive", "the roster",
        "nothing can be said about anybody",
    ),
)  # fmt: skip

URLS = {
    "hibob": "https://api.hibob.com",
    "personio": "https://api.personio.de",
}  # BambooHR's and Workday's hold the company's name
READERS: dict[str, Callable[[Api, Any], Told]] = {"bamboohr": bamboohr, "hibob": hibob, "personio": personio, "workday": workday}


class Settings(RosterSettings):
    """One HR system. `password` is BambooHR's API key, HiBob's token, Personio's client secret or a Workday password."""

    kind: Literal["hr_api"]
    preset: Literal["bamboohr", "hibob", "personio", "workday"] = Field(description="Which system answers.")
    url: str = Field(description="Its address; of Workday, the report's.")
    username: str | None = Field(
        None, description="HiBob's service user, Personio's client id, Workday's user; BambooHR has none."
    )
    password: SecretRef
    ca_file: FileRef | None = None

    @model_validator(mode="before")
    @classmethod
    def _usual_address(cls, raw: Any) -> Any:
        known = URLS.get(str(raw.get("preset"))) if isinstance(raw, dict) else None
        return {"url": known, **raw} if known else raw

    @model_validator(mode="after")
    def _who(self) -> Settings:
        if self.preset != "bamboohr" and not self.username:
            raise ValueError(f"{self.preset} needs a username beside the password")
        return self


def examine(settings: Settings, context: Context) -> Iterator[Check]:
    """What `doctor` asks beyond a whole read. Raises Incomplete when the host is not reached."""
    yield from host(settings.url, settings.ca_file, context)


def read(settings: Settings, context: Context) -> Iterator[Answer]:
    """The people of an HR system. Raises Refused, or Incomplete when its answer is not whole or changes while it is read."""
    told = READERS[settings.preset](_api(settings, context), settings)
    yield AsOf(context.now)
    if not told.rows:
        raise Incomplete(f"{settings.url}: answers with nobody; may this user see people, active and inactive?")
    header = list(dict.fromkeys(name for row in told.rows for name in row))
    headers = places(settings, header, context.source, f"{settings.url}: the answer")
    made = reading(settings, context.source, header, headers, "entry")
    named = {column: header[at] for column, at in headers.items()}
    made.read([Row(n, {c: row.get(name, "") for c, name in named.items()}) for n, row in enumerate(told.rows, 1)], len(told.rows))
    yield from answers(settings, made, len(told.rows), settings.url, told.pages, told.declared, _who_answers(settings))


def _who_answers(settings: Settings) -> str:
    """The system's host, with Workday's tenant; where one host serves every company, with the client that it knows us by."""
    parts = urlsplit(settings.url)
    if settings.preset == "workday":
        tenant = parts.path.partition("/customreport2/")[2].partition("/")[0]
        return f"{parts.netloc}/{tenant}"
    return parts.netloc if settings.preset == "bamboohr" else f"{settings.username} at {parts.netloc}"


def _api(settings: Settings, context: Context) -> Api:
    """The API and how it is entered: a name and a word, or Personio's token for them."""
    session, deadline = new_session(settings.url, settings.ca_file), time.monotonic() + context.deadline_seconds
    root = settings.url.split("?")[0] if settings.preset == "workday" else settings.url

    def basic(_renew: bool) -> str:
        word = settings.password.reveal()
        pair = f"{word}:x" if settings.preset == "bamboohr" else f"{settings.username}:{word}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    if settings.preset != "personio":
        return Api(root, session, basic, deadline, wait=context.wait)
    entrance = Api(root, session, lambda _renew: "", deadline, wait=context.wait)
    return Api(root, session, _hr_personio.token(entrance, settings), deadline, wait=context.wait)
