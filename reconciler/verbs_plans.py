"""The verbs before a write: accept a baseline, hold a person, plan, show, approve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciler.command_line import closed, formats, head_shipped, instant
from reconciler.errors import UsageError
from reconciler.filters import ACTIVE, Filter
from reconciler.model import SCHEMA_VERSION, SEVERITIES, instant_text
from reconciler.printing import asked, print_text, say
from reconciler.rows import show, show_one
from reconciler.verbs_stored import Person, Policies, Severities, Since, Sources, opened_store

Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded with your user name.")]
PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="A plan as `reconciler plan --out FILE` wrote it.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the plan goes.")]


def adopt(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A complete run; default: the last one.")] = None,
    reason: Reason = None,
) -> None:
    """Accept a complete night as the baseline: from then on plans can be made."""
    from reconciler.upkeep import accepted_anew, must_be_newer

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        found = store.night_of(run, complete=True)
        if found is None:
            raise UsageError(f"{run or 'no run'} is complete; only a complete run can be the baseline")
        said = said_now(reason)
        must_be_newer(config, found[0].as_of)
        store.adopt(found[0].run, said)
        accepted_anew(config)
    tell(form, {"run": found[0].run, **who_said(said)}, f"run {found[0].run} is the baseline")


def hold(
    who: Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, e-mail or login.")],
    until: Annotated[str | None, typer.Option(metavar="DATE", help="To the end of this day (UTC), or to this instant.")] = None,
    reason: Reason = None,
) -> None:
    """Nobody changes anything of this person until then: it goes before every rule and every approved plan."""
    from reconciler.stored import person_called

    form = formats("table", "json", "jsonl")
    if until is None:
        raise UsageError("hold needs --until DATE: a hold without an end would be forgotten")
    end = ends(until)
    with opened_store() as (config, store):
        person, name = person_called(config, store, who)
        said = said_now(reason)
        store.hold(person, end, said)
    told = {"person": person, "name": name, "until": instant_text(end), **who_said(said)}
    tell(form, told, f"{name or person} ({person}) is on hold until {told['until']}")


def unhold(who: Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, e-mail or login.")], reason: Reason = None) -> None:  # fmt: skip
    """End a hold now."""
    from reconciler.stored import person_called

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        said = said_now(reason)
        person = who if who in store.holds(said.at) else person_called(config, store, who)[0]
        store.release(person, said)
    tell(form, {"person": person, "until": instant_text(said.at), **who_said(said)}, f"{person} is no longer on hold")


def holds() -> None:
    """Who is on hold, until when, by whom and why."""
    form = formats("table", "json", "jsonl", "csv")
    with opened_store() as (_, store):
        found = [
            {"person": h.person, "until": instant_text(h.until), **who_said(h.said)} for h in store.holds(asked.now).values()
        ]
    show(form, found, ("person", "until", "by", "at", "reason"))


def plan(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where the sealed plan goes; without it, it is only shown.")] = None,
    policy: Policies = None, source: Sources = None, severity: Severities = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="new, open or reopened; may repeat. Default: all three.")] = None,
    person: Person = None, since: Since = None,
    fail_on: Annotated[str | None, typer.Option(metavar="SEVERITY", help=f"Exit 3 when it answers findings this severe: {', '.join(SEVERITIES)}.")] = None,
) -> None:  # fmt: skip
    """From the last night's findings to a sealed plan; changes nothing."""
    from reconciler.planning import planned
    from reconciler.who import identity

    form = formats("table", "json", "jsonl")
    closed("--fail-on", [fail_on] if fail_on else None, SEVERITIES)
    wanted = _filter(policy, source, severity, state, person, since)
    with opened_store() as (config, store), head_shipped(config):
        closed("--source", source, config.connectors)
        made = planned(config, store, wanted, identity(), asked.now, out)
        code = 3 if fail_on and _severe(config, store, made, fail_on) else 0
    tell_plan(made, form, out)
    raise typer.Exit(code)


def _filter(
    policy: Sequence[str] | None, source: Sequence[str] | None, severity: Sequence[str] | None, state: Sequence[str] | None,
    person: str | None, since: str | None,
) -> Filter:  # fmt: skip
    from reconciler.config import policy_ids

    closed("--state", state, ACTIVE)  # nothing is planned for what is waived, gone or not confirmed
    closed("--severity", severity, SEVERITIES)
    closed("--policy", policy, policy_ids())
    begin = instant("--since", since) if since else None
    return Filter(policy or (), source or (), severity or (), state or ACTIVE, person, begin)


def _severe(config: Any, store: Any, made: Any, fail_on: str) -> bool:
    from reconciler.run import night_of

    planned = {finding for action in made.actions for finding in action.findings}
    grave = SEVERITIES[SEVERITIES.index(fail_on) :]
    return any(f.severity in grave for f in night_of(config, store, None).findings if f.id in planned)


def tell_plan(made: Any, form: str, out: Path | None) -> None:
    """A plan for people or machines, and what to do with its file."""
    from reconciler.plan_words import plan_in_words

    if form == "table":
        print_text(plan_in_words(made))
    else:
        show_one(form, made.to_json())
    if out is not None:
        say(f"wrote {out}; nothing is changed. Next: reconciler approve {out} --reason TEXT, then reconciler apply {out}")
    else:
        say("nothing is changed and nothing kept; with --out FILE it can be approved")


def show_plan(file: PlanFile) -> None:
    """A plan: per person what is and what shall be, why, what undoes it and what cannot be undone."""
    from reconciler.plan_words import plan_in_words
    from reconciler.sealed import read

    form, made = formats("table", "json", "jsonl"), read(file)
    if form == "table":
        print_text(plan_in_words(made, _history()))
        if asked.now >= made.expires_at:
            say(f"{made.plan} expired at {instant_text(made.expires_at)}")
    else:
        show_one(form, made.to_json())


def _history() -> Any:
    """The journal, where this is the machine that has it."""
    from reconciler.config import load
    from reconciler.journal import Journal

    return Journal.of(load(asked.config).state.dir).check().entries if asked.config.exists() else ()


def approve(file: PlanFile, reason: Reason = None) -> None:
    """Say yes to exactly this plan: your identity, the time and the plan's hash go into the journal."""
    from reconciler.approvals import approve as approved
    from reconciler.config import load
    from reconciler.journal import Journal
    from reconciler.plan_words import in_short
    from reconciler.sealed import read
    from reconciler.who import identity

    form = formats("table", "json", "jsonl")
    config, made = load(asked.config), read(file)
    journal = Journal.of(config.state.dir)
    with head_shipped(config):
        given = approved(made, file, identity(), reason or "", asked.now, journal, config.remediation)
    told = {
        "plan": made.plan,
        "sha256": made.sha256,
        "by": given.by,
        "by_id": given.by_id,
        "at": given.at,
        "reason": given.reason,
    }
    irreversible = [action.n for action in made.actions if not action.reversible]
    words = "\n".join((*in_short(made), f"{made.plan} is approved by {given.by}"))
    tell(form, {**told, "irreversible": irreversible}, words)


def said_now(reason: str | None) -> Any:
    from reconciler.store_decisions import Said
    from reconciler.who import identity

    return Said(identity().name, asked.now, reason or "")


def who_said(said: Any) -> dict[str, Any]:
    return {"by": said.by, "at": instant_text(said.at), "reason": said.reason}


def ends(until: str) -> datetime:
    """The instant, or the end of the day."""
    end = instant("--until", until)
    return end + timedelta(days=1) if len(until) == len("2026-11-22") else end


def tell(form: str, told: dict[str, Any], words: str) -> None:
    if form == "table":
        print_text(words)
    else:
        show_one(form, {"schema_version": SCHEMA_VERSION, **told})
