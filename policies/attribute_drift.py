"""An account says something else about its owner than HR does.

Why it matters
    Wrong departments and managers send approvals to the wrong person; wrong names hide whose account it is.
How to fix
    Correct the attribute where the account is mastered, or on the roster.
Can be wrong when
    A system keeps names in another script or a title of its own; leave that attribute out of `attributes`.
"""

from collections.abc import Mapping
from functools import reduce

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.policy import Estate, Rows, Told, policy

ATTRIBUTES = ("given_name", "family_name", "display_name", "department", "job_title", "manager", "email")
SPELLED = ("given_name", "family_name", "display_name")  # compared letter by letter; the others in any case

_ON_ACCOUNT = {"manager": "manager_person_id"}
_ON_ROSTER = {"manager": "manager_id", "email": "work_email"}


@policy(
    "attribute-drift",
    on="owned_accounts",
    severity="low",
    says="{login} on {source} differs from what HR says about {person_name}",
    evidence=("matched_by", "mastered_by"),
    remedies=("set-attribute",),
    controls=("ISO 27001 A.5.16",),
)
def attribute_drift(account: Rows, estate: Estate, *, attributes: tuple[str, ...] = ATTRIBUTES) -> Told:
    sides = {name: (_text(account, _ON_ROSTER.get(name, f"person_{name}")), _text(account, _ON_ACCOUNT.get(name, name))) for name in attributes}
    differs = {name: _differs(account, name, *both) for name, both in sides.items()}
    drifting = reduce(pc.or_, (pc.fill_null(different, False) for different in differs.values()))
    nothing_told = reduce(pc.and_, (different.is_null() for different in differs.values()))
    answer = pc.if_else(nothing_told, pa.scalar(None, pa.bool_()), drifting)
    judged = account.kind.isin(["person"]) & account.enabled & account.current
    return Told(judged & pd.Series(pd.arrays.ArrowExtensionArray(answer)), {"drift": _shown(sides, differs)})


def _text(account: Rows, column: str) -> pa.Array:
    """A column as compared: composed characters, no blanks around or doubled inside; an empty text tells nothing."""
    texts = pc.utf8_normalize(pa.array(getattr(account, column)), "NFC")
    texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"\s+", " "))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _differs(account: Rows, name: str, on_roster: pa.Array, on_account: pa.Array) -> pa.Array:
    """Whether the two differ; null where one of them is not told. A given name may be the preferred one."""
    if name == "given_name":
        preferred = pc.fill_null(pc.equal(_text(account, "preferred_name"), on_account), False)
        return pc.and_(pc.not_equal(on_roster, on_account), pc.invert(preferred))
    if name in SPELLED:
        return pc.not_equal(on_roster, on_account)
    return pc.not_equal(pc.utf8_lower(on_roster), pc.utf8_lower(on_account))


def _shown(sides: Mapping[str, tuple[pa.Array, pa.Array]], differs: Mapping[str, pa.Array]) -> pa.Array:
    """Per account the attributes that drift, each with what HR and what the account says."""
    pairs = []
    for name, (on_roster, on_account) in sides.items():
        pair = pa.StructArray.from_arrays([_one(on_roster), _one(on_account)], ["hr", "account"])
        pairs.append(pc.if_else(_one(pc.fill_null(differs[name], False)), pair, pa.scalar(None, pair.type)))
    return pa.StructArray.from_arrays(pairs, list(sides))


def _one(column: pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
