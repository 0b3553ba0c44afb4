"""Takes a group, role or application away from an account that holds it directly."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Remove the finding's entitlement from the finding's account."""
    held = case.entitlement
    if case.account is not None and held is not None and case.via:
        yield Step(case.account, "entitlement", True, False, case.finding.summary, held["entitlement_id"], held)
