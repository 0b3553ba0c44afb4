"""Disables an account, so that nobody can sign in to it; everything in it stays, and enabling it brings all of it back."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Switch the finding's account off, unless it is off."""
    account = case.account
    if account is None:
        yield ByHand("which of several accounts is in use is for a person to say", _choose(case))
    elif account["enabled"] is None:
        yield ByHand(
            f"{account['source']} does not tell whether {account['login']} is enabled",
            f"look at {account['login']} there, and disable it",
        )
    elif account["enabled"]:
        yield Step(account, "enabled", True, False, case.finding.summary)


def _choose(case: Case) -> str:
    logins = case.finding.evidence.get("logins") or "the accounts"
    return f"of {logins} on {case.finding.source} keep the one in use and disable the others; or exempt them, or mark their kind"
