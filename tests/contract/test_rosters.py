"""Several rosters are one before anybody is missed; none of them speaks alone, and one number is one person in all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import HEADER, Done, Estate

CONTRACTORS = """
[connectors.contractors]
kind = "hr_file"
path = "contractors.csv"
id_pattern = '\\d{6}'
max_quarantined_percent = 50
statuses = { active = ["Active"], left = ["Terminated"] }
worker_types = { contractor = ["Agency"] }
"""
GHOST = "000009,Gus,Host,gus@example.com,Active,2020-01-06,,Agency"


@pytest.fixture
def both(estate: Estate) -> Estate:
    """The company with a roster of contractors beside HR's."""
    with (estate.folder / "config.toml").open("a") as config:
        config.write(CONTRACTORS)
    return estate


def night(estate: Estate, *contractors: str) -> Done:
    path: Path = estate.folder / "contractors.csv"
    path.write_text("\n".join([HEADER, *contractors]) + "\n", "utf-8")
    os.utime(path, (estate.now.timestamp(),) * 2)
    return estate.night()


def found(estate: Estate, policy: str, *words: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = estate.json("findings", "--policy", policy, *words)
    return told


def test_one_of_them_may_name_whom_the_others_do_not_and_without_it_nobody_is_missed(both: Estate) -> None:
    """An agency's worker is no orphan; when the agency's file does not come, nothing is concluded and nothing closed."""
    both.accounts["ghost"]["employee_id"] = "000009"
    assert night(both, GHOST).returncode == 0
    assert found(both, "orphan-account") == []
    leavers = {one["id"] for one in found(both, "leaver-account-enabled")}
    (both.folder / "contractors.csv").unlink()
    assert both.night().returncode == 5
    assert found(both, "orphan-account") == [] == found(both, "leaver-account-enabled")
    assert {one["id"] for one in found(both, "leaver-account-enabled", "--state", "unverified")} == leavers != set()


def test_one_number_with_two_names_is_withheld_and_told(both: Estate) -> None:
    """000003 is Jo Doe, who has left, and an agency's Max Roe, who has not: nothing is concluded of either."""
    assert night(both, "000003,Max,Roe,max@example.com,Active,2026-11-09,,Agency").returncode == 0
    assert found(both, "leaver-account-enabled") == []
    (defect,) = found(both, "roster-defect")
    assert defect["person"]["id"] == "000003"
    assert "'Jo Doe'" in defect["summary"] and "'Max Roe' in contractors" in defect["summary"]
