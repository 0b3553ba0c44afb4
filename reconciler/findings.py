"""Findings as columns: one table per policy, stored with the night, turned into Finding records when somebody reads them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from reconciler import tables
from reconciler.errors import PluginError
from reconciler.model import SEVERITIES, AccountRef, EntitlementRef, Finding, PersonRef, instant_text
from reconciler.policy import Facts, Policy
from reconciler.view import View

Ids = npt.NDArray[np.uint64]
Notes = Mapping[str, Mapping[str, Any]]  # finding -> what else is known of it

# How long each severity may stay open before it is overdue.
DUE_AFTER = {"critical": timedelta(days=1), "high": timedelta(days=3), "medium": timedelta(days=14), "low": timedelta(days=30)}

_WHO = {
    "person": ("person_id", "person_name", "person_status"),
    "account": ("account_id", "login", "account_name"),
    "entitlement": ("entitlement_id", "entitlement_name", "entitlement_kind"),
}
_ACTIVE = ("new", "open", "reopened")
_HASH_KEY = "identity-finding"  # 16 bytes; another key would give every finding another id


@dataclass(frozen=True)
class Part:
    """The findings of one policy: `table` has id (uint64), state, first_seen, last_seen, source, area, who, evidence, and
    under `words` what the sentence needs beside these."""

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
        self, rows: Sequence[int] | None = None, waivers: Notes | None = None, settling: Notes | None = None
    ) -> Iterator[Finding]:
        """Rows as records, in the table's order; `settling` tells of changes that were made for some of them."""
        table = self.table if rows is None else self.table.take(pa.array(rows, pa.int64()))
        for batch in table.to_batches(max_chunksize=4096):  # records of a hundred thousand rows at once would fill the memory
            for row in batch.to_pylist():
                found = self._finding(row, waivers or {})
                yield _settling(found, settling[found.id]) if settling and found.id in settling else found

    def _finding(self, row: Mapping[str, Any], waivers: Notes) -> Finding:
        about = {thing: [row[n] for n in names] for thing, names in _WHO.items() if names[0] in row}
        person = PersonRef(*about["person"]) if about.get("person", [None])[0] else None
        account = AccountRef(row["source"], *about["account"]) if "account" in about else None
        held = about.get("entitlement", [None])
        entitlement = EntitlementRef(row["source"], *held) if held[0] else None
        name, evidence = id_text(row["id"]), row.get("evidence") or {}
        waiver = waivers.get(name) if row["state"] in _ACTIVE else None
        due = row["first_seen"] + DUE_AFTER[self.severity] if self.severity in DUE_AFTER else None
        return Finding(
            name, self.policy, self.severity, "waived" if waiver else row["state"], person, account, entitlement, row["source"],
            _Sentence().vformat(self.says, (), {**row, **evidence, **(row.get("words") or {})}), _json_ready(evidence),
            row["first_seen"], row["last_seen"],
            due, waiver, self.remedies,
        )  # fmt: skip


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """All findings of a night, the most severe policy first; records are made when asked for."""

    parts: tuple[Part, ...]
    waivers: Notes
    settling: Notes = field(default_factory=dict)

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
                return next(part.findings([wanted], self.waivers, self.settling))
            wanted -= part.table.num_rows
        raise IndexError(index)

    def __iter__(self) -> Iterator[Finding]:
        for part in self._ordered:
            yield from part.findings(None, self.waivers, self.settling)

    def __len__(self) -> int:
        return sum(part.table.num_rows for part in self.parts)

    @property
    def _ordered(self) -> list[Part]:
        return sorted(self.parts, key=lambda part: (-SEVERITIES.index(part.severity), part.policy))


def _settling(finding: Finding, note: Mapping[str, Any]) -> Finding:
    """A finding that a change was made for: said so, and graver when it should be gone by now."""
    told = {**finding.evidence, "applied": dict(note)}
    if finding.state not in (*_ACTIVE, "unverified"):
        return finding
    if not note["late"]:
        return replace(
            finding, evidence=told, summary=f"{finding.summary}; changed by plan {note['plan']}, which may not show yet"
        )
    words = f"{finding.summary}; plan {note['plan']} changed it at {note['applied_at']}, and it has not settled"
    return replace(finding, evidence=told, summary=words, severity=raised(finding.severity))


def raised(severity: str) -> str:
    """One step graver, if there is one."""
    return SEVERITIES[min(SEVERITIES.index(severity) + 1, len(SEVERITIES) - 1)]


def id_text(number: int) -> str:
    return f"f-{number:016x}"


def id_number(text: str) -> int:
    return int(text.removeprefix("f-"), 16)


def identities(policy: str, subject: Sequence[pa.Array]) -> Ids:
    """The ids of findings: a hash of the policy and the subject's immutable ids, and of nothing else.

    The hash is SipHash-2-4 under a published key: 64 bits that nobody can make collide without trying two to the 32 subjects,
    and the same on every machine. Raises PluginError when two findings are about the same subject.
    """
    texts = pc.binary_join_element_wise(policy, *subject, "\x1f").to_numpy(zero_copy_only=False)
    ids: Ids = hash_array(texts, hash_key=_HASH_KEY, categorize=False)
    ordered = np.sort(ids)
    if np.any(ordered[1:] == ordered[:-1]):
        raise PluginError(f"policy {policy}: two findings about the same subject ({' and '.join(_twice(texts, ids))})")
    return ids


def _twice(texts: npt.NDArray[np.object_], ids: Ids) -> list[str]:
    """Two subjects with one id."""
    order = np.argsort(ids, kind="stable")
    first = int(np.flatnonzero(np.diff(ids[order]) == 0)[0])
    return [str(texts[order[at]]).replace("\x1f", " ") for at in (first, first + 1)]


@dataclass(frozen=True)
class Hit:
    """The rows of a table for which a policy's answer is yes, and the policy's own facts about them."""

    policy: Policy
    severity: str
    rows: npt.NDArray[np.int64]
    facts: Facts | None = None

    def told(self, view: View) -> dict[str, list[str]]:
        """The columns its findings tell, by where they stand; what a sentence needs and another place has is not told twice."""
        who = [name for names in _WHO.values() if view.has(names[0]) for name in names]
        area = ["area"] if view.has("area") else []
        spoken = [name for _, name, _, _ in string.Formatter().parse(self.policy.says) if name]
        words = dict.fromkeys(name for name in spoken if name not in (*who, *self.policy.evidence, "source"))
        return {"": ["source", *area, *who], "evidence": list(self.policy.evidence), "words": list(words)}


def found(view: View, hits: Sequence[Hit]) -> list[Part]:
    """The findings of every policy put to one table, not labelled yet; each column is picked once for all of them."""
    wanted: dict[str, list[Hit]] = {}
    for hit in hits:
        for name in {*view.subject, *(name for names in hit.told(view).values() for name in names)}:
            wanted.setdefault(name, []).append(hit)
    picked: dict[tuple[str, str], pa.Array] = {}
    for name, asking in sorted(wanted.items()):
        values, begin = view.pick(name, np.concatenate([hit.rows for hit in asking])), 0
        for hit in asking:
            picked[hit.policy.id, name] = values.slice(begin, len(hit.rows))
            begin += len(hit.rows)
    return [
        _part(view, hit, {name: values for (policy, name), values in picked.items() if policy == hit.policy.id}) for hit in hits
    ]


def _part(view: View, hit: Hit, picked: Mapping[str, pa.Array]) -> Part:
    told = {place: {name: picked[name] for name in names} for place, names in hit.told(view).items()}
    ids = identities(hit.policy.id, [picked[name] for name in view.subject])
    columns: dict[str, Any] = {"id": pa.array(ids), "area": pa.nulls(len(ids), pa.string()), **told[""]}
    evidence = {**told["evidence"], **(hit.facts(hit.rows) if hit.facts else {})}
    for name, fields in (("evidence", evidence), ("words", told["words"])):
        if fields:
            columns[name] = pa.StructArray.from_arrays(list(fields.values()), list(fields))
    return Part(hit.policy.id, hit.severity, hit.policy.says, hit.policy.remedies, pa.table(columns))


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
