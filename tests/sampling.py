"""A sweep in full or in part: `make test` takes a spread of the cases, EVERY_FAULT=1 all of them.

EVERY_FAULT=12, which `make live` sets, is for the largest sweep one case in twelve, and for the others all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
ONE_IN = int(os.environ.get("EVERY_FAULT") or 0)  # 0: a small spread
EVERY = ONE_IN > 0


def some(cases: Iterable[T], one_in: int) -> list[T]:
    """Every case, or one in so many. Where the cases are a product, take a number that shares no factor with its sides."""
    return list(cases) if EVERY else list(cases)[::one_in]
