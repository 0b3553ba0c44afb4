"""The people of the embedded company: who works where, as what, since when and until when.

Everybody is drawn from a seed, so that a company of a given seed, size and day is always the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from reconciler.sandbox.names import Name, draw

MAIL = "harbourvale.example"
COMPANIES = {"Harbour & Vale Ltd": 0.8, "Harbour & Vale GmbH": 0.2}

# location -> time zone
LOCATIONS = {
    "London": "Europe/London", "Hamburg": "Europe/Berlin", "Kraków": "Europe/Warsaw", "New York": "America/New_York",
    "Los Angeles": "America/Los_Angeles", "Bengaluru": "Asia/Kolkata", "Tokyo": "Asia/Tokyo", "Auckland": "Pacific/Auckland",
}  # fmt: skip

# department -> (cost centre, jobs from the head down)
DEPARTMENTS: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "Finance": ("1100", (("FIN1", "Finance Director"), ("FIN2", "Financial Controller"), ("FIN3", "Accounts Payable Clerk"))),
    "Sales": ("2100", (("SAL1", "Head of Sales"), ("SAL2", "Account Manager"), ("SAL3", "Sales Associate"))),
    "Engineering": ("3100", (("ENG1", "Head of Engineering"), ("ENG2", "Staff Engineer"), ("ENG3", "Software Engineer"))),
    "Operations": ("4100", (("OPS1", "Head of Operations"), ("OPS2", "Shift Lead"), ("OPS3", "Warehouse Associate"))),
    "People": ("5100", (("PPL1", "Head of People"), ("PPL2", "People Partner"), ("PPL3", "Recruiter"))),
    "IT": ("6100", (("ITS1", "Head of IT"), ("ITS2", "Systems Administrator"), ("ITS3", "Service Desk Analyst"))),
}


@dataclass(frozen=True)
class Worker:
    """One employment of one person, as HR has it."""

    id: str
    name: Name
    login: str
    mail: str
    department: str
    job: int  # 0 is the head
    location: str
    company: str
    start: date
    worker_type: str = "Regular"  # or Contingent
    manager: str | None = None
    last_day: date | None = None
    contract_end: date | None = None  # of a contractor; far off unless told
    position_start: date | None = None
    preferred: str | None = None
    on_leave: bool = False
    before: tuple[date, date] | None = None  # an earlier employment of a person who came back: (first, last day)

    @property
    def given(self) -> str:
        return self.preferred or self.name.given

    @property
    def shown(self) -> str:
        return f"{self.given} {self.name.family}"

    @property
    def title(self) -> str:
        return DEPARTMENTS[self.department][1][self.job][1]

    @property
    def zone(self) -> str:
        return LOCATIONS[self.location]

    def begun(self, now: datetime) -> bool:
        return datetime.combine(self.start, datetime.min.time(), ZoneInfo(self.zone)) <= now

    def gone(self, now: datetime) -> bool:
        """Whether the last day is over where the person works."""
        if self.last_day is None:
            return False
        return datetime.combine(self.last_day + timedelta(days=1), datetime.min.time(), ZoneInfo(self.zone)) <= now

    def here(self, now: datetime) -> bool:
        return self.begun(now) and not self.gone(now)


@dataclass
class Hiring:
    """Hires people one by one; no two have the same id, login or address."""

    chance: random.Random
    today: date
    taken: set[str] = field(default_factory=set)
    hired: int = 0

    def hire(self, department: str, job: int, **told: object) -> Worker:
        self.hired += 1
        name = draw(self.chance)
        login = self._free((name.latin_given[:1] + name.latin_family).lower()[:16])
        mail = self._free(f"{name.latin_given}.{name.latin_family}".lower()) + f"@{MAIL}"
        place = self.chance.choice(list(LOCATIONS))
        company = self.chance.choices(list(COMPANIES), list(COMPANIES.values()))[0]
        start = self.today - timedelta(days=self.chance.randint(120, 4000))
        worker = Worker(f"{self.hired * 7 + 100:06d}", name, login, mail, department, job, place, company, start)
        return replace(worker, **told)  # type: ignore[arg-type] # fields of a worker, told by name

    def _free(self, wanted: str) -> str:
        """The wanted word, with the first number that makes it free."""
        numbered = (wanted if n == 1 else f"{wanted}{n}" for n in range(1, 1_000_000))
        found = next(word for word in numbered if word not in self.taken)
        self.taken.add(found)
        return found


def staff(hiring: Hiring, size: int) -> Iterator[Worker]:
    """`size` people at work: a head of each department, leads, and everybody else; one in six is a contractor."""
    heads: dict[str, Worker] = {}
    leads: dict[str, list[Worker]] = {department: [] for department in DEPARTMENTS}
    chief: str | None = None
    for number in range(size):
        department = list(DEPARTMENTS)[number % len(DEPARTMENTS)]
        if department not in heads:
            worker = hiring.hire(department, 0, manager=chief)
            heads[department] = worker
            chief = chief or worker.id
        elif len(leads[department]) < 1 + number // 60:
            worker = hiring.hire(department, 1, manager=heads[department].id)
            leads[department].append(worker)
        else:
            worker = hiring.hire(department, 2, manager=hiring.chance.choice(leads[department]).id)
            worker = _by_contract(worker, number)
        yield _with_habits(worker, number, hiring)


def _by_contract(worker: Worker, number: int) -> Worker:
    return replace(worker, worker_type="Contingent") if number % 6 == 5 else worker


def _with_habits(worker: Worker, number: int, hiring: Hiring) -> Worker:
    """Some use another name, some are on leave, some have been here before, some have changed position once."""
    if number % 23 == 20:
        worker = replace(worker, preferred=draw(hiring.chance).given)
    if number % 19 == 15:
        worker = replace(worker, on_leave=True)
    if number % 29 == 25:
        begun = worker.start - timedelta(days=900)
        worker = replace(worker, before=(begun, begun + timedelta(days=400)))
    if number % 11 == 8:
        worker = replace(worker, position_start=worker.start + timedelta(days=60))
    return worker


def leavers(hiring: Hiring, staff_of: Sequence[Worker], count: int) -> Iterator[Worker]:
    """People who left within the last months, in order."""
    for number in range(count):
        like = staff_of[(number * 13 + 7) % len(staff_of)]
        last = hiring.today - timedelta(days=9 + hiring.chance.randint(0, 160))
        yield hiring.hire(like.department, 2, manager=like.manager, last_day=last, start=last - timedelta(days=700))


def joiners(hiring: Hiring, staff_of: Sequence[Worker], count: int) -> Iterator[Worker]:
    """People who have signed and start within the next weeks."""
    for number in range(count):
        like = staff_of[(number * 17 + 3) % len(staff_of)]
        first = hiring.today + timedelta(days=20 + hiring.chance.randint(0, 40))
        yield hiring.hire(like.department, 2, manager=like.manager, start=first)


def utc(day: date, hour: int = 8, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
