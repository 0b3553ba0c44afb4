"""A generated company for measuring the engine: people, accounts on three systems, memberships; two nights.

Everything is drawn from a seed with numpy, so that a million people take seconds. About 3 % leave and 4 % move
between the nights, 61 % of accounts sign in, and every policy of the benchmark finds something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
TODAY = (NOW.date() - date(1970, 1, 1)).days
SYSTEMS = ("ad", "m365", "google")
DEPARTMENTS = tuple(f"Department {n}" for n in range(200))
GIVEN = tuple(f"Given{n}" for n in range(3000))
FAMILY = tuple(f"Family{n}" for n in range(8000))
ZONES = ("Europe/London", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")
EVERYONE = "All Staff"

Ints = npt.NDArray[np.int64]
Columns = dict[str, list[object]]


@dataclass(frozen=True)
class Company:
    """One night of a company of `size` people; `night` is 0 or 1."""

    size: int
    night: int
    seed: int = 7

    def _draw(self, what: str, night: int | None = None) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.size, self.night if night is None else night, *what.encode()])

    @property
    def groups(self) -> int:
        return max(50, self.size // 20)

    def people(self) -> Columns:
        """The roster: one employment per person."""
        n, once = self.size, self._draw("people", 0)
        given, family = once.integers(0, len(GIVEN), n), once.integers(0, len(FAMILY), n)
        left = once.random(n) < (0.03 if self.night == 0 else 0.06)
        start = TODAY - once.integers(30, 5000, n)
        start[once.random(n) < 0.004] = TODAY + 40
        last = np.where(left, TODAY - once.integers(1, 400, n), -1)
        department = once.integers(0, len(DEPARTMENTS), n)
        moved = self._draw("moves", 0).random(n) < 0.04
        department = np.where(moved & (self.night == 1), (department + 1) % len(DEPARTMENTS), department)
        status = np.where(left, "left", np.where(start > TODAY, "prehire", "active"))
        return {
            "person_id": _numbered("{:07d}", n),
            "employee_id": _numbered("{:07d}", n),
            "given_name": [GIVEN[i] for i in given],
            "family_name": [FAMILY[i] for i in family],
            "work_email": self._emails(),
            "status": status.tolist(),
            "worker_type": ["employee"] * n,
            "start_date": _dates(start),
            "last_day": _dates(last),
            "department": [DEPARTMENTS[i] for i in department],
            "timezone": [ZONES[i] for i in once.integers(0, len(ZONES), n)],
        }

    def _emails(self) -> list[object]:
        shared = self._draw("shared", 0).random(self.size) < 0.0005
        numbers = np.where(shared, np.maximum(np.arange(self.size) - 1, 0), np.arange(self.size))
        return [f"person{i}@example.com" for i in numbers.tolist()]

    def owners(self, system: str) -> Ints:
        """For every account of a system its person, or -1: nobody's. A few people have none, a few have two."""
        draw = self._draw(system, 0)
        everyone = np.arange(self.size)
        has = everyone[draw.random(self.size) > 0.01]
        twice = everyone[draw.random(self.size) < 0.003]
        nobodies = np.full(max(1, self.size * 9 // 100), -1)
        return np.concatenate([has, twice, nobodies])

    def accounts(self, system: str) -> Columns:
        """The accounts of a system: some without employee id, matched by UPN, e-mail or alias."""
        owner, draw = self.owners(system), self._draw(f"{system} accounts", 0)
        n, people = len(owner), self.people()
        known = owner >= 0
        key = draw.random(n)
        fresh = self._draw(f"{system} sign-ins")
        seen = (NOW.timestamp() * 1e6 - fresh.exponential(20 * 86400e6, n)).astype(np.int64)
        pick = {c: np.array(people[c], object) for c in ("employee_id", "work_email", "given_name", "family_name", "department")}
        told = {c: np.where(known, values[owner], None) for c, values in pick.items()}
        wrong = draw.random(n) < 0.01
        stale = {c: np.where(wrong & known, "Other", told[c]) for c in ("family_name", "department")}
        aliases = [[mail] if mail and k > 0.97 else [] for mail, k in zip(told["work_email"].tolist(), key.tolist(), strict=True)]
        return {
            "account_id": self._ids(system, n),
            "login": [f"{system}-user-{i}" for i in range(n)],
            "upn": np.where(key < 0.95, told["work_email"], None).tolist(),
            "email": np.where((key >= 0.95) & (key < 0.97), told["work_email"], None).tolist(),
            "aliases": aliases,
            "employee_id": np.where(key < 0.9, told["employee_id"], None).tolist(),
            "given_name": told["given_name"].tolist(),
            "family_name": stale["family_name"].tolist(),
            "department": stale["department"].tolist(),
            "enabled": (draw.random(n) > 0.05).tolist(),
            "last_login_at": seen.tolist(),
            "created_at": (seen - 86400_000_000 * 400).tolist(),
            "kind": np.where(draw.random(n) < 0.01, "service", "person").tolist(),
            "container": [f"OU=Site {i},DC=example,DC=com" for i in draw.integers(0, 40, n)],
        }

    def _ids(self, system: str, n: int) -> list[object]:
        spice = int(self._draw(f"{system} ids", 0).integers(1 << 30, 1 << 31))
        return [f"{spice:08x}-{i % 65521:04x}-4{i % 4093:03x}-a{i % 4091:03x}-{i:012x}" for i in range(n)]

    def entitlements(self, system: str) -> Columns:
        """Groups, of which the first is everybody's, and three licences on the clouds."""
        licences = 0 if system == "ad" else 3
        names = [EVERYONE, *(f"Group {i}" for i in range(1, self.groups)), *(f"LICENCE_{i}" for i in range(licences))]
        return {
            "entitlement_id": [f"{system}-ent-{i:08d}-0000-4000-8000-000000000000"[:36] for i in range(len(names))],
            "name": list(names),
            "kind": ["group"] * self.groups + ["licence"] * licences,
        }

    def edges(self, system: str) -> tuple[Ints, Ints, Ints]:
        """(account row, entitlement row, via code): about ten memberships an account, sorted by account."""
        n, draw = len(self.owners(system)), self._draw(f"{system} edges", 0)
        per = draw.poisson(8.9, n)
        accounts = np.repeat(np.arange(n), per)
        groups = draw.integers(1, self.groups + (0 if system == "ad" else 3), len(accounts))
        via = np.where(draw.random(len(accounts)) < 0.2, 1, 0)
        if self.night == 1:
            kept = self._draw(f"{system} kept", 1).random(len(accounts)) > 0.005
            accounts, groups, via = accounts[kept], groups[kept], via[kept]
        staff = np.flatnonzero(self._draw(f"{system} staff", 0).random(n) > 0.02)
        accounts, groups = np.concatenate([accounts, staff]), np.concatenate([groups, np.zeros(len(staff), np.int64)])
        keys = np.unique(accounts << 32 | groups << 3 | np.concatenate([via, np.zeros(len(staff), np.int64)]))
        return keys >> 32, keys >> 3 & 0x1FFFFFFF, keys & 7


def _numbered(form: str, n: int) -> list[object]:
    return [form.format(i) for i in range(n)]


def _dates(days: Ints) -> list[object]:
    known = {day: None if day < 0 else date.fromordinal(day + 719163) for day in np.unique(days).tolist()}
    return [known[day] for day in days.tolist()]


def pages(columns: Mapping[str, list[object]], size: int = 1000) -> Iterator[dict[str, list[object]]]:
    """A table's columns in pages, as a source hands them out."""
    total = len(next(iter(columns.values())))
    for begin in range(0, total, size):
        yield {name: values[begin : begin + size] for name, values in columns.items()}
