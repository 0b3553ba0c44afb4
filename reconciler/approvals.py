"""Who said yes to which plan: an approval names the plan's hash, the approver and the time, and stands in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reconciler.config_sections import Remediation
from reconciler.disk import write_private
from reconciler.errors import SafetyStop, Stale, UsageError
from reconciler.journal import Entry, Journal
from reconciler.model import instant_text
from reconciler.sealed import Plan, canonical
from reconciler.who import Identity


@dataclass(frozen=True)
class Approval:
    plan: str
    sha256: str
    by: str
    by_id: str
    at: str
    reason: str


def register(plan: Plan, journal: Journal) -> Entry:
    """Note that this plan was made, and by whom: who approves it is held against this, not against the file's word."""
    return journal.append(
        "planned", plan.made_at, plan=plan.plan, sha256=plan.sha256, by=plan.made_by, by_id=plan.made_by_id, run=plan.run,
        undoes=plan.undoes, actions=len(plan.actions),
    )  # fmt: skip


def approve(plan: Plan, path: Path, who: Identity, reason: str, now: datetime, journal: Journal, rules: Remediation) -> Approval:
    """Approve a plan as it stands; raises SafetyStop when this person may not, Stale when it has expired or is not ours."""
    if not reason.strip():
        raise UsageError("an approval needs a reason; give it with --reason TEXT")
    maker = maker_of(plan, journal.entries())
    if now >= plan.expires_at:
        raise Stale(f"{plan.plan} expired at {instant_text(plan.expires_at)}; make a new one with `reconciler plan`")
    _may(who.name, who.id, maker, rules)
    approval = Approval(plan.plan, plan.sha256, who.name, who.id, str(instant_text(now)), reason)
    journal.append("approved", now, **{k: v for k, v in asdict(approval).items() if k != "at"})
    _beside(path, journal.entries(), plan)
    return approval


def maker_of(plan: Plan, entries: Iterable[Entry]) -> str:
    """The identity of whoever made the plan, from the journal; raises Stale for a plan that was not made here."""
    for entry in entries:
        if entry.kind == "planned" and entry.facts["sha256"] == plan.sha256:
            return str(entry.facts["by_id"])
    raise Stale(f"{plan.plan} was not made with this state folder; make it here with `reconciler plan --out FILE`")


def _may(name: str, number: str, maker: str, rules: Remediation) -> None:
    if rules.approval == "two-person" and number == maker:
        raise SafetyStop(
            f"{name} made this plan and may not approve it; another person runs `reconciler approve` (each under their own "
            'login), or set [remediation] approval = "one-person"'
        )
    if rules.approvers and name not in rules.approvers:
        raise SafetyStop(f"{name} is not among [remediation] approvers: {', '.join(rules.approvers)}")


def approvals_of(plan: Plan, entries: Iterable[Entry]) -> list[Approval]:
    """Every approval of exactly these bytes."""
    return [
        Approval(plan.plan, plan.sha256, e.facts["by"], e.facts["by_id"], e.at, e.facts["reason"])
        for e in entries
        if e.kind == "approved" and e.facts["sha256"] == plan.sha256
    ]


def approved(plan: Plan, entries: Sequence[Entry], rules: Remediation) -> Approval:
    """The approval that lets this plan be applied; raises SafetyStop when there is none."""
    maker, refused = maker_of(plan, entries), ""
    for approval in approvals_of(plan, entries):
        try:
            _may(approval.by, approval.by_id, maker, rules)
        except SafetyStop as problem:
            refused = f" ({problem})"
        else:
            return approval
    raise SafetyStop(
        f"{plan.plan} is not approved{refused}; read it with `reconciler show FILE`, then `reconciler approve FILE --reason TEXT`"
    )


def _beside(path: Path, entries: Iterable[Entry], plan: Plan) -> None:
    """A copy for people, beside the plan; the journal's is the one that counts."""
    listed: list[dict[str, Any]] = [asdict(approval) for approval in approvals_of(plan, entries)]
    write_private(path.with_name(f"{path.name}.approvals"), canonical({"approvals": listed}) + b"\n")
