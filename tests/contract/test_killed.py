"""kill -9 at any moment of a run: the next one starts cleanly, and nothing that was stored is lost."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import NOW, ROOT, Estate
from tests.sampling import EVERY

STEPS, MOMENTS = (20, 10) if EVERY else (6, 3)

# Loads the program once, then forks a run for each line it reads; the run is killed at its n-th change of a file
# (before it happens), or after so many seconds, and what became of it is told.
FORKS = """
import json, os, signal, sys, time
sys.path[:0] = json.loads(sys.argv[1])
import connectors.hr_file, reconciler.cli, reconciler.explain, reconciler.run, reconciler.store, toy_directory, policies.orphan_account
from reconciler.cli import main
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.chmod", "os.truncate", "sqlite3.connect", "shutil.move")

def run(words, at):
    seen = [0]
    def look(event, args):
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in CHANGES:
            seen[0] += 1
            if seen[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    sys.addaudithook(look)
    sys.argv = ["reconciler", *words]
    try:
        main()
    except SystemExit as ended:
        os.write(told_w, str(seen[0]).encode())
        os._exit(ended.code or 0)

for line in sys.stdin:
    job = json.loads(line)
    told_r, told_w = os.pipe()
    child = os.fork()
    if child == 0:
        run(job["words"], job.get("at"))
    if job.get("after") is not None:
        time.sleep(job["after"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(told_w)
    print(json.dumps({"code": os.waitstatus_to_exitcode(status), "changes": int(os.read(told_r, 9) or 0)}), flush=True)
    os.close(told_r)
"""


class Forks:
    """Runs of the command line that can be killed."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child

    def run(self, night: int, **how: Any) -> dict[str, int]:
        assert self.child.stdin and self.child.stdout
        words = ["run", "--as-of", (NOW + timedelta(days=night)).isoformat()]
        self.child.stdin.write(json.dumps({"words": words, **how}) + "\n")
        self.child.stdin.flush()
        told: dict[str, int] = json.loads(self.child.stdout.readline())
        return told


@contextmanager
def forking(estate: Estate) -> Iterator[Forks]:
    paths = json.dumps([str(ROOT), str(estate.plugins)])
    told = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
        cwd=estate.folder,
    ) as child:
        try:
            yield Forks(child)
        finally:
            child.kill()


def whole(state: Path) -> set[str]:
    """The ids of the runs that are stored; every stored byte is what it was when it was stored."""
    with closing(sqlite3.connect(state / "reconciler.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        runs = database.execute("SELECT run, night FROM runs").fetchall()
    for path in (state / "objects").rglob("*"):
        if path.is_file() and not path.name.startswith(".tmp-"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    assert all((state / "objects" / night[:2] / f"{night}.json").is_file() for _, night in runs)
    return {run for run, _ in runs}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_anywhere_loses_nothing(estate: Estate) -> None:
    config = estate.folder / "config.toml"
    config.write_text(config.read_text().replace('path = "roster.csv"', 'path = "roster.csv"\nmax_age = "900d"'))
    state, rolled = estate.folder / "var", random.Random(7)
    with forking(estate) as forks:
        assert forks.run(0)["code"] == 0
        changes = forks.run(1)["changes"]
        assert changes > STEPS
        kills = [{"at": 1 + step * changes // STEPS} for step in range(STEPS)]
        kills += [{"after": rolled.uniform(0.01, 0.4)} for _ in range(MOMENTS)]
        killed, night = 0, 2
        for number, kill in enumerate(kills):
            before = whole(state)
            estate.accounts["ada"]["login"] = f"ada{night}"  # something to store tonight
            estate.write()
            killed += forks.run(night, **kill)["code"] == -signal.SIGKILL
            assert before <= whole(state)
            if number % 2:  # every other time the next run is killed too
                assert forks.run(night + 1)["code"] == 0
                assert len(whole(state)) >= len(before) + 1
            night += 2
    assert killed >= STEPS
    assert {f["state"] for f in estate.json("findings", "--policy", "leaver-account-enabled")} == {"open"}
    assert [
        e["state"]
        for e in estate.json("findings", "show", estate.json("findings", "--policy", "orphan-account")[0]["id"])["history"]
    ] == ["new", "open"]
