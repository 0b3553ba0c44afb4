"""The certificate of completeness: what was checked of one source's answer, what was found, and whether it is to be believed.

It stands in the snapshot's manifest; `run` and the report's method section show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reconciler import repeats, totals
from reconciler.absence import Look, Proof, proof
from reconciler.held import Ask, Kept, kept
from reconciler.missing import scopes
from reconciler.plausible import Band, doubts, hidden_canaries, watched
from reconciler.recast import recast
from reconciler.snapshots import Snapshot


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what it showed."""

    check: str
    found: str


@dataclass(frozen=True)
class Verdict:
    """Every check, and why the answer should not be believed: `reasons`, or `stale` when it is an old one come again."""

    checks: tuple[Check, ...]
    reasons: tuple[str, ...] = ()
    stale: str | None = None
    unchanged_since: str | None = None  # of a roster that is the same, row for row, as on the nights before

    @property
    def doubted(self) -> tuple[str, ...]:
        """Why the answer is not taken; nothing when it is."""
        return (*([self.stale] if self.stale else ()), *self.reasons)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [asdict(check) for check in self.checks]


def certify(
    new: Snapshot, last: Snapshot | None, history: Sequence[Snapshot], band: Band, look: Look | None, ask: Ask | None = None
) -> Verdict:
    """Hold tonight's whole answer against the last accepted one and those of the nights before (`history`, oldest first).

    Raises SourceError when the source, asked for single accounts, does not answer.
    """
    window = next((night for night in history if last is not None and night.sha256 != last.sha256), None)
    earlier = [night for night in (last, window) if night is not None and night.rows("accounts")]
    shown, held = proof(new, earlier, look), Kept() if last is None else kept(new, last, ask)
    checks = (*_own(new, band), *(_beside(new, last, window, shown, held) if last is not None else _first()))
    since = None if last is None else repeats.unchanged_since(new, last)
    stale = (
        None if last is None else repeats.delivered_again(new, last, history) or repeats.too_long(new, since, band.max_unchanged)
    )
    reasons = (*totals.short(new, last), *totals.lost_rights(new, last), *_kept(held), *doubts(new, last, band, window, shown))
    if last is not None:
        reasons += tuple(recast(new, last, band.full_history, band.max_moved_percent))
    return Verdict(checks, reasons, stale, since)


def _own(new: Snapshot, band: Band) -> Iterator[Check]:
    """What an answer proves by itself."""
    told, counts = new.manifest["scopes"], new.manifest["counts"]
    yield Check("ends", f"{len(told)} listings in {sum(scope['pages'] for scope in told)} pages, each to its proper end")
    yield Check("rows", "{read} read = {accepted} accepted + {quarantined} quarantined + {rejected} rejected".format(**counts))
    yield Check("ids", "each id once, and nobody in a group whom no listing has")
    twice = sum(scope["declared"] is not None for scope in told)
    yield Check("counts", f"{twice} of {len(told)} listings have as many rows as the source counts by itself")
    if new.manifest.get("rights"):
        yield Check("rights", totals.rights(new))
    yield Check("identity", str(new.manifest["identity"] or "the source does not say who it is"))
    if new.manifest.get("noticed"):
        yield Check("noticed", "; ".join(one["told"] for one in new.manifest["noticed"]))
    if band.canaries:
        yield Check("canaries", f"{len(band.canaries) - len(list(hidden_canaries(new, band)))} of {len(band.canaries)} seen")


def _first() -> Iterator[Check]:
    yield Check("history", "the first accepted night: there is nothing to hold it against")


def _kept(held: Kept) -> Iterator[str]:
    """Memberships that the listings lack, and that are there when they are asked for."""
    there = held.still_held()
    if there:
        yield (
            f"{len(there)} memberships are missing from the listings, and held when asked for one by one, e.g. {there[0][0]} in "
            f"{there[0][1]}: a listing is short"
        )


def _beside(new: Snapshot, last: Snapshot, window: Snapshot | None, shown: Proof, held: Kept) -> Iterator[Check]:
    """What an answer proves beside earlier ones."""
    if last.rows("accounts"):
        yield Check("absence", shown.told())
    for table in ("accounts", "people"):
        if last.rows(table):
            kinds = ", ".join(f"{number} by {column}" for column, number in scopes(last, table).items())
            yield Check("scopes", f"{table} of {last.manifest['as_of'][:10]} looked for by their ids: {kinds or 'as a whole'}")
    yield Check("fill", f"{len(list(watched(new, last)))} columns looked at row by row for values that are no longer told")
    if "grants" in last.manifest["tables"]:
        yield Check("members", f"{held.told()}; groups looked at for live members that are all lost at once")
    if window is not None:
        yield Check("window", f"losses added up since {window.manifest['as_of'][:10]}")


def with_certificate(manifest: Mapping[str, Any], verdict: Verdict, accepted: bool = False) -> dict[str, Any]:
    """A manifest with its certificate; what somebody has accepted as it is counts as new."""
    since = None if accepted else verdict.unchanged_since
    return {**manifest, "certificate": verdict.told} | ({"unchanged_since": since} if since else {})
