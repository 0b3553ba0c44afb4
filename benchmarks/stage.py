"""Where applies are broken off: the embedded company with a plan of sixty changes that is approved, put back as it was before each."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.journal import Journal
from reconciler.outcomes import open_intents
from reconciler.sandbox.company import Company
from reconciler.sandbox.embedded import Embedded
from reconciler.sandbox.stock import System

NIGHT = datetime(2026, 11, 27, 2, 5, tzinfo=UTC)
PLAN = "plan.json"
APPLY = ("apply", PLAN, "--yes", "--format", "json", "--as-of", "2026-11-27T04:05:00Z")
WRITES = {
    "ad": "^(add|modify|modifyDN|delete) ",
    "m365": "^(POST|PUT|PATCH|DELETE) /v1.0/(users|groups|directory)",
    "google": "^(POST|PUT|PATCH|DELETE) /(admin|apps)",
}
AGAIN = re.compile("/(signOut|verificationCodes/invalidate)$")  # Google does not tell of these: docs/remediation.md
FURTHER = re.compile("/verificationCodes/invalidate$|/(tokens|asps)/")  # requests that follow another for the same change
_REMEDIES = '["disable-account", "revoke-sessions", "move-to-quarantine"]'
_MORE = f"""
writes_per_minute = 100000            # the company has a quarter of an hour for some thousand applies
limits = {{ default = {{ count = 1000, percent = 100 }}, rolling_7d = {{ percent = 100 }} }}
remedies = {{ leaver-account-enabled = {_REMEDIES}, orphan-account = {_REMEDIES}, dormant-account = ["disable-account", "revoke-sessions"] }}
quarantine = {{ ad = "OU=Leavers,%s", google = "/Temporary" }}
"""
_TIMES = {
    "usnchanged", "whenchanged", "lastlogon", "lastlogontimestamp", "logoncount", "createddatetime", "creationtime", "deletiontime",
    "refreshtokensvalidfromdatetime", "signinsessionsvalidfromdatetime", "etag",
}  # fmt: skip
_NONE = "not there"


@dataclass
class Stage:
    """One company being served, its state folder, and both as they were when the plan was approved."""

    folder: Path
    embedded: Embedded = field(repr=False)
    systems: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # what each held
    before: Mapping[str, Any] = field(default_factory=dict, repr=False)  # the same, as `_holding` tells it
    actions: int = 0

    @property
    def state(self) -> Path:
        return self.folder / "var"

    @property
    def kept(self) -> Path:
        return self.folder / "var.kept"

    def reconciler(self, *words: str) -> str:
        """The program as an administrator starts it."""
        done = self.started(*words)
        if done.returncode:
            raise SystemExit(f"reconciler {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def started(self, *words: str, under: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """The same, whatever comes of it; `under` is a command that starts it."""
        command = [*under, sys.executable, "-m", "reconciler", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)  # noqa: S603

    def restore(self) -> None:
        """The company and the state folder as they were when the plan was approved."""
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)
        for name, system in self._served.items():
            with system.lock:
                vars(system).update(pickle.loads(self.systems[name]))  # noqa: S301 - our own, of a minute ago
            self.embedded.faults[name].reset()

    @property
    def _served(self) -> dict[str, System]:
        return {"ad": self.embedded.directory, "m365": self.embedded.tenant, "google": self.embedded.customer}

    def keep(self) -> None:
        shutil.copytree(self.state, self.kept)
        self.systems = {
            name: pickle.dumps({key: value for key, value in vars(system).items() if key != "lock" and not callable(value)})
            for name, system in self._served.items()
        }
        self.before = copy.deepcopy(self._holding())

    # --- what an apply has left behind ----------------------------------------------------------------------------

    def received(self) -> dict[str, Counter[str]]:
        """Every request for a change that each system has had."""
        return {
            name: Counter(line for line in list(self.embedded.faults[name].requests) if re.search(wanted, line))
            for name, wanted in WRITES.items()
        }

    def held(self) -> str:
        """All that the three systems hold otherwise than when the plan was approved, but for marks of time."""
        return json.dumps(_changed(self._holding(), self.before), sort_keys=True, default=str)

    def _holding(self) -> dict[str, Any]:
        directory, tenant, customer = self.embedded.directory, self.embedded.tenant, self.embedded.customer
        nodes = {
            node.guid.hex(): {name: sorted(values) for name, values in directory.entry(node.dn).items() if values}
            for node in list(directory.guids.values())
        }
        cloud = [tenant.users, tenant.deleted, tenant.members, tenant.owners, tenant.managers]
        suite = [dict(customer.users), dict(customer.deleted), customer.members, customer.tokens, customer.asps]
        ended = [sorted(tenant.sessions_revoked), sorted({*customer.signed_out})]
        licences = {"/".join(sku): sorted(users) for sku, users in customer.licences.items()}
        parts = [nodes, *cloud, *suite, *ended, licences]
        return {str(number): part for number, part in enumerate(parts)}

    def journal_problems(self) -> Iterator[str]:
        """What is wrong with the journal now: an entry that does not follow, or a change nobody knows the outcome of."""
        checked = Journal.of(self.state).check()
        if checked.problem is not None:
            yield checked.problem
        for intent in open_intents(checked.entries):
            yield f"the outcome of action {intent.facts['n']} is not known"


def _changed(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What is otherwise now, by its place."""
    found = {}
    for name in now.keys() | before.keys():
        is_, was = now.get(name, _NONE), before.get(name, _NONE)
        if is_ != was and name.lower() not in _TIMES:
            if isinstance(is_, Mapping) and isinstance(was, Mapping):
                found |= {name: inner} if (inner := _changed(is_, was)) else {}
            elif _timeless(is_) != _timeless(was):
                found[name] = _timeless(is_)
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _timeless(inner) for key, inner in value.items() if str(key).lower() not in _TIMES}
    return [_timeless(inner) for inner in value] if isinstance(value, list | tuple) else value


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """The company on its second night, a baseline accepted, a plan of everything made and approved."""
    embedded = Embedded(Company(NIGHT - timedelta(days=1), 150, sets=2), folder).start()
    try:
        embedded.night(1)
        embedded.directory.ou(f"OU=Leavers,{embedded.directory.base}")
        (folder / "config.toml").write_text(_config(embedded), "utf-8")
        made = Stage(folder, embedded)
        made.reconciler("run", "--as-of", NIGHT.isoformat())
        made.reconciler("adopt", "--reason", "read through", "--as-of", NIGHT.isoformat())
        plan = json.loads(made.reconciler("plan", "--out", PLAN, "--format", "json", "--as-of", NIGHT.isoformat()))
        made.reconciler("approve", PLAN, "--reason", "ok", "--as-of", NIGHT.isoformat())
        made.actions = len(plan["actions"])
        made.keep()
        yield made
    finally:
        embedded.close()


def _config(embedded: Embedded) -> str:
    one = 'approval = "one-person"'
    text = embedded.config().replace('formats = ["html", "csv", "jsonl"]', 'formats = ["jsonl"]')
    return text.replace(one, one + _MORE % embedded.directory.base)


def environment() -> dict[str, str]:
    """For a child that imports the benches from its own folder."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
