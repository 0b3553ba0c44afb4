"""Render each wanted report from the night; a file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler import plugins
from reconciler.model import Night
from reconciler.snapshots import write_private


def formats() -> dict[str, str]:
    """The short name of every report format, and the plugin that makes it."""
    return {plugins.load("reports", name).NAME: name for name in plugins.names("reports")}


def render(night: Night, wanted: Sequence[str], folder: Path) -> list[Path]:
    """Write the wanted formats as `report-RUN.SUFFIX`, and then the same as `latest.SUFFIX`; names come from the run's id only."""
    known, written = formats(), []
    for name in wanted:
        module = plugins.load("reports", known[name])
        body: bytes = module.render(night)
        written.append(folder / f"report-{night.record.run}{module.SUFFIX}")
        write_private(written[-1], body)
        write_private(folder / f"latest{module.SUFFIX}", body)
    return written
