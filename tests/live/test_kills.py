"""The program itself under strace: killed, or with a full or broken disk, at some of its calls; then applied again.

`make kills` does it at every call.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.stage import AGAIN, APPLY, Stage, staged

pytestmark = pytest.mark.live

POINTS = [
    "pwrite64:signal=SIGKILL:when=31", "pwrite64:signal=SIGKILL:when=44", "fsync:signal=SIGKILL:when=9", "write:signal=SIGKILL:when=50",
    "pwrite64:error=ENOSPC:when=33", "fsync:error=EIO:when=5",
]  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(stage: Stage) -> tuple[dict[str, Counter[str]], str]:
    """The requests for changes of an apply that nothing disturbs, and what the systems hold after it."""
    assert json.loads(stage.reconciler(*APPLY))["applied"] == stage.actions >= 50
    return stage.received(), stage.held()


@pytest.mark.parametrize("point", POINTS)
def test_broken_off_and_applied_again(stage: Stage, undisturbed: tuple[dict[str, Counter[str]], str], point: str) -> None:
    """`when` counts in each thread of its own: the first that comes so far is struck."""
    stage.restore()
    traced = point.partition(":")[0]
    broken = stage.started(*APPLY, under=("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={traced}", "-e", f"inject={point}"))  # fmt: skip
    assert broken.returncode == (-9 if "KILL" in point else 1), broken.stderr
    begun = sum(sum(lines.values()) for lines in stage.received().values())
    assert 0 < begun < sum(sum(lines.values()) for lines in undisturbed[0].values()), "struck in the middle"
    again = json.loads(stage.reconciler(*APPLY))
    assert {action["outcome"] for action in again["actions"]} <= {"done", "already"}
    for source, lines in stage.received().items():
        assert undisturbed[0][source] - lines == Counter()
        assert [line for line in lines - undisturbed[0][source] if not AGAIN.search(line)] == []
    same = stage.held() == undisturbed[1]  # not in the assertion: megabytes are compared quickly, and explained never
    assert same
    assert list(stage.journal_problems()) == []
