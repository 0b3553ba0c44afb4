"""The same two nights on PostgreSQL and on SQLite find the same; the cluster is the test's own, on a socket, as no root."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Estate, build, plugin_folder  # noqa: F401 - a fixture

pytestmark = pytest.mark.live


def _binaries() -> Path:
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a new PostgreSQL, which ends with the tests."""
    pytest.importorskip("psycopg", reason="pip install 'identity-reconciler[postgresql]'")
    owner = next(name for name in ("postgres", "nobody") if _known(name))
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    folder.chmod(0o755)
    shutil.chown(folder, owner)
    about: dict[str, Any] = {
        "user": owner,
        "group": pwd.getpwnam(owner).pw_gid,
        "extra_groups": [],
        "cwd": folder,
        "check": True,
        "capture_output": True,
    }
    control = [str(_binaries() / "pg_ctl"), "-D", str(folder / "data"), "-l", str(folder / "log"), "-w"]
    subprocess.run(
        [str(_binaries() / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "reconciler", "-E", "UTF8"], **about
    )
    subprocess.run(
        [*control, "-o", f"-c listen_addresses='' -k {folder}", "start"],
        **{**about, "capture_output": False, "stdout": subprocess.DEVNULL},
    )
    try:
        yield f"postgresql+psycopg://reconciler@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **about)
        shutil.rmtree(folder)


def _known(name: str) -> bool:
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


def lived(estate: Estate) -> dict[str, Any]:
    """What two nights find, and what is told of them, without the runs' own names."""
    assert estate.night().returncode == 0
    estate.accounts["jo"]["enabled"] = False
    estate.people[1] = estate.people[1].replace("Finance", "Sales")
    assert estate.night().returncode == 0
    every = [word for state in ("new", "open", "reopened", "resolved", "unverified") for word in ("--state", state)]
    told = estate.json("diff")
    explained = estate.json("explain", "jo")
    return {
        "findings": estate.json("findings", *every),
        "diff": {name: told[name] for name in ("new", "resolved", "reopened", "changed", "records", "changed_records")},
        "answers": explained["answers"],
        "history": {name: [event["state"] for event in events] for name, events in explained["history"].items()},
    }


def test_two_nights_on_postgresql_find_what_sqlite_finds(tmp_path: Path, plugin_folder: Path, database: str) -> None:  # noqa: F811
    nights = {}
    for name, url in (("sqlite", None), ("postgresql", database)):
        (tmp_path / name).mkdir()
        estate = build(tmp_path / name, plugin_folder)
        if url:
            with (estate.folder / "config.toml").open("a") as config:
                config.write(f'[state]\ndir = "var"\ndatabase = "{url}"\n')
        nights[name] = lived(estate)
    assert nights["postgresql"] == nights["sqlite"]
    assert len(nights["sqlite"]["findings"]) == 5
    assert not (tmp_path / "postgresql" / "var" / "reconciler.db").exists()
    assert any((tmp_path / "postgresql" / "var" / "objects").iterdir())
