"""A night is stored whole, and reads back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from reconciler.errors import ReconcilerError, UsageError
from reconciler.estate import Move
from reconciler.model import RunRecord
from reconciler.store import Accepted, Change, Event, Store, new_run_id
from tests.store.conftest import NOW, Save

Record = Callable[..., RunRecord]


@contextmanager
def listening(tell: Callable[[str], None]) -> Iterator[None]:
    """Every SQL statement is told while this is open."""

    def told(_: object, __: object, statement: str, *rest: object) -> None:
        tell(statement)

    event.listen(Engine, "before_cursor_execute", told)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", told)


def test_a_night_reads_back(store: Store, record: Record) -> None:
    told, move = record("r1"), Move("1", {"department": "Finance", "job_code": None}, NOW)
    store.save(told, "sha", [Change("f-1", "new", "orphan-account", "ad", NOW)], [move], [Accepted("ad", "s-1", "S-1", 40)])
    assert store.runs_told() == [told]
    assert store.night_of("r1") == (told, "sha")
    assert (store.accepted(), store.pinned()) == ({"ad": "s-1"}, {"ad": "S-1"})
    assert store.moves_told() == [move]
    assert store.events_of("f-1") == [Event("f-1", "r1", NOW, "new", NOW)]


def test_an_empty_store_knows_nothing(store: Store) -> None:
    assert (store.runs_told(), store.night_of(), store.night_of("r1"), store.accepted(), store.moves_told()) == (
        [],
        None,
        None,
        {},
        [],
    )
    assert (store.last_events(["f-1"]), store.last_events([]), store.most_active("ad", NOW)) == ({}, {}, None)


def test_runs_come_oldest_first_and_only_the_last_ones_if_asked(store: Store, save: Save) -> None:
    for days, run in enumerate(("r1", "r2", "r3")):
        save(run, days)
    assert [told.run for told in store.runs_told()] == ["r1", "r2", "r3"]
    assert [told.run for told in store.runs_told(2)] == ["r2", "r3"]


def test_the_last_run_is_the_one_stored_last_whatever_its_clock_said(store: Store, save: Save) -> None:
    later, earlier = save("r1", days=400), save("r2", complete=False)
    assert store.night_of() == (earlier, "night-r2")
    assert store.night_of(complete=True) == (later, "night-r1")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param("20261122T0205", "20261122T020500Z-aaaa", id="a beginning that one run has"),
        pytest.param("20261123T020500Z-cc", "20261123T020500Z-cc", id="a whole id that is another's beginning"),
        pytest.param("2027", None, id="a beginning that no run has"),
        pytest.param("%", None, id="a wildcard is no beginning"),
    ],
)
def test_a_run_by_its_beginning(store: Store, save: Save, asked: str, found: str | None) -> None:
    for run in ("20261122T020500Z-aaaa", "20261123T020500Z-cccc", "20261123T020500Z-cc"):
        save(run)
    told = store.night_of(asked)
    assert (told[0].run if told else None) == found


def test_a_beginning_of_several_runs_is_refused(store: Store, save: Save) -> None:
    save("20261122T020500Z-aaaa"), save("20261122T020500Z-bbbb")
    with pytest.raises(UsageError, match="several runs begin with 2026: 20261122T020500Z-aaaa, 20261122T020500Z-bbbb"):
        store.night_of("2026")


def test_only_what_is_resolved_can_come_back(store: Store, save: Save) -> None:
    save("r1")
    assert store.first_seen_of_resolved(["f-1"]) == {}
    save("r2", 1, "resolved")
    assert store.first_seen_of_resolved(["f-1", "f-2"]) == {"f-1": NOW}
    save("r3", 2, "reopened")
    assert store.first_seen_of_resolved(["f-1"]) == {}
    assert [event.state for event in store.events_of("f-1")] == ["new", "resolved", "reopened"]
    assert store.last_events(["f-2", "f-1"]) == {"f-1": Event("f-1", "r3", NOW + timedelta(days=2), "reopened", NOW)}


def test_the_most_active_people_since_an_instant_to_its_fraction(store: Store, save: Save) -> None:
    save("r1", 0), save("r2", 5)
    save("r3", 3)
    assert store.most_active("ad", NOW) == 45
    assert store.most_active("ad", NOW + timedelta(days=5, microseconds=1)) is None
    assert store.most_active("ad", NOW + timedelta(days=5) - timedelta(microseconds=1)) == 45


def test_reports_are_told_afterwards(store: Store, save: Save, record: Record) -> None:
    save("r1"), save("r2", 1)
    later = record("r1", 9)
    store.tell_reports("r1", later)
    assert [told.as_of for told in store.runs_told()] == [later.as_of, NOW + timedelta(days=1)]


def test_a_run_is_stored_once(store: Store, save: Save) -> None:
    save("r1")
    with pytest.raises(ReconcilerError, match="could not be written; nothing of this was stored: UNIQUE constraint failed"):
        save("r1", 1, "resolved")
    assert [event.state for event in store.events_of("f-1")] == ["new"]


def test_a_failing_write_tells_no_personal_data(store: Store, record: Record) -> None:
    twice = [Change("f-secret-name", "new", "p", "ad", NOW)] * 2
    with pytest.raises(ReconcilerError) as failed:
        store.save(record("r1"), "sha", twice, [], [])
    assert "f-secret-name" not in str(failed.value) + str(failed.value.__cause__)
    assert store.runs_told() == []


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(NOW + timedelta(seconds=second)) for second in range(3)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20261122T020500Z-")
    assert len({new_run_id(NOW) for _ in range(20)}) > 15


def test_many_changes_take_few_statements(store: Store, record: Record) -> None:
    changes = [Change(f"f-{number:016x}", "new", "orphan-account", "ad", NOW) for number in range(20_000)]
    statements: list[str] = []
    with listening(statements.append):
        store.save(record("r1"), "sha", changes, [], [])
        assert len(store.last_events([change.finding for change in changes])) == 20_000
    assert 2 <= len(statements) <= 100
