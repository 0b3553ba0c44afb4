"""Whole nights of the real command line over the real directory and a roster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.live.ad_estate import COLUMNS, GROUPS, ODD, STAFF, roster
from tests.live.directory import READER, Directory
from tests.live.domain import BASE

CONFIG = """
[organisation]
name = "Example Ltd"
timezone = "Europe/London"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
columns = {{ {columns} }}
statuses = {{ active = ["Active"], left = ["Terminated"] }}
worker_types = {{ employee = ["Regular"] }}
[connectors.ad]
kind = "active_directory"
urls = {urls}
bases = {bases}
username = "{reader}"
password = "file:{password}"
ca_file = "{ca_file}"
[[access]]
name = "everyone"
when = {{ status = ["active"] }}
accounts = ["ad"]
"""
BASES = [STAFF, ODD, GROUPS, f"CN=Users,{BASE}"]


@dataclass
class Nights:
    """A folder with a configuration; each `run` is a night of its own process, and tells what `run --format json` told."""

    company: Directory
    folder: Path
    left: dict[int, datetime] = field(default_factory=dict)  # people by number, and when they left
    night: Mapping[str, Any] = field(default_factory=dict)  # what the last one told

    def configure(self, **keys: Any) -> None:
        told = {
            "urls": json.dumps([self.company.dc.url]), "bases": json.dumps(BASES, ensure_ascii=False), "reader": READER,
            "password": self.company.password, "ca_file": self.company.dc.ca_file, "columns": ", ".join(f'{name} = "{name}"' for name in COLUMNS),
        }  # fmt: skip
        (self.folder / "config.toml").write_text(CONFIG.format(**{**told, **keys}), "utf-8")

    def cli(self, *words: str, **environment: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "reconciler", "--config", str(self.folder / "config.toml"), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, env={**os.environ, **environment}
        )
        return done.returncode, done.stdout, done.stderr

    def run(self, *words: str) -> dict[str, Any]:
        (self.folder / "roster.csv").write_text(roster(self.company.odd, self.company.now, self.left), "utf-8")
        code, out, err = self.cli("run", "--format", "json", *words)
        assert out, err
        told: dict[str, Any] = json.loads(out)
        assert told["exit"] == code, err
        self.night = told
        return told

    def findings(self, *words: str) -> list[Mapping[str, Any]]:
        _, out, err = self.cli("findings", "--format", "json", *words)
        assert out, err
        found: list[Mapping[str, Any]] = json.loads(out)
        return found


def source(told: Mapping[str, Any], name: str = "ad") -> Mapping[str, Any]:
    """What a night told of one source."""
    return next(one for one in told["sources"] if one["name"] == name)
