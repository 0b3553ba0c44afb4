"""Gives an account a group or licence that the access rules expect its owner to hold."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Add the finding's entitlement to the finding's account."""
    wanted = case.entitlement
    if case.account is not None and wanted is not None and not case.via:
        yield Step(case.account, "entitlement", False, True, case.finding.summary, wanted["entitlement_id"], wanted)
