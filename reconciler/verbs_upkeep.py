"""The verbs that keep the state folder well: db upgrade, db backup, db verify, db prune."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciler.command_line import formats
from reconciler.errors import Stale, UsageError
from reconciler.model import SCHEMA_VERSION, instant_text
from reconciler.printing import asked, print_text
from reconciler.rows import show_one
from reconciler.verbs_stored import opened_store


def db_upgrade() -> None:
    """Bring the database up to date with this program; the old one stays beside it. Any verb does it too, when it opens one."""
    from reconciler.config import load
    from reconciler.lock import exclusive
    from reconciler.store import opened
    from reconciler.store_database import versions

    form, config = formats("table", "json", "jsonl"), load(asked.config)
    url = config.state.url(config.base)
    with exclusive(config.state.dir, "db upgrade", asked.now):
        before, after = versions(url)
        with opened(url) as store:
            shown = store.shown
    words = f"{shown}: version {after}, up to date" if before == after else f"{shown}: version {before or 'none'} -> {after}"
    _tell(form, {"database": shown, "before": before, "after": after}, words)


def db_backup(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, made whole or not at all.")]) -> None:
    """Copy the whole state (database, nights, plans, journal) while it is in use, and look the copy through."""
    from reconciler.upkeep import backup

    form = formats("table", "json", "jsonl")
    with opened_store() as (config, store):
        made = backup(config, store, folder, asked.now)
    words = (
        f"{folder}: {made.objects} objects, {made.entries} journal entries, {_megabytes(made.size)}; read back and sound\n"
        f"journal head {made.head}"
    )
    _tell(form, {**asdict(made), "folder": str(folder)}, words)


def db_verify(
    head: Annotated[str | None, typer.Option(metavar="HASH", help="A head printed earlier: proves that no tail is missing.")] = None,
    head_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Heads that were sent elsewhere (a file, a log, saved mail): every one must be in the journal.")] = None,
) -> None:  # fmt: skip
    """Walk the journal's chain and look the database through; exit 7 naming what was altered, in the journal the first bad entry."""
    from reconciler.config import load
    from reconciler.heads import shipped
    from reconciler.journal import Journal, head_of

    form, wanted = formats("table", "json", "jsonl"), head_of(head) if head is not None else None
    config = load(asked.config)
    journal = Journal.of(config.state.dir)
    found = journal.check(wanted)
    heads = _against_heads(config, found, head_file)
    altered = [text for text in (found.problem, *(each.problem for each in heads)) if text is not None]
    problems = [f"{journal.path}: {text}" for text in altered] or _of_the_database()
    unsent = [
        {"to": place, "since": each["since"], "why": each["why"]}
        for place, each in shipped(config.state.dir).items()
        if "why" in each
    ]
    told = {"journal": str(journal.path), "entries": len(found.entries), "head": found.head, "problem": found.problem}
    if form != "table":
        beside = {"heads": [asdict(each) for each in heads], "unsent": unsent}
        show_one(form, {"schema_version": SCHEMA_VERSION, "valid": not problems, **told, **beside, "problems": problems})
    if problems:
        raise Stale("\n".join(problems))
    if form == "table":
        words = [f"{journal.path}: {len(found.entries)} entries, every one as it was written", *(each.words for each in heads)]
        words += [f"{each['to']} has not had the newest head since {each['since']}: {each['why']}" for each in unsent]
        print_text("\n".join([*words, "the database is sound", f"journal head {found.head}"]))


def _against_heads(config: Any, found: Any, file: Path | None) -> list[Any]:
    """The journal beside a file of heads, or beside those that are sent to files: one of these that cannot be read is told."""
    from reconciler.heads import compared

    if file is not None:
        return [compared(found, config.state.dir, file)]
    heads = []
    for sink in config.remediation.ship_head:
        try:
            heads += [compared(found, config.state.dir, Path(sink.place))] if sink.form == "file" else []
        except UsageError as problem:
            print(f"reconciler: the journal is not held against {sink.text}: {problem}", file=sys.stderr)
    return heads


def _of_the_database() -> list[str]:
    with opened_store() as (_, store):
        return [f"{store.shown}: {problem}" for problem in store.verify()]


def db_prune(older_than: Annotated[str | None, typer.Option("--older-than", metavar="DURATION", help="How old a night must be to go, such as 400d; at least 30d.")] = None) -> None:  # fmt: skip
    """Forget old nights, so that their bytes are gone: rows, objects, reports, plans never applied. The journal stays whole."""
    from datetime import timedelta

    from reconciler.clock import duration
    from reconciler.lock import exclusive
    from reconciler.upkeep import prune

    form = formats("table", "json", "jsonl")
    try:
        age = duration(older_than) if older_than is not None else None
    except ValueError as problem:
        raise UsageError(f"--older-than {older_than}: {problem}") from None
    if age is None or age < timedelta(days=30):
        raise UsageError("db prune needs --older-than with 30d or more: newer nights are what the next one is held against")
    before = asked.now - age
    with opened_store() as (config, store), exclusive(config.state.dir, "db prune", asked.now):
        gone = prune(config, store, before)
    words = (
        f"forgotten, from before {before:%d %b %Y}: {gone.runs} runs, {gone.objects} objects, {gone.reports} reports, "
        f"{gone.plans} plans and old databases; {_megabytes(gone.size)} freed. Copies made earlier still hold them"
    )
    _tell(form, {"before": instant_text(before), **asdict(gone)}, words)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _tell(form: str, told: dict[str, Any], words: str) -> None:
    if form == "table":
        print_text(words)
    else:
        show_one(form, {"schema_version": SCHEMA_VERSION, **told})
