"""A generated company for measuring the engine: people, accounts on three systems, memberships; two nights.

Everything is drawn from a seed with numpy and Arrow, so that a million people take a minute. Between the nights 3 % leave
and 4 % move. Most of what a real company does is done here too (leavers are disabled, their memberships removed, movers'
departments corrected), so that a person gives about three quarters of a finding, and every benchmarked policy has some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.tables import CODED, INSTANT, VIA

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
TODAY = (NOW.date() - date(1970, 1, 1)).days
SYSTEMS = ("ad", "m365", "google")
EVERYONE = "All Staff"
LICENCES = ("SPE_E3", "SPE_E5", "F1")
ZONES = ("Europe/London", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")
DAY = 86400_000_000  # microseconds

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Company:
    """One night of a company of `size` people; `night` is 0 or 1. What one draws does not depend on the night."""

    size: int
    night: int
    seed: int = 7

    def _draw(self, *what: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.size, *" ".join(what).encode()])

    # --- people -----------------------------------------------------------------------------------------------

    @cached_property
    def _last_days(self) -> Ints:
        """Days since 1970, or -1: 3 % have left before the first night, 3 % leave in the three days between."""
        draw = self._draw("leavers")
        when, before, between = draw.random(self.size), draw.integers(4, 400, self.size), draw.integers(1, 4, self.size)
        days = np.where(when < 0.03, TODAY - before, -1)
        return np.where((when >= 0.03) & (when < 0.06) & (self.night == 1), TODAY - between, days)

    @property
    def _departments(self) -> tuple[Ints, Flags]:
        """Everybody's department tonight, and who has moved between the nights."""
        draw = self._draw("departments")
        department, moved = draw.integers(0, 200, self.size), draw.random(self.size) < 0.04
        return np.where(moved & (self.night == 1), (department + 1) % 200, department), moved & (self.night == 1)

    @cached_property
    def _names(self) -> dict[str, pa.Array]:
        draw = self._draw("names")
        given, family = _words("Given", draw.integers(0, 3000, self.size)), _words("Family", draw.integers(0, 8000, self.size))
        display = pc.binary_join_element_wise(given, family, " ")
        return {"given_name": given, "family_name": family, "display_name": display}

    @cached_property
    def _titles(self) -> Ints:
        return self._draw("titles").integers(0, 400, self.size)

    @cached_property
    def _emails(self) -> pa.Array:
        """Work e-mails; one in two thousand people has another's."""
        people = np.arange(self.size)
        shared = self._draw("shared").random(self.size) < 0.0005
        numbers = pa.array(np.where(shared, np.maximum(people - 1, 0), people)).cast(pa.string())
        return pc.binary_join_element_wise("person", numbers, "@example.com", "")

    @cached_property
    def person_ids(self) -> pa.Array:
        return pc.utf8_lpad(pa.array(np.arange(self.size)).cast(pa.string()), 7, "0")

    def people(self) -> pa.Table:
        """The roster: one employment per person."""
        draw = self._draw("people")
        start = TODAY - draw.integers(400, 5000, self.size)
        start[draw.random(self.size) < 0.004] = TODAY + 40
        left = self._last_days >= 0
        status = np.where(left, "left", np.where(start > TODAY, "prehire", "active"))
        return pa.table({
            "person_id": self.person_ids,
            "employee_id": self.person_ids,
            **self._names,
            "work_email": self._emails,
            "status": pa.array(status, pa.string()),
            "worker_type": pa.repeat("employee", self.size),
            "start_date": _dates(start),
            "last_day": _dates(self._last_days),
            "department": _words("Department ", self._departments[0]),
            "job_title": _words("Title ", self._titles),
            "timezone": pa.array(ZONES).take(pa.array(draw.integers(0, len(ZONES), self.size))),
        })  # fmt: skip

    # --- accounts ---------------------------------------------------------------------------------------------

    def owners(self, system: str) -> Ints:
        """For every account of a system its person, or -1: nobody's. A few people have none, a few have two."""
        draw, everyone = self._draw(system, "owners"), np.arange(self.size)
        has, twice = everyone[draw.random(self.size) > 0.01], everyone[draw.random(self.size) < 0.003]
        return np.concatenate([has, twice, np.full(max(1, self.size * 9 // 100), -1)])

    def _gone(self, system: str) -> Flags:
        """Accounts whose person has left."""
        owner = self.owners(system)
        return (owner >= 0) & (self._last_days[owner] >= 0)

    def _neglected(self, system: str) -> Flags:
        """Accounts that nobody would clean up after their owner has left: one in seven."""
        return self._draw(system, "neglected").random(len(self.owners(system))) < 0.15

    def _there(self, system: str) -> Flags:
        """Accounts that exist tonight: three in a thousand come with the second night."""
        return (self._draw(system, "made").random(len(self.owners(system))) >= 0.003) | (self.night == 1)

    def accounts(self, system: str) -> pa.Table:
        """The accounts of a system tonight."""
        return self._accounts(system).filter(pa.array(self._there(system)))

    def _accounts(self, system: str) -> pa.Table:
        """One in ten without employee id, found by UPN, e-mail or alias."""
        owner, draw = self.owners(system), self._draw(system, "accounts")
        n, key = len(owner), draw.random(len(owner))
        mail, known = self._of(owner, self._emails), owner >= 0
        alias = pc.list_flatten(pa.array([[]], pa.list_(pa.string()))) if not n else mail
        has_alias = known & (key > 0.97)
        return pa.table({
            "account_id": self._ids(system, n),
            "login": pc.binary_join_element_wise(f"{system}-user", pa.array(np.arange(n)).cast(pa.string()), "-"),
            "upn": _where(key < 0.95, mail),
            "email": _where(key < 0.97, mail),
            "aliases": pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(has_alias)]).astype(np.int32), alias.filter(pa.array(has_alias))),
            "employee_id": _where(key < 0.9, self._of(owner, self.person_ids)),
            **self._as_known(system, owner),
            "enabled": pa.array((draw.random(n) > 0.01) & (~self._gone(system) | self._neglected(system))),
            **self._sign_ins(system, owner),
            "kind": pa.array(np.where(draw.random(n) < 0.01, "service", "person"), pa.string()),
            "container": _words("OU=Site ", draw.integers(0, 40, n), ",DC=example,DC=com"),
        })  # fmt: skip

    def _of(self, owner: Ints, column: pa.Array) -> pa.Array:
        return column.take(pa.array(owner, mask=owner < 0))

    def _as_known(self, system: str, owner: Ints) -> dict[str, pa.Array]:
        """Names, department and title as the system has them: 1 % wrong, and one mover in five not yet corrected."""
        draw, (department, moved) = self._draw(system, "known"), self._departments
        wrong, late = pa.array(draw.random(len(owner)) < 0.01), moved[owner] & (draw.random(len(owner)) < 0.2)
        now = np.where(late, (department[owner] - 1) % 200, department[owner])
        names = {name: self._of(owner, column) for name, column in self._names.items()}
        names["family_name"] = pc.if_else(pc.and_(wrong, names["family_name"].is_valid()), "Other", names["family_name"])
        return {
            **names,
            "department": _where(owner >= 0, _words("Department ", now)),
            "job_title": _where(owner >= 0, _words("Title ", self._titles[owner])),
        }

    def _sign_ins(self, system: str, owner: Ints) -> dict[str, pa.Array]:
        """Two in three have signed in since the night before; leavers, but for the neglected, not after their last day."""
        often, tonight = self._draw(system, "habits"), self._draw(system, "sign-ins", str(self.night))
        ago = often.exponential(20, len(owner)) * np.where(tonight.random(len(owner)) < 0.61, tonight.random(len(owner)), 1)
        seen = NOW.timestamp() * 1e6 - ago * DAY
        left = self._gone(system) & ~self._neglected(system)
        seen = np.where(left, np.minimum(seen, (self._last_days[owner] - 1.0) * DAY), seen).astype(np.int64)
        created = (often.integers(1, 5, len(owner)) * -400 + TODAY) * DAY
        return {"last_login_at": pa.array(seen).cast(INSTANT), "created_at": pa.array(created).cast(INSTANT)}

    def _ids(self, system: str, n: int) -> pa.Array:
        """Ids as long and as unordered as GUIDs."""
        low = pa.array(self._draw(system, "ids").choice(1 << 24, n, replace=False) if n < 1 << 24 else np.arange(n))
        text = pc.utf8_lpad(low.cast(pa.string()), 12, "0")
        parts = [pc.utf8_slice_codeunits(text, begin, end) for begin, end in ((8, 12), (4, 8), (6, 10))]
        return pc.binary_join_element_wise(f"{system:0<8}"[:8], *parts, text, "-")

    # --- memberships ------------------------------------------------------------------------------------------

    @property
    def groups(self) -> int:
        return max(50, self.size // 20)

    def entitlements(self, system: str) -> pa.Table:
        """Groups, of which the first is everybody's, and on the clouds three licences."""
        licences = () if system == "ad" else LICENCES
        names = [EVERYONE, *(f"Group {i}" for i in range(1, self.groups)), *licences]
        return pa.table({
            "entitlement_id": [f"{system}-ent-{i:08d}-0000-4000-8000-000000000000"[:36] for i in range(len(names))],
            "name": names,
            "kind": ["group"] * self.groups + ["licence"] * len(licences),
        })  # fmt: skip

    def edges(self, system: str) -> tuple[Ints, Ints, Ints]:
        """(account row, entitlement row, via code), group by group as sources tell them: about ten an account."""
        n, draw = len(self.owners(system)), self._draw(system, "edges")
        accounts = np.repeat(np.arange(n), draw.poisson(8.9, n))
        groups, via = draw.integers(1, self.groups, len(accounts)), (draw.random(len(accounts)) < 0.2).astype(np.int64)
        staff = np.flatnonzero(draw.random(n) > 0.02)
        licensed = np.flatnonzero(draw.random(n) < (0 if system == "ad" else 0.75))
        which = draw.integers(self.groups, self.groups + len(LICENCES), len(licensed))
        keys = np.concatenate([
            groups << 35 | accounts << 3 | via, staff << 3, which << 35 | licensed << 3
        ])  # fmt: skip
        keys = np.unique(keys)
        luck, begin = draw.random(len(keys)), 0.005 * self.night  # each night lacks another two hundredth of them
        there = self._there(system) & ~(self._gone(system) & ~self._neglected(system))
        keys = keys[((luck < begin) | (luck >= begin + 0.005)) & there[keys >> 3 & 0xFFFFFFFF]]
        return keys >> 3 & 0xFFFFFFFF, keys >> 35, keys & 7

    def grants(self, system: str) -> pa.Table:
        """The memberships by their ids."""
        accounts, entitlements, via = self.edges(system)
        return pa.table({
            "account_id": self._ids(system, len(self.owners(system))).take(pa.array(accounts)),
            "entitlement_id": self.entitlements(system)["entitlement_id"].combine_chunks().take(pa.array(entitlements)),
            "via": pa.array(VIA).take(pa.array(via)),
        })  # fmt: skip


def _words(before: str, numbers: Ints, after: str = "") -> pa.Array:
    words = pa.array([f"{before}{n}{after}" for n in range(int(numbers.max(initial=0)) + 1)], pa.string())
    return words.take(pa.array(numbers))


def _where(flags: Flags, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(flags), values, pa.scalar(None, values.type))


def _dates(days: Ints) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=days < 0).cast(pa.date32())


def as_lists(rows: pa.RecordBatch, size: int = 1000) -> Iterator[dict[str, list[Any]]]:
    """Rows in pages of fresh values, as connectors of HTTP sources hand them over: instants as microseconds, a group's id and the way of
    holding said once per run."""
    plain = {INSTANT: pa.int64(), CODED: pa.string()}
    rows = rows.cast(pa.schema([f.with_type(plain.get(f.type, f.type)) for f in rows.schema]))
    for begin in range(0, rows.num_rows, size):
        page = rows.slice(begin, size)
        yield {
            n: _said_once(c) if n in ("entitlement_id", "via") and "account_id" in page.schema.names else c.to_pylist()
            for n, c in zip(page.schema.names, page.columns, strict=True)
        }


def _said_once(column: pa.Array) -> list[Any]:
    coded = column.dictionary_encode()
    words = coded.dictionary.to_pylist()
    return [words[code] for code in coded.indices.to_pylist()]
