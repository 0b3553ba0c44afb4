"""Enables the account of somebody who works here again."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Switch the finding's account on, unless it is on; a deleted one is restored."""
    account = case.account
    if account is None:
        return
    if account["state_reason"] == "deleted":
        yield Step(account, "delete", "deleted", "live", case.finding.summary)
    elif account["enabled"] is False:
        yield Step(account, "enabled", False, True, case.finding.summary)
