"""The engine's findings against a naive reading of the same company: dictionaries and loops over text, no codes, no columns."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.engine import write_strings
from benchmarks.engine_night import ACCESS, POLICIES, encode
from benchmarks.estate_data import EVERYONE, NOW, SYSTEMS, Company, as_lists
from reconciler import plugins
from reconciler.accounts import Accounts
from reconciler.answers import Asked, Unread
from reconciler.correlate import correlate
from reconciler.estate import Estate
from reconciler.evaluate import evaluate
from reconciler.findings import Part
from reconciler.policy import policy_in
from reconciler.roster import roster
from reconciler.snapshots import Archive

PEOPLE = 2000
Subject = tuple[str | None, ...]
Row = dict[str, Any]


@dataclass
class Company2000:
    """The company as lists of rows, each account with its owner looked up."""

    people: list[Row]
    accounts: list[Row]
    entitlements: dict[tuple[str, str], Row]
    grants: list[Row]
    claims: set[tuple[str, str]] = field(default_factory=set)  # (source, person) whom a disputed account there names


@pytest.fixture(scope="module")
def company() -> Company2000:
    made = Company(PEOPLE, 1, seed=2)
    accounts = [{"source": s, **row} for s in SYSTEMS for row in made.accounts(s).to_pylist()]
    entitlements = {(s, row["entitlement_id"]): row for s in SYSTEMS for row in made.entitlements(s).to_pylist()}
    grants = [{"source": s, **row} for s in SYSTEMS for row in made.grants(s).to_pylist()]
    company = Company2000(made.people().to_pylist(), accounts, entitlements, grants)
    look_up_owners(company)
    return company


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    folder: Path = tmp_path_factory.mktemp("company")
    snapshots = encode(write_strings(folder / "strings", Company(PEOPLE, 1, seed=2)), Archive(folder / "objects"), {}, as_lists)
    accounts, people = Accounts(tuple(snapshots[s] for s in SYSTEMS)), roster([snapshots["hr"]], NOW, "Europe/London")
    estate = Estate(accounts, people, correlate(accounts, people), NOW, ACCESS)
    policies = [policy_in(plugins.load("policies", name)) for name in POLICIES]
    answers = evaluate([Asked(p, {}, p.severity) for p in policies], estate, Unread())
    return {name: answered.part for name, answered in answers.answered.items()}


def look_up_owners(company: Company2000) -> None:
    by_id, by_mail = defaultdict(list), defaultdict(list)
    for person in company.people:
        by_id[person["employee_id"].strip().lower()].append(person)
        by_mail[person["work_email"].strip().lower()].append(person)
    for account in company.accounts:
        account["owner"], account["outcome"] = None, "nobody"
        keys = [(by_id, account["employee_id"]), (by_mail, account["upn"]), (by_mail, account["email"])]
        for index, key in [*keys, *((by_mail, alias) for alias in account["aliases"])]:
            found = index.get((key or "").strip().lower(), [])
            if found:
                account["outcome"] = "owned" if len(found) == 1 else "disputed"
                account["owner"] = found[0] if len(found) == 1 else None
                company.claims |= {(account["source"], person["person_id"]) for person in found if len(found) > 1}
                break


# --- what each policy asks, in the plainest words -----------------------------------------------------------------


def over_at(person: Row) -> datetime | None:
    return None if person["last_day"] is None else midnight(person["last_day"] + timedelta(days=1), person["timezone"])


def midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def left(person: Row | None) -> bool:
    if person is None:
        return False
    end = over_at(person)
    return end <= NOW if end else person["status"] == "left"


def begun(person: Row) -> bool:
    return midnight(person["start_date"], person["timezone"]) <= NOW


def status(person: Row) -> str:
    if left(person):
        return "left"
    early = person["status"] == "left" or (person["status"] == "prehire" and begun(person))
    return "active" if early else str(person["status"])


def personal(account: Row) -> bool:
    return account["kind"] in ("person", "admin", "unknown")


def spelled(text: str | None) -> str | None:
    return " ".join(unicodedata.normalize("NFC", text).split()) or None if text else None


def differs(account: Row) -> bool:
    pairs = [(name, name) for name in ("given_name", "family_name", "display_name", "department", "job_title")]
    for ours, theirs in [*pairs, ("work_email", "email")]:
        told = [spelled(account["owner"][ours]), spelled(account[theirs])]
        if not ours.endswith("name"):
            told = [text and text.lower() for text in told]
        if all(told) and told[0] != told[1]:
            return True
    return False


def of_accounts(wrong: Callable[[Row], bool]) -> Callable[[Company2000], Iterator[Subject]]:
    return lambda company: ((a["source"], a["account_id"]) for a in company.accounts if wrong(a))


def live(account: Row) -> bool:
    return account["kind"] == "person" and account["enabled"] and account["owner"] is not None


def duplicates(company: Company2000) -> Iterator[Subject]:
    counts = Counter((a["owner"]["person_id"], a["source"]) for a in company.accounts if live(a))
    return (subject for subject, count in counts.items() if count > 1)


def mismatches(company: Company2000) -> Iterator[Subject]:
    states: dict[str, dict[str, bool]] = defaultdict(lambda: defaultdict(bool))
    for account in company.accounts:
        if account["kind"] == "person" and account["owner"] and status(account["owner"]) == "active":
            states[account["owner"]["person_id"]][account["source"]] |= account["enabled"]
    return ((person,) for person, on in states.items() if len(set(on.values())) == 2)


def missing_accounts(company: Company2000) -> Iterator[Subject]:
    held = {(a["source"], a["owner"]["person_id"]) for a in company.accounts if a["owner"]} | company.claims
    for person in company.people:
        for source in SYSTEMS:
            if status(person) == "active" and begun(person) and (source, person["person_id"]) not in held:
                yield person["person_id"], source


def missing_access(company: Company2000) -> Iterator[Subject]:
    everyone = {
        s: next(i for (source, i), e in company.entitlements.items() if source == s and e["name"] == EVERYONE) for s in SYSTEMS
    }
    held = {(g["source"], g["account_id"]) for g in company.grants if g["entitlement_id"] == everyone[g["source"]]}
    for a in company.accounts:
        due = personal(a) and a["enabled"] and a["owner"] and status(a["owner"]) == "active" and begun(a["owner"])
        if due and (a["source"], a["account_id"]) not in held:
            yield a["source"], a["account_id"], everyone[a["source"]]


def kept(company: Company2000, kinds: tuple[str, ...], via: tuple[str, ...]) -> Iterator[Subject]:
    gone = {(a["source"], a["account_id"]) for a in company.accounts if personal(a) and left(a["owner"])}
    for grant in company.grants:
        held = company.entitlements[grant["source"], grant["entitlement_id"]]
        if (grant["source"], grant["account_id"]) in gone and held["kind"] in kinds and grant["via"] in via:
            yield grant["source"], grant["account_id"], grant["entitlement_id"]


NAIVE: dict[str, Callable[[Company2000], Iterator[Subject]]] = {
    "leaver-account-enabled": of_accounts(lambda a: personal(a) and left(a["owner"]) and a["enabled"]),
    "leaver-account-used": of_accounts(lambda a: personal(a) and left(a["owner"]) and a["last_login_at"] > over_at(a["owner"])),
    "leaver-access-kept": lambda company: kept(company, ("group", "role"), ("direct",)),
    "leaver-licence-kept": lambda company: kept(company, ("licence",), ("direct", "nested")),
    "joiner-account-missing": missing_accounts,
    "joiner-access-missing": missing_access,
    "joiner-account-early": of_accounts(
        lambda a: personal(a) and a["enabled"] and bool(a["owner"])
        and midnight(a["owner"]["start_date"], a["owner"]["timezone"]) > NOW + timedelta(days=14)
    ),
    "attribute-drift": of_accounts(lambda a: live(a) and not left(a["owner"]) and begun(a["owner"]) and differs(a)),
    "orphan-account": of_accounts(lambda a: personal(a) and a["outcome"] == "nobody"),
    "duplicate-account": duplicates,
    "disputed-account": of_accounts(lambda a: a["outcome"] == "disputed"),
    "dormant-account": of_accounts(lambda a: personal(a) and a["enabled"] and a["last_login_at"] + timedelta(days=90) <= NOW),
    "state-mismatch": mismatches,
}  # fmt: skip
SUBJECT = {
    "duplicate-account": ("person_id", "source"),
    "joiner-account-missing": ("person_id", "source"),
    "state-mismatch": ("person_id",),
    **dict.fromkeys(
        ("leaver-access-kept", "leaver-licence-kept", "joiner-access-missing"), ("source", "account_id", "entitlement_id")
    ),
}


@pytest.mark.parametrize("policy", list(NAIVE))
def test_finds_what_a_naive_reading_finds(policy: str, company: Company2000, ours: dict[str, Part]) -> None:
    columns = (ours[policy].table[name].to_pylist() for name in SUBJECT.get(policy, ("source", "account_id")))
    found = Counter(zip(*columns, strict=True))
    expected = Counter(NAIVE[policy](company))
    assert found == expected
    assert expected, "the generated company shows nothing of this policy"


def test_every_benchmarked_policy_is_read_naively() -> None:
    assert {name.replace("_", "-") for name in POLICIES} == set(NAIVE)
