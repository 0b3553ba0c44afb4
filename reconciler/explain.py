"""Why we say what we say about somebody, and what changed between two nights; offline, from what nights have stored."""

from __future__ import annotations

from typing import Any

from reconciler.changes import changed_records
from reconciler.config import Config
from reconciler.drift import record_changes
from reconciler.errors import UsageError
from reconciler.estate import AccountColumns, Estate
from reconciler.evaluate import evaluate
from reconciler.findings import Findings
from reconciler.matches import describe
from reconciler.model import Finding, Match, instant_text
from reconciler.nights import load
from reconciler.roster import Roster
from reconciler.run import archive_of, journal_of, night_of, questions, tonight, unread
from reconciler.settling import unanswered
from reconciler.store import Store
from reconciler.stored import answers_of, named
from reconciler.why import Concerned, reasons


def explanation(config: Config, store: Store, who: str) -> dict[str, Any]:
    """Records, accounts, matches, answers, findings and history of a person or an account of the last run.

    Raises UsageError when nobody and nothing is called so.
    """
    night = night_of(config, store, None)
    pulled = answers_of(config, store)
    estate = tonight(config, store, pulled, [], night.record.as_of)
    people, rows = named(estate, who)
    quarantined = _quarantined(estate, who)
    if not people and not len(rows) and not quarantined:
        raise UsageError(f"the last run knows nobody and no account called {who!r}; give a person's id, an e-mail or a login")
    ids = {estate.roster.person_ids[p].as_py() for p in people} if estate.roster else set()
    ids |= {str(defect["employee_id"]) for defect in quarantined if defect["employee_id"]}
    matches = describe(estate.matches, rows.tolist())
    accounts = {(m.account.source, m.account.id) for m in matches}
    concerned = [f for f in night.findings if _concerns(f, ids, accounts)]
    asked = questions(config)
    answers = unanswered(evaluate(asked, estate, unread(config, pulled)), asked, journal_of(config))
    return {
        "schema_version": 1,
        "run": night.record.run,
        "as_of": instant_text(night.record.as_of),
        "people": [_person(estate.roster, p) for p in people] if estate.roster else [],
        "quarantined": quarantined,
        "accounts": [
            {**m.to_json(), "rejected": _rejected(m), **_facts(estate, int(row))} for m, row in zip(matches, rows, strict=True)
        ],
        "answers": list(reasons(asked, answers, estate, Concerned(frozenset(ids), frozenset(accounts)))),
        "findings": [f.to_json() for f in concerned],
        "waivers": [{"finding": f.id, **f.waiver} for f in concerned if f.waiver],
        "history": {
            f.id: [{"run": e.run, "as_of": instant_text(e.as_of), "state": e.state} for e in store.events_of(f.id)]
            for f in concerned
        },
    }


def _quarantined(estate: Estate, who: str) -> list[dict[str, Any]]:
    """Rows of the roster that cannot be used and are of somebody called so."""
    wanted, defects = who.strip().casefold(), estate.roster.defects if estate.roster else ()
    called = ("employee_id", "work_email", "name")
    return [dict(d) for d in defects if wanted in {str(d.get(name) or "").casefold() for name in called}]


def _rejected(match: Match) -> list[dict[str, Any]]:
    """Who else a key of the account names, and why it is not theirs."""
    owner = match.person.id if match.person else None
    why = {
        "owned": f"{match.by} goes before, and it names {owner}",
        "disputed": f"{match.by} names several people: nobody owns the account until somebody decides",
    }.get(match.outcome, f"the account is {match.outcome}")
    return [{"person": c["person"], "why": why} for c in match.candidates if c["person"] != owner]


def _concerns(finding: Finding, people: set[str], accounts: set[tuple[str, str | None]]) -> bool:
    mine = finding.account is not None and (finding.account.source, finding.account.id) in accounts
    return mine or (finding.person is not None and finding.person.id in people)


_TOLD = (
    "person_id",
    "name",
    "status",
    "hr_status",
    "start_date",
    "last_day",
    "access_ends",
    "department",
    "job_title",
    "manager_id",
    "work_email",
)


def _person(roster: Roster, row: int) -> dict[str, Any]:
    return {name: _plain(roster.column(name)[row].as_py()) for name in _TOLD}


def _facts(estate: Estate, row: int) -> dict[str, Any]:
    names = ("enabled", "state_reason", "kind", "last_login_at", "created_at", "mastered_by", "container")
    columns = AccountColumns(estate)
    return {"facts": {name: _plain(columns.column(name)[row].as_py()) for name in names}}


def _plain(value: Any) -> Any:
    return (
        value
        if value is None or isinstance(value, (str, bool, int))
        else instant_text(value)
        if hasattr(value, "hour")
        else value.isoformat()
    )


def difference(config: Config, store: Store, run_a: str | None, run_b: str | None) -> dict[str, Any]:
    """What the later of two runs has that the earlier had not, and the other way round."""
    runs = store.runs_told()
    later = night_of(config, store, run_b, complete=run_b is None)
    before = [run.run for run in runs if run.run != later.record.run and run.started < later.record.started]
    if run_a is None and not before:
        raise UsageError("there is one run only; nothing to compare it with yet")
    earlier = night_of(config, store, run_a or before[-1])
    old, new = ({f.id: f for f in night.findings if f.state not in ("resolved",)} for night in (earlier, later))
    known = _ever(earlier)
    return {
        "schema_version": 1, "from": earlier.record.run, "to": later.record.run,
        "new": [f for i, f in new.items() if i not in old and f.state != "reopened" and i not in known],
        "reopened": [f for i, f in new.items() if i not in old and (f.state == "reopened" or i in known)],
        "resolved": [f for i, f in old.items() if i not in new],
        "changed": [f for i, f in new.items() if i in old and (f.severity, f.state == "waived") != (old[i].severity, old[i].state == "waived")],
        **_records(config, store, earlier.record.run, later.record.run),
    }  # fmt: skip


def _records(config: Config, store: Store, earlier: str, later: str) -> dict[str, Any]:
    """What became of the sources' own records between two runs: counts per source, and every one that changed."""
    archive = archive_of(config)
    old, new = (load(archive, found[1]).snapshots for run in (earlier, later) if (found := store.night_of(run)))
    pairs = {name: (archive.open(sha), archive.open(old[name])) for name, sha in new.items() if name in old and old[name] != sha}
    accounts = {name: pair for name, pair in pairs.items() if pair[0].rows("accounts") or pair[1].rows("accounts")}
    counts = record_changes(
        {name: pair[0] for name, pair in accounts.items()}, {name: pair[1] for name, pair in accounts.items()}
    )
    return {"records": counts, "changed_records": [record for pair in pairs.values() for record in changed_records(*pair)]}


def _ever(night: Any) -> set[str]:
    assert isinstance(night.findings, Findings)  # noqa: S101 - stored nights hold findings as columns
    return {finding.id for finding in night.findings}
