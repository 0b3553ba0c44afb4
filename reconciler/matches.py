"""Whose account it is, as a table of codes, and the words that explain one match to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.accounts import Accounts
from reconciler.model import OUTCOMES, AccountRef, Match, PersonRef
from reconciler.roster import Roster, normal

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

PERSONAL_KINDS = ("person", "admin", "unknown")  # accounts that a person signs in with
OUTCOME_CODE = {word: code for code, word in enumerate(OUTCOMES)}
LINK = "link"


@dataclass(frozen=True)
class Matches:
    """For every account: the owner's row in the roster (or -1), the outcome and the key that decided (codes)."""

    accounts: Accounts
    roster: Roster | None
    keys: tuple[str, ...]
    owner: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.int8]
    by: npt.NDArray[np.int8]
    master: Ints  # the row of the account that masters it, or -1

    @cached_property
    def by_id(self) -> Mapping[str, Sequence[str]]:
        """People by employee id."""
        return _people_by(self.roster, "employee_id")

    @cached_property
    def by_address(self) -> Mapping[str, Sequence[str]]:
        """People by work e-mail."""
        return _people_by(self.roster, "work_email")

    def count(self, outcome: str) -> int:
        return int(np.count_nonzero(self.outcome == OUTCOME_CODE[outcome]))

    def has(self, outcome: str) -> Flags:
        return self.outcome == OUTCOME_CODE[outcome]

    @property
    def outcomes(self) -> pa.Array:
        """The outcome of every account, words as codes."""
        return pa.DictionaryArray.from_arrays(pa.array(self.outcome), pa.array(OUTCOMES))

    @property
    def matched_by(self) -> pa.Array:
        """The deciding key of every account, words as codes; null where none decided."""
        words = pa.array((*self.keys, LINK))
        return pa.DictionaryArray.from_arrays(pa.array(self.by, mask=self.by < 0), words)


def claimants(matches: Matches) -> tuple[Ints, Ints]:
    """(accounts, people), row by row: everybody whom the deciding key of a disputed account names."""
    roster, rows = matches.roster, np.flatnonzero(matches.has("disputed"))
    found_accounts, found_people = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, key in enumerate(matches.keys):
        here = rows[matches.by[rows] == number]
        if roster is None or not len(here):
            continue
        source = here if key != "anchor" else matches.master[here]
        texts = matches.accounts.column(_COLUMN.get(key, "email")).take(pa.array(source)).combine_chunks()
        parents = pc.list_parent_indices(texts) if key == "alias" else np.arange(len(here))
        wanted = normal(pa.chunked_array([pc.list_flatten(texts) if key == "alias" else texts])).combine_chunks()
        theirs = normal(roster.employments("employee_id" if key == "employee_id" else "work_email")).combine_chunks()
        people_at = np.flatnonzero(np.asarray(pc.is_in(theirs, wanted.drop_null()), bool))
        pairs = pa.table({"key": wanted, "account": here[np.asarray(parents)]}).join(
            pa.table({"key": theirs.take(pa.array(people_at)), "person": roster.person_of[people_at]}), "key", join_type="inner"
        )
        found_accounts.append(pairs["account"].to_numpy())
        found_people.append(pairs["person"].to_numpy())
    return np.concatenate(found_accounts), np.concatenate(found_people)


_COLUMN = {"employee_id": "employee_id", "upn": "upn", "email": "email", "alias": "aliases"}


def describe(matches: Matches, rows: Sequence[int]) -> list[Match]:
    """Matches of some accounts as records that say why, and who else was considered."""
    return [_describe(matches, int(row)) for row in rows]


def _describe(matches: Matches, row: int) -> Match:
    accounts = matches.accounts
    source, account_id, login, name = (accounts.column(c)[row].as_py() for c in ("source", "account_id", "login", "display_name"))
    owner = int(matches.owner[row])
    evidence = _evidence(matches, row)
    return Match(
        AccountRef(source, account_id, login, name),
        OUTCOMES[matches.outcome[row]],
        None if owner < 0 else person_ref(matches.roster, owner),
        (*matches.keys, LINK)[matches.by[row]] if matches.by[row] >= 0 else None,
        tuple({k: v for k, v in e.items() if k != "people"} for e in evidence),
        tuple({"person": p, "probability": None} for p in dict.fromkeys(p for e in evidence for p in e["people"])),
    )  # fmt: skip


def _evidence(matches: Matches, row: int) -> list[dict[str, Any]]:
    """What each key of one account finds on the roster, in the keys' order."""
    if matches.roster is None:
        return []
    found = []
    for key in matches.keys:
        texts, people = _candidates(matches, matches.roster, key, row)
        level = "no value" if not texts else "nobody" if not people else "exact" if len(people) == 1 else "several people"
        found.append({"field": key, "level": level, "bits": None, "value": ", ".join(texts) or None, "people": people})
    return found


def _candidates(matches: Matches, roster: Roster, key: str, row: int) -> tuple[list[str], list[str]]:
    """The values one account has for a key, and the ids of the people who have one of them."""
    if key == "anchor":
        master = int(matches.master[row])
        owner = int(matches.owner[master]) if master >= 0 else -1
        value = matches.accounts.column("anchor")[row].as_py()
        return [value] if value else [], [person_ref(roster, owner).id] if owner >= 0 else []
    held = matches.accounts.column("aliases" if key == "alias" else key)[row].as_py()
    texts = [text for text in (held if isinstance(held, list) else [held]) if text]
    known = matches.by_id if key == "employee_id" else matches.by_address
    wanted = normal(pa.chunked_array([pa.array(texts, pa.string())])).to_pylist()
    return texts, sorted({person for text in wanted for person in known.get(text, ())})


def _people_by(roster: Roster | None, column: str) -> Mapping[str, Sequence[str]]:
    """The people of the roster by one of its columns, in its normal form."""
    found: dict[str, list[str]] = {}
    if roster is not None:
        ids = roster.person_ids.to_pylist()
        for text, person in zip(normal(roster.employments(column)).to_pylist(), roster.person_of.tolist(), strict=True):
            if text is not None:
                found.setdefault(text, []).append(ids[person])
    return found


def person_ref(roster: Roster | None, row: int) -> PersonRef:
    """A person of the roster as findings name them."""
    assert roster is not None  # noqa: S101 - an owner exists only where a roster does
    return PersonRef(*(roster.column(name)[row].as_py() for name in ("person_id", "name", "status")))
