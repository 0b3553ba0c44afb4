"""The roster that the embedded company's HR exports every night: one CSV row per employment."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from reconciler.sandbox.company import World
from reconciler.sandbox.workforce import DEPARTMENTS, Worker

HEADERS = (
    "Employee ID", "First Name", "Preferred Name", "Last Name", "Work Email", "Status", "Worker Type", "Start Date", "Last Day",
    "Contract End", "Position Start", "Department", "Job Code", "Job Title", "Cost Centre", "Location", "Company", "Manager ID", "Time Zone",
)  # fmt: skip

# What config.toml must say so that this file is understood.
SETTINGS = """columns = { employee_id = "Employee ID", given_name = "First Name", preferred_name = "Preferred Name", family_name = "Last Name", \
work_email = "Work Email", status = "Status", worker_type = "Worker Type", start_date = "Start Date", last_day = "Last Day", \
end_date = "Contract End", position_start = "Position Start", department = "Department", job_code = "Job Code", job_title = "Job Title", \
cost_centre = "Cost Centre", location = "Location", company = "Company", manager_id = "Manager ID", timezone = "Time Zone" }
statuses = { active = ["Active"], leave = ["On Leave"], left = ["Terminated"], prehire = ["Accepted"] }
worker_types = { employee = ["Regular"], contractor = ["Contingent"] }
"""


def roster_csv(world: World) -> str:
    """The whole file, with the rows that HR has spoilt tonight."""
    spoilt = {row["Employee ID"]: row for row in world.spoilt}
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADERS, lineterminator="\r\n")
    writer.writeheader()
    for worker in sorted(world.workers.values(), key=lambda worker: worker.id):
        for row in _employments(world, worker):
            writer.writerow({**row, **spoilt.get(worker.id, {})})
    return out.getvalue()


def write_roster(world: World, path: Path) -> None:
    """Write beside, rename, and date the file half an hour before the night, as an exporter would have left it."""
    beside = path.with_suffix(".part")
    beside.write_text(roster_csv(world), "utf-8", newline="")
    exported = (world.now - timedelta(minutes=35)).timestamp()
    os.utime(beside, (exported, exported))
    beside.replace(path)


def _employments(world: World, worker: Worker) -> Iterator[Mapping[str, str]]:
    row = _row(world, worker)
    if worker.before is not None:  # a seasonal job, years ago
        first, last = (str(day) for day in worker.before)
        job = {"Job Code": "OPS9", "Job Title": "Seasonal Assistant", "Department": "Operations", "Cost Centre": "4100"}
        yield {
            **row,
            **job,
            "Status": "Terminated",
            "Start Date": first,
            "Position Start": first,
            "Last Day": last,
            "Contract End": last,
        }
    yield row


def _row(world: World, worker: Worker) -> dict[str, str]:
    cost_centre, jobs = DEPARTMENTS[worker.department]
    status = (
        "Accepted"
        if not worker.begun(world.now)
        else "Terminated"
        if worker.gone(world.now)
        else "On Leave"
        if worker.on_leave
        else "Active"
    )
    far_off = worker.start + timedelta(days=5475) if worker.worker_type == "Contingent" else None
    cells = (
        worker.id, worker.name.given, worker.preferred, worker.name.family, world.mails.get(worker.id, worker.mail), status, worker.worker_type,
        worker.start, worker.last_day, worker.contract_end or far_off, worker.position_start or worker.start, worker.department, jobs[worker.job][0], worker.title,
        cost_centre, worker.location, worker.company, worker.manager, worker.zone,
    )  # fmt: skip
    return {header: "" if cell is None else str(cell) for header, cell in zip(HEADERS, cells, strict=True)}
