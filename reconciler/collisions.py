"""Two rosters, one number, two people: a contractor's 100 is not the employee's 100, and nobody may be taken for the other.

Rosters are united before anybody is missed, so a person may stand in several of them. One number with two names is a
contradiction, as it is within one roster: both people are withheld, and HR hears of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler import tables
from reconciler.snapshots import Snapshot

NAMES = ("given_name", "family_name")


def collisions(snapshots: Sequence[Snapshot]) -> Iterator[Mapping[str, object]]:
    """A defect for every number that several rosters give to people of different names, one for each roster."""
    if len(snapshots) < 2:
        return
    told = pd.concat([_told(snapshot) for snapshot in snapshots], ignore_index=True)
    for number, rows in told[told["person_id"].isin(_several(told))].groupby("person_id", sort=True):
        whole = rows[NAMES[0]].str.cat(rows[list(NAMES[1:])], sep=" ", na_rep="").str.strip()
        names = dict(zip(rows["source"], whole, strict=True))
        for source, name in names.items():
            others = ", ".join(f"{other!r} in {where}" for where, other in names.items() if where != source)
            employee = rows.loc[rows["source"] == source, "employee_id"].iloc[0]
            yield _defect(source, str(employee), name, f"{number} is {name!r} here and {others}")


def _told(snapshot: Snapshot) -> pd.DataFrame:
    columns = {n: tables.plain(tables.whole(snapshot.column("people", n))) for n in ("person_id", "employee_id", *NAMES)}
    return pa.table(columns).to_pandas().assign(source=snapshot.source)


def _several(told: pd.DataFrame) -> pd.Index:
    """Numbers that more than one roster has, with more than one name; a name that is not told contradicts nothing."""
    several = told.groupby("person_id")["source"].nunique()
    shared = told[told["person_id"].isin(several.index[several > 1])]
    plain = shared.assign(**{n: _normal(shared[n]) for n in NAMES})
    names = plain.groupby("person_id")[list(NAMES)].nunique()
    return names.index[(names > 1).any(axis=1)]


def _normal(names: pd.Series) -> pd.Series:
    folded = pc.utf8_lower(pc.utf8_normalize(pc.utf8_trim_whitespace(pa.array(names, pa.string(), from_pandas=True)), "NFC"))
    return pd.Series(folded.to_pandas().to_numpy(), index=names.index).replace("", None)


def _defect(source: str, employee: str, name: str, problem: str) -> Mapping[str, object]:
    return {
        "source": source, "employee_id": employee, "line": 0, "column": "employee_id", "found": name, "allowed": "one person to a number, in all rosters",
        "problem": problem, "rejected": False, "name": name, "work_email": None,
    }  # fmt: skip
