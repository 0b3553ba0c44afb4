"""A leaver's account still takes up a licence.

Why it matters
    It costs money every month, and it keeps the mailbox and the apps behind the licence alive.
How to fix
    Remove the licence, or the group that assigns it, once mail and files are handed over.
Can be wrong when
    The licence is kept on purpose for a legal hold or a shared mailbox over its size limit.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "leaver-licence-kept",
    on="leaver_holdings",
    severity="low",
    says="{login} on {source} still has the licence {entitlement_name} though {person_name} left on {last_day:day}",
    evidence=("last_day", "access_ends", "via", "enabled", "matched_by"),
    needs=("licences",),
    remedies=("remove-licence",),
    controls=("ISO 27001 A.5.11",),
)
def leaver_licence_kept(holding: Rows, estate: Estate, *, grace: timedelta = duration("0h")) -> Answer:
    return holding.left(grace) & holding.entitlement_kind.isin(["licence"])
