"""The directory's writer against a real server on this machine: every kind of change, and everything that may come between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from connectors._ad_names import common_name, first_part, in_filter, login_of, same_name
from connectors._ad_writer import AdWriter
from connectors.active_directory import WRITES, Settings, cannot, instruct, own, writer
from reconciler.connector import Context
from reconciler.sandbox import directory_names as names
from reconciler.sandbox.directory import Directory
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.tls import Authority
from reconciler.writer import AccessRefused, Change, Changed, Facts, Refused, SourceError, Unknown
from tests.sandbox.ldap_estate import BASE, NOW, READER, STAFF, estate

REMEDIATOR, WRITES_IT = "remediator@corp.example.com", "Changes-things-3!"
LEAVERS = f"OU=Leavers,{BASE}"
ANN, ZOE, JOHN = f"CN=Ann Boss,{STAFF}", f"CN=Zoë Müller,{STAFF}", f"CN=Smith\\, John,{STAFF}"
# ldap3 leaves the socket of a connection that failed to be collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@dataclass
class Lab:
    """One domain of a test's own, and a writer that is connected to it."""

    directory: Directory
    server: LdapServer
    writer: AdWriter

    def id(self, dn: str) -> str:
        return names.guid_text(self.directory.node(dn).guid)

    def change(self, kind: str, dn: str, before: Any, after: Any, target: str | None = None) -> Change:
        return Change(kind, self.id(dn), target, before, after, "p-1/1")

    def sent(self) -> list[str]:
        """What was asked for that is no reading."""
        return [line for line in self.server.faults.requests if line.split()[0] in ("modify", "add", "modifyDN", "delete")]

    def everything(self) -> dict[bytes, dict[str, list[bytes]]]:
        """Every object as it is, without the marks of time."""
        return {node.guid: self._picture(node.dn) for node in list(self.directory.guids.values())}

    def _picture(self, dn: str) -> dict[str, list[bytes]]:
        entry = self.directory.entry(dn)
        return {name: sorted(values) for name, values in entry.items() if values and name not in ("uSNChanged", "whenChanged")}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def settings(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    folder = tmp_path_factory.mktemp("writer")
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "password").write_text(WRITES_IT)
    (folder / "password").chmod(0o600)

    def made(server: LdapServer, **keys: Any) -> Settings:
        usual = {
            "kind": "active_directory", "urls": [server.url], "bases": [BASE], "username": READER, "password": "env:NOT_SET_HERE",
            "ca_file": str(folder / "ca.pem"), "writer": {"username": REMEDIATOR, "password": f"file:{folder}/password"},
        }  # fmt: skip
        return Settings.model_validate(usual | keys)

    return made


@contextmanager
def opened(authority: Authority, settings: Callable[..., Settings]) -> Iterator[Lab]:
    directory = estate()
    directory.user(f"CN=Remediator,{STAFF}", "remediator", userPrincipalName=REMEDIATOR)
    directory.password(f"CN=Remediator,{STAFF}", WRITES_IT)
    with LdapServer(directory, Faults(), authority.context()) as server:
        made = writer(settings(server), Context("ad", NOW, deadline_seconds=30, wait=lambda _: None))
        server.faults.reset()
        yield Lab(directory, server, made)
        made.close()


@pytest.fixture
def lab(authority: Authority, settings: Callable[..., Settings]) -> Iterator[Lab]:
    with opened(authority, settings) as made:
        yield made


@pytest.fixture(scope="module")
def shared(authority: Authority, settings: Callable[..., Settings]) -> Iterator[Lab]:
    """For tests that take back what they do."""
    with opened(authority, settings) as made:
        made.directory.change(f"CN=Outer,{STAFF}", managedBy=ZOE)
        yield made


def _flags(lab: Lab, dn: str) -> int:
    return int(lab.directory.entry(dn)["userAccountControl"][0])


# --- who it is ------------------------------------------------------------------------------------------------------


def test_it_knows_the_domain_and_itself(lab: Lab) -> None:
    me = f"CN=Remediator,{STAFF}"
    assert lab.writer.identity() == lab.directory.domain_sid
    assert list(lab.writer.own()) == [lab.id(me), names.sid_text(lab.directory.entry(me)["objectSid"][0])]


def test_without_credentials_of_its_own_it_is_refused(lab: Lab, settings: Callable[..., Settings]) -> None:
    with pytest.raises(AccessRefused, match="writer = "):
        writer(settings(lab.server, writer=None), Context("ad", NOW))
    assert set(own(settings(lab.server))) == {READER, "reader", REMEDIATOR, "remediator"}


# --- every kind, there and back -------------------------------------------------------------------------------------


def changes(lab: Lab) -> dict[str, Change]:
    """One change of every kind that can be taken back."""
    ann, zoe, outer = lab.id(ANN), lab.id(ZOE), lab.id(f"CN=Outer,{STAFF}")
    return {
        "enabled": lab.change("enabled", f"CN=Locked,{STAFF}", True, False),
        "enabled again": lab.change("enabled", JOHN, False, True),
        "member out": lab.change("entitlement", ANN, True, False, lab.id(f"CN=Circle,{STAFF}")),
        "member in": lab.change("entitlement", JOHN, False, True, lab.id(f"CN=Circle,{STAFF}")),
        "text": lab.change("attribute", ZOE, "R&D (lab) *", "Finance", "department"),
        "text anew": lab.change("attribute", ZOE, None, "Zoë “Z” Müller\u202e", "display_name"),
        "text gone": lab.change("attribute", ANN, "Boss", None, "job_title"),
        "only its case": lab.change("attribute", ANN, "Boss", "BOSS", "job_title"),
        "number": lab.change("attribute", ZOE, "42", "00042", "employee_id"),
        "manager": lab.change("attribute", ZOE, ann, lab.id(JOHN), "manager_account_id"),
        "manager gone": lab.change("attribute", ZOE, ann, None, "manager_account_id"),
        "container": lab.change("container", JOHN, STAFF, LEAVERS),
        "owner": Change("owner", zoe, outer, zoe, ann),
    }


KINDS = ("enabled", "enabled again", "member out", "member in", "text", "text anew", "text gone", "only its case", "number",
         "manager", "manager gone", "container", "owner")  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_change_and_its_reverse_leave_everything_as_it_was(shared: Lab, name: str) -> None:
    change = changes(shared)[name]
    shared.server.faults.reset()
    everything = shared.everything()
    assert shared.writer.state(change) == change.before
    shared.writer.write(change)
    assert shared.writer.state(change) == change.after
    assert shared.everything() != everything
    shared.writer.write(change.reverse())
    assert shared.everything() == everything
    assert len(shared.sent()) == 2


def test_other_bits_members_and_names_stay(lab: Lab) -> None:
    lab.writer.write(lab.change("enabled", f"CN=Locked,{STAFF}", True, False))
    assert _flags(lab, f"CN=Locked,{STAFF}") == 0x140200 | 2
    circle = f"CN=Circle,{STAFF}"
    others = set(lab.directory.entry(circle)["member"]) - {ANN.encode()}
    lab.writer.write(lab.change("entitlement", ANN, True, False, lab.id(circle)))
    assert set(lab.directory.entry(circle)["member"]) == others
    lab.writer.write(lab.change("container", JOHN, STAFF, LEAVERS))
    assert f"CN=Smith\\, John,{LEAVERS}" in lab.directory


def test_a_container_is_told_as_the_plan_spells_it(lab: Lab) -> None:
    change = lab.change("container", JOHN, STAFF.lower(), LEAVERS.replace(",", ", ").upper())
    assert lab.writer.state(change) == change.before
    lab.writer.write(change)
    assert lab.writer.state(change) == change.after


def test_a_deleted_account_is_restored(lab: Lab) -> None:
    change = lab.change("delete", ANN, "live", "deleted")
    lab.writer.write(change)
    assert (ANN in lab.directory, lab.writer.state(change)) == (False, "deleted")
    lab.writer.write(change.reverse())
    assert (ANN in lab.directory, lab.writer.state(change)) == (True, "live")
    assert lab.writer.state(Change("delete", "7a1d6f0e-0000-4000-8000-000000000001", None, "live", "deleted")) is None


NEW = {"email": "li.o'brien-smythe-jones@example.com", "given_name": "Li", "family_name": "O'Brien", "display_name": "O'Brien, Li #1",
       "employee_id": "000777", "department": "R&D", "job_title": "Engineer", "enabled": True, "container": LEAVERS}  # fmt: skip


def test_an_account_is_created_once(lab: Lab) -> None:
    change = Change("create", None, None, None, NEW | {"manager_account_id": lab.id(ANN)})
    assert lab.writer.state(change) is None
    lab.writer.write(change)
    made = lab.directory.by_guid(lab.writer.state(change))
    kept = {
        name: made[name][0].decode() for name in ("cn", "sAMAccountName", "userPrincipalName", "mail", "employeeID", "pwdLastSet")
    }
    assert kept == {"cn": "O'Brien, Li #1", "sAMAccountName": "li.o'brien-smythe-jo", "userPrincipalName": NEW["email"],
                    "mail": NEW["email"], "employeeID": "000777", "pwdLastSet": "0"}  # fmt: skip
    assert (made["userAccountControl"], made["manager"]) == ([b"512"], [ANN.encode()])
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert len(lab.sent()) == 1


def test_a_new_account_whose_name_is_taken_is_refused_by_name(lab: Lab) -> None:
    taken = NEW | {"email": "ann@example.org", "display_name": "Ann Boss", "container": STAFF}
    with pytest.raises(Refused, match=r"68 entryAlreadyExists.*CN=Ann Boss,OU=Staff,.* free"):
        lab.writer.write(Change("create", None, None, None, taken))


# --- what others did meanwhile --------------------------------------------------------------------------------------


def _meddle(lab: Lab, name: str) -> None:
    circle, zoe = f"CN=Circle,{STAFF}", lab.directory
    others: dict[str, Callable[[], None]] = {
        "enabled": lambda: lab.directory.change(f"CN=Locked,{STAFF}", userAccountControl=0x140202),
        "text": lambda: zoe.change(ZOE, department="Sales"),
        "text anew": lambda: zoe.change(ZOE, displayName="Zoe"),
        "only its case": lambda: zoe.change(ANN, title="boss"),
        "manager": lambda: zoe.change(ZOE, manager=f"CN=Reader,{STAFF}"),
        "container": lambda: zoe.move(JOHN, f"CN=Smith\\, John,CN=Users,{BASE}"),
        "owner": lambda: zoe.change(f"CN=Outer,{STAFF}", managedBy=JOHN),
        "member out": lambda: zoe.delete(circle),
    }
    others[name]()


@pytest.mark.parametrize("name", ["enabled", "text", "text anew", "only its case", "manager", "container", "owner", "member out"])
def test_what_somebody_else_changed_is_not_overwritten(lab: Lab, name: str) -> None:
    lab.directory.change(f"CN=Outer,{STAFF}", managedBy=ZOE)
    change = changes(lab)[name]
    _meddle(lab, name)
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert lab.sent() == []


def test_a_change_between_looking_and_writing_is_refused_by_the_server(lab: Lab) -> None:
    """The flags are read, then changed by another, then written: deleting the old value fails, and nothing is lost."""
    dn = f"CN=Locked,{STAFF}"
    change = lab.change("enabled", dn, True, False)
    assert lab.writer.state(change) is True
    lab.directory.change(dn, userAccountControl=0x110202)
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert (len(lab.sent()), _flags(lab, dn)) == (1, 0x110202)


def test_flags_that_others_changed_meanwhile_are_kept(lab: Lab) -> None:
    """The account is enabled as before, but another bit is set now: looked at anew, and only the one bit is written."""
    dn = f"CN=Locked,{STAFF}"
    change = lab.change("enabled", dn, True, False)
    assert lab.writer.state(change) is True
    lab.directory.change(dn, userAccountControl=0x110200)
    lab.writer.write(change)
    assert (len(lab.sent()), _flags(lab, dn)) == (2, 0x110202)


def test_names_that_changed_places_do_not_matter(lab: Lab) -> None:
    """Ann and Zoë change names: the object of the plan is changed, whatever it is called."""
    change = lab.change("attribute", ANN, "Boss", "Chief", "job_title")
    lab.directory.move(ANN, f"CN=x,{STAFF}")
    lab.directory.move(ZOE, ANN)
    lab.directory.move(f"CN=x,{STAFF}", ZOE)
    lab.writer.write(change)
    assert (lab.directory.entry(ZOE)["title"], lab.directory.entry(ANN).get("title")) == ([b"Chief"], None)


def test_an_account_made_anew_under_the_old_name_is_another(lab: Lab) -> None:
    change = lab.change("attribute", JOHN, "x", "Chief", "job_title")
    lab.directory.delete(JOHN)
    lab.directory.user(JOHN, "john", title="x")
    with pytest.raises(Changed, match="no object has the id"):
        lab.writer.state(change)
    with pytest.raises(Changed, match="no object has the id"):
        lab.writer.write(change)
    assert lab.sent() == []


def test_what_is_so_already_is_success(lab: Lab) -> None:
    circle = lab.id(f"CN=Circle,{STAFF}")
    lab.writer.write(lab.change("entitlement", ANN, False, True, circle))
    lab.writer.write(lab.change("entitlement", JOHN, True, False, circle))
    assert lab.sent() == []


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_primary_group_is_held_and_not_taken_away(lab: Lab) -> None:
    users = lab.id(f"CN=Domain Users,CN=Users,{BASE}")
    change = lab.change("entitlement", ANN, True, False, users)
    assert lab.writer.state(change) is True
    with pytest.raises(Refused, match="primary group"):
        lab.writer.write(change)
    assert lab.sent() == []


def test_built_in_accounts_and_expired_ones_are_left_alone(lab: Lab) -> None:
    with pytest.raises(Refused, match="built-in"):
        lab.writer.write(lab.change("enabled", f"CN=Administrator,CN=Users,{BASE}", True, False))
    with pytest.raises(Refused, match="expired"):
        lab.writer.write(lab.change("enabled", f"CN=Expired,{STAFF}", False, True))
    lab.directory.change(f"CN=Expired,{STAFF}", userAccountControl=66050)
    with pytest.raises(Refused, match="expired"):
        lab.writer.write(lab.change("enabled", f"CN=Expired,{STAFF}", False, True))
    with pytest.raises(Refused, match="knows no change of sessions"):
        lab.writer.write(lab.change("sessions", ANN, None, "revoked"))
    assert lab.sent() == []


CODES = [(50, "AdminSDHolder"), (53, "unwilling"), (19, "does not allow"), (10, "read-only"), (80, "80 ")]


@pytest.mark.parametrize(("code", "words"), CODES, ids=[str(code) for code, _ in CODES])
def test_a_refusal_says_what_to_do(lab: Lab, code: int, words: str) -> None:
    change = lab.change("attribute", ANN, "Boss", "Chief", "job_title")
    lab.server.faults.reset(Fault("^modify", "status", 1, code))
    with pytest.raises(Refused, match=words):
        lab.writer.write(change)
    assert lab.directory.entry(ANN)["title"] == [b"Boss"]


def test_a_place_that_is_not_there_or_taken_is_named(lab: Lab) -> None:
    with pytest.raises(Refused, match=r"is OU=Nowhere,.* there"):
        lab.writer.write(lab.change("container", JOHN, STAFF, f"OU=Nowhere,{BASE}"))
    lab.directory.user(f"CN=Smith\\, John,{LEAVERS}", "john2")
    with pytest.raises(Refused, match=r"no CN=Smith\\, John in it"):
        lab.writer.write(lab.change("container", JOHN, STAFF, LEAVERS))


def test_a_busy_server_is_waited_for(lab: Lab) -> None:
    waited: list[float] = []
    lab.writer.context = Context("ad", NOW, deadline_seconds=30, wait=waited.append)
    lab.server.faults.reset(Fault("^modify", "status", 1, 51), Fault("^modify", "status", 2, 52))
    lab.writer.write(lab.change("attribute", ANN, "Boss", "Chief", "job_title"))
    assert (waited, lab.directory.entry(ANN)["title"]) == ([1.0, 2.0], [b"Chief"])


def test_a_busy_server_is_waited_for_before_looking_too(lab: Lab) -> None:
    change = lab.change("attribute", ANN, "Boss", "Chief", "job_title")
    lab.server.faults.reset(Fault("^search", "status", 1, 51), Fault("^search", "status", 2, 52))
    assert lab.writer.state(change) == "Boss"


def test_a_column_is_written_to_where_it_was_read_from(lab: Lab) -> None:
    lab.directory.change(ANN, l="London")
    change = lab.change("attribute", ANN, "London", "Leeds", "location")
    lab.writer.write(change)
    entry = lab.directory.entry(ANN)
    assert (entry["l"], entry.get("physicalDeliveryOfficeName"), lab.writer.state(change)) == ([b"Leeds"], None, "Leeds")


def test_a_manager_who_may_not_be_seen_is_not_overwritten(lab: Lab) -> None:
    change = changes(lab)["manager"]
    lab.directory.hide(STAFF, REMEDIATOR)
    lab.directory.change(ZOE, manager=f"CN=Reader,{STAFF}")
    lab.directory.move(ZOE, f"CN=Zoë Müller,{LEAVERS}")
    with pytest.raises(Changed, match="CN=Reader"):
        lab.writer.write(change)


# --- when the answer is lost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_lost_answer_is_unknown_until_it_is_read_back(shared: Lab, name: str) -> None:
    change = changes(shared)[name]
    shared.server.faults.reset(Fault("^modify", "cut"))
    with pytest.raises(Unknown):
        shared.writer.write(change)
    assert shared.writer.state(change) == change.after
    assert len(shared.sent()) == 1
    shared.writer.write(change.reverse())


@pytest.mark.parametrize("kind", ["delete", "restore", "create"])
def test_a_lost_answer_does_not_make_two_of_one(lab: Lab, kind: str) -> None:
    new, gone = Change("create", None, None, None, NEW), lab.change("delete", JOHN, "live", "deleted")
    if kind == "restore":
        lab.writer.write(gone)
    change = {"create": new, "delete": gone, "restore": gone.reverse()}[kind]
    lab.server.faults.reset(Fault("^(modify|add|delete)", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    found = lab.writer.state(change)
    assert found == change.after or lab.directory.by_guid(found)["employeeID"] == [b"000777"]
    assert len(lab.sent()) == 1


def test_noise_for_an_answer_is_unknown_too(lab: Lab) -> None:
    change = lab.change("attribute", ANN, "Boss", "Chief", "job_title")
    lab.server.faults.reset(Fault("^modify", "garbage"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.writer.state(change) == "Chief"


def test_a_connection_that_went_stale_is_made_anew(lab: Lab) -> None:
    change = lab.change("attribute", ANN, "Boss", "Chief", "job_title")
    lab.server.faults.reset(Fault("^search", "cut"))
    lab.writer.write(change)
    assert lab.directory.entry(ANN)["title"] == [b"Chief"]
    lab.server.close()
    with pytest.raises(SourceError):
        lab.writer.state(change)
    with pytest.raises(Refused, match="nothing was sent"):
        lab.writer.write(change)


# --- for a plan, offline --------------------------------------------------------------------------------------------

WHO = {"kind": "person", "login": "jo", "state_reason": None}
BY_HAND: list[tuple[Change, Facts, str]] = [
    (Change("enabled", "g", None, True, False), Facts(WHO), "Disable-ADAccount -Identity 'g'"),
    (Change("enabled", "g", None, False, True), Facts(WHO), "Enable-ADAccount -Identity 'g'"),
    (Change("enabled", "g", None, False, True), Facts(WHO | {"state_reason": "expired"}), "Clear-ADAccountExpiration"),
    (Change("entitlement", "g", "r", True, False), Facts(WHO, None, ("direct",)), "Remove-ADGroupMember -Identity 'r' -Members 'g'"),
    (Change("entitlement", "g", "r", True, False), Facts(WHO, None, ("primary",)), "primaryGroupID=513"),
    (Change("entitlement", "g", "r", True, False), Facts(WHO, None, ("nested",)), "Get-ADPrincipalGroupMembership"),
    (Change("entitlement", "g", "r", False, True), Facts(WHO), "Add-ADGroupMember"),
    (Change("attribute", "g", "job_title", "x", "Chef de l'équipe"), Facts(WHO), "-Replace @{title='Chef de l''équipe'}"),
    (Change("attribute", "g", "job_title", "x", None), Facts(WHO), "-Clear title"),
    (Change("attribute", "g", "manager_account_id", None, "m"), Facts(WHO), "-Manager 'm'"),
    (Change("container", "g", None, "a", "OU=x"), Facts(WHO), "Move-ADObject -Identity 'g' -TargetPath 'OU=x'"),
    (Change("sessions", "g", None, None, "revoked"), Facts(WHO), "Set-ADAccountPassword"),
    (Change("create", None, None, None, NEW), Facts(WHO), "New-ADUser -Name 'O''Brien, Li #1'"),
    (Change("delete", "g", None, "live", "deleted"), Facts(WHO), "Remove-ADUser"),
    (Change("delete", "g", None, "deleted", "live"), Facts(WHO), "Restore-ADObject"),
    (Change("owner", "g", "r", "g", "m"), Facts(WHO), "Set-ADGroup -Identity 'r' -ManagedBy 'm'"),
    (Change("transfer", "g", "m", None, "transferred"), Facts(WHO), "robocopy"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "facts", "words"), BY_HAND, ids=[f"{c.kind} {n}" for n, (c, _, _) in enumerate(BY_HAND)])
def test_a_person_gets_the_exact_line(change: Change, facts: Facts, words: str) -> None:
    assert words in instruct(change, facts)


CANNOT: list[tuple[str, Change, dict[str, Any], str | None]] = [
    ("a contact", Change("enabled", "g", None, True, False), {"kind": "contact"}, "contact"),
    ("an expired account", Change("enabled", "g", None, False, True), {"state_reason": "expired"}, "expired"),
    ("a column of the server's", Change("attribute", "g", "sid", "x", "y"), {}, "sid"),
    ("no address", Change("create", None, None, None, {"email": "@example.com"}), {}, "address"),
    ("a department", Change("attribute", "g", "department", "x", "y"), {}, None),
    ("an ordinary account", Change("enabled", "g", None, True, False), {}, None),
]


@pytest.mark.parametrize(("change", "more", "words"), [case[1:] for case in CANNOT], ids=[case[0] for case in CANNOT])
def test_what_cannot_be_is_said_at_planning(change: Change, more: dict[str, Any], words: str | None) -> None:
    told = cannot(change, Facts(WHO | more))
    assert told is None if words is None else words in (told or "")


def test_what_the_directory_has_no_word_for_is_not_offered() -> None:
    assert not WRITES & {"sessions", "transfer"}


# --- names ----------------------------------------------------------------------------------------------------------

AWKWARD = ["Smith, John", "#x", " x ", "a+b=c", "O\\B", 'q"u', "nul\0l", "new\nline", "evil\u202e", "<&;>", "é" * 80, "日本"]


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_makes_a_dn_of_one_part(name: str) -> None:
    made = common_name(name)
    assert names.parts(f"{made},{BASE}")[0] == ("CN", name.strip()[:64])
    assert first_part(f"{made},{BASE}") == made


@pytest.mark.parametrize("value", ["*", "*)(objectClass=*", "a\\b", "\0", "ü", "x y"])
def test_a_value_in_a_filter_finds_only_itself(lab: Lab, value: str) -> None:
    assert "*" not in in_filter(value)
    assert lab.writer.state(Change("create", None, None, None, {"email": f"{value}@x", "employee_id": value})) is None


def test_logins_and_names_are_made_and_compared() -> None:
    assert login_of("Jo.D@oe@x") == "Jo.D"
    assert login_of("a" * 19 + ".b@x") == "a" * 19
    assert same_name("OU=A,  DC=x", "ou=a,dc=X")
    assert not same_name("OU=A\\, DC=x", "OU=A\\,DC=x")
    assert not same_name(None, None)
