"""The verbs by which people decide: whose an account is, and which findings are accepted for a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciler.command_line import closed, formats
from reconciler.errors import UsageError
from reconciler.model import OUTCOMES, instant_text
from reconciler.printing import asked
from reconciler.rows import show
from reconciler.verbs_plans import Reason, ends, said_now, tell, who_said
from reconciler.verbs_stored import opened_store

FindingId = Annotated[str, typer.Argument(metavar="FINDING", help="A finding's id, or its beginning.")]
AccountName = Annotated[str, typer.Argument(metavar="ACCOUNT", help="A login, an e-mail or an id; source:login where several are called so.")]  # fmt: skip
PersonName = Annotated[str, typer.Argument(metavar="PERSON", help="A person's id, e-mail or login.")]


def waive(
    finding: FindingId,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="To the end of this day (UTC), or to this instant.")] = None,
    reason: Reason = None,
) -> None:
    """Accept a finding until then; it is counted as waived, and speaks up again after that."""
    from reconciler.run import night_of

    form = formats("table", "json", "jsonl")
    if until is None:
        raise UsageError("waive needs --until DATE: an acceptance without an end would be forgotten")
    end = ends(until)
    with opened_store() as (config, store):
        found = _one(
            finding, [f for f in night_of(config, store, None).findings if f.state != "resolved" and f.id.startswith(finding)]
        )
        said = said_now(reason)
        store.waive(found.id, end, said)
    told = {"finding": found.id, "summary": found.summary, "until": instant_text(end), **who_said(said)}
    tell(form, told, f"{found.id} ({found.summary}) is waived until {told['until']}")


def _one(wanted: str, found: list[Any]) -> Any:
    if len(found) != 1:
        several = f"{len(found)} findings begin with {wanted}; give more of the one you mean"
        raise UsageError(several if found else f"no finding of the last run is called {wanted}; `reconciler findings` lists them")
    return found[0]


def unwaive(finding: FindingId, reason: Reason = None) -> None:
    """Take a waiver back now."""
    form = formats("table", "json", "jsonl")
    with opened_store() as (_, store):
        said = said_now(reason)
        matching = [name for name in store.waivers_in_force(said.at) if name.startswith(finding)]
        store.unwaive(matching[0] if len(matching) == 1 else finding, said)
    tell(form, {"finding": matching[0], "until": instant_text(said.at), **who_said(said)}, f"{matching[0]} is no longer waived")


def waivers(context: typer.Context) -> None:
    """Which findings are waived, until when, by whom and why."""
    if context.invoked_subcommand is None:
        waivers_list()


def waivers_list() -> None:
    """The same as `waivers`."""
    form = formats("table", "json", "jsonl", "csv")
    with opened_store() as (config, store):
        in_force, about = store.waivers_in_force(asked.now), _summaries(config, store)
    rows = [{"finding": name, **waiver, "summary": about.get(name)} for name, waiver in in_force.items()]
    show(form, rows, ("finding", "until", "by", "reason", "summary"))


def _summaries(config: Any, store: Any) -> dict[str, str]:
    """What the findings of the last run are about; nothing before a run."""
    from reconciler.run import night_of

    return {f.id: f.summary for f in night_of(config, store, None).findings} if store.night_of() else {}


def link(account: AccountName, person: PersonName, reason: Reason = None) -> None:
    """Say whose an account is, for ever: it goes before every key, from the next run on."""
    from reconciler.stored import account_called, person_called

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        found, (owner, name) = account_called(config, store, account), person_called(config, store, person)
        said = said_now(reason)
        store.link(found.source, found.id, owner, said)
    told = {"account": _account(found), "person": {"id": owner, "name": name}, **who_said(said)}
    tell(form, told, f"{found.login} on {found.source} is {name or owner}'s ({owner}), from the next run on")


def unlink(account: AccountName, reason: Reason = None) -> None:
    """Take a link back: the keys decide again, from the next run on."""
    from reconciler.stored import account_called

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        found, said = account_called(config, store, account), said_now(reason)
        store.unlink(found.source, found.id, said)
    tell(form, {"account": _account(found), **who_said(said)}, f"{found.login} on {found.source} is no longer linked to anybody")


def _account(found: Any) -> dict[str, Any]:
    return {"source": found.source, "id": found.id, "login": found.login, "name": found.name}


Outcomes = Annotated[list[str] | None, typer.Option("--outcome", help=f"Only these: {', '.join(OUTCOMES)}; may repeat.")]
With = Annotated[
    Path | None, typer.Option("--with", metavar="CONFIG", help="Only what this configuration would match otherwise.")
]


def matches(context: typer.Context, outcome: Outcomes = None, other: With = None) -> None:
    """Whose each account of the last run is, by which key, and who else was considered."""
    if context.invoked_subcommand is None:
        _matches(outcome, other)


def matches_list(outcome: Outcomes = None, other: With = None) -> None:
    """The same as `matches`."""
    _matches(outcome, other)


def _matches(outcome: list[str] | None, other: Path | None) -> None:
    from reconciler.config import load
    from reconciler.stored import matched, rematched

    form = formats("table", "json", "jsonl", "csv")
    closed("--outcome", outcome, OUTCOMES)
    with opened_store() as (config, store):
        found = list(matched(config, store) if other is None else rematched(config, store, load(other)))
    told = [match for match in found if not outcome or match["outcome"] in outcome]
    show(form, told if form in ("json", "jsonl") else list(_flat(told)), _FLAT if other is None else (*_FLAT, "was"))


_FLAT = ("source", "login", "name", "outcome", "person", "by", "candidates")


def _flat(told: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for match in told:
        about = {name: match["account"][name] for name in ("source", "login", "name")}
        people = [c["person"] for c in match["candidates"]]
        before = match.get("was")
        was = f"{before['outcome']} {(before['person'] or {}).get('id') or ''}".strip() if before else None
        owner = (match["person"] or {}).get("id")
        yield {
            **about,
            "outcome": match["outcome"],
            "person": owner,
            "by": match["by"],
            "candidates": ", ".join(people),
            "was": was,
        }


def agenda(days: Annotated[int, typer.Option(metavar="N", min=1, max=366, help="How many days from today.")] = 14) -> None:
    """Who joins, moves and leaves in the next days, and how ready each is."""
    from reconciler.agenda import agenda as due

    form = formats("table", "json", "jsonl", "csv")
    with opened_store() as (config, store):
        found = due(config, store, asked.now, days)
    rows = (
        found
        if form in ("json", "jsonl")
        else [{**row, "accounts": _ready(row["accounts"]), "lacking": "; ".join(row["lacking"])} for row in found]
    )
    show(form, rows, ("day", "what", "person", "name", "department", "accounts", "lacking"))


def _ready(accounts: list[dict[str, Any]]) -> str:
    words = {True: "on", False: "off", None: "?"}
    return ", ".join(f"{a['source']} {words[a['enabled']] if a['login'] else 'none'}" for a in accounts)
