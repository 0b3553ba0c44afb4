"""The embedded company as servers: its roster in a folder, its three systems on loopback ports, and the configuration to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from reconciler.sandbox.company import Company, World, access_rules
from reconciler.sandbox.directory import Directory
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.google import Customer
from reconciler.sandbox.google_server import GoogleServer, serve_google
from reconciler.sandbox.graph import GraphServer, microsoft
from reconciler.sandbox.graph_token import WRITING, Registration
from reconciler.sandbox.ldap_server import LdapServer
from reconciler.sandbox.roster_file import SETTINGS, write_roster
from reconciler.sandbox.stock import (
    GOOGLE_REMEDIATOR,
    GOOGLE_SUBJECT,
    READER,
    READER_PASSWORD,
    REMEDIATOR,
    REMEDIATOR_PASSWORD,
    become,
    customer_of,
    directory_of,
    tenant_of,
)
from reconciler.sandbox.tenant import Tenant
from reconciler.sandbox.tls import LOOPBACK, Authority

# The names that the vendors' own hosts have: a proxy may lead them here, and the certificate is good for them.
MICROSOFT_HOSTS = ("login.microsoftonline.com", "graph.microsoft.com")
GOOGLE_HOSTS = ("admin.googleapis.com", "oauth2.googleapis.com", "licensing.googleapis.com", "www.googleapis.com")
CLIENT_ID, CLIENT_SECRET = "3f0a8a52-9f0c-4d0e-8a57-5d7f3f4c9c11", "reads~only~the~embedded~company"
WRITER_ID, WRITER_SECRET = "7c1d2f6e-0b64-4f5e-9a43-2d8e6f1b5a22", "changes~only~the~embedded~company"


@dataclass
class Embedded:
    """One company being served from `start` to `close`; `faults` breaks its systems by name ("ad", "m365", "google")."""

    company: Company
    folder: Path
    faults: Mapping[str, Faults] = field(default_factory=lambda: {name: Faults() for name in ("ad", "m365", "google")})
    authority: Authority = field(default_factory=Authority)

    @cached_property
    def _first(self) -> World:
        return self.company.night(0)

    @cached_property
    def directory(self) -> Directory:
        return directory_of(self._first)

    @cached_property
    def tenant(self) -> Tenant:
        return tenant_of(self._first, self.directory)

    @cached_property
    def customer(self) -> Customer:
        return customer_of(self._first)

    @cached_property
    def ad(self) -> LdapServer:
        return LdapServer(self.directory, self.faults["ad"], self.authority.context(LOOPBACK))

    @cached_property
    def m365(self) -> GraphServer:
        clients = [Registration(CLIENT_ID, CLIENT_SECRET), Registration(WRITER_ID, WRITER_SECRET, permissions=WRITING)]
        return microsoft(self.tenant, self.faults["m365"], self.authority.context((*LOOPBACK, *MICROSOFT_HOSTS)), clients)

    @cached_property
    def google(self) -> GoogleServer:
        return serve_google(self.customer, self.faults["google"], self.authority.context((*LOOPBACK, *GOOGLE_HOSTS)))

    def start(self) -> Embedded:
        for server in (self.ad, self.m365, self.google):
            server.start()
        self._write_secrets()
        return self

    def close(self) -> None:
        for server in (self.ad, self.m365, self.google):
            server.close()

    def night(self, number: int) -> World:
        """Move the company to one of its nights: the roster is exported, every system holds what it holds then."""
        world = self.company.night(number)
        write_roster(world, self.folder / "roster.csv")
        directory = directory_of(world)
        become(self.directory, directory)
        become(self.tenant, tenant_of(world, directory))
        become(self.customer, customer_of(world))
        return world

    def _write_secrets(self) -> None:
        secrets = self.folder / "secrets"
        secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"ad-password": READER_PASSWORD, "m365-secret": CLIENT_SECRET, "google.json": self.google.key_file()}
        told |= {"ad-writer-password": REMEDIATOR_PASSWORD, "m365-writer-secret": WRITER_SECRET}
        for name, text in told.items():
            path = secrets / name
            path.touch(0o600)
            path.write_text(text, "utf-8")
        (self.folder / "ca.pem").write_text(self.authority.pem, "ascii")

    def config(self, production: bool = False) -> str:
        """config.toml for this company. With `production` the vendors' real host names stand in it, to be reached through a proxy."""
        login, graph, google = PRODUCTION if production else (self.m365.url, f"{self.m365.url}/v1.0", self.google.url)
        return _CONFIG.format(
            size=self.company.size, roster=SETTINGS, ad=self.ad.url, base=self.directory.base, reader=READER, tenant=self.tenant.id,
            remediator=REMEDIATOR, google_remediator=GOOGLE_REMEDIATOR, writer=WRITER_ID, client=CLIENT_ID, login=login, graph=graph, subject=GOOGLE_SUBJECT, google=google, access=access_rules(),
            trust="" if production else 'ca_file = "ca.pem"\n',
        )  # fmt: skip


PRODUCTION = ("https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0", "https://admin.googleapis.com")

_CONFIG = """\
# The embedded company: an HR file and three loopback servers that speak LDAP, Microsoft Graph and Google's Admin SDK.
[organisation]
name = "Harbour & Vale Ltd"
timezone = "Europe/London"

[state]
dir = "var"
database = "sqlite:///var/reconciler.db"

[connectors.hr]
kind = "hr_file"
path = "roster.csv"
id_pattern = '\\d{{6}}'
min_people = {size}
max_quarantined_percent = 5
{roster}
[connectors.ad]
kind = "active_directory"
urls = ["{ad}"]
bases = ["{base}"]
username = "{reader}"
password = "file:secrets/ad-password"
ca_file = "ca.pem"
writer = {{ username = "{remediator}", password = "file:secrets/ad-writer-password" }}

[connectors.m365]
kind = "microsoft365"
tenant = "{tenant}"
client_id = "{client}"
client_secret = "file:secrets/m365-secret"
login_url = "{login}"
graph_url = "{graph}"
writer = {{ client_id = "{writer}", client_secret = "file:secrets/m365-writer-secret" }}
{trust}
[connectors.google]
kind = "google_workspace"
credentials = "file:secrets/google.json"
subject = "{subject}"
writer = {{ subject = "{google_remediator}" }}
api_url = "{google}"
licence_queries_per_minute = 60000    # the embedded licence manager has no quota
{trust}
[exempt]
accounts = ["svc-*", "breakglass*", "reader", "remediator"]

{access}
[remediation]
enabled = true
approval = "one-person"               # there is only one of you here

[report]
formats = ["html", "csv", "jsonl"]
dir = "var/reports"

[schedule]
cron = "5 2 * * *"
"""
