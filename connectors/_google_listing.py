"""Google's listings, page by page to their proper end, and held against a second listing of the same another way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import numpy as np
from googleapiclient.discovery import build

from connectors._bulk import no_cycles
from connectors._bulk_rows import Numbers, hashes, joined
from connectors._http import Api, NotThere, PageExpired, pages
from reconciler.connector import Incomplete

RESTARTS = 2
LONGEST_LISTING = 3500.0  # seconds; Google ends a chain of pages with 503 after an hour (troubleshoot-error-codes)
MOST_EMPTY = 30  # pages in a row without a row: one is ordinary, a chain of them leads nowhere
ROUNDS = 3  # readings of what changes while it is read

Json = Mapping[str, Any]
Made = TypeVar("Made")


class _NoHttp:
    """googleapiclient only words the requests; they are sent by our own session."""

    def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("requests are sent by Api")

    def close(self) -> None:
        pass


class _Words:
    """A client whose collections are made once: it makes one anew, with all its methods, at every mention."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        collection = cache(getattr(self._client, name))
        setattr(self, name, collection)
        return collection


@cache
def wording(api: str, version: str, url: str) -> Any:
    """The client of an API that words requests and sends none."""
    return _Words(build(api, version, http=_NoHttp(), static_discovery=True, client_options={"api_endpoint": url}))


@dataclass(frozen=True)
class Listed:
    """Rows of a listing and how many pages they came in."""

    rows: list[Any]
    pages: int

    def once(self, key: Callable[[Any], str]) -> Listed:
        """Each row once, as it came last."""
        return Listed(list({key(row): row for row in self.rows}.values()), self.pages)


def listed(api: Api, request: Any, name: str, take: Callable[[Json], Any], clock: Callable[[], float] = time.monotonic) -> Listed:
    """A whole listing, every row as `take` makes it; an omitted list is an empty one. Raises as `paged` does."""
    parts = paged(api, request, name, lambda rows: [take(row) for row in rows], clock)
    return Listed([row for part in parts for row in part], len(parts))


def paged(
    api: Api, request: Any, name: str, turn: Callable[[Sequence[Json]], Made], clock: Callable[[], float] = time.monotonic
) -> list[Made]:
    """A whole listing, every page as `turn` makes it; an omitted list is an empty one.

    Begun again when its page token dies or it has grown too old to go on; raises Incomplete after a few times.
    """
    for attempt in range(RESTARTS + 1):
        begun = clock()
        try:
            return _gathered(api, request.uri, name, turn)
        except PageExpired:
            if attempt == RESTARTS:
                raise
        except Incomplete:
            if attempt == RESTARTS or clock() - begun < LONGEST_LISTING:
                raise
    raise AssertionError  # the loop returns or raises


def _gathered(api: Api, first: str, name: str, turn: Callable[[Sequence[Json]], Made]) -> list[Made]:
    """What every page was turned into, while the next one was on its way; no page waits for another one."""
    turned: list[Future[Made]] = []
    last: list[Made] = []
    empty = 0
    with no_cycles(), ThreadPoolExecutor(1) as turning:
        for answer in _present(_pages(api, first)):
            rows = _objects(first, answer, name)
            if turned:
                turned[-1].result()
            if answer.get("nextPageToken"):
                turned.append(turning.submit(_turned, first, rows, turn))
            else:
                last = [_turned(first, rows, turn)]
            empty = 0 if rows else empty + 1
            if empty > MOST_EMPTY:
                raise Incomplete(f"{first.split('?')[0]}: {empty} pages in a row with nothing on them and no end")
        return [*(page.result() for page in turned), *last]


def _objects(first: str, answer: Json, name: str) -> Sequence[Json]:
    """The rows of a page: objects, each known by an id that can be one; an omitted list is an empty one."""
    rows = answer.get(name, ())
    if "error" in answer:
        raise Incomplete(f"{first.split('?')[0]}: an error came with a success")
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise Incomplete(f"{first.split('?')[0]}: {name} is no list of objects; nothing of it is used")
    if not all(isinstance(here := row.get("id", "x"), str) and here for row in rows):
        raise Incomplete(f"{first.split('?')[0]}: a row has an id that is none; nothing of it is used")
    return rows


def _present(answers: Iterator[Json]) -> Iterator[Json]:
    """The first page alone says whether there is such a listing: a later one that is missing makes it short."""
    yield next(answers)
    try:
        yield from answers
    except NotThere as problem:
        raise Incomplete(f"a later page is missing: {problem}") from None


def _turned(first: str, rows: Sequence[Json], turn: Callable[[Sequence[Json]], Made]) -> Made:
    try:
        return turn(rows)
    except KeyError as missing:
        raise Incomplete(f"{first.split('?')[0]}: a row came without {missing}; can the reader still see it?") from None
    except (TypeError, ValueError, AttributeError, LookupError) as problem:
        raise Incomplete(f"{first.split('?')[0]}: a row cannot be understood: {problem}; nothing of it is used") from None


def having(*names: str) -> Callable[[Json], Json]:
    """Takes rows as they are, if they have what every row of their kind has."""

    def take(row: Json) -> Json:
        for name in names:
            if not isinstance(row[name], str) or not row[name]:
                raise ValueError(f"{name} is {str(row[name])[:40]!r}")
        return row

    return take


def _pages(api: Api, first: str) -> Iterator[Json]:
    join = "&" if "?" in first else "?"

    def following(answer: Json) -> str | None:
        token = answer.get("nextPageToken")
        if token is not None and not (isinstance(token, str) and token):
            raise Incomplete(f"{first.split('?')[0]}: the next page has no name: {str(token)[:80]!r}")
        return f"{first}{join}pageToken={quote(token, safe='')}" if token else None

    return pages(first, api.get, following)


def ids(api: Api, request: Any, name: str, key: Callable[[Json], str]) -> Numbers:
    """The ids of a listing, by their hashes."""
    return joined(paged(api, request, name, lambda rows: hashes([key(row) for row in rows])))


def keys(key: Callable[[Any], str]) -> Callable[[Listed], Numbers]:
    """What the rows of a listing are known by."""
    return lambda found: hashes([key(row) for row in found.rows])


@dataclass(frozen=True)
class Twice(Generic[Made]):
    """How to list something, and how to list its ids once more: from the other end, or in pages of another size.

    What is lost on one way (a page that ends too early, rows that a fault takes away) is not lost on the other. What is
    lost on both, for good, only the comparison with earlier nights can tell.
    """

    what: str
    read: Callable[[], Made]
    keys: Callable[[Made], Numbers]
    count: Callable[[], Numbers]

    def sure(self) -> Made:
        """The listing when both ways, gone at the same time, agree; raises Incomplete when they do not."""
        with ThreadPoolExecutor(1) as other:
            counted = other.submit(self.count)
            found = self.read()
            return self.settled(found, counted.result())

    def settled(self, found: Made, counted: Numbers) -> Made:
        """Both ways again while they differ: somebody may have come or gone in between."""
        for _ in range(ROUNDS):
            if np.array_equal(np.unique(self.keys(found)), np.unique(counted)):
                return found
            found, counted = self.read(), self.count()
        raise Incomplete(
            f"{self.what}: listed twice, {len(self.keys(found))} came one way and {len(np.unique(counted))} the other; "
            "neither is believed"
        )


def there(api: Api, request: Any) -> dict[str, Any] | None:
    """One object by its id; None when there is none."""
    try:
        return api.get(request.uri)
    except NotThere:
        return None
