"""The machine that a measurement ran on, and what a process took of it."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory and system in one line."""
    told = _file("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, {_system()}"


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()}"


def load() -> str:
    """How busy the machine is: a figure taken beside other work flatters whoever uses fewer threads."""
    return f"{os.getloadavg()[0]:.1f}"


def versions(packages: tuple[str, ...]) -> str:
    """Python's version and those of some packages, of those that are there."""
    return ", ".join([f"Python {platform.python_version()}", *(told for name in packages if (told := _version(name)))])


def _version(package: str) -> str | None:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None


def peak_mb() -> float | None:
    """The most memory this process has had, in megabytes; None where the system does not tell.

    `getrusage` would count in what the parent held when it started this process.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB$", _file("/proc/self/status"), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def _file(path: str) -> str:
    return Path(path).read_text("utf-8", "replace") if Path(path).exists() else ""
