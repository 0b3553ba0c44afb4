"""The embedded company on loopback ports, and nights run on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.config import Config, load
from reconciler.model import Night
from reconciler.run import Wish, nightly
from reconciler.sandbox.company import Company, World
from reconciler.sandbox.embedded import Embedded
from reconciler.store import opened

FIRST = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


@dataclass
class House:
    """A folder with a configuration and its state; `night` runs one night of the company there."""

    embedded: Embedded
    folder: Path
    world: World
    first: Night | None = None  # the night that is behind it

    @property
    def config(self) -> Config:
        return load(self.folder / "config.toml")

    def moves_to(self, number: int) -> World:
        self.world = self.embedded.night(number)
        for name in ("roster.csv", "ca.pem", "secrets"):  # the roster as exported, wherever the nights are run
            self._bring(name)
        return self.world

    def _bring(self, name: str) -> None:
        source, target = self.embedded.folder / name, self.folder / name
        if source == target:
            return
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)

    def night(self, **wish: Any) -> Night:
        with opened(self.config.state.url(self.config.base)) as store:
            return nightly(self.config, store, Wish(self.world.now, **{"wait": lambda seconds: None, **wish}))

    def copied(self, folder: Path) -> House:
        """The same house, nights and all, in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return House(self.embedded, folder, self.world, self.first)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    served = Embedded(Company(FIRST), tmp_path_factory.mktemp("company")).start()
    yield served
    served.close()


def built(embedded: Embedded, folder: Path) -> House:
    made = House(embedded, folder, embedded.night(0))
    text = embedded.config().replace('formats = ["html", "csv", "jsonl"]', 'formats = ["jsonl"]')
    (folder / "config.toml").write_text(text, "utf-8")
    made.moves_to(0)
    return made


@pytest.fixture
def house(embedded: Embedded, tmp_path: Path) -> Iterator[House]:
    """An empty house on the company's first night, every server honest."""
    (tmp_path / "house").mkdir()
    yield built(embedded, tmp_path / "house")
    for faults in embedded.faults.values():
        faults.reset()


@pytest.fixture(scope="session")
def first_night(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house that `settled` copies."""
    made = built(embedded, tmp_path_factory.mktemp("settled"))
    made.first = made.night()
    assert made.first.record.complete
    return made


@pytest.fixture
def settled(first_night: House, house: House) -> House:
    """A house with the company's first night behind it; the company is still on it."""
    return first_night.copied(house.folder)
