"""Reading Google Workspace: ours beside the stock googleapiclient loop and GAM7, on the same pages of the embedded company.

The server runs in a process of its own. First without delay, where the reader's own cost shows, contestants in turns, the
median of five; then with 300 ms a page, which is what a user of the real service sees, once each.

Like for like: the same pages of the same server, the same query, without TLS. Not like for like: ours turns every user into
the columns of an account and checks every page, where the stock loop keeps the dicts. GAM, the administrators' own tool, is
timed whole, and what its start takes stands below; it prints CSV, and asks the same server process over TLS, through a proxy,
as it asks the real host names only. Far away, ours lists users and groups
twice (the second time by id, in the other order, to be sure that nobody was missed) in parallel chains within Google's
quotas, where the stock loop does one request after the other and lists once; the stock loop reads the members of a sample
of the groups, and the rest is worked out from it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httplib2
from google.oauth2 import service_account
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

from benchmarks import gam
from connectors.google_workspace import ESSENTIAL, Settings, _Reading
from reconciler.connector import Context
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.google import Customer, group, user
from reconciler.sandbox.google_server import serve_google
from reconciler.sandbox.tls import Authority

ADMIN, GROUPS, MEMBERS, SAMPLED = "admin@example.com", 2000, 5, 60
FAR = 0.3  # seconds a page
Row = dict[str, Any]


def measure(users: int = 10_000) -> list[Row]:
    """Every comparison: what was read, whose code, seconds of wall and CPU, users or objects a second, and the ratio to ours."""
    with tempfile.TemporaryDirectory() as name:
        key = Path(name) / "key.json"
        with served(users, 0.0, key) as near:
            rows = _one_chain(near.url, key, users)
            by_gam = list(_gam(near, Path(name), users))
        with served(users, FAR, key) as far:
            rows += _far_away(far.url, key, users)
    return rows + by_gam


# --- without delay: the reader's own cost -------------------------------------------------------------------------


def _one_chain(url: str, key: Path, users: int, turns: int = 5) -> list[Row]:
    """Users alone, one chain of pages of 500, in turns; the median of each."""
    contestants: dict[str, Callable[[], int]] = {
        "ours, pages to accounts": lambda: sum(len(page.known_by) for page in _ours(url, key)._list_users()),
        "googleapiclient + httplib2, pages to dicts": lambda: sum(1 for _ in _stock_users(_stock(url, key))),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, run in contestants.items():
            times[name].append(_timed(run, users + 1))
    what = f"{users} users, one chain, no delay"
    return [_row(what, name, statistics.median(w for w, _ in told), statistics.median(c for _, c in told), users) for name, told in times.items()]  # fmt: skip


def _timed(run: Callable[[], int], wanted: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    if found != wanted:
        raise AssertionError(f"read {found} of {wanted}")
    return spent


def _gam(company: Served, folder: Path, users: int, turns: int = 3) -> Iterator[Row]:
    """GAM's listing of users, and its start alone; the median of each."""
    program = gam.installed()
    if program is None:
        yield {"what": f"{users} users, no delay", "whose": "GAM (not to be had here)", "wall": 0.0, "cpu": 0.0, "per_second": 0}
        return
    with gam.configured(program, folder, company.tls_port, company.customer, ADMIN) as gam7:
        whole = [gam7.timed("print", "users", "allfields") for _ in range(turns)]
        start = [gam7.timed("print", "users", "query", f"email={ADMIN}") for _ in range(turns)]
    if {lines for lines, _, _ in whole} != {users + 1} or {lines for lines, _, _ in start} != {1}:
        raise AssertionError(f"GAM read {whole} of {users + 1} users")
    for what, whose, told, rows in (
        (f"{users} users, no delay", f"GAM {gam.version()}, print users allfields", whole, users),
        ("one user, no delay", f"GAM {gam.version()}, print users of one address: its start", start, 1),
    ):
        yield _row(what, whose, statistics.median(w for _, w, _ in told), statistics.median(c for _, _, c in told), rows)


# --- 300 ms a page: what a user sees ------------------------------------------------------------------------------


def _far_away(url: str, key: Path, users: int) -> list[Row]:
    """Users, groups and the members of every group: ours whole; the stock loop's members sampled and scaled up."""
    reading = _ours(url, key)
    wall, cpu = time.perf_counter(), time.process_time()
    list(reading.essentials())
    ours = time.perf_counter() - wall, time.process_time() - cpu
    if (len(reading.accounts), len(reading.membership.members.people)) != (users + 1, GROUPS):
        raise AssertionError(f"read {len(reading.accounts)} users and {len(reading.membership.members.people)} groups")
    what = f"{users} users, {GROUPS} groups and their members, {FAR * 1000:.0f} ms a page"
    objects = users + GROUPS * (1 + MEMBERS)
    stock = f"googleapiclient + httplib2, one after the other (members of {SAMPLED} groups measured, scaled to {GROUPS})"
    return [_row(what, "ours, users and groups listed twice", *ours, objects), _row(what, stock, *_stock_far(url, key), objects)]


def _stock_far(url: str, key: Path) -> tuple[float, float]:
    service = _stock(url, key)
    wall, cpu = time.perf_counter(), time.process_time()
    sum(1 for _ in _stock_users(service))
    groups = list(_paged(service.groups(), "groups", customer="my_customer", maxResults=200))
    between = time.perf_counter(), time.process_time()
    for one in groups[:SAMPLED]:
        list(_paged(service.members(), "members", groupKey=one["id"], maxResults=200))
    scale = len(groups) / SAMPLED
    after = time.perf_counter(), time.process_time()
    return between[0] - wall + scale * (after[0] - between[0]), between[1] - cpu + scale * (after[1] - between[1])


# --- the contestants ----------------------------------------------------------------------------------------------


def _ours(url: str, key: Path) -> _Reading:
    told = {"kind": "google_workspace", "credentials": f"file:{key}", "subject": ADMIN, "api_url": url}
    reading = _Reading(Settings.model_validate(told), Context("google", datetime.now(UTC)))
    list(reading.customer())  # a token is fetched and the connection stands
    return reading


def _stock(url: str, key: Path) -> Any:
    own = service_account.Credentials.from_service_account_file(str(key), scopes=ESSENTIAL, subject=ADMIN)
    http = AuthorizedHttp(own, httplib2.Http(timeout=60))
    made = build("admin", "directory_v1", http=http, static_discovery=True, client_options={"api_endpoint": url})
    made.customers().get(customerKey="my_customer").execute()
    return made


def _stock_users(service: Any) -> Iterator[Row]:
    return _paged(service.users(), "users", customer="my_customer", maxResults=500, projection="full", orderBy="email")


def _paged(resource: Any, name: str, **asked: Any) -> Iterator[Row]:
    """The loop as Google's own examples write it."""
    request, rows = resource.list(**asked), []
    while request is not None:
        answer = request.execute()
        rows += answer.get(name, [])
        request = resource.list_next(request, answer)
    return iter(rows)


def _row(what: str, whose: str, wall: float, cpu: float, objects: int) -> Row:
    return {"what": what, "whose": whose, "wall": round(wall, 2), "cpu": round(cpu, 2), "per_second": round(objects / wall)}


# --- the company, in a process of its own -------------------------------------------------------------------------


class Served(NamedTuple):
    """Where the company answers: without TLS, and on another port as the real hosts, to who trusts `ca.pem` beside the key."""

    url: str
    tls_port: int
    customer: str


@contextmanager
def served(users: int, delay: float, key: Path, essential: bool = False) -> Iterator[Served]:
    """A served company. It ends when its input is closed. `essential`: no other scope is delegated."""
    about = [str(users), str(delay), str(key), *(["essential"] if essential else [])]
    words = [sys.executable, "-m", "benchmarks.google_read", *about]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        url, port, customer = (process.stdout.readline() if process.stdout else "").split()
        yield Served(url, int(port), customer)
        process.communicate()


def serve(users: int, delay: float, key: Path, essential: bool) -> None:
    """Serve until the input ends."""
    customer, faults = _company(users), Faults([Fault("^GET", "delay", 0, delay)] if delay else [])
    authority = Authority()
    servers = [serve_google(customer, faults), serve_google(customer, faults, authority.context(gam.HOSTS))]
    plain, real = servers
    if essential:
        plain.tokens.delegated = frozenset(ESSENTIAL)
    customer.assign(customer.put_role("Reader"), real.tokens.client_id)  # GAM comes as the service account itself
    for server in servers:
        server.start()
    for name, text in ((key.name, plain.key_file()), (gam.KEY, real.key_file(gam.TOKENS)), (gam.CA, authority.pem)):
        (key.parent / name).touch(0o600)
        (key.parent / name).write_text(text)
    print(plain.url, real.port, customer.id, flush=True)
    sys.stdin.read()
    for server in servers:
        server.close()


def _company(users: int) -> Customer:
    """Users with what a real one has, about 1,400 bytes each; groups of a few members."""
    made = Customer()
    made.put_user(user(ADMIN, "Ada", "Administrator", isAdmin=True))
    mails = [f"person{n:06d}@example.com" for n in range(users)]
    for n, mail in enumerate(mails):
        made.put_user(_person(n, mail))
    for n in range(GROUPS):
        here = made.put_group(group(f"group{n:05d}@example.com", f"Group {n}"))
        for k in range(MEMBERS):
            made.join(here, mails[(n * MEMBERS + k) % users])
    return made


def _person(n: int, mail: str) -> Row:
    return user(
        mail, f"Given{n}", f"Family{n}", lastLoginTime="2026-11-20T08:30:00.000Z", orgUnitPath=f"/Staff/Department {n % 40}",
        externalIds=[{"type": "organization", "value": f"{n:06d}"}], relations=[{"type": "manager", "value": f"person{n // 10:06d}@example.com"}],
        organizations=[{"primary": True, "name": "Example Ltd", "title": f"Title {n % 90}", "department": f"Department {n % 40}", "costCenter": "4711", "type": "work"}],
        phones=[{"type": "work", "value": f"+44 20 7946 {n % 10_000:04d}"}], recoveryEmail=f"private{n}@elsewhere.example",
        nonEditableAliases=[f"{mail}.test-google-a.com"], aliases=[f"p{n}@example.com"], customSchemas={"HR": {"grade": str(n % 9)}},
    )  # fmt: skip


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] == ["essential"])
