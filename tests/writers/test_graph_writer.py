"""Microsoft 365's writer against a real server on this machine: every kind of change, and everything that may come between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors._graph_names import literal, reference
from connectors._graph_writer import GraphWriter
from connectors._writing import path
from connectors.microsoft365 import WRITES, Settings, cannot, instruct, writer
from reconciler.connector import Context
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import WRITING, GraphServer, Registration
from reconciler.sandbox.tenant import Tenant
from reconciler.writer import AccessRefused, Change, Changed, Facts, Refused, SourceError, Unknown
from tests.graph_tenant import DOMAIN, NOW, serving, small_tenant, upn

REMEDIATOR = Registration("22222222-2222-2222-2222-222222222222", secret="writes", permissions=WRITING)
WEAK = Registration("33333333-3333-3333-3333-333333333333", secret="writes", permissions=frozenset({"User.Read.All"}))
READER_ROLE, DEPARTED = "Reports Reader", "00000000-dead-4000-8000-000000000000"


@dataclass
class Lab:
    """One tenant of a test's own, and a writer that is connected to it."""

    tenant: Tenant
    server: GraphServer
    writer: GraphWriter

    def id(self, number: int) -> str:
        return self.tenant.user_id(upn(number))

    def change(self, kind: str, number: int, before: Any, after: Any, target: str | None = None) -> Change:
        return Change(kind, self.id(number), target, before, after, "p-1/1")

    def sent(self) -> list[str]:
        """What was asked for that is neither a reading nor a token."""
        return [line for line in self.server.faults.requests if not line.startswith("GET ") and "oauth2" not in line]

    def everything(self) -> Any:
        """The tenant as it is; ids of role assignments do not count, since they are made anew."""
        held = self.tenant.role_assignments.values()
        roles = sorted((row["principalId"], row["roleDefinitionId"], row["directoryScopeId"]) for row in held)
        names = ("users", "deleted", "groups", "members", "owners", "managers")
        return deepcopy({name: getattr(self.tenant, name) for name in names}) | {"roles": roles}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("writer")
    (made / "secret").write_text("writes")
    (made / "secret").chmod(0o600)
    return made


def settings(server: GraphServer, folder: Path, client: Registration = REMEDIATOR, **keys: Any) -> Settings:
    own = {"client_id": client.client_id, "client_secret": f"file:{folder}/secret", "roles": True}
    usual = {"kind": "microsoft365", "tenant": server.tenant.id, "client_id": "reads", "client_secret": "env:NOT_SET_HERE",
             "login_url": server.url, "graph_url": f"{server.url}/v1.0", "writer": own}  # fmt: skip
    return Settings.model_validate(usual | keys)


@contextmanager
def opened(folder: Path, client: Registration = REMEDIATOR, **own: Any) -> Iterator[Lab]:
    tenant = small_tenant()
    with serving(tenant, Faults(), (REMEDIATOR, WEAK)) as server:
        made = settings(server, folder, client)
        if own and made.writer:
            made = made.model_copy(update={"writer": made.writer.model_copy(update=own)})
        lab = Lab(tenant, server, writer(made, Context("m365", NOW, deadline_seconds=30, wait=lambda _: None)))
        server.faults.reset()
        yield lab
        lab.writer.close()


@pytest.fixture
def lab(folder: Path) -> Iterator[Lab]:
    with opened(folder) as made:
        yield made


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Lab]:
    """For tests that take back what they do."""
    with opened(folder) as made:
        yield made


# --- who it is ------------------------------------------------------------------------------------------------------


def test_it_knows_the_tenant_and_itself(lab: Lab) -> None:
    assert lab.writer.identity() == lab.tenant.id
    assert lab.writer.own() == (REMEDIATOR.client_id,)


def test_without_credentials_of_its_own_it_is_refused(lab: Lab, folder: Path) -> None:
    with pytest.raises(AccessRefused, match="writer = "):
        writer(settings(lab.server, folder, writer=None), Context("m365", NOW))
    (folder / "wrong").write_text("wrong")
    (folder / "wrong").chmod(0o600)
    wrong = {"client_id": REMEDIATOR.client_id, "client_secret": f"file:{folder}/wrong"}
    with pytest.raises(AccessRefused, match="refused client"):
        writer(settings(lab.server, folder, writer=wrong), Context("m365", NOW))


# --- every kind, there and back -------------------------------------------------------------------------------------


def changes(lab: Lab) -> dict[str, Change]:
    """One change of every kind that can be taken back."""
    everyone, team, e5 = lab.tenant.group_id("Everyone"), lab.tenant.group_id("Team"), lab.tenant.sku("SPE_E5")
    role = lab.tenant.role(READER_ROLE)
    return {
        "enabled": lab.change("enabled", 2, True, False),
        "enabled again": lab.change("enabled", 7, False, True),
        "member out": lab.change("entitlement", 6, True, False, lab.tenant.group_id("Parent")),
        "member in": lab.change("entitlement", 2, False, True, team),
        "licence out": lab.change("entitlement", 0, True, False, e5),
        "licence in": lab.change("entitlement", 2, False, True, e5),
        "role out": lab.change("entitlement", 6, True, False, role),
        "role in": lab.change("entitlement", 2, False, True, role),
        "text": lab.change("attribute", 2, "IT", "Finance & “R&D”", "department"),
        "text anew": lab.change("attribute", 2, None, "Clerk", "job_title"),
        "number": lab.change("attribute", 2, "000002", "42", "employee_id"),
        "manager": lab.change("attribute", 2, lab.id(0), lab.id(1), "manager_account_id"),
        "manager gone": lab.change("attribute", 2, lab.id(0), None, "manager_account_id"),
        "owner": Change("owner", lab.id(5), everyone, lab.id(5), lab.id(6)),
        "delete": lab.change("delete", 2, "live", "deleted"),
    }


KINDS = ("enabled", "enabled again", "member out", "member in", "licence out", "licence in", "role out", "role in", "text",
         "text anew", "number", "manager", "manager gone", "owner", "delete")  # fmt: skip


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
    assert len(shared.sent()) == (4 if name == "owner" else 2)


@pytest.mark.parametrize("name", KINDS)
def test_a_lost_answer_is_unknown_until_it_is_read_back(shared: Lab, name: str) -> None:
    change = changes(shared)[name]
    shared.server.faults.reset(Fault("^(POST|PUT|PATCH|DELETE) ", "cut"))
    with pytest.raises(Unknown):
        shared.writer.write(change)
    if name != "owner":  # that takes two requests, and only the first of them was made
        assert shared.writer.state(change) == change.after
    assert len(shared.sent()) == 1
    if shared.writer.state(change) != change.after:
        shared.writer.write(change)
    shared.writer.write(change.reverse())


def test_nothing_that_is_not_named_is_touched(lab: Lab) -> None:
    everyone = lab.tenant.group_id("Everyone")
    others = {who for who in lab.tenant.members[everyone] if who != lab.id(2)}
    lab.writer.write(lab.change("entitlement", 2, True, False, everyone))
    assert set(lab.tenant.members[everyone]) == others
    assert lab.id(2) in lab.tenant.users


def test_signing_out_moves_the_instant(lab: Lab) -> None:
    change = lab.change("sessions", 2, None, "revoked")
    before = lab.writer.state(change)
    lab.writer.write(change)
    assert lab.tenant.sessions_revoked == [lab.id(2)]
    assert lab.writer.state(change) != before


def test_a_restored_user_has_licences_and_groups_back(lab: Lab) -> None:
    gone = next(iter(lab.tenant.deleted))
    change = Change("delete", gone, None, "deleted", "live")
    assert lab.writer.state(change) == "deleted"
    lab.writer.write(change)
    assert gone in lab.tenant.members[lab.tenant.group_id("Everyone")]
    assert lab.writer.state(Change("delete", DEPARTED, None, "live", "deleted")) is None


NEW = {"email": f"li.o'brien@{DOMAIN}", "given_name": "Li", "family_name": "O'Brien", "display_name": "Li O'Brien", "job_title": "Engineer",
       "employee_id": "000777", "department": "R&D", "enabled": True, "container": "nowhere"}  # fmt: skip


def test_an_account_is_created_once(lab: Lab) -> None:
    change = Change("create", None, None, None, NEW | {"manager_account_id": lab.id(1)})
    assert lab.writer.state(change) is None
    lab.writer.write(change)
    here = lab.writer.state(change)
    made = lab.tenant.users[here]
    assert (made["userPrincipalName"], made["employeeId"], made["jobTitle"], made["accountEnabled"]) == (
        NEW["email"], "000777", "Engineer", True)  # fmt: skip
    assert lab.tenant.managers[here] == lab.id(1)
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert len(lab.sent()) == 2
    assert lab.writer.state(Change("create", None, None, None, {"email": NEW["email"]})) == here


def test_a_created_account_whose_answer_was_lost_is_found(lab: Lab) -> None:
    change = Change("create", None, None, None, NEW)
    lab.server.faults.reset(Fault("^POST .*users$", "cut"))
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.tenant.users[lab.writer.state(change)]["employeeId"] == "000777"


# --- what others did meanwhile --------------------------------------------------------------------------------------


def _meddle(lab: Lab, name: str) -> None:
    others: dict[str, Callable[[], Any]] = {
        "enabled": lambda: lab.tenant.change_user(upn(2), accountEnabled=False),
        "text": lambda: lab.tenant.change_user(upn(2), department="Sales"),
        "text anew": lambda: lab.tenant.change_user(upn(2), jobTitle="Boss"),
        "manager": lambda: lab.tenant.manager(upn(2), upn(6)),
        "owner": lambda: (lab.tenant.own("Everyone", upn(0)), lab.tenant.disown(lab.tenant.group_id("Everyone"), lab.id(5))),
        "member out": lambda: lab.tenant.delete_group("Parent"),
        "delete": lambda: lab.tenant.delete_user(upn(2)),
    }
    others[name]()


@pytest.mark.parametrize("name", ["enabled", "text", "text anew", "manager", "owner", "delete"])
def test_what_somebody_else_changed_is_not_overwritten(lab: Lab, name: str) -> None:
    change = changes(lab)[name]
    _meddle(lab, name)
    with pytest.raises(Changed):
        lab.writer.write(change)
    assert lab.sent() == []


def test_a_user_who_is_gone_is_changed_no_more(lab: Lab) -> None:
    change, member = lab.change("attribute", 2, "IT", "X", "department"), changes(lab)["member in"]
    lab.tenant.delete_user(upn(2))
    for one in (change, member):
        with pytest.raises(Changed, match="no user has the id"):
            lab.writer.state(one)
    assert lab.sent() == []


def test_a_group_that_is_gone_is_no_group(lab: Lab) -> None:
    change = changes(lab)["member out"]
    _meddle(lab, "member out")
    with pytest.raises(Changed, match="no group, role or licence"):
        lab.writer.write(change)


def test_what_is_so_already_is_success(lab: Lab) -> None:
    lab.writer.write(lab.change("entitlement", 2, False, True, lab.tenant.group_id("Everyone")))
    lab.writer.write(lab.change("entitlement", 2, True, False, lab.tenant.group_id("Team")))
    assert lab.sent() == []


def test_a_membership_that_came_or_went_just_now_is_success(lab: Lab) -> None:
    """Looked at, then done by somebody else, then sent: Graph says so, and it is as it should be."""
    out, into = changes(lab)["member out"], changes(lab)["member in"]
    assert lab.writer.state(out) is True
    lab.tenant.leave("Parent", upn(6))
    lab.writer.write(out)
    assert lab.writer.state(into) is False
    lab.tenant.join("Team", upn(2))
    lab.writer.write(into)
    assert len(lab.sent()) == 2


# --- what is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, str, int, Any, Any, str, str]] = [
    ("a synchronised account", "enabled", 3, True, False, "", "on-premises mastered"),
    ("an administrator", "enabled", 0, True, False, "", "Insufficient privileges"),
    ("a dynamic group", "entitlement", 2, True, False, "Rule", "dynamic group"),
    ("a synchronised group", "entitlement", 3, True, False, "Synced", "on-premises mastered"),
    ("a distribution list", "entitlement", 2, False, True, "List", "distribution list"),
    ("an address", "attribute", 2, upn(2), "x@y", "email", "email is not written"),
    ("a container", "container", 2, "a", "b", "", "knows no change of container"),
]


@pytest.mark.parametrize(
    ("kind", "number", "before", "after", "target", "words"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_graph_does_not_take_is_refused_in_its_words(
    lab: Lab, kind: str, number: int, before: Any, after: Any, target: str, words: str
) -> None:  # fmt: skip
    everything = lab.everything()
    named = lab.tenant.group_id(target) if kind == "entitlement" else target or None
    with pytest.raises(Refused, match=words):
        lab.writer.write(lab.change(kind, number, before, after, named))
    assert lab.everything() == everything


def test_an_inherited_licence_is_not_held_directly(lab: Lab) -> None:
    change = lab.change("entitlement", 1, True, False, lab.tenant.sku("SPE_E5"))
    assert lab.writer.state(change) is False
    lab.writer.write(change)
    assert lab.sent() == []


def test_roles_are_written_only_where_it_is_said(folder: Path) -> None:
    with opened(folder, roles=False) as lab, pytest.raises(Refused, match="roles = true"):
        lab.writer.write(changes(lab)["role out"])


def test_a_role_for_a_part_of_the_tenant_is_left_to_a_person(lab: Lab) -> None:
    role = lab.tenant.role(READER_ROLE)
    lab.tenant.assign_role(upn(2), role, "/administrativeUnits/1")
    with pytest.raises(Refused, match="part of the tenant"):
        lab.writer.write(lab.change("entitlement", 2, True, False, role))


def test_a_missing_permission_is_a_refusal(folder: Path) -> None:
    with opened(folder, WEAK) as lab, pytest.raises(Refused, match="Insufficient privileges"):
        lab.writer.write(lab.change("enabled", 2, True, False))


def test_a_member_is_only_ever_taken_out_by_its_reference(lab: Lab) -> None:
    assert reference("groups", "g", "members", "u") == "groups/g/members/u/$ref"
    assert path("users", "a/b?c#d") == "users/a%2Fb%3Fc%23d"
    with pytest.raises(Changed, match="missing"):
        reference("groups", "g", "members", "")
    with pytest.raises(Changed, match="missing"):
        lab.writer.write(Change("delete", None, None, "live", "deleted"))
    lab.writer.write(changes(lab)["member out"])
    assert [line.endswith("/$ref") for line in lab.sent()] == [True]
    assert literal("o'brien") == "'o''brien'"


# --- an unwilling network -------------------------------------------------------------------------------------------


def test_throttling_is_waited_for(lab: Lab) -> None:
    waited: list[float] = []
    lab.writer.api.wait = waited.append
    lab.server.faults.reset(Fault("^PATCH", "status", 1, 429), Fault("^PATCH", "status", 2, 429, headers=(("Retry-After", "7"),)))
    lab.writer.write(lab.change("enabled", 2, True, False))
    assert waited == [0.128, 7.0]
    assert lab.tenant.users[lab.id(2)]["accountEnabled"] is False


def test_throttling_without_end_is_a_refusal(lab: Lab) -> None:
    lab.server.faults.reset(Fault("^PATCH", "status", 0, 429, headers=(("Retry-After", "3600"),)))
    with pytest.raises(Refused, match="asked to wait 3600 s"):
        lab.writer.write(lab.change("enabled", 2, True, False))


@pytest.mark.parametrize("fault", [Fault("^PATCH", "status", 1, 503), Fault("^PATCH", "status", 1, 504), Fault("^PATCH", "garbage")],
                         ids=["503", "504", "garbage"])  # fmt: skip
def test_a_server_that_fails_says_nothing_about_the_change(lab: Lab, fault: Fault) -> None:
    change = lab.change("enabled", 2, True, False)
    lab.server.faults.reset(fault)
    with pytest.raises(Unknown):
        lab.writer.write(change)
    assert lab.writer.state(change) is True


def test_an_old_token_is_renewed(lab: Lab) -> None:
    lab.server.faults.reset(Fault("^PATCH", "status", 1, 401))
    lab.writer.write(lab.change("enabled", 2, True, False))
    assert lab.tenant.users[lab.id(2)]["accountEnabled"] is False


def test_a_server_that_is_gone_is_an_error_of_the_source(folder: Path) -> None:
    with opened(folder) as lab:
        change = lab.change("enabled", 2, True, False)
        lab.server.faults.reset(Fault("^GET", "status", 0, 503))
        with pytest.raises(SourceError):
            lab.writer.state(change)
        with pytest.raises(Refused, match="nothing was sent"):
            lab.writer.write(change)


# --- for a plan, offline --------------------------------------------------------------------------------------------

WHO = {"kind": "person", "login": "jo"}


def held(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": "Finance", "writable": True} | more


BY_HAND: list[tuple[Change, Facts, str]] = [
    (Change("enabled", "u", None, True, False), Facts(WHO), "Update-MgUser -UserId 'u' -AccountEnabled:$false"),
    (Change("sessions", "u", None, None, "revoked"), Facts(WHO), "Revoke-MgUserSignInSession -UserId 'u'"),
    (Change("entitlement", "u", "g", True, False), Facts(WHO, held("group"), ("direct",)), "Remove-MgGroupMemberByRef -GroupId 'g' -DirectoryObjectId 'u'"),
    (Change("entitlement", "u", "g", False, True), Facts(WHO, held("group")), "New-MgGroupMember"),
    (Change("entitlement", "u", "g", True, False), Facts(WHO, held("group", writable=False), ("direct",)), "Remove-DistributionGroupMember"),
    (Change("entitlement", "u", "g", True, False), Facts(WHO, held("group", writable=False), ("dynamic",)), "Dynamic membership rules"),
    (Change("entitlement", "u", "g", True, False), Facts(WHO, held("group"), ("nested",)), "Get-MgUserMemberOf"),
    (Change("entitlement", "u", "s", True, False), Facts(WHO, held("licence"), ("inherited",), ("Sales",)), "AssignedByGroup"),
    (Change("entitlement", "u", "s", True, False), Facts(WHO, held("licence"), ("direct",)), "-RemoveLicenses @('s')"),
    (Change("entitlement", "u", "s", False, True), Facts(WHO, held("licence")), "SkuId='s'"),
    (Change("entitlement", "u", "r", True, False), Facts(WHO, held("role"), ("eligible",)), "Privileged Identity Management"),
    (Change("entitlement", "u", "r", True, False), Facts(WHO, held("role"), ("inherited",)), "Roles & admins"),
    (Change("entitlement", "u", "r", True, False), Facts(WHO, held("role"), ("direct",)), "Remove-MgRoleManagementDirectoryRoleAssignment"),
    (Change("entitlement", "u", "r", False, True), Facts(WHO, held("role")), "New-MgRoleManagementDirectoryRoleAssignment"),
    (Change("entitlement", "u", "a", True, False), Facts(WHO, held("application"), ("direct",)), "Remove-MgUserAppRoleAssignment"),
    (Change("entitlement", "u", "consent:a", True, False), Facts(WHO, held("oauth_grant"), ("direct",)), "clientId eq 'a' and"),
    (Change("entitlement", "u", "d", True, False), Facts(WHO, held("device"), ("direct",)), "Intune"),
    (Change("attribute", "u", "department", "x", "R'n'D"), Facts(WHO), "@{department='R''n''D'}"),
    (Change("attribute", "u", "department", "x", None), Facts(WHO), "@{department=$null}"),
    (Change("attribute", "u", "manager_account_id", None, "m"), Facts(WHO), "Set-MgUserManagerByRef"),
    (Change("attribute", "u", "manager_account_id", "m", None), Facts(WHO), "Remove-MgUserManagerByRef"),
    (Change("create", None, None, None, NEW), Facts(WHO), "New-MgUser -UserPrincipalName 'li.o''brien@example.com'"),
    (Change("delete", "u", None, "live", "deleted"), Facts(WHO), "Remove-MgUser -UserId 'u'"),
    (Change("delete", "u", None, "deleted", "live"), Facts(WHO), "Restore-MgDirectoryDeletedItem"),
    (Change("owner", "u", "g", "u", "m"), Facts(WHO, held("group")), "New-MgGroupOwnerByRef -GroupId 'g'"),
    (Change("owner", "u", "d", "u", "m"), Facts(WHO, held("device")), "registers it anew"),
    (Change("transfer", "u", "m", None, "transferred"), Facts(WHO), "Set-SPOUser"),
    (Change("container", "u", None, "a", "b"), Facts(WHO), "Admin units"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "facts", "words"), BY_HAND, ids=[f"{c.kind} {n}" for n, (c, _, _) in enumerate(BY_HAND)])
def test_a_person_gets_the_exact_line(change: Change, facts: Facts, words: str) -> None:
    assert words in instruct(change, facts)


def test_what_cannot_be_is_said_at_planning(lab: Lab, folder: Path) -> None:
    with_roles = settings(lab.server, folder)
    out = Change("entitlement", "u", "r", True, False)
    assert "master of the tenant" in (cannot(out, Facts(WHO, held("role"))) or "")
    assert cannot(out, Facts(WHO, held("role"), settings=with_roles)) is None
    assert "of a kind (device)" in (cannot(out, Facts(WHO, held("device"))) or "")
    assert "guest" in (cannot(Change("sessions", "u", None, None, "revoked"), Facts({"kind": "guest"})) or "")
    assert "email" in (cannot(Change("attribute", "u", "email", "x", "y"), Facts(WHO)) or "")
    assert "owner of a device" in (cannot(Change("owner", "u", "d", "u", "m"), Facts(WHO, held("device"))) or "")
    assert "address" in (cannot(Change("create", None, None, None, {}), Facts(WHO)) or "")
    assert cannot(Change("enabled", "u", None, True, False), Facts(WHO)) is None


def test_what_graph_has_no_word_for_is_not_offered() -> None:
    assert not WRITES & {"container", "transfer"}
