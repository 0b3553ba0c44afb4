"""Sets what an account says about its owner (name, department, title, manager) to what HR says."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Columns, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Set every attribute that drifts; an address is renamed by a person, since people sign in with it."""
    account = case.account
    for name, pair in (case.finding.evidence.get("drift") or {}).items():
        if account is None or pair is None:
            continue
        if name == "email":
            yield ByHand(
                "people sign in and receive mail at this address",
                f"rename {account['email']} to {pair['hr']} on {account['source']}, keep the old address as an alias, and tell the person",
            )
        elif name == "manager":
            yield from _manager(case, account, pair["hr"])
        elif account[name] != pair["hr"]:
            yield Step(account, "attribute", account[name], pair["hr"], case.finding.summary, name)


def _manager(case: Case, account: Columns, manager: str) -> Iterator[Step | ByHand]:
    theirs = case.account_of(manager, account["source"])
    if theirs is None:
        yield ByHand(
            f"the manager {manager} has no account on {account['source']}",
            f"create one, or correct the manager of {account['login']} in HR",
        )
    elif account["manager_account_id"] != theirs["account_id"]:
        before, after = account["manager_account_id"], theirs["account_id"]
        yield Step(account, "attribute", before, after, case.finding.summary, "manager_account_id")
