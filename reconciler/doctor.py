"""Is every source ready for the night? Connect, ask for each permission, count, compare; write nothing anywhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from reconciler import plugins
from reconciler.check import STATES, Check, State
from reconciler.config import Config, Connector
from reconciler.connector import Context, Need, Secret, needed
from reconciler.doctor_tally import Tally, age_of, rows_of, vanished
from reconciler.errors import AccessRefused, SourceError, UsageError
from reconciler.model import instant_text
from reconciler.pull import Progress
from reconciler.snapshots import Archive, Snapshot
from reconciler.store import Store

log = logging.getLogger(__name__)

NO_FIX = ("tried once", "nothing of it is used", "the whole read is discarded", "neither is believed")
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


@dataclass(frozen=True)
class Known:
    """What earlier nights tell of a source: who answered, what was proven of it, and how many accounts each container had."""

    identity: str | None = None
    containers: Mapping[str, int] = field(default_factory=dict)
    night: str = ""  # the last accepted one
    certificate: tuple[Mapping[str, str], ...] = ()  # of its answer


def known_of(config: Config, store: Store) -> dict[str, Known]:
    """Read off the last accepted night. Raises Stale when its snapshots are missing or altered."""
    archive, shas, pins = Archive(config.state.dir / "objects"), store.accepted(), store.pinned()
    return {name: _known(pins.get(name), archive.open(sha)) if sha else Known(pins.get(name)) for name, sha in shas.items()}


def _known(identity: str | None, last: Snapshot) -> Known:
    return Known(identity, _containers(last), last.manifest["read_at"], tuple(last.manifest.get("certificate", ())))


def _containers(snapshot: Snapshot) -> dict[str, int]:
    counted = snapshot.column("accounts", "container").value_counts().to_pylist()
    return {one["values"]: one["counts"] for one in counted if one["values"]}


def exit_of(found: Sequence[Examined]) -> int:
    """4 when an identity or a required permission was refused, 5 when something required cannot be read, else 0."""
    states = {one.state for one in found}
    return 4 if "refused" in states else 5 if "unreadable" in states else 0


def examine(
    connectors: Sequence[Connector], known: Mapping[str, Known], context: Context, progress: Progress
) -> Iterator[Examined]:  # fmt: skip
    """Every source at once, told in the order they are configured. `context.source` is replaced by each one's name."""
    with ThreadPoolExecutor(max(1, len(connectors)), thread_name_prefix="doctor") as threads:
        running = [
            threads.submit(_one, connector, known.get(connector.name, Known()), context, progress) for connector in connectors
        ]
        for found in running:
            yield found.result()


def _one(connector: Connector, known: Known, context: Context, progress: Progress) -> Examined:
    begun, tally = time.monotonic(), Tally(progress, connector.name)
    mine = Context(connector.name, context.now, deadline_seconds=context.deadline_seconds, wait=context.wait, clock=context.clock)
    tally.checks += _secrets("", connector.settings)
    if all(check.state == "ok" for check in tally.checks):
        _ask(connector, mine, tally)
    tally.checks += vanished(tally, known.containers)
    tally.checks += _writer(connector.settings)
    tally.checks += _pinned(connector.name, tally.identity, known.identity)
    tally.checks += _certified(known)
    return Examined(
        connector.name, connector.kind, tuple(tally.checks), tally.identity, known.identity, dict(tally.rows), tally.as_of,
        time.monotonic() - begun,
    )  # fmt: skip


def _ask(connector: Connector, context: Context, tally: Tally) -> None:
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


def _drain(answers: Iterator[object], tally: Tally) -> None:
    """The plugin edge, as in a night: whatever else a plugin raises is an error of its source."""
    try:
        for answer in answers:
            tally.take(answer)
    except SourceError:
        raise
    except Exception as problem:
        log.debug("%s", tally.name, exc_info=True)
        raise SourceError(f"the connector stopped with {type(problem).__name__}: {problem}") from problem


def _read(module: Any, settings: Any, context: Context, tally: Tally) -> None:
    """Everything, as the night reads it, and nothing of it kept."""
    needs: Sequence[Need] = needed(module.NEEDS, settings)
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
    for check in (*rows_of(tally), *age_of(tally, settings, context.now)):
        tally.take(check)


def _fix(problem: SourceError) -> str:
    """A sentence of a source says what is wrong and then, after semicolons, what to do, and what was done."""
    parts = [part for part in str(problem).split("; ")[1:] if not part.startswith(NO_FIX)]
    return parts[-1] if parts else ""


# --- lines that every source has ------------------------------------------------------------------------------------


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


def _certified(known: Known) -> Iterator[Check]:
    """What the last accepted night proved of this source's answer."""
    for one in known.certificate:
        yield Check("certificate", one["check"], told=f"{one['found']} (night of {known.night[:16].replace('T', ' ')} UTC)")


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
