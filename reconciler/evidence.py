"""What an auditor asks of a plan: who was live after leaving, for how long, who approved what, what was read back, and is the journal whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.config import Config
from reconciler.errors import UsageError
from reconciler.journal import Entry, Journal
from reconciler.model import SCHEMA_VERSION, Finding, instant_text
from reconciler.planning import made_before
from reconciler.run import night_of
from reconciler.sealed import Action, Plan
from reconciler.store import Store

_ATTEMPTS = ("outcome", "read_back", "detail")


def evidence(config: Config, store: Store, name: str) -> dict[str, Any]:
    """Everything that is known of a plan, from its sealed copy, the journal and the night that it was made of."""
    journal = Journal.of(config.state.dir)
    entries = journal.entries()
    plan = made_before(config, entries, name)
    mine = [entry for entry in entries if entry.facts.get("plan") == plan.plan]
    found = _findings(config, store, plan)
    outcomes = {entry.facts["n"]: entry for entry in mine if entry.kind == "outcome"}
    return {
        "schema_version": SCHEMA_VERSION, "plan": plan.plan, "sha256": plan.sha256, "run": plan.run, "undoes": plan.undoes,
        "made": {"by": plan.made_by, "at": instant_text(plan.made_at)},
        "approved": [{"by": e.facts["by"], "at": e.at, "reason": e.facts["reason"]} for e in mine if e.kind == "approved"],
        "applied": [{"by": e.facts["by"], "at": e.at} for e in mine if e.kind == "apply-begun"],
        "actions": [_action(action, outcomes.get(action.n), found) for action in plan.actions],
        "journal": {"entries": len(entries), "head": journal.check().head},
    }  # fmt: skip


def _findings(config: Config, store: Store, plan: Plan) -> Mapping[str, Finding]:
    """The findings that the plan answers, as their night has them; none when that night was pruned."""
    wanted = {finding for action in plan.actions for finding in action.findings}
    try:
        return {f.id: f for f in night_of(config, store, plan.run).findings if f.id in wanted}
    except UsageError:
        return {}


def _action(action: Action, outcome: Entry | None, found: Mapping[str, Finding]) -> dict[str, Any]:
    findings = [found[name] for name in action.findings if name in found]
    told = {name: outcome.facts[name] if outcome else None for name in _ATTEMPTS}
    return {
        "n": action.n, "source": action.source, "account": dict(action.account), "person": dict(action.person) if action.person else None,
        "change": action.kind, "target": action.target_name or action.target, "before": action.before, "after": action.after,
        "because": action.because, "findings": list(action.findings), "first_seen": instant_text(min((f.first_seen for f in findings), default=None)),
        **_live_after_leaving(findings, outcome), **told, "at": outcome.at if outcome else None,
    }  # fmt: skip


def _live_after_leaving(findings: Sequence[Finding], outcome: Entry | None) -> dict[str, Any]:
    """When access should have ended, and how many hours after that it did."""
    ends = [str(f.evidence["access_ends"]) for f in findings if f.evidence.get("access_ends")]
    if not ends:
        return {"access_should_end": None, "hours_late": None}
    done = outcome is not None and outcome.facts["outcome"] in ("done", "already")
    late = (
        (datetime.fromisoformat(outcome.at) - datetime.fromisoformat(min(ends))).total_seconds() / 3600
        if outcome and done
        else None
    )
    return {"access_should_end": min(ends), "hours_late": None if late is None else round(max(late, 0.0), 1)}
