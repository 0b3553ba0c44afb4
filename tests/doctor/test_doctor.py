"""`doctor` against the embedded company: what is granted, what is missing with its fix, and that nothing is written."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from reconciler.config import load
from reconciler.connector import Context
from reconciler.doctor import Examined, Known, examine, exit_of
from reconciler.sandbox.company import Company
from reconciler.sandbox.embedded import CLIENT_ID, CLIENT_SECRET, Embedded
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.graph_token import READING, Registration
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.stock import READER
from reconciler.sandbox.tls import LOOPBACK
from reconciler.store import looked_into, opened
from reconciler.store_tables import RUNS, SNAPSHOTS

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/"
READS = ("admin.directory.customer.readonly", "admin.directory.user.readonly", "admin.directory.group.readonly",
         "admin.directory.group.member.readonly", "apps.licensing", "admin.directory.device.mobile.readonly",
         "admin.directory.user.security")  # fmt: skip
# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class House:
    """A folder with the company's configuration; `look` examines some of its sources."""

    embedded: Embedded
    folder: Path

    def changes(self, old: str, new: str) -> None:
        """Other words in config.toml."""
        path = self.folder / "config.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def look(self, *names: str, known: Mapping[str, Known] | None = None, **about: Any) -> dict[str, Examined]:
        config = load(self.folder / "config.toml")
        chosen = [connector for name, connector in config.connectors.items() if not names or name in names]
        context = Context("", NOW, wait=lambda seconds: None, **about)
        return {one.name: one for one in examine(chosen, known or {}, context, lambda source, what, rows: None)}

    def one(self, name: str, **about: Any) -> Examined:
        return self.look(name, **about)[name]

    def pins(self, **identities: str) -> None:
        """A database as an accepted night leaves it, as far as it tells who answered."""
        about = {"run": "r", "number": 1, "as_of": "2026-11-21T02:05:00Z"}
        with opened(load(self.folder / "config.toml").state.url(self.folder)) as store, store.writing() as connection:
            connection.execute(RUNS.insert(), {**about, "complete": True, "night": "", "record": "{}"})
            for name, identity in identities.items():
                told = {"source": name, "sha256": "", "identity": identity, "active_people": 0}
                connection.execute(SNAPSHOTS.insert(), {**about, **told})

    def cli(self, *words: str) -> tuple[int, str, str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["reconciler", *words, "--as-of", NOW.isoformat()])
            patch.chdir(self.folder)
            with pytest.raises(SystemExit) as ended:
                main()
            out.flush(), err.flush()
        told = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
        return int(ended.value.code or 0), told[0], told[1]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    served = Embedded(Company(NOW), tmp_path_factory.mktemp("company")).start()
    served.night(0)
    yield served
    served.close()


@pytest.fixture
def house(embedded: Embedded, tmp_path: Path) -> Iterator[House]:
    """Every server honest, every permission granted, the writer apart from the reader, nobody able to write."""
    folder = tmp_path / "house"
    shutil.copytree(embedded.folder, folder)
    text = embedded.config().replace('formats = ["html", "csv", "jsonl"]', 'formats = ["jsonl"]')
    (folder / "config.toml").write_text(text, "utf-8")
    yield House(embedded, folder)
    embedded.m365.login.clients[CLIENT_ID] = Registration(CLIENT_ID, CLIENT_SECRET)
    embedded.google.tokens.delegated = None
    embedded.directory.hidden.clear()
    embedded.directory.hidden_attributes.clear()
    embedded.directory.read_only(READER)
    for faults in embedded.faults.values():
        faults.reset()


def lines(one: Examined, state: str) -> dict[str, str]:
    """The lines of one state: what -> everything said."""
    return {c.what: f"{c.told} | {c.without} | {c.fix}" for c in one.checks if c.state == state}


def files(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- all is well ------------------------------------------------------------------------------------------------------


def test_what_is_granted_is_told_line_by_line_and_nothing_is_written(house: House) -> None:
    embedded = house.embedded
    house.pins(hr="Harbour & Vale Ltd", ad=embedded.directory.domain_sid, m365=embedded.tenant.id, google=embedded.customer.id)
    before = files(house.folder)
    code, out, err = house.cli("doctor", "--format", "json")
    assert (code, files(house.folder)) == (0, before), err
    told = json.loads(out)
    assert (told["schema_version"], told["exit"]) == (1, 0)
    sources = {one["name"]: one for one in told["connectors"]}
    assert list(sources) == ["hr", "ad", "m365", "google"]
    assert all(one["identity"] and one["identity"] == one["pinned"] for one in sources.values())
    counts = {name: (one["rows"]["active"], one["rows"]["inactive"]) for name, one in sources.items()}
    tenant, customer = house.embedded.tenant.users.values(), house.embedded.customer.users.values()
    on = sum(bool(user["accountEnabled"]) for user in tenant)
    off = sum(bool(user.get("suspended") or user.get("archived")) for user in customer)
    assert counts["m365"] == (on, len(tenant) - on)
    assert counts["google"] == (len(customer) - off, off)
    assert sources["hr"]["rows"]["quarantined"] == 2
    granted = {c["what"] for one in sources.values() for c in one["checks"] if c["kind"] == "permission" and c["state"] == "ok"}
    assert {"User.Read.All", "RoleEligibilitySchedule.Read.Directory", "apps.licensing", "Read lastLogonTimestamp"} <= granted
    assert all(f"admin.directory.{what}.readonly" in granted for what in ("user", "group", "group.member", "customer"))
    requests = [line for name, faults in house.embedded.faults.items() for line in faults.requests if name != "ad"]
    assert {line.split()[0] for line in requests} <= {"GET", "POST"}
    assert all("token" in line for line in requests if line.startswith("POST"))
    assert not [line for line in house.embedded.faults["ad"].requests if line.split()[0] not in ("bind", "search", "extended")]


def test_it_makes_no_database_where_there_is_none(house: House) -> None:
    before = files(house.folder)
    code, out, err = house.cli("doctor", "hr")
    assert (code, files(house.folder)) == (0, before)
    assert "not pinned yet" in out and "exit 0" in err
    assert "max_age 26h" in out and "2 quarantined" in out


def test_an_unknown_connector_is_a_usage_error(house: House) -> None:
    code, _, err = house.cli("doctor", "m356")
    assert code == 2 and "did you mean m365?" in err


# --- permissions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permission", "state", "code", "without"),
    [
        ("AuditLog.Read.All", "missing", 0, "dormant and used-after-leaving are not assessed"),
        ("RoleEligibilitySchedule.Read.Directory", "missing", 0, "roles are not assessed"),
        ("LicenseAssignment.Read.All", "missing", 0, "licences are not assessed"),
        ("User.Read.All", "refused", 4, "the source cannot be read"),
    ],
)
def test_a_missing_graph_permission_is_named_with_its_fix(
    house: House, permission: str, state: str, code: int, without: str
) -> None:
    wider = {"Directory.Read.All", "Group.Read.All", "GroupMember.Read.All"}  # each would stand in for a narrower one
    if permission == "RoleEligibilitySchedule.Read.Directory":
        wider |= {"RoleManagement.Read.Directory"}
    held = READING - wider - {permission}
    house.embedded.m365.login.clients[CLIENT_ID] = Registration(
        CLIENT_ID, CLIENT_SECRET, permissions=frozenset(held | {"Group.Read.All"})
    )
    one = house.one("m365")
    said = lines(one, state)[permission]
    assert "not granted" in said and "Authorization_RequestDenied" in said
    assert without in said or permission == "AuditLog.Read.All"  # which has two lines
    assert f"add the application permission {permission}" in said and "grant admin consent" in said
    assert exit_of([one]) == code


def test_what_cannot_be_asked_is_not_told_as_granted(house: House) -> None:
    """Without the groups there is no group whose members could be asked for."""
    held = frozenset({"User.Read.All"})
    house.embedded.m365.login.clients[CLIENT_ID] = Registration(CLIENT_ID, CLIENT_SECRET, permissions=held)
    house.embedded.google.tokens.delegated = frozenset(SCOPE + one for one in READS if one != "admin.directory.group.readonly")
    found = house.look("m365", "google")
    about = [c for c in found["m365"].checks if c.what == "GroupMember.Read.All"]
    assert [check.state for check in about] == ["refused", "refused", "missing"]
    assert "not asked" in lines(found["google"], "ok")["admin.directory.group.member.readonly"]
    assert list(lines(found["google"], "refused")) == ["admin.directory.group.readonly"]


def test_a_graph_identity_that_could_write_is_a_warning(house: House) -> None:
    more = READING | {"User.ReadWrite.All", "User.RevokeSessions.All"}
    house.embedded.m365.login.clients[CLIENT_ID] = Registration(CLIENT_ID, CLIENT_SECRET, permissions=more)
    one = house.one("m365")
    assert "yes: User.ReadWrite.All, User.RevokeSessions.All" in lines(one, "warning")["could also write"]
    assert exit_of([one]) == 0


@pytest.mark.parametrize(
    ("scope", "state", "code"),
    [("admin.directory.device.mobile.readonly", "missing", 0), ("admin.directory.group.member.readonly", "refused", 4)],
)
def test_a_google_scope_that_is_not_delegated_is_named_with_client_and_scope(
    house: House, scope: str, state: str, code: int
) -> None:
    tokens = house.embedded.google.tokens
    tokens.delegated = frozenset(SCOPE + one for one in (*READS, "admin.directory.rolemanagement.readonly") if one != scope)
    one = house.one("google")
    said = lines(one, state)
    assert list(said) == [scope]
    assert f"Domain-wide delegation: add to client {tokens.client_id} the scope {SCOPE}{scope}" in said[scope]
    assert exit_of([one]) == code
    assert "super administrator" in lines(one, "warning")["could also write"]


def test_a_google_subject_without_the_privilege_is_told_which(house: House) -> None:
    customer = house.embedded.customer
    reader = next(user["primaryEmail"] for user in customer.users.values() if user.get("isAdmin"))
    customer.change_user(reader, isAdmin=False)
    try:
        one = house.one("google")
    finally:
        customer.change_user(reader, isAdmin=True)
    said = lines(one, "refused")["admin.directory.user.readonly"]
    assert f"give {reader} an administrator role with the Admin API privilege Users, Read" in said


def test_deleted_objects_that_may_not_be_listed_come_with_the_command(house: House) -> None:
    container = f"CN=Deleted Objects,{house.embedded.directory.base}"
    house.embedded.faults["ad"].reset(Fault(on=f"^search {container}", do="status", at=0, value=32))
    one = house.one("ad")
    said = lines(one, "missing")["List Contents and Read Property on CN=Deleted Objects"]
    assert f'dsacls "{container}" /G {READER}:LCRP' in said
    assert exit_of([one]) == 0


def test_an_ou_that_cannot_be_seen_is_named(house: House) -> None:
    directory = house.embedded.directory
    group = next(node for node in directory.guids.values() if node.kind == "group" and node.links.get("member"))
    place = next(iter(group.links["member"])).parent
    assert place is not None
    directory.hide(place.dn, READER)
    one = house.one("ad")
    said = lines(one, "unreadable")["List Contents and Read All Properties on each base"]
    assert f"grant the reader list contents and read all properties on {place.dn.lower()}" in said.lower()
    assert exit_of([one]) == 5


def test_an_ou_that_shows_none_of_its_accounts_any_more_is_told(house: House) -> None:
    """Nobody in it is in a group, so that the read itself cannot know."""
    place = f"OU=Elsewhere,{house.embedded.directory.base}"
    one = house.one("ad", known={"ad": Known(None, {place: 3})})
    assert "3 accounts on the last accepted night, none now" in lines(one, "warning")[f"List Contents on {place}"]
    assert exit_of([one]) == 0


def test_sign_ins_and_employee_ids_that_may_not_be_read_are_told(house: House) -> None:
    for attribute in ("lastLogonTimestamp", "employeeID"):
        house.embedded.directory.hide_attribute(attribute, READER)
    one = house.one("ad")
    assert "grant the reader Read lastLogonTimestamp" in lines(one, "missing")["Read lastLogonTimestamp"]
    assert "0 with an employee id" in lines(one, "warning")["accounts"]


def test_a_reader_of_the_domain_that_could_write_is_a_warning(house: House) -> None:
    directory = house.embedded.directory
    directory.readers.clear()
    said = lines(house.one("ad"), "warning")["could also write"]
    assert "may write member, userAccountControl" in said
    admins = f"CN=Domain Admins,CN=Users,{directory.base}"
    who = directory.principal(READER)
    assert who is not None
    directory.join(admins, who.dn)
    try:
        assert "is in Domain Admins" in lines(house.one("ad"), "warning")["could also write"]
    finally:
        directory.leave(admins, who.dn)


# --- identities ---------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once(house: House) -> None:
    (house.folder / "secrets" / "ad-password").write_text("wrong")
    house.embedded.faults["ad"].reset()
    one = house.one("ad")
    assert (one.state, exit_of([one])) == ("refused", 4)
    assert "the user name or the password is wrong (52e)" in next(iter(lines(one, "refused").values()))
    assert [check.fix for check in one.checks if check.state == "refused"] == ["correct username and password"]
    assert sum(line.startswith("bind") for line in house.embedded.faults["ad"].requests) == 1


def test_a_wrong_client_secret_is_tried_once_and_the_writer_never(house: House) -> None:
    (house.folder / "secrets" / "m365-secret").write_text("wrong")
    asked = house.embedded.m365.login.asked
    code, out, err = house.cli("doctor", "m365")
    assert code == 4 and "exit 4" in err
    assert "AADSTS7000215" in out and "wrong" not in out
    assert house.embedded.m365.login.asked == asked + 1


def test_a_secret_that_is_not_there_is_told_before_anybody_is_asked(house: House) -> None:
    (house.folder / "secrets" / "ad-password").unlink()
    (house.folder / "secrets" / "ad-writer-password").unlink()
    house.embedded.faults["ad"].reset()
    one = house.one("ad")
    assert "ad-password" in lines(one, "refused")["password"]
    assert "ad-writer-password" in lines(one, "warning")["password"]
    assert house.embedded.faults["ad"].requests == []


def test_an_identity_that_is_another_than_the_pinned_one_is_told(house: House) -> None:
    one = house.one("m365", known={"m365": Known("another-tenant")})
    said = lines(one, "unreadable")[house.embedded.tenant.id]
    assert "every night before it was another-tenant" in said and "run --accept m365" in said
    assert exit_of([one]) == 5


def test_what_the_last_night_proved_is_told_line_by_line(house: House) -> None:
    proved = {"check": "ends", "found": "4 listings in 4 pages, each to its proper end"}
    one = house.one("ad", known={"ad": Known(None, {}, "2026-11-21T02:05:00Z", (proved,))})
    told = {check.what: check.told for check in one.checks if check.kind == "certificate"}
    assert told == {"ends": "4 listings in 4 pages, each to its proper end (night of 2026-11-21 02:05 UTC)"}


def test_a_refused_identity_outweighs_a_roster_that_is_not_there(house: House) -> None:
    (house.folder / "roster.csv").unlink()
    (house.folder / "secrets" / "m365-secret").write_text("wrong")
    found = house.look("hr", "m365")
    assert (found["hr"].state, exit_of([found["hr"]])) == ("unreadable", 5)
    assert exit_of(list(found.values())) == 4


# --- TLS and clocks -----------------------------------------------------------------------------------------------------


def test_an_expired_certificate_is_told_in_one_sentence(house: House) -> None:
    with LdapServer(house.embedded.directory, tls=house.embedded.authority.context(LOOPBACK, -9, -2)) as server:
        house.changes(house.embedded.ad.url, server.url)
        one = house.one("ad")
    said = lines(one, "unreadable")["active_directory"]
    assert "certificate has expired; renew it" in said
    assert exit_of([one]) == 5


def test_a_certificate_that_ends_soon_and_a_server_that_is_down_are_warnings(house: House) -> None:
    with LdapServer(house.embedded.directory, tls=house.embedded.authority.context(LOOPBACK, -9, 3)) as server:
        house.changes(f'["{house.embedded.ad.url}"]', f'["ldaps://127.0.0.1:1", "{server.url}"]')
        one = house.one("ad")
        said = lines(one, "warning")
        assert "2 days" in said[server.url] and "renew the certificate" in said[server.url]
    assert "cannot be reached" in said["ldaps://127.0.0.1:1"]
    assert exit_of([one]) == 0


@pytest.mark.parametrize(
    ("names", "minutes", "told"), [(("ad", "m365", "google"), 7, "ahead of"), (("m365",), -7, "behind")], ids=["ahead", "behind"]
)
def test_clocks_that_are_apart_are_a_warning(house: House, names: tuple[str, ...], minutes: int, told: str) -> None:
    found = house.look(*names, clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    for one in found.values():
        clocks = [check for check in one.checks if check.kind == "clock"]
        assert [check.state for check in clocks] == ["warning"]
        assert told in clocks[0].told and "NTP" in clocks[0].fix


def test_the_line_of_a_source_carries_its_worst_state(house: House) -> None:
    one = house.one("hr")
    assert one.state == "warning"
    assert replace(one, checks=()).state == "ok"
    with looked_into(f"sqlite:///{house.folder}/none.db") as store:
        assert store is None
