"""Who joins, moves and leaves soon, and what is not ready for it; from what was read last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from reconciler.config import Config
from reconciler.errors import UsageError
from reconciler.estate import Estate
from reconciler.expected import fits
from reconciler.lookup import Lookup, Row
from reconciler.model import instant_text
from reconciler.roster import Roster
from reconciler.store import Store
from reconciler.stored import standing

_ABOUT = ("person_id", "name", "department", "job_title", "manager_id")


@dataclass(frozen=True)
class Due:
    """Something that happens to a person of the roster (by row) at an instant."""

    at: datetime
    what: str  # joins, moves, leaves
    row: int


def agenda(config: Config, store: Store, now: datetime, days: int) -> list[dict[str, Any]]:
    """What is due from now on for so many days, soonest first; raises UsageError when no roster was read."""
    estate = standing(config, store, now).estate
    if estate.roster is None:
        raise UsageError("no roster was read whole yet; `reconciler run` reads it")
    lookup, ends = Lookup(estate), now + timedelta(days=days)
    due = sorted(_due(estate.roster, now, ends), key=lambda one: (one.at, one.what, one.row))
    return [_told(one, estate, estate.roster, lookup) for one in due]


def _due(roster: Roster, now: datetime, ends: datetime) -> Iterator[Due]:
    starts, over = (roster.column(name).to_pylist() for name in ("starts", "access_ends"))
    positions, begun, left = roster.column("position_start").to_pylist(), roster.begun, roster.left
    for row in range(len(roster)):
        if starts[row] is not None and now <= starts[row] < ends and not begun[row]:
            yield Due(starts[row], "joins", row)
        if over[row] is not None and now <= over[row] < ends and not left[row]:
            yield Due(over[row], "leaves", row)
        at = _midnight(positions[row], now)
        if at is not None and now <= at < ends and begun[row] and not left[row]:
            yield Due(at, "moves", row)


def _midnight(day: date | None, now: datetime) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=now.tzinfo)


def _told(due: Due, estate: Estate, roster: Roster, lookup: Lookup) -> dict[str, Any]:
    accounts = [lookup.account_at(int(row)) for row in np.flatnonzero((estate.owners == due.row) & estate.personal)]
    about = {name: roster.column(name)[due.row].as_py() for name in _ABOUT}
    day = roster.column("last_day")[due.row].as_py() if due.what == "leaves" else None
    lacking = list(_lacking(due, about, accounts, estate, roster, lookup))
    return {
        "at": instant_text(due.at), "day": (day or due.at.date()).isoformat(), "what": due.what, "person": about["person_id"], "name": about["name"],
        "department": about["department"], "job_title": about["job_title"], "manager": about["manager_id"],
        "accounts": [{name: account[name] for name in ("source", "login", "enabled")} for account in accounts],
        "lacking": lacking, "ready": not lacking,
    }  # fmt: skip


def _lacking(due: Due, about: Row, accounts: Sequence[Row], estate: Estate, roster: Roster, lookup: Lookup) -> Iterator[str]:
    """What would be missing on that day: accounts that rules expect, somebody to take over."""
    if due.what == "joins":
        held = {account["source"] for account in accounts}
        yield from (f"no account on {source}" for source in sorted(_expected(estate, roster, due.row) - held))
    if due.what == "leaves":
        for account in accounts:
            owned = [e for e in lookup.entitlements(account["source"]).values() if e["owner_account_id"] == account["account_id"]]
            heir = lookup.account_of(about["manager_id"], account["source"])
            if owned and not (heir and heir["enabled"]):
                names = ", ".join(str(e["name"] or e["entitlement_id"]) for e in owned)
                yield f"owns {names} on {account['source']}, and no manager's account can take over"


def _expected(estate: Estate, roster: Roster, row: int) -> set[str]:
    """The sources on which rules will expect an account of a person who is at work."""
    working = pa.chunked_array([pa.array(["active"] * len(roster))])
    return {source for rule in estate.access if fits(rule, roster, working)[row] for source in rule.accounts}
