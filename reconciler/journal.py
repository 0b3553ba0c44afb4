"""The journal: what was planned, approved, about to be written and written, in a chain that shows every later change to it.

One JSON object a line: `seq`, `at`, `kind`, `prev` (the hash of the entry before), whatever the kind tells, and `hash` over
all of that. An entry is on disk before `append` returns. `journal.head` beside it names the last entry, so that a tail cut
off is seen here too; whoever can change both is found out by a head that was kept elsewhere (`db verify --head HASH`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from reconciler.disk import private_folder
from reconciler.errors import ReconcilerError, Stale, UsageError
from reconciler.model import instant_text
from reconciler.sealed import canonical, fingerprint

GENESIS = "0" * 64
_NONE_YET = {GENESIS, ""}  # what is noted before the first entry, also where a crash came between the file and its first note
_BEGINNING = b'{"a'  # of every entry: its keys are sorted, and "at" is one of them
_MARKS = ("writing", "is last")  # of the two lines of the note beside it


@dataclass(frozen=True)
class Entry:
    """One thing that happened; `facts` are what its kind tells."""

    seq: int
    at: str
    kind: str
    facts: Mapping[str, Any]
    hash: str


@dataclass(frozen=True)
class Checked:
    """The journal's sound beginning, and what is wrong after it (None: nothing)."""

    entries: tuple[Entry, ...]
    problem: str | None
    torn: int  # bytes of a last line that a crash cut off before it was whole

    @property
    def head(self) -> str:
        return self.entries[-1].hash if self.entries else GENESIS


@dataclass
class Journal:
    """The journal of one state folder. Appending is safe from several threads and processes."""

    path: Path
    _known: tuple[int, str, int] | None = field(default=None, init=False)  # seq and hash of the last entry, and where it ends
    _broken: str | None = field(default=None, init=False)

    @staticmethod
    def of(state_dir: Path) -> Journal:
        return Journal(state_dir / "journal.jsonl")

    @property
    def _head_path(self) -> Path:
        return self.path.with_name("journal.head")

    # --- reading ----------------------------------------------------------------------------------------------

    def check(self, head: str | None = None) -> Checked:
        """Walk the whole chain; `head` is a hash that was once printed and must be in it."""
        if not self.path.exists() and not self._head_path.exists():
            return Checked((), f"entry 1 is missing: there is no journal, but the head is {head}" if _given(head) else None, 0)
        body = self.path.read_bytes() if self.path.exists() else b""
        return walked(body, self._noted(), head)

    def _noted(self) -> tuple[str, bool]:
        """The head noted beside the journal, and whether an entry was being written; a journal with entries and none has lost it."""
        try:
            told = self._head_path.read_bytes()
        except OSError:
            return "", False
        writing, last = (_noted_in(told, place, mark) for place, mark in enumerate(_MARKS))
        return (writing, True) if writing and last in (None, writing) else (last or "", False)

    def entries(self) -> tuple[Entry, ...]:
        """Every entry; raises Stale naming the first bad one when the journal was altered."""
        checked = self.check()
        if checked.problem is not None:
            raise Stale(f"{self.path}: {checked.problem}; nothing is written until it is restored from a backup or explained")
        return checked.entries

    # --- writing ----------------------------------------------------------------------------------------------

    def append(self, kind: str, at: datetime, **facts: Any) -> Entry:
        """Add an entry; it is on disk when this returns. Raises ReconcilerError when the disk fails, and from then on always."""
        if self._broken is not None:
            raise ReconcilerError(self._broken)
        try:
            with self._locked() as handle:
                return self._write(handle, kind, at, facts)
        except OSError as problem:
            self._broken = (
                f"{self.path} cannot be written: {problem.strerror}; nothing more is written to any system. "
                "Mend the disk, then `reconciler db verify`, then apply again"
            )
            raise ReconcilerError(self._broken) from problem

    def _write(self, handle: int, kind: str, at: datetime, facts: Mapping[str, Any]) -> Entry:
        seq, prev, end = self._last(handle)
        body = {"seq": seq + 1, "at": instant_text(at), "kind": kind, "prev": prev, **facts}
        told = {**body, "hash": fingerprint(body)}
        line = canonical(told) + b"\n"
        self._note(prev, "writing")
        _write_all(handle, line, end)
        os.fsync(handle)
        self._known = (seq + 1, told["hash"], end + len(line))
        self._note(told["hash"])
        return Entry(seq + 1, body["at"], kind, facts, told["hash"])

    def _last(self, handle: int) -> tuple[int, str, int]:
        """The last entry; what a crash left of an unfinished line after it is cut off (its change was never sent)."""
        size = os.fstat(handle).st_size
        if self._known is not None and self._known[2] == size:
            return self._known
        entries = self.entries()
        seq, prev = (entries[-1].seq, entries[-1].hash) if entries else (0, GENESIS)
        end = sum(1 + length for length in self._lengths())
        if end < size:
            os.ftruncate(handle, end)
        return seq, prev, end

    def _lengths(self) -> Iterator[int]:
        return (len(line) for line in self.path.read_bytes().split(b"\n")[:-1])

    def _note(self, head: str, mark: str = "is last") -> None:
        """Note the head in place, on the line of its mark: a crash may spoil this line, and leaves the other."""
        handle = os.open(self._head_path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            line = _note_line(head, mark)
            _write_all(handle, line, _MARKS.index(mark) * len(line))
            if head == GENESIS:
                os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        private_folder(self.path.parent)
        if not self.path.exists() and self._noted()[0] not in _NONE_YET and not self.path.exists():
            raise Stale(f"{self.path}: entry 1 is missing: there was a journal here; restore it from a backup")
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_size == 0:
                self._begin()
            yield handle
        finally:
            os.close(handle)

    def _begin(self) -> None:
        """Note that nothing is in the journal yet, and that there is one."""
        self._note(GENESIS)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def walked(body: bytes, noted: tuple[str, bool], head: str | None = None) -> Checked:
    """The chain in these bytes; `noted` is the head beside them, and whether an entry was being written."""
    lines = body.split(b"\n")
    entries: list[Entry] = []
    for number, line in enumerate(lines[:-1], 1):
        found = _entry(line, number, entries[-1].hash if entries else GENESIS)
        if found is None:
            return Checked(tuple(entries), f"entry {number} is altered, inserted, moved or follows one that is missing", 0)
        entries.append(found)
    return _ended(tuple(entries), lines[-1], noted, head)


def _ended(entries: tuple[Entry, ...], tail: bytes, noted: tuple[str, bool], head: str | None) -> Checked:
    """A chain that is sound as far as it goes; is its end there? A line cut by a crash is no entry: it was never acted on."""
    known = {entry.hash for entry in entries} | ({GENESIS} if entries else _NONE_YET)
    problem = None
    if tail and not noted[1] and not tail.startswith(_BEGINNING):
        problem = f"entry {len(entries) + 1} is no entry: something was added after the end"
    elif noted[0] not in known:
        problem = f"entry {len(entries) + 1} is missing: the journal ends before the head that was noted beside it"
    elif head is not None and head not in known:
        problem = f"entry {len(entries) + 1} is missing: the head {head} is not in the journal"
    return Checked(entries, problem, len(tail))


def _note_line(head: str, mark: str) -> bytes:
    """One line of the note, always of the same length; its last word proves that all of it is there."""
    return f"{head} {mark} {hashlib.sha256(f'{head} {mark}'.encode()).hexdigest()[:16]}\n".encode()


def _noted_in(told: bytes, place: int, mark: str) -> str | None:
    """The head on a line of the note; None when the line is not whole."""
    length = len(_note_line(GENESIS, mark))
    line = told[place * length : (place + 1) * length]
    head = line[: len(GENESIS)].decode("ascii", "replace")
    return head if line == _note_line(head, mark) else None


def _given(head: str | None) -> bool:
    return head is not None and head != GENESIS


def _write_all(handle: int, line: bytes, at: int) -> None:
    """The whole line at its place, or OSError: a disk may take a part of it."""
    done = 0
    while done < len(line):
        done += os.pwrite(handle, line[done:], at + done)


def _entry(line: bytes, seq: int, prev: str) -> Entry | None:
    """One line as an entry, if it is exactly what stands at this place of the chain."""
    try:
        told = json.loads(line.decode("utf-8", "surrogatepass"))
        body = {key: value for key, value in told.items() if key != "hash"}
        facts = {key: value for key, value in body.items() if key not in ("seq", "at", "kind", "prev")}
        sound = (body["seq"], body["prev"], told["hash"]) == (seq, prev, fingerprint(body)) and canonical(told) == line
        return Entry(seq, body["at"], body["kind"], facts, told["hash"]) if sound else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def head_of(text: str) -> str:
    """A head as somebody gives it; raises UsageError when it is none."""
    head = text.strip().lower().removeprefix("sha256:")
    if len(head) != 64 or set(head) - set("0123456789abcdef"):
        raise UsageError(f"--head {text!r}: a head is the 64 hexadecimal digits that `apply` and `db verify` print")
    return head
