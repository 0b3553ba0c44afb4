"""What must hold before anything is written: the plan is whole, in time, approved, made of what is known now, and within the limits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reconciler.approvals import approved
from reconciler.config import Config
from reconciler.errors import SafetyStop, Stale
from reconciler.guards import Guards
from reconciler.heads import not_behind
from reconciler.journal import Entry
from reconciler.limits import Changes, Population, limits_of, stopped, words
from reconciler.lookup import Lookup
from reconciler.model import instant_text
from reconciler.plan import Basis, binds
from reconciler.sealed import Action, Plan
from reconciler.upkeep import restored

KILL_SWITCH = "STOP"
RESERVE, PER_ACTION = 16 << 20, 8 << 10  # bytes that must be free: beside everything else, and for the entries of one change


def kill_switch(config: Config) -> Path:
    """While this file is there, nothing is written."""
    return config.state.dir / KILL_SWITCH


def pulled(config: Config) -> str | None:
    """Why nothing may be sent: the kill switch's file, and what it says."""
    path = kill_switch(config)
    try:
        text = path.read_text("utf-8", errors="replace").strip()[:200]
    except FileNotFoundError:
        return None
    except OSError as problem:
        return f"the kill switch {path} cannot be looked at: {problem.strerror}"
    return f"the kill switch {path} is there{f': {text}' if text else ''}; remove it to go on"


def may_begin(plan: Plan, entries: Sequence[Entry], config: Config, now: datetime) -> None:
    """Raises SafetyStop or Stale for a plan that may not be applied now, whatever the systems hold."""
    if not config.remediation.enabled:
        raise SafetyStop(f"{config.path}: [remediation] enabled is false: plans are made and read, nothing is written")
    if (behind := restored(config)) is not None:
        raise SafetyStop(behind)
    not_behind(config, entries)
    approved(plan, entries, config.remediation)
    if now >= plan.expires_at:
        raise Stale(f"{plan.plan} expired at {instant_text(plan.expires_at)}; make a new one with `reconciler plan --out FILE`")
    if now < plan.made_at:
        raise Stale(f"{plan.plan} was made at {instant_text(plan.made_at)}, which is yet to come; look at this machine's clock")
    if (frozen := freeze(config, now)) is not None:
        raise SafetyStop(frozen)
    if (reason := pulled(config)) is not None:
        raise SafetyStop(reason)


def room(config: Config, actions: int) -> None:
    """Raises SafetyStop when the disk may not hold the journal of so many changes: it is better not begun than broken off."""
    free, wanted = shutil.disk_usage(config.state.dir).free, RESERVE + actions * PER_ACTION
    if free < wanted:
        raise SafetyStop(
            f"{config.state.dir} has {free >> 20} MiB free, and {wanted >> 20} MiB are wanted for the journal; make room first"
        )


def freeze(config: Config, now: datetime) -> str | None:
    """The freeze that today lies in, by the organisation's calendar."""
    today: date = now.astimezone(ZoneInfo(config.organisation.timezone)).date()
    for window in config.remediation.freeze:
        if window.first <= today <= window.last:
            return f"nothing is written from {window.first} to {window.last} ([remediation] freeze); today is {today}"
    return None


def out_of_hours(action: Action, config: Config, now: datetime) -> str | None:
    """Why this class of change is not made at this time of day, by the organisation's clock."""
    wanted = config.remediation.hours
    hours, here = wanted.get(action.limit) or wanted.get("default"), now.astimezone(ZoneInfo(config.organisation.timezone))
    if hours is None or hours.hold(here.time()):
        return None
    return (
        f"{action.limit} is done from {hours.first:%H:%M} to {hours.last:%H:%M} ([remediation] hours), and it is {here:%H:%M}; "
        "apply the plan again then"
    )


def still_bound(plan: Plan, basis: Basis, config: Config) -> None:
    """Raises Stale when the sources were read again, or a rule or this program changed, since the plan was made."""
    ours = binds(config, basis)
    whats = {
        "snapshots": "the sources were read again", "policies": "policies or access rules were changed",
        "directories": "a source is another directory", "tool": "this program is another version",
    }  # fmt: skip
    for name, words_ in whats.items():
        if plan.binds.get(name) != ours[name]:
            raise Stale(f"{plan.plan} is overtaken: {words_} since it was made; make a new one with `reconciler plan --out FILE`")


def same_directory(source: str, found: str, plan: Plan) -> None:
    """Raises Stale when a writer is connected to another directory than the plan was made of."""
    wanted = plan.binds["directories"].get(source)
    if wanted != found:
        raise Stale(f"{source} answers as {found}, and the plan was made of {wanted}: another directory; nothing was written")


def over_limits(
    plan: Plan, populations: Mapping[str, Population], config: Config, week: Changes
) -> dict[int, str]:  # fmt: skip
    """The actions of classes that are over a limit now: limits or the last seven days may be others than when it was made."""
    rows = limits_of(plan.actions, populations, config.remediation.limits, week)
    over = ((action.n, stopped(action, rows)) for action in plan.actions)
    return {number: words(row) for number, row in over if row is not None}


def objection(action: Action, guards: Guards, lookup: Lookup, config: Config, now: datetime) -> str | None:
    """Who is out of bounds by now, and what is out of its hours."""
    account, held = lookup.account(action.source, action.account["id"]), lookup.entitlement(action.source, action.target)
    return guards.objection(action, account, held) or out_of_hours(action, config, now)
