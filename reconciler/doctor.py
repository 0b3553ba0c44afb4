"""Is every source ready for the night? Connect, ask for each permission, count, compare; write nothing anywhere."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from reconciler import plugins
from reconciler.check import STATES, Check, Counted, State
from reconciler.config import Connector
from reconciler.connector import AsOf, Context, Defect, Identity, Need, Page, Secret, Unreadable
from reconciler.errors import AccessRefused, SourceError, UsageError
from reconciler.model import instant_text
from reconciler.pull import Progress

log = logging.getLogger(__name__)

ACTIVE_PEOPLE = frozenset({"active", "leave", "suspended"})
WHO = ("username", "client_id", "subject")  # the settings that say as whom a system is entered


@dataclass(frozen=True)
class Examined:
    """One source: every line, who answered, and what it holds."""

    name: str
    kind: str
    checks: tuple[Check, ...]
    identity: str | None = None
    pinned: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    as_of: datetime | None = None
    seconds: float = 0.0

    @property
    def state(self) -> State:
        """The worst of its lines."""
        return max((check.state for check in self.checks), key=STATES.index, default="ok")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "kind": self.kind, "state": self.state, "identity": self.identity, "pinned": self.pinned,
            "rows": dict(self.rows), "as_of": instant_text(self.as_of) if self.as_of else None, "seconds": round(self.seconds, 3),
            "checks": [asdict(check) for check in self.checks],
        }  # fmt: skip


def exit_of(found: Sequence[Examined]) -> int:
    """4 when an identity or a required permission was refused, 5 when something required cannot be read, else 0."""
    states = {one.state for one in found}
    return 4 if "refused" in states else 5 if "unreadable" in states else 0


def examine(
    connectors: Sequence[Connector], pins: Mapping[str, str], context: Context, progress: Progress
) -> Iterator[Examined]:  # fmt: skip
    """Every source at once, told in the order they are configured. `context.source` is replaced by each one's name."""
    with ThreadPoolExecutor(max(1, len(connectors)), thread_name_prefix="doctor") as threads:
        running = [threads.submit(_one, connector, pins.get(connector.name), context, progress) for connector in connectors]
        for found in running:
            yield found.result()


@dataclass
class _Tally:
    """What has been seen of one source so far."""

    progress: Progress
    name: str
    checks: list[Check] = field(default_factory=list)
    identity: str | None = None
    as_of: datetime | None = None
    rows: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
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
            words = page.columns.get("status", ())
            active = sum(word in ACTIVE_PEOPLE for word in words)
            self.rows.update(active=active, inactive=len(page) - active)
        elif page.table == "accounts":
            on = page.columns.get("enabled", ())
            ids = page.columns.get("employee_id", ())
            self.rows.update(active=sum(one is True for one in on), inactive=sum(one is False for one in on))
            self.rows["with an employee id"] += sum(one is not None for one in ids)
        self.progress(self.name, page.table, self.rows[page.table])


def _one(connector: Connector, pinned: str | None, context: Context, progress: Progress) -> Examined:
    begun, tally = time.monotonic(), _Tally(progress, connector.name)
    mine = Context(connector.name, context.now, deadline_seconds=context.deadline_seconds, wait=context.wait, clock=context.clock)
    tally.checks += _secrets("", connector.settings)
    if all(check.state == "ok" for check in tally.checks):
        _ask(connector, mine, tally)
    tally.checks += _writer(connector.settings)
    tally.checks += _pinned(connector.name, tally.identity, pinned)
    return Examined(
        connector.name, connector.kind, tuple(tally.checks), tally.identity, pinned, dict(tally.rows), tally.as_of,
        time.monotonic() - begun,
    )  # fmt: skip


def _ask(connector: Connector, context: Context, tally: _Tally) -> None:
    """What the connector examines of itself, and then a whole read where that has not counted the source."""
    module = plugins.load("connectors", connector.kind)
    try:
        if hasattr(module, "examine"):
            _drain(module.examine(connector.settings, context), tally)
        if not tally.counted:
            _read(module, connector.settings, context, tally)
    except AccessRefused as problem:
        tally.take(Check("identity", connector.kind, "refused", str(problem), "the source cannot be read", _fix(problem)))
    except SourceError as problem:
        tally.take(Check("connection", connector.kind, "unreadable", str(problem), "the source cannot be read", _fix(problem)))


def _drain(answers: Iterator[object], tally: _Tally) -> None:
    """The plugin edge, as in a night: whatever else a plugin raises is an error of its source."""
    try:
        for answer in answers:
            tally.take(answer)
    except SourceError:
        raise
    except Exception as problem:
        log.debug("%s", tally.name, exc_info=True)
        raise SourceError(f"the connector stopped with {type(problem).__name__}: {problem}") from problem


def _read(module: Any, settings: Any, context: Context, tally: _Tally) -> None:
    """Everything, as the night reads it, and nothing of it kept."""
    needs: Sequence[Need] = module.NEEDS
    first = next((need for need in needs if need.area is None), needs[0])
    try:
        _drain(module.read(settings, context), tally)
    except SourceError as problem:
        state: State = "refused" if isinstance(problem, AccessRefused) else "unreadable"
        tally.take(Check("permission", first.permission, state, str(problem), first.without, _fix(problem)))
        return
    for need in needs:
        lost = tally.unreadable.get(need.area or "")
        if lost is None:
            tally.take(Check("permission", need.permission, told=f"granted: {need.reads}"))
        else:
            tally.take(Check("permission", need.permission, "missing", f"{need.reads}: {lost.reason}", need.without, lost.fix))
    for check in (*_rows(tally), *_age(tally, settings, context.now)):
        tally.take(check)


def _fix(problem: SourceError) -> str:
    """A sentence of a source ends with what to do, after its last semicolon."""
    said, _, fix = str(problem).rpartition("; ")
    return fix if said else ""


# --- lines that every source has ------------------------------------------------------------------------------------


def _rows(tally: _Tally) -> Iterator[Check]:
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


def _age(tally: _Tally, settings: Any, now: datetime) -> Iterator[Check]:
    if tally.as_of is not None and "people" in tally.rows:
        hours = max(timedelta(), now - tally.as_of) / timedelta(hours=1)
        yield Check("age", "roster", told=f"from {tally.as_of:%Y-%m-%d %H:%M} UTC, {hours:.1f} h old, max_age {settings.max_age}")


def _pinned(name: str, identity: str | None, pinned: str | None) -> Iterator[Check]:
    if identity is None:
        return
    if pinned is None:
        yield Check("pinned", identity, told="not pinned yet: the first accepted night will pin it")
    elif identity == pinned:
        yield Check("pinned", identity, told="the same as every night before")
    else:
        told = f"every night before it was {pinned}: is this another system?"
        fix = f"if it was replaced on purpose: reconciler run --accept {name} --reason TEXT"
        yield Check("pinned", identity, "unreadable", told, "a night refuses the source", fix)


# --- secrets --------------------------------------------------------------------------------------------------------


def _secrets(prefix: str, settings: BaseModel) -> Iterator[Check]:
    """Every secret of the reader resolves; its value is looked at by nobody."""
    for name, value in settings:
        if isinstance(value, Secret):
            yield _resolved("secret", f"{prefix}{name}", value, "refused")
        elif isinstance(value, BaseModel) and name != "writer":
            yield from _secrets(f"{prefix}{name}.", value)


def _resolved(kind: Any, what: str, secret: Secret, otherwise: State) -> Check:
    try:
        secret.reveal()
    except UsageError as problem:
        return Check(
            kind, what, otherwise, str(problem), "nobody can sign in with it", "put the secret there, or name another place"
        )
    return Check(kind, what, told=f"{secret} resolves")


def _writer(settings: Any) -> Iterator[Check]:
    """The writer is named, its secret resolves; nobody signs in as the writer here."""
    writer = getattr(settings, "writer", None)
    if writer is None:
        return
    told = ", ".join(f"{key} {getattr(writer, key)}" for key in WHO if getattr(writer, key, None))
    same = [key for key in WHO if getattr(writer, key, None) and getattr(writer, key) == getattr(settings, key, None)]
    if same:
        fix = "give the writer an identity of its own, and take the right to write from the reader's"
        yield Check(
            "writer", "identity", "warning", f"{told}: the reader's own {same[0]}", "reading and writing are not apart", fix
        )
    else:
        yield Check("writer", "identity", told=f"{told or 'with credentials of its own'}; not used here")
    for key, value in writer:
        if isinstance(value, Secret):
            yield _resolved("writer", key, value, "warning")
