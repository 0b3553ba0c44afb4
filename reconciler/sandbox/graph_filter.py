"""The `$filter` language of Microsoft Graph, as far as directory objects have it.

Source: learn.microsoft.com/graph/filter-query-parameter and …/aad-advanced-queries (what needs ConsistencyLevel and $count).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.sandbox.graph_call import Refusal

Test = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z$_@][\w.$/@-]*)|(-?\d[\w:.+-]*)|([(),:]))")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda found, told: found == told,
    "ne": lambda found, told: found != told,
    "ge": lambda found, told: found is not None and found >= told,
    "le": lambda found, told: found is not None and found <= told,
    "gt": lambda found, told: found is not None and found > told,
    "lt": lambda found, told: found is not None and found < told,
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": str.__contains__,
}


@dataclass(frozen=True)
class Filter:
    """A test of one object; `advanced` when only an advanced query may ask it; `names` are the properties it looks at."""

    test: Test
    advanced: bool
    names: frozenset[str]


def parse(text: str) -> Filter:
    """A filter from its text; raises Refusal 400."""
    reader = _Reader(text, _tokens(text))
    test = reader.either()
    if reader.place != len(reader.tokens):
        raise reader.wrong()
    return Filter(test, reader.advanced, frozenset(reader.names))


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Refusal(400, f"Invalid filter clause: Syntax error at position {place} in '{text}'.")
        found.append(match[0].strip())
        place = match.end()
    return found


class _Reader:
    """Reads a filter from left to right: or, and, not, then one comparison."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text, self.tokens, self.place = text, tokens, 0
        self.advanced = False
        self.names: set[str] = set()

    def wrong(self) -> Refusal:
        return Refusal(400, f"Invalid filter clause: Syntax error at token {self.place} in '{self.text}'.")

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.peek()
        if not token or (expected and token.lower() not in expected):
            raise self.wrong()
        self.place += 1
        return token

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek().lower() == "or":
            self.take()
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.one()]
        while self.peek().lower() == "and":
            self.take()
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def one(self) -> Test:
        word = self.peek().lower()
        if word == "not":
            self.take()
            self.advanced = True
            inner = self.one()
            return lambda row: not inner(row)
        if word == "(":
            self.take()
            test = self.either()
            self.take(")")
            return test
        return self._function(word) if word in _FUNCTIONS else self._comparison()

    def _function(self, word: str) -> Test:
        self.take()
        self.take("(")
        path = self._path(self.take())
        self.take(",")
        told = str(self._literal(self.take()))
        self.take(")")
        if word == "contains":
            raise Refusal(400, "Unsupported Query.", "Request_UnsupportedQuery")
        self.advanced = self.advanced or word == "endswith"
        compare = _FUNCTIONS[word]
        return lambda row: any(isinstance(f, str) and compare(f.lower(), told) for f in _found(row, path))

    def _comparison(self) -> Test:
        name = self.take()
        if name.endswith("/any") and self.peek() == "(":
            return self._any(self._path(name.removesuffix("/any")))
        path = self._path(name)
        if path[-1] == "$count":
            return self._counted(path[:-1])
        word = self.take().lower()
        if word == "in":
            return self._in(path)
        if word not in _COMPARE:
            raise self.wrong()
        self.advanced = self.advanced or word == "ne" or path[0] == "onPremisesExtensionAttributes"
        told, compare = self._literal(self.take()), _COMPARE[word]
        return lambda row: any(compare(_folded(found), told) for found in _found(row, path))

    def _any(self, path: list[str]) -> Test:
        self.take("(")
        variable = self.take()
        if variable.endswith(":"):  # pragma: no cover - the tokens keep the colon apart
            raise self.wrong()
        self.take(":")
        start = set(self.names)
        inner = self.either()
        self.names = start
        self.take(")")
        return lambda row: any(inner({variable: item}) for item in _value(row, path) or [])

    def _counted(self, path: list[str]) -> Test:
        self.advanced = True
        word, told = self.take(*_COMPARE).lower(), int(self.take())
        return lambda row: _COMPARE[word](len(_value(row, path) or []), told)

    def _in(self, path: list[str]) -> Test:
        self.take("(")
        told = {self._literal(self.take())}
        while self.peek() == ",":
            self.take()
            told.add(self._literal(self.take()))
        self.take(")")
        return lambda row: any(_folded(found) in told for found in _found(row, path))

    def _path(self, name: str) -> list[str]:
        parts = name.split("/")
        self.names.add(parts[0])
        return parts

    def _literal(self, token: str) -> Any:
        if token.startswith("'"):
            return token[1:-1].replace("''", "'").lower()
        words = {"true": True, "false": False, "null": None}
        if token.lower() in words:
            return words[token.lower()]
        if _GUID.fullmatch(token) or "T" in token:
            return token.lower()
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        raise self.wrong()


def _folded(value: Any) -> Any:
    """Text without its case: the directory compares so."""
    return value.lower() if isinstance(value, str) else value


def _value(row: Any, path: list[str]) -> Any:
    for part in path:
        row = row.get(part) if isinstance(row, Mapping) else None
    return row


def _found(row: Any, path: list[str]) -> list[Any]:
    """The values to compare: one, or each of a list of texts."""
    value = _value(row, path)
    return value if isinstance(value, list) else [value]
