"""Microsoft's own clients, unmodified, on the embedded tenant; they are installed into a folder of their own (390 MB)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.graph import READER, GraphServer, microsoft
from reconciler.sandbox.graph_shapes import known
from reconciler.sandbox.tls import Authority
from tests.graph_tenant import small_tenant, upn

pytestmark = pytest.mark.live
CLIENTS = Path(__file__).with_name("graph_clients.py")


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has the official clients: the one MSGRAPH_PYTHON names, or one made for the occasion."""
    named = os.environ.get("MSGRAPH_PYTHON")
    if named:
        return named
    folder = tmp_path_factory.mktemp("msgraph")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "msgraph-sdk", "azure-identity"], check=True
    )
    return str(folder / "bin/python")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GraphServer, str]]:
    authority, path = Authority(), tmp_path_factory.mktemp("tls") / "ca.pem"
    path.write_text(authority.pem, "ascii")
    made = microsoft(small_tenant(), Faults(), authority.context())
    made.start()
    yield made, str(path)
    made.close()


def run(python: str, server: tuple[GraphServer, str], what: str, *more: str) -> Any:
    made, ca = server
    program = [python, str(CLIENTS), what, made.url, made.tenant.id, READER.client_id, READER.secret or "", ca, *more]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_official_sdk_lists_everybody(python: str, server: tuple[GraphServer, str]) -> None:
    told = run(python, server, "list")
    held = {user["userPrincipalName"]: user["accountEnabled"] for user in server[0].tenant.users.values()}
    assert dict(told["users"]) == held
    assert (len(told["users"]), told["problem"]) == (len(held), "Request_ResourceNotFound")


def test_kiota_knows_every_name_and_type_that_is_told(python: str, server: tuple[GraphServer, str]) -> None:
    names = ",".join(sorted(known("user") - {"customSecurityAttributes", "employeeLeaveDateTime", "signInActivity"}))
    group = server[0].tenant.group_id("Everyone")
    unknown = run(python, server, "check", f"users={names}", f"group={group}", f"user={upn(0)}")
    assert {path: strays for path, strays in unknown.items() if strays} == {}
