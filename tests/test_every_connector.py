"""Every connector file, present and future: closed settings, secrets that do not print, needs in words, nothing at import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from reconciler import plugins
from reconciler.connector import ConnectorSettings, Context, Need, Secret, SourceError
from reconciler.tables import AREAS
from reconciler.writer import KINDS, ORDER, AccessRefused, Change, Facts

CONNECTORS = list(plugins.names("connectors"))
ROOT = Path(__file__).parent.parent
SECRET = "hunter2-correct-horse"


def settings_of(name: str) -> type[ConnectorSettings]:
    made: type[ConnectorSettings] = plugins.load("connectors", name).Settings
    return made


def example(name: str, folder: Path) -> dict[str, Any]:
    """The fewest settings a connector can be configured with: a word for every field that has no default."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    fields = settings_of(name).model_fields
    return {key: _value(name, key, field.annotation) for key, field in fields.items() if field.is_required()}


def _value(name: str, key: str, annotation: Any) -> Any:
    if key == "kind":
        return name
    if annotation is Secret or Secret in get_args(annotation):
        return "file:secret"
    if "tuple" in str(annotation):
        return ["ldaps://127.0.0.1:1" if "url" in key else "DC=example,DC=com"]
    return "http://127.0.0.1:1/nothing" if "url" in key else "nothing"


@pytest.fixture(params=CONNECTORS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_its_kind_is_its_file_name(name: str) -> None:
    assert get_args(settings_of(name).model_fields["kind"].annotation) == (name,)


def test_an_unknown_setting_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="pasword"):
        settings_of(name).model_validate({**example(name, tmp_path), "pasword": "x"}, context={"base": str(tmp_path)})


def test_it_says_what_it_needs_and_what_is_lost_without(name: str) -> None:
    needs: tuple[Need, ...] = plugins.load("connectors", name).NEEDS
    assert needs
    assert all(need.permission and need.reads and need.without for need in needs)
    assert {need.area for need in needs if need.area} <= set(AREAS)


def test_a_source_that_is_not_there_is_an_error_of_its_source_and_shows_no_secret(name: str, tmp_path: Path) -> None:
    """Nothing listens, no file is there: one exception, of the tree that a user sees, without the secret in it."""
    module, told = plugins.load("connectors", name), _completed(name, example(name, tmp_path))
    settings = module.Settings.model_validate(told, context={"base": str(tmp_path)})
    assert SECRET not in repr(settings) + str(settings)
    with pytest.raises(SourceError) as refused:
        list(module.read(settings, Context("source", _now(), deadline_seconds=2.0)))
    assert SECRET not in str(refused.value)


def test_a_source_that_is_not_there_is_an_error_for_doctor_too(name: str, tmp_path: Path) -> None:
    module, told = plugins.load("connectors", name), _completed(name, example(name, tmp_path))
    settings = module.Settings.model_validate(told, context={"base": str(tmp_path)})
    if hasattr(module, "examine"):
        with pytest.raises(SourceError) as refused:
            list(module.examine(settings, Context("source", _now(), deadline_seconds=2.0)))
        assert SECRET not in str(refused.value)


def _completed(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What some connectors want beyond their required fields: a credential, and addresses on this machine."""
    more: dict[str, dict[str, Any]] = {
        "microsoft365": {
            "client_id": "nobody",
            "client_secret": "file:secret",
            "login_url": "http://127.0.0.1:1",
            "graph_url": "http://127.0.0.1:1/v1.0",
        },
        "hr_api": {"preset": "workday", "url": "http://127.0.0.1:1/report", "username": "reader"},
        "hr_sql": {"query": "SELECT 1"},
        "google_workspace": {"api_url": "http://127.0.0.1:1"},
        "active_directory": {"username": "reader@example.com", "password": "file:secret"},
    }
    return {**told, **more.get(name, {})}


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


def test_whoever_writes_speaks_the_words_that_plans_are_made_of(name: str) -> None:
    """Kinds of change and their order are the tool's own; what a system cannot take, and how a person does it, is said offline."""
    module = plugins.load("connectors", name)
    kinds = getattr(module, "WRITES", frozenset())
    assert kinds <= KINDS.keys()
    assert not kinds or (callable(module.writer) and set(getattr(module, "ORDER", ORDER)) >= kinds)
    for kind in KINDS if kinds else ():
        change = Change(kind, "id", "target", None, {"email": "jo@example.com"} if kind == "create" else "after")
        facts = Facts({"kind": "person", "login": "jo", "state_reason": None}, {"kind": "group", "name": "G", "writable": True})
        assert module.instruct(change, facts)
        assert module.cannot(change, facts) is None or isinstance(module.cannot(change, facts), str)


def test_a_writer_without_credentials_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    module, told = plugins.load("connectors", name), _completed(name, example(name, tmp_path))
    if hasattr(module, "writer"):
        settings = module.Settings.model_validate(told, context={"base": str(tmp_path)})
        with pytest.raises(AccessRefused, match="nothing is written without writer ="):
            module.writer(settings, Context("source", _now()))


def test_importing_them_opens_no_connection() -> None:
    program = (
        "import importlib, sys; seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(event) if event in ('socket.connect', 'socket.getaddrinfo') else None)\n"
        f"for name in {CONNECTORS}:\n    importlib.import_module('connectors.' + name)\n    seen.append(name)\nprint(seen)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(CONNECTORS)
