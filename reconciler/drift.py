"""Tonight against last night: what is new, what stays, what came back, what is gone, and what nobody could confirm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.answers import Answered, Answers
from reconciler.findings import Ids, Part, id_text, labelled
from reconciler.matches import Matches
from reconciler.model import Change
from reconciler.snapshots import Snapshot

Edges = npt.NDArray[np.int64]
_STRETCH = 1 << 17  # edges compared at a time
Seen = Callable[[Sequence[str]], Mapping[str, datetime]]


@dataclass(frozen=True)
class Doubt:
    """Subjects about whom nothing can be concluded tonight: their open findings are neither closed nor confirmed."""

    people: frozenset[str]
    accounts: frozenset[tuple[str, str]]


def doubt(matches: Matches) -> Doubt:
    """People withheld, and accounts withheld or disputed, tonight."""
    accounts, roster = matches.accounts, matches.roster
    rows = pa.array(np.flatnonzero(matches.has("withheld") | matches.has("disputed")))
    pairs = zip(
        accounts.column("source").take(rows).to_pylist(), accounts.column("account_id").take(rows).to_pylist(), strict=True
    )
    people = [] if roster is None else roster.person_ids.filter(pa.array(roster.withheld)).to_pylist()
    named = [] if roster is None else [str(d["employee_id"]) for d in roster.defects if d["employee_id"]]
    return Doubt(frozenset((*people, *named)), frozenset(pairs))


def label(answers: Answers, last: Mapping[str, Part], in_doubt: Doubt, now: datetime, resolved_before: Seen) -> dict[str, Part]:
    """Tonight's findings with their states and dates, and last night's that are gone or unconfirmed.

    `last` holds last night's parts; `resolved_before` tells for ids which were closed once, and when they were first seen.
    """
    labels = {}
    for policy in sorted({*answers.answered, *last}):
        before, tonight = _standing(last.get(policy)), answers.answered.get(policy)
        parts = [_present(tonight.part, before, now, resolved_before)] if tonight else []
        if before is not None and (tonight or policy in answers.closed):
            parts.append(_absent(before, tonight, answers, in_doubt))
        if parts:
            labels[policy] = _joined([part for part in parts if part.table.num_rows] or parts[:1])
    return labels


def _standing(part: Part | None) -> Part | None:
    """Last night's findings that were not resolved."""
    if part is None:
        return None
    kept = part.table.filter(pc.not_equal(part.table["state"], "resolved"))
    return Part(part.policy, part.severity, part.says, part.remedies, kept)


def _present(part: Part, before: Part | None, now: datetime, resolved_before: Seen) -> Part:
    """Tonight's findings: open where last night had them, reopened where they were closed once, else new."""
    moment = pa.scalar(now, tables.INSTANT)
    at = _where(part.ids, before.ids if before else np.empty(0, np.uint64))
    known = pa.array(at >= 0)
    carried = (
        before.table["first_seen"].combine_chunks().take(pa.array(at, mask=at < 0))
        if before
        else pa.nulls(len(at), tables.INSTANT)
    )
    state, first_seen = pc.if_else(known, "open", "new"), pc.coalesce(carried, moment)
    fresh = np.flatnonzero(at < 0)
    seen = resolved_before([id_text(int(number)) for number in part.ids[fresh]]) if len(fresh) else {}
    if seen:
        again = [seen.get(id_text(int(number))) if at[row] < 0 else None for row, number in enumerate(part.ids)]
        once = pa.array(again, tables.INSTANT)
        state, first_seen = pc.if_else(once.is_valid(), "reopened", state), pc.coalesce(once, first_seen)
    return labelled(part, state, first_seen, pa.repeat(moment, len(at)))


def _where(ids: Ids, among: Ids) -> npt.NDArray[np.int64]:
    """For each id its place in `among`, or -1."""
    return pd.Index(among).get_indexer(pd.Index(ids))


def _absent(before: Part, tonight: Answered | None, answers: Answers, in_doubt: Doubt) -> Part:
    """Last night's findings that tonight does not have: resolved, or unverified where tonight cannot say."""
    gone = np.flatnonzero(_where(before.ids, tonight.part.ids if tonight else np.empty(0, np.uint64)) < 0)
    table = before.table.take(pa.array(gone))
    undecided = set(tonight.undecided_ids().tolist()) if tonight and len(gone) and len(tonight.undecided) else set()
    sure = [
        answers.open_to(before.policy, row["source"], row["area"])
        and row["id"] not in undecided
        and row.get("person_id") not in in_doubt.people
        and (row["source"], row.get("account_id")) not in in_doubt.accounts
        for row in table.select(
            [n for n in ("id", "source", "area", "person_id", "account_id") if n in table.column_names]
        ).to_pylist()
    ]
    part = Part(before.policy, before.severity, before.says, before.remedies, table)
    return labelled(
        part, pc.if_else(pa.array(sure, pa.bool_()), "resolved", "unverified"), table["first_seen"], table["last_seen"]
    )


def _joined(parts: Sequence[Part]) -> Part:
    first = parts[0]
    table = pa.concat_tables([part.table for part in parts], promote_options="permissive") if len(parts) > 1 else first.table
    return Part(first.policy, first.severity, first.says, first.remedies, table)


def changes(labels: Mapping[str, Part], last: Mapping[str, Part]) -> Iterator[Change]:
    """The findings whose state is another than last night's."""
    for policy, part in labels.items():
        before = last.get(policy)
        at = _where(part.ids, before.ids if before else np.empty(0, np.uint64))
        old = before.table["state"].take(pa.array(at, mask=at < 0)).to_pylist() if before else [None] * len(at)
        columns = (part.table[name].to_pylist() for name in ("id", "source", "state", "first_seen"))
        for number, source, state, first_seen, was in zip(*columns, old, strict=True):
            if state != was:
                yield Change(id_text(number), state, policy, source, first_seen)


def record_changes(tonight: Mapping[str, Snapshot], before: Mapping[str, Snapshot]) -> dict[str, dict[str, int]]:
    """Per source read on both nights: accounts added, removed and changed, memberships added and removed."""
    both = [source for source in tonight if source in before]
    with ThreadPoolExecutor(2) as threads:
        told = threads.map(lambda source: _changes(tonight[source], before[source]), both)
        return dict(zip(both, told, strict=True))


def _changes(new: Snapshot, old: Snapshot) -> dict[str, int]:
    added, removed = edge_changes(old.read_edges(), new.edges)
    joined, gone = edge_changes(*(s.column("accounts", "code").to_numpy() for s in (old, new)))
    return {
        "accounts_added": len(joined),
        "accounts_removed": len(gone),
        "grants_added": len(added),
        "grants_removed": len(removed),
    }


def edge_changes(old: Edges, new: Edges) -> tuple[Edges, Edges]:
    """(added, removed) between two sorted, distinct edge columns, a stretch at a time so that it stays in the processor's cache."""
    begins = np.arange(0, max(len(new), 1), _STRETCH)
    meets = np.searchsorted(old, new[begins[1:]])
    pairs = zip(np.split(old, meets), np.split(new, begins[1:]), strict=True)
    added, removed = zip(*(_stretch(*pair) for pair in pairs), strict=True)
    return np.concatenate(added), np.concatenate(removed)


def _stretch(old: Edges, new: Edges) -> tuple[Edges, Edges]:
    """One stable sort, then neighbours are compared.

    A stable sort of two sorted runs is a merge, and an edge of both nights then stands beside its twin. Which night the
    few others are of is looked up.
    """
    merged = np.concatenate([old, new])
    merged.sort(kind="stable")
    twin = np.zeros(len(merged) + 1, bool)
    np.equal(merged[1:], merged[:-1], out=twin[1:-1])
    alone = merged[~(twin[1:] | twin[:-1])]
    gone = np.zeros(len(alone), bool) if not len(old) else old[np.minimum(np.searchsorted(old, alone), len(old) - 1)] == alone
    return alone[~gone], alone[gone]
