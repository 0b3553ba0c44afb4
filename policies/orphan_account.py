"""An account belongs to nobody on the roster.

Why it matters
    Nobody will report it stolen, nobody will ask for its removal, and nobody answers for what it does.
How to fix
    Give it an owner (its employee id, or `reconciler link`), mark it as a service account, or disable it. Disabled by a plan, it is dealt with; one
    that was disabled in another way is still nobody's, and is told unless `disabled` is false.
Can be wrong when
    Its owner is on no roster that was read: agencies, board members, a company not yet in HR.
"""

from reconciler.policy import Answer, Estate, Rows, policy, unless


@policy(
    "orphan-account",
    on="accounts",
    needs=("mailboxes",),  # what sort of mailbox it is, where that is asked for
    severity="high",
    says="{login} on {source} belongs to nobody on the roster",
    evidence=("enabled", "kind", "privileged", "email", "employee_id", "created_at", "last_login_at", "container"),
    remedies=("disable-account",),
    controls=("ISO 27001 A.5.16", "SOC 2 CC6.2", "NIST AC-2"),
    answered_by=("enabled",),
)
def orphan_account(account: Rows, estate: Estate, *, disabled: bool = True) -> Answer:
    personal = account.kind.isin(["person", "admin", "unknown"])
    unowned = account.ownership.isin(["nobody"])
    not_known = account.ownership.isin(["withheld", "disputed"]) | _younger(account, estate)
    nobodys = personal & unless(unowned, not_known)
    return nobodys if disabled else nobodys & account.enabled


def _younger(account: Rows, estate: Estate) -> Answer:
    """Made after the roster was exported: its owner may be on the next one."""
    return account.created_at.notna() & (account.created_at > (estate.rosters_of or estate.now))
