"""Whom no plan may touch, and how a plan goes to the system that masters an account."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from reconciler.config_sections import Remediation
from reconciler.gates import out_of_hours
from reconciler.guards import Guards, last_administrators, nobody
from reconciler.sealed import Action
from reconciler.store_decisions import Hold, Said
from tests.plans.memory import NOW, action

SAID = Said("bo", NOW, "a mistake")
GUARDS = Guards(
    {"p-held": Hold("p-held", NOW, SAID)}, frozenset({"ad:s-1-5-21-9-1105", "ad:a-protected", "ad:breakglass"}),
    {"ad": frozenset({"reader@example.com", "svc-writer"})}, frozenset({"ada"}),
)  # fmt: skip


def row(**facts: Any) -> dict[str, Any]:
    return {"account_id": "a-1", "login": "jo", "upn": None, "email": None, "sid": None, "kind": "person", **facts}


ACCOUNTS = [
    ("anybody", row(), "p-1", None), ("on hold", row(), "p-held", "on hold until"), ("protected by SID", row(sid="S-1-5-21-9-1105"), "p-1", "protected"),
    ("protected by id", row(account_id="a-protected"), "p-1", "protected"), ("protected by login, in capitals", row(login="BreakGlass"), "p-1", "protected"),
    ("Administrator, whatever it is called", row(sid="S-1-5-21-1-2-3-500"), "p-1", "built in"), ("krbtgt", row(sid="S-1-5-21-1-2-3-502"), "p-1", "built in"),
    ("built in by its kind", row(kind="builtin"), "p-1", "built in"), ("another with 500 in it", row(sid="S-1-5-21-1-2-3-1500"), "p-1", None),
    ("the reader", row(upn="reader@example.com"), "p-1", "the tool's own"), ("the writer", row(login="SVC-WRITER"), "p-1", "the tool's own"),
    ("a twin of a replication conflict", row(by_hand="1 account renamed"), "p-1", "only a person may change it: 1 account renamed"),
    ("an approver", row(login="ada"), "p-1", "makes or approves"), ("an approver by address", row(email="Ada@example.com"), "p-1", "makes or approves"),
]  # fmt: skip


@pytest.mark.parametrize(("account", "person", "words"), [a[1:] for a in ACCOUNTS], ids=[a[0] for a in ACCOUNTS])
def test_each_is_kept_out_for_its_reason(account: dict[str, Any], person: str, words: str | None) -> None:
    wanted = replace(action(1, account=account["account_id"]), person={"id": person, "name": None})
    objection = GUARDS.objection(replace(wanted, account={"id": account["account_id"], "login": account["login"]}), account)
    assert (objection is None) if words is None else (words in (objection or ""))


GROUP = {"entitlement_id": "g-2", "name": "Board", "privileged": False}


@pytest.mark.parametrize(
    ("wanted", "row", "words"),
    [
        ({"kind": "entitlement", "target": "g-1"}, None, "g-1 is protected"), ({"kind": "entitlement", "target": "g-2", "after": True}, GROUP, "g-2 is protected"),
        ({"kind": "entitlement", "target": "g-2", "target_name": "Board"}, None, "Board is protected"), ({"kind": "owner", "target": "G-1"}, None, "G-1 is protected"),
        ({"kind": "entitlement", "target": "g-3", "target_name": "Boards"}, None, None), ({"kind": "attribute", "target": "board"}, None, None),
        ({"kind": "entitlement", "target": "g-1", "source": "m365"}, None, None),
    ],
    ids=["by id", "by the name it has tonight", "by the name it had", "its owner", "another group", "an attribute of that name", "in another system"],
)  # fmt: skip
def test_nobody_is_put_into_a_protected_group_or_taken_out(wanted: dict[str, Any], row: Any, words: str | None) -> None:
    guards = Guards({}, frozenset({"ad:g-1", "ad:board"}), {}, frozenset())
    objection = guards.objection(replace(action(1), **wanted), None, row)
    assert objection is None if words is None else (objection or "").startswith(words)


ROLE = {"entitlement_id": "r-1", "name": "Domain Admins", "privileged": True}


def lookup(live: set[str]) -> Any:
    return SimpleNamespace(
        entitlement=lambda source, id_: ROLE if id_ == "r-1" else {"privileged": False},
        holdings=lambda source, id_: [(ROLE, "direct")] if id_ in ("a-1", "a-2") else [],
        live_holders=lambda source, id_: live,
    )  # fmt: skip


def taken(n: int) -> Action:
    return action(n, "entitlement", True, False, target="r-1", account=f"a-{n}")


ADMINS = [
    ("one of two", [action(1)], {"a-1", "a-2"}, set()), ("the last one", [action(1)], {"a-1"}, {0}),
    ("both, one disabled and one taken out", [action(1), taken(2)], {"a-1", "a-2"}, {0, 1}), ("the role of the last one", [taken(1)], {"a-1"}, {0}),
    ("somebody without a role", [action(3)], {"a-1"}, set()), ("one who is off already", [action(1)], set(), set()),
]  # fmt: skip


@pytest.mark.parametrize(("actions", "live", "kept"), [a[1:] for a in ADMINS], ids=[a[0] for a in ADMINS])
def test_the_last_administrator_is_never_in_a_plan(actions: list[Action], live: set[str], kept: set[int]) -> None:
    assert set(last_administrators(actions, lookup(live))) == kept


EVERYBODY = {
    "source": ["ad", "ad", "m365"], "account_id": ["a-1", "a-2", "g-1"], "sid": ["S-1-5-21-9-1105", None, None],
    "login": ["breakglass2", "jo", "Emergency@example.com"], "upn": [None, None, "Emergency@example.com"], "email": [None, None, None],
}  # fmt: skip


@pytest.mark.parametrize(
    ("protected", "missing"),
    [
        (["ad:S-1-5-21-9-1105", "ad:A-2", "m365:emergency@example.com"], []),
        (["ad:breakglass", "ad:jo"], ["ad:breakglass"]),
        (["m365:jo"], ["m365:jo"]),
        (["ad:G-2", "ad:board"], []),
        (["ad:Boards", "m365:board"], ["ad:Boards", "m365:board"]),
        ([], []),
    ],
    ids=["by SID, id and login", "one was renamed", "of another system", "a group", "groups that are not there", "none"],
)
def test_a_protected_account_or_group_that_is_not_there_is_told(protected: list[str], missing: list[str]) -> None:
    accounts: Any = SimpleNamespace(column=lambda name: pa.array(EVERYBODY[name]))
    assert nobody(protected, accounts, lambda source: [GROUP] if source == "ad" else []) == missing


HOURS = [
    ("02:05", "09:00-17:00", False), ("08:59", "09:00-17:00", False), ("09:00", "09:00-17:00", True), ("17:00", "09:00-17:00", False),
    ("23:00", "22:00-05:00", True), ("04:59", "22:00-05:00", True), ("05:00", "22:00-05:00", False),
]  # fmt: skip


@pytest.mark.parametrize(("now", "hours", "may"), HOURS, ids=[f"{now} of {hours}" for now, hours, _ in HOURS])
def test_each_class_of_change_has_its_hours_by_the_organisations_clock(now: str, hours: str, may: bool) -> None:
    told = Remediation.model_validate({"hours": {"disable": hours, "enable": "12:00-12:01"}})
    config: Any = SimpleNamespace(remediation=told, organisation=SimpleNamespace(timezone="Europe/Paris"))
    utc = datetime.fromisoformat(f"2026-11-22T{now}:00+01:00").astimezone(UTC)
    assert (out_of_hours(action(1), config, utc) is None) == may
    assert out_of_hours(action(1, "container"), config, utc) is None


@pytest.mark.parametrize("hours", ["9-17", "09:00-09:00", "09:00-25:00", "09:00", 9])
def test_hours_that_are_none_are_told(hours: object) -> None:
    with pytest.raises(ValueError, match="two times of day"):
        Remediation.model_validate({"hours": {"disable": hours}})
