"""Somebody who has started has no account where the access rules expect one.

Why it matters
    They cannot work, and people who cannot work borrow a colleague's account.
How to fix
    Create the account, or correct the employee id of one that exists under another name.
Can be wrong when
    The account exists but carries no key of the person; `reconciler matches` lists accounts that are nobody's.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "joiner-account-missing",
    on="expected_accounts",
    severity="medium",
    says="{person_name} has no account on {source}; first day {start_date:day}",
    evidence=("start_date", "starts", "person_department", "worker_type", "person_job_title"),
    remedies=("create-joiner-account",),
    controls=("ISO 27001 A.5.16",),
)
def joiner_account_missing(person: Rows, estate: Estate, *, lead: timedelta = duration("0d")) -> Answer:
    due = person.current | (person.starts <= estate.now + lead)
    return due & ~person.has_account
