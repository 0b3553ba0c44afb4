"""One finding per line as JSON, for automation and log shippers."""

from __future__ import annotations

import io
import json

from reconciler.model import Night
from reports._text import escaped

NAME = "jsonl"
SUFFIX = ".jsonl"


def render(night: Night) -> bytes:
    """Every finding of the night, resolved ones included, in the night's order; UTF-8, unseen characters as \\uXXXX."""
    made, write_json = io.BytesIO(), json.JSONEncoder(ensure_ascii=False).encode
    for finding in night.findings:
        made.write(escaped(write_json(finding.to_json())).encode() + b"\n")
    return made.getvalue()
