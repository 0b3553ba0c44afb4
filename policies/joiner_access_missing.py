"""An account lacks something that the access rules expect its owner to hold.

Why it matters
    The person cannot do the job, and is soon given more than the job needs.
How to fix
    Add the membership or the licence, or correct the access rule.
Can be wrong when
    The rule is broader than the practice; change the rule and `reconciler run --from` replays the night.
"""

from reconciler.policy import Answer, Estate, Rows, policy


@policy(
    "joiner-access-missing",
    on="expected_holdings",
    severity="low",
    says="{login} on {source} lacks {entitlement_name}, which {person_name} is expected to hold",
    evidence=("person_department", "person_job_title", "worker_type", "start_date", "held", "matched_by"),
    needs=("roles", "licences"),
    remedies=("add-missing-access",),
    controls=("ISO 27001 A.5.18",),
)
def joiner_access_missing(holding: Rows, estate: Estate) -> Answer:
    return ~holding.held
