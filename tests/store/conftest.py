"""Nights to store, small or large, and a database to store them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.model import NotAssessed, RunRecord, SourceReport
from reconciler.store import Store, opened

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state/r.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with opened(url) as store:
        yield store


@pytest.fixture
def record() -> Callable[..., RunRecord]:
    """The record of a run that ended `days` after the first."""

    def made(run: str, days: float = 0, complete: bool = True) -> RunRecord:
        at = NOW + timedelta(days=days)
        source = SourceReport(
            "ad", "active_directory", "complete", accounts=3, read=3, accepted=3, reasons=("fine \x00 \ud800 ok",), as_of=at,
            areas={"sign-in": "refused"}, scopes=({"scope": "users", "pages": 1, "rows": 3, "declared": None},), identity="S-1",
        )  # fmt: skip
        missing = (NotAssessed("dormant-account", "ad", "cut"),)
        return RunRecord(run, at, at, at, complete, 0, (source,), {"owned": 1}, {"new": 1, "by_policy": {}}, missing, ("a.html",))

    return made


Save = Callable[..., RunRecord]


@pytest.fixture
def save(store: Store, record: Callable[..., RunRecord]) -> Save:
    """Store a night of one finding, f-1, in a state."""
    from reconciler.store import Accepted, Change

    def saved(run: str, days: float = 0, state: str = "new", complete: bool = True) -> RunRecord:
        told = record(run, days, complete)
        changes = [Change("f-1", state, "orphan-account", "ad", NOW)]
        store.save(told, f"night-{run}", changes, [], [Accepted("ad", f"sha-{run}", "S-1", 40 + int(days))])
        return told

    return saved
