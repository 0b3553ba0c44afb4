"""What came of a reading under a fault: an honest error, an honest word about what is missing, the whole truth, or silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reconciler.connector import Answer, Ended, Identity, Page, SourceError, Unreadable
from reconciler.tables import AREA_OF_KIND

Rows = list[dict[str, Any]]
Truth = Mapping[str, Rows]

RAISED, PINNED, SHORT, SAID, WHOLE, SILENT, CRASHED, BESIDE = (
    "an error", "another identity, which the pin refuses", "short of its own count, which is refused", "an area named as unread, all else whole",
    "whole", "SILENT", "an error nobody planned",
    "less than the night before, which is noticed",
)  # fmt: skip
OUTCOMES = (WHOLE, RAISED, SAID, SHORT, PINNED, BESIDE, CRASHED, SILENT)
COLUMNS = {
    "sign_in": ("last_login_at", "never_logged_in"),
    "roles": ("privileged",),
    "mfa": ("mfa",),
    "managers": ("manager_account_id",),
}
# A second factor, or who leads somebody, may be left untold of a few: then it is not known of them, which is no wrong answer.
OF_THE_DELETED = ("account_id", "state_reason", "enabled", "employee_id")  # what is concluded from; the rest only names them
MAY_BE_UNTOLD, FEW_UNTOLD = ("mfa", "manager_account_id", "last_login_at", "never_logged_in"), 20


def truth_of(found: Iterable[Answer]) -> Truth:
    """Every table, in rows."""
    made: dict[str, Rows] = {"accounts": [], "entitlements": [], "grants": []}
    for page in (answer for answer in found if isinstance(answer, Page)):
        made[page.table] += page.rows()
    return made


def outcome(read: Callable[[], Sequence[Answer]], truth: Truth, identity: str) -> str:
    """The word for what comes of one reading."""
    try:
        found = read()
    except SourceError:
        return RAISED
    except Exception:  # noqa: BLE001 - a plugin's own error becomes an error of its source in a night; here it is counted apart
        return CRASHED
    if {a.value for a in found if isinstance(a, Identity)} != {identity}:
        return PINNED
    if any(isinstance(a, Ended) and a.declared not in (None, a.rows) for a in found):
        return SHORT
    areas = {a.area for a in found if isinstance(a, Unreadable)}
    if _shown(truth_of(found), truth, areas) != _shown(truth, truth_of(found), areas):
        return SILENT
    return SAID if areas else WHOLE


def _shown(one: Truth, other: Truth, areas: set[str]) -> Mapping[str, list[str]]:
    """The tables in words and in order, without what stands on areas that were not read."""
    blank = {name for area in areas for name in COLUMNS.get(area, ())}
    accounts = [row for row in one["accounts"] if "deleted" not in areas or row.get("state_reason") != "deleted"]
    for name in MAY_BE_UNTOLD:
        untold = {row["account_id"] for row in (*one["accounts"], *other["accounts"]) if row.get(name) is None}
        if len(untold) <= FEW_UNTOLD:
            accounts = [row | ({name: None} if row["account_id"] in untold else {}) for row in accounts]
    accounts = [
        {
            name: value
            for name, value in row.items()
            if name not in blank and (name in OF_THE_DELETED or row.get("state_reason") != "deleted")
        }
        for row in accounts
    ]
    lost = {row["entitlement_id"] for row in (*one["entitlements"], *other["entitlements"]) if AREA_OF_KIND[row["kind"]] in areas}
    untold = {
        row["entitlement_id"] for row in (*one["entitlements"], *other["entitlements"]) if row.get("owner_account_id") is None
    }
    dropped = {"privileged"} & blank | ({"owner_account_id"} if "owners" in areas else set())
    held = [
        {n: v for n, v in row.items() if n not in dropped and (n != "owner_account_id" or row["entitlement_id"] not in untold)}
        for row in one["entitlements"]
        if row["entitlement_id"] not in lost
    ]
    grants = [row for row in one["grants"] if row["entitlement_id"] not in lost]
    return {"accounts": _words(accounts), "entitlements": _words(held), "grants": _words(grants)}


def _words(rows: Rows) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)
