"""A rehire whose old account is still among the deleted: it is restored by a person, and no second one is planned."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.lookup import Lookup
from reconciler.model import AccountRef, Finding, PersonRef
from reconciler.remedies import propose

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
MISSING = Finding(
    "f-1", "joiner-account-missing", "medium", "new", PersonRef("1", "Jo Doe", "active"), AccountRef("ad", None, None, None), None, "ad",
    "Jo Doe has no account on ad", {}, NOW, NOW, remedies=("create-joiner-account",),
)  # fmt: skip
SETTINGS: Any = SimpleNamespace(
    remediation=SimpleNamespace(quarantine={}, joiners={}, delete_after=None, remedies={}),
    connectors={"ad": SimpleNamespace(kind="active_directory", settings=SimpleNamespace(writer=None))},
)


@pytest.mark.parametrize(
    ("account", "planned"), [({"state_reason": "deleted", "enabled": False}, 0), (False, 1)], ids=["deleted", "none"]
)
def test_what_is_among_the_deleted_is_not_made_a_second_time(build: Any, account: Any, planned: int) -> None:
    case = {"person": {"work_email": "jo@example.com"}, "account": account, "empty_sources": ["ad"]}
    found = propose([MISSING], Lookup(build(case)), SETTINGS, NOW)
    assert (len(found.actions), len(found.tasks)) == (planned, 1 - planned)
    assert all("jdoe of the same person is among the deleted" in task.why and "restore it" in task.do for task in found.tasks)
