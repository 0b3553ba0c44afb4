"""A company of five people whose one directory can be written to, behind the real command line."""

from __future__ import annotations

import json
import os
import shutil
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CONFIG, DIRECTORY, Done, Estate, build

# The writing side of the toy directory: its accounts are a JSON file; `faults` beside them say how it misbehaves.
WRITER = """
from reconciler.errors import SourceError
from reconciler.writer import Changed, Refused, Unknown

WRITES = frozenset({"enabled", "entitlement", "attribute", "sessions", "create", "delete"})

def cannot(change, facts):
    return "the group is filled by a rule" if facts.entitlement and facts.entitlement["name"] == "Dynamic" else None

def instruct(change, facts):
    return f"toy {change.kind} {change.account}"

def own(settings):
    return ["reader"]

def writer(settings, context):
    return Toy(Path(settings.path))

class Toy:
    settles = 0.2

    def __init__(self, path):
        self.path = path

    def told(self):
        return json.loads(self.path.read_text())

    def identity(self):
        return self.told().get("identity", "S-1-5-21-1")

    def own(self):
        return ["a-99"]

    def state(self, change):
        told = self.told()
        accounts = {a["account_id"]: a for a in told["accounts"]}
        if change.kind == "create":
            found = [a["account_id"] for a in told["accounts"] if a.get("employee_id") == change.after["employee_id"]]
            return found[0] if found else None
        if change.account not in accounts:
            raise Changed(None, "no such account")
        account = accounts[change.account]
        if change.kind == "entitlement":
            return change.target[2:] in told["groups"].get(change.account, [])
        if change.kind == "delete":
            return "deleted" if account.get("state_reason") == "deleted" else "live"
        return account.get({"attribute": change.target, "sessions": "revoked_at"}.get(change.kind, change.kind))

    def write(self, change):
        told, faults = self.told(), self.told().get("faults", {})
        if change.kind in faults.get("refuse", ()):
            raise Refused("insufficient rights")
        if change.kind in faults.get("lose_before", ()):
            told["faults"]["lose_before"].remove(change.kind)
            self.path.write_text(json.dumps(told))
            raise Unknown("cut")
        self.change(told, change)
        lost = change.kind in faults.get("lose", ())
        if lost:
            told["faults"]["lose"].remove(change.kind)
        told["writes"] = [*told.get("writes", []), [change.kind, change.account, change.target, change.key]]
        self.path.write_text(json.dumps(told))
        if lost:
            raise Unknown("cut")

    def change(self, told, change):
        account = next((a for a in told["accounts"] if a["account_id"] == change.account), None)
        if change.kind == "create":
            login = change.after["email"].partition("@")[0]
            made = {"account_id": f"a-{len(told['accounts']) + 1}", "login": login, "kind": "person", **change.after}
            told["accounts"].append(made)
        elif change.kind == "entitlement":
            held = [g for g in told["groups"].get(change.account, []) if g != change.target[2:]]
            told["groups"][change.account] = held + [change.target[2:]] if change.after else held
        elif change.kind == "sessions":
            account["revoked_at"] = "2026-11-22T03:00:00Z"
        elif change.kind == "delete":
            account.update(enabled=change.after == "live", state_reason="deleted" if change.after == "deleted" else None)
        else:
            account[{"attribute": change.target}.get(change.kind, change.kind)] = change.after

    def close(self):
        pass
"""
READS = DIRECTORY.replace("toy_directory", "toy_writable").replace(
    "sorted({name for a in accounts for name in a})", 'sorted({name for a in accounts for name in a} - {"revoked_at"})'
)
REMEDIATION = """
[remediation]
enabled = true
approval = "one-person"
"""


class Company(Estate):
    """The same five people, with what they were changed to carried from night to night."""

    def read_back(self) -> None:
        """Take over what was written to the directory."""
        told = json.loads((self.folder / "ad.json").read_text())
        self.accounts = {a["login"]: a for a in told["accounts"]}
        self.groups = told["groups"]

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "ad.json").read_text())
        return found

    def settings(self, more: str) -> None:
        (self.folder / "config.toml").write_text(CONFIG.replace("toy_directory", "toy_writable") + more)

    def at(self, *words: str, hours: float = 1.0) -> Done:
        """A verb, some time after the last night."""
        when = self.now - timedelta(days=1) + timedelta(hours=hours)
        return self.cli(*words, "--as-of", when.isoformat())


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is on disk soon enough for a test; that it is waited for, test_killed tests."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="session")
def writable_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writable")
    (folder / "toy_writable.py").write_text(READS + WRITER)
    about = folder / "toy_writable-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-writable\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[reconciler.connectors]\ntoy_writable = toy_writable\n")
    return folder


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory, writable_folder: Path) -> Company:
    """The company after its first night. To be copied."""
    made = build(tmp_path_factory.mktemp("first"), writable_folder)
    made.__class__ = Company
    assert isinstance(made, Company)
    made.settings(REMEDIATION)
    assert made.night().returncode == 0
    return made


@pytest.fixture
def company(tmp_path: Path, first_night: Company) -> Company:
    """The company after its first night, whose baseline nobody has accepted yet."""
    shutil.copytree(first_night.folder, tmp_path / "company")
    return replace(deepcopy(first_night), folder=tmp_path / "company")
