"""A source's answer while it arrives: ids become codes, columns get their types, and whole tables come out or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.columns import fitted
from reconciler.edges import distinct, edge_accounts, edge_entitlements, edge_keys
from reconciler.errors import Incomplete
from reconciler.shelf import Place, Shelf
from reconciler.vocabulary import Codes, Vocabulary

if TYPE_CHECKING:  # pydantic stands behind it, and a night from stored snapshots needs none
    from reconciler.connector import Page

ID_COLUMN = {"people": "person_id", "accounts": "account_id", "entitlements": "entitlement_id"}
_VIA_WORDS = pa.array(tables.VIA)
_NONE: Codes = np.empty(0, np.int64)
_SHELVED = 5000  # rows that go to the shelf together
_AT_ONCE = 1 << 18  # memberships whose ids are looked up together


@dataclass
class Draft:
    """A source's answer while it arrives, page by page; `freeze` turns a whole one into a Snapshot."""

    vocabularies: Mapping[str, Vocabulary]
    shelf: Shelf
    _new: dict[str, list[dict[str, pa.Array]]] = field(default_factory=dict)  # table -> pages that are not on the shelf yet
    _codes: dict[str, list[Codes]] = field(default_factory=dict)  # table -> a piece per page
    _parts: dict[str, dict[str, list[Place]]] = field(default_factory=dict)  # table -> column -> pieces
    _waiting: list[pa.RecordBatch] = field(default_factory=list)  # memberships, encoded many at a time
    _edges: list[Codes] = field(default_factory=list)
    _since: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, page: Page) -> None:
        """Take one page in: ids become codes, columns get the table's types; raises Incomplete on a column or value that does not fit."""
        table = tables.TABLES[page.table]
        unknown = set(page.columns) - set(table.names)
        if unknown:
            raise Incomplete(f"{page.table}: the connector sent unknown columns {sorted(unknown)}")
        columns = {column.name: _column(page, column) for column in table.columns}
        if page.table == "grants":
            return self._add_grants(pa.RecordBatch.from_arrays(list(columns.values()), table.names))
        key = ID_COLUMN[page.table]
        ids = _told(columns[key], f"{page.table}: a row of {page.scope or 'a page'} has no {key}")
        codes = self.vocabularies[page.table].encode(ids)
        if not self.vocabularies[page.table].sure(codes, ids):
            raise Incomplete(f"{page.table}: two ids have one hash, which happens once in a million years; run again")
        self._codes.setdefault(page.table, []).append(codes.astype(np.int32))
        new = self._new.setdefault(page.table, [])
        new.append(columns)
        if sum(len(page[key]) for page in new) >= _SHELVED:
            self._shelve(page.table)
        return None

    def _shelve(self, table: str) -> None:
        new = self._new.pop(table)
        parts = self._parts.setdefault(table, {name: [] for name in new[0]})
        for name, places in parts.items():
            places.append(self.shelf.put(tables.whole(pa.chunked_array([columns[name] for columns in new]))))

    def _add_grants(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= _AT_ONCE:
            self._encode_grants()

    def _encode_grants(self) -> None:
        """Make edges of the memberships that wait."""
        waiting, self._waiting = pa.Table.from_batches(self._waiting).combine_chunks(), []
        accounts, entitlements, via = (
            _told(tables.whole(waiting[name]), f"grants: a membership has no {name}")
            for name in ("account_id", "entitlement_id", "via")
        )
        since = tables.whole(waiting["since"])
        edges = edge_keys(
            self.vocabularies["accounts"].encode(accounts),
            self.vocabularies["entitlements"].encode(entitlements.dictionary)[entitlements.indices.to_numpy()],
            pc.index_in(via.dictionary, value_set=_VIA_WORDS).to_numpy()[via.indices.to_numpy()],
        )
        self._edges.append(edges)
        if since.null_count < len(since):
            held = [pa.array(edges).filter(since.is_valid()), since.drop_null()]
            self._since.append(pa.RecordBatch.from_arrays(held, ["edge", "since"]))

    def tables(self) -> dict[str, pa.Table]:
        """The whole answer, checked: ids distinct, every grant's account and entitlement read; raises Incomplete otherwise.

        The draft is empty then.
        """
        if self._waiting:
            self._encode_grants()
        for name in list(self._new):
            self._shelve(name)
        edges = self._taken_edges()
        listed: dict[str, Codes] = {name: np.concatenate(self._codes.pop(name)) for name in list(self._codes)}
        self._check(edges, listed)
        made = {name: self._table(name, codes) for name, codes in listed.items()}
        if len(edges) or "accounts" in made:
            made["grants"] = pa.table({"edge": edges})
        if self._since:
            made["grants_since"] = pa.Table.from_batches(self._since).sort_by("edge")
        return made

    def _table(self, name: str, codes: Codes) -> pa.Table:
        """A table of its pieces, in the order of the codes; one column after the other, since pieces and whole take twice the memory."""
        order = None if np.all(codes[1:] >= codes[:-1]) else np.argsort(codes, kind="stable")
        made = {"code": pa.array(codes if order is None else codes[order])}
        for column, parts in self._parts.pop(name).items():
            whole = tables.whole(pa.chunked_array([self.shelf.get(part) for part in parts]))
            made[column] = whole if order is None else whole.take(pa.array(order))
        return pa.table(made)

    def _taken_edges(self) -> Codes:
        edges, self._edges = np.concatenate([np.empty(0, np.int64), *self._edges]), []
        return distinct(edges)

    def _check(self, edges: Codes, listed: Mapping[str, Codes]) -> None:
        for name in ("accounts", "entitlements"):  # a person may have several employments, an id of an account names one
            codes = np.sort(listed.get(name, _NONE))
            twice = codes[1:][codes[1:] == codes[:-1]]
            if len(twice):
                raise Incomplete(
                    f"{name}: {len(twice)} ids came twice, the first is {self.vocabularies[name].name(int(twice[0]))}"
                )
        for name, ends in (("accounts", edge_accounts), ("entitlements", edge_entitlements)):
            self._check_ends(name, ends(edges), listed.get(name, _NONE))

    def _check_ends(self, name: str, ends: Codes, listed: Codes) -> None:
        """A membership of somebody the listing does not hold means that the listing is short."""
        known = np.zeros(len(self.vocabularies[name]) + 1, bool)
        known[listed] = True
        strangers = np.unique(ends[~known[ends]])
        if len(strangers):
            example = self.vocabularies[name].name(int(strangers[0]))
            raise Incomplete(
                f"memberships name {len(strangers)} {name} that the listing does not hold, e.g. {example}: the listing is short"
            )


def _told(ids: pa.Array, otherwise: str) -> pa.Array:
    """A column that no row may lack; raises Incomplete."""
    words = ids.dictionary if pa.types.is_dictionary(ids.type) else ids
    if ids.null_count or pc.index(words, "").as_py() >= 0:
        raise Incomplete(otherwise)
    return ids


def _column(page: Page, column: tables.Column) -> pa.Array:
    values = page.columns.get(column.name)
    if values is None:
        return pa.nulls(len(page), column.held)
    made = fitted(values, column, f"{page.table}.{column.name}: a value of {page.scope or 'a page'}")
    strange = set(made.dictionary.to_pylist()) - set(column.words) if column.words else ()
    if strange:
        raise Incomplete(f"{page.table}.{column.name}: unknown word {sorted(strange)[0]!r}; allowed: {', '.join(column.words)}")
    return made
