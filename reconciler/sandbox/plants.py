"""The faults that are planted in the embedded company, each with the findings it must cause.

A plant is a generator: what it does before its `yield` changes what HR says, what it does afterwards changes the
accounts that follow from that. The same people are struck on every night, whatever the night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from reconciler.sandbox.company import EVERYBODY, GOOGLE_LICENCE, LICENCE, LICENSED, STAFF, SYSTEMS, Held, World, groups_of
from reconciler.sandbox.names import Name, latin
from reconciler.sandbox.workforce import DEPARTMENTS, MAIL, Hiring, Worker

Plant = Iterator[None]


@dataclass
class Ground:
    """Where plants grow: tonight's world, the night's number, and people whom nothing has struck yet."""

    world: World
    hiring: Hiring
    night: int
    free: Iterator[Worker]

    @property
    def first_day(self) -> date:
        return self.hiring.today

    def employee(self) -> Worker:
        return next(self.free)

    def leaver(self, days: int, **told: object) -> Worker:
        """Somebody hired long ago whose last day was so many days before the first night, in London unless told."""
        last = self.first_day - timedelta(days=days)
        worker = self.hiring.hire(
            "Sales", 2, **{"location": "London", "last_day": last, "start": last - timedelta(days=800), **told}
        )
        return self.put(worker)

    def put(self, worker: Worker) -> Worker:
        self.world.workers[worker.id] = worker
        return worker

    def back(self, system: str, worker: Worker) -> Held:
        """Give a person who has left everything on a system that the position gave."""
        groups = groups_of(worker)[system]
        return self.world.change(system, worker.id, enabled=True, groups=groups)


def plant(world: World, hiring: Hiring, people: Sequence[Worker], night: int, sets: int) -> list[Plant]:
    """Every fault, `sets` times, as far as its first step."""
    ordinary = (
        w for w in people
        if w.job == 2 and w.worker_type == "Regular" and w.last_day is None and w.start < hiring.today
        and not (w.on_leave or w.before or w.preferred or w.position_start)
    )  # fmt: skip
    ground = Ground(world, hiring, night, ordinary)
    planted = [fault(ground) for _ in range(sets) for fault in PLANTS]
    for fault in planted:
        next(fault)
    return planted


# --- leavers ------------------------------------------------------------------------------------------------------


def forgotten_in_the_cloud(ground: Ground) -> Plant:
    """Left three days ago; the directory was closed, Google was not."""
    who = ground.leaver(3)
    yield
    live = ground.world.change("google", who.id, enabled=True)
    ground.world.expect("leaver-account-enabled", live, who.id)


def nobody_told(ground: Ground) -> Plant:
    """The last day is the first night's; by the second night nobody has done anything in the directory and what it feeds."""
    who = ground.leaver(0)
    yield
    if ground.night == 0:
        return
    for system in ("ad", "m365"):
        live = ground.back(system, who)
        ground.world.expect("leaver-account-enabled", live, who.id)
        for group in live.groups:
            ground.world.expect("leaver-access-kept", live, who.id, group)
    ground.world.expect("leaver-licence-kept", live, who.id, LICENCE)


def still_the_last_day_there(ground: Ground) -> Plant:
    """Two people with the same last day: in Los Angeles it is not over on the second night, in Auckland it is. No fault."""
    for place in ("Los Angeles", "Auckland"):
        ground.leaver(0, location=place)
    yield


def signed_in_afterwards(ground: Ground) -> Plant:
    who = ground.leaver(20)
    yield
    used = ground.world.change("google", who.id, enabled=True, last_login=ground.world.now - timedelta(days=10))
    ground.world.expect("leaver-account-enabled", used, who.id)
    ground.world.expect("leaver-account-used", used, who.id)


def closed_a_day_late(ground: Ground) -> Plant:
    """Live on the first night and closed on the second; live again on a third, so that the finding comes back."""
    who = ground.leaver(5)
    yield
    if ground.night % 2 == 0:
        for system in ("ad", "m365"):
            live = ground.world.change(system, who.id, enabled=True)
            ground.world.expect("leaver-account-enabled", live, who.id)


def groups_kept(ground: Ground) -> Plant:
    who = ground.leaver(31)
    yield
    for system, group in (("ad", "Sales-RW"), ("google", f"sales@{MAIL}")):
        held = ground.world.change(system, who.id, groups=frozenset({group}))
        ground.world.expect("leaver-access-kept", held, who.id, group)


def licences_kept(ground: Ground) -> Plant:
    who = ground.leaver(45)
    yield
    for system, licence in (("m365", LICENCE), ("google", GOOGLE_LICENCE)):
        held = ground.world.change(system, who.id, licences=frozenset({licence}))
        ground.world.expect("leaver-licence-kept", held, who.id, licence)


# --- joiners ------------------------------------------------------------------------------------------------------


def no_account_on_the_first_day(ground: Ground) -> Plant:
    """Starts on the second night's day, in London; Google was forgotten."""
    who = ground.put(ground.hiring.hire("Sales", 2, location="London", start=ground.first_day + timedelta(days=1)))
    yield
    if ground.night:
        del ground.world.accounts["google", who.id]
        ground.world.expected.add(("joiner-account-missing", "google", who.id, None, None))


def access_missing(ground: Ground) -> Plant:
    who = ground.employee()
    yield
    group = f"{who.department}-RW"
    held = ground.world.change("ad", who.id, groups=frozenset({STAFF}))
    ground.world.expect("joiner-access-missing", held, who.id, group)


def live_a_month_early(ground: Ground) -> Plant:
    who = ground.put(ground.hiring.hire("Engineering", 2, location="Hamburg", start=ground.first_day + timedelta(days=30)))
    yield
    early = ground.world.put(bare("ad", who.id, who.login, ground.world, who))
    ground.world.expect("joiner-account-early", early, who.id)


# --- movers and attributes ----------------------------------------------------------------------------------------


def _moved(ground: Ground, who: Worker, since: date) -> Worker:
    other = list(DEPARTMENTS)[(list(DEPARTMENTS).index(who.department) + 1) % len(DEPARTMENTS)]
    return ground.put(replace(who, department=other, position_start=since))


def old_access_kept(ground: Ground) -> Plant:
    """HR enters a move forty days late; the old department's group was never taken away."""
    who = ground.employee()
    moved = _moved(ground, who, ground.first_day - timedelta(days=40)) if ground.night else who
    yield
    if ground.night:
        old = f"{who.department}-RW"
        held = ground.world.change("ad", who.id, groups=groups_of(moved)["ad"] | {old})
        ground.world.expect("mover-access-stale", held, who.id, old)


def handing_over(ground: Ground) -> Plant:
    """Moves today and keeps the old group while handing over: within the grace, no fault."""
    who = ground.employee()
    moved = _moved(ground, who, ground.first_day + timedelta(days=1)) if ground.night else who
    yield
    if ground.night:
        ground.world.change("ad", who.id, groups=groups_of(moved)["ad"] | {f"{who.department}-RW"})


def married(ground: Ground) -> Plant:
    """A new family name on the second night; the directory and what it feeds still have the old one."""
    who = ground.employee()
    family = f"{who.name.family}-Åkerlund"
    if ground.night:
        ground.put(replace(who, name=Name(who.name.given, family, who.name.latin_given, latin(family))))
    yield
    for system in ("ad", "m365") if ground.night else ():
        held = ground.world.change(system, who.id, family=who.name.family, shown=who.shown)
        ground.world.expect("attribute-drift", held, who.id)


def wrong_department(ground: Ground) -> Plant:
    """Google has another department on the first night; it is right on the second."""
    who = ground.employee()
    yield
    if ground.night == 0:
        held = ground.world.change("google", who.id, department="Logistics")
        ground.world.expect("attribute-drift", held, who.id)


# --- accounts -----------------------------------------------------------------------------------------------------


def bare(system: str, key: str, login: str, world: World, who: Worker | None = None, **told: object) -> Held:
    """An account with nothing in it, of a person or of nobody."""
    created, seen = world.now - timedelta(days=400), world.now - timedelta(days=2)
    about: dict[str, Any] = dict.fromkeys(("mail", "employee_id", "department", "title", "company", "location", "manager"))
    named: dict[str, Any] = {"given": "", "family": "", "shown": login.partition("@")[0].replace(".", " ").title()}
    if who is not None:
        named = {"given": who.given, "family": who.name.family, "shown": who.shown}
        about = {"mail": who.mail, "employee_id": who.id, "department": who.department, "title": who.title}
        about |= {"company": who.company, "location": who.location, "manager": who.manager}
    made = Held(system, key, login, **named, **about, created=created, last_login=seen)
    return replace(made, **told)  # type: ignore[arg-type] # fields of an account


def nobodys(ground: Ground) -> Plant:
    """Accounts without an owner: in the directory and the cloud for long, on Google since the second night."""
    number = ground.hiring.hired
    ground.hiring.hired += 1
    yield
    logins = [("ad", f"tmp-{number}"), ("m365", f"agency{number}@{MAIL}")]
    for system, login in [*logins, ("google", f"freelance{number}@{MAIL}")] if ground.night else logins:
        mail = None if system == "ad" else login
        account = ground.world.put(bare(system, f"nobody-{number}", login, ground.world, mail=mail))
        ground.world.expect("orphan-account", account, None)


def two_accounts(ground: Ground) -> Plant:
    who = ground.employee()
    yield
    first = ground.world.held("ad", who.id)
    ground.world.put(replace(first, key=f"{who.id}-second", login=f"{first.login[:14]}-2"))
    ground.world.expected.add(("duplicate-account", "ad", who.id, None, None))


def one_account_for_two(ground: Ground) -> Plant:
    """Two receptionists share a work e-mail, and the Google account that goes with it."""
    pair = (ground.employee(), ground.employee())
    mail = f"reception{pair[0].id}@{MAIL}"
    for who in pair:
        ground.world.mails[who.id] = mail
    yield
    for who in pair:
        del ground.world.accounts["google", who.id]
        for system in ("ad", "m365"):
            ground.world.change(system, who.id, mail=None)
    shared = ground.world.put(bare("google", f"desk-{pair[0].id}", mail, ground.world, mail=mail))
    ground.world.expect("disputed-account", shared, None)


def unused(ground: Ground) -> Plant:
    """Not signed in to for months in the directory; never at all on Google. Where Graph tells nothing, nothing is concluded."""
    in_directory, never, not_told = ground.employee(), ground.employee(), ground.employee()
    yield
    held = ground.world.change("ad", in_directory.id, last_login=ground.world.now - timedelta(days=150))
    ground.world.expect("dormant-account", held, in_directory.id)
    held = ground.world.change("google", never.id, last_login=None)
    ground.world.expect("dormant-account", held, never.id)
    ground.world.change("m365", not_told.id, last_login=None)


def suspended_in_one_place(ground: Ground) -> Plant:
    who = ground.employee()
    yield
    ground.world.change("google", who.id, enabled=False)
    ground.world.expected.add(("state-mismatch", "google", who.id, None, None))


def contract_over(ground: Ground) -> Plant:
    """A contractor whose contract ended ten days before the first night, whom HR still calls active."""
    old = next(w for w in ground.world.workers.values() if w.worker_type == "Contingent" and not (w.last_day or w.contract_end))
    who = ground.put(replace(old, contract_end=ground.first_day - timedelta(days=10)))
    yield
    for system in SYSTEMS:
        ground.world.expect("contractor-past-end", ground.world.held(system, who.id), who.id)


def spoilt_rows(ground: Ground) -> Plant:
    """Two people whose rows HR spoils: a status nobody has agreed on, a day that is in no calendar."""
    pair = (ground.employee(), ground.employee())
    yield
    for who, spoilt in zip(pair, ({"Status": "LOA-PAT"}, {"Last Day": "2026-02-31"}), strict=True):
        ground.world.spoilt.append({"Employee ID": who.id, **spoilt})
        ground.world.expected.add(("roster-defect", "hr", who.id, None, None))


PLANTS: tuple[Callable[[Ground], Plant], ...] = (
    forgotten_in_the_cloud, nobody_told, still_the_last_day_there, signed_in_afterwards, closed_a_day_late, groups_kept,
    licences_kept, no_account_on_the_first_day, access_missing, live_a_month_early, old_access_kept, handing_over, married,
    wrong_department, nobodys, two_accounts, one_account_for_two, unused, suspended_in_one_place, spoilt_rows,
    contract_over,
)  # fmt: skip

__all__ = ["EVERYBODY", "LICENSED", "PLANTS", "SYSTEMS", "bare", "plant"]
