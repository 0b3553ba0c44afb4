"""From findings to changes: each remedy is asked, and what it proposes goes to the system that masters the account, or to a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import ModuleType
from typing import Any

from reconciler import plugins
from reconciler.action import ByHand, Settings, Step
from reconciler.config import Config, Connector
from reconciler.errors import PluginError
from reconciler.lookup import Lookup, Row
from reconciler.model import Finding
from reconciler.sealed import Action
from reconciler.writer import IRREVERSIBLE, KINDS, ORDER, Change, Facts, class_of

MASTERED = ("enabled", "attribute", "container", "delete")  # what a synchronised account takes from its master alone
_NOT_DIRECT = {
    "dynamic": "membership of {name} is dynamic: a rule decides who is in it",
    "nested": "{name} is held through another group",
    "primary": "{name} is the primary group of the account",
    "eligible": "{name} is an eligible assignment, not an active one",
    "inherited": "{name} is inherited from a group",
}


@dataclass(frozen=True)
class Task:
    """What a person must do, for one finding."""

    finding: str
    remedy: str
    source: str
    account: Row | None
    why: str
    do: str

    def to_json(self) -> dict[str, Any]:
        login = self.account["login"] if self.account else None
        return {
            "finding": self.finding,
            "remedy": self.remedy,
            "source": self.source,
            "login": login,
            "why": self.why,
            "do": self.do,
        }


@dataclass
class Proposals:
    """What all findings led to: changes without numbers, and tasks. `inherited` waits for the groups that it hangs on."""

    actions: list[Action] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    inherited: list[tuple[Task, str, str, str]] = field(
        default_factory=list
    )  # with the source, the account and what is inherited


@dataclass(frozen=True)
class StoredCase:
    """One finding with what the stored night tells about its subject."""

    finding: Finding
    lookup: Lookup
    settings: Settings
    now: datetime

    @property
    def account(self) -> Row | None:
        about = self.finding.account
        return self.lookup.account(about.source, about.id) if about else None

    @property
    def person(self) -> Row | None:
        return self.lookup.person(self.finding.person.id) if self.finding.person else None

    @property
    def entitlement(self) -> Row | None:
        held = self.finding.entitlement
        return self.lookup.entitlement(held.source, held.id) if held else None

    @property
    def via(self) -> tuple[str, ...]:
        account, held = self.finding.account, self.finding.entitlement
        return self.lookup.via(account.source, account.id, held.id) if account and held else ()

    def account_of(self, person_id: str | None, source: str) -> Row | None:
        found = self.lookup.account_of(person_id, source)
        return found if found and found["enabled"] else None

    def owned(self) -> Sequence[Row]:
        account = self.finding.account
        held = self.lookup.entitlements(account.source).values() if account else ()
        return [row for row in held if account and row["owner_account_id"] == account.id]


def propose(findings: Iterable[Finding], lookup: Lookup, config: Config, now: datetime) -> Proposals:
    """Ask the remedies of every finding; a change that several findings ask for is made once."""
    made, asked = Proposals(), config.remediation
    settings = Settings(asked.quarantine, asked.joiners, asked.delete_after)
    for finding in findings:
        case = StoredCase(finding, lookup, settings, now)
        for remedy in asked.remedies.get(finding.policy, finding.remedies):
            for answer in remedy_called(remedy).propose(case):
                _take(made, answer, remedy, case, config)
    _settle_inherited(made, lookup)
    return replace(made, actions=_once(made.actions))


def remedy_called(name: str) -> ModuleType:
    """The plugin of a remedy; raises PluginError when it offers no `propose`."""
    module = plugins.load("actions", name.replace("-", "_"))
    if not callable(getattr(module, "propose", None)):
        raise PluginError(f"{module.__name__} must offer propose(case)")
    return module


def _connectors(config: Config) -> Mapping[str, ModuleType]:
    return {name: plugins.load("connectors", connector.kind) for name, connector in config.connectors.items()}


def _take(made: Proposals, answer: Step | ByHand, remedy: str, case: StoredCase, config: Config) -> None:
    finding = case.finding
    if isinstance(answer, ByHand):
        made.tasks.append(Task(finding.id, remedy, finding.source, case.account, answer.why, answer.do))
        return
    gone = case.lookup.deleted_of(finding.person and finding.person.id, finding.source) if answer.kind == "create" else None
    if gone is not None:
        why = f"{gone['login']} of the same person is among the deleted there, and may hold the name"
        do = "restore it and look at what it holds again, or delete it for good, and plan anew"
        made.tasks.append(Task(finding.id, remedy, finding.source, gone, why, do))
        return
    routed = _to_master(answer, case.lookup)
    if isinstance(routed, str):
        source = str(answer.account["mastered_by"] or answer.account["source"])
        made.tasks.append(Task(finding.id, remedy, source, answer.account, routed, _generic(answer, source)))
        return
    if _already(routed):
        words = f"{routed.account['login']} on {routed.account['source']}, which masters it, is so already"
        made.tasks.append(
            Task(finding.id, remedy, finding.source, answer.account, words, "wait for the next synchronisation, or look at it")
        )
        return
    _direct_or_by_hand(made, routed, remedy, case, config.connectors[routed.account["source"]])


def _already(step: Step) -> bool:
    return step.kind != "create" and step.before == step.after


def _to_master(step: Step, lookup: Lookup) -> Step | str:
    """The step on the account that masters this one; or why that is not possible."""
    account = step.account
    if step.kind not in MASTERED or account.get("mastered_by") is None:
        return step
    master = lookup.master(account["source"], account["account_id"])
    if master is None:
        return f"{account['login']} is synchronised from {account['mastered_by']}, and its account there is not known"
    if step.kind == "container":
        return f"{account['login']} is synchronised from {master['source']}, whose containers are others"
    if step.kind == "attribute" and step.target == "manager_account_id":
        manager = lookup.master(account["source"], step.after)
        if manager is None:
            return f"{account['login']} is synchronised from {master['source']}, and the manager's account there is not known"
        return replace(step, account=master, before=master["manager_account_id"], after=manager["account_id"])
    before = {"enabled": master["enabled"], "delete": step.before}.get(step.kind, master.get(step.target or "", None))
    return replace(step, account=master, before=before)


def _direct_or_by_hand(made: Proposals, step: Step, remedy: str, case: StoredCase, configured: Connector) -> None:
    account, source = step.account, str(step.account["source"])
    connector = plugins.load("connectors", configured.kind)
    change = Change(step.kind, account["account_id"], step.target, step.before, step.after)
    facts = _facts(step, case.lookup, configured.settings)
    instruct = getattr(connector, "instruct", None)
    do = instruct(change, facts) if instruct else _generic(step, source)
    why = _unwritable(step, facts) or _not_offered(connector, step, source) or _refusal(connector, change, facts)
    if why is None:
        made.actions.append(_action(step, remedy, case))
        return
    task = Task(case.finding.id, remedy, source, account, why, do)
    if step.kind == "entitlement" and not step.after and facts.via and set(facts.via) == {"inherited"}:
        made.inherited.append((task, source, account["account_id"], str(step.target)))
    else:
        made.tasks.append(task)


def _facts(step: Step, lookup: Lookup, settings: object) -> Facts:
    held = list(lookup.holdings(step.account["source"], step.account["account_id"]))
    via = tuple(via for row, via in held if step.target is not None and row["entitlement_id"] == step.target)
    groups = tuple(
        sorted(row["name"] or row["entitlement_id"] for row, via in held if row["kind"] == "group" and via == "direct")
    )
    return Facts(step.account, step.entitlement, via, groups, settings)


def _unwritable(step: Step, facts: Facts) -> str | None:
    """Why nobody could make this change on this object, whatever the interface."""
    held = step.entitlement
    if step.kind not in ("entitlement", "owner") or held is None:
        return None
    name = held["name"] or held["entitlement_id"]
    if step.kind == "entitlement" and not step.after and "direct" not in facts.via:
        way = next(iter(facts.via), "nested")
        groups = f"; it is in {', '.join(facts.groups)}" if way == "inherited" and facts.groups else ""
        return _NOT_DIRECT.get(way, "{name} is not held directly").format(name=name) + groups
    return f"{name} cannot be changed here: it is synchronised, or filled by a rule" if held["writable"] is False else None


def _not_offered(connector: ModuleType, step: Step, source: str) -> str | None:
    if step.kind not in KINDS:
        raise PluginError(f"a remedy proposes {step.kind!r}, which is no kind of change; there are: {', '.join(KINDS)}")
    return None if step.kind in getattr(connector, "WRITES", ()) else f"{source} does not offer this change to the tool"


def _refusal(connector: ModuleType, change: Change, facts: Facts) -> str | None:
    cannot = getattr(connector, "cannot", None)
    return cannot(change, facts) if cannot else None


def _generic(step: Step, source: str) -> str:
    """What a person is to do where the connector does not say how."""
    login = step.account["login"] or step.account["account_id"]
    name = (step.entitlement or {}).get("name") or step.target
    words = {
        "enabled": f"{'enable' if step.after else 'disable'} {login} on {source}",
        "entitlement": f"{'give' if step.after else 'take away'} {name} on {source}: {login}",
        "attribute": f"set {step.target} of {login} on {source} to {step.after}",
        "container": f"move {login} on {source} to {step.after}",
        "sessions": f"end all sessions of {login} on {source}",
        "create": f"create an account for {login} on {source}",
        "delete": f"{'restore' if step.after == 'live' else 'delete'} {login} on {source}",
        "owner": f"make {step.after} the owner of {name} on {source} in place of {login}",
        "transfer": f"transfer the files of {login} on {source} to {step.target}",
    }
    return words[step.kind]


def _action(step: Step, remedy: str, case: StoredCase) -> Action:
    account, held = step.account, step.entitlement
    owner = case.lookup.owner(account["source"], account["account_id"]) or (
        case.finding.person.id if case.finding.person else None
    )
    person = case.lookup.person(owner)
    about = (
        {"id": owner, "name": person["name"] if person else case.finding.person.name if case.finding.person else None}
        if owner
        else None
    )
    department = (person["department"] if person else None) or account.get("department")
    name = held["name"] if held else None
    return Action(
        0, case.finding.id, remedy, account["source"], {"id": account["account_id"], "login": account["login"]}, about,
        class_of(step.kind, step.after, held["kind"] if held else None), step.kind, step.target, step.before, step.after, step.because,
        step.kind not in IRREVERSIBLE, (), department, name,
    )  # fmt: skip


def _settle_inherited(made: Proposals, lookup: Lookup) -> None:
    """A licence that comes from a group goes with it: nothing is left to do when every group that may bring it goes in this plan."""
    going = {(a.source, a.account["id"], a.target) for a in made.actions if a.kind == "entitlement" and not a.after}
    for task, source, account, licence in made.inherited:
        groups = _bringing(lookup, source, account, licence)
        if not groups or any((source, account, group) not in going for group in groups):
            made.tasks.append(task)


def _bringing(lookup: Lookup, source: str, account: str, licence: str) -> set[str]:
    """The groups of an account that may bring it a licence: those all of whose members have it so; where there is none, all."""
    groups = {
        row["entitlement_id"]
        for row, via in lookup.holdings(source, account)
        if row["kind"] == "group" and via in ("direct", "dynamic")
    }
    licensed = lookup.holders(source, licence, ("inherited",))
    return {group for group in groups if lookup.holders(source, group, ("direct", "dynamic")) <= licensed} or groups


def _once(actions: Sequence[Action]) -> list[Action]:
    """The same change asked for by several findings, once; it names them all."""
    found: dict[tuple[Any, ...], Action] = {}
    for action in actions:
        key = (action.source, action.account["id"] or action.finding, action.kind, action.target)
        first = found.get(key)
        also = first and first.finding != action.finding and action.finding not in first.also
        found[key] = replace(first, also=(*first.also, action.finding)) if first and also else first or action
    return list(found.values())


def ordered(actions: Sequence[Action], config: Config) -> list[Action]:
    """Numbered: the most urgent account first, and of one account what must come first; with what each needs."""
    orders = {name: getattr(module, "ORDER", ORDER) for name, module in _connectors(config).items()}
    rank: dict[tuple[str, str | None], int] = {}
    for number, action in enumerate(actions):
        rank.setdefault(_whose(action), number)

    def place(action: Action) -> tuple[int, int, str]:
        order = orders[action.source]
        kind = order.index(action.kind) if action.kind in order else len(order) + ORDER.index(action.kind)
        return rank[_whose(action)], kind, action.target or ""

    numbered = [replace(action, n=n) for n, action in enumerate(sorted(actions, key=place), 1)]
    return [replace(action, needs=_needs(action, numbered)) for action in numbered]


def _whose(action: Action) -> tuple[str, str | None]:
    return action.source, action.account["id"] or action.finding


_NEEDS = {"delete": ("owner", "transfer"), "sessions": ("enabled",), "attribute": ("create",), "container": ("create",)}


def _needs(action: Action, numbered: Sequence[Action]) -> tuple[int, ...]:
    """Earlier actions on the same account without which this one makes no sense."""
    wanted = ("enabled", "create") if action.kind == "entitlement" and action.after else _NEEDS.get(action.kind, ())
    return tuple(a.n for a in numbered if a.n < action.n and a.kind in wanted and _whose(a) == _whose(action))


def of_people(actions: Iterable[Action]) -> Iterator[str]:
    return (action.person["id"] for action in actions if action.person and action.person["id"])
