"""An enabled account has not been signed in to for a long time.

Why it matters
    Nobody misses it when it is misused: dormant accounts are where intruders live.
How to fix
    Ask the owner; disable it if it is not needed.
Can be wrong when
    The source counts only some sign-ins (a directory's timestamp lags by two weeks; with an `after` below four weeks it is not
    asked), or the person is on leave.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "dormant-account",
    on="accounts",
    severity="medium",
    says="{login} on {source} has not been used since {last_activity_at:day}",
    evidence=("last_login_at", "never_logged_in", "created_at", "enabled", "kind", "privileged", "ownership"),
    needs=("sign_in",),
    remedies=("disable-account",),
    controls=("ISO 27001 A.5.18", "NIST AC-2(3)"),
)
def dormant_account(account: Rows, estate: Estate, *, after: timedelta = duration("90d")) -> Answer:
    personal = account.kind.isin(["person", "admin", "unknown"])
    unused = account.last_activity_at + after <= estate.now
    return personal & account.enabled & unused
