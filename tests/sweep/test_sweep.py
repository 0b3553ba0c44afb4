"""A spread of the sweep: whatever goes wrong once, the answer is the whole truth or an honest error. `make sweep` does it all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from reconciler.sandbox.faults import Fault
from tests.sampling import EVERY
from tests.sweep.count import Shot, shots, swept
from tests.sweep.kinds import http_kinds, ldap_kinds
from tests.sweep.subjects import Subject, customer, directories, tenant
from tests.sweep.verdicts import RAISED, SILENT, WHOLE, outcome

# ldap3 leaves the socket of a connection that failed to be collected; so do threads that a fault has left waiting.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
ONE_IN = {"Microsoft 365": 1201, "Google Workspace": 1103, "Active Directory, 5 people": 311}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module", params=list(ONE_IN))
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    folder = tmp_path_factory.mktemp("sweep")
    if request.param == "Microsoft 365":
        with tenant(folder) as made:
            yield made
    elif request.param == "Google Workspace":
        with customer(folder) as made:
            yield made
    else:
        with directories(folder, (5,)) as (made,):
            yield made


def test_no_fault_makes_a_short_answer(subject: Subject) -> None:
    tally = swept(subject, 12 if EVERY else ONE_IN[subject.name])
    assert tally.silent == []
    assert tally.injected >= 4


def test_silence_would_be_noticed(subject: Subject) -> None:
    """The truth with one more account in it is what a reading that lacks one looks like."""
    more = {**subject.truth, "accounts": [*subject.truth["accounts"], {**subject.truth["accounts"][0], "account_id": "more"}]}
    assert outcome(subject.under(), subject.truth, subject.identity) == WHOLE
    assert outcome(subject.under(), more, subject.identity) == SILENT
    assert (
        outcome(subject.under(Fault(".", "status", 0, 1 if "Directory" in subject.name else 400)), more, subject.identity)
        == RAISED
    )


def test_there_are_as_many_kinds_and_shots_as_are_promised(subject: Subject) -> None:
    every: list[Shot] = list(shots(subject))
    kinds = ldap_kinds() if "Directory" in subject.name else http_kinds()
    assert len(kinds) >= (123 if "Directory" in subject.name else 40)
    assert len(every) == len(kinds) * len({(shot.place.on, shot.place.at) for shot in every}) >= 2000


def test_every_page_of_every_endpoint_is_a_place(subject: Subject) -> None:
    if "Directory" in subject.name:
        assert len(subject.steps()) == len(subject.requests)
        return
    pages = {place.endpoint: place.at for place in subject.places()}
    assert len(pages) >= 20 and max(pages.values()) >= 2
