"""Memberships compared some at a time are compared as a whole."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import edges
from reconciler.edges import among, edge_accounts, edge_entitlements, edge_keys, lost

HELD = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 5)), max_size=40)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@given(before=HELD, now=HELD)
def test_lost_is_what_nobody_holds_in_any_way_now(
    at_once: int, before: set[tuple[int, int, int]], now: set[tuple[int, int, int]]
) -> None:
    with patch.object(edges, "_AT_ONCE", at_once):
        found = lost(keys(before), keys(now))
        kept = among(keys(before), lambda part: edge_accounts(part) == 2)
    still = {held[:2] for held in now}
    assert found.tolist() == keys({held for held in before if held[:2] not in still}).tolist()
    assert edge_entitlements(kept).tolist() == [entitlement for account, entitlement, _ in sorted(before) if account == 2]


def keys(held: set[tuple[int, int, int]]) -> edges.Codes:
    columns = np.array(sorted(held), np.int64).reshape(-1, 3)
    return edge_keys(columns[:, 0], columns[:, 1], columns[:, 2])
