"""What became of single records between two nights: people, accounts and entitlements that came, went or read differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.model import instant_text
from reconciler.snapshots import Snapshot

_NAMED = {
    "people": ("person_id", ("display_name",)),
    "accounts": ("account_id", ("login", "display_name", "upn")),
    "entitlements": ("entitlement_id", ("name",)),
}
Ints = npt.NDArray[np.int64]


def changed_records(new: Snapshot, old: Snapshot) -> Iterator[dict[str, Any]]:
    """Every record of a source that differs; what changes by itself, such as the last sign-in, is left out."""
    for table, (key, names) in _NAMED.items():
        if table not in new.manifest["tables"] and table not in old.manifest["tables"]:
            continue
        now, before = (s.table(table) if table in s.manifest["tables"] else None for s in (new, old))
        about = {"source": new.source, "table": table}
        for record in _differences(now, before):
            told = record.pop("row")
            named = next((told[name] for name in names if told[name]), None) or _full_name(told)
            yield {**about, "id": told[key], "name": named, **record}


def _full_name(told: Mapping[str, Any]) -> str | None:
    return " ".join(filter(None, (told.get("given_name"), told.get("family_name")))) or None


def _differences(now: pa.Table | None, before: pa.Table | None) -> Iterator[dict[str, Any]]:
    at_now, at_before = _rows(now), _rows(before)
    for code in sorted(at_now.keys() - at_before.keys()):
        yield {"row": _row(now, at_now[code][0]), "change": "added", "columns": {}}
    for code in sorted(at_before.keys() - at_now.keys()):
        yield {"row": _row(before, at_before[code][0]), "change": "removed", "columns": {}}
    common = sorted(at_now.keys() & at_before.keys())
    if now is None or before is None or not common:
        return
    single = [code for code in common if len(at_now[code]) == len(at_before[code]) == 1]
    rows, earlier = (np.array([at[code][0] for code in single], np.int64) for at in (at_now, at_before))
    yield from _changed(now, before, rows, earlier)
    for code in set(common) - set(single):
        yield from _employments([_row(now, r) for r in at_now[code]], [_row(before, r) for r in at_before[code]])


def _rows(table: pa.Table | None) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row, code in enumerate(table["code"].to_pylist() if table is not None else ()):
        found.setdefault(code, []).append(row)
    return found


def _changed(now: pa.Table, before: pa.Table, rows: Ints, earlier: Ints) -> Iterator[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for name in (name for name in now.column_names if name != "code"):
        new, old = now[name].take(pa.array(rows)), before[name].take(pa.array(earlier))
        for at in np.flatnonzero(_differ(new, old)).tolist():
            found.setdefault(at, {})[name] = {"before": _plain(old[at].as_py()), "after": _plain(new[at].as_py())}
    for at, columns in sorted(found.items()):
        yield {"row": _row(now, int(rows[at])), "change": "changed", "columns": columns}


def _differ(new: pa.ChunkedArray, old: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    if pa.types.is_list(new.type):
        new, old = (pc.binary_join(column, "\n") for column in (new, old))
    unequal = pc.fill_null(pc.not_equal(new, old), False)
    return np.asarray(pc.or_(unequal, pc.xor(new.is_null(), old.is_null())), bool)


def _employments(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A person with several employments: which columns read differently over all of them."""
    columns: dict[str, Any] = {}
    for name in (name for name in new[0] if name != "code"):
        after, before = (sorted({str(_plain(row[name])) for row in rows}) for rows in (new, old))
        if after != before:
            columns[name] = {"before": before, "after": after}
    if len(new) != len(old):
        columns["employments"] = {"before": len(old), "after": len(new)}
    if columns:
        yield {"row": new[0], "change": "changed", "columns": columns}


def _row(table: pa.Table | None, row: int) -> dict[str, Any]:
    assert table is not None  # noqa: S101 - a row exists only where its table does
    told: Mapping[str, Any] = table.slice(row, 1).to_pylist()[0]
    return dict(told)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float, list)):
        return value
    return instant_text(value) if hasattr(value, "hour") else value.isoformat()
