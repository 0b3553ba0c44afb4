"""The `$search` of Microsoft Graph: words in a property, joined by AND and OR.

Source: learn.microsoft.com/graph/search-query-parameter#using-search-on-directory-object-collections
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.sandbox.graph_call import bad
from reconciler.sandbox.tenant_objects import Json

_CLAUSE = re.compile(r'"(\w+):([^"]*)"')


def searched(rows: Sequence[Json], told: str) -> list[Json]:
    """The rows that a search finds; raises Refusal when it cannot be read."""
    either = [[_clause(part) for part in re.split(r"\s+AND\s+", choice)] for choice in re.split(r"\s+OR\s+", told.strip())]
    return [row for row in rows if any(all(_has(row, name, word) for name, word in every) for every in either)]


def _clause(text: str) -> tuple[str, str]:
    match = _CLAUSE.fullmatch(text.strip())
    if match is None:
        raise bad(f"Syntax error: character '{text[:1]}' is not valid in '{text}'; a clause is \"property:word\".")
    return match[1], match[2].lower()


def _has(row: Mapping[str, Any], name: str, wanted: str) -> bool:
    """Every wanted word begins a word of the property."""
    words = re.split(r"\W+", str(row.get(name) or "").lower())
    return all(any(word.startswith(each) for word in words) for each in re.split(r"\W+", wanted) if each)
