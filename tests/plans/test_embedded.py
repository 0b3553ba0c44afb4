"""Plans on the embedded company, over real wires: applied, gone from the next night, undone, back in the one after; answers lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from reconciler.applying import Applied, Order, apply_file
from reconciler.approvals import approve
from reconciler.attempt import Stop
from reconciler.filters import Filter
from reconciler.journal import Journal
from reconciler.model import Finding
from reconciler.planning import planned, undone
from reconciler.remedies import MASTERED
from reconciler.run import Wish, nightly
from reconciler.sandbox.company import Company
from reconciler.sandbox.embedded import Embedded
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.tenant import anchor
from reconciler.sealed import Plan
from reconciler.store import opened
from reconciler.store_decisions import Said
from reconciler.who import Identity
from tests.night.conftest import House

FIRST = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
ADA = Identity("ada", "uid:4001")
# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class Remediated(House):
    """The house of an administrator who plans, approves and applies."""

    hours: int = 0

    @property
    def now(self) -> datetime:
        return self.world.now + timedelta(hours=self.hours)

    def tonight(self) -> dict[str, Finding]:
        """The next night, some hours later, on what the systems hold by then."""
        self.hours += 4
        with opened(self.config.state.url(self.config.base)) as store:
            night = nightly(self.config, store, Wish(self.now, wait=lambda seconds: None))
        return {f.id: f for f in night.findings if f.state in ("new", "open", "reopened")}

    def plan(self, wanted: Filter | None = None, name: str = "plan.json") -> Plan:
        with opened(self.config.state.url(self.config.base)) as store:
            return planned(self.config, store, wanted or Filter(), ADA, self.now, self.folder / name)

    def undo(self, plan: Plan, name: str = "undo.json") -> Plan:
        with opened(self.config.state.url(self.config.base)) as store:
            return undone(self.config, store, plan.plan, ADA, self.now, self.folder / name)

    def apply(self, plan: Plan, name: str = "plan.json") -> Applied:
        config, path = self.config, self.folder / name
        approve(plan, path, ADA, "ok", self.now, Journal.of(config.state.dir), config.remediation)
        with opened(config.state.url(config.base)) as store:
            return apply_file(config, store, path, Order(ADA, lambda: self.now, Stop()))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    served = Embedded(Company(FIRST), tmp_path_factory.mktemp("company")).start()
    yield served
    served.close()


@pytest.fixture(scope="module")
def house(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Remediated:
    """The company after a night that is the baseline."""
    made = Remediated(embedded, tmp_path_factory.mktemp("house"), embedded.night(0))
    text = embedded.config().replace('formats = ["html", "csv", "jsonl"]', 'formats = ["jsonl"]')
    (made.folder / "config.toml").write_text(text.replace("min_people =", 'max_age = "9d"\nmin_people ='), "utf-8")
    made.moves_to(0)
    made.tonight()
    with opened(made.config.state.url(made.config.base)) as store:
        found = store.night_of()
        assert found is not None
        store.adopt(found[0].run, Said("ada", made.now, "read through"))
    return made


TIMES = ("uSNChanged", "whenChanged", "lastLogon", "lastLogonTimestamp", "logonCount")


def everything(house: House) -> Any:
    """What the systems hold, without marks of time."""
    directory, tenant = house.embedded.directory, house.embedded.tenant
    entries = {node.guid: directory.entry(node.dn) for node in list(directory.guids.values())}
    nodes = {guid: {k: sorted(v) for k, v in entry.items() if v and k not in TIMES} for guid, entry in entries.items()}
    users = {id_: (user["accountEnabled"], user["department"]) for id_, user in tenant.users.items()}
    return nodes, users, {group: sorted(members) for group, members in tenant.members.items()}


def synchronise(house: House) -> None:
    """The tenant takes over from the directory who is enabled, as a synchronisation does every half an hour."""
    directory, tenant = house.embedded.directory, house.embedded.tenant
    by_anchor = {anchor(UUID(bytes_le=node.guid)): directory.entry(node.dn) for node in list(directory.guids.values())}
    for user in list(tenant.users.values()):
        entry = by_anchor.get(user.get("onPremisesImmutableId"))
        if entry is not None and user["accountEnabled"] != (on := not int(entry["userAccountControl"][0]) & 2):
            tenant.change_user(user["id"], accountEnabled=on)


def lines_of(house: House) -> dict[str, list[str]]:
    return {name: list(faults.requests) for name, faults in house.embedded.faults.items()}


def test_applied_gone_undone_and_back(house: Remediated) -> None:
    found, before = house.tonight(), everything(house)
    plan = house.plan()
    applied = house.apply(plan)
    assert {r.outcome for r in applied.results.values()} <= {"done", "already"}, applied.results
    assert {a.source for a in plan.actions} == {"ad", "m365", "google"}
    synced = {here for here, user in house.embedded.tenant.users.items() if user["onPremisesSyncEnabled"]}
    in_cloud = [a for a in plan.actions if a.source == "m365" and a.account["id"] in synced]
    assert in_cloud and not {a.kind for a in in_cloud} & set(MASTERED)  # of whom the directory masters, it alone is written
    synchronise(house)
    answered = {finding for a in plan.actions for finding in a.findings}
    assert {"orphan-account", "leaver-account-used"} <= {found[f].policy for f in answered}
    after = house.tonight()
    assert [found[f].policy for f in answered & set(after)] == []
    assert [a.remedy for a in house.plan(Filter(), "again.json").actions if set(a.findings) & answered] == []
    undo = house.undo(plan)
    back = house.apply(undo, "undo.json")
    synchronise(house)
    assert {r.outcome for r in back.results.values()} == {"done"}, back.results
    assert answered <= set(house.tonight()) | {f for a in plan.actions if not a.reversible for f in a.findings}
    if not any(a.kind in ("create", "sessions") for a in plan.actions):
        assert everything(house) == before


def test_an_inherited_licence_is_for_a_person_unless_its_group_goes_too(house: Remediated) -> None:
    house.hours += 1

    def by_hand(*policies: str) -> list[str]:
        return [m["why"] for m in house.plan(Filter(policy=policies), "licences.json").manual if "inherited" in m["why"]]

    assert len(by_hand("leaver-licence-kept")) == 1
    assert by_hand("leaver-licence-kept", "leaver-access-kept") == []


def test_a_finished_plan_asks_no_system_and_writes_nothing(house: Remediated) -> None:
    house.hours += 1
    plan = house.plan(Filter(policy=("leaver-access-kept",)), "once.json")
    assert house.apply(plan, "once.json").counts["applied"] == len(plan.actions) > 0
    before = lines_of(house)
    again = house.apply(plan, "once.json")
    assert (again.exit, again.counts["already"], lines_of(house)) == (0, len(plan.actions), before)
    house.apply(house.undo(plan), "undo.json")


def test_every_lost_answer_is_settled_by_reading_back_in_the_same_apply(house: Remediated) -> None:
    """The effect has happened, and the connection is cut before a byte of the answer."""
    house.hours += 1
    plan = house.plan(name="lost.json")
    house.embedded.faults["google"].reset(Fault("^(PUT|PATCH|POST|DELETE) /a", "cut", 0, 0))
    house.embedded.faults["ad"].reset(Fault("^modify", "cut", 0, 0))
    house.embedded.faults["m365"].reset(Fault("^(PATCH|DELETE|POST) /v1.0/(users|groups)", "cut", 0, 0))
    try:
        applied = house.apply(plan, "lost.json")
    finally:
        for faults in house.embedded.faults.values():
            faults.reset()
    unseen = {a.n for a in plan.actions if (a.source, a.kind) == ("google", "sessions")}  # of a sign-out Google shows nothing
    assert {r.outcome for r in applied.results.values() if r.n not in unseen} == {"done"}, applied.results
    assert {applied.results[n].outcome for n in unseen} <= {"unknown"}, applied.results
    sent = Counter(
        e.facts["n"] for e in Journal.of(house.config.state.dir).entries() if e.kind == "intent" and e.facts["plan"] == plan.plan
    )
    assert {times for n, times in sent.items() if n not in unseen} == {1}, "nothing was sent twice whose effect shows"
    assert sum("lost" in r.detail for r in applied.results.values()) >= len(plan.actions) - 1, applied.results
    house.apply(house.undo(plan), "undo.json")
