"""Moves an account to the container for leavers, where policies give it nothing."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Move the finding's account to the source's container in [remediation] quarantine."""
    account = case.account
    if account is None:
        return
    goal = case.settings.quarantine.get(account["source"])
    if goal is None:
        yield ByHand(
            f"no container for leavers is named for {account['source']}",
            f'set [remediation] quarantine = {{ {account["source"]} = "…" }}, or move {account["login"]} by hand',
        )
    elif account["container"] != goal:
        yield Step(account, "container", account["container"], goal, case.finding.summary)
