"""One night at a time: a lock that the kernel holds, so that a killed run leaves nothing stale behind."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from reconciler.disk import private_folder
from reconciler.errors import Locked, UsageError
from reconciler.model import instant_text


@contextmanager
def exclusive(state_dir: Path, verb: str, now: datetime) -> Iterator[None]:
    """Hold the state folder for one run. The file stays, the lock goes with the process, however that ends.

    Raises Locked naming who holds it, UsageError when the folder cannot be used.
    """
    path = state_dir / "lock"
    handle = _open(path)
    try:
        _take(handle, path)
        os.pwrite(handle, json.dumps(_about(verb, now)).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _about(verb: str, now: datetime) -> dict[str, object]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "verb": verb, "since": instant_text(now)}


def _open(path: Path) -> int:
    try:
        private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise UsageError(
            f"the lock {path} cannot be opened: {problem.strerror}; [state] dir must be a folder of this user's own"
        ) from None


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Locked(f"another run holds {path}: {_holder(handle)}; wait for it, or look at that process") from None
    os.ftruncate(handle, 0)


def _holder(handle: int) -> str:
    try:
        told = json.loads(os.pread(handle, 4096, 0))
        return f"`reconciler {told['verb']}`, process {told['pid']} on {told['host']}, since {told['since']}"
    except (ValueError, KeyError):
        return "a run that has just begun"
