"""How much memory a pull takes: four sources of as many people at once, read whole and frozen as snapshots.

A roster in CSV, Active Directory, Microsoft 365 and Google Workspace, each served by the embedded company's server in a process
of its own. The reader is one process that does what the night does first (`reconciler.pull.pull`): all four at the same time, every
page checked, every answer certified and written. Its peak is the most memory that it ever had, start of Python and of all
libraries included. People have everything filled in; in the directory everybody is in eight groups.

Google's applications that people have let in are left out: they are asked for one person at a time, at Google's pace.
The first row is a first night; the second is the night after, held against the first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import google_read, graph_read, ldap_servers
from benchmarks.machine import peak_mb

PEOPLE = 250_000
MOST_MB = 2**30 / 1e6  # a gibibyte
CROWD = 20  # people to a group of Active Directory, of which everybody is in eight
CONFIG = """
[organisation]
name = "Example Ltd"
timezone = "Europe/London"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
columns = {{ {columns} }}
statuses = {{ active = ["Active"] }}
[connectors.ad]
kind = "active_directory"
urls = ["{ldap}"]
bases = ["{base}"]
username = "{user}"
password = "file:password"
[connectors.m365]
kind = "microsoft365"
tenant = "{tenant}"
client_id = "{client_id}"
client_secret = "file:secret"
login_url = "{graph}"
graph_url = "{graph}/v1.0"
[connectors.google]
kind = "google_workspace"
credentials = "file:key.json"
subject = "{admin}"
api_url = "{google}"
queries_per_minute = 1000000
"""
COLUMNS = (
    "employee_id",
    "given_name",
    "family_name",
    "work_email",
    "status",
    "worker_type",
    "start_date",
    "department",
    "job_title",
    "manager_id",
)
Row = dict[str, Any]


def measure(people: int = PEOPLE) -> list[Row]:
    """A row for each of two nights: wall, CPU, peak in megabytes, and rows of every source and table."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        _served(people, folder, servers)
        (folder / "roster.csv").write_text(_roster(people))
        return [_pulled(folder, number) for number in (1, 2)]


def _served(people: int, folder: Path, servers: ExitStack) -> None:
    """Three servers, and a configuration that leads to them."""
    ldap = servers.enter_context(ldap_servers.embedded(people, people // CROWD))
    graph = servers.enter_context(graph_read.serving(people, graph_read.GROUPS))
    google = servers.enter_context(google_read.served(people, 0.0, folder / "key.json", essential=True))
    for secret, text in (("password", ldap["password"]), ("secret", graph_read.READER.secret)):
        (folder / secret).touch(0o600)
        (folder / secret).write_text(str(text))
    columns = ", ".join(f'{name} = "{name}"' for name in COLUMNS)
    told = {
        "ldap": ldap["url"],
        "base": ldap["base"],
        "user": ldap["user"],
        "graph": graph.url,
        "google": google.url,
        "columns": columns,
    }
    about = {"tenant": graph_read.TENANT, "client_id": graph_read.READER.client_id, "admin": google_read.ADMIN}
    (folder / "config.toml").write_text(CONFIG.format(**told, **about))


def _roster(people: int) -> str:
    lines = [
        f"{n:06d},Given{n},Family{n},user{n:06d}@example.com,Active,employee,2020-02-01,Department {n % 40},Engineer,{n // 10:06d}"
        for n in range(people)
    ]
    return "\n".join([",".join(COLUMNS), *lines, ""])


def _pulled(folder: Path, number: int) -> Row:
    """One night's pull, in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.memory_read", str(folder), str(number)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    made: Row = json.loads(done.stdout)
    return made


def pull_once(folder: Path, number: int) -> Row:
    """What the reader's process does and tells."""
    from reconciler import memory
    from reconciler.config import load
    from reconciler.pull import Source, pull
    from reconciler.run import archive_of

    memory.keep_heap()
    config, now = load(folder / "config.toml"), datetime.now(UTC)
    archive, last = archive_of(config), folder / "accepted.json"
    known = json.loads(last.read_text()) if last.exists() else {}
    sources = {
        name: Source(name, one.kind, one.settings, archive.open(known[name]) if name in known else None)
        for name, one in config.connectors.items()
    }
    begun, cpu = time.perf_counter(), time.process_time()
    pulled = pull(sources, archive, now, lambda source, table, rows: None)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    bad = [f"{name}: {'; '.join(one.report.reasons)}" for name, one in pulled.items() if one.snapshot is None]
    if bad:
        raise SystemExit("\n".join(bad))
    snapshots = {name: one.snapshot for name, one in pulled.items() if one.snapshot is not None}
    last.write_text(json.dumps({name: one.sha256 for name, one in snapshots.items()}))
    rows = {name: {table: about["rows"] for table, about in one.manifest["tables"].items()} for name, one in snapshots.items()}
    seconds = {name: round(one.report.seconds, 1) for name, one in pulled.items()}
    return {"night": number, "wall": wall, "cpu": cpu, "peak_mb": peak_mb(), "rows": rows, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(pull_once(Path(sys.argv[1]), int(sys.argv[2]))))
