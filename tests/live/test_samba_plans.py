"""Plans on a real domain controller, through the command line: every remedy there and back, other people's edits, and kills."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ldap3
import pytest

from tests.live.domain import BASE, DomainController

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

OU = f"OU=Plans,{BASE}"
LEAVERS, NEW, ELSEWHERE = f"OU=Leavers,{OU}", f"OU=New,{OU}", f"OU=Elsewhere,{OU}"
PEOPLE = {  # login -> attributes beside the login
    "p-ann": {"employeeID": "900001", "givenName": "Ann", "sn": "Boss", "department": "Finance"},
    "p-bo": {"employeeID": "900002", "givenName": "Bo", "sn": "Chen", "department": "Sales", "title": "Clerk"},
    "p-jo": {"employeeID": "900003", "givenName": "Jo", "sn": "Doe “J”", "department": "Legal", "userAccountControl": 66080},
    "p-ex": {"employeeID": "900005", "givenName": "Ex", "sn": "Fox", "department": "Legal", "userAccountControl": 514},
    "p-tmp1": {}, "p-tmp2": {}, "p-tmp3": {},
}  # fmt: skip
CONFIG = """
[organisation]
name = "Live"
timezone = "UTC"
[state]
dir = "var"
[connectors.hr]
kind = "hr_file"
path = "roster.csv"
statuses = {{ active = ["Active"], left = ["Terminated"] }}
[connectors.ad]
kind = "active_directory"
urls = ["{url}"]
bases = ["{ou}"]
username = "p-reader@live.example"
password = "file:reader"
ca_file = "{ca}"
writer = {{ username = "p-writer@live.example", password = "file:writer" }}
[[access]]
name = "everyone"
when = {{ status = ["active"] }}
accounts = ["ad"]
entitlements = ["ad:P-All"]
[remediation]
enabled = true
approval = "one-person"
limits = {{ default = {{ count = 50, percent = 100 }}, rolling_7d = {{ percent = 100 }} }}
quarantine = {{ ad = "{leavers}" }}
joiners = {{ ad = "{new}" }}
delete_after = "30d"
[remediation.remedies]
leaver-account-enabled = ["disable-account", "hand-over-ownership", "move-to-quarantine"]
leaver-access-kept = ["remove-entitlement", "delete-after-grace"]
[report]
formats = ["jsonl"]
"""
HEADER = "Employee ID,Given Name,Family Name,Work Email,Status,Start Date,Last Day,Department,Manager ID"
UNLIKE = ("whenChanged", "uSNChanged", "dSCorePropagationData")


@dataclass
class House:
    """An administrator's folder, and the directory behind it."""

    folder: Path
    admin: ldap3.Connection

    def cli(self, *words: str, code: int = 0, under: tuple[str, ...] = ()) -> Any:
        """The program, as a process of its own; its JSON."""
        command = [*under, sys.executable, "-m", "reconciler", *words, "--format", "json"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout else None

    def night(self) -> dict[tuple[str, str], str]:
        """Tonight's open findings: policy and who -> id; the roster is a new one, or who came since would be no orphan yet."""
        (self.folder / "roster.csv").touch()
        self.cli("run", "-q")
        told = [json.loads(line) for line in (self.folder / "var" / "reports" / "latest.jsonl").read_text().splitlines()]
        listed = [finding for finding in told if finding["state"] in ("new", "open", "reopened")]
        return {(f["policy"], (f["account"] or {}).get("login") or f["person"]["id"]): f["id"] for f in listed}

    def plan(self, name: str, *filters: str) -> dict[str, Any]:
        made: dict[str, Any] = self.cli("plan", "--out", name, *filters)
        self.cli("approve", name, "--reason", "ok")
        return made

    def apply(self, name: str, code: int = 0) -> dict[int, str]:
        return {action["n"]: action["outcome"] for action in self.cli("apply", name, "--yes", code=code)["actions"]}

    def entries(self) -> dict[str, Mapping[str, Any]]:
        """Every object below the OU by its GUID, without marks of time."""
        self.admin.search(OU, "(objectClass=*)", attributes=["*"])
        raw = [answer["raw_attributes"] for answer in self.admin.response]
        return {
            str(uuid.UUID(bytes_le=one["objectGUID"][0])): {k: sorted(v) for k, v in one.items() if v and k not in UNLIKE}
            for one in raw
        }

    def of(self, login: str) -> Mapping[str, Any]:
        return next(entry for entry in self.entries().values() if entry.get("sAMAccountName") == [login.encode()])

    def edit(self, login: str, **attributes: Any) -> None:
        self.admin.modify(
            self.of(login)["distinguishedName"][0].decode(), {k: [(ldap3.MODIFY_REPLACE, [v])] for k, v in attributes.items()}
        )

    def usns(self) -> dict[bytes, bytes]:
        self.admin.search(OU, "(objectClass=*)", attributes=["uSNChanged", "objectGUID"])
        return {a["raw_attributes"]["objectGUID"][0]: a["raw_attributes"]["uSNChanged"][0] for a in self.admin.response}


@pytest.fixture(scope="module")
def house(dc: DomainController, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    admin, folder = dc.admin(), tmp_path_factory.mktemp("plans")
    for name in ("reader", "writer"):
        dc.tool("user", "create", f"p-{name}", f"Live-{name}-Pass1!")
        (folder / name).touch(0o600)
        (folder / name).write_text(f"Live-{name}-Pass1!")
    dc.tool("group", "addmembers", "Domain Admins", "p-writer")
    # An account that goes alone from its container is believed to be gone by its tombstone only.
    dc.populate([{"do": "grant", "dn": f"CN=Deleted Objects,{BASE}", "ace": f"(A;;RPLC;;;{dc.sid_of('p-reader')})"}])
    for unit in (OU, LEAVERS, NEW, ELSEWHERE):
        admin.add(unit, "organizationalUnit")
    for login, more in PEOPLE.items():
        flags = {"sAMAccountName": login, "userAccountControl": 544, **more}
        admin.add(f"CN={login},{OU}", "user", flags)
    for group in ("P-All", "P-Owned"):
        admin.add(f"CN={group},{OU}", "group", {"sAMAccountName": group})
    admin.modify(f"CN=P-All,{OU}", {"member": [(ldap3.MODIFY_ADD, [f"CN={login},{OU}" for login in ("p-ann", "p-jo", "p-ex")])]})
    admin.modify(f"CN=P-Owned,{OU}", {"managedBy": [(ldap3.MODIFY_REPLACE, [f"CN=p-jo,{OU}"])]})
    told = CONFIG.format(url=dc.url, ou=OU, ca=dc.ca_file, leavers=LEAVERS, new=NEW)
    (folder / "config.toml").write_text(told)
    (folder / "roster.csv").write_text("\n".join([HEADER, *_roster()]) + "\n")
    made = House(folder, admin)
    made.night()
    made.cli("adopt", "--reason", "read through")
    yield made
    admin.unbind()


def _roster() -> list[str]:
    lately, long_ago = date.today() - timedelta(days=9), date.today() - timedelta(days=99)
    return [
        "900001,Ann,Boss,ann@live.example,Active,2020-01-06,,Finance,",
        "900002,Bo,Chen,bo@live.example,Active,2020-01-06,,Finance,900001",
        f"900003,Jo,Doe,jo@live.example,Terminated,2020-01-06,{lately},Legal,900001",
        "900004,Cy,Émile-O'Hara,cy@live.example,Active,2020-01-06,,Finance,900001",
        f"900005,Ex,Fox,ex@live.example,Terminated,2020-01-06,{long_ago},Legal,900001",
    ]


def test_every_remedy_there_and_back(house: House) -> None:
    found, before = house.night(), house.entries()
    plan = house.plan("all.json")
    remedies = {action["remedy"] for action in plan["actions"]}
    assert remedies == {
        "disable-account", "hand-over-ownership", "move-to-quarantine", "remove-entitlement", "delete-after-grace", "set-attribute",
        "add-missing-access", "create-joiner-account",
    }  # fmt: skip
    assert set(house.apply("all.json").values()) == {"done"}
    written = house.usns()
    assert set(house.apply("all.json").values()) == {"already"}
    assert house.usns() == written, "the second time writes nothing"
    after = house.night()
    answered = {finding for action in plan["actions"] for finding in (action["finding"], *action.get("also", ()))}
    assert answered & set(after.values()) == set()
    house.cli("undo", plan["plan"], "--out", "back.json")
    house.cli("approve", "back.json", "--reason", "wrong")
    assert set(house.apply("back.json").values()) == {"done"}
    assert _but_restored(house.entries(), before) == _but_restored(before, before)
    assert set(found) - set(house.night()) <= {("leaver-access-kept", "p-ex")}, "and they are found again"


def _but_restored(entries: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What is deleted and restored comes back without its employee id, when there is no recycle bin: only that it is there counts."""
    gone = next(guid for guid, entry in before.items() if entry.get("sAMAccountName") == [b"p-ex"])
    return {guid: {"sAMAccountName": entry["sAMAccountName"]} if guid == gone else entry for guid, entry in entries.items()}


def test_what_somebody_else_does_between_plan_and_apply_stands(house: House) -> None:
    """Renamed and moved: the right object. Edited: left alone, or only our bit. Deleted and made anew: nothing."""
    plan = house.plan(
        "drift.json", "--policy", "orphan-account", "--policy", "leaver-account-enabled", "--policy", "attribute-drift"
    )
    house.admin.modify_dn(f"CN=p-jo,{OU}", "CN=Jo Renamed")
    house.admin.modify_dn(f"CN=p-tmp1,{OU}", "CN=p-tmp1", new_superior=ELSEWHERE)
    house.edit("p-tmp2", userAccountControl=0x110220)
    house.admin.delete(f"CN=p-tmp3,{OU}")
    house.admin.add(f"CN=p-tmp3,{OU}", "user", {"sAMAccountName": "p-tmp3", "userAccountControl": 544})
    house.edit("p-bo", department="Research")
    outcomes = house.apply("drift.json", code=7)
    by_login = {
        action["account"]["login"]: outcomes[action["n"]]
        for action in plan["actions"]
        if action["write"]["kind"] in ("enabled", "attribute")
    }
    assert by_login == {"p-jo": "done", "p-tmp1": "done", "p-tmp2": "done", "p-tmp3": "stale", "p-bo": "stale"}
    flags = {login: int(house.of(login)["userAccountControl"][0]) for login in ("p-jo", "p-tmp1", "p-tmp2", "p-tmp3")}
    assert flags == {"p-jo": 66082, "p-tmp1": 546, "p-tmp2": 0x110222, "p-tmp3": 544}
    assert house.of("p-bo")["department"] == [b"Research"]
    assert house.of("p-jo")["distinguishedName"] == [f"CN=Jo Renamed,{LEAVERS}".encode()]
    house.cli("undo", plan["plan"], "--out", "back.json")
    house.cli("approve", "back.json", "--reason", "wrong")
    house.edit("p-tmp1", userAccountControl=544)  # somebody was quicker
    back = house.apply("back.json")
    assert sorted(back.values()).count("already") == 1 and set(back.values()) == {"done", "already"}
    assert {login: int(house.of(login)["userAccountControl"][0]) for login in flags} == {
        "p-jo": 66080,
        "p-tmp1": 544,
        "p-tmp2": 0x110220,
        "p-tmp3": 544,
    }


def test_killed_again_and_again_every_change_is_made_once(house: House) -> None:
    house.night()
    plan = house.plan(
        "kills.json", "--policy", "orphan-account", "--policy", "leaver-account-enabled", "--policy", "leaver-access-kept"
    )
    for point in ("fsync:signal=SIGKILL:when=4", "pwrite64:signal=SIGKILL:when=20", "write:signal=SIGKILL:when=14"):
        call = point.partition(":")[0]
        traced = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={point}")
        house.cli("apply", "kills.json", "--yes", code=-9, under=traced)
    assert set(house.apply("kills.json").values()) <= {"done", "already"}
    assert house.cli("db", "verify")["valid"] is True
    told = [json.loads(line) for line in (house.folder / "var" / "journal.jsonl").read_text().splitlines()]
    mine = [entry for entry in told if entry.get("plan") == plan["plan"] and entry["kind"] in ("intent", "outcome")]
    for action in plan["actions"]:
        outcomes = [entry["outcome"] for entry in mine if entry["n"] == action["n"] and entry["kind"] == "outcome"]
        intents = sum(entry["n"] == action["n"] and entry["kind"] == "intent" for entry in mine)
        assert intents == 1 + outcomes.count("void") and [o for o in outcomes if o != "void"] == ["done"], (action, outcomes)
    assert int(house.of("p-tmp3")["userAccountControl"][0]) == 546
