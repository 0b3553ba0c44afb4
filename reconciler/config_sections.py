"""The sections of `config.toml`: what each setting means, its default and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from reconciler import tables
from reconciler.clock import duration
from reconciler.config_text import unknown
from reconciler.connector import FileRef, Secret, SecretRef
from reconciler.cron import parse

MATCH_KEYS = ("employee_id", "anchor", "upn", "email", "alias")  # sure to weak
# The text columns of people that a rule may ask about.
WHEN = tuple(c.name for c in tables.PEOPLE.columns if c.type == "string" and c.name != "extra")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, arbitrary_types_allowed=True)


class EntitlementName(NamedTuple):
    """An entitlement as a person writes it: the source, and its name or immutable id there."""

    source: str
    name: str


class Freeze(NamedTuple):
    """Days without any write, both included."""

    first: date
    last: date


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, no name at all, a folder of zones
        raise ValueError(unknown("timezone", name, ["Europe/London", "America/New_York", "UTC", "… any IANA name"])) from None
    return name


def _entitlement(text: object) -> EntitlementName:
    source, colon, name = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not (source and colon and name):
        raise ValueError(f'expected "source:name", as in "ad:All Staff", found {text!r}')
    return EntitlementName(source, name)


def _freeze(text: object) -> Freeze:
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)", text) if isinstance(text, str) else None
    try:
        freeze = Freeze(date.fromisoformat(found[1]), date.fromisoformat(found[2])) if found else None
    except ValueError:
        freeze = None
    if freeze is None or freeze.last < freeze.first:
        raise ValueError(f'expected two dates, first to last, as in "2026-12-18/2027-01-04", found {text!r}')
    return freeze


class Hours(NamedTuple):
    """The time of day in which changes are made; one that ends before it begins lasts over midnight."""

    first: time
    last: time

    def hold(self, now: time) -> bool:
        if self.first <= self.last:
            return self.first <= now < self.last
        return now >= self.first or now < self.last


def _hours(text: object) -> Hours:
    found = re.fullmatch(r"(\d\d:\d\d)-(\d\d:\d\d)", text) if isinstance(text, str) else None
    try:
        hours = Hours(time.fromisoformat(found[1]), time.fromisoformat(found[2])) if found else None
    except ValueError:
        hours = None
    if hours is None or hours.first == hours.last:
        raise ValueError(f'expected two times of day, as in "09:00-17:00" or "22:00-05:00", found {text!r}')
    return hours


class Sink(NamedTuple):
    """Where a journal's head is sent: the form, the place in it, and both as they were written."""

    form: str  # file, syslog, mail
    place: str  # a path; a socket's path or host[:port], empty for this machine's own; addresses
    text: str


_SINKS = '"file:PATH", "syslog:", "syslog:HOST:PORT" or "mail:ADDRESS"'


def _sink(text: object, info: ValidationInfo) -> Sink:
    form, colon, place = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon or form not in ("file", "syslog", "mail") or (form != "syslog" and not place):
        raise ValueError(f"expected {_SINKS}, found {text!r}")
    if form == "mail" and not all(re.fullmatch(r"[^@\s,]+@[^@\s,]+", address) for address in place.split(",")):
        raise ValueError(f'expected addresses, as in "mail:security@example.com", found {text!r}')
    if form == "syslog" and not re.fullmatch(r"|/.+|([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", place):
        raise ValueError(
            f'expected this machine\'s own, as in "syslog:", a socket or a host, as in "syslog:log.example.com:514", found {text!r}'
        )
    if form == "file":
        place = str(Path((info.context or {}).get("base", ".")).absolute() / place)
    return Sink(form, place, str(text))


def _cron(text: str) -> str:
    parse(text)
    return text


def _database(text: object, info: ValidationInfo) -> object:
    """A relative SQLite file lies beside the configuration, not wherever the program was started."""
    found = re.fullmatch(r"(sqlite(?:\+\w+)?:///)([^/:].*)", text) if isinstance(text, str) else None
    base = Path((info.context or {}).get("base", ".")).absolute()
    if isinstance(text, str) and "://" not in text and not _is_reference(text):
        raise ValueError(f"expected a database URL, as in sqlite:///var/reconciler.db or {_REFERENCES}")
    return f"{found[1]}{base / found[2]}" if found else text


_REFERENCES = "a reference to one: env:NAME, file:PATH, cred:NAME, keyring:SERVICE/USER"


def _is_reference(text: str) -> bool:
    return re.match(r"(env|file|cred|keyring):", text) is not None


def _when(value: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    for name, words in value.items():
        if name not in WHEN:
            raise ValueError(unknown("column", name, WHEN))
        for word in words if name == "status" else ():
            if word not in tables.STATUSES:
                raise ValueError(unknown("status", word, tables.STATUSES))
    return value


def _span(value: object) -> object:
    return duration(value) if isinstance(value, str) else value


_TEXT = {"type": "string"}
Text = Annotated[str, Field(min_length=1)]
Words = Annotated[tuple[Text, ...], Field(strict=False)]
Span = Annotated[timedelta, BeforeValidator(_span), WithJsonSchema({**_TEXT, "pattern": r"^\d{1,6}[mhdw]$"})]
EntitlementRef = Annotated[EntitlementName, BeforeValidator(_entitlement), WithJsonSchema({**_TEXT, "pattern": "^[^:]+:.+"})]
Entitlements = Annotated[tuple[EntitlementRef, ...], Field(strict=False)]
FreezeRef = Annotated[
    Freeze, BeforeValidator(_freeze), WithJsonSchema({**_TEXT, "pattern": r"^\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d$"})
]
HoursRef = Annotated[Hours, BeforeValidator(_hours), WithJsonSchema({**_TEXT, "pattern": r"^\d\d:\d\d-\d\d:\d\d$"})]
SinkRef = Annotated[Sink, BeforeValidator(_sink), WithJsonSchema({**_TEXT, "pattern": "^((file|mail):.+|syslog:.*)$"})]
_WHEN_SCHEMA = {
    "type": "object",
    "propertyNames": {"enum": list(WHEN)},
    "additionalProperties": {"type": "array", "items": _TEXT},
}
When = Annotated[Mapping[str, Words], AfterValidator(_when), WithJsonSchema(_WHEN_SCHEMA)]


class Organisation(Section):
    name: Text = Field("Our organisation", description="Shown in reports.")
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="IANA zone of people whose own zone is unknown.")


class State(Section):
    dir: FileRef = Field(Path("var"), description="Snapshots, reports and plans; made with mode 0700.")
    database: Annotated[str, BeforeValidator(_database)] = Field(
        "sqlite:///var/reconciler.db", description="A SQLAlchemy URL, or a secret reference to one."
    )

    @model_validator(mode="before")
    @classmethod
    def _beside_the_state(cls, raw: Any) -> Any:
        """Without a database of its own, it lies in `dir`."""
        if isinstance(raw, dict) and isinstance(raw.get("dir"), str) and "database" not in raw:
            return {**raw, "database": f"sqlite:///{raw['dir'].rstrip('/')}/reconciler.db"}
        return raw

    def url(self, base: Path = Path()) -> str:
        """The database's URL; raises UsageError when it is a reference that cannot be read."""
        return Secret(self.database, base).reveal() if _is_reference(self.database) else self.database


class Matching(Section):
    keys: Annotated[tuple[Literal["employee_id", "anchor", "upn", "email", "alias"], ...], Field(strict=False, min_length=1)] = (
        Field(MATCH_KEYS, description="Exact keys in order, from sure to weak.")  # type: ignore[arg-type] # literals in a constant
    )
    names: Literal["off", "suggest"] = Field("suggest", description="A match by name is proposed, never acted on.")


class Exempt(Section):
    accounts: Words = Field((), description='Login patterns such as "svc-*", or "source:immutable-id".')


class AccessRule(Section):
    """Who is expected to hold what: everybody whose columns hold one of the words."""

    name: Text
    when: When = Field(default_factory=dict, description="Column of people: the words of which it must hold one.")
    accounts: Words = Field((), description="Sources in which an account is expected.")
    entitlements: Entitlements = Field((), description='"source:name" or "source:immutable-id".')


class ConflictRule(Section):
    """Separation of duties: nobody holds one of each."""

    name: Text
    holding: Annotated[Entitlements, Field(min_length=1)]
    and_holding: Annotated[Entitlements, Field(min_length=1)]


class Limit(Section):
    """Over both `count` and `percent` of the population, the plan stops. A count of 0 forbids, 100 percent lifts."""

    count: int | None = Field(None, ge=0)
    percent: float | None = Field(None, ge=0, le=100)


class Mail(Section):
    """The relay that takes mail from here: encrypted unless it is this machine."""

    host: Text
    port: int = Field(587, ge=1, le=65535, description="465: encrypted from the first byte.")
    sender: Text
    username: Text | None = None
    password: SecretRef | None = None
    ca_file: FileRef | None = None


class Remediation(Section):
    enabled: bool = Field(False, description="Plans only, until an administrator changes this.")
    approval: Literal["two-person", "one-person"] = Field("two-person", description="May the maker of a plan approve it?")
    expires: Span = Field(timedelta(hours=24), description="How long a plan may be applied after it was made.")
    limits: Mapping[str, Limit] = Field(
        {"default": {"count": 10, "percent": 2}, "rolling_7d": {"percent": 5}},  # type: ignore[dict-item] # validated like the file's
        description="Per class of change (or remedy) and source.",
    )
    protected: Words = Field((), description='Accounts and groups nobody changes: "source:immutable-id".')
    freeze: Annotated[tuple[FreezeRef, ...], Field(strict=False)] = Field((), description="Days without writes, both included.")
    hours: Mapping[str, HoursRef] = Field(
        default_factory=dict, description="Per class of change: when it may be made, by the organisation's clock."
    )
    approvers: Words = Field((), description="User names that may approve; empty: anybody but the maker.")
    remedies: Mapping[str, Words] = Field(default_factory=dict, description="Policy: the remedies to use instead of its own.")
    quarantine: Mapping[str, Text] = Field(default_factory=dict, description="Source: the container for leavers.")
    joiners: Mapping[str, Text] = Field(default_factory=dict, description="Source: the container for new accounts.")
    delete_after: Span | None = Field(None, description="How long after the last day delete-after-grace deletes; unset: never.")
    writes_per_minute: int = Field(300, ge=1, description="The most changes to one source in any minute.")
    ship_head: Annotated[tuple[SinkRef, ...], Field(strict=False)] = Field(
        (), description=f"Where the journal's head is sent: {_SINKS}."
    )
    mail: Mail | None = Field(None, description="The relay that takes mail from here.")

    @model_validator(mode="after")
    def _relayed(self) -> Remediation:
        if self.mail is None and any(sink.form == "mail" for sink in self.ship_head):
            raise ValueError(
                'ship_head has a "mail:", which needs mail = { host = "smtp.example.com", sender = "reconciler@example.com" }'
            )
        return self


class Report(Section):
    formats: Annotated[Words, Field(min_length=1)] = Field(("html", "csv", "jsonl"), description="Short names of report plugins.")
    dir: FileRef = Field(Path("var/reports"), description="One folder per run.")


class Schedule(Section):
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        "5 2 * * *",
        description="Minute, hour, day of month, month, day of week (0 and 7 are Sunday), in the organisation's zone.",
    )
