"""An account was signed in to after its owner had left.

Why it matters
    Somebody used access that nobody should have had: this is an incident until shown otherwise.
How to fix
    Disable the account, revoke its sessions, and read the sign-in log from the last day on. Once a plan has done the former,
    the finding is closed, until somebody signs in again.
Can be wrong when
    The sign-in was a colleague's hand-over, or the directory's own (a mailbox move, a service using the account).
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "leaver-account-used",
    on="owned_accounts",
    severity="critical",
    says="{login} on {source} was signed in to on {last_login_at:day}, after {person_name} left on {last_day:day}",
    evidence=("last_day", "access_ends", "last_login_at", "enabled", "matched_by", "privileged"),
    needs=("sign_in",),
    remedies=("disable-account", "revoke-sessions"),
    controls=("ISO 27001 A.8.16", "SOC 2 CC7.2", "NIST AU-6"),
    answered_by=("enabled", "sessions"),
)
def leaver_account_used(account: Rows, estate: Estate, *, grace: timedelta = duration("0h")) -> Answer:
    used_since = account.last_login_at > account.access_ends + grace
    return account.left(grace) & used_since
