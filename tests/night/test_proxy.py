"""The production configuration, host names unchanged, through the company's proxy and with its own authority."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.sandbox.company import Company
from reconciler.sandbox.embedded import GOOGLE_HOSTS, MICROSOFT_HOSTS, Embedded
from reconciler.sandbox.proxy import ConnectProxy

FIRST = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    served = Embedded(Company(FIRST), tmp_path).start()
    (tmp_path / "secrets" / "google.json").write_text(served.google.key_file("https://oauth2.googleapis.com/token"))
    (tmp_path / "config.toml").write_text(served.config(production=True), "utf-8")
    yield served
    served.close()


@pytest.fixture
def proxy(embedded: Embedded) -> Iterator[ConnectProxy]:
    routes = dict.fromkeys(MICROSOFT_HOSTS, embedded.m365.port) | dict.fromkeys(GOOGLE_HOSTS, embedded.google.port)
    served = ConnectProxy(routes).start()
    yield served
    served.close()


def run(folder: Path, as_of: datetime, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "reconciler",
        "run",
        "--config",
        str(folder / "config.toml"),
        "--as-of",
        as_of.isoformat(),
        "--format",
        "json",
    ]
    kept = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper() and not name.endswith("_BUNDLE")}
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=120)


def test_a_night_through_the_proxy(embedded: Embedded, proxy: ConnectProxy) -> None:
    world = embedded.night(0)
    bundle = str(embedded.folder / "ca.pem")
    done = run(embedded.folder, world.now, {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": bundle})
    told = json.loads(done.stdout)
    assert (done.returncode, [s["state"] for s in told["sources"]]) == (0, ["complete"] * 4), done.stderr + done.stdout
    assert told["findings"]["new"] == len(world.expected)
    asked = {line.partition(":")[0] for line in proxy.connected}
    assert asked == {
        "login.microsoftonline.com",
        "graph.microsoft.com",
        "admin.googleapis.com",
        "oauth2.googleapis.com",
        "licensing.googleapis.com",
    }
    assert proxy.refused == []


def test_without_the_authority_nothing_is_believed(embedded: Embedded, proxy: ConnectProxy) -> None:
    world = embedded.night(0)
    done = run(embedded.folder, world.now, {"HTTPS_PROXY": proxy.url})
    told = {s["name"]: s for s in json.loads(done.stdout)["sources"]}
    assert done.returncode == 5
    assert {name: source["state"] for name, source in told.items()} == {
        "hr": "complete",
        "ad": "complete",
        "m365": "incomplete",
        "google": "incomplete",
    }
    assert all("certificate" in " ".join(told[name]["reasons"]).lower() for name in ("m365", "google"))
