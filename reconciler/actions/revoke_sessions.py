"""Ends every session of an account: sign-ins, refresh tokens and app passwords stop working. This cannot be undone."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Sign the finding's account out everywhere."""
    if case.account is not None:
        yield Step(case.account, "sessions", None, "revoked", case.finding.summary)
