"""Small estates built from the few facts that a case names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from reconciler import plugins, tables
from reconciler.accounts import Accounts
from reconciler.answers import Answered, Asked, Unread
from reconciler.clock import duration
from reconciler.connector import Page
from reconciler.correlate import correlate
from reconciler.estate import Access, Estate, Move
from reconciler.evaluate import evaluate
from reconciler.policy import Policy, policy_in
from reconciler.roster import roster
from reconciler.snapshots import Archive, Snapshot

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")

AS_OF = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
PERSON = {"person_id": "1", "employee_id": "1", "given_name": "Jo", "family_name": "Doe", "status": "active", "start_date": date(2020, 1, 6),
          "worker_type": "employee", "department": "Finance", "timezone": "Europe/London"}  # fmt: skip
ACCOUNT = {"account_id": "a-1", "login": "jdoe", "employee_id": "1", "kind": "person", "enabled": True}
DEFECT = {"employee_id": "1", "line": 2, "column": "Status", "found": "?", "allowed": "Active", "problem": "unknown status",
          "rejected": False, "name": None, "source": "hr", "work_email": None}  # fmt: skip

Facts = Mapping[str, Any]
Build = Callable[[Facts], Estate]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Facts of a case -> the estate they describe."""
    numbers = itertools.count()

    def estate(case: Facts) -> Estate:
        archive = Archive(tmp_path / f"objects-{next(numbers)}")
        now = _instant(case.get("as_of", AS_OF))
        sources = _accounts(case)
        people = [PERSON | p for p in [case.get("person", {}), *case.get("more_people", [])] if case.get("person") is not False]
        hr = _freeze(archive, "hr", {"people": people}, case.get("defects", []))
        accounts = Accounts(tuple(_freeze(archive, source, _tables(source, listed, case)) for source, listed in sources.items()))
        zone = case.get("zone", "UTC")
        found = None if case.get("roster") == "unread" else roster([hr], now, zone)
        matches = correlate(accounts, found, exempt=case.get("exempt", ()), blind=case.get("blind", False))
        moves = tuple(Move(m.get("person", "1"), m["was"], _instant(m["until"])) for m in case.get("moves", []))
        unread = {source: frozenset(areas) for source, areas in case.get("unreadable", {}).items()}
        return Estate(
            accounts,
            found,
            matches,
            now,
            tuple(_rules(case)),
            moves,
            unread,
            _instant(case["rosters_of"]) if "rosters_of" in case else None,
        )

    return estate


@pytest.fixture
def ask(build: Build) -> Callable[[str, Facts], Answered | None]:
    """Put one policy to the estate of a case; None when it could not be asked."""

    def answer(name: str, case: Facts) -> Answered | None:
        question = the_policy(name)
        settings = {key: question.check(key, value) for key, value in case.get("settings", {}).items()}
        areas = {source: dict.fromkeys(listed, "refused") for source, listed in case.get("unreadable", {}).items()}
        rosters = {"hr": "cut off"} if case.get("roster") == "unread" else {}
        late = {source: {area: duration(text) for area, text in told.items()} for source, told in case.get("late", {}).items()}
        unread = Unread(rosters, dict.fromkeys(case.get("unread", ()), "cut off"), areas, late)
        return evaluate([Asked(question, settings, question.severity)], build(case), unread).answered.get(question.id)

    return answer


def the_policy(name: str) -> Policy:
    return policy_in(plugins.load("policies", name))


def _accounts(case: Facts) -> dict[str, list[Facts]]:
    first = case.get("account", {})
    listed: dict[str, list[Facts]] = {} if first is False else {first.get("source", "ad"): [ACCOUNT | first]}
    for number, account in enumerate(case.get("more_accounts", []), 2):
        own = {"account_id": f"a-{number}", "login": f"login{number}"}
        listed.setdefault(account.get("source", "ad"), []).append(ACCOUNT | own | account)
    for source in case.get("empty_sources", []):
        listed.setdefault(source, [])
    return listed


def _tables(source: str, accounts: list[Facts], case: Facts) -> dict[str, list[Facts]]:
    held = [h for h in case.get("holds", []) if h.get("source", "ad") == source]
    named = {h["name"]: {"entitlement_id": f"e-{h['name']}", "name": h["name"], "kind": h.get("kind", "group")} for h in held}
    named |= {n: {"entitlement_id": f"e-{n}", "name": n, "kind": "group"} for n in case.get("groups", []) if n not in named}
    grants = [
        {"account_id": h.get("account", "a-1"), "entitlement_id": f"e-{h['name']}", "via": h.get("via", "direct")}
        for h in held
        if h.get("held", True)
    ]
    return {"accounts": accounts, "entitlements": list(named.values()), "grants": grants}


def _rules(case: Facts) -> list[Access]:
    rules = case.get("access", [])
    return [
        Access(f"rule {n}", {k: tuple(v) for k, v in rule.get("when", {}).items()}, tuple(rule.get("accounts", ())),
               tuple(tuple(e.split(":", 1)) for e in rule.get("entitlements", ())))
        for n, rule in enumerate(rules)
    ]  # fmt: skip


def _freeze(archive: Archive, source: str, content: Mapping[str, list[Facts]], defects: list[Facts] = ()) -> Snapshot:  # type: ignore[assignment]
    draft = archive.draft(None)
    for table, rows in content.items():
        names = [name for name in tables.TABLES[table].names if any(name in row for row in rows)]
        if rows:
            draft.add(Page(table, {name: [_told(row.get(name)) for row in rows] for name in names}))
    return archive.freeze(draft, {"source": source, "defects": [DEFECT | d for d in defects]})


def _told(value: Any) -> Any:
    """TOML has no null: an empty text stands for "the source does not tell"."""
    return None if value == "" else value


def _instant(value: Any) -> datetime:
    made = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return made if made.tzinfo else made.replace(tzinfo=UTC)
