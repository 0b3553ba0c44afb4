"""Plans and what became of them as people read them: per person what is, what shall be, why, and what takes it back."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.attempt import Result
from reconciler.journal import Entry
from reconciler.sealed import Action, Plan

_COUNTED = ("applied", "already", "skipped", "failed", "unknown")


def plan_in_words(plan: Plan, entries: Sequence[Entry] = ()) -> str:
    """A whole plan; with the journal also who approved it and what became of each change."""
    outcomes = {e.facts["n"]: e for e in entries if e.kind == "outcome" and e.facts["plan"] == plan.plan}
    lines = [*_head(plan, entries), ""]
    for whose, actions in _by_person(plan.actions).items():
        lines.append(f"{whose}")
        lines += (line for action in actions for line in _action(action, outcomes.get(action.n)))
        lines.append("")
    lines += _by_hand(plan.manual)
    lines += _withheld(plan.withheld)
    lines += _limits(plan.limits)
    return "\n".join([*lines, *in_short(plan)])


def beginning(plan: Plan, people: int = 2) -> Iterator[str]:
    """The most urgent people of a plan, and the rest in numbers."""
    yield f"\nWhat a plan would change ({plan.plan}; nothing is changed):"
    for whose, actions in list(_by_person(plan.actions).items())[:people]:
        yield f"{whose}"
        yield from (line for action in actions for line in _action(action, None))
    yield "and so on:"
    yield from in_short(plan)


def _head(plan: Plan, entries: Sequence[Entry]) -> Iterator[str]:
    yield f"Plan {plan.plan}, which undoes {plan.undoes}" if plan.undoes else f"Plan {plan.plan}"
    yield f"  made      {_at(plan.made_at)} by {plan.made_by}, from run {plan.run}"
    yield f"  expires   {_at(plan.expires_at)}"
    yield f"  sha256    {plan.sha256}"
    for entry in entries:
        if entry.kind == "approved" and entry.facts["sha256"] == plan.sha256:
            yield f"  approved  {_at(datetime.fromisoformat(entry.at))} by {entry.facts['by']}: {entry.facts['reason']}"


def _by_person(actions: Iterable[Action]) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        person = action.person
        found[f"{person['name'] or person['id']} ({person['id']})" if person else "Nobody's account"].append(action)
    return found


def _action(action: Action, outcome: Entry | None) -> Iterator[str]:
    sign, words = change_in_words(action.kind, action.target_name or action.target, action.before, action.after)
    yield f"  {sign} {action.n:>3}  {action.source}: {action.account['login'] or action.account['id']}: {words}"
    yield f"          why: {action.because}"
    if not action.reversible:
        yield "          undo: cannot be undone"
    elif action.kind == "create":
        yield "          undo: delete the account, to where it can be restored from"
    else:
        yield f"          undo: {change_in_words(action.kind, action.target_name or action.target, action.after, action.before)[1]}"
    if action.needs:
        yield f"          only after: {', '.join(map(str, action.needs))}"
    if outcome is not None:
        detail = f" ({outcome.facts['detail']})" if outcome.facts["detail"] else ""
        yield f"          then: {outcome.facts['outcome']} at {_at(datetime.fromisoformat(outcome.at))}, read back {_value(outcome.facts['read_back'])}{detail}"


def change_in_words(kind: str, target: str | None, before: Any, after: Any) -> tuple[str, str]:
    """A sign (+ - ~ !) and a change as a phrase."""
    if kind == "entitlement":
        return ("+", f"give {target}") if after else ("-", f"take away {target}")
    if kind == "create":
        told = ", ".join(f"{name} {_value(value)}" for name, value in (after or {}).items())
        return "+", f"create the account: {told}"
    if kind == "sessions":
        return "!", "end every session"
    if kind == "transfer":
        return "!", f"transfer the files to {target}"
    if kind == "delete":
        return ("-", "delete, to where it can be restored from") if after == "deleted" else ("+", "restore")
    what = {"attribute": target, "owner": f"owner of {target}"}.get(kind, kind)
    return "~", f"{what}: {_value(before)} -> {_value(after)}"


def _value(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _by_hand(manual: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if manual:
        yield f"By hand ({len(manual)}): the tool does not do these"
        for task in manual:
            where = " ".join(str(task[name]) for name in ("source", "login") if task.get(name))
            yield f"  *  {where}: {task['do']}"
            yield f"       why: {task['why']}"
        yield ""


def _withheld(withheld: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if withheld:
        yield f"Held back ({len(withheld)}): not in this plan"
        for each in withheld:
            login = each["account"]["login"] or each["account"]["id"]
            yield f"  x  {each['source']}: {login}: {each['remedy']}: {each['why']}"
        yield ""


def _limits(limits: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if limits:
        yield "Limits, in accounts"
        for row in limits:
            where = f" in {row['department']}" if row.get("department") else ""
            week = f", {row['done_7d']} in seven days (of {row['allowed_7d']})" if row.get("done_7d") else ""
            yield f"  {'!!' if row['stopped'] else 'OK'}  {row['source']} {row['kind']}{where}: {row['planned']} of {row['allowed']} allowed, {row['population']} there{week}"
        yield ""


def in_short(plan: Plan) -> Iterator[str]:
    """A plan in a few lines."""
    kinds = Counter(action.limit for action in plan.actions)
    people = {action.person["id"] for action in plan.actions if action.person}
    accounts = {(action.source, action.account["id"] or action.finding) for action in plan.actions}
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())) or "nothing to change"
    yield f"{_many(len(plan.actions), 'change')} on {_many(len(accounts), 'account')} of {len(people)} people: {told}"
    final = [action.n for action in plan.actions if not action.reversible]
    if final:
        yield f"Cannot be undone: {', '.join(map(str, final))}"
    if plan.manual or plan.withheld:
        yield f"{len(plan.manual)} by hand, {len(plan.withheld)} held back"


def applied_in_words(plan: Plan, results: Mapping[int, Result], counts: Mapping[str, int], head: str, stopped: str | None) -> str:
    """What became of a plan: all that needs a look by name, the rest as a number."""
    lines = [f"Plan {plan.plan}: " + ", ".join(f"{counts[name]} {name}" for name in _COUNTED)]
    for action in plan.actions:
        result = results[action.n]
        if not result.made:
            words = change_in_words(action.kind, action.target_name or action.target, action.before, action.after)[1]
            login = action.account["login"] or action.account["id"]
            lines.append(f"  {result.outcome:8} {action.n:>3}  {action.source}: {login}: {words}: {result.detail}")
    if stopped:
        lines.append(f"Stopped: {stopped}")
    lines += [f"journal head {head}"]
    return "\n".join(lines)


def evidence_in_words(told: Mapping[str, Any]) -> str:
    """A plan's evidence as a page of text."""
    lines = [f"Plan {told['plan']}{' undoes ' + told['undoes'] if told['undoes'] else ''}, sha256 {told['sha256']}"]
    lines.append(f"  made      {told['made']['at']} by {told['made']['by']}, from run {told['run']}")
    lines += [f"  approved  {each['at']} by {each['by']}: {each['reason']}" for each in told["approved"]]
    lines += [f"  applied   {each['at']} by {each['by']}" for each in told["applied"]]
    for each in told["actions"]:
        person = f"{each['person']['name'] or ''} ({each['person']['id']})".strip() if each["person"] else "nobody"
        words = change_in_words(each["change"], each["target"], each["before"], each["after"])[1]
        lines += [
            "",
            f"{each['n']:>4}  {person}, {each['account']['login'] or each['account']['id']} on {each['source']}: {words}",
        ]
        lines.append(f"      why: {each['because']}, first seen {each['first_seen'] or 'before what is stored'}")
        if each["hours_late"] is not None:
            lines.append(f"      access should have ended {each['access_should_end']}; {each['hours_late']:g} hours late")
        result = f"{each['outcome']} at {each['at']}, read back {_value(each['read_back'])}" if each["outcome"] else "not applied"
        lines.append(f"      then: {result}")
    return "\n".join([*lines, "", f"journal of {told['journal']['entries']} entries, whole; head {told['journal']['head']}"])


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _at(instant: datetime) -> str:
    at = instant.astimezone(UTC)
    return f"{at.day} {at:%b %Y %H:%M} UTC"
