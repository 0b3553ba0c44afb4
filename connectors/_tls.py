"""What is told of a server's TLS and of its clock, and what is wrong with a certificate in one sentence."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.check import Check

ENDS_SOON = timedelta(days=14)
APART = 60.0  # seconds between two clocks that are worth a warning; Kerberos and signed tokens bear 300


def in_short(problem: Exception) -> str:
    """An error of a client library or of the network; what is wrong with a certificate in one sentence."""
    text = str(problem)
    found = re.search(r"certificate verify failed: ([^()]*)", text)
    if not found:
        return f"{type(problem).__name__}: {text[:300]}"
    fix = "name the server as its certificate does" if "match" in found[1] else (
        "renew it" if "expired" in found[1] else "set ca_file to the certificate of the authority that signed it")  # fmt: skip
    return f"its certificate is not accepted: {found[1].strip()}; {fix}"


def tls(server: str, sock: Any, now: datetime) -> Check:
    """The verified certificate of an open connection; one without TLS is on this machine, or it would not be open."""
    if not isinstance(sock, ssl.SSLSocket):
        return Check("tls", server, "warning", "no TLS: taken because the server is on this machine", fix="use TLS elsewhere")
    told = sock.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)
    text = f"{sock.version()}, certificate verified, good until {ends:%Y-%m-%d}"
    if ends - now > ENDS_SOON:
        return Check("tls", server, told=text)
    days = max(0, (ends - now).days)
    return Check(
        "tls", server, "warning", f"{text}: {days} days", "afterwards the source cannot be read", "renew the certificate"
    )


def clock(server: str, theirs: datetime, ours: datetime) -> Check:
    """How far this machine's clock is from the server's."""
    ahead = (ours - theirs).total_seconds()
    if abs(ahead) <= APART:
        return Check("clock", server, told=f"{abs(ahead):.0f} s from the server's")
    told = f"this machine is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the server"
    without = "beyond 300 s Kerberos tickets and signed requests for tokens are refused"
    return Check("clock", server, "warning", told, without, "synchronise this machine's clock (NTP)")
