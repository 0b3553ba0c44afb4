"""One person has several live accounts on one system.

Why it matters
    The second one is forgotten when the person leaves, and it doubles what can be taken over.
How to fix
    Keep the one in use; disable the other, or mark it as the admin or service account it is.
Can be wrong when
    Two accounts are the practice (a test account); exempt its login pattern.
"""

from reconciler.policy import Answer, Estate, Rows, policy


@policy(
    "duplicate-account",
    on="people_by_source",
    severity="medium",
    says="{person_name} has {live_accounts} live accounts on {source}: {logins}",
    evidence=("live_accounts", "logins"),
    remedies=("disable-account",),
    controls=("ISO 27001 A.5.16",),
)
def duplicate_account(person: Rows, estate: Estate) -> Answer:
    return person.live_accounts > 1
