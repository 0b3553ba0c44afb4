"""The engine's night against DuckDB on the same company: same findings, wall and CPU seconds, peak memory."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.engine_night import SOURCES, encode, night
from benchmarks.estate_data import Company
from reconciler.snapshots import Archive


def prepare(folder: Path, size: int) -> None:
    """Write both nights as string files and as snapshots, and last night's findings of every contestant."""
    archive, made, shas = Archive(folder / "objects"), {}, {}
    for number in (0, 1):
        strings = write_strings(folder / f"strings{number}", Company(size, number))
        made, _, _ = encode(strings, archive, made)
        shas[str(number)] = {source: snapshot.sha256 for source, snapshot in made.items()}
    (folder / "nights.json").write_text(json.dumps(shas))
    night(archive, shas["0"], shas["0"], {}, folder / "ours0")


def write_strings(folder: Path, company: Company) -> Path:
    """One night as a source tells it, ids as text: a file per source and table."""
    folder.mkdir(parents=True)
    pq.write_table(company.people(), folder / "hr_people.parquet", compression="zstd")
    for source in SOURCES:
        if source != "hr":
            for name in SOURCES[source]:
                pq.write_table(getattr(company, name)(source), folder / f"{source}_{name}.parquet", compression="zstd")
    return folder
