"""The journal's head, sent to where the owner of this machine cannot take it back: a file elsewhere, syslog, a mailbox.

Whoever owns the state folder can write a new chain from its beginning; a head that is kept elsewhere shows it. A head proves
every entry before it, so that the newest is enough: one that could not be sent is made good by the next.
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from logging import LogRecord, makeLogRecord
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.config import Config
from reconciler.config_checks import is_loopback
from reconciler.config_sections import Mail, Sink
from reconciler.disk import write_private
from reconciler.errors import ReconcilerError, Stale, UsageError
from reconciler.journal import Checked, Entry, Journal
from reconciler.model import instant_text

NOTE = "journal.shipped"  # beside the journal: the head that each place was sent, and why it has not had the newest
_LINE = re.compile(r"journal of (.+?): (\d+) entries, head ([0-9a-f]{64})")
_OWN_SYSLOG, _PATIENCE = "/dev/log", 15.0  # seconds for each step of a mail


# --- sending ----------------------------------------------------------------------------------------------------------


def ship(config: Config, now: datetime) -> list[str]:
    """Send the newest head to each place that has not had it; what could not be sent, in words. Raises nothing: the work is done."""
    sinks, state = config.remediation.ship_head, config.state.dir
    try:
        checked = Journal.of(state).check() if sinks else Checked((), None, 0)
    except OSError as problem:
        return [f"the journal's head could not be sent: {problem}"]
    if checked.problem is not None or not checked.entries:
        return []
    line = f"{instant_text(now)} journal of {state.resolve()}: {len(checked.entries)} entries, head {checked.head}"
    noted, problems = shipped(state), []
    for sink in sinks:
        if noted.get(sink.text, {}).get("head") == checked.head:
            continue
        why = _sent(sink, line, config.remediation.mail, now)
        told = {"head": checked.head, "entries": len(checked.entries), "at": instant_text(now)}
        if why is not None:
            told = {"since": instant_text(now), **noted.get(sink.text, {}), "why": why}
            problems.append(f"the journal's head could not be sent to {sink.text}: {why}; it is sent the next time")
        noted[sink.text] = told
    return problems + _kept(state, {sink.text: noted[sink.text] for sink in sinks})


def _kept(state: Path, noted: Mapping[str, Any]) -> list[str]:
    try:
        if noted != shipped(state):
            write_private(state / NOTE, json.dumps(noted, indent=2, ensure_ascii=False).encode())
    except OSError as problem:
        return [f"{state / NOTE} cannot be written: {problem.strerror}; the journal's head is sent once more the next time"]
    return []


def shipped(state: Path) -> dict[str, dict[str, Any]]:
    """What each place was sent last, by its words in the configuration; `why` is there while it has not had the newest."""
    try:
        told = json.loads((state / NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {place: each for place, each in told.items() if isinstance(each, dict)} if isinstance(told, dict) else {}


def _sent(sink: Sink, line: str, mail: Mail | None, now: datetime) -> str | None:
    """Why a line could not be sent; None when it was."""
    try:
        if sink.form == "file":
            _append(Path(sink.place), line)
        elif sink.form == "syslog":
            _log(sink.place, line)
        elif mail is not None:
            _mail(sink.place, line, mail, now)
    except (OSError, ReconcilerError, UnicodeError) as problem:
        return str(problem) or type(problem).__name__
    return None


def _append(path: Path, line: str) -> None:
    """A line of its own at the end of a file, on disk before this returns."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(handle).st_size
        begun = size > 0 and os.pread(handle, 1, size - 1) != b"\n"  # a line that a crash cut off
        left = f"{line}\n".encode() if not begun else f"\n{line}\n".encode()
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)


class _Syslog(SysLogHandler):
    ident = "reconciler: "
    append_nul = False

    def handleError(self, record: LogRecord) -> None:  # noqa: ARG002 - a log that takes nothing is to be told, not passed over
        raise  # noqa: PLE0704 - it is called while the error is handled


def _log(place: str, line: str) -> None:
    where = urlsplit(f"//{place}")
    address = place or _OWN_SYSLOG if not place or place.startswith("/") else (str(where.hostname), where.port or 514)
    handler = _Syslog(address, SysLogHandler.LOG_AUTHPRIV)
    try:
        handler.emit(makeLogRecord({"msg": line, "levelname": "INFO"}))
    finally:
        handler.close()


def _mail(to: str, line: str, mail: Mail, now: datetime) -> None:
    message = EmailMessage(SMTP.clone(max_line_length=998))  # the line stays one line: a saved mailbox can be held against
    message["From"], message["To"], message["Date"] = mail.sender, to.replace(",", ", "), format_datetime(now)
    message["Subject"], message["Message-ID"] = f"reconciler: {line.partition(' ')[2].partition(', head')[0]}", make_msgid()
    message.set_content(f"{line}\n\nKeep this message: `reconciler db verify --head HASH` holds the journal against it.\n")
    with _relay(mail) as relay:
        if mail.username is not None:
            relay.login(mail.username, mail.password.reveal() if mail.password else "")
        relay.send_message(message)


def _relay(mail: Mail) -> smtplib.SMTP:
    """The connection, encrypted unless the relay is this machine and offers nothing of the kind."""
    context = ssl.create_default_context(cafile=mail.ca_file)
    if mail.port == 465:
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=_PATIENCE, context=context)
    relay = smtplib.SMTP(mail.host, mail.port, timeout=_PATIENCE)
    try:
        relay.ehlo()
        if relay.has_extn("starttls") or not is_loopback(mail.host):
            relay.starttls(context=context)
    except BaseException:
        relay.close()
        raise
    return relay


# --- holding the journal against what was sent ------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """A file of heads beside the journal: how many of them were held against it, and what is wrong (None: nothing)."""

    file: str
    heads: int
    problem: str | None

    @property
    def words(self) -> str:
        return f"{self.heads} heads in {self.file}: every one is in the journal"


def not_behind(config: Config, entries: Sequence[Entry]) -> None:
    """Raises Stale when the journal lacks a head that was sent to a file: an older state was put back, or a chain written anew."""
    for sink in config.remediation.ship_head:
        path = Path(sink.place)
        if sink.form == "file" and path.exists():
            _, problem = _held_against(entries, config.state.dir, path)
            if problem is not None:
                raise Stale(
                    f"{config.state.dir}: {problem}; put the newest copy of the state back, or, when that is this one, let the owner of "
                    f"{path} move it aside"
                )


def compared(checked: Checked, state: Path, file: Path) -> Compared:
    """Every head of this state folder in a file, whatever else stands in its lines; raises UsageError when there is none of it."""
    heads, problem = _held_against(checked.entries, state, file)
    if heads == 0:
        raise UsageError(f"{file} has no head of the journal of {state.resolve()}")
    return Compared(str(file), heads, problem)


def _held_against(entries: Sequence[Entry], state: Path, file: Path) -> tuple[int, str | None]:
    """How many heads of this state folder were found, up to the first that is not in the journal, and what is wrong with that one."""
    named, heads = str(state.resolve()), 0
    for line, (name, number, head) in _lines(file):
        if name == named:
            heads += 1
            if len(entries) < number or entries[number - 1].hash != head:
                what = "missing" if len(entries) < number else "another than was sent"
                return heads, f"entry {number} is {what}: line {line} of {file} has its head {head}"
    return heads, None


def _lines(file: Path) -> Iterator[tuple[int, tuple[str, int, str]]]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}") from None
    for line, words in enumerate(text.splitlines(), 1):
        if (found := _LINE.search(words)) is not None and int(found[2]) > 0:
            yield line, (found[1], int(found[2]), found[3])
