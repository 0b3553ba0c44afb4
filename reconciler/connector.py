"""What a connector author imports: what a reader yields, and the errors it raises.

A connector is one file in `connectors/` that offers

    Settings                                 a subclass of ConnectorSettings; its fields are the config keys
    read(settings, context) -> Iterator[Answer]
    NEEDS                                    the permissions it uses, for `doctor` and the docs
    examine(settings, context)               optional: what `doctor` asks beyond a whole read (reconciler/check.py)

and, where a source can be asked for single accounts,

    whereabouts(settings, context, ids) -> Mapping[str, str]
                                             each of these accounts, read by its id: "there", "deleted" (in the bin),
                                             "elsewhere" (outside of what is read), "gone", or "unseen" (a gone one would show
                                             in the bin, and it is not there); left out where nobody can tell
    held(settings, context, pairs) -> Mapping[pair, bool]
                                             whether each account has each entitlement directly, asked for by itself and not by
                                             the list of its members; left out where nobody can tell

`read` either runs to its end, and then everything it yielded is a whole answer, or it raises.
There is no way to hand over a part: a failed page, a short list or a broken chain is an exception.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, WithJsonSchema

from reconciler.clock import duration
from reconciler.errors import AccessRefused, Incomplete, SourceError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "AccessRefused", "Answer", "AsOf", "ConnectorSettings", "Context", "Defect", "Ended", "FileRef", "Identity",
    "Incomplete", "Late", "Need", "Noticed", "Page", "Right", "Secret", "SourceError", "Span", "Unreadable", "duration", "needed", "page", "together",
]  # fmt: skip


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """Who answered: domain SID, tenant id, customer id or HR company. Pinned on the first accepted night."""

    value: str


@dataclass(frozen=True)
class AsOf:
    """How old the answer is by its own account (a file's time, a content date); UTC."""

    instant: datetime


@dataclass(frozen=True)
class Page:
    """Rows of one table, as columns of equal length (lists, or Arrow arrays, which are taken in five times as fast).

    A reader that must hold everything before it may hand anything over collects it in `reconciler.columns`.

    Column names are those of `tables.TABLES[table]`. A column left out is null in every row: the source did not tell. `stands_for` is how many rows of the
    source this page accounts for, when identical duplicates were collapsed; otherwise its own length.
    """

    table: str
    columns: Mapping[str, Sequence[Any] | pa.Array]
    scope: str = ""
    stands_for: int | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def values(self, name: str) -> Sequence[Any]:
        """A column as Python values; empty where the page has no such column."""
        column = self.columns.get(name, ())
        return column if isinstance(column, Sequence) else column.to_pylist()

    def rows(self) -> list[dict[str, Any]]:
        """The page row by row, as Python values: to look at it, not for many."""
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*map(self.values, self.columns), strict=True)]


@dataclass(frozen=True)
class Ended:
    """A scope ("users", "members of 3 groups") came to its proper end; `declared` is an independent count of its rows.

    `lags` says that the count is kept by another index, which may be behind: a scope that is short of it, at a second look
    too, is doubted, and somebody may accept it; without `lags` it is no answer at all.
    """

    scope: str
    pages: int
    rows: int
    declared: int | None = None
    lags: bool = False


@dataclass(frozen=True)
class Right:
    """One permission that this identity was seen to hold tonight, or not to hold; `told` says how it was seen.

    A source that has lost an essential one is not believed, whatever it answers.
    """

    permission: str
    held: bool
    told: str = ""
    essential: bool = True


@dataclass(frozen=True)
class Unreadable:
    """An optional area this identity may not read; what stands on it is not assessed, never "no".

    `area` is one of tables.AREAS; `reason` is the source's own words; `fix` is what to grant.
    """

    area: str
    reason: str
    fix: str = ""


@dataclass(frozen=True)
class Late:
    """How far an optional area may be behind what it tells of, by the source's own rules."""

    area: str
    delay: timedelta


@dataclass(frozen=True)
class Noticed:
    """What whoever reads the findings should know of a source, and no policy asks: told beside them, night after night.

    No plan changes the accounts in `by_hand`, by their ids: what they are is for a person to sort out.
    """

    told: str
    by_hand: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defect:
    """One row of a roster that cannot be used as it stands: quarantined (the person is withheld) or rejected.

    `line` is the row's physical place, `column` the header as HR wrote it, `found` and `allowed` are HR's words.
    """

    employee_id: str | None
    line: int
    column: str
    found: str
    allowed: str
    problem: str
    rejected: bool = False
    name: str | None = None
    work_email: str | None = None  # so that the person's accounts are withheld, whatever key they carry


Answer = Identity | AsOf | Page | Ended | Right | Unreadable | Late | Noticed | Defect


@dataclass(frozen=True)
class Context:
    """What a reader is told about the night: the source's configured name, the one clock, and last night's figures."""

    source: str
    now: datetime
    last_rows: Mapping[str, int] = field(default_factory=dict)
    deadline_seconds: float = 3600.0
    wait: Callable[[float], None] = time.sleep  # how a reader waits before it tries again
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)  # this machine's own time; `now` may lie years from it


@dataclass(frozen=True)
class Need:
    """One permission a connector uses: its name where it is granted, what it reads, and what stops without it."""

    permission: str
    reads: str
    without: str
    area: str | None = None
    asked_by: str | None = None  # the setting that asks for it, where nobody reads it otherwise


def needed(needs: Iterable[Need], settings: object) -> list[Need]:
    """The permissions that a source is to use by its settings."""
    return [need for need in needs if need.asked_by is None or getattr(settings, need.asked_by)]


def page(table: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str], scope: str = "") -> Page:
    """Turn row mappings into a Page; a key a row lacks is null in it."""
    listed = list(rows)
    return Page(table, {name: [row.get(name) for row in listed] for name in columns}, scope)


# --- settings -----------------------------------------------------------------------------------------------

SECRET_FORMS = "env:NAME, file:PATH, cred:NAME, keyring:SERVICE/USER"


@dataclass(frozen=True)
class Secret:
    """A reference to a secret, never the secret: printing it shows where it lies, `reveal()` reads it."""

    reference: str
    base: Path = Path()

    def __str__(self) -> str:
        return self.reference

    __repr__ = __str__

    def reveal(self) -> str:
        """Read the secret; raises UsageError naming the reference and what is wrong with it."""
        form, _, name = self.reference.partition(":")
        return {"env": _from_env, "file": self._from_file, "cred": _from_credentials, "keyring": _from_keyring}[form](name)

    def _from_file(self, name: str) -> str:
        return _private_text(self.base / name, self.reference)


def _from_env(name: str) -> str:
    if not os.environ.get(name):
        raise UsageError(f"secret env:{name}: the environment variable {name} is {'empty' if name in os.environ else 'not set'}")
    return os.environ[name]


def _from_credentials(name: str) -> str:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise UsageError(
            f"secret cred:{name}: CREDENTIALS_DIRECTORY is not set; start under systemd with LoadCredential={name}:…"
        )
    return _private_text(Path(folder) / name, f"cred:{name}")


def _from_keyring(name: str) -> str:
    try:
        import keyring  # optional: only configurations that name a keyring need it
    except ImportError:
        raise UsageError(f"secret keyring:{name}: install the keyring package to use it") from None
    service, _, user = name.partition("/")
    try:
        found = keyring.get_password(service, user)
    except keyring.errors.KeyringError as problem:
        raise UsageError(f"secret keyring:{name}: the keyring does not answer: {problem}") from None
    if found is None:
        raise UsageError(f"secret keyring:{name}: nothing stored for user {user!r} of {service!r}")
    return str(found)


def _private_text(path: Path, reference: str) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except OSError as problem:
        raise UsageError(f"secret {reference}: cannot read {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"secret {reference}: {path} is not UTF-8 text") from None
    if not text.strip():
        raise UsageError(f"secret {reference}: {path} is empty")
    if mode & 0o077:
        log.warning("secret %s: %s can be read by others (mode %o); chmod 600 %s", reference, path, mode & 0o777, path)
    return text.rstrip("\r\n")


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not re.match(r"(env|file|cred|keyring):.", value):
        raise ValueError(f"a secret is a reference, never the value itself; allowed: {SECRET_FORMS}")
    return Secret(value, _base(info))


def _file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, (str, Path)):
        raise ValueError("expected a path")
    return _base(info) / Path(value).expanduser()


def _base(info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("base", "."))


def _span(text: str) -> str:
    duration(text)
    return text


_SECRET_SCHEMA = {"type": "string", "pattern": "^(env|file|cred|keyring):.+", "description": SECRET_FORMS}
_SPAN_SCHEMA = {"type": "string", "pattern": r"^\d{1,6}[mhdw]$"}

SecretRef = Annotated[Secret, BeforeValidator(_secret), WithJsonSchema(_SECRET_SCHEMA)]
FileRef = Annotated[Path, BeforeValidator(_file), WithJsonSchema({"type": "string"})]
Span = Annotated[str, AfterValidator(_span), WithJsonSchema(_SPAN_SCHEMA)]  # `duration` turns it into a timedelta


class ConnectorSettings(BaseModel):
    """Base of every connector's settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    kind: str
    max_age: Span = "26h"
    canaries: tuple[str, ...] = ()  # ids, logins, addresses or names that must be seen every night
    extra: dict[str, str] | list[str] = {}


# --- reading in parallel ------------------------------------------------------------------------------------


def together(chains: Iterable[Callable[[], Iterable[Answer]]], workers: int) -> Iterator[Answer]:
    """Run reading chains on `workers` threads and yield their answers as they come.

    The first exception stops every chain and is raised here: a parallel read is whole or it is nothing.
    At most `4 * workers` answers wait in memory.
    """
    waiting: queue.Queue[Answer | BaseException | None] = queue.Queue(4 * workers)
    todo = iter(chains)
    lock, stop = threading.Lock(), threading.Event()

    def put(item: Answer | BaseException | None) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def work() -> None:
        try:
            while not stop.is_set():
                with lock:
                    chain = next(todo, None)
                if chain is None:
                    break
                for answer in chain():
                    put(answer)
        except BaseException as problem:  # noqa: BLE001 - handed to the reading thread, which raises it
            put(problem)
        put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        running = workers
        while running:
            item = waiting.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        stop.set()
        for thread in threads:
            thread.join()
