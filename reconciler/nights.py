"""Stored nights: the findings of every policy with the words to tell them, and the snapshots they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from reconciler.findings import Part
from reconciler.model import AccountRef, Match, PersonRef, PolicyPage
from reconciler.snapshots import Archive


@dataclass(frozen=True)
class StoredNight:
    """What one run left in the archive beside its record in the database."""

    parts: Mapping[str, Part]
    snapshots: Mapping[str, str]  # source -> SHA-256 of the snapshot it was made from
    matches: tuple[Match, ...]
    policies: tuple[PolicyPage, ...]
    undecided: Mapping[str, int]
    changes: Mapping[str, Any]
    settling: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # finding -> the change that was made for it


def keep(archive: Archive, night: StoredNight) -> str:
    """Store a night; returns its SHA-256."""
    parts = [{**part.about(), "sha256": archive.put_table(part.table)} for part in night.parts.values()]
    return archive.put_json({
        "parts": parts,
        "snapshots": dict(night.snapshots),
        "matches": [asdict(match) for match in night.matches],
        "policies": [asdict(page) for page in night.policies],
        "undecided": dict(night.undecided),
        "changes": dict(night.changes),
        **({"settling": {finding: dict(note) for finding, note in night.settling.items()}} if night.settling else {}),
    })  # fmt: skip


def load(archive: Archive, sha256: str) -> StoredNight:
    """A stored night; raises Stale when the archive no longer holds it whole."""
    told = archive.get_json(sha256)
    parts = (
        Part(p["policy"], p["severity"], p["says"], tuple(p["remedies"]), archive.get_table(p["sha256"])) for p in told["parts"]
    )
    pages = (PolicyPage(**{**page, "controls": tuple(page["controls"])}) for page in told["policies"])
    return StoredNight(
        {part.policy: part for part in parts}, told["snapshots"], tuple(_matches(told["matches"])), tuple(pages),
        told["undecided"], told["changes"], told.get("settling", {}),
    )  # fmt: skip


def _matches(told: Sequence[Mapping[str, Any]]) -> Iterable[Match]:
    for match in told:
        person = PersonRef(**match["person"]) if match["person"] else None
        lists = {name: tuple(match[name]) for name in ("evidence", "candidates")}
        yield Match(**{**match, **lists, "account": AccountRef(**match["account"]), "person": person})
