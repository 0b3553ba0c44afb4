"""The verbs that read stored nights, offline: findings, explain, diff, report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciler.command_line import closed, formats, instant
from reconciler.errors import UsageError
from reconciler.filters import ACTIVE, Filter
from reconciler.model import SEVERITIES, STATES, Finding, instant_text
from reconciler.printing import asked, print_findings, print_text
from reconciler.rows import show, show_one

Policies = Annotated[list[str] | None, typer.Option("--policy", metavar="ID", help="Only of this policy; may repeat.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only on this source; may repeat.")]
Severities = Annotated[
    list[str] | None, typer.Option("--severity", help=f"Only this severe: {', '.join(SEVERITIES)}; may repeat.")
]
States = Annotated[
    list[str] | None, typer.Option("--state", help=f"{', '.join(STATES)}; may repeat. Default: new, open and reopened.")
]
Person = Annotated[str | None, typer.Option("--person", help="About this person: id, name or login.")]
Since = Annotated[str | None, typer.Option("--since", metavar="INSTANT", help="First seen at or after this instant or day.")]


@contextmanager
def opened_store() -> Iterator[tuple[Any, Any]]:
    """The configuration and the open database."""
    from reconciler.config import load
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store:
        yield config, store


def findings(
    context: typer.Context, policy: Policies = None, source: Sources = None, severity: Severities = None,
    state: States = None, person: Person = None, since: Since = None,
) -> None:  # fmt: skip
    """Findings of the last run; those that are new, open or reopened unless you ask for others."""
    if context.invoked_subcommand is None:
        _list(policy, source, severity, state, person, since)


def findings_list(
    policy: Policies = None, source: Sources = None, severity: Severities = None,
    state: States = None, person: Person = None, since: Since = None,
) -> None:  # fmt: skip
    """The same as `findings`."""
    _list(policy, source, severity, state, person, since)


def _list(policy: Policies, source: Sources, severity: Severities, state: States, person: Person, since: Since) -> None:
    from reconciler.config import policy_ids
    from reconciler.run import night_of

    formats("table", "json", "jsonl", "csv")
    closed("--state", state, STATES)
    closed("--severity", severity, SEVERITIES)
    closed("--policy", policy, policy_ids())
    begin = instant("--since", since) if since else None
    with opened_store() as (config, store):
        closed("--source", source, config.connectors)
        wanted = Filter(policy or (), source or (), severity or (), state or ACTIVE, person, begin)
        print_findings(list(wanted.chosen(night_of(config, store, None).findings)))


def findings_show(finding: Annotated[str, typer.Argument(metavar="ID", help="A finding's id, or its beginning.")]) -> None:
    """One finding, whole, with its history."""
    from reconciler.run import night_of

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        night = night_of(config, store, None)
        found = [f for f in night.findings if f.id.startswith(finding)]
        history = [e for f in found[:1] for e in store.events_of(f.id)] or store.events_of(finding)
        pages = {page.id: page for page in night.policies}
    if len(found) != 1:
        raise UsageError(_not_one(finding, found, history))
    past = [{"run": e.run, "as_of": instant_text(e.as_of), "state": e.state} for e in history]
    if form != "table":
        return show_one(form, {**found[0].to_json(), "history": past})
    from reconciler.explain_words import finding_in_words

    print_text(finding_in_words(found[0], pages.get(found[0].policy), past))
    return None


def _not_one(wanted: str, found: list[Finding], history: list[Any]) -> str:
    if found:
        return f"{len(found)} findings begin with {wanted}: {found[0].id}, {found[1].id} …; give more of the one you mean"
    if history:
        last = history[-1]
        return f"{wanted} is not in the last run; it was {last.state} on {last.as_of:%d %b %Y} (run {last.run})"
    return f"no finding of the last run is called {wanted}; `reconciler findings` lists them"


def explain(
    who: Annotated[str, typer.Argument(metavar="PERSON_OR_ACCOUNT", help="A person's id or e-mail, or any login.")],
) -> None:
    """Why we say what we say about a person or an account, offline from the last run."""
    from reconciler.explain import explanation
    from reconciler.explain_words import in_words

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        told = explanation(config, store, who)
    if form == "table":
        print_text(in_words(told))
    else:
        show_one(form, told)


def diff(
    run_a: Annotated[str | None, typer.Argument(metavar="[RUN_A]", help="The earlier run; default: the one before.")] = None,
    run_b: Annotated[str | None, typer.Argument(metavar="[RUN_B]", help="The later run; default: the last complete one.")] = None,
) -> None:
    """What changed between two runs: findings and records; by default the last complete run against the one before."""
    from reconciler.explain import difference
    from reconciler.explain_words import CHANGES, changes_in_words

    form = formats("table", "json", "jsonl", "csv")
    with opened_store() as (config, store):
        told = difference(config, store, run_a, run_b)
    listed = {word: [f.to_json() for f in told[word]] for word in CHANGES}
    rows = [{"change": word, **finding} for word in CHANGES for finding in listed[word]]
    records = [{**record, "change": f"record {record['change']}"} for record in told["changed_records"]]
    if form == "json":
        show_one(form, {**told, **listed})
    elif form == "jsonl":
        show(form, rows + records, ())
    elif form == "csv":
        show(form, rows + records, ("change", "id", "policy", "severity", "source", "summary", "table", "name", "columns"))
    else:
        print_text("\n".join(changes_in_words(told)))


def report(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id or its beginning; default: the last.")] = None,
    formats_: Annotated[str | None, typer.Option("--formats", help="html,csv,jsonl; default as configured.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder to write to; default as configured.")] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Initials and hashed ids instead of names.")] = False,
) -> None:
    """Render any stored run."""
    from reconciler.report import formats as known
    from reconciler.report import render
    from reconciler.run import night_of

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        wanted = [word.strip() for word in formats_.split(",") if word.strip()] if formats_ else list(config.report.formats)
        closed("--formats", wanted, known())
        night = night_of(config, store, run_id)
        paths = [str(path) for path in render(night, wanted, out or config.report.dir, redact=redact)]
    if form == "table":
        print("\n".join(paths))
    else:
        show_one(form, {"schema_version": 1, "run": night.record.run, "reports": paths})
