"""Bands: what a whole answer may differ by from one night to the next, and what never goes by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.absence import MOST, Proof, proof
from reconciler.certificate import certify, with_certificate
from reconciler.connector import Page
from reconciler.plausible import Band, doubts
from reconciler.snapshots import Archive, Snapshot

Row = dict[str, Any]
COLUMNS = (
    "account_id",
    "login",
    "employee_id",
    "email",
    "enabled",
    "container",
    "department",
    "state_reason",
    "kind",
    "last_login_at",
)
PLACES = ("OU=London", "OU=Leeds", "OU=Board")


class Source:
    """A source night after night; `last` is the last accepted one."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.nights = Archive(folder / "objects"), list[Snapshot]()

    def night(self, *pages: Page, **about: Any) -> Snapshot:
        draft = self.archive.draft(self.nights[-1] if self.nights else None)
        for page in pages:
            draft.add(page)
        day = f"2026-11-{15 + len(self.nights):02}"
        told = {"source": "ad", "as_of": f"{day}T02:05:00Z", "areas": {}, "scopes": [], "identity": "S-1-5-21-1", **about}
        counts = dict.fromkeys(("read", "accepted", "quarantined", "rejected"), 0)
        self.nights.append(self.archive.freeze(draft, {**told, "counts": counts}))
        return self.nights[-1]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def staff(number: int = 60) -> list[Row]:
    """Accounts in three units, three of them on the board."""
    return [
        {
            "account_id": f"a{at}", "login": f"login{at}", "employee_id": f"{at:06d}", "email": f"{at}@example.com", "enabled": True,
            "container": PLACES[2] if at < 3 else PLACES[at % 2], "department": "Finance" if at % 4 else "Legal", "kind": "person",
        }
        for at in range(number)
    ]  # fmt: skip


def accounts(rows: Sequence[Row]) -> Page:
    return Page("accounts", {name: [row.get(name) for row in rows] for name in COLUMNS}, "users")


def changed(rows: Sequence[Row], which: Callable[[int, Row], bool], **told: Any) -> list[Row]:
    return [row | told if which(at, row) else row for at, row in enumerate(rows)]


def without(rows: Sequence[Row], which: Callable[[int, Row], bool]) -> list[Row]:
    return [row for at, row in enumerate(rows) if not which(at, row)]


def board(at: int, row: Row) -> bool:
    return bool(row["container"] == PLACES[2])


ORDINARY: Mapping[str, Callable[[list[Row]], list[Row]]] = {
    "nothing": lambda rows: rows,
    "one account deleted": lambda rows: rows[1:],
    "two leavers switched off and emptied": lambda rows: changed(
        rows, lambda at, row: at in (7, 8), enabled=False, department=None, employee_id=None, email=None, container="OU=Left"
    ),
    "the board moved to another unit": lambda rows: changed(rows, board, container="OU=Directors"),
    "a department renamed": lambda rows: changed(rows, lambda at, row: row["department"] == "Legal", department="Law"),
    "three lose their numbers": lambda rows: changed(rows, lambda at, row: at in (10, 20, 30), employee_id=None),
    "five joiners without numbers": lambda rows: rows + changed(staff(65)[60:], lambda at, row: True, employee_id=None),
    "ten deleted, as their tombstones say": lambda rows: changed(rows, lambda at, row: at < 10, state_reason="deleted", enabled=False),
}  # fmt: skip


@pytest.mark.parametrize("night", list(ORDINARY.values()), ids=list(ORDINARY))
def test_ordinary_nights_of_sixty_people_are_believed(source: Source, night: Callable[[list[Row]], list[Row]]) -> None:
    last = source.night(accounts(staff()))
    assert list(doubts(source.night(accounts(night(staff()))), last, Band())) == []


LOST: Mapping[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "a unit of three cannot be seen": (lambda rows: without(rows, board), "all 3 accounts in container OU=Board are gone"),
    "most of a department": (lambda rows: without(rows, lambda at, row: row["department"] == "Legal" and at > 20), "of 15 accounts in department Legal"),
    "a sixth of everything": (lambda rows: without(rows, lambda at, row: at % 6 == 5), "10 of 60 accounts are gone"),
    "employee ids": (lambda rows: changed(rows, lambda at, row: True, employee_id=None), "accounts.employee_id was filled in 60 rows"),
    "employee ids of a few": (lambda rows: changed(rows, lambda at, row: at in (9, 19, 29, 39), employee_id=None), "is empty in 4 of them"),
    "e-mail on the board": (lambda rows: changed(rows, board, email=None), "accounts.email"),
    "departments": (lambda rows: changed(rows, lambda at, row: at % 2 == 0, department=None), "accounts.department"),
    "what nobody says about being enabled": (lambda rows: changed(rows, lambda at, row: True, enabled=None), "accounts.enabled"),
}  # fmt: skip


@pytest.mark.parametrize(("night", "told"), list(LOST.values()), ids=list(LOST))
def test_what_never_goes_by_itself_is_doubted(source: Source, night: Callable[[list[Row]], list[Row]], told: str) -> None:
    last = source.night(accounts(staff()))
    assert told in " ".join(doubts(source.night(accounts(night(staff()))), last, Band()))


def test_one_unit_that_hides_an_attribute_is_named(source: Source) -> None:
    last = source.night(accounts(staff(400)))
    hidden = changed(staff(400), board, employee_id=None)
    assert list(doubts(source.night(accounts(hidden)), last, Band())) == [
        "accounts.employee_id is empty now in all 3 rows of container OU=Board; was a read right lost there?"
    ]


def test_an_area_that_is_lost_speaks_for_itself(source: Source) -> None:
    seen = changed(staff(), lambda at, row: True, last_login_at=1_700_000_000_000_000)
    last = source.night(accounts(seen))
    assert list(doubts(source.night(accounts(staff()), areas={"sign_in": "refused"}), last, Band())) == []
    assert "last_login_at" in " ".join(doubts(source.night(accounts(staff())), last, Band()))


# --- groups -------------------------------------------------------------------------------------------------------


def groups(members: Mapping[str, int], kind: str = "group") -> list[Page]:
    held = [(f"a{at}", name) for name, number in members.items() for at in range(number)]
    grants = {"account_id": [a for a, _ in held], "entitlement_id": [g for _, g in held], "via": ["direct"] * len(held)}
    return [
        Page("entitlements", {"entitlement_id": list(members), "name": list(members), "kind": [kind] * len(members)}),
        Page("grants", grants),
    ]


@pytest.mark.parametrize(
    ("before", "now", "kind", "doubted"),
    [
        ({"a": 20}, {"a": 0}, "group", True),
        ({"a": 4, "b": 5, "c": 3}, {"a": 0, "b": 0, "c": 0}, "group", True),
        ({"a": 20}, {"a": 1}, "group", False),
        ({"a": 4, "b": 5}, {"a": 0, "b": 0}, "group", False),
        ({"a": 20}, {}, "group", False),
        ({"a": 20}, {"a": 0}, "licence", False),
    ],
    ids=["a large group", "several small ones", "all but one left", "two small ones", "the group is gone", "licences swapped"],
)
def test_members_do_not_all_leave_at_once(source: Source, before: Any, now: Any, kind: str, doubted: bool) -> None:
    last = source.night(accounts(staff()), *groups(before, kind))
    told = " ".join(doubts(source.night(accounts(staff()), *groups(now, kind)), last, Band()))
    assert ("lost every member" in told) is doubted


# --- absence, and slow losses ---------------------------------------------------------------------------------------


def test_a_listing_is_short_when_an_id_says_so(source: Source) -> None:
    last = source.night(accounts(staff()))
    short = source.night(accounts(staff()[1:]))
    verdict = certify(short, last, [last], Band(), lambda ids: dict.fromkeys(ids, "there"))
    assert verdict.reasons == (
        "1 accounts are missing from the listing, and there when read by id, e.g. a0: the listing is short",
    )
    assert {"check": "absence", "found": "1 missing: 1 still there"} in verdict.told


@pytest.mark.parametrize("where", ["deleted", "elsewhere", "gone"])
def test_what_is_proven_to_be_gone_empties_a_unit(source: Source, where: str) -> None:
    last = source.night(accounts(staff()))
    emptied = source.night(accounts(without(staff(), board)))
    assert certify(emptied, last, [last], Band(), lambda ids: dict.fromkeys(ids, where)).reasons == ()
    assert certify(emptied, last, [last], Band(), lambda ids: {}).reasons != ()


def test_no_more_than_a_few_hundred_are_read_by_id(source: Source) -> None:
    last = source.night(accounts(staff(1000)))
    asked: list[str] = []
    shown = proof(source.night(accounts(staff(400))), [last], lambda ids: asked.extend(ids) or {})  # type: ignore[func-returns-value]
    assert (len(asked), len(set(asked)), shown.missing) == (MOST, MOST, 600)
    assert shown.told() == "600 missing: 600 not to be proven"


def test_one_in_a_hundred_a_night_is_noticed_within_the_week(source: Source) -> None:
    rows, told = staff(1000), list[tuple[str, ...]]()
    source.night(accounts(rows))
    for _ in range(6):
        rows = without(rows, lambda at, row: at % 100 == 50)
        history = list(source.nights)
        told.append(certify(source.night(accounts(rows)), history[-1], history, Band(), None).reasons)
    assert told[:5] == [()] * 5
    assert "of 1000 accounts are gone since 2026-11-15" in told[5][0]


def test_canaries_must_be_seen(source: Source) -> None:
    seen = source.night(accounts(staff()))
    assert list(doubts(seen, None, Band(canaries=("login3", "a4", "5@example.com")))) == []
    assert list(doubts(seen, None, Band(canaries=("login3", "ceo")))) == [
        "the canary ceo is not to be seen; can the reader still see what is around it?"
    ]


# --- rosters ------------------------------------------------------------------------------------------------------


def people(rows: Sequence[tuple[str, str, str]]) -> Page:
    ids, statuses, companies = zip(*rows, strict=True)
    return Page("people", {"person_id": ids, "employee_id": ids, "status": statuses, "company": companies})


EVERYBODY = [(f"{at:06d}", "active", "Harbour" if at > 2 else "Vale") for at in range(60)]


def test_a_company_of_three_that_is_missing_is_noticed(source: Source) -> None:
    last = source.night(people(EVERYBODY))
    cut = source.night(people(EVERYBODY[3:]))
    assert list(doubts(cut, last, Band(full_history=True))) == [
        "all 3 people in company Vale are no longer on the roster, and not told as left; is the export whole?"
    ]
    assert list(doubts(cut, last, Band(full_history=False))) == []


FEW_PEOPLE = [(f"{at:06d}", "active", None) for at in range(7)]


@pytest.mark.parametrize(
    ("left", "full_history", "told"),
    [
        (3, True, ["4 of 7 people at work are no longer on the roster, and not told as left; is the export whole?"]),
        (3, False, ["3 active people, 57.1 % fewer than in the last accepted night (7); is the export whole?"]),
        (4, True, []),
        (4, False, []),
    ],
    ids=["most are not told of", "most are missing among the current", "three went", "three of the current went"],
)
def test_most_of_a_small_company_does_not_go_in_a_night(source: Source, left: int, full_history: bool, told: list[str]) -> None:
    last = source.night(people(FEW_PEOPLE))
    cut = source.night(people(FEW_PEOPLE[:left]))
    assert list(doubts(cut, last, Band(full_history=full_history))) == told
    gone_home = [(who, "left" if at >= left else status, company) for at, (who, status, company) in enumerate(FEW_PEOPLE)]
    assert list(doubts(source.night(people(gone_home)), last, Band(full_history=True))) == []


@pytest.mark.parametrize(
    ("left", "told"), [(2, ["5 of 7 accounts are gone since the last accepted night; can the reader still see them?"]), (4, [])]
)
def test_most_accounts_of_a_small_source_do_not_go_even_when_their_ids_say_so(source: Source, left: int, told: list[str]) -> None:
    rows = [row | {"container": None, "department": None} for row in staff(7)]
    last, cut = source.night(accounts(rows)), source.night(accounts(rows[:left]))
    shown = proof(cut, [last], lambda ids: dict.fromkeys(ids, "gone"))
    assert list(doubts(cut, last, Band(), proof=shown)) == told


def test_people_who_are_told_as_left_are_no_loss(source: Source) -> None:
    last = source.night(people(EVERYBODY))
    closed = [(who, "left" if company == "Vale" else status, company) for who, status, company in EVERYBODY]
    assert list(doubts(source.night(people(closed)), last, Band(full_history=True))) == []


JOINED = [*EVERYBODY, *((f"9{at:05d}", "active", "Harbour") for at in range(3))]


@pytest.mark.parametrize(
    ("nights", "stale"),
    [
        ([EVERYBODY, JOINED, EVERYBODY], True),
        ([EVERYBODY, EVERYBODY, EVERYBODY], False),
        ([EVERYBODY, JOINED[:-1], EVERYBODY], False),
        ([EVERYBODY, [("000000", "left", "Vale"), *EVERYBODY[1:]], EVERYBODY], False),
        ([EVERYBODY, EVERYBODY[3:], EVERYBODY], False),
    ],
    ids=[
        "three joiners are missing again",
        "nothing happens",
        "two joiners rescinded",
        "a leaver rescinded",
        "a bad night mended",
    ],
)
def test_an_old_roster_delivered_again_is_stale(source: Source, nights: list[Any], stale: bool) -> None:
    for rows in nights:
        source.night(people(rows))
    *earlier, new = source.nights
    verdict = certify(new, earlier[-1], earlier, Band(), None)
    assert (verdict.stale is not None) is stale
    assert ("this is the roster of 2026-11-15 again" in " ".join(verdict.doubted)) is stale


# --- rosters told in another way ------------------------------------------------------------------------------------

TOLD = ("person_id", "employee_id", "status", "department", "location", "start_date", "last_day", "end_date")


def employed(number: int = 40) -> list[Row]:
    """Some people in two departments at three places, one in four of them gone."""
    return [
        {
            "person_id": f"{at:06d}", "employee_id": f"{at:06d}", "status": "active" if at % 4 else "left", "department": ("Finance", "Legal")[at % 2],
            "location": ("Leeds", "London", "York")[at % 3], "start_date": date(2020, 1, 1 + at % 28),
            **({} if at % 4 else {"last_day": date(2026, 10, 1 + at % 28), "end_date": date(2026, 11, 1 + at % 28)}),
        }
        for at in range(number)
    ]  # fmt: skip


def told(rows: Sequence[Row]) -> Page:
    return Page("people", {name: [row.get(name) for row in rows] for name in TOLD})


def swapped(rows: Sequence[Row], one: str, other: str) -> list[Row]:
    return [row | {one: row.get(other), other: row.get(one)} for row in rows]


RECAST: list[tuple[str, Callable[[list[Row]], list[Row]], dict[str, Any], str | None]] = [
    ("department and location have changed places", lambda rows: swapped(rows, "department", "location"), {}, "40 of 40 people have another department"),
    ("the first and the last day have changed places", lambda rows: swapped(rows, "last_day", "end_date"), {}, "last_day is another one for 10 of 10"),
    ("every unit has a new name", lambda rows: changed(rows, lambda at, row: row["department"] == "Legal", department="L-1"), {}, "20 of 40 people"),
    ("nine people move", lambda rows: changed(rows, lambda at, row: at < 9, department="Sales"), {}, None),
    ("five move, and four percent are allowed", lambda rows: changed(rows, lambda at, row: at < 5, department="Sales"), {"max_moved_percent": 4}, "5 of 40"),
    ("every unit has a new name, and that is allowed", lambda rows: changed(rows, lambda at, row: True, department="L-1"), {"max_moved_percent": 100}, None),
    ("a place is told for the first time", lambda rows: employed(), {}, None),
    ("nobody is told as left any more", lambda rows: without(rows, lambda at, row: row["status"] == "left"), {"full_history": True}, "10 people were told as left, and nobody is now"),
    ("only the active are told, as ever", lambda rows: without(rows, lambda at, row: row["status"] == "left"), {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("change", "band", "why"), [case[1:] for case in RECAST], ids=[case[0] for case in RECAST])
def test_a_roster_that_is_told_in_another_way_is_doubted(source: Source, change: Any, band: Row, why: str | None) -> None:
    before = employed() if why or band else changed(employed(), lambda at, row: at > 9, location=None)
    last = source.night(told(before))
    reasons = certify(source.night(told(change(before))), last, [], Band(**band), None).reasons
    assert bool(reasons) == (why is not None) and (why or "") in "".join(reasons)


@pytest.mark.parametrize(
    ("number", "days", "most", "stale"),
    [(3000, 6, None, False), (3000, 7, None, True), (60, 30, None, False), (60, 300, None, True), (60, 3, 2, True), (60, 2, 2, False)],
    ids=["days", "a week", "a month in a small company", "a year in a small company", "longer than is allowed", "as long as is allowed"],
)  # fmt: skip
def test_a_roster_that_never_changes_is_an_old_one(source: Source, number: int, days: int, most: int | None, stale: bool) -> None:
    def night(day: int) -> Snapshot:
        return source.night(told(employed(number)), as_of=f"{date(2026, 1, 1) + timedelta(days=day)}T02:05:00Z")

    first, half, new = night(0), night(days // 2), night(days)
    verdict = certify(half, first, [first], Band(), None)
    last = source.archive.proven(with_certificate(half.manifest, verdict))
    allowed = timedelta(days=most) if most else None
    told_of = certify(new, last, [last], Band(max_unchanged=allowed), None)
    assert (told_of.stale is not None) is stale
    assert "since 2026-01-01" in (told_of.stale or "since 2026-01-01")
    vouched = source.archive.proven(with_certificate(new.manifest, told_of, accepted=True))
    assert certify(night(days + 1), vouched, [vouched], Band(max_unchanged=allowed), None).stale is None


def test_nothing_missing_is_told_too() -> None:
    assert Proof().told() == "nothing of earlier nights is missing"
