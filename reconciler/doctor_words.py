"""What `doctor` found, for people: one line a check, and below it what stops and the fix."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.check import Check
from reconciler.doctor import Examined

MARKS = {"ok": "OK", "warning": "!", "missing": "--", "unreadable": "!!", "refused": "!!"}  # never by colour alone
ENDS = {
    0: "exit 0: a night can read what is required",
    4: "exit 4: an identity or a required permission was refused",
    5: "exit 5: something that is required cannot be read",
}


def examined(one: Examined) -> Iterator[str]:
    """One source."""
    yield f"{one.name} ({one.kind}), {one.seconds:.1f} s"
    for check in one.checks:
        yield from _lines(check)
    yield ""


def ended(code: int) -> str:
    return ENDS[code]


def _lines(check: Check) -> Iterator[str]:
    word = "" if check.state in ("ok", "warning") else f"{check.state.upper()}: "
    yield f"  {MARKS[check.state]:2}  {check.kind:11}  {word}{check.what}: {check.told}"
    if check.state != "ok":
        if check.without:
            yield f"      {'':11}  without: {check.without}"
        if check.fix:
            yield f"      {'':11}  fix: {check.fix}"
