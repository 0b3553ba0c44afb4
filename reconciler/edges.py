"""Memberships as whole numbers: `account code << 32 | entitlement code << 3 | via`, sorted by account, then entitlement, then how it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from reconciler.vocabulary import Codes

VIA_BITS, ACCOUNT_SHIFT = 3, 32
_AT_ONCE = 1 << 17  # looked at together: there may be millions, and every step makes as many numbers again


def edge_keys(accounts: Codes, entitlements: Codes, via: Codes | int) -> Codes:
    """Memberships as int64 keys, sortable by account, then entitlement, then how it is held."""
    return (accounts << ACCOUNT_SHIFT) | (entitlements << VIA_BITS) | via


def edge_accounts(edges: Codes) -> Codes:
    return edges >> ACCOUNT_SHIFT


def edge_entitlements(edges: Codes) -> Codes:
    return (edges & 0xFFFFFFFF) >> VIA_BITS


def edge_via(edges: Codes) -> Codes:
    return edges & ((1 << VIA_BITS) - 1)


def distinct(numbers: Codes) -> Codes:
    """Numbers sorted, each once. (numpy's `unique` hashes integers, which takes ten times as long as sorting them.)"""
    ordered = np.sort(numbers, kind="stable")  # they come in sorted runs, group by group
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered if first.all() else ordered[first]


def among(edges: Codes, keep: Callable[[Codes], npt.NDArray[np.bool_]]) -> Codes:
    """Those memberships that are to be kept."""
    return np.concatenate([np.empty(0, np.int64), *(part[keep(part)] for part in _parts(edges))])


def lost(before: Codes, now: Codes) -> Codes:
    """Those of an earlier night, sorted, that are not among tonight's, sorted, in whatever way they are held."""
    held = [np.empty(0, np.int64)]
    for part in _parts(before):
        begin, end = np.searchsorted(now, [part[0] >> VIA_BITS << VIA_BITS, (part[-1] >> VIA_BITS) + 1 << VIA_BITS])
        held.append(part[~np.isin(part >> VIA_BITS, now[begin:end] >> VIA_BITS)])
    return np.concatenate(held)


def _parts(edges: Codes) -> Iterator[Codes]:
    for begin in range(0, len(edges), _AT_ONCE):
        yield edges[begin : begin + _AT_ONCE]
