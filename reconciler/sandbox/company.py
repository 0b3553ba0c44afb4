"""The embedded company on one night: its roster, its accounts on three systems, and what a perfect reviewer would find.

The estate begins clean: everybody at work has the accounts and the access of the position, everybody who has left has
nothing live. Then faults are planted, one by one, and each says which findings it must cause; the sum is the truth that
a night is held against, nothing missing and nothing extra.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.sandbox.workforce import DEPARTMENTS, MAIL, Hiring, Worker, joiners, leavers, staff

SYSTEMS = ("ad", "m365", "google")
STAFF, EVERYBODY = "All Staff", f"all@{MAIL}"
LICENCE, GOOGLE_LICENCE = "SPE_E5", "Google-Apps/1010020020"
LICENSED = "Licensed E5"  # the cloud group that gives the licence

Subject = tuple[str, str, str | None, str | None, str | None]  # policy, source, person id, login, entitlement


@dataclass(frozen=True)
class Held:
    """One account as its system holds it; `key` never changes, whatever else does."""

    system: str
    key: str
    login: str
    given: str
    family: str
    shown: str
    mail: str | None
    employee_id: str | None
    department: str | None
    title: str | None
    company: str | None
    location: str | None
    manager: str | None  # the manager's employee id
    created: datetime
    enabled: bool = True
    last_login: datetime | None = None
    aliases: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    licences: frozenset[str] = frozenset()  # held directly
    kind: str = "person"
    synced: bool = False  # mastered by the directory


@dataclass
class World:
    """One night of the company. `expected` holds the subject of every finding a night must have, and of no other."""

    now: datetime
    workers: dict[str, Worker]
    accounts: dict[tuple[str, str], Held] = field(default_factory=dict)
    spoilt: list[Mapping[str, str]] = field(default_factory=list)  # roster rows, by header, that HR got wrong
    mails: dict[str, str] = field(default_factory=dict)  # people whose work e-mail on the roster is not their own
    expected: set[Subject] = field(default_factory=set)

    def held(self, system: str, who: str) -> Held:
        return self.accounts[system, who]

    def put(self, account: Held) -> Held:
        self.accounts[account.system, account.key] = account
        return account

    def change(self, system: str, who: str, **told: object) -> Held:
        return self.put(replace(self.held(system, who), **told))  # type: ignore[arg-type] # fields of an account

    def expect(self, policy: str, account: Held, person: str | None, entitlement: str | None = None) -> None:
        self.expected.add((policy, account.system, person, account.login, entitlement))


def groups_of(worker: Worker) -> dict[str, frozenset[str]]:
    """The direct memberships of a position, by system."""
    department = worker.department
    regular = worker.worker_type == "Regular"
    everyone = {"ad": {STAFF} if regular else set(), "m365": {LICENSED}, "google": {EVERYBODY} if regular else set()}
    own = {"ad": {f"{department}-RW"}, "m365": {f"{department} Team"}, "google": {f"{department.lower()}@{MAIL}"}}
    return {system: frozenset(everyone[system] | own[system]) for system in SYSTEMS}


def access_rules() -> str:
    """The `[[access]]` rules that the clean company keeps to, as configuration."""
    made = [
        _rule("employees", 'status = ["active"], worker_type = ["employee"]', SYSTEMS, (f"ad:{STAFF}", f"google:{EVERYBODY}")),
        _rule("contractors", 'status = ["active"], worker_type = ["contractor"]', SYSTEMS, ()),
    ]
    for name in DEPARTMENTS:
        held = (f"ad:{name}-RW", f"m365:{name} Team", f"google:{name.lower()}@{MAIL}")
        made.append(_rule(name.lower(), f'department = ["{name}"]', (), held))
    return "\n".join(made)


def _rule(name: str, when: str, accounts: Iterable[str], entitlements: Iterable[str]) -> str:
    def listed(words: Iterable[str]) -> str:
        return "[" + ", ".join(f'"{word}"' for word in words) + "]"

    text = f'[[access]]\nname = "{name}"\nwhen = {{ {when} }}\n'
    return text + f"accounts = {listed(accounts)}\nentitlements = {listed(entitlements)}\n"


@dataclass(frozen=True)
class Company:
    """A company of about `size` people as it stands on the days around `first`, the instant of its first night."""

    first: datetime
    size: int = 60
    seed: int = 1
    sets: int = 0  # how often every fault is planted; 0: once for every five hundred people, and at least once

    def workforce(self) -> tuple[Hiring, list[Worker]]:
        """Everybody who works here, worked here or will, and the office that hires more."""
        chance = random.Random(f"{self.seed} {self.size}")  # noqa: S311 - a company to test with, not a secret
        hiring = Hiring(chance, self.first.date())
        people = list(staff(hiring, self.size))
        people += leavers(hiring, people, max(6, self.size // 10))
        people += joiners(hiring, people, max(2, self.size // 30))
        return hiring, people

    def night(self, number: int) -> World:
        """The company on its night 0, 1, 2 …, a day apart, with everything that is planted for it."""
        from reconciler.sandbox.plants import plant

        hiring, people = self.workforce()
        world = World(self.first + timedelta(days=number), {worker.id: worker for worker in people})
        planted = plant(world, hiring, people, number, self.sets or max(1, self.size // 500))
        for worker in world.workers.values():
            for account in clean(worker, world.now, self.seed):
                world.put(account)
        for fault in planted:
            next(fault, None)
        return world


def clean(worker: Worker, now: datetime, seed: int) -> Iterator[Held]:
    """The accounts of one person as they should be: none before the first day, nothing live after the last."""
    if not worker.begun(now):
        return
    groups, here = groups_of(worker), not worker.gone(now)
    for system in SYSTEMS:
        account = of_position(worker, system, now, seed)
        if here:
            yield replace(account, groups=groups[system], licences=_licences(system))
        else:
            yield replace(account, enabled=False)


def _licences(system: str) -> frozenset[str]:
    return frozenset({GOOGLE_LICENCE}) if system == "google" else frozenset()


def of_position(worker: Worker, system: str, now: datetime, seed: int) -> Held:
    """An account of a person with nothing in it yet, as every system writes it."""
    login = worker.login if system == "ad" else worker.mail
    created = datetime.combine(worker.before[0] if worker.before else worker.start, datetime.min.time(), now.tzinfo)
    created -= timedelta(hours=26)
    return Held(
        system, worker.id, login, worker.given, worker.name.family, worker.shown, worker.mail, worker.id, worker.department, worker.title,
        worker.company, worker.location, worker.manager, created, True, _last_login(worker, system, now, seed),
        synced=system == "m365",
    )  # fmt: skip


def _last_login(worker: Worker, system: str, now: datetime, seed: int) -> datetime | None:
    """Some day within the last three weeks; before the last day of somebody who has left; None before the first morning."""
    chance = random.Random(f"{seed} {worker.id} {system}")  # noqa: S311
    back = timedelta(days=chance.randint(0, 19), minutes=chance.randint(60, 1300))
    until = now
    if worker.last_day is not None and worker.gone(now):
        until = datetime.combine(worker.last_day, datetime.min.time(), now.tzinfo)
    first = datetime.combine(worker.start, datetime.min.time(), now.tzinfo) + timedelta(hours=8)
    return max(until - back, first) if first <= now else None
