"""Render each wanted report from the night; a file appears whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from reconciler import plugins
from reconciler.disk import write_private, writing
from reconciler.errors import UsageError
from reconciler.model import Night
from reconciler.redact import redact as without_names

_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


def formats() -> dict[str, str]:
    """The short name of every report format, and the plugin that makes it."""
    return {plugins.load("reports", name).NAME: name for name in plugins.names("reports")}


def render(night: Night, wanted: Sequence[str], folder: Path, *, redact: bool = False) -> list[Path]:
    """Write the wanted formats as `report-RUN.SUFFIX`, and when all of them stand, the same as `latest.SUFFIX`.

    Names come from the run's id only. `redact` puts initials and hashes for names and ids everywhere, writes
    `report-RUN-redacted.SUFFIX`, and leaves `latest` alone. Raises UsageError on a format nobody offers,
    ReconcilerError when the disk refuses.
    """
    known = formats()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"no report format is called {unknown[0]}; there are: {', '.join(known)}")
    shown = without_names(night) if redact else night
    name = "report-" + _PLAIN.sub("-", night.record.run)[:80] + ("-redacted" if redact else "")
    modules = [plugins.load("reports", known[format_name]) for format_name in dict.fromkeys(wanted)]
    bodies: list[tuple[str, bytes]] = [(module.SUFFIX, module.render(shown)) for module in modules]
    written = [folder / f"{name}{suffix}" for suffix, _ in bodies]
    with writing(folder, "the night is stored all the same. Mend that, then: reconciler report"):
        for path, (_, body) in zip(written, bodies, strict=True):
            write_private(path, body)
        for suffix, body in bodies if not redact else ():
            write_private(folder / f"latest{suffix}", body)
    return written
