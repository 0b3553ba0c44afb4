"""Several people have an equal claim to one account, or somebody has a number that was another's before.

Why it matters
    As long as nobody says whose it is, no leaver or mover rule can protect it.
How to fix
    Decide with `reconciler link ACCOUNT PERSON`, or correct the shared key in HR or in the directory.
Can be wrong when
    Somebody changed both names since the account was made; `reconciler link` says that it is theirs. Several people named
    by its keys are several people: then the mistake may be on the roster.
"""

from reconciler.policy import Answer, Estate, Rows, policy, unless


@policy(
    "disputed-account",
    on="accounts",
    severity="medium",
    says="{login} on {source} may belong to several people: they share its {matched_by}",
    evidence=("matched_by", "enabled", "email", "upn", "employee_id", "given_name", "family_name", "created_at", "privileged"),
    controls=("ISO 27001 A.5.16",),
)
def disputed_account(account: Rows, estate: Estate) -> Answer:
    disputed = account.ownership.isin(["disputed"])
    not_known = account.ownership.isin(["withheld"])
    return unless(disputed, not_known)
