"""The collector of cycles rests while anybody reads in bulk, and works again when the last one is done."""

from __future__ import annotations

import gc
from collections.abc import Iterator

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
