"""A contractor's account is live though the contract is over, or has no end.

Why it matters
    Nobody tells HR when a contractor stops coming: the contract's end is the only word there is, and without one there is none.
How to fix
    Ask who ordered the work: extend the contract on the roster, give it an end, or have HR tell the person as left.
Can be wrong when
    An extension is signed and not entered yet, or a contract runs without an end by agreement: use `grace`, a longer
    `longest`, or waive it until the day on which somebody looks again.
"""

from datetime import timedelta

from reconciler.policy import Answer, Estate, Rows, duration, policy


@policy(
    "contractor-past-end",
    on="owned_accounts",
    severity="medium",
    says="{login} on {source} is enabled, and the contract of {person_name} is over or has no end: from {start_date:day} to {end_date:day}",
    evidence=("start_date", "end_date", "worker_type", "enabled", "matched_by", "privileged"),
    controls=("ISO 27001 A.5.18", "NIST AC-2(3)"),
)
def contractor_past_end(
    account: Rows, estate: Estate, *, grace: timedelta = duration("0h"), longest: timedelta = duration("365d")
) -> Answer:
    working = account.current & account.worker_type.str.lower().isin(["contractor"])
    over = account.contract_ends.notna() & (account.contract_ends + grace <= estate.now)
    endless = account.last_day.isna() & (account.starts + longest <= estate.now)
    return working & account.enabled & (over | endless)
