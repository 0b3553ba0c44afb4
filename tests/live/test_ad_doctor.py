"""`doctor` on the command line against a real domain controller: what is granted, what is lost, and who could also write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.ad_estate import ODD, STAFF
from tests.live.ad_night import Nights
from tests.live.directory import DELETED, Directory
from tests.live.domain import ADMINISTRATOR, PASSWORD

pytestmark = pytest.mark.live

SIGN_IN = "c0e20a04-0e5a-4ff3-9482-5efeaecd7060"  # the GUID of lastLogonTimestamp in the schema
LEGAL = f"OU=Legal,{STAFF}"
Checks = dict[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def nights(company: Directory, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return Nights(company, tmp_path_factory.mktemp("doctor"))


def looked(nights: Nights, **keys: Any) -> tuple[int, Checks, str]:
    """Exit code, every line about the directory by its kind and what it is about, and all that was said."""
    nights.configure(**{"bases": json.dumps([ODD]), **keys})
    code, out, err = nights.cli("doctor", "ad", "--format", "json")
    assert out, err
    (one,) = json.loads(out)["connectors"]
    return code, {(check["kind"], check["what"]): check for check in one["checks"]}, out + err


@contextmanager
def without(company: Directory, dn: str, rights: str) -> Iterator[None]:
    company.allow(dn, rights)
    try:
        yield
    finally:
        company.revoke(dn, rights)


def test_what_is_granted_is_told_line_by_line(nights: Nights) -> None:
    code, checks, _ = looked(nights)
    granted = (
        "List Contents and Read Property on CN=Deleted Objects",
        "List Contents and Read All Properties on each base",
        "Read lastLogonTimestamp",
    )
    assert code == 0
    assert [checks["permission", name]["told"].partition(":")[0] for name in granted] == ["granted"] * 3
    assert checks["rights", "could also write"]["told"].startswith("no:")
    assert checks["tls", nights.company.dc.url]["told"].startswith("TLSv1.3, certificate verified")
    assert checks["rows", "accounts"]["told"].startswith("58 active, 9 inactive")


def test_a_refused_identity_is_exit_4(nights: Nights, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.touch(0o600)
    wrong.write_text("Wr0ng-canary")
    code, _, said = looked(nights, password=wrong)
    assert code == 4
    assert "user name or the password is wrong" in said
    assert "canary" not in said


def test_a_reader_who_could_also_write_is_warned_about(nights: Nights, tmp_path: Path) -> None:
    """An administrator of the domain; and somebody who was given nothing but the flags of accounts in one unit."""
    own = tmp_path / "administrator"
    own.touch(0o600)
    own.write_text(PASSWORD)
    _, checks, _ = looked(nights, reader=ADMINISTRATOR, password=own)
    assert checks["rights", "could also write"]["state"] == "warning"
    assert checks["rights", "could also write"]["told"].startswith("yes: it is in Domain Admins, Enterprise Admins")
    with without(nights.company, ODD, "OA;CI;WP;bf967a68-0de6-11d0-a285-00aa003049e2;"):
        _, checks, _ = looked(nights)
    assert checks["rights", "could also write"]["told"] == "yes: it may write userAccountControl"


def test_a_lost_right_is_named_with_its_fix(nights: Nights) -> None:
    right = "List Contents and Read Property on CN=Deleted Objects"
    nights.company.revoke(DELETED, "A;;RPLC;;")
    try:
        code, checks, _ = looked(nights)
    finally:
        nights.company.allow(DELETED, "A;;RPLC;;")
    assert (checks["permission", right]["state"], code) == ("missing", 0)
    assert "dsacls" in checks["permission", right]["fix"]


def test_a_lost_attribute_is_named(nights: Nights) -> None:
    """Of people: whoever is signed in may read computers whole, by the rights that the schema gives each of them."""
    with without(nights.company, LEGAL, f"OD;CI;RP;{SIGN_IN};"):
        _, checks, _ = looked(nights, bases=json.dumps([LEGAL]))
    assert checks["permission", "Read lastLogonTimestamp"]["state"] == "missing"


def test_a_unit_that_may_not_be_listed_is_named(nights: Nights) -> None:
    with without(nights.company, ODD, "D;CI;RPLCLO;;"):
        code, _, said = looked(nights)
    assert code == 5
    assert "List Contents" in said
    assert ODD in said
