"""`init`: a commented config.toml to begin with, its columns read off a roster where there is one."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from reconciler.errors import UsageError

# What HR systems call the columns of people, in any case (vendors' export names).
ALIASES = {
    "employee_id": (
        "employee id",
        "employee_id",
        "worker id",
        "workerid",
        "employee number",
        "employeenumber",
        "personidexternal",
        "associate id",
        "id",
    ),
    "given_name": ("given name", "first name", "firstname", "legal first name", "preferred first name"),
    "family_name": ("family name", "last name", "lastname", "surname", "legal last name"),
    "work_email": ("work email", "email", "e-mail", "email address", "business email", "primary work email"),
    "status": ("status", "worker status", "workerstatus", "employment status", "active status", "employee status"),
    "start_date": ("start date", "hire date", "hiredate", "original hire date"),
    "last_day": ("last day", "last day of work", "last working day", "last date worked"),
    "end_date": ("end date", "termination date", "terminationdate", "contract end date"),
    "worker_type": ("worker type", "workertype", "employee type", "employment type"),
    "department": ("department", "department name", "cost center name", "org unit"),
    "job_title": ("job title", "jobtitle", "business title", "title", "position"),
    "manager_id": ("manager id", "managerid", "manager employee id", "supervisor id"),
    "location": ("location", "office", "site"),
    "timezone": ("timezone", "time zone"),
}
_STATUS_WORDS = {
    "active": ("active", "a"),
    "leave": ("leave", "loa", "on leave"),
    "left": ("terminated", "inactive", "left", "t"),
    "prehire": ("prehire", "accepted", "hired"),
}


def starter(roster: Path | None) -> str:
    """The text of a configuration; raises UsageError when the roster cannot be read."""
    columns, statuses, name = ("", "", "roster.csv") if roster is None else _from(roster)
    return f'''# identity-reconciler: what is read, and what is asked of it. `reconciler check` finds every mistake in it.
[organisation]
name = "Our organisation"
timezone = "UTC"                    # IANA; used where a person's own zone is unknown

[state]
dir = "var"                         # snapshots, database and reports; readable by its owner alone

[connectors.hr]
kind = "hr_file"
path = "{name}"
max_age = "26h"                     # an older file is stale: the night says so and closes nothing
min_people = 1                      # raise it to just below your head-count
{columns}{statuses}
[schedule]
cron = "5 2 * * *"
'''


def _from(roster: Path) -> tuple[str, str, str]:
    try:
        with roster.open(encoding="utf-8-sig", newline="") as file:
            sample = file.read(65536)
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{roster}: cannot be read as UTF-8: {problem}; set encoding in config.toml by hand") from None
    delimiter = max(",;\t|", key=sample.splitlines()[0].count)
    header, *rows = list(csv.reader(sample.splitlines()[:-1] or sample.splitlines(), delimiter=delimiter))
    found = {c: h for c, names in ALIASES.items() for h in header if re.sub(r"[_\s]+", " ", h.strip().casefold()) in names}
    lines = [f"    {column} = {_quoted(name)}," for column, name in found.items()]
    missing = [
        f'    # {column} = "…",  # no header looked like it' for column in ("employee_id", "status") if column not in found
    ]
    table = "\n".join(
        ["[connectors.hr.columns]", *(line.strip().rstrip(",") for line in lines), *(m.strip() for m in missing), ""]
    )
    words = (
        sorted({row[header.index(found["status"])].strip() for row in rows if len(row) == len(header)})
        if "status" in found
        else []
    )
    return f"delimiter = {_quoted(delimiter)}\n{table}", _statuses(words), str(roster)


def _statuses(words: list[str]) -> str:
    lines = ['[connectors.hr.statuses]          # every word of the status column; an unknown one is never taken for "left"']
    placed = {word: status for word in words for status, known in _STATUS_WORDS.items() if word.casefold() in known}
    for status in _STATUS_WORDS:
        lines.append(f"{status} = [{', '.join(_quoted(w) for w, s in placed.items() if s == status)}]")
    lines += [f"# where does {_quoted(word)} belong?" for word in words if word not in placed]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'
