"""Ask every policy; each row answers yes, no or don't know, and what could not be asked is said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import expected, subjects
from reconciler.answers import Answered, Answers, Asked, Unread
from reconciler.errors import PluginError
from reconciler.estate import Estate
from reconciler.findings import found
from reconciler.model import NotAssessed
from reconciler.policy import Policy, Told
from reconciler.view import View

_TABLES = {**subjects.TABLES, **expected.TABLES}


def evaluate(asked: Sequence[Asked], estate: Estate, unread: Unread) -> Answers:
    """Put every policy to its table. Raises PluginError when a policy's answer is not one truth value per row."""
    name, view = "", None  # one table at a time is enough: its columns are the bulk of the memory
    answered, closed, missing = {}, {}, []
    for question in sorted(asked, key=lambda question: question.policy.on):
        gaps = list(_gaps(question.policy, unread))
        missing += [NotAssessed(question.policy.id, source, reason) for source, _, reason, _ in gaps]
        closed[question.policy.id] = frozenset((None if everywhere else source, area) for source, area, _, everywhere in gaps)
        if (None, None) in closed[question.policy.id]:
            continue
        if view is None or name != question.policy.on:
            name = question.policy.on
            view = _TABLES[name](estate)
        answered[question.policy.id] = _ask(question, view, estate, closed[question.policy.id])
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


def _ask(question: Asked, view: View, estate: Estate, closed: frozenset[tuple[str | None, str | None]]) -> Answered:
    told = question.policy.ask(view, estate, **question.settings)
    answer, facts = (told.answer, told.facts) if isinstance(told, Told) else (told, None)
    truth = _truth(question.policy, answer, len(view))
    askable = _askable(view, closed)
    rows = np.flatnonzero(np.asarray(pc.fill_null(truth, False)) & askable)
    undecided = np.flatnonzero(np.asarray(truth.is_null()) & askable)
    return Answered(found(question.policy, question.severity, view, rows, facts), view, undecided)


def _truth(policy: Policy, answer: object, length: int) -> pa.ChunkedArray:
    if not isinstance(answer, pd.Series) or len(answer) != length:
        raise PluginError(f"policy {policy.id}: its answer must be one column of {length} rows, not {type(answer).__name__}")
    truth = pa.chunked_array([pa.array(answer)]) if not isinstance(pa.array(answer), pa.ChunkedArray) else pa.array(answer)
    if truth.type != pa.bool_():
        raise PluginError(f"policy {policy.id}: its answer must be true, false or null per row, not {truth.type}")
    return truth


def _askable(view: View, closed: frozenset[tuple[str | None, str | None]]) -> npt.NDArray[np.bool_]:
    """Rows that are not of a source, or an area of one, that cannot be asked about."""
    if not closed:
        return np.ones(len(view), bool)
    areas = view.column("area") if "area" in view.computed else pa.nulls(len(view), pa.string())
    pairs = pc.binary_join_element_wise(view.column("source"), pc.fill_null(areas, ""), " ")
    whole = pc.is_in(view.column("source"), pa.array([source for source, area in closed if area is None], pa.string()))
    partly = pc.is_in(pairs, pa.array([f"{source} {area}" for source, area in closed if area], pa.string()))
    return ~np.asarray(pc.or_(whole, partly))
