"""Whole nights over LDAP, Graph and the Admin SDK: they find what was planted, nothing less and nothing more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.config import Config, load
from reconciler.model import Night
from reconciler.run import Wish, nightly
from reconciler.sandbox.company import Company, Subject, World
from reconciler.sandbox.embedded import Embedded
from reconciler.sandbox.truth import subject, verdict
from reconciler.store import opened

FIRST = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[(60, 1), (150, 2)], ids=["60 people", "150 other people"])
def embedded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedded]:
    size, seed = request.param
    served = Embedded(Company(FIRST, size, seed), tmp_path).start()
    (tmp_path / "config.toml").write_text(served.config(), "utf-8")
    yield served
    served.close()


def night_of(config: Config, world: World) -> Night:
    with opened(config.state.url(config.base)) as store:
        return nightly(config, store, Wish(world.now))


def in_state(night: Night, *states: str) -> set[Subject]:
    return {subject(finding) for finding in night.findings if finding.state in states}


def test_three_nights_find_what_was_planted_and_tell_what_changed(embedded: Embedded) -> None:
    config, seen, before = load(embedded.folder / "config.toml"), set[Subject](), set[Subject]()
    for number in range(3):
        world = embedded.night(number)
        night = night_of(config, world)
        assert verdict(world, night.findings).true, "\n".join(verdict(world, night.findings).lines())
        assert in_state(night, "new") == world.expected - seen
        assert in_state(night, "open") == world.expected & before
        assert in_state(night, "reopened") == (world.expected & seen) - before
        assert in_state(night, "resolved") == before - world.expected
        assert (night.record.complete, night.record.exit) == (True, 0)
        assert all(s.read == s.accepted + s.quarantined + s.rejected for s in night.record.sources)
        before, seen = world.expected, seen | world.expected


def test_the_demo_tells_two_nights_and_ends_well(tmp_path: Path) -> None:
    folder = tmp_path / "company"
    (folder / "var" / "reports").mkdir(parents=True)
    (folder / ".embedded-company").touch()
    (folder / "var" / "reports" / "report-of-another-company.html").touch()  # a demo in the folder of an earlier one begins anew
    command = [sys.executable, "-m", "reconciler", "demo", str(folder), "--as-of", "2026-11-23T09:00:00Z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "33 planted, 33 found, 0 missing, 0 extra" in done.stderr
    names = [path.name for path in (folder / "var" / "reports").glob("report-*.html")]
    assert len(names) == 2
    assert "report-of-another-company.html" not in names


def test_the_demo_leaves_other_peoples_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("five years of work")
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", "demo", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, [p.name for p in tmp_path.iterdir()]) == (2, ["thesis.txt"])
    assert "holds other files" in done.stderr
