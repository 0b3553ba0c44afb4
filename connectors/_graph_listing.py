"""Whole listings of Microsoft Graph: every page to the proper end, held against the tenant's own counts, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from connectors._bulk import no_cycles
from connectors._http import Api, NotThere, PageExpired, Refused, pages
from reconciler.connector import Incomplete

RESTARTS = 2
EVENTUAL = {"ConsistencyLevel": "eventual"}
MOST_ASKED = 20  # single objects looked up to explain a difference between two listings
NOT_ALWAYS_TOLD = frozenset(("signInActivity", "manager"))  # left out where there is nothing to tell
_EXPIRED = ("ExpiredPageToken", "InvalidPageToken", "resyncRequired", "syncStateNotFound")

Row = dict[str, Any]
Made = TypeVar("Made")


def expired(status: int, reason: str) -> bool:
    """A page token that died: the listing begins again."""
    return status in (400, 410) and any(word in reason for word in _EXPIRED)


@dataclass(frozen=True)
class Listing(Generic[Made]):
    """A listing that came to its end: what each page was made into, its size, and the count its first page told."""

    parts: list[Made]
    pages: int
    rows: int
    count: int | None
    told: frozenset[str] = frozenset()  # properties that every object of some page has


@dataclass(frozen=True)
class Listings:
    """The listings of one tenant."""

    api: Api

    def read(
        self, path: str, take: Callable[[list[Row]], Made], headers: Mapping[str, str] | None = None, sure: Iterable[str] = ()
    ) -> Listing[Made]:
        """Every page, made into something by `take` as it comes; begun again when a page token dies, then given up.

        Properties that are `sure` were told of each object of another listing, and must be told of some here.
        """
        for _ in range(RESTARTS):
            try:
                return self._once(path, take, headers, sure)
            except PageExpired:
                continue
        return self._once(path, take, headers, sure)

    def _once(
        self, path: str, take: Callable[[list[Row]], Made], headers: Mapping[str, str] | None, sure: Iterable[str]
    ) -> Listing[Made]:
        """A page is made into something while the next one is on its way."""
        parts: list[Future[Made]] = []
        rows, count, telling = 0, None, _Telling(path, _selected(path), set(sure))

        def taken(found: list[Row]) -> Made:
            telling.meet(found)
            return take(found)

        with no_cycles(), ThreadPoolExecutor(1) as turning:
            for answer in pages(path, lambda url: self.api.get(url, headers), _following):
                found = _values(answer, path)
                count = _counted(answer, path) if not parts else count
                if parts:
                    parts[-1].result()  # no page waits for another one
                parts.append(turning.submit(taken, found))
                rows += len(found)
            return Listing([part.result() for part in parts], len(parts), rows, count, frozenset(telling.always))

    def rows(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[list[Row], Listing[list[Row]]]:
        """Every object once, as the last page that tells of it does; and the listing they came from."""
        read = self.read(path, list, headers)
        return list({row["id"]: row for part in read.parts for row in part}.values()), read

    def agreed(self, path: str) -> tuple[list[Row], int]:
        """(objects, pages) of a listing that nobody counts: read until two readings in a row agree."""
        before, read = self.rows(path)
        for _ in range(RESTARTS + 1):
            now, read = self.rows(path)
            if _same(before) == _same(now):
                return now, read.pages
            before = now
        raise Incomplete(f"{_plain(path)}: {RESTARTS + 2} readings of this listing all differ; nothing of it is used")

    def count(self, path: str) -> int | None:
        """How many objects the tenant says there are, by another question; None where it may not be asked."""
        try:
            told = self.api.get(f"{path}?$count=true&$top=1&$select=id", EVENTUAL).get("@odata.count")
        except Refused:
            return None
        return told if isinstance(told, int) else None

    def declared(self, path: str, before: int | None, rows: int) -> int | None:
        """How many objects a listing must have had, by the count taken before it.

        The count's index lags behind, and people come and go while a listing runs. So a longer listing is right, and a
        shorter one is short only when a second count, taken now, is larger too.
        """
        if before is None or rows >= before:
            return None if before is None else rows
        after = self.count(path)
        return max(rows, before if after is None else min(before, after))

    def still_there(self, path: str, ids: Iterable[str]) -> list[str]:
        """Which of a few objects exist, each asked for by itself; so many that asking makes no sense exist all."""
        listed = sorted(ids)
        return listed if len(listed) > MOST_ASKED else [here for here in listed if self._exists(f"{path}/{here}?$select=id")]

    def _exists(self, path: str) -> bool:
        try:
            self.api.get(path)
        except NotThere:
            return False
        return True


def where(api: Api, user: str) -> str:
    """Whether a user is "there", "deleted" or "gone", asked for by its id; the deleted may be another permission's."""
    for path, word in ((f"users/{user}?$select=id", "there"), (f"directory/deletedItems/{user}?$select=id", "deleted")):
        try:
            api.get(path)
        except NotThere:
            continue
        except Refused:
            if word == "there":
                raise
            continue
        return word
    return "gone"


def groups_of(listings: Listings, user: str) -> frozenset[str]:
    """The groups, roles and units that a user says to be a direct member of; none when there is no such user."""
    try:
        return frozenset(row["id"] for row in listings.rows(f"users/{user}/memberOf?$select=id&$top=999")[0])
    except NotThere:
        return frozenset()


def told(row: Mapping[str, Any], name: str, path: str) -> Any:
    """A property that an object cannot be without; raises Incomplete."""
    value = row.get(name)
    if value is None:
        raise Incomplete(f"{path}: an object without {name}; nothing of the listing is used")
    return value


def _following(answer: Mapping[str, Any]) -> str | None:
    link = answer.get("@odata.nextLink")
    if link is not None and not (isinstance(link, str) and link):
        raise Incomplete(f"an answer whose next page has no address: {str(link)[:80]!r}")
    return link


@dataclass
class _Telling:
    """Which of the properties asked for the pages tell: one that every object of a page has and no object of another has was lost.

    Graph shows a property that was selected as null where there is nothing to tell, so that it is on every object or on none.
    And no object of a page shows its id alone while others show more.
    """

    path: str
    wanted: frozenset[str]
    always: set[str] = field(default_factory=set)
    never: set[str] = field(default_factory=set)

    def meet(self, rows: Sequence[Row]) -> None:
        """Raises Incomplete when a property is gone on this page, or has come back on it."""
        if not rows:
            return
        if all(map(self.wanted.issubset, rows)):
            self.always |= self.wanted
        else:
            self._count(rows)
            self._bare(rows)
        lost = self.always & self.never
        if lost:
            raise Incomplete(
                f"{_plain(self.path)}: {min(lost)} is told on one page and on no object of another, or of a like listing; nothing of the listing is used"
            )

    def _bare(self, rows: Sequence[Row]) -> None:
        """Raises Incomplete when an object shows nothing that was asked for but its id, and another one does."""
        more = self.wanted - {"id"}
        bare = [more.isdisjoint(row) for row in rows]
        if any(bare) and not all(bare):
            raise Incomplete(
                f"{_plain(self.path)}: {rows[bare.index(True)].get('id')} came with its id alone; nothing of the listing is used"
            )

    def _count(self, rows: Sequence[Row]) -> None:
        """A page on which some object lacks some property."""
        for name in self.wanted:
            told = sum(name in row for row in rows)
            if told == len(rows):
                self.always.add(name)
            elif not told:
                self.never.add(name)


def _values(answer: Mapping[str, Any], path: str) -> list[Row]:
    """The objects of a page, each with its id."""
    found = answer.get("value")
    if not isinstance(found, list):
        raise Incomplete(f"{_plain(path)}: an answer without a list of values: {str(answer)[:120]}")
    for row in found:
        if not isinstance(row, dict) or not (isinstance(row.get("id"), str) and row["id"]):
            raise Incomplete(f"{_plain(path)}: an object without an id; nothing of the listing is used")
    return found


def _counted(answer: Mapping[str, Any], path: str) -> int | None:
    """The count that comes with a first page; None where none does."""
    count = answer.get("@odata.count")
    if count is not None and not isinstance(count, int):
        raise Incomplete(f"{_plain(path)}: a count that is none: {str(count)[:40]!r}")
    return count


def _selected(path: str) -> frozenset[str]:
    told = parse_qs(urlsplit(path).query).get("$select", [""])[0]
    return frozenset(name for name in told.split(",") if name) - NOT_ALWAYS_TOLD


def _same(rows: Iterable[Row]) -> dict[str, int]:
    return {row["id"]: hash(repr(sorted(row.items()))) for row in rows}


def _plain(path: str) -> str:
    return path.split("?")[0]
