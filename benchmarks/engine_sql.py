"""The same night as SQL on DuckDB: on the snapshots' own Parquet files, or on Parquet files with ids as text.

Tuned as its manual advises: two threads, columns pruned, no order kept, the owner joined once into a narrow table, and
evidence fetched for the rows found only. Memberships stay in their files: a question reads those it is about, by group or
by a semi join, and the difference of two nights is two anti joins.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.estate_data import EVERYONE, NOW, SYSTEMS
from benchmarks.machine import peak_mb

_ACCOUNT = (
    "account_id, login, upn, email, aliases, employee_id, given_name, family_name, display_name, department, job_title, "
    "enabled, kind, container, created_at"
)
_PERSON = (
    "person_id, employee_id, given_name, family_name, display_name, work_email, status, worker_type, start_date, last_day, "
    "department, job_title, timezone"
)


def encoded(folder: Path, night: str) -> dict[str, str]:
    """The relations of one night on the snapshots' files."""
    shas = json.loads((folder / "nights.json").read_text())[night]
    files = {s: _objects(folder / "objects", sha) for s, sha in shas.items()}
    union = " UNION ALL ".join
    return {
        "people": f"SELECT {_PERSON} FROM '{files['hr']['people']}'",
        "accounts": union(
            f"SELECT '{s}' AS source, {n} AS number, code AS key, {_ACCOUNT}, last_login_at "
            f"FROM '{files[s]['accounts']}' JOIN (SELECT code, last_login_at FROM '{files[s]['accounts_volatile']}') USING (code)"
            for n, s in enumerate(SYSTEMS)
        ),
        "entitlements": union(
            f"SELECT '{s}' AS source, {n} AS number, code AS ekey, entitlement_id, name, kind FROM '{files[s]['entitlements']}'"
            for n, s in enumerate(SYSTEMS)
        ),
        "edges": union(
            f"SELECT {n} AS number, (edge >> 32) AS key, ((edge & 4294967295) >> 3) AS ekey, (edge & 7) AS via FROM '{files[s]['grants']}'"
            for n, s in enumerate(SYSTEMS)
        ),
        **{f"grants_{s}": f"SELECT edge FROM '{files[s]['grants']}'" for s in SYSTEMS},
        **{f"ids_{s}": f"SELECT code AS key FROM '{files[s]['accounts']}'" for s in SYSTEMS},
        "direct": "0",
        "edge": "edge",
    }


def _objects(folder: Path, sha256: str) -> dict[str, Path]:
    tables = json.loads((folder / sha256[:2] / f"{sha256}.json").read_text())["tables"]
    return {name: folder / t["sha256"][:2] / f"{t['sha256']}.parquet" for name, t in tables.items()}


def strings(folder: Path, night: str) -> dict[str, str]:
    """The relations of one night on files with ids as text."""
    files, union = folder / f"strings{night}", " UNION ALL ".join
    return {
        "people": f"SELECT {_PERSON} FROM '{files}/hr_people.parquet'",
        "accounts": union(
            f"SELECT '{s}' AS source, {n} AS number, account_id AS key, {_ACCOUNT}, last_login_at FROM '{files}/{s}_accounts.parquet'"
            for n, s in enumerate(SYSTEMS)
        ),
        "entitlements": union(
            f"SELECT '{s}' AS source, {n} AS number, entitlement_id AS ekey, entitlement_id, name, kind FROM '{files}/{s}_entitlements.parquet'"
            for n, s in enumerate(SYSTEMS)
        ),
        "edges": union(
            f"SELECT {n} AS number, account_id AS key, entitlement_id AS ekey, via FROM '{files}/{s}_grants.parquet'"
            for n, s in enumerate(SYSTEMS)
        ),
        **{f"grants_{s}": f"SELECT account_id, entitlement_id, via FROM '{files}/{s}_grants.parquet'" for s in SYSTEMS},
        **{f"ids_{s}": f"SELECT account_id AS key FROM '{files}/{s}_accounts.parquet'" for s in SYSTEMS},
        "direct": "'direct'",
        "edge": "account_id, entitlement_id, via",
    }


LOAD = """
CREATE TEMP TABLE acc AS SELECT row_number() OVER () AS rid, * FROM ({accounts});
CREATE TEMP TABLE ent AS {entitlements};
CREATE TEMP TABLE hr AS SELECT row_number() OVER () AS pid, * FROM ({people});
CREATE TEMP TABLE days AS
    SELECT timezone, day, timezone(timezone, day::TIMESTAMP) AS begins
    FROM (SELECT timezone, start_date AS day FROM hr UNION SELECT timezone, (last_day + 1)::DATE FROM hr WHERE last_day IS NOT NULL);
CREATE TEMP TABLE pers AS
    SELECT hr.* EXCLUDE (status), s.begins AS starts, e.begins AS access_ends, coalesce(e.begins <= {now}, hr.status = 'left') AS gone,
        s.begins <= {now} AS begun,
        CASE WHEN gone THEN 'left' WHEN hr.status = 'left' OR (hr.status = 'prehire' AND begun) THEN 'active' ELSE hr.status END AS status
    FROM hr JOIN days s ON s.timezone = hr.timezone AND s.day = hr.start_date
    LEFT JOIN days e ON e.timezone = hr.timezone AND e.day = hr.last_day + 1;
"""

CORRELATE = """
CREATE TEMP TABLE by_id AS SELECT lower(trim(employee_id)) AS k, min(pid) AS pid, count(*) AS n FROM hr WHERE employee_id <> '' GROUP BY k;
CREATE TEMP TABLE by_mail AS SELECT lower(trim(work_email)) AS k, min(pid) AS pid, count(*) AS n FROM hr WHERE work_email <> '' GROUP BY k;
CREATE TEMP TABLE m1 AS SELECT rid, by_id.pid, n, 'employee_id' AS matched_by FROM acc JOIN by_id ON k = lower(trim(employee_id)) WHERE kind IN {owned};
CREATE TEMP TABLE r1 AS SELECT rid, upn, email, aliases FROM acc ANTI JOIN m1 USING (rid) WHERE kind IN {owned};
CREATE TEMP TABLE m2 AS SELECT rid, by_mail.pid, n, 'upn' AS matched_by FROM r1 JOIN by_mail ON k = lower(trim(upn));
CREATE TEMP TABLE r2 AS SELECT rid, email, aliases FROM r1 ANTI JOIN m2 USING (rid);
CREATE TEMP TABLE m3 AS SELECT rid, by_mail.pid, n, 'email' AS matched_by FROM r2 JOIN by_mail ON k = lower(trim(email));
CREATE TEMP TABLE r3 AS SELECT rid, unnest(aliases) AS alias FROM (SELECT * FROM r2 ANTI JOIN m3 USING (rid));
CREATE TEMP TABLE m4 AS
    SELECT rid, min(by_mail.pid) AS pid, max(n) + count(DISTINCT by_mail.pid) - 1 AS n, 'alias' AS matched_by
    FROM r3 JOIN by_mail ON k = lower(trim(alias)) GROUP BY rid;
CREATE TEMP TABLE m AS FROM m1 UNION ALL FROM m2 UNION ALL FROM m3 UNION ALL FROM m4;
CREATE TEMP TABLE o AS
    SELECT acc.rid, source, number, acc.kind, enabled, last_login_at, m.matched_by, CASE WHEN n = 1 THEN m.pid END AS pid,
        CASE WHEN n = 1 THEN 'owned' WHEN n > 1 THEN 'disputed' ELSE 'nobody' END AS outcome,
        p.gone, p.begun, p.access_ends, p.starts, p.status
    FROM acc LEFT JOIN m ON m.rid = acc.rid LEFT JOIN pers p ON p.pid = m.pid AND n = 1;
"""

_WHO = (
    "p.person_id, p.display_name AS person_name, p.status AS person_status, a.account_id, a.login, a.display_name AS account_name"
)
_FROM = "FROM hits h JOIN acc a USING (rid) LEFT JOIN pers p ON p.pid = h.pid"
_HELD = f"""{_WHO}, e.entitlement_id, e.name AS entitlement_name, e.kind AS entitlement_kind, p.last_day, p.access_ends, h.via, a.enabled, h.matched_by
    FROM leavers h JOIN acc a USING (rid) JOIN pers p ON p.pid = h.pid JOIN ent e ON e.number = h.number AND e.ekey = h.ekey"""
_SAME = "nfc_normalize(trim(regexp_replace({0}, '\\s+', ' ', 'g')))"


def _drifts() -> str:
    """Which attributes differ: texts unequal as they stand are looked at closely."""
    pairs = {"given_name": "given_name", "family_name": "family_name", "display_name": "display_name"}
    pairs |= {"department": "department", "job_title": "job_title", "work_email": "email"}
    told = []
    for ours, theirs in pairs.items():
        fold = "{0}" if ours.endswith("name") else "lower({0})"
        left, right = (fold.format(_SAME.format(x)) for x in (f"p.{ours}", f"a.{theirs}"))
        told.append(f"coalesce(CASE WHEN p.{ours} <> a.{theirs} THEN {left} <> {right} ELSE false END, false)")
    return ", ".join(f"{text} AS d{n}" for n, text in enumerate(told))


def _drift_shown() -> str:
    columns = ("given_name", "family_name", "display_name", "department", "job_title", ("work_email", "email"))
    pairs = [(c, c) if isinstance(c, str) else c for c in columns]
    return ", ".join(
        f"CASE WHEN d{n} THEN struct_pack(hr := p.{ours}, account := a.{theirs}) END AS drift_{n}"
        for n, (ours, theirs) in enumerate(pairs)
    )


# policy -> (the rows found, what is told of them); the subject is (source, id) or (source, id, entitlement)
POLICIES: Mapping[str, tuple[str, str]] = {
    "leaver-account-enabled": (
        "SELECT rid, pid, matched_by FROM o WHERE kind IN {personal} AND gone AND enabled",
        f"a.source, {_WHO}, p.last_day, p.access_ends, a.enabled, h.matched_by, a.last_login_at {_FROM}",
    ),
    "leaver-account-used": (
        "SELECT rid, pid, matched_by FROM o WHERE kind IN {personal} AND gone AND last_login_at > access_ends",
        f"a.source, {_WHO}, p.last_day, p.access_ends, a.enabled, h.matched_by, a.last_login_at {_FROM}",
    ),
    "joiner-account-early": (
        "SELECT rid, pid, matched_by FROM o WHERE kind IN {personal} AND starts > {now} + INTERVAL 14 DAY AND enabled",
        f"a.source, {_WHO}, p.start_date, p.starts, a.enabled, a.created_at, h.matched_by {_FROM}",
    ),
    "attribute-drift": (
        f"""SELECT * FROM (SELECT o.rid, o.pid, o.matched_by, {_drifts()} FROM o JOIN acc a USING (rid) JOIN pers p ON p.pid = o.pid
            WHERE o.kind = 'person' AND o.enabled AND NOT o.gone AND o.begun) WHERE d0 OR d1 OR d2 OR d3 OR d4 OR d5""",
        f"a.source, {_WHO}, h.matched_by, {_drift_shown()} {_FROM}",
    ),
    "dormant-account": (
        "SELECT rid, pid, outcome FROM o WHERE kind IN {personal} AND enabled AND last_login_at + INTERVAL 90 DAY <= {now}",
        f"a.source, {_WHO}, a.last_login_at, a.created_at, a.enabled, a.kind, h.outcome {_FROM}",
    ),
    "orphan-account": (
        "SELECT rid, pid FROM o WHERE kind IN {personal} AND outcome = 'nobody'",
        f"a.source, {_WHO}, a.enabled, a.kind, a.email, a.employee_id, a.created_at, a.last_login_at, a.container {_FROM}",
    ),
    "disputed-account": (
        "SELECT rid, pid, matched_by FROM o WHERE outcome = 'disputed'",
        f"a.source, {_WHO}, h.matched_by, a.enabled, a.email, a.upn, a.employee_id {_FROM}",
    ),
    "duplicate-account": (
        "SELECT pid, source, count(*) AS live, list(rid) AS rids FROM o WHERE kind = 'person' AND enabled AND pid IS NOT NULL GROUP BY ALL HAVING live > 1",
        """h.source, p.person_id, p.display_name AS person_name, p.status AS person_status, h.live, l.logins
           FROM hits h JOIN pers p USING (pid) JOIN (SELECT h.pid, h.source, string_agg(a.login, ', ' ORDER BY a.login) AS logins
           FROM (SELECT pid, source, unnest(rids) AS rid FROM hits) h JOIN acc a USING (rid) GROUP BY ALL) l ON l.pid = h.pid AND l.source = h.source""",
    ),
    "state-mismatch": (
        """SELECT pid, string_agg(source, ', ' ORDER BY number) FILTER (NOT live) AS off_on, string_agg(source, ', ' ORDER BY number) FILTER (live) AS live_on,
                  arg_min(source, number) FILTER (NOT live) AS source
           FROM (SELECT pid, source, number, bool_or(enabled) AS live FROM o WHERE kind = 'person' AND status = 'active' AND pid IS NOT NULL GROUP BY ALL)
           GROUP BY pid HAVING bool_or(live) AND NOT bool_and(live)""",
        "h.source, p.person_id, p.display_name AS person_name, p.status AS person_status, h.off_on, h.live_on FROM hits h JOIN pers p USING (pid)",
    ),
    "joiner-account-missing": (
        """SELECT pid, s.source, s.number FROM pers CROSS JOIN (SELECT DISTINCT source, number FROM ent) s
           ANTI JOIN (SELECT pid, number FROM o WHERE pid IS NOT NULL) h USING (pid, number)
           ANTI JOIN claimed c USING (pid, number) WHERE status IN ('active', 'prehire') AND NOT gone AND starts <= {now}""",
        """h.source, p.person_id, p.display_name AS person_name, p.status AS person_status, p.start_date, p.starts, p.department, p.worker_type, p.job_title
           FROM hits h JOIN pers p USING (pid)""",
    ),
    "joiner-access-missing": (
        """SELECT a.rid, o.pid, o.matched_by, e.entitlement_id, e.name, e.kind FROM (SELECT rid, pid, matched_by, number FROM o
           WHERE kind IN {personal} AND enabled AND status = 'active' AND begun AND NOT gone) o
           JOIN acc a USING (rid) JOIN ent e ON e.number = o.number AND e.name = {everyone}
           ANTI JOIN (SELECT number, key FROM staff) g ON g.number = o.number AND g.key = a.key""",
        f"""a.source, {_WHO}, h.entitlement_id, h.name AS entitlement_name, h.kind AS entitlement_kind, p.department, p.job_title,
            p.worker_type, p.start_date, false AS held, h.matched_by {_FROM}""",
    ),
    "leaver-access-kept": ("", f"a.source, {_HELD} WHERE e.kind IN ('group', 'role') AND h.via = {{direct}}"),
    "leaver-licence-kept": ("", f"a.source, {_HELD} WHERE e.kind = 'licence'"),
}

# Whose finding is not resolved though it is gone: of policies that tell an account, and of the one that tells who has none.
DOUBT = {
    "a.account_id": 'EXISTS (SELECT 1 FROM "disputed-account" d WHERE d.source = b.source AND d.account_id = b.account_id)',
    "joiner-account-missing": """EXISTS (SELECT 1 FROM claimed c JOIN pers USING (pid) JOIN (SELECT DISTINCT source, number FROM ent) s
        USING (number) WHERE pers.person_id = b.person_id AND s.source = b.source)""",
}

MEMBERSHIPS = """
CREATE TEMP TABLE gone_accounts AS SELECT o.rid, o.pid, o.matched_by, o.number, acc.key FROM o JOIN acc USING (rid) WHERE o.kind IN {personal} AND o.gone;
CREATE TEMP TABLE leavers AS SELECT g.*, e.ekey, e.via FROM ({edges}) e JOIN gone_accounts g ON g.number = e.number AND g.key = e.key;
CREATE TEMP TABLE staff AS SELECT e.number, e.key FROM ({edges}) e JOIN ent ON ent.number = e.number AND ent.ekey = e.ekey AND ent.name = {everyone};
CREATE TEMP TABLE claimed AS
    SELECT DISTINCT p.pid, o.number FROM (SELECT rid, number, matched_by FROM o WHERE outcome = 'disputed') o JOIN acc a USING (rid)
    JOIN pers p ON lower(trim(p.work_email)) = lower(trim(CASE o.matched_by WHEN 'upn' THEN a.upn WHEN 'email' THEN a.email ELSE a.aliases[1] END));
"""


def night(files: Mapping[str, str], before: Mapping[str, str], last: Path | None, out: Path) -> dict[str, Any]:
    """The whole night; `last` holds last night's findings. Returns counts and seconds per stage."""
    import duckdb

    db, marks = duckdb.connect(), [("begin", time.perf_counter())]
    db.execute("SET threads = 2; SET enable_progress_bar = false; SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    words = {
        **files, "now": f"TIMESTAMPTZ '{NOW.isoformat()}'", "everyone": f"'{EVERYONE}'",
        "personal": "('person', 'admin', 'unknown')", "owned": "('person', 'admin', 'unknown', 'service')",
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)

    def stage(name: str, *statements: str) -> None:
        for statement in statements:
            db.execute(statement.format(**words) if "{now}" in statement or "{" in statement else statement)
        marks.append((name, time.perf_counter()))

    stage("load", LOAD)
    stage("correlate", CORRELATE)
    stage("policies", MEMBERSHIPS, *(_question(policy) for policy in POLICIES))
    changes = {source: _changes(db, files, before, source) for source in SYSTEMS}
    stage("membership diff")
    for policy in POLICIES:
        _told(db, policy, last, out, words["now"])
    stage("findings diff and write")
    stages = {name: round(at - marks[i][1], 2) for i, (name, at) in enumerate(marks[1:])}
    return {"stages": stages, "findings": {p: _counts(db, out, p) for p in POLICIES}, "changes": changes}


def _question(policy: str) -> str:
    """Make the table of one policy's findings."""
    hits, told = POLICIES[policy]
    subject = "source, account_id" if "account_id" in told else "person_id" if policy == "state-mismatch" else "source, person_id"
    entitlement = ", entitlement_id" if "entitlement_id" in told else ""
    rows = f"WITH hits AS ({hits}) SELECT {told}" if hits else f"SELECT {told}"
    return f"CREATE TEMP TABLE \"{policy}\" AS SELECT hash('{policy}', {subject}{entitlement}) AS id, * FROM ({rows})"


def _changes(db: Any, files: Mapping[str, str], before: Mapping[str, str], source: str) -> dict[str, int]:
    told = {}
    for thing, relation, key in (("accounts", f"ids_{source}", "key"), ("grants", f"grants_{source}", files["edge"])):
        for word, left, right in (("added", files, before), ("removed", before, files)):
            sql = f"SELECT count(*) FROM ({left[relation]}) ANTI JOIN ({right[relation]}) USING ({key})"
            told[f"{thing}_{word}"] = db.execute(sql).fetchall()[0][0]
    return told


def _told(db: Any, policy: str, last: Path | None, out: Path, now: str) -> None:
    """Write one policy's findings with their states; those of last night that are gone are resolved, unless in doubt."""
    rows = f"SELECT *, 'new' AS state, {now} AS first_seen, {now} AS last_seen FROM \"{policy}\""
    if last:
        doubt = next(
            (words for mark, words in DOUBT.items() if mark in (policy, *POLICIES[policy][1].replace(",", " ").split())), "false"
        )
        gone = f"CASE WHEN {doubt} THEN 'unverified' ELSE 'resolved' END"
        old = f"(SELECT * FROM '{last}/{policy}.parquet' WHERE state <> 'resolved')"
        rows = f"""SELECT t.*, CASE WHEN b.id IS NULL THEN 'new' ELSE 'open' END AS state, coalesce(b.first_seen, {now}) AS first_seen,
            {now} AS last_seen FROM "{policy}" t LEFT JOIN {old} b ON b.id = t.id
            UNION ALL BY NAME SELECT b.* REPLACE ({gone} AS state) FROM {old} b ANTI JOIN "{policy}" t USING (id)"""
    db.execute(f"COPY ({rows}) TO '{out}/{policy}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def _counts(db: Any, out: Path, policy: str) -> dict[str, int]:
    return dict(db.execute(f"SELECT state, count(*) FROM '{out}/{policy}.parquet' GROUP BY state").fetchall())


def main() -> None:
    """python -m benchmarks.engine_sql FOLDER encoded|strings [first]: one measured night, or the first, on what `prepare` left there."""
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    relations = {"encoded": encoded, "strings": strings}[kind]
    before, first = relations(folder, "0"), sys.argv[3:] == ["first"]
    made = (
        night(before, before, None, folder / f"{kind}0")
        if first
        else night(relations(folder, "1"), before, folder / f"{kind}0", folder / f"{kind}1")
    )
    print(json.dumps(made | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
