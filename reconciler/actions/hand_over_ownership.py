"""Makes the manager the owner of the groups and resources that a leaver owns."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Hand every entitlement that the finding's account owns to the account of the person's manager."""
    account, person = case.account, case.person
    if account is None:
        return
    manager = case.account_of(person["manager_id"] if person else None, account["source"])
    for thing in case.owned():
        if manager is None:
            yield ByHand(
                f"no successor is known on {account['source']}: the manager has no live account there",
                f"make somebody else the owner of {thing['name']} ({thing['entitlement_id']}) in place of {account['login']}",
            )
        else:
            because = f"{account['login']} owns {thing['name']}: {case.finding.summary}"
            yield Step(account, "owner", account["account_id"], manager["account_id"], because, thing["entitlement_id"], thing)
