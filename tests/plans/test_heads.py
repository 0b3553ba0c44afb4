"""The journal's head, sent off the machine: to files, logs and mailboxes that are really there, and held against the journal."""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.config_sections import Remediation
from reconciler.errors import UsageError
from reconciler.heads import NOTE, compared, ship, shipped
from reconciler.journal import Journal
from reconciler.sandbox.tls import Authority
from tests.contract.conftest import NOW
from tests.plans.conftest import REMEDIATION, Company

Shipping = Callable[..., list[str]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder whose journal has two entries."""
    for kind in ("planned", "approved"):
        Journal.of(tmp_path / "var").append(kind, NOW, plan="p-1")
    return tmp_path / "var"


@pytest.fixture
def send(state: Path) -> Shipping:
    def sent(*places: str, **more: Any) -> list[str]:
        told = Remediation.model_validate({"ship_head": list(places), **more}, context={"base": state.parent})
        return ship(SimpleNamespace(remediation=told, state=SimpleNamespace(dir=state)), NOW)  # type: ignore[arg-type]

    return sent


def line(state: Path, entries: int = 2) -> str:
    return f"journal of {state}: {entries} entries, head {Journal.of(state).check().entries[entries - 1].hash}"


# --- files ------------------------------------------------------------------------------------------------------------


def test_each_new_head_is_a_line_and_none_comes_twice(state: Path, send: Shipping) -> None:
    assert send("file:heads.log") == send("file:heads.log") == []
    Journal.of(state).append("intent", NOW, n=1)
    assert send("file:heads.log") == []
    lines = (state.parent / "heads.log").read_text().splitlines()
    assert [text.partition(" ")[2] for text in lines] == [line(state), line(state, 3)]
    assert lines[0].startswith("2026-11-22T")


def test_a_line_that_a_crash_cut_off_spoils_no_other(state: Path, send: Shipping) -> None:
    (state.parent / "heads.log").write_text(f"2026-11-21T02:05:00Z journal of {state}: 1 ent")
    assert send("file:heads.log") == []
    assert compared(Journal.of(state).check(), state, state.parent / "heads.log").heads == 1


def test_what_cannot_be_sent_is_told_noted_and_made_good(state: Path, send: Shipping) -> None:
    worm = state.parent / "worm"
    (problem,) = send("file:worm/heads.log", "file:heads.log")
    assert problem.startswith("the journal's head could not be sent to file:worm/heads.log: ") and "next time" in problem
    assert "why" in shipped(state)["file:worm/heads.log"] and "why" not in shipped(state)["file:heads.log"]
    worm.mkdir()
    assert send("file:worm/heads.log", "file:heads.log") == []
    assert line(state) in (worm / "heads.log").read_text()
    assert "why" not in shipped(state)["file:worm/heads.log"]


def test_an_altered_journal_sends_no_head(state: Path, send: Shipping) -> None:
    path = state / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"p-1", b"p-2", 1))
    assert send("file:heads.log") == [] and not (state.parent / "heads.log").exists()


@pytest.mark.parametrize("note", ["[", "[]", '{"file:heads.log": 7}'])
def test_a_note_that_is_no_note_sends_the_head_again(note: str, state: Path, send: Shipping) -> None:
    state.joinpath(NOTE).write_text(note)
    assert send("file:heads.log") == []
    assert line(state) in (state.parent / "heads.log").read_text()


# --- logs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("local", [True, False], ids=["a socket of this machine", "a host and a port"])
def test_a_log_is_sent_the_head(local: bool, state: Path, send: Shipping) -> None:
    with socket.socket(socket.AF_UNIX if local else socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.settimeout(5)
        log.bind(str(state.parent / "log") if local else ("127.0.0.1", 0))
        place = str(state.parent / "log") if local else f"127.0.0.1:{log.getsockname()[1]}"
        assert send(f"syslog:{place}") == []
        told = log.recv(2000).decode()
    assert told.startswith("<86>reconciler: ") and told.endswith(line(state))


def test_a_log_that_is_not_there_is_told(state: Path, send: Shipping) -> None:
    (problem,) = send(f"syslog:{state.parent}/nobody")
    assert "could not be sent to syslog:" in problem


# --- mail -------------------------------------------------------------------------------------------------------------


class Relay(socketserver.ThreadingTCPServer):
    """A mail relay that keeps what it is given; with a context it offers to be spoken to in secret."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, secret: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.secret, self.messages, self.words = secret, list[str](), list[str]()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """A client that trusts nobody here hangs up."""

    @property
    def settings(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.server_address[1], "sender": "reconciler@example.com"}


class _Talk(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        self.file, secret = self.request.makefile("rwb", buffering=0), False
        self._say("220 relay")
        while text := self.file.readline().decode().strip():
            self.server.words.append(text)
            word = text.partition(" ")[0].upper()
            if word == "EHLO":
                self._say("250-relay\r\n250 " + ("AUTH PLAIN" if secret or not self.server.secret else "STARTTLS"))
            elif word == "STARTTLS" and self.server.secret:
                self._say("220 go on")
                self.request, secret = self.server.secret.wrap_socket(self.request, server_side=True), True
                self.file = self.request.makefile("rwb", buffering=0)
            elif word == "DATA":
                self._say("354 go on")
                self.server.messages.append("".join(iter(lambda: self.file.readline().decode(), ".\r\n")))
                self._say("250 taken")
            else:
                self._say({"QUIT": "221 bye", "AUTH": "235 welcome", "STARTTLS": "502 no"}.get(word, "250 yes"))

    def finish(self) -> None:
        self.file.close()
        self.request.close()

    def _say(self, text: str) -> None:
        self.file.write(f"{text}\r\n".encode())


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as made:
        yield made
        made.shutdown()


def test_a_mailbox_is_sent_the_head(relay: Relay, state: Path, send: Shipping) -> None:
    assert send("mail:security@example.com,audit@example.com", mail=relay.settings) == []
    (message,) = relay.messages
    assert (
        f"Subject: reconciler: journal of {state}" in message.replace("\r\n ", " ")
        and "security@example.com, audit@example.com" in message
    )
    assert [word.lower() for word in relay.words if word.startswith("rcpt")] == [
        "rcpt to:<security@example.com>",
        "rcpt to:<audit@example.com>",
    ]
    (state.parent / "mailbox").write_text(message)
    assert compared(Journal.of(state).check(), state, state.parent / "mailbox").heads == 1, "a saved mail is as good as a file"


def test_a_relay_that_can_is_spoken_to_in_secret_and_given_the_password(
    state: Path, send: Shipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "of the relay")
    authority = Authority()
    (state.parent / "ca.pem").write_text(authority.pem)
    with Relay(authority.context()) as relay:
        login = {"username": "reconciler", "password": "env:SMTP_PASSWORD", "ca_file": "ca.pem"}
        assert send("mail:security@example.com", mail=relay.settings | login) == []
        relay.shutdown()
    assert relay.words.index("STARTTLS") < next(n for n, word in enumerate(relay.words) if word.startswith("AUTH"))
    assert len(relay.messages) == 1


@pytest.mark.parametrize("trusted", [True, False], ids=["a relay that offers no secrecy", "a relay of an unknown authority"])
def test_nothing_goes_in_clear_to_another_machine(trusted: bool, state: Path, send: Shipping) -> None:
    """127.1 is this machine to the network, and another one to us."""
    with Relay(None if trusted else Authority().context()) as relay:
        (problem,) = send("mail:security@example.com", mail=relay.settings | {"host": "127.1"})
        relay.shutdown()
    assert "could not be sent to mail:" in problem
    assert (relay.messages, [word for word in relay.words if "mail" in word.lower()]) == ([], [])


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("heads.log", 'expected "file:PATH"'), ("file:", 'expected "file:PATH"'), ("ftp:x", 'expected "file:PATH"'), (7, 'expected "file:PATH"'),
        ("mail:security", "expected addresses"), ("mail:a@example.com,", "expected addresses"), ("syslog:host:x", "expected this machine's own"),
        ("mail:a@example.com", "needs mail = {"),
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_named(place: object, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("{", r"\{")):
        Remediation.model_validate({"ship_head": [place]})


# --- the command line -------------------------------------------------------------------------------------------------


def test_whatever_writes_in_the_journal_sends_its_head_and_verify_holds_it_against_it(company: Company) -> None:
    company.settings(f'{REMEDIATION}ship_head = ["file:away/heads.log", "file:heads.log"]\n')
    company.at("adopt", "--reason", "read through")
    made = company.at("plan", "--policy", "orphan-account", "--out", "p.json")
    assert (made.returncode, "could not be sent to file:away/heads.log" in made.stderr) == (0, True)
    assert "away" in company.at("check").stderr
    (company.folder / "away").mkdir()
    assert company.at("-q", "approve", "p.json", "--reason", "ok").returncode == 0
    shutil.copy(company.folder / "var/journal.jsonl", company.folder / "old.jsonl")
    shutil.copy(company.folder / "var/journal.head", company.folder / "old.head")
    company.at("apply", "p.json", "--yes", hours=2)
    company.at("apply", "p.json", "--yes", hours=2)  # nothing more is noted, and nothing sent
    heads = company.folder / "heads.log"
    assert [len(path.read_text().splitlines()) for path in (company.folder / "away/heads.log", heads)] == [2, 3]
    told = json.loads(company.at("db", "verify", "--format", "json").stdout)
    assert ([each["heads"] for each in told["heads"]], told["unsent"], told["valid"]) == ([2, 3], [], True)
    for name in ("journal.jsonl", "journal.head"):  # the folder's owner takes the apply back, and its note too
        shutil.copy(company.folder / name.replace("journal", "old"), company.folder / "var" / name)
    verify = ("db", "verify")
    for words in (verify, (*verify, "--head-file", "heads.log"), ("apply", "p.json", "--yes"), ("plan", "--out", "q.json")):
        cut = company.at(*words)
        assert (cut.returncode, "is missing: line 3 of" in cut.stderr or "is missing: line 2 of" in cut.stderr) == (7, True)
    heads.unlink()
    assert company.at("db", "verify", "--head-file", "heads.log").returncode == 2


def test_another_folders_heads_prove_nothing(state: Path, send: Shipping) -> None:
    assert send("file:heads.log") == []
    shutil.copytree(state, state.parent / "other")
    with pytest.raises(UsageError, match="has no head of the journal of"):
        compared(Journal.of(state.parent / "other").check(), state.parent / "other", state.parent / "heads.log")


def test_a_new_chain_from_the_beginning_is_found(state: Path, send: Shipping) -> None:
    assert send("file:heads.log") == []
    shutil.rmtree(state)
    for kind in ("planned", "approved", "intent"):
        Journal.of(state).append(kind, NOW + timedelta(days=1), plan="p-1")
    found = compared(Journal.of(state).check(), state, state.parent / "heads.log")
    assert (found.problem or "").startswith("entry 2 is another than was sent: line 1 of")
