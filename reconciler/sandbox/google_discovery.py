"""What Google's APIs offer, read from the discovery documents that google-api-python-client ships.

The documents say every method's verb, path, parameters, scopes and answer; the server takes them from here, so that it
refuses what the vendor's own description does not allow. They are also served, for clients that ask for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SERVED = ("admin.directory_v1", "admin.datatransfer_v1", "licensing.v1")
_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


@dataclass(frozen=True)
class Method:
    """One method of one API. `query` and `path` are parameters by name, as the document describes them."""

    id: str
    verb: str
    pattern: re.Pattern[str]
    query: Mapping[str, Any]
    path: tuple[str, ...]
    scopes: frozenset[str]
    answer: Mapping[str, Any] | None  # the schema of its answer; None when it answers 204
    schemas: Mapping[str, Any]
    asks: str | None  # the name of its request's schema


@cache
def document(name: str) -> bytes | None:
    """A discovery document by API and version ("admin.directory_v1"); None when there is none."""
    found = find_spec("googleapiclient")
    if found is None or not found.submodule_search_locations or not _NAME.fullmatch(name):
        return None
    path = Path(next(iter(found.submodule_search_locations))) / "discovery_cache" / "documents" / f"{name}.json"
    return path.read_bytes() if path.is_file() else None


@cache
def methods() -> tuple[Method, ...]:
    """Every method of the served APIs, the most particular path first."""
    found = [method for name in SERVED for method in _methods(json.loads(document(name) or b"{}"))]
    return tuple(sorted(found, key=lambda method: (method.pattern.pattern.count("(?P"), method.id)))


def find(verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
    """The method that answers a decoded path, and the path's parameters."""
    for method in methods():
        if method.verb == verb and (matched := method.pattern.fullmatch(path)):
            return method, matched.groupdict()
    return None


def _methods(told: Mapping[str, Any]) -> list[Method]:
    if not told:
        raise FileNotFoundError("google-api-python-client is installed without its discovery documents; install it again")
    return list(_walk(told, told, []))


def _walk(told: Mapping[str, Any], here: Mapping[str, Any], found: list[Method]) -> list[Method]:
    for resource in here.get("resources", {}).values():
        found += [_method(told, method) for method in resource.get("methods", {}).values()]
        _walk(told, resource, found)
    return found


def _method(told: Mapping[str, Any], method: Mapping[str, Any]) -> Method:
    parameters = method.get("parameters", {})
    answer = method.get("response")
    return Method(
        method["id"], method["httpMethod"], _pattern(told["servicePath"] + method["path"], parameters),
        told["parameters"] | {name: about for name, about in parameters.items() if about["location"] == "query"},
        tuple(name for name, about in parameters.items() if about["location"] == "path"),
        frozenset(method.get("scopes", ())), answer, told["schemas"], (method.get("request") or {}).get("$ref"),
    )  # fmt: skip


def _pattern(path: str, parameters: Mapping[str, Any]) -> re.Pattern[str]:
    """`users/{userKey}` takes one segment of a path; `{+name}` the rest of it, or what its description demands."""
    parts = re.split(r"(\{\+?\w+\})", path)
    made = [_parameter(part, parameters) if part.startswith("{") else re.escape(part) for part in parts]
    return re.compile("/" + "".join(made))


def _parameter(part: str, parameters: Mapping[str, Any]) -> str:
    name = part.strip("{+}")
    demanded = str(parameters.get(name, {}).get("pattern", ".+")).removeprefix("^").removesuffix("$")
    return f"(?P<{name}>{demanded if '+' in part else '[^/]+'})"
