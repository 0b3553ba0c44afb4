"""The sweep itself: every kind of fault at every place of every system, one at a time, and what came of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.sweep.kinds import Kind, http_kinds, ldap_kinds
from tests.sweep.subjects import Place, Subject
from tests.sweep.verdicts import BESIDE, CRASHED, SILENT, outcome


@dataclass(frozen=True)
class Shot:
    """One fault, aimed."""

    subject: Subject
    kind: str
    place: Place
    make: Kind

    def __str__(self) -> str:
        return f"{self.subject.name}: {self.kind}: request {self.place.at} of {self.place.endpoint}"

    def fired(self) -> str | None:
        """What came of it; None where it could not be done to the answer that there is."""
        fault, faults = self.make(self.place.on, at=self.place.at), self.subject.faults
        told = outcome(self.subject.under(fault), self.subject.truth, self.subject.identity)
        if not faults.struck or faults.unfit:
            return None
        return BESIDE if told == SILENT and not self.subject.believed(fault) else told


@dataclass
class Tally:
    """What has come of the faults of one system so far."""

    name: str
    kinds: int
    places: int
    outcomes: Counter[str] = field(default_factory=Counter)
    silent: list[str] = field(default_factory=list)

    @property
    def injected(self) -> int:
        return self.outcomes.total()

    def take(self, shot: Shot) -> str | None:
        told = shot.fired()
        if told is not None:
            self.outcomes[told] += 1
        if told in (SILENT, CRASHED):
            self.silent.append(f"{told}: {shot}")
        return told


def shots(subject: Subject) -> Iterator[Shot]:
    """Every kind at every place: a directory is read in order, request by request; a cloud in parallel, endpoint by endpoint."""
    in_order = subject.name.startswith("Active Directory")
    kinds: Mapping[str, Kind] = ldap_kinds() if in_order else http_kinds()
    places: Sequence[Place] = subject.steps() if in_order else subject.places()
    for name, make in kinds.items():
        for place in places:
            yield Shot(subject, name, place, make)


def tally_of(subject: Subject) -> Tally:
    every = list(shots(subject))
    return Tally(subject.name, len({shot.kind for shot in every}), len({(shot.place.on, shot.place.at) for shot in every}))


def swept(subject: Subject, one_in: int = 1) -> Tally:
    """Every shot at one system, or one in so many."""
    tally = tally_of(subject)
    for at, shot in enumerate(shots(subject)):
        if at % one_in == 0:
            tally.take(shot)
    return tally
