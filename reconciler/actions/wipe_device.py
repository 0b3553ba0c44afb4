"""Has a leaver's device wiped or retired. A person does this: whether it is the company's or their own, no directory tells."""

from collections.abc import Iterator

from reconciler.action import ByHand, Case, Step


def propose(case: Case) -> Iterator[Step | ByHand]:
    """Ask a person to retire or wipe the finding's device."""
    device = case.entitlement["name"] if case.entitlement else "the device"
    yield ByHand(
        "a wipe cannot be undone, and a private device must be retired instead",
        f"ask for {device} back; then wipe it if it is the company's (Intune: Devices, Wipe; Google: Devices, Wipe device), retire it if not",
    )
