"""The state folder copied, put back, and relieved of old nights, through the command line."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from tests.plans.conftest import Company


def told(company: Company, *words: str, hours: float = 1.0) -> dict[str, Any]:
    done = company.at(*words, "--format", "json", hours=hours)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_copy_holds_what_a_plan_can_be_shown_and_proven_from(company: Company, tmp_path: Path) -> None:
    company.at("adopt", "--reason", "read through")
    plan = told(company, "plan", "--out", "p.json")
    made = told(company, "db", "backup", str(tmp_path / "copy"))
    assert made["entries"] == 1 and made["objects"] > 3
    assert {path.name for path in (tmp_path / "copy").iterdir()} >= {
        "reconciler.db",
        "objects",
        "plans",
        "journal.jsonl",
        "journal.head",
    }
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "copy").rglob("*")} == {0}
    shutil.rmtree(company.folder / "var")
    shutil.move(tmp_path / "copy", company.folder / "var")
    assert told(company, "db", "verify")["head"] == made["head"]
    assert told(company, "evidence", plan["plan"])["made"]["by"] == plan["made_by"]
    assert company.at("findings").returncode == 0


def test_a_copy_that_was_put_back_writes_nothing_before_a_new_night_is_accepted(company: Company, tmp_path: Path) -> None:
    """What was applied since the copy was made is in no journal: nobody shall go on as if nothing had been."""
    company.at("adopt", "--reason", "read through")
    told(company, "plan", "--out", "p.json")
    assert company.at("approve", "p.json", "--reason", "ok").returncode == 0
    told(company, "db", "backup", str(tmp_path / "copy"))
    shutil.rmtree(company.folder / "var")
    shutil.move(tmp_path / "copy", company.folder / "var")
    for words in (("plan",), ("apply", "p.json", "--yes")):
        done = company.at(*words)
        assert (done.returncode, "is a copy of" in done.stderr) == (6, True), done.stderr
    assert company.told().get("writes", []) == []
    old = company.at("adopt", "--reason", "in haste")
    assert (old.returncode, "run another one" in old.stderr) == (2, True)
    assert company.night().returncode == 0
    assert company.at("adopt", "--reason", "read again", hours=2).returncode == 0
    assert company.at("plan", hours=2).returncode == 0


def test_a_copy_is_made_whole_or_not_at_all(company: Company, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert company.at("db", "backup", str(tmp_path / "there")).returncode == 2
    max((company.folder / "var" / "objects").glob("??/*.parquet"), key=lambda path: path.stat().st_size).unlink()
    done = company.at("db", "backup", str(tmp_path / "copy"))
    assert done.returncode == 2 and "missing" in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == []


def test_old_nights_are_forgotten_with_all_that_only_they_needed(company: Company) -> None:
    made = told(company, "report", "--formats", "jsonl")
    first = company.folder / made["reports"][0]
    assert first.exists()
    told_plan = company.at("adopt", "--reason", "read through").returncode, company.at("plan", "--out", "p.json").returncode
    assert told_plan == (0, 0)
    for night in range(2):
        company.nights += 60
        assert company.night().returncode == 0, night
    objects = len(list((company.folder / "var" / "objects").glob("??/*")))
    gone = told(company, "db", "prune", "--older-than", "90d")
    assert (gone["runs"], gone["reports"]) == (0, 1) and gone["objects"] > 0  # the adopted run keeps its row
    assert len(list((company.folder / "var" / "objects").glob("??/*"))) == objects - gone["objects"]
    assert not first.exists()
    assert told(company, "db", "verify")["valid"] is True
    assert company.at("findings").returncode == 0 and company.night().returncode == 0


def test_prune_asks_how_old_and_takes_no_week(company: Company) -> None:
    for words in ((), ("--older-than", "7d"), ("--older-than", "soon")):
        done = company.at("db", "prune", *words)
        assert (done.returncode, "--older-than" in done.stderr) == (2, True)


def test_an_upgrade_says_from_where_to_where_and_keeps_the_old_one(company: Company) -> None:
    assert told(company, "db", "upgrade")["before"] == "002"
    path = company.folder / "var" / "reconciler.db"
    with sqlite3.connect(path) as database:
        for table in ("holds", "adoptions", "links", "waivers"):
            database.execute(f"DROP TABLE {table}")
        database.execute("ALTER TABLE snapshots DROP COLUMN accepted_by")
        database.execute("CREATE TABLE links (x)")
        database.execute("CREATE TABLE waivers (x)")
        database.execute("UPDATE alembic_version SET version_num = '001'")
    database.close()
    upgraded = told(company, "db", "upgrade")
    assert (upgraded["before"], upgraded["after"]) == ("001", "002")
    with sqlite3.connect(path.with_name("reconciler.db.001")) as kept:
        assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == ("001",)
    kept.close()
    assert company.at("findings").returncode == 0
