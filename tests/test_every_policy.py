"""Every policy file, present and future: documented, tested for each outcome, identified once and for ever."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from reconciler import plugins
from reconciler.policy import policy_in

CASES = Path(__file__).parent / "cases"
POLICIES = list(plugins.names("policies"))

# Ids that this project has published; one is never given to another question.
PUBLISHED = {
    "attribute-drift", "contractor-past-end", "disputed-account", "dormant-account", "duplicate-account", "joiner-access-missing",
    "joiner-account-early", "joiner-account-missing", "leaver-access-kept", "leaver-account-enabled",
    "leaver-account-used", "leaver-licence-kept", "mover-access-stale", "orphan-account", "roster-defect",
    "state-mismatch",
}  # fmt: skip
OUTCOMES = {"found", "clear", "undecided", "not assessed"}


def cases(name: str) -> list[dict[str, Any]]:
    return list(tomllib.loads((CASES / f"{name}.toml").read_text("utf-8"))["case"])


EVERY_CASE = [pytest.param(name, case, id=f"{name}: {case['name']}") for name in POLICIES for case in cases(name)]


@pytest.mark.parametrize(("name", "case"), EVERY_CASE)
def test_answers_as_the_case_says(name: str, case: dict[str, Any], ask: Any) -> None:
    answered = ask(name, case)
    if answered is None or (not len(answered.view) and case["expect"] == "not assessed"):
        assert case["expect"] == "not assessed"
        return
    found = answered.part.table.num_rows
    outcome = "found" if found else "undecided" if len(answered.undecided) else "clear"
    expected = "clear" if case["expect"] == "not assessed" else case["expect"]
    assert outcome == expected
    assert found == case.get("count", found)


@pytest.mark.parametrize("name", POLICIES)
def test_has_a_case_of_each_outcome(name: str) -> None:
    told = {case["expect"] for case in cases(name)}
    assert {"found", "clear"} <= told <= OUTCOMES
    assert told & {"undecided", "not assessed"}, "say when the answer is not known"


@pytest.mark.parametrize("name", POLICIES)
def test_documents_itself(name: str) -> None:
    page = policy_in(plugins.load("policies", name)).page()
    assert all((page.title, page.why, page.fix, page.wrong_when, page.controls))
    assert page.title.endswith(".")


def test_published_ids_stay_and_each_belongs_to_one_question() -> None:
    ids = [policy_in(plugins.load("policies", name)).id for name in POLICIES]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= PUBLISHED
    assert [identity.replace("-", "_") for identity in ids] == POLICIES
