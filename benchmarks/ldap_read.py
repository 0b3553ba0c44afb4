"""How fast users come out of a directory: 28 attributes each, pages of 1000, ours beside other clients.

The server is a process of its own, so are the clients, which take turns; medians.

Like for like: the same filter, attributes and pages of the same server, without TLS; every client ends with the same number
of entries and values. Not like for like: ldapsearch is timed whole, with its start, and only prints what it reads; the
others are timed from before they connect, and hold every entry as a dict. Ours checks the result of every page. The embedded
directory is Python and shares the machine with the client, so there its own cost is in everybody's wall seconds.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.ldap_servers import embedded, openldap, slapd

CLIENTS = ("ours", "ldapsearch", "python-ldap", "ldap3 tuned", "ldap3 default")


def measure(users: int, rounds: int = 3) -> list[dict[str, Any]]:
    """One row for each server and client: medians of wall and CPU seconds, entries a second, and how that compares with ldapsearch.

    A client that is not there has a row too, which says so under "missing".
    """
    found = _against("embedded directory", embedded, users, rounds)
    if slapd():
        return found + _against("OpenLDAP", openldap, users, rounds)
    return [*found, {"server": "OpenLDAP", "client": "any", "missing": "slapd is not installed"}]


def _against(
    name: str, server: Callable[[int], AbstractContextManager[dict[str, Any]]], users: int, rounds: int
) -> list[dict[str, Any]]:
    there = {client: command for client in CLIENTS if (command := _command(client))}
    seen: dict[str, list[dict[str, float]]] = {client: [] for client in there}
    with server(users) as what:
        _run(there["ours"], what)  # the server encodes everybody once
        for _ in range(rounds):
            for client, command in there.items():
                seen[client].append(_run(command, what))
    rows = [{"server": name, "client": client, "users": users} | _summary(told) for client, told in seen.items()]
    if len({(row["entries"], row["values"]) for row in rows}) != 1:
        raise SystemExit(f"the clients do not agree on what {name} holds: {rows}")
    base = next((row for row in rows if row["client"] == "ldapsearch"), None)
    for row in rows if base else ():
        row["wall_ratio"], row["cpu_ratio"] = row["wall"] / base["wall"], row["cpu"] / base["cpu"]  # type: ignore[index]
    return rows + [{"server": name, "client": client, "missing": "not installed"} for client in CLIENTS if client not in there]


def _command(client: str) -> list[str] | None:
    """How to run a client; None when it is not installed."""
    if client == "ldapsearch" and not shutil.which("ldapsearch"):
        return None
    python = sys.executable if client != "python-ldap" else _with_python_ldap()
    return [python, "-m", "benchmarks.ldap_clients", client] if python else None


def _with_python_ldap() -> str | None:
    """An interpreter that has python-ldap: this one, or the system's own, for which distributions pack it."""
    for python in (sys.executable, "/usr/bin/python3"):
        if Path(python).exists() and not subprocess.run([python, "-c", "import ldap"], capture_output=True).returncode:  # noqa: S603
            return python
    return None


def _run(command: list[str], what: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(command, input=json.dumps(what), capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _summary(told: list[dict[str, float]]) -> dict[str, Any]:
    wall, cpu = (statistics.median(run[name] for run in told) for name in ("wall", "cpu"))
    counts = {(run["entries"], run["values"]) for run in told}
    if len(counts) != 1:
        raise SystemExit(f"the rounds do not agree on what was read: {sorted(counts)}")
    ((entries, values),) = counts
    return {"entries": entries, "values": values, "wall": wall, "cpu": cpu, "per_second": entries / wall, "rounds": len(told)}
