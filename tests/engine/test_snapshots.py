"""Snapshots: whole, immutable, private; codes are given once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reconciler.connector import Incomplete, Page
from reconciler.edges import edge_accounts, edge_entitlements, edge_keys, edge_via
from reconciler.errors import Stale
from reconciler.snapshots import Archive, Snapshot

USERS = Page("accounts", {"account_id": ["b", "a"], "login": ["bob", "ann"], "kind": ["person", "person"]}, "users")
GROUPS = Page("entitlements", {"entitlement_id": ["g"], "name": ["Staff"], "kind": ["group"]})
MEMBERS = Page("grants", {"account_id": ["a"], "entitlement_id": ["g"], "via": ["direct"]})


def freeze(archive: Archive, *pages: Page, last: Snapshot | None = None) -> Snapshot:
    draft = archive.draft(last)
    for page in pages:
        draft.add(page)
    return archive.freeze(draft, {"source": "ad"})


def test_reads_back_what_was_frozen(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    snapshot = archive.open(freeze(archive, USERS, GROUPS, MEMBERS).sha256)
    assert snapshot.column("accounts", "login").to_pylist() == ["bob", "ann"]
    assert snapshot.column("accounts", "last_login_at").to_pylist() == [None, None]
    assert edge_accounts(snapshot.edges).tolist() == [1]
    assert edge_entitlements(snapshot.edges).tolist() == [0]


def test_the_same_answer_is_the_same_snapshot(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    assert freeze(archive, USERS, GROUPS, MEMBERS).sha256 == freeze(archive, USERS, GROUPS, MEMBERS).sha256


def test_lists_and_arrow_columns_of_any_paging_are_the_same_snapshot(tmp_path: Path) -> None:
    archive, arrow = Archive(tmp_path / "objects"), [as_arrow(page) for page in (USERS, GROUPS, MEMBERS)]
    halves = [Page("accounts", {name: list(values)[at : at + 1] for name, values in USERS.columns.items()}) for at in (0, 1)]
    made = {freeze(archive, *pages).sha256 for pages in ((USERS, GROUPS, MEMBERS), arrow, (*halves, GROUPS, MEMBERS))}
    assert len(made) == 1


def as_arrow(page: Page) -> Page:
    """The same page as a connector hands it over that has columns: repeating words as codes or not."""
    columns = {name: pa.array(list(values)) for name, values in page.columns.items()}
    return Page(page.table, {n: c.dictionary_encode() if n in ("kind", "entitlement_id") else c for n, c in columns.items()})


def test_codes_are_kept_and_never_given_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    first = freeze(archive, USERS)
    second = freeze(archive, Page("accounts", {"account_id": ["c", "a"], "kind": ["person", "person"]}), last=first)
    third = freeze(archive, Page("accounts", {"account_id": ["b"], "kind": ["person"]}), last=second)
    assert second.column("accounts", "code").to_pylist() == [1, 2]
    assert third.column("accounts", "code").to_pylist() == [0]


def test_a_page_order_does_not_matter(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    assert freeze(archive, GROUPS, USERS, MEMBERS).rows("grants") == freeze(archive, USERS, MEMBERS, GROUPS).rows("grants") == 1


NOT_WHOLE = [
    ("an id came twice", [USERS, USERS], "came twice"),
    (
        "a member is not in the listing",
        [USERS, GROUPS, Page("grants", {**MEMBERS.columns, "account_id": ["z"]})],
        "listing is short",
    ),
    ("a group is not in the listing", [USERS, MEMBERS], "listing is short"),
    ("a row has no id", [Page("accounts", {"account_id": [None], "kind": ["person"]})], "no account_id"),
    ("an unknown kind", [Page("accounts", {"account_id": ["a"], "kind": ["robot"]})], "unknown word 'robot'"),
    ("a number where text is due", [Page("accounts", {"account_id": ["a"], "login": [3]})], "accounts.login"),
    ("an unknown column", [Page("accounts", {"account_id": ["a"], "loginn": ["x"]})], "unknown columns"),
]


@pytest.mark.parametrize(("pages", "text"), [case[1:] for case in NOT_WHOLE], ids=[case[0] for case in NOT_WHOLE])
def test_what_is_not_whole_is_no_snapshot(tmp_path: Path, pages: list[Page], text: str) -> None:
    with pytest.raises(Incomplete, match=text):
        freeze(Archive(tmp_path / "objects"), *pages)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_private_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        freeze(Archive(tmp_path / "state" / "objects"), USERS, GROUPS, MEMBERS)
    finally:
        os.umask(before)
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (tmp_path / "state").rglob("*")}
    assert modes == {(True, 0o700), (False, 0o600)}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_altered_manifest_is_refused(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    snapshot = freeze(archive, USERS)
    path = next((tmp_path / "objects").rglob(f"{snapshot.sha256}.json"))
    path.write_text(path.read_text().replace('"rows":2', '"rows":1'))
    with pytest.raises(Stale, match="altered"):
        archive.open(snapshot.sha256)


def test_a_cut_table_is_refused(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "objects")
    snapshot = freeze(archive, USERS)
    path = next((tmp_path / "objects").rglob(f"{snapshot.manifest['tables']['accounts']['sha256']}.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Stale, match="cannot be read"):
        snapshot.column("accounts", "login")


def test_edges_keep_their_three_parts() -> None:
    accounts, groups, via = np.array([0, 7, 2**29]), np.array([5, 0, 2**28]), np.array([0, 5, 3])
    keys = edge_keys(accounts, groups, via)
    assert (edge_accounts(keys).tolist(), edge_entitlements(keys).tolist(), edge_via(keys).tolist()) == (
        accounts.tolist(),
        groups.tolist(),
        via.tolist(),
    )
