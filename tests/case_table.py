"""docs/cases.md out of tests/covered.toml: `python tests/case_table.py` writes it anew."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/cases.md"
GROUPS = {"A": "Active Directory", "B": "Rosters", "C": "Cloud systems", "D": "Changes", "E": "The tool itself", "F": "Operation"}
HEAD = """# What breaks tools like this one

Every case that we know to have fooled a reconciler, and the tests that show that this one is not fooled. Made by
`python tests/case_table.py` from `tests/covered.toml`; a test holds the two together and looks every test up.
What is not covered, in part or as a whole, is said in the last column.
"""


def covered() -> Mapping[str, Any]:
    return tomllib.loads((TESTS / "covered.toml").read_text("utf-8"))


def page(cases: Mapping[str, Any]) -> str:
    """The table of each group."""
    parts = [HEAD]
    for letter, title in GROUPS.items():
        rows = [_row(case, told) for case, told in cases.items() if case[0] == letter]
        parts.append(f"## {letter}. {title}\n\n| | Case | Tests | Not covered |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(case: str, told: Mapping[str, Any]) -> str:
    return f"| {case} | {told['title']} | {'<br>'.join(map(_shown, told['tests'])) or 'none'} | {told.get('open', '')} |"


def _shown(test: str) -> str:
    file, name, *words = test.split("::")
    return f"`{file}` {name.removeprefix('test_').replace('_', ' ')}" + (f": {words[-1]}" if words else "")


def missing(test: str) -> str | None:
    """What of a test's name is not so; None when it is there."""
    file, name, *words = test.split("::")
    if name not in _functions(file):
        return f"{file} has no {name}"
    place = TESTS / words[0] if len(words) == 2 else TESTS / file
    if words and f'"{words[-1]}"' not in place.read_text("utf-8"):
        return f'{place.name} has no "{words[-1]}"'
    return None


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


if __name__ == "__main__":
    PAGE.write_text(page(covered()), "utf-8")
