"""The table of known cases is what the tests are."""

from __future__ import annotations

from tests.case_table import PAGE, covered, missing, page


def test_the_table_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(covered()), "run: python tests/case_table.py"


def test_every_case_of_each_group_is_in_it() -> None:
    numbers = {letter: sorted(int(case[1:]) for case in covered() if case[0] == letter) for letter in "ABCE"}
    assert numbers == {"A": [*range(1, 46)], "B": [*range(1, 34)], "C": [*range(1, 25)], "E": [*range(1, 21)]}


def test_every_test_that_it_names_is_there() -> None:
    named = {test for case in covered().values() for test in case["tests"]}
    assert [problem for test in sorted(named) if (problem := missing(test))] == []


def test_a_case_without_a_test_says_so() -> None:
    assert [case for case, told in covered().items() if not told["tests"] and not told.get("open")] == []
