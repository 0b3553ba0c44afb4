"""Changes that were about to be sent when an apply ended: before anything else, each system is asked what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from reconciler.attempt import as_planned, shown
from reconciler.journal import Entry
from reconciler.outcomes import change_of
from reconciler.writer import Changed, Writer

_NAP = 0.25


def resolve(
    intents: Iterable[Entry], writers: Mapping[str, Writer], note: Callable[..., Entry], now: datetime, pause: Callable[[float], Any]
) -> None:  # fmt: skip
    """Note the outcome of every open intent by reading. Raises SourceError when a system cannot be read: nothing else may go on.

    A change that is not to be seen may still be on its way, so it is looked for as long as its system takes to show one;
    then it had no effect ("void"), and its plan may send it again under the same key.
    """
    begun = time.monotonic()
    for intent in intents:
        source = str(intent.facts["source"])
        writer = writers[source]
        age = (now - datetime.fromisoformat(intent.at)).total_seconds()
        wait = max(0.0, min(writer.settles, writer.settles - age))
        outcome, found, detail = _seen(intent, writer)
        while outcome == "void" and time.monotonic() - begun < wait:
            pause(min(_NAP, wait))
            outcome, found, detail = _seen(intent, writer)
        _note(intent, outcome, found, detail, writer, note)


def _seen(intent: Entry, writer: Writer) -> tuple[str, Any, str]:
    change = change_of(intent)
    try:
        found = writer.state(change)
    except Changed as problem:
        return "stale", problem.found, str(problem)
    if shown(change, found, intent.facts["prior"]):
        return "done", found, "its apply ended before the outcome was noted; read back"
    if as_planned(change, found):
        return "void", found, "its apply ended before it had an effect"
    return "stale", found, f"neither as before nor as planned: {found!r}"


def _note(intent: Entry, outcome: str, found: Any, detail: str, writer: Writer, note: Callable[..., Entry]) -> None:
    told = {name: intent.facts[name] for name in ("plan", "n", "source", "change", "target", "limit", "person", "findings")}
    account = found if told["change"] == "create" and outcome == "done" else intent.facts["account"]
    note("outcome", **told, account=account, outcome=outcome, read_back=found, detail=detail, settles=writer.settles)
