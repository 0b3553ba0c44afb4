"""Files that nobody but their owner may read, written whole or not at all, and a sentence when the disk refuses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import ReconcilerError


@contextmanager
def writing(folder: Path, so: str) -> Iterator[None]:
    """Something is written below a folder. Raises ReconcilerError when the disk refuses; `so` is what that means, and what to do."""
    try:
        yield
    except OSError as problem:
        raise ReconcilerError(f"{folder} cannot be written: {problem.strerror or problem}; {so}") from problem


def write_private(path: Path, body: bytes | memoryview) -> None:
    """Write a file whole or not at all: a private temporary, fsync, rename, fsync of the folder. 0600 in 0700 under any umask."""
    private_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def private_folder(path: Path) -> Path:
    """Make a folder and its missing parents, readable by its owner alone."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    return path
