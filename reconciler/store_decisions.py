"""What people decided: whose an account is, what is waived, who is not to be touched, which night is the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from reconciler.errors import UsageError
from reconciler.model import instant_text
from reconciler.store_database import Database
from reconciler.store_tables import ADOPTIONS, HOLDS, LINKS, RUNS, WAIVERS, instant, stamp


@dataclass(frozen=True)
class Said:
    """Who decided it, when, and why."""

    by: str
    at: datetime
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise UsageError("a decision needs a reason; give it with --reason TEXT")

    def columns(self) -> dict[str, str]:
        return {"reason": self.reason, "made_by": self.by, "made_at": stamp(self.at)}


@dataclass(frozen=True)
class Link:
    """An account is this person's; `person` None: an earlier link was taken back."""

    source: str
    account: str
    person: str | None
    said: Said


@dataclass(frozen=True)
class Waiver:
    """A finding is accepted until then; `until` None: an earlier waiver was taken back."""

    finding: str
    until: datetime | None
    said: Said


@dataclass(frozen=True)
class Hold:
    """Nobody changes anything of this person until then."""

    person: str
    until: datetime
    said: Said


@dataclass(frozen=True)
class Adoption:
    """This run is the baseline."""

    run: str
    said: Said


class Decisions(Database):
    """Rows are only ever added; of several about the same thing the last one counts."""

    def link(self, source: str, account: str, person: str, said: Said) -> None:
        self._add(LINKS, said, source=source, account=account, person=person)

    def unlink(self, source: str, account: str, said: Said) -> None:
        """Take a link back; raises UsageError when there is none."""
        if (source, account) not in self.links_made():
            raise UsageError(f"nobody has linked {source}:{account}")
        self._add(LINKS, said, source=source, account=account, person=None)

    def links(self) -> list[Link]:
        """Every link ever made or taken back, oldest first."""
        return [Link(row.source, row.account, row.person, _said(row)) for row in self._rows(LINKS)]

    def links_made(self) -> dict[tuple[str, str], str]:
        """(source, account id) -> person id, as decided last."""
        last = {(link.source, link.account): link.person for link in self.links()}
        return {account: person for account, person in last.items() if person is not None}

    def waive(self, finding: str, until: datetime, said: Said) -> None:
        """Accept a finding for a time; raises UsageError when that time is over already."""
        if until <= said.at:
            raise UsageError(f"a waiver until {instant_text(until)} would have ended already; give a later date")
        self._add(WAIVERS, said, finding=finding, until=stamp(until))

    def unwaive(self, finding: str, said: Said) -> None:
        """Take a waiver back; raises UsageError when none is in force."""
        if finding not in self.waivers_in_force(said.at):
            raise UsageError(f"{finding} is not waived")
        self._add(WAIVERS, said, finding=finding, until=None)

    def waivers(self) -> list[Waiver]:
        """Every waiver ever given or taken back, oldest first."""
        found = self._rows(WAIVERS)
        return [Waiver(row.finding, instant(row.until) if row.until else None, _said(row)) for row in found]

    def waivers_in_force(self, now: datetime) -> dict[str, dict[str, Any]]:
        """Finding -> its waiver as findings show it, until it ends or is taken back; then the finding speaks up again."""
        last = {waiver.finding: waiver for waiver in self.waivers()}
        return {w.finding: _shown(w) for w in last.values() if w.until is not None and w.until > now}

    def hold(self, person: str, until: datetime, said: Said) -> None:
        """Nobody is to change anything of a person; raises UsageError when that time is over already."""
        if until <= said.at:
            raise UsageError(f"a hold until {instant_text(until)} would have ended already; give a later date")
        self._add(HOLDS, said, person=person, until=stamp(until))

    def release(self, person: str, said: Said) -> None:
        """End a hold now; raises UsageError when there is none."""
        if person not in self.holds(said.at):
            raise UsageError(f"{person} is not on hold")
        self._add(HOLDS, said, person=person, until=stamp(said.at))

    def holds(self, now: datetime) -> dict[str, Hold]:
        """Person -> the hold decided last, while it lasts."""
        last = {row.person: Hold(row.person, instant(row.until), _said(row)) for row in self._rows(HOLDS)}
        return {person: hold for person, hold in last.items() if hold.until > now}

    def adopt(self, run: str, said: Said) -> None:
        """Take a complete run as the baseline; raises UsageError for any other."""
        with self.reading() as connection:
            complete = connection.scalar(sa.select(RUNS.c.complete).where(RUNS.c.run == run))
        if not complete:
            raise UsageError(f"{run} is not a complete run; only a complete one can be the baseline")
        self._add(ADOPTIONS, said, run=run)

    def adoptions(self) -> list[Adoption]:
        return [Adoption(row.run, _said(row)) for row in self._rows(ADOPTIONS)]

    def _add(self, table: sa.Table, said: Said, **columns: str | None) -> None:
        with self.writing() as connection:
            connection.execute(table.insert(), {**columns, **said.columns()})

    def _rows(self, table: sa.Table) -> Sequence[Any]:
        with self.reading() as connection:
            return connection.execute(sa.select(table).order_by(table.c.number)).all()


def _said(row: Any) -> Said:
    return Said(row.made_by, instant(row.made_at), row.reason)


def _shown(waiver: Waiver) -> dict[str, Any]:
    return {"until": instant_text(waiver.until), "reason": waiver.said.reason, "by": waiver.said.by}
