"""Every fault on every request of every source: the read is whole, or it is not believed and the night opens and closes nothing on it.

A night is a function of what its sources gave, so that the sweep reads the one source for each fault and runs a whole
night for each distinct outcome. `make test` takes one request of each source for each kind of fault, another one for
each kind; EVERY_FAULT=1 takes every request, and `make live` every twelfth (EVERY_FAULT=12).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.pull import Pulled
from reconciler.run import Wish, archive_of, gather
from reconciler.sandbox.faults import Fault
from reconciler.snapshots import Snapshot
from reconciler.store import opened
from reconciler.tables import AREA_OF_KIND, TABLES
from tests.night.conftest import House
from tests.sampling import ONE_IN

SOURCES = ("ad", "m365", "google")
KINDS: Mapping[str, Mapping[str, Any]] = {
    "status 503": {"do": "status", "value": {"ad": 52, "m365": 503, "google": 503}},
    "status 403": {"do": "status", "value": {"ad": 50, "m365": 403, "google": 403}},
    "status 404": {"do": "status", "value": {"ad": 32, "m365": 404, "google": 404}},
    "status 429": {"do": "status", "value": {"ad": 51, "m365": 429, "google": 429}},
    "status 400": {"do": "status", "value": {"ad": 1, "m365": 400, "google": 400}},
    "size limit": {"do": "status", "value": {"ad": 4, "m365": 507, "google": 501}},
    "time limit": {"do": "status", "value": {"ad": 3, "m365": 504, "google": 504}},
    "referral": {"do": "status", "value": {"ad": 10, "m365": 302, "google": 301}},
    "cut at once": {"do": "cut", "value": 0},
    "cut in the headers": {"do": "cut", "value": 60},
    "cut in the body": {"do": "cut", "value": 900},
    "cut at the end": {"do": "cut", "value": -1},
    "the same token again": {"do": "repeat_token"},
    "an empty page": {"do": "empty_page"},
    "no id": {"do": "drop_field", "value": {"ad": "objectGUID", "m365": "id", "google": "id"}},
    "no employee id": {"do": "drop_field", "value": {"ad": "employeeID", "m365": "employeeId", "google": "externalIds"}},
    "rows hidden": {"do": "hide_rows", "value": 2},
    "an expired token": {"do": "expired_token"},
    "garbage": {"do": "garbage"},
    "an early end": {"do": "no_more"},
}
CASES = [(s, kind) for at, kind in enumerate(KINDS) for s in SOURCES if ONE_IN or s == SOURCES[at % len(SOURCES)]]
Outcome = tuple[str, bool, str, bool, frozenset[str]]
Content = dict[str, list[str]]
OF_AREA = {
    "sign_in": ("last_login_at", "never_logged_in"),
    "roles": ("privileged",),
    "mfa": ("mfa",),
    "managers": ("manager_account_id",),
}


@pytest.fixture(scope="module")
def standing(first_night: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with its first night behind it, the company on its second."""
    house = first_night.copied(tmp_path_factory.mktemp("standing"))
    house.moves_to(1)
    return house


@pytest.fixture(scope="module")
def honest(standing: House) -> Mapping[str, tuple[Pulled, int]]:
    """What each source gives when nothing is wrong, and in how many requests."""
    told = {source: pulled(standing, source) for source in SOURCES}
    assert all(answer.snapshot is not None and answer.report.state == "complete" for answer, _ in told.values())
    return told


@pytest.fixture(scope="module")
def seen() -> set[Outcome]:
    """The outcomes that a whole night was run for."""
    return set()


def pulled(house: House, source: str, *script: Fault) -> tuple[Pulled, int]:
    """(what the source gave, how many requests it took) under a script of faults; pages are short."""
    faults = house.embedded.faults[source]
    faults.reset(Fault(".", "short_pages", 0, 30), *script)
    config = house.config
    with opened(config.state.url(config.base)) as store:
        wish = Wish(house.world.now, only=frozenset({source}), wait=lambda seconds: None)
        answer = gather(config, store, archive_of(config), wish)[source]
    return answer, len(faults.requests)


def told_of(whole: Content, found: Content) -> Content:
    """The whole, without the `mfa` of those of whom `found` does not tell it: unknown is no wrong answer."""
    silent = {row for row in found["accounts"] if "'mfa': None" in row}
    assert len(silent) <= 20 + sum("'mfa': None" in row for row in whole["accounts"])  # of more, the report is not believed
    blank = {row: re.sub("'mfa': (True|False)", "'mfa': None", row) for row in whole["accounts"]}
    return {**whole, "accounts": sorted(blank[row] if blank[row] in silent else row for row in whole["accounts"])}


def content(snapshot: Snapshot, without: frozenset[str]) -> Content:
    """What a snapshot holds, in words and in order, leaving out what stands on areas that were lost."""
    dropped = {column for area in without for column in OF_AREA.get(area, ())}
    kinds = {kind for kind, area in AREA_OF_KIND.items() if area in without}
    names = dict(zip(*(snapshot.column("entitlements", n).to_pylist() for n in ("code", "kind")), strict=True))
    accounts = snapshot_rows(snapshot, "accounts", dropped)
    if "deleted" in without:
        accounts = [row for row in accounts if "'deleted'" not in row]
    entitlements = [
        row for row in snapshot_rows(snapshot, "entitlements", {"owner_account_id"}) if not any(f"'{k}'" in row for k in kinds)
    ]
    edges = [(a, e, via) for a, e, via in snapshot_edges(snapshot) if names[e] not in kinds]
    ids = [
        dict(zip(*(snapshot.column(t, n).to_pylist() for n in ("code", key)), strict=True))
        for t, key in (("accounts", "account_id"), ("entitlements", "entitlement_id"))
    ]
    return {
        "accounts": accounts,
        "entitlements": entitlements,
        "grants": sorted(f"{ids[0][a]} {ids[1][e]} {via}" for a, e, via in edges),
    }


def snapshot_rows(snapshot: Snapshot, table: str, dropped: set[str]) -> list[str]:
    names = [column.name for column in TABLES[table].columns if column.name not in dropped]
    columns = [snapshot.column(table, name).to_pylist() for name in names]
    return sorted(repr(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


def snapshot_edges(snapshot: Snapshot) -> list[tuple[int, int, int]]:
    from reconciler.edges import edge_accounts, edge_entitlements, edge_via

    edges = snapshot.edges
    return list(zip(edge_accounts(edges).tolist(), edge_entitlements(edges).tolist(), edge_via(edges).tolist(), strict=True))


@pytest.mark.parametrize(("source", "kind"), CASES)
def test_a_read_is_whole_or_not_believed(
    standing: House, honest: Mapping[str, tuple[Pulled, int]], seen: set[Outcome], tmp_path: Path, source: str, kind: str
) -> None:
    (truth, requests), fault, outcomes = honest[source], KINDS[kind], dict[Outcome, Fault]()
    assert truth.snapshot is not None
    turn = list(KINDS).index(kind)
    chosen = range(1 + turn % ONE_IN, requests + 1, ONE_IN) if ONE_IN else (1 + turn * requests // len(KINDS),)
    for at in chosen:
        value = fault.get("value")
        script = Fault(".", fault["do"], at, value[source] if isinstance(value, Mapping) else value)
        answer, _ = pulled(standing, source, script)
        lost = frozenset(answer.report.areas)
        if answer.snapshot is not None:
            whole, found = content(truth.snapshot, lost), content(answer.snapshot, lost)
            assert found == told_of(whole, found), f"{kind} at request {at}: {standing.embedded.faults[source].requests[at - 1]}"
        outcomes.setdefault((source, answer.snapshot is not None, answer.report.state, answer.report.refused, lost), script)
    for number, (outcome, script) in enumerate(outcomes.items()):
        if outcome[2] != "complete" and (ONE_IN == 1 or outcome not in seen):
            seen.add(outcome)
            opens_and_closes_nothing(standing.copied(tmp_path / str(number)), source, script)


def opens_and_closes_nothing(house: House, source: str, script: Fault) -> None:
    """A whole night under the fault: nothing new and nothing resolved on the source, or on the areas of it that were lost.

    Chains run side by side, so that the fault may strike another request than it did before: the night's own word counts.
    """
    house.embedded.faults[source].reset(Fault(".", "short_pages", 0, 30), script)
    night = house.night()
    house.embedded.faults[source].reset()
    report = next(s for s in night.record.sources if s.name == source)
    theirs = [finding for finding in night.findings if finding.source == source]
    lost = {area for area in report.areas if any(reason.startswith(f"{area} could be read before") for reason in report.reasons)}
    if report.state == "complete":
        return
    if len(lost) < len(report.reasons):
        assert {finding.state for finding in theirs} <= {"unverified"}, script
    else:  # whole, but for areas that an earlier night could read
        dark = {policy for area in lost for policy in STANDS_ON.get(area, ())}
        assert not [f for f in theirs if f.state in ("new", "resolved") and f.policy in dark], script
    assert night.record.exit in (4, 5)


STANDS_ON = {
    "sign_in": ("dormant-account", "leaver-account-used"),
    "licences": ("leaver-licence-kept",),
}
