"""The verbs that set up and run nights: demo, init, check, doctor, run, schedule."""

from __future__ import annotations

import signal
import sys
from datetime import datetime
from pathlib import Path
from shutil import which
from typing import Annotated, Any

import typer

from reconciler.command_line import closed, formats, head_shipped, user
from reconciler.errors import ConfigError, ReconcilerError, UsageError
from reconciler.model import SEVERITIES, Night
from reconciler.printing import asked, say, tell
from reconciler.rows import show_one


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where the company's files and reports go.")] = Path("demo"),
    people: Annotated[int, typer.Option(min=60, max=50_000, help="How many people the company has.")] = 60,
    serve: Annotated[bool, typer.Option("--serve", help="Keep its systems running until Ctrl-C, so that the plan can be applied to them.")] = False,
) -> None:  # fmt: skip
    """The real nightly run against an embedded company, two nights, one day apart; then a plan, which changes nothing."""
    from reconciler.demo import SENTENCE, Shown, dry_run, next_steps, two_nights
    from reconciler.plan_words import beginning
    from reconciler.printing import print_text
    from reconciler.run import Wish

    def told(shown: Shown) -> None:
        say(f"\nThe night of {shown.night.record.as_of:%d %b %Y, %H:%M} UTC")
        tell(shown.night)

    def last(shown: list[Shown]) -> None:
        plan = dry_run(folder, shown)
        if formats("table", "json", "jsonl") == "table":
            print_text("\n".join(beginning(plan)))
        for line in next_steps("reconciler" if which("reconciler") else sys.argv[0], folder, shown, serve):
            say(line)
        if serve:
            signal.sigwait({signal.SIGINT, signal.SIGTERM})

    say(SENTENCE)
    if serve:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    shown = two_nights(folder, asked.now, people, lambda now: Wish(now, progress=_progress()), told, last)
    if not all(night.verdict.true for night in shown):
        raise ReconcilerError("a night found something else than what was planted in the company; this is a fault of ours")


def init(from_csv: Annotated[Path | None, typer.Option("--from-csv", metavar="FILE", help="Read columns, statuses and preset off this roster.")] = None) -> None:  # fmt: skip
    """Write a commented config.toml."""
    from reconciler.starter import starter

    if asked.config.exists():
        raise UsageError(f"{asked.config} is there already; move it away, or name another with --config")
    text = starter(from_csv, asked.config)
    try:
        asked.config.write_text(text, "utf-8")
    except OSError as problem:
        raise UsageError(f"{asked.config}: cannot be written: {problem.strerror}; name another place with --config") from None
    for line in text.splitlines():
        if line.startswith("# TO DO: "):
            say(f"to do in {asked.config}: {line.removeprefix('# TO DO: ')}")
    say(f"wrote {asked.config}; look it over, then: reconciler check")


def check() -> None:
    """Look at the configuration alone, offline: every mistake at once."""
    from reconciler import config as configuration

    form, told = formats("table", "json", "jsonl"), ""
    try:
        loaded = configuration.load(asked.config)
        problems = tuple(configuration.check(loaded))
        told = f"{len(loaded.connectors)} connectors, {len(loaded.access)} access rules: nothing wrong"
    except ConfigError as mistakes:
        problems = mistakes.problems
    if form != "table":
        show_one(form, {"schema_version": 1, "config": str(asked.config), "valid": not problems, "problems": list(problems)})
        raise typer.Exit(ConfigError.exit_code if problems else 0)
    if problems:
        raise ConfigError(problems)
    say(f"{asked.config}: {told}")


def doctor(
    connectors: Annotated[list[str] | None, typer.Argument(metavar="CONNECTOR", help="Examine these alone; all of them without.")] = None,
) -> None:  # fmt: skip
    """Ask every source what this identity may read: permissions, TLS, clocks, counts. Writes nothing anywhere."""
    from reconciler.config import load
    from reconciler.connector import Context
    from reconciler.doctor import examine, exit_of, known_of
    from reconciler.doctor_words import ended, examined
    from reconciler.printing import print_text
    from reconciler.store import looked_into

    form, config = formats("table", "json", "jsonl"), load(asked.config)
    closed("doctor", connectors, config.connectors)
    chosen = [connector for name, connector in config.connectors.items() if not connectors or name in connectors]
    with looked_into(config.state.url(config.base)) as store:
        known = known_of(config, store) if store else {}
    found = list(examine(chosen, known, Context("", asked.now), _progress()))
    if sys.stderr.isatty() and not asked.quiet:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    code = exit_of(found)
    if form == "table":
        print_text("\n".join(line for one in found for line in examined(one)))
        say(ended(code))
    else:
        show_one(form, {"schema_version": 1, "exit": code, "connectors": [one.to_json() for one in found]})
    raise typer.Exit(code)


def run(
    only: Annotated[list[str] | None, typer.Option(metavar="CONNECTOR", help="Ask this one; the others give their last whole snapshot. May repeat.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="RUN", help="Evaluate a stored run's snapshots again, offline; nothing is stored.")] = None,
    fail_on: Annotated[str | None, typer.Option(metavar="SEVERITY", help=f"Exit 3 on findings this severe: {', '.join(SEVERITIES)}.")] = None,
    accept: Annotated[list[str] | None, typer.Option(metavar="SOURCE", help="Take this source's reading although it is out of its band. May repeat.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; needed with --accept, and recorded with your user name.")] = None,
) -> None:  # fmt: skip
    """The night: pull, correlate, evaluate, compare, store, report. Never writes to a source."""
    from reconciler.run import Wish

    formats("table", "json", "jsonl")
    if fail_on is not None:
        closed("--fail-on", [fail_on], SEVERITIES)
    if accept and not (reason or "").strip():
        raise UsageError("--accept needs --reason TEXT: it is recorded who took what on trust, and why")
    if reason and not accept:
        raise UsageError("--reason goes with --accept SOURCE")
    if from_ is not None and (only or accept):
        raise UsageError("--from evaluates a stored run offline: no source is asked, so --only and --accept have no place in it")
    wish = Wish(
        asked.now, frozenset(only or ()), from_, dict.fromkeys(accept or (), reason or ""), fail_on, _progress(), by=user()
    )
    night = _night(wish, "run")
    tell(night)
    raise typer.Exit(night.record.exit)


def _night(wish: Any, verb: str) -> Night:
    from reconciler.config import load
    from reconciler.lock import exclusive
    from reconciler.run import nightly
    from reconciler.store import opened

    config = load(asked.config)
    with head_shipped(config), exclusive(config.state.dir, verb, wish.clock()), opened(config.state.url(config.base)) as store:
        return nightly(config, store, wish)


def _progress() -> Any:
    """Rows as they come, on a terminal only."""
    if not sys.stderr.isatty() or asked.quiet:
        return lambda source, table, rows: None
    return lambda source, table, rows: print(f"\r\x1b[K{source}: {rows} {table}", end="", file=sys.stderr, flush=True)


def schedule() -> None:
    """Run the night from [schedule] cron, in the foreground, until SIGTERM."""
    from reconciler.config import load
    from reconciler.run import Wish
    from reconciler.schedule import serve

    if asked.as_of is not None:
        raise UsageError("schedule runs by the clock of this machine; --as-of goes with run")
    config = load(asked.config)

    def night(now: datetime) -> int:
        found = _night(Wish(now, progress=lambda source, table, rows: None, by=user()), "schedule")
        tell(found)
        return found.record.exit

    raise typer.Exit(serve(config.schedule.cron, config.organisation.timezone, night, _last_run(config), say))


def _last_run(config: Any) -> datetime | None:
    from reconciler.store import opened

    with opened(config.state.url(config.base)) as store:
        found = store.night_of()
    return found[0].started if found else None
