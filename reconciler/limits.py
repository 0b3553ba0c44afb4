"""How much one plan may change: per class of change and source, per department, and over seven days; over both count and percent is a stop."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reconciler.config_sections import Limit
from reconciler.journal import Entry
from reconciler.sealed import Action

WEEK = timedelta(days=7)
_COUNT, _PERCENT, _WEEKLY = 10, 2.0, 5.0  # where the configuration leaves one of them out

Changes = Mapping[tuple[str, str], frozenset[str]]  # (source, class) -> the accounts changed so


@dataclass(frozen=True)
class Population:
    """How many accounts a source has, and how many of them each department."""

    accounts: int
    departments: Mapping[str, int]


def limits_of(
    actions: Sequence[Action], populations: Mapping[str, Population], limits: Mapping[str, Limit], week: Changes
) -> list[dict[str, Any]]:
    """One row per source and class of change, evaluated over the whole plan, and one per department that is over its own.

    `planned` counts accounts, not changes: a leaver in twelve groups is one.
    """
    groups: dict[tuple[str, str], list[Action]] = defaultdict(list)
    for action in actions:
        groups[action.source, action.limit].append(action)
    rows: list[dict[str, Any]] = []
    for (source, kind), group in sorted(groups.items()):
        limit = _limit(limits, kind, {action.remedy for action in group})
        population = populations.get(source, Population(0, {}))
        rows.append(_row(source, kind, group, population.accounts, limit, limits.get("rolling_7d"), week))
        rows += _departments(source, kind, group, population, limit)
    return rows


def stopped(action: Action, rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The limit that stops an action, if one does."""
    for row in rows:
        same = (row["source"], row["kind"]) == (action.source, action.limit)
        if same and row["stopped"] and row.get("department") in (None, action.department):
            return row
    return None


def words(row: Mapping[str, Any]) -> str:
    """A stop as a sentence."""
    where = f" in {row['department']}" if row.get("department") else ""
    if row["planned"] > row["allowed"] or row.get("department"):
        return f"{row['planned']} accounts{where} on {row['source']} would see {row['kind']}; {row['allowed']} of {row['population']} are allowed"
    return (
        f"{row['planned']} accounts on {row['source']} would see {row['kind']}, with {row['done_7d']} in the last seven days; "
        f"{row['allowed_7d']} of {row['population']} are allowed in seven days"
    )


def week_of(entries: Iterable[Entry], now: datetime) -> Changes:
    """The accounts changed, or perhaps changed, in the seven days before now, by source and class."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        if (
            entry.kind == "outcome"
            and entry.facts["outcome"] in ("done", "unknown")
            and now - WEEK < datetime.fromisoformat(entry.at)
        ):
            found[entry.facts["source"], entry.facts["limit"]].add(str(entry.facts["account"]))
    return {key: frozenset(accounts) for key, accounts in found.items()}


def _limit(limits: Mapping[str, Limit], kind: str, remedies: set[str]) -> Limit:
    """The configured limit of a class, or the least of those of the remedies that ask for it here, or the default."""
    named = [limits[remedy] for remedy in sorted(remedies) if remedy in limits]
    least = min(named, key=lambda limit: _COUNT if limit.count is None else limit.count, default=None)
    return limits.get(kind) or least or limits.get("default") or Limit(count=None, percent=None)


def _allowed(limit: Limit, population: int, planned: int, percent: float) -> int:
    """A count of 0 forbids; 100 percent lifts; else the larger of the two, since only over both is over."""
    count = _COUNT if limit.count is None else limit.count
    share = percent if limit.percent is None else limit.percent
    if limit.count == 0:
        return 0
    return max(planned, population) if share >= 100 else max(count, math.floor(population * share / 100 + 1e-9))


def _row(
    source: str, kind: str, group: Sequence[Action], population: int, limit: Limit, weekly: Limit | None, week: Changes
) -> dict[str, Any]:
    accounts = {_subject(action) for action in group}
    lately = week.get((source, kind), frozenset())
    over_week = len(accounts | lately)
    allowed = _allowed(limit, population, len(accounts), _PERCENT)
    rolling = _rolling(limit, weekly, population, over_week, allowed)
    return {
        "source": source, "kind": kind, "planned": len(accounts), "population": population, "allowed": allowed,
        "stopped": len(accounts) > allowed or over_week > rolling, "done_7d": len(lately), "allowed_7d": rolling,
    }  # fmt: skip


def _rolling(limit: Limit, weekly: Limit | None, population: int, over_week: int, allowed: int) -> int:
    """A class whose own limit is lifted or forbidden is so over seven days too."""
    if limit.count == 0 or (limit.percent is not None and limit.percent >= 100):
        return max(allowed, over_week) if limit.count != 0 else 0
    return max(allowed, _allowed(weekly or Limit(count=None, percent=None), population, over_week, _WEEKLY))


def _departments(source: str, kind: str, group: Sequence[Action], population: Population, limit: Limit) -> list[dict[str, Any]]:
    sizes: Counter[str] = Counter()
    for _, department in {(_subject(action), action.department) for action in group}:
        if department:
            sizes[department] += 1
    rows = []
    for department, planned in sorted(sizes.items()):
        whole = population.departments.get(department, 0)
        allowed = _allowed(limit, whole, planned, _PERCENT)
        if planned > allowed:
            row = {"source": source, "kind": kind, "department": department, "planned": planned, "population": whole}
            rows.append({**row, "allowed": allowed, "stopped": True})
    return rows


def _subject(action: Action) -> str:
    return str(action.account["id"] or action.finding)
