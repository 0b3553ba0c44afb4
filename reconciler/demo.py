"""The demo: the real nightly run against the embedded company, two nights, held against what was planted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.config import load
from reconciler.errors import UsageError
from reconciler.filters import Filter
from reconciler.lock import exclusive
from reconciler.model import Night
from reconciler.planning import planned
from reconciler.run import Wish, nightly
from reconciler.sandbox.company import Company, World
from reconciler.sandbox.embedded import Embedded
from reconciler.sandbox.truth import Verdict, verdict
from reconciler.sealed import Plan
from reconciler.store import opened
from reconciler.store_decisions import Said
from reconciler.who import identity

NIGHTS, PLAN = 2, "plan.json"
SENTENCE = "No credentials, no network, no root: an HR file, and LDAP, Microsoft Graph and Google Admin SDK on loopback ports. About ten seconds."


@dataclass(frozen=True)
class Shown:
    """One night of the demo: what the run found, and how that compares with the truth."""

    night: Night
    verdict: Verdict


def two_nights(
    folder: Path, now: datetime, size: int, wish: Callable[[datetime], Wish], tell: Callable[[Shown], None], last: Callable[[list[Shown]], None]
) -> list[Shown]:  # fmt: skip
    """Serve the company, run its nights, tell each, and go on serving until `last` is done; returns both nights.

    Raises UsageError when the folder holds something else.
    """
    _ours(folder)
    second = _at_night(now)
    embedded = Embedded(Company(second - timedelta(days=NIGHTS - 1), size), folder).start()
    try:
        (folder / "config.toml").write_text(embedded.config(), "utf-8")
        shown = []
        for number in range(NIGHTS):
            world = embedded.night(number)
            shown.append(_one_night(folder, world, wish(world.now)))
            tell(shown[-1])
        last(shown)
        return shown
    finally:
        embedded.close()


def dry_run(folder: Path, shown: Sequence[Shown]) -> Plan:
    """The first night accepted as the baseline, and a sealed plan for what the second one found; nothing is written to any system."""
    first, last, config = shown[0].night.record, shown[-1].night.record, load(folder / "config.toml")
    with opened(config.state.url(config.base)) as store:
        store.adopt(first.run, Said(identity().name, last.as_of, "the demo's first night"))
        return planned(config, store, Filter(), identity(), last.as_of, folder / PLAN)


def _one_night(folder: Path, world: World, wish: Wish) -> Shown:
    config = load(folder / "config.toml")
    with exclusive(config.state.dir, "demo", wish.clock()), opened(config.state.url(config.base)) as store:
        night = nightly(config, store, wish)
    return Shown(night, verdict(world, night.findings))


def _at_night(now: datetime) -> datetime:
    """The last 02:05 UTC that is over."""
    tonight = now.astimezone(UTC).replace(hour=2, minute=5, second=0, microsecond=0)
    return tonight if tonight <= now else tonight - timedelta(days=1)


def _ours(folder: Path) -> None:
    """A new folder, or one that an earlier demo made, emptied of its state: its nights would be another company's."""
    mark = folder / ".embedded-company"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise UsageError(f"{folder}: holds other files; name a new folder: reconciler demo DIR")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    _forget(folder / "var")


def _forget(state: Path) -> None:
    for path in sorted(state.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def next_steps(command: str, folder: Path, shown: Sequence[Shown], serving: bool = False) -> Iterator[str]:
    """What to look at, and what to type next: everything works offline from the stored nights."""
    last = shown[-1]
    page = next((path for path in last.night.record.reports if path.endswith(".html")), None)
    leaver = next(f.person.id for f in last.night.findings if f.person and f.policy == "leaver-account-enabled")
    yield f"Held against what was planted in the company: {'; '.join(last.verdict.lines())}."
    if page:
        yield f"The second night's report: {Path(page).resolve().as_uri()}"
    yield "Look around, offline:"
    for words in (
        f"show {folder / PLAN}",
        "findings",
        "findings --severity critical",
        f"explain {leaver}",
        "diff",
        "policies list",
    ):
        yield f"    {command} --config {folder / 'config.toml'} {words}"
    if serving:
        yield "The company's systems run until Ctrl-C; from another terminal:"
        for words in (f"approve {folder / PLAN} --reason TEXT", f"apply {folder / PLAN}"):
            yield f"    {command} --config {folder / 'config.toml'} {words}"
