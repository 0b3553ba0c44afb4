"""What the tests of this folder share: one domain controller for all, and secrets that stand in the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from reconciler.connector import Answer
from tests.live.directory import Directory, directory
from tests.live.domain import DomainController, domain_controller


@pytest.fixture(scope="session")
def dc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    with domain_controller(tmp_path_factory.mktemp("dc")) as made:
        yield made


@pytest.fixture(scope="session")
def company(dc: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """The domain controller with five thousand people and every oddity."""
    return directory(dc, tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="session")
def found(company: Directory) -> list[Answer]:
    """What a reader without any right but to read gets of it."""
    return company.answers()


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    def reference(value: str) -> str:
        monkeypatch.setenv("LIVE_SECRET", value)
        return "env:LIVE_SECRET"

    return reference
