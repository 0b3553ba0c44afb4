"""Findings of a reader in a sentence: how many, and the first few by name."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5  # names that a sentence gives


def number(found: Sequence[str], noun: str) -> str:
    return f"{len(found):,} {noun}{'' if len(found) == 1 else 's'}"


def names(found: Sequence[str]) -> str:
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more
