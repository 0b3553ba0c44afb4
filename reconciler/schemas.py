"""JSON Schemas of what users script against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from reconciler import plugins
from reconciler.config import LISTS, SECTIONS
from reconciler.model import SCHEMA_VERSION, SEVERITIES, SOURCE_STATES, STATES, Finding, RunRecord, SourceReport
from reconciler.sealed import Plan
from reconciler.writer import CLASSES, KINDS

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": ["string", "null"]}
_WHEN = {"type": ["string", "null"], "format": "date-time"}


def config() -> dict[str, Any]:
    """Sections and every connector kind's keys."""
    kinds = [plugins.load("connectors", name).Settings.model_json_schema() for name in plugins.names("connectors")]
    sections = {name: model.model_json_schema() for name, model in SECTIONS.items()}
    lists = {name: {"type": "array", "items": model.model_json_schema()} for name, model in LISTS.items()}
    tables = {"connectors": {"type": "object", "additionalProperties": {"anyOf": kinds}}, "policies": {"type": "object"}}
    return {"$schema": _DRAFT, "type": "object", "properties": {**sections, **lists, **tables}, "additionalProperties": False}


def finding() -> dict[str, Any]:
    """One finding, as `findings --format jsonl` prints it."""
    things = {name: {"type": ["object", "null"]} for name in ("person", "account", "entitlement", "waiver")}
    words = {"severity": {"enum": list(SEVERITIES)}, "state": {"enum": list(STATES)}}
    times = dict.fromkeys(("first_seen", "last_seen", "due"), _WHEN)
    rest = {"evidence": {"type": "object"}, "remedies": {"type": "array", "items": {"type": "string"}}}
    return _object([f.name for f in fields(Finding)], {**things, **words, **times, **rest})


def run() -> dict[str, Any]:
    """What `run --format json` prints."""
    counts = {
        name: {"type": "integer"}
        for name in ("people", "accounts", "entitlements", "grants", "read", "accepted", "quarantined", "rejected")
    }
    names = [f.name for f in fields(SourceReport) if f.name != "refused"]
    lists = {
        "reasons": {"type": "array"},
        "scopes": {"type": "array"},
        "certificate": {"type": "array"},
        "areas": {"type": "object"},
        "seconds": {"type": "number"},
    }
    source = _object(names, {**counts, **lists, "state": {"enum": list(SOURCE_STATES)}, "as_of": _WHEN})
    parts = {"sources": {"type": "array", "items": source}, "matching": {"type": "object"}, "findings": {"type": "object"}}
    rest = {
        "complete": {"type": "boolean"},
        "exit": {"type": "integer"},
        "not_assessed": {"type": "array"},
        "reports": {"type": "array"},
    }
    return _object(
        [f.name for f in fields(RunRecord)], {**parts, **rest, **dict.fromkeys(("as_of", "started", "finished"), _WHEN)}
    )


def plan() -> dict[str, Any]:
    """A sealed plan, as its file holds it."""
    text, number, flag, thing = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": ["object", "null"]}
    write = {
        "type": "object",
        "properties": {"kind": {"enum": list(KINDS)}, "target": _TEXT, "name": _TEXT},
        "required": ["kind", "before", "after"],
    }
    action = {
        "n": number, "finding": text, "remedy": {"enum": [name.replace("_", "-") for name in plugins.names("actions")]}, "source": text, "account": {"type": "object"}, "person": thing,
        "department": _TEXT, "limit": {"enum": list(CLASSES)}, "write": write, "undo": thing, "reversible": flag,
        "needs": {"type": "array", "items": number}, "because": text,
    }  # fmt: skip
    limit = {
        "source": text, "kind": {"enum": list(CLASSES)}, "planned": number, "population": number, "allowed": number, "stopped": flag,
    }  # fmt: skip
    known: dict[str, Any] = {
        "binds": _closed({"snapshots": {"type": "object"}, "policies": text, "directories": {"type": "object"}, "tool": text}),
        "limits": {"type": "array", "items": _closed(limit, {"department": text, "done_7d": number, "allowed_7d": number})},
        "waves": _closed({"sizes": {"type": "array", "items": number}, "stop_after": number}),
        "actions": {"type": "array", "items": _closed(action, {"also": {"type": "array", "items": text}})},
        "manual": {"type": "array"}, "withheld": {"type": "array"}, "made_at": _WHEN, "expires_at": _WHEN,
    }  # fmt: skip
    return _object([f.name for f in fields(Plan)], known)


def _closed(known: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": {**known, **(more or {})}, "required": list(known), "additionalProperties": False}


def _object(names: list[str], known: Mapping[str, Any]) -> dict[str, Any]:
    properties = {"schema_version": {"const": SCHEMA_VERSION}, **{name: known.get(name, _TEXT) for name in names}}
    required = [name for name in properties if name not in ("identity", "areas", "scopes", "snapshot", "certificate")]
    if "read" in names:  # a source is a part of a run, which carries the version
        del properties["schema_version"]
        required.remove("schema_version")
    return {"$schema": _DRAFT, "type": "object", "properties": properties, "required": required, "additionalProperties": False}


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {"config": config, "finding": finding, "run": run, "plan": plan}
