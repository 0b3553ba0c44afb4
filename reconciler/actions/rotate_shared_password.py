"""Has the password of a shared account changed, which a leaver knew. A person does this: whoever shares it must be told."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Ask a person to change the shared password."""
    login = case.account["login"] if case.account else case.finding.evidence.get("logins") or "the shared account"
    yield ByHand(
        "a new password must reach those who share it, and no one else",
        f"change the password of {login} on {case.finding.source}, end its sessions, and hand the new one to its owner in person or by the vault",
    )
