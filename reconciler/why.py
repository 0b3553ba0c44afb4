"""Each policy's answer about a person or an account: yes, no, undecided or not assessed, with its facts and what would clear it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.answers import Answered, Answers, Asked
from reconciler.estate import Estate
from reconciler.findings import identities
from reconciler.model import instant_text
from reconciler.policy import Told
from reconciler.view import Ints, Side, View

ROWS = 50  # of one policy that are told
_ABOUT = ("source", "login", "account_id", "entitlement_name", "person_id")

# Single changes that may clear a finding: in words, and the columns they would set.
_EMPLOYED = {"access_ends": None, "left_undated": False, "has_left": False, "last_day": None, "current": True}
_CHANGES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("the account is disabled on {where}", {"enabled": False}),
    ("the account is enabled on {where}", {"enabled": True}),
    ("HR says that the person has not left", _EMPLOYED),
    ("HR says that the person has left", {"has_left": True, "current": False}),
    ("somebody signs in to the account", {"last_activity_at": "now", "last_login_at": "now"}),
    ("the person has started", {"starts": "now"}),
    ("the account is clearly one person's", {"ownership": "owned"}),
)
_BY_TABLE = {
    "leaver_holdings": "{entitlement_name} is taken away on {source}",
    "former_holdings": "{entitlement_name} is taken away on {source}",
    "expected_accounts": "the account exists on {source}",
    "expected_holdings": "{entitlement_name} is given on {source}",
    "people_by_source": "all but one of the accounts on {source} are disabled",
    "defects": "HR corrects the row",
}


@dataclass(frozen=True)
class Concerned:
    """Whom an explanation is about."""

    people: frozenset[str]
    accounts: frozenset[tuple[str, str | None]]

    def rows(self, view: View) -> Ints:
        """The rows of a policy's table that are about them."""
        found = np.zeros(len(view), bool)
        if view.has("person_id"):
            found |= np.asarray(pc.fill_null(pc.is_in(view.column("person_id"), pa.array(self.people, pa.string())), False), bool)
        if view.has("account_id"):
            ids = pa.array({account for _, account in self.accounts if account}, pa.string())
            hits = np.flatnonzero(np.asarray(pc.fill_null(pc.is_in(view.column("account_id"), ids), False), bool))
            pairs = zip(*(view.pick(name, hits).to_pylist() for name in ("source", "account_id")), strict=True)
            found[hits] |= np.array([pair in self.accounts for pair in pairs], bool)
        return np.flatnonzero(found)


def reasons(asked: Sequence[Asked], answers: Answers, estate: Estate, who: Concerned) -> Iterator[dict[str, Any]]:
    """Every policy's answer, in the policies' order."""
    for question in asked:
        policy = question.policy.id
        gaps = [f"{gap.source}: {gap.reason}" for gap in answers.not_assessed if gap.policy == policy]
        answered = answers.answered.get(policy)
        told = list(_about(question, answered, answers, estate, who)) if answered else []
        words = [row["answer"] for row in told]
        word = next((word for word in ("yes", "undecided") if word in words), "not assessed" if gaps else "no")
        page = question.policy.page(question.settings, question.severity)
        yield {
            "policy": policy,
            "title": page.title,
            "severity": question.severity,
            "answer": word,
            "reasons": gaps,
            "facts": told,
        }


def _about(question: Asked, answered: Answered, answers: Answers, estate: Estate, who: Concerned) -> Iterator[dict[str, Any]]:
    view, rows = answered.view, who.rows(answered.view)[:ROWS]
    if not len(rows):
        return
    yes = np.isin(identities(question.policy.id, [view.pick(name, rows) for name in view.subject]), answered.part.ids)
    undecided = np.isin(rows, answered.undecided)
    for row, found, unsure in zip(rows.tolist(), yes, undecided, strict=True):
        facts = _facts(view, row, _ABOUT)
        closed = not answers.open_to(question.policy.id, str(facts.get("source")), _facts(view, row, ("area",)).get("area"))
        word = "yes" if found else "undecided" if unsure else "not assessed" if closed else "no"
        evidence = _facts(view, row, question.policy.evidence)
        missing = [name for name, value in evidence.items() if value is None]
        told = {"answer": word, "about": facts, "facts": evidence}
        if unsure:
            told["unknown"] = missing
        if found:
            told["cleared_by"] = _cleared_by(question, view, row, estate, facts)
        yield told


def _facts(view: View, row: int, names: Sequence[str]) -> dict[str, Any]:
    at = np.array([row])
    return {name: _plain(view.pick(name, at)[0].as_py()) for name in names if view.has(name)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float, list, dict)):
        return value
    return instant_text(value) if hasattr(value, "hour") else value.isoformat()


# --- what would clear it ------------------------------------------------------------------------------------------


def _cleared_by(question: Asked, view: View, row: int, estate: Estate, about: Mapping[str, Any]) -> list[str]:
    """Single changes after which the policy, asked again, says no; else how to fix it in the policy's own words."""
    words = {name: about.get(name) or "it" for name in _ABOUT}
    master = _facts(view, row, ("mastered_by",)).get("mastered_by")
    words["where"] = f"{master}, where it is mastered" if master else words["source"]
    found = [_BY_TABLE[view.name].format(**words)] if view.name in _BY_TABLE else []
    for text, columns in _CHANGES:
        known = {name: estate.now if value == "now" else value for name, value in columns.items() if view.has(name)}
        already = _facts(view, row, list(known)) == {name: _plain(value) for name, value in known.items()}
        if not already and _says_no(question, view, row, estate, known):
            found.append(text.format(**words))
    page = question.policy.page(question.settings, question.severity)
    return list(dict.fromkeys(found)) or [page.fix]


def _says_no(question: Asked, view: View, row: int, estate: Estate, changed: Mapping[str, Any]) -> bool:
    """Ask about this one row with some columns changed."""
    at = np.array([row])
    one = View(
        view.name, 1, [Side(side.columns, side.rows[at], side.prefix) for side in view.sides],
        {name: made if name == "_now" else view.pick(name, at) for name, made in view.computed.items()}, view.subject,
    )  # fmt: skip
    own = {name: pa.array([value], view.pick(name, at).type) for name, value in changed.items()}
    told = question.policy.ask(View(one.name, 1, one.sides, {**one.computed, **own}, one.subject), estate, **question.settings)
    answer = told.answer if isinstance(told, Told) else told
    return pa.array(answer)[0].as_py() is False
