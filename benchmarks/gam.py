"""GAM7, the administrators' own tool, unmodified and on the real host names, as a contestant in reading Google Workspace.

It comes into an environment of its own, because it brings its own httplib2; its only way out is a proxy that leads to the
embedded company.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from reconciler.sandbox.proxy import ConnectProxy

HOSTS = ("admin.googleapis.com", "oauth2.googleapis.com", "licensing.googleapis.com", "www.googleapis.com")
TOKENS = "https://oauth2.googleapis.com/token"
CA, KEY = "ca.pem", "oauth2service.json"
_HOME = Path(sys.prefix) / "gam"


@dataclass(frozen=True)
class Gam:
    """GAM with a configuration of its own."""

    program: Path
    folder: Path
    proxy: str

    def __call__(self, *words: str) -> str:
        """What GAM prints."""
        own = {"GAMCFGDIR": str(self.folder), "HOME": str(self.folder), "https_proxy": self.proxy, "HTTPS_PROXY": self.proxy}
        silent = dict.fromkeys(("no_proxy", "NO_PROXY"), "")
        done = subprocess.run(  # noqa: S603 - GAM
            [self.program, *words],
            env={**os.environ, **own, **silent},
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=True,
        )
        return done.stdout

    def timed(self, *words: str) -> tuple[int, float, float]:
        """(lines below the head, seconds of wall, seconds of CPU), its start included."""
        wall, cpu = time.perf_counter(), _children()
        lines = self(*words).count("\n") - 1
        return lines, time.perf_counter() - wall, _children() - cpu


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def installed() -> Path | None:
    """GAM's program, fetched once; None where it is not to be had."""
    program = _HOME / "bin" / "gam"
    if not program.exists():
        made = subprocess.run([sys.executable, "-m", "venv", _HOME], check=False, capture_output=True)  # noqa: S603 - our own
        pip = str(_HOME / "bin" / "pip")
        if made.returncode or subprocess.run([pip, "install", "-q", "gam7"], check=False, capture_output=True).returncode:  # noqa: S603 - our own
            return None
    return program if program.exists() else None


def version() -> str:
    """Of GAM, where it is installed."""
    places = [str(place) for place in _HOME.glob("lib/python*/site-packages")]
    return next((found.version for found in metadata.distributions(name="gam7", path=places)), "")


@contextmanager
def configured(program: Path, folder: Path, port: int, customer: str, admin: str) -> Iterator[Gam]:
    """GAM, led to a port of this machine; `folder` has the authority to trust and the service account."""
    proxy = ConnectProxy(dict.fromkeys(HOSTS, port)).start()
    gam = Gam(program, folder, proxy.url)
    try:
        gam(
            "config", "enable_dasa", "true", "customer_id", customer, "domain", admin.partition("@")[2], "admin_email", admin,
            "cacerts_pem", str(folder / CA), "no_cache", "true", "num_threads", "1", "save",
        )  # fmt: skip
        yield gam
    finally:
        proxy.close()
