"""GAM, the administrators' own tool, unmodified, on the real host names: it lists and changes the embedded company."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.sandbox.proxy import ConnectProxy
from reconciler.sandbox.tls import Authority
from tests.google_company import ADMIN, Served, company, mail, served

pytestmark = pytest.mark.live
HOSTS = ("admin.googleapis.com", "oauth2.googleapis.com", "licensing.googleapis.com", "www.googleapis.com")


@dataclass(frozen=True)
class Gam:
    """GAM in an environment of its own (it replaces httplib2), its only way out a proxy that leads to the embedded company."""

    program: Path
    folder: Path
    proxy: ConnectProxy
    google: Served

    def __call__(self, *words: str) -> str:
        own = {
            "GAMCFGDIR": str(self.folder),
            "HOME": str(self.folder),
            "https_proxy": self.proxy.url,
            "HTTPS_PROXY": self.proxy.url,
        }
        silent = dict.fromkeys(("no_proxy", "NO_PROXY"), "")
        done = subprocess.run(
            [self.program, *words], env={**os.environ, **own, **silent}, capture_output=True, text=True, timeout=120, cwd=self.folder
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self(*words))))


@pytest.fixture(scope="module")
def gam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gam]:
    folder, authority = tmp_path_factory.mktemp("gam"), Authority()
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    subprocess.run([folder / "venv/bin/pip", "install", "-q", "gam7"], check=True, capture_output=True)
    google = served(company(40, 5), tls=authority.context(HOSTS))
    google.customer.assign(google.customer.put_role("Reader"), google.server.tokens.client_id)
    proxy = ConnectProxy(dict.fromkeys(HOSTS, google.server.port)).start()
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "oauth2service.json").write_text(google.server.key_file("https://oauth2.googleapis.com/token"))
    made = Gam(folder / "venv/bin/gam", folder, proxy, google)
    made(
        "config", "enable_dasa", "true", "customer_id", google.customer.id, "domain", "example.com", "admin_email", ADMIN,
        "cacerts_pem", str(folder / "ca.pem"), "no_cache", "true", "num_threads", "1", "save",
    )  # fmt: skip
    yield made
    proxy.close()
    google.close()


def test_users(gam: Gam) -> None:
    gam.google.customer.page_cap = 15
    rows = gam.rows("print", "users", "allfields")
    gam.google.customer.page_cap = 0
    shown = {row["primaryEmail"]: row for row in rows}
    assert shown.keys() == {user["primaryEmail"] for user in gam.google.customer.users.values()}
    assert (shown[mail(1)]["suspended"], shown[mail(2)]["archived"]) == ("True", "True")
    assert (shown[mail(6)]["organizations.0.costCenter"], shown[mail(6)]["externalIds.0.value"]) == ("4711", "000006")


def test_groups_and_members(gam: Gam) -> None:
    assert {row["email"] for row in gam.rows("print", "groups")} == {g["email"] for g in gam.google.customer.groups.values()}
    shown = {(row["group"], row["id"]) for row in gam.rows("print", "group-members")}
    us = gam.google.customer
    assert shown == {(us.groups[group]["email"], here) for group, members in us.members.items() for here in members}


def test_role_assignments(gam: Gam) -> None:
    shown = {(row["role"], row["assignedTo"]) for row in gam.rows("print", "admins")}
    us = gam.google.customer
    assert shown == {(us.roles[a["roleId"]]["roleName"], a["assignedTo"]) for a in us.role_assignments.values()}


def test_licences(gam: Gam) -> None:
    shown = {row["userId"] for row in gam.rows("print", "licenses", "products", "Google-Apps")}
    us = gam.google.customer
    assert shown == {us.users[here]["primaryEmail"] for here in us.licences["Google-Apps", "1010020020"]}


def test_suspends_signs_out_and_lets_in_again(gam: Gam) -> None:
    us, here = gam.google.customer, gam.google.customer.id_of(mail(6)) or ""
    gam("update", "user", mail(6), "suspended", "on")
    assert us.users[here]["suspensionReason"] == "ADMIN"
    gam("user", mail(6), "signout")
    assert us.signed_out == [here]
    gam("unsuspend", "user", mail(6))
    assert us.users[here]["suspended"] is False


def test_nobody_else_was_asked(gam: Gam) -> None:
    assert set(gam.proxy.connected) <= {f"{host}:443" for host in HOSTS}
    assert gam.proxy.refused == []
