"""Whether a JSON value is exactly what a discovery document describes: no other name, no other type, no null, no empty list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Schemas = Mapping[str, Any]

# The document says "any" of these; their shapes are described beside it, and used nowhere else.
ANY = {
    "emails": "UserEmail", "externalIds": "UserExternalId", "relations": "UserRelation", "organizations": "UserOrganization",
    "phones": "UserPhone", "languages": "UserLanguage", "addresses": "UserAddress", "locations": "UserLocation",
}  # fmt: skip
FORMATS = {
    "int64": r"-?\d{1,19}", "uint64": r"\d{1,20}", "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "byte": r"[A-Za-z0-9+/_-]*=*", "google-datetime": r"\d{4}-\d\d-\d\dT.*Z",
}  # fmt: skip


def problems(value: Any, schema: Mapping[str, Any], schemas: Schemas, where: str = "$") -> Iterator[str]:
    """Every difference between a value and its schema, with the place."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = "object" if "properties" in schema else schema.get("type", "any")
    if value is None:
        yield f"{where} is null; Google leaves out what it does not have"
    elif kind == "any":
        yield from _any(value, schemas, where)
    elif kind == "object":
        yield from _object(value, schema, schemas, where)
    elif kind == "array":
        yield from _array(value, schema["items"], schemas, where)
    else:
        yield from _plain(value, kind, schema, where)


def _any(value: Any, schemas: Schemas, where: str) -> Iterator[str]:
    name = ANY.get(where.rpartition(".")[2])
    if where.startswith("$.aliases["):  # the list of an answer about aliases; a user's own aliases are plain text
        yield from problems(value, {"$ref": "Alias"}, schemas, where)
    elif name is None:
        yield f"{where} has no shape that this check knows"
    else:
        yield from _array(value, {"$ref": name}, schemas, where)


def _object(value: Any, schema: Mapping[str, Any], schemas: Schemas, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is {type(value).__name__}, not an object"
        return
    if "additionalProperties" in schema:
        for name, inner in value.items():
            free = schema["additionalProperties"].get("type") == "any"
            yield from () if free else problems(inner, schema["additionalProperties"], schemas, f"{where}[{name}]")
        return
    for name, inner in value.items():
        if name not in schema.get("properties", {}):
            yield f"{where}.{name} is not in the document"
        else:
            yield from problems(inner, schema["properties"][name], schemas, f"{where}.{name}")


def _array(value: Any, schema: Mapping[str, Any], schemas: Schemas, where: str) -> Iterator[str]:
    if not isinstance(value, list) or not value:
        yield f"{where} is {value!r:.20}; a list has a row at least, or is left out"
        return
    for n, inner in enumerate(value):
        yield from problems(inner, schema, schemas, f"{where}[{n}]")


def _plain(value: Any, kind: str, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    wanted = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}[kind]
    if not isinstance(value, wanted) or (kind != "boolean" and isinstance(value, bool)):
        yield f"{where} is {value!r}, not a {kind}"
    elif schema.get("enum") and value not in schema["enum"]:
        yield f"{where} is {value!r}, not one of {schema['enum']}"
    elif kind == "string" and schema.get("format") in FORMATS and not re.fullmatch(FORMATS[schema["format"]], value):
        yield f"{where} is {value!r}, not a {schema['format']}"
    elif where.endswith(".kind") and schema.get("default") not in (None, value):
        yield f"{where} is {value!r}, not {schema['default']!r}"
