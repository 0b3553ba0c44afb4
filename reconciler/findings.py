"""Findings as columns: one table per policy, stored with the night, turned into Finding records when somebody reads them."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.errors import PluginError
from reconciler.model import SEVERITIES, AccountRef, EntitlementRef, Finding, PersonRef, instant_text
from reconciler.policy import Facts
from reconciler.view import View

Ids = npt.NDArray[np.uint64]

# How long each severity may stay open before it is overdue.
DUE_AFTER = {"critical": timedelta(days=1), "high": timedelta(days=3), "medium": timedelta(days=14), "low": timedelta(days=30)}

_WHO = {
    "person": ("person_id", "person_name", "person_status"),
    "account": ("account_id", "login", "account_name"),
    "entitlement": ("entitlement_id", "entitlement_name", "entitlement_kind"),
}
_ACTIVE = ("new", "open", "reopened")


@dataclass(frozen=True)
class Part:
    """The findings of one policy: `table` has id (uint64), state, first_seen, last_seen, source, area, who, evidence and words."""

    policy: str
    severity: str
    says: str
    remedies: tuple[str, ...]
    table: pa.Table

    @property
    def ids(self) -> Ids:
        ids: Ids = self.table["id"].to_numpy()
        return ids

    def about(self) -> dict[str, Any]:
        """What the manifest of a stored night keeps beside the table."""
        return {"policy": self.policy, "severity": self.severity, "says": self.says, "remedies": list(self.remedies)}

    def findings(
        self, rows: Sequence[int] | None = None, waivers: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Iterator[Finding]:
        """Rows as records, in the table's order."""
        table = self.table if rows is None else self.table.take(pa.array(rows, pa.int64()))
        for batch in table.to_batches(max_chunksize=4096):  # records of a hundred thousand rows at once would fill the memory
            for row in batch.to_pylist():
                yield self._finding(row, waivers or {})

    def _finding(self, row: Mapping[str, Any], waivers: Mapping[str, Mapping[str, Any]]) -> Finding:
        about = {thing: [row[n] for n in names] for thing, names in _WHO.items() if names[0] in row}
        person = PersonRef(*about["person"]) if about.get("person", [None])[0] else None
        account = AccountRef(row["source"], *about["account"]) if "account" in about else None
        held = about.get("entitlement", [None])
        entitlement = EntitlementRef(row["source"], *held) if held[0] else None
        name = id_text(row["id"])
        waiver = waivers.get(name) if row["state"] in _ACTIVE else None
        due = row["first_seen"] + DUE_AFTER[self.severity] if self.severity in DUE_AFTER else None
        return Finding(
            name, self.policy, self.severity, "waived" if waiver else row["state"], person, account, entitlement, row["source"],
            _Sentence().vformat(self.says, (), row["words"]), _json_ready(row["evidence"]), row["first_seen"], row["last_seen"],
            due, waiver, self.remedies,
        )  # fmt: skip


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """All findings of a night, the most severe policy first; records are made when asked for."""

    parts: tuple[Part, ...]
    waivers: Mapping[str, Mapping[str, Any]]

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> list[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | list[Finding]:
        wanted = range(len(self))[index]
        if isinstance(wanted, range):
            return [self[number] for number in wanted]
        for part in self._ordered:
            if wanted < part.table.num_rows:
                return next(part.findings([wanted], self.waivers))
            wanted -= part.table.num_rows
        raise IndexError(index)

    def __iter__(self) -> Iterator[Finding]:
        for part in self._ordered:
            yield from part.findings(None, self.waivers)

    def __len__(self) -> int:
        return sum(part.table.num_rows for part in self.parts)

    @property
    def _ordered(self) -> list[Part]:
        return sorted(self.parts, key=lambda part: (-SEVERITIES.index(part.severity), part.policy))


def id_text(number: int) -> str:
    return f"f-{number:016x}"


def id_number(text: str) -> int:
    return int(text.removeprefix("f-"), 16)


def identities(policy: str, view: View, rows: npt.NDArray[np.int64]) -> Ids:
    """The ids of some rows: a hash of the policy and the subject's immutable ids, and of nothing else."""
    parts = [view.pick(name, rows) for name in view.subject]
    texts = pc.binary_join_element_wise(policy, *parts, "\x1f").cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.blake2b(text, digest_size=8).digest() for text in texts])
    ids = np.frombuffer(digests, ">u8").astype(np.uint64)
    if len(np.unique(ids)) != len(ids):
        raise PluginError(f"policy {policy}: two findings about the same subject on the table {view.name}")
    return ids


def found(policy: Any, severity: str, view: View, rows: npt.NDArray[np.int64], facts: Facts | None) -> Part:
    """The findings of one policy's answer, not labelled yet."""

    def take(name: str) -> pa.Array:
        return view.pick(name, rows)

    columns: dict[str, Any] = {"id": pa.array(identities(policy.id, view, rows)), "source": take("source")}
    columns["area"] = take("area") if "area" in view.computed else pa.nulls(len(rows), pa.string())
    for names in _WHO.values():
        columns |= {name: take(name) for name in names if view.has(names[0])}
    evidence = {name: take(name) for name in policy.evidence} | dict(facts(rows) if facts else {})
    words = {name: take(name) for _, name, _, _ in string.Formatter().parse(policy.says) if name}
    columns |= {"evidence": _struct(evidence, len(rows)), "words": _struct(words, len(rows))}
    return Part(policy.id, severity, policy.says, policy.remedies, pa.table(columns))


def _struct(columns: Mapping[str, Any], length: int) -> pa.Array:
    return (
        pa.StructArray.from_arrays(list(columns.values()), list(columns)) if columns else pa.array([{}] * length, pa.struct([]))
    )


def labelled(part: Part, state: pa.Array, first_seen: pa.Array, last_seen: pa.Array) -> Part:
    table = part.table
    for name, column in (("state", state), ("first_seen", first_seen), ("last_seen", last_seen)):
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, column if name == "state" else column.cast(tables.INSTANT))
    return Part(part.policy, part.severity, part.says, part.remedies, table)


def _json_ready(value: Any) -> Any:
    """Evidence in JSON's own types; of a struct inside, only the fields that say something."""
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {k: _json_ready(v) if not isinstance(v, Mapping) else _told(v) for k, v in value.items()}
    return value


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _json_ready(v) for k, v in fields.items() if v is not None}


class _Sentence(string.Formatter):
    """Fills a policy's sentence: days as people write them, and what is not known said so."""

    def format_field(self, value: Any, spec: str) -> str:
        if value is None:
            return "an unknown day" if spec == "day" else "unknown"
        if isinstance(value, date):
            return f"{value.day} {value:%b %Y}"
        return format(value, "" if spec == "day" else spec)
