"""The state folder kept well: copied whole while it is in use, and relieved of nights that nobody needs any more."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from reconciler.config import Config
from reconciler.disk import write_private
from reconciler.errors import ReconcilerError, UsageError
from reconciler.journal import Journal
from reconciler.model import instant_text
from reconciler.store import Store, opened

RESTORED = "restored.json"  # in every copy: the state folder that has it was put back, and is behind what was done since
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Copied:
    """A copy of the state folder: where it is, what it holds, and the journal's head in it."""

    folder: Path
    objects: int
    size: int  # bytes
    entries: int
    head: str


@dataclass(frozen=True)
class Pruned:
    """What was forgotten."""

    runs: int
    objects: int
    reports: int
    plans: int
    size: int  # bytes


def backup(config: Config, store: Store, folder: Path, now: datetime) -> Copied:
    """The database, the objects it names, the plans and the journal, in a new folder that appears whole or not at all.

    Nights, plans and applies may go on meanwhile. Raises UsageError when the copy cannot be made, Stale when the journal was altered.
    """
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already; name a new folder")
    try:
        part = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as problem:
        raise UsageError(f"the copy {folder} could not be made: {problem.strerror}") from None
    try:
        made = _copied(config, store, part, now)
        part.rename(folder)
    except OSError as problem:
        raise UsageError(f"the copy {folder} could not be made: {problem}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Copied(folder, *made)


def _copied(config: Config, store: Store, part: Path, now: datetime) -> tuple[int, int, int, str]:
    """The journal first: a copy may know less than its database of what was done, and is never thought to know more."""
    state = config.state.dir
    with _still(state):
        for name in ("journal.jsonl", "journal.head"):
            if (state / name).exists():
                write_private(part / name, (state / name).read_bytes())
    store.backup(part / "reconciler.db")
    for path in sorted((state / "plans").glob("*.json")):
        write_private(part / "plans" / path.name, path.read_bytes())
    with opened(f"sqlite:///{part}/reconciler.db") as copy:
        objects = sorted(needed(state / "objects", copy.in_use()))
        problems = copy.verify()
    for path in objects:
        write_private(part / "objects" / path.parent.name / path.name, path.read_bytes())
    if problems:
        raise ReconcilerError(f"the copy of {store.shown} is not sound: {problems[0]}")
    journal = Journal.of(part)
    entries, head = journal.entries(), journal.check().head
    told = {"copied_at": instant_text(now), "journal_head": head, "entries": len(entries)}
    write_private(part / RESTORED, json.dumps(told).encode())
    return len(objects), sum(path.stat().st_size for path in part.rglob("*") if path.is_file()), len(entries), head


class _still:
    """While it is held, nobody adds to the journal."""

    def __init__(self, state: Path) -> None:
        self.path = state / "journal.jsonl"

    def __enter__(self) -> None:
        self.handle = self.path.open("rb") if self.path.exists() else None
        if self.handle is not None:
            fcntl.flock(self.handle, fcntl.LOCK_SH)

    def __exit__(self, *_: object) -> None:
        if self.handle is not None:
            self.handle.close()


def needed(folder: Path, named: Iterable[str]) -> set[Path]:
    """The objects of these hashes, and all that they name, and so on. Raises UsageError when one is missing."""
    known = {path.stem: path for path in _objects(folder)}
    found: set[Path] = set()
    left = list(named)
    while left:
        sha256 = left.pop()
        if sha256 not in known:
            raise UsageError(f"{folder}: the object {sha256} is missing; restore it from a backup")
        path = known[sha256]
        if path not in found:
            found.add(path)
            left += _named_in(json.loads(path.read_bytes())) if path.suffix == ".json" else ()
    return found


def _named_in(told: Mapping[str, Any]) -> Iterator[str]:
    """The objects that a night (its findings, its snapshots) or a snapshot's manifest (its tables and vocabularies) names."""
    yield from (part["sha256"] for part in (*told.get("parts", ()), *told.get("tables", {}).values()))
    yield from (*told.get("snapshots", {}).values(), *told.get("vocabularies", {}).values())


def _objects(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("??/*") if not path.name.startswith(_TEMPORARY))


def prune(config: Config, store: Store, before: datetime) -> Pruned:
    """Forget nights older than `before`: their rows, the objects that no other night names, and their reports.

    Plans of that age of which nothing was sent go too, and copies made before an upgrade. The journal stays whole: it is a
    chain, and the proof of what was done. To be called under the run's lock.
    """
    state, nights = config.state.dir, store.with_nights()
    rows = store.prune(before)
    gone = nights - store.with_nights()
    wanted = needed(state / "objects", store.in_use())
    objects = [path for path in (state / "objects").glob("??/*") if path not in wanted]
    reports = [path for path in config.report.dir.glob("report-*") if any(run in path.name for run in gone)]
    plans = [path for path in (*_unused_plans(state), *_old_databases(store)) if path.stat().st_mtime < before.timestamp()]
    size = sum(path.stat().st_size for path in (*objects, *reports, *plans))
    for path in (*objects, *reports, *plans):
        path.unlink(missing_ok=True)
    return Pruned(rows.runs, len(objects), len(reports), len(plans), size)


def _unused_plans(state: Path) -> Iterator[Path]:
    """Plans of which nothing was ever sent: nobody will ask for the evidence of one, or undo it."""
    used = {str(entry.facts["plan"]) for entry in Journal.of(state).entries() if entry.kind == "intent"}
    return (path for path in (state / "plans").glob("*.json") if path.stem not in used)


def _old_databases(store: Store) -> Iterator[Path]:
    """The copies made before the database was brought up to date."""
    if store.is_sqlite:
        path = Path(str(store.engine.url.database))
        yield from path.parent.glob(f"{path.name}.[0-9][0-9][0-9]")


def restored(config: Config) -> str | None:
    """Why nothing is planned or applied: the state folder is a copy that was put back."""
    path = config.state.dir / RESTORED
    if not path.exists():
        return None
    return (
        f"{config.state.dir} is a copy of {_copied_at(path) or 'an unknown time'} that was put back: what was done since is not in its journal; run a night, "
        "read what it found, then `reconciler adopt --reason TEXT`"
    )


def must_be_newer(config: Config, as_of: datetime) -> None:
    """Raises UsageError for a night that is in the copy itself: it does not know what the systems hold now."""
    copied_at = _copied_at(config.state.dir / RESTORED)
    if copied_at is not None and as_of <= datetime.fromisoformat(copied_at):
        raise UsageError("that night is in the copy that was put back; run another one and accept that")


def accepted_anew(config: Config) -> None:
    """A night after the copy was put back is the baseline: go on."""
    (config.state.dir / RESTORED).unlink(missing_ok=True)


def _copied_at(path: Path) -> str | None:
    """When a copy was made; None when its mark cannot be read."""
    try:
        return str(json.loads(path.read_bytes())["copied_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
