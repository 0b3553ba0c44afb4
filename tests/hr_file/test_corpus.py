"""Every file of the corpus becomes what it must, and thousands of others from a seed are refused or accounted for."""

from __future__ import annotations

import os
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors import _workbook, hr_file
from connectors.hr_file import Settings, read
from reconciler.connector import Context, Defect, Ended, Incomplete, Page
from tests.hr_file import fuzz
from tests.hr_file.corpus import CASES, Case
from tests.hr_file.workbooks import in_process

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
FUZZED = int(os.environ.get("FUZZ", "400"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hr_file, "SETTLE", 0)
    monkeypatch.setattr(_workbook, "in_child", in_process)


def test_the_corpus_is_large_and_its_files_are_told_apart() -> None:
    assert len(CASES) >= 150
    assert [name for name, times in Counter(case.name for case in CASES).items() if times > 1] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_becomes_what_it_must(tmp_path: Path, case: Case) -> None:
    path = tmp_path / case.file
    path.write_bytes(case.body)
    os.utime(path, (NOW.timestamp(),) * 2)
    words = {"active": ["Active", "1"] if case.file == "r.xlsx" else ["Active"], "left": ["Terminated"]}
    told = {
        "kind": "hr_file",
        "path": str(path),
        "statuses": words,
        "max_quarantined_percent": 20 if case.file == "r.xlsx" else 5,
        **case.keys,
    }
    settings = Settings.model_validate(told)
    if case.told:
        with pytest.raises(Incomplete) as refused:
            list(read(settings, Context("hr", NOW)))
        assert re.search(case.told, str(refused.value)), refused.value
        return
    answers = list(read(settings, Context("hr", NOW)))
    page, ended = (next(answer for answer in answers if isinstance(answer, kind)) for kind in (Page, Ended))
    lost = sum(isinstance(answer, Defect) for answer in answers)
    assert (page.stands_for, lost) == (case.taken, case.lost)
    assert case.taken + case.lost == ended.rows == ended.declared


def test_files_from_a_seed_are_refused_or_accounted_for(tmp_path: Path) -> None:
    """`make fuzz` reads a hundred thousand; FUZZ sets how many here."""
    tally = fuzz.run(range(FUZZED), fuzz.SEED, tmp_path)
    assert sum(tally.values()) == FUZZED
    assert {outcome for _, outcome in tally} == {"refused", "taken", "with rows set aside"}
