"""A leaver's account is still a direct member of a group or holds a role.

Why it matters
    Whoever enables or takes over the account gets the access back at once; a rehire inherits it unseen.
How to fix
    Remove the membership or the role after the account is disabled.
Can be wrong when
    The group only marks leavers (a quarantine or licence-reclaim group); exempt it or waive the finding.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "leaver-access-kept",
    on="leaver_holdings",
    severity="high",
    says="{login} on {source} still holds {entitlement_name} though {person_name} left on {last_day:day}",
    evidence=("last_day", "access_ends", "via", "enabled", "entitlement_privileged", "entitlement_writable", "matched_by"),
    needs=("roles",),
    remedies=("remove-entitlement",),
    controls=("ISO 27001 A.5.18", "SOC 2 CC6.2", "NIST AC-2"),
)
def leaver_access_kept(holding: Rows, estate: Estate, *, grace: timedelta = duration("0h")) -> Answer:
    access = holding.entitlement_kind.isin(["group", "role"])
    direct = holding.via.isin(["direct"])
    return holding.left(grace) & access & direct
