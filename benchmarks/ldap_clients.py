"""One client reads every user of one LDAP server, in a process of its own: python -m benchmarks.ldap_clients NAME < what.json

Prints {"entries", "values", "wall", "cpu"}; time counts from before the connection to the last entry, imports apart.
ldapsearch is timed whole, its start included.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

FILTER = "(objectClass=person)"
PAGE = 1000

What = dict[str, Any]  # url, user, password, base, attributes
Entries = Iterator[dict[str, Any]]


def ours(what: What) -> Entries:
    """Our pages and our decoder, on ldap3's connection."""
    from connectors._ldap import Search, connect
    from connectors._ldap_bind import Login

    begin()
    directory = connect(what["url"], Login(what["user"], what["password"]), time.monotonic() + 600, PAGE)
    for page in directory.pages(Search(what["base"], FILTER, what["attributes"])):
        for _, attributes in page:
            yield attributes
    directory.close()


def ldap3_default(what: What) -> Entries:
    """ldap3 as its documentation has it."""
    import ldap3

    begin()
    connection = ldap3.Connection(ldap3.Server(what["url"]), what["user"], what["password"], auto_bind=True)
    yield from _paged(connection, what)


def ldap3_tuned(what: What) -> Entries:
    """ldap3 with everything off that can be: no schema, no checks, its own fast decoder."""
    import ldap3

    begin()
    server = ldap3.Server(what["url"], get_info=ldap3.NONE)
    connection = ldap3.Connection(
        server, what["user"], what["password"], auto_bind=True, check_names=False, auto_range=False, fast_decoder=True,
        return_empty_attributes=False, auto_referrals=False,
    )  # fmt: skip
    yield from _paged(connection, what)


def _paged(connection: Any, what: What) -> Entries:
    found = connection.extend.standard.paged_search(
        what["base"], FILTER, attributes=what["attributes"], paged_size=PAGE, generator=True
    )
    for entry in found:
        if entry["type"] == "searchResEntry":
            yield entry["raw_attributes"]
    connection.unbind()


def python_ldap(what: What) -> Entries:
    """The binding to OpenLDAP's C library."""
    import ldap
    from ldap.controls import SimplePagedResultsControl

    begin()
    connection = ldap.initialize(what["url"])
    connection.set_option(ldap.OPT_REFERRALS, 0)
    connection.simple_bind_s(what["user"], what["password"])
    cookie = ""
    while True:
        control = SimplePagedResultsControl(True, size=PAGE, cookie=cookie)
        number = connection.search_ext(what["base"], ldap.SCOPE_SUBTREE, FILTER, what["attributes"], serverctrls=[control])
        _, entries, _, controls = connection.result3(number)
        for dn, attributes in entries:
            if dn is not None:
                yield attributes
        cookie = next(control.cookie for control in controls if control.controlType == SimplePagedResultsControl.controlType)
        if not cookie:
            break
    connection.unbind_s()


CLIENTS: dict[str, Callable[[What], Entries]] = {
    "ours": ours, "ldap3 default": ldap3_default, "ldap3 tuned": ldap3_tuned, "python-ldap": python_ldap,
}  # fmt: skip
_begun: list[float] = []


def begin() -> None:
    """The clock starts when everything is imported."""
    _begun[:] = [time.perf_counter(), time.process_time()]


def ldapsearch(what: What) -> dict[str, float]:
    """OpenLDAP's own tool, which prints what it reads; into a file, to count it."""
    with tempfile.NamedTemporaryFile("w") as secret, tempfile.TemporaryFile() as out:
        secret.write(what["password"])
        secret.flush()
        command = ["ldapsearch", "-H", what["url"], "-x", "-D", what["user"], "-y", secret.name, "-b", what["base"], "-LLL",
                   "-o", "ldif-wrap=no", "-E", f"pr={PAGE}/noprompt", FILTER, *what["attributes"]]  # fmt: skip
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=out, stderr=subprocess.DEVNULL)  # noqa: S603 - our own words
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        lines = out.read().splitlines()
    entries = sum(line.startswith(b"dn:") for line in lines)
    values = sum(bool(line) and not line.startswith((b"dn:", b"#")) for line in lines)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"entries": entries, "values": values, "wall": wall, "cpu": cpu}


def main() -> None:
    what, client = json.load(sys.stdin), sys.argv[1]
    if client == "ldapsearch":
        print(json.dumps(ldapsearch(what)))
        return
    entries = values = 0
    for attributes in CLIENTS[client](what):
        entries, values = entries + 1, values + sum(map(len, attributes.values()))
    wall, cpu = time.perf_counter() - _begun[0], time.process_time() - _begun[1]
    print(json.dumps({"entries": entries, "values": values, "wall": wall, "cpu": cpu}))


if __name__ == "__main__":
    main()
