"""Whose account is it: exact keys from sure to weak; owned, nobody's, disputed, exempt or withheld, and why.

The first key that finds anybody decides: one person owns the account, several dispute it, and so do two of whom one had the number
or the address before the other. A decision of a person
(a link) goes before every key. Accounts of kinds that are nobody's person (computers, guests, shared mailboxes …)
are not looked up. What cannot be known tonight is `withheld`, never "nobody".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.accounts import Accounts
from reconciler.matches import OUTCOME_CODE, PERSONAL_KINDS, Matches
from reconciler.namesakes import strangers
from reconciler.roster import Roster, normal
from reconciler.vocabulary import Vocabulary

KEYS = ("employee_id", "anchor", "upn", "email", "alias")
OWNED_KINDS = (*PERSONAL_KINDS, "service")  # accounts that may have an owner on the roster

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODY, SEVERAL, WITHHELD = -1, -2, -3  # what a key may find instead of a person's row


@dataclass(frozen=True)
class KeyIndex:
    """One key of all people: for each value the person's row, or SEVERAL or WITHHELD."""

    values: Vocabulary
    people: Ints

    def find(self, texts: pa.ChunkedArray) -> Ints:
        """The person behind each text (NOBODY, SEVERAL and WITHHELD included)."""
        return np.append(self.people, NOBODY)[self.values.find(tables.whole(texts))]


def key_index(values: pa.ChunkedArray, people: Ints, withheld: Flags) -> KeyIndex:
    """Index people by one key; a value that several people claim is SEVERAL, one that a withheld person claims WITHHELD."""
    encoded = normal(values).combine_chunks().dictionary_encode()
    codes, known = np.asarray(pc.fill_null(encoded.indices, 0), np.int64), np.asarray(encoded.is_valid())
    codes, owners = codes[known], people[known]
    found = np.full(len(encoded.dictionary), NOBODY, np.int64)
    found[codes] = owners
    found[codes[found[codes] != owners]] = SEVERAL
    found[codes[withheld[owners]]] = WITHHELD
    return KeyIndex(Vocabulary(encoded.dictionary), found)


@dataclass
class _Search:
    """The state of one correlation: who is found so far."""

    accounts: Accounts
    roster: Roster
    keys: tuple[str, ...]
    found: Ints = field(init=False)
    by: npt.NDArray[np.int8] = field(init=False)

    def __post_init__(self) -> None:
        self.found = np.full(len(self.accounts), NOBODY, np.int64)
        self.by = np.full(len(self.accounts), -1, np.int8)

    @cached_property
    def employee_ids(self) -> KeyIndex:
        return self._index("employee_id")

    @cached_property
    def emails(self) -> KeyIndex:
        return self._index("work_email")

    def _index(self, name: str) -> KeyIndex:
        """A key of every employment; the quarantined rows' values count as withheld."""
        lost = pa.array([d.get(name) for d in self.roster.defects], pa.string())
        values = pa.chunked_array([*self.roster.employments(name).chunks, lost])
        people = np.concatenate([self.roster.person_of, np.full(len(lost), len(self.roster), np.int64)])
        return key_index(values, people, np.append(self.roster.withheld, True))

    @cached_property
    def master(self) -> Ints:
        """For every account, the row of the account in another source that its anchor or SID names, or -1."""
        rows, marks = np.arange(len(self.accounts)), [self.accounts.column(name) for name in ("mastered_by", "anchor")]
        if all(column.null_count == len(column) for column in marks):  # nothing is synced
            return np.full(len(rows), NOBODY, np.int64)
        texts = {name: normal(self.accounts.column(name)) for name in ("account_id", "anchor", "sid")}
        synced = np.asarray(pc.or_(self.accounts.column("mastered_by").is_valid(), texts["anchor"].is_valid()))
        result = np.full(len(rows), NOBODY, np.int64)
        for own, named in (("account_id", "anchor"), ("anchor", "anchor"), ("sid", "sid")):
            free = ~np.asarray(self.accounts.column("mastered_by").is_valid())
            index = key_index(texts[own].filter(pa.array(free)), rows[free], np.zeros(len(rows), bool))
            at = index.find(texts[named])
            apart = self.accounts.source_of[at] != self.accounts.source_of if len(rows) else at >= 0
            result = np.where((result < 0) & synced & (at >= 0) & apart, at, result)
        return result

    def settle(self, rows: Ints) -> None:
        """Try every key in order on these accounts; the first that finds anybody decides."""
        for number, key in enumerate(self.keys):
            todo = rows[(self.found[rows] == NOBODY) & (self.by[rows] < 0)]
            if len(todo):
                hits = _FINDERS[key](self, todo)
                if key != "anchor":  # whose master's owner is no stranger
                    hits[strangers(self.accounts, self.roster, todo, hits)] = SEVERAL
                struck = hits != NOBODY
                self.found[todo[struck]], self.by[todo[struck]] = hits[struck], number

    def take(self, name: str, rows: Ints) -> pa.ChunkedArray:
        return normal(self.accounts.column(name).take(pa.array(rows)))


def _by_employee_id(search: _Search, rows: Ints) -> Ints:
    return search.employee_ids.find(search.take("employee_id", rows))


def _by_anchor(search: _Search, rows: Ints) -> Ints:
    master = search.master[rows]
    return np.where(master >= 0, search.found[master], NOBODY)


def _by_address(name: str) -> Callable[[_Search, Ints], Ints]:
    return lambda search, rows: search.emails.find(search.take(name, rows))


def _by_alias(search: _Search, rows: Ints) -> Ints:
    """The person whose work e-mail is among the aliases; SEVERAL when they name more than one."""
    aliases = search.accounts.column("aliases").take(pa.array(rows)).combine_chunks()
    hits = search.emails.find(normal(pa.chunked_array([pc.list_flatten(aliases)])))
    parents = np.asarray(pc.list_parent_indices(aliases), np.int64)
    parents, hits = parents[hits != NOBODY], hits[hits != NOBODY]
    found = np.full(len(rows), NOBODY, np.int64)
    found[parents] = hits
    found[parents[found[parents] != hits]] = SEVERAL
    return found


_FINDERS: Mapping[str, Callable[[_Search, Ints], Ints]] = {
    "employee_id": _by_employee_id,
    "anchor": _by_anchor,
    "upn": _by_address("upn"),
    "email": _by_address("email"),
    "alias": _by_alias,
}


def correlate(
    accounts: Accounts,
    roster: Roster | None,
    *,
    keys: Sequence[str] = KEYS,
    exempt: Sequence[str] = (),
    links: Mapping[tuple[str, str], str] | None = None,
    blind: bool = False,
) -> Matches:
    """Decide for every account whose it is.

    `roster` is None when a roster was not read whole: then nothing is known and every account is withheld.
    `links` maps (source, account id) to a person id: decisions of people. `blind` says that a source of accounts is
    missing tonight, so that an account whose anchor finds no master is withheld rather than nobody's.
    """
    spared = _exempt(accounts, exempt)
    if roster is None:
        outcome = np.where(spared, OUTCOME_CODE["exempt"], OUTCOME_CODE["withheld"]).astype(np.int8)
        nobody = np.full(len(accounts), -1)
        return Matches(accounts, None, tuple(keys), nobody.astype(np.int32), outcome, nobody.astype(np.int8), nobody)
    search = _Search(accounts, roster, tuple(keys))
    _apply_links(search, links or {})
    personal = np.asarray(pc.is_in(accounts.column("kind"), pa.array(OWNED_KINDS)))
    rows = np.flatnonzero(personal & (search.by < 0))
    search.settle(rows[search.master[rows] < 0])
    search.settle(rows[search.master[rows] >= 0])
    anchored = np.asarray(accounts.column("anchor").is_valid())
    unseen = (search.found == NOBODY) & anchored & (search.master < 0) & blind
    return _matches(search, spared, unseen)


def _matches(search: _Search, spared: Flags, unseen: Flags) -> Matches:
    found = search.found
    outcome = np.full(len(found), OUTCOME_CODE["owned"], np.int8)
    outcome[found == NOBODY] = OUTCOME_CODE["nobody"]
    outcome[found == SEVERAL] = OUTCOME_CODE["disputed"]
    outcome[(found == WITHHELD) | unseen] = OUTCOME_CODE["withheld"]
    outcome[spared] = OUTCOME_CODE["exempt"]
    owner = np.where(outcome == OUTCOME_CODE["owned"], found, -1).astype(np.int32)
    return Matches(search.accounts, search.roster, search.keys, owner, outcome, search.by, search.master)


def _apply_links(search: _Search, links: Mapping[tuple[str, str], str]) -> None:
    """Decisions of people go first; one about a person or an account not there tonight waits."""
    for (source, account_id), person_id in links.items():
        if source not in search.accounts.sources:
            continue
        row, person = search.accounts.row(source, account_id), search.roster.person_ids.index(person_id).as_py()
        if row is not None and person >= 0:
            search.found[row], search.by[row] = person, len(search.keys)


def _exempt(accounts: Accounts, patterns: Sequence[str]) -> Flags:
    """Accounts whose login, or its part before the @, fits a pattern in any case, or whose "source:id" is listed."""
    exempt = np.zeros(len(accounts), bool)
    if not patterns:
        return exempt
    logins = pc.utf8_lower(pc.fill_null(accounts.column("login"), ""))
    before = pc.replace_substring_regex(logins, "@.*$", "")
    for pattern in patterns:
        source, _, account_id = pattern.partition(":")
        if source in accounts.sources and account_id:
            row = accounts.row(source, account_id)
            exempt[[] if row is None else [row]] = True
        else:
            expression = "^" + re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".") + "$"
            for texts in (logins, before):
                exempt |= np.asarray(pc.match_substring_regex(texts, expression), bool)
    return exempt
