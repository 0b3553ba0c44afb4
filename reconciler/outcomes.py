"""What became of a plan, by the journal alone: which changes were about to be sent, which were made, which nobody is sure of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.journal import Entry
from reconciler.sealed import Plan
from reconciler.writer import IRREVERSIBLE, Change

MADE = ("done", "already")  # what needs nothing more
Lasting = Mapping[tuple[str, str, str, str | None], datetime]  # (source, account, kind, target) -> when it was made


@dataclass(frozen=True)
class Attempt:
    """The last intent and the last outcome of one action; an intent after which no sure outcome came is open."""

    intent: Entry | None = None
    outcome: Entry | None = None

    @property
    def open(self) -> bool:
        return self.intent is not None and (self.outcome is None or self.outcome.facts["outcome"] == "unknown")

    @property
    def made(self) -> bool:
        return self.outcome is not None and self.outcome.facts["outcome"] in MADE


def attempts(plan: str, entries: Iterable[Entry]) -> dict[int, Attempt]:
    """Every action of a plan that the journal knows of."""
    found: dict[int, Attempt] = {}
    for entry in entries:
        if entry.kind in ("intent", "outcome") and entry.facts["plan"] == plan:
            number = int(entry.facts["n"])
            before = found.get(number, Attempt())
            found[number] = Attempt(entry, None) if entry.kind == "intent" else Attempt(before.intent, entry)
    return found


def open_intents(entries: Sequence[Entry]) -> list[Entry]:
    """The intents of any plan whose outcome nobody is sure of, oldest first."""
    plans = dict.fromkeys(str(entry.facts["plan"]) for entry in entries if entry.kind == "intent")
    found = [a.intent for plan in plans for a in attempts(plan, entries).values() if a.open and a.intent is not None]
    return sorted(found, key=lambda entry: entry.seq)


def change_of(intent: Entry) -> Change:
    """The change that an intent was about, as its writer takes it."""
    told = intent.facts
    return Change(told["change"], told["account"], told["target"], told["before"], told["after"], told["key"])


def lasting(entries: Iterable[Entry]) -> Lasting:
    """Changes of which no later state tells whether they were made: ended sessions, transferred files."""
    return {
        (e.facts["source"], e.facts["account"], e.facts["change"], e.facts["target"]): datetime.fromisoformat(e.at)
        for e in entries
        if e.kind == "outcome" and e.facts["outcome"] in MADE and e.facts["change"] in IRREVERSIBLE
    }


def touched(plan: Plan, entries: Iterable[Entry]) -> dict[int, tuple[str | None, Any]]:
    """What was done by a plan, or may have been: number -> the account it was done to, and what was read back."""
    found: dict[int, tuple[str | None, Any]] = {}
    for number, attempt in attempts(plan.plan, entries).items():
        if attempt.open and attempt.intent is not None:
            found[number] = attempt.intent.facts["account"], attempt.intent.facts["after"]
        elif attempt.outcome is not None and attempt.outcome.facts["outcome"] == "done":
            found[number] = attempt.outcome.facts["account"], attempt.outcome.facts["read_back"]
    return found
