"""The `fields` mask of Google's APIs: `kind,users(id,name/givenName)` keeps those fields and no others.

Source: developers.google.com/workspace/drive/api/guides/fields-parameter; names are held against the answer's schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Mask = dict[str, "Mask | None"]  # a name -> what is kept of it; None keeps all

_WORDS = re.compile(r"[(),/]|[^(),/\s]+")


class BadMask(ValueError):
    """The mask cannot be read, or names a field that the answer does not have; its text is the offending part."""


def parse(text: str) -> Mask:
    """A mask as a tree; raises BadMask."""
    words = _WORDS.findall(text)
    tree = _several(words)
    if words or not tree:
        raise BadMask(text)
    return tree


def _several(words: list[str]) -> Mask:
    tree: Mask = {}
    while words and words[0] != ")":
        name, below = _one(words)
        tree[name] = below if name not in tree else _merged(tree[name], below)
        if not words or words[0] != ",":
            break
        words.pop(0)
    return tree


def _one(words: list[str]) -> tuple[str, Mask | None]:
    name = words.pop(0)
    if name in "(),/":
        raise BadMask(name)
    if words and words[0] == "/":
        words.pop(0)
        if not words:
            raise BadMask(name)
        return name, dict([_one(words)])
    if words and words[0] == "(":
        words.pop(0)
        inside = _several(words)
        if not inside or not words or words.pop(0) != ")":
            raise BadMask(name)
        return name, inside
    return name, None


def _merged(one: Mask | None, other: Mask | None) -> Mask | None:
    return None if one is None or other is None else one | other


def check(mask: Mask | None, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """Every name of the mask is a field of the schema; raises BadMask with the first that is not."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if schema.get("type") == "array":
        return check(mask, schema["items"], schemas)
    if schema.get("type") == "any" or "additionalProperties" in schema:
        return None
    for name, below in (mask or {}).items():
        if name != "*" and name not in schema.get("properties", {}):
            raise BadMask(name)
        check(below, schema.get("properties", {}).get(name, {"type": "any"}), schemas)
    return None


def kept(value: Any, mask: Mask | None) -> Any:
    """The part of a JSON value that the mask keeps."""
    if mask is None or "*" in mask:
        return value
    if isinstance(value, list):
        return [kept(one, mask) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: kept(value[name], below) for name, below in mask.items() if name in value}
