"""One finding per line as JSON, for automation and log shippers."""

from __future__ import annotations

import json

from reconciler.model import Night
from reports._text import escaped

NAME = "jsonl"
SUFFIX = ".jsonl"


def render(night: Night) -> bytes:
    """Every finding of the night, resolved ones included, in the night's order; UTF-8, unseen characters as \\uXXXX."""
    return "".join(escaped(json.dumps(finding.to_json(), ensure_ascii=False)) + "\n" for finding in night.findings).encode()
