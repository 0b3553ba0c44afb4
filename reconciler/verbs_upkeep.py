"""The verbs that keep the state folder well: db upgrade, db backup, db verify, db prune."""

from __future__ import annotations

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


def db_verify(head: Annotated[str | None, typer.Option(metavar="HASH", help="A head printed earlier: proves that no tail is missing.")] = None) -> None:  # fmt: skip
    """Walk the journal's chain and look the database through; exit 7 naming what was altered, in the journal the first bad entry."""
    from reconciler.config import load
    from reconciler.journal import Journal, head_of

    form, wanted = formats("table", "json", "jsonl"), head_of(head) if head is not None else None
    journal = Journal.of(load(asked.config).state.dir)
    found = journal.check(wanted)
    problems = [f"{journal.path}: {found.problem}"] if found.problem is not None else _of_the_database()
    told = {"journal": str(journal.path), "entries": len(found.entries), "head": found.head, "problem": found.problem}
    if form != "table":
        show_one(form, {"schema_version": SCHEMA_VERSION, "valid": not problems, **told, "problems": problems})
    if problems:
        raise Stale("\n".join(problems))
    if form == "table":
        words = f"{journal.path}: {len(found.entries)} entries, every one as it was written"
        print_text(f"{words}\nthe database is sound\njournal head {found.head}")


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
