"""The verbs that write, take back and prove: apply, undo, evidence."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from reconciler.command_line import formats, head_shipped
from reconciler.errors import Interrupted, UsageError
from reconciler.printing import asked, print_text, say
from reconciler.rows import show, show_one
from reconciler.verbs_plans import Out, PlanFile, tell_plan
from reconciler.verbs_stored import opened_store

_AUDITED = (
    "n",
    "person",
    "source",
    "account",
    "change",
    "target",
    "before",
    "after",
    "because",
    "access_should_end",
    "hours_late",
    "outcome",
    "at",
    "read_back",
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def apply(file: PlanFile, yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed where nobody is at a terminal.")] = False) -> None:  # fmt: skip
    """Exactly the approved plan: every object is looked at before and after it is changed."""
    from reconciler.applying import Order, apply_file
    from reconciler.attempt import Stop
    from reconciler.lock import exclusive
    from reconciler.plan_words import applied_in_words
    from reconciler.who import identity

    form, stop = formats("table", "json", "jsonl"), Stop()
    order = Order(identity(), _clock, stop, lambda plan, actions: _confirmed(plan, actions, yes), _Progress().told)
    with opened_store() as (config, store), head_shipped(config), exclusive(config.state.dir, "apply", asked.now), _heeded(stop):
        done = apply_file(config, store, file, order)
    if form == "table":
        print_text(applied_in_words(done.plan, done.results, done.counts, done.head, done.stopped))
    else:
        show_one(form, done.to_json())
    raise typer.Exit(done.exit)


def _clock() -> datetime:
    return asked.as_of or datetime.now(UTC)


def _confirmed(plan: Any, actions: Sequence[Any], yes: bool) -> None:
    """A person at the terminal says yes, or said so on the command line."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("apply asks before it writes, and nobody is at a terminal; give --yes")
    from reconciler.plan_words import in_short

    for line in in_short(plan):
        say(line)
    print(f"Apply {len(actions)} changes of {plan.plan}? Only 'yes' goes on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise Interrupted("nothing was changed")


class _Progress:
    """One line on a terminal, which grows with every result; a line for each that needs a look."""

    def __init__(self) -> None:
        self.done = 0

    def told(self, action: Any, result: Any) -> None:
        self.done += 1
        if sys.stderr.isatty() and not asked.quiet:
            print(f"\r\x1b[K{self.done} {action.source} {result.outcome}", end="", file=sys.stderr, flush=True)


@contextmanager
def _heeded(stop: Any) -> Iterator[None]:
    """A signal ends the apply after the change that is under way."""
    before = {number: signal.signal(number, lambda *_: stop.interrupted.set()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)


def undo(plan: Annotated[str, typer.Argument(metavar="PLAN_ID", help="A plan's id, or its beginning.")], out: Out) -> None:
    """The plan that takes a plan back, as far as it was carried out; to be approved and applied like any other."""
    from reconciler.planning import undone
    from reconciler.who import identity

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store), head_shipped(config):
        made = undone(config, store, plan, identity(), asked.now, out)
    tell_plan(made, form, out)


def evidence(plan: Annotated[str, typer.Argument(metavar="PLAN_ID", help="A plan's id, or its beginning.")]) -> None:
    """For an auditor: who made, approved and applied a plan, how late each access ended, and what was read back."""
    from reconciler.evidence import evidence as found
    from reconciler.plan_words import evidence_in_words

    form = formats("table", "json", "jsonl", "csv")
    with opened_store() as (config, store):
        told = found(config, store, plan)
    if form == "table":
        print_text(evidence_in_words(told))
    elif form == "csv":
        show(form, told["actions"], _AUDITED)
    else:
        show_one(form, told)
