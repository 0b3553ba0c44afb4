"""The command line: one function per verb, which parses, calls and prints. Data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from shutil import which
from typing import Annotated, Any, NoReturn

import typer

from reconciler.errors import ConfigError, ReconcilerError, UsageError
from reconciler.model import SEVERITIES, STATES, Finding, Night
from reconciler.printing import MARKS, asked, print_findings, print_json, say, tell

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None, help="Tells a company, every night and with proof, whose accounts should not be there.")  # fmt: skip
policies_app = typer.Typer(no_args_is_help=True, help="The catalogue of policies.")
findings_app = typer.Typer(invoke_without_command=True, help="Findings of the last run, or one of them.")
app.add_typer(policies_app, name="policies")
app.add_typer(findings_app, name="findings")


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r}: write an instant such as 2026-11-22T02:05:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- verbs --------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the company's files and reports go.")] = Path("demo"),
    people: Annotated[int, typer.Option(min=60, max=50_000, help="How many people the company has.")] = 60,
) -> None:
    """The real nightly run against an embedded company, two nights, one day apart."""
    from reconciler.demo import SENTENCE, Shown, next_steps, two_nights
    from reconciler.run import Wish

    def told(shown: Shown) -> None:
        say(f"\nThe night of {shown.night.record.as_of:%d %b %Y, %H:%M} UTC")
        tell(shown.night)

    say(SENTENCE)
    shown = two_nights(folder, asked.now, people, lambda now: Wish(now, progress=_progress()), told)
    command = "reconciler" if which("reconciler") else sys.argv[0]
    for line in next_steps(command, folder, shown):
        say(line)
    if not all(night.verdict.true for night in shown):
        raise ReconcilerError("a night found something else than what was planted in the company; this is a fault of ours")


@app.command()
def init(from_csv: Annotated[Path | None, typer.Option("--from-csv", help="Read the headers of this roster.")] = None) -> None:
    """Write a commented config.toml."""
    from reconciler.starter import starter

    if asked.config.exists():
        raise UsageError(f"{asked.config} is there already; move it away, or name another with --config")
    asked.config.write_text(starter(from_csv), "utf-8")
    say(f"wrote {asked.config}; edit it, then: reconciler check")


@app.command()
def check() -> None:
    """Look at the configuration alone, offline: every mistake at once."""
    from reconciler import config as configuration

    loaded = configuration.load(asked.config)
    problems = configuration.check(loaded)
    if problems:
        raise ConfigError(problems)
    say(f"{asked.config}: {len(loaded.connectors)} connectors, {len(loaded.access)} access rules: nothing wrong")


@app.command()
def run(
    only: Annotated[list[str] | None, typer.Option(help="Ask this connector; the others give their last whole snapshot.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Evaluate a stored run's snapshots again, offline.")] = None,
    fail_on: Annotated[str | None, typer.Option(help=f"Exit 3 on findings this severe: {', '.join(SEVERITIES)}.")] = None,
    accept: Annotated[list[str] | None, typer.Option(help="Take this source's reading although it is out of its band.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; needed with --accept, and recorded.")] = None,
) -> None:
    """The night: pull, correlate, evaluate, compare, store, report. Never writes to a source."""
    from reconciler.run import Wish

    if fail_on is not None and fail_on not in SEVERITIES:
        raise UsageError(f"--fail-on {fail_on}: allowed: {', '.join(SEVERITIES)}")
    if accept and not reason:
        raise UsageError("--accept needs --reason TEXT: it is recorded who took what on trust, and why")
    wish = Wish(asked.now, frozenset(only or ()), from_, dict.fromkeys(accept or (), reason or ""), fail_on, _progress())
    night = _night(wish)
    tell(night)
    raise typer.Exit(night.record.exit)


def _night(wish: Any) -> Night:
    from reconciler.config import load
    from reconciler.lock import exclusive
    from reconciler.run import nightly
    from reconciler.store import opened

    config = load(asked.config)
    with exclusive(config.state.dir, "run", wish.clock()), opened(config.state.url(config.base)) as store:
        return nightly(config, store, wish)


def _progress() -> Any:
    """Rows as they come, on a terminal only."""
    if not sys.stderr.isatty() or asked.quiet:
        return lambda source, table, rows: None
    return lambda source, table, rows: print(f"\r\x1b[K{source}: {rows} {table}", end="", file=sys.stderr, flush=True)


@findings_app.callback()
def findings(
    context: typer.Context,
    policy: Annotated[list[str] | None, typer.Option(help="Only of this policy; may repeat.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only on this source; may repeat.")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only this severe; may repeat.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="In this state; may repeat. Default: new, open and reopened.")] = None,
    person: Annotated[str | None, typer.Option(help="About this person: id or name.")] = None,
    since: Annotated[str | None, typer.Option(help="First seen at or after this instant.")] = None,
) -> None:
    """List findings of the last run."""
    if context.invoked_subcommand not in (None, "list"):
        return
    _closed("--state", state, STATES)
    _closed("--severity", severity, SEVERITIES)
    states, begin = state or ["new", "open", "reopened"], _instant(since) if since else None
    with _stored(None) as night:
        chosen = [
            f for f in night.findings
            if f.state in states and (not policy or f.policy in policy) and (not source or f.source in source)
            and (not severity or f.severity in severity) and _about(f, person) and (begin is None or f.first_seen >= begin)
        ]  # fmt: skip
        print_findings(chosen)


def _closed(option: str, words: list[str] | None, allowed: tuple[str, ...]) -> None:
    for word in words or ():
        if word not in allowed:
            raise UsageError(f"{option} {word}: allowed: {', '.join(allowed)}")


def _about(finding: Finding, person: str | None) -> bool:
    return person is None or (
        finding.person is not None and person.casefold() in (finding.person.id.casefold(), (finding.person.name or "").casefold())
    )


@findings_app.command("list")
def findings_list() -> None:
    """The same as `findings`."""


@findings_app.command("show")
def findings_show(finding: str) -> None:
    """One finding, whole, with its history."""
    from reconciler.config import load
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store, _stored(None) as night:
        found = [f for f in night.findings if f.id.startswith(finding)]
        history = (
            [{"run": e.run, "as_of": e.as_of.isoformat(), "state": e.state} for e in store.events_of(found[0].id)]
            if found
            else []
        )
    if len(found) != 1:
        raise UsageError(f"{len(found)} findings of the last run are called {finding}; `reconciler findings` lists them")
    print_json({**found[0].to_json(), "history": history})


@app.command()
def explain(who: Annotated[str, typer.Argument(help="A person's id or e-mail, or any login.")]) -> None:
    """Why we say what we say about a person or an account, offline from the last run."""
    from reconciler.config import load
    from reconciler.explain import explanation, in_words
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store:
        told = explanation(config, store, who)
    if asked.format == "json":
        print_json(told)
    else:
        print(in_words(told))


@app.command()
def diff(run_a: Annotated[str | None, typer.Argument()] = None, run_b: Annotated[str | None, typer.Argument()] = None) -> None:
    """What changed between two runs; by default the last complete one and the one before."""
    from reconciler.config import load
    from reconciler.explain import difference
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store:
        told = difference(config, store, run_a, run_b)
    if asked.format == "json":
        return print_json({**told, **{k: [f.to_json() for f in told[k]] for k in ("new", "resolved", "reopened", "changed")}})
    for word in ("new", "reopened", "resolved", "changed"):
        for finding in told[word]:
            print(f"{word:9} {MARKS[finding.severity]} {finding.severity:8} {finding.summary}")
    for name, counts in told["records"].items():
        print(f"records   {name}: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items()))
    return None


@app.command()
def report(
    run_id: Annotated[str | None, typer.Argument(metavar="RUN")] = None,
    formats: Annotated[str | None, typer.Option(help="html,csv,jsonl; default as configured.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Initials and hashed ids instead of names.")] = False,
) -> None:
    """Render any stored run."""
    from reconciler.config import load
    from reconciler.report import formats as known
    from reconciler.report import render

    config = load(asked.config)
    wanted = formats.split(",") if formats else list(config.report.formats)
    _closed("--formats", wanted, tuple(known()))
    with _stored(run_id) as night:
        for path in render(night, wanted, out or config.report.dir, redact=redact):
            print(path)


@app.command()
def schedule() -> None:
    """Run the night from [schedule] cron, in the foreground, until SIGTERM."""
    from reconciler.config import load
    from reconciler.run import Wish
    from reconciler.schedule import serve

    config = load(asked.config)

    def night(now: datetime) -> int:
        found = _night(Wish(now, progress=lambda source, table, rows: None))
        tell(found)
        return found.record.exit

    raise typer.Exit(serve(config.schedule.cron, config.organisation.timezone, night, _last_run(config), say))


def _last_run(config: Any) -> datetime | None:
    from reconciler.store import opened

    with opened(config.state.url(config.base)) as store:
        found = store.night_of()
    return found[0].started if found else None


@policies_app.command("list")
def policies_list() -> None:
    """Every policy: id, severity, question."""
    pages = _pages()
    if asked.format in ("json", "jsonl"):
        return print_json([{"id": p.id, "severity": p.severity, "title": p.title, "settings": p.settings} for p in pages])
    for page in pages:
        print(f"{page.id:26} {page.severity:9} {page.title}")
    return None


@policies_app.command("docs")
def policies_docs(policy: Annotated[str | None, typer.Argument()] = None) -> None:
    """What a policy asks, why, how to fix it, when it can be wrong, and its settings."""
    pages = [page for page in _pages() if policy in (None, page.id)]
    if not pages:
        raise UsageError(f"no policy is called {policy}; there are: {', '.join(p.id for p in _pages())}")
    for page in pages:
        settings = "\n".join(f"    {name} = {json.dumps(value)}" for name, value in page.settings.items())
        print(
            f"## {page.id}\n\n{page.title}\n\nWhy it matters: {page.why}\n\nHow to fix: {page.fix}\n\nCan be wrong when: {page.wrong_when}\n"
        )
        print(
            f'Controls: {", ".join(page.controls)}\n\n    [policies.{page.id}]\n    enabled = true\n    severity = "{page.severity}"\n{settings}\n'
        )


def _pages() -> list[Any]:
    from reconciler import plugins
    from reconciler.policy import policy_in

    return [policy_in(plugins.load("policies", name)).page() for name in plugins.names("policies")]


@app.command()
def schema(what: Annotated[str, typer.Argument(help="config, finding or run")]) -> None:
    """The JSON Schema of what users script against."""
    from reconciler.schemas import SCHEMAS

    _closed("schema", [what], tuple(SCHEMAS))
    print_json(SCHEMAS[what]())


@app.command()
def version() -> None:
    """This program's version."""
    told = installed("identity-reconciler")
    print(json.dumps({"version": told}) if asked.format == "json" else told)


@contextmanager
def _stored(run_id: str | None) -> Iterator[Night]:
    from reconciler.config import load
    from reconciler.run import night_of
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store:
        yield night_of(config, store, run_id)


# --- main ---------------------------------------------------------------------------------------------------------

_OPTIONS = {"--config": "config", "--format": "format", "--as-of": "as_of", "--color": "color"}
_FORMATS = ("table", "json", "jsonl", "csv")


def _common(arguments: list[str]) -> list[str]:
    """Take the options that may stand before or after the verb out of the command line."""
    asked.__init__(config=Path(os.environ.get("RECONCILER_CONFIG", "config.toml")))  # type: ignore[misc]
    rest, words = [], iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in _OPTIONS:
            given = value if equals else next(words, None)
            if given is None:
                raise UsageError(f"{name} needs a value")
            _take(name, given)
        elif word in ("-q", "-v"):
            setattr(asked, {"-q": "quiet", "-v": "verbose"}[word], True)
        else:
            rest.append(word)
    return rest


def _take(name: str, value: str) -> None:
    if name == "--format":
        _closed(name, [value], _FORMATS)
    if name == "--color":
        _closed(name, [value], ("auto", "always", "never"))
    made = Path(value) if name == "--config" else _instant(value) if name == "--as-of" else value
    setattr(asked, _OPTIONS[name], made)


def main() -> NoReturn:
    """The `reconciler` command; its exit codes are the contract's."""
    try:
        rest = _common(sys.argv[1:])
        logging.basicConfig(
            level=logging.INFO if asked.verbose else logging.ERROR, format="%(levelname)s %(message)s", stream=sys.stderr
        )
        stopped = app(rest, standalone_mode=False)  # click hands a verb's exit code back instead of raising it
        code = stopped if isinstance(stopped, int) else 0
    except ReconcilerError as problem:
        print(f"reconciler: {problem}", file=sys.stderr)
        code = problem.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        code = 0
    except Exception as problem:  # noqa: BLE001 - the last line of defence: a sentence and a code, the trace with -v
        code = _unexpected(problem)
    sys.exit(code)


def _unexpected(problem: Exception) -> int:
    """A command line that click refuses is 2; anything else is ours, and 1."""
    usage = getattr(problem, "format_message", None)
    if usage is not None:
        print(f"reconciler: {usage()} Try: reconciler --help", file=sys.stderr)
        return 2
    logging.getLogger(__name__).error(
        "unexpected: %s: %s; run again with -v and report it", type(problem).__name__, problem, exc_info=asked.verbose
    )
    return 1
