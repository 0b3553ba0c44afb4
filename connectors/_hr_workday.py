"""Workday: all entries of one report as a service, which has no pages: its JSON is whole or it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors._hr_listing import Told, records, text
from connectors._http import Api


def workday(api: Api, settings: Any) -> Told:
    """All entries of the report, each as a row."""
    query = {**dict(parse_qsl(urlsplit(settings.url).query)), "format": "json"}
    entries = records(api.root, api.get(api.root, query=query), "Report_Entry")
    return Told([dict(_row(entry)) for entry in entries], 1, None)


def _row(entry: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Fields by their name; of a nested one, its parts as Field.Part, several of them side by side."""
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _row(value, f"{before}{name}.")
        elif isinstance(value, list):
            parts = [pair for item in value if isinstance(item, dict) for pair in _row(item, f"{before}{name}.")]
            yield from (
                (part, "; ".join(word for name, word in parts if name == part)) for part in dict.fromkeys(n for n, _ in parts)
            )
        else:
            yield before + name, text(value)
