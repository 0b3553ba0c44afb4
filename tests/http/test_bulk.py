"""The collector of cycles rests while anybody reads in bulk, and works again when the last one is done."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors._bulk import no_cycles


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    was = gc.isenabled()
    yield
    (gc.enable if was else gc.disable)()


def test_it_rests_until_the_last_reader_is_done() -> None:
    gc.enable()
    first, second = no_cycles(), no_cycles()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_readers_that_come_and_go_at_once_leave_it_working() -> None:
    """Whether it runs is asked and changed under one lock: asked first and switched off later, it would stay off for good."""
    gc.enable()

    def reading(_: int) -> None:
        for _ in range(300):
            with no_cycles():
                pass

    with ThreadPoolExecutor(8) as readers:
        list(readers.map(reading, range(8)))
    assert gc.isenabled()


@pytest.mark.parametrize("module", sorted((Path(__file__).parents[2] / "connectors").glob("*.py")), ids=lambda path: path.stem)
def test_nobody_else_switches_it(module: Path) -> None:
    assert module.stem == "_bulk" or not re.search(r"\bgc\.(dis|en)able", module.read_text("utf-8"))


def test_it_works_again_after_a_reading_that_broke() -> None:
    gc.enable()
    with pytest.raises(ValueError, match="broke"), no_cycles():
        raise ValueError("broke")
    assert gc.isenabled()


def test_whoever_switched_it_off_before_switches_it_on_again() -> None:
    gc.disable()
    with no_cycles():
        pass
    assert not gc.isenabled()
    gc.enable()
    with no_cycles():
        assert not gc.isenabled()
    assert gc.isenabled()
