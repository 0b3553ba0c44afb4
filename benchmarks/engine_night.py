"""Our night on stored snapshots, as one process: load, correlate, ask, compare memberships and findings, write."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.estate_data import EVERYONE, NOW, SYSTEMS, Company, pages
from reconciler import drift, plugins
from reconciler.accounts import Accounts
from reconciler.answers import Asked, Unread
from reconciler.connector import Page
from reconciler.correlate import correlate
from reconciler.estate import Access, Estate
from reconciler.evaluate import evaluate
from reconciler.findings import Part
from reconciler.policy import policy_in
from reconciler.roster import roster
from reconciler.snapshots import Archive, Snapshot
from reconciler.tables import VIA

POLICIES = (
    "leaver_account_enabled", "leaver_account_used", "leaver_access_kept", "leaver_licence_kept", "joiner_account_missing",
    "joiner_access_missing", "joiner_account_early", "attribute_drift", "orphan_account", "duplicate_account",
    "disputed_account", "dormant_account", "state_mismatch",
)  # fmt: skip
ACCESS = (Access("everyone", {"status": ("active",)}, SYSTEMS, tuple((system, EVERYONE) for system in SYSTEMS)),)


def encode(company: Company, archive: Archive, last: dict[str, Snapshot]) -> tuple[dict[str, Snapshot], float]:
    """Freeze one night from strings, page by page; returns the snapshots and the seconds spent encoding and writing."""
    made, spent = {}, 0.0
    for source in ("hr", *SYSTEMS):
        begun = time.perf_counter()
        draft = archive.draft(last.get(source))
        spent += time.perf_counter() - begun
        for page in _pages(company, source):
            begun = time.perf_counter()
            draft.add(page)
            spent += time.perf_counter() - begun
        begun = time.perf_counter()
        made[source] = archive.freeze(draft, {"source": source})
        spent += time.perf_counter() - begun
    return made, spent


def _pages(company: Company, source: str):  # type: ignore[no-untyped-def]
    if source == "hr":
        yield from (Page("people", columns) for columns in pages(company.people()))
        return
    accounts, entitlements = company.accounts(source), company.entitlements(source)
    yield from (Page("accounts", columns) for columns in pages(accounts))
    yield from (Page("entitlements", columns) for columns in pages(entitlements))
    account_rows, entitlement_rows, via = company.edges(source)
    for begin in range(0, len(account_rows), 1000):
        span = slice(begin, begin + 1000)
        yield Page("grants", {
            "account_id": [accounts["account_id"][i] for i in account_rows[span].tolist()],
            "entitlement_id": [entitlements["entitlement_id"][i] for i in entitlement_rows[span].tolist()],
            "via": [VIA[i] for i in via[span].tolist()],
        })  # fmt: skip


def night(
    archive: Archive, tonight: dict[str, str], before: dict[str, str], last: dict[str, Part], out: Path
) -> dict[str, object]:
    """The whole night from stored snapshots; `last` are last night's findings. Returns counts and seconds per stage."""
    marks = [("begin", time.perf_counter())]

    def mark(stage: str) -> None:
        marks.append((stage, time.perf_counter()))

    new, old = ({s: archive.open(sha) for s, sha in shas.items()} for shas in (tonight, before))
    accounts, people = Accounts(tuple(new[s] for s in SYSTEMS)), roster([new["hr"]], NOW, "Europe/London")
    matches = correlate(accounts, people)
    mark("correlate")
    estate = Estate(accounts, people, matches, NOW, ACCESS)
    asked = [Asked(p, {}, p.severity) for p in (policy_in(plugins.load("policies", name)) for name in POLICIES)]
    answers = evaluate(asked, estate, Unread())
    mark("policies")
    changes = drift.record_changes({s: new[s] for s in SYSTEMS}, old)
    mark("membership diff")
    labels = drift.label(answers, last, drift.doubt(matches), NOW, lambda ids: {})
    mark("findings diff")
    out.mkdir(parents=True, exist_ok=True)
    for policy, part in labels.items():
        pq.write_table(part.table, out / f"{policy}.parquet", compression="zstd")
    mark("write")
    stages = {name: round(at - marks[i][1], 2) for i, (name, at) in enumerate(marks[1:])}
    counts = {
        policy: int(pa.compute.sum(pa.compute.not_equal(p.table["state"], "resolved")).as_py() or 0)
        for policy, p in labels.items()
    }
    return {"stages": stages, "findings": counts, "changes": changes, "owned": matches.count("owned")}


def load_parts(folder: Path) -> dict[str, Part]:
    policies = (policy_in(plugins.load("policies", name)) for name in POLICIES)
    return {p.id: Part(p.id, p.severity, p.says, p.remedies, pq.read_table(folder / f"{p.id}.parquet")) for p in policies}


def main() -> None:
    """python -m benchmarks.engine_night FOLDER: one measured night on what `prepare` left there."""
    folder = Path(sys.argv[1])
    shas = json.loads((folder / "nights.json").read_text())
    archive = Archive(folder / "objects")
    result = night(archive, shas["1"], shas["0"], load_parts(folder / "night0"), folder / "night1")
    print(json.dumps(result))


def prepare(folder: Path, size: int) -> dict[str, float]:
    """Write both nights' snapshots and last night's findings; returns the seconds that encoding took."""
    archive, made, spent, shas = Archive(folder / "objects"), {}, {}, {}
    for number in (0, 1):
        made, spent[str(number)] = encode(Company(size, number), archive, made)
        shas[str(number)] = {source: snapshot.sha256 for source, snapshot in made.items()}
    (folder / "nights.json").write_text(json.dumps(shas))
    night(archive, shas["0"], shas["0"], {}, folder / "night0")
    return spent


if __name__ == "__main__":
    main()
