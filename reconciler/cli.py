"""The command line: one function per verb, which parses, calls and prints. Data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from reconciler.errors import ConfigError, ReconcilerError, UsageError
from reconciler.model import SEVERITIES, STATES, Finding, Night, RunRecord

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None, help="Tells a company, every night and with proof, whose accounts should not be there.")  # fmt: skip
policies_app = typer.Typer(no_args_is_help=True, help="The catalogue of policies.")
findings_app = typer.Typer(invoke_without_command=True, help="Findings of the last run, or one of them.")
app.add_typer(policies_app, name="policies")
app.add_typer(findings_app, name="findings")

MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▪", "info": "·"}
COLOURS = {"critical": "red", "high": "dark_orange", "medium": "yellow", "low": "green", "info": "blue"}


@dataclass
class _Asked:
    """The options that stand before or after any verb."""

    config: Path = Path("config.toml")
    format: str | None = None
    as_of: datetime | None = None
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False

    @property
    def now(self) -> datetime:
        return self.as_of or datetime.now(UTC)


asked = _Asked()


def _say(text: str) -> None:
    if not asked.quiet:
        print(text, file=sys.stderr)


def _console(stream: Any = None) -> Console:
    colour = {"always": True, "never": False, "auto": None}[asked.color]
    return Console(file=stream or sys.stdout, force_terminal=colour, no_color=True if asked.color == "never" else None, highlight=False, markup=False, width=None if (stream or sys.stdout).isatty() else 200)  # fmt: skip


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--as-of {text!r}: write an instant such as 2026-11-22T02:05:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- verbs --------------------------------------------------------------------------------------------------------


@app.command()
def init(from_csv: Annotated[Path | None, typer.Option("--from-csv", help="Read the headers of this roster.")] = None) -> None:
    """Write a commented config.toml."""
    from reconciler.starter import starter

    if asked.config.exists():
        raise UsageError(f"{asked.config} is there already; move it away, or name another with --config")
    asked.config.write_text(starter(from_csv), "utf-8")
    _say(f"wrote {asked.config}; edit it, then: reconciler check")


@app.command()
def check() -> None:
    """Look at the configuration alone, offline: every mistake at once."""
    from reconciler import config as configuration

    loaded = configuration.load(asked.config)
    problems = configuration.check(loaded)
    if problems:
        raise ConfigError(problems)
    _say(f"{asked.config}: {len(loaded.connectors)} connectors, {len(loaded.access)} access rules: nothing wrong")


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
    _tell(night)
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
        _print_findings(chosen)


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
    _print_json({**found[0].to_json(), "history": history})


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
        _print_json(told)
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
        return _print_json({**told, **{k: [f.to_json() for f in told[k]] for k in ("new", "resolved", "reopened", "changed")}})
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
) -> None:
    """Render any stored run."""
    from reconciler.config import load
    from reconciler.report import formats as known
    from reconciler.report import render

    config = load(asked.config)
    wanted = formats.split(",") if formats else list(config.report.formats)
    _closed("--formats", wanted, tuple(known()))
    with _stored(run_id) as night:
        for path in render(night, wanted, out or config.report.dir):
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
        _tell(found)
        return found.record.exit

    raise typer.Exit(serve(config.schedule.cron, config.organisation.timezone, night, _last_run(config), _say))


def _last_run(config: Any) -> datetime | None:
    from reconciler.store import opened

    with opened(config.state.url(config.base)) as store:
        found = store.night_of()
    return found[0].as_of if found else None


@policies_app.command("list")
def policies_list() -> None:
    """Every policy: id, severity, question."""
    pages = _pages()
    if asked.format in ("json", "jsonl"):
        return _print_json([{"id": p.id, "severity": p.severity, "title": p.title, "settings": p.settings} for p in pages])
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
    _print_json(SCHEMAS[what]())


@app.command()
def version() -> None:
    """This program's version."""
    told = installed("identity-reconciler")
    print(json.dumps({"version": told}) if asked.format == "json" else told)


# --- printing -----------------------------------------------------------------------------------------------------


@contextmanager
def _stored(run_id: str | None) -> Iterator[Night]:
    from reconciler.config import load
    from reconciler.run import night_of
    from reconciler.store import opened

    config = load(asked.config)
    with opened(config.state.url(config.base)) as store:
        yield night_of(config, store, run_id)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print_findings(chosen: Iterable[Finding]) -> None:
    if asked.format == "jsonl":
        for finding in chosen:
            print(json.dumps(finding.to_json(), ensure_ascii=False))
    elif asked.format == "json":
        _print_json([finding.to_json() for finding in chosen])
    elif asked.format == "csv":
        from reconciler import plugins

        _write(plugins.load("reports", "csv_table").sheet(chosen))
    else:
        _table(list(chosen))


def _write(body: bytes) -> None:
    sys.stdout.buffer.write(body)


def _table(chosen: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("severity", "state", "id", "finding"):
        table.add_column(name, no_wrap=name != "finding")
    for f in chosen:
        table.add_row(
            f"{MARKS[f.severity]} {f.severity}",
            f.state,
            f.id,
            _visible(f.summary),
            style=COLOURS[f.severity] if f.severity == "critical" else None,
        )
    _console().print(table)
    _say(f"{len(chosen)} findings")


def _visible(text: str) -> str:
    """What a terminal must not interpret, shown instead."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):04X}}}" for c in text)


def _tell(night: Night) -> None:
    """One night for people, or as the contract's JSON object."""
    if asked.format == "json":
        return _print_json(night.record.to_json())
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    for line in _lines(night.record):
        print(line)
    return None


def _lines(record: RunRecord) -> Iterator[str]:
    for s in record.sources:
        mark = "OK" if s.state in ("complete", "reused") else "!!"
        rows = (
            f"{s.people} people" if s.people else f"{s.accounts} accounts, {s.entitlements} entitlements, {s.grants} memberships"
        )
        yield f"{mark}  {s.name:10} {s.state:10} {rows} (read {s.read} = accepted {s.accepted} + quarantined {s.quarantined} + rejected {s.rejected}) {s.seconds:.1f} s"
        yield from (f"      {_visible(reason)}" for reason in s.reasons)
        yield from (f"      not read: {area}: {_visible(reason)}" for area, reason in s.areas.items())
    m, f = record.matching, record.findings
    yield f"accounts: {m['owned']} owned, {m['unowned']} nobody's, {m['disputed']} disputed, {m['withheld']} withheld, {m['exempt']} exempt"
    yield f"findings: {f['new']} new, {f['open']} open, {f['reopened']} reopened, {f['resolved']} resolved, {f['waived']} waived, {f['unverified']} unverified"
    yield from (f"   {MARKS[s]} {s:8} {f['by_severity'][s]}" for s in reversed(SEVERITIES) if f["by_severity"].get(s))
    yield from (f"report: {path}" for path in record.reports)
    yield f"run {record.run}  exit {record.exit}"


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
        app(rest, standalone_mode=False)
        code = 0
    except typer.Exit as stop:
        code = stop.exit_code
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
