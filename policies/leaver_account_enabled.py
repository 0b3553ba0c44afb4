"""An account stays usable after its owner has left.

Why it matters
    Former staff keep access to mail, files and everything that trusts this sign-in.
How to fix
    Disable the account where it is mastered; hand over mailbox and ownership first.
Can be wrong when
    HR enters the last day wrongly, or somebody stays on by agreement; use `grace`, or waive it until a date.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "leaver-account-enabled",
    on="owned_accounts",
    severity="critical",
    says="{login} on {source} is enabled though {person_name} left on {last_day:day}",
    evidence=("last_day", "access_ends", "enabled", "matched_by", "privileged", "mastered_by", "last_login_at"),
    remedies=("disable-account",),
    controls=("ISO 27001 A.5.18", "SOC 2 CC6.2", "NIST AC-2"),
)
def leaver_account_enabled(account: Rows, estate: Estate, *, grace: timedelta = duration("0h")) -> Answer:
    return account.left(grace) & account.enabled
