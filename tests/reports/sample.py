"""A company of sixty people on its thirtieth night, with a finding in every state: what reports are looked at with."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from reconciler import plugins
from reconciler.findings import DUE_AFTER
from reconciler.model import (
    AccountRef,
    EntitlementRef,
    Finding,
    Match,
    Night,
    NotAssessed,
    PersonRef,
    PolicyPage,
    RunRecord,
    SourceReport,
    instant_text,
)  # fmt: skip
from reconciler.policy import policy_in

AS_OF = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
NAMES = (
    "Jo Doe", "Zoë Müller", "José Núñez", "Søren Ørsted", "Łukasz Wójcik", "Aoife Ní Bhriain", "王小明", "佐藤 健", "Nguyễn Thị Hương",
    "محمد الأحمد", "דוד כהן", "Ольга Иванова", "Αλέξανδρος Παπαδόπουλος", "Priya Raghunathan", "Chinwe Okonkwo", "Fatma Yıldız",
    "Björk Guðmundsdóttir", "Anne-Marie O’Neill", "Tomás Ó Sé", "김민준", "Maria da Conceição", "Jean-Luc Lefèvre", "สมชาย ใจดี", "अमित शर्मा",
)  # fmt: skip


@dataclass(frozen=True)
class Somebody:
    number: str
    name: str
    login: str
    left: date | None


def people() -> list[Somebody]:
    """Sixty people; every fifth has left."""
    found = []
    for number in range(60):
        name = (
            NAMES[number % len(NAMES)]
            if number < len(NAMES)
            else f"{NAMES[number % len(NAMES)].split()[0]} {'BCDEFGH'[number % 7]}."
        )
        left = date(2026, 11, 22) - timedelta(days=number) if number % 5 == 0 else None
        found.append(Somebody(f"{100 + number:06d}", name, f"user{number:02d}", left))
    return found


def pages() -> tuple[PolicyPage, ...]:
    return tuple(policy_in(plugins.load("policies", name)).page() for name in plugins.names("policies"))


def finding(
    policy: str, state: str, days: int, says: str, who: Somebody | None = None, source: str = "ad", **more: Any
) -> Finding:
    """One finding, first seen `days` nights ago."""
    page = policy_in(plugins.load("policies", policy.replace("-", "_")))
    first = AS_OF - timedelta(days=days)
    last = AS_OF - timedelta(days=1) if state in ("resolved", "unverified") else AS_OF
    person = PersonRef(who.number, who.name, "left" if who.left else "active") if who else None
    account = more.get("account", AccountRef(source, f"{source}-{who.number}", who.login, who.name) if who else None)
    subject = f"{policy} {source} {who.number if who else account} {more.get('held')} {says}"
    name = "f-" + blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    due = first + DUE_AFTER[page.severity] if page.severity in DUE_AFTER else None
    return Finding(name, policy, page.severity, state, person, account, more.get("held"), source, says, more.get("evidence", {}), first, last, due, more.get("waiver"), page.remedies)  # fmt: skip


def findings() -> list[Finding]:
    """What is found on the thirtieth night, in the night's order."""
    made = [*_leavers(), *_others(), *_rest()]
    order = ("critical", "high", "medium", "low", "info")
    return sorted(made, key=lambda f: (order.index(f.severity), f.policy, f.source, f.id))


def _leavers() -> Iterator[Finding]:
    states = ("new", "open", "new", "reopened", "open", "unverified", "waived", "resolved", "new", "open", "open", "resolved")
    for number, who in enumerate(p for p in people() if p.left):
        state, source = states[number], ("google" if states[number] == "unverified" else ("ad", "m365", "ad")[number % 3])
        assert who.left
        day, days = f"{who.left.day} {who.left:%b %Y}", 0 if state in ("new", "reopened") else number * 2 + 1
        told = {"last_day": who.left.isoformat(), "access_ends": instant_text(datetime(who.left.year, who.left.month, who.left.day, tzinfo=UTC) + timedelta(days=1)),
                "enabled": True, "matched_by": ("employee_id", "upn", "anchor")[number % 3], "privileged": number == 2, "mastered_by": "ad" if source == "m365" else None,
                "last_login_at": instant_text(AS_OF - timedelta(hours=7 * number + 3)) if number % 2 == 0 else None}  # fmt: skip
        waiver = {"until": "2026-12-31T23:59:59Z", "reason": "Hands over the quarter's accounts; agreed with Finance, CHG-2231", "by": "m.keller"} if state == "waived" else None  # fmt: skip
        yield finding("leaver-account-enabled", state, days, f"{who.login} on {source} is enabled though {who.name} left on {day}", who, source, evidence=told, waiver=waiver)  # fmt: skip
        if number in (0, 2, 4, 9):
            held = EntitlementRef(source, f"S-1-5-21-1-2-3-{1100 + number}", ("Domain Admins", "Finance-RW", "All Staff", "VPN Users")[number % 4], "group")  # fmt: skip
            evidence = {k: told[k] for k in ("last_day", "access_ends", "enabled", "matched_by")} | {"via": "direct", "entitlement_privileged": number == 0}  # fmt: skip
            yield finding("leaver-access-kept", state, days, f"{who.login} on {source} still holds {held.name} though {who.name} left on {day}", who, source, held=held, evidence=evidence)  # fmt: skip
        if number in (1, 4, 5):
            held = EntitlementRef("m365", "06ebc4ee-1bb5-47dd-8120-11324bc54e06", "SPE_E5", "licence")
            yield finding("leaver-licence-kept", "open", days + 3, f"{who.login} on m365 still has the licence SPE_E5 though {who.name} left on {day}", who, "m365", held=held,
                          evidence={"last_day": told["last_day"], "via": "inherited", "enabled": True, "matched_by": "anchor"})  # fmt: skip


def _others() -> Iterator[Finding]:
    staff = [p for p in people() if not p.left]
    for number, login in enumerate(("old-scanner", "jsmith2", "temp_contractor7", "=cmd|' /C calc'!A0", "marketing.intern")):
        state, source = (
            ("new", "open", "open", "open", "resolved")[number],
            ("ad", "m365", "google")[number % 3 if number < 2 else 0],
        )
        account = AccountRef(source, f"3f2c{number}a41-0000-4000-8000-00000000000{number}", login, None)
        yield finding("orphan-account", state, number * 6, f"{login} on {source} belongs to nobody on the roster", None, source, account=account,
                      evidence={"enabled": True, "kind": "person", "privileged": number == 1, "email": f"{login}@example.com", "created_at": "2024-03-01T09:12:00Z", "container": "OU=Staff,DC=example,DC=com"})  # fmt: skip
    for number, who in enumerate(staff[:6]):
        held = EntitlementRef("ad", f"S-1-5-21-1-2-3-{2200 + number}", ("Payroll-RW", "Legal-Share")[number % 2], "group")
        yield finding("mover-access-stale", ("new", "open", "open", "waived", "open", "open")[number], 0 if not number else 5 * number,
                      f"{who.login} on ad still holds {held.name} from {who.name}'s old position (Finance)", who, held=held,
                      evidence={"moved_at": "2026-10-01T00:00:00Z", "moved_from": "Finance", "person_department": "Legal", "person_job_title": "Counsel", "via": "direct", "matched_by": "employee_id"},
                      waiver={"until": "2026-12-15T00:00:00Z", "reason": "Closes the books until mid December", "by": "a.roy"} if number == 3 else None)  # fmt: skip
    for number, who in enumerate(staff[6:14]):
        drift = {
            "department": {"hr": "Legal", "account": "Finance"},
            "job_title": {"hr": "Counsel", "account": None},
            "manager": None,
        }
        yield finding("attribute-drift", "open" if number else "new", number * 3, f"{who.login} on ad differs from what HR says about {who.name}", who, evidence={"matched_by": "employee_id", "mastered_by": None, "drift": drift})  # fmt: skip
    for number, who in enumerate(staff[14:20]):
        yield finding("dormant-account", "unverified" if number > 3 else "open", 9 + number, f"{who.login} on {'google' if number > 3 else 'm365'} has not been used since 2 Aug 2026", who, "google" if number > 3 else "m365",
                      evidence={"last_login_at": "2026-08-02T08:00:00Z", "never_logged_in": False, "created_at": "2021-05-03T00:00:00Z", "enabled": True, "kind": "person", "privileged": False, "ownership": "owned"})  # fmt: skip


def _rest() -> Iterator[Finding]:
    staff = [p for p in people() if not p.left]
    account = AccountRef("ad", "9d1f77aa-0000-4000-8000-000000000001", "j.novak", "J. Novak")
    yield finding("disputed-account", "open", 12, "j.novak on ad may belong to several people: they share its email", None, "ad", account=account,
                  evidence={"matched_by": "email", "enabled": True, "email": "j.novak@example.com", "privileged": False})  # fmt: skip
    for number, who in enumerate(staff[20:23]):
        nowhere = AccountRef("m365", None, None, None)
        yield finding("joiner-account-missing", "new" if not number else "open", number * 2, f"{who.name} has no account on m365; first day 23 Nov 2026", who, "m365", account=nowhere,
                      evidence={"start_date": "2026-11-23", "starts": "2026-11-23T00:00:00Z", "person_department": "Sales", "worker_type": "employee"})  # fmt: skip
    for number, row in enumerate(("000171", "000178")):
        odd = Somebody(row, "", "", None)
        yield finding("roster-defect", "new" if number else "open", 4 - 4 * number, f"{row} on hr: {('end before start', 'unknown status')[number]}", odd, "hr", account=None,
                      evidence={"line": 61 + number, "column": ("Last Day", "Status")[number], "found": ("2019-01-01", "Sabbatical (n)")[number], "allowed": ("not before 2020-01-06", "Active, LOA, Terminated, Accepted")[number], "problem": ("end before start", "unknown status")[number]})  # fmt: skip
    yield finding("state-mismatch", "open", 3, f"{staff[25].name} is off on ad and live on m365", staff[25], "ad", account=None, evidence={"off_on": "ad", "live_on": "m365", "status": "active"})  # fmt: skip


def matches() -> tuple[Match, ...]:
    """Accounts without a sure owner, each with what its keys find."""

    def keys(login: str, level: str) -> tuple[dict[str, Any], ...]:
        values = {"employee_id": None, "upn": f"{login}@example.com", "email": f"{login}@example.com"}
        return tuple(
            {"field": k, "level": "no value" if v is None else level, "bits": None, "value": v} for k, v in values.items()
        )

    found = [Match(AccountRef("ad", "9d1f", "j.novak", "J. Novak"), "disputed", None, "email", keys("j.novak", "several people"),
                   ({"person": "000104", "probability": None}, {"person": "000171", "probability": None}))]  # fmt: skip
    found += [Match(AccountRef("ad", f"3f2c{n}", login, None), "nobody", None, None, keys(login, "nobody")) for n, login in enumerate(("old-scanner", "jsmith2", "temp_contractor7", "=cmd|' /C calc'!A0"))]  # fmt: skip
    found += [Match(AccountRef("m365", f"77{n}", f"user7{n}@example.com", None), "withheld", None, None, keys(f"user7{n}", "nobody")) for n in range(2)]  # fmt: skip
    return (
        *found,
        *(
            Match(AccountRef("ad", f"e{n}", login, None), "exempt")
            for n, login in enumerate(("svc-backup", "svc-sql01", "breakglass1"))
        ),
    )


def sources() -> tuple[SourceReport, ...]:
    def scope(name: str, pages: int, rows: int, declared: int | None) -> dict[str, Any]:
        return {"scope": name, "pages": pages, "rows": rows, "declared": declared}

    return (
        SourceReport("hr", "hr_file", "complete", 58, read=62, accepted=60, quarantined=2, as_of=AS_OF - timedelta(minutes=35), seconds=0.04,
                     identity="roster.csv, Employee ID", scopes=(scope("roster.csv", 1, 62, None),), snapshot="9b1c" * 16),
        SourceReport("ad", "active_directory", "complete", 0, 74, 38, 611, 723, 723, as_of=AS_OF, seconds=1.31, identity="S-1-5-21-1-2-3",
                     scopes=(scope("users below DC=example,DC=com", 1, 74, 74), scope("groups below DC=example,DC=com", 1, 38, 38)), snapshot="51e0" * 16),
        SourceReport("m365", "microsoft365", "complete", 0, 66, 24, 380, 470, 470, as_of=AS_OF, seconds=3.62, identity="00000000-0000-0000-0000-000000000000",
                     areas={"roles": "403 Authorization_RequestDenied; grant RoleManagement.Read.Directory to the application and consent to it"},
                     scopes=(scope("users", 1, 66, 66), scope("groups", 1, 20, 20), scope("members of All Staff", 1, 58, None)), snapshot="a77d" * 16),
        SourceReport("google", "google_workspace", "incomplete", reasons=("page 3 of users: HTTP 503 after 5 attempts in 120 s (backendError)",), as_of=AS_OF, seconds=121.4, identity="C01abcd23",
                     scopes=(scope("users", 2, 200, None),)),
    )  # fmt: skip


def night(found: Sequence[Finding] | None = None) -> Night:
    """Tonight, as a report sees it; `found` replaces its findings."""
    listed = findings() if found is None else found
    record = RunRecord(
        "20261123T020500Z-7q4k", AS_OF, AS_OF + timedelta(seconds=1), AS_OF + timedelta(seconds=130), False, 5, sources(),
        {"owned": 128, "unowned": 4, "disputed": 1, "exempt": 3, "suggested": 0, "withheld": 2}, counts(listed),
        (NotAssessed("leaver-access-kept", "m365", "roles: 403 Authorization_RequestDenied; grant RoleManagement.Read.Directory"),),
    )  # fmt: skip
    changes = {"ad": {"accounts_added": 2, "accounts_removed": 0, "grants_added": 9, "grants_removed": 3}, "m365": {"accounts_added": 2, "accounts_removed": 1, "grants_added": 4, "grants_removed": 0}}  # fmt: skip
    undecided = {"dormant-account": 11, "leaver-account-used": 2}
    return Night(
        "Example Ltd", record, listed, matches(), pages(), (*history(record), record), changes, undecided, "Europe/London"
    )


def small() -> Night:
    """A night of six findings and two policies whose words are fixed here: what golden files are made of."""
    by_state = {f.state: f for f in reversed(findings()) if f.policy in ("leaver-account-enabled", "mover-access-stale")}
    words = {
        "leaver-account-enabled": ("An account stays usable.", "Former staff keep access.", "Disable the account.", "The last day is wrong.", "critical"),
        "mover-access-stale": ("Old access stays.", "Duties add up.", "Remove the membership.", "A hand-over is agreed.", "high"),
    }  # fmt: skip
    told = tuple(
        PolicyPage(name, title, why, fix, wrong, grade, ("ISO 27001 A.5.18",), {"grace": "0h"})
        for name, (title, why, fix, wrong, grade) in words.items()
    )
    full = night(list(by_state.values()))
    return replace(full, policies=told, history=full.history[-3:])


def history(record: RunRecord) -> list[RunRecord]:
    """Twenty-nine nights that lead to tonight; on two of them a source was not read whole."""
    chance, made, levels = random.Random(7), list[RunRecord](), {"critical": 4, "high": 9, "medium": 14, "low": 13}
    for ago in range(29, 0, -1):
        levels = {s: max(0, n + chance.choice((-1, 0, 0, 0, 1))) for s, n in levels.items()}
        at, new, gone = AS_OF - timedelta(days=ago), chance.randint(0, 4), chance.randint(0, 3)
        told = {"new": new, "open": sum(levels.values()) - new, "reopened": 0, "waived": 2, "resolved": gone, "unverified": 0, "by_policy": {}, "by_severity": levels}  # fmt: skip
        made.append(
            replace(
                record,
                run=f"{at:%Y%m%dT%H%M%SZ}-{ago:04x}",
                as_of=at,
                started=at,
                finished=at,
                complete=ago not in (9, 17),
                findings=told,
            )
        )
    return made


def counts(listed: Sequence[Finding]) -> dict[str, Any]:
    states, policies, severities = Counter[str](), Counter[str](), Counter[str]()
    for each in listed:
        states[each.state] += 1
        if each.state in ("new", "open", "reopened"):
            policies[each.policy] += 1
            severities[each.severity] += 1
    numbers = {state: states[state] for state in ("new", "open", "reopened", "waived", "resolved", "unverified")}
    return {**numbers, "by_policy": dict(policies), "by_severity": dict(severities)}


@dataclass(frozen=True)
class Many(Sequence[Finding]):
    """As many findings as wanted, made when somebody reads them: the sample's, each with an id of its own."""

    number: int

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("reports read findings in order")

    def __iter__(self) -> Iterator[Finding]:
        some = [f for f in findings() if f.state != "resolved"]
        for number in range(self.number):
            each = some[number % len(some)]
            yield replace(each, id=f"f-{number:016x}", first_seen=each.first_seen - timedelta(minutes=number % 1440))


if __name__ == "__main__":  # python -m tests.reports.sample FOLDER: the three reports of this night, to look at
    for name in ("html_page", "csv_table", "json_lines"):
        report = plugins.load("reports", name)
        Path(sys.argv[1], f"sample{report.SUFFIX}").write_bytes(report.render(night()))
