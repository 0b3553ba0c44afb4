"""A company of five people with a roster and one directory, behind the real command line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)

# A connector of another package: one module and one entry point. It reads its accounts from a JSON file.
DIRECTORY = """
import json
from datetime import datetime
from pathlib import Path
from typing import Literal
from reconciler.connector import AccessRefused, ConnectorSettings, Ended, FileRef, Identity, Incomplete, Need, Page, SecretRef, Unreadable, page

NEEDS = (Need("read", "accounts", "everything"), Need("logs", "sign-ins", "dormant accounts", "sign_in"))

class Settings(ConnectorSettings):
    kind: Literal["toy_directory"]
    path: FileRef
    token: SecretRef | None = None

def read(settings, context):
    told = json.loads(Path(settings.path).read_text())
    if told.get("fails") == "refused":
        raise AccessRefused("the directory refused the reader: grant it the right to read")
    if told.get("fails") == "fault":
        raise ZeroDivisionError("a fault of the connector")
    yield Identity(told.get("identity", "S-1-5-21-1"))
    accounts = told["accounts"]
    for a in accounts:
        a.update({name: datetime.fromisoformat(a[name]) for name in ("created_at", "last_login_at") if a.get(name)})
    yield page("accounts", accounts, sorted({name for a in accounts for name in a}), "users")
    groups = sorted({g for a in told["groups"].values() for g in a})
    yield page("entitlements", [{"entitlement_id": f"g-{g}", "name": g, "kind": "group"} for g in groups], ["entitlement_id", "name", "kind"])
    held = [{"account_id": a, "entitlement_id": f"g-{g}", "via": "direct"} for a, listed in told["groups"].items() for g in listed]
    yield page("grants", held, ["account_id", "entitlement_id", "via"])
    if told.get("fails") == "cut":
        raise Incomplete("page 2 did not come")
    for area in told.get("unreadable", ()):
        yield Unreadable(area, "no permission", "grant it")
    yield Ended("users", 1, len(accounts), len(accounts))
"""
CONFIG = """
[organisation]
name = "Example Ltd"
timezone = "Europe/London"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
id_pattern = '\\d{6}'
max_drop_percent = 50
max_drop_7d_percent = 50
max_quarantined_percent = 50
statuses = { active = ["Active"], leave = ["LOA"], left = ["Terminated"], prehire = ["Accepted"] }
[connectors.ad]
kind = "toy_directory"
path = "ad.json"
[[access]]
name = "everyone"
when = { status = ["active"] }
accounts = ["ad"]
entitlements = ["ad:All Staff"]
[report]
formats = ["jsonl"]
"""
HEADER = "Employee ID,Given Name,Family Name,Work Email,Status,Start Date,Last Day,Department"
PEOPLE = [
    "000001,Ada,Byron,ada@example.com,Active,2020-01-06,,Finance",
    "000002,Bo,Chen,bo@example.com,Active,2020-01-06,,Finance",
    "000003,Jo,Doe,jo@example.com,Terminated,2020-01-06,2026-11-08,Legal",
    "000004,Zoë,Ek,zoe@example.com,Active,2020-01-06,,Legal",
    "000005,Di,Fox,di@example.com,Active,2020-01-06,,Legal",
]


def account(number: int, login: str, **facts: Any) -> dict[str, Any]:
    return {
        "account_id": f"a-{number}", "login": login, "email": f"{login}@example.com", "employee_id": f"{number:06d}", "kind": "person",
        "enabled": True, "last_login_at": "2026-11-20T08:00:00+00:00", "created_at": "2020-01-06T08:00:00+00:00", **facts,
    }  # fmt: skip


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass
class Estate:
    """The company's files, and its command line. Jo has left and can still sign in; nobody knows `ghost`; Di has no account."""

    folder: Path
    plugins: Path
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    trouble: dict[str, Any] = field(default_factory=dict)
    people: list[str] = field(default_factory=lambda: list(PEOPLE))
    nights: int = 0

    def write(self) -> None:
        (self.folder / "roster.csv").write_text("\n".join([HEADER, *self.people]) + "\n", "utf-8")
        told = {"accounts": list(self.accounts.values()), "groups": self.groups, **self.trouble}
        (self.folder / "ad.json").write_text(json.dumps(told))
        stamp = self.now.timestamp()
        os.utime(self.folder / "roster.csv", (stamp, stamp))

    @property
    def now(self) -> datetime:
        return NOW + timedelta(days=self.nights)

    def cli(self, *words: str, env: Mapping[str, str] | None = None, where: Path | None = None) -> Done:
        """The command line in this process: everything but the interpreter's start."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in ("RECONCILER_CONFIG", "NO_COLOR", "FORCE_COLOR"):
                patch.delenv(name, raising=False)
            for name, value in {"TERM": "xterm", **(env or {})}.items():
                patch.setenv(name, value)
            patch.syspath_prepend(self.plugins)
            patch.setattr(sys, "argv", ["reconciler", *words])
            patch.chdir(where or self.folder)
            with pytest.raises(SystemExit) as ended:
                main()
            for stream in (out, err):
                stream.flush()
        texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
        return Done(ended.value.code, *texts)  # type: ignore[arg-type]

    def process(self, *words: str, env: Mapping[str, str] | None = None) -> Done:
        """The command line as a process of its own."""
        paths = os.pathsep.join(str(path) for path in (self.folder, self.plugins, ROOT))
        command = [sys.executable, "-m", "reconciler", *words]
        told = {**os.environ, "PYTHONPATH": paths, **(env or {})}
        done = subprocess.run(command, cwd=self.folder, env=told, capture_output=True, timeout=120)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def night(self, *words: str) -> Done:
        """One run at the next night's hour."""
        self.write()
        done = self.cli("run", "--as-of", self.now.isoformat(), *words)
        self.nights += 1
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        done = self.cli(*words, "--format", "json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


def build(folder: Path, plugins: Path) -> Estate:
    (folder / "config.toml").write_text(CONFIG)
    made = Estate(folder, plugins)
    for number, login in ((1, "ada"), (2, "bo"), (3, "jo"), (4, "zoe")):
        made.accounts[login] = account(number, login)
        made.groups[f"a-{number}"] = ["All Staff"]
    made.accounts["ghost"] = account(9, "ghost", employee_id=None)
    made.write()
    return made


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "toy_directory.py").write_text(DIRECTORY)
    about = folder / "toy_directory-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-directory\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[reconciler.connectors]\ntoy_directory = toy_directory\n")
    return folder


@pytest.fixture
def estate(tmp_path: Path, plugin_folder: Path) -> Estate:
    """The company before its first night."""
    return build(tmp_path, plugin_folder)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Estate:
    """The company after two nights: Jo's account was disabled, Bo's department changed. To be read, not changed."""
    made = build(tmp_path_factory.mktemp("lived"), plugin_folder)
    assert made.night().returncode == 0
    made.accounts["jo"]["enabled"] = False
    made.accounts["zoe"]["department"] = "Sales"
    made.people[1] = made.people[1].replace("Finance", "Sales")
    assert made.night().returncode == 0
    return made
