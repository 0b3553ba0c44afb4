"""One number in several rosters is one person only when it bears one name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.connector import Page
from reconciler.roster import Roster, roster
from reconciler.snapshots import Archive

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
Person = dict[str, Any]


@pytest.fixture
def united(tmp_path: Path) -> Callable[..., Roster]:
    """Rosters by name -> the one they make."""
    archive = Archive(tmp_path / "objects")

    def unite(**rosters: list[Person]) -> Roster:
        snapshots = []
        for source, people in rosters.items():
            draft = archive.draft(None)
            names = sorted({name for person in people for name in person})
            draft.add(Page("people", {name: [person.get(name) for person in people] for name in names}))
            snapshots.append(archive.freeze(draft, {"source": source, "defects": []}))
        return roster(snapshots, NOW, "UTC")

    return unite


def someone(number: str, given: str | None = "Jo", family: str | None = "Doe", status: str = "active") -> Person:
    return {"person_id": number, "employee_id": number, "given_name": given, "family_name": family, "status": status}


SAME = [
    ("the same name", someone("1")),
    ("other letters and blanks", someone("1", " JO", "doe ")),
    ("no name at all", someone("1", None, None)),
    ("no given name", someone("1", None)),
    ("another number", someone("2", "Max", "Roe")),
]


@pytest.mark.parametrize("other", [case[1] for case in SAME], ids=[case[0] for case in SAME])
def test_no_stranger(united: Callable[..., Roster], other: Person) -> None:
    made = united(hr=[someone("1"), someone("3")], agency=[other])
    assert made.defects == () and not made.withheld.any()


@pytest.mark.parametrize("other", [someone("1", "Max"), someone("1", family="Roe"), someone("1", "Max", "Roe", "left")])
def test_a_stranger_of_the_same_number_is_withheld_in_both(united: Callable[..., Roster], other: Person) -> None:
    made = united(hr=[someone("1"), someone("3")], agency=[other, someone("4")])
    assert [(d["source"], d["employee_id"], d["rejected"]) for d in made.defects] == [("hr", "1", False), ("agency", "1", False)]
    assert "'Jo Doe' here and" in str(made.defects[0]["problem"]) and "'Jo Doe' in hr" in str(made.defects[1]["problem"])
    assert {n for n, held in zip(made.person_ids.to_pylist(), made.withheld, strict=True) if held} == {"1"}


def test_a_decomposed_name_is_the_composed_one(united: Callable[..., Roster]) -> None:
    assert united(hr=[someone("1", "Zoë")], agency=[someone("1", "ZOE\u0308")]).defects == ()


def test_who_left_one_roster_and_works_in_another_has_not_left(united: Callable[..., Roster]) -> None:
    made = united(hr=[someone("1", status="left"), someone("3", status="left")], agency=[someone("1"), someone("4")])
    assert dict(zip(made.person_ids.to_pylist(), made.left, strict=True)) == {"1": False, "3": True, "4": False}


def test_several_rows_in_one_roster_are_that_rosters_own_matter(united: Callable[..., Roster]) -> None:
    assert united(hr=[someone("1"), someone("1", "Max")], agency=[someone("4")]).defects == ()
