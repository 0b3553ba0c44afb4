"""Immutable, content-addressed tables: what a source certified on one night, with ids as integers.

A snapshot is a manifest (JSON, with the proof of completeness) that names Parquet objects by their SHA-256. Accounts,
entitlements and people get an integer code from a vocabulary that only ever grows and never reuses a code; a
membership is one sorted int64, `account code << 32 | entitlement code << 3 | via`. Volatile columns (sign-ins) lie
apart from stable ones, so a quiet night adds little. Files are 0600, folders 0700, under any umask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconciler import tables
from reconciler.disk import private_folder, write_private, writing
from reconciler.draft import ID_COLUMN, Draft
from reconciler.errors import Stale
from reconciler.shelf import NOT_KEPT, Shelf
from reconciler.vocabulary import Codes, Vocabulary

_SMALL = 2000  # rows of a table that is kept whole once a column of it was asked for
_WORDS_BYTES = 16 << 20  # so that the words of a repeating column stay in one dictionary


@dataclass(frozen=True)
class Snapshot:
    """One complete answer of one source. Only `Archive.freeze` and `Archive.open` make one, so a partial one cannot exist."""

    folder: Path
    sha256: str
    manifest: Mapping[str, Any]

    @property
    def source(self) -> str:
        return str(self.manifest["source"])

    def rows(self, table: str) -> int:
        return int(self.manifest["tables"].get(table, {}).get("rows", 0))

    @property
    def people(self) -> int:
        """How many distinct people a roster names."""
        return int(pc.count_distinct(self.column("people", "person_id")).as_py())

    def column(self, table: str, name: str) -> pa.ChunkedArray:
        """One column of a table, in code order, repeating texts as codes; without rows where the source has no such table."""
        column = tables.Column("code", pa.int32()) if name == "code" else tables.TABLES[table].column(name)
        stored = f"{table}_volatile" if column.volatile else table
        if stored not in self.manifest["tables"]:
            return pa.chunked_array([], column.held)
        return self.table(stored, [name])[name]

    def table(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of a stored table; raises Stale when a stored file is missing or was cut."""
        if self.rows(table) <= _SMALL:
            whole = self._small[table] if table in self._small else self._small.setdefault(table, self._read(table, None))
            return whole if columns is None else whole.select(columns)
        return self._read(table, columns)

    def _read(self, table: str, columns: Sequence[str] | None) -> pa.Table:
        coded = [column.name for column in _columns(table) if column.held == tables.CODED]
        return read_table(_object(self.folder, self.manifest["tables"][table]["sha256"], "parquet"), columns, coded)

    @cached_property
    def _small(self) -> dict[str, pa.Table]:
        """Small tables, kept whole: opening the file for one column after the other takes longer."""
        return {}

    @cached_property
    def edges(self) -> Codes:
        """Every membership as a sorted int64 key, kept for the next question."""
        return self.read_edges()

    def read_edges(self) -> Codes:
        """Every membership as a sorted int64 key, for one question."""
        if "grants" not in self.manifest["tables"]:
            return np.empty(0, np.int64)
        edges: Codes = self.table("grants")["edge"].to_numpy()
        return edges

    @cached_property
    def entitlements(self) -> pa.Table:
        return self.table("entitlements") if "entitlements" in self.manifest["tables"] else empty_table("entitlements")

    @cached_property
    def rows_of_accounts(self) -> npt.NDArray[np.int32]:
        """For every account code ever given, its row tonight, or -1."""
        return _positions(self.column("accounts", "code"))


def read_table(path: Path, columns: Sequence[str] | None = None, coded: Sequence[str] = ()) -> pa.Table:
    """A stored Parquet object, or some of its columns, `coded` ones as codes; raises Stale when the file is missing or was cut."""
    try:
        with pq.ParquetFile(path, memory_map=True, read_dictionary=list(coded)) as file:
            return file.read(None if columns is None else list(columns))
    except (OSError, pa.ArrowInvalid) as problem:
        raise Stale(
            f"{path} cannot be read: {problem}; was the state folder moved? `reconciler run` reads the source again"
        ) from None


def _positions(codes: pa.ChunkedArray) -> npt.NDArray[np.int32]:
    numbers = codes.to_numpy()
    rows = np.full(int(numbers.max()) + 1 if len(numbers) else 0, -1, np.int32)
    rows[numbers] = np.arange(len(numbers), dtype=np.int32)
    return rows


def empty_table(name: str) -> pa.Table:
    return pa.schema([("code", pa.int32()), *((c.name, c.held) for c in tables.TABLES[name].columns)]).empty_table()


def _columns(table: str) -> tuple[tables.Column, ...]:
    return tables.TABLES[table].columns if table in tables.TABLES and table != "grants" else ()


def _volatile(table: str, name: str) -> bool:
    return any(column.name == name and column.volatile for column in _columns(table))


@dataclass(frozen=True)
class Archive:
    """The folder of all snapshots."""

    folder: Path

    def draft(self, last: Snapshot | None) -> Draft:
        """An empty draft that continues last night's vocabularies."""
        with writing(self.folder, NOT_KEPT):
            shelf = Shelf(private_folder(self.folder))
        return Draft({name: Vocabulary(self._texts(last, name)) for name in ID_COLUMN}, shelf)

    def _texts(self, last: Snapshot | None, name: str) -> pa.Array | None:
        if last is None or name not in last.manifest["vocabularies"]:
            return None
        path = _object(self.folder, last.manifest["vocabularies"][name], "parquet")
        return tables.whole(pq.read_table(path)["id"])

    def freeze(self, draft: Draft, about: Mapping[str, Any]) -> Snapshot:
        """Write a whole draft; `about` is the manifest's own part (source, times, proof). Raises Incomplete when it is not whole."""
        fill: dict[str, dict[str, float]] = {}
        parts: list[tuple[str, str, pa.Table, list[str]]] = []  # (kind, name, table, columns without a dictionary)
        for name, table in draft.tables().items():
            parts += [("tables", part, columns, _unlike(name)) for part, columns in _parts(name, table)]
            fill[name] = {
                c: round(1 - table[c].null_count / max(1, table.num_rows), 6) for c in table.column_names if c != "code"
            }
        parts += [("vocabularies", n, pa.table({"id": v.texts()}), ["id"]) for n, v in draft.vocabularies.items() if len(v)]
        draft.vocabularies = {}  # hundreds of megabytes, and they are written now
        with ThreadPoolExecutor(2) as threads:
            hashes = list(threads.map(lambda part: self.put_table(part[2], part[3]), parts))
        stored: dict[str, dict[str, Any]] = {"tables": {}, "vocabularies": {}}
        for (kind, name, table, _), sha256 in zip(parts, hashes, strict=True):
            stored[kind][name] = {"rows": table.num_rows, "sha256": sha256} if kind == "tables" else sha256
        manifest = {**about, **stored, "fill": fill}
        return Snapshot(self.folder, self.put_json(manifest), manifest)

    def proven(self, manifest: Mapping[str, Any]) -> Snapshot:
        """The same tables under a manifest that says what was proven of them."""
        return Snapshot(self.folder, self.put_json(manifest), manifest)

    def open(self, sha256: str) -> Snapshot:
        """A stored snapshot by its hash; raises Stale when it is missing or altered."""
        return Snapshot(self.folder, sha256, self.get_json(sha256))

    def put_json(self, value: Mapping[str, Any]) -> str:
        """Store an object as canonical JSON; returns its SHA-256."""
        body = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        return self._store(body, "json")

    def get_json(self, sha256: str) -> dict[str, Any]:
        """A stored object by its hash; raises Stale when it is missing or altered."""
        path = _object(self.folder, sha256, "json")
        try:
            body = path.read_bytes()
        except OSError as problem:
            raise Stale(f"{path} cannot be read: {problem.strerror}; was the state folder moved?") from None
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Stale(f"{path} was altered; restore it from a backup")
        made: dict[str, Any] = json.loads(body)
        return made

    def get_table(self, sha256: str) -> pa.Table:
        """A stored table by its hash; raises Stale when it is missing or cut."""
        return read_table(_object(self.folder, sha256, "parquet"))

    def put_table(self, table: pa.Table, unlike: Sequence[str] = ()) -> str:
        """Store a table as Parquet, columns whose values are all `unlike` without a dictionary; returns its SHA-256."""
        sink = pa.BufferOutputStream()
        edges = "edge" in table.column_names
        pq.write_table(
            table, sink, compression="zstd", use_dictionary=[c for c in table.column_names if c not in ("edge", "code", *unlike)],
            column_encoding={c: "DELTA_BINARY_PACKED" for c in ("edge", "code") if c in table.column_names},
            write_statistics=edges, dictionary_pagesize_limit=_WORDS_BYTES,
        )  # fmt: skip
        return self._store(memoryview(sink.getvalue()), "parquet")

    def _store(self, body: bytes | memoryview, suffix: str) -> str:
        sha256 = hashlib.sha256(body).hexdigest()
        path = _object(self.folder, sha256, suffix)
        if not path.exists():
            with writing(self.folder, NOT_KEPT):
                write_private(path, body)
        return sha256


def _unlike(table: str) -> list[str]:
    """Columns whose texts do not repeat."""
    return [column.name for column in _columns(table) if column.held == pa.string()]


def _parts(name: str, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """A table as it is stored: its stable columns, and apart from them its volatile ones."""
    volatile = [c for c in table.column_names if _volatile(name, c)]
    yield name, table.drop_columns(volatile) if volatile else table
    if volatile:
        yield f"{name}_volatile", table.select(["code", *volatile])


def _object(folder: Path, sha256: str, suffix: str) -> Path:
    return folder / sha256[:2] / f"{sha256}.{suffix}"
