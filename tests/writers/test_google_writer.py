"""Google Workspace's writer against a real server on this machine: every kind of change, and everything that may come between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import _google_fields as fields
from connectors._google_sessions import LEFT
from connectors._google_writer import GoogleWriter
from connectors.google_workspace import ORDER, WRITES, Settings, cannot, instruct, writer
from reconciler.connector import Context
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.google import Customer, user
from reconciler.sandbox.google_server import GoogleServer, over_quota
from reconciler.writer import AccessRefused, Change, Changed, Facts, Refused, SourceError, Unknown
from tests.google_company import ADMIN, company, mail, served

NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
REMEDIATOR = "remediator@example.com"
WORKSPACE, ARCHIVED = "Google-Apps/1010020020", "101034/1010340001"


@dataclass
class Lab:
    """One customer of a test's own, and a writer that is connected to it."""

    customer: Customer
    server: GoogleServer
    writer: GoogleWriter

    def id(self, number: int | str) -> str:
        return self.customer.id_of(mail(number) if isinstance(number, int) else number) or ""

    def change(self, kind: str, number: int, before: Any, after: Any, target: str | None = None) -> Change:
        return Change(kind, self.id(number), target, before, after, "p-1/1")

    def sent(self) -> list[str]:
        """What was asked for that is neither a reading nor a token."""
        return [line for line in self.server.faults.requests if not line.startswith(("GET ", "POST /token"))]

    def everything(self) -> Any:
        names = ("users", "members", "licences", "role_assignments", "deleted")
        made = deepcopy({name: dict(getattr(self.customer, name)) for name in names})
        return made | {"licences": {sku: sorted(holders) for sku, holders in made["licences"].items()}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("writer")


def settings(server: GoogleServer, folder: Path, **keys: Any) -> Settings:
    key = folder / f"key-{server.port}"
    key.write_text(server.key_file())
    key.chmod(0o600)
    usual = {"kind": "google_workspace", "credentials": f"file:{key}", "subject": ADMIN, "api_url": server.url,
             "writer": {"subject": REMEDIATOR, "roles": True}}  # fmt: skip
    return Settings.model_validate(usual | keys)


@contextmanager
def opened(folder: Path, **keys: Any) -> Iterator[Lab]:
    customer = company(12, 3)
    customer.put_user(user(REMEDIATOR, "Re", "Mediator", isAdmin=True))
    customer.put_unit("/Leavers")
    running = served(customer, Faults())
    try:
        made = writer(settings(running.server, folder, **keys), Context("google", NOW, deadline_seconds=30, wait=lambda _: None))
        running.server.faults.reset()
        yield Lab(customer, running.server, made)
        made.close()
    finally:
        running.close()


@pytest.fixture(scope="module")
def one(folder: Path) -> Iterator[Lab]:
    """One server and one connection for all tests: opening a service account's key takes a while."""
    with opened(folder) as made:
        yield made


@pytest.fixture
def lab(one: Lab) -> Iterator[Lab]:
    """The customer as it was made; whatever a test does to it is taken back afterwards."""
    kept = {name: deepcopy(value) for name, value in vars(one.customer).items() if name not in ("lock", "_views")}
    one.server.faults.reset()
    one.writer._last = None
    yield one
    vars(one.customer).update(kept, _views={})


# --- who it is ------------------------------------------------------------------------------------------------------


def test_it_knows_the_customer_and_itself(lab: Lab) -> None:
    assert lab.writer.identity() == lab.customer.id
    assert lab.writer.own() == (lab.id(REMEDIATOR), REMEDIATOR)


def test_without_an_administrator_of_its_own_it_is_refused(lab: Lab, folder: Path) -> None:
    for own in (None, {}):
        with pytest.raises(AccessRefused, match="writer = "):
            writer(settings(lab.server, folder, writer=own), Context("google", NOW))
    with pytest.raises(AccessRefused, match="refused nobody@"):
        writer(settings(lab.server, folder, writer={"subject": "nobody@example.com"}), Context("google", NOW))


def test_a_service_account_may_write_in_its_own_name(lab: Lab, folder: Path) -> None:
    key = {"credentials": f"file:{folder}/key-{lab.server.port}"}
    made = writer(settings(lab.server, folder, writer=key), Context("google", NOW))
    assert made.own() == (lab.server.tokens.email,)
    made.close()


# --- every kind, there and back -------------------------------------------------------------------------------------


def changes(lab: Lab) -> dict[str, Change]:
    """One change of every kind that can be taken back."""
    group, role = lab.customer.group_of("group0@example.com"), f"role-{lab.customer.put_role('Help desk')}"
    return {
        "enabled": lab.change("enabled", 5, True, False),
        "enabled again": lab.change("enabled", 1, False, True),
        "member out": lab.change("entitlement", 6, True, False, group),
        "member in": lab.change("entitlement", 7, False, True, group),
        "licence out": lab.change("entitlement", 5, True, False, WORKSPACE),
        "licence in": lab.change("entitlement", 5, False, True, ARCHIVED),
        "role in": lab.change("entitlement", 5, False, True, role),
        "department": lab.change("attribute", 5, "Sales", "R&D “lab”", "department"),
        "title": lab.change("attribute", 5, "Clerk", None, "job_title"),
        "location": lab.change("attribute", 5, None, "Berlin", "location"),
        "first name": lab.change("attribute", 5, "Given 5", "Gwen", "given_name"),
        "number": lab.change("attribute", 5, "000005", "42", "employee_id"),
        "number gone": lab.change("attribute", 5, "000005", None, "employee_id"),
        "manager": lab.change("attribute", 6, lab.id(ADMIN), lab.id(7), "manager_account_id"),
        "container": lab.change("container", 5, "/Staff/Sales", "/Leavers"),
    }


KINDS = ("enabled", "enabled again", "member out", "member in", "licence out", "licence in", "role in", "department", "title", "location",
         "first name", "number", "number gone", "manager", "container")  # fmt: skip
NOTED = {"enabled again": ("suspensionReason", "suspensionTime")}  # what Google notes by itself, and not twice alike


@pytest.mark.parametrize("name", KINDS)
def test_a_change_and_its_reverse_leave_everything_as_it_was(lab: Lab, name: str) -> None:
    change = changes(lab)[name]
    lab.server.faults.reset()
    everything = _plain(lab.everything(), name)
    assert lab.writer.state(change) == change.before
    lab.writer.write(change)
    assert lab.writer.state(change) == change.after
    assert _plain(lab.everything(), name) != everything
    lab.writer.write(change.reverse())
    assert _plain(lab.everything(), name) == everything
    assert len(lab.sent()) == 2


def _plain(everything: Any, name: str) -> Any:
    for one in everything["users"].values():
        for noted in NOTED.get(name, ()):
            one.pop(noted, None)
        for listed in ("externalIds", "relations"):
            one[listed] = sorted(map(repr, one.get(listed, ())))
    return everything


@pytest.mark.parametrize("name", KINDS)
def test_a_lost_answer_is_unknown_until_it_is_read_back(lab: Lab, name: str) -> None:
    change = changes(lab)[name]
    lab.writer.state(change)  # every token is there now
    lab.server.faults.reset(Fault("^(POST|PUT|PATCH|DELETE) /a", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.writer.state(change) == change.after
    assert len(lab.sent()) == 1
    lab.writer.write(change.reverse())


def test_other_jobs_ids_and_names_stay(lab: Lab) -> None:
    before = lab.customer.users[lab.id(5)]
    lab.writer.write(lab.change("attribute", 5, "Sales", "Finance", "department"))
    lab.writer.write(lab.change("attribute", 5, "000005", "42", "employee_id"))
    after = lab.customer.users[lab.id(5)]
    assert after["organizations"] == [before["organizations"][0] | {"department": "Finance"}]
    assert [one["value"] for one in after["externalIds"]] == ["42", "B5"]
    assert {n: v for n, v in after.items() if n not in ("organizations", "externalIds")} == {
        n: v for n, v in before.items() if n not in ("organizations", "externalIds")
    }


def test_a_first_job_comes_and_goes(lab: Lab) -> None:
    lab.customer.change_user(mail(5), organizations=None)
    change = lab.change("attribute", 5, None, "Finance", "department")
    lab.writer.write(change)
    assert lab.customer.users[lab.id(5)]["organizations"] == [{"primary": True, "type": "work", "department": "Finance"}]
    lab.writer.write(change.reverse())
    assert "organizations" not in lab.customer.users[lab.id(5)]


def test_signing_out_takes_everything_that_lets_in(lab: Lab) -> None:
    change = lab.change("sessions", 5, None, "revoked")
    assert lab.writer.state(change) == LEFT
    lab.writer.write(change)
    here = lab.id(5)
    assert (lab.customer.tokens[here], lab.customer.asps[here], lab.customer.codes.get(here)) == ({}, {}, None)
    assert lab.customer.signed_out == [here]
    assert lab.writer.state(change) is None


def test_signing_out_somebody_suspended_leaves_the_codes(lab: Lab) -> None:
    lab.writer.write(lab.change("sessions", 1, None, "revoked"))
    assert (lab.customer.tokens[lab.id(1)], lab.customer.signed_out) == ({}, [lab.id(1)])


STEPS = ["signOut", "asps", "tokens", "verificationCodes"]


@pytest.mark.parametrize("step", STEPS)
def test_a_lost_step_of_signing_out_is_repeated(lab: Lab, step: str) -> None:
    change = lab.change("sessions", 5, None, "revoked")
    lab.server.faults.reset(Fault(f"^(POST|DELETE) .*/{step}", "cut"))
    lab.writer.write(change)
    assert (lab.writer.state(change), lab.customer.signed_out[-1]) == (None, lab.id(5))


@pytest.mark.parametrize("step", STEPS)
def test_signing_out_in_part_is_unknown_and_not_taken_for_the_whole(lab: Lab, step: str) -> None:
    change = lab.change("sessions", 5, None, "revoked")
    lab.server.faults.reset(*(Fault(f"^(POST|DELETE) .*/{step}", "status", at, 503) for at in (1, 2)))
    with pytest.raises(Unknown, match="of 4 steps 1 may not"):
        lab.writer.write(change)
    assert lab.writer.state(change) == (LEFT if step in ("asps", "tokens") else None)
    lab.writer.write(change)
    assert (lab.writer.state(change), lab.customer.codes.get(lab.id(5)), lab.customer.signed_out[-1]) == (None, None, lab.id(5))


def test_a_step_that_is_declined_is_a_refusal_only_if_it_is_the_first(lab: Lab) -> None:
    change = lab.change("sessions", 5, None, "revoked")
    lab.server.faults.reset(Fault("^POST .*/signOut", "status", 1, 400))
    with pytest.raises(Refused):
        lab.writer.write(change)
    assert lab.writer.state(change) == LEFT
    lab.server.faults.reset(Fault("^DELETE .*/asps", "status", 1, 400))
    with pytest.raises(Unknown, match="of 4 steps 1 may not"):
        lab.writer.write(change)


def test_a_deleted_user_is_restored_where_it_was(lab: Lab) -> None:
    change = lab.change("delete", 5, "live", "deleted")
    assert lab.writer.state(change) == "live"
    lab.writer.write(change)
    assert lab.writer.state(change) == "deleted"
    lab.server.faults.reset(Fault("^POST .*undelete", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change.reverse())
    assert (lab.writer.state(change), lab.customer.users[change.account or ""]["orgUnitPath"]) == ("live", "/Staff/Sales")
    assert lab.writer.state(Change("delete", "100000000000000000001", None, "live", "deleted")) is None


NEW = {"email": "li.o'brien@example.com", "given_name": "Li", "family_name": "O'Brien", "display_name": "Li O'Brien", "job_title": "Engineer",
       "employee_id": "00'777", "department": "R&D", "enabled": True, "container": "/Leavers"}  # fmt: skip


def test_an_account_is_created_once(lab: Lab) -> None:
    change = Change("create", None, None, None, NEW | {"manager_account_id": lab.id(7)})
    assert lab.writer.state(change) is None
    lab.writer.write(change)
    here = lab.writer.state(change)
    made = lab.customer.users[here]
    assert (made["primaryEmail"], made["orgUnitPath"], made["changePasswordAtNextLogin"], made["suspended"]) == (
        NEW["email"], "/Leavers", True, False)  # fmt: skip
    assert [fields.told(made, column) for column in ("given_name", "department", "job_title", "employee_id", "manager_account_id")] == [
        "Li", "R&D", "Engineer", "00'777", mail(7)]  # fmt: skip
    assert "password" not in made
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert len(lab.sent()) == 1
    assert lab.writer.state(Change("create", None, None, None, {"email": NEW["email"]})) == here


def test_a_created_account_whose_answer_was_lost_is_found(lab: Lab) -> None:
    change = Change("create", None, None, None, NEW)
    lab.server.faults.reset(Fault("^POST .*/users$", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.customer.users[lab.writer.state(change)]["primaryEmail"] == NEW["email"]


def test_a_user_just_made_is_waited_for(lab: Lab) -> None:
    lab.customer.unsettled[lab.id(5)] = 2
    lab.writer.write(lab.change("container", 5, "/Staff/Sales", "/Leavers"))
    assert lab.customer.users[lab.id(5)]["orgUnitPath"] == "/Leavers"
    lab.customer.unsettled[lab.id(5)] = 99
    with pytest.raises(Refused, match="creation is not complete"):
        lab.writer.write(lab.change("container", 5, "/Leavers", "/"))


def test_files_are_handed_over_once(lab: Lab) -> None:
    change = lab.change("transfer", 5, None, "transferred", lab.id(7))
    assert lab.writer.state(change) is None
    lab.server.faults.reset(Fault("^POST .*transfers", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert [lab.writer.state(change), lab.writer.state(change)] == ["requested", "transferred"]
    with pytest.raises(Changed):
        lab.writer.write(change)
    (made,) = lab.customer.transfers.values()
    assert (made["oldOwnerUserId"], made["newOwnerUserId"]) == (lab.id(5), lab.id(7))
    assert made["applicationDataTransfers"][0]["applicationTransferParams"] == [
        {"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}
    ]


# --- what others did meanwhile --------------------------------------------------------------------------------------


def _meddle(lab: Lab, name: str) -> None:
    others: dict[str, Callable[[], Any]] = {
        "enabled": lambda: lab.customer.change_user(mail(5), suspended=True),
        "department": lambda: lab.customer.change_user(mail(5), organizations=[{"primary": True, "department": "Legal"}]),
        "number": lambda: lab.customer.change_user(mail(5), externalIds=[{"type": "organization", "value": "5"}]),
        "manager": lambda: lab.customer.change_user(mail(6), relations=[{"type": "manager", "value": mail(8)}]),
        "container": lambda: lab.customer.change_user(mail(5), orgUnitPath="/"),
    }
    others[name]()


@pytest.mark.parametrize("name", ["enabled", "department", "number", "manager", "container"])
def test_what_somebody_else_changed_is_not_overwritten(lab: Lab, name: str) -> None:
    change = changes(lab)[name]
    _meddle(lab, name)
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert lab.sent() == []


def test_another_user_under_the_old_address_is_another(lab: Lab) -> None:
    change = changes(lab)["department"]
    lab.customer.delete_user(mail(5))
    lab.customer.put_user(user(mail(5), "Some", "Body") | {"id": "199999999999999999999"})
    with pytest.raises(Changed, match="no user has the id"):
        lab.writer.state(change)
    with pytest.raises(Changed, match="no user has the id"):
        lab.writer.write(change)
    assert lab.sent() == []


def test_a_group_that_is_gone_is_no_group(lab: Lab) -> None:
    change = changes(lab)["member out"]
    del lab.customer.groups[change.target or ""]
    with pytest.raises(Changed, match="no group has the id"):
        lab.writer.write(change)


def test_what_is_so_already_is_success(lab: Lab) -> None:
    group = lab.customer.group_of("group0@example.com")
    lab.writer.write(lab.change("entitlement", 6, False, True, group))
    lab.writer.write(lab.change("entitlement", 7, True, False, group))
    assert lab.sent() == []


def test_a_membership_that_came_or_went_just_now_is_success(lab: Lab) -> None:
    out, into = changes(lab)["member out"], changes(lab)["member in"]
    assert lab.writer.state(out) is True
    lab.customer.leave("group0@example.com", mail(6))
    lab.writer.write(out)
    assert lab.writer.state(into) is False
    lab.customer.join("group0@example.com", mail(7))
    lab.writer.write(into)
    assert len(lab.sent()) == 2


# --- what is refused ------------------------------------------------------------------------------------------------


def test_what_google_does_not_take_is_refused(lab: Lab) -> None:
    cases = [
        (lab.change("enabled", 2, False, True), "archived"),
        (lab.change("attribute", 5, "Given 5 Family 5", "x", "display_name"), "display_name is not written"),
        (lab.change("entitlement", 5, True, False, "oauth-client"), "left to a person"),
        (lab.change("owner", 5, "a", "b", "g"), "knows no change of owner"),
        (lab.change("entitlement", 5, False, True, "Google-Apps/1010020025"), "another of the same product"),
    ]
    everything = lab.everything()
    for change, words in cases:
        with pytest.raises(Refused, match=words):
            lab.writer.write(change)
    assert lab.everything() == everything


def test_a_manager_who_is_nobody_here_is_not_overwritten(lab: Lab) -> None:
    lab.customer.change_user(mail(5), relations=[{"type": "manager", "value": "gone@example.com"}])
    with pytest.raises(Refused, match="is named as manager, and is nobody here"):
        lab.writer.write(lab.change("attribute", 5, None, lab.id(7), "manager_account_id"))


def test_several_jobs_without_a_main_one_are_left_alone(lab: Lab) -> None:
    lab.customer.change_user(mail(5), organizations=[{"department": "A"}, {"department": "B"}])
    with pytest.raises(Refused, match="several jobs"):
        lab.writer.write(lab.change("attribute", 5, None, "C", "department"))


def test_roles_are_written_only_where_it_is_said(folder: Path) -> None:
    with opened(folder, writer={"subject": REMEDIATOR}) as strict, pytest.raises(Refused, match="roles = true"):
        strict.writer.write(changes(strict)["role in"])


def test_a_role_for_a_unit_is_left_to_a_person(lab: Lab) -> None:
    role = f"role-{lab.customer.put_role('Help desk')}"
    change = lab.change("entitlement", 3, True, False, role)
    assert lab.writer.state(change) is True
    with pytest.raises(Refused, match="for a unit only"):
        lab.writer.write(change)


def test_an_administrator_without_the_right_is_refused(lab: Lab) -> None:
    lab.customer.change_user(REMEDIATOR, isAdmin=False)
    with pytest.raises(Refused, match="Not Authorized"):
        lab.writer.write(lab.change("enabled", 5, True, False))


# --- an unwilling network -------------------------------------------------------------------------------------------


def test_a_quota_is_waited_for(lab: Lab) -> None:
    lab.server.faults.reset(over_quota("^PUT"), over_quota("^PUT", 2, "userRateLimitExceeded"))
    lab.writer.write(lab.change("enabled", 5, True, False))
    assert lab.customer.users[lab.id(5)]["suspended"] is True
    assert len(lab.sent()) == 3


@pytest.mark.parametrize("fault", [Fault("^PUT", "status", 1, 503), Fault("^PUT", "status", 1, 502), Fault("^PUT", "garbage")],
                         ids=["503", "502", "garbage"])  # fmt: skip
def test_a_server_that_fails_says_nothing_about_the_change(lab: Lab, fault: Fault) -> None:
    change = lab.change("enabled", 5, True, False)
    lab.server.faults.reset(fault)
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.writer.state(change) is True


def test_a_server_that_is_gone_is_an_error_of_the_source(lab: Lab) -> None:
    change = lab.change("enabled", 5, True, False)
    lab.server.faults.reset(Fault("^GET", "status", 0, 503))
    with pytest.raises(SourceError):
        lab.writer.state(change)
    with pytest.raises(Refused, match="nothing was sent"):
        lab.writer.write(change)


# --- for a plan, offline --------------------------------------------------------------------------------------------

WHO = {"kind": "person", "login": "jo@example.com", "state_reason": None}


def held(kind: str) -> dict[str, Any]:
    return {"kind": kind, "name": "Finance team", "writable": True}


BY_HAND: list[tuple[Change, Facts, str]] = [
    (Change("enabled", "1", None, True, False), Facts(WHO), "gam suspend user uid:1"),
    (Change("enabled", "1", None, False, True), Facts(WHO), "gam unsuspend user uid:1"),
    (Change("enabled", "1", None, False, True), Facts(WHO | {"state_reason": "archived"}), "Unarchive"),
    (Change("sessions", "1", None, None, "revoked"), Facts(WHO), "gam user uid:1 deprovision signout"),
    (Change("entitlement", "1", "g", True, False), Facts(WHO, held("group"), ("direct",)), "gam update group g remove user uid:1"),
    (Change("entitlement", "1", "g", False, True), Facts(WHO, held("group")), "gam update group g add member user uid:1"),
    (Change("entitlement", "1", "g", True, False), Facts(WHO, held("group"), ("nested",)), "print groups"),
    (Change("entitlement", "1", "p/s", True, False), Facts(WHO, held("licence"), ("direct",)), "gam user uid:1 delete license s product p"),
    (Change("entitlement", "1", "role-1", True, False), Facts(WHO, held("role"), ("direct",)), "Admin roles > Finance team"),
    (Change("entitlement", "1", "oauth-c", True, False), Facts(WHO, held("oauth_grant"), ("direct",)), "delete token clientid c"),
    (Change("entitlement", "1", "device-d", True, False), Facts(WHO, held("device"), ("direct",)), "gam update mobile d"),
    (Change("attribute", "1", "department", "x", "y"), Facts(WHO), "jo@example.com > User information > Employee information: Department = y"),
    (Change("attribute", "1", "given_name", "x", "Jo's"), Facts(WHO), "firstname 'Jo'\"'\"'s'"),
    (Change("attribute", "1", "employee_id", "x", "42"), Facts(WHO), "Employee ID = 42"),
    (Change("attribute", "1", "manager_account_id", None, "2"), Facts(WHO), "Manager's email = the address that gam info user uid:2 nogroups tells"),
    (Change("container", "1", None, "/", "/Old staff"), Facts(WHO), "gam update user uid:1 org '/Old staff'"),
    (Change("create", None, None, None, NEW), Facts(WHO), "password random changepassword on"),
    (Change("delete", "1", None, "live", "deleted"), Facts(WHO), "gam delete user uid:1"),
    (Change("delete", "1", None, "deleted", "live"), Facts(WHO), "gam undelete user uid:1"),
    (Change("owner", "1", "g", "1", "2"), Facts(WHO, held("group")), "add owner uid:2"),
    (Change("owner", "1", "device-d", "1", "2"), Facts(WHO, held("device")), "gam update mobile d action account_wipe"),
    (Change("transfer", "1", "2", None, "transferred"), Facts(WHO), "gam create datatransfer uid:1 gdrive uid:2"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "facts", "words"), BY_HAND, ids=[f"{c.kind} {n}" for n, (c, _, _) in enumerate(BY_HAND)])
def test_a_person_gets_the_exact_line(change: Change, facts: Facts, words: str) -> None:
    assert words in instruct(change, facts)


def test_what_cannot_be_is_said_at_planning(lab: Lab, folder: Path) -> None:
    role = Change("entitlement", "1", "role-1", True, False)
    assert "super administrator" in (cannot(role, Facts(WHO, held("role"))) or "")
    assert cannot(role, Facts(WHO, held("role"), settings=settings(lab.server, folder))) is None
    assert "archived" in (cannot(Change("enabled", "1", None, False, True), Facts(WHO | {"state_reason": "archived"})) or "")
    assert "given back" in (cannot(Change("entitlement", "1", "oauth-c", True, False), Facts(WHO, held("oauth_grant"))) or "")
    assert "display_name" in (cannot(Change("attribute", "1", "display_name", "x", "y"), Facts(WHO)) or "")
    assert "address" in (cannot(Change("create", None, None, None, {}), Facts(WHO)) or "")
    assert cannot(Change("enabled", "1", None, True, False), Facts(WHO)) is None


def test_codes_go_before_the_suspension_that_locks_them() -> None:
    assert ORDER.index("sessions") < ORDER.index("enabled")
    assert set(ORDER) == WRITES
