"""Ask every policy; each row answers yes, no or don't know, and what could not be asked is said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import expected, subjects
from reconciler.answers import Answered, Answers, Asked, Unread
from reconciler.clock import duration_text
from reconciler.errors import PluginError
from reconciler.estate import Estate
from reconciler.findings import Hit, found
from reconciler.model import NotAssessed
from reconciler.policy import Policy, Told
from reconciler.view import View

MARGIN = timedelta(days=14)  # nobody who signed in within two weeks is called dormant, however late the source hears of it
Closed = frozenset[tuple[str | None, str | None]]  # (source, area) that cannot be asked about; None is every one
_TABLES = {**subjects.TABLES, **expected.TABLES}


def evaluate(asked: Sequence[Asked], estate: Estate, unread: Unread) -> Answers:
    """Put every policy to its table, two tables at a time. Raises PluginError when a policy's answer is not one truth value per
    row."""
    closed, missing, open_questions = {}, [], defaultdict(list)
    for question in asked:
        gaps = [*_gaps(question.policy, unread), *_too_short(question, unread)]
        missing += [NotAssessed(question.policy.id, source, reason) for source, _, reason, _ in gaps]
        closed[question.policy.id] = frozenset((None if everywhere else source, area) for source, area, _, everywhere in gaps)
        if (None, None) not in closed[question.policy.id]:
            open_questions[question.policy.on].append(question)

    def put(table: str) -> dict[str, Answered]:
        return _put(open_questions[table], _TABLES[table](estate), estate, closed)

    with ThreadPoolExecutor(2) as threads:  # most of the work is Arrow's and numpy's, which let go of the interpreter
        answered = dict(chain.from_iterable(part.items() for part in threads.map(put, sorted(open_questions))))
    return Answers(answered, tuple(missing), closed)


def _gaps(policy: Policy, unread: Unread) -> list[tuple[str, str | None, str, bool]]:
    """(source, area, reason, everywhere): what a policy cannot be asked tonight; `everywhere` when it cannot be asked at all."""
    gaps: list[tuple[str, str | None, str, bool]] = [
        (s, None, f"the roster was not read whole: {r}", True) for s, r in unread.rosters.items()
    ]
    if policy.on == "defects":
        return gaps
    gaps += [(source, None, reason, policy.needs_all_sources) for source, reason in unread.sources.items()]
    for source, areas in unread.areas.items():
        needed = [area for area in policy.needs if area in areas]
        gaps += [(source, area if policy.on.endswith("holdings") else None, f"{area}: {areas[area]}", False) for area in needed]
    return gaps


def _too_short(question: Asked, unread: Unread) -> Iterator[tuple[str, str | None, str, bool]]:
    """Sources that tell of something later than a policy asks about: whoever was there yesterday would be called away."""
    own = question.policy.settings.get("after")
    after = question.settings.get("after", own and own.default)
    for source, delays in unread.late.items() if isinstance(after, timedelta) else ():
        for area in question.policy.needs:
            if area in delays and after < (least := delays[area] + MARGIN):
                behind, shortest = duration_text(delays[area]), duration_text(least)
                told = f"{area} is up to {behind} late there, and after = {duration_text(after)} is shorter than {shortest}"
                yield source, None, told, False


def _put(questions: Sequence[Asked], view: View, estate: Estate, closed: Mapping[str, Closed]) -> dict[str, Answered]:
    """Put all questions about one table, then tell the findings of all of them."""
    asked = [_ask(question, view, estate, closed[question.policy.id]) for question in questions]
    parts = found(view, [hit for hit, _ in asked])
    view.forget()  # a table's columns are the bulk of the memory
    return {part.policy: Answered(part, view, undecided) for part, (_, undecided) in zip(parts, asked, strict=True)}


def _ask(question: Asked, view: View, estate: Estate, closed: Closed) -> tuple[Hit, npt.NDArray[np.int64]]:
    """The rows a policy answers with yes, and those it cannot decide."""
    told = question.policy.ask(view, estate, **question.settings)
    answer, facts = (told.answer, told.facts) if isinstance(told, Told) else (told, None)
    truth = _truth(question.policy, answer, len(view))
    askable = _askable(view, closed)
    rows = np.flatnonzero(np.asarray(pc.fill_null(truth, False)) & askable)
    undecided = np.flatnonzero(np.asarray(truth.is_null()) & askable)
    return Hit(question.policy, question.severity, rows, facts), undecided


def _truth(policy: Policy, answer: object, length: int) -> pa.ChunkedArray:
    if not isinstance(answer, pd.Series) or len(answer) != length:
        raise PluginError(f"policy {policy.id}: its answer must be one column of {length} rows, not {type(answer).__name__}")
    truth = pa.chunked_array([pa.array(answer)]) if not isinstance(pa.array(answer), pa.ChunkedArray) else pa.array(answer)
    if truth.type != pa.bool_():
        raise PluginError(f"policy {policy.id}: its answer must be true, false or null per row, not {truth.type}")
    return truth


def _askable(view: View, closed: Closed) -> npt.NDArray[np.bool_]:
    """Rows that are not of a source, or an area of one, that cannot be asked about."""
    if not closed:
        return np.ones(len(view), bool)
    areas = view.column("area") if "area" in view.computed else pa.nulls(len(view), pa.string())
    pairs = pc.binary_join_element_wise(view.column("source"), pc.fill_null(areas, ""), " ")
    whole = pc.is_in(view.column("source"), pa.array([source for source, area in closed if area is None], pa.string()))
    partly = pc.is_in(pairs, pa.array([f"{source} {area}" for source, area in closed if area], pa.string()))
    return ~np.asarray(pc.or_(whole, partly))
