"""Somebody changed position and keeps what only the old one gave.

Why it matters
    Access that adds up with every move ends in people who can raise and approve the same payment.
How to fix
    Remove it, or add it to the new position's access rule if the job needs it.
Can be wrong when
    A hand-over is agreed; that is what `grace` is for.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "mover-access-stale",
    on="former_holdings",
    severity="high",
    says="{login} on {source} still holds {entitlement_name} from {person_name}'s old position ({moved_from})",
    evidence=("moved_at", "moved_from", "person_department", "person_job_title", "via", "matched_by"),
    needs=("roles", "licences"),
    remedies=("remove-entitlement",),
    controls=("ISO 27001 A.5.18", "SOC 2 CC6.3", "NIST AC-2"),
)
def mover_access_stale(holding: Rows, estate: Estate, *, grace: timedelta = duration("30d")) -> Answer:
    return holding.moved_at + grace <= estate.now
