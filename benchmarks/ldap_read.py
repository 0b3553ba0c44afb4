"""How fast users come out of a directory, beside other clients: python -m benchmarks.ldap_read [USERS]

The server is a process of its own, so are the clients, which take turns, three rounds. Where python-ldap is installed for
another interpreter, name that one in PYTHON_LDAP.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.ldap_servers import embedded, openldap, slapd

ROUNDS = 3
CLIENTS = ("ours", "ldapsearch", "python-ldap", "ldap3 tuned", "ldap3 default")


def measure(users: int) -> list[dict[str, Any]]:
    """One row for each server and client: medians of wall and CPU seconds, entries a second, and how that compares with ldapsearch.

    A client that is not there has a row too, which says so under "missing".
    """
    found = _against("embedded directory", embedded, users)
    if slapd():
        return found + _against("OpenLDAP", openldap, users)
    return [*found, {"server": "OpenLDAP", "client": "any", "missing": "slapd is not installed"}]


def _against(name: str, server: Callable[[int], AbstractContextManager[dict[str, Any]]], users: int) -> list[dict[str, Any]]:
    there = {client: command for client in CLIENTS if (command := _command(client))}
    seen: dict[str, list[dict[str, float]]] = {client: [] for client in there}
    with server(users) as what:
        _run(there["ours"], what)  # the server encodes everybody once
        for _ in range(ROUNDS):
            for client, command in there.items():
                seen[client].append(_run(command, what))
    rows = [{"server": name, "client": client, "users": users} | _summary(told) for client, told in seen.items()]
    base = next((row for row in rows if row["client"] == "ldapsearch"), None)
    for row in rows if base else ():
        row["wall_ratio"], row["cpu_ratio"] = row["wall"] / base["wall"], row["cpu"] / base["cpu"]  # type: ignore[index]
    return rows + [{"server": name, "client": client, "missing": "not installed"} for client in CLIENTS if client not in there]


def _command(client: str) -> list[str] | None:
    """How to run a client; None when it is not installed."""
    python = os.environ.get("PYTHON_LDAP", sys.executable) if client == "python-ldap" else sys.executable
    if client == "ldapsearch" and not shutil.which("ldapsearch"):
        return None
    if client == "python-ldap" and subprocess.run([python, "-c", "import ldap"], capture_output=True).returncode:  # noqa: S603
        return None
    return [python, "-m", "benchmarks.ldap_clients", client]


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


def main() -> None:
    """Print the table."""
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{users} users x 28 attributes, pages of 1000, median of {ROUNDS} rounds taken in turn; "
          f"Python {platform.python_version()}, {os.cpu_count()} processors")  # fmt: skip
    print(
        f"{'server':20} {'client':14} {'entries':>8} {'values':>9} {'wall s':>8} {'CPU s':>8} {'entries/s':>10} {'x wall':>7} {'x CPU':>7}"
    )
    for row in measure(users):
        if "missing" in row:
            print(f"{row['server']:20} {row['client']:14} {row['missing']}")
            continue
        ratios = [f"{row[name]:7.2f}" if name in row else "      -" for name in ("wall_ratio", "cpu_ratio")]
        print(f"{row['server']:20} {row['client']:14} {row['entries']:8.0f} {row['values']:9.0f} {row['wall']:8.3f} {row['cpu']:8.3f} "
              f"{row['per_second']:10.0f} {ratios[0]} {ratios[1]}")  # fmt: skip


if __name__ == "__main__":
    main()
