"""What the sweep reads: each system with so few rows a page that every listing has several, and one reader of it."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from connectors import _google_access, active_directory, google_workspace, microsoft365
from reconciler import plugins
from reconciler.connector import Answer, Context, Identity
from reconciler.pull import Pulled, Source, pull
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import READER, microsoft
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.tls import Authority
from reconciler.snapshots import Archive, Snapshot
from tests.google_company import ADMIN, company, served
from tests.graph_tenant import small_tenant
from tests.sandbox import ldap_estate
from tests.sweep.verdicts import Truth, truth_of

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
SIZES = (5, 60, 130)  # people in a directory
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d[0-9a-z]{10,}(?=[/?])|(?<=/)[^/?]+@[^/?]+(?=[/?])")
_TOKEN = re.compile(r"&?(\$skiptoken|pageToken)=[^&]*")


@dataclass(frozen=True)
class Place:
    """One page of one endpoint: what its request looks like, and which of those requests it is."""

    endpoint: str
    on: str
    at: int


@dataclass
class Subject:
    """One system that is served, and what an undisturbed reading of it gives."""

    name: str
    faults: Faults
    always: tuple[Fault, ...]
    kind: str
    settings: Any
    folder: Path
    last: Snapshot | None = None  # of an undisturbed night

    def __post_init__(self) -> None:
        self.faults.reset(*self.always)
        found = list(self.answers())
        self.requests = list(self.faults.requests)
        self.truth: Truth = truth_of(found)
        self.identity = next(answer.value for answer in found if isinstance(answer, Identity))

    def answers(self) -> Sequence[Answer]:
        """Everything that the connector hands over."""
        return list(plugins.load("connectors", self.kind).read(self.settings, _context(self.kind)))

    def believed(self, *script: Fault) -> bool:
        """Whether a night under faults would be believed beside an undisturbed one before it."""
        self.last = self.last or self._night(None).snapshot
        assert self.last is not None
        return self._night(self.last, *script).report.state == "complete"

    def _night(self, last: Snapshot | None, *script: Fault) -> Pulled:
        self.faults.reset(*self.always, *script)
        source = Source(self.name, self.kind, self.settings, last, (last,) if last else ())
        return pull({self.name: source}, Archive(self.folder / self.kind), NOW, lambda *told: None, lambda seconds: None)[
            self.name
        ]

    def under(self, *script: Fault) -> Callable[[], Sequence[Answer]]:
        """A reading under faults."""

        def read() -> Sequence[Answer]:
            self.faults.reset(*self.always, *script)
            return list(self.answers())

        return read

    def places(self) -> list[Place]:
        """Every page of every endpoint; of endpoints that differ by an id alone, the one with the most pages stands for all."""
        lines = Counter(_TOKEN.sub("", line) for line in self.requests)
        longest: dict[str, str] = {}
        for line, pages in lines.items():
            kind = _ID.sub("{}", line)
            longest[kind] = line if kind not in longest or pages > lines[longest[kind]] else longest[kind]
        return [
            Place(kind, f"^{re.escape(line)}(&({'|'.join((re.escape('$skiptoken'), 'pageToken'))})=.*)?$", at)
            for kind, line in longest.items()
            for at in range(1, lines[line] + 1)
        ]

    def steps(self) -> list[Place]:
        """Every request, one after the other, for a reader that asks them in order."""
        return [Place(line, ".", at) for at, line in enumerate(self.requests, 1)]


def _context(source: str) -> Context:
    return Context(source, NOW, deadline_seconds=600, wait=lambda seconds: None)


def _secret(folder: Path, text: str) -> str:
    path = Path(tempfile.mkstemp(dir=folder)[1])
    path.write_text(text)
    return f"file:{path}"


@contextmanager
def directory(people: int, folder: Path, authority: Authority) -> Iterator[Subject]:
    made = ldap_estate.estate(people)
    made.user(f"CN=gone,{ldap_estate.STAFF}", "gone", employeeID="gone")
    made.delete(f"CN=gone,{ldap_estate.STAFF}")
    with LdapServer(made, Faults(), authority.context()) as server:
        told = {"kind": "active_directory", "urls": [server.url], "bases": [ldap_estate.BASE], "username": ldap_estate.READER,
                "password": _secret(folder, ldap_estate.READ), "ca_file": str(folder / "ca.pem"), "page_size": 40}  # fmt: skip
        settings = active_directory.Settings.model_validate(told)
        yield Subject(f"Active Directory, {people} people", server.faults, (), "active_directory", settings, folder / str(people))


@contextmanager
def tenant(folder: Path) -> Iterator[Subject]:
    server = microsoft(small_tenant(), Faults())
    server.start()
    told = {"kind": "microsoft365", "tenant": server.tenant.id, "client_id": READER.client_id, "client_secret": _secret(folder, READER.secret or ""),
            "login_url": server.url, "graph_url": f"{server.url}/v1.0", "mailboxes": True}  # fmt: skip
    settings = microsoft365.Settings.model_validate(told)
    short = Fault("GET .*v1.0/", "short_pages", at=0, value=5)
    yield Subject("Microsoft 365", server.faults, (short,), "microsoft365", settings, folder)
    server.close()


@contextmanager
def customer(folder: Path) -> Iterator[Subject]:
    held = company(8, 3)
    held.page_cap = 3
    made = served(held)
    told: dict[str, Any] = {"kind": "google_workspace", "credentials": _secret(folder, made.server.key_file()), "subject": ADMIN, "api_url": made.url,
            "licence_queries_per_minute": 100_000, "queries_per_minute": 10_000_000, "products": ["Google-Apps", "101034", "101031"]}  # fmt: skip
    settings = google_workspace.Settings.model_validate(told)
    once = _google_access._account(settings)  # to read the key takes half of a reading
    with mock.patch.object(_google_access, "_account", lambda _: once):
        yield Subject("Google Workspace", made.server.faults, (), "google_workspace", settings, folder)
    made.close()


@contextmanager
def directories(folder: Path, sizes: Sequence[int] = SIZES) -> Iterator[Sequence[Subject]]:
    authority = Authority()
    (folder / "ca.pem").write_text(authority.pem)
    with ExitStack() as stack:
        yield [stack.enter_context(directory(size, folder, authority)) for size in sizes]


@contextmanager
def _directory(size: int, folder: Path) -> Iterator[Subject]:
    with directories(folder, (size,)) as (made,):
        yield made


SUBJECTS: Mapping[str, Callable[[Path], AbstractContextManager[Subject]]] = {
    "Google Workspace": customer, "Microsoft 365": tenant, **{f"directory of {size}": partial(_directory, size) for size in reversed(SIZES)}
}  # fmt: skip
