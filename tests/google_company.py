"""A small Google Workspace customer with something of everything, and a stock client to ask it with."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import httplib2
import requests
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import service_account
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.google import Customer, group, user
from reconciler.sandbox.google_server import GoogleServer, serve_google
from reconciler.sandbox.google_token import Tokens

ADMIN = "admin@example.com"
DRIVE = "55656082996"
SCOPES = [f"https://www.googleapis.com/auth/{name}" for name in (
    "admin.directory.user", "admin.directory.user.security", "admin.directory.group", "admin.directory.group.member",
    "admin.directory.customer", "admin.directory.domain", "admin.directory.orgunit", "admin.directory.rolemanagement",
    "admin.directory.device.mobile", "admin.directory.userschema", "admin.datatransfer", "apps.licensing",
)]  # fmt: skip


def mail(n: int) -> str:
    return f"user{n:04d}@example.com"


def company(people: int = 30, groups: int = 5) -> Customer:
    """An administrator and numbered people; user 1 is suspended, 2 archived, 3 a delegated administrator, 4 was deleted."""
    made = Customer()
    made.put_user(user(ADMIN, "Ada", "Administrator", isAdmin=True, aliases=["boss@example.com"]))
    for n in range(people):
        made.put_user(person(n))
    made.change_user(mail(1), suspended=True, suspensionReason="ADMIN", suspensionTime="2026-11-01T09:00:00.000Z")
    made.change_user(mail(2), archived=True, archivalTime="2026-11-01T09:00:00.000Z")
    made.change_user(mail(3), isDelegatedAdmin=True)
    for n in range(groups):
        made.put_group(group(f"group{n}@example.com", f"Group {n}", aliases=[f"g{n}@example.com"]))
        for one in range(n, people, 3):
            made.join(f"group{n}@example.com", mail(one), "OWNER" if one == n else "MEMBER")
    _circles(made)
    _held(made, people)
    made.delete_user(mail(4))
    return made


def person(n: int) -> dict[str, Any]:
    seen = {} if n % 7 == 0 else {"lastLoginTime": "2026-11-20T08:30:00.000Z"}
    return user(
        mail(n), f"Given {n}", f"Family {n}", **seen, orgUnitPath="/Staff/Sales", recoveryEmail=f"private{n}@elsewhere.org",
        externalIds=[{"type": "organization", "value": f"{n:06d}"}, {"type": "custom", "customType": "badge", "value": f"B{n}"}],
        relations=[{"type": "manager", "value": "boss@example.com" if n % 2 else ADMIN}],
        organizations=[{"primary": True, "name": "Example Ltd", "title": "Clerk", "department": "Sales", "costCenter": "4711", "type": "work"}],
        phones=[{"type": "work", "value": "+44 20 7946 0000"}], customSchemas={"HR": {"grade": str(n)}},
        nonEditableAliases=[f"user{n:04d}@example.com.test-google-a.com"], isEnrolledIn2Sv=n % 2 == 0,
    )  # fmt: skip


def _circles(made: Customer) -> None:
    made.join("group0@example.com", "group1@example.com")
    made.join("group1@example.com", "group0@example.com")
    made.join("group2@example.com", "guest@elsewhere.org")
    made.put_group(group("everyone@example.com", "Everyone"))
    made.join("everyone@example.com", made.id)
    made.put_group(group("empty@example.com", "Nobody yet"))


def _held(made: Customer, people: int) -> None:
    """Roles, licences, phones, applications, passwords and codes."""
    ids = [made.id_of(mail(n)) or "" for n in range(people)]
    made.assign(made.put_role("_SEED_ADMIN_ROLE", super_admin=True), made.id_of(ADMIN) or "")
    help_desk = made.put_role("Help desk")
    made.put_unit("/Staff/Sales", description="People who sell")
    made.assign(help_desk, ids[3], made.org_units["/Staff"]["orgUnitId"])
    made.assign(help_desk, made.group_of("group1@example.com") or "")
    made.license("Google-Apps", "1010020020", ids[:-1], "Google Workspace Enterprise Plus")
    made.license("101034", "1010340001", ids[2:3], "Google Workspace Archived User")
    for n in range(0, min(people, 12), 2):
        made.put_device(mail(n), f"serial-{n}")
    made.grant_token(mail(5), "client-1.apps.googleusercontent.com", "Mail merge", ["https://mail.google.com/"])
    made.grant_token(mail(1), "client-2.apps.googleusercontent.com", "Notes", ["openid", "profile"])
    made.put_asp(mail(5), "Mail on my old phone")
    made.codes[ids[5]] = [{"kind": "admin#directory#verificationCode", "userId": ids[5], "verificationCode": "12345678"}]
    made.schemas["1"] = {
        "kind": "admin#directory#schema", "schemaId": "1", "schemaName": "HR", "displayName": "HR",
        "fields": [{"kind": "admin#directory#schema#fieldspec", "fieldId": "f1", "fieldType": "STRING", "fieldName": "grade"}],
    }  # fmt: skip


class OverRequests:
    """What googleapiclient expects of httplib2, done by a requests session."""

    redirect_codes: frozenset[int] = frozenset()

    def __init__(self, session: requests.Session) -> None:
        self.session = session

    def request(self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> Any:
        answer = self.session.request(method, uri, data=body, headers=headers, timeout=30, allow_redirects=False)
        told = httplib2.Response(
            {name.lower(): value for name, value in answer.headers.items() if name.lower() != "content-encoding"}
        )
        told.status, told.reason = answer.status_code, answer.reason
        return told, answer.content

    def close(self) -> None:
        self.session.close()


@dataclass
class Served:
    """A customer that is served, and everything that was opened to ask it; closed together."""

    server: GoogleServer
    opened: list[Any] = field(default_factory=list)
    services: dict[str, Any] = field(default_factory=dict)  # stock clients by version: building one takes a while

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def customer(self) -> Customer:
        return self.server.customer

    @cached_property
    def asking(self) -> requests.Session:
        """The administrator's own session."""
        return self.session()

    def credentials(self, subject: str | None = ADMIN) -> Any:
        info = json.loads(self.server.key_file())
        return service_account.Credentials.from_service_account_info(info, scopes=SCOPES, subject=subject)

    def session(self, subject: str | None = ADMIN) -> requests.Session:
        tokens = requests.Session()
        made = AuthorizedSession(self.credentials(subject), auth_request=Request(tokens))
        tokens.trust_env = made.trust_env = False
        self.opened += [tokens, made]
        return made

    def client(self, api: str = "admin", version: str = "directory_v1", over: str = "httplib2") -> Any:
        """The stock client of an API, over either transport."""
        return build(api, version, http=self._http(over), static_discovery=True, client_options={"api_endpoint": self.url})

    def _http(self, over: str) -> Any:
        if over == "requests":
            return OverRequests(self.session())
        made = httplib2.Http(timeout=30)
        self.opened.append(made)
        return AuthorizedHttp(self.credentials(), made)

    def close(self) -> None:
        for one in self.opened:
            one.close()
        self.server.close()


def served(customer: Customer, faults: Faults | None = None, tls: ssl.SSLContext | None = None) -> Served:
    """A server of the customer, started. All share one key: making one takes a while."""
    tokens = Tokens(customer)
    tokens.__dict__["key"] = _key()
    server = serve_google(customer, faults, tls, tokens)
    server.start()
    return Served(server)


@cache
def _key() -> Any:
    return Tokens(Customer()).key
