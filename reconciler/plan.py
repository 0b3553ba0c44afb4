"""From the findings of a complete night to a sealed plan: remedies, guards, order and limits, all before anything is written."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from reconciler import plugins
from reconciler.config import Config
from reconciler.estate import Estate
from reconciler.guards import Guards, last_administrators
from reconciler.limits import Changes, Population, limits_of, stopped, words
from reconciler.lookup import Lookup
from reconciler.model import Finding
from reconciler.outcomes import Lasting
from reconciler.remedies import ordered, propose
from reconciler.sealed import Action, Plan, fingerprint, seal
from reconciler.who import Identity


@dataclass(frozen=True)
class Basis:
    """What a plan is made from: the night, what people decided, what was done lately, who makes it and when."""

    run: str
    estate: Estate
    snapshots: Mapping[str, str]  # source -> SHA-256
    guards: Guards
    week: Changes
    maker: Identity
    now: datetime
    lasting: Lasting = field(default_factory=dict)  # what was made before, and no night shows


def make(findings: Iterable[Finding], basis: Basis, config: Config) -> Plan:
    """Findings -> sealed plan. What guards or limits hold back is named in `withheld`, what only a person can do in `manual`."""
    lookup = Lookup(basis.estate)
    proposals = propose(findings, lookup, config, basis.now)
    wanted = [action for action in proposals.actions if not _made_before(action, basis.lasting, lookup)]
    free, withheld = guarded(wanted, basis.guards, lookup)
    limits = limits_of(free, populations(basis.estate), config.remediation.limits, basis.week)
    safe, over = limited(free, limits)
    return seal(Plan(
        "", basis.run, basis.now, basis.now + config.remediation.expires, basis.maker.name, basis.maker.id, binds(config, basis),
        tuple(limits), tuple(ordered(safe, config)), tuple(task.to_json() for task in proposals.tasks), (*withheld, *over),
    ))  # fmt: skip


def _made_before(action: Action, lasting: Lasting, lookup: Lookup) -> bool:
    """Sessions that were ended since the last sign-in, files that were transferred: nothing is left to do."""
    made = lasting.get((action.source, str(action.account["id"]), action.kind, action.target))
    if made is None or action.kind != "sessions":
        return made is not None
    used = (lookup.account(action.source, action.account["id"]) or {}).get("last_login_at")
    return used is None or used <= made


def guarded(actions: Sequence[Action], guards: Guards, lookup: Lookup) -> tuple[list[Action], list[dict[str, Any]]]:
    """The actions that nobody objects to, and the others with the objection."""
    objections = {
        place: guards.objection(a, lookup.account(a.source, a.account["id"]), lookup.entitlement(a.source, a.target))
        for place, a in enumerate(actions)
    }
    objections |= {place: why for place, why in last_administrators(actions, lookup).items() if objections[place] is None}
    free = [action for place, action in enumerate(actions) if objections[place] is None]
    return free, [told(action, str(objections[place])) for place, action in enumerate(actions) if objections[place] is not None]


def limited(actions: Sequence[Action], limits: Sequence[Mapping[str, Any]]) -> tuple[list[Action], list[dict[str, Any]]]:
    """The actions of classes within their limits, and the others with the limit."""
    stops = [(action, stopped(action, limits)) for action in actions]
    return [action for action, row in stops if row is None], [
        told(action, words(row)) for action, row in stops if row is not None
    ]


def told(action: Action, why: str) -> dict[str, Any]:
    """An action that is not in the plan, and why."""
    return {
        "finding": action.finding, "remedy": action.remedy, "source": action.source, "account": dict(action.account),
        "person": dict(action.person) if action.person else None, "limit": action.limit, "why": why,
    }  # fmt: skip


def populations(estate: Estate) -> dict[str, Population]:
    """How many accounts of people each source has, and how many of them each department."""
    numbers = np.arange(len(estate.accounts))
    personal = estate.personal
    found = {}
    for index, source in enumerate(estate.accounts.sources):
        rows = numbers[personal & (estate.accounts.source_of == index)]
        view = estate.of_accounts("accounts", rows)
        theirs, ours = (
            view.pick("person_department", np.arange(len(rows))).to_pylist(),
            view.pick("department", np.arange(len(rows))).to_pylist(),
        )
        sizes = Counter(their or our for their, our in zip(theirs, ours, strict=True))
        found[source] = Population(len(rows), {name: size for name, size in sizes.items() if name})
    return found


def binds(config: Config, basis: Basis) -> dict[str, Any]:
    """What the plan stands on: another snapshot, policy, directory or version is another plan."""
    identities = {name: snapshot.manifest.get("identity") for name, snapshot in basis.estate.snapshot.items()}
    return {
        "snapshots": {name: f"sha256:{sha}" for name, sha in sorted(basis.snapshots.items())},
        "policies": policies_fingerprint(config),
        "directories": identities,
        "tool": version("identity-reconciler"),
    }


def policies_fingerprint(config: Config) -> str:
    """A hash of every rule in force: the policies' files, their settings, access rules, conflicts and matching."""
    settings = {name: repr(config.policies[name]) for name in sorted(config.policies)}
    rules = [repr(rule) for rule in (*config.access, *config.conflict)]
    code = {name: _code(module) for name, module in plugins.names("policies").items()}
    return f"sha256:{fingerprint({'settings': settings, 'rules': rules, 'matching': repr(config.matching), 'code': code})}"


def _code(module: str) -> str:
    found = importlib.util.find_spec(module.partition(":")[0])
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest() if found and found.origin else ""


def inverse(
    plan: Plan, done: Mapping[int, tuple[str | None, Any]], basis: Basis, config: Config, active: Mapping[str, Population]
) -> Plan:
    """The plan that takes a plan back: what was done and can be undone, last first, through the same guards and limits.

    `done` tells for each action that was done the account it was done to (a created one has its id only now) and what stood
    there afterwards: it is undone only where that still stands.
    """
    lookup = Lookup(basis.estate)
    chosen = [action for action in reversed(plan.actions) if action.n in done]
    known = [action for action in chosen if action.reversible and (action.kind != "create" or done[action.n][0] is not None)]
    back = [_reversed(action, *done[action.n]) for action in known]
    free, withheld = guarded(back, basis.guards, lookup)
    limits = limits_of(free, active, config.remediation.limits, basis.week)
    safe, over = limited(free, limits)
    numbered = tuple(replace(action, n=n, needs=()) for n, action in enumerate(safe, 1))
    manual = tuple(_irreversible(action) for action in chosen if action not in known)
    return seal(Plan(
        "", basis.run, basis.now, basis.now + config.remediation.expires, basis.maker.name, basis.maker.id, binds(config, basis),
        tuple(limits), numbered, manual, (*withheld, *over), undoes=plan.plan,
    ))  # fmt: skip


_OPPOSITE = {
    "disable": "enable", "enable": "disable", "delete": "restore", "restore": "delete", "entitlement-remove": "entitlement-add",
    "entitlement-add": "entitlement-remove", "licence-remove": "licence-add", "licence-add": "licence-remove", "create": "delete",
}  # fmt: skip


def _reversed(action: Action, account: str | None, _: Any) -> Action:
    because = f"undoes action {action.n}: {action.because}"
    about = {"id": account, "login": action.account["login"]}
    limit = _OPPOSITE.get(action.limit, action.limit)
    if action.kind == "create":
        return replace(action, account=about, limit=limit, kind="delete", before="live", after="deleted", because=because)
    return replace(action, account=about, limit=limit, before=action.after, after=action.before, because=because)


def _irreversible(action: Action) -> dict[str, Any]:
    words = {
        "sessions": "the person signs in again", "transfer": "transfer the files back by hand",
        "create": "it is not known whether the account was created; apply the plan again, or look for it",
    }  # fmt: skip
    return {
        "finding": action.finding, "remedy": action.remedy, "source": action.source, "login": action.account["login"],
        "why": f"action {action.n} ({action.kind}) cannot be undone", "do": words.get(action.kind, "nothing brings it back"),
    }  # fmt: skip
