"""Who is at the keyboard, by the system's own account: the maker of a plan and its approver are two people, not two logins."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

_UNSET = 2**32 - 1  # what the kernel tells for a process that no login began


@dataclass(frozen=True)
class Identity:
    """A person on this machine: the name for people, the number for comparison."""

    name: str
    id: str


def identity() -> Identity:
    """Who asked for this: the user who logged in, whatever `su` or `sudo` made of them since.

    The kernel keeps the login's user (`/proc/self/loginuid`, proc_pid_loginuid(5)); where no login began the process (a
    container), `sudo` tells who called it (root alone could say so for others), and else it is the process's own user.
    """
    number = _login_uid()
    if number is None and os.getuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        number = int(os.environ["SUDO_UID"])
    number = os.getuid() if number is None else number
    try:
        return Identity(pwd.getpwuid(number).pw_name, f"uid:{number}")
    except KeyError:  # a container may run under a number without a name
        return Identity(f"user {number}", f"uid:{number}")


def _login_uid() -> int | None:
    try:
        number = int(Path("/proc/self/loginuid").read_text("ascii"))
    except (OSError, ValueError):
        return None
    return None if number == _UNSET else number
