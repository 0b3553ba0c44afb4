"""Transfers a leaver's files to the manager. This cannot be undone in one step."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Give the files of the finding's account to the account of the person's manager."""
    account, person = case.account, case.person
    if account is None:
        return
    manager = case.account_of(person["manager_id"] if person else None, account["source"])
    if manager is None:
        yield ByHand(
            f"no successor is known on {account['source']}: the manager has no live account there",
            f"say who shall have the files of {account['login']}, and transfer them",
        )
    else:
        yield Step(account, "transfer", None, "transferred", case.finding.summary, manager["account_id"])
