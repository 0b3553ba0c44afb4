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

import numpy as np
import numpy.typing as npt
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
    differs = {name: _differs(account, name) for name in attributes}
    drifting = reduce(pc.or_, (pc.fill_null(different, False) for different in differs.values()))
    nothing_told = reduce(pc.and_, (different.is_null() for different in differs.values()))
    answer = pc.if_else(nothing_told, pa.scalar(None, pa.bool_()), drifting)
    judged = account.kind.isin(["person"]) & account.enabled & account.current
    return Told(judged & pd.Series(pd.arrays.ArrowExtensionArray(answer)), lambda rows: {"drift": _shown(account, differs, rows)})


def _columns(name: str) -> tuple[str, str]:
    return _ON_ROSTER.get(name, f"person_{name}"), _ON_ACCOUNT.get(name, name)


def _differs(account: Rows, name: str) -> pa.Array:
    """Whether roster and account differ; null where one of them tells nothing. Only pairs unequal as they stand are looked at closely."""
    unequal = account.unequal(*_columns(name))
    close = np.flatnonzero(np.asarray(pc.fill_null(unequal, False)))
    ours, theirs = (_text(account.pick(column, close)) for column in _columns(name))
    if name not in SPELLED:
        ours, theirs = pc.utf8_lower(ours), pc.utf8_lower(theirs)
    really = pc.not_equal(ours, theirs)
    if name == "given_name":  # the preferred one will do
        preferred = pc.equal(_text(account.pick("preferred_name", close)), theirs)
        really = pc.and_(really, pc.invert(pc.fill_null(preferred, False)))
    return pc.replace_with_mask(unequal, pc.fill_null(unequal, False), really)


def _text(texts: pa.Array) -> pa.Array:
    """A text as compared: composed characters, no blanks around or doubled inside; an empty one tells nothing."""
    composed = pc.utf8_normalize(texts, "NFC")
    trimmed = pc.utf8_trim_whitespace(pc.replace_substring_regex(composed, r"\s+", " "))
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)


def _shown(account: Rows, differs: Mapping[str, pa.Array], rows: npt.NDArray[np.int64]) -> pa.Array:
    """Of some accounts the attributes that drift, each with what HR and what the account says."""
    pairs = [
        pa.StructArray.from_arrays(
            [account.pick(column, rows) for column in _columns(name)],
            ["hr", "account"],
            mask=pc.invert(pc.fill_null(different.take(pa.array(rows)), False)),
        )
        for name, different in differs.items()
    ]
    return pa.StructArray.from_arrays(pairs, list(differs))
