"""How fast Microsoft 365 is read: ours beside plain requests, the stock loop and the official SDK, on the same pages.

The server runs in a process of its own. Users in one chain: the best of eight turns each. With 300 ms a page, which is what
a user of the real service sees, once each.

Like for like: the same pages of the same server, the same `$select`, without TLS. Not like for like: ours turns users into the
columns of accounts and checks every page, asks for the tenant's own count before, and reads parallel chains within the
documented quotas, where the loop of plain `requests` keeps the dicts of one page after the other. The slow loop reads the
members of a sample of the groups, and the rest is worked out from it. The SDK is timed on its models alone, without network,
which is what the bar is held against, and as a client of the same server.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests

from connectors._graph_listing import Listings, expired
from connectors._graph_reading import AT_ONCE, Reading
from connectors._http import Api, new_session
from connectors.microsoft365 import NEEDS
from reconciler.connector import together
from reconciler.sandbox.faults import Fault, Faults
from reconciler.sandbox.graph import READER, microsoft
from reconciler.sandbox.tenant import Tenant, user

GROUPS, SAMPLE, LATE, TURNS = 2_000, 60, 0.3, 8  # groups, those of them the slow loop reads, seconds a page, turns
TENANT = "7c4b6d2e-51f0-4d7b-9a53-0e9a3f6c1b20"
SELECT = (
    "id,userPrincipalName,mail,proxyAddresses,employeeId,givenName,surname,displayName,department,jobTitle,companyName,officeLocation,"
    "accountEnabled,userType,createdDateTime,lastPasswordChangeDateTime,onPremisesSyncEnabled,onPremisesImmutableId,"
    "onPremisesSecurityIdentifier,licenseAssignmentStates"
)
SDK_USERS = 60
_SDK = """
import json, sys, time
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from msgraph.generated.models.user_collection_response import UserCollectionResponse
body, best = sys.stdin.buffer.read(), 0.0
for _ in range(2):
    begun = time.perf_counter()
    made = JsonParseNodeFactory().get_root_parse_node("application/json", body).get_object_value(UserCollectionResponse)
    best = max(best, len(made.value) / (time.perf_counter() - begun))
print(best)
"""
_SDK_CLIENT = """
import asyncio, sys, time
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.users.users_request_builder import UsersRequestBuilder as Users
from msgraph.graph_request_adapter import GraphRequestAdapter
url, header, select, top = sys.argv[1:]

class Told(AuthenticationProvider):
    async def authenticate_request(self, request, additional_authentication_context=None):
        request.headers.add("Authorization", header)

async def read():
    adapter, best = GraphRequestAdapter(Told()), 0.0
    adapter.base_url = url
    asked = RequestConfiguration(query_parameters=Users.UsersRequestBuilderGetQueryParameters(select=select.split(","), top=int(top)))
    for _ in range(2):
        begun = time.perf_counter()
        page = await GraphServiceClient(request_adapter=adapter).users.get(asked)
        best = max(best, len(page.value) / (time.perf_counter() - begun))
    print(best)

asyncio.run(read())
"""


def company(users: int, groups: int) -> Tenant:
    """People with everything filled in, a licence each, and groups of twenty."""
    made = Tenant(id=TENANT)
    sku = made.sku("SPE_E5")
    ids = []
    for n in range(users):
        about = {
            "employeeId": f"{n:06d}",
            "department": "Finance",
            "jobTitle": "Analyst",
            "companyName": "Example Ltd",
            "officeLocation": "London",
        }
        synced = {
            "onPremisesSyncEnabled": True,
            "onPremisesImmutableId": "AAECAwQFBgcICQoLDA0ODw==",
            "onPremisesSecurityIdentifier": f"S-1-5-21-1-2-3-{n}",
        }
        state = {
            "skuId": sku,
            "disabledPlans": [],
            "assignedByGroup": None,
            "state": "Active",
            "error": "None",
            "lastUpdatedDateTime": "2026-01-01T00:00:00Z",
        }
        mails = {
            "proxyAddresses": [f"SMTP:user{n}@example.com", f"smtp:alias{n}@example.com"],
            "licenseAssignmentStates": [state],
        }
        ids.append(made.put_user(user(f"user{n}@example.com", "Given", f"Family{n}", **about, **synced, **mails)))
    for g in range(groups):
        here = made.put_group(f"Group {g}")
        made.members[here] = dict.fromkeys((ids[(g * 7 + n) % users] for n in range(20)), "users")
    return made


def serve(users: int, groups: int) -> None:
    """Serve until standard input ends; a line of faults as JSON replaces the script."""
    faults = Faults()
    server = microsoft(company(users, groups), faults)
    server.start()
    print(server.url, flush=True)
    for line in sys.stdin:
        faults.reset(*(Fault(**each) for each in json.loads(line)))
        print("ready", flush=True)
    server.close()


class Server:
    """The server in a process of its own."""

    def __init__(self, users: int, groups: int) -> None:
        program = [sys.executable, "-m", "benchmarks.graph_read", str(users), str(groups)]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the server's process has no pipes")
        self.told, self.answers = self.process.stdin, self.process.stdout
        self.url = self._line()
        form = {
            "client_id": READER.client_id,
            "client_secret": READER.secret,
            "grant_type": "client_credentials",
            "scope": "x/.default",
        }
        self.header = (
            "Bearer " + requests.post(f"{self.url}/{TENANT}/oauth2/v2.0/token", data=form, timeout=30).json()["access_token"]
        )

    def _line(self) -> str:
        return self.answers.readline().strip()

    def late(self, seconds: float) -> None:
        script = [{"on": "v1.0", "do": "delay", "at": 0, "value": seconds}] if seconds else []
        self.told.write(json.dumps(script) + "\n")
        self.told.flush()
        if self._line() != "ready":
            raise RuntimeError("the server did not take the script of faults")


@contextmanager
def serving(users: int, groups: int) -> Iterator[Server]:
    server = Server(users, groups)
    try:
        yield server
    finally:
        server.told.close()
        server.process.wait(30)


# --- the readers ----------------------------------------------------------------------------------------------------


def reading(server: Server) -> Reading:
    root = f"{server.url}/v1.0"
    api = Api(root, new_session(root, None), lambda renew: server.header, time.monotonic() + 3600, expired=expired)
    return Reading(Listings(api), {}, {need.area: need.permission for need in NEEDS if need.area})


def plain_pages(server: Server, path: str) -> list[dict[str, Any]]:
    """The stock loop: one session, page after page, every object kept."""
    session, rows, here = requests.Session(), [], f"{server.url}/v1.0/{path}"
    session.headers["Authorization"] = server.header
    while here:
        page = json.loads(session.get(here, timeout=60).content)
        rows += page["value"]
        here = page.get("@odata.nextLink", "")
    return rows


def ours_users(server: Server) -> int:
    made = reading(server)
    for _ in made._users():
        pass
    return len(made.accounts)


def plain_users(server: Server) -> int:
    return len(plain_pages(server, f"users?$select={SELECT}&$top=999"))


def ours_everything(server: Server) -> int:
    """Users, groups and members, by the passes that a night uses, in parallel chains."""
    made = reading(server)
    for _ in together([made._users, made._groups], AT_ONCE):
        pass
    for _ in together([partial(made._members, group["id"]) for group in made.groups], AT_ONCE):
        pass
    return sum(map(len, made.members.people.values()))


def stock_everything(server: Server, groups: int) -> float:
    """Seconds of the sequential loop: users and groups whole, members of a sample of groups, the rest worked out."""
    begun = time.perf_counter()
    plain_users(server)
    found = plain_pages(server, "groups?$top=999")
    fixed = time.perf_counter() - begun
    sample, begun = found[: min(SAMPLE, groups)], time.perf_counter()
    session = requests.Session()
    session.headers["Authorization"] = server.header
    for group in sample:
        json.loads(session.get(f"{server.url}/v1.0/groups/{group['id']}/members?$top=999", timeout=60).content)
    return fixed + (time.perf_counter() - begun) * groups / len(sample)


def sdk_rate(server: Server) -> float | None:
    """Users a second that the official SDK turns into its models; None when it is not installed."""
    if importlib.util.find_spec("msgraph") is None:
        return None
    header = {"Authorization": server.header}
    body = requests.get(f"{server.url}/v1.0/users?$select={SELECT}&$top={SDK_USERS}", headers=header, timeout=60).content
    done = subprocess.run([sys.executable, "-c", _SDK], input=body, capture_output=True, check=True)  # noqa: S603 - our own words
    return float(done.stdout)


def sdk_client_rate(server: Server) -> float | None:
    """Users a second of the official SDK as a client of the server; None when it is not installed."""
    if importlib.util.find_spec("msgraph") is None:
        return None
    told = [f"{server.url}/v1.0", server.header, SELECT, str(SDK_USERS)]
    done = subprocess.run([sys.executable, "-c", _SDK_CLIENT, *told], capture_output=True, check=True)  # noqa: S603 - our own words
    return float(done.stdout)


# --- the measuring --------------------------------------------------------------------------------------------------


def best(run: Callable[[], int], times: int = 3) -> tuple[int, float]:
    """(rows, seconds) of the fastest of some runs."""
    seconds, rows = [], 0
    for _ in range(times):
        begun = time.perf_counter()
        rows = run()
        seconds.append(time.perf_counter() - begun)
    return rows, min(seconds)


def measure(users: int = 20_000, groups: int = GROUPS) -> list[dict[str, Any]]:
    """Rows of what was measured: name, figure, unit, peer, ratio, bar, and how."""
    with serving(users, groups) as server:
        plain_users(server)  # the server's texts are made once, before anybody is timed
        alternated = [(best(lambda: ours_users(server), 1), best(lambda: plain_users(server), 1)) for _ in range(TURNS)]
        ours, plain = (max(rows / seconds for rows, seconds in pairs) for pairs in zip(*alternated, strict=True))
        sdk, client = sdk_rate(server), sdk_client_rate(server)
        server.late(LATE)
        _, parallel = best(lambda: ours_everything(server), 1)
        sequential = stock_everything(server, groups)
    return [
        _row("users in one chain", ours, "users/s", "requests + json", plain, ours / plain, 0.8, f"{users} users, 999 a page, best of {TURNS}, alternated"),
        _row("users in one chain", ours, "users/s", "msgraph-sdk models", sdk, None if sdk is None else ours / sdk, 100, f"the SDK decodes a page of {SDK_USERS}, without network"),
        _row("users in one chain", ours, "users/s", "msgraph-sdk", client, None if client is None else ours / client, None, f"the SDK reads a page of {SDK_USERS} from the same server"),
        _row(f"users, groups, members of {groups} groups, {LATE} s a page", parallel, "s", "sequential loop", sequential, sequential / parallel, 5,
             f"the loop reads {SAMPLE} groups; the rest is extrapolated"),
    ]  # fmt: skip


def _row(
    name: str, figure: float, unit: str, peer: str, theirs: float | None, ratio: float | None, bar: float | None, how: str
) -> dict[str, Any]:
    return {"what": name, "ours": round(figure, 1), "unit": unit, "peer": peer, "theirs": theirs and round(theirs, 1),
            "ratio": ratio and round(ratio, 2), "bar": bar, "held": None if ratio is None or bar is None else ratio >= bar, "how": how}  # fmt: skip


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
