"""What `doctor` has seen of one source, and the lines that every source has: its rows, its age, what has vanished from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.check import Check, Counted, State
from reconciler.connector import AsOf, Defect, Identity, Page, Unreadable
from reconciler.pull import Progress

ACTIVE_PEOPLE = frozenset({"active", "leave", "suspended"})


@dataclass
class Tally:
    """What has been seen of one source so far."""

    progress: Progress
    name: str
    checks: list[Check] = field(default_factory=list)
    identity: str | None = None
    as_of: datetime | None = None
    rows: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    containers: Counter[str] = field(default_factory=Counter)
    counted: bool = False

    def take(self, answer: object) -> None:
        if isinstance(answer, Check):
            self.checks.append(answer)
            self.progress(self.name, "checks", len(self.checks))
        elif isinstance(answer, Identity):
            self.identity = answer.value
        elif isinstance(answer, AsOf):
            self.as_of = answer.instant
        elif isinstance(answer, Unreadable):
            self.unreadable[answer.area] = answer
        elif isinstance(answer, Defect):
            self.rows["rejected" if answer.rejected else "quarantined"] += 1
        elif isinstance(answer, Counted):
            self.counted = True
            self.rows.update({k: v for k, v in (("active", answer.active), ("inactive", answer.inactive)) if v is not None})
        elif isinstance(answer, Page):
            self._page(answer)

    def _page(self, page: Page) -> None:
        self.rows[page.table] += len(page)
        if page.table == "people":
            words = page.values("status")
            active = sum(word in ACTIVE_PEOPLE for word in words)
            self.rows.update(active=active, inactive=len(page) - active)
        elif page.table == "accounts":
            on = page.values("enabled")
            ids = page.values("employee_id")
            self.rows.update(active=sum(one is True for one in on), inactive=sum(one is False for one in on))
            self.containers.update(one for one in page.values("container") if one)
            self.rows["with an employee id"] += sum(one is not None for one in ids)
        self.progress(self.name, page.table, self.rows[page.table])


def rows_of(tally: Tally) -> Iterator[Check]:
    rows = tally.rows
    text = f"{rows['active']:,} active, {rows['inactive']:,} inactive"
    if "people" in rows:
        text += f"; {rows['people']:,} taken, {rows['quarantined']:,} quarantined, {rows['rejected']:,} rejected"
        state: State = "warning" if rows["quarantined"] or rows["rejected"] else "ok"
        fix = "each is a roster-defect finding of the next run, in HR's words" if state == "warning" else ""
        yield Check("rows", "people", state, text, fix=fix)
    elif "accounts" in rows:
        text += f"; {rows['with an employee id']:,} with an employee id"
        none = rows["accounts"] > 0 and not rows["with an employee id"]
        without = "accounts are matched by weaker keys only" if none else ""
        fix = "grant Read on the attribute that holds the employee id, or name that attribute" if none else ""
        yield Check("rows", "accounts", "warning" if none else "ok", text, without, fix)


def age_of(tally: Tally, settings: Any, now: datetime) -> Iterator[Check]:
    if tally.as_of is not None and "people" in tally.rows:
        hours = max(timedelta(), now - tally.as_of) / timedelta(hours=1)
        yield Check("age", "roster", told=f"from {tally.as_of:%Y-%m-%d %H:%M} UTC, {hours:.1f} h old, max_age {settings.max_age}")


def vanished(tally: Tally, before: Mapping[str, int]) -> Iterator[Check]:
    """Containers that had accounts on the last accepted night and show none now: a lost right answers "success"."""
    for container, number in before.items():
        if tally.containers and not tally.containers[container]:
            yield Check(
                "permission", f"List Contents on {container}", "warning",
                f"{number:,} accounts on the last accepted night, none now", "what is there looks gone",
                "if it was neither emptied nor renamed, grant the reader List Contents and Read All Properties on it",
            )  # fmt: skip
