"""Deletes a leaver's disabled account once the agreed time has passed; off until [remediation] delete_after is set."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step

NEEDS_SETTING = "delete_after"


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Delete the finding's account, to where it can be restored from, `delete_after` the owner's last day."""
    account, person, wait = case.account, case.person, case.settings.delete_after
    if account is None or person is None or wait is None or person["access_ends"] is None:
        return
    if account["enabled"] is False and person["access_ends"] + wait <= case.now:
        yield Step(account, "delete", "live", "deleted", case.finding.summary)
