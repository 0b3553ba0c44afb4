"""`init`: a commented config.toml to begin with, its columns read off a roster where there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from reconciler import plugins
from reconciler.errors import UsageError

_ROSTER = """delimiter = ","
min_people = 1                      # fewer, and the file is not believed: raise it to just below your head-count
[connectors.hr.columns]             # column of people = header in the file; columns not named are ignored
employee_id = "Employee ID"
[connectors.hr.statuses]            # every word of the status column; one that is not here is never taken for "left"
active = ["Active"]
left = ["Terminated"]
"""
_REST = """
# --- accounts: whatever holds them; take out the # of what you have, then: reconciler check ------------------------
# [connectors.ad]
# kind = "active_directory"
# urls = ["ldaps://dc1.example.com"]
# bases = ["DC=example,DC=com"]
# username = "reader@example.com"
# password = "env:AD_PASSWORD"      # a reference, never the password: env:NAME, file:PATH, cred:NAME, keyring:SERVICE/USER
# [connectors.m365]
# kind = "microsoft365"
# tenant = "00000000-0000-0000-0000-000000000000"
# client_id = "11111111-1111-1111-1111-111111111111"
# client_secret = "env:M365_SECRET"
# [connectors.google]
# kind = "google_workspace"
# credentials = "file:service-account.json"
# subject = "reader@example.com"

# [[access]]                        # who is expected to hold what: joiners and movers are judged by it
# name = "everyone"
# when = { status = ["active"] }
# accounts = ["ad"]

[exempt]                            # listed and counted in every report, never silently absent
accounts = []                       # e.g. "svc-*"

[report]
formats = ["html", "csv", "jsonl"]

[schedule]
cron = "5 2 * * *"                  # for `reconciler schedule`; cron or a systemd timer serve as well
"""


def starter(roster: Path | None, config: Path = Path("config.toml")) -> str:
    """The text of a configuration; raises UsageError when the roster cannot be read."""
    return f"""# identity-reconciler: what is read, and what is asked of it. `reconciler check` finds every mistake in it.
# Paths are relative to this file. Every setting: config.example.toml, and `reconciler schema config`.
[organisation]
name = "Our organisation"
timezone = "UTC"                    # IANA; used where a person's own zone is unknown

[state]
dir = "var"                         # snapshots, database and reports; readable by its owner alone

[connectors.hr]
kind = "hr_file"
path = {json.dumps(_path(roster, config), ensure_ascii=False)}
max_age = "26h"                     # an older file is stale: the night says so and closes nothing
{_ROSTER if roster is None else _found_in(roster)}{_REST}"""


def _path(roster: Path | None, config: Path) -> str:
    """The roster as the configuration must name it: relative to its folder, where that is plain."""
    if roster is None:
        return "roster.csv"
    found = os.path.relpath(roster.absolute(), config.absolute().parent)
    return str(roster.absolute()) if found.startswith("..") else found


def _found_in(roster: Path) -> str:
    if not roster.is_file():
        raise UsageError(f"{roster}: there is no such file; name the roster that HR exports")
    found: str = plugins.load("connectors", "hr_file").suggest(roster)
    return found
