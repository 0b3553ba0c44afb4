"""An account is live long before its owner's first day.

Why it matters
    An account that nobody uses yet is one whose misuse nobody notices.
How to fix
    Disable it until shortly before the first day.
Can be wrong when
    The person starts earlier than HR has entered, or needs access for onboarding; raise `lead`.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "joiner-account-early",
    on="owned_accounts",
    severity="medium",
    says="{login} on {source} is enabled though {person_name} starts on {start_date:day}",
    evidence=("start_date", "starts", "enabled", "created_at", "matched_by"),
    remedies=("disable-account",),
    controls=("ISO 27001 A.5.16",),
)
def joiner_account_early(account: Rows, estate: Estate, *, lead: timedelta = duration("14d")) -> Answer:
    far_ahead = account.starts > estate.now + lead
    return far_ahead & account.enabled
