"""Every remedy file, present and future: it says what it does, proposes once, is content with the result, and proposes again when it is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler import plugins
from reconciler.action import ByHand, Settings, Step
from reconciler.model import AccountRef, EntitlementRef, Finding, PersonRef
from reconciler.remedies import remedy_called
from reconciler.writer import CLASSES, IRREVERSIBLE, KINDS, class_of

ACTIONS = list(plugins.names("actions"))
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
GROUP = {"entitlement_id": "g-1", "name": "Finance-RW", "kind": "group", "owner_account_id": "a-1", "writable": True}
LICENCE = {**GROUP, "entitlement_id": "l-1", "name": "SPE_E5", "kind": "licence"}
JO = {"person_id": "000003", "name": "Jo Doe", "employee_id": "000003", "given_name": "Jo", "family_name": "Doe", "display_name": None,
      "department": "Legal", "job_title": None, "work_email": "jo@example.com", "manager_id": "000001", "access_ends": NOW - timedelta(days=90)}  # fmt: skip


def account(name: str, **facts: Any) -> dict[str, Any]:
    return {"source": "ad", "account_id": f"a-{name}", "login": name, "email": f"{name}@example.com", "enabled": True, "state_reason": None,
            "container": "OU=Staff", "department": "Sales", "manager_account_id": None, "mastered_by": None, **facts}  # fmt: skip


@dataclass
class Company:
    """One account, what it holds and owns, and a manager with an account; changes are made to these rows."""

    account: dict[str, Any] | None = field(default_factory=lambda: account("1"))
    entitlement: dict[str, Any] | None = None
    via: tuple[str, ...] = ()
    owns: list[dict[str, Any]] = field(default_factory=lambda: [dict(GROUP)])
    manager: dict[str, Any] | None = field(default_factory=lambda: account("2"))
    person: Mapping[str, Any] = field(default_factory=lambda: JO)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    settings: Settings = field(default_factory=lambda: Settings({"ad": "OU=Leavers"}, {"ad": "OU=New"}, timedelta(days=30)))
    now: datetime = NOW

    @property
    def finding(self) -> Finding:
        about = AccountRef("ad", self.account["account_id"], self.account["login"], None) if self.account else None
        held = EntitlementRef("ad", self.entitlement["entitlement_id"], None, "group") if self.entitlement else None
        person = PersonRef(str(self.person["person_id"]), "Jo Doe", "left")
        return Finding("f-1", "p", "high", "open", person, about, held, "ad", "because", self.evidence, NOW, NOW)

    def account_of(self, person_id: str | None, source: str) -> dict[str, Any] | None:
        return self.manager if person_id == "000001" else None

    def owned(self) -> list[dict[str, Any]]:
        return [row for row in self.owns if self.account and row["owner_account_id"] == self.account["account_id"]]

    def change(self, step: Step, value: Any) -> None:
        """Make or take back a step on the rows."""
        row = self.account or {}
        if step.kind == "entitlement":
            self.via = ("direct",) if value else ()
        elif step.kind == "owner":
            next(r for r in self.owns if r["entitlement_id"] == step.target)["owner_account_id"] = value
        elif step.kind == "delete":
            row |= {"state_reason": "deleted" if value == "deleted" else None, "enabled": False}
            self.account = None if value == "deleted" else row
        else:
            row[step.target or step.kind] = value


DRIFT = {"drift": {"department": {"hr": "Legal", "account": "Sales"}, "manager": {"hr": "000001", "account": None}}}
# The finding each remedy is for, and the classes of the changes it proposes; none: a task for a person.
# A remedy without a case here is put to a leaver's live account.
CASES: dict[str, tuple[Callable[[], Company], set[str]]] = {
    "add_missing_access": (lambda: Company(entitlement=GROUP), {"entitlement-add"}),
    "create_joiner_account": (lambda: Company(account=None), {"create"}),
    "delete_after_grace": (lambda: Company(account("1", enabled=False)), {"delete"}),
    "disable_account": (Company, {"disable"}),
    "enable_rehire": (lambda: Company(account("1", enabled=False)), {"enable"}),
    "forward_mail": (Company, set()),
    "hand_over_ownership": (Company, {"owner"}),
    "move_to_quarantine": (Company, {"container"}),
    "remove_entitlement": (lambda: Company(entitlement=GROUP, via=("direct",)), {"entitlement-remove"}),
    "remove_licence": (lambda: Company(entitlement=LICENCE, via=("direct",)), {"licence-remove"}),
    "revoke_sessions": (Company, {"sessions"}),
    "rotate_shared_password": (Company, set()),
    "set_attribute": (lambda: Company(evidence=DRIFT), {"attribute"}),
    "transfer_files": (Company, {"transfer"}),
    "wipe_device": (Company, set()),
}


def case_of(name: str) -> tuple[Callable[[], Company], set[str] | None]:
    return CASES.get(name, (Company, None))


@pytest.fixture(params=ACTIONS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def proposed(name: str, company: Company) -> tuple[list[Step], list[ByHand]]:
    answers = list(remedy_called(name).propose(company))
    return [a for a in answers if isinstance(a, Step)], [a for a in answers if isinstance(a, ByHand)]


def test_it_says_what_it_does(name: str) -> None:
    module = remedy_called(name)
    assert (module.__doc__ or "").split("\n")[0].endswith(".")
    assert (module.propose.__doc__ or "").strip().endswith(".")


def test_it_proposes_changes_of_a_known_class_or_a_task(name: str) -> None:
    make, classes = case_of(name)
    steps, tasks = proposed(name, make())
    told = {class_of(s.kind, s.after, s.entitlement["kind"] if s.entitlement else None) for s in steps}
    assert told <= set(CLASSES) and classes in (None, told)
    assert all(step.kind in KINDS and step.because for step in steps)
    assert told or [task for task in tasks if task.why and task.do]


def test_it_converges_and_comes_back_when_it_is_undone(name: str) -> None:
    """Made: nothing is left to propose. Taken back: the same is proposed again. (A created account ends its finding.)"""
    make, classes = case_of(name)
    company = make()
    steps, _ = proposed(name, company)
    lasting = [step for step in steps if step.kind not in (*IRREVERSIBLE, "create")]
    kept = company.account
    for step in lasting:
        company.change(step, step.after)
    assert [s for s in proposed(name, company)[0] if s.kind not in IRREVERSIBLE] == [] or "create" in (classes or ())
    company.account = kept
    for step in reversed(lasting):
        company.change(step, step.before)
    again = proposed(name, company)[0]
    assert [replace(s, account={}) for s in again] == [replace(s, account={}) for s in steps]


@pytest.mark.parametrize("missing", ["account", "manager", "entitlement"])
def test_it_asks_a_person_or_nothing_where_something_is_not_known(name: str, missing: str) -> None:
    company = case_of(name)[0]()
    setattr(company, missing, None)
    assert all(isinstance(answer, Step | ByHand) for answer in remedy_called(name).propose(company))
