"""Explanations, single findings and differences as people read them; nothing a directory says runs in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.model import Finding, PolicyPage
from reconciler.printing import MARKS, visible

CHANGES = ("new", "reopened", "resolved", "changed")
_ORDER = ("yes", "undecided", "not assessed", "no")


def in_words(told: Mapping[str, Any]) -> str:
    """An explanation: who it is, whose the accounts are and why, what every policy says, and what was found."""
    lines = [f"As of {told['as_of']} (run {told['run']})"]
    for person in told["people"]:
        lines.append(f"\n{person['name']} ({person['person_id']}): {_facts(person, ('person_id', 'name'))}")
    lines += [
        f"\nQuarantined on {d['source']}, line {d['line']}: {d['problem']}; allowed: {d['allowed']}" for d in told["quarantined"]
    ]
    for account in told["accounts"]:
        lines += ["", *_account(account)]
    lines += ["", "What each policy says:"]
    for answer in sorted(told["answers"], key=lambda answer: _ORDER.index(answer["answer"])):
        lines += _answer(answer)
    for finding in told["findings"]:
        lines.append(
            f"\n{finding['severity']} {finding['state']}: {finding['summary']} ({finding['id']}, since {finding['first_seen']})"
        )
        lines += [
            f"    {event['state']:10} {event['as_of']}  run {event['run']}" for event in told["history"].get(finding["id"], ())
        ]
        if finding["waiver"]:
            lines.append(f"    waived until {finding['waiver']['until']}: {finding['waiver']['reason']}")
    return _shown(lines)


def _account(account: Mapping[str, Any]) -> Iterator[str]:
    whose = f"{account['person']['name']}'s" if account["person"] else account["outcome"]
    by = f", by {account['by']}" if account["by"] else ""
    yield f"{account['account']['login']} on {account['account']['source']}: {whose}{by}"
    yield from (f"    {e['field']:12} {e['value'] or '-'}: {e['level']}" for e in account["evidence"])
    yield from (f"    not {other['person']}'s: {other['why']}" for other in account["rejected"])
    yield "    " + _facts(account["facts"])


def _answer(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {answer['answer']:12} {answer['policy']} {'; '.join(answer['reasons'])}".rstrip()
    for row in answer["facts"] if answer["answer"] in ("yes", "undecided") else ():
        if row["answer"] not in ("yes", "undecided"):
            continue
        about = row["about"]
        what = " ".join(str(about[name]) for name in ("login", "entitlement_name") if about.get(name))
        where = f" on {about['source']}" if about.get("source") else ""
        yield f"               {(what + where).strip()}: {_facts(row['facts'])}"
        if row.get("unknown"):
            yield f"               not known: {', '.join(row['unknown'])}"
        if row.get("cleared_by"):
            yield f"               it clears when {'; or when '.join(row['cleared_by'])}"


def finding_in_words(finding: Finding, page: PolicyPage | None, history: Iterable[Mapping[str, Any]]) -> str:
    """One finding, whole: what, why, how to fix it, and what became of it."""
    told = finding.to_json()
    lines = [
        f"{MARKS[finding.severity]} {finding.severity} {finding.state}: {finding.summary}",
        f"id          {finding.id}",
        f"policy      {finding.policy}",
    ]
    for name in ("person", "account", "entitlement", "evidence", "waiver"):
        if told[name]:
            lines.append(f"{name:11} {_facts(told[name])}")
    lines += [f"{name.replace('_', ' '):11} {told[name]}" for name in ("first_seen", "last_seen", "due") if told[name]]
    if page:
        lines += [f"why         {page.why}", f"fix         {page.fix}", f"wrong when  {page.wrong_when}"]
    lines += [f"history     {event['state']} {event['as_of']} (run {event['run']})" for event in history]
    return _shown(lines)


def changes_in_words(told: Mapping[str, Any]) -> list[str]:
    """A difference: findings, counts of records, and the records that changed."""
    lines = [f"from run {told['from']} to run {told['to']}"]
    for word in CHANGES:
        lines += [f"{word:9} {MARKS[f.severity]} {f.severity:8} {visible(f.summary)}" for f in told[word]]
    for name, counts in told["records"].items():
        lines.append(f"records   {name}: " + ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items()))
    for record in told["changed_records"]:
        columns = "; ".join(f"{name}: {_word(c['before'])} -> {_word(c['after'])}" for name, c in record["columns"].items())
        lines.append(
            visible(
                f"{record['change']:9} {record['source']} {record['table']}: {record['name'] or record['id']} {columns}".rstrip()
            )
        )
    return lines if len(lines) > 1 else [*lines, "nothing changed"]


def _facts(facts: Mapping[str, Any], without: Sequence[str] = ()) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_word(value)}" for name, value in facts.items() if value is not None and name not in without
    )


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    return (
        str(value).lower()
        if isinstance(value, bool)
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )


def _shown(lines: Iterable[str]) -> str:
    return "\n".join(visible(part) for line in lines for part in line.split("\n"))
