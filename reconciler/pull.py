"""Ask every source at once, certify each answer, freeze it; what is not whole does not exist."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from reconciler import memory, plugins
from reconciler.certificate import Verdict, certify, with_certificate
from reconciler.connector import Answer, AsOf, Context, Defect, Ended, Identity, Late, Noticed, Page, Right, Unreadable, needed
from reconciler.draft import Draft
from reconciler.errors import AccessRefused, PluginError, SourceError
from reconciler.model import SourceReport, SourceState, instant_text
from reconciler.plausible import Band
from reconciler.snapshots import Archive, Snapshot

log = logging.getLogger(__name__)

Progress = Callable[[str, str, int], None]  # (source, table, rows read so far)


@dataclass(frozen=True)
class Source:
    """A configured connector, and what is known of it from earlier nights."""

    name: str
    kind: str
    settings: Any
    last: Snapshot | None = None
    history: tuple[Snapshot, ...] = ()  # accepted on the last seven days, oldest first
    pinned: str | None = None
    band: Band = field(default_factory=Band)
    accept: bool = False  # take tonight's reading although it is out of its band

    @property
    def last_rows(self) -> dict[str, int]:
        """How many rows of each table the last accepted night had."""
        return {} if self.last is None else {name: int(about["rows"]) for name, about in self.last.manifest["tables"].items()}


@dataclass(frozen=True)
class Pulled:
    """What one source gave: a report always, a snapshot only when the answer was whole and plausible."""

    report: SourceReport
    snapshot: Snapshot | None


@dataclass
class _Tally:
    """What a reader has yielded so far."""

    draft: Draft
    identity: str | None = None
    as_of: datetime | None = None
    rows: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    defects: list[Defect] = field(default_factory=list)
    areas: dict[str, str] = field(default_factory=dict)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    rights: list[dict[str, Any]] = field(default_factory=list)
    late: dict[str, float] = field(default_factory=dict)  # area -> seconds
    noticed: list[dict[str, Any]] = field(default_factory=list)

    def take(self, answer: Answer) -> None:
        if isinstance(answer, Page):
            self.draft.add(answer)
            self.rows[answer.table] = self.rows.get(answer.table, 0) + len(answer)
            self.accepted += len(answer) if answer.stands_for is None else answer.stands_for
        elif isinstance(answer, Ended):
            self._ended(answer)
        elif isinstance(answer, Defect):
            self.defects.append(answer)
        elif isinstance(answer, Unreadable):
            self.areas[answer.area] = answer.reason + (f"; {answer.fix}" if answer.fix else "")
        elif isinstance(answer, Right):
            self.rights.append(asdict(answer))
        elif isinstance(answer, Late):
            self.late[answer.area] = answer.delay.total_seconds()
        elif isinstance(answer, Noticed):
            self.noticed.append({"told": answer.told, "by_hand": list(answer.by_hand)})
        elif isinstance(answer, Identity):
            self.identity = answer.value
        elif isinstance(answer, AsOf):
            self.as_of = answer.instant
        else:
            raise PluginError(f"a reader yielded {type(answer).__name__}, which is no answer")

    def _ended(self, scope: Ended) -> None:
        self.scopes.append(asdict(scope))
        if not scope.lags and scope.declared is not None and scope.declared != scope.rows:
            raise SourceError(f"{scope.scope}: read {scope.rows} rows, but the source counts {scope.declared}")

    @property
    def counts(self) -> dict[str, Any]:
        rejected = sum(defect.rejected for defect in self.defects)
        quarantined = len(self.defects) - rejected
        read = self.accepted + quarantined + rejected
        return {"read": read, "accepted": self.accepted, "quarantined": quarantined, "rejected": rejected}


def pull(
    sources: Mapping[str, Source], archive: Archive, now: datetime, progress: Progress, wait: Callable[[float], None] = time.sleep
) -> dict[str, Pulled]:
    """Read all sources in parallel. A source that fails is reported; the others go on.

    What was read whole is made tables of, and held against earlier nights, one source at a time: the tables of one are in
    memory then, and not those of all.
    """
    turn = threading.Lock()
    with ThreadPoolExecutor(max(1, len(sources)), thread_name_prefix="pull") as threads:
        reading = {
            name: threads.submit(_read, source, archive, Context(source.name, now, source.last_rows, wait=wait), progress, turn)
            for name, source in sources.items()
        }
        return {name: answer.result() for name, answer in reading.items()}


def reuse(source: Source) -> Pulled:
    """The last complete snapshot of a source that is not asked tonight."""
    if source.last is None:
        report = SourceReport(
            source.name, source.kind, "failed", reasons=("it has never been read whole; run without --only first",)
        )
        return Pulled(report, None)
    return Pulled(_report(source, source.last, "reused", ()), source.last)


def _read(source: Source, archive: Archive, context: Context, progress: Progress, turn: threading.Lock) -> Pulled:
    begun = time.monotonic()
    tally = _Tally(archive.draft(source.last))
    try:
        areas = _whole(source, tally, progress, context)
        with turn:
            memory.give_back()  # what reading took, in many small pieces, has no room for whole tables
            snapshot = archive.freeze(tally.draft, _manifest(source, tally, context.now, areas))
            verdict = _verdict(source, snapshot, context, turn)
        memory.give_back()  # to be taken again by the sources that are still read
    except SourceError as problem:
        return Pulled(_failed(source, tally, problem, time.monotonic() - begun), None)
    snapshot = archive.proven(with_certificate(snapshot.manifest, verdict, source.accept))
    seconds = time.monotonic() - begun
    if verdict.doubted and not source.accept:
        log.warning("%s is not taken: %s", source.name, "; ".join(verdict.doubted))
        return Pulled(_report(source, snapshot, "stale" if verdict.stale else "incomplete", verdict.doubted, seconds), None)
    lost = () if source.accept else tuple(_lost_areas(snapshot))
    log.info("pulled %s: %s in %.1f s", source.name, ", ".join(f"{n} {t}" for t, n in tally.rows.items()), seconds)
    return Pulled(_report(source, snapshot, "incomplete" if lost else "complete", lost, seconds), snapshot)


def _whole(source: Source, tally: _Tally, progress: Progress, context: Context) -> set[str]:
    """Takes the whole answer; returns the areas that the connector reads."""
    module = plugins.load("connectors", source.kind)
    for answer in _guarded(source, module.read(source.settings, context)):
        tally.take(answer)
        if isinstance(answer, Page):
            progress(source.name, answer.table, tally.rows[answer.table])
    if source.pinned and tally.identity != source.pinned:
        raise SourceError(
            f"answered as {tally.identity}, but every night before it was {source.pinned}: is this another system? "
            f"If it was replaced on purpose: reconciler run --accept {source.name} --reason TEXT"
        )
    return {need.area for need in needed(module.NEEDS, source.settings) if need.area}


def _verdict(source: Source, snapshot: Snapshot, context: Context, turn: threading.Lock) -> Verdict:
    """Tonight beside earlier nights, which are opened anew: what was looked up in them goes with this."""
    last, history = source.last and replace(source.last), [replace(night) for night in source.history]
    look, ask = (_asking(source, context, name, turn) for name in ("whereabouts", "held"))
    return certify(snapshot, last, history, source.band, look, ask)


def _asking(
    source: Source, context: Context, name: str, turn: threading.Lock
) -> Callable[[Sequence[Any]], Mapping[Any, Any]] | None:
    """How single accounts or memberships are asked for, while others take their turn; None where the connector cannot."""
    ask = getattr(plugins.load("connectors", source.kind), name, None)
    if ask is None:
        return None

    def look(wanted: Sequence[Any]) -> Mapping[Any, Any]:
        turn.release()
        try:
            found: Mapping[Any, Any] = ask(source.settings, context, wanted)
        except SourceError:
            raise
        except Exception as problem:
            log.debug("%s", source.name, exc_info=True)
            raise SourceError(
                f"the {source.kind} connector, looking for what is missing, stopped with {type(problem).__name__}: {problem}"
            ) from problem
        finally:
            turn.acquire()
        return found

    return look


def _guarded(source: Source, answers: Iterator[Answer]) -> Iterator[Answer]:
    """The plugin edge: whatever else a reader raises becomes an error of its source, named."""
    try:
        yield from answers
    except SourceError:
        raise
    except Exception as problem:
        log.debug("%s", source.name, exc_info=True)
        raise SourceError(f"the {source.kind} connector stopped with {type(problem).__name__}: {problem}") from problem


def _manifest(source: Source, tally: _Tally, now: datetime, areas: set[str]) -> dict[str, Any]:
    """The proof of completeness, stored with the snapshot."""
    before = set() if source.last is None or source.accept else set(source.last.manifest["areas_known"])
    return {
        "source": source.name,
        "kind": source.kind,
        "identity": tally.identity,
        "as_of": instant_text(tally.as_of or now),
        "read_at": instant_text(now),
        "counts": tally.counts,
        "scopes": tally.scopes,
        "rights": tally.rights,
        "late": tally.late,
        "noticed": tally.noticed,
        "areas": tally.areas,
        "areas_known": sorted((areas - set(tally.areas)) | before),
        "defects": [{"source": source.name, **asdict(defect)} for defect in tally.defects],
    }


def _lost_areas(snapshot: Snapshot) -> Iterator[str]:
    """Optional areas that an earlier night could read and this one could not."""
    known = set(snapshot.manifest["areas_known"])
    for area, reason in snapshot.manifest["areas"].items():
        if area in known:
            yield f"{area} could be read before and not tonight: {reason}"


def _report(
    source: Source, snapshot: Snapshot, state: SourceState, reasons: tuple[str, ...], seconds: float = 0.0
) -> SourceReport:
    manifest = snapshot.manifest
    return SourceReport(
        source.name, source.kind, state,
        people=snapshot.people, accounts=snapshot.rows("accounts"), entitlements=snapshot.rows("entitlements"), grants=snapshot.rows("grants"),
        **manifest["counts"],
        reasons=reasons, as_of=datetime.fromisoformat(manifest["as_of"]), seconds=seconds, identity=manifest["identity"],
        areas=manifest["areas"], scopes=tuple(manifest["scopes"]), snapshot=snapshot.sha256,
        certificate=tuple(manifest.get("certificate", ())),
    )  # fmt: skip


def _failed(source: Source, tally: _Tally, problem: SourceError, seconds: float) -> SourceReport:
    """A source without an answer: refused and unreachable ones failed, a broken or stale read is incomplete or stale."""
    log.warning("%s was not read whole: %s", source.name, problem)
    refused = isinstance(problem, AccessRefused)
    text = str(problem)
    state: SourceState = "failed" if refused else "stale" if text.startswith("stale") else "incomplete"
    return SourceReport(
        source.name, source.kind, state, **tally.counts, reasons=(text,), as_of=tally.as_of,
        seconds=seconds, identity=tally.identity, areas=tally.areas, scopes=tuple(tally.scopes), refused=refused,
    )  # fmt: skip
