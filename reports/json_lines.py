"""One finding per line as JSON, for automation and log shippers."""

from __future__ import annotations

import json

from reconciler.model import Night

NAME = "jsonl"
SUFFIX = ".jsonl"


def render(night: Night) -> bytes:
    """Every finding of the night, in the order of the report; UTF-8, control characters escaped by JSON itself."""
    return "".join(json.dumps(finding.to_json(), ensure_ascii=True) + "\n" for finding in night.findings).encode()
