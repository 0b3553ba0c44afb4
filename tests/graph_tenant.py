"""A small Microsoft 365 tenant with one of everything, served on loopback, and plain requests to ask it with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.graph import READER, GraphServer, Registration, microsoft
from reconciler.sandbox.tenant import Tenant, user

PEOPLE = 8
DOMAIN = "example.com"
NOW = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


def upn(number: int) -> str:
    return f"p{number}@{DOMAIN}"


def small_tenant() -> Tenant:
    """Eight people, a guest, an agent, a deleted one; nested, dynamic, synced and mail groups; roles, licences, devices, applications."""
    made = Tenant(domains=(DOMAIN,), now=lambda: NOW)
    for number in range(PEOPLE):
        about: dict[str, Any] = {
            "employeeId": f"{number:06d}",
            "department": "Finance" if number % 2 else "IT",
            "accountEnabled": number != 7,
        }
        made.put_user(user(upn(number), f"Given{number}", f"Family{number}", **about))
        made.registration(upn(number), mfa=number != 2)
        made.manager(upn(number), upn(0) if number else None)
    made.put_user(
        user(f"guest_elsewhere.example#EXT#@{made.domain}", "Gus", "Guest", userType="Guest", mail="gus@elsewhere.example")
    )
    made.put_user(user(f"helper@{DOMAIN}", None, None) | {"@odata.type": "#microsoft.graph.agentUser"})
    made.change_user(
        upn(3),
        onPremisesSyncEnabled=True,
        onPremisesImmutableId="AAECAwQFBgcICQoLDA0ODw==",
        onPremisesSecurityIdentifier="S-1-5-21-1-2-3-1103",
    )
    made.change_user(upn(5), mail=f"five@{DOMAIN}")
    made.sign_in(upn(0), "2026-11-20T10:00:00Z")
    made.sign_in(upn(1), "2026-11-21T10:00:00Z", successful=False)
    _groups(made)
    _held(made)
    _mailboxes(made)
    made.put_user(user(f"gone@{DOMAIN}", "Gone", "Person", employeeId="000099"))
    made.join("Everyone", f"gone@{DOMAIN}")
    made.delete_user(f"gone@{DOMAIN}", "2026-11-01T00:00:00Z")
    return made


def _mailboxes(made: Tenant) -> None:
    """A person's, a room's, a team's and a colleague's, who sends mail on to a private address."""
    made.mailbox(upn(0))
    made.mailbox(upn(6), "room")
    made.mailbox(upn(7), "shared", team={"forwardTo": to(upn(1)), "stopProcessingRules": True}, copy={"redirectTo": to(upn(2))})
    made.mailbox(
        upn(4), "user", home={"forwardAsAttachmentTo": to("p4@home.example")}, sorted={"moveToFolder": "AAA", "delete": False}
    )


def to(*addresses: str) -> list[dict[str, Any]]:
    return [{"emailAddress": {"name": address, "address": address}} for address in addresses]


def _groups(made: Tenant) -> None:
    for name, kind in (
        ("Everyone", ""),
        ("Parent", ""),
        ("Rule", "dynamic"),
        ("Synced", "synced"),
        ("List", "mail"),
        ("Admins", "role_assignable"),
        ("Team", "unified"),
    ):
        made.put_group(name, **({kind: True} if kind else {}))
    for number in range(PEOPLE):
        made.join("Everyone", upn(number))
    for group, member in (
        ("Parent", "Everyone"),
        ("Everyone", "Parent"),
        ("Parent", upn(6)),
        ("Rule", upn(2)),
        ("Synced", upn(3)),
        ("Admins", upn(4)),
    ):
        made.join(group, member)
    made.own("Everyone", upn(5))


def _held(made: Tenant) -> None:
    e5 = made.sku("SPE_E5")
    made.license(upn(0), e5)
    made.license(upn(1), e5, "Everyone")
    made.assign_role(upn(0), made.role("Global Administrator"))
    made.assign_role(made.group_id("Admins"), made.role("Helpdesk Administrator"))
    made.assign_role(upn(6), made.role("Reports Reader"))
    made.make_eligible(upn(1), made.role("User Administrator"))
    for number in (0, 1):
        made.put_device(upn(number), f"LAPTOP-{number}")
    made.put_device(None, "KIOSK")
    expenses, mail = made.app("Expenses"), made.app("Mail Archive")
    made.grant_app(upn(0), expenses, ["User.Read", "Mail.Read"])
    made.grant_app(upn(1), expenses)
    made.grant_app(upn(2), mail, ["Mail.ReadWrite"])
    made.consent(mail, "User.Read.All")


@contextmanager
def serving(tenant: Tenant, faults: Faults | None = None, clients: Sequence[Registration] = (READER,)) -> Iterator[GraphServer]:
    server = microsoft(tenant, faults, clients=clients)
    server.start()
    try:
        yield server
    finally:
        server.close()


def token_of(server: GraphServer, client: Registration = READER, **changed: str) -> requests.Response:
    form = {"client_id": client.client_id, "client_secret": client.secret or "", "grant_type": "client_credentials"}
    told = form | {"scope": "https://graph.microsoft.com/.default"} | changed
    return requests.post(f"{server.url}/{server.tenant.id}/oauth2/v2.0/token", data=told, timeout=10)


class Asking:
    """Plain requests with a bearer token."""

    def __init__(self, server: GraphServer, client: Registration = READER) -> None:
        self.server, self.session = server, requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token_of(server, client).json()['access_token']}"

    def __call__(self, verb: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        url = path if "://" in path else f"{self.server.url}/v1.0/{path}"
        return self.session.request(verb, url, json=body, headers=headers, timeout=10)

    def get(self, path: str, **headers: str) -> Any:
        answer = self("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """Every row of a listing, by its links."""
        rows: list[dict[str, Any]] = []
        here: str | None = path
        while here:
            page = self.get(here, **headers)
            rows += page["value"]
            here = page.get("@odata.nextLink")
        return rows
