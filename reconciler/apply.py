"""An approved plan, carried out: a few accounts first, then more; every system at its own pace; stopped by failures, a person or a signal."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, islice

from reconciler.attempt import Lane, Result, Sent, attempt, settle
from reconciler.sealed import Action, Plan, Waves

Told = Callable[[Action, Result], None]
Group = tuple[Action, ...]  # the actions of one account, in their order


@dataclass
class Wave:
    """The accounts that are changed before the next look at how it goes."""

    number: int
    groups: Sequence[Group]
    stop_after: int
    failures: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stopped(self) -> str | None:
        if self.failures < self.stop_after:
            return None
        return f"{self.failures} failures in wave {self.number}"

    def take(self, result: Result) -> None:
        with self.lock:
            self.failures += result.counted in ("failed", "unknown")


def carried_out(plan: Plan, before: Mapping[int, Result], lanes: Mapping[str, Lane], told: Told) -> dict[int, Result]:
    """Every action's result; `before` are those of earlier applies of this plan. Raises ReconcilerError when the journal fails."""
    results, halted = dict(before), ""
    for wave in waves([action for action in plan.actions if action.n not in before], plan.waves):
        if not halted:
            _together(wave, results, lanes, told)
            halted = wave.stopped() or ""
        for action in (action for group in wave.groups for action in group if action.n not in results):
            results[action.n] = Result(action.n, "refused", None, f"not sent: {halted}", ours=True)
    return results


def waves(todo: Sequence[Action], sizes: Waves) -> Iterator[Wave]:
    """The actions by account, in waves of so many accounts; every system has its share of each wave."""
    by_account: dict[tuple[str, str], list[Action]] = defaultdict(list)
    for action in todo:
        by_account[action.source, action.account["id"] or action.finding].append(action)
    groups = iter(_shared([tuple(actions) for actions in by_account.values()]))
    for number in count():
        chosen = list(islice(groups, sizes.sizes[min(number, len(sizes.sizes) - 1)]))
        if not chosen:
            return
        actions = sum(map(len, chosen))
        yield Wave(number + 1, chosen, min(sizes.stop_after, actions))


def _shared(groups: Sequence[Group]) -> list[Group]:
    """The same order within a system, and the systems interleaved by their shares, so that none waits for another at the end."""
    sizes: dict[str, int] = defaultdict(int)
    places = []
    for group in groups:
        source = group[0].source
        places.append((source, sizes[source]))
        sizes[source] += 1
    order = sorted(range(len(groups)), key=lambda at: ((places[at][1] + 0.5) / sizes[places[at][0]], at))
    return [groups[at] for at in order]


def _together(wave: Wave, results: dict[int, Result], lanes: Mapping[str, Lane], told: Told) -> None:
    """One wave: each system in a thread of its own, until all that was sent shows."""
    by_source: dict[str, list[Group]] = defaultdict(list)
    for group in wave.groups:
        by_source[group[0].source].append(group)
    with ThreadPoolExecutor(max_workers=len(by_source)) as pool:
        running = [
            pool.submit(_lane, lanes[source], groups, wave, _Book(results, wave, told)) for source, groups in by_source.items()
        ]
    for ended in running:
        ended.result()


@dataclass(frozen=True)
class _Book:
    """Where a lane enters its results, and looks up what an action needs."""

    results: dict[int, Result]
    wave: Wave
    told: Told

    def enter(self, action: Action, result: Result) -> None:
        self.results[action.n] = result
        self.wave.take(result)
        self.told(action, result)


def _lane(lane: Lane, groups: Sequence[Group], wave: Wave, book: _Book) -> None:
    """One system's share of a wave; what does not show at once is looked for again at the end."""
    waiting: list[Sent] = []
    try:
        for group in groups:
            waiting += _account(group, lane, wave, book)
        for sent in waiting:
            book.enter(sent.action, settle(sent, lane))
    except BaseException as problem:
        lane.stop.reason = lane.stop.reason or f"{lane.source} ended with: {problem}"  # the other systems stop too
        raise


def _account(group: Group, lane: Lane, wave: Wave, book: _Book) -> Iterator[Sent]:
    """The actions on one account, one after another; a change that others need, or whose answer was lost, is settled first."""
    needed = {number for action in group for number in action.needs}
    for action in group:
        reason = wave.stopped() or lane.stop.now() or _lacking(action, book.results)
        if reason is not None:
            book.enter(action, Result(action.n, "refused", None, f"not sent: {reason}", ours=True))
            continue
        result = attempt(action, lane)
        if isinstance(result, Sent) and result.answered and action.n not in needed:
            yield result
        else:
            book.enter(action, settle(result, lane) if isinstance(result, Sent) else result)


def _lacking(action: Action, results: Mapping[int, Result]) -> str | None:
    for number in action.needs:
        result = results.get(number)
        if result is None or not result.made:
            return f"it needs action {number}, which is {result.outcome if result else 'not done'}"
    return None
