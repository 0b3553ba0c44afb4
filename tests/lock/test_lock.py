"""One run at a time, and nothing stale: the kernel's lock."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.errors import Locked, UsageError
from reconciler.lock import exclusive

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
HOLDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reconciler.errors import Locked
from reconciler.lock import exclusive
try:
    with exclusive(Path(sys.argv[1]), "run", datetime(2026, 11, 22, 2, 5, tzinfo=UTC)):
        print("held", flush=True)
        sys.stdin.read()
except Locked as problem:
    print(problem, flush=True)
    sys.exit(problem.exit_code)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until its input ends, if it gets it."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def first_line(child: subprocess.Popen[str]) -> str:
    assert child.stdout
    return child.stdout.readline().strip()


TWENTY_AT_ONCE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from reconciler.errors import Locked
from reconciler.lock import exclusive

ready, start = os.pipe()
for _ in range(20):
    if os.fork() == 0:
        os.close(start)
        os.read(ready, 1)  # until the parent closes its end: all begin together
        try:
            with exclusive(Path(sys.argv[1]), "run", datetime.now(UTC)):
                os.write(1, b"held\\n")
                signal.pause()
        except Locked as problem:
            os.write(1, f"{problem.exit_code}\\n".encode())
            os._exit(0)
os.close(start)
for _ in range(19):
    os.wait()
os.killpg(0, signal.SIGKILL)
"""


def test_of_twenty_at_once_one_runs(tmp_path: Path) -> None:
    begun = subprocess.run(
        [sys.executable, "-c", TWENTY_AT_ONCE, str(tmp_path)], capture_output=True, text=True, timeout=30,
        start_new_session=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert sorted(begun.stdout.split()) == ["75"] * 19 + ["held"], begun.stderr


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        assert first_line(child) == "held"
        with pytest.raises(Locked) as refused, exclusive(tmp_path, "run", NOW):
            pass
        child.kill()
    assert f"`reconciler run`, process {child.pid} on " in str(refused.value)
    assert "since 2026-11-22T02:05:00Z" in str(refused.value)


def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        assert first_line(child) == "held"
        child.kill()
    with exclusive(tmp_path, "run", NOW):
        pass


def test_the_lock_is_free_after_a_run_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "run", NOW):
        raise ZeroDivisionError
    with exclusive(tmp_path, "run", NOW):
        pass


def test_folder_and_file_are_private(tmp_path: Path) -> None:
    with exclusive(tmp_path / "var", "run", NOW):
        modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "var", tmp_path / "var/lock")]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("trap", ["the lock is a link", "the state folder is a file"])
def test_what_cannot_be_locked_is_refused_with_words(tmp_path: Path, trap: str) -> None:
    folder = tmp_path / "var"
    if trap == "the lock is a link":
        folder.mkdir()
        (folder / "lock").symlink_to(tmp_path / "elsewhere")
    else:
        folder.write_text("")
    with pytest.raises(UsageError, match="lock"), exclusive(folder, "run", NOW):
        pass
    assert not (tmp_path / "elsewhere").exists()
