"""Our night on stored snapshots, as one process: load, correlate, ask, compare memberships and findings, write."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.estate_data import EVERYONE, NOW, SYSTEMS, as_lists
from benchmarks.machine import peak_mb
from reconciler import drift, plugins
from reconciler.accounts import Accounts
from reconciler.answers import Asked, Unread
from reconciler.correlate import correlate
from reconciler.estate import Access, Estate
from reconciler.evaluate import evaluate
from reconciler.findings import Part
from reconciler.memory import keep_heap
from reconciler.policy import Policy, policy_in
from reconciler.roster import roster
from reconciler.snapshots import Archive, Snapshot
from reconciler.tables import CODED, TABLES

POLICIES = (
    "leaver_account_enabled", "leaver_account_used", "leaver_access_kept", "leaver_licence_kept", "joiner_account_missing",
    "joiner_access_missing", "joiner_account_early", "attribute_drift", "orphan_account", "duplicate_account",
    "disputed_account", "dormant_account", "state_mismatch",
)  # fmt: skip
ACCESS = (Access("everyone", {"status": ("active",)}, SYSTEMS, tuple((system, EVERYONE) for system in SYSTEMS)),)
Columns = Mapping[str, Any]
SOURCES = {"hr": ("people",), **dict.fromkeys(SYSTEMS, ("accounts", "entitlements", "grants"))}


def encode(
    strings: Path, archive: Archive, last: Mapping[str, Snapshot], read: Callable[[pa.RecordBatch], Iterator[Columns]]
) -> dict[str, Snapshot]:
    """Freeze one night from its string files, page by page, two sources at a time."""
    from reconciler.connector import Page  # pydantic stands behind it, and a night from stored snapshots needs none

    def source(name: str) -> Snapshot:
        draft = archive.draft(last.get(name))
        for table in SOURCES[name]:
            path = strings / f"{name}_{table}.parquet"
            coded = [n for n in pq.read_schema(path).names if TABLES[table].column(n).held == CODED]
            for batch in pq.ParquetFile(path, read_dictionary=coded).iter_batches(1 << 17, use_threads=False):
                for columns in read(batch):
                    draft.add(Page(table, columns))
        return archive.freeze(draft, {"source": name})

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(SOURCES, threads.map(source, SOURCES), strict=True))


def as_arrow(batch: pa.RecordBatch) -> Iterator[Columns]:
    yield dict(zip(batch.schema.names, batch.columns, strict=True))


def night(
    archive: Archive, tonight: Mapping[str, str], before: Mapping[str, str], last: Mapping[str, Part], out: Path
) -> dict[str, Any]:
    """The whole night from stored snapshots; `last` are last night's findings. Returns counts and seconds per stage."""
    marks = [("begin", time.perf_counter())]

    def mark(stage: str) -> None:
        marks.append((stage, time.perf_counter()))

    new, old = ({s: archive.open(sha) for s, sha in shas.items()} for shas in (tonight, before))
    changes = drift.record_changes({s: new[s] for s in SYSTEMS}, old)
    mark("membership diff")
    accounts, people = Accounts(tuple(new[s] for s in SYSTEMS)), roster([new["hr"]], NOW, "Europe/London")
    matches = correlate(accounts, people)
    mark("correlate")
    estate = Estate(accounts, people, matches, NOW, ACCESS)
    answers = evaluate([Asked(p, {}, p.severity) for p in policies()], estate, Unread())
    mark("policies")
    labels = drift.label(answers, last, drift.doubt(matches), NOW, lambda ids: {})
    mark("findings diff")
    out.mkdir(parents=True, exist_ok=True)
    for policy, part in labels.items():
        pq.write_table(part.table, out / f"{policy}.parquet", compression="zstd")
    mark("write")
    stages = {name: round(at - marks[i][1], 2) for i, (name, at) in enumerate(marks[1:])}
    edges = sum(new[s].rows("grants") for s in SYSTEMS)
    return {"stages": stages, "findings": _counts(labels), "changes": changes, "accounts": len(accounts), "edges": edges}


def policies() -> list[Policy]:
    return [policy_in(plugins.load("policies", name)) for name in POLICIES]


def _counts(labels: Mapping[str, Part]) -> dict[str, dict[str, int]]:
    told = {policy: pc.value_counts(part.table["state"]).to_pylist() for policy, part in labels.items()}
    return {policy: {count["values"]: count["counts"] for count in counts} for policy, counts in told.items()}


def load_parts(folder: Path) -> dict[str, Part]:
    return {p.id: Part(p.id, p.severity, p.says, p.remedies, pq.read_table(folder / f"{p.id}.parquet")) for p in policies()}


def _fresh(folder: Path) -> Archive:
    """An archive that has the first night's files and not tonight's, so that tonight's are really written."""
    shutil.rmtree(folder / "again", ignore_errors=True)
    tonight = json.loads((folder / "nights.json").read_text())["1"].values()
    tables = [t["sha256"] for sha in tonight for t in Archive(folder / "objects").open(sha).manifest["tables"].values()]
    shutil.copytree(
        folder / "objects",
        folder / "again",
        copy_function=os.link,
        ignore=lambda _, names: [n for n in names if Path(n).stem in tables],
    )
    return Archive(folder / "again")


def main() -> None:
    """python -m benchmarks.engine_night FOLDER [arrow | lists]: one measured night on what `prepare` left there; tonight's
    snapshots are made first where it says from what."""
    keep_heap()
    folder, (pages,) = Path(sys.argv[1]), sys.argv[2:] or [""]
    shas = json.loads((folder / "nights.json").read_text())
    archive = Archive(folder / "objects")
    if pages:
        last = {source: archive.open(sha) for source, sha in shas["0"].items()}
        archive = _fresh(folder)
        made = encode(folder / "strings1", archive, last, {"arrow": as_arrow, "lists": as_lists}[pages])
        shas["1"] = {source: snapshot.sha256 for source, snapshot in made.items()}
    result = night(archive, shas["1"], shas["0"], load_parts(folder / "ours0"), folder / "ours1")
    print(json.dumps(result | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
